//! What the watcher reads, and what it leaves alone.

use super::*;
use crate::act::journal::Journal;
use crate::act::rundir::{WriteRun, WriteState};
use crate::domain::id::{HostId, ProcedureId, StepId};
use crate::domain::procedure::action::Action;
use crate::domain::procedure::action::kinds::Manual;
use crate::domain::procedure::event::{Choice, Confirmed, Event, Hold, Outcome, Person};
use crate::domain::procedure::facts::standing;
use crate::domain::procedure::ledger::RunState;
use crate::domain::procedure::level::{Effect, Level};
use crate::domain::procedure::plan::{Certainty, FORMAT, OnFailure, OnTimeout, Owe, Plan, PlanHash, Step};
use crate::runs::left::Left;
use jiff::Timestamp;

fn plan(stack: &str) -> Plan {
    let step = Step {
        id: StepId::new("m"),
        origin: "p.m".to_owned(),
        name: "by hand".to_owned(),
        host: HostId::new("here"),
        layer: None,
        sudo: false,
        action: Action::Manual(Manual { instruction: "turn".to_owned(), note: false }),
        effect: Effect::Read,
        idempotent: true,
        timeout: Duration::from_secs(1),
        on_timeout: OnTimeout::Hold,
        on_failure: OnFailure::Stop,
        verify: None,
        rollback: None,
        hold: None,
        point_of_no_return: false,
        unless: None,
        after: Vec::new(),
        owes: None,
        settles: Vec::new(),
        round: None,
        level: Level::L0,
        certainty: Certainty::Unknown,
        preview: Vec::new(),
    };
    Plan {
        format: FORMAT,
        stack: stack.to_owned(),
        title: stack.to_owned(),
        environment: "test".to_owned(),
        stack_hash: String::new(),
        procedure: ProcedureId::new("p"),
        name: "P".to_owned(),
        params: BTreeMap::new(),
        lock: "stack".to_owned(),
        deadline: Duration::from_secs(60),
        level: Level::L0,
        level_because: Vec::new(),
        preconditions: Vec::new(),
        steps: vec![step],
        pins: Vec::new(),
    }
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_700_000_000 + second).unwrap()
}

fn state() -> (tempfile::TempDir, StateDir) {
    let dir = tempfile::tempdir().unwrap();
    let state = StateDir::new(dir.path().join("s"), None);
    state.prepare().unwrap();
    (dir, state)
}

fn begun(state: &StateDir, stack: &str, second: i64) -> (RunDir, Journal) {
    begun_with(state, &plan(stack), second)
}

fn begun_with(state: &StateDir, plan: &Plan, second: i64) -> (RunDir, Journal) {
    let dir = state.create_run(at(second)).unwrap();
    dir.write_new("plan.json", &serde_json::to_vec(plan).unwrap()).unwrap();
    let mut journal = Journal::create(&dir).unwrap();
    let by = Person { uid: 0, login: "ann".to_owned(), from: None };
    let confirmed = Confirmed { level: Level::L0, typed: String::new(), reason: None, second: None };
    let (run, hash) = (dir.id().clone(), PlanHash::of(plan));
    let started = Event::Started { run, plan: hash, by, confirmed, runner: 1 };
    journal.append(started, at(second)).unwrap();
    (dir, journal)
}

fn hold() -> [Event; 2] {
    [
        Event::Preconditions { failed: Vec::new(), seen: Vec::new() },
        Event::HoldEntered { step: StepId::new("m"), why: Hold::Manual, says: "turn".to_owned() },
    ]
}

#[test]
fn it_tells_what_changed_and_nothing_when_nothing_did() {
    let (_dir, state) = state();
    let mut watcher = Watcher::new(state.clone(), Some("shop"), Vec::new());
    watcher.look(&[]);
    assert!(watcher.look(&[]).is_none());
    let (_, mut journal) = begun(&state, "shop", 1);
    let (_, _other) = begun(&state, "club", 2);
    let ledger = watcher.look(&[]).unwrap();
    assert_eq!(ledger.runs.len(), 1, "another stack's runs are not ours");
    assert_eq!((ledger.runs[0].state, ledger.open.len()), (RunState::Running, 1));
    assert!(watcher.look(&[]).is_none());
    for event in hold() {
        journal.append(event, at(3)).unwrap();
    }
    assert_eq!(watcher.look(&[]).unwrap().runs[0].state, RunState::Held);
    drop(journal);
    assert_eq!(watcher.look(&[]).unwrap().runs[0].state, RunState::Lost);
    assert!(watcher.look(&[]).is_none());
}

