//! The order of a procedure's steps against the order of recovery: what brings a layer up comes
//! after what brings up the layers that it needs.

use super::read::ProcedureDraft;
use super::spec::Uses;
use super::step;
use crate::domain::procedure::action::Action;
use crate::domain::procedure::action::kinds::{ComposeVerb, FirewallVerb, Switch, SystemdVerb};
use crate::domain::procedure::level::Effect;
use crate::stack::decode::Reader;
use crate::stack::draft::LayerDraft;
use std::collections::BTreeSet;

/// Notes each step that comes before one whose layer it needs.
pub(super) fn check(reader: &Reader, draft: &ProcedureDraft, layers: &[LayerDraft]) {
    let all = draft.every_step();
    let raising: Vec<(&step::Draft, &str)> = all
        .into_iter()
        .filter(|d| raises(d))
        .filter_map(|d| Some((d, d.step.layer.as_ref()?.as_str())))
        .collect();
    for (i, (step, layer)) in raising.iter().enumerate() {
        let needed = needs(layers, layer);
        let late = raising.iter().skip(i + 1).find(|(_, other)| needed.contains(*other));
        let Some((other, needed)) = late else { continue };
        let message = format!(
            "this step is of layer `{layer}`, which needs `{needed}`, and the step `{}` of `{needed}` comes later",
            other.step.id
        );
        let help = "change the order; leave `layer` out of a step that brings nothing up".to_owned();
        reader.error(step.at.layer.clone(), message, Some(help));
    }
}

/// Whether a step brings its layer up. What only looks or takes something down goes in any order.
fn raises(draft: &step::Draft) -> bool {
    let Uses::Action(action) = &draft.step.uses else { return false };
    let down = match &**action {
        Action::Systemd(s) => matches!(s.verb, SystemdVerb::Stop | SystemdVerb::Kill),
        Action::Compose(c) => c.verb == ComposeVerb::Stop,
        Action::Firewall(f) => matches!(f.verb, FirewallVerb::Block | FirewallVerb::Close),
        Action::Nginx(n) => n.maintenance == Switch::On,
        Action::Signal(_) => true,
        _ => false,
    };
    !down && draft.step.effect != Effect::Read
}

/// Every layer that this one needs, directly or not.
fn needs<'a>(layers: &'a [LayerDraft], of: &str) -> BTreeSet<&'a str> {
    let mut out = BTreeSet::new();
    let mut waiting = vec![of];
    while let Some(layer) = waiting.pop() {
        let Some(found) = layers.iter().find(|l| l.id.value == layer) else { continue };
        for need in &found.needs {
            if need.value != of && out.insert(need.value.as_str()) {
                waiting.push(&need.value);
            }
        }
    }
    out
}
