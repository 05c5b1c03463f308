//! The two axes of a graph: steps that people count in, and values and times in words.

use crate::domain::series::Millis;
use crate::domain::units::long_age;
use crate::stack::metrics::Unit;
use std::time::Duration;

/// Greater values are drawn as infinite: the arithmetic of the axis would overflow.
pub const HUGE: f64 = 1e300;

/// The ticks of the value axis, least first, and the range they divide.
#[derive(Clone, Debug, PartialEq)]
pub struct Ticks {
    pub lo: f64,
    pub hi: f64,
    /// At most one more than was asked for, each with its label.
    pub at: Vec<(f64, String)>,
}

/// Divides a range into at most `most` steps of 1, 2 or 5. An end that is not fixed moves outwards
/// to the next step, so that the axis ends on a tick.
pub fn ticks((lo, hi): (f64, f64), fixed: (bool, bool), most: usize, unit: Unit) -> Ticks {
    let (mut lo, mut hi) = (lo.clamp(-HUGE, HUGE), hi.clamp(-HUGE, HUGE));
    if hi - lo <= 0.0 || hi - lo < lo.abs().max(hi.abs()) * 1e-14 {
        (lo, hi) = widen(lo, hi, fixed);
    }
    let step = step((hi - lo) / most.max(1) as f64, unit);
    // A range of 15 in steps of 10 would end at 20 and waste a quarter: only whole steps count.
    if !fixed.0 {
        lo = (lo / step + 1e-9).floor() * step;
    }
    if !fixed.1 {
        hi = (hi / step - 1e-9).ceil() * step;
    }
    let first = (lo / step - 1e-9).ceil();
    let mut at: Vec<f64> = (0..=most + 2)
        .map(|i| (first + i as f64) * step)
        .take_while(|v| *v <= hi + step * 1e-6)
        .map(|v| if v.abs() < step * 1e-6 { 0.0 } else { v })
        .collect();
    at.dedup();
    let base = at.first().copied().filter(|_| hi.abs().max(lo.abs()) / step > 1e4);
    let at =
        at.into_iter().map(|v| (v, base.map_or_else(|| label(v, step, unit), |b| beside(v, b, step, unit))));
    Ticks { lo, hi, at: at.collect() }
}

/// A range for a flat line: with zero in it, since a line in mid-air tells nothing of its height.
fn widen(lo: f64, hi: f64, fixed: (bool, bool)) -> (f64, f64) {
    match fixed {
        (true, true | false) => (lo, lo + lo.abs().max(1.0)),
        (false, true) => (hi - hi.abs().max(1.0), hi),
        (false, false) if lo > 0.0 => (0.0, hi),
        (false, false) if hi < 0.0 => (lo, 0.0),
        (false, false) => (0.0, 1.0),
    }
}

/// The least step of the unit's own kind that is not less than `least`.
fn step(least: f64, unit: Unit) -> f64 {
    const LONG: [f64; 15] = [
        60.0, 120.0, 300.0, 600.0, 900.0, 1800.0, 3600.0, 7200.0, 10_800.0, 21_600.0, 43_200.0, 86_400.0,
        172_800.0, 432_000.0, 864_000.0,
    ];
    match unit {
        Unit::Seconds if (10.0..=864_000.0).contains(&least) => {
            let shorter = [10.0, 15.0, 30.0];
            shorter.into_iter().chain(LONG).find(|s| *s >= least).unwrap_or(864_000.0)
        }
        Unit::Seconds if least > 864_000.0 => decimal(least / 86_400.0) * 86_400.0,
        Unit::Bytes | Unit::BytesPerSecond if least >= 512.0 => {
            let mut scale = 1024.0;
            while least / scale > 512.0 {
                scale *= 1024.0;
            }
            let steps = [1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 512.0];
            steps.into_iter().find(|s| s * scale >= least).unwrap_or(512.0) * scale
        }
        _ => decimal(least),
    }
}

