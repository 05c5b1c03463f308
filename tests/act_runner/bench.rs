//! A place for runs: a state directory, plans of programs that leave traces in files, eyes that
//! look at those files, and runners as processes of their own.

use quarterdeck::act::control::{self, Launch, Loaded};
use quarterdeck::act::planner::Eyes;
use quarterdeck::act::policy::{self, Given};
use quarterdeck::act::remains::Remains;
use quarterdeck::act::rundir::{RunDir, StateDir, WriteRun, WriteState};
use quarterdeck::act::runner::{self, World};
use quarterdeck::act::sight::{Looking, Sight};
use quarterdeck::act::witness::{Nobody, Noted, Witness};
use quarterdeck::clock::{Clock, SystemClock};
use quarterdeck::domain::health::Health;
use quarterdeck::domain::id::{HostId, ProbeId, ProcedureId, StepId};
use quarterdeck::domain::procedure::action::Action;
use quarterdeck::domain::procedure::action::kinds::{Exec, Manual};
use quarterdeck::domain::procedure::check::{Check, Condition, Seen};
use quarterdeck::domain::procedure::event::{Confirmed, Entry, Mode, Outcome, Person};
use quarterdeck::domain::procedure::level::{Effect, Level};
use quarterdeck::domain::procedure::plan::{
    Certainty, FORMAT, OnFailure, OnTimeout, Plan, PlanHash, Precondition, Rollback, Step,
};
use quarterdeck::domain::procedure::request::{Reply, Request};
use quarterdeck::stack::diag::Source;
use quarterdeck::stack::load::load_texts;
use quarterdeck::stack::spec::{Host, Stack, TransportSpec};
use quarterdeck::transport::Transport;
use quarterdeck::transport::fetch::access::Access;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// How long a test waits for what must happen.
pub const SOON: Duration = Duration::from_secs(20);
const STATE: &str = "QUARTERDECK_TEST_STATE";
const GROUP: &str = "QUARTERDECK_TEST_GROUP";
const ABORT: &str = "QUARTERDECK_TEST_ABORT";
const DIE_AT: &str = "QUARTERDECK_TEST_DIE_AT";

/// Looks at files: `has PATH`, `lines PATH N`, `never`, `slow`.
pub struct Files;

impl Files {
    fn one(expr: &str) -> Seen {
        let words: Vec<&str> = expr.split(' ').collect();
        let lines = |path: &str| std::fs::read_to_string(path).map_or(0, |t| t.lines().count());
        let holds = match words[..] {
            ["has", path] => Path::new(path).exists(),
            ["lines", path, n] => lines(path) == n.parse::<usize>().unwrap(),
            _ => false,
        };
        Seen { holds, says: format!("{expr}: {holds}") }
    }
}

impl Sight for Files {
    fn check<'a>(&'a self, condition: &'a Condition) -> Looking<'a, Seen> {
        Box::pin(async move {
            if condition.exprs.iter().any(|e| e == "slow") {
                tokio::time::sleep(Duration::from_secs(3600)).await;
            }
            let seen: Vec<Seen> = condition.exprs.iter().map(|e| Files::one(e)).collect();
            let bad = seen.iter().find(|s| !s.holds).cloned();
            bad.unwrap_or(Seen { holds: true, says: "all is there".into() })
        })
    }

    fn value<'a>(&'a self, _: &'a str) -> Looking<'a, Result<f64, String>> {
        Box::pin(async { Err("no values here".into()) })
    }

    fn probe<'a>(&'a self, _: &'a ProbeId) -> Looking<'a, (Health, String)> {
        Box::pin(async { (Health::Unknown, "no probes here".into()) })
    }
}

/// Ends this process without a word as soon as an entry of this number is in the journal.
struct Deadly(Option<u64>);

impl Witness for Deadly {
    fn note(&self, what: &Noted) -> std::io::Result<()> {
        if self.0 == Some(what.entry.n) {
            let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
        }
        Ok(())
    }
}

pub struct Bench {
    pub dir: tempfile::TempDir,
    pub state: StateDir,
    pub clock: Arc<dyn Clock>,
}

impl Bench {
    pub fn new() -> Bench {
        Bench::at("state", None)
    }

