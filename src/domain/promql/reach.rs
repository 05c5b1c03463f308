//! How far back an expression looks: what a store must hold for it.

use super::node::{Node, Pin, Shift};
use super::{Options, Selector};
use crate::domain::series::Millis;
use std::time::Duration;

/// Where the enclosing subqueries have taken the moment of evaluation.
#[derive(Clone, Copy, Default)]
struct Around {
    back: Millis,
    pin: Option<Millis>,
}

impl Around {
    fn shifted(self, shift: Shift) -> Self {
        match shift.pin {
            Some(Pin::At(t)) => Around { back: shift.offset, pin: Some(t) },
            // The start and end of an evaluation are no further back than the evaluation itself.
            Some(Pin::Start | Pin::End) => Around { back: shift.offset, pin: None },
            None => Around { back: self.back.saturating_add(shift.offset), pin: self.pin },
        }
    }

    fn further(self, by: Millis) -> Self {
        Around { back: self.back.saturating_add(by), pin: self.pin }
    }
}

pub(super) fn selectors(node: &Node, options: &Options) -> Vec<Selector> {
    let mut found = Vec::new();
    let lookback = Millis::try_from(options.lookback.as_millis()).unwrap_or(Millis::MAX);
    walk(node, Around::default(), lookback, &mut found);
    found
}

fn walk(node: &Node, around: Around, lookback: Millis, found: &mut Vec<Selector>) {
    let (select, reach) = match node {
        Node::Vector(select) => (select, lookback),
        Node::Range(select, range) => (select, *range),
        Node::Subquery(s) => {
            walk(&s.inner, around.shifted(s.shift).further(s.range), lookback, found);
            return;
        }
        other => {
            for child in other.children() {
                walk(child, around, lookback, found);
            }
            return;
        }
    };
    let total = around.shifted(select.shift).further(reach);
    found.push(Selector {
        matchers: select.matchers.clone(),
        reach: Duration::from_millis(u64::try_from(total.back).unwrap_or(0)),
        pinned: total.pin,
        over_time: matches!(node, Node::Range(..)) || around.back != 0,
        text: node.to_string(),
    });
}
