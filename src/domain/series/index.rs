//! Which series carry which labels: sorted lists of series by label name and value.

use super::{Labels, Matcher, Op};
use std::collections::{BTreeMap, HashMap};

/// What a label value costs in the index beside its text and its list: the map's slot, which is
/// used to 7/16 at worst, the text's pointer and the allocator's own.
const VALUE_COST: usize = 112;

/// Postings. A series is known by the number its owner gave it.
#[derive(Debug, Default)]
pub struct Index {
    names: BTreeMap<Box<str>, HashMap<Box<str>, Vec<u32>>>,
    /// Every series, for matchers that no list can serve.
    all: Vec<u32>,
    bytes: usize,
}

impl Index {
    /// Bytes in use, as nearly as the allocator lets one know.
    pub fn bytes(&self) -> usize {
        self.bytes + self.all.capacity() * 4
    }

    /// Bytes that [`Index::add`] would take at most.
    pub fn cost_of(&self, labels: &Labels) -> usize {
        let cost = |(name, value): (&str, &str)| {
            let values = self.names.get(name);
            let own = if values.is_some() { 0 } else { name.len() + VALUE_COST };
            own + match values.and_then(|v| v.get(value)) {
                Some(list) if list.len() < list.capacity() => 0,
                Some(list) => growth(list) * 4,
                None => value.len() + VALUE_COST + 4,
            }
        };
        let all = if self.all.len() < self.all.capacity() { 0 } else { growth(&self.all) * 4 };
        all + labels.iter().map(cost).sum::<usize>()
    }

    pub fn add(&mut self, id: u32, labels: &Labels) {
        for (name, value) in labels {
            if !self.names.contains_key(name) {
                self.names.insert(name.into(), HashMap::new());
                self.bytes += name.len() + VALUE_COST;
            }
            let Some(values) = self.names.get_mut(name) else { continue };
            if !values.contains_key(value) {
                values.insert(value.into(), Vec::new());
                self.bytes += value.len() + VALUE_COST;
            }
            let Some(list) = values.get_mut(value) else { continue };
            let before = list.capacity();
            put(list, id);
            self.bytes += (list.capacity() - before) * 4;
        }
        put(&mut self.all, id);
    }

    /// Takes many series out at once: each list they are in is gone through once.
    pub fn remove(&mut self, gone: &HashMap<u32, Labels>) {
        let mut touched: Vec<(&str, &str)> = gone.values().flat_map(Labels::iter).collect();
        touched.sort_unstable();
        touched.dedup();
        for (name, value) in touched {
            let Some(values) = self.names.get_mut(name) else { continue };
            let Some(list) = values.get_mut(value) else { continue };
            let before = list.capacity();
            list.retain(|id| !gone.contains_key(id));
            list.shrink_to(list.len() * 2);
            self.bytes -= (before - list.capacity()) * 4;
            if list.is_empty() {
                self.bytes -= list.capacity() * 4 + value.len() + VALUE_COST;
                values.remove(value);
            }
            if values.is_empty() {
                self.names.remove(name);
                self.bytes -= name.len() + VALUE_COST;
            }
        }
        self.all.retain(|id| !gone.contains_key(id));
    }

    /// Calls `visit` with every series that all matchers select, each once; `labels` tells the
    /// labels of a series.
    pub fn select<'a>(
        &self,
        matchers: &[Matcher],
        labels: impl Fn(u32) -> Option<&'a Labels>,
        mut visit: impl FnMut(u32),
    ) {
        let mut lists: Vec<&[u32]> = Vec::new();
        let mut unions: Vec<Vec<u32>> = Vec::new();
        let mut rest: Vec<&Matcher> = Vec::new();
        for matcher in matchers {
            match self.lookup(matcher) {
                Found::List(list) => lists.push(list),
                Found::Union(list) => unions.push(list),
                Found::Unindexed => rest.push(matcher),
            }
        }
        lists.extend(unions.iter().map(Vec::as_slice));
        lists.sort_by_key(|list| list.len());
        let (shortest, others) = match lists.split_first() {
            Some((shortest, others)) => (*shortest, others),
            None => (self.all.as_slice(), &[][..]),
        };
        // Each list is walked along with the shortest one.
        let mut others: Vec<&[u32]> = others.to_vec();
        for id in shortest {
            let everywhere = others.iter_mut().all(|list| {
                skip_to(list, *id);
                list.first() == Some(id)
            });
            if everywhere
                && (rest.is_empty() || labels(*id).is_some_and(|l| rest.iter().all(|m| m.selects(l))))
            {
                visit(*id);
            }
        }
    }

    fn lookup(&self, matcher: &Matcher) -> Found<'_> {
        // A series without the label is in no list.
        if matcher.matches("") || matches!(matcher.op(), Op::NoMatch) {
            return Found::Unindexed;
        }
        let values = self.names.get(matcher.name());
        match matcher.op() {
            Op::Equal => Found::List(values.and_then(|v| v.get(matcher.value())).map_or(&[], Vec::as_slice)),
            // `job!=""`: nearly always nearly all, which a look at each one's labels does as well.
            Op::NotEqual | Op::NoMatch => Found::Unindexed,
            Op::Match => {
                let Some(values) = values else { return Found::List(&[]) };
                // With as many values as series, the few that are left by other matchers are
                // cheaper to look at one by one.
                if values.len() > MANY_VALUES.max(self.all.len() / 16) {
                    return Found::Unindexed;
                }
                let chosen: Vec<&Vec<u32>> =
                    values.iter().filter(|(v, _)| matcher.matches(v)).map(|(_, l)| l).collect();
                match chosen.as_slice() {
                    [one] => Found::List(one),
                    many => {
                        let mut union: Vec<u32> = many.iter().flat_map(|l| l.iter().copied()).collect();
                        union.sort_unstable();
                        Found::Union(union)
                    }
                }
            }
        }
    }
}