    /// With its state directory below the temporary one, and open to a group.
    pub fn at(state: &str, group: Option<u32>) -> Bench {
        let dir = tempfile::tempdir().unwrap();
        let state = StateDir::new(dir.path().join(state), group);
        state.prepare().unwrap();
        Bench { dir, state, clock: Arc::new(SystemClock::new()) }
    }

    /// A file that steps leave traces in.
    pub fn file(&self, name: &str) -> String {
        self.dir.path().join(name).display().to_string()
    }

    pub fn lines(&self, name: &str) -> usize {
        std::fs::read_to_string(self.file(name)).map_or(0, |t| t.lines().count())
    }

    /// Writes a run's directory as `control::start` does.
    pub fn approve(&self, plan: &Plan) -> RunDir {
        let run = self.state.create_run(self.clock.now().wall).unwrap();
        run.write_new("plan.json", &serde_json::to_vec(plan).unwrap()).unwrap();
        run.write_new("approval.json", &approval(plan)).unwrap();
        run
    }

    pub fn approved(&self, plan: &Plan) -> policy::ApprovedPlan {
        policy::readmit(&self.approve(plan), &person(), approved_at()).unwrap()
    }

    pub fn launch(&self, die_at: Option<u64>) -> Launch {
        let mut env = vec![(STATE.into(), self.state.root().into())];
        env.push((DIE_AT.into(), die_at.unwrap_or(0).to_string().into()));
        if let Some(group) = self.state.group() {
            env.push((GROUP.into(), group.to_string().into()));
        }
        let args = ["--exact", "runner_process", "--nocapture"].map(Into::into).to_vec();
        Launch { program: std::env::current_exe().unwrap(), args, env }
    }

    /// Starts a runner's process; it dies by SIGKILL once entry `die_at` is written.
    pub fn start(&self, plan: &Plan, die_at: Option<u64>) -> Result<String, String> {
        let at = self.clock.now().wall;
        control::start(&self.state, &self.approved(plan), &self.launch(die_at), at).map(|id| id.to_string())
    }

    /// Has a run that has no runner taken up by a new one.
    pub fn resume(&self, id: &str, mode: Mode, die_at: Option<u64>) -> Result<(), String> {
        let run = control::load(&self.state, id)?.run;
        let word = policy::resume(&run, mode, &Given::default(), &person()).unwrap();
        control::resume(&self.state, id, &word, &self.launch(die_at))
    }

    /// With a clock of its own.
    pub fn with_clock(clock: Arc<dyn Clock>) -> Bench {
        Bench { clock, ..Bench::new() }
    }

    /// Runs in this process.
    pub fn run_here(&self, plan: &Plan) -> (String, Outcome) {
        let dir = self.approve(plan);
        let id = dir.id().to_string();
        let approved = policy::readmit(&dir, &person(), approved_at()).unwrap();
        let world = world(Arc::clone(&self.clock), Box::new(Deadly(None)));
        let rt = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let log = dir.path().join("runner.log");
        let outcome = rt.block_on(runner::run(&self.state, dir, approved, world, None));
        // Shown with a test that fails.
        eprintln!("{id}: {outcome:?}: {}", std::fs::read_to_string(log).unwrap_or_default());
        (id, outcome)
    }

    /// What a lost run's steps still run; ended, when that is wanted.
    pub fn remains(&self, id: &str, end: bool) -> Remains {
        let world = world(Arc::clone(&self.clock), Box::new(Nobody));
        let eyes = Eyes {
            stack: &world.stack,
            stack_hash: "",
            ways: &world.ways,
            access: &world.access,
            sight: &*world.sight,
            clock: &*world.clock,
            state: &self.state,
        };
        let (run, dir) = (self.load(id).run, self.state.run(id).unwrap());
        let rt = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        rt.block_on(async {
            if end { Remains::end(&run, &dir, &eyes).await } else { Remains::look(&run, &dir, &eyes).await }
        })
    }

    pub fn give_up(&self, id: &str, remains: &Remains) -> Result<Outcome, String> {
        control::abort_lost(&self.state, id, person(), Arc::clone(&self.clock), Box::new(Nobody), remains)
    }

