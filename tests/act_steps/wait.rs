//! `uses = "wait"` and `uses = "manual"`: what is waited for, seen often enough in a row; and what
//! only a person can do.

use crate::bench::Bench;
use crate::said::{done, failed, killed};
use quarterdeck::act::sight::{Looking, Sight};
use quarterdeck::act::step::Stop;
use quarterdeck::domain::health::Health;
use quarterdeck::domain::id::ProbeId;
use quarterdeck::domain::procedure::action::Action;
use quarterdeck::domain::procedure::action::kinds::{Manual, Wait};
use quarterdeck::domain::procedure::check::{Check, Condition, Seen};
use quarterdeck::domain::procedure::event::Truth;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// Sees good and bad in the order given, the last for ever.
struct Script(&'static str, Arc<AtomicUsize>);

impl Sight for Script {
    fn check<'a>(&'a self, _: &'a Condition) -> Looking<'a, Seen> {
        Box::pin(async move {
            let n = self.1.fetch_add(1, Ordering::Relaxed);
            let good = self.0.as_bytes()[n.min(self.0.len() - 1)] == b'+';
            Seen { holds: good, says: format!("look {n} is {}", if good { "good" } else { "bad" }) }
        })
    }

    fn value<'a>(&'a self, _: &'a str) -> Looking<'a, Result<f64, String>> {
        Box::pin(async { Err("no".into()) })
    }

    fn probe<'a>(&'a self, _: &'a ProbeId) -> Looking<'a, (Health, String)> {
        Box::pin(async { (Health::Unknown, "no".into()) })
    }
}

fn bench(script: &'static str) -> (Bench, Arc<AtomicUsize>) {
    let (mut bench, looks) = (Bench::local(&[]), Arc::new(AtomicUsize::new(0)));
    bench.sight = Box::new(Script(script, Arc::clone(&looks)));
    (bench, looks)
}

fn wait(good: u32, within: Duration) -> Action {
    let what = Condition { exprs: vec!["up == 1".into()], ..Condition::default() };
    Action::Wait(Wait { until: Check { what, good, every: Duration::from_millis(1), within } })
}

#[test]
fn good_looks_must_come_in_a_row() {
    let table = [("+", 1, 1), ("+", 3, 3), ("-+", 1, 2), ("++-++-+++", 3, 9), ("+-+-++", 2, 6)];
    for (script, good, want) in table {
        let (bench, looks) = bench(script);
        let left = bench.perform(&wait(good, Duration::from_secs(60)));
        assert!(done(&left).contains(&format!("seen {good} times in a row")), "{left:?}");
        assert_eq!(looks.load(Ordering::Relaxed), want, "{script}");
    }
}

#[test]
fn what_does_not_come_about_is_said_with_the_last_reason() {
    let (bench, _) = bench("-");
    let left = bench.perform(&wait(2, Duration::from_millis(100)));
    assert!(failed(&left).starts_with("not so within 100ms (0 of 2 good): look "), "{left:?}");
    let target = bench.target(&wait(1, Duration::from_secs(60)));
    assert!(target.what.is_empty() && target.warnings[0].contains("is bad"), "{target:?}");
    assert_eq!(bench.ask(&wait(1, Duration::from_secs(1)), "").truth, Truth::DidNot);
}

#[test]
fn it_ends_at_once_when_told_to() {
    let (bench, _) = bench("-");
    let stop = Stop::new();
    stop.stop();
    let left = bench.perform_until(&wait(1, Duration::from_secs(600)), &stop);
    assert!(killed(&left).contains("ended while waiting"), "{left:?}");
}

#[test]
fn what_a_person_did_is_noted_and_never_guessed() {
    let action = Action::Manual(Manual { instruction: "Call the provider".into(), note: true });
    let bench = Bench::local(&[]);
    assert_eq!(done(&bench.perform(&action)), "a person said that this is done: Call the provider");
    assert_eq!(bench.ask(&action, "").truth, Truth::Unknown);
    assert_eq!(bench.target(&action).what, "");
    assert_eq!(
        action.describe(false),
        ["you do this, and say when it is done:", "    Call the provider", "  you write down what you saw"]
    );
}
