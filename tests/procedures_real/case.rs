//! One fault at one step of one procedure: how it is brought about, and everything that must be so
//! after it, by the report, the list of what is owed, the audit and the real components.

use crate::operator::{Operator, Said};
use crate::yard::{STACK, Yard};
use serde_json::Value;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;

/// The step at which a late fault comes.
const LOOK: &str = "look";

/// Yards in which one test proves its cases at the same time: most of that is waiting.
const YARDS: usize = 3;

/// How the step goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum How {
    /// It fails outright.
    Fails,
    /// It is not done within its timeout.
    Hangs,
    /// It is done, and never seen to be good.
    Unseen,
}

pub struct Case {
    /// The procedure and its parameters.
    pub run: &'static str,
    /// The step at fault, as the plan calls it.
    pub step: &'static str,
    pub how: How,
    /// Lines of shell before the plan is made: the state in which it is needed.
    pub before: &'static str,
    /// Lines of shell that break it.
    pub fault: &'static str,
    /// The fault comes in the middle of the run, while a person is asked before the step.
    pub late: bool,
    /// More of the step than the times that the fault wants, as in a stack file.
    pub tweak: &'static str,
    /// What the report must hold, the component's own words among it.
    pub says: &'static [&'static str],
    /// Whether the step was rolled back, where that was tried.
    pub rolled_back: Option<bool>,
    /// Debts that are left, by this run.
    pub owed: &'static [&'static str],
    /// Those of earlier runs, which stay.
    pub still: &'static [&'static str],
    /// A line of shell that is true of the real components afterwards.
    pub world: &'static str,
}

/// What most cases have.
pub const CASE: Case = Case {
    run: "",
    step: "",
    how: How::Fails,
    before: "",
    fault: "",
    late: false,
    tweak: "",
    says: &[],
    rolled_back: None,
    owed: &[],
    still: &[],
    world: "true",
};

/// Proves every case, in yards that are put back before each, and tells of all that do not hold.
pub fn prove_all<'a>(cases: impl Iterator<Item = &'a Case> + Send) {
    let (left, wrong) = (Mutex::new(cases.enumerate()), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..YARDS {
            scope.spawn(|| {
                let Some(yard) = Yard::here() else { return };
                let next = || left.lock().unwrap().next();
                while let Some((n, case)) = next() {
                    let proven = catch_unwind(AssertUnwindSafe(|| {
                        yard.mend();
                        case.prove(&yard, &yard.operator_of(&format!("case-{n}"), &case.stack()));
                    }));
                    if proven.is_err() {
                        eprintln!("^ {}\n", case.name());
                        wrong.lock().unwrap().push(case.name());
                    }
                }
            });
        }
    });
    let wrong = wrong.into_inner().unwrap();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Proves cases one after another on what an operator's earlier runs have left; only the faults
/// are taken away in between.
pub fn prove_on<'a>(yard: &Yard, operator: &str, cases: impl IntoIterator<Item = &'a Case>) {
    for case in cases {
        eprintln!("> {}", case.name());
        case.prove(yard, &yard.operator_of(operator, &case.stack()));
        yard.must("calm");
    }
}

impl Case {
    pub fn name(&self) -> String {
        format!("{}.{} {:?} {} {}", self.run, self.step, self.how, self.fault, self.tweak)
    }

    pub fn procedure(&self) -> &str {
        self.run.split(' ').next().unwrap()
    }

    /// The step in its own procedure: the yard's inlined ones are called as what they inline.
    fn origin(&self) -> (&str, &str) {
        self.step.split_once('/').unwrap_or((self.procedure(), self.step))
    }

