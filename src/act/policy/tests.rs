//! What it takes to have a plan approved, and which approvals a runner believes.

use super::*;
use crate::act::approval::{COUNTDOWN, break_glass};
use crate::act::rundir::{StateDir, WriteRun, WriteState};
use crate::domain::procedure::level::Effect;
use crate::domain::procedure::machine::worlds::{World, plan, step, with};
use crate::domain::procedure::proposal::{Blast, Refusal};
use crate::domain::procedure::run::Phase;
use jiff::Timestamp;
use std::fs;
use std::path::Path;

fn me() -> Person {
    Person { uid: rustix::process::geteuid().as_raw(), login: "ann".to_owned(), from: None }
}

fn now(second: u64) -> Now {
    Now {
        mono: Duration::from_secs(second),
        wall: Timestamp::from_second(1_800_000_000 + i64::try_from(second).unwrap()).unwrap(),
    }
}

/// Looked at in second zero, and with 41 people in the way.
fn proposal(level: Level) -> Proposal {
    let mut plan = plan(vec![step("a")]);
    plan.level = level;
    let blast = vec![Blast { says: "drops 41".to_owned(), value: Some(Ok(41.0)) }];
    Proposal {
        hash: PlanHash::of(&plan),
        looked: now(0),
        prompt: proposal::prompt(&plan, &blast),
        blast,
        preconditions: vec![],
        refusals: vec![],
        changed: vec![],
        warnings: vec![],
        plan,
    }
}

fn given(typed: &str, reason: Option<&str>) -> Given {
    Given { typed: typed.to_owned(), reason: reason.map(str::to_owned), second: None }
}

fn broken(p: &Proposal) -> Seconded {
    break_glass(&p.hash, COUNTDOWN, "alone").unwrap()
}

/// Level, typed, reason, broken glass, age of the look; what is wrong.
type Row = (Level, &'static str, Option<&'static str>, bool, u64, &'static [&'static str]);

#[test]
fn each_level_needs_what_the_design_says() {
    let phrase = "p here 41";
    let why = Some("leak");
    let table: &[Row] = &[
        (Level::L2, "here", None, false, 500, &[]),
        (Level::L2, " here ", None, false, 0, &[]),
        (Level::L2, "her", None, false, 0, &["`here` must be typed"]),
        (Level::L2, "", None, false, 0, &["`here` must be typed"]),
        (Level::L3, phrase, why, false, 30, &[]),
        (Level::L3, phrase, None, false, 0, &["needs a reason"]),
        (Level::L3, phrase, Some("  "), false, 0, &["needs a reason"]),
        (Level::L3, "p here 40", why, false, 0, &[]),
        (Level::L3, "p here 30", why, false, 0, &["`p here 41` must be typed"]),
        (Level::L3, phrase, why, false, 31, &["looked at 31 s ago"]),
        (Level::L4, phrase, why, false, 0, &["a second person must approve it"]),
        (Level::L4, phrase, why, true, 0, &[]),
        (Level::L4, "x", None, false, 40, &["must be typed", "needs a reason", "40 s ago", "second person"]),
    ];
    for (level, typed, reason, glass, age, wrong) in table {
        let fresh = proposal(*level);
        let mut given = given(typed, *reason);
        given.second = glass.then(|| broken(&fresh));
        let said = match approve(&fresh, &fresh.hash, &given, &me(), now(*age)) {
            Ok(approved) => {
                assert_eq!((approved.confirmed().level, approved.hash()), (*level, &fresh.hash));
                vec![]
            }
            Err(said) => said,
        };
        assert_eq!(said.len(), wrong.len(), "{level} {typed} {said:?}");
        for (said, want) in said.iter().zip(*wrong) {
            assert!(said.contains(want), "{level} {typed}: {said}");
        }
    }
}

