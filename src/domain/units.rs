//! Numbers with units, as people type them (`500ms`, `14d`, `10MiB`, `80%`) and as they read them.

use std::time::Duration;

/// What a number counts. Two numbers compare only when their units agree or one has none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// A plain number.
    None,
    /// Seconds.
    Seconds,
    /// Bytes.
    Bytes,
    /// Per cent, 0 to 100.
    Percent,
}

impl Unit {
    pub fn describe(self) -> &'static str {
        match self {
            Unit::None => "a number",
            Unit::Seconds => "a duration such as 500ms, 30s, 5m, 12h or 14d",
            Unit::Bytes => "a size such as 512KiB, 10MB or 2GiB",
            Unit::Percent => "a percentage such as 80%",
        }
    }
}

/// A number and what it counts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Quantity {
    pub value: f64,
    pub unit: Unit,
}

const SUFFIXES: &[(&str, f64, Unit)] = &[
    ("ms", 1e-3, Unit::Seconds),
    ("us", 1e-6, Unit::Seconds),
    ("s", 1.0, Unit::Seconds),
    ("m", 60.0, Unit::Seconds),
    ("h", 3600.0, Unit::Seconds),
    ("d", 86400.0, Unit::Seconds),
    ("w", 604_800.0, Unit::Seconds),
    ("%", 1.0, Unit::Percent),
    ("KiB", 1024.0, Unit::Bytes),
    ("MiB", 1_048_576.0, Unit::Bytes),
    ("GiB", 1_073_741_824.0, Unit::Bytes),
    ("TiB", 1_099_511_627_776.0, Unit::Bytes),
    ("kB", 1e3, Unit::Bytes),
    ("KB", 1e3, Unit::Bytes),
    ("MB", 1e6, Unit::Bytes),
    ("GB", 1e9, Unit::Bytes),
    ("TB", 1e12, Unit::Bytes),
    ("B", 1.0, Unit::Bytes),
];

/// Reads `12`, `-1.5`, `500ms`, `1h30m`, `10MiB`, `80%`. `None` when it is not a number at all.
pub fn parse_quantity(text: &str) -> Option<Quantity> {
    let mut rest = text.trim();
    let negative = rest.starts_with('-');
    rest = rest.strip_prefix('-').unwrap_or(rest);
    let mut sum: Option<Quantity> = None;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
        let number: f64 = rest.get(..digits)?.parse().ok()?;
        rest = rest.get(digits..)?;
        let word = rest.find(|c: char| c.is_ascii_digit()).unwrap_or(rest.len());
        let (suffix, tail) = (rest.get(..word)?, rest.get(word..)?);
        let part = if suffix.is_empty() {
            Quantity { value: number, unit: Unit::None }
        } else {
            let (_, scale, unit) = SUFFIXES.iter().find(|(name, ..)| *name == suffix)?;
            Quantity { value: number * scale, unit: *unit }
        };
        sum = Some(match sum {
            None => part,
            // Only durations are written in several parts: `1h30m`.
            Some(so_far) if so_far.unit == Unit::Seconds && part.unit == Unit::Seconds => {
                Quantity { value: so_far.value + part.value, unit: Unit::Seconds }
            }
            Some(_) => return None,
        });
        rest = tail;
    }
    sum.filter(|q| q.value.is_finite())
        .map(|q| Quantity { value: if negative { -q.value } else { q.value }, ..q })
}

/// Reads a duration such as `500ms`, `30s` or `1h30m`; a bare number is refused, since nobody
/// agrees on its unit. `0s` is allowed here; callers set their own bounds.
pub fn parse_duration(text: &str) -> Option<Duration> {
    parse_quantity(text)
        .filter(|q| q.unit == Unit::Seconds && q.value >= 0.0)
        .and_then(|q| Duration::try_from_secs_f64(q.value).ok())
}

/// An age or a span in at most four columns: `850ms`, `9s`, `59m`, `23h`, `99d`, `9y`.
pub fn short_age(age: Duration) -> String {
    let s = age.as_secs();
    match s {
        0..=59 => format!("{s}s"),
        60..=3599 => format!("{}m", s / 60),
        3600..=86_399 => format!("{}h", s / 3600),
        86_400..=86_399_999 => format!("{}d", s / 86_400),
        _ => format!("{}y", s / 31_536_000),
    }
}

/// A span with two units: `1m 30s`, `2h 5m`, `3d 4h`.
pub fn long_age(age: Duration) -> String {
    let s = age.as_secs();
    let two = |a: u64, ua: &str, b: u64, ub: &str| {
        if b == 0 { format!("{a}{ua}") } else { format!("{a}{ua} {b}{ub}") }
    };
    match s {
        0..=59 => format!("{s}s"),
        60..=3599 => two(s / 60, "m", s % 60, "s"),
        3600..=86_399 => two(s / 3600, "h", s % 3600 / 60, "m"),
        _ => two(s / 86_400, "d", s % 86_400 / 3600, "h"),
    }
}

