//! The blast radius: what a plan would do to whom, with the values of this moment.

use super::{AT_ONCE, Eyes, LOOK};
use crate::domain::procedure::proposal::Blast;
use crate::domain::text;
use crate::stack::procedure::spec::BlastLine;
use futures_util::StreamExt;
use futures_util::stream;

/// The longest line shown, in characters.
const MAX_LINE: usize = 400;

/// Looks at every value.
pub async fn look(eyes: &Eyes<'_>, lines: &[BlastLine]) -> Vec<Blast> {
    stream::iter(lines.to_vec()).map(|line| one(eyes, line)).buffered(AT_ONCE).collect().await
}

async fn one(eyes: &Eyes<'_>, line: BlastLine) -> Blast {
    let Some(expr) = &line.value else {
        return Blast { says: text::one_line(&line.says, MAX_LINE), value: None };
    };
    let value = match tokio::time::timeout(LOOK, eyes.sight.value(expr)).await {
        Ok(Ok(value)) if !value.is_finite() => Err(format!("the value is {value}")),
        Ok(value) => value,
        Err(_) => Err(format!("no answer within {} s", LOOK.as_secs())),
    };
    Blast { says: put_in(&line.says, &value), value: Some(value) }
}

/// A line with its value in place of `{}`. A value that is not known is said to be so: never
/// left out, and never zero.
fn put_in(says: &str, value: &Result<f64, String>) -> String {
    let line = match value {
        Ok(value) => says.replace("{}", &number(*value)),
        Err(why) => format!("{} ({why})", says.replace("{}", "an unknown number of")),
    };
    text::one_line(&line, MAX_LINE)
}

/// Whole numbers as such, others with two digits.
fn number(value: f64) -> String {
    if value.fract() == 0.0 && value.abs() < 1e15 { format!("{value:.0}") } else { format!("{value:.2}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_stands_in_its_line_and_an_unknown_one_is_told() {
        let table = [
            ("drops {} sessions", Ok(41.0), "drops 41 sessions"),
            ("uses {} of the disk", Ok(0.5), "uses 0.50 of the disk"),
            ("sessions end by themselves", Ok(3.0), "sessions end by themselves"),
            (
                "drops {} sessions",
                Err("no answer".to_owned()),
                "drops an unknown number of sessions (no answer)",
            ),
        ];
        for (says, value, want) in table {
            assert_eq!(put_in(says, &value), want);
        }
    }
}
