//! A run as its journal tells it, in honest words: done, running since, in doubt, will not run
//! because.

use super::badge::ago;
use super::detail::Line;
use super::proposal_lines;
use super::tone::{self, Tone};
use crate::clock::Now;
use crate::domain::health::Health;
use crate::domain::id::StepId;
use crate::domain::procedure::action::Action;
use crate::domain::procedure::event::Mode;
use crate::domain::procedure::ledger::{Ledger, RunState};
use crate::domain::procedure::level::Effect;
use crate::domain::procedure::plan::{OnTimeout, Step};
use crate::domain::procedure::report::{self, without_debts};
use crate::domain::procedure::run::{Phase, Run, StepState, Stopper};
use crate::domain::text::one_line;
use crate::domain::units::{bytes, exact, long_age, short_age};
use crate::tui::command::Action as Command;
use jiff::Timestamp;
use std::sync::Arc;
use std::time::Duration;

/// The longest text of a journal that is shown in one place, in characters.
const MAX: usize = 1000;

fn safe(text: &str) -> String {
    one_line(text, MAX)
}

fn clock(at: Timestamp) -> String {
    at.strftime("%H:%M:%SZ").to_string()
}

/// The run in full, when the ledger has it.
pub fn find<'a>(ledger: &'a Ledger, id: &crate::domain::id::RunId) -> Option<&'a Arc<Run>> {
    ledger.open.iter().find(|r| r.id == *id)
}

/// How the run stands: as the ledger lists it, else as its journal reads.
pub fn state(ledger: &Ledger, run: &Run) -> RunState {
    if let Some(ended) = &run.ended {
        return RunState::Ended(ended.outcome);
    }
    let listed = super::procedures::line(ledger, &run.id).map(|l| l.state);
    let held = if run.hold.is_some() { RunState::Held } else { RunState::Running };
    listed.unwrap_or(held)
}

/// How a step stands, in a word, and what there is to say of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StepLine {
    pub tone: Tone,
    pub word: &'static str,
    /// How long it has taken, of how long it may.
    pub time: String,
    pub says: String,
}

/// One step in a line.
pub fn step_line(run: &Run, at: usize, state: RunState, now: Now) -> Option<StepLine> {
    let (step, is) = (run.plan.steps.get(at)?, run.steps.get(at)?);
    if let Some(back) = is.rolled_back.as_ref().filter(|_| !run.is_rollback_open(at)) {
        return Some(match back {
            Ok(says) => line(Tone::Rest, "rolled back", String::new(), says),
            Err(why) => line(Tone::Bad, "not undone", String::new(), why),
        });
    }
    let held = run.hold.as_ref().filter(|h| h.step == step.id && state == RunState::Held);
    if let Some(hold) = held {
        let since = format!("for {}", short_age(ago(hold.since, now)));
        return Some(line(Tone::Asks, "waits for you", since, &hold.says));
    }
    if run.is_rollback_open(at) {
        return Some(of_rollback(run, at, is, state, now));
    }
    if run.waits_in_doubt(at) {
        return Some(line(Tone::Doubt, "in doubt", String::new(), report::ONCE_MORE));
    }
    Some(of_phase(run, step, is, state, now))
}

/// A step whose rollback was begun and has no end, whatever its effect came to.
fn of_rollback(run: &Run, at: usize, is: &StepState, state: RunState, now: Now) -> StepLine {
    if run.rolling_back() == Some(at) && matches!(state, RunState::Running | RunState::Held) {
        let most =
            run.plan.steps.get(at).and_then(|s| s.rollback.as_ref()).map_or(Duration::ZERO, |r| r.timeout);
        // Its effect ends, in the journal, where its rollback begins.
        let since = is.ended.map_or_else(String::new, |s| format!("since {}", clock(s)));
        return line(Tone::Busy, "being undone", against(is.ended, most, now), &since);
    }
    let says = "its rollback was begun, and how it ended is not known";
    line(Tone::Doubt, "undo in doubt", String::new(), says)
}

fn line(tone: Tone, word: &'static str, time: String, says: &str) -> StepLine {
    StepLine { tone, word, time, says: safe(says) }
}

