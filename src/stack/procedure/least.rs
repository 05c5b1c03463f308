//! How dangerous a procedure is at least, before anything is planned: for lists of procedures.

use super::spec::{Procedure, Procedures, Step, Uses};
use crate::domain::procedure::level::{self, Danger, Level};

/// Procedures that use each other are followed this far; the reader refuses circles.
const DEEPEST: usize = 16;

impl Procedures {
    /// The level that a plan of it has at least: that of its worst step, the steps of the procedures
    /// that it uses among them, or what the file declares if that is higher.
    pub fn least(&self, procedure: &Procedure, production: bool) -> Level {
        self.within(procedure, production, DEEPEST)
    }

    fn within(&self, procedure: &Procedure, production: bool, deep: usize) -> Level {
        let declared = procedure.level.unwrap_or(Level::L0);
        let declared = if production { declared } else { declared.min(Level::L3) };
        self.of_steps(&procedure.steps, production, deep).max(declared)
    }

    fn of_steps(&self, steps: &[Step], production: bool, deep: usize) -> Level {
        let of = |step: &Step| match &step.uses {
            Uses::Action(action) => {
                let danger = Danger {
                    id: &step.id,
                    effect: step.effect,
                    action,
                    rollback: step.rollback.as_ref().map(|r| &r.action),
                    point_of_no_return: step.point_of_no_return,
                };
                level::of_danger(&danger, production).level
            }
            Uses::ForEach(each) if deep > 0 => self.of_steps(&each.steps, production, deep - 1),
            Uses::Procedure { id, .. } if deep > 0 => {
                let used = self.all.iter().find(|p| p.id == *id);
                used.map_or(Level::L0, |p| self.within(p, production, deep - 1))
            }
            Uses::ForEach(_) | Uses::Procedure { .. } => Level::L0,
        };
        steps.iter().map(of).max().unwrap_or(Level::L0)
    }
}
