//! What is told about rules and alerts: to the screens, to `alerts`, to whoever asks why no page came.

use crate::domain::series::Labels;
use jiff::Timestamp;
use std::time::Duration;

/// A rule, by its place among all rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RuleIndex(pub usize);

/// Where an alert or a rule is evaluated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Origin {
    /// Here, over what was scraped here.
    Local,
    Prometheus,
    /// Sent to Alertmanager by somebody else.
    Alertmanager,
}

/// How far an alert is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Phase {
    /// The condition holds, not yet for long enough.
    Pending,
    Firing,
    /// The condition no longer holds; `keep_firing_for` keeps it up.
    Keeping,
}

/// Whether a person is told of an alert, and if not why not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Paged {
    /// It is sent to these receivers.
    Yes {
        receivers: Vec<String>,
    },
    /// It fires, and nothing here or configured would send it anywhere.
    Nowhere,
    Pending {
        held: Duration,
        needs: Duration,
    },
    /// Another alert's firing suppresses it.
    Inhibited {
        by: String,
    },
    Silenced {
        until: Timestamp,
        by: String,
        comment: String,
    },
    /// What it is computed from is no longer fresh.
    SourceStale {
        since: Timestamp,
        what: String,
    },
    /// It cannot be known: Alertmanager does not answer, say.
    Unknown {
        why: String,
    },
}

/// One alert: a rule and one set of labels.
#[derive(Clone, Debug, PartialEq)]
pub struct AlertView {
    /// `None` for what only Alertmanager knows.
    pub rule: Option<RuleIndex>,
    pub name: String,
    /// In the stack's own words, such as `critical`, `SEV-1`, `P0`.
    pub severity: String,
    /// The severity's rank: 0 is the most severe; unknown severities come last.
    pub rank: u8,
    pub labels: Labels,
    /// Already filled in.
    pub annotations: Vec<(String, String)>,
    pub value: f64,
    pub phase: Phase,
    /// Since when the condition holds.
    pub since: Timestamp,
    /// Since when it fires.
    pub fired: Option<Timestamp>,
    /// What `keep_firing_for` still holds, while `Keeping`.
    pub keep_left: Option<Duration>,
    /// When it must have been acknowledged, where the severity says so and it fires.
    pub acknowledge_by: Option<Timestamp>,
    pub paged: Paged,
    pub origin: Origin,
    /// What should be known about `since`: that the program was not running for a part of it.
    pub caveat: Option<String>,
}

/// A reason why a rule cannot do what it is there for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Blind {
    pub kind: BlindKind,
    /// What is wrong, in one line.
    pub what: String,
    /// What would mend it.
    pub remedy: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum BlindKind {
    /// A selector has never matched a series.
    NeverMatched,
    /// The two sides of a join can share no labels.
    JoinsNothing,
    /// A guard against division by zero hides low traffic.
    GuardHides,
    /// An inhibition suppresses what this rule should page.
    InhibitionHides,
}

/// What a rule says at the moment.
#[derive(Clone, Debug, PartialEq)]
pub enum RuleState {
    /// Not evaluated yet.
    Waiting,
    /// The reason is in words: `0.3 is not > 5`, `no series matches …`.
    Inactive {
        because: String,
    },
    Pending,
    Firing,
    /// A recording rule that gave this many series.
    Recorded {
        series: Option<usize>,
    },
    /// It cannot be evaluated.
    Error {
        why: String,
    },
    /// What it looks at has stopped coming.
    Stale {
        since: Timestamp,
        what: String,
    },
}

/// One rule.
#[derive(Clone, Debug, PartialEq)]
pub struct RuleView {
    pub index: RuleIndex,
    /// The alert's or the recorded series' name.
    pub name: String,
    pub group: String,
    pub recording: bool,
    pub expr: String,
    pub hold: Duration,
    pub keep: Duration,
    pub severity: String,
    pub rank: u8,
    pub state: RuleState,
    pub blind: Vec<Blind>,
    pub help: String,
    /// Rows of the runbook, such as `P-05`.
    pub rows: Vec<String>,
    pub origin: Origin,
    pub evaluated: Option<Timestamp>,
    pub took: Duration,
}

impl Paged {
    /// In words: what stands behind "why am I not paged?".
    pub fn words(&self, now: Timestamp) -> String {
        use crate::domain::units::short_age;
        let span = |from: Timestamp, to: Timestamp| {
            Duration::try_from(to.duration_since(from)).map_or_else(|_| "0s".to_owned(), short_age)
        };
        match self {
            Paged::Yes { receivers } if receivers.is_empty() => "paged".to_owned(),
            Paged::Yes { receivers } => format!("paged: {}", receivers.join(", ")),
            Paged::Nowhere => "not paged: nothing is configured to send it".to_owned(),
            Paged::Pending { held, needs } => {
                format!("not paged: pending {} of {}", short_age(*held), short_age(*needs))
            }
            Paged::Inhibited { by } => format!("not paged: inhibited by {by}"),
            Paged::Silenced { until, by, comment } => {
                let by = if by.is_empty() { String::new() } else { format!(" by {by}") };
                let comment = if comment.is_empty() { String::new() } else { format!(": {comment}") };
                format!("not paged: silenced for {} more{by}{comment}", span(now, *until))
            }
            Paged::SourceStale { since, what } => {
                format!("not paged: {what} stale for {}", span(*since, now))
            }
            Paged::Unknown { why } => format!("paged? {why}"),
        }
    }
}