fn of_phase(run: &Run, step: &Step, is: &StepState, state: RunState, now: Now) -> StepLine {
    let spent = || match (is.since, is.ended) {
        (Some(since), Some(ended)) => {
            short_age(Duration::try_from(ended.duration_since(since)).unwrap_or_default())
        }
        _ => String::new(),
    };
    match &is.phase {
        Phase::Waiting => waiting(run, state),
        Phase::Running if !matches!(state, RunState::Running | RunState::Held) => {
            let since = is.since.map_or_else(String::new, |s| format!("since {}", clock(s)));
            line(Tone::Doubt, "in doubt", String::new(), &format!("it ran {since} when its runner was lost"))
        }
        Phase::Running => {
            let time = against(is.since, step.timeout, now);
            let since = is.since.map_or_else(String::new, |s| format!("since {}", clock(s)));
            line(Tone::Busy, "running", time, &since)
        }
        Phase::Verifying { streak, needed, last } => {
            let within = step.verify.as_ref().map_or(step.timeout, |v| v.within);
            let seen = last.as_ref().map_or_else(String::new, |l| format!("; {}", l.says));
            let text = format!("{streak} of {needed} good{seen}");
            if matches!(state, RunState::Running | RunState::Held) {
                line(Tone::Busy, "verifying", against(is.effected, within, now), &text)
            } else {
                line(Tone::Doubt, "not verified", String::new(), &text)
            }
        }
        Phase::Verified(proof) => line(Tone::Good, "verified", spent(), proof),
        Phase::Done(says) => line(Tone::Good, "done", spent(), says),
        Phase::Skipped(because) => line(Tone::Good, "not needed", String::new(), because),
        Phase::Failed(why) => line(Tone::Bad, "failed", spent(), why),
        Phase::FailedAndPassed(why) => line(Tone::Asks, "failed, passed over", spent(), why),
        Phase::InDoubt => {
            line(Tone::Doubt, "in doubt", String::new(), "it was begun, and how it ended is not known")
        }
        Phase::Killed(left) => line(Tone::Bad, "ended by abort", spent(), left),
        Phase::WillNotRun(because) => line(Tone::Rest, "will not run", String::new(), because),
    }
}

/// A step that has not begun: it will not, once nothing lets it.
fn waiting(run: &Run, state: RunState) -> StepLine {
    let because = match (&run.ended, &run.abort) {
        (Some(ended), _) => format!("the run {}", tone::outcome(ended.outcome)),
        (None, _) if state == RunState::Lost => {
            return line(Tone::Rest, "not begun", String::new(), "nothing runs: its runner is lost");
        }
        (None, Some(abort)) => format!("{} the run to stop", stopper(&abort.by)),
        (None, None) => return line(Tone::Rest, "waiting", String::new(), ""),
    };
    line(Tone::Rest, "will not run", String::new(), &because)
}

/// Who or what wants a run to stop, as the beginning of a sentence about it.
fn stopper(by: &Stopper) -> String {
    match by {
        Stopper::Person(by) => format!("{} asked", by.login),
        Stopper::Interruption(_) => format!("{by} caused"),
    }
}

/// `12s of 1m`, or how much over its time it is.
fn against(since: Option<Timestamp>, most: Duration, now: Now) -> String {
    let Some(since) = since else { return String::new() };
    let spent = ago(since, now);
    if spent > most {
        format!("{} over {}", short_age(spent.saturating_sub(most)), exact(most))
    } else {
        format!("{} of {}", short_age(spent), exact(most))
    }
}

/// The step that the run is at.
pub fn current(run: &Run) -> usize {
    let held = run.hold.as_ref().and_then(|h| run.index_of(&h.step));
    let last = run.steps.len().saturating_sub(1);
    run.rolling_back().or(held).or(run.current()).unwrap_or(last).min(last)
}

/// The steps that undoing the run would undo, last first, and those that changed something and
/// would stay as they are; by name.
pub fn undoing(run: &Run) -> (Vec<&str>, Vec<&str>) {
    let names = |all: &[usize]| all.iter().map(|at| run.plan.steps[*at].name.as_str()).collect();
    let mut done: Vec<usize> = (0..run.steps.len()).filter(|at| run.carried_out(*at)).collect();
    done.reverse();
    let reached = done.iter().take_while(|at| !run.plan.steps[**at].point_of_no_return).count();
    let (within, beyond) = done.split_at(reached);
    let still = within.iter().filter(|at| !run.undone(**at));
    let (undone, mut stay): (Vec<usize>, Vec<usize>) =
        still.partition(|at| run.plan.steps[**at].rollback.is_some());
    stay.extend(beyond);
    stay.retain(|at| run.plan.steps[*at].effect != Effect::Read && !run.undone(*at));
    stay.reverse();
    (names(&undone), names(&stay))
}