    pub fn load(&self, id: &str) -> Loaded {
        control::load(&self.state, id).unwrap()
    }

    pub fn entries(&self, id: &str) -> Vec<Entry> {
        let dir = self.state.run(id).unwrap();
        quarterdeck::runs::journal::read(&dir.journal()).unwrap().entries
    }

    pub fn ask(&self, id: &str, request: &Request) -> Result<Reply, String> {
        control::send(&self.state, id, request)
    }

    /// Waits until a run is so, and gives it.
    pub fn until(&self, id: &str, what: &str, mut so: impl FnMut(&Loaded) -> bool) -> Loaded {
        let began = self.clock.now();
        loop {
            let found = control::load(&self.state, id);
            if let Ok(loaded) = &found
                && so(loaded)
            {
                return found.unwrap();
            }
            assert!(
                self.clock.now().since(began) < SOON,
                "{what}: {found:#?}\n{}",
                std::fs::read_to_string(self.state.run(id).unwrap().log()).unwrap_or_default()
            );
            let _ = rustix::event::poll(
                &mut [],
                Some(&rustix::event::Timespec { tv_sec: 0, tv_nsec: 5_000_000 }),
            );
        }
    }

    pub fn until_gone(&self, id: &str) -> Loaded {
        self.until(id, "the runner is gone", |l| !l.alive)
    }
}

/// When all plans here were approved, and so begin.
fn approved_at() -> jiff::Timestamp {
    "2026-03-01T00:00:00Z".parse().unwrap()
}

fn approval(plan: &Plan) -> Vec<u8> {
    let value = serde_json::json!({
        "hash": PlanHash::of(plan),
        "by": person(),
        "confirmed": Confirmed { level: Level::L2, typed: "yard".into(), reason: None, second: None },
        "at": approved_at(),
    });
    serde_json::to_vec(&value).unwrap()
}

pub fn person() -> Person {
    Person { uid: rustix::process::getuid().as_raw(), login: "ann".into(), from: None }
}

/// Nothing of `gated` may be done once `shut` has begun to close, until `prove` was seen.
const INTERLOCK: &str = r#"
[[procedures]]
id = "shut"
name = "Shut"
about = "closes"
[[procedures.steps]]
id = "close"
name = "Close"
uses = "exec"
with = { argv = ["true"] }
effect = "change"
verify = { probes = ["p"] }
[[procedures]]
id = "prove"
name = "Prove"
about = "proves"
[[procedures.steps]]
id = "seen"
name = "Seen"
uses = "exec"
with = { argv = ["true"] }
effect = "read"
[[procedures]]
id = "gated"
name = "Gated"
about = "opens"
[[procedures.steps]]
id = "open"
name = "Open"
uses = "exec"
with = { argv = ["true"] }
effect = "change"
verify = { probes = ["p"] }
[[interlocks]]
id = "closed"
says = "it is closed"
raised_by = ["shut.close"]
blocks = ["gated"]
until = { says = "it was proved", verified = ["prove.seen"] }
"#;

fn stack() -> Arc<Stack> {
    let text = "[stack]\nname = 'yard'\n[[hosts]]\nid = 'here'\n[[layers]]\nid = 'l'\n\
        [[probes]]\nid = 'p'\nlayer = 'l'\nkind = 'memory'\nconditions = ['[LATENCY] < 1s']\n";
    let text = text.to_owned() + INTERLOCK;
    let source = Arc::new(Source { name: "yard.toml".into(), text });
    Arc::new(load_texts(&source, None, &|_| None).unwrap_or_else(|p| panic!("{p}")).stack)
}

fn world(clock: Arc<dyn Clock>, witness: Box<dyn Witness>) -> World {
    let here = HostId::new("here");
    let host = Host { id: here.clone(), transport: TransportSpec::Local, path: Vec::new() };
    World {
        stack: stack(),
        ways: BTreeMap::from([(here, Arc::new(Transport::new(&host).unwrap()))]),
        access: Arc::new(Access::default()),
        sight: Arc::new(Files),
        clock,
        witness,
        preface: None,
    }
}

