//! One line of a graph on its way from samples to dots: gaps stay gaps, extremes are kept.

use super::axis::HUGE;
use super::canvas::Canvas;
use crate::domain::series::{Millis, Sample};

/// One line: its name in the legend and its points, oldest first.
#[derive(Clone, Debug)]
pub struct Trace<'a> {
    pub name: &'a str,
    pub samples: &'a [Sample],
}

/// Which times and values the dots stand for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Frame {
    pub from: Millis,
    pub to: Millis,
    pub step: Millis,
    pub lo: f64,
    pub hi: f64,
}

/// What a line left on the canvas that dots do not show.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Left {
    /// Dots that have no neighbour on either side: a single dot is overlooked.
    pub lonely: Vec<(u16, u16)>,
    /// Columns of dots where the line is beyond the upper or lower end.
    pub above: Vec<u16>,
    pub below: Vec<u16>,
    /// For each column of dots, where the line is.
    pub rows: Vec<Option<u16>>,
}

impl Frame {
    /// The column of dots for a time; `None` outside.
    pub fn column(&self, t: Millis, dots: u16) -> Option<u16> {
        let span = self.to.checked_sub(self.from).filter(|s| *s > 0)?;
        let after = t.checked_sub(self.from).filter(|a| (0..=span).contains(a))?;
        Some((after as f64 / span as f64 * f64::from(dots.saturating_sub(1))).round() as u16)
    }

    /// The row of dots for a value, from the top; values outside are at the edge.
    pub fn row(&self, v: f64, dots: u16) -> u16 {
        let last = f64::from(dots.saturating_sub(1));
        let part = ((v - self.lo) / (self.hi - self.lo)).clamp(0.0, 1.0);
        (last - part * last).round() as u16
    }

    /// Whether two neighbouring points are one line: nothing between them is missing.
    pub fn joined(&self, before: Millis, after: Millis) -> bool {
        self.step <= 0 || after.saturating_sub(before) <= self.step.saturating_mul(3) / 2
    }
}

/// The points of one column of dots.
struct Column {
    x: u16,
    first: u16,
    last: u16,
    top: u16,
    bottom: u16,
    points: usize,
}

/// Draws a line. However many points fall into one column, its least and greatest are drawn.
pub fn plot(canvas: &mut Canvas, samples: &[Sample], frame: &Frame, owner: u8) -> Left {
    let (across, down) = canvas.size();
    let mut pencil = Pencil {
        canvas,
        owner,
        column: None,
        before: None,
        left: Left { rows: vec![None; usize::from(across)], ..Left::default() },
    };
    let mut last_t: Option<Millis> = None;
    for sample in samples {
        let Some(x) = frame.column(sample.t, across) else { continue };
        if last_t.is_some_and(|t| !frame.joined(t, sample.t)) {
            pencil.lift();
        }
        last_t = Some(sample.t);
        if sample.v.is_nan() {
            pencil.lift();
            continue;
        }
        // Beyond the axis by more than rounding: said with an arrow, and for infinity no line.
        let slack = (frame.hi - frame.lo) * 1e-9;
        if sample.v > frame.hi + slack {
            pencil.left.above.push(x);
        } else if sample.v < frame.lo - slack {
            pencil.left.below.push(x);
        }
        if sample.v.abs() > HUGE {
            pencil.lift();
            continue;
        }
        pencil.to(x, frame.row(sample.v, down));
    }
    pencil.lift();
    pencil.left.above.dedup();
    pencil.left.below.dedup();
    pencil.left
}

/// What draws: it collects a column before it draws it, and joins it to the one before.
struct Pencil<'a> {
    canvas: &'a mut Canvas,
    owner: u8,
    column: Option<Column>,
    /// The end of the column before, while the line has not broken.
    before: Option<(u16, u16)>,
    left: Left,
}

impl Pencil<'_> {
    fn to(&mut self, x: u16, y: u16) {
        match &mut self.column {
            Some(c) if c.x == x => {
                (c.last, c.top, c.bottom, c.points) = (y, c.top.min(y), c.bottom.max(y), c.points + 1);
            }
            _ => {
                self.flush();
                self.column = Some(Column { x, first: y, last: y, top: y, bottom: y, points: 1 });
            }
        }
    }

    fn flush(&mut self) {
        let Some(c) = self.column.take() else { return };
        if let Some(before) = self.before {
            self.canvas.line(before, (c.x, c.first), self.owner);
        }
        self.canvas.line((c.x, c.top), (c.x, c.bottom), self.owner);
        if let Some(row) = self.left.rows.get_mut(usize::from(c.x)) {
            *row = Some(c.last);
        }
        self.before = Some((c.x, c.last));
    }

    /// Ends the line here.
    fn lift(&mut self) {
        let alone = self.before.is_none();
        if let Some(c) = &self.column
            && alone
            && c.top == c.bottom
        {
            self.left.lonely.push((c.x, c.top));
        }
        self.flush();
        self.before = None;
    }
}

