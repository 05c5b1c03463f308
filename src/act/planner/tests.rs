//! Plans of a small stack, with eyes that see what they are told.

use super::*;
use crate::act::journal::Journal;
use crate::act::lock::{self, Owner};
use crate::act::rundir::{RunDir, WriteRun, WriteState};
use crate::act::sight::Looking;
use crate::clock::ManualClock;
use crate::domain::health::Health;
use crate::domain::id::{ProbeId, StepId};
use crate::domain::procedure::check::Condition;
use crate::domain::procedure::event::{Confirmed, Event, Person};
use crate::domain::procedure::level::Level;
use crate::domain::procedure::plan::Certainty;
use crate::stack::diag::Source;
use crate::stack::load::{Loaded, load_texts};
use crate::transport::secret::Secrets;
use std::sync::Mutex;

const STACK: &str = r#"
[stack]
name = "s"
title = "S"
about = "a stack"

[[layers]]
id = "l"
name = "L"

[[hosts]]
id = "box"

[[probes]]
id = "p"
name = "P"
layer = "l"
kind = "exec"
argv = ["true"]

[[procedures]]
id = "touch"
name = "Touch"
about = "makes a file"
[[procedures.blast_radius]]
value = 'max(probe_fact{probe="p", fact="VALUE"})'
says = "hits {} people"
[[procedures.preconditions]]
says = "P up"
probes = ["p"]
[[procedures.steps]]
id = "one"
name = "One"
uses = "exec"
with = { argv = ["true", "a b"] }
effect = "interrupt"
idempotent = true
verify = { probes = ["p"] }

[[procedures]]
id = "broken"
name = "Broken"
about = "has no such program"
[[procedures.steps]]
id = "one"
name = "One"
uses = "exec"
with = { argv = ["/nonexistent/program"] }
effect = "change"
verify = { probes = ["p"] }

[[interlocks]]
id = "watch"
says = "somebody watches"
raised_while = { exprs = ["vector(1)"] }
blocks = ["broken"]
until = { says = "nobody watches", exprs = ["vector(0) == 1"] }

[[interlocks]]
id = "touched"
says = "it was touched"
raised_by = ["touch.one"]
blocks = ["broken"]
until = { says = "it was touched well", verified = ["touch.one"], or_verified = ["forgo.say"] }

[[procedures]]
id = "forgo"
[[procedures.steps]]
id = "say"
uses = "manual"
with = { instruction = "give it up", note = true }

[[procedures]]
id = "forgo-first"
[[procedures.steps]]
id = "way"
uses = "procedure"
with = { id = "forgo" }
[[procedures.steps]]
id = "then"
uses = "procedure"
with = { id = "broken" }
"#;

/// Sees what it is told.
#[derive(Default)]
struct Told {
    up: Mutex<bool>,
}

impl Sight for Told {
    fn check<'a>(&'a self, condition: &'a Condition) -> Looking<'a, Seen> {
        let holds = *self.up.lock().unwrap() && !condition.is_empty();
        Box::pin(async move { Seen { holds, says: format!("seen: {holds}") } })
    }

    fn value<'a>(&'a self, _: &'a str) -> Looking<'a, Result<f64, String>> {
        let up = *self.up.lock().unwrap();
        Box::pin(async move { if up { Ok(41.0) } else { Err("nobody answers".to_owned()) } })
    }

    fn probe<'a>(&'a self, _: &'a ProbeId) -> Looking<'a, (Health, String)> {
        Box::pin(async { (Health::Up, String::new()) })
    }
}

struct Bench {
    loaded: Loaded,
    ways: BTreeMap<HostId, Arc<Transport>>,
    access: Arc<Access>,
    sight: Told,
    clock: ManualClock,
    state: StateDir,
    _dir: tempfile::TempDir,
}

impl Bench {
    fn new(up: bool) -> Bench {
        let source = Arc::new(Source { name: "s.toml".into(), text: STACK.into() });
        let loaded = load_texts(&source, None, &|_| None).unwrap_or_else(|p| panic!("{}", p.render(false)));
        let ways =
            loaded.stack.hosts.iter().map(|h| (h.id.clone(), Arc::new(Transport::new(h).unwrap()))).collect();
        let dir = tempfile::tempdir().unwrap();
        let state = StateDir::new(dir.path().join("state"), None);
        state.prepare().unwrap();
        Bench {
            ways,
            access: Arc::new(Access::new(Secrets::default(), &loaded.stack.logins)),
            sight: Told { up: Mutex::new(up) },
            clock: ManualClock::at(jiff::Timestamp::UNIX_EPOCH),
            state,
            loaded,
            _dir: dir,
        }
    }

    fn propose(&self, procedure: &str) -> Proposal {
        let eyes = Eyes {
            stack: &self.loaded.stack,
            stack_hash: "abc",
            ways: &self.ways,
            access: &self.access,
            sight: &self.sight,
            clock: &self.clock,
            state: &self.state,
        };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(propose(&eyes, &ProcedureId::new(procedure), &BTreeMap::new())).unwrap()
    }
}