    /// The yard's stack, with short times where the fault would make the long ones pass.
    pub fn stack(&self) -> String {
        let mut stack: toml::Table = STACK.parse().unwrap();
        let (procedure, id) = self.origin();
        let step = by_id(by_id(&mut stack, "procedures", procedure), "steps", id);
        let mut short = if self.how == How::Hangs { "timeout = '1s'\n" } else { "" }.to_owned();
        if self.how != How::Fails && step.contains_key("verify") {
            short.push_str("verify.within = '1200ms'\n");
        }
        merge(step, short.parse().unwrap());
        merge(step, self.tweak.parse().unwrap());
        if self.late {
            self.hold_before(&mut stack);
        }
        toml::to_string(&stack).unwrap()
    }

    /// Has a person asked before the step, or before the procedure that it comes from.
    fn hold_before(&self, stack: &mut toml::Table) {
        let outer = self.step.split('/').next();
        let steps = by_id(stack, "procedures", self.procedure())["steps"].as_array_mut().unwrap();
        let at = steps.iter().position(|s| s["id"].as_str() == outer).unwrap();
        let look = format!("id = '{LOOK}'\nuses = 'manual'\nwith = {{ instruction = 'look' }}");
        steps.insert(at, toml::Value::Table(look.parse().unwrap()));
    }

    pub fn prove(&self, yard: &Yard, deck: &Operator) {
        yard.must(self.before);
        if !self.late {
            yard.must(self.fault);
        }
        let said = self.carry_out(yard, deck);
        assert_eq!(said.code, 1, "{}", said.text());
        let run = deck.last();
        self.steps_are_right(&run);
        self.report_is_right(&said, &run, deck);
        self.audit_is_right(&run, deck);
        let left = yard.shell(self.world);
        assert!(left.status.success(), "{}\nis not so after\n{run:#}", self.world);
    }

    /// Runs it to its end; whatever it asks a person is answered with "stop", but for the hold in
    /// which the fault comes.
    fn carry_out(&self, yard: &Yard, deck: &Operator) -> Said {
        let mut words = self.run.split(' ');
        let procedure = words.next().unwrap();
        let params: Vec<&str> = words.collect();
        deck.run(procedure, &params, &["--detach"]).expect(0);
        loop {
            let run = deck.until("a hold or the end", |r| r["state"] == "held" || r["state"] == "ended");
            if run["state"] == "ended" {
                return deck.say(&["runs", "follow", "last"]);
            }
            let choice = if run["hold"]["step"] == LOOK {
                yard.must(self.fault);
                "go-on"
            } else {
                assert_eq!(run["hold"]["step"], self.step, "{run:#}");
                "stop"
            };
            deck.say(&["runs", "release-hold", "last", "--choice", choice]).expect(0);
            deck.until("the answer to the hold", |r| r["hold"].is_null());
        }
    }

    fn steps_are_right(&self, run: &Value) {
        assert_eq!((&run["outcome"], &run["exit_code"]), (&"failed".into(), &1.into()), "{run:#}");
        let steps = run["steps"].as_array().unwrap();
        let at = steps.iter().position(|s| s["id"] == self.step).unwrap();
        for (i, step) in steps.iter().enumerate() {
            let phase = step["phase"].as_str().unwrap();
            match i.cmp(&at) {
                std::cmp::Ordering::Less => {
                    assert!(["verified", "done", "skipped"].contains(&phase), "{step:#}");
                }
                std::cmp::Ordering::Equal => assert_eq!(phase, "failed", "{step:#}"),
                std::cmp::Ordering::Greater => {
                    assert_eq!((phase, &step["attempts"]), ("will-not-run", &0.into()), "{step:#}");
                    let says = step["says"].as_str().unwrap();
                    let because = ["step", "stopped at the failed step"]
                        .map(|w| format!("the run ended: {w} `{}` ", self.step));
                    assert!(because.iter().any(|b| says.starts_with(b)), "{step:#}");
                }
            }
        }
        for word in self.says {
            assert!(steps[at]["says"].as_str().unwrap().contains(word), "no {word:?} in {:#}", steps[at]);
        }
        let rolled_back = steps[at]["rolled_back"]["done"].as_bool();
        assert_eq!(rolled_back, self.rolled_back, "{:#}", steps[at]);
    }

