//! What runs leave behind, how long they may take, and what is told of them.

use super::Next;
use super::worlds::{
    World, asked, at, at_step, check, failed, finished, intended, outcome, owe, plan, released, resumed,
    rollback, step, two, with,
};
use crate::domain::id::StepId;
use crate::domain::procedure::check::Seen;
use crate::domain::procedure::deeds::Deeds;
use crate::domain::procedure::event::{Choice, Effected, Entry, Event, Mode, Outcome, Truth};
use crate::domain::procedure::facts::{Facts, InterlockRule, standing};
use crate::domain::procedure::ledger::Owed;
use crate::domain::procedure::plan::{OnFailure, Step};
use crate::domain::procedure::report;
use crate::domain::procedure::run::Run;
use std::time::Duration;

#[test]
fn debts_are_owed_from_the_intent_until_they_are_settled_or_undone() {
    let steps = || {
        vec![
            with("close", |s| {
                s.owes = Some(owe("ingress"));
                s.rollback = Some(rollback());
            }),
            with("open", |s| s.settles = vec!["ingress".to_owned()]),
        ]
    };
    let owed = |w: &World| w.run.owed.iter().map(|o| o.id.clone()).collect::<Vec<_>>();
    let mut w = World::new(plan(steps()));
    w.well_until(at_step(0));
    assert!(owed(&w).is_empty());
    w.must(intended("close", 1));
    assert_eq!(owed(&w), ["ingress"]);
    w.well_until(at_step(1)).must(intended("open", 1));
    assert_eq!(owed(&w), ["ingress"]);
    let mut failed_run = World { run: w.run.clone(), entries: w.entries.clone() };
    w.well();
    assert!(owed(&w).is_empty());

    failed_run.must(finished("open", 1, failed())).well();
    assert_eq!(owed(&failed_run), ["ingress"]);
    let text = report::of(&failed_run.run, false, failed_run.run.last.1, None).join("\n");
    assert!(text.contains("OWED: ingress is open"), "{text}");
    assert!(text.contains("--rollback"), "{text}");
    let (debts, _) = Facts::of([&failed_run.run].into_iter(), &[]);
    assert_eq!(debts.len(), 1);
    failed_run.must(resumed(Mode::Rollback)).well();
    assert!(owed(&failed_run).is_empty());

    // What is known not to have happened owes nothing.
    let mut lost = World::new(plan(steps()));
    lost.well_until(at_step(0)).must(intended("close", 1)).must(resumed(Mode::Continue));
    lost.well_until(|n| *n == Next::Ask { step: 0 }).must(asked("close", Truth::DidNot));
    assert!(owed(&lost).is_empty());
}

/// Rolling back what perhaps happened, and cannot be undone, forgives nothing.
#[test]
fn a_debt_stands_as_long_as_it_is_not_known_that_nothing_happened() {
    for (truth, debts, want) in
        [(Truth::Unknown, 1, Outcome::InDoubt), (Truth::DidNot, 0, Outcome::RolledBack)]
    {
        let mut w = World::new(plan(vec![with("restart", |s| s.owes = Some(owe("clients")))]));
        w.well_until(at_step(0)).must(intended("restart", 1)).must(resumed(Mode::Rollback));
        w.well_until(|n| *n == Next::Ask { step: 0 }).must(asked("restart", truth)).well();
        assert_eq!((w.run.owed.len(), outcome(&w)), (debts, want), "{truth:?}");
        assert_eq!(Facts::of([&w.run].into_iter(), &[]).0.len(), debts, "{truth:?}");
    }
}

#[test]
fn another_run_settles_a_debt_when_it_came_later() {
    let mut close = World::of("r1", 0, plan(vec![with("close", |s| s.owes = Some(owe("ingress")))]));
    close.well();
    let open = |id: &str, second| {
        let mut w =
            World::of(id, second, plan(vec![with("open", |s| s.settles = vec!["ingress".to_owned()])]));
        w.well();
        w.run
    };
    for (second, debts) in [(-100, 1), (100, 0)] {
        let other = open("r2", second);
        assert_eq!(Facts::of([&other, &close.run].into_iter(), &[]).0.len(), debts, "{second}");
    }
}

