//! The functions that a template may call: Go's own and those of Prometheus.

use super::Scope;
use super::data::Data;
use super::{gofmt, humane};
use crate::domain::alert::ask;
use crate::domain::promql::Expr;
use core::net::IpAddr;
use regex::Regex;
use std::cmp::Ordering;
use std::fmt::Write;
use std::rc::Rc;

/// A function and how many arguments it takes.
pub struct Function {
    pub name: &'static str,
    pub least: usize,
    pub most: usize,
}

const ANY: usize = 32;
/// The largest compiled regular expression, in bytes.
const MAX_REGEX: usize = 1 << 20;
/// Series that one `query` may give to a template.
const MAX_POINTS: usize = 10_000;

const fn function(name: &'static str, least: usize, most: usize) -> Function {
    Function { name, least, most }
}

/// Everything that may be called. `and`, `or` and `query` are known to the evaluator.
pub const FUNCTIONS: [Function; 43] = [
    function("and", 1, ANY),
    function("args", 0, ANY),
    function("eq", 2, ANY),
    function("externalURL", 0, 0),
    function("first", 1, 1),
    function("ge", 2, 2),
    function("graphLink", 1, 1),
    function("gt", 2, 2),
    function("humanize", 1, 1),
    function("humanize1024", 1, 1),
    function("humanizeDuration", 1, 1),
    function("humanizePercentage", 1, 1),
    function("humanizeTimestamp", 1, 1),
    function("index", 1, ANY),
    function("label", 2, 2),
    function("le", 2, 2),
    function("len", 1, 1),
    function("lt", 2, 2),
    function("match", 2, 2),
    function("ne", 2, 2),
    function("not", 1, 1),
    function("or", 1, ANY),
    function("parseDuration", 1, 1),
    function("pathPrefix", 0, 0),
    function("print", 0, ANY),
    function("printf", 1, ANY),
    function("println", 0, ANY),
    function("query", 1, 1),
    function("reReplaceAll", 3, 3),
    function("safeHtml", 1, 1),
    function("sortByLabel", 2, 2),
    function("stripDomain", 1, 1),
    function("stripPort", 1, 1),
    function("strvalue", 1, 1),
    function("tableLink", 1, 1),
    function("title", 1, 1),
    function("toLower", 1, 1),
    function("toTime", 1, 1),
    function("toUpper", 1, 1),
    function("urlquery", 0, ANY),
    function("value", 1, 1),
    function("html", 0, ANY),
    function("js", 0, ANY),
];

/// Go's and Prometheus' functions that are left out, so that the refusal can say so.
pub const LEFT_OUT: [&str; 3] = ["call", "slice", "tmpl"];

/// Calls a function with all of its arguments.
pub fn call(name: &str, args: &[Data], scope: &Scope<'_>) -> Result<Data, String> {
    let nil = Data::Nil;
    let arg = |i: usize| args.get(i).unwrap_or(&nil);
    let text = |i: usize| text_of(name, arg(i));
    let number = || number_of(arg(0));
    Ok(match name {
        "args" => Data::Args(Rc::new(args.to_vec())),
        "eq" => return equal(args).map(Data::Bool),
        "ne" => Data::Bool(!equal(args)?),
        "lt" => Data::Bool(less(arg(0), arg(1))?),
        "gt" => Data::Bool(!less(arg(0), arg(1))? && !equal(args)?),
        "le" => Data::Bool(less(arg(0), arg(1))? || equal(args)?),
        "ge" => Data::Bool(!less(arg(0), arg(1))?),
        "not" => Data::Bool(!arg(0).is_true()),
        "len" => Data::Int(length(arg(0))?),
        "index" => return index(args),
        "print" => Data::Text(print(args)),
        "println" => Data::Text(spaced(args) + "\n"),
        "printf" => Data::Text(gofmt::printf(&text(0)?, args.get(1..).unwrap_or_default())),
        "html" => Data::Text(html(&print(args))),
        "js" => Data::Text(js(&print(args))),
        "urlquery" => Data::Text(query_escape(&print(args))),
        "safeHtml" => Data::Text(text(0)?),
        "humanize" => Data::Text(humane::humanize(number()?)),
        "humanize1024" => Data::Text(humane::humanize1024(number()?)),
        "humanizeDuration" => Data::Text(humane::humanize_duration(number()?)),
        "humanizePercentage" => Data::Text(humane::humanize_percentage(number()?)),
        "humanizeTimestamp" => Data::Text(humane::humanize_timestamp(number()?)?),
        "toTime" => Data::Time(humane::to_millis(number()?)?),
        "parseDuration" => Data::Float(duration(&text(0)?)?),
        "title" => Data::Text(title(&text(0)?)),
        "toUpper" => Data::Text(text(0)?.to_uppercase()),
        "toLower" => Data::Text(text(0)?.to_lowercase()),
        "match" => Data::Bool(regex(&text(0)?)?.is_match(&text(1)?)),
        "reReplaceAll" => {
            let (pattern, with, body) = (text(0)?, text(1)?, text(2)?);
            Data::Text(regex(&pattern)?.replace_all(&body, with.as_str()).into_owned())
        }
        "stripPort" => {
            let whole = text(0)?;
            Data::Text(host_and_port(&whole).map_or(whole.clone(), |(host, _)| host.to_owned()))
        }
        "stripDomain" => Data::Text(strip_domain(&text(0)?)),
        "graphLink" => Data::Text(format!("/graph?g0.expr={}&g0.tab=0", query_escape(&text(0)?))),
        "tableLink" => Data::Text(format!("/graph?g0.expr={}&g0.tab=1", query_escape(&text(0)?))),
        "externalURL" => Data::Text(scope.external_url.to_owned()),
        "pathPrefix" => Data::Text(path_of(scope.external_url).to_owned()),
        "query" => return query(&text(0)?, scope),
        "first" | "label" | "value" | "strvalue" | "sortByLabel" => return of_result(name, args),
        _ => return Err(format!("{name} is no function")),
    })
}

