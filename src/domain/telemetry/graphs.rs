//! Drawing graphs from samples: which moments, which lines, what they are called.

use crate::domain::alert::template::legend;
use crate::domain::board::{Drawn, GraphData, GraphIndex};
use crate::domain::promql::{Expr, Line, Options};
use crate::domain::series::{Millis, Source};
use crate::domain::text;
use std::collections::BTreeMap;
use std::time::Duration;

/// Lines of one graph that are drawn; the rest is counted in words.
pub const MAX_LINES: usize = 16;
/// Samples of an expression that was typed, at most so many lines.
pub const MAX_ANSWER: usize = 200;
/// The least step: the screen shows whole seconds.
const MIN_STEP: Millis = 1000;
/// Columns of the widest graph; each holds two points.
const MAX_COLUMNS: u16 = 500;

/// One graph: its expressions and what their lines are called.
#[derive(Clone, Debug)]
pub struct Graph {
    pub lines: Vec<(Expr, String)>,
}

/// The moments at which a graph is evaluated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    pub from: Millis,
    pub to: Millis,
    pub step: Millis,
}

/// A graph that ends now may be this far behind: what comes from elsewhere takes its time.
const BEHIND: Millis = 60_000;

impl Range {
    /// Whether it is as wide and as fine as another, at whatever time.
    pub fn is_like(self, other: Range) -> bool {
        (self.to - self.from).abs_diff(other.to - other.from) <= self.step.unsigned_abs()
            && self.step == other.step
    }

    /// Whether what was found for this range can stand for what is wanted. One that is `live` moves
    /// on with time, and may be a little behind.
    pub(super) fn serves(self, wanted: Range, live: bool) -> bool {
        let behind = wanted.to - self.to;
        self == wanted
            || (live && self.is_like(wanted) && (0..=BEHIND.max(2 * wanted.step)).contains(&behind))
    }

    pub(super) fn step(self) -> Duration {
        Duration::from_millis(self.step.unsigned_abs())
    }

    /// Two points for each column, over `span` up to `end`. The moments are multiples of the step,
    /// so that a graph that moves on with time keeps the points it has.
    pub fn new(span: Duration, end: Millis, columns: u16) -> Range {
        let span = Millis::try_from(span.as_millis()).unwrap_or(Millis::MAX / 4).max(MIN_STEP);
        let points = Millis::from(columns.clamp(1, MAX_COLUMNS)) * 2;
        let step = (span / points).max(MIN_STEP) / MIN_STEP * MIN_STEP;
        let to = end.div_euclid(step) * step;
        Range { from: (to - span).div_euclid(step) * step, to, step }
    }
}

/// Evaluates a graph over what is in memory.
pub fn draw(index: GraphIndex, graph: &Graph, source: &dyn Source, range: Range) -> GraphData {
    let mut lines = Vec::new();
    let mut trouble = None;
    for (expr, legend) in &graph.lines {
        match expr.range(source, range.from, range.to, range.step(), &Options::default()) {
            Ok(found) => lines.push((found, legend.as_str())),
            Err(e) => trouble = Some(text::reason(&format!("failed to evaluate {expr}: {e}"))),
        }
    }
    from_lines(index, lines, range, trouble, false)
}

/// Puts together what was found, here or by a Prometheus.
pub fn from_lines(
    index: GraphIndex,
    found: Vec<(Vec<Line>, &str)>,
    range: Range,
    mut trouble: Option<String>,
    remote: bool,
) -> GraphData {
    let mut drawn = Vec::new();
    for (lines, template) in found {
        let names = legends(&lines, template);
        drawn.extend(lines.into_iter().zip(names).map(|(line, legend)| Drawn { legend, line }));
    }
    drawn.sort_by(|a, b| a.legend.cmp(&b.legend));
    if drawn.len() > MAX_LINES {
        trouble = Some(format!("{} of {} lines are drawn", MAX_LINES, drawn.len()));
        drawn.truncate(MAX_LINES);
    }
    GraphData { index, from: range.from, to: range.to, step: range.step, lines: drawn, trouble, remote }
}

/// What the lines are called: by the template `{{label}}`, or else by the labels in which they differ.
fn legends(lines: &[Line], template: &str) -> Vec<String> {
    if !template.is_empty() {
        return lines.iter().map(|l| text::one_line(&legend(template, &l.labels), 80)).collect();
    }
    let mut values: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for line in lines {
        for (name, value) in &line.labels {
            values.entry(name).or_default().push(value);
        }
    }
    let differs = |name: &str| {
        values.get(name).is_some_and(|all| all.len() < lines.len() || all.iter().any(|v| *v != all[0]))
    };
    lines
        .iter()
        .map(|line| {
            let parts: Vec<&str> = line.labels.iter().filter(|(n, _)| differs(n)).map(|(_, v)| v).collect();
            let name = if parts.is_empty() { line.labels.to_string() } else { parts.join(" ") };
            text::one_line(if name == "{}" { "value" } else { &name }, 80)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::series::Labels;

    fn line(pairs: &[(&str, &str)]) -> Line {
        Line { labels: Labels::new(pairs.iter().copied()), samples: Vec::new() }
    }

    #[test]
    fn moments_stay_where_they_are_while_time_goes_on() {
        let a = Range::new(Duration::from_secs(3600), 1_000_000_123, 60);
        let b = Range::new(Duration::from_secs(3600), 1_000_031_000, 60);
        assert_eq!((a.step, b.step), (30_000, 30_000));
        assert_eq!((b.to - a.to) % a.step, 0);
        assert_eq!(a.from % a.step, 0);
        assert_eq!(Range::new(Duration::from_secs(60), 5_999, 200).step, MIN_STEP);
    }

    #[test]
    fn lines_are_called_by_what_tells_them_apart() {
        let lines = [
            line(&[("job", "api"), ("code", "200"), ("path", "/a")]),
            line(&[("job", "api"), ("code", "500"), ("path", "/a")]),
        ];
        assert_eq!(legends(&lines, ""), ["200", "500"]);
        assert_eq!(legends(&lines, "{{ path }}: {{code}}{{gone}}"), ["/a: 200", "/a: 500"]);
        assert_eq!(legends(&lines[..1], "")[0], r#"{code="200", job="api", path="/a"}"#);
        assert_eq!(legends(&[line(&[])], ""), ["value"]);
        assert_eq!(legends(&lines[..1], "{{code"), ["{{code"]);
    }
}
