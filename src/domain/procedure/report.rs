//! A run in words: for `runs show`, and for the end of `run`.

use super::event::{Choice, Hold, Mode, Outcome, Second};
use super::ledger::{Owed, RunState};
use super::plan::Owe;
use super::proposal;
use super::run::{Held, Phase, Run};
use crate::domain::text::{laid_out, one_line};
use crate::domain::units::{long_age, second};
use jiff::Timestamp;
use std::time::Duration;

/// The longest line, in characters.
const MAX_LINE: usize = 600;
/// The longest word of a step's state.
const WORD: usize = 12;
/// Before what is said of a step, under the line that names it.
const INDENT: &str = "      ";
/// The widest column of steps' ids; a longer one pushes its name to the right.
const MAX_ID: usize = 40;

/// Everything about a run, one safe line each. `open` are the debts that are still owed, of all runs;
/// without it, what this run left is not known to be settled.
pub fn of(run: &Run, runner_alive: bool, now: Timestamp, open: Option<&[Owed]>) -> Vec<String> {
    let mut out = vec![
        format!(
            "run {}: {} ({}), {} plan {}",
            run.id,
            run.plan.name,
            run.plan.procedure,
            run.plan.level,
            run.hash.short()
        ),
        format!("stack {}, environment {}", run.plan.title, run.plan.environment),
        format!("by {}, {}", person(run), since(run.started, now)),
    ];
    out.extend(confirmed(run));
    if run.mode == Mode::Rollback {
        out.push("is rolled back".to_owned());
    }
    out.push(String::new());
    out.extend((0..run.steps.len()).flat_map(|i| step(run, runner_alive, i, Some(now))));
    out.push(String::new());
    out.extend(end(run, runner_alive, open));
    for (at, note) in &run.notes {
        out.push(format!("note {}: {note}", second(*at)));
    }
    safe(&out)
}

/// How it stands or ended, what is owed, and what can be done now.
pub fn summary(run: &Run, runner_alive: bool) -> Vec<String> {
    let mut out = Vec::new();
    for (i, state) in run.steps.iter().enumerate() {
        if matches!(
            state.phase,
            Phase::Failed(_) | Phase::InDoubt | Phase::Killed(_) | Phase::FailedAndPassed(_)
        ) || run.is_rollback_open(i)
        {
            out.extend(step(run, runner_alive, i, None));
        }
    }
    out.extend(end(run, runner_alive, None));
    safe(&out)
}

/// An outcome as one word or two.
pub fn outcome(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Verified => "verified",
        Outcome::Failed => "failed",
        Outcome::Refused => "refused",
        Outcome::InDoubt => "in doubt",
        Outcome::Aborted => "aborted",
        Outcome::RolledBack => "rolled back",
    }
}

fn safe(lines: &[String]) -> Vec<String> {
    lines.iter().map(|l| laid_out(l, MAX_LINE)).collect()
}

fn person(run: &Run) -> String {
    let from = run.by.from.as_ref().map_or(String::new(), |f| format!(" from {f}"));
    format!("{} (uid {}){from}", run.by.login, run.by.uid)
}

fn confirmed(run: &Run) -> Vec<String> {
    let mut out = Vec::new();
    if let Some(reason) = &run.confirmed.reason {
        out.push(format!("reason: {reason}"));
    }
    out.extend(run.confirmed.second.as_ref().map(Second::says));
    out
}

