//! What holds between the parts of a stack: names that are unique, references that lead
//! somewhere, an order of recovery without circles, conditions that the kind can answer.

use super::decode::At;
use super::diag::{Problem, Problems};
use super::draft::{Draft, LayerDraft, Place, Placed, ProbeDraft};
use super::kind::{Kind, http};
use crate::domain::condition::Condition;
use crate::domain::text;
use crate::domain::units;
use std::collections::{HashMap, HashSet};
use std::ops::Range;

/// The most of each that a stack may have: what the screen and the scheduler are built for.
pub const MAX_LAYERS: usize = 64;
/// See [`MAX_LAYERS`].
pub const MAX_HOSTS: usize = 256;
/// See [`MAX_LAYERS`].
pub const MAX_PROBES: usize = 5000;
/// Conditions of one probe, of each sort.
pub const MAX_CONDITIONS: usize = 64;

/// Notes everything that does not hold.
pub fn validate(draft: &Draft, problems: &mut Problems) {
    let mut check = Check { draft, problems };
    check.counts();
    check.unique("layer", draft.layers.iter().map(|l| &l.id));
    check.unique("host", draft.hosts.iter());
    check.unique("probe", draft.probes.iter().filter_map(|p| p.id.as_ref()));
    check.needs();
    check.circles();
    check.empty_layers();
    for probe in draft.probes.iter().take(MAX_PROBES) {
        check.probe(probe);
    }
}

struct Check<'a> {
    draft: &'a Draft,
    problems: &'a mut Problems,
}

