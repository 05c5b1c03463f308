//! What a run costs: from confirm to the first step's intent on disk, through the built program as
//! the dashboard starts it, and how long a journal of 100,000 lines takes to be read and folded.
//! `cargo bench --bench runs`; state directories are made in `target/` (a disk) and in `/dev/shm`.

mod place;

use place::{Done, Place, SMALL, pause, say};
use quarterdeck::act::control;
use quarterdeck::act::identity;
use quarterdeck::act::journal::Journal;
use quarterdeck::act::rundir::{WriteRun, WriteState};
use quarterdeck::domain::id::StepId;
use quarterdeck::domain::procedure::check::Seen;
use quarterdeck::domain::procedure::event::{Confirmed, Effected, Event, Outcome};
use quarterdeck::domain::procedure::plan::{Plan, PlanHash};
use quarterdeck::runs::journal;
use std::fs::File;
use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

/// Runs of each kind; the figures are percentiles over them.
const RUNS: usize = 60;
/// Lines of the journal that is folded.
const LINES: u64 = 100_000;
/// The procedure that both stacks get: no preconditions, one step.
const PROCEDURE: &str = "
[[procedures]]
id = 'bench'
name = 'One step'
lock = 'bench'
[[procedures.steps]]
id = 'one'
name = 'Do nothing'
uses = 'exec'
with = { argv = ['true'] }
effect = 'change'
verify = { probes = ['bench'], within = '10s' }
";
/// One run to its end: from confirm to its first line, its preconditions, its intent and what
/// followed the intent, which was on disk by then; and to where `control::start` came back.
fn run(place: &Place) -> Done<[Duration; 5]> {
    let (id, confirmed) = place.start()?;
    let started = place.clock.now().since(confirmed);
    while control::load(&place.state, id.as_str())?.alive {
        pause(Duration::from_millis(5));
    }
    let entries = journal::read(&place.state.run(id.as_str())?.journal())?.entries;
    let after = |n: usize| {
        let at = entries.get(n).map(|e| e.at.duration_since(confirmed.wall));
        Duration::try_from(at.unwrap_or_default()).unwrap_or_default()
    };
    match entries.get(2).map(|e| &e.event) {
        Some(Event::Intended { .. }) => Ok([after(0), after(1), after(2), after(3), started]),
        other => Err(format!("failed to see the intent of run {id}: {other:?}").into()),
    }
}

/// What it takes to have a line of a journal's length on disk, and a directory's names.
fn syncs(place: &Place) -> Done<[Vec<Duration>; 2]> {
    let (mut lines, mut names) = (Vec::new(), Vec::new());
    let mut file = File::create(place.state.root().join("line"))?;
    for _ in 0..RUNS {
        let began = place.clock.now();
        file.write_all(&[b'x'; 250])?;
        file.sync_data()?;
        lines.push(place.clock.now().since(began));
        let new = place.state.root().join("name");
        File::create(&new)?;
        let began = place.clock.now();
        quarterdeck::act::rundir::sync_dir(place.state.root())?;
        names.push(place.clock.now().since(began));
        std::fs::remove_file(&new)?;
    }
    Ok([lines, names])
}

fn confirm_to_intent(what: &str, place: &Place) -> Done<()> {
    println!("{what}:");
    let names = [
        "confirm to the first line of the journal",
        "confirm to its second, the preconditions",
        "confirm to the intent, before it is written",
        "confirm to what followed the intent",
        "confirm to the dashboard knowing that it began",
    ];
    let mut all: [Vec<Duration>; 5] = Default::default();
    for _ in 0..RUNS {
        for (all, one) in all.iter_mut().zip(run(place)?) {
            all.push(one);
        }
    }
    for (name, all) in names.iter().zip(all) {
        say(name, all);
    }
    let [lines, names] = syncs(place)?;
    say("one fdatasync of a journal's line", lines);
    say("one fsync of a directory", names);
    Ok(())
}

