//! A JSON document as series, by the paths of the stack file.

use super::labels::TargetLabels;
use super::stale::Found;
use crate::domain::series::Labels;
use crate::domain::text;
use crate::stack::metrics::Mapped;
use serde_json::Value;
use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt::Write as _;

/// Values taken from one document at most.
pub const MAX_VALUES: usize = 10_000;
/// What is wrong with a document is told of this many paths.
const MAX_TOLD: usize = 3;
/// The longest value of the label that a `*` gives, in bytes; a longer key is cut.
const MAX_EACH: usize = 256;

/// What a document gave.
#[derive(Debug, Default)]
pub struct Mapping {
    pub found: Vec<Found>,
    /// What was not there or no number, in words; empty when all was.
    pub trouble: String,
}

/// Takes the figures out of a document.
///
/// # Errors
/// It holds more than [`MAX_VALUES`] of them; completes "expected …, got …".
pub fn map(doc: &Value, series: &[Mapped], target: &TargetLabels) -> Result<Mapping, String> {
    let mut mapping = Mapping::default();
    let mut seen = HashSet::new();
    let mut wrong = Vec::new();
    for mapped in series {
        let mut walk = Walk { each: Vec::new(), values: Vec::new(), reached: false, other: None };
        let segments: Vec<&str> = mapped.path.split('.').filter(|s| !s.is_empty()).collect();
        walk.go(doc, &segments)?;
        let mut again = 0;
        for (each, v) in &walk.values {
            let labels = labels(mapped, each, target);
            if !seen.insert(labels.clone()) {
                again += 1;
            } else if mapping.found.len() >= MAX_VALUES {
                return Err(too_many());
            } else {
                mapping.found.push(Found { labels, t: None, v: *v });
            }
        }
        wrong.extend(trouble(mapped, &walk, again));
    }
    let more = wrong.len().saturating_sub(MAX_TOLD);
    wrong.truncate(MAX_TOLD);
    mapping.trouble = wrong.join("; ");
    if more > 0 {
        let _ = write!(mapping.trouble, "; and {more} more");
    }
    Ok(mapping)
}

/// The value at a dotted path without `*`.
pub fn path<'d>(doc: &'d Value, path: &str) -> Option<&'d Value> {
    path.split('.').filter(|s| !s.is_empty()).try_fold(doc, |at, key| match at {
        Value::Object(members) => members.get(key),
        Value::Array(items) => items.get(key.parse::<usize>().ok()?),
        _ => None,
    })
}

fn too_many() -> String {
    format!("expected at most {MAX_VALUES} values, got more")
}

/// A key as the value of a label.
fn cut(key: &str) -> Cow<'_, str> {
    if key.len() <= MAX_EACH { key.into() } else { key.chars().take(MAX_EACH / 4).collect() }
}

fn labels(mapped: &Mapped, each: &str, target: &TargetLabels) -> Labels {
    let fixed = mapped.labels.iter().map(|(k, v)| (k.as_str(), v.as_str()));
    let each = mapped.each.as_deref().map(|name| (name, each));
    target.on(&mapped.name, fixed.chain(each))
}

fn trouble(mapped: &Mapped, walk: &Walk<'_>, again: usize) -> Option<String> {
    let path = text::one_line(&mapped.path, 60);
    match walk.other {
        Some(got) => Some(format!("expected a number at {path}, got {got}")),
        None if walk.values.is_empty() && !walk.reached => {
            Some(format!("expected a number at {path}, got nothing there"))
        }
        None if again > 0 => {
            Some(format!("expected one value for each series at {path}, got {again} more: set `each`"))
        }
        None => None,
    }
}

/// A walk along one path.
struct Walk<'d> {
    /// Keys and indices that stood for `*` on the way here.
    each: Vec<Cow<'d, str>>,
    values: Vec<(String, f64)>,
    /// A `*` had no elements: nothing is missing then.
    reached: bool,
    /// What stood where a number was expected.
    other: Option<&'static str>,
}