/// What a query gives: the points of a vector, or the one of a number.
fn query(text: &str, scope: &Scope<'_>) -> Result<Data, String> {
    let expr = Expr::parse(text).map_err(|e| format!("query {text:?}: {e}"))?;
    let points = ask::vector(&expr, scope.source, scope.at, scope.options)
        .map_err(|e| format!("query {text:?}: {e}"))?;
    let points = points.into_iter().take(MAX_POINTS);
    Ok(Data::Points(Rc::new(points.map(|p| Data::Point(Rc::new((p.labels, p.v)))).collect())))
}

/// The functions over what a query gave.
fn of_result(name: &str, args: &[Data]) -> Result<Data, String> {
    let wrong = |what: &str| Err(format!("{name} needs {what}"));
    match (name, args) {
        ("first", [Data::Points(points)]) => {
            points.first().cloned().ok_or_else(|| "first() called on a vector with no elements".to_owned())
        }
        ("first", _) => wrong("the result of a query"),
        ("value", [Data::Point(point)]) => Ok(Data::Float(point.1)),
        ("strvalue", [Data::Point(point)]) => Ok(Data::Text(point.0.get("__value__").to_owned())),
        ("value" | "strvalue", _) => wrong("one point of a result, such as `first` gives"),
        ("label", [Data::Text(label), Data::Point(point)]) => Ok(Data::Text(point.0.get(label).to_owned())),
        ("label", _) => wrong("a label's name and one point of a result"),
        (_, [Data::Text(label), Data::Points(points)]) => {
            let mut sorted = points.to_vec();
            let key = |d: &Data| match d {
                Data::Point(p) => p.0.get(label).to_owned(),
                _ => String::new(),
            };
            sorted.sort_by_key(key);
            Ok(Data::Points(Rc::new(sorted)))
        }
        _ => wrong("a label's name and the result of a query"),
    }
}

fn text_of(name: &str, data: &Data) -> Result<String, String> {
    match data {
        Data::Text(s) => Ok(s.clone()),
        other => Err(format!("{name} needs a text, and this is a {}", other.type_name())),
    }
}

fn number_of(data: &Data) -> Result<f64, String> {
    match data {
        Data::Float(v) => Ok(*v),
        Data::Int(n) => Ok(*n as f64),
        Data::Text(s) => s.parse().map_err(|_| format!("{} is no number", gofmt::quote(s))),
        other => Err(format!("a {} is no number", other.type_name())),
    }
}

fn equal(args: &[Data]) -> Result<bool, String> {
    let Some((first, others)) = args.split_first() else { return Ok(false) };
    for other in others {
        let same = match (first, other) {
            (Data::Nil, Data::Nil) => true,
            (Data::Nil, _) | (_, Data::Nil) => false,
            (Data::Bool(a), Data::Bool(b)) => a == b,
            (Data::Int(a), Data::Int(b)) => a == b,
            #[expect(clippy::float_cmp, reason = "Go compares so, and a template asks for Go's answer")]
            (Data::Float(a), Data::Float(b)) => a == b,
            (Data::Text(a), Data::Text(b)) => a == b,
            (a, b) => return Err(incomparable(a, b)),
        };
        if same {
            return Ok(true);
        }
    }
    Ok(false)
}

fn less(a: &Data, b: &Data) -> Result<bool, String> {
    match (a, b) {
        (Data::Int(a), Data::Int(b)) => Ok(a < b),
        (Data::Float(a), Data::Float(b)) => Ok(a < b),
        (Data::Text(a), Data::Text(b)) => Ok(a.cmp(b) == Ordering::Less),
        (a, b) => Err(incomparable(a, b)),
    }
}

