//! The store against a plain map, and against its bounds.

use super::*;
use crate::domain::series::chunk::MAX_SAMPLES;
use crate::domain::series::labels::NAME;
use crate::domain::series::{Op, stale};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::time::Duration;

const ROOMY: Limits = Limits {
    max_series: 1000,
    max_bytes: 64 << 20,
    max_samples: 1 << 30,
    retention: Duration::from_secs(600),
};

fn labels(i: u64) -> Labels {
    let (name, instance) = (format!("m{}", i % 3), format!("h{i}"));
    Labels::new([(NAME, name.as_str()), ("instance", &instance)])
}

#[derive(Clone, Debug)]
enum Step {
    Append(u64, i64, f64),
    /// Many samples, to fill chunks.
    Run(u64, u16, i64, f64),
    Expire(i64),
    CutAfter(i64),
    Select(Vec<Matcher>, i64, i64),
}

fn value() -> impl Strategy<Value = f64> {
    prop_oneof![
        any::<f64>(),
        (-9..9i32).prop_map(f64::from),
        Just(stale()),
        Just(f64::NAN),
        Just(f64::INFINITY),
        Just(f64::NEG_INFINITY),
        Just(0.25)
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let matcher = (
        prop_oneof![Just(NAME), Just("instance"), Just("gone")],
        prop_oneof![Just(Op::Equal), Just(Op::NotEqual), Just(Op::Match), Just(Op::NoMatch)],
        prop_oneof![Just("m1"), Just("h2"), Just("m.*"), Just("h1|h3"), Just("")],
    )
        .prop_map(|(name, op, value)| Matcher::new(name, op, value).unwrap());
    prop_oneof![
        8 => (0..6u64, -20..20i64, value()).prop_map(|(i, ahead, v)| Step::Append(i, ahead * 1000, v)),
        4 => (0..6u64, 1..400u16, 1..20_000i64, value()).prop_map(|(i, n, step, v)| Step::Run(i, n, step, v)),
        1 => (-700..1400i64).prop_map(|s| Step::Expire(s * 1000)),
        1 => (-100..10i64).prop_map(|s| Step::CutAfter(s * 1000)),
        3 => (proptest::collection::vec(matcher, 0..3), -2000..100i64, -2000..100i64)
            .prop_map(|(m, a, b)| Step::Select(m, a * 1000, b * 1000)),
    ]
}

/// Samples by series, and the newest time of all.
#[derive(Default)]
struct Model {
    series: BTreeMap<Labels, Vec<Sample>>,
    now: i64,
}

impl Model {
    fn append(&mut self, labels: &Labels, sample: Sample) -> Appended {
        let samples = self.series.entry(labels.clone()).or_default();
        match samples.last() {
            Some(last) if *last == sample => Appended::Duplicate,
            Some(last) if last.t == sample.t => Appended::Conflict,
            Some(last) if last.t > sample.t => Appended::OutOfOrder,
            _ => {
                samples.push(sample);
                self.now = self.now.max(sample.t);
                Appended::Ok
            }
        }
    }

    fn select(&self, matchers: &[Matcher], from: i64, to: i64) -> BTreeMap<Labels, Vec<Sample>> {
        let chosen = self.series.iter().filter(|(l, _)| matchers.iter().all(|m| m.selects(l)));
        chosen
            .map(|(l, s)| {
                (l.clone(), s.iter().copied().filter(|s| (from..=to).contains(&s.t)).collect::<Vec<_>>())
            })
            .filter(|(_, s)| !s.is_empty())
            .collect()
    }
}

fn selected(store: &Store, matchers: &[Matcher], from: i64, to: i64) -> BTreeMap<Labels, Vec<Sample>> {
    let mut found = BTreeMap::new();
    store.select(matchers, from, to, &mut |labels, samples| {
        assert!(found.insert(labels.clone(), samples.to_vec()).is_none(), "{labels} is shown twice");
    });
    let mut last = BTreeMap::new();
    store.select_last(matchers, from, to, &mut |labels, sample| {
        last.insert(labels.clone(), sample);
    });
    let expected = found.iter().map(|(l, s)| (l.clone(), s[s.len() - 1])).collect();
    assert_eq!(last, expected, "the last samples are the last of the samples");
    found
}

/// After dropping, the store may hold a little more than the model: what shares a chunk with what
/// stays. The model takes that over after it was checked.
fn expire(store: &mut Store, model: &mut Model, at: i64) {
    let oldest = at - 600_000;
    store.expire(at);
    let held = selected(store, &[], i64::MIN, i64::MAX);
    for (labels, samples) in &mut model.series {
        let kept = held.get(labels).map_or(&[][..], Vec::as_slice);
        assert!(samples.ends_with(kept), "only the oldest go");
        let needed = samples.iter().filter(|s| s.t >= oldest).count();
        assert!(kept.len() >= needed, "nothing goes before its time");
        assert!(needed > 0 || kept.is_empty(), "what is all too old goes");
        let spare = kept.iter().filter(|s| s.t < oldest).count();
        assert!(spare < usize::from(MAX_SAMPLES), "{spare} samples outlive their time");
        *samples = kept.to_vec();
    }
    model.series.retain(|_, s| !s.is_empty());
    assert_eq!(store.stats().series, model.series.len());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 192, ..ProptestConfig::default() })]
    #[test]
    fn the_store_is_a_map_of_lists(steps in proptest::collection::vec(step(), 1..40)) {
        let (mut store, mut model) = (Store::new(ROOMY), Model { now: 1_760_000_000_000, ..Model::default() });
        for step in steps {
            match step {
                Step::Append(i, ahead, v) => {
                    let sample = Sample { t: model.now + ahead, v };
                    let expected = model.append(&labels(i), sample);
                    prop_assert_eq!(store.append_labels(&labels(i), sample.t, v), expected);
                }
                Step::Run(i, n, step, v) => {
                    for k in 0..i64::from(n) {
                        let sample = Sample { t: model.now + step, v: v + k as f64 };
                        let expected = model.append(&labels(i), sample);
                        prop_assert_eq!(store.append_labels(&labels(i), sample.t, sample.v), expected);
                    }
                }
                Step::Expire(ahead) => {
                    let at = model.now + ahead;
                    expire(&mut store, &mut model, at);
                }
                Step::CutAfter(back) => {
                    let t = model.now + back;
                    store.cut_after(t);
                    model.series.values_mut().for_each(|s| s.retain(|s| s.t <= t));
                    model.series.retain(|_, s| !s.is_empty());
                    model.now = model.now.min(t);
                }
                Step::Select(matchers, from, to) => {
                    let (from, to) = (model.now + from, model.now + to);
                    prop_assert_eq!(selected(&store, &matchers, from, to), model.select(&matchers, from, to));
                }
            }
            let stats = store.stats();
            prop_assert_eq!(stats.samples, model.series.values().map(|s| s.len() as u64).sum::<u64>());
        }
        prop_assert_eq!(selected(&store, &[], i64::MIN, i64::MAX), model.select(&[], i64::MIN, i64::MAX));
        store.cut_after(i64::MIN);
        let stats = store.stats();
        prop_assert_eq!((stats.series, stats.samples, store.held), (0, 0, 0), "what is counted adds up");
    }
}

