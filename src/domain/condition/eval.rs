//! Holding a condition against facts.

use super::{Compare, Condition, Function, Literal, Op, Segment};
use crate::domain::fact::{Fact, Facts, show_json};
use crate::domain::units::{self, Unit};
use serde_json::Value;
use std::fmt::Write as _;

/// What came of holding a condition against facts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    Holds,
    /// The reason: "expected …, got …".
    Fails(String),
    /// The fact could not be learned; the reason says why.
    Unknown(String),
}

/// One value at the end of a path, with the name of the list element it came from.
struct Found<'a> {
    value: Seen<'a>,
    owner: Option<&'a str>,
}

/// A value in the form that operators compare.
#[derive(Clone)]
enum Seen<'a> {
    Bool(bool),
    Number(f64, Unit),
    Text(std::borrow::Cow<'a, str>),
    Json(&'a Value),
    Nothing,
}

impl Condition {
    /// Holds the condition against what a probe found.
    pub fn eval(&self, facts: &Facts) -> Verdict {
        let found = match facts.get(&self.name) {
            None => vec![Found { value: Seen::Nothing, owner: None }],
            Some(Fact::Unavailable(why)) => return Verdict::Unknown(crate::domain::text::reason(why)),
            Some(Fact::Json(value)) => walk(value, &self.path),
            Some(fact) => vec![Found { value: seen(fact), owner: None }],
        };
        if found.is_empty() {
            return Verdict::Fails(format!("expected {}, got an empty list", self.expectation(None)));
        }
        for item in found {
            let value = self.apply(item.value);
            if !self.op.holds(&value) {
                let who = item
                    .owner
                    .map(|o| format!("{}: ", crate::domain::text::one_line(o, 40)))
                    .unwrap_or_default();
                return Verdict::Fails(format!(
                    "{who}expected {}, got {}",
                    self.expectation(item.owner),
                    show(&value)
                ));
            }
        }
        Verdict::Holds
    }

    fn apply<'a>(&self, value: Seen<'a>) -> Seen<'a> {
        match self.function {
            Function::None => value,
            Function::Has => Seen::Bool(!matches!(value, Seen::Nothing | Seen::Json(Value::Null))),
            Function::Len => match &value {
                Seen::Text(t) => count(t.chars().count()),
                Seen::Json(Value::String(t)) => count(t.chars().count()),
                Seen::Json(Value::Array(items)) => count(items.len()),
                Seen::Json(Value::Object(map)) => count(map.len()),
                _ => Seen::Nothing,
            },
            Function::Letters => match as_text(&value) {
                Some(text) => Seen::Text(letters(&text).into()),
                None => Seen::Nothing,
            },
        }
    }

    /// The condition without its brackets, and for one of many without the way to it.
    fn expectation(&self, owner: Option<&str>) -> String {
        let mut subject = String::new();
        if owner.is_none() && self.path.is_empty() {
            subject.push_str(&self.name.to_lowercase().replace('_', " "));
        }
        let from = if owner.is_some() {
            self.path.iter().rposition(|s| *s == Segment::Every).map_or(0, |i| i + 1)
        } else {
            0
        };
        for segment in self.path.iter().skip(from) {
            match segment {
                Segment::Key(key) => {
                    if !subject.is_empty() {
                        subject.push('.');
                    }
                    subject.push_str(key);
                }
                Segment::Index(i) => {
                    let _ = write!(subject, "[{i}]");
                }
                Segment::Every => subject.push_str("[*]"),
            }
        }
        if self.function != Function::None {
            subject = format!("{}({subject})", self.function.name());
        }
        format!("{subject} {}", self.op.describe())
    }
}

fn count<'a>(n: usize) -> Seen<'a> {
    Seen::Number(n as f64, Unit::None)
}

fn seen(fact: &Fact) -> Seen<'_> {
    match fact {
        Fact::Bool(b) => Seen::Bool(*b),
        Fact::Number(n, unit) => Seen::Number(*n, *unit),
        Fact::Text(t) => Seen::Text(t.as_str().into()),
        Fact::Json(v) => Seen::Json(v),
        Fact::Unavailable(_) => Seen::Nothing,
    }
}

/// Follows a path; `[*]` fans out, and what is not there is `Nothing`.
fn walk<'a>(root: &'a Value, path: &[Segment]) -> Vec<Found<'a>> {
    let mut now = vec![(Some(root), None)];
    for segment in path {
        now = match segment {
            Segment::Key(key) => now.into_iter().map(|(v, o)| (v.and_then(|v| v.get(key)), o)).collect(),
            Segment::Index(i) => now.into_iter().map(|(v, o)| (v.and_then(|v| v.get(i)), o)).collect(),
            Segment::Every => now.into_iter().flat_map(|(v, o)| fan_out(v, o)).collect(),
        };
    }
    let wrap = |v: Option<&'a Value>| v.map_or(Seen::Nothing, Seen::Json);
    now.into_iter().map(|(v, owner)| Found { value: wrap(v), owner }).collect()
}

type Reached<'a> = (Option<&'a Value>, Option<&'a str>);