/// A step: where it is, how it stands, how long it took, what it is; below, what is said of it. With
/// `now`, one that is under way tells how long it has been.
fn step(run: &Run, runner_alive: bool, i: usize, now: Option<Timestamp>) -> Vec<String> {
    let (Some(plan), Some(state)) = (run.plan.steps.get(i), run.steps.get(i)) else { return Vec::new() };
    let (mut word, mut says) = phase(&state.phase);
    let undoing = run.rolling_back() == Some(i) && runner_alive;
    if undoing {
        (word, says) = ("undoing", Some("its rollback is under way".to_owned()));
    } else if run.waits_in_doubt(i) {
        (word, says) = ("IN DOUBT", Some(ONCE_MORE.to_owned()));
    } else if run.is_rollback_open(i) {
        let doubt = "its rollback was intended, and its outcome is not known";
        (word, says) = ("UNDO DOUBT", Some(doubt.to_owned()));
    }
    // A person who is asked must see that, and not only what there is to ask about.
    let held = run.hold.as_ref().filter(|h| runner_alive && h.step == plan.id);
    if let Some(hold) = held {
        (word, says) = ("WAITS", Some(format!("for you ({})", hold_word(run, hold.why))));
    }
    let begun = held.map(|h| h.since).or(state.since);
    let acts = runner_alive && matches!(state.phase, Phase::Running | Phase::Verifying { .. });
    let took = match (begun, state.ended, now) {
        // Where an effect ended its rollback began.
        (_, Some(ended), Some(now)) if undoing => long_age(span(ended, now)),
        (Some(since), Some(ended), _) if held.is_none() => long_age(span(since, ended)),
        (Some(since), _, Some(now)) if held.is_some() || acts => long_age(span(since, now)),
        _ => String::new(),
    };
    let ids = run.plan.steps.iter().map(|s| s.id.as_str().len()).max().unwrap_or(0).min(MAX_ID);
    let mut out =
        vec![format!("{:>3}  {word:<WORD$}  {took:>7}  {:<ids$}  {}", i + 1, plan.id.as_str(), plan.name)];
    let mut below: Vec<String> = says.map(|s| one_line(&s, 400)).into_iter().collect();
    if state.attempts > 1 {
        below.push(format!("{} attempts", state.attempts));
    }
    match &state.rolled_back {
        Some(Ok(says)) => below.push(format!("rolled back: {says}")),
        Some(Err(why)) => below.push(format!("ROLLBACK FAILED: {why}")),
        None => {}
    }
    for output in &state.outputs {
        let cut = match output.dropped {
            0 => String::new(),
            more => format!(", CUT: {more} more dropped"),
        };
        below.push(format!("kept {} ({} bytes{cut})", output.file, output.bytes));
    }
    out.extend((!below.is_empty()).then(|| format!("{INDENT}{}", below.join(" · "))));
    out
}

/// What is said of a step that waits in doubt.
pub const ONCE_MORE: &str = "it is to be done once more, and may have been done";

/// A phase as one word or two, and what is said of it.
pub fn phase(phase: &Phase) -> (&'static str, Option<String>) {
    match phase {
        Phase::Waiting => ("waiting", None),
        Phase::Running => ("running", None),
        Phase::Verifying { streak, needed, last } => {
            let seen = last.as_ref().map_or(String::new(), |s| format!(": {}", s.says));
            ("verifying", Some(format!("{streak} of {needed} good{seen}")))
        }
        Phase::Verified(says) => ("verified", Some(says.clone())),
        Phase::Done(says) => ("done", Some(says.clone())),
        Phase::Skipped(says) => ("not needed", Some(says.clone())),
        Phase::Failed(why) => ("FAILED", Some(why.clone())),
        Phase::FailedAndPassed(why) => ("failed, on", Some(why.clone())),
        Phase::InDoubt => ("IN DOUBT", Some("it was intended, and its outcome is not known".to_owned())),
        Phase::Killed(why) => ("ended", Some(why.clone())),
        Phase::WillNotRun(why) => ("will not run", Some(why.clone())),
    }
}

fn end(run: &Run, runner_alive: bool, open: Option<&[Owed]>) -> Vec<String> {
    let mut out = Vec::new();
    match run.state(runner_alive) {
        RunState::Running => {
            let id = |i: usize| run.plan.steps.get(i).map_or("-", |s| s.id.as_str());
            out.push(match run.rolling_back() {
                Some(i) => format!("runs, undoing step {}", id(i)),
                None => format!("runs, at step {}", run.current().map_or("-", id)),
            });
        }
        RunState::Held => {
            if let Some(hold) = &run.hold {
                out.push(format!(
                    "waits for you at step {} ({}): {}",
                    hold.step,
                    hold_word(run, hold.why),
                    hold.says
                ));
                out.extend(said_since(run, hold).map(|says| format!("since then: {says}")));
                out.push(format!("answer with: {}", answer(run.id.as_str(), hold)));
            }
        }
        RunState::Lost => {
            let (_, why) = run.given_up();
            // It was not given up yet: what stands behind those words is what is so now.
            let so = why.strip_prefix("given up").map_or_else(|| format!("; {why}"), str::to_owned);
            let (runner, last) = (run.runner, second(run.last.1));
            out.push(format!("its runner (process {runner}) is gone since {last} or later, not ended{so}"));
        }
        RunState::Ended(how) => {
            let (at, why) = run.ended.as_ref().map_or((run.last.1, ""), |e| (e.at, e.why.as_str()));
            let took = long_age(span(run.started, at));
            let why = if open.is_some() { without_debts(why, &run.owed) } else { why.to_owned() };
            out.push(format!("{} after {took}: {why}", outcome(how).to_uppercase()));
        }
    }
    for owe in &run.owed {
        let is_open = |all: &[Owed]| all.iter().any(|o| o.is_by(&run.id) && o.owe.id == owe.id);
        if open.is_some_and(|all| !is_open(all)) {
            out.push(format!("was owed and is settled: {}", owe.says));
            continue;
        }
        let by = owe.by.as_ref().map_or(String::new(), |by| format!("; settled by: quarterdeck run {by}"));
        out.push(format!("OWED: {}{by}", owe.says));
    }
    out.extend(ways_on(run, runner_alive));
    out
}