/// Up to this many values of a label a regular expression is tried on each.
const MANY_VALUES: usize = 128;

enum Found<'a> {
    List(&'a [u32]),
    Union(Vec<u32>),
    Unindexed,
}

/// Drops what is below `id` from the front of a sorted list, in doubling steps.
fn skip_to(list: &mut &[u32], id: u32) {
    let mut step = 1;
    while list.get(step - 1).is_some_and(|at| *at < id) {
        *list = list.get(step..).unwrap_or(&[]);
        step *= 2;
    }
    // The step that went too far holds the place within it.
    let window = list.get(..step.min(list.len())).unwrap_or(list);
    *list = list.get(window.partition_point(|at| *at < id)..).unwrap_or(&[]);
}

/// By how much a full list grows.
fn growth(list: &[u32]) -> usize {
    (list.len() / 4).max(1)
}

/// Into a sorted list; nearly always at its end.
fn put(list: &mut Vec<u32>, id: u32) {
    // Most values have few series: growing by doubling from four is too much for them.
    if list.len() == list.capacity() {
        list.reserve_exact(growth(list));
    }
    if list.last().is_none_or(|last| *last < id) {
        list.push(id);
    } else if let Err(place) = list.binary_search(&id) {
        list.insert(place, id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn labels() -> impl Strategy<Value = Labels> {
        proptest::collection::vec(("[abc]", "|x|y|xy|z"), 0..4).prop_map(Labels::new)
    }

    fn matcher() -> impl Strategy<Value = Matcher> {
        let op = prop_oneof![Just(Op::Equal), Just(Op::NotEqual), Just(Op::Match), Just(Op::NoMatch)];
        ("[abcd]", op, prop_oneof![Just(""), Just("x"), Just("x|y"), Just("x.*"), Just(".+"), Just(".*")])
            .prop_map(|(name, op, value)| Matcher::new(name, op, value).unwrap())
    }

    proptest! {
        #[test]
        fn a_lookup_is_a_filter_over_all_series(
            series in proptest::collection::vec(labels(), 0..60),
            gone in proptest::collection::hash_set(0..60u32, 0..20),
            again in proptest::collection::vec((0..60u32, labels()), 0..5),
            lists in proptest::collection::vec(proptest::collection::vec(matcher(), 0..4), 1..8),
        ) {
            let mut index = Index::default();
            let mut naive: BTreeMap<u32, Labels> = BTreeMap::new();
            for (id, labels) in (0..).zip(&series) {
                index.add(id, labels);
                naive.insert(id, labels.clone());
            }
            let leaving: HashMap<u32, Labels> =
                gone.iter().filter_map(|id| Some((*id, naive.remove(id)?))).collect();
            index.remove(&leaving);
            // Numbers are given out again.
            for (id, labels) in again {
                if let std::collections::btree_map::Entry::Vacant(e) = naive.entry(id) {
                    index.add(id, &labels);
                    e.insert(labels);
                }
            }
            for matchers in &lists {
                let mut found = Vec::new();
                index.select(matchers, |id| naive.get(&id), |id| found.push(id));
                let expected: Vec<u32> = naive.iter()
                    .filter(|(_, l)| matchers.iter().all(|m| m.selects(l))).map(|(id, _)| *id).collect();
                prop_assert_eq!(found, expected, "{:?}", matchers);
            }
            let everything: HashMap<u32, Labels> = naive.into_iter().collect();
            index.remove(&everything);
            prop_assert!(index.names.is_empty() && index.bytes == 0, "{} bytes are left", index.bytes);
        }

        #[test]
        fn skipping_stops_at_the_first_that_is_not_less(list in proptest::collection::btree_set(0..500u32, 0..80), id in 0..500u32) {
            let list: Vec<u32> = list.into_iter().collect();
            let mut rest = list.as_slice();
            skip_to(&mut rest, id);
            prop_assert_eq!(rest, &list[list.partition_point(|x| *x < id)..]);
        }
    }
}
