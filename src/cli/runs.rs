//! `quarterdeck runs`: what runs there are, how they stand, and what a person asks of them.

use super::acting::Acting;
use super::args::Global;
use super::args_act::{Output, Runs, RunsCommand};
use super::witness::AuditWitness;
use super::{End, Ended, acting, follow, print, resume, run_json};
use crate::act::control::{self, Loaded};
use crate::act::identity;
use crate::act::policy::Given;
use crate::act::remains::Remains;
use crate::act::rundir::{RunDir, StateDir};
use crate::clock::{Clock, SystemClock};
use crate::domain::procedure::event::{Choice, Hold, Mode};
use crate::domain::procedure::ledger::{Ledger, Raised};
use crate::domain::procedure::report;
use crate::domain::procedure::request::{Reply, Request};
use crate::domain::procedure::run::Run;
use crate::domain::text::one_line;
use crate::record::audit::What;
use crate::runs::journal::Torn;
use jiff::Timestamp;
use std::fmt::Write as _;
use std::process::ExitCode;
use std::sync::Arc;

/// Carries out one of them.
pub(super) fn run(global: &Global, args: Runs) -> Ended {
    let state = acting::state(global)?;
    let output = args.output;
    let find = |id: &str| follow::resolve(&state, id).map_err(End::Refused);
    match args.command.unwrap_or(RunsCommand::List) {
        RunsCommand::List => {
            let (ledger, raised) = (acting::ledger(&state), acting::interlocks(global, &state));
            print(&match output {
                Output::Text => list(&ledger, raised.as_deref(), SystemClock::new().now().wall),
                Output::Json => run_json::ledger(&ledger, raised.as_deref()),
            })
        }
        RunsCommand::Show { id } => show(&state, &find(&id)?, output),
        RunsCommand::Follow { id } => follow::to_the_end(&state, &find(&id)?, output).map(ExitCode::from),
        RunsCommand::Abort { id, now } => abort(global, &state, &find(&id)?, now, output),
        RunsCommand::Resume { id, rollback, confirm, reason, break_glass, detach } => {
            let id = find(&id)?;
            let mode = if rollback { Mode::Rollback } else { Mode::Continue };
            let given = Given { typed: confirm.unwrap_or_default(), reason, second: None };
            resume::resume(global, &state, &id, mode, given, break_glass)?;
            if detach {
                return say(output, &id, "resumed");
            }
            follow::to_the_end(&state, &id, output).map(ExitCode::from)
        }
        RunsCommand::ReleaseHold { id, hold, choice, note } => {
            release(&state, &find(&id)?, hold, choice.map(Choice::from), note, output)
        }
    }
}

fn list(ledger: &Ledger, interlocks: Option<&[Raised]>, now: Timestamp) -> String {
    let mut out = String::new();
    for line in &ledger.runs {
        let (done, all) = line.steps;
        let owed: Vec<String> =
            ledger.owed.iter().filter(|o| o.is_by(&line.id)).map(|o| one_line(&o.owe.id, 40)).collect();
        let owed = if owed.is_empty() { String::new() } else { format!("  STILL OWED: {}", owed.join(", ")) };
        let _ = writeln!(
            out,
            "{}  {:<13} {} {:>7}  {} ({}) by {}, {}{owed}",
            line.id,
            run_json::state_word(line.state),
            line.level,
            format!("{done}/{all}"),
            one_line(&line.name, 60),
            line.procedure,
            one_line(&line.by, 40),
            report::since(line.ended.unwrap_or(line.started), now),
        );
    }
    if ledger.runs.is_empty() {
        out.push_str("no run yet\n");
    }
    if ledger.older > 0 {
        let _ = writeln!(out, "and {} older ones", ledger.older);
    }
    for owed in &ledger.owed {
        let by =
            owed.owe.by.as_ref().map(|p| format!("; settled by quarterdeck run {p}")).unwrap_or_default();
        let _ = writeln!(
            out,
            "OWED since {}: {} (run {}){by}",
            report::since(owed.since, now),
            one_line(&owed.owe.says, 200),
            owed.run
        );
    }
    if interlocks.is_none() && !ledger.runs.is_empty() {
        out.push_str("which interlocks stand is not known: no stack can be loaded\n");
    }
    for raised in interlocks.unwrap_or_default() {
        let since = report::since(raised.since, now);
        let _ = writeln!(out, "INTERLOCK {} since {since} (run {})", raised.id, raised.run);
    }
    for (run, why) in &ledger.broken {
        let _ = writeln!(out, "UNREADABLE {}: {}", one_line(run, 60), one_line(why, 300));
    }
    out
}

