//! Plans and worlds for tests: a runner without effects, whose world is a list of throws.

use super::{Illegal, Next};
use crate::domain::id::{HostId, ProcedureId, RunId, StepId};
use crate::domain::procedure::action::Action;
use crate::domain::procedure::action::kinds::{Exec, Manual};
use crate::domain::procedure::check::{Check, Condition, Seen};
use crate::domain::procedure::event::{
    Choice, Confirmed, Effected, Entry, Event, Hold, Interruption, Mode, Outcome, Person, Truth,
};
use crate::domain::procedure::level::{Effect, Level};
use crate::domain::procedure::plan::{
    Certainty, FORMAT, OnFailure, OnTimeout, Owe, Plan, PlanHash, Rollback, Round, Step,
};
use crate::domain::procedure::run::{Phase, Run};
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::time::Duration;

pub fn person(login: &str) -> Person {
    Person { uid: 1000, login: login.to_owned(), from: None }
}

pub fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_700_000_000 + second).unwrap()
}

pub fn check(good: u32) -> Check {
    Check {
        what: Condition { probes: vec![], exprs: vec!["up".to_owned()], or_degraded: false },
        good,
        every: Duration::from_secs(1),
        within: Duration::from_secs(60),
    }
}

pub fn exec() -> Action {
    Action::Exec(Exec { argv: vec!["true".to_owned()], env: BTreeMap::new(), stdin: None, success: vec![0] })
}

pub fn manual(note: bool) -> Action {
    Action::Manual(Manual { instruction: "look".to_owned(), note })
}

/// A step that changes something, is verified twice and stops the run when it fails.
pub fn step(id: &str) -> Step {
    Step {
        id: StepId::new(id),
        origin: format!("p.{id}"),
        name: id.to_owned(),
        host: HostId::new("here"),
        layer: None,
        sudo: false,
        action: exec(),
        effect: Effect::Interrupt,
        idempotent: false,
        timeout: Duration::from_secs(60),
        on_timeout: OnTimeout::Verify,
        on_failure: OnFailure::Stop,
        verify: Some(check(2)),
        rollback: None,
        hold: None,
        point_of_no_return: false,
        unless: None,
        after: vec![],
        owes: None,
        settles: vec![],
        round: None,
        level: Level::L2,
        certainty: Certainty::Unknown,
        preview: vec![],
    }
}

pub fn rollback() -> Rollback {
    Rollback { action: exec(), timeout: Duration::from_secs(30), verify: None, preview: vec![] }
}

pub fn owe(id: &str) -> Owe {
    Owe { id: id.to_owned(), says: format!("{id} is open"), by: None }
}

pub fn round(item: &str, max_failures: u32) -> Round {
    Round { of: StepId::new("each"), item: item.to_owned(), max_failures }
}

pub fn plan(steps: Vec<Step>) -> Plan {
    Plan {
        format: FORMAT,
        stack: "s".to_owned(),
        title: "S".to_owned(),
        environment: "test".to_owned(),
        stack_hash: "0".to_owned(),
        procedure: ProcedureId::new("p"),
        name: "P".to_owned(),
        params: BTreeMap::new(),
        lock: "stack".to_owned(),
        deadline: Duration::from_secs(600),
        level: Level::L2,
        level_because: vec![],
        preconditions: vec![],
        steps,
        pins: vec![],
    }
}

/// A run and its journal.
pub struct World {
    pub run: Run,
    pub entries: Vec<Entry>,
}

impl World {
    pub fn new(plan: Plan) -> World {
        World::of("r1", 0, plan)
    }

    /// A run that starts at a given second; each entry is one second later.
    pub fn of(id: &str, second: i64, plan: Plan) -> World {
        let event = Event::Started {
            run: RunId::new(id),
            plan: PlanHash::of(&plan),
            by: person("ann"),
            confirmed: Confirmed { level: plan.level, typed: String::new(), reason: None, second: None },
            runner: 1,
        };
        let first = Entry { n: 1, at: at(second), event };
        World { run: Run::open(plan, &first).unwrap(), entries: vec![first] }
    }