/// Why a run ended, without what it owed then: where what is owed now is told beside it.
pub fn without_debts(why: &str, owed: &[Owe]) -> String {
    let debts = still_owed(owed);
    if debts.is_empty() { why.to_owned() } else { why.replacen(&debts, "", 1) }
}

/// What a run leaves owed, to be said after how it ended; empty when it is nothing.
pub fn still_owed(owed: &[Owe]) -> String {
    let all: Vec<&str> = owed.iter().map(|o| o.says.as_str()).collect();
    if all.is_empty() { String::new() } else { format!("; STILL OWED: {}", all.join(", ")) }
}

/// The ways in which a run that stopped can be taken up again.
pub fn resumable(run: &Run, runner_alive: bool) -> Vec<Mode> {
    if runner_alive && run.ended.is_none() {
        return Vec::new();
    }
    let undoable = (0..run.steps.len())
        .any(|i| run.carried_out(i) && !run.undone(i) && run.plan.steps[i].rollback.is_some());
    [Mode::Continue, Mode::Rollback]
        .into_iter()
        .filter(|mode| run.may_resume(*mode).is_ok() && (*mode == Mode::Continue || undoable))
        .collect()
}

/// What can be done about a run that stopped.
fn ways_on(run: &Run, runner_alive: bool) -> Vec<String> {
    if runner_alive && run.ended.is_none() {
        return Vec::new();
    }
    let prompt = proposal::resume_prompt(run, Mode::Continue);
    let second = if prompt.needs_second { " (it waits for a second person, or --break-glass)" } else { "" };
    let confirm = prompt.type_this.filter(|_| prompt.needs_reason);
    let confirm = confirm.map_or(String::new(), |text| format!(" --confirm \"{text}\" --reason TEXT"));
    let mut out: Vec<String> = resumable(run, false)
        .into_iter()
        .map(|mode| match mode {
            Mode::Continue => format!("go on with: quarterdeck runs resume {}{confirm}{second}", run.id),
            Mode::Rollback => format!("undo it with: quarterdeck runs resume {} --rollback{confirm}", run.id),
        })
        .collect();
    if run.ended.is_none() {
        out.push(format!("give it up with: quarterdeck runs abort {}", run.id));
    }
    out
}

/// What came up last since a person was asked, such as that they must not do it now.
pub fn said_since<'a>(run: &'a Run, hold: &Held) -> Option<&'a str> {
    run.notes.last().filter(|(at, _)| *at >= hold.since).map(|(_, says)| says.as_str())
}

/// Why a run waits, as a few words.
pub fn hold_word(run: &Run, why: Hold) -> &'static str {
    match why {
        Hold::InDoubt if run.is_held_by_undoing() => "its undoing in doubt",
        Hold::Planned => "planned",
        Hold::TimedOut => "its time is over",
        Hold::Failed => "it failed",
        Hold::Manual => "to be done by hand",
        Hold::InDoubt => "in doubt",
    }
}

/// A moment to the second, and how long ago it was: `2026-03-14T03:00:01Z (4m ago)`.
pub fn since(at: Timestamp, now: Timestamp) -> String {
    format!("{} ({} ago)", second(at), long_age(span(at, now)))
}

/// The command that answers a hold, with what it can be answered with.
pub fn answer(run: &str, hold: &Held) -> String {
    let choices: Vec<&str> = hold.choices.iter().map(|c| choice(*c)).collect();
    format!("quarterdeck runs release-hold {run} --hold {} --choice {}", hold.n, choices.join("|"))
}

/// A choice as the command line has it.
pub fn choice(choice: Choice) -> &'static str {
    match choice {
        Choice::GoOn => "go-on",
        Choice::Again => "again",
        Choice::Stop => "stop",
    }
}

fn span(from: Timestamp, to: Timestamp) -> Duration {
    Duration::try_from(to.duration_since(from)).unwrap_or(Duration::ZERO)
}
