//! What a Prometheus and an Alertmanager say of rules and alerts, and what that means for whether
//! somebody is paged.

use super::routing::Routing;
use super::view::{Blind, Paged, Phase};
use crate::domain::series::Labels;
use crate::domain::series::labels::NAME;
use jiff::Timestamp;
use std::collections::HashMap;
use std::time::Duration;

/// The label that holds an alert's name.
pub const ALERTNAME: &str = "alertname";

/// A rule that a Prometheus evaluates.
#[derive(Clone, Debug, PartialEq)]
pub struct RemoteRule {
    pub group: String,
    /// The file it is in, over there.
    pub file: String,
    /// The alert's or the recorded series' name.
    pub name: String,
    pub expr: String,
    pub kind: RemoteKind,
    pub labels: Labels,
    /// Why it cannot be evaluated, if it cannot.
    pub error: Option<String>,
    /// Whether it has been evaluated at all.
    pub evaluated: Option<Timestamp>,
    pub took: Duration,
    /// How often its group is evaluated.
    pub interval: Duration,
    /// What its text alone shows to be blind.
    pub blind: Vec<Blind>,
}

#[derive(Clone, Debug, PartialEq)]
pub enum RemoteKind {
    Recording,
    Alerting {
        hold: Duration,
        keep: Duration,
        annotations: Vec<(String, String)>,
        /// Pending and firing.
        alerts: Vec<RemoteAlert>,
    },
}

/// An alert of a Prometheus.
#[derive(Clone, Debug, PartialEq)]
pub struct RemoteAlert {
    pub labels: Labels,
    pub annotations: Vec<(String, String)>,
    /// `Keeping` where the server says that it only keeps firing.
    pub phase: Phase,
    /// Since when its condition holds.
    pub since: Timestamp,
    /// Since when its condition no longer holds, while `Keeping`.
    pub keeping: Option<Timestamp>,
    pub value: f64,
}

/// An alert as an Alertmanager has it.
#[derive(Clone, Debug, PartialEq)]
pub struct Sent {
    pub fingerprint: String,
    pub labels: Labels,
    pub annotations: Vec<(String, String)>,
    pub starts: Timestamp,
    /// When it is taken for over unless it is sent again.
    pub ends: Timestamp,
    pub updated: Timestamp,
    pub receivers: Vec<String>,
    pub state: SentState,
    /// Fingerprints of the alerts that inhibit it.
    pub inhibited_by: Vec<String>,
    /// Identities of silences.
    pub silenced_by: Vec<String>,
    /// Names of time intervals; from version 0.28 on.
    pub muted_by: Vec<String>,
    /// Where it comes from.
    pub source: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SentState {
    /// It has not been through the rules of inhibition and silence yet.
    Unprocessed,
    Active,
    Suppressed,
}

/// A silence of an Alertmanager.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Silence {
    pub id: String,
    pub matchers: Vec<crate::domain::series::Matcher>,
    /// Matchers that could not be understood here, as they are; such a silence is not judged by us.
    pub odd: Vec<String>,
    pub starts: Timestamp,
    pub ends: Timestamp,
    pub by: String,
    pub comment: String,
    pub state: SilenceState,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SilenceState {
    Pending,
    Active,
    Expired,
}

/// What an Alertmanager was last heard to say.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Told {
    pub alerts: Vec<Sent>,
    pub silences: Vec<Silence>,
    /// `None` where its configuration could not be understood.
    pub routing: Option<Routing>,
    /// What of its configuration could not be understood.
    pub odd: Vec<String>,
    pub version: String,
}

impl Sent {
    pub fn name(&self) -> &str {
        self.labels.get(ALERTNAME)
    }

    /// `HostDown{host="db1"}`.
    pub fn words(&self) -> String {
        words(&self.labels)
    }
}

/// An alert's name and labels as one would write a series: `HostDown{host="db1"}`.
pub fn words(labels: &Labels) -> String {
    labels.with(NAME, labels.get(ALERTNAME)).with(ALERTNAME, "").to_string()
}

