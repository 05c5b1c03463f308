//! Who may be the second person, for how long, and which files are believed.

use super::*;
use crate::act::rundir::WriteState;
use crate::clock::Now;
use crate::domain::procedure::machine::worlds::{plan, step};
use crate::domain::procedure::proposal::{Blast, Refusal, prompt};
use std::os::unix::fs::{PermissionsExt, chown};

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).unwrap()
}

fn person(uid: u32, login: &str) -> Person {
    Person { uid, login: login.to_owned(), from: None }
}

/// Who runs the tests: what is written here belongs to them.
fn me() -> Person {
    person(rustix::process::geteuid().as_raw(), "ann")
}

fn proposal() -> Proposal {
    let mut plan = plan(vec![step("a")]);
    plan.level = Level::L4;
    let blast = vec![Blast { says: "drops 41 sessions".to_owned(), value: Some(Ok(41.0)) }];
    Proposal {
        hash: PlanHash::of(&plan),
        looked: Now { mono: Duration::ZERO, wall: at(0) },
        prompt: prompt(&plan, &blast),
        blast,
        preconditions: vec![],
        refusals: vec![],
        changed: vec![],
        warnings: vec![],
        plan,
    }
}

fn state() -> (tempfile::TempDir, StateDir) {
    let dir = tempfile::tempdir().unwrap();
    let state = StateDir::new(dir.path().join("s"), None);
    state.prepare().unwrap();
    (dir, state)
}

fn asked(state: &StateDir) -> String {
    request(state, &proposal(), "the keys leaked", &me(), at(0)).unwrap()
}

/// A word as another user would have written it; `None` where files cannot be given away.
fn word_of_another(state: &StateDir, id: &str, second: i64) -> Option<Person> {
    let bob = person(me().uid + 1, "bob");
    let word = Word { request: id.to_owned(), hash: proposal().hash, by: bob.clone(), at: at(second) };
    let path = word_path(state, id);
    write(state, &path, &word).unwrap();
    if chown(&path, Some(bob.uid), None).is_err() {
        println!("skipped: only root can give a file to another user");
        return None;
    }
    Some(bob)
}

#[test]
fn a_request_shows_plan_blast_radius_and_reason() {
    let (_dir, state) = state();
    let id = asked(&state);
    let list = waiting(&state, at(1));
    assert_eq!(list.len(), 1);
    let line = &list[0];
    assert_eq!(
        (line.id.as_str(), line.by.as_str(), line.reason.as_str()),
        (id.as_str(), "ann", "the keys leaked")
    );
    assert_eq!((line.blast.as_slice(), line.until), (["drops 41 sessions".to_owned()].as_slice(), at(300)));
    assert_eq!(line.approved, None);
    assert_eq!(look(&state, &id, at(1)).unwrap().plan, proposal().plan);
    withdraw(&state, &id).unwrap();
    withdraw(&state, &id).unwrap();
    assert_eq!(waiting(&state, at(1)), []);
}

#[test]
fn what_may_not_run_or_has_no_reason_is_not_asked_for() {
    let (_dir, state) = state();
    assert!(request(&state, &proposal(), " ", &me(), at(0)).unwrap_err().contains("reason"));
    let refusals = vec![Refusal::Impossible { says: "no such unit".to_owned() }];
    let refused = Proposal { refusals, ..proposal() };
    assert!(request(&state, &refused, "x", &me(), at(0)).unwrap_err().contains("no such unit"));
}

#[test]
fn requests_are_over_after_five_minutes_and_when_the_clock_went_back() {
    let (_dir, state) = state();
    let id = asked(&state);
    for (second, there) in [(0, true), (300, true), (301, false), (-1, false)] {
        assert_eq!(look(&state, &id, at(second)).is_ok(), there, "{second}");
        assert_eq!(waiting(&state, at(second)).len(), usize::from(there), "{second}");
    }
}

#[test]
fn nobody_approves_their_own_plan_under_any_name() {
    let (_dir, state) = state();
    let id = asked(&state);
    let hash = proposal().hash;
    let own = approve(&state, &id, &hash, &me(), at(1)).unwrap_err();
    assert!(own.contains("their own plan"), "{own}");
    // Through sudo or su: another uid, the same login.
    let other_uid = approve(&state, &id, &hash, &person(me().uid + 1, "ann"), at(1)).unwrap_err();
    assert!(other_uid.contains("the same person"), "{other_uid}");
    assert!(seconded(&state, &hash, &me(), at(2)).is_err());
}

