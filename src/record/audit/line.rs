//! One line of the audit log: who, what, and how it was confirmed.

use crate::domain::id::{ProcedureId, RunId};
use crate::domain::procedure::event::{Confirmed, Mode, Outcome, Person, Second};
use crate::domain::procedure::level::Level;
use crate::domain::procedure::plan::PlanHash;
use crate::domain::procedure::request::Request;
use crate::domain::text;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The longest text in a line, in characters.
const MAX_TEXT: usize = 1000;
/// Texts in a list, at most; the last one then counts the rest.
const MAX_LIST: usize = 64;

/// What a line says, apart from what binds it to the others.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// From 1, without gaps.
    pub n: u64,
    pub at: Timestamp,
    /// The machine it was done from.
    pub machine: String,
    /// Whose doing it is; absent where the program itself has something to say.
    pub who: Option<Person>,
    #[serde(flatten)]
    pub what: What,
}

/// What was done. Secrets stand in none of it: commands are shown as the plan shows them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "did", rename_all = "kebab-case")]
pub enum What {
    /// A plan was asked for and refused.
    Refused {
        stack: String,
        procedure: ProcedureId,
        plan: Option<PlanHash>,
        why: Vec<String>,
    },
    /// Somebody asked for the approval of a second person.
    Asked {
        stack: String,
        procedure: ProcedureId,
        plan: PlanHash,
        request: String,
    },
    /// A second person approved somebody else's plan.
    Approved {
        stack: String,
        procedure: ProcedureId,
        plan: PlanHash,
        request: String,
    },
    /// A run began.
    Started {
        run: RunId,
        stack: String,
        environment: String,
        procedure: ProcedureId,
        params: BTreeMap<String, String>,
        plan: PlanHash,
        level: Level,
        confirmed: Confirmed,
    },
    /// An effect is about to begin: the exact command or request, redacted.
    Intended {
        run: RunId,
        step: String,
        attempt: u32,
        host: String,
        commands: Vec<String>,
    },
    /// It ended.
    Finished {
        run: RunId,
        step: String,
        attempt: u32,
        how: String,
    },
    /// A person asked something of a run.
    Requested {
        run: RunId,
        request: Request,
    },
    /// A new runner took a run over.
    Resumed {
        run: RunId,
        mode: Mode,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        second: Option<Second>,
    },
    Ended {
        run: RunId,
        outcome: Outcome,
        why: String,
    },
    /// Anything else about a run that must be remembered.
    Noted {
        run: RunId,
        says: String,
    },
    /// The end of a line that a crash had cut off was removed; it is kept here as hexadecimal
    /// digits of its SHA-256 and its length.
    Mended {
        bytes: u64,
        sha256: String,
    },
    /// The log did not fit its head when it was next written to: it had been cut or changed. This
    /// line keeps what the head vouched for.
    Tampered {
        head_n: u64,
        head_hash: String,
        found_n: u64,
        why: String,
    },
}

impl What {
    /// The same with every text safe to show and bounded, so that a line has a bound.
    #[must_use]
    pub fn bounded(mut self) -> Self {
        let safe = |t: &mut String| *t = text::one_line(t, MAX_TEXT);
        match &mut self {
            What::Refused { why: list, .. } | What::Intended { commands: list, .. } => bound(list),
            What::Started { params, confirmed, .. } => {
                params.values_mut().for_each(safe);
                safe(&mut confirmed.typed);
                confirmed.reason.iter_mut().for_each(safe);
            }
            What::Finished { how: words, .. }
            | What::Ended { why: words, .. }
            | What::Noted { says: words, .. }
            | What::Tampered { why: words, .. }
            | What::Requested { request: Request::Release { note: Some(words), .. }, .. } => safe(words),
            What::Asked { .. }
            | What::Approved { .. }
            | What::Requested { .. }
            | What::Resumed { .. }
            | What::Mended { .. } => {}
        }
        self
    }

    /// The run it is about.
    pub fn run(&self) -> Option<&RunId> {
        match self {
            What::Started { run, .. }
            | What::Intended { run, .. }
            | What::Finished { run, .. }
            | What::Requested { run, .. }
            | What::Resumed { run, .. }
            | What::Ended { run, .. }
            | What::Noted { run, .. } => Some(run),
            _ => None,
        }
    }