    pub fn put(&mut self, event: Event) -> Result<(), Illegal> {
        let last = self.entries.last().unwrap();
        let entry = Entry { n: last.n + 1, at: last.at + Duration::from_secs(1), event };
        self.run.apply(&entry)?;
        self.entries.push(entry);
        Ok(())
    }

    #[track_caller]
    pub fn must(&mut self, event: Event) -> &mut World {
        let said = format!("{event:?}");
        if let Err(e) = self.put(event) {
            panic!("{said}: {e}; next is {:?}", self.run.next());
        }
        self
    }

    /// Carries a run on with a world in which all is well, until a person is needed or it ended.
    pub fn well(&mut self) -> &mut World {
        self.well_until(|n| matches!(n, Next::Await | Next::Ended))
    }

    /// The same, until what comes next is as said.
    pub fn well_until(&mut self, stop: impl Fn(&Next) -> bool) -> &mut World {
        for _ in 0..10_000 {
            if stop(&self.run.next()) {
                return self;
            }
            let event = answer(&self.run, &mut Dice::well());
            self.must(event);
        }
        panic!("it never comes to that: {:?}", self.run.next());
    }

    pub fn phase(&self, i: usize) -> &Phase {
        &self.run.steps[i].phase
    }
}

/// What the world does, one throw after another. With none left, all goes well.
pub struct Dice {
    throws: Vec<u8>,
    next: usize,
}

impl Dice {
    pub fn new(throws: Vec<u8>) -> Dice {
        Dice { throws, next: 0 }
    }

    pub fn well() -> Dice {
        Dice::new(Vec::new())
    }

    /// Below `n`; zero is always the good answer.
    pub fn throw(&mut self, n: u8) -> u8 {
        let throw = self.throws.get(self.next).copied().unwrap_or(0);
        self.next += 1;
        throw % n
    }

    pub fn left(&self) -> bool {
        self.next < self.throws.len()
    }
}

/// What a runner writes next, in the world that the dice make.
pub fn answer(run: &Run, dice: &mut Dice) -> Event {
    let id = |i: usize| run.plan.steps[i].id.clone();
    match run.next() {
        Next::CheckPreconditions => {
            let failed = if dice.throw(12) == 11 { vec!["a friend".to_owned()] } else { vec![] };
            Event::Preconditions { failed, seen: vec![] }
        }
        Next::EnterHold { step, why, says } => Event::HoldEntered { step: id(step), why, says },
        Next::Await => {
            let hold = run.hold.as_ref().unwrap();
            let choice = hold.choices[dice.throw(hold.choices.len() as u8) as usize];
            released(hold.step.as_str(), choice)
        }
        Next::Begin { step, may_pass } => match dice.throw(3) {
            1 if may_pass => Event::Skipped { step: id(step), because: "it is so".to_owned() },
            _ => Event::Intended {
                step: id(step),
                attempt: run.steps[step].attempts + 1,
                before: "was".to_owned(),
            },
        },
        Next::Acting { step } => {
            let killed = run.abort.as_ref().is_some_and(|a| a.now);
            let result = effected(dice.throw(6), killed);
            match run.rolling_back() {
                Some(_) => Event::RollbackFinished { step: id(step), result },
                None => Event::Finished {
                    step: id(step),
                    attempt: run.steps[step].attempts,
                    result,
                    output: None,
                },
            }
        }
        Next::Verify { step } => verifying(run, step, dice),
        Next::Ask { step } | Next::AskRollBack { step } => {
            let truth = [Truth::Happened, Truth::DidNot, Truth::Unknown][dice.throw(3) as usize];
            Event::Asked { step: id(step), truth, says: "asked".to_owned() }
        }
        Next::RollBack { step } => Event::RollbackIntended { step: id(step), before: String::new() },
        Next::End { outcome, why } => Event::Ended { outcome, why },
        Next::Ended => Event::Note { says: "over".to_owned() },
    }
}

fn verifying(run: &Run, i: usize, dice: &mut Dice) -> Event {
    let step = run.plan.steps[i].id.clone();
    let Phase::Verifying { streak, needed, .. } = run.steps[i].phase else { panic!("not verifying") };
    if streak >= needed {
        return Event::Verified { step, says: "seen".to_owned() };
    }
    match dice.throw(8) {
        7 => Event::Unverified { step, why: "not in time".to_owned() },
        6 => Event::Observed { step, seen: Seen { holds: false, says: "no".to_owned() }, streak: 0, needed },
        _ => observed(step.as_str(), streak + 1, needed),
    }
}