impl<'d> Walk<'d> {
    fn go(&mut self, at: &'d Value, path: &[&str]) -> Result<(), String> {
        let Some((head, rest)) = path.split_first() else { return self.arrive(at) };
        match at {
            Value::Object(members) if *head == "*" => {
                self.reached |= members.is_empty();
                for (key, value) in members {
                    self.step(cut(key), value, rest)?;
                }
            }
            Value::Array(items) if *head == "*" => {
                self.reached |= items.is_empty();
                for (i, value) in items.iter().enumerate() {
                    self.step(i.to_string().into(), value, rest)?;
                }
            }
            Value::Object(members) => {
                if let Some(value) = members.get(*head) {
                    self.go(value, rest)?;
                }
            }
            Value::Array(items) => {
                if let Some(value) = head.parse::<usize>().ok().and_then(|i| items.get(i)) {
                    self.go(value, rest)?;
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn step(&mut self, each: Cow<'d, str>, at: &'d Value, rest: &[&str]) -> Result<(), String> {
        self.each.push(each);
        let gone = self.go(at, rest);
        self.each.pop();
        gone
    }

    fn arrive(&mut self, at: &Value) -> Result<(), String> {
        let number = match at {
            Value::Number(n) => n.as_f64().ok_or("a number beyond bounds"),
            Value::Bool(b) => Ok(f64::from(u8::from(*b))),
            Value::String(s) => s.trim().parse().map_err(|_| "a text"),
            Value::Null => Err("null"),
            Value::Array(_) => Err("a list"),
            Value::Object(_) => Err("an object"),
        };
        match number {
            Ok(_) if self.values.len() >= MAX_VALUES => return Err(too_many()),
            Ok(v) => self.values.push((self.each.join("."), v)),
            Err(got) => self.other = Some(got),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::id::HostId;
    use crate::stack::metrics::{Scrape, ScrapeKind};
    use proptest::prelude::*;
    use std::collections::BTreeMap;
    use std::time::Duration;

    fn target() -> TargetLabels {
        TargetLabels::of(&Scrape {
            id: "api".into(),
            host: HostId::new("h"),
            interval: Duration::from_secs(15),
            timeout: Duration::from_secs(10),
            labels: BTreeMap::from([("instance".to_owned(), String::new())]),
            kind: ScrapeKind::Host,
            help: String::new(),
            rows: Vec::new(),
        })
    }

    fn mapped(path: &str, each: Option<&str>) -> Mapped {
        Mapped {
            name: "x".into(),
            path: path.into(),
            each: each.map(str::to_owned),
            labels: BTreeMap::from([("job".to_owned(), "own".to_owned())]),
            counter: false,
            help: String::new(),
        }
    }

    const DOC: &str = r#"{"type":"live","data":{"cpu":12.5,"up":true,"text":" 1e3 ","none":null,"word":"a b"},
        "services":[{"name":"a","restarts":1},{"name":"b","restarts":2},{"name":"c"}],
        "byname":{"wg0":{"peers":{"x":1,"y":2}},"wg1":{"peers":{}}},"empty":[]}"#;

    #[test]
    fn paths_lead_to_numbers_or_it_is_said_why_not() {
        let table: &[(&str, Option<&str>, &[&str], &str)] = &[
            ("data.cpu", None, &[" 12.5"], ""),
            ("data.up", None, &[" 1"], ""),
            ("data.text", None, &[" 1000"], ""),
            ("services.1.restarts", None, &[" 2"], ""),
            ("services.*.restarts", Some("i"), &["0 1", "1 2"], ""),
            ("byname.*.peers.*", Some("i"), &["wg0.x 1", "wg0.y 2"], ""),
            ("empty.*.x", Some("i"), &[], ""),
            (
                "services.*.restarts",
                None,
                &[" 1"],
                "expected one value for each series at services.*.restarts, got 1 more: set `each`",
            ),
            ("data.gone", None, &[], "expected a number at data.gone, got nothing there"),
            ("services.*.gone", Some("i"), &[], "expected a number at services.*.gone, got nothing there"),
            ("services.7.restarts", None, &[], "expected a number at services.7.restarts, got nothing there"),
            ("data.none", None, &[], "expected a number at data.none, got null"),
            ("data.word", None, &[], "expected a number at data.word, got a text"),
            ("data", None, &[], "expected a number at data, got an object"),
            ("data.cpu.x", None, &[], "expected a number at data.cpu.x, got nothing there"),
        ];
        let doc = serde_json::from_str(DOC).unwrap();
        for (path, each, want, trouble) in table {
            let got = map(&doc, &[mapped(path, *each)], &target()).unwrap();
            let shown: Vec<_> = got.found.iter().map(|f| format!("{} {}", f.labels.get("i"), f.v)).collect();
            assert_eq!(
                (&shown[..], &*got.trouble),
                (&want.iter().map(|w| (*w).to_owned()).collect::<Vec<_>>()[..], *trouble),
                "{path}"
            );
        }
        let got = map(&doc, &[mapped("data.cpu", None)], &target()).unwrap();
        assert_eq!(got.found[0].labels.to_string(), r#"x{exported_job="own", host="h", job="api"}"#);
    }

    #[test]
    fn a_document_of_too_many_values_is_refused() {
        let doc: Value = (0..=MAX_VALUES).map(|i| Value::from(i as u64)).collect();
        let why = map(&doc, &[mapped("*", Some("i"))], &target()).unwrap_err();
        assert_eq!(why, "expected at most 10000 values, got more");
    }

    #[test]
    fn many_missing_paths_are_told_in_short() {
        let all: Vec<_> = ["a", "b", "c", "d", "e"].iter().map(|p| mapped(p, None)).collect();
        let got = map(&Value::Null, &all, &target()).unwrap();
        assert!(got.trouble.ends_with("at c, got nothing there; and 2 more"), "{}", got.trouble);
    }

    proptest! {
        #[test]
        fn any_document_and_path_give_an_answer(text in r#"[\[\]{}",:0-9a*]{0,40}"#, path in "[a*0-2.]{0,9}") {
            let doc = serde_json::from_str(&text).unwrap_or(Value::Null);
            let _ = map(&doc, &[mapped(&path, Some("i"))], &target());
        }
    }
}