#[test]
fn a_word_is_its_owners_whatever_stands_in_it() {
    let (_dir, state) = state();
    let id = asked(&state);
    // Written by who asked, in the name of another.
    let forged =
        Word { request: id.clone(), hash: proposal().hash, by: person(me().uid + 1, "bob"), at: at(1) };
    write(&state, &word_path(&state, &id), &forged).unwrap();
    let why = seconded(&state, &proposal().hash, &me(), at(2)).unwrap_err();
    assert!(why.contains("does not belong to who it says"), "{why}");
    assert_eq!(waiting(&state, at(2))[0].approved, None);
}

#[test]
fn another_users_word_counts_for_that_plan_and_five_minutes() {
    let (dir, state) = state();
    let id = asked(&state);
    let Some(bob) = word_of_another(&state, &id, 10) else { return };
    let hash = proposal().hash;
    let good = seconded(&state, &hash, &me(), at(20)).unwrap();
    assert_eq!(good.second(), &Second::Approved(bob.clone()));
    assert_eq!(waiting(&state, at(20))[0].approved.as_deref(), Some("bob"));
    // Not for another person's request, not for another plan, not later.
    assert!(seconded(&state, &hash, &person(4242, "eve"), at(20)).is_err());
    let mut other = proposal();
    other.plan.lock = "edge".to_owned();
    assert!(seconded(&state, &PlanHash::of(&other.plan), &me(), at(20)).is_err());
    assert!(seconded(&state, &hash, &me(), at(301)).is_err());
    // A later request of the same plan is not approved by an older word.
    fs::remove_file(request_path(&state, &id)).unwrap();
    let later = Asked {
        since: at(11),
        ..Asked {
            id: id.clone(),
            plan: proposal().plan,
            hash: hash.clone(),
            blast: vec![],
            reason: "x".to_owned(),
            by: me(),
            since: at(0),
        }
    };
    write(&state, &request_path(&state, &id), &later).unwrap();
    assert!(seconded(&state, &hash, &me(), at(20)).unwrap_err().contains("are over"));
    // Files that others could have written, or that have a second name, are not believed.
    let path = word_path(&state, &id);
    fs::hard_link(&path, dir.path().join("kept")).unwrap();
    assert!(read::<Word>(&path).unwrap_err().contains("second name"));
    fs::remove_file(dir.path().join("kept")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o660)).unwrap();
    assert!(read::<Word>(&path).unwrap_err().contains("others than its owner"));
}

#[test]
fn an_approval_is_spent_by_one_run() {
    let (_dir, state) = state();
    let id = asked(&state);
    let Some(bob) = word_of_another(&state, &id, 10) else { return };
    let (one, two) = (state.create_run(at(20)).unwrap(), state.create_run(at(20)).unwrap());
    spend(state.root(), &id, &one, TO_BEGIN).unwrap();
    assert!(spend(state.root(), &id, &two, TO_BEGIN).unwrap_err().contains("good for one run"));
    let hash = proposal().hash;
    vouches(&one, (TO_BEGIN, &id), &hash, &bob, (&me(), at(20))).unwrap();
    assert!(vouches(&one, (TO_BEGIN, "other"), &hash, &bob, (&me(), at(20))).is_err());
    assert!(vouches(&one, (TO_BEGIN, &id), &hash, &person(bob.uid, "carl"), (&me(), at(20))).is_err());
    assert!(vouches(&one, (TO_BEGIN, &id), &hash, &bob, (&person(bob.uid, "x"), at(20))).is_err());
    assert!(vouches(&one, (TO_BEGIN, &id), &hash, &bob, (&me(), at(400))).is_err());
    assert!(vouches(&two, (TO_BEGIN, &id), &hash, &bob, (&me(), at(20))).is_err());
    assert_eq!(waiting(&state, at(21)), []);
}

#[test]
fn the_glass_breaks_after_a_minute_and_with_a_reason() {
    let hash = proposal().hash;
    assert!(break_glass(&hash, Duration::from_secs(59), "alone").is_err());
    assert!(break_glass(&hash, COUNTDOWN, "  ").is_err());
    let broken = break_glass(&hash, COUNTDOWN, "alone").unwrap();
    assert_eq!(broken.second(), &Second::BreakGlass { waited_s: 60 });
}

#[test]
fn damaged_and_hostile_files_are_left_out() {
    let (dir, state) = state();
    asked(&state);
    fs::write(request_path(&state, "broken"), "{").unwrap();
    fs::write(state.approvals().join("NOT AN ID.request"), "{}").unwrap();
    fs::write(request_path(&state, "large"), vec![b' '; crate::act::rundir::MAX_DOCUMENT + 1]).unwrap();
    let target = dir.path().join("elsewhere");
    fs::write(&target, "{}").unwrap();
    std::os::unix::fs::symlink(&target, request_path(&state, "linked")).unwrap();
    assert_eq!(waiting(&state, at(1)).len(), 1);
    assert!(look(&state, "../x", at(1)).unwrap_err().contains("no request's id"));
}