#[test]
fn runs_that_ended_are_listed_and_looked_at_again_when_resumed() {
    let (_dir, state) = state();
    let (dir, mut journal) = begun(&state, "shop", 1);
    let ended = Event::Ended { outcome: Outcome::Failed, why: "x".to_owned() };
    journal.append(ended, at(2)).unwrap();
    drop(journal);
    let mut watcher = Watcher::new(state.clone(), None, Vec::new());
    let ledger = watcher.look(&[]).unwrap();
    assert_eq!((ledger.runs[0].state, ledger.open.len()), (RunState::Ended(Outcome::Failed), 0));
    watcher.choose(Some(dir.id().clone()));
    assert_eq!(watcher.ledger().open.len(), 1, "what is looked at is there in full");
    let (mut journal, _) = Journal::open(&dir).unwrap();
    let by = Person { uid: 0, login: "bob".to_owned(), from: None };
    let mode = crate::domain::procedure::event::Mode::Continue;
    journal.append(Event::Resumed { by, runner: 2, mode, reason: None, second: None }, at(4)).unwrap();
    let seen = watcher.look(&[]).unwrap();
    assert_eq!(seen.runs[0].state, RunState::Running, "at once");
}

#[test]
fn a_damaged_journal_is_told_and_others_are_read() {
    let (_dir, state) = state();
    let (bad, journal) = begun(&state, "shop", 1);
    drop(journal);
    let text = fs::read_to_string(bad.journal()).unwrap();
    fs::write(bad.journal(), text.replace("ann", "eve")).unwrap();
    let (_, _journal) = begun(&state, "shop", 2);
    let mut watcher = Watcher::new(state, Some("shop"), Vec::new());
    let ledger = watcher.look(&[]).unwrap();
    assert_eq!(ledger.runs.len(), 1);
    assert!(ledger.broken[0].1.contains("damaged at line 1"), "{:?}", ledger.broken);
    assert!(watcher.look(&[]).is_none(), "what stays broken is told once");
}

#[test]
fn a_line_that_was_taken_back_and_written_anew_is_read_anew() {
    let (_dir, state) = state();
    let (dir, mut journal) = begun(&state, "shop", 1);
    let short = fs::read(dir.journal()).unwrap();
    journal.append(Event::Note { says: "taken back".to_owned() }, at(2)).unwrap();
    let mut watcher = Watcher::new(state, Some("shop"), Vec::new());
    assert_eq!(watcher.look(&[]).unwrap().open[0].notes.len(), 1);
    drop(journal);
    fs::write(dir.journal(), &short).unwrap();
    let (mut journal, _) = Journal::open(&dir).unwrap();
    for event in hold() {
        journal.append(event, at(3)).unwrap();
    }
    let ledger = watcher.look(&[]).unwrap();
    assert!(ledger.broken.is_empty(), "{:?}", ledger.broken);
    assert_eq!((ledger.open[0].notes.len(), ledger.runs[0].state), (0, RunState::Held));
}

#[test]
fn a_tail_is_the_end_of_what_is_printed_and_safe() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("o");
    let table: &[(String, usize, &str)] = &[
        (String::new(), 0, ""),
        ("one\n".to_owned(), 1, "one"),
        ("one\ntwo without its end".to_owned(), 2, "two without its end"),
        ("x\n".repeat(200_000) + "last\n", tail::MAX_LINES, "last"),
        ("\x1b[2J\x1b]0;t\x07 hey\n".to_owned(), 1, "·[2J·]0;t· hey"),
        ("y".repeat(1_000_000), 1, ""),
    ];
    for (text, count, last) in table {
        fs::write(&path, text).unwrap();
        let lines = tail::read(&path);
        assert_eq!(lines.len(), *count);
        assert!(lines.iter().all(|l| l.chars().count() <= tail::MAX_WIDTH + 1));
        if !last.is_empty() {
            assert_eq!(lines.last().map(String::as_str), Some(*last));
        }
    }
    assert!(tail::read(&dir.path().join("gone")).is_empty());
}

/// A procedure that closes and owes to open, and one that opens and proves it.
fn closing(id: &str) -> Plan {
    let owe = Owe { id: "way".to_owned(), says: "the way is closed".to_owned(), by: None };
    let mut plan = plan("shop");
    plan.steps[0].origin = format!("{id}.m");
    match id {
        "close" => plan.steps[0].owes = Some(owe),
        _ => plan.steps[0].settles = vec!["way".to_owned()],
    }
    plan
}

