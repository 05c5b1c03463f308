//! From the text of a series to its labels: escapes undone, the target's labels put over it.

use crate::domain::series::Labels;
use crate::domain::series::labels::NAME;
use crate::domain::text;
use std::borrow::Cow;
use std::collections::BTreeMap;

/// What is put before a label's name when the target has a label of that name.
pub const EXPORTED: &str = "exported_";

/// A text with `\"`, `\\` and `\n` undone; any other backslash stands for itself.
pub fn unescaped(raw: &str) -> Cow<'_, str> {
    if !raw.contains('\\') {
        return Cow::Borrowed(raw);
    }
    let mut out = String::with_capacity(raw.len());
    let mut chars = raw.chars();
    while let Some(c) = chars.next() {
        let escaped = if c == '\\' { chars.clone().next() } else { None };
        match escaped {
            Some(next @ ('"' | '\\' | 'n')) => {
                out.push(if next == 'n' { '\n' } else { next });
                chars.next();
            }
            _ => out.push(c),
        }
    }
    Cow::Owned(out)
}

/// The name and labels of a series in the order of its text, which the line lexer has accepted.
/// The name comes as the label `__name__`, wherever it stands.
pub fn pairs(series: &str) -> Vec<(Cow<'_, str>, Cow<'_, str>)> {
    let mut found = Vec::new();
    let (name, mut rest) = series.split_at(series.find('{').unwrap_or(series.len()));
    if !name.is_empty() {
        found.push((Cow::Borrowed(NAME), Cow::Borrowed(name.trim_end_matches([' ', '\t']))));
    }
    loop {
        rest = rest.trim_start_matches(['{', ' ', '\t', ',']);
        let (key, after) = match rest.strip_prefix('"') {
            Some(quoted) => quoted.split_at(string_end(quoted)),
            None => rest.split_at(rest.find(['=', ' ', '\t', '}']).unwrap_or(rest.len())),
        };
        let key = unescaped(key);
        rest = after.trim_start_matches(['"', ' ', '\t']);
        if let Some(value) = rest.strip_prefix('=') {
            let value = value.trim_start_matches([' ', '\t']);
            let value = value.strip_prefix('"').unwrap_or(value);
            let (value, after) = value.split_at(string_end(value));
            found.push((key, unescaped(value)));
            rest = after.strip_prefix('"').unwrap_or(after);
        } else if after.starts_with('"') {
            found.push((Cow::Borrowed(NAME), key));
        } else {
            return found;
        }
    }
}

/// Where the quote stands that ends a text.
fn string_end(text: &str) -> usize {
    let mut escaped = false;
    for (i, c) in text.bytes().enumerate() {
        match c {
            b'"' if !escaped => return i,
            b'\\' => escaped = !escaped,
            _ => escaped = false,
        }
    }
    text.len()
}

/// The labels of a series with a target's labels over them, as Prometheus does it when labels are
/// not to be honoured: a label of the page whose name the target uses becomes `exported_…`.
///
/// # Errors
/// A label that stands there twice, unless that makes no difference to Prometheus either, or no
/// name at all.
pub fn labels(series: &str, target: &BTreeMap<String, String>) -> Result<Labels, String> {
    let mut found = pairs(series);
    found.sort_by(|a, b| a.0.cmp(&b.0));
    // An empty value takes away all labels of its name.
    let empty: Vec<Cow<'_, str>> =
        found.iter().filter(|(_, value)| value.is_empty()).map(|(name, _)| name.clone()).collect();
    found.retain(|(name, _)| !empty.contains(name));
    let clashes = |name: &str| name != NAME && target.get(name).is_some_and(|v| !v.is_empty());
    // Of those that have to make way the first is taken.
    found.dedup_by(|b, a| a.0 == b.0 && clashes(&a.0));
    if let Some((name, _)) = found.iter().zip(found.iter().skip(1)).find(|(a, b)| a.0 == b.0).map(|(a, _)| a)
    {
        return Err(format!("the label {} stands there twice", text::one_line(name, 40)));
    }
    if !found.iter().any(|(name, _)| name == NAME) {
        return Err("a series without a name".to_owned());
    }
    let (mut moved, mut kept): (Vec<_>, Vec<_>) = found.into_iter().partition(|(name, _)| clashes(name));
    let over = target.iter().filter(|(name, value)| *name != NAME && !value.is_empty());
    kept.extend(over.map(|(n, v)| (Cow::Borrowed(n.as_str()), Cow::Borrowed(v.as_str()))));
    moved.sort_by_key(|(name, _)| name.len());
    for (name, value) in moved {
        let mut free = format!("{EXPORTED}{name}");
        while kept.iter().any(|(n, _)| *n == free) {
            free.insert_str(0, EXPORTED);
        }
        kept.push((Cow::Owned(free), value));
    }
    Ok(Labels::new(kept))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_undone_and_what_is_none_stays() {
        let table = [
            (r"a\nb", "a\nb"),
            (r"\\n", r"\n"),
            (r#"\""#, "\""),
            (r"\t\x\", r"\t\x\"),
            (r"C:\\DIR\\", r"C:\DIR\"),
        ];
        for (raw, text) in table {
            assert_eq!(unescaped(raw), text);
        }
    }

    #[test]
    fn the_targets_labels_come_first() {
        let target: BTreeMap<String, String> = [("job", "api"), ("instance", "h:1"), ("empty", "")]
            .map(|(n, v)| (n.to_owned(), v.to_owned()))
            .into();
        let table = [
            ("up", r#"up{instance="h:1", job="api"}"#),
            (r#"a {b = "c" , }"#, r#"a{b="c", instance="h:1", job="api"}"#),
            (r#"a{b="",c="}{,=\"\\"}"#, r#"a{c="}{,=\"\\", instance="h:1", job="api"}"#),
            (r#"a{job="x"}"#, r#"a{exported_job="x", instance="h:1", job="api"}"#),
            (
                r#"a{job="x",exported_job="y"}"#,
                r#"a{exported_exported_job="x", exported_job="y", instance="h:1", job="api"}"#,
            ),
            (r#"a{empty="x"}"#, r#"a{empty="x", instance="h:1", job="api"}"#),
            (r#"a{x="1"y="2"}"#, r#"a{instance="h:1", job="api", x="1", y="2"}"#),
            (r#"{"my.metric","a.b"="c"}"#, r#"my.metric{a.b="c", instance="h:1", job="api"}"#),
            (r#"{d="e", "m\"n"}"#, r#"m"n{d="e", instance="h:1", job="api"}"#),
            ("a{}", r#"a{instance="h:1", job="api"}"#),
            (r#"a{b="",b="c"}"#, r#"a{instance="h:1", job="api"}"#),
            (r#"a{job="1",job="2"}"#, r#"a{exported_job="1", instance="h:1", job="api"}"#),
            // Prometheus 2 takes the empty label's name for taken; 3 does not.
            (r#"a{exported_job="",job="x"}"#, r#"a{exported_job="x", instance="h:1", job="api"}"#),
        ];
        for (series, expected) in table {
            assert_eq!(labels(series, &target).unwrap().to_string(), expected, "{series}");
        }
        for bad in [r#"a{x="1",x="2"}"#, r#"{"m",__name__="n"}"#, r#"{""}"#, r#"{"a\\b"="1","a\b"="2","m"}"#]
        {
            assert!(labels(bad, &target).is_err(), "{bad}");
        }
    }
}