impl Told {
    /// For finding many alerts by their labels.
    pub fn finder(&self) -> Finder<'_> {
        let mut holders: HashMap<(&str, &str), Vec<usize>> = HashMap::new();
        for (i, sent) in self.alerts.iter().enumerate() {
            for label in &sent.labels {
                holders.entry(label).or_default().push(i);
            }
        }
        Finder { told: self, holders }
    }

    /// Whether somebody is told of an alert that this Alertmanager has, and if not why not.
    pub fn paged(&self, sent: &Sent) -> Paged {
        if let Some(silence) = self.longest(&sent.silenced_by) {
            return Paged::Silenced {
                until: silence.ends,
                by: silence.by.clone(),
                comment: silence.comment.clone(),
            };
        }
        if let Some(id) = sent.silenced_by.first() {
            // Asked for a moment apart, the two lists may disagree.
            return Paged::Unknown { why: format!("silenced by {id}, which is gone by now") };
        }
        if !sent.inhibited_by.is_empty() {
            let by: Vec<String> = sent.inhibited_by.iter().map(|f| self.named(f)).collect();
            return Paged::Inhibited { by: by.join(", ") };
        }
        if !sent.muted_by.is_empty() {
            return Paged::Inhibited { by: format!("the time interval {}", sent.muted_by.join(", ")) };
        }
        self.sent_to(sent.receivers.clone())
    }

    /// Who would be told of an alert with these labels if it fired; `None` where the routing is
    /// not known.
    pub fn would_page(&self, labels: &Labels) -> Option<Paged> {
        Some(self.sent_to(self.routing.as_ref()?.receivers(labels)))
    }

    /// A receiver without any means of sending is a bin, as in `receiver: "null"`.
    fn sent_to(&self, receivers: Vec<String>) -> Paged {
        let sends = |name: &String| self.routing.as_ref().is_none_or(|r| r.sends(name));
        let receivers: Vec<String> = receivers.into_iter().filter(sends).collect();
        if receivers.is_empty() { Paged::Nowhere } else { Paged::Yes { receivers } }
    }

    fn longest(&self, ids: &[String]) -> Option<&Silence> {
        self.silences.iter().filter(|s| ids.contains(&s.id)).max_by_key(|s| s.ends)
    }

    fn named(&self, fingerprint: &str) -> String {
        let found = self.alerts.iter().find(|a| a.fingerprint == fingerprint);
        found.map_or_else(|| format!("an alert that is gone by now ({fingerprint})"), Sent::words)
    }
}

/// Finds alerts by labels, among many: a storm of alerts is looked at at every poll.
#[derive(Clone, Debug)]
pub struct Finder<'a> {
    told: &'a Told,
    /// Which alerts have a label with this value.
    holders: HashMap<(&'a str, &'a str), Vec<usize>>,
}

