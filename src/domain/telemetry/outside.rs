//! What a Prometheus and an Alertmanager say, as the board shows it. All of it is as of their last
//! answer; while they are silent, what they would say is evaluated here instead, as far as it is
//! scraped here.

use super::graphs::Range;
use crate::domain::alert::remote::{Finder, RemoteRule, Told};
use crate::domain::alert::remote_views::{self, Paging};
use crate::domain::alert::rules::Rules;
use crate::domain::alert::view::{AlertView, BlindKind, Origin, RuleIndex, RuleState, RuleView};
use crate::domain::board::{Answer, GraphData, GraphIndex, RemoteState, RemoteView};
use jiff::Timestamp;
use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

/// What others know.
#[derive(Clone, Debug, Default)]
pub struct Outside {
    pub prometheus: Option<RemoteView>,
    pub rules: Vec<RemoteRule>,
    pub alertmanager: Option<RemoteView>,
    pub told: Told,
    pub graphs: BTreeMap<GraphIndex, Arc<GraphData>>,
    pub answer: Option<Arc<Answer>>,
    /// Names of series, for completion, and of labels.
    pub names: Arc<Vec<String>>,
    pub labels: Arc<Vec<String>>,
}

fn answers(view: Option<&RemoteView>) -> bool {
    view.is_some_and(|v| matches!(v.state, RemoteState::Answering { .. }))
}

impl Outside {
    pub fn prometheus_answers(&self) -> bool {
        answers(self.prometheus.as_ref())
    }

    pub fn alertmanager_answers(&self) -> bool {
        answers(self.alertmanager.as_ref())
    }

    /// A graph as the Prometheus has it, if that is what is wanted: the answer to an earlier
    /// question, of another range, would be drawn in the wrong place.
    pub(super) fn graph(&self, index: GraphIndex, wanted: Range, live: bool) -> Option<Arc<GraphData>> {
        let serves = |d: &&Arc<GraphData>| {
            Range { from: d.from, to: d.to, step: d.step }.serves(wanted, live) && self.prometheus_answers()
        };
        self.graphs.get(&index).filter(serves).cloned()
    }

    pub(super) fn answer(&self, expr: &str, wanted: Range, live: bool) -> Option<Arc<Answer>> {
        let serves = |a: &Arc<Answer>| Range { from: a.from, to: a.to, step: a.step }.serves(wanted, live);
        self.answer.clone().filter(|a| self.prometheus_answers() && a.expr == expr && serves(a))
    }

    /// Nobody looks at graphs or waits for an answer any more.
    pub(super) fn forget_screens(&mut self) {
        self.graphs.clear();
        self.answer = None;
    }

    /// A rule that the Prometheus evaluates too is shown as it says: it is the one that pages. What
    /// we know about the rule beyond that stays.
    pub(super) fn merge(
        &self,
        rules: &Rules,
        finder: &Finder<'_>,
        mut alerts: Vec<AlertView>,
        mut views: Vec<RuleView>,
        now: Timestamp,
    ) -> (Vec<AlertView>, Vec<RuleView>) {
        let rank = |severity: &str| rules.ranked(severity);
        if self.prometheus_answers() {
            let paging = match self.alertmanager.as_ref().map(|v| &v.state) {
                Some(RemoteState::Answering { .. }) => Paging::Told(finder),
                Some(RemoteState::NotAsked) => Paging::Silent("it was not asked yet"),
                Some(RemoteState::Silent { why, .. }) => Paging::Silent(why),
                None => Paging::NotNamed,
            };
            // Their places if all of them came after ours; those that are ours too move there.
            let first = views.len();
            let theirs = remote_views::rules(&self.rules, first, &rank);
            let their_alerts = remote_views::alerts(&self.rules, first, now, &rank, paging);
            let names: HashSet<&str> =
                theirs.iter().filter(|r| !r.recording).map(|r| r.name.as_str()).collect();
            alerts.retain(|a| !names.contains(a.name.as_str()));
            let mut moved: BTreeMap<RuleIndex, RuleIndex> = BTreeMap::new();
            for mut view in theirs {
                let place = views.iter().position(|r| {
                    r.origin == Origin::Local && r.name == view.name && r.recording == view.recording
                });
                let index = RuleIndex(place.unwrap_or(views.len()));
                moved.insert(view.index, index);
                view.index = index;
                match place.and_then(|i| views.get_mut(i)) {
                    Some(ours) => {
                        view.help = std::mem::take(&mut ours.help);
                        view.rows = std::mem::take(&mut ours.rows);
                        view.blind = std::mem::take(&mut ours.blind);
                        // What never matched here may well match there.
                        let active = matches!(view.state, RuleState::Pending | RuleState::Firing);
                        view.blind.retain(|b| !active || b.kind != BlindKind::NeverMatched);
                        *ours = view;
                    }
                    None => views.push(view),
                }
            }
            alerts.extend(
                their_alerts.into_iter().map(|alert| AlertView {
                    rule: alert.rule.and_then(|i| moved.get(&i).copied()),
                    ..alert
                }),
            );
        }
        if self.alertmanager_answers() {
            let others = remote_views::others(finder, &alerts, &rank);
            alerts.extend(others);
        }
        (alerts, views)
    }
}
