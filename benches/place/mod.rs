//! A stack with a procedure of the bench's own and a state directory for its runs, started as the
//! dashboard starts them.

use quarterdeck::act::control::{self, Launch};
use quarterdeck::act::identity;
use quarterdeck::act::planner::{self, Eyes};
use quarterdeck::act::policy::{self, Given};
use quarterdeck::act::rundir::{StateDir, WriteState};
use quarterdeck::act::sight::{Looking, Sight};
use quarterdeck::clock::{Clock, Now, SystemClock};
use quarterdeck::domain::health::Health;
use quarterdeck::domain::id::{HostId, ProbeId, ProcedureId, RunId};
use quarterdeck::domain::procedure::check::{Condition, Seen};
use quarterdeck::domain::procedure::proposal::Proposal;
use quarterdeck::stack::load::{self, Flags};
use quarterdeck::stack::spec::Stack;
use quarterdeck::transport::Transport;
use quarterdeck::transport::fetch::access::Access;
use std::collections::BTreeMap;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

pub type Done<T> = Result<T, Box<dyn Error>>;

pub const PROGRAM: &str = env!("CARGO_BIN_EXE_quarterdeck");

/// A stack of one layer, `files`, on one host, `vpn`.
pub const SMALL: &str =
    "[stack]\nname = 'small'\n[[hosts]]\nid = 'vpn'\n[[layers]]\nid = 'files'\nname = 'Files'\n";

/// Looks at nothing: the plans here ask nothing of it.
struct Blind;

impl Sight for Blind {
    fn check<'a>(&'a self, _: &'a Condition) -> Looking<'a, Seen> {
        Box::pin(async { Seen { holds: false, says: "not looked at".into() } })
    }

    fn value<'a>(&'a self, _: &'a str) -> Looking<'a, Result<f64, String>> {
        Box::pin(async { Err("not looked at".into()) })
    }

    fn probe<'a>(&'a self, _: &'a ProbeId) -> Looking<'a, (Health, String)> {
        Box::pin(async { (Health::Unknown, "not looked at".into()) })
    }
}

/// See the module.
pub struct Place {
    _dir: tempfile::TempDir,
    pub state: StateDir,
    stack: Arc<Stack>,
    stack_hash: String,
    ways: BTreeMap<HostId, Arc<Transport>>,
    pub clock: Arc<dyn Clock>,
    pub launch: Launch,
}

impl Place {
    /// Below a directory; the procedure `bench` is in `procedure`, and may name the probe `bench`.
    pub fn new(below: &Path, stack: &str, layer: &str, procedure: &str) -> Done<Place> {
        let dir = tempfile::Builder::new().prefix("qd-bench-").tempdir_in(below)?;
        let file = dir.path().join("stack.toml");
        let probe = format!("\n[[probes]]\nid = 'bench'\nlayer = '{layer}'\nkind = 'file'\npath = '/'\n");
        std::fs::write(&file, format!("{stack}{probe}{procedure}"))?;
        let config = dir.path().join("config.toml");
        std::fs::write(&config, "[hosts.vpn]\ntransport = 'local'\n")?;
        let state = StateDir::new(dir.path().join("state"), None);
        state.prepare()?;
        let flags = Flags { config: Some(config.clone()), stack: Some(file.display().to_string()) };
        let loaded = load::load(&flags, &|name| std::env::var(name).ok()).map_err(|e| format!("{e:?}"))?;
        let stack = Arc::new(loaded.stack);
        let ways = stack
            .hosts
            .iter()
            .filter_map(|h| Some((h.id.clone(), Arc::new(Transport::new(h).ok()?))))
            .collect();
        let mut args: Vec<std::ffi::OsString> = Vec::new();
        for (flag, path) in
            [("--config", config.as_path()), ("--stack", &file), ("--state-dir", state.root())]
        {
            args.extend([flag.into(), path.into()]);
        }
        let program = PathBuf::from(PROGRAM);
        let launch = Launch { program, args, env: Vec::new() };
        let clock = Arc::new(SystemClock::new());
        Ok(Place { _dir: dir, state, stack, stack_hash: loaded.stack_hash, ways, clock, launch })
    }

    pub fn propose(&self) -> Done<Proposal> {
        let access = Arc::new(Access::default());
        let eyes = Eyes {
            stack: &self.stack,
            stack_hash: &self.stack_hash,
            ways: &self.ways,
            access: &access,
            sight: &Blind,
            clock: &*self.clock,
            state: &self.state,
        };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let proposed =
            runtime.block_on(planner::propose(&eyes, &ProcedureId::new("bench"), &BTreeMap::new()));
        Ok(proposed.map_err(|why| why.join("; "))?)
    }

    /// Approves and starts it: its id, and when that was confirmed. What [`propose`](Self::propose)
    /// takes is not in that time.
    pub fn start(&self) -> Done<(RunId, Now)> {
        let fresh = self.propose()?;
        let given = Given { typed: fresh.prompt.type_this.clone().unwrap_or_default(), ..Given::default() };
        let confirmed = self.clock.now();
        let approved = policy::approve(&fresh, &fresh.hash, &given, &identity::me(), confirmed)
            .map_err(|why| why.join("; "))?;
        Ok((control::start(&self.state, &approved, &self.launch, confirmed.wall)?, confirmed))
    }
}

/// Waits without the clock.
pub fn pause(by: Duration) {
    std::thread::park_timeout(by);
}

/// Median, 95th percentile and the most, in milliseconds.
pub fn say(what: &str, mut all: Vec<Duration>) {
    all.sort_unstable();
    let at = |part: usize| all.get((all.len() * part / 100).min(all.len().saturating_sub(1)));
    let ms = |part| at(part).map_or(0.0, |d| d.as_secs_f64() * 1e3);
    println!("  {what}: p50 {:.2} ms, p95 {:.2} ms, most {:.2} ms", ms(50), ms(95), ms(100));
}
