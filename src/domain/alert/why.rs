//! Why a rule is inactive, in words, from its expression and the data.

use crate::domain::promql::inspect::{Comparison, Matching};
use crate::domain::promql::{Expr, Options, Point, Value};
use crate::domain::series::{Labels, Millis, Source};
use crate::domain::text::one_line;

/// How deeply an expression is taken apart.
const MAX_DEPTH: usize = 6;
/// How much of an expression or of labels is shown.
const SHOWN: usize = 80;
/// The most pairs that are looked at for labels that both sides of a join have.
const MAX_POINTS: usize = 2000;

/// Why an expression gives nothing at a moment.
pub fn inactive(expr: &Expr, source: &dyn Source, at: Millis, options: &Options) -> String {
    one_line(&Why { source, at, options }.nothing(expr, 0), 300)
}

struct Why<'a> {
    source: &'a dyn Source,
    at: Millis,
    options: &'a Options,
}

/// A part of an expression, short enough to be read in a line.
fn part(expr: &Expr) -> String {
    one_line(expr.text(), SHOWN)
}

fn labels(labels: &Labels) -> String {
    one_line(&labels.without_name().to_string(), SHOWN)
}

impl Why<'_> {
    fn points(&self, expr: &Expr) -> Result<Vec<Point>, String> {
        match expr.instant(self.source, self.at, self.options) {
            Ok(Value::Vector(points)) => Ok(points),
            Ok(Value::Scalar(v)) => Ok(vec![Point { labels: Labels::empty(), v }]),
            Ok(_) => Ok(Vec::new()),
            Err(e) => Err(e.0),
        }
    }

    fn nothing(&self, expr: &Expr, depth: usize) -> String {
        if depth < MAX_DEPTH {
            if let Some((op, left, right)) = expr.set_operation() {
                return self.set(expr, op, (&left, &right), depth);
            }
            if let Some(comparison) = expr.comparison() {
                return self.comparison(expr, &comparison, depth);
            }
        }
        self.data(expr)
    }

    /// An `and`, `or` or `unless` that gives nothing.
    fn set(&self, expr: &Expr, op: &str, (left, right): (&Expr, &Expr), depth: usize) -> String {
        let (l, r) = match (self.points(left), self.points(right)) {
            (Ok(l), Ok(r)) => (l, r),
            (Err(e), _) | (_, Err(e)) => return e,
        };
        match (op, l.first(), r.first()) {
            ("or", ..) => {
                let (a, b) = (self.nothing(left, depth + 1), self.nothing(right, depth + 1));
                if a == b { a } else { format!("{a}; and {b}") }
            }
            (_, None, _) => self.nothing(left, depth + 1),
            ("and", Some(_), None) => {
                format!("{} holds, but {}", part(left), self.nothing(right, depth + 1))
            }
            ("and", Some(a), Some(b)) => format!(
                "both sides of `and` hold, but they share no labels: {} and {}{}",
                labels(&a.labels),
                labels(&b.labels),
                on(expr)
            ),
            _ => format!("all that {} gives is taken away by `unless` {}", part(left), part(right)),
        }
    }

    /// A comparison that keeps nothing.
    fn comparison(&self, expr: &Expr, found: &Comparison, depth: usize) -> String {
        let (left, right) = match (self.points(&found.left), self.points(&found.right)) {
            (Ok(l), Ok(r)) => (l, r),
            (Err(e), _) | (_, Err(e)) => return e,
        };
        for (side, points) in [(&found.left, &left), (&found.right, &right)] {
            if points.is_empty() {
                return self.nothing(side, depth + 1);
            }
        }
        if let Some(threshold) = found.threshold {
            let measured = if threshold.on_left { &right } else { &left };
            return nearest(found.op, threshold.value, threshold.on_left, measured);
        }
        let join = expr.joins().into_iter().next();
        let matching = join.map_or(Matching::On(Vec::new()), |j| j.matching);
        let key = |l: &Labels| l.filtered(|name| matching.uses(name));
        let rights: Vec<(Labels, f64)> =
            right.iter().take(MAX_POINTS).map(|p| (key(&p.labels), p.v)).collect();
        let pair = left.iter().take(MAX_POINTS).find_map(|p| {
            let k = key(&p.labels);
            rights.iter().find(|(r, _)| *r == k).map(|(_, v)| (p, *v))
        });
        match (pair, left.first(), right.first()) {
            (Some((p, v)), ..) => {
                let more =
                    if left.len() > 1 { format!(", nor any other of {}", left.len()) } else { String::new() };
                format!("{} is not {} {}{} {}", number(p.v), found.op, number(v), more, of(&p.labels))
                    .trim_end()
                    .to_owned()
            }
            (None, Some(a), Some(b)) => format!(
                "the sides of `{}` share no labels: {} and {}{}",
                found.op,
                labels(&a.labels),
                labels(&b.labels),
                on(expr)
            ),
            _ => self.data(expr),
        }
    }

    /// Something without a comparison that gives nothing: what it looks at, or its joins.
    fn data(&self, expr: &Expr) -> String {
        let mut matched = 0;
        for selector in expr.selectors() {
            let to = selector.pinned.unwrap_or(self.at);
            let reach = Millis::try_from(selector.reach.as_millis()).unwrap_or(Millis::MAX);
            let mut count = 0usize;
            self.source.select(&selector.matchers, to.saturating_sub(reach), to, &mut |_, _| count += 1);
            if count == 0 && !expr.text().trim_start().starts_with("absent") {
                return format!("no series matches {}", one_line(&selector.text, SHOWN));
            }
            matched += count;
        }
        for join in expr.joins() {
            let (Ok(left), Ok(right)) = (self.points(&join.left), self.points(&join.right)) else { continue };
            if let (Some(a), Some(b)) = (left.first(), right.first())
                && join.op != "unless"
                && self.points(&join.whole).is_ok_and(|p| p.is_empty())
            {
                let (a, b) = (labels(&a.labels), labels(&b.labels));
                return format!(
                    "matched, but `{}` found no common labels: {a} and {b}{}",
                    join.op,
                    on(&join.whole)
                );
            }
        }
        match matched {
            0 => format!("{} gives nothing", part(expr)),
            n if expr.text().trim_start().starts_with("absent") => {
                format!("what should be absent is there: {n} series")
            }
            1 => format!("one series matches, but {} gives nothing from its samples", part(expr)),
            n => format!("{n} series match, but {} gives nothing from their samples", part(expr)),
        }
    }
}