/// A latency in at most six columns: `0.4ms`, `12ms`, `1.2s`, `14s`.
pub fn latency(d: Duration) -> String {
    let ms = d.as_secs_f64() * 1e3;
    if ms < 9.95 {
        format!("{ms:.1}ms")
    } else if ms < 999.5 {
        format!("{ms:.0}ms")
    } else if ms < 9_950.0 {
        format!("{:.1}s", ms / 1e3)
    } else {
        short_age(Duration::from_secs_f64((ms / 1e3).round()))
    }
}

/// A latency for a table: whole milliseconds, since more would flicker and tell nothing.
pub fn table_latency(d: Duration) -> String {
    let ms = d.as_secs_f64() * 1e3;
    if ms < 1.0 {
        "<1ms".to_owned()
    } else if ms < 10.0 {
        format!("{ms:.0}ms")
    } else {
        latency(d)
    }
}

/// A duration exactly enough to be compared by eye: `1.5s`, `350ms`, `14d`.
pub fn exact(d: Duration) -> String {
    let s = d.as_secs_f64();
    if s == 0.0 {
        "0s".to_owned()
    } else if s < 1.0 {
        format!("{}ms", trim(s * 1e3, 1))
    } else if s < 60.0 {
        format!("{}s", trim(s, 1))
    } else {
        long_age(d)
    }
}

/// A size: `0B`, `812B`, `1.2KiB`, `14MiB`.
pub fn bytes(n: f64) -> String {
    const NAMES: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
    let mut value = n;
    let mut i = 0;
    while value.abs() >= 1024.0 && i + 1 < NAMES.len() {
        value /= 1024.0;
        i += 1;
    }
    format!("{}{}", trim(value, usize::from(value.abs() < 10.0)), NAMES.get(i).unwrap_or(&"B"))
}

/// A quantity as a person writes it.
pub fn quantity(value: f64, unit: Unit) -> String {
    match unit {
        Unit::None => trim(value, 3),
        Unit::Percent => format!("{}%", trim(value, 1)),
        Unit::Bytes => bytes(value),
        Unit::Seconds if value < 0.0 => format!("-{}", quantity(-value, unit)),
        Unit::Seconds => Duration::try_from_secs_f64(value).map_or_else(|_| "?".to_owned(), exact),
    }
}

fn trim(value: f64, places: usize) -> String {
    let text = format!("{value:.places$}");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

/// A moment to the second, as RFC 3339 has it: nobody at night reads nanoseconds.
pub fn second(at: jiff::Timestamp) -> impl std::fmt::Display {
    at.strftime("%Y-%m-%dT%H:%M:%SZ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn quantities_read_as_people_type_them() {
        let table = [
            ("12", Some((12.0, Unit::None))),
            ("-1.5", Some((-1.5, Unit::None))),
            ("500ms", Some((0.5, Unit::Seconds))),
            ("1h30m", Some((5400.0, Unit::Seconds))),
            ("14d", Some((1_209_600.0, Unit::Seconds))),
            ("80%", Some((80.0, Unit::Percent))),
            ("10MiB", Some((10_485_760.0, Unit::Bytes))),
            ("2GB", Some((2e9, Unit::Bytes))),
            ("", None),
            ("-", None),
            ("ok", None),
            ("5 s", None),
            ("5parsecs", None),
            ("1m5MB", None),
            ("1.2.3", None),
        ];
        for (text, want) in table {
            assert_eq!(parse_quantity(text).map(|q| (q.value, q.unit)), want, "{text:?}");
        }
    }

    #[test]
    fn a_duration_needs_its_unit() {
        assert_eq!(parse_duration("5"), None);
        assert_eq!(parse_duration("-5s"), None);
        assert_eq!(parse_duration("5s"), Some(Duration::from_secs(5)));
    }

    #[test]
    fn spans_read_well() {
        for (ms, want) in
            [(0, "0.0ms"), (412, "412ms"), (9_949, "9.9s"), (12_000, "12s"), (9, "9.0ms"), (999, "999ms")]
        {
            assert_eq!(latency(Duration::from_millis(ms)), want);
        }
        for (s, want) in
            [(59, "59s"), (60, "1m"), (86_399, "23h"), (86_400 * 9, "9d"), (86_400 * 4000, "10y")]
        {
            assert_eq!(short_age(Duration::from_secs(s)), want);
        }
        for (s, want) in [(90, "1m 30s"), (120, "2m"), (7500, "2h 5m"), (100_000, "1d 3h")] {
            assert_eq!(long_age(Duration::from_secs(s)), want);
        }
        assert_eq!(bytes(1_048_576.0), "1MiB");
        assert_eq!(quantity(0.35, Unit::Seconds), "350ms");
        assert_eq!(quantity(81.25, Unit::Percent), "81.2%");
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused_without_panic(text in ".{0,24}") {
            let _ = parse_quantity(&text);
            let _ = parse_duration(&text);
        }
    }
}