fn show(state: &StateDir, id: &str, output: Output) -> Ended {
    let Loaded { run, torn, alive } = control::load(state, id).map_err(End::Failed)?;
    let torn = torn.as_ref().map(Torn::says);
    let text = match output {
        Output::Json => run_json::run(&run, alive, torn.as_deref()),
        Output::Text => {
            let open = &acting::ledger(state).owed;
            let mut lines = report::of(&run, alive, SystemClock::new().now().wall, Some(open));
            lines.extend(torn.map(|t| one_line(&t, 300)));
            lines.join("\n") + "\n"
        }
    };
    print(&text)?;
    Ok(ExitCode::from(run_json::exit_code(run.state(alive)).unwrap_or_default()))
}

/// Says that something was taken.
fn say(output: Output, id: &str, what: &str) -> Ended {
    print(&match output {
        Output::Text => format!("run {id}: {what}\n"),
        Output::Json => {
            format!("{}\n", serde_json::json!({ "version": run_json::JSON_VERSION, "id": id, "said": what }))
        }
    })
}

fn abort(global: &Global, state: &StateDir, id: &str, now: bool, output: Output) -> Ended {
    let loaded = match control::load(state, id) {
        Ok(loaded) => loaded,
        Err(why) if now => return set_aside(state, id, &why, output),
        Err(why) => {
            let how = format!("{why}; if you looked for yourself, `runs abort {id} --now` sets it aside");
            return Err(End::Failed(how));
        }
    };
    if loaded.run.ended.is_some() {
        return Err(End::Refused(format!("abort run {id}: it has ended")));
    }
    if loaded.alive {
        send(state, id, &Request::Abort { now })?;
        // Somebody else's request was the first one.
        let ends = now || loaded.run.is_abort_asked_for();
        let what = if ends { "the step that runs is ended" } else { "the step that runs is the last one" };
        return say(output, id, what);
    }
    give_up(global, state, &loaded, now, output)
}

/// Gives up a run that has lost its runner. What its steps still run is ended, or it stays as it is.
fn give_up(global: &Global, state: &StateDir, loaded: &Loaded, now: bool, output: Output) -> Ended {
    let id = loaded.run.id.as_str();
    let dir = state.run(id).map_err(End::Failed)?;
    let remains = match Acting::load(global) {
        Ok(acting) => super::block_on(remains(&loaded.run, &dir, &acting, now))?,
        Err(end) => Remains::unknown(&loaded.run, &one_line(&end.in_one_line(), 300)),
    };
    if !now {
        refuse_while_any(id, &remains).map_err(End::Refused)?;
    }
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let witness = Box::new(AuditWitness::new(acting::log_of(state), loaded.run.plan.clone()));
    let by = identity::me();
    let outcome = control::abort_lost(state, id, by, clock, witness, &remains).map_err(End::Failed)?;
    let mut what = format!("given up: {}", report::outcome(outcome));
    for word in remains.words() {
        let _ = write!(what, "; {}", one_line(&word, 300));
    }
    say(output, id, &what)?;
    Ok(if remains.are_gone() { ExitCode::SUCCESS } else { ExitCode::from(outcome.exit_code()) })
}

/// What still runs of a run that is to be given up; ended, when that was asked for.
async fn remains(run: &Run, dir: &RunDir, acting: &Acting, now: bool) -> Remains {
    if now {
        Remains::end(run, dir, &acting.eyes()).await
    } else {
        Remains::look(run, dir, &acting.eyes()).await
    }
}

/// Why a run must not be given up as long as its steps act, and what to do about it.
pub(super) fn refuse_while_any(id: &str, remains: &Remains) -> Result<(), String> {
    if remains.are_gone() {
        return Ok(());
    }
    let words: Vec<String> = remains.words().iter().map(|w| one_line(w, 300)).collect();
    Err(format!(
        "abort run {id}: {}; its lock would be free while it acts; look with `ps` on that host; \
         `quarterdeck runs abort {id} --now` ends what is found and gives the run up in any case",
        words.join("; ")
    ))
}

/// A run whose journal cannot be read must not hold others up for ever.
fn set_aside(state: &StateDir, id: &str, why: &str, output: Output) -> Ended {
    let (me, at) = (identity::me(), SystemClock::new().now().wall);
    control::set_aside(state, id, &me, at).map_err(|e| End::Failed(format!("{why}; failed to {e}")))?;
    let run = crate::domain::id::RunId::new(id);
    let says = format!("set aside, since its journal cannot be read: {why}");
    acting::log_of(state).append(at, Some(&me), What::Noted { run, says }).map_err(End::Failed)?;
    say(output, id, "set aside: nothing is known of what it did")
}

