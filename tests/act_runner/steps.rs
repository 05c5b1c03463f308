//! Steps: in order, verified, passed over, timed out, failed, undone.

use crate::bench::{Bench, check, needs, plan, step, undo};
use quarterdeck::clock::{Clock, Now, SystemClock};
use quarterdeck::domain::procedure::event::{Effected, Event, Mode, Outcome};
use quarterdeck::domain::procedure::level::Effect;
use quarterdeck::domain::procedure::plan::{OnFailure, OnTimeout, Pin, Step};
use quarterdeck::domain::procedure::run::Phase;
use std::sync::Arc;
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn every_intent_is_journalled_before_its_effect_and_done_means_verified() {
    let b = Bench::new();
    let (journal, seen) = (b.state.runs().display().to_string(), b.file("seen"));
    let mut plan = plan(vec![
        // The step itself looks whether its intent was on disk.
        Step {
            verify: Some(check(format!("lines {seen} 1"), 3, SECOND * 5)),
            ..step("a", &format!("grep -c '\"is\":\"intended\",\"step\":\"a\"' {journal}/*/journal > {seen}"))
        },
        step("b", "echo out; echo err >&2"),
    ]);
    needs(&mut plan, "a state directory", format!("has {journal}"));
    let (id, outcome) = b.run_here(&plan);
    let loaded = b.load(&id);
    assert_eq!(outcome, Outcome::Verified, "{:#?}", loaded.run);
    assert_eq!(std::fs::read_to_string(b.file("seen")).unwrap().trim(), "1");
    assert!(matches!(loaded.run.steps[0].phase, Phase::Verified(_)));
    let streaks: Vec<u32> = b
        .entries(&id)
        .iter()
        .filter_map(|e| if let Event::Observed { streak, .. } = e.event { Some(streak) } else { None })
        .collect();
    assert_eq!(streaks, [1, 2, 3]);
    assert_eq!(loaded.run.steps[1].outputs.len(), 1, "what it printed was kept");
    assert!(!loaded.alive);
    let dir = b.state.run(&id).unwrap();
    assert!(!dir.socket().exists(), "the socket goes with its runner");
}

#[test]
fn nothing_begins_without_its_preconditions_or_on_another_world_than_was_approved() {
    let b = Bench::new();
    let trace = b.file("trace");
    let mut missing = plan(vec![step("a", &format!("echo x >> {trace}"))]);
    needs(&mut missing, "the flag", format!("has {}", b.file("flag")));
    let mut moved = plan(vec![step("a", &format!("echo x >> {trace}"))]);
    moved.pins = vec![Pin { what: "unit x.service on here".into(), state: "active".into() }];
    let mut stranger = plan(vec![step("a", &format!("echo x >> {trace}"))]);
    stranger.stack = "other".into();
    let table = [
        (missing, "needs the flag (has "),
        (moved, "unit x.service on here was `active` and cannot be looked at"),
        (stranger, "the plan is for the stack other"),
    ];
    for (plan, why) in table {
        let (id, outcome) = b.run_here(&plan);
        let ended = b.load(&id).run.ended.unwrap();
        assert_eq!(outcome, Outcome::Refused);
        assert!(ended.why.contains(why), "{}", ended.why);
        assert_eq!(b.lines("trace"), 0);
    }
}

#[test]
fn a_step_is_passed_over_with_proof_and_not_without() {
    let b = Bench::new();
    let trace = b.file("trace");
    std::fs::write(b.file("healthy"), "").unwrap();
    let unless = |name: &str| Some(check(format!("has {}", b.file(name)), 2, SECOND));
    let append = format!("echo x >> {trace}");
    let plan = plan(vec![
        Step { unless: unless("healthy"), hold: Some("sure?".into()), ..step("healthy", &append) },
        Step { unless: unless("sick"), ..step("sick", &append) },
        Step { unless: unless("healthy"), after: vec!["sick".into_id()], ..step("follows", &append) },
    ]);
    let (id, outcome) = b.run_here(&plan);
    let run = b.load(&id).run;
    assert_eq!(outcome, Outcome::Verified, "{run:#?}");
    assert!(matches!(&run.steps[0].phase, Phase::Skipped(p) if p.contains("2 good in a row")));
    assert!(matches!(run.steps[1].phase, Phase::Done(_)));
    assert!(matches!(run.steps[2].phase, Phase::Done(_)), "what came after a step that was done is done too");
    assert_eq!(b.lines("trace"), 2);
}

#[test]
fn what_is_not_seen_in_time_has_failed_and_the_rest_does_not_run() {
    let b = Bench::new();
    let plan = plan(vec![
        Step { verify: Some(check("never".into(), 1, SECOND / 2)), ..step("a", "true") },
        step("b", &format!("echo x >> {}", b.file("trace"))),
    ]);
    let (id, outcome) = b.run_here(&plan);
    let run = b.load(&id).run;
    assert_eq!(outcome, Outcome::Failed);
    assert!(matches!(&run.steps[0].phase, Phase::Failed(why) if why.contains("0 of 1 good")), "{run:#?}");
    assert!(matches!(run.steps[1].phase, Phase::WillNotRun(_)));
    assert_eq!(b.lines("trace"), 0);
}

#[test]
fn a_look_that_hangs_does_not_outlast_the_verification() {
    let b = Bench::new();
    let verify = Some(check("slow".into(), 1, SECOND / 2));
    let (id, outcome) = b.run_here(&plan(vec![Step { verify, ..step("a", "true") }]));
    assert_eq!(outcome, Outcome::Failed);
    assert!(b.load(&id).run.ended.unwrap().why.contains("no answer by the deadline"));
}

