//! The second person of the gravest plans: waiting for their word, or going on without them after a
//! countdown that everybody will read of.

use super::acting;
use super::args::Global;
use super::args_act::{Approve, Output};
use super::{End, Ended, print, run_json};
use crate::act::approval::{self, Asked, COUNTDOWN, Seconded, VALID};
use crate::act::identity;
use crate::act::rundir::{StateDir, WriteState};
use crate::clock::{Clock, SystemClock};
use crate::domain::procedure::event::Person;
use crate::domain::procedure::ledger::Waiting;
use crate::domain::procedure::proposal::Proposal;
use crate::domain::text::{nearest, one_line};
use crate::domain::units;
use crate::record::audit::What;
use serde::Serialize;
use std::fmt::Write as _;
use std::io::{BufRead, Read, Write};
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};

/// Between two looks for the approval.
const EVERY: Duration = Duration::from_millis(500);
/// Read of what is typed, in bytes.
const MAX_TYPED: u64 = 1024;
/// Digits of the hash that are typed.
const DIGITS: usize = 12;

/// Tells a person who waits; if standard error is gone, there is nobody to tell.
fn tell(words: &str) {
    let _ = writeln!(std::io::stderr(), "quarterdeck: {words}");
}

/// Waits for Ctrl-C, or for the end of the terminal or of the session: a request must not outlive
/// who waits for it.
async fn told_to_leave() {
    let heard = |kind| async move {
        match signal(kind) {
            Ok(mut signal) => {
                signal.recv().await;
            }
            // What cannot be listened for ends the program.
            Err(_) => std::future::pending().await,
        }
    };
    tokio::select! {
        () = heard(SignalKind::interrupt()) => {}
        () = heard(SignalKind::terminate()) => {}
        () = heard(SignalKind::hangup()) => {}
    }
}

/// Puts a plan up for a second person and waits for their word.
///
/// # Errors
/// Nobody gave it in time, or whoever asked left; the request is then withdrawn. Completes
/// "failed to …".
pub(super) async fn wait_for(
    (state, clock): (&StateDir, &dyn Clock),
    proposal: &Proposal,
    reason: &str,
    by: &Person,
) -> Result<Seconded, String> {
    state.prepare()?;
    let begun = clock.now();
    if let Ok(seconded) = approval::seconded(state, &proposal.hash, by, begun.wall) {
        return Ok(seconded);
    }
    let id = approval::request(state, proposal, reason, by, begun.wall)?;
    let (stack, procedure) = (proposal.plan.stack.clone(), proposal.plan.procedure.clone());
    let what = What::Asked { stack, procedure, plan: proposal.hash.clone(), request: id.clone() };
    acting::log_of(state).append(begun.wall, Some(by), what)?;
    tell(&format!("waits {} for a second person, who runs: quarterdeck approve {id}", units::exact(VALID)));
    let mut leave = std::pin::pin!(told_to_leave());
    loop {
        let now = clock.now();
        if let Ok(seconded) = approval::seconded(state, &proposal.hash, by, now.wall) {
            return Ok(seconded);
        }
        if now.since(begun) >= VALID {
            approval::withdraw(state, &id)?;
            return Err(format!("get a second person's word: nobody gave it within {}", units::exact(VALID)));
        }
        tokio::select! {
            () = tokio::time::sleep(EVERY) => {}
            () = &mut leave => {
                approval::withdraw(state, &id)?;
                return Err("get a second person's word: the request was withdrawn".to_owned());
            }
        }
    }
}

/// Counts down and goes on alone.
///
/// # Errors
/// There is no reason, or Ctrl-C: nothing was begun. Completes "failed to …".
pub(super) async fn break_glass(
    clock: &dyn Clock,
    proposal: &Proposal,
    reason: &str,
) -> Result<Seconded, String> {
    // The reason first: nobody is to wait a minute for nothing.
    if reason.trim().is_empty() {
        return approval::break_glass(&proposal.hash, COUNTDOWN, reason);
    }
    let begun = clock.now();
    tell("BREAK-GLASS: no second person approves this; the run, its journal and the audit will say so");
    let mut told = None;
    // Listened for, not left to end the program: a shell that starts this in the background has
    // SIGINT ignored.
    let mut leave = std::pin::pin!(told_to_leave());
    loop {
        let waited = clock.now().since(begun);
        let left = COUNTDOWN.saturating_sub(waited).as_secs_f64().ceil() as u64;
        if left == 0 {
            return approval::break_glass(&proposal.hash, waited, reason);
        }
        if told != Some(left) && (left.is_multiple_of(10) || left <= 5) {
            tell(&format!("{} goes on alone in {left} s; Ctrl-C stops it", proposal.plan.procedure));
        }
        told = Some(left);
        tokio::select! {
            () = tokio::time::sleep(Duration::from_millis(200)) => {}
            () = &mut leave => return Err("break the glass: stopped, and nothing was begun".to_owned()),
        }
    }
}

#[derive(Serialize)]
struct WaitingReport<'a> {
    id: &'a str,
    procedure: &'a str,
    name: &'a str,
    level: String,
    /// Stack, environment and hosts in words.
    place: &'a str,
    plan: &'a str,
    by: &'a str,
    uid: u32,
    blast_radius: &'a [String],
    reason: &'a str,
    since: String,
    until: String,
    approved_by: Option<&'a str>,
}

