//! Runs that are killed and taken up again, and what must hold after each death and at the end.

use crate::deadly::Watched;
use crate::ground::{Counts, Ground};
use crate::record::Record;
use crate::table::Case;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// Times that a run which ended without success is taken up again: what a dead runner had started
/// may still run, and then a new one says so and stops.
const PATIENCE: u32 = 6;
/// Between two such times: what the run itself had restarted may still be coming up, and then its
/// preconditions do not hold.
const BREATH: Duration = Duration::from_secs(3);
/// Deaths of one run, at most.
const MAX_DEATHS: u32 = 200;

/// What came of one run.
#[derive(Debug)]
pub struct Result {
    pub id: String,
    /// Else it has explained why it cannot be.
    pub verified: bool,
    pub deaths: u32,
    /// Entries in the journal of who died once, and whether a step was in doubt then.
    pub died_at: u64,
    pub in_doubt: bool,
    /// Explained ends that were no success, before the last.
    pub explained: Vec<String>,
    pub done: Counts,
    /// What of that a step did that says it may be done twice.
    pub repeatable: BTreeSet<String>,
    pub entries: u64,
}

impl Result {
    /// What must be as often as when nobody dies.
    pub fn strictly(&self) -> Counts {
        self.done.clone().into_iter().filter(|(what, _)| !self.repeatable.contains(what)).collect()
    }
}

/// Runs a case with no death at all: what it does to the world.
pub fn undisturbed(ground: &Ground, case: &Case) -> Result {
    case.prepare(ground);
    ground.begin();
    let watched = start(ground, case);
    watched.leave();
    finish(ground, case, &watched.id, 0, Vec::new())
}

/// Dies at one entry, is taken up again and comes to its end. `None` when it ended before that.
pub fn killed_once(ground: &Ground, case: &Case, at: u64, lag: Duration) -> Option<Result> {
    case.prepare(ground);
    ground.begin();
    let watched = start(ground, case);
    if !watched.kill_after(at, lag) {
        finish(ground, case, &watched.id, 0, Vec::new());
        return None;
    }
    let id = watched.id;
    assert_reads_as_lost(ground, &id);
    let entries = ground.entries(&id);
    let in_doubt = Record::of(&entries).open.is_some();
    let explained = to_the_end(ground, case, &id);
    let end = finish(ground, case, &id, 1, explained);
    Some(Result { died_at: entries.len() as u64, in_doubt, ..end })
}

/// Dies again and again, each time an entry or a few later, until it ends all the same.
pub fn killed_again_and_again(ground: &Ground, case: &Case) -> Result {
    case.prepare(ground);
    ground.begin();
    let watched = start(ground, case);
    let id = watched.id.clone();
    let (mut deaths, mut patience, mut far) = (0, 1, 0);
    let mut explained = Vec::new();
    let mut killed = watched.kill_at(2);
    loop {
        assert!(deaths < MAX_DEATHS, "it gets nowhere: {}", ground.told(&id));
        let record = Record::of(&ground.entries(&id));
        if killed {
            deaths += 1;
            assert_reads_as_lost(ground, &id);
            if deaths == 1 {
                assert_locked(ground, case, &id);
            }
        } else {
            match record.ended {
                Some((outcome, _)) if outcome == "verified" => break,
                Some((outcome, why)) => {
                    explained.push(format!("{outcome}: {why}"));
                    if case.may_end.is_some_and(|says| why.contains(says)) {
                        break;
                    }
                    std::thread::park_timeout(BREATH);
                }
                None => panic!("it ended, and has not: {}", ground.told(&id)),
            }
            assert!(explained.len() <= PATIENCE as usize, "{explained:#?}");
        }
        // It is to come further than the last time, or to have more time for that.
        let came = progress(ground, &id);
        patience = if came > far { 1 } else { patience + 1 };
        far = far.max(came);
        let lines = ground.entries(&id).len() as u64;
        killed = match Watched::resume(ground, &id) {
            Ok(watched) => watched.kill_at(lines + 1 + patience),
            Err(why) => panic!("not resumed: {why}"),
        };
    }
    finish(ground, case, &id, deaths, explained)
}

fn start<'a>(ground: &'a Ground, case: &Case) -> Watched<'a> {
    let mut last = String::new();
    for _ in 0..8 {
        let args = ground.approval(case.id, case.params).unwrap_or_else(|why| panic!("{}: {why}", case.id));
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        match Watched::start(ground, &args) {
            Ok(watched) => return watched,
            // What was shown has changed since; an operator looks again.
            Err(why) => last = why,
        }
    }
    panic!("{} was not begun: {last}", case.id);
}

/// Steps that will not be begun again.
fn progress(ground: &Ground, id: &str) -> usize {
    let entries = ground.entries(id);
    let over: BTreeSet<&str> = entries
        .iter()
        .map(|e| &e["event"])
        .filter(|e| matches!(e["is"].as_str(), Some("verified" | "skipped" | "finished")))
        .filter_map(|e| e["step"].as_str())
        .collect();
    let verified = entries.iter().filter(|e| e["event"]["is"] == "verified").count();
    over.len() + verified
}

