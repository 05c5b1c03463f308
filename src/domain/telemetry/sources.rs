//! The targets: how each is, which series came from it, and so which rules go blind without it.

use crate::clock::Now;
use crate::domain::alert::rule::Rule;
use crate::domain::board::{Families, TargetIndex, TargetView};
use crate::domain::series::labels::NAME;
use crate::domain::series::{Labels, Matcher, Millis, Op, is_stale};
use jiff::Timestamp;
use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;
use std::time::Duration;

/// Names of series remembered for each target; beyond it a rule's staleness may go unsaid.
const MAX_NAMES: usize = 20_000;

/// A target as the stack file has it.
#[derive(Clone, Debug)]
pub struct Target {
    pub id: String,
    pub host: String,
    pub url: String,
}

/// What one look at a target gave.
#[derive(Clone, Debug)]
pub struct Scraped {
    pub target: TargetIndex,
    pub at: Now,
    pub samples: Vec<(Labels, Millis, f64)>,
    pub up: bool,
    pub reason: String,
    pub took: Duration,
    pub seen: usize,
    pub kept: usize,
    /// All families, when somebody looks at them.
    pub families: Option<Arc<Families>>,
}

/// A list that boards share.
type Shared = Arc<Vec<String>>;

/// What may be typed in an expression: names that were seen.
#[derive(Debug, Default)]
struct Words {
    series: BTreeSet<String>,
    labels: BTreeSet<String>,
    shared: Option<(Shared, Shared)>,
}

impl Words {
    fn add(set: &mut BTreeSet<String>, word: &str) -> bool {
        let new = set.len() < MAX_NAMES && !set.contains(word);
        new && set.insert(word.to_owned())
    }

    fn learn(&mut self, labels: &Labels) {
        let mut new = Self::add(&mut self.series, labels.name());
        for (name, _) in labels.iter().filter(|(n, _)| *n != NAME) {
            new |= Self::add(&mut self.labels, name);
        }
        if new {
            self.shared = None;
        }
    }
}

/// All targets.
pub(super) struct Sources {
    list: Vec<One>,
    /// Names of series and of labels, for completion.
    words: Words,
    explored: Option<TargetIndex>,
    families: Option<Arc<Families>>,
    /// The names that each rule asks for.
    asked: Vec<Vec<String>>,
}

struct One {
    view: TargetView,
    names: HashSet<String>,
    /// What still comes of a target that gives nothing, such as `up`.
    still: HashSet<String>,
    /// Since when it gives nothing, after it once did.
    gone: Option<Timestamp>,
}

impl Sources {
    pub fn new<'a>(targets: Vec<Target>, rules: impl Iterator<Item = &'a Rule>) -> Self {
        let one = |(i, t): (usize, Target)| One {
            view: TargetView {
                index: TargetIndex(i),
                id: t.id,
                host: t.host,
                url: t.url,
                up: None,
                reason: "not looked at yet".to_owned(),
                at: None,
                took: Duration::ZERO,
                seen: 0,
                kept: 0,
            },
            names: HashSet::new(),
            still: HashSet::new(),
            gone: None,
        };
        let list = targets.into_iter().enumerate().map(one).collect();
        let asked = rules.map(names_of).collect();
        Sources { list, words: Words::default(), explored: None, families: None, asked }
    }

    pub fn views(&self) -> Vec<TargetView> {
        self.list.iter().map(|o| o.view.clone()).collect()
    }

    /// Names of series and of labels that were seen, ascending.
    pub fn words(&mut self) -> (Shared, Shared) {
        let words = &mut self.words;
        let share = || {
            let list = |set: &BTreeSet<String>| Arc::new(set.iter().cloned().collect());
            (list(&words.series), list(&words.labels))
        };
        words.shared.get_or_insert_with(share).clone()
    }

    /// Learns from samples that come from no target.
    pub fn learn(&mut self, labels: &Labels) {
        self.words.learn(labels);
    }

    pub fn families(&self) -> Option<Arc<Families>> {
        self.families.clone()
    }

    pub fn explore(&mut self, target: Option<TargetIndex>) {
        if self.explored != target {
            self.families = None;
        }
        self.explored = target;
    }

    pub fn explored(&self) -> Option<TargetIndex> {
        self.explored
    }

    pub fn is_up(&self, target: TargetIndex) -> Option<bool> {
        self.list.get(target.0)?.view.up
    }

    pub fn all_looked_at(&self) -> bool {
        self.list.iter().all(|o| o.view.up.is_some())
    }

    pub fn take(&mut self, scraped: &Scraped) {
        let Some(one) = self.list.get_mut(scraped.target.0) else { return };
        let view = &mut one.view;
        view.up = Some(scraped.up);
        view.reason.clone_from(&scraped.reason);
        view.at = Some(scraped.at);
        (view.took, view.seen, view.kept) = (scraped.took, scraped.seen, scraped.kept);
        if scraped.up {
            one.gone = None;
            for (labels, _, v) in &scraped.samples {
                let name = labels.name();
                if !is_stale(*v) && one.names.len() < MAX_NAMES && !one.names.contains(name) {
                    one.names.insert(name.to_owned());
                }
            }
        } else {
            one.gone = one.gone.or(Some(scraped.at.wall));
            let alive = scraped.samples.iter().filter(|(_, _, v)| !is_stale(*v));
            one.still = alive.map(|(labels, ..)| labels.name().to_owned()).collect();
        }
        if self.explored == Some(scraped.target) && scraped.families.is_some() {
            for family in scraped.families.iter().flat_map(|f| &f.list) {
                if Words::add(&mut self.words.series, &family.name) {
                    self.words.shared = None;
                }
            }
            self.families.clone_from(&scraped.families);
        }
    }

    /// Since when all that a rule looks at has stopped coming, and what that is: some selector's
    /// series came only from targets that now give nothing.
    pub fn stale(&self, rule: usize) -> Option<(Timestamp, String)> {
        self.asked.get(rule)?.iter().find_map(|name| {
            let givers: Vec<&One> = self.list.iter().filter(|o| o.names.contains(name)).collect();
            let gone = |o: &&One| o.gone.filter(|_| !o.still.contains(name));
            let since = givers.iter().map(gone).collect::<Option<Vec<_>>>()?.into_iter().max()?;
            let ids: Vec<&str> = givers.iter().map(|o| o.view.id.as_str()).collect();
            Some((since, ids.join(", ")))
        })
    }
}

/// The names of the series that a rule asks for, as far as it names them.
fn names_of(rule: &Rule) -> Vec<String> {
    let name = |m: &Matcher| m.name() == NAME && m.op() == Op::Equal;
    let selectors = rule.expr.selectors();
    selectors.iter().filter_map(|s| Some(s.matchers.iter().find(|m| name(m))?.value().to_owned())).collect()
}
