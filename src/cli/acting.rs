//! What acts, put together from the command line and the files: the state directory, the audit log,
//! and the commands that use them.

use super::args::Global;
use super::sight::{Freshness, Watcher};
use super::{End, Ended, audit, print, setup};
use crate::act::control::{self, Launch};
use crate::act::identity;
use crate::act::planner::{Eyes, interlocks};
use crate::act::policy::{self, Given};
use crate::act::rundir::{self, StateDir};
use crate::clock::{Clock, SystemClock};
use crate::domain::id::HostId;
use crate::domain::procedure::event::Mode;
use crate::domain::procedure::ledger::{Ledger, Raised};
use crate::observe::prober::Prober;
use crate::record::audit::Log;
use crate::runs::watch;
use crate::stack::config::{self, Config};
use crate::stack::load::{self, Loaded};
use crate::stack::spec::{Host, Stack};
use crate::transport::Transport;
use crate::transport::fetch::access::Access;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

/// Where runs are kept, by the command line or else by the config. A stack is not needed, and
/// mistakes elsewhere in the config are not looked at: a run must be reachable all the same.
pub(super) fn state(global: &Global) -> Result<StateDir, End> {
    let env = |name: &str| std::env::var(name).ok();
    let flags = global.options().flags;
    let config = match setup::config_of(&flags) {
        Some(config) => config,
        None => match &flags.config {
            Some(path) => {
                return Err(End::Refused(format!("read the config {}", path.display())));
            }
            None => Config::defaults(&env),
        },
    };
    let root = global.state_dir.clone().unwrap_or(config.state_dir);
    rundir::of_group(root, config.operators_group.as_deref()).map_err(End::Refused)
}

/// A stack that was loaded, and what plans are made with.
pub(super) struct Acting {
    pub stack: Arc<Stack>,
    stack_hash: String,
    pub state: StateDir,
    pub clock: Arc<dyn Clock>,
    ways: BTreeMap<HostId, Arc<Transport>>,
    access: Arc<Access>,
    sight: Watcher,
}

impl Acting {
    /// Loads the stack that the command line and the config name.
    pub fn load(global: &Global) -> Result<Acting, End> {
        let loaded = load::load(&global.options().flags, &|name| std::env::var(name).ok())?;
        Ok(Acting::of(&loaded, state(global)?, Arc::new(SystemClock::new())))
    }

    /// The same of what was loaded before.
    pub fn of(loaded: &Loaded, state: StateDir, clock: Arc<dyn Clock>) -> Acting {
        let prober = setup::prober(loaded, &clock);
        let ways = ways(&loaded.stack, &prober);
        let access = prober.access();
        let stack = Arc::new(loaded.stack.clone());
        let sight = Watcher::new(Arc::clone(&stack), prober, Arc::clone(&clock), Freshness::AsKnown);
        let stack_hash = loaded.stack_hash.clone();
        Acting { stack, stack_hash, state, clock, ways, access, sight }
    }

    pub fn eyes(&self) -> Eyes<'_> {
        Eyes {
            stack: &self.stack,
            stack_hash: &self.stack_hash,
            ways: &self.ways,
            access: &self.access,
            sight: &self.sight,
            clock: &*self.clock,
            state: &self.state,
        }
    }
}

/// The way to each host of a stack to which there is one.
pub(super) fn ways(stack: &Stack, prober: &Prober) -> BTreeMap<HostId, Arc<Transport>> {
    let way = |host: &Host| Some((host.id.clone(), prober.way_to(&host.id).ok()?));
    stack.hosts.iter().filter_map(way).collect()
}

/// The audit log of a state directory.
pub(super) fn log_of(state: &StateDir) -> Log {
    Log::new(state.root(), state.group())
}

/// All runs of a state directory, as their journals tell them.
pub(super) fn ledger(state: &StateDir) -> Arc<Ledger> {
    let mut watcher = watch::Watcher::new(state.clone(), None, Vec::new());
    watcher.look(&[]);
    watcher.ledger()
}

/// The interlocks of the stack at hand that its runs have raised; `None` where no stack can be
/// loaded, for without it nobody knows what raises one.
pub(super) fn interlocks(global: &Global, state: &StateDir) -> Option<Vec<Raised>> {
    let loaded = load::load(&global.options().flags, &|name| std::env::var(name).ok()).ok()?;
    let rules = interlocks::rules(&loaded.stack.procedures.interlocks);
    let mut watcher = watch::Watcher::new(state.clone(), Some(&loaded.stack.name), rules);
    watcher.look(&[]);
    Some(watcher.ledger().interlocks.clone())
}

/// How a runner is started that loads the same files as this program.
pub(super) fn launch(global: &Global) -> Result<Launch, End> {
    let whole = |path: &Path| {
        std::path::absolute(path)
            .map_err(|e| End::Refused(format!("find the whole path of {}: {e}", path.display())))
    };
    let env = |name: &str| std::env::var(name).ok();
    let mut args: Vec<OsString> = Vec::new();
    if let Some(config) = global.config.clone().or_else(|| config::find(&env)) {
        args.extend(["--config".into(), whole(&config)?.into()]);
    }
    if let Some(stack) = &global.stack {
        let is_path = stack.contains('/') || Path::new(stack).extension().is_some_and(|e| e == "toml");
        let stack = if is_path { whole(Path::new(stack))?.into() } else { stack.into() };
        args.extend(["--stack".into(), stack]);
    }
    let state = state(global)?;
    args.extend(["--state-dir".into(), whole(state.root())?.into()]);
    // Where the program was replaced since it was started, the link still leads to the old one.
    let program = std::env::current_exe().ok().filter(|p| p.exists());
    let program = program.unwrap_or_else(|| PathBuf::from("/proc/self/exe"));
    Ok(Launch { program, args, env: Vec::new() })
}

/// Has a run taken up again, or undone, by a runner of its own.
///
/// # Errors
/// What was given does not allow it, or the runner could not go on; completes "failed to …".
pub(super) fn take_up(
    state: &StateDir,
    id: &str,
    mode: Mode,
    given: &Given,
    launch: &Launch,
) -> Result<(), String> {
    let run = control::load(state, id)?.run;
    let word = policy::resume(&run, mode, given, &identity::me()).map_err(|wrong| {
        format!("resume run {id} of {} ({}): {}", run.plan.name, run.plan.level, wrong.join("; "))
    })?;
    control::resume(state, id, &word, launch)
}

/// `quarterdeck audit`.
pub(super) fn run_audit(global: &Global, args: super::args_act::Audit) -> Ended {
    let command = args
        .command
        .unwrap_or(super::args_act::AuditCommand::Show { last: super::args_act::LAST, run: None });
    let (code, text) = audit::run(&log_of(&state(global)?), command, args.output)?;
    print(&text)?;
    Ok(ExitCode::from(code))
}