/// The least of 1, 2, 5 times a power of ten that is not less than `least`.
fn decimal(least: f64) -> f64 {
    let least = least.max(1e-300);
    let power = 10f64.powf(least.log10().floor());
    let found = [1.0, 2.0, 5.0, 10.0].into_iter().find(|s| s * power >= least * (1.0 - 1e-9));
    let step = found.unwrap_or(10.0) * power;
    // Powers of ten below one are not exact; written and read again they are the nearest there is.
    format!("{step:e}").parse().unwrap_or(step)
}

/// What a value of this size is divided by, and the word behind it.
fn scale(size: f64, unit: Unit) -> (f64, &'static str) {
    let pick = |all: &[(f64, &'static str)]| {
        // What would round to a thousand is one of the next.
        all.iter().rev().find(|(by, _)| size >= by * 0.9995).or(all.first()).copied().unwrap_or((1.0, ""))
    };
    match unit {
        Unit::None => pick(&[(1.0, ""), (1e3, "k"), (1e6, "M"), (1e9, "G"), (1e12, "T")]),
        Unit::PerSecond => pick(&[(1.0, "/s"), (1e3, "k/s"), (1e6, "M/s"), (1e9, "G/s"), (1e12, "T/s")]),
        Unit::Bytes => pick(&[
            (1.0, "B"),
            (1024.0, "KiB"),
            (1_048_576.0, "MiB"),
            (1_073_741_824.0, "GiB"),
            (1_099_511_627_776.0, "TiB"),
            (1_125_899_906_842_624.0, "PiB"),
            (1_152_921_504_606_846_976.0, "EiB"),
        ]),
        Unit::BytesPerSecond => pick(&[
            (1.0, "B/s"),
            (1024.0, "KiB/s"),
            (1_048_576.0, "MiB/s"),
            (1_073_741_824.0, "GiB/s"),
            (1_099_511_627_776.0, "TiB/s"),
        ]),
        Unit::Seconds => pick(&[(1e-9, "ns"), (1e-6, "us"), (1e-3, "ms"), (1.0, "s")]),
        Unit::Percent => (1.0, "%"),
        Unit::Ratio => (0.01, "%"),
    }
}

/// Decimal places that tell two ticks apart.
fn places(step: f64, size: f64, unit: Unit) -> usize {
    let (by, _) = scale(size, unit);
    let places = -(step / by).log10() - 1e-9;
    if places <= 0.0 { 0 } else { places.ceil() as usize }
}

fn label(v: f64, step: f64, unit: Unit) -> String {
    if unit == Unit::Seconds && step >= 60.0 && v != 0.0 {
        let sign = if v < 0.0 { "-" } else { "" };
        return match Duration::try_from_secs_f64(v.abs()) {
            Ok(d) => format!("{sign}{}", long_age(d).replace(' ', "")),
            Err(_) => value(v, unit),
        };
    }
    let (by, word) = scale(v.abs(), unit);
    let scaled = v / by;
    if v == 0.0 {
        return if matches!(unit, Unit::Percent | Unit::Ratio) { "0%".to_owned() } else { "0".to_owned() };
    }
    if odd_size(scaled) {
        return format!("{}{word}", trim_exponent(&format!("{scaled:.4e}")));
    }
    format!("{}{word}", trim(format!("{scaled:.*}", places(step, v.abs(), unit).min(9))))
}

/// A tick of an axis whose values are all nearly the same: the first in full, the others as what
/// they are more than it.
fn beside(v: f64, base: f64, step: f64, unit: Unit) -> String {
    if v > base {
        return format!("+{}", label(v - base, step, unit));
    }
    let places = (-step.log10() - 1e-9).ceil().clamp(0.0, 12.0) as usize;
    let full = format!("{v:.places$}");
    if full.len() > 14 { format!("{v:e}") } else { full }
}

/// Sizes that are no words: too small for a decimal fraction, too large for the last word.
fn odd_size(scaled: f64) -> bool {
    scaled.abs() < 1e-4 || scaled.abs() >= 1e5
}

/// A value in the unit's words with three significant digits: `1.23k`, `3.4MiB`, `250ms`, `12%`.
pub fn value(v: f64, unit: Unit) -> String {
    if v.is_nan() {
        return "NaN".to_owned();
    }
    if v.is_infinite() {
        return if v > 0.0 { "+Inf" } else { "-Inf" }.to_owned();
    }
    if unit == Unit::Seconds && v.abs() >= 60.0 {
        let sign = if v < 0.0 { "-" } else { "" };
        if let Ok(d) = Duration::try_from_secs_f64(v.abs()) {
            return format!("{sign}{}", long_age(d).replace(' ', ""));
        }
    }
    if v == 0.0 {
        return label(0.0, 1.0, unit);
    }
    let (by, word) = scale(v.abs(), unit);
    let scaled = v / by;
    if odd_size(scaled) {
        return format!("{}{word}", trim_exponent(&format!("{scaled:.2e}")));
    }
    let places = match scaled.abs() {
        99.95.. => 0,
        9.995.. => 1,
        0.0995.. => 2,
        _ => 4,
    };
    format!("{}{word}", trim(format!("{scaled:.places$}")))
}

fn trim(text: String) -> String {
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

fn trim_exponent(text: &str) -> String {
    match text.split_once('e') {
        Some((digits, power)) => format!("{}e{power}", trim(digits.to_owned())),
        None => text.to_owned(),
    }
}

/// Labels of the time axis, in UTC: each with the column it stands for. No two touch.
pub fn time_ticks(from: Millis, to: Millis, columns: u16) -> Vec<(u16, String)> {
    const STEPS: [i64; 20] = [
        1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200, 86_400,
        172_800, 604_800,
    ];
    let span = to.saturating_sub(from);
    if span <= 0 || columns < 5 {
        return Vec::new();
    }
    let per_column = span as f64 / f64::from(columns);
    let room = |step: i64| (step * 1000) as f64 / per_column;
    let step = STEPS.into_iter().find(|s| room(*s) >= if *s < 60 { 12.0 } else { 9.0 }).unwrap_or(604_800);
    let step = step * 1000;
    let (mut out, mut free) = (Vec::new(), 0);
    let mut at = from.div_euclid(step).saturating_add(1).saturating_mul(step);
    while at <= to && free <= columns {
        let column = ((at - from) as f64 / span as f64 * f64::from(columns - 1)).round() as u16;
        let label = time_label(at, step);
        if column >= free {
            free = column + label.len() as u16 + 1;
            out.push((column, label));
        }
        at = at.saturating_add(step);
    }
    out
}

/// A time of day, to the second only where the axis needs it; the day where it begins.
fn time_label(at: Millis, step: Millis) -> String {
    let Ok(time) = jiff::Timestamp::from_millisecond(at) else { return "?".to_owned() };
    let form = if at.rem_euclid(86_400_000) == 0 {
        "%m-%d"
    } else if step < 60_000 {
        "%H:%M:%S"
    } else {
        "%H:%M"
    };
    time.strftime(form).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn labels(range: (f64, f64), most: usize, unit: Unit) -> Vec<String> {
        ticks(range, (false, false), most, unit).at.into_iter().map(|(_, l)| l).collect()
    }

    #[test]
    fn ticks_are_what_people_count_in() {
        let table: &[((f64, f64), Unit, &[&str])] = &[
            ((0.0, 1180.0), Unit::None, &["0", "500", "1k", "1.5k"]),
            ((0.0, 0.93), Unit::Ratio, &["0%", "50%", "100%"]),
            ((0.0, 37.0), Unit::Percent, &["0%", "20%", "40%"]),
            ((0.0, 3.4 * 1_048_576.0), Unit::Bytes, &["0", "2MiB", "4MiB"]),
            ((0.0, 0.24), Unit::Seconds, &["0", "100ms", "200ms", "300ms"]),
            ((0.0, 7000.0), Unit::Seconds, &["0", "1h", "2h"]),
            ((0.0, 4e-9), Unit::Seconds, &["0", "2ns", "4ns"]),
            ((-12.0, 31.0), Unit::PerSecond, &["-20/s", "0", "20/s", "40/s"]),
            ((0.0, 2e18), Unit::None, &["0", "1e6T", "2e6T"]),
            ((1e-9, 3e-9), Unit::None, &["1e-9", "2e-9", "3e-9"]),
            ((1_000_000_001.0, 1_000_000_003.0), Unit::None, &["1000000001", "+1", "+2"]),
            ((5.0, 5.0), Unit::None, &["0", "2", "4", "6"]),
            ((0.0, 0.0), Unit::None, &["0", "0.5", "1"]),
            ((-4.0, -4.0), Unit::None, &["-4", "-2", "0"]),
        ];
        for (range, unit, want) in table {
            assert_eq!(labels(*range, 3, *unit), *want, "{range:?} {unit:?}");
        }
    }

    #[test]
    fn values_have_three_digits_and_their_unit() {
        let table = [
            (1234.0, Unit::None, "1.23k"),
            (999.6, Unit::None, "1k"),
            (0.25, Unit::Seconds, "250ms"),
            (5400.0, Unit::Seconds, "1h30m"),
            (12.0, Unit::Percent, "12%"),
            (0.0213, Unit::Ratio, "2.13%"),
            (3.4 * 1_048_576.0, Unit::Bytes, "3.4MiB"),
            (0.5, Unit::BytesPerSecond, "0.5B/s"),
            (1e18, Unit::None, "1e6T"),
            (1e-9, Unit::None, "1e-9"),
            (-0.004, Unit::None, "-0.004"),
            (0.0, Unit::PerSecond, "0"),
            (f64::INFINITY, Unit::None, "+Inf"),
            (f64::NAN, Unit::Bytes, "NaN"),
        ];
        for (v, unit, want) in table {
            assert_eq!(value(v, unit), want);
        }
    }

    #[test]
    fn times_read_well_and_do_not_touch() {
        let from = "2026-03-14T23:17:00Z".parse::<jiff::Timestamp>().unwrap().as_millisecond();
        let labels = |minutes: i64, columns| {
            let all = time_ticks(from, from + minutes * 60_000, columns);
            all.into_iter().map(|(_, l)| l).collect::<Vec<_>>()
        };
        assert_eq!(labels(60, 70), ["23:20", "23:30", "23:40", "23:50", "03-15", "00:10"]);
        assert_eq!(labels(60, 33), ["23:30", "03-15"]);
        assert_eq!(labels(1, 70), ["23:17:15", "23:17:30", "23:17:45", "23:18:00"]);
        assert_eq!(labels(24 * 60, 70), ["03-15", "06:00", "12:00", "18:00"]);
        assert_eq!(labels(0, 70), Vec::<String>::new());
    }

    proptest! {
        #[test]
        fn any_range_has_few_ticks_that_rise_and_differ(
            a in -1e18f64..1e18, size in -12i32..18, part in 0.0f64..10.0, most in 1usize..12,
        ) {
            let hi = a + part * 10f64.powi(size);
            let ticks = ticks((a, hi), (false, false), most, Unit::None);
            prop_assert!(ticks.lo < ticks.hi && ticks.at.len() <= most + 3);
            prop_assert!(ticks.at.windows(2).all(|w| w[0].0 < w[1].0));
            for (_, l) in &ticks.at {
                prop_assert!(l.len() <= 22, "{}", l);
            }
        }

        #[test]
        fn any_times_keep_apart(from in -1i64 << 40..1i64 << 41, span in -5i64..1i64 << 40, columns in 0u16..300) {
            let all = time_ticks(from, from + span, columns);
            for pair in all.windows(2) {
                prop_assert!(usize::from(pair[0].0) + pair[0].1.len() < usize::from(pair[1].0));
            }
        }
    }
}