/// The elements of a list or the members of an object, each with a name for the reason.
fn fan_out<'a>(value: Option<&'a Value>, owner: Option<&'a str>) -> Vec<Reached<'a>> {
    match value {
        Some(Value::Array(items)) => items
            .iter()
            .map(|item| {
                let name = ["name", "id", "service"].iter().find_map(|k| item.get(k)).and_then(Value::as_str);
                (Some(item), name.or(owner))
            })
            .collect(),
        Some(Value::Object(map)) => map.iter().map(|(key, item)| (Some(item), Some(key.as_str()))).collect(),
        _ => vec![(None, owner)],
    }
}

impl Op {
    fn holds(&self, value: &Seen) -> bool {
        match self {
            Op::Compare(compare, literal) => compare_literal(*compare, value, literal),
            Op::Contains(part) => match value {
                Seen::Json(Value::Array(items)) => items.iter().any(|i| i.as_str() == Some(part)),
                other => as_text(other).is_some_and(|t| t.contains(part.as_str())),
            },
            Op::Matches(regex) => as_text(value).is_some_and(|t| regex.is_match(&t)),
            Op::OneOf(all) => all.iter().any(|l| compare_literal(Compare::Eq, value, l)),
            Op::Within(low, high, unit) => {
                as_number(value).is_some_and(|(n, u)| comparable(u, *unit) && *low <= n && n <= *high)
            }
        }
    }

    fn describe(&self) -> String {
        match self {
            Op::Compare(compare, literal) => format!("{} {}", compare.symbol(), literal.show()),
            Op::Contains(part) => format!("contains {part}"),
            Op::Matches(regex) => format!("matches {regex}"),
            Op::OneOf(all) => {
                format!("in ({})", all.iter().map(Literal::show).collect::<Vec<_>>().join(", "))
            }
            Op::Within(low, high, unit) => {
                format!("in {}..{}", units::quantity(*low, *unit), units::quantity(*high, *unit))
            }
        }
    }
}

impl Literal {
    fn show(&self) -> String {
        match self {
            Literal::Number(n, unit) => units::quantity(*n, *unit),
            Literal::Bool(b) => b.to_string(),
            Literal::Null => "null".to_owned(),
            Literal::Text(t) => t.clone(),
        }
    }
}

fn compare_literal(compare: Compare, value: &Seen, literal: &Literal) -> bool {
    let equal = match (value, literal) {
        (Seen::Bool(a) | Seen::Json(Value::Bool(a)), Literal::Bool(b)) => a == b,
        (Seen::Json(Value::Null) | Seen::Nothing, Literal::Null) => true,
        (Seen::Nothing, _) => return false,
        (_, Literal::Number(b, unit)) => {
            return match as_number(value) {
                Some((a, u)) if comparable(u, *unit) => compare_numbers(compare, a, *b),
                // Not a number at all is different from every number; it is not above or below one.
                _ => compare == Compare::Ne,
            };
        }
        (_, Literal::Text(b)) => as_text(value).is_some_and(|a| a == b.as_str()),
        // Redis and command outputs say `true` in words.
        (Seen::Text(a), Literal::Bool(b)) => a.as_ref() == if *b { "true" } else { "false" },
        _ => false,
    };
    match compare {
        Compare::Eq => equal,
        Compare::Ne => !equal,
        _ => false,
    }
}

/// Ordinary comparison, with equality to within what a unit conversion rounds away.
fn compare_numbers(compare: Compare, a: f64, b: f64) -> bool {
    let equal = (a - b).abs() <= 1e-9 * a.abs().max(b.abs());
    match compare {
        Compare::Eq => equal,
        Compare::Ne => !equal,
        Compare::Lt => a < b && !equal,
        Compare::Le => a < b || equal,
        Compare::Gt => a > b && !equal,
        Compare::Ge => a > b || equal,
    }
}

fn comparable(a: Unit, b: Unit) -> bool {
    a == b || a == Unit::None || b == Unit::None
}

fn as_number(value: &Seen) -> Option<(f64, Unit)> {
    match value {
        Seen::Number(n, unit) => Some((*n, *unit)),
        Seen::Json(Value::Number(n)) => n.as_f64().map(|n| (n, Unit::None)),
        Seen::Text(t) => t.trim().parse().ok().map(|n| (n, Unit::None)),
        Seen::Json(Value::String(t)) => t.trim().parse().ok().map(|n| (n, Unit::None)),
        _ => None,
    }
}

fn as_text<'a>(value: &'a Seen) -> Option<std::borrow::Cow<'a, str>> {
    match value {
        Seen::Text(t) => Some(t.as_ref().into()),
        Seen::Json(Value::String(t)) => Some(t.as_str().into()),
        Seen::Json(v @ (Value::Number(_) | Value::Bool(_))) => Some(v.to_string().into()),
        Seen::Number(n, unit) => Some(units::quantity(*n, *unit).into()),
        _ => None,
    }
}

fn show(value: &Seen) -> String {
    match value {
        Seen::Bool(b) => b.to_string(),
        Seen::Number(n, unit) => units::quantity(*n, *unit),
        Seen::Text(t) if t.is_empty() => "nothing".to_owned(),
        Seen::Text(t) => crate::domain::text::one_line(t, 80),
        Seen::Json(v) => show_json(v),
        Seen::Nothing => "nothing".to_owned(),
    }
}

/// The set of letters in a text, in order.
pub(super) fn letters(text: &str) -> String {
    text.chars().collect::<std::collections::BTreeSet<char>>().into_iter().collect()
}