fn incomparable(a: &Data, b: &Data) -> String {
    let hint = match (a, b) {
        (Data::Float(_), Data::Int(_)) | (Data::Int(_), Data::Float(_)) => ": write the number as 5.0",
        _ => "",
    };
    format!("a {} cannot be compared with a {}{hint}", a.type_name(), b.type_name())
}

fn length(data: &Data) -> Result<i64, String> {
    let n = match data {
        Data::Text(s) => s.len(),
        Data::Labels(labels) => labels.len(),
        Data::Points(list) | Data::Args(list) => list.len(),
        other => return Err(format!("a {} has no length", other.type_name())),
    };
    Ok(i64::try_from(n).unwrap_or(i64::MAX))
}

fn index(args: &[Data]) -> Result<Data, String> {
    let Some((first, keys)) = args.split_first() else { return Ok(Data::Nil) };
    keys.iter().try_fold(first.clone(), |data, key| match (&data, key) {
        (Data::Labels(_) | Data::Args(_), Data::Text(name)) => data.field(name),
        (Data::Points(list), Data::Int(i)) => {
            let found = usize::try_from(*i).ok().and_then(|i| list.get(i)).cloned();
            found.ok_or_else(|| format!("index {i} is beyond the {} that there are", list.len()))
        }
        (data, key) => Err(format!("a {} cannot be indexed by a {}", data.type_name(), key.type_name())),
    })
}

/// As Go's `Sprint`: a space between two values of which neither is a text.
fn print(args: &[Data]) -> String {
    let mut out = String::new();
    let mut before_is_text = true;
    for (i, arg) in args.iter().enumerate() {
        let is_text = matches!(arg, Data::Text(_));
        if i > 0 && !is_text && !before_is_text {
            out.push(' ');
        }
        before_is_text = is_text;
        out.push_str(&arg.show());
    }
    out
}

fn spaced(args: &[Data]) -> String {
    args.iter().map(Data::show).collect::<Vec<_>>().join(" ")
}

fn regex(pattern: &str) -> Result<Regex, String> {
    let built = regex::RegexBuilder::new(pattern).size_limit(MAX_REGEX).build();
    built.map_err(|e| crate::domain::text::one_line(&e.to_string(), 200))
}

/// Every word with a capital at its start, as Go's deprecated `strings.Title`.
fn title(text: &str) -> String {
    let mut before = ' ';
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        // Of what is not ASCII only blanks part words, as in Go.
        let in_word =
            before.is_ascii_alphanumeric() || before == '_' || !before.is_ascii() && !before.is_whitespace();
        if in_word {
            out.push(c);
        } else {
            out.extend(c.to_uppercase());
        }
        before = c;
    }
    out
}

/// `host:port` or `[host]:port` in its parts.
fn host_and_port(text: &str) -> Option<(&str, &str)> {
    let (host, port) = text.rsplit_once(':')?;
    if let Some(inside) = host.strip_prefix('[') {
        return inside.strip_suffix(']').filter(|h| !h.contains(['[', ']'])).map(|h| (h, port));
    }
    (!host.contains([':', '[', ']']) && !port.contains(['[', ']'])).then_some((host, port))
}

fn strip_domain(text: &str) -> String {
    let (host, port) = host_and_port(text).unwrap_or((text, ""));
    if host.parse::<IpAddr>().is_ok() {
        return text.to_owned();
    }
    let host = host.split('.').next().unwrap_or(host);
    match (port.is_empty(), host.contains(':')) {
        (true, _) => host.to_owned(),
        (false, true) => format!("[{host}]:{port}"),
        (false, false) => format!("{host}:{port}"),
    }
}

/// The path of an address, without a slash at its end.
fn path_of(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let rest = rest.split(['?', '#']).next().unwrap_or("");
    rest.find('/').and_then(|i| rest.get(i..)).unwrap_or("")
}

fn query_escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for b in text.bytes() {
        match b {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => out.push(char::from(b)),
            b' ' => out.push('+'),
            b => {
                let _ = write!(out, "%{b:02X}");
            }
        }
    }
    out
}

fn html(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\0' => out.push('\u{fffd}'),
            '"' => out.push_str("&#34;"),
            '\'' => out.push_str("&#39;"),
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            c => out.push(c),
        }
    }
    out
}

fn js(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            '\'' => out.push_str("\\'"),
            '"' => out.push_str("\\\""),
            c if c.is_control() || matches!(c, '<' | '>' | '&' | '=') => {
                let _ = write!(out, "\\u{:04X}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out
}

/// A duration in Prometheus' form, in seconds.
fn duration(text: &str) -> Result<f64, String> {
    crate::domain::alert::rule::parse_duration(text).map(|d| d.as_secs_f64())
}