/// What the `runner` subcommand does, in a process of this test program.
pub fn be_a_runner() {
    let Some(root) = std::env::var_os(STATE) else { return };
    let own = runner::detach().unwrap();
    let id = std::env::args().next_back().unwrap();
    let die_at = std::env::var(DIE_AT).ok().and_then(|n| n.parse().ok()).filter(|n| *n > 0);
    let group = std::env::var(GROUP).ok().and_then(|g| g.parse().ok());
    let state = StateDir::new(PathBuf::from(root), group);
    let dir = state.run(&id).unwrap();
    let approved = policy::readmit(&dir, &person(), approved_at()).unwrap();
    let world = world(Arc::new(SystemClock::new()), Box::new(Deadly(die_at)));
    let rt = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let outcome = rt.block_on(runner::run(&state, dir, approved, world, Some(own)));
    std::process::exit(i32::from(outcome.exit_code()));
}

pub fn plan(steps: Vec<Step>) -> Plan {
    Plan {
        format: FORMAT,
        stack: "yard".into(),
        title: "Yard".into(),
        environment: "test".into(),
        stack_hash: String::new(),
        procedure: ProcedureId::new("trace"),
        name: "Leave traces".into(),
        params: BTreeMap::new(),
        lock: "stack".into(),
        deadline: Duration::from_secs(600),
        level: Level::L2,
        level_because: Vec::new(),
        preconditions: Vec::new(),
        steps,
        pins: Vec::new(),
    }
}

pub fn needs(plan: &mut Plan, says: &str, expr: String) {
    let what = Condition { exprs: vec![expr], ..Condition::default() };
    plan.preconditions.push(Precondition { says: says.into(), what });
}

/// A step that runs a shell's line; the line is its own argument, so `$0` is not a parameter.
pub fn step(id: &str, line: &str) -> Step {
    Step {
        id: StepId::new(id),
        origin: format!("trace.{id}"),
        name: id.into(),
        host: HostId::new("here"),
        layer: None,
        sudo: false,
        action: exec(line),
        effect: Effect::Change,
        idempotent: false,
        timeout: Duration::from_secs(30),
        on_timeout: OnTimeout::Fail,
        on_failure: OnFailure::Stop,
        verify: None,
        rollback: None,
        hold: None,
        point_of_no_return: false,
        unless: None,
        after: Vec::new(),
        owes: None,
        settles: Vec::new(),
        round: None,
        level: Level::L2,
        certainty: Certainty::Unknown,
        preview: vec![format!("sh -c '{line}'")],
    }
}

pub fn exec(line: &str) -> Action {
    Action::Exec(Exec {
        argv: vec!["sh".into(), "-c".into(), line.into()],
        env: BTreeMap::new(),
        stdin: None,
        success: vec![0],
    })
}

pub fn manual(id: &str) -> Step {
    let action = Action::Manual(Manual { instruction: "turn the key".into(), note: false });
    Step { action, ..step(id, "true") }
}

pub fn check(expr: String, good: u32, within: Duration) -> Check {
    let what = Condition { exprs: vec![expr], ..Condition::default() };
    Check { what, good, every: Duration::from_millis(60), within }
}

pub fn undo(line: &str) -> Rollback {
    Rollback { action: exec(line), timeout: Duration::from_secs(10), verify: None, preview: Vec::new() }
}

/// Asks for an abort of the run that the environment names, and prints the answer.
pub fn be_a_client() {
    let Ok(id) = std::env::var(ABORT) else { return };
    let state = StateDir::new(PathBuf::from(std::env::var_os(STATE).unwrap()), None);
    println!("{:?}", control::send(&state, &id, &Request::Abort { now: false }));
}

impl Bench {
    /// What the runner of a run answers to an abort asked for under another uid and gid.
    pub fn abort_as(&self, uid: u32, id: &str) -> String {
        let output = std::process::Command::new("setpriv")
            .args([format!("--reuid={uid}"), format!("--regid={uid}"), "--clear-groups".into()])
            .arg(std::env::current_exe().unwrap())
            .args(["--exact", "client_process", "--nocapture"])
            .env(STATE, self.state.root())
            .env(ABORT, id)
            .output()
            .unwrap();
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
    }
}