    /// In words, for people: one safe line.
    pub fn says(&self) -> String {
        let said = match self {
            What::Refused { procedure, why, .. } => format!("{procedure} refused: {}", why.join("; ")),
            What::Asked { procedure, plan, request, .. } => {
                format!("{procedure} waits for a second person: request {request}, plan {}", plan.short())
            }
            What::Approved { procedure, plan, request, .. } => {
                format!("{procedure} approved: request {request}, plan {}", plan.short())
            }
            What::Started { run, procedure, plan, level, confirmed, .. } => {
                format!("{run} {procedure} started: {level}, plan {}{}", plan.short(), how(confirmed))
            }
            What::Intended { run, step, attempt, host, commands } => {
                let again = if *attempt > 1 { format!(" (attempt {attempt})") } else { String::new() };
                format!("{run} {step} on {host}{again}: {}", commands.join(" | "))
            }
            What::Finished { run, step, how, .. } => format!("{run} {step}: {how}"),
            What::Requested { run, request } => format!("{run} {}", asked(request)),
            What::Resumed { run, mode, reason, second } => {
                let how = if *mode == Mode::Rollback { ": it is rolled back" } else { "" };
                let why = reason.as_ref().map_or(String::new(), |why| format!(", because: {why}"));
                let second = second.as_ref().map_or(String::new(), |second| format!("; {}", second.says()));
                format!("{run} resumed{how}{why}{second}")
            }
            What::Ended { run, outcome, why } => format!("{run} ended {}: {why}", word(*outcome)),
            What::Noted { run, says } => format!("{run} {says}"),
            What::Mended { bytes, .. } => {
                format!("{bytes} bytes of a line that a crash had cut off were removed")
            }
            What::Tampered { head_n, found_n, why, .. } => format!(
                "TAMPERED: the head vouched for {head_n} lines, the log had {found_n} whole ones: {why}"
            ),
        };
        text::one_line(&said, MAX_TEXT)
    }
}

fn bound(list: &mut Vec<String>) {
    let more = list.len().saturating_sub(MAX_LIST);
    list.truncate(MAX_LIST);
    for words in list.iter_mut() {
        *words = text::one_line(words, MAX_TEXT);
    }
    if more > 0 {
        list.push(format!("and {more} more"));
    }
}

fn how(confirmed: &Confirmed) -> String {
    use crate::domain::procedure::event::Second;
    let typed = Some(&confirmed.typed).filter(|t| !t.is_empty()).map(|t| format!("typed \"{t}\""));
    let second = confirmed.second.as_ref().map(|second| match second {
        Second::Approved(by) => format!("approved by {} (uid {})", by.login, by.uid),
        Second::BreakGlass { waited_s } => {
            format!("BREAK-GLASS: nobody approved, {waited_s} s were waited")
        }
    });
    let reason = confirmed.reason.as_ref().map(|r| format!("because {r}"));
    [typed, second, reason].into_iter().flatten().fold(String::new(), |all, one| all + ", " + &one)
}

fn asked(request: &Request) -> String {
    use crate::domain::procedure::event::Choice;
    match request {
        Request::Ping => "asked whether it is there".to_owned(),
        Request::Abort { now: false } => "abort asked for".to_owned(),
        Request::Abort { now: true } => "abort asked for at once".to_owned(),
        Request::Release { step, choice, note, .. } => {
            let choice = match choice {
                Choice::GoOn => "go on",
                Choice::Again => "again",
                Choice::Stop => "stop",
            };
            let note = note.as_ref().map(|n| format!(": {n}")).unwrap_or_default();
            format!("hold at {step} released: {choice}{note}")
        }
    }
}

/// An outcome's word.
pub fn word(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Verified => "verified",
        Outcome::Failed => "failed",
        Outcome::Refused => "refused",
        Outcome::InDoubt => "in doubt",
        Outcome::Aborted => "aborted",
        Outcome::RolledBack => "rolled back",
    }
}
