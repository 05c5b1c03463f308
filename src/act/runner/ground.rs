//! What a run stands on: its plan and the ways to act on the world, shared by all that it does.

use super::World;
use crate::act::rundir::{RunDir, StateDir};
use crate::act::sight::Sight;
use crate::act::step::Setting;
use crate::act::witness::Witness;
use crate::clock::Clock;
use crate::domain::id::{HostId, RunId};
use crate::domain::procedure::plan::{Plan, Step};
use crate::stack::spec::Stack;
use crate::transport::Transport;
use crate::transport::fetch::access::Access;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

/// Never changes while the run goes on.
pub struct Ground {
    pub plan: Plan,
    pub run: RunId,
    pub dir: PathBuf,
    /// Where what other runs left is read.
    pub state: StateDir,
    pub stack: Arc<Stack>,
    pub ways: BTreeMap<HostId, Arc<Transport>>,
    pub access: Arc<Access>,
    pub sight: Arc<dyn Sight>,
    pub clock: Arc<dyn Clock>,
}

impl Ground {
    pub fn of(state: &StateDir, dir: &RunDir, plan: Plan, world: World) -> (Arc<Ground>, Box<dyn Witness>) {
        let World { stack, ways, access, sight, clock, witness, preface: _ } = world;
        let (run, dir, state) = (dir.id().clone(), dir.path().to_owned(), state.clone());
        (Arc::new(Ground { plan, run, dir, state, stack, ways, access, sight, clock }), witness)
    }

    pub fn step(&self, index: usize) -> Option<&Step> {
        self.plan.steps.get(index)
    }

    /// Where and with what a step is carried out.
    ///
    /// # Errors
    /// There is no way to its host.
    pub fn setting<'a>(&'a self, step: &'a Step, attempt: u32) -> Result<Setting<'a>, String> {
        let transport =
            self.ways.get(&step.host).ok_or_else(|| format!("there is no way to the host {}", step.host))?;
        Ok(Setting {
            stack: &self.stack,
            run: &self.run,
            step: &step.id,
            attempt,
            by_word: false,
            undoes: None,
            host: &step.host,
            transport,
            sudo: step.sudo,
            access: &self.access,
            sight: self.sight.as_ref(),
            clock: self.clock.as_ref(),
            timeout: step.timeout,
            dir: &self.dir,
        })
    }
}
