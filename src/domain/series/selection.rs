//! Which series are worth keeping: those that some expression selects.

use super::labels::NAME;
use super::{Labels, Matcher, Op};
use std::collections::BTreeMap;

/// The lists of matchers of all expressions: a series is wanted when all matchers of one list
/// select it. Two selections are equal when they hold the same lists, in whatever order they came,
/// which is how what was decided by one is known to hold still.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    /// Lists that ask for one name, by that name.
    named: BTreeMap<String, Vec<Vec<Matcher>>>,
    /// The others. An empty list wants everything.
    others: Vec<Vec<Matcher>>,
}

impl Selection {
    /// Of these lists; none of them wants nothing.
    pub fn new(lists: impl IntoIterator<Item = Vec<Matcher>>) -> Self {
        let mut all = Selection::default();
        lists.into_iter().for_each(|list| all.add(list));
        all
    }

    /// Every series there is.
    pub fn everything() -> Self {
        Selection::new([vec![]])
    }

    /// What either wants.
    #[must_use]
    pub fn merged(mut self, other: &Selection) -> Self {
        for list in other.named.values().flatten().chain(&other.others) {
            self.add(list.clone());
        }
        self
    }

    fn add(&mut self, mut list: Vec<Matcher>) {
        list.sort_by(|a, b| key(a).cmp(&key(b)));
        list.dedup();
        let name = list.iter().find(|m| m.op() == Op::Equal && m.name() == NAME && !m.value().is_empty());
        let lists = match name {
            Some(name) => self.named.entry(name.value().to_owned()).or_default(),
            None => &mut self.others,
        };
        let order = |a: &Vec<Matcher>, b: &Vec<Matcher>| a.iter().map(key).cmp(b.iter().map(key));
        if let Err(place) = lists.binary_search_by(|other| order(other, &list)) {
            lists.insert(place, list);
        }
    }

    pub fn is_empty(&self) -> bool {
        self.named.is_empty() && self.others.is_empty()
    }

    /// Whether a series is wanted.
    pub fn wants(&self, labels: &Labels) -> bool {
        self.of_name(labels.name()).wants(labels)
    }

    /// What is asked of the series with this name.
    pub fn of_name(&self, name: &str) -> OfName<'_> {
        let own = self.named.get(name).map_or(&[][..], Vec::as_slice);
        let lists: Vec<&[Matcher]> = own
            .iter()
            .chain(&self.others)
            .filter(|list| list.iter().all(|m| m.name() != NAME || m.matches(name)))
            .map(Vec::as_slice)
            .collect();
        OfName(lists)
    }
}

/// What a [`Selection`] asks of the series with one name.
#[derive(Clone, Debug)]
pub struct OfName<'a>(Vec<&'a [Matcher]>);

impl OfName<'_> {
    /// No series with this name is wanted, whatever its labels.
    pub fn is_never(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether a series, which must have this name, is wanted.
    pub fn wants(&self, labels: &Labels) -> bool {
        self.wants_where(|m| m.selects(labels))
    }

    /// Whether all matchers of one list hold, where `holds` is asked about all but those of names.
    pub fn wants_where(&self, holds: impl Fn(&Matcher) -> bool) -> bool {
        self.0.iter().any(|list| list.iter().all(|m| m.name() == NAME || holds(m)))
    }
}

fn key(m: &Matcher) -> (&str, Op, &str) {
    (m.name(), m.op(), m.value())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn matcher() -> impl Strategy<Value = Matcher> {
        let op = prop_oneof![Just(Op::Equal), Just(Op::NotEqual), Just(Op::Match), Just(Op::NoMatch)];
        let value = prop_oneof![Just(""), Just("a"), Just("b"), Just("a|b"), Just(".*"), Just(".+")];
        (prop_oneof![Just(NAME), Just("job")], op, value)
            .prop_map(|(name, op, value)| Matcher::new(name, op, value).unwrap())
    }

    fn lists() -> impl Strategy<Value = Vec<Vec<Matcher>>> {
        proptest::collection::vec(proptest::collection::vec(matcher(), 0..4), 0..5)
    }

    proptest! {
        #[test]
        fn wanted_is_what_all_matchers_of_one_list_select(
            (first, second) in (lists(), lists()), name in "|a|b|c", job in "|a|b|c",
        ) {
            let labels = Labels::new([(NAME, name.as_str()), ("job", job.as_str())]);
            let naive = |lists: &[Vec<Matcher>]| lists.iter().any(|l| l.iter().all(|m| m.selects(&labels)));
            let (one, other) = (Selection::new(first.clone()), Selection::new(second.clone()));
            prop_assert_eq!(one.wants(&labels), naive(&first));
            prop_assert_eq!(one.of_name(&name).wants(&labels), naive(&first));
            let both: Vec<_> = first.into_iter().chain(second).collect();
            let merged = one.merged(&other);
            prop_assert_eq!(merged.wants(&labels), naive(&both));
            let twice = both.iter().rev().chain(&both).cloned();
            prop_assert_eq!(merged, Selection::new(twice));
        }
    }

    #[test]
    fn everything_and_nothing() {
        let labels = Labels::new([(NAME, "up")]);
        assert!(Selection::everything().wants(&labels) && Selection::everything().wants(&Labels::empty()));
        assert!(!Selection::default().wants(&labels) && Selection::default().is_empty());
        let rates = Selection::new([vec![Matcher::equal(NAME, "rate")]]);
        assert!(rates.of_name("up").is_never() && !rates.of_name("rate").is_never());
    }
}
