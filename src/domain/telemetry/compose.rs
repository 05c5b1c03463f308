//! Putting the board together: what is known here, and what a Prometheus and an Alertmanager say.

use super::Telemetry;
use crate::clock::Now;
use crate::domain::alert::paging::{Courier, Facts, Told};
use crate::domain::alert::view::{AlertView, Paged, Phase, RuleIndex, RuleView};
use crate::domain::board::{Answer, Board, Engine, GraphData, GraphIndex, RemoteState, RemoteView};
use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

/// What others know. All of it is as of their last answer; while they are silent, what they would
/// say is evaluated here instead, as far as it is scraped here.
#[derive(Clone, Debug, Default)]
pub struct Outside {
    pub prometheus: Option<RemoteView>,
    pub rules: Vec<RuleView>,
    pub alerts: Vec<AlertView>,
    /// How far back the Prometheus has samples.
    pub reach: Option<Duration>,
    pub alertmanager: Option<RemoteView>,
    /// Alertmanager's alerts, and those of them that only it knows as they are shown.
    pub told: Vec<Told>,
    pub told_views: Vec<AlertView>,
    pub graphs: BTreeMap<GraphIndex, Arc<GraphData>>,
    pub answer: Option<Arc<Answer>>,
}

impl Outside {
    fn answers(view: Option<&RemoteView>) -> bool {
        view.is_some_and(|v| matches!(v.state, RemoteState::Answering { .. }))
    }

    pub fn prometheus_answers(&self) -> bool {
        Self::answers(self.prometheus.as_ref())
    }

    pub(super) fn graph(&self, index: GraphIndex) -> Option<Arc<GraphData>> {
        self.graphs.get(&index).filter(|_| self.prometheus_answers()).cloned()
    }

    pub(super) fn answer(&self, expr: &str) -> Option<Arc<Answer>> {
        self.answer.clone().filter(|a| self.prometheus_answers() && a.expr == expr)
    }

    fn courier(&self) -> Courier<'_> {
        match self.alertmanager.as_ref().map(|v| &v.state) {
            None => Courier::Nobody,
            Some(RemoteState::Answering { .. }) => Courier::Answers(&self.told),
            Some(RemoteState::NotAsked) => Courier::Silent("it was not asked yet"),
            Some(RemoteState::Silent { why, .. }) => Courier::Silent(why),
        }
    }
}

pub(super) fn board(t: &mut Telemetry, now: Now) -> Board {
    let (alerts, rules) = here(t, now);
    let reach = t.outside.reach.filter(|_| t.outside.prometheus_answers());
    let at = now.wall.as_millisecond();
    let mut slos = Vec::new();
    let mut burning = Vec::new();
    for objective in &mut t.objectives {
        let view = objective.view(at, reach);
        burning.extend(objective.alerts(&view, &|severity| t.rules.rank(severity)));
        slos.push(view);
    }
    let (mut alerts, rules) = merged(t, alerts, rules);
    alerts.extend(burning);
    alerts.sort_by(|a, b| pressing(a).cmp(&pressing(b)).then_with(|| a.labels.cmp(&b.labels)));
    let stats = t.store.0.stats();
    Board {
        at: Some(now),
        engine: Engine {
            prometheus: t.outside.prometheus.clone(),
            alertmanager: t.outside.alertmanager.clone(),
            series: stats.series,
            samples: stats.samples,
            bytes: stats.bytes,
            dropped: stats.dropped.by_bounds(),
            evaluation: t.evaluation,
            trouble: t.trouble.clone(),
        },
        targets: t.sources.views(),
        alerts,
        rules,
        slos,
        graphs: t.draw(now),
        marks: t.marks.list(),
        query: t.answer(now),
        families: t.sources.families(),
        ..Board::default()
    }
}

/// What the rules say over what is in memory here.
fn here(t: &mut Telemetry, now: Now) -> (Vec<AlertView>, Vec<RuleView>) {
    let (rules, sources) = (&t.rules, &t.sources);
    let stale: BTreeMap<usize, _> = (0..rules.len())
        .filter_map(|i| Some((i, sources.stale(rules.rule(RuleIndex(i))?)?)))
        .collect();
    let facts =
        Facts { courier: t.outside.courier(), stale: &|index: RuleIndex| stale.get(&index.0).cloned() };
    let alerts = t.rules.alerts(now.wall, &facts);
    let rules = t.rules.views(&t.store, &facts);
    (alerts, rules)
}

/// A rule that the Prometheus evaluates too is shown as it says: it is the one that pages.
fn merged(
    t: &Telemetry,
    mut alerts: Vec<AlertView>,
    mut rules: Vec<RuleView>,
) -> (Vec<AlertView>, Vec<RuleView>) {
    let outside = &t.outside;
    if outside.prometheus_answers() {
        let theirs: HashSet<(&str, bool)> =
            outside.rules.iter().map(|r| (r.name.as_str(), r.recording)).collect();
        alerts.retain(|a| !theirs.contains(&(a.name.as_str(), false)));
        let mut index_of = BTreeMap::new();
        for their in &outside.rules {
            let same = |r: &&mut RuleView| r.name == their.name && r.recording == their.recording;
            if let Some(ours) = rules.iter_mut().find(same) {
                let (help, rows) = (std::mem::take(&mut ours.help), std::mem::take(&mut ours.rows));
                let blind = std::mem::take(&mut ours.blind);
                let index = ours.index;
                *ours = RuleView { index, help, rows, blind, ..their.clone() };
                index_of.insert(their.name.as_str(), index);
            } else {
                let index = RuleIndex(rules.len());
                rules.push(RuleView { index, ..their.clone() });
                index_of.insert(their.name.as_str(), index);
            }
        }
        alerts.extend(outside.alerts.iter().map(|a| AlertView {
            rule: index_of.get(a.name.as_str()).copied(),
            rank: t.rules.rank(&a.severity),
            acknowledge_by: a.fired.and_then(|fired| t.rules.acknowledge_by(&a.severity, fired)),
            paged: paged_outside(outside, a),
            ..a.clone()
        }));
    }
    if Outside::answers(outside.alertmanager.as_ref()) {
        let known: Vec<_> = alerts.iter().map(|a| a.labels.clone()).collect();
        let only = outside.told_views.iter().zip(&outside.told);
        let only = only.filter(|(_, told)| !known.iter().any(|labels| told.is(labels)));
        let only: Vec<AlertView> = only
            .map(|(view, _)| AlertView {
                rank: t.rules.rank(&view.severity),
                acknowledge_by: view.fired.and_then(|f| t.rules.acknowledge_by(&view.severity, f)),
                ..view.clone()
            })
            .collect();
        alerts.extend(only);
    }
    (alerts, rules)
}

/// Whether somebody hears of an alert of a Prometheus.
fn paged_outside(outside: &Outside, alert: &AlertView) -> Paged {
    if alert.phase == Phase::Pending {
        return alert.paged.clone();
    }
    match outside.courier() {
        Courier::Answers(told) => {
            told.iter().find(|t| t.is(&alert.labels)).map_or(Paged::Nowhere, Told::paged)
        }
        Courier::Silent(why) => Paged::Unknown { why: format!("Alertmanager does not answer: {why}") },
        Courier::Nobody => {
            let why = "no Alertmanager is configured here to ask; Prometheus may have one";
            Paged::Unknown { why: why.to_owned() }
        }
    }
}

/// What stands first.
fn pressing(a: &AlertView) -> (bool, u8, jiff::Timestamp) {
    (a.phase == Phase::Pending, a.rank, a.since)
}