/// Writes a journal of [`LINES`] lines: the steps of a plan as long as plans may be, each watched
/// until its verification holds.
fn write_journal(place: &Place) -> Done<String> {
    const STEPS: u64 = 500;
    let mut plan: Plan = place.propose()?.plan;
    let one = plan.steps.first().cloned().ok_or("the plan has no step")?;
    plan.steps = (0..STEPS)
        .map(|i| {
            let mut s = one.clone();
            s.id = StepId::new(&format!("s{i}"));
            s
        })
        .collect();
    let dir = place.state.create_run(place.clock.now().wall)?;
    dir.write_new("plan.json", &serde_json::to_vec(&plan)?)?;
    let mut journal = Journal::create(&dir)?;
    let mut add = |event| journal.append(event, place.clock.now().wall).map(|_| ());
    let confirmed = Confirmed { level: plan.level, typed: "vpn".into(), reason: None, second: None };
    let (by, hash) = (identity::me(), PlanHash::of(&plan));
    add(Event::Started { run: dir.id().clone(), plan: hash, by, confirmed, runner: std::process::id() })?;
    add(Event::Preconditions { failed: Vec::new(), seen: vec!["Redis and PostgreSQL up: both up".into()] })?;
    // Each step has three lines beside its observations; three lines are the run's own.
    let looks = (LINES - 3) - 3 * STEPS;
    for (i, step) in plan.steps.iter().map(|s| s.id.clone()).enumerate() {
        let more = u64::from((i as u64) < looks % STEPS);
        add(Event::Intended {
            step: step.clone(),
            attempt: 1,
            before: "active (running) since 02:03:04".into(),
        })?;
        let result = Effected::Done { says: "active (running), main process 4711".into() };
        add(Event::Finished { step: step.clone(), attempt: 1, result, output: None })?;
        for n in 0..looks / STEPS + more {
            // Bad ones until the last: only so many good ones in a row end it.
            let last = n + 1 == looks / STEPS + more;
            let seen = Seen { holds: last, says: "502 in 4 ms, sessions_online 41, peers 38".into() };
            let streak = u32::from(last);
            add(Event::Observed { step: step.clone(), seen, streak, needed: 1 })?;
        }
        add(Event::Verified { step, says: "3 of 3 good".into() })?;
    }
    add(Event::Ended { outcome: Outcome::Verified, why: "every step is verified".into() })?;
    Ok(dir.id().to_string())
}

fn folding(place: &Place) -> Done<()> {
    let id = write_journal(place)?;
    let path = place.state.run(&id)?.journal();
    println!("a journal of {LINES} lines, {} MiB:", std::fs::metadata(&path)?.len() >> 20);
    let (mut whole, mut reading) = (Vec::new(), Vec::new());
    for _ in 0..10 {
        let began = place.clock.now();
        let loaded = control::load(&place.state, &id)?;
        whole.push(place.clock.now().since(began));
        if loaded.run.last.0 != LINES || loaded.run.ended.is_none() {
            return Err(format!("failed to fold it: {} lines", loaded.run.last.0).into());
        }
        let began = place.clock.now();
        let read = journal::read(&path)?;
        reading.push(place.clock.now().since(began));
        drop(read);
    }
    say("read, checked and folded", whole);
    say("of that, read and checked", reading);
    Ok(())
}

fn main() -> Done<()> {
    let disk = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    let memory = PathBuf::from("/dev/shm");
    let tornado = quarterdeck::stack::builtin::all().first().ok_or("there is no built-in stack")?;
    let places = [("disk", &disk), ("memory", &memory)];
    for (kind, below) in places.into_iter().filter(|(_, below)| below.exists()) {
        confirm_to_intent(
            &format!("a small stack, state on {kind}"),
            &Place::new(below, SMALL, "files", PROCEDURE)?,
        )?;
        let place = Place::new(below, tornado.text, "host", PROCEDURE)?;
        confirm_to_intent(&format!("the stack {}, state on {kind}", tornado.name), &place)?;
    }
    folding(&Place::new(&disk, SMALL, "files", PROCEDURE)?)
}