/// A failure that the procedure lets pass is not made good by that, and what is owed is said where
/// the run is said to be verified.
#[test]
fn a_verified_run_says_what_it_passed_over_and_what_it_owes() {
    let back = |owes: bool| {
        plan(vec![
            with("restart", |s| s.owes = owes.then(|| owe("clients"))),
            with("back", |s| {
                s.on_failure = OnFailure::Continue;
                s.settles = vec!["clients".to_owned()];
            }),
        ])
    };
    for owes in [true, false] {
        let mut w = World::new(back(owes));
        w.well_until(at_step(1)).must(intended("back", 1)).must(finished("back", 1, failed())).well();
        assert_eq!(w.run.owed.len(), usize::from(owes));
        let end = w.run.ended.as_ref().unwrap();
        assert_eq!(end.outcome, Outcome::Verified);
        let owed = if owes { "; STILL OWED: clients is open" } else { "" };
        let want = format!(
            "1 verified, 1 failed and passed over{owed}; step `back` failed and was passed over: broke"
        );
        assert_eq!(end.why, want);
        let line = report::summary(&w.run, false).into_iter().find(|l| l.starts_with("VERIFIED")).unwrap();
        assert!(line.contains(&want), "{line}");
    }
}

/// What a run left owed is told as it is now, and not as it was when the run ended.
#[test]
fn a_debt_that_another_run_settled_is_not_told_as_owed() {
    let mut w = World::new(plan(vec![with("restart", |s| s.owes = Some(owe("clients")))]));
    w.well();
    let now = w.run.last.1;
    let told = |open: &[Owed]| report::of(&w.run, false, now, Some(open)).join("\n");
    let open = Owed { owe: owe("clients"), run: w.run.id.clone(), since: now, also: vec![] };
    let shown = told(&[open]);
    assert!(shown.contains("\nOWED: clients is open") && !shown.contains("STILL OWED"), "{shown}");
    let shown = told(&[]);
    assert!(shown.contains("\nwas owed and is settled: clients is open"), "{shown}");
    assert!(!shown.contains("OWED"), "{shown}");
    assert!(report::summary(&w.run, false).join("\n").contains("STILL OWED: clients is open"));
}

/// Two runs that left the same thing open both owe it until it is settled, and the list has it once.
#[test]
fn a_debt_that_two_runs_owe_is_told_as_owed_by_both() {
    let raise = |id: &str, second| {
        let mut w = World::of(id, second, plan(vec![with("restart", |s| s.owes = Some(owe("clients")))]));
        w.well();
        w.run
    };
    let runs = [raise("r1", 0), raise("r2", 100)];
    let told = |run: &Run, open: &[Owed]| report::of(run, false, run.last.1, Some(open)).join("\n");
    let (open, _) = Facts::of(runs.iter(), &[]);
    assert_eq!(open.len(), 1);
    for run in &runs {
        let shown = told(run, &open);
        assert!(shown.contains("\nOWED: clients is open") && !shown.contains("is settled"), "{shown}");
    }
    // What came in between settles the first one's only.
    let settle = |s: &mut Step| s.settles = vec!["clients".to_owned()];
    let mut between = World::of("r3", 50, plan(vec![with("reach", settle)]));
    between.well();
    let (open, _) = Facts::of(runs.iter().chain([&between.run]), &[]);
    let shown = runs.each_ref().map(|run| told(run, &open).contains("was owed and is settled"));
    assert_eq!(shown, [true, false]);
}

/// Evidence that lacks a piece is not complete, in whatever order its pieces came.
#[test]
fn what_several_steps_settle_is_settled_by_all_of_them() {
    let piece = |id: &str| {
        with(id, |s| {
            s.settles = vec!["evidence".to_owned()];
            s.verify = None;
            s.on_failure = OnFailure::Hold;
            if id == "a" {
                s.owes = Some(owe("evidence"));
            }
        })
    };
    let pieces = || plan(vec![piece("a"), piece("b"), piece("c")]);
    for bad in [None, Some(0), Some(1), Some(2)] {
        let mut w = World::new(pieces());
        if let Some(bad) = bad {
            let id = ["a", "b", "c"][bad];
            w.well_until(at_step(bad)).must(intended(id, 1)).must(finished(id, 1, failed())).well();
            w.must(released(id, Choice::GoOn));
        }
        w.well();
        assert_eq!(w.run.owed.is_empty(), bad.is_none(), "{bad:?}");
        // A later run that has all of it settles it, one that lacks a piece does not.
        let mut later = World::of("r2", 100, pieces());
        later.well();
        let mut torn = World::of("r3", 200, pieces());
        torn.well_until(at_step(1));
        assert!(Facts::of([&w.run, &later.run].into_iter(), &[]).0.is_empty());
        let owed = Facts::of([&w.run, &torn.run].into_iter(), &[]).0;
        assert_eq!(owed.len(), 1, "{bad:?}: {owed:?}");
    }
}