/// What stands above the steps: how the run ended or what it waits for, what is owed, what comes.
pub fn banner(ledger: &Ledger, run: &Run, now: Now) -> Vec<(Tone, String)> {
    let state = state(ledger, run);
    let mut out = Vec::new();
    match (&run.ended, &run.hold) {
        (Some(ended), _) => {
            let text = format!(
                "{} {} ago: {}",
                tone::outcome(ended.outcome),
                short_age(ago(ended.at, now)),
                without_debts(&ended.why, &run.owed)
            );
            out.push((tone::state(state).0, text));
        }
        (None, Some(hold)) if state == RunState::Held => {
            out.push((
                Tone::Asks,
                format!("waits for you for {}: {}", short_age(ago(hold.since, now)), hold.says),
            ));
            // What came up since they were asked, such as that they must not do it now.
            out.extend(report::said_since(run, hold).map(|says| (Tone::Asks, format!("since then: {says}"))));
        }
        (None, _) if state == RunState::Lost => {
            let (last, age) = (clock(run.last.1), short_age(ago(run.last.1, now)));
            let (pid, end) = (run.runner, run.interruption().filter(|_| !run.in_doubt()));
            let text = match end {
                Some(_) => format!(
                    "interrupted: its runner (pid {pid}) was told to end, and left it as it stands {age} ago, at {last}"
                ),
                None => format!("in doubt: its runner (pid {pid}) is gone; last wrote {age} ago, at {last}"),
            };
            out.push((Tone::Doubt, text));
        }
        (None, _) => {}
    }
    if let Some(failed) = run.preconditions.as_ref().filter(|f| !f.is_empty()) {
        out.push((Tone::Bad, format!("needs {}", failed.join("; "))));
    }
    if let Some(abort) = run.abort.as_ref().filter(|_| matches!(state, RunState::Running | RunState::Held)) {
        let how = if abort.now { "stops now" } else { "stops after this step" };
        out.push((
            Tone::Asks,
            format!("{how}: {} that {} ago", stopper(&abort.by), short_age(ago(abort.at, now))),
        ));
    }
    for owe in &run.owed {
        let since = ledger.owed.iter().find(|o| o.is_by(&run.id) && o.owe.id == owe.id);
        // Another run may have settled it since.
        let Some(since) = since else {
            out.push((Tone::Rest, format!("was owed and is settled: {}", owe.says)));
            continue;
        };
        let age = format!(" for {}", short_age(ago(since.since, now)));
        let by = owe.by.as_ref().map_or_else(String::new, |by| format!("; {by} settles it"));
        out.push((Tone::Asks, format!("OWED{age}: {}{by}", owe.says)));
    }
    if matches!(state, RunState::Running | RunState::Held)
        && let Some(next) = next_hold(run)
    {
        out.push((Tone::Rest, next));
    }
    for (_, text) in &mut out {
        *text = safe(text);
    }
    out
}

/// The next place where the run will wait for a person.
fn next_hold(run: &Run) -> Option<String> {
    let all = run.plan.steps.iter().zip(&run.steps).enumerate();
    let mut ahead = all.filter(|(_, (step, is))| {
        matches!(is.phase, Phase::Waiting) && run.hold.as_ref().is_none_or(|h| h.step != step.id)
    });
    ahead.find_map(|(at, (step, _))| match (&step.hold, &step.action) {
        (Some(says), _) => Some(format!("next hold: before step {}: {says}", at + 1)),
        (None, Action::Manual(m)) => Some(format!("next hold: step {}: {}", at + 1, m.instruction)),
        (None, _) if step.on_timeout == OnTimeout::Hold => {
            Some(format!("next hold: step {}, if it takes longer than {}", at + 1, exact(step.timeout)))
        }
        _ => None,
    })
}

/// The end of what a step of the run prints, while it is the one that the run is at.
fn tail_of<'a>(ledger: &'a Ledger, run: &Run, step: &StepId) -> &'a [String] {
    let tail = ledger.tails.iter().find(|t| t.run == run.id && t.step == *step);
    tail.map_or(&[], |t| t.lines.as_slice())
}

/// Whether a command means anything for a run that stands like this.
pub fn takes(action: Command, run: &Run, state: RunState) -> bool {
    match action {
        Command::Answer => run.hold.is_some() && state == RunState::Held,
        Command::Abort => !matches!(state, RunState::Ended(_)),
        Command::Resume => may_resume(run, state, Mode::Continue).is_ok(),
        Command::Rollback => may_resume(run, state, Mode::Rollback).is_ok(),
        _ => false,
    }
}

