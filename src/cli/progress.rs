//! A run as it goes on, in lines: what is new since it was last looked at.

use crate::domain::procedure::event::Mode;
use crate::domain::procedure::report;
use crate::domain::procedure::run::{Phase, Run, Stopper};
use crate::domain::text::laid_out;

/// The longest line, in characters.
const MAX_LINE: usize = 400;
/// Steps that are named when several will not run; the others are counted.
const NAMED: usize = 12;

/// What was told of a run so far.
#[derive(Debug, Default)]
pub struct Progress {
    phases: Vec<Phase>,
    started: bool,
    mode: Option<Mode>,
    preconditions: bool,
    hold: Option<u64>,
    abort: Option<bool>,
    rolled_back: Vec<bool>,
    notes: usize,
    noted: Option<jiff::Timestamp>,
}

impl Progress {
    /// The lines that tell what changed, each safe to show.
    pub fn tell(&mut self, run: &Run) -> Vec<String> {
        let mut out = Vec::new();
        if !self.started {
            self.started = true;
            out.push(format!("run {}: {} on {}", run.id, run.plan.name, run.plan.title));
        }
        if self.mode.replace(run.mode) == Some(Mode::Continue) && run.mode == Mode::Rollback {
            out.push("is rolled back".to_owned());
        }
        let looked = run.preconditions.as_ref();
        if let Some(failed) = looked.filter(|_| !self.preconditions) {
            out.extend(failed.iter().map(|f| format!("precondition fails: {f}")));
            if failed.is_empty() && !run.plan.preconditions.is_empty() {
                out.push(format!("preconditions hold: {}", run.plan.preconditions.len()));
            }
        }
        self.preconditions = looked.is_some();
        self.abort(run, &mut out);
        self.steps(run, &mut out);
        self.hold(run, &mut out);
        self.notes(run, &mut out);
        out.iter().map(|line| laid_out(line, MAX_LINE)).collect()
    }

    fn abort(&mut self, run: &Run, out: &mut Vec<String>) {
        let Some(abort) = &run.abort else { return };
        if self.abort.replace(abort.now) != Some(abort.now) {
            let what = if abort.now { "the step that runs is ended" } else { "no further step is begun" };
            let asked = match abort.by {
                Stopper::Person(_) => "abort asked for by",
                Stopper::Interruption(_) => "stopped by",
            };
            out.push(format!("{asked} {}: {what}", abort.by));
        }
    }

    fn steps(&mut self, run: &Run, out: &mut Vec<String>) {
        self.phases.resize(run.steps.len(), Phase::Waiting);
        self.rolled_back.resize(run.steps.len(), false);
        let all = run.plan.steps.iter().zip(&run.steps).enumerate();
        let mut never: Vec<(&str, Vec<&str>)> = Vec::new();
        for (i, (plan, state)) in all {
            let Some(told) = self.phases.get_mut(i) else { continue };
            let all = run.steps.len();
            let digits = all.to_string().len();
            let place = format!("[{:>digits$}/{all}]", i + 1);
            if let Phase::WillNotRun(why) = &state.phase
                && *told != state.phase
            {
                match never.iter_mut().find(|(known, _)| known == why) {
                    Some((_, ids)) => ids.push(plan.id.as_str()),
                    None => never.push((why, vec![plan.id.as_str()])),
                }
                told.clone_from(&state.phase);
            }
            if *told != state.phase {
                let (mut word, says) = report::phase(&state.phase);
                if run.hold.as_ref().is_some_and(|h| h.step == plan.id) {
                    word = "WAITS";
                }
                let says = says.map(|s| format!(": {s}")).unwrap_or_default();
                let what = match (&state.phase, &*told) {
                    (Phase::Running, _) => format!("{}: {}", plan.id, plan.name),
                    _ => plan.id.to_string(),
                };
                out.push(format!("{place} {word:<12} {what}{says}"));
                told.clone_from(&state.phase);
            }
            if let (Some(result), Some(told)) = (&state.rolled_back, self.rolled_back.get_mut(i))
                && !std::mem::replace(told, true)
            {
                out.push(match result {
                    Ok(says) => format!("{place} rolled back  {}: {says}", plan.id),
                    Err(why) => format!("{place} ROLLBACK FAILED {}: {why}", plan.id),
                });
            }
        }
        // Of one reason there are often many, and they say no more than one does.
        out.extend(never.iter().map(|(why, ids)| {
            let named: Vec<&str> = ids.iter().take(NAMED).copied().collect();
            let more = ids.len().saturating_sub(NAMED);
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            format!("will not run: {}{more}: {why}", named.join(", "))
        }));
    }

    fn hold(&mut self, run: &Run, out: &mut Vec<String>) {
        let now = run.hold.as_ref().map(|h| h.n);
        if self.hold == now {
            return;
        }
        self.hold = now;
        let Some(hold) = &run.hold else { return };
        let word = report::hold_word(run, hold.why);
        out.push(format!("WAITS for you at {} ({word}): {}", hold.step, hold.says));
        out.push(format!("  answer with: {}", report::answer(run.id.as_str(), hold)));
    }

    fn notes(&mut self, run: &Run, out: &mut Vec<String>) {
        // The list is bounded and loses its oldest: what is new is told by time.
        let fresh = run.notes.iter().filter(|(at, _)| self.noted.is_none_or(|last| *at > last));
        out.extend(fresh.map(|(_, says)| format!("note: {says}")));
        if let Some((at, _)) = run.notes.last() {
            self.noted = Some(*at);
        }
        self.notes = run.notes.len();
    }
}
