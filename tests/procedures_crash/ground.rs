//! Where procedures are carried out: a yard or a demo, with a count of what is done to it, and the
//! person who answers what a run asks.

use crate::deadly;
use crate::host::{running, wait_for};
use crate::operator::Operator;
use serde_json::Value;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::{Child, Output};

/// How often each effect was brought about, by its name.
pub type Counts = BTreeMap<String, u64>;

/// Runs a command where the procedures act.
type Enter = dyn Fn(&[&str]) -> Output;

pub struct Ground {
    pub deck: Operator,
    pub state: PathBuf,
    /// Where the programs are that count.
    tools: PathBuf,
    enter: Box<Enter>,
    /// Has what can be counted pass by here.
    watch: Box<dyn Fn()>,
    count: Box<dyn Fn() -> Counts>,
    /// What the steps of a plan count as, by the step's action.
    counts_as: fn(&Value) -> Option<String>,
    /// As it was when the run began that is looked at.
    began: RefCell<Counts>,
}

impl Ground {
    pub fn new(
        deck: Operator,
        state: PathBuf,
        tools: PathBuf,
        enter: impl Fn(&[&str]) -> Output + 'static,
        count: impl Fn() -> Counts + 'static,
        counts_as: fn(&Value) -> Option<String>,
    ) -> Ground {
        Ground {
            deck,
            state,
            tools,
            watch: Box::new(|| ()),
            enter: Box::new(enter),
            count: Box::new(count),
            counts_as,
            began: RefCell::default(),
        }
    }

    #[must_use]
    pub fn watched(mut self, watch: impl Fn() + 'static) -> Ground {
        self.watch = Box::new(watch);
        self
    }

    pub fn spawn(&self, args: &[&str]) -> Child {
        deadly::spawn(self.deck.command(args))
    }

    pub fn journal(&self, id: &str) -> PathBuf {
        self.state.join("runs").join(id).join("journal")
    }

    pub fn entries(&self, id: &str) -> Vec<Value> {
        deadly::entries(&self.journal(id))
    }

    /// A journal in a line for each entry.
    pub fn told(&self, id: &str) -> String {
        let line = |e: &Value| {
            let (at, event) = (e["at"].as_str().unwrap_or_default(), &e["event"]);
            let more = ["truth", "says", "choice", "why", "result", "before"].map(|k| &event[k]);
            let more: Vec<String> = more.iter().filter(|v| !v.is_null()).map(ToString::to_string).collect();
            format!("\n{} {} {} {} {}", e["n"], at, event["is"], event["step"], more.join(" "))
        };
        self.entries(id).iter().map(line).collect()
    }

    /// The steps of a run's plan.
    pub fn steps(&self, id: &str) -> Vec<Value> {
        let text = std::fs::read(self.state.join("runs").join(id).join("plan.json")).unwrap();
        let plan: Value = serde_json::from_slice(&text).unwrap();
        plan["steps"].as_array().unwrap().clone()
    }

    /// Runs a command where the procedures act.
    pub fn enter(&self, argv: &[&str]) -> Output {
        (self.enter)(argv)
    }

    /// From here on effects are counted.
    pub fn begin(&self) {
        (self.watch)();
        *self.began.borrow_mut() = (self.count)();
    }

    /// What was done since.
    pub fn done(&self) -> Counts {
        let began = self.began.borrow();
        let now = (self.count)().into_iter();
        now.map(|(what, n)| (what.clone(), n - began.get(&what).copied().unwrap_or_default()))
            .filter(|(_, n)| *n > 0)
            .collect()
    }

    /// What a step's effect counts as.
    pub fn effect_of(&self, step: &Value) -> Option<String> {
        (self.counts_as)(&step["action"])
    }

    /// The arguments that start a procedure as its plan wants it.
    pub fn approval(&self, procedure: &str, params: &[&str]) -> Result<Vec<String>, String> {
        let said = self.deck.plan(procedure, params);
        if said.code != 0 {
            return Err(said.text());
        }
        let plan = said.json();
        let mut args = vec!["run".to_owned(), procedure.to_owned()];
        for param in params {
            args.extend(["--param".to_owned(), (*param).to_owned()]);
        }
        let hash = plan["hash"].as_str().unwrap();
        args.extend(["--approve", hash, "--reason", "a test", "--detach"].map(str::to_owned));
        if let Some(phrase) = plan["prompt"]["confirm"].as_str() {
            args.extend(["--confirm".to_owned(), phrase.to_owned()]);
        }
        Ok(args)
    }

    /// Answers what a run waits for, if it does, as a person would who goes and looks.
    pub fn answer(&self, id: &str) {
        let entries = self.entries(id);
        let Some(hold) = entries.last().map(|e| &e["event"]).filter(|e| e["is"] == "hold-entered") else {
            return;
        };
        let step = hold["step"].as_str().unwrap();
        let (choice, note) = match hold["why"].as_str().unwrap() {
            "in-doubt" if self.happened(id, &entries, step) => ("go-on", "I looked: it happened"),
            "in-doubt" => ("again", "I looked: it did not happen"),
            "failed" => ("again", "let it try once more"),
            _ => ("go-on", "I looked"),
        };
        // The runner may end, or be killed, while it is asked.
        let said = self.deck.say(&["runs", "release-hold", id, "--choice", choice, "--note", note]);
        assert!(said.code == 0 || said.code == 2 || said.err.contains("runner"), "{}", said.text());
    }

    /// Whether the effect of a step in doubt is there: more of its kind were counted than those
    /// that are known to have come to their end.
    fn happened(&self, id: &str, entries: &[Value], step: &str) -> bool {
        // What a dead runner had started comes to its end first.
        wait_for("what still runs", || running(&self.tools.display().to_string()).is_empty().then_some(()));
        let steps = self.steps(id);
        let this = steps.iter().find(|s| s["id"] == step).unwrap();
        let effect = self.effect_of(this);
        let effect = effect.unwrap_or_else(|| panic!("nobody can tell whether {} was done", this["action"]));
        let same = |name: &Value| {
            steps.iter().any(|s| s["id"] == *name && self.effect_of(s).as_ref() == Some(&effect))
        };
        let known = entries.iter().map(|e| &e["event"]);
        let known =
            known.filter(|e| e["is"] == "finished" && e["result"]["how"] == "done" && same(&e["step"]));
        self.done().get(&effect).copied().unwrap_or_default() > known.count() as u64
    }
}
