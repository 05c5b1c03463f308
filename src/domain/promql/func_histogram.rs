//! `histogram_quantile` over classic buckets.

use super::EvalError;
use super::grid::Grid;

const BUCKET: &str = "le";

#[derive(Clone, Copy)]
struct Bucket {
    upper: f64,
    count: f64,
}

/// The quantile of each histogram, which is the rows that differ only in `le`.
pub(super) fn quantile(q: &[f64], grid: &Grid) -> Result<Grid, EvalError> {
    let mut rows = Grid::new(grid.width);
    rows.nameless = grid.nameless;
    let mut uppers = Vec::new();
    for (labels, values) in grid.rows() {
        if let Some(upper) = bound(labels.get(BUCKET)) {
            uppers.push(upper);
            let row = rows.add(labels.clone());
            rows.row_mut(row).copy_from_slice(values);
        }
    }
    // Metrics of different names are different histograms, although the result has no name.
    let groups = rows.groups_with_name(&[BUCKET]);
    let mut out = Grid::new(grid.width);
    for row in &groups.first {
        out.add(rows.labels_of(*row).filtered(|n| n != BUCKET));
    }
    let mut buckets: Vec<Vec<Bucket>> = vec![Vec::new(); groups.count()];
    for (step, q) in q.iter().enumerate() {
        buckets.iter_mut().for_each(Vec::clear);
        for (row, (group, upper)) in groups.of_row.iter().zip(&uppers).enumerate() {
            if let (Some(count), Some(held)) = (rows.value(row, step), buckets.get_mut(*group as usize)) {
                held.push(Bucket { upper: *upper, count });
            }
        }
        for (group, held) in buckets.iter_mut().enumerate().filter(|(_, held)| !held.is_empty()) {
            if let Some(slot) = out.row_mut(group).get_mut(step) {
                *slot = of_buckets(*q, held);
            }
        }
    }
    out.drop_name(false)
}

/// A bucket's bound as its label says; what is too large for a number is none.
fn bound(text: &str) -> Option<f64> {
    let v: f64 = text.parse().ok()?;
    (v.is_finite() || !text.contains(|c: char| c.is_ascii_digit())).then_some(v)
}

fn of_buckets(q: f64, buckets: &mut Vec<Bucket>) -> f64 {
    if q.is_nan() {
        return f64::NAN;
    }
    if !(0.0..=1.0).contains(&q) {
        return if q < 0.0 { f64::NEG_INFINITY } else { f64::INFINITY };
    }
    buckets.sort_by(|a, b| a.upper.total_cmp(&b.upper));
    if buckets.last().is_none_or(|b| b.upper != f64::INFINITY) {
        return f64::NAN;
    }
    // The same bound twice (written `1` and `1.0`) is one bucket.
    buckets.dedup_by(|next, kept| {
        let same = next.upper == kept.upper;
        if same {
            kept.count += next.count;
        }
        same
    });
    // Rates of buckets scraped at different moments can fall where they should rise.
    let mut most = buckets.first().map_or(f64::NAN, |b| b.count);
    for b in buckets.iter_mut().skip(1) {
        if b.count > most {
            most = b.count;
        } else if b.count < most {
            b.count = most;
        }
    }
    let [finite @ .., all] = buckets.as_slice() else { return f64::NAN };
    let Some(highest) = finite.last() else { return f64::NAN };
    if all.count == 0.0 {
        return f64::NAN;
    }
    let mut rank = q * all.count;
    let place = finite.partition_point(|b| !matches!(b.count.partial_cmp(&rank), Some(o) if o.is_ge()));
    let Some(hit) = finite.get(place) else { return highest.upper };
    let Some(below) = place.checked_sub(1).and_then(|i| finite.get(i)) else {
        return if hit.upper <= 0.0 { hit.upper } else { hit.upper * (rank / hit.count) };
    };
    rank -= below.count;
    below.upper + (hit.upper - below.upper) * (rank / (hit.count - below.count))
}