#[test]
fn time_over_means_what_the_step_says() {
    let b = Bench::new();
    let file = b.file("late");
    let slow = |on_timeout| Step {
        timeout: SECOND / 3,
        on_timeout,
        verify: Some(check(format!("has {file}"), 1, SECOND)),
        ..step("a", &format!("touch {file}; sleep 600"))
    };
    let (id, outcome) = b.run_here(&plan(vec![slow(OnTimeout::Fail)]));
    assert_eq!(outcome, Outcome::Failed);
    let finished = b.entries(&id).into_iter().find_map(|e| match e.event {
        Event::Finished { result, .. } => Some(result),
        _ => None,
    });
    assert!(matches!(finished, Some(Effected::TimedOut { why }) if why.contains("not done within")));
    // Its effect had happened; where the verification decides, that is what counts.
    assert_eq!(b.run_here(&plan(vec![slow(OnTimeout::Verify)])).1, Outcome::Verified);
}

#[test]
fn a_failed_step_is_undone_where_it_says_so_and_what_is_undone_is_seen() {
    let b = Bench::new();
    let file = b.file("closed");
    let mut rollback = undo(&format!("rm {file}"));
    rollback.verify = Some(check(format!("lines {file} 0"), 2, SECOND * 3));
    let failing = Step {
        on_failure: OnFailure::Rollback,
        rollback: Some(rollback),
        ..step("a", &format!("touch {file}; exit 3"))
    };
    let (id, outcome) = b.run_here(&plan(vec![failing.clone()]));
    let run = b.load(&id).run;
    assert_eq!(outcome, Outcome::Failed);
    assert!(
        matches!(&run.steps[0].rolled_back, Some(Ok(says)) if says.contains("2 good in a row")),
        "{run:#?}"
    );
    assert!(!std::path::Path::new(&file).exists());

    let mut blind = failing;
    blind.rollback.as_mut().unwrap().verify = Some(check("never".into(), 1, SECOND / 3));
    let run = b.load(&b.run_here(&plan(vec![blind])).0).run;
    assert!(
        matches!(&run.steps[0].rolled_back, Some(Err(why)) if why.contains("not seen within")),
        "{run:#?}"
    );
}

#[test]
fn a_run_whose_time_is_over_stops_after_the_step_that_runs() {
    let b = Bench::new();
    let mut plan = plan(vec![step("a", "sleep 2.2"), step("b", &format!("echo x >> {}", b.file("trace")))]);
    plan.deadline = SECOND;
    let (id, outcome) = b.run_here(&plan);
    let run = b.load(&id).run;
    assert_eq!(outcome, Outcome::Failed, "{run:#?}");
    assert_eq!(run.ended.unwrap().why, "its deadline of 1s was over before step `b`");
    assert!(matches!(run.steps[0].phase, Phase::Done(_)), "it was let finish");
    assert_eq!(b.lines("trace"), 0);
    // Nobody decided to give it up: it has its whole time again.
    b.resume(&id, Mode::Continue, None).unwrap();
    assert_eq!(b.until_gone(&id).run.ended.unwrap().outcome, Outcome::Verified);
    assert_eq!(b.lines("trace"), 1);
}

/// A wall clock that is set half a day forward after a second, again after two, and far back after three.
struct Set(SystemClock);

impl Clock for Set {
    fn now(&self) -> Now {
        let now = self.0.now();
        let off = match now.mono.as_secs() {
            seconds @ 0..=2 => i64::try_from(seconds).unwrap() * 12,
            _ => -100,
        };
        Now { wall: now.wall + jiff::SignedDuration::from_hours(off), ..now }
    }
}

#[test]
fn a_wall_clock_that_is_set_ends_nothing_and_lengthens_nothing() {
    let b = Bench::with_clock(Arc::new(Set(SystemClock::new())));
    let slow = Step {
        verify: Some(check(format!("lines {} 1", b.file("trace")), 3, SECOND * 20)),
        ..step("b", &format!("sleep 1.2; echo x >> {}", b.file("trace")))
    };
    let mut plan = plan(vec![step("a", "sleep 1.2"), slow, step("c", "sleep 1.2")]);
    plan.deadline = SECOND * 60;
    let (id, outcome) = b.run_here(&plan);
    let run = b.load(&id).run;
    assert_eq!(outcome, Outcome::Verified, "{run:#?}");
    assert!(b.entries(&id).windows(2).any(|w| w[1].at < w[0].at), "the clock was set back");
    assert!(run.notes.iter().any(|(_, says)| says.contains("clock")), "{:?}", run.notes);
    let told = quarterdeck::domain::procedure::report::of(&run, false, run.last.1, None).join("\n");
    assert!(told.contains("VERIFIED") && !told.contains("took -"), "{told}");

    // It does not lengthen the time of a run either.
    let late = Bench::with_clock(Arc::new(Set(SystemClock::new())));
    plan.deadline = SECOND;
    let (_, outcome) = late.run_here(&plan);
    assert_eq!(outcome, Outcome::Failed);
}

#[test]
fn a_host_without_a_way_to_it_fails_the_step() {
    let b = Bench::new();
    let lost = Step { host: quarterdeck::domain::id::HostId::new("gone"), ..step("a", "true") };
    let (id, outcome) = b.run_here(&plan(vec![Step { effect: Effect::Read, ..lost }]));
    assert_eq!(outcome, Outcome::Failed);
    assert!(b.load(&id).run.ended.unwrap().why.contains("no way to the host gone"));
}

trait IntoId {
    fn into_id(self) -> quarterdeck::domain::id::StepId;
}

impl IntoId for &str {
    fn into_id(self) -> quarterdeck::domain::id::StepId {
        quarterdeck::domain::id::StepId::new(self)
    }
}