/// `quarterdeck approve`.
pub(super) fn approve(global: &Global, args: &Approve) -> Ended {
    let state = acting::state(global)?;
    let clock = SystemClock::new();
    let all = approval::waiting(&state, clock.now().wall);
    let Some(text) = &args.id else {
        return print(&match args.output {
            Output::Text => list(&all),
            Output::Json => {
                let waiting: Vec<_> = all.iter().map(report).collect();
                let json = serde_json::json!({ "version": run_json::JSON_VERSION, "waiting": waiting });
                serde_json::to_string_pretty(&json).unwrap_or_default() + "\n"
            }
        });
    };
    let id = resolve(&all, text)?;
    let asked = approval::look(&state, &id, clock.now().wall).map_err(End::Refused)?;
    let me = identity::me();
    if me.uid == asked.by.uid {
        return Err(End::Refused(format!("approve {id}: nobody approves their own plan")));
    }
    let mut err = std::io::stderr();
    let _ = err.write_all(shown(&asked).as_bytes());
    let _ = write!(err, "type the first {DIGITS} digits of the hash to approve it: ");
    let _ = err.flush();
    let typed = typed().map_err(|e| End::Refused(format!("read what is typed: {e}")))?;
    if typed.len() < DIGITS || !asked.hash.is_meant_by(&typed) {
        return Err(End::Refused(format!("approve {id}: that is not its hash; nothing was approved")));
    }
    give(&state, &id, &asked, &me, &clock)?;
    print(&match args.output {
        Output::Text => format!("approved {id}: {} for {}\n", asked.plan.procedure, asked.by.login),
        Output::Json => {
            let (version, plan) = (run_json::JSON_VERSION, asked.hash.as_str());
            format!(
                "{}\n",
                serde_json::json!({ "version": version, "id": id, "approved": true, "plan": plan })
            )
        }
    })
}

fn give(state: &StateDir, id: &str, asked: &Asked, me: &Person, clock: &dyn Clock) -> Result<(), End> {
    let at = clock.now().wall;
    approval::approve(state, id, &asked.hash, me, at).map_err(End::Refused)?;
    let what = What::Approved {
        stack: asked.plan.stack.clone(),
        procedure: asked.plan.procedure.clone(),
        plan: asked.hash.clone(),
        request: id.to_owned(),
    };
    acting::log_of(state).append(at, Some(me), what).map_err(End::Failed)?;
    Ok(())
}

fn typed() -> std::io::Result<String> {
    let mut line = String::new();
    std::io::stdin().lock().take(MAX_TYPED).read_line(&mut line)?;
    Ok(line.trim().to_owned())
}

fn resolve(all: &[Waiting], text: &str) -> Result<String, End> {
    let meant: Vec<&Waiting> = all.iter().filter(|w| w.id.starts_with(text)).collect();
    let shown = one_line(text, 60);
    match meant.as_slice() {
        [one] if !text.is_empty() => Ok(one.id.clone()),
        [] => {
            let near = nearest(text, all.iter().map(|w| w.id.as_str()));
            let near = near.map(|n| format!("; did you mean {n}?")).unwrap_or_default();
            Err(End::Refused(format!("find the request {shown}: nothing of that name waits{near}")))
        }
        several => {
            let ids: Vec<&str> = several.iter().take(5).map(|w| w.id.as_str()).collect();
            Err(End::Refused(format!("find the request {shown}: it could be {}", ids.join(", "))))
        }
    }
}

fn list(all: &[Waiting]) -> String {
    let mut out = String::new();
    for w in all {
        let approved = w.approved.as_ref().map(|by| format!("; approved by {}", one_line(by, 40)));
        let _ = writeln!(
            out,
            "{}  {} ({}) for {}, uid {}, until {}{}",
            w.id,
            one_line(&w.name, 60),
            w.procedure,
            one_line(&w.by, 40),
            w.uid,
            w.until.strftime("%H:%M:%SZ"),
            approved.unwrap_or_default()
        );
        let _ = writeln!(out, "  {} at {}", w.level, one_line(&w.place, 200));
        let _ = writeln!(out, "  plan {}", w.hash);
        let _ = writeln!(out, "  because {}", one_line(&w.reason, 300));
        for line in &w.blast {
            let _ = writeln!(out, "  {}", one_line(line, 300));
        }
    }
    if all.is_empty() {
        out.push_str("nothing waits for a second person\n");
    }
    out
}

fn report(w: &Waiting) -> WaitingReport<'_> {
    WaitingReport {
        id: &w.id,
        procedure: w.procedure.as_str(),
        name: &w.name,
        level: w.level.to_string(),
        place: &w.place,
        plan: w.hash.as_str(),
        by: &w.by,
        uid: w.uid,
        blast_radius: &w.blast,
        reason: &w.reason,
        since: w.since.to_string(),
        until: w.until.to_string(),
        approved_by: w.approved.as_deref(),
    }
}

/// Everything that the second person is to know.
fn shown(asked: &Asked) -> String {
    let plan = &asked.plan;
    let mut out = String::new();
    let mut line = |words: &str| {
        let _ = writeln!(out, "{}", one_line(words, 1000));
    };
    line(&format!(
        "{} ({}) on {}, {}, {}",
        plan.name, plan.procedure, plan.title, plan.environment, plan.level
    ));
    let from = asked.by.from.as_ref().map(|f| format!(" from {f}")).unwrap_or_default();
    line(&format!("asked for by {} (uid {}){from}, because {}", asked.by.login, asked.by.uid, asked.reason));
    asked.blast.iter().for_each(|b| line(b));
    for (i, step) in plan.steps.iter().enumerate() {
        line(&format!("{}. {} on {}: {}", i + 1, step.id, step.host, step.preview.join(" | ")));
    }
    line(&format!("plan {}", asked.hash));
    out
}
