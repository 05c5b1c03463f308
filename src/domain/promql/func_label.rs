//! Functions that rewrite labels.

use super::EvalError;
use super::grid::Grid;
use super::node::Node;
use crate::domain::series::Labels;
use crate::domain::series::regex::go_regex;
use regex::Regex;

/// The largest compiled regular expression, in bytes.
const MAX_REGEX: usize = 1 << 20;

/// The regular expression of `label_replace`, which must match the whole value.
pub(super) fn pattern(text: &str) -> Result<Regex, String> {
    regex::RegexBuilder::new(&format!("^(?s:{})$", go_regex(text))).size_limit(MAX_REGEX).build().map_err(
        |e| {
            let why = crate::domain::text::one_line(&e.to_string(), 200);
            format!("invalid regular expression in label_replace(): {why}")
        },
    )
}

fn text(args: &[Node], i: usize) -> Result<&str, EvalError> {
    match args.get(i).map(Node::bare) {
        Some(Node::Text(text)) => Ok(text),
        _ => Err(EvalError("a string is missing".to_owned())),
    }
}

pub(super) fn replace(mut grid: Grid, args: &[Node]) -> Result<Grid, EvalError> {
    let (to, with, from) = (text(args, 1)?, text(args, 2)?, text(args, 3)?);
    let regex = pattern(text(args, 4)?).map_err(EvalError)?;
    grid.settle_names();
    let mut value = String::new();
    for slot in &mut grid.labels {
        if let Some(found) = regex.captures(slot.get(from)) {
            value.clear();
            found.expand(with, &mut value);
            *slot = slot.with(to, &value);
        }
    }
    grid.unite(false)
}

pub(super) fn join(mut grid: Grid, args: &[Node]) -> Result<Grid, EvalError> {
    let (to, between) = (text(args, 1)?, text(args, 2)?);
    let from = (3..args.len()).map(|i| text(args, i)).collect::<Result<Vec<_>, _>>()?;
    grid.settle_names();
    for slot in &mut grid.labels {
        let values: Vec<&str> = from.iter().map(|name| slot.get(name)).collect();
        let joined: Labels = slot.with(to, &values.join(between));
        *slot = joined;
    }
    grid.unite(false)
}
