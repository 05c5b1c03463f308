//! The values of an expression as a table, as CSV and as JSON.

use crate::domain::promql::{Line, Value};
use crate::domain::series::labels::NAME;
use crate::domain::series::{Labels, Millis};
use crate::domain::text;
use jiff::Timestamp;
use serde_json::{Map, Value as Json, json};
use std::collections::BTreeSet;
use std::fmt::Write as _;

/// The version of the JSON shape; it grows by one when a reader of the old shape would err.
pub const JSON_VERSION: u32 = 1;

/// How the result is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Output {
    Table,
    Json,
    Csv,
}

/// A result, and what was asked.
#[derive(Clone, Debug, PartialEq)]
pub struct Found {
    pub expr: String,
    /// The moment of an instant evaluation, or the last one of a range.
    pub at: Millis,
    /// The first moment and the step of a range.
    pub range: Option<(Millis, Millis)>,
    pub value: Value,
    pub warnings: Vec<String>,
    /// Who evaluated it: `prometheus` or `here`.
    pub by: &'static str,
}

/// In the form that was asked for.
pub fn print(found: &Found, output: Output) -> String {
    match output {
        Output::Table => table(found),
        Output::Csv => csv(found),
        Output::Json => format!("{:#}\n", as_json(found)),
    }
}

/// A value as Prometheus writes it, with an exponent where it would be long otherwise.
pub(super) fn number(v: f64) -> String {
    match v {
        v if v.is_nan() => "NaN".to_owned(),
        v if v.is_infinite() => if v > 0.0 { "+Inf" } else { "-Inf" }.to_owned(),
        v => {
            let plain = v.to_string();
            if plain.len() <= 21 { plain } else { format!("{v:e}") }
        }
    }
}

fn time(at: Millis) -> String {
    Timestamp::from_millisecond(at).map_or_else(|_| at.to_string(), |t| t.to_string())
}

/// Every value with its series and moment, in order.
fn rows(found: &Found) -> Vec<(Labels, Millis, String)> {
    match &found.value {
        Value::Scalar(v) => vec![(Labels::empty(), found.at, number(*v))],
        Value::Text(said) => vec![(Labels::empty(), found.at, said.clone())],
        Value::Vector(points) => points.iter().map(|p| (p.labels.clone(), found.at, number(p.v))).collect(),
        Value::Matrix(lines) => {
            let of = |l: &Line| {
                let labels = l.labels.clone();
                l.samples.iter().map(|s| (labels.clone(), s.t, number(s.v))).collect::<Vec<_>>()
            };
            lines.iter().flat_map(of).collect()
        }
    }
}

/// A line a series with its value; of several moments, the series once and a line a moment.
fn table(found: &Found) -> String {
    let mut out = String::new();
    let shown = |labels: &Labels| text::one_line(&labels.to_string(), 2000);
    match &found.value {
        Value::Scalar(v) => out = format!("{}\n", number(*v)),
        Value::Text(said) => out = format!("{}\n", text::one_line(said, 2000)),
        Value::Vector(points) => {
            let lines: Vec<(String, String)> =
                points.iter().map(|p| (shown(&p.labels), number(p.v))).collect();
            let wide = lines.iter().map(|(l, _)| l.chars().count()).max().unwrap_or(0).min(100);
            for (labels, value) in lines {
                let _ = writeln!(out, "{labels:wide$}  {value}");
            }
        }
        Value::Matrix(lines) => {
            for line in lines {
                let _ = writeln!(out, "{}", shown(&line.labels));
                for sample in &line.samples {
                    let _ = writeln!(out, "  {}  {}", time(sample.t), number(sample.v));
                }
            }
        }
    }
    out
}

/// With a column a label (RFC 4180). A label that a series lacks is empty.
fn csv(found: &Found) -> String {
    let rows = rows(found);
    let names: BTreeSet<String> =
        rows.iter().flat_map(|(l, _, _)| l.iter().map(|(n, _)| n.to_owned())).filter(|n| n != NAME).collect();
    let named = rows.iter().any(|(l, _, _)| !l.name().is_empty());
    let mut columns: Vec<&str> = if named { vec![NAME] } else { Vec::new() };
    columns.extend(names.iter().map(String::as_str));
    let line = |fields: Vec<&str>| fields.iter().map(|f| field(f)).collect::<Vec<_>>().join(",") + "\r\n";
    let mut out = line(columns.iter().copied().chain(["time", "value"]).collect());
    for (labels, at, value) in &rows {
        let at = time(*at);
        let values = columns.iter().map(|c| labels.get(c));
        out.push_str(&line(values.chain([at.as_str(), value.as_str()]).collect()));
    }
    out
}