/// The value at a time: the last point not after it, unless that is from before the step.
pub fn value_at(samples: &[Sample], t: Millis, step: Millis) -> Option<f64> {
    let end = samples.partition_point(|s| s.t <= t);
    let sample = samples.get(end.checked_sub(1)?)?;
    let fresh = step <= 0 || t.saturating_sub(sample.t) < step.saturating_mul(3) / 2;
    (fresh && !sample.v.is_nan()).then_some(sample.v)
}

/// The least and greatest finite value of lines within a frame's times.
pub fn extremes<'a>(
    traces: impl IntoIterator<Item = &'a Trace<'a>>,
    from: Millis,
    to: Millis,
) -> Option<(f64, f64)> {
    let mut found: Option<(f64, f64)> = None;
    for sample in traces.into_iter().flat_map(|t| t.samples) {
        if sample.v.abs() <= HUGE && (from..=to).contains(&sample.t) {
            let (lo, hi) = found.unwrap_or((sample.v, sample.v));
            found = Some((lo.min(sample.v), hi.max(sample.v)));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::widget::canvas::Form;
    use proptest::prelude::*;

    fn samples(values: &[(i64, f64)]) -> Vec<Sample> {
        values.iter().map(|(t, v)| Sample { t: t * 1000, v: *v }).collect()
    }

    fn frame(to: i64) -> Frame {
        Frame { from: 0, to: to * 1000, step: 1000, lo: 0.0, hi: 10.0 }
    }

    fn drawn(values: &[(i64, f64)], to: i64, width: u16) -> (Vec<String>, Left) {
        let mut canvas = Canvas::new(Form::Ascii, width, 2);
        let left = plot(&mut canvas, &samples(values), &frame(to), 0);
        let cell = |x, y| canvas.cell(x, y).map_or(' ', |(c, _)| c);
        ((0..2).map(|y| (0..width).map(|x| cell(x, y)).collect()).collect(), left)
    }

    #[test]
    fn what_is_missing_is_a_gap_and_not_a_zero() {
        for gap in [vec![], vec![(3, f64::NAN)], vec![(3, crate::domain::series::stale())]] {
            let mut values = vec![(0, 10.0), (1, 10.0), (2, 10.0)];
            values.extend(gap);
            values.extend([(4, 10.0), (5, 10.0)]);
            let (rows, left) = drawn(&values, 5, 6);
            assert_eq!(rows, ["''' ''", "      "]);
            assert_eq!(left.lonely, []);
        }
    }

    #[test]
    fn infinity_is_said_at_the_edge_and_a_single_point_is_not_overlooked() {
        let (rows, left) =
            drawn(&[(0, 0.0), (1, f64::INFINITY), (2, f64::NEG_INFINITY), (3, 0.0), (4, 0.0)], 4, 5);
        assert_eq!(rows, ["     ", ".  .."]);
        assert_eq!((left.above, left.below), (vec![1], vec![2]));
        assert_eq!(left.lonely, [(0, 3)]);
        let (_, left) = drawn(&[(2, 50.0)], 4, 5);
        assert_eq!((left.lonely, left.above), (vec![(2, 0)], vec![2]));
    }

    #[test]
    fn a_spike_among_thousands_of_points_is_drawn() {
        let mut values: Vec<(i64, f64)> = (0..10_000).map(|t| (t, 1.0)).collect();
        values[7003].1 = 10.0;
        let (rows, _) = drawn(&values, 9999, 20);
        assert_eq!(rows[0], "             :      ");
    }

    #[test]
    fn a_value_is_that_of_its_step_or_none() {
        let all = samples(&[(10, 1.0), (11, 2.0), (15, f64::NAN)]);
        for (t, want) in
            [(9_999, None), (10_000, Some(1.0)), (11_400, Some(2.0)), (13_000, None), (15_000, None)]
        {
            assert_eq!(value_at(&all, t, 1000), want, "{t}");
        }
    }

    proptest! {
        #[test]
        fn no_samples_break_a_canvas(
            values in proptest::collection::vec((-5i64..40, prop_oneof![any::<f64>(), -1e3f64..1e3]), 0..60),
            width in 0u16..9, lo in -1e18f64..1e18, size in 1e-9f64..1e18,
        ) {
            let mut values = samples(&values);
            values.sort_by_key(|s| s.t);
            let mut canvas = Canvas::new(Form::Braille, width, 3);
            let frame = Frame { from: 0, to: 30_000, step: 1000, lo, hi: lo + size };
            let left = plot(&mut canvas, &values, &frame, 1);
            prop_assert_eq!(left.rows.len(), usize::from(width * 2));
        }
    }
}
