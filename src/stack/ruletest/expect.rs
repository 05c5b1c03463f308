//! What was expected beside what there was.

use crate::domain::series::{Labels, Millis};
use std::fmt::Write;
use std::time::Duration;

/// Alerts as tests compare them: labels and annotations.
pub type Alerts = Vec<(Labels, Vec<(String, String)>)>;

/// A time since the start of a test: `1h5m`.
pub fn time(at: Millis) -> String {
    let d = Duration::from_millis(u64::try_from(at).unwrap_or(0));
    crate::domain::units::long_age(d).replace(' ', "")
}

/// Whether two lists hold the same, NaN being equal to itself.
pub fn same(expected: &[(Labels, f64)], got: &[(Labels, f64)], fuzzy: bool) -> bool {
    expected.len() == got.len()
        && expected.iter().zip(got).all(|((a, x), (b, y))| a == b && same_value(*x, *y, fuzzy))
}

fn same_value(a: f64, b: f64, fuzzy: bool) -> bool {
    let near = fuzzy && (a - b).abs() <= 4.0 * f64::EPSILON * a.abs().max(b.abs());
    #[expect(clippy::float_cmp, reason = "promtool compares so: a test says exactly what it wants")]
    let equal = a == b;
    equal || near || (a.is_nan() && b.is_nan())
}

pub fn samples(expected: &[(Labels, f64)], got: &[(Labels, f64)]) -> String {
    let line = |(labels, v): &(Labels, f64)| format!("{labels} {v}");
    sides(expected.iter().map(line).collect(), got.iter().map(line).collect())
}

pub fn alerts(expected: &Alerts, got: &Alerts) -> String {
    let line = |(labels, annotations): &(Labels, Vec<(String, String)>)| {
        let mut text = labels.to_string();
        for (name, value) in annotations {
            let _ = write!(text, "\n        {name}: {value}");
        }
        text
    };
    sides(expected.iter().map(line).collect(), got.iter().map(line).collect())
}

/// Lines that both have are plain; `-` was expected and is not there, `+` is there unexpectedly.
fn sides(mut expected: Vec<String>, got: Vec<String>) -> String {
    let mut lines: Vec<String> = Vec::new();
    for line in got {
        match expected.iter().position(|e| *e == line) {
            Some(i) => lines.push(format!("      {}", expected.remove(i))),
            None => lines.push(format!("    + {line}")),
        }
    }
    let mut out = String::from("    - expected, + got");
    for line in expected.into_iter().map(|l| format!("    - {l}")).chain(lines) {
        out.push('\n');
        out.push_str(&line);
    }
    out
}
