//! What config.toml changes in a stack: probes, a Prometheus and an Alertmanager; and names there
//! that the stack does not have.

use super::config::{self, Config};
use super::decode::At;
use super::diag::{Problem, Problems};
use super::draft::{Draft, Place, Placed, ProbeDraft};
use super::metrics::read::Names;
use crate::domain::text;
use std::sync::Arc;

/// What config.toml changes in the stack.
pub(super) struct Overrides<'a> {
    pub config: &'a Config,
    pub draft: &'a mut Draft,
    pub problems: &'a mut Problems,
}

impl Overrides<'_> {
    pub fn apply(mut self) {
        let vars: Vec<String> = self.draft.vars.iter().map(|v| v.name.clone()).collect();
        for (name, at) in &self.config.vars {
            self.known("variable", &At { value: name.clone(), span: at.span.clone() }, &vars);
        }
        let hosts: Vec<String> = self.draft.hosts.iter().map(|h| h.value.clone()).collect();
        for host in &self.config.hosts {
            self.known("host", &host.id, &hosts);
        }
        let ids = self.draft.probes.iter().filter_map(|p| p.id.as_ref());
        let ids: Vec<String> = ids.map(|i| i.value.clone()).collect();
        for probe in &self.config.probes {
            if self.known("probe", &probe.id, &ids) {
                self.probe(probe);
            }
        }
        self.remotes();
    }

    /// A Prometheus or Alertmanager of config.toml stands in place of the stack file's.
    fn remotes(&mut self) {
        let Some(source) = &self.config.source else { return };
        let names = Names { hosts: &self.draft.hosts, logins: &self.draft.login_ids };
        let metrics = &mut self.draft.metrics.metrics;
        let places = [
            (&self.config.prometheus, &mut metrics.prometheus),
            (&self.config.alertmanager, &mut metrics.alertmanager),
        ];
        for (said, place) in places {
            match said.as_ref().map(|draft| draft.resolve(names)) {
                Some(Ok(remote)) => *place = Some(remote),
                Some(Err(wrong)) => {
                    for w in wrong {
                        self.problems.push(Problem::error(source, w.span, w.message).help(w.help));
                    }
                }
                None => {}
            }
        }
    }

    fn known(&mut self, what: &str, name: &At<String>, valid: &[String]) -> bool {
        if valid.contains(&name.value) {
            return true;
        }
        let Some(source) = &self.config.source else { return false };
        let help = match text::nearest(&name.value, valid.iter().map(String::as_str)) {
            Some(near) => format!("did you mean `{near}`?"),
            None if valid.is_empty() => format!("the stack has no {what}s"),
            None => format!("the stack has {}", text::one_line(&valid.join(", "), 300)),
        };
        let shown = text::one_line(&name.value, 60);
        let message = format!("no {what} of this stack is called `{shown}`");
        self.problems.push(Problem::error(source, name.span.clone(), message).help(Some(help)));
        false
    }

    fn probe(&mut self, from: &config::ProbeConfig) {
        let Some(source) = &self.config.source else { return };
        let is_it = |p: &&mut ProbeDraft| p.id.as_ref().is_some_and(|i| i.value == from.id.value);
        let Some(to) = self.draft.probes.iter_mut().find(is_it) else { return };
        let place = |span: &std::ops::Range<usize>| Place { source: Arc::clone(source), span: span.clone() };
        if let Some(at) = &from.interval {
            to.interval = Placed { value: at.value, place: place(&at.span) };
        }
        if let Some(at) = &from.timeout {
            to.timeout = Placed { value: at.value, place: place(&at.span) };
        } else if to.timeout.value > to.interval.value {
            // The interval is what was said here, so it is what is wrong.
            to.timeout.place = to.interval.place.clone();
        }
        to.sudo = from.sudo.unwrap_or(to.sudo);
        to.thresholds.failure = from.failure_threshold.unwrap_or(to.thresholds.failure);
        to.thresholds.success = from.success_threshold.unwrap_or(to.thresholds.success);
        let placed = |all: &Vec<At<_>>| {
            all.iter()
                .map(|c: &At<crate::domain::condition::Condition>| Placed {
                    value: c.value.clone(),
                    place: place(&c.span),
                })
                .collect()
        };
        if let Some(all) = &from.conditions {
            to.conditions = placed(all);
        }
        if let Some(all) = &from.degraded_unless {
            to.degraded_unless = placed(all);
        }
    }
}