/// "Take it as done" with a verification that looks elsewhere: the run may end well, but what a
/// person says against what was seen settles nothing and lifts no interlock.
#[test]
fn a_word_against_a_failure_settles_nothing() {
    let first = with("a", |s| {
        s.owes = Some(owe("x"));
        s.settles = vec!["x".to_owned()];
        s.on_failure = OnFailure::Hold;
    });
    let mut w = World::new(plan(vec![first]));
    w.well_until(at_step(0)).must(intended("a", 1)).must(finished("a", 1, failed())).well();
    w.must(released("a", Choice::GoOn)).well();
    assert_eq!((w.run.ended.as_ref().unwrap().outcome, w.run.owed.len()), (Outcome::Verified, 1));
    let rule = InterlockRule {
        id: "x".to_owned(),
        raised_by: vec!["p.a".to_owned()],
        verified: vec!["p.a".to_owned()],
        ..InterlockRule::default()
    };
    assert_eq!(Facts::of([&w.run].into_iter(), &[rule]).1.len(), 1);
}

#[test]
fn an_interlock_stands_until_its_proof_came_after_it() {
    let rule = |holds_too| InterlockRule {
        id: "contained".to_owned(),
        raised_by: vec!["p.close".to_owned()],
        verified: vec!["p.prove".to_owned()],
        holds_too,
        ..InterlockRule::default()
    };
    let stands = |runs: &[&Run], rule: InterlockRule| !Facts::of(runs.iter().copied(), &[rule]).1.is_empty();
    let mut close = World::of("r1", 0, plan(vec![step("close")]));
    close.well_until(at_step(0));
    assert!(!stands(&[&close.run], rule(false)));
    close.must(intended("close", 1));
    assert!(stands(&[&close.run], rule(false)), "as soon as it is intended");
    close.well();
    let prove = |second| {
        let mut w = World::of("r2", second, plan(vec![step("prove")]));
        w.well();
        w.run
    };
    for (second, still) in [(-100, true), (100, false)] {
        assert_eq!(stands(&[&prove(second), &close.run], rule(false)), still, "{second}");
    }
    assert!(stands(&[&prove(100), &close.run], rule(true)), "its condition must hold as well");
    // In one run the order of the journal counts, and passing over proves nothing.
    let mut both = World::new(plan(vec![step("close"), with("prove", |s| s.unless = Some(check(1)))]));
    both.well_until(|n| *n == Next::Begin { step: 1, may_pass: true });
    let mut passed = World { run: both.run.clone(), entries: both.entries.clone() };
    both.well();
    assert!(!stands(&[&both.run], rule(false)));
    passed.must(Event::Skipped { step: StepId::new("prove"), because: String::new() }).well();
    assert!(stands(&[&passed.run], rule(false)));
}

/// Whoever gives up what an interlock waits for says so after it was raised, and the rest still counts.
#[test]
fn another_proof_may_stand_for_all_that_an_interlock_waits_for() {
    let rule = |holds_too| InterlockRule {
        id: "evidence".to_owned(),
        raised_by: vec!["p.close".to_owned()],
        verified: vec!["p.kept".to_owned(), "p.copied".to_owned()],
        or_verified: vec!["p.forgone".to_owned(), "p.lost".to_owned()],
        holds_too,
    };
    let mut close = World::of("r1", 0, plan(vec![step("close")]));
    close.well();
    let missing = |what: &str, second, holds_too| {
        let mut other = World::of("r2", second, plan(vec![step(what)]));
        other.well();
        let deeds = [Deeds::of(&close.run), Deeds::of(&other.run)];
        standing(deeds.iter(), &[rule(holds_too)], None).pop().map(|s| s.missing)
    };
    let all = ["p.kept".to_owned(), "p.copied".to_owned()];
    assert_eq!(missing("forgone", 100, false), None);
    assert_eq!(missing("lost", 100, false), None, "one of them is enough");
    assert_eq!(missing("lost", 100, true), Some(Vec::new()), "its condition must hold as well");
    assert_eq!(missing("forgone", -100, false).as_deref(), Some(&all[..]), "not since it was raised");
    assert_eq!(missing("kept", 100, false).as_deref(), Some(&all[1..]));
}