impl<'a> Finder<'a> {
    pub fn told(&self) -> &'a Told {
        self.told
    }

    /// The alert that somebody sent with these labels. A Prometheus adds its external labels when
    /// it sends, so the nearest alert that has all of ours is meant.
    pub fn find(&self, labels: &Labels) -> Option<&'a Sent> {
        let ours = || labels.iter().filter(|(n, _)| *n != NAME);
        let mut fewest: Option<&[usize]> = None;
        for label in ours() {
            let holders = self.holders.get(&label)?;
            if fewest.is_none_or(|f| holders.len() < f.len()) {
                fewest = Some(holders);
            }
        }
        let candidates = fewest?.iter().filter_map(|i| self.told.alerts.get(*i));
        let has_all = |sent: &&Sent| ours().all(|(name, value)| sent.labels.get(name) == value);
        candidates.filter(has_all).min_by_key(|sent| sent.labels.len())
    }

    /// Whether somebody is told of an alert of somebody else's with these labels.
    pub fn paged_of(&self, labels: &Labels) -> Paged {
        match self.find(labels) {
            Some(sent) => self.told.paged(sent),
            None => Paged::Unknown { why: "Alertmanager does not have this alert".to_owned() },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::alert::routing::{Receiver, Route};

    fn sent(fingerprint: &str, labels: &[(&str, &str)]) -> Sent {
        Sent {
            fingerprint: fingerprint.into(),
            labels: Labels::new(labels.iter().copied()),
            annotations: Vec::new(),
            starts: Timestamp::UNIX_EPOCH,
            ends: Timestamp::UNIX_EPOCH,
            updated: Timestamp::UNIX_EPOCH,
            receivers: vec!["ops".into()],
            state: SentState::Active,
            inhibited_by: Vec::new(),
            silenced_by: Vec::new(),
            muted_by: Vec::new(),
            source: String::new(),
        }
    }

    fn silence(id: &str, until: i64) -> Silence {
        Silence {
            id: id.into(),
            matchers: Vec::new(),
            odd: Vec::new(),
            starts: Timestamp::UNIX_EPOCH,
            ends: Timestamp::from_second(until).unwrap(),
            by: id.to_uppercase(),
            comment: "why".into(),
            state: SilenceState::Active,
        }
    }

    #[test]
    fn why_nobody_is_paged_is_said_in_the_order_in_which_a_person_can_change_it() {
        let cause = sent("f1", &[(ALERTNAME, "HostDown"), ("host", "db1")]);
        let told = Told {
            alerts: vec![cause.clone()],
            silences: vec![silence("a", 10), silence("b", 20)],
            ..Told::default()
        };
        let ids = |ids: &[&str]| ids.iter().map(|i| (*i).to_owned()).collect::<Vec<_>>();
        let at = Timestamp::UNIX_EPOCH;
        let table = [
            (
                Sent { silenced_by: ids(&["a", "b"]), inhibited_by: ids(&["f1"]), ..cause.clone() },
                "not paged: silenced for 20s more by B: why",
            ),
            (
                Sent { silenced_by: ids(&["gone"]), ..cause.clone() },
                "paged? silenced by gone, which is gone by now",
            ),
            (
                Sent { inhibited_by: ids(&["f1"]), ..cause.clone() },
                "not paged: inhibited by HostDown{host=\"db1\"}",
            ),
            (
                Sent { inhibited_by: ids(&["f2"]), ..cause.clone() },
                "not paged: inhibited by an alert that is gone by now (f2)",
            ),
            (
                Sent { muted_by: ids(&["nights"]), ..cause.clone() },
                "not paged: inhibited by the time interval nights",
            ),
            (cause, "paged: ops"),
        ];
        for (sent, words) in table {
            assert_eq!(told.paged(&sent).words(at), words);
        }
    }

    #[test]
    fn external_labels_do_not_hide_an_alert_and_a_bin_is_nowhere() {
        let mut other = sent("f2", &[(ALERTNAME, "Up"), ("job", "a"), ("cluster", "x"), ("zone", "z")]);
        other.receivers = vec!["bin".into()];
        let receiver = |name: &str, sends: &[&str]| Receiver {
            name: name.into(),
            sends: sends.iter().map(|s| (*s).into()).collect(),
        };
        let routing = Routing {
            root: Route { receiver: "bin".into(), ..Route::default() },
            receivers: vec![receiver("ops", &["webhook"]), receiver("bin", &[])],
            inhibitions: Vec::new(),
        };
        let told = Told {
            alerts: vec![other, sent("f1", &[(ALERTNAME, "Up"), ("job", "a"), ("cluster", "x")])],
            routing: Some(routing),
            ..Told::default()
        };
        let ours = Labels::new([(ALERTNAME, "Up"), ("job", "a")]);
        assert_eq!(told.finder().paged_of(&ours), Paged::Yes { receivers: vec!["ops".into()] });
        assert_eq!(told.finder().paged_of(&ours.with("zone", "z")), Paged::Nowhere);
        assert_eq!(told.would_page(&ours), Some(Paged::Nowhere));
        let unknown = told.finder().paged_of(&Labels::new([(ALERTNAME, "Other")]));
        assert_eq!(unknown, Paged::Unknown { why: "Alertmanager does not have this alert".into() });
    }
}
