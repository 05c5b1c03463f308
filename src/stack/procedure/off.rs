//! Probes that config.toml switches off although procedures look at them: their conditions could
//! never hold.

use super::read::Draft;
use super::spec::Uses;
use crate::domain::id::ProbeId;
use crate::domain::procedure::action::Action;
use crate::domain::procedure::check::Condition;
use crate::stack::config::Config;
use crate::stack::diag::{Problem, Problems};

/// Warns of each, at the place that switches it off.
pub fn warn(draft: &Draft, config: &Config, problems: &mut Problems) {
    let Some(source) = &config.source else { return };
    for probe in config.probes.iter().filter(|p| !p.enabled) {
        let id = ProbeId::new(&probe.id.value);
        let users: Vec<&str> =
            draft.all.all.iter().filter(|p| looks_at(p, &id)).map(|p| p.id.as_str()).collect();
        if users.is_empty() {
            continue;
        }
        let message = format!(
            "the probe `{id}` is switched off, and these procedures cannot be verified without it: {}",
            users.join(", ")
        );
        problems.push(Problem::warning(source, probe.id.span.clone(), message));
    }
}

fn looks_at(procedure: &super::spec::Procedure, probe: &ProbeId) -> bool {
    let of = |c: &Condition| c.probes.contains(probe);
    procedure.preconditions.iter().any(|p| of(&p.what)) || any_step(&procedure.steps, &of)
}

fn any_step(steps: &[super::spec::Step], of: &impl Fn(&Condition) -> bool) -> bool {
    steps.iter().any(|step| {
        let inside = match &step.uses {
            Uses::ForEach(rounds) => any_step(&rounds.steps, of),
            Uses::Action(action) => matches!(&**action, Action::Wait(w) if of(&w.until.what)),
            // It stands among the procedures itself.
            Uses::Procedure { .. } => false,
        };
        let undone = step.rollback.as_ref().and_then(|r| r.verify.as_ref());
        inside || step.verify.iter().chain(&step.unless).chain(undone).any(|c| of(&c.what))
    })
}
