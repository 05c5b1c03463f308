//! When a series has ended: one that a scrape no longer shows gets Prometheus' marker, once.

use crate::domain::series::{Labels, Millis, stale};
use std::collections::HashSet;

/// How far ahead of the scrape a page's own timestamp may be, in milliseconds; Prometheus refuses
/// samples beyond the same ten minutes.
pub const MAX_AHEAD: Millis = 600_000;

/// A sample of a scrape; without a time of its own it has the scrape's.
#[derive(Clone, Debug, PartialEq)]
pub struct Found {
    pub labels: Labels,
    pub t: Option<Millis>,
    pub v: f64,
}

/// A sample for the store. The value's bits count: one of them is the stale marker.
pub type Taken = (Labels, Millis, f64);

/// The series that the scrape before showed. As many as a scrape may show at most.
#[derive(Debug, Default)]
pub struct Tracker {
    known: HashSet<Labels>,
}

impl Tracker {
    /// Takes all samples of a scrape that began at `at`; what it no longer shows gets a marker.
    /// Series with timestamps of their own never get one, since their pages say when they were
    /// last seen. A `quiet` series has no new sample and has not ended. Gives how many samples lie too far ahead and were left out.
    pub fn take(&mut self, found: Vec<Found>, quiet: Vec<Labels>, at: Millis, out: &mut Vec<Taken>) -> usize {
        let mut shown: HashSet<Labels> =
            found.iter().filter(|f| f.t.is_none()).map(|f| f.labels.clone()).collect();
        shown.extend(quiet.into_iter().filter(|labels| self.known.contains(labels)));
        let ahead = dated(found, at, out);
        ended(self.known.difference(&shown).cloned(), at, out);
        self.known = shown;
        ahead
    }
}

/// Gives samples without a time that of the scrape; leaves out those that lie too far ahead, and
/// tells how many.
pub fn dated(found: Vec<Found>, at: Millis, out: &mut Vec<Taken>) -> usize {
    let limit = at.saturating_add(MAX_AHEAD);
    let all = found.len();
    let before = out.len();
    let dated = found.into_iter().map(|f| (f.labels, f.t.unwrap_or(at), f.v));
    out.extend(dated.filter(|(_, t, _)| *t <= limit));
    all - (out.len() - before)
}

/// Markers for series that have ended.
pub fn ended(gone: impl IntoIterator<Item = Labels>, at: Millis, out: &mut Vec<Taken>) {
    out.extend(gone.into_iter().map(|labels| (labels, at, stale())));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::series::is_stale;

    fn series(name: &str) -> Labels {
        Labels::new([("__name__", name)])
    }

    /// Runs scrapes, each written as `a b@5` (a time of its own), and shows what is stored, `!`
    /// for a marker.
    fn stored(scrapes: &[&str]) -> Vec<String> {
        let mut tracker = Tracker::default();
        let mut all = Vec::new();
        for (at, scrape) in (0..).step_by(10).zip(scrapes) {
            let found = scrape.split_whitespace().map(|word| match word.split_once('@') {
                Some((name, t)) => Found { labels: series(name), t: Some(t.parse().unwrap()), v: 1.0 },
                None => Found { labels: series(word), t: None, v: 1.0 },
            });
            let mut out = Vec::new();
            tracker.take(found.collect(), Vec::new(), at, &mut out);
            let mut shown: Vec<_> = out
                .iter()
                .map(|(l, t, v)| format!("{l}{}{t}", if is_stale(*v) { "!" } else { "@" }))
                .collect();
            shown.sort();
            all.push(shown.join(" "));
        }
        all
    }

    #[test]
    fn what_a_scrape_no_longer_shows_ends_once() {
        let table: &[(&[&str], &[&str])] = &[
            (&["a b", "a", "a", "a b"], &["a@0 b@0", "a@10 b!10", "a@20", "a@30 b@30"]),
            (&["a b", "", ""], &["a@0 b@0", "a!10 b!10", ""]),
            // With timestamps of its own a series never ends by a marker …
            (&["a@3", "", "a"], &["a@3", "", "a@20"]),
            // … and one that begins to have them ends as the one it was.
            (&["a", "a@3"], &["a@0", "a!10 a@3"]),
            (&["a@600000 b@600001"], &["a@600000"]),
        ];
        for (scrapes, want) in table {
            assert_eq!(stored(scrapes), *want, "{scrapes:?}");
        }
    }
}
