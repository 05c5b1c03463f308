//! Runs in known states, as their journals make them, for the tests of the screens.

use super::act_fixture::{ago, plan};
use crate::domain::id::{RunId, StepId};
use crate::domain::procedure::check::Seen;
use crate::domain::procedure::event::{
    Captured, Choice, Confirmed, Effected, Entry, Event as Told, Hold, Outcome, Person,
};
use crate::domain::procedure::ledger::RunState;
use crate::domain::procedure::level::Level;
use crate::domain::procedure::machine::Next;
use crate::domain::procedure::plan::PlanHash;
use crate::domain::procedure::run::Run;

pub fn person(login: &str) -> Person {
    Person { uid: 1000, login: login.to_owned(), from: Some("192.0.2.7".to_owned()) }
}

/// A run as its journal makes it, told entry by entry.
struct Story(Run);

impl Story {
    fn begin(name: &str) -> Story {
        let plan = plan("restart", "Controlled restart", Level::L2);
        let started = Told::Started {
            run: RunId::new(name),
            plan: PlanHash::of(&plan),
            by: person("anna"),
            confirmed: Confirmed { level: Level::L2, typed: "core".to_owned(), reason: None, second: None },
            runner: 4711,
        };
        let first = Entry { n: 1, at: ago(240), event: started };
        let mut story = Story(Run::open(plan, &first).expect("a run begins"));
        story.tell(230, Told::Preconditions { failed: vec![], seen: vec!["both up".to_owned()] });
        story.tell(100, Told::Note { says: "the clock went back by 2s".to_owned() });
        story
    }

    /// What happened so many seconds ago.
    fn tell(&mut self, seconds: i64, event: Told) {
        let entry = Entry { n: self.0.last.0 + 1, at: ago(seconds), event };
        self.0.apply(&entry).unwrap_or_else(|e| panic!("{e:?}: {entry:?}"));
    }

    fn intend(&mut self, step: &str, seconds: i64) {
        let before = "active, running since 02:10:11Z".to_owned();
        self.tell(seconds, Told::Intended { step: StepId::new(step), attempt: 1, before });
    }

    fn finish(&mut self, step: &str, seconds: i64, result: Effected) {
        let sha256 = "ab".repeat(32);
        let output = Some(Captured { file: format!("{step}.out"), bytes: 2048, dropped: 0, sha256 });
        self.tell(seconds, Told::Finished { step: StepId::new(step), attempt: 1, result, output });
    }

    fn see(&mut self, step: &str, seconds: i64, streak: u32) {
        let seen = Seen { holds: true, says: "api-health, api-ready up".to_owned() };
        self.tell(seconds, Told::Observed { step: StepId::new(step), seen, streak, needed: 3 });
    }

    /// A step from its intent to its proof.
    fn carry_out(&mut self, step: &str, from: i64, to: i64) {
        self.intend(step, from);
        self.finish(step, from - 2, Effected::Done { says: "done".to_owned() });
        for streak in 1..=3 {
            self.see(step, to, streak);
        }
        let says = "3 of 3: api-health, api-ready up".to_owned();
        self.tell(to, Told::Verified { step: StepId::new(step), says });
    }

    fn hold(&mut self, step: &str, seconds: i64, why: Hold, says: &str) {
        self.tell(seconds, Told::HoldEntered { step: StepId::new(step), why, says: says.to_owned() });
    }
}

/// The states that a run is looked at in, by name.
pub fn runs() -> Vec<(&'static str, Run, RunState)> {
    let begun = |name: &str| {
        let mut story = Story::begin(name);
        story.carry_out("close", 99, 90);
        story.intend("stop", 12);
        story
    };
    let running = begun("20260314-running");
    let mut verifying = begun("20260314-verifying");
    verifying.finish("stop", 5, Effected::Done { says: "done".to_owned() });
    verifying.see("stop", 4, 1);
    verifying.see("stop", 2, 2);
    let stopped = |name: &str| {
        let mut story = Story::begin(name);
        story.carry_out("close", 99, 90);
        story.carry_out("stop", 80, 70);
        story.hold("start", 65, Hold::Planned, "look at what remains, then go on");
        story
    };
    let held = stopped("20260314-held");
    let mut manual = stopped("20260314-manual");
    let (by, choice) = (person("anna"), Choice::GoOn);
    manual.tell(60, Told::HoldReleased { step: StepId::new("start"), by, choice, note: None });
    manual.carry_out("start", 50, 40);
    manual.hold("look", 30, Hold::Manual, "look at the graph of sessions");
    let mut failed = begun("20260314-failed");
    failed.finish("stop", 11, Effected::Failed { why: "exit status 1: unit is masked".to_owned() });
    let Next::End { outcome, why } = failed.0.next() else { panic!("{:?}", failed.0.next()) };
    failed.tell(10, Told::Ended { outcome, why });
    let lost = begun("20260314-lost");
    vec![
        ("running", running.0, RunState::Running),
        ("verifying", verifying.0, RunState::Running),
        ("held", held.0, RunState::Held),
        ("manual", manual.0, RunState::Held),
        ("lost", lost.0, RunState::Lost),
        ("failed", failed.0, RunState::Ended(Outcome::Failed)),
    ]
}
