//! Whether two answers are the same: labels exactly, values to one part in a billion.

use crate::oracle::{Answer, Data, Oracle};
use quarterdeck::domain::promql::{Expr, Options, Value};
use quarterdeck::domain::series::{Labels, Millis};
use std::collections::BTreeMap;
use std::time::Duration;

/// When an expression is evaluated.
#[derive(Clone, Copy, Debug)]
pub enum When {
    At(Millis),
    Over(Millis, Millis, Duration),
}

/// What this program answers.
pub fn ours(data: &Data, expr: &str, when: When) -> Answer {
    let expr = Expr::parse(expr).map_err(|e| format!("parsing: {e}"))?;
    let options = Options::default();
    match when {
        When::At(at) => expr.instant(data, at, &options),
        When::Over(from, to, step) => expr.range(data, from, to, step, &options).map(Value::Matrix),
    }
    .map_err(|e| e.0)
}

pub fn theirs(oracle: &Oracle, expr: &str, when: When) -> Answer {
    match when {
        When::At(at) => oracle.instant(expr, at),
        When::Over(from, to, step) => oracle.range(expr, from, to, step),
    }
}

#[expect(clippy::float_cmp, reason = "infinities are equal or not")]
fn close(a: f64, b: f64) -> bool {
    let equal = a == b || (a.is_nan() && b.is_nan());
    equal || (a - b).abs() <= 1e-9 * a.abs().max(b.abs())
}

type Table = BTreeMap<Labels, Vec<(Millis, f64)>>;

fn table(value: &Value) -> Table {
    match value {
        Value::Vector(points) => points.iter().map(|p| (p.labels.clone(), vec![(0, p.v)])).collect(),
        Value::Matrix(lines) => {
            lines.iter().map(|l| (l.labels.clone(), l.samples.iter().map(|s| (s.t, s.v)).collect())).collect()
        }
        Value::Scalar(v) => [(Labels::empty(), vec![(0, *v)])].into(),
        Value::Text(_) => Table::new(),
    }
}

/// What is different, if anything.
pub fn difference(ours: &Answer, theirs: &Answer) -> Option<String> {
    let (a, b) = match (ours, theirs) {
        (Err(_), Err(_)) => return None,
        (Ok(a), Ok(b)) => (a, b),
        (Ok(a), Err(e)) => return Some(format!("Prometheus refuses ({e}), ours is {}", short(a))),
        (Err(e), Ok(b)) => return Some(format!("ours refuses ({e}), Prometheus' is {}", short(b))),
    };
    if std::mem::discriminant(a) != std::mem::discriminant(b) {
        return Some(format!("ours is {}, Prometheus' {}", short(a), short(b)));
    }
    if let (Value::Text(a), Value::Text(b)) = (a, b)
        && a != b
    {
        return Some(format!("ours is {a:?}, Prometheus' {b:?}"));
    }
    let (a, b) = (table(a), table(b));
    for (labels, points) in &a {
        let Some(other) = b.get(labels) else {
            return Some(format!("only ours has {labels}: {points:?} (Prometheus has {:?})", b.keys()));
        };
        let times = |p: &[(Millis, f64)]| p.iter().map(|p| p.0).collect::<Vec<_>>();
        if times(points) != times(other) {
            return Some(format!("{labels}: ours at {:?}, Prometheus' at {:?}", times(points), times(other)));
        }
        if let Some((x, y)) = points.iter().zip(other).find(|(x, y)| !close(x.1, y.1)) {
            return Some(format!("{labels} at {}: ours {}, Prometheus' {}", x.0, x.1, y.1));
        }
    }
    b.keys().find(|l| !a.contains_key(l)).map(|l| format!("only Prometheus has {l}: {:?}", b[l]))
}

fn short(value: &Value) -> String {
    let text = format!("{value:?}");
    text.chars().take(400).collect()
}