#[test]
fn a_full_store_drops_the_oldest_of_all_series_first() {
    let limits = Limits { max_bytes: 200_000, ..ROOMY };
    let mut store = Store::new(limits);
    let mut random = 7u64;
    for k in 0..2_000 {
        for i in 0..20 {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            assert_eq!(store.append_labels(&labels(i), k * 1000, f64::from_bits(random >> 2)), Appended::Ok);
            assert!(store.stats().bytes <= limits.max_bytes + 4096, "{} bytes", store.stats().bytes);
        }
    }
    let stats = store.stats();
    assert!(stats.dropped.evicted > 0 && stats.dropped.samples_refused == 0, "{stats:?}");
    assert_eq!(stats.samples + stats.dropped.evicted, 40_000);
    let all = selected(&store, &[], i64::MIN, i64::MAX);
    let starts: Vec<i64> = all.values().map(|s| s[0].t).collect();
    assert_eq!(all.len(), 20);
    assert!(starts.iter().max().unwrap() - starts.iter().min().unwrap() <= 130_000, "{starts:?}");
}

#[test]
fn what_cannot_be_made_room_for_is_refused_and_counted() {
    let mut store = Store::new(Limits { max_series: 2, ..ROOMY });
    assert!(store.intern(&labels(0)).is_some() && store.intern(&labels(1)).is_some());
    assert_eq!(store.append_labels(&labels(2), 0, 1.0), Appended::Full);
    assert_eq!(store.stats().dropped.series_refused, 1);

    let mut store = Store::new(Limits { max_samples: 50, ..ROOMY });
    let id = store.intern(&labels(0)).unwrap();
    let what: Vec<Appended> = (0..60).map(|t| store.append(id, t, 1.0)).collect();
    assert_eq!(what.iter().filter(|a| **a == Appended::Full).count(), 10, "an open chunk is not dropped");
    assert_eq!((store.stats().samples, store.stats().dropped.by_bounds()), (50, 10));

    let mut store = Store::new(Limits { max_bytes: 50_000, ..ROOMY });
    let made = (0..1000).filter(|i| store.intern(&labels(*i)).is_some()).count();
    assert!((20..400).contains(&made) && store.stats().bytes <= 50_000, "{made} series");
}