fn field(text: &str) -> String {
    if text.contains(['"', ',', '\n', '\r']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.to_owned()
    }
}

fn labels_json(labels: &Labels) -> Json {
    Json::Object(labels.iter().map(|(k, v)| (k.to_owned(), Json::from(v))).collect::<Map<_, _>>())
}

/// Values are texts, since JSON has neither NaN nor infinity.
fn as_json(found: &Found) -> Json {
    let (kind, result) = match &found.value {
        Value::Scalar(v) => ("scalar", json!([{ "labels": {}, "value": number(*v) }])),
        Value::Text(said) => ("string", json!([{ "labels": {}, "value": said }])),
        Value::Vector(points) => {
            let point = |p: &crate::domain::promql::Point| json!({ "labels": labels_json(&p.labels), "value": number(p.v) });
            ("vector", points.iter().map(point).collect())
        }
        Value::Matrix(lines) => {
            let line = |l: &Line| {
                let values: Vec<Json> = l.samples.iter().map(|s| json!([time(s.t), number(s.v)])).collect();
                json!({ "labels": labels_json(&l.labels), "values": values })
            };
            ("matrix", lines.iter().map(line).collect())
        }
    };
    json!({
        "version": JSON_VERSION,
        "expr": found.expr,
        "by": found.by,
        "at": time(found.at),
        "from": found.range.map(|(from, _)| time(from)),
        "step_seconds": found.range.map(|(_, step)| step as f64 / 1000.0),
        "type": kind,
        "result": result,
        "warnings": found.warnings,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::promql::Point;
    use crate::domain::series::Sample;

    fn found(value: Value) -> Found {
        Found { expr: "x".into(), at: 1500, range: None, value, warnings: Vec::new(), by: "here" }
    }

    #[test]
    fn each_form_of_a_vector() {
        let points = vec![
            Point { labels: Labels::new([(NAME, "up"), ("job", "a,\"b\"")]), v: 1.0 },
            Point { labels: Labels::new([("zone", "z\x1b")]), v: f64::NAN },
        ];
        let found = found(Value::Vector(points));
        assert_eq!(print(&found, Output::Table), "up{job=\"a,\\\"b\\\"\"}  1\n{zone=\"z·\"}        NaN\n");
        assert_eq!(
            print(&found, Output::Csv),
            "__name__,job,zone,time,value\r\nup,\"a,\"\"b\"\"\",,1970-01-01T00:00:01.5Z,1\r\n,,z\x1b,1970-01-01T00:00:01.5Z,NaN\r\n"
        );
        let json: Json = serde_json::from_str(&print(&found, Output::Json)).unwrap();
        assert_eq!(
            (&json["version"], &json["type"], &json["from"]),
            (&json!(1), &json!("vector"), &Json::Null)
        );
        assert_eq!(
            json["result"][0],
            json!({ "labels": { "__name__": "up", "job": "a,\"b\"" }, "value": "1" })
        );
    }

    #[test]
    fn each_form_of_a_range() {
        let line = Line {
            labels: Labels::empty(),
            samples: vec![Sample { t: 0, v: f64::INFINITY }, Sample { t: 1000, v: 1e300 }],
        };
        let found = Found { range: Some((0, 1000)), ..found(Value::Matrix(vec![line])) };
        assert_eq!(
            print(&found, Output::Table),
            "{}\n  1970-01-01T00:00:00Z  +Inf\n  1970-01-01T00:00:01Z  1e300\n"
        );
        assert_eq!(
            print(&found, Output::Csv),
            "time,value\r\n1970-01-01T00:00:00Z,+Inf\r\n1970-01-01T00:00:01Z,1e300\r\n"
        );
        let json: Json = serde_json::from_str(&print(&found, Output::Json)).unwrap();
        assert_eq!(
            (&json["step_seconds"], &json["result"][0]["values"][1]),
            (&json!(1.0), &json!(["1970-01-01T00:00:01Z", "1e300"]))
        );
    }
}