/// Why a run cannot be taken up so, as far as can be told from here.
pub fn may_resume(run: &Run, state: RunState, mode: Mode) -> Result<(), String> {
    if !matches!(state, RunState::Lost | RunState::Ended(_)) {
        return Err("its runner lives: nothing has to be taken up".to_owned());
    }
    run.may_resume(mode).map_err(|illegal| illegal.0)?;
    if mode == Mode::Rollback && undoing(run).0.is_empty() {
        return Err("nothing of it can be undone".to_owned());
    }
    Ok(())
}

/// Everything about one step, with the end of its output while it is the current one.
pub fn of_step(ledger: &Ledger, run: &Run, at: usize, now: Now) -> Option<(String, Vec<Line>)> {
    let (step, is) = (run.plan.steps.get(at)?, run.steps.get(at)?);
    let how = step_line(run, at, state(ledger, run), now)?;
    let mut out = Vec::new();
    let health = match how.tone {
        Tone::Good => Some(Health::Up),
        Tone::Asks => Some(Health::Degraded),
        Tone::Bad => Some(Health::Down),
        Tone::Doubt => Some(Health::Unknown),
        Tone::Busy | Tone::Rest => None,
    };
    // How the verification goes has lines of its own below.
    let verifying = matches!(is.phase, Phase::Verifying { .. });
    let parts = [how.word, &how.time, if verifying { "" } else { &how.says }];
    let text: Vec<&str> = parts.into_iter().filter(|p| !p.is_empty()).collect();
    out.push(Line::Field("state", text.join(", "), health));
    if is.attempts > 1 {
        out.push(Line::Field("attempts", is.attempts.to_string(), None));
    }
    if let (Some(since), Some(effected)) = (is.since, is.effected) {
        let took = Duration::try_from(effected.duration_since(since)).unwrap_or_default();
        out.push(Line::Field(
            "effect",
            format!("{} to {}, {}", clock(since), clock(effected), long_age(took)),
            None,
        ));
    }
    if !is.before.is_empty() {
        out.push(Line::Field("before", safe(&is.before), None));
    }
    if let Phase::Verifying { streak, needed, last } = &is.phase {
        out.push(Line::Field("good", format!("{streak} of {needed}"), None));
        if let Some(seen) = last {
            let health = if seen.holds { Health::Up } else { Health::Down };
            out.push(Line::Field("seen", safe(&seen.says), Some(health)));
        }
    }
    // While it runs, what it prints is what is looked for.
    let tail = tail_of(ledger, run, &step.id);
    let running = matches!(is.phase, Phase::Running) || run.is_rollback_open(at);
    if running && !tail.is_empty() {
        out.push(Line::Title("output, the end of it".to_owned()));
        out.extend(tail.iter().skip(tail.len().saturating_sub(8)).map(|l| Line::Raw(safe(l))));
        out.push(Line::Title("step".to_owned()));
    }
    let on = format!("{} on {}", proposal_lines::effect(step.effect), step.host);
    out.push(Line::Field("does", on, None));
    out.extend(step.preview.iter().map(|l| Line::Text(safe(l))));
    if let Some(verify) = &step.verify {
        out.push(Line::Field("verified", safe(&proposal_lines::check(verify)), None));
    }
    if let Some(undo) = step.rollback.as_ref().filter(|undo| !undo.preview.is_empty()) {
        out.push(Line::Field("undone by", String::new(), None));
        out.extend(undo.preview.iter().map(|l| Line::Text(safe(l))));
    }
    for kept in &is.outputs {
        let dropped = if kept.dropped > 0 {
            format!(", {} not kept", bytes(kept.dropped as f64))
        } else {
            String::new()
        };
        let hash: String = kept.sha256.chars().take(12).collect();
        let text = format!("{} ({}{dropped}, sha256 {hash})", kept.file, bytes(kept.bytes as f64));
        out.push(Line::Field("kept", safe(&text), None));
    }
    if !running && !tail.is_empty() {
        out.push(Line::Title("output, the end of it".to_owned()));
        out.extend(tail.iter().map(|l| Line::Raw(safe(l))));
    }
    if at == current(run) && !run.notes.is_empty() {
        out.push(Line::Title("notes of the run".to_owned()));
        let last = run.notes.iter().rev().take(8);
        out.extend(last.map(|(at, says)| Line::Text(safe(&format!("{} {says}", clock(*at))))));
    }
    Some((safe(&format!("step {} of {}: {} ({})", at + 1, run.steps.len(), step.name, step.id)), out))
}