fn release(
    state: &StateDir,
    id: &str,
    meant: Option<u64>,
    choice: Option<Choice>,
    note: Option<String>,
    output: Output,
) -> Ended {
    let loaded = control::load(state, id).map_err(End::Failed)?;
    let refused = |why: &str| Err(End::Refused(format!("release the hold of run {id}: {why}")));
    let Some(hold) = &loaded.run.hold else {
        return refused("it waits for nobody");
    };
    if !loaded.alive {
        return refused("its runner is gone; resume or abort it");
    }
    if let Some(Err(why)) = meant.map(|n| loaded.run.may_answer(Some(n))) {
        return refused(&why.to_string());
    }
    let all = || hold.choices.iter().map(|c| report::choice(*c)).collect::<Vec<_>>().join(", ");
    let choice = match choice {
        Some(choice) => choice,
        // What is well goes on when it is told to; what is not well is not passed in passing.
        None if matches!(hold.why, Hold::Planned | Hold::Manual) => Choice::GoOn,
        None => {
            let word = report::hold_word(&loaded.run, hold.why);
            return refused(&format!("step {}: {word}; say --choice: {}", hold.step, all()));
        }
    };
    if !hold.choices.contains(&choice) {
        return refused(&format!("it can be answered with {}", all()));
    }
    send(state, id, &Request::Release { step: hold.step.to_string(), hold: Some(hold.n), choice, note })?;
    let since = report::said_since(&loaded.run, hold)
        .map_or(String::new(), |says| format!("; since it waited: {says}"));
    say(output, id, &format!("{}: {}{since}", hold.step, report::choice(choice)))
}

fn send(state: &StateDir, id: &str, request: &Request) -> Result<(), End> {
    match control::send(state, id, request) {
        Ok(Reply::Taken) => Ok(()),
        Ok(Reply::Refused { why }) => Err(End::Refused(why)),
        // A runner that ends by what it was asked may be gone before its answer: the journal knows.
        Err(_) if was_taken(state, id, request) => Ok(()),
        Err(why) => Err(End::Failed(why)),
    }
}

fn was_taken(state: &StateDir, id: &str, request: &Request) -> bool {
    let Ok(Loaded { run, .. }) = control::load(state, id) else { return false };
    match request {
        Request::Ping => false,
        Request::Abort { now } => run.abort.as_ref().is_some_and(|a| a.now || !now),
        Request::Release { hold, .. } => {
            let me = identity::me();
            hold.and_then(|n| run.answered_by(n)).is_some_and(|by| by.uid == me.uid)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::id::{ProcedureId, RunId};
    use crate::domain::procedure::event::Outcome;
    use crate::domain::procedure::ledger::{Line, Owed, RunState};
    use crate::domain::procedure::level::Level;
    use crate::domain::procedure::plan::Owe;

    /// Somebody at night reads how old a thing is, not nanoseconds; and beside "verified" what the
    /// run still owes.
    #[test]
    fn the_list_tells_ages_and_what_is_still_owed() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let (since, ended) = (at("2026-03-14T16:05:40.512508335Z"), at("2026-03-14T16:06:00.1Z"));
        let line = |id: &str, state| Line {
            id: RunId::new(id),
            procedure: ProcedureId::new("restart"),
            name: "Controlled restart".to_owned(),
            level: Level::L2,
            by: "ann".to_owned(),
            started: since,
            state,
            ended: matches!(state, RunState::Ended(_)).then_some(ended),
            steps: (3, 4),
        };
        let owe = Owe { id: "clients".to_owned(), says: "clients are away".to_owned(), by: None };
        let ledger = Ledger {
            runs: vec![line("r2", RunState::Held), line("r1", RunState::Ended(Outcome::Verified))],
            owed: vec![Owed { owe, run: RunId::new("r1"), since, also: vec![] }],
            ..Ledger::default()
        };
        let raised = [Raised { id: "lost".to_owned(), run: RunId::new("r1"), since }];
        let want = "\
r2  waits for you L2     3/4  Controlled restart (restart) by ann, 2026-03-14T16:05:40Z (1h ago)
r1  verified      L2     3/4  Controlled restart (restart) by ann, 2026-03-14T16:06:00Z (59m 40s ago)  STILL OWED: clients
OWED since 2026-03-14T16:05:40Z (1h ago): clients are away (run r1)
INTERLOCK lost since 2026-03-14T16:05:40Z (1h ago) (run r1)
";
        assert_eq!(list(&ledger, Some(&raised), at("2026-03-14T17:05:40.6Z")), want);
    }
}
