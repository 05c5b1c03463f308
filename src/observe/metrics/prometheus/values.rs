//! The `data` of a query's answer, as it is on the wire: values are texts, since JSON has no NaN.

use crate::domain::promql::{Line, Point, Value};
use crate::domain::series::{Labels, Millis, Sample};
use serde::Deserialize;
use serde::de::{Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::borrow::Cow;
use std::fmt;

/// What a query gave.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Data {
    result_type: String,
    result: Vec<Element>,
}

/// A series, or one half of a lone value's pair.
enum Element {
    Number,
    Text(String),
    Series(Series),
}

#[derive(Deserialize)]
struct Series {
    #[serde(default)]
    metric: LabelSet,
    value: Option<Pair>,
    #[serde(default)]
    values: Vec<Pair>,
    /// Native histograms, which have no single value.
    histogram: Option<IgnoredAny>,
    histograms: Option<IgnoredAny>,
}

/// The labels of a series.
pub struct LabelSet(pub Labels);

/// A moment in seconds and a value in quotes.
struct Pair(Sample);

impl Data {
    /// The value at one moment.
    ///
    /// # Errors
    /// What it is instead.
    pub fn value(self, warnings: &mut Vec<String>) -> Result<Value, String> {
        let series = |element: Element| match element {
            Element::Series(series) => Ok(series),
            _ => Err("a series that is none".to_owned()),
        };
        match self.result_type.as_str() {
            "scalar" => Ok(Value::Scalar(number(&lone(self.result)?).map_err(|w| w.to_string())?)),
            "string" => Ok(Value::Text(lone(self.result)?)),
            "vector" => {
                let all = self.result.into_iter().map(series).collect::<Result<Vec<_>, _>>()?;
                note_histograms(&all, warnings);
                let point = |s: Series| Some(Point { labels: s.metric.0, v: s.value?.0.v });
                Ok(Value::Vector(all.into_iter().filter_map(point).collect()))
            }
            "matrix" => Ok(Value::Matrix(self.lines(warnings)?)),
            other => Err(format!("a result of the type {}", crate::domain::text::one_line(other, 40))),
        }
    }

    /// The values over a time.
    ///
    /// # Errors
    /// What it is instead.
    pub fn lines(self, warnings: &mut Vec<String>) -> Result<Vec<Line>, String> {
        if self.result_type != "matrix" {
            return Err(format!(
                "a {} where a matrix belongs",
                crate::domain::text::one_line(&self.result_type, 40)
            ));
        }
        let mut all = Vec::with_capacity(self.result.len());
        for element in self.result {
            let Element::Series(series) = element else { return Err("a series that is none".to_owned()) };
            all.push(series);
        }
        note_histograms(&all, warnings);
        let line =
            |s: Series| Line { labels: s.metric.0, samples: s.values.into_iter().map(|p| p.0).collect() };
        Ok(all.into_iter().filter(|s| !s.values.is_empty()).map(line).collect())
    }
}

/// Says what is left out.
fn note_histograms(all: &[Series], warnings: &mut Vec<String>) {
    let count = all.iter().filter(|s| s.histogram.is_some() || s.histograms.is_some()).count();
    if count > 0 {
        warnings.push(format!("{count} series with native histograms, which are not shown"));
    }
}

/// The value of `[moment, "value"]`.
fn lone(result: Vec<Element>) -> Result<String, String> {
    let mut result = result.into_iter();
    match (result.next(), result.next(), result.next()) {
        (Some(Element::Number), Some(Element::Text(value)), None) => Ok(value),
        _ => Err("no pair of a moment and a value".to_owned()),
    }
}

/// A value as Prometheus writes it: `1.5e+06`, `NaN`, `+Inf`.
fn number(text: &str) -> Result<f64, NoNumber> {
    text.parse().map_err(|_| NoNumber(crate::domain::text::one_line(text, 40)))
}

/// A text that should have been a number.
struct NoNumber(String);

impl fmt::Display for NoNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the value \"{}\", which is no number", self.0)
    }
}

/// Seconds with a fraction as milliseconds.
fn millis(seconds: f64) -> Millis {
    (seconds * 1000.0).round() as Millis
}

impl<'de> Deserialize<'de> for Pair {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let (t, v): (f64, Cow<'de, str>) = Deserialize::deserialize(from)?;
        Ok(Pair(Sample { t: millis(t), v: number(&v).map_err(D::Error::custom)? }))
    }
}

impl Default for LabelSet {
    fn default() -> Self {
        LabelSet(Labels::empty())
    }
}

impl<'de> Deserialize<'de> for LabelSet {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Pairs;
        impl<'de> Visitor<'de> for Pairs {
            type Value = LabelSet;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("labels")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<LabelSet, A::Error> {
                let mut pairs: Vec<(String, String)> = Vec::new();
                while let Some(pair) = map.next_entry()? {
                    pairs.push(pair);
                }
                Ok(LabelSet(Labels::new(pairs)))
            }
        }
        from.deserialize_map(Pairs)
    }
}

impl<'de> Deserialize<'de> for Element {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Any;
        impl<'de> Visitor<'de> for Any {
            type Value = Element;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a series or a value")
            }

            fn visit_f64<E: Error>(self, _: f64) -> Result<Element, E> {
                Ok(Element::Number)
            }

            fn visit_i64<E: Error>(self, _: i64) -> Result<Element, E> {
                Ok(Element::Number)
            }

            fn visit_u64<E: Error>(self, _: u64) -> Result<Element, E> {
                Ok(Element::Number)
            }

            fn visit_str<E: Error>(self, v: &str) -> Result<Element, E> {
                Ok(Element::Text(v.to_owned()))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, _: A) -> Result<Element, A::Error> {
                Err(A::Error::custom("a list where a series belongs"))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Element, A::Error> {
                Series::deserialize(serde::de::value::MapAccessDeserializer::new(map)).map(Element::Series)
            }
        }
        from.deserialize_any(Any)
    }
}
