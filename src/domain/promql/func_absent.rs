//! `absent` and `absent_over_time`: a series where there is none.

use super::grid::{Grid, is_none};
use super::node::Node;
use crate::domain::series::labels::NAME;
use crate::domain::series::{Labels, Matcher, Op};

/// 1 at each step at which no row has a value.
pub(super) fn absent(of: &Node, grid: &Grid) -> Grid {
    let mut out = Grid::new(grid.width);
    let row = out.add(labels(of));
    for (step, slot) in out.row_mut(row).iter_mut().enumerate() {
        if (0..grid.len()).all(|row| grid.value(row, step).is_none_or(is_none)) {
            *slot = 1.0;
        }
    }
    out.keep_last_if_filled();
    out
}

/// The labels that a selected series would surely have: those named by exactly one `=`.
fn labels(of: &Node) -> Labels {
    let matchers: &[Matcher] = match of.bare() {
        Node::Vector(select) | Node::Range(select, _) => &select.matchers,
        _ => &[],
    };
    let mut kept: Vec<(&str, &str)> = Vec::new();
    let mut seen: Vec<&str> = Vec::new();
    for m in matchers.iter().filter(|m| m.name() != NAME) {
        if m.op() == Op::Equal && !seen.contains(&m.name()) {
            kept.push((m.name(), m.value()));
            seen.push(m.name());
        } else {
            kept.retain(|(name, _)| *name != m.name());
        }
    }
    Labels::new(kept)
}
