//! The families of a target: what is known of each name, beside the values that were just seen.

use super::stale::Found;
use crate::domain::board::Family;
use crate::stack::metrics::Mapped;
use std::collections::BTreeMap;

/// Families listed at most; the others are counted.
pub const MAX_FAMILIES: usize = 2_000;
/// Series of a family shown at most; the others are counted.
const MAX_SERIES: usize = 200;

/// What is known of a name.
#[derive(Clone, Copy, Debug)]
pub struct About<'a> {
    pub kind: &'static str,
    pub help: &'a str,
}

impl<'a> About<'a> {
    /// What the stack file says of a name.
    pub fn mapped(series: &'a [Mapped], name: &str) -> Self {
        let of = series.iter().find(|m| m.name == name);
        let kind = if of.is_some_and(|m| m.counter) { "counter" } else { "gauge" };
        About { kind, help: of.map_or("", |m| m.help.as_str()) }
    }
}

/// Families by name, and how many more there are than are listed.
pub fn families<'a>(found: &[Found], about: impl Fn(&str) -> About<'a>) -> (Vec<Family>, usize) {
    let mut by_name: BTreeMap<&str, Vec<&Found>> = BTreeMap::new();
    for one in found {
        by_name.entry(one.labels.name()).or_default().push(one);
    }
    let more = by_name.len().saturating_sub(MAX_FAMILIES);
    let family = |(name, all): (&str, Vec<&Found>)| {
        let About { kind, help } = about(name);
        let shown =
            all.iter().take(MAX_SERIES).map(|f| (f.labels.without_name().to_string(), f.v.to_string()));
        Family {
            name: name.to_owned(),
            kind: kind.to_owned(),
            help: help.to_owned(),
            unit: String::new(),
            series: shown.collect(),
            more: all.len().saturating_sub(MAX_SERIES),
        }
    };
    (by_name.into_iter().take(MAX_FAMILIES).map(family).collect(), more)
}