#[test]
fn a_plan_of_an_unchanged_world_has_one_hash_and_says_exactly_what_it_does() {
    let bench = Bench::new(true);
    let (one, two) = (bench.propose("touch"), bench.propose("touch"));
    assert_eq!((&one.hash, &one.plan), (&two.hash, &two.plan));
    assert_eq!(one.plan.level, Level::L2);
    assert_eq!(one.prompt.type_this.as_deref(), Some("box"));
    assert_eq!(one.refusals, []);
    let step = &one.plan.steps[0];
    assert!(step.preview[0].contains("true 'a b'"), "{:?}", step.preview);
    assert_ne!(step.certainty, Certainty::Simulated);
    assert_eq!(one.blast[0].says, "hits 41 people");
}

#[test]
fn what_does_not_hold_or_is_not_known_stands_in_the_way() {
    let bench = Bench::new(false);
    let proposal = bench.propose("touch");
    assert!(matches!(&proposal.refusals[..], [Refusal::Precondition { says, .. }] if says == "P up"));
    assert!(proposal.blast[0].says.starts_with("hits an unknown number of people"), "{:?}", proposal.blast);
    // What is refused now has the same plan later.
    *bench.sight.up.lock().unwrap() = true;
    assert_eq!(bench.propose("touch").hash, proposal.hash);
}

#[test]
fn an_interlock_and_a_missing_program_are_told_together() {
    let bench = Bench::new(true);
    let refusals = bench.propose("broken").refusals;
    let interlocked = |r: &Refusal| matches!(r, Refusal::Interlocked { id, .. } if id == "watch");
    let impossible =
        |r: &Refusal| matches!(r, Refusal::Impossible { says } if says.contains("/nonexistent/program"));
    assert!(refusals.iter().any(interlocked) && refusals.iter().any(impossible), "{refusals:?}");
}

/// A run of `touch` that a runner left behind, after these events.
fn left_behind(bench: &Bench, events: &[Event]) -> RunDir {
    let plan = bench.propose("touch").plan;
    let dir = bench.state.create_run(jiff::Timestamp::UNIX_EPOCH).unwrap();
    dir.write_new("plan.json", &serde_json::to_vec(&plan).unwrap()).unwrap();
    let by = Person { uid: 1, login: "ann".to_owned(), from: None };
    let owner = Owner {
        run: dir.id().clone(),
        procedure: plan.procedure.clone(),
        by: by.clone(),
        since: jiff::Timestamp::UNIX_EPOCH,
        runner: 1,
    };
    drop(lock::take(&bench.state, "s", &plan.lock, &owner, |_| false, || None).unwrap());
    let confirmed = Confirmed { level: plan.level, typed: String::new(), reason: None, second: None };
    let hash = PlanHash::of(&plan);
    let mut journal = Journal::create(&dir).unwrap();
    let started = Event::Started { run: dir.id().clone(), plan: hash, by, confirmed, runner: 1 };
    for event in std::iter::once(&started).chain(events) {
        journal.append(event.clone(), jiff::Timestamp::UNIX_EPOCH).unwrap();
    }
    dir
}

#[test]
fn what_a_lost_run_left_stands_in_the_way() {
    let bench = Bench::new(true);
    let touched = |p: &Proposal| {
        p.refusals
            .iter()
            .any(|r| matches!(r, Refusal::Interlocked { id, since: Some(_), .. } if id == "touched"))
    };
    assert!(!touched(&bench.propose("broken")));
    let looked = Event::Preconditions { failed: vec![], seen: vec![] };
    let intended = Event::Intended { step: StepId::new("one"), attempt: 1, before: String::new() };
    let dir = left_behind(&bench, &[looked, intended]);
    let proposal = bench.propose("broken");
    assert!(touched(&proposal), "as soon as it is intended: {:?}", proposal.refusals);
    let said: Vec<String> = proposal.refusals.iter().map(Refusal::says).collect();
    let way_out = "(not verified since: touch.one; or instead of them: forgo.say)";
    assert!(said.iter().any(|s| s.contains(way_out)), "{said:?}");
    assert!(!touched(&bench.propose("forgo-first")), "its first step lifts it");
    let left = |r: &Refusal| matches!(r, Refusal::Locked { run, runner_alive: false, by, .. } if run == dir.id() && by == "ann");
    assert!(proposal.refusals.iter().any(left), "{:?}", proposal.refusals);
    // What a damaged journal hides is not taken for harmless.
    std::fs::write(dir.journal(), "not a journal\n").unwrap();
    let unread = bench.propose("broken");
    let told = |r: &Refusal| matches!(r, Refusal::Impossible { says } if says.contains(dir.id().as_str()));
    assert!(unread.refusals.iter().any(told), "{:?}", unread.refusals);
    // Nor is what was set aside.
    let me = Person { uid: 1, login: "ann".to_owned(), from: None };
    control::set_aside(&bench.state, dir.id().as_str(), &me, jiff::Timestamp::UNIX_EPOCH).unwrap();
    let aside = bench.propose("broken");
    let said: Vec<String> = aside.refusals.iter().map(Refusal::says).collect();
    assert!(touched(&aside) && !aside.refusals.iter().any(told), "{said:?}");
    assert!(said.iter().any(|s| s.contains("its journal cannot be read: all that")), "{said:?}");
}