#[test]
fn a_clock_that_goes_back_makes_no_proof_later_than_it_was() {
    let rule = InterlockRule {
        id: "contained".to_owned(),
        raised_by: vec!["p.close".to_owned()],
        verified: vec!["p.prove".to_owned()],
        ..InterlockRule::default()
    };
    let stands = |runs: [&Run; 2]| !Facts::of(runs.into_iter(), std::slice::from_ref(&rule)).1.is_empty();
    let prove = |second| {
        let mut w = World::of("r2", second, plan(vec![step("prove")]));
        w.well();
        w.run
    };
    let mut close = World::of("r1", 0, plan(vec![step("close")])).well_until(at_step(0)).run.clone();
    let put = |run: &mut Run, second, event| {
        run.apply(&Entry { n: run.last.0 + 1, at: at(second), event }).unwrap();
    };
    let mut told = close.clone();
    // Set back in the middle of the run that raises it.
    put(&mut close, 500, Event::Note { says: "late".to_owned() });
    put(&mut close, 50, intended("close", 1));
    assert!(stands([&close, &prove(100)]));
    assert!(!stands([&close, &prove(600)]));
    // Set back before its runner began, which saw entries that are dated later.
    let early = prove(600);
    let runs = [(early.id.clone(), early.last.0)].into();
    put(&mut told, 50, Event::Preceded { runs });
    put(&mut told, 51, intended("close", 1));
    assert!(stands([&told, &early]));
    let runs = [(early.id.clone(), 1)].into();
    put(&mut told, 52, Event::Preceded { runs });
    assert!(stands([&told, &early]), "the last that was seen of it counts");
    let mut anew = World::of("r3", 600, plan(vec![step("prove")]));
    anew.well();
    assert!(!stands([&told, &anew.run]));
}

#[test]
fn notes_are_bounded() {
    let mut w = World::new(two());
    for i in 0..500 {
        w.must(Event::Note { says: i.to_string() });
    }
    assert_eq!(w.run.notes.len(), super::MAX_NOTES);
    assert_eq!(w.run.notes.last().unwrap().1, "499");
}

/// The many entries of a long journal are observations. Bounded by what it costs per entry, since
/// tests are not timed: each is looked up in constant time, so a hundred thousand are no burden.
#[test]
fn a_hundred_thousand_entries_fold() {
    let steps = (0..200).map(|i| step(&format!("s{i}"))).collect();
    let mut w = World::new(plan(steps));
    w.well_until(|n| *n == Next::Verify { step: 150 });
    let bad = Event::Observed {
        step: StepId::new("s150"),
        seen: Seen { holds: false, says: "no".to_owned() },
        streak: 0,
        needed: 2,
    };
    let (from, last) = (w.run.last.0, w.entries.last().unwrap().at);
    let more = (1..=100_000u64).map(|i| Entry {
        n: from + i,
        at: last + Duration::from_secs(i),
        event: bad.clone(),
    });
    w.entries.extend(more);
    let run = Run::fold(w.run.plan.clone(), &w.entries).unwrap();
    assert_eq!(run.next(), Next::Verify { step: 150 });
}

#[test]
fn a_report_shows_no_hostile_character() {
    let mut w = World::new(two());
    w.well_until(at_step(0)).must(intended("a", 1));
    w.must(finished("a", 1, Effected::Failed { why: "\u{1b}[2Jgone\u{202e}".to_owned() })).well();
    for line in
        report::of(&w.run, false, w.run.last.1, None).into_iter().chain(report::summary(&w.run, false))
    {
        assert!(!line.chars().any(crate::domain::text::is_hostile), "{line:?}");
    }
}

/// Ids of any length leave words, times and names below each other; what is said stands under them.
#[test]
fn a_report_keeps_its_columns() {
    let named = |id: &str, name: &str| with(id, |s| name.clone_into(&mut s.name));
    let mut w = World::new(plan(vec![
        named("close", "Close the edge"),
        named("evidence/journal", "The journal"),
        named("open", "Open it"),
    ]));
    w.well_until(at_step(1)).must(intended("evidence/journal", 1));
    let later = w.run.last.1.checked_add(jiff::SignedDuration::from_secs(75)).unwrap();
    let told = report::of(&w.run, true, later, None);
    let steps: Vec<&str> = told.iter().skip(4).take(4).map(String::as_str).collect();
    let want = [
        "  1  verified           4s  close             Close the edge",
        "      seen",
        "  2  running        1m 15s  evidence/journal  The journal",
        "  3  waiting                open              Open it",
    ];
    assert_eq!(steps, want, "{told:#?}");
}