fn rules() -> Vec<InterlockRule> {
    let (raised_by, verified) = (vec!["close.m".to_owned()], vec!["open.m".to_owned()]);
    vec![InterlockRule { id: "closed".to_owned(), raised_by, verified, ..InterlockRule::default() }]
}

/// A run that did its only step, and ended.
fn done(state: &StateDir, id: &str, second: i64) -> RunDir {
    let (dir, mut journal) = begun_with(state, &closing(id), second);
    let by = Person { uid: 0, login: "ann".to_owned(), from: None };
    let released = Event::HoldReleased { step: StepId::new("m"), by, choice: Choice::GoOn, note: None };
    let ended = Event::Ended { outcome: Outcome::Verified, why: String::new() };
    for event in hold().into_iter().chain([released, ended]) {
        journal.append(event, at(second)).unwrap();
    }
    dir
}

/// Debts and interlocks, by the dashboard's look and by the planner's.
fn left_behind(state: &StateDir) -> (Vec<String>, Vec<String>) {
    let mut watcher = Watcher::new(state.clone(), Some("shop"), rules());
    watcher.look(&[]);
    let ledger = watcher.ledger();
    let left = Left::read(state, "shop", &rules());
    let planned: Vec<String> =
        standing(left.deeds.iter(), &rules(), None).into_iter().map(|s| s.id).collect();
    let shown: Vec<String> = ledger.interlocks.iter().map(|r| r.id.clone()).collect();
    assert_eq!(shown, planned);
    (ledger.owed.iter().map(|o| o.owe.says.clone()).collect(), shown)
}

/// Far enough ahead of when files are written here.
const LATER: i64 = 2_000_000_000;

#[test]
fn a_run_whose_journal_cannot_be_read_may_have_left_all_that_its_plan_could() {
    let (_dir, state) = state();
    let dir = done(&state, "close", 1);
    done(&state, "open", 2);
    assert_eq!(left_behind(&state), (vec![], vec![]));
    let mut bytes = fs::read(dir.journal()).unwrap();
    bytes[100] ^= 1;
    fs::write(dir.journal(), &bytes).unwrap();
    let owed = vec![format!("the way is closed ({UNREAD})")];
    assert_eq!(left_behind(&state), (owed.clone(), vec!["closed".to_owned()]));
    let me = Person { uid: 0, login: "ann".to_owned(), from: None };
    crate::act::control::set_aside(&state, dir.id().as_str(), &me, at(3)).unwrap();
    assert_eq!(left_behind(&state), (owed, vec!["closed".to_owned()]), "setting aside settles nothing");
    let mut watcher = Watcher::new(state.clone(), Some("shop"), rules());
    let broken = watcher.look(&[]).unwrap().broken.clone();
    assert!(broken[0].1.contains("set aside by ann") && broken[0].1.ends_with(UNREAD), "{broken:?}");
    done(&state, "open", LATER);
    assert_eq!(left_behind(&state), (vec![], vec![]), "a later run settles it");
}

/// Emptied, or cut within its first line, it tells as little as one that is damaged.
#[test]
fn a_journal_that_lost_all_of_it_is_not_that_of_a_run_that_never_began() {
    for cut in [0, 40] {
        let (_dir, state) = state();
        let dir = done(&state, "close", 1);
        done(&state, "open", 2);
        let mut watcher = Watcher::new(state.clone(), Some("shop"), rules());
        assert!(watcher.look(&[]).unwrap().broken.is_empty());
        let bytes = fs::read(dir.journal()).unwrap();
        fs::write(dir.journal(), &bytes[..cut]).unwrap();
        let seen = (0..=REST).find_map(|_| watcher.look(&[])).unwrap();
        assert!(seen.broken[0].1.contains("not even its first line is there"), "{:?}", seen.broken);
        let owed = vec![format!("the way is closed ({UNREAD})")];
        assert_eq!(left_behind(&state), (owed, vec!["closed".to_owned()]), "{cut}");
        assert!(!is_over(&state, dir.id()), "it stands in the way until it is set aside");
        let me = Person { uid: 0, login: "ann".to_owned(), from: None };
        crate::act::control::set_aside(&state, dir.id().as_str(), &me, at(3)).unwrap();
        assert!(is_over(&state, dir.id()));
    }
    // One that is just beginning, or was refused before, has no journal.
    let (_dir, state) = state();
    let dir = state.create_run(at(1)).unwrap();
    let text = serde_json::to_vec(&plan("shop")).unwrap();
    dir.write_new("plan.json", &text).unwrap();
    let mut watcher = Watcher::new(state.clone(), None, rules());
    assert!(watcher.look(&[]).unwrap().broken.is_empty());
    let journal = Journal::create(&dir).unwrap();
    assert!(watcher.look(&[]).is_none_or(|l| l.broken.is_empty()));
    drop(journal);
    assert!(watcher.look(&[]).is_none_or(|l| l.broken.is_empty()));
    fs::write(dir.journal(), "").unwrap();
    assert_eq!(watcher.look(&[]).unwrap().broken.len(), 1);
}