fn effected(throw: u8, killed: bool) -> Effected {
    match throw {
        4 => Effected::Failed { why: "broke".to_owned() },
        5 => Effected::TimedOut { why: "too long".to_owned() },
        3 if killed => Effected::Killed { why: "ended".to_owned() },
        _ => Effected::Done { says: "ok".to_owned() },
    }
}

pub fn observed(step: &str, streak: u32, needed: u32) -> Event {
    let seen = Seen { holds: true, says: "yes".to_owned() };
    Event::Observed { step: StepId::new(step), seen, streak, needed }
}

pub fn released(step: &str, choice: Choice) -> Event {
    Event::HoldReleased { step: StepId::new(step), by: person("bob"), choice, note: Some("seen".to_owned()) }
}

pub fn finished(step: &str, attempt: u32, result: Effected) -> Event {
    Event::Finished { step: StepId::new(step), attempt, result, output: None }
}

pub fn failed() -> Effected {
    Effected::Failed { why: "broke".to_owned() }
}

pub fn intended(step: &str, attempt: u32) -> Event {
    Event::Intended { step: StepId::new(step), attempt, before: "was".to_owned() }
}

pub fn asked(step: &str, truth: Truth) -> Event {
    Event::Asked { step: StepId::new(step), truth, says: "asked".to_owned() }
}

pub fn resumed(mode: Mode) -> Event {
    Event::Resumed { by: person("bob"), runner: 2, mode, reason: None, second: None }
}

pub fn abort(now: bool) -> Event {
    Event::AbortRequested { by: person("ann"), now }
}

pub fn interrupted(by: Interruption, now: bool) -> Event {
    Event::Interrupted { by, now }
}

/// A plan of up to eight steps, each made from one number.
pub fn random_plan(seeds: &[u32]) -> Plan {
    let mut steps = Vec::new();
    for (i, seed) in seeds.iter().enumerate() {
        let bit = |n: u32| seed >> n & 1 == 1;
        let mut s = step(&format!("s{i}"));
        s.idempotent = bit(0);
        s.effect =
            [Effect::Read, Effect::Change, Effect::Interrupt, Effect::Destroy][(seed >> 1 & 3) as usize];
        s.on_timeout = [OnTimeout::Verify, OnTimeout::Fail, OnTimeout::Hold][(seed >> 3 & 3) as usize % 3];
        s.on_failure = [OnFailure::Stop, OnFailure::Rollback, OnFailure::Hold, OnFailure::Continue]
            [(seed >> 5 & 3) as usize];
        s.verify = bit(7).then(|| check(seed >> 8 & 3));
        s.rollback = bit(10).then(rollback);
        s.hold = (seed >> 11 & 3 == 3).then(|| "look first".to_owned());
        s.point_of_no_return = seed >> 13 & 7 == 7;
        s.unless = bit(16).then(|| check(1));
        if bit(17) && i > 0 {
            s.after = vec![StepId::new(&format!("s{}", i - 1))];
        }
        s.owes = bit(18).then(|| owe(if bit(19) { "a" } else { "b" }));
        s.settles = if bit(20) { vec!["a".to_owned()] } else { vec![] };
        if seed >> 21 & 7 == 7 {
            s.action = manual(bit(24));
        }
        s.round = bit(25).then(|| round(if i % 4 < 2 { "x" } else { "y" }, seed >> 26 & 1));
        steps.push(s);
    }
    plan(steps)
}

pub fn with(id: &str, change: impl FnOnce(&mut Step)) -> Step {
    let mut s = step(id);
    change(&mut s);
    s
}

pub fn two() -> Plan {
    plan(vec![step("a"), step("b")])
}

pub fn at_step(i: usize) -> impl Fn(&Next) -> bool {
    move |n| matches!(n, Next::Begin { step, .. } if *step == i)
}

pub fn outcome(world: &World) -> Outcome {
    world.run.ended.as_ref().unwrap().outcome
}

pub fn hold_at(step: usize, why: Hold) -> Next {
    Next::EnterHold { step, why, says: String::new() }
}