/// The value that comes nearest to the threshold, and that it does not pass.
fn nearest(op: &str, threshold: f64, on_left: bool, points: &[Point]) -> String {
    let distance = |p: &&Point| (p.v - threshold).abs();
    let near = points.iter().min_by(|a, b| distance(a).total_cmp(&distance(b)));
    let Some(near) = near else { return String::new() };
    let (a, b) = if on_left { (threshold, near.v) } else { (near.v, threshold) };
    let what = format!("{} is not {op} {}", number(a), number(b));
    if points.len() == 1 {
        return what;
    }
    format!("{what}, and no other of {} is nearer {}", points.len(), of(&near.labels)).trim_end().to_owned()
}

/// Whose value it is, where there are labels that say so.
fn of(of: &Labels) -> String {
    let shown = labels(of);
    if shown == "{}" { String::new() } else { format!("({shown})") }
}

/// By which labels a join matches, where it says so.
fn on(expr: &Expr) -> String {
    match expr.joins().first().map(|j| &j.matching) {
        Some(Matching::On(names)) => format!(" (on {})", names.join(", ")),
        Some(Matching::Ignoring(names)) if !names.is_empty() => format!(" (ignoring {})", names.join(", ")),
        _ => String::new(),
    }
}

/// A number as a person reads it: at most six digits that count.
fn number(v: f64) -> String {
    super::template::number(v)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::series::store::{Limits, Store};
    use std::time::Duration;

    #[test]
    fn the_reason_is_said_in_words() {
        let mut store = Store::new(Limits {
            max_series: 100,
            max_bytes: 1 << 20,
            max_samples: 1000,
            retention: Duration::from_secs(3600),
        });
        for (name, pairs, v) in [
            ("load", vec![("host", "a")], 0.3),
            ("temp", vec![("host", "a")], 20.0),
            ("temp", vec![("host", "b")], 30.0),
            ("max", vec![("rack", "1")], 50.0),
            ("limit", vec![("host", "a")], 25.0),
            ("total", vec![], 5.0),
        ] {
            let all = pairs.into_iter().chain([("__name__", name)]);
            store.append_labels(&Labels::new(all), 1000, v);
        }
        let table = [
            ("load > 5", "0.3 is not > 5"),
            ("5 < load", "5 is not < 0.3"),
            ("temp > 40", "30 is not > 40, and no other of 2 is nearer ({host=\"b\"})"),
            ("nosuch{a=\"b\"} > 1", "no series matches nosuch{a=\"b\"}"),
            ("temp > 10 and nosuch", "temp > 10 holds, but no series matches nosuch"),
            ("load > 5 and nosuch", "0.3 is not > 5"),
            (
                "temp > 10 and max > 1",
                "both sides of `and` hold, but they share no labels: {host=\"a\"} and {rack=\"1\"}",
            ),
            (
                "temp < 10 or load > 1",
                "20 is not < 10, and no other of 2 is nearer ({host=\"a\"}); and 0.3 is not > 1",
            ),
            ("temp unless temp", "all that temp gives is taken away by `unless` temp"),
            ("temp{host=\"a\"} > limit", "20 is not > 25 ({host=\"a\"})"),
            ("temp > max", "the sides of `>` share no labels: {host=\"a\"} and {rack=\"1\"}"),
            ("temp * max > 1", "matched, but `*` found no common labels: {host=\"a\"} and {rack=\"1\"}"),
            ("absent(load)", "what should be absent is there: 1 series"),
            ("rate(total[1m]) > 0", "one series matches, but rate(total[1m]) gives nothing from its samples"),
        ];
        for (text, want) in table {
            let expr = Expr::parse(text).unwrap();
            let got = inactive(&expr, &store, 2000, &Options::default());
            assert_eq!(got, want, "{text}");
        }
    }
}