#[test]
fn what_cannot_be_read_at_all_may_have_done_anything() {
    let (_dir, state) = state();
    let dir = done(&state, "open", 1);
    fs::write(dir.journal(), "x\n").unwrap();
    assert_eq!(left_behind(&state), (vec![], vec![]));
    fs::write(dir.plan(), "x").unwrap();
    assert_eq!(left_behind(&state), (vec![], vec!["closed".to_owned()]));
}

#[test]
fn nothing_is_forgotten_because_of_many_runs_after_it() {
    let (_dir, state) = state();
    let dir = done(&state, "close", 1);
    let (lost, _) = begun(&state, "shop", 2);
    for second in 0..i64::try_from(MAX_KEPT).unwrap() {
        // As the runs of a day: begun, and nothing in it that concerns others.
        let (_, mut journal) = begun(&state, "shop", 10 + second);
        let ended = Event::Ended { outcome: Outcome::Failed, why: String::new() };
        journal.append(ended, at(10 + second)).unwrap();
    }
    let (owed, stands) = left_behind(&state);
    assert_eq!((owed.len(), stands), (1, vec!["closed".to_owned()]));
    let mut watcher = Watcher::new(state.clone(), Some("shop"), rules());
    let ledger = watcher.look(&[]).unwrap();
    assert_eq!((ledger.owed[0].run.clone(), ledger.older), (dir.id().clone(), 1));
    assert!(ledger.open.iter().any(|r| r.id == *lost.id()), "one that has not ended is shown");
    done(&state, "open", 10_000);
    assert_eq!(left_behind(&state), (vec![], vec![]));
}

#[test]
fn more_than_can_be_read_is_told() {
    let (_dir, state) = state();
    let mut old = Old::default();
    old.list(&state, &[], 7, &|_| None);
    assert_eq!(old.beyond, 7);
    assert!(
        left::too_many(&state, 7).starts_with("there are more runs than can be read, and what the oldest 7")
    );
}

/// A run that cannot be seen any more has neither ended nor lost its runner by that.
#[test]
fn runs_that_cannot_be_listed_are_not_taken_for_none() {
    let (_dir, state) = state();
    let mut watcher = Watcher::new(state.clone(), Some("shop"), rules());
    watcher.look(&[]);
    assert_eq!(watcher.ledger().unlisted, None);
    done(&state, "close", 1);
    let (_, mut journal) = begun(&state, "shop", 2);
    for event in hold() {
        journal.append(event, at(3)).unwrap();
    }
    let known = watcher.look(&[]).unwrap();
    assert_eq!((known.runs[0].state, known.owed.len()), (RunState::Held, 1));
    let away = state.root().join("away");
    fs::rename(state.runs(), &away).unwrap();
    let lost = |watcher: &mut Watcher, why: &str| {
        let ledger = watcher.look(&[]).unwrap();
        let Some(Unlisted::Lost(told)) = &ledger.unlisted else { panic!("{:?}", ledger.unlisted) };
        assert!(told.contains(why), "{told}");
        assert_eq!((&ledger.runs, &ledger.owed), (&known.runs, &known.owed), "as they were last known");
        for _ in 0..=REST {
            assert!(watcher.look(&[]).is_none(), "it is told once");
        }
    };
    lost(&mut watcher, "which is gone");
    fs::write(state.runs(), "").unwrap();
    lost(&mut watcher, "Not a directory");
    fs::remove_file(state.runs()).unwrap();
    fs::rename(&away, state.runs()).unwrap();
    let back = watcher.look(&[]).unwrap();
    assert_eq!((&back.unlisted, &back.runs, back.broken.len()), (&None, &known.runs, 0));
    // Without any run there is none to miss.
    drop(journal);
    fs::remove_dir_all(state.runs()).unwrap();
    let mut fresh = Watcher::new(state, Some("shop"), rules());
    fresh.look(&[]);
    assert_eq!(fresh.ledger().unlisted, None);
}