/// The count of then is not asked for, and nor is the second person: they approved this plan.
#[test]
fn what_takes_up_a_run_again_is_confirmed_as_what_began_it() {
    let phrase = "`p here` must be typed to confirm it";
    let table: &[(Level, &str, Option<&str>, &[&str])] = &[
        (Level::L2, "", None, &[]),
        (Level::L2, "", Some("in doubt"), &[]),
        (Level::L3, "p here", Some("in doubt"), &[]),
        (Level::L4, "p here", Some("in doubt"), &[]),
        (Level::L3, "p here 41", Some("in doubt"), &[phrase]),
        (Level::L3, "p here", Some(" "), &["a run of L3 needs a reason to be taken up again"]),
        (Level::L4, "", None, &[phrase, "a run of L4 needs a reason to be taken up again"]),
    ];
    for (level, typed, reason, wrong) in table {
        let run = World::new(proposal(*level).plan).run;
        match resume(&run, Mode::Rollback, &given(typed, *reason), &me()) {
            Ok(word) => {
                assert!(wrong.is_empty(), "{level} {typed}");
                assert_eq!((word.mode(), word.reason()), (Mode::Rollback, *reason));
            }
            Err(said) => assert_eq!(said, *wrong, "{level} {typed}"),
        }
    }
}

/// What a second person approved is the deed of a moment: a lost run that is yet to do it needs one
/// again, to be undone or once it is done it does not.
#[test]
fn to_go_on_to_what_is_gravest_a_second_person_is_needed_again() {
    let grave = || with("a", |s| s.level = Level::L4);
    let plan = Plan { level: Level::L4, ..plan(vec![grave(), step("b")]) };
    let mut run = World::new(plan).run;
    let said = given("p here", Some("its runner died"));
    assert_eq!(resume(&run, Mode::Continue, &said, &me()).unwrap_err(), ["a second person must approve it"]);
    resume(&run, Mode::Rollback, &said, &me()).unwrap();
    let glass = break_glass(&run.hash, COUNTDOWN, "alone").unwrap();
    let alone = Given { second: Some(glass.clone()), ..said.clone() };
    assert_eq!(resume(&run, Mode::Continue, &alone, &me()).unwrap().second(), Some(&glass));
    run.steps[0].phase = Phase::Verified("done".to_owned());
    assert_eq!(resume(&run, Mode::Continue, &said, &me()).unwrap().second(), None);
}

#[test]
fn reads_and_what_is_reversible_need_a_key_only() {
    for (effect, level) in [(Effect::Read, Level::L0), (Effect::Change, Level::L1)] {
        let mut fresh = proposal(level);
        fresh.plan.steps = vec![with("a", |s| s.effect = effect)];
        fresh.hash = PlanHash::of(&fresh.plan);
        approve(&fresh, &fresh.hash.clone(), &given("", None), &me(), now(0)).unwrap();
    }
}

#[test]
fn another_plan_and_one_with_something_in_the_way_are_refused() {
    let fresh = proposal(Level::L2);
    let mut shown = fresh.plan.clone();
    shown.lock = "edge".to_owned();
    let said = approve(&fresh, &PlanHash::of(&shown), &given("here", None), &me(), now(0)).unwrap_err();
    assert!(said[0].contains("the plan that was shown is"), "{said:?}");

    let refused = Proposal { refusals: vec![Refusal::Impossible { says: "no unit".to_owned() }], ..fresh };
    let said = approve(&refused, &refused.hash, &given("here", None), &me(), now(0)).unwrap_err();
    assert_eq!(said, ["impossible: no unit"]);
}

/// Neither a level nor a prompt that was tampered with lets a plan through with less.
#[test]
fn what_a_plan_needs_is_reckoned_from_what_it_does() {
    let mut low = proposal(Level::L0);
    let said = approve(&low, &low.hash, &given("", None), &me(), now(0)).unwrap_err();
    assert!(said[0].contains("says L0 and does what is L2"), "{said:?}");
    low = proposal(Level::L3);
    low.prompt.type_this = None;
    low.prompt.needs_reason = false;
    assert_eq!(approve(&low, &low.hash, &given("", None), &me(), now(0)).unwrap_err().len(), 2);
}

#[test]
fn a_second_word_is_for_one_plan() {
    let fresh = proposal(Level::L4);
    let mut other = fresh.plan.clone();
    other.lock = "edge".to_owned();
    let second = break_glass(&PlanHash::of(&other), COUNTDOWN, "alone").unwrap();
    let given = Given { second: Some(second), ..given("p here 41", Some("leak")) };
    let said = approve(&fresh, &fresh.hash, &given, &me(), now(0)).unwrap_err();
    assert!(said[0].starts_with("what the second person approved is plan"), "{said:?}");
}

