//! What acts, put together from the command line and the files: the state directory, the audit log,
//! and the commands that use them.

use super::args::Global;
use super::{End, Ended, audit, print, setup};
use crate::act::rundir::StateDir;
use crate::record::audit::Log;
use crate::stack::config::Config;
use std::process::ExitCode;

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
    StateDir::with_group(root, config.operators_group.as_deref()).map_err(End::Refused)
}

/// The audit log of a state directory.
pub(super) fn log_of(state: &StateDir) -> Log {
    Log::new(state.root(), state.group())
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