    fn report_is_right(&self, said: &Said, run: &Value, deck: &Operator) {
        let owed = run["owed"].as_array().unwrap();
        let ids: Vec<&str> = owed.iter().map(|o| o["id"].as_str().unwrap()).collect();
        assert_eq!(ids, self.owed, "{run:#}");
        assert_eq!(deck.owed(), [self.still, self.owed].concat(), "{run:#}");
        let at = run["steps"].as_array().unwrap().iter().position(|s| s["id"] == self.step).unwrap();
        let shown = deck.say(&["runs", "show", "last"]).expect(1).text();
        let listed = deck.say(&["runs"]).expect(0).text();
        let id = run["id"].as_str().unwrap();
        let line = listed.lines().find(|l| l.starts_with(id)).unwrap();
        assert!(line.contains(" failed "), "{listed}");
        for text in [&said.text(), &shown] {
            assert!(text.contains("FAILED after"), "{text}");
            let at = told(text, at + 1, self.step);
            let at = at.unwrap_or_else(|| panic!("no line of the failed step in {text}"));
            assert_eq!(at.contains("ROLLBACK FAILED"), self.rolled_back == Some(false), "{at}");
            assert_eq!(at.contains("rolled back: "), self.rolled_back == Some(true), "{at}");
            assert_eq!(text.matches("OWED: ").count(), owed.len(), "{text}");
        }
        assert_eq!(listed.matches("OWED since ").count(), self.still.len() + owed.len(), "{listed}");
        for owe in owed {
            let says = owe["says"].as_str().unwrap();
            assert!(shown.contains(&format!("OWED: {says}")) && listed.contains(says), "{shown}\n{listed}");
        }
        let later = run["steps"].as_array().unwrap().iter().filter(|s| s["phase"] == "will-not-run");
        assert_eq!(shown.matches("will not run").count(), later.count(), "{shown}");
    }

    /// The audit holds the intent of every step that was begun and of no other, the failure and the
    /// end, and is whole.
    fn audit_is_right(&self, run: &Value, deck: &Operator) {
        let id = run["id"].as_str().unwrap();
        let audit = deck.say(&["audit", "show", "--run", id]).expect(0).text();
        for step in run["steps"].as_array().unwrap().iter().filter(|s| s["id"] != LOOK) {
            let intended = format!("{id} {} on vpn", step["id"].as_str().unwrap());
            assert_eq!(audit.contains(&intended), step["attempts"] != 0, "{intended}\n{audit}");
        }
        let end = audit.lines().find(|l| l.contains(&format!("{id} ended failed: ")));
        assert!(end.is_some_and(|l| l.contains(&format!("step `{}`", self.step))), "{audit}");
        deck.say(&["audit", "verify"]).expect(0);
    }
}

fn by_id<'t>(table: &'t mut toml::Table, list: &str, id: &str) -> &'t mut toml::Table {
    let all = table[list].as_array_mut().unwrap().iter_mut().map(|v| v.as_table_mut().unwrap());
    all.into_iter().find(|t| t["id"].as_str() == Some(id)).unwrap_or_else(|| panic!("no {id} in {list}"))
}

/// Puts what the second has into the first, table by table.
fn merge(into: &mut toml::Table, from: toml::Table) {
    for (key, value) in from {
        match (into.get_mut(&key), value) {
            (Some(toml::Value::Table(into)), toml::Value::Table(from)) => merge(into, from),
            (_, value) => {
                into.insert(key, value);
            }
        }
    }
}

/// The line of a failed step in the report of its run, with what is said below it.
fn told(text: &str, number: usize, step: &str) -> Option<String> {
    let mut lines = text.lines().skip_while(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        words.len() < 4 || words[..2] != [number.to_string().as_str(), "FAILED"] || words[3] != step
    });
    let own = lines.next()?;
    let below = lines.take_while(|line| line.starts_with("      "));
    Some(std::iter::once(own).chain(below).collect::<Vec<_>>().join("\n"))
}