fn to_the_end(ground: &Ground, case: &Case, id: &str) -> Vec<String> {
    let mut explained = Vec::new();
    for _ in 0..PATIENCE {
        let watched = Watched::resume(ground, id).unwrap_or_else(|why| panic!("not resumed: {why}"));
        watched.leave();
        match Record::of(&ground.entries(id)).ended {
            Some((outcome, _)) if outcome == "verified" => break,
            Some((outcome, why)) => {
                explained.push(format!("{outcome}: {why}"));
                if case.may_end.is_some_and(|says| why.contains(says)) {
                    break;
                }
                std::thread::park_timeout(BREATH);
            }
            None => panic!("it neither ended nor said why: {}", ground.told(id)),
        }
    }
    explained
}

/// Reads as lost, and as in doubt at the step that was intended and has no end.
#[track_caller]
fn assert_reads_as_lost(ground: &Ground, id: &str) {
    let record = Record::of(&ground.entries(id));
    let run = ground.deck.say(&["runs", "show", id, "--output", "json"]).expect(3).json();
    assert_eq!(run["state"], "lost", "{run:#}");
    let open: Vec<&str> = run["steps"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|s| s["phase"] == "running" || s["phase"] == "in-doubt")
        .map(|s| s["id"].as_str().unwrap())
        .collect();
    assert_eq!(open, record.open.iter().map(String::as_str).collect::<Vec<_>>(), "{}", ground.told(id));
    let text = ground.deck.say(&["runs", "show", id]).expect(3).out;
    assert!(text.contains("its runner (process ") && text.contains("runs resume"), "{text}");
    if let Some(step) = &record.open {
        let says = format!("step `{step}` was intended and its outcome is not known");
        assert!(text.contains(&says), "{text}");
    }
    let listed = ground.deck.runs();
    let line = listed["runs"].as_array().unwrap().iter().find(|r| r["id"] == id).unwrap();
    assert_eq!(line["state"], "lost");
}

/// Nobody else gets past it.
fn assert_locked(ground: &Ground, case: &Case, id: &str) {
    let said = ground.deck.say(&[&["run", case.id, "--plan"][..], &params(case)].concat()).expect(2);
    assert!(said.out.contains("REFUSED") && said.out.contains(id), "{}", said.out);
    assert!(said.out.contains("resume or abort"), "{}", said.out);
}

fn params(case: &Case) -> Vec<&'static str> {
    case.params.iter().flat_map(|p| ["--param", *p]).collect()
}

/// It is verified, its lock is gone, its record is sound, and what must not happen twice did not.
fn finish(ground: &Ground, case: &Case, id: &str, deaths: u32, explained: Vec<String>) -> Result {
    let entries = ground.entries(id);
    let record = Record::of(&entries);
    let (outcome, why) = record.ended.clone().unwrap_or_else(|| panic!("no end: {}", ground.told(id)));
    let verified = outcome == "verified";
    let explains = deaths > 0 && outcome == "failed" && case.may_end.is_some_and(|says| why.contains(says));
    assert!(verified || explains, "{why}: {explained:#?} {}", ground.told(id));
    ground.deck.say(&["runs", "show", id]).expect(i32::from(!verified));
    let audit = ground.deck.say(&["audit", "verify"]).expect(0).out;
    assert!(audit.starts_with("sound: "), "{audit}");
    let steps = ground.steps(id);
    for step in steps.iter().filter(|s| s["idempotent"] == false) {
        let name = step["id"].as_str().unwrap();
        let (intents, allowed) = record.intents.get(name).copied().unwrap_or_default();
        assert!(intents <= 1 + allowed, "{name} was begun {intents} times: {}", ground.told(id));
    }
    let done = ground.done();
    assert_no_more_than_intended(ground, &steps, &record, &done);
    case.tidy(ground, verified);
    let twice = steps.iter().filter(|s| s["idempotent"] == true);
    Result {
        id: id.to_owned(),
        verified,
        deaths,
        died_at: 0,
        in_doubt: false,
        explained,
        done,
        repeatable: twice.filter_map(|s| ground.effect_of(s)).collect(),
        entries: entries.len() as u64,
    }
}

/// Nothing was done that was not intended before.
fn assert_no_more_than_intended(
    ground: &Ground,
    steps: &[serde_json::Value],
    record: &Record,
    done: &Counts,
) {
    let mut intended: BTreeMap<String, u64> = BTreeMap::new();
    for step in steps {
        let Some(effect) = ground.effect_of(step) else { continue };
        let (intents, _) = record.intents.get(step["id"].as_str().unwrap()).copied().unwrap_or_default();
        *intended.entry(effect).or_default() += intents;
    }
    for (what, n) in done {
        let most = intended.get(what).copied().unwrap_or_default();
        assert!(*n <= most, "{what}: done {n} times, intended {most} times");
    }
}