#[test]
fn where_memory_is_short_samples_are_compressed_before_any_is_refused() {
    const SERIES: u64 = 200;
    let fill = |max_bytes: usize, samples: i64| {
        let mut store = Store::new(Limits { max_bytes, ..ROOMY });
        for (k, i) in (0..samples).flat_map(|k| (0..SERIES).map(move |i| (k, i))) {
            let appended = store.append_labels(&labels(i), k * 5000, (k % 7) as f64);
            assert_eq!(appended, Appended::Ok, "sample {k} of series {i}");
            assert!(store.stats().bytes <= max_bytes + 4096, "{} bytes", store.stats().bytes);
        }
        store
    };
    let roomy = fill(64 << 20, 100);
    assert!(!roomy.tight);
    let enough = roomy.stats().bytes * 2 / 3;
    let mut short = fill(enough, 100);
    assert!(short.tight && short.stats().dropped == Dropped::default(), "{:?}", short.stats());
    assert_eq!(selected(&short, &[], 0, i64::MAX), selected(&roomy, &[], 0, i64::MAX));
    short.set_limits(ROOMY);
    assert!(!short.tight);
    // What is old goes first, and then there is no hurry any more.
    let long = fill(roomy.stats().bytes * 3 / 2, 1500);
    assert!(!long.tight && long.stats().dropped.evicted > 0, "{:?}", long.stats());
}

#[test]
fn the_newest_samples_are_at_hand_however_far_apart_they_are() {
    // Within a chunk, beyond what the tail's differences reach, and over the whole of time.
    for step in [1, 5_000, 15_000, 60_000, i64::from(u32::MAX) / 3, i64::from(u32::MAX) + 1, i64::MAX / 90] {
        let mut store = Store::new(Limits { retention: Duration::MAX, ..ROOMY });
        let start = if step > 1 << 40 { i64::MIN } else { -7 };
        let all: Vec<Sample> = (0..170i64)
            .map(|n| Sample { t: start.wrapping_add(n.wrapping_mul(step)), v: (n * n) as f64 / 8.0 })
            .collect();
        for (n, s) in all.iter().enumerate() {
            assert_eq!(store.append_labels(&labels(1), s.t, s.v), Appended::Ok);
            let back = n.saturating_sub(20);
            let found = selected(&store, &[], all[back].t, s.t);
            assert_eq!(found[&labels(1)], all[back..=n], "{step} ms apart");
        }
        assert_eq!(selected(&store, &[], i64::MIN, i64::MAX)[&labels(1)], all);
    }
}

#[test]
fn a_series_that_expired_is_gone_and_its_number_is_not_taken_for_another() {
    let mut store = Store::new(ROOMY);
    let old = store.intern(&labels(0)).unwrap();
    assert_eq!(store.append(old, 0, 1.0), Appended::Ok);
    store.expire(10_000_000);
    let new = store.intern(&labels(1)).unwrap();
    assert_ne!(old, new);
    assert_eq!((store.append(old, 1, 1.0), store.append(new, 1, 1.0)), (Appended::Gone, Appended::Ok));
    assert_eq!((store.labels(old), store.labels(new)), (None, Some(&labels(1))));
}

#[test]
fn a_clock_that_was_ahead_and_is_set_back_stops_nothing() {
    let mut store = Store::new(ROOMY);
    let id = store.intern(&labels(0)).unwrap();
    for t in (0..200).chain(3_600_000..3_600_200) {
        assert_eq!(store.append(id, t, 1.0), Appended::Ok);
    }
    assert_eq!(store.append(id, 200, 1.0), Appended::OutOfOrder);
    store.cut_after(199);
    assert_eq!((store.append(id, 200, 1.0), store.stats().dropped.taken_back), (Appended::Ok, 200));
}