fn kept(level: Level) -> (tempfile::TempDir, RunDir, ApprovedPlan) {
    let fresh = proposal(level);
    let mut given = given(fresh.prompt.type_this.as_deref().unwrap_or_default(), Some("leak"));
    given.second = Some(broken(&fresh));
    let approved = approve(&fresh, &fresh.hash, &given, &me(), now(0)).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let state = StateDir::new(dir.path().join("s"), None);
    state.prepare().unwrap();
    let run = state.create_run(now(0).wall).unwrap();
    run.write_new("plan.json", &serde_json::to_vec(approved.plan()).unwrap()).unwrap();
    run.write_new("approval.json", &approved.document()).unwrap();
    (dir, run, approved)
}

#[test]
fn a_runner_reads_back_what_was_approved() {
    for level in [Level::L2, Level::L3, Level::L4] {
        let (_dir, run, approved) = kept(level);
        assert_eq!(readmit(&run, &me(), now(1).wall).unwrap(), approved);
    }
}

type Change = fn(&RunDir);

fn edit(path: &Path, from: &str, to: &str) {
    let text = fs::read_to_string(path).unwrap();
    assert!(text.contains(from), "{text}");
    fs::write(path, text.replace(from, to)).unwrap();
}

#[test]
fn a_runner_believes_nothing_that_was_changed() {
    let table: &[(&str, Change, &str)] = &[
        (
            "another plan",
            |r| edit(&r.plan(), "\"lock\":\"stack\"", "\"lock\":\"edge\""),
            "not the one that was approved",
        ),
        ("no reason", |r| edit(&r.approval(), "\"leak\"", "\"\""), "no reason"),
        (
            "a short countdown",
            |r| edit(&r.approval(), "\"waited_s\": 60", "\"waited_s\": 1"),
            "no second person",
        ),
        ("another level", |r| edit(&r.approval(), "\"L4\"", "\"L2\""), "another level"),
        ("in another's name", |r| edit(&r.approval(), "\"login\": \"ann\"", "\"login\": \"bob\""), ""),
        (
            "under another uid",
            |r| edit(&r.approval(), &format!("\"uid\": {}", me().uid), "\"uid\": 4242"),
            "belongs to user",
        ),
        (
            "writable by others",
            |r| {
                use std::os::unix::fs::PermissionsExt;
                fs::set_permissions(r.plan(), fs::Permissions::from_mode(0o660)).unwrap();
            },
            "others than its owner",
        ),
        ("no approval", |r| fs::remove_file(r.approval()).unwrap(), "approval.json"),
    ];
    for (name, change, why) in table {
        let (_dir, run, _) = kept(Level::L4);
        change(&run);
        match readmit(&run, &me(), now(1).wall) {
            Ok(_) => assert_eq!(*why, "", "{name}"),
            Err(said) => assert!(!why.is_empty() && said.contains(why), "{name}: {said}"),
        }
    }
}

/// Whoever can rename what is in a run's directory, as members of the group can, must not be able to
/// have an approved plan begin again.
#[test]
fn an_approval_lets_its_own_person_begin_and_at_once() {
    let nobody = Person { uid: me().uid + 1, ..me() };
    for level in [Level::L2, Level::L4] {
        for (by, at, why) in [
            (me(), 60, None),
            (me(), 61, Some("approved 61 s ago")),
            (me(), 3600, Some("approved 3600 s ago")),
            (nobody.clone(), 1, Some("begins it")),
        ] {
            let (_dir, run, _) = kept(level);
            let said = readmit(&run, &by, now(at).wall);
            match why {
                None => assert!(said.is_ok(), "{said:?}"),
                Some(why) => assert!(said.as_ref().is_err_and(|s| s.contains(why)), "{said:?}"),
            }
        }
    }
    // A run that has begun goes on whenever, and by whom its directory lets in.
    let (_dir, run, _) = kept(Level::L2);
    run.write_new("journal", b"").unwrap();
    assert!(readmit(&run, &nobody, now(9999).wall).is_ok());
}