impl Check<'_> {
    fn error(&mut self, span: Range<usize>, message: String, help: Option<String>) {
        self.problems.push(Problem::error(&self.draft.source, span, message).help(help));
    }

    fn counts(&mut self) {
        let d = self.draft;
        let last = |span: Option<&Range<usize>>| span.cloned().unwrap_or(0..0);
        let table = [
            ("layers", d.layers.len(), MAX_LAYERS, last(d.layers.last().map(|l| &l.id.span))),
            ("hosts", d.hosts.len(), MAX_HOSTS, last(d.hosts.last().map(|h| &h.span))),
            ("probes", d.probes.len(), MAX_PROBES, last(d.probes.last().map(|p| &p.span))),
        ];
        for (what, count, max, span) in table {
            if count > max {
                self.error(span, format!("a stack has at most {max} {what}, this one has {count}"), None);
            }
        }
        for (what, count) in [("layer", d.layers.len()), ("probe", d.probes.len())] {
            if count == 0 {
                self.error(0..0, format!("this stack has no {what}s; write at least one [[{what}s]]"), None);
            }
        }
    }

    fn unique<'b>(&mut self, what: &str, ids: impl Iterator<Item = &'b At<String>>) {
        let mut first: HashMap<&str, &Range<usize>> = HashMap::new();
        for id in ids {
            let Some(at) = first.get(id.value.as_str()) else {
                first.insert(&id.value, &id.span);
                continue;
            };
            let (line, column) = self.draft.source.position(at.start);
            let help = format!("the first stands at {}:{line}:{column}", self.draft.source.name);
            self.error(id.span.clone(), format!("two {what}s are called `{}`", id.value), Some(help));
        }
    }

    /// Notes a reference that leads nowhere.
    fn reference(&mut self, what: &str, to: &At<String>, valid: &[&str]) {
        if valid.contains(&to.value.as_str()) {
            return;
        }
        let help = match text::nearest(&to.value, valid.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None if valid.is_empty() => format!("this stack defines no {what}s"),
            None => format!("there are {}", text::one_line(&valid.join(", "), 300)),
        };
        let shown = text::one_line(&to.value, 60);
        self.error(to.span.clone(), format!("no {what} is called `{shown}`"), Some(help));
    }

    fn needs(&mut self) {
        let draft = self.draft;
        let valid: Vec<&str> = draft.layers.iter().map(|l| l.id.value.as_str()).collect();
        for needed in draft.layers.iter().flat_map(|l| &l.needs) {
            self.reference("layer", needed, &valid);
        }
    }

    /// Notes every circle in `needs` once, spelled out, at the reference that closes it.
    fn circles(&mut self) {
        let layers = self.draft.layers.get(..self.draft.layers.len().min(MAX_LAYERS)).unwrap_or(&[]);
        let mut done: HashSet<usize> = HashSet::new();
        for start in 0..layers.len() {
            let mut path = Vec::new();
            if let Some((circle, closing)) = find_circle(layers, start, &mut path, &mut done) {
                let names: Vec<&str> =
                    circle.iter().filter_map(|i| layers.get(*i)).map(|l| l.id.value.as_str()).collect();
                let first = names.first().copied().unwrap_or("");
                let message = format!("`needs` goes in a circle: {} needs {first}", names.join(" needs "));
                let help = Some("the order of `needs` is the order of recovery; one must come first".into());
                self.error(closing, message, help);
            }
        }
    }

    fn empty_layers(&mut self) {
        let named = self.draft.probes.iter().map(|p| p.layer.as_ref().map(|l| l.value.as_str()));
        let names: HashSet<&str> = self.draft.layers.iter().map(|l| l.id.value.as_str()).collect();
        let mut used: HashSet<&str> = HashSet::new();
        for layer in named {
            // A layer that is misspelled here is perhaps the one that seems empty.
            let Some(layer) = layer.filter(|l| names.contains(l)) else { return };
            used.insert(layer);
        }
        for layer in self.draft.layers.iter().filter(|l| used.insert(&l.id.value)) {
            let message = format!("layer `{}` has no probes, so it stays unknown for ever", layer.id.value);
            self.problems.push(Problem::warning(&self.draft.source, layer.id.span.clone(), message));
        }
    }

    fn probe(&mut self, probe: &ProbeDraft) {
        let draft = self.draft;
        let layers: Vec<&str> = draft.layers.iter().map(|l| l.id.value.as_str()).collect();
        let hosts: Vec<&str> = draft.hosts.iter().map(|h| h.value.as_str()).collect();
        if let Some(layer) = &probe.layer {
            self.reference("layer", layer, &layers);
        }
        if let Some(host) = &probe.host {
            self.reference("host", host, &hosts);
        }
        if let Some(Kind::Http(http::Spec { auth: http::Auth::Login(id), .. })) = &probe.kind {
            let logins: Vec<&str> = draft.login_ids.iter().map(String::as_str).collect();
            self.reference("login", &At { value: id.clone(), span: probe.auth.clone() }, &logins);
        }
        if probe.timeout.value > probe.interval.value {
            let message = format!(
                "the timeout of `{}` ({}) is longer than its interval ({})",
                probe.id.as_ref().map_or("?", |i| &i.value),
                units::exact(probe.timeout.value),
                units::exact(probe.interval.value)
            );
            let help = Some("a probe that outlasts its interval is never on time".to_owned());
            self.push(&probe.timeout.place, message, help);
        }
        for all in [&probe.conditions, &probe.degraded_unless] {
            self.conditions(probe, all);
        }
    }

    fn conditions(&mut self, probe: &ProbeDraft, all: &[Placed<Condition>]) {
        if let Some(extra) = all.get(MAX_CONDITIONS) {
            self.push(&extra.place, format!("a probe has at most {MAX_CONDITIONS} conditions"), None);
        }
        let Some(kind) = &probe.kind else { return };
        for condition in all.iter().take(MAX_CONDITIONS) {
            if let Err(why) = condition.value.check(kind.facts()) {
                self.push(&condition.place, why, None);
            }
        }
    }

    fn push(&mut self, place: &Place, message: String, help: Option<String>) {
        self.problems.push(Problem::error(&place.source, place.span.clone(), message).help(help));
    }
}

/// Follows `needs` from one layer; the first way back to a layer on the path is a circle.
/// `done` holds the layers from which every circle has been found.
fn find_circle(
    layers: &[LayerDraft],
    at: usize,
    path: &mut Vec<usize>,
    done: &mut HashSet<usize>,
) -> Option<(Vec<usize>, Range<usize>)> {
    if !done.insert(at) {
        return None;
    }
    path.push(at);
    for needed in layers.get(at).map(|l| l.needs.as_slice()).unwrap_or_default() {
        let Some(next) = layers.iter().position(|l| l.id.value == needed.value) else { continue };
        if let Some(start) = path.iter().position(|p| *p == next) {
            return Some((path.get(start..).unwrap_or_default().to_vec(), needed.span.clone()));
        }
        if let Some(found) = find_circle(layers, next, path, done) {
            return Some(found);
        }
    }
    path.pop();
    None
}
