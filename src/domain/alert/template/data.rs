//! The values that a template handles, as Go would type them.

use super::gofmt;
use crate::domain::series::{Labels, labels::NAME};
use std::rc::Rc;

#[derive(Clone, Debug)]
pub enum Data {
    Nil,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(String),
    Labels(Labels),
    /// One point of a query's result.
    Point(Rc<(Labels, f64)>),
    Points(Rc<Vec<Data>>),
    /// What `args` gives: `arg0`, `arg1`, …
    Args(Rc<Vec<Data>>),
    /// Milliseconds since the epoch.
    Time(i64),
    /// What the dot is at the start.
    Alert,
}

impl Data {
    /// Go's name of the type, for `%T` and for messages.
    pub fn type_name(&self) -> &'static str {
        match self {
            Data::Nil => "<nil>",
            Data::Bool(_) => "bool",
            Data::Int(_) => "int",
            Data::Float(_) => "float64",
            Data::Text(_) => "string",
            Data::Labels(_) => "map[string]string",
            Data::Point(_) => "*template.sample",
            Data::Points(_) => "template.queryResult",
            Data::Args(_) => "map[string]interface {}",
            Data::Time(_) => "*time.Time",
            Data::Alert => "struct",
        }
    }

    /// As Go's `%v`.
    pub fn show(&self) -> String {
        match self {
            Data::Nil => "<nil>".to_owned(),
            Data::Bool(b) => b.to_string(),
            Data::Int(n) => n.to_string(),
            Data::Float(v) => gofmt::float(*v),
            Data::Text(s) => s.clone(),
            Data::Labels(labels) => map(labels.iter().map(|(n, v)| (n.to_owned(), v.to_owned()))),
            Data::Point(point) => {
                format!("&{{{} {}}}", Data::Labels(point.0.clone()).show(), gofmt::float(point.1))
            }
            Data::Points(points) => {
                let list: Vec<String> = points.iter().map(Data::show).collect();
                format!("[{}]", list.join(" "))
            }
            Data::Args(args) => map(args.iter().enumerate().map(|(i, a)| (format!("arg{i}"), a.show()))),
            Data::Time(ms) => super::humane::moment(*ms),
            Data::Alert => "{}".to_owned(),
        }
    }

    /// Whether `if` takes it for true.
    pub fn is_true(&self) -> bool {
        match self {
            Data::Nil => false,
            Data::Bool(b) => *b,
            Data::Int(n) => *n != 0,
            Data::Float(v) => *v != 0.0,
            Data::Text(s) => !s.is_empty(),
            Data::Labels(labels) => !labels.is_empty(),
            Data::Points(list) | Data::Args(list) => !list.is_empty(),
            Data::Point(_) | Data::Time(_) | Data::Alert => true,
        }
    }

    /// A field of a point, or an entry of a map: absent labels are empty texts.
    pub fn field(&self, name: &str) -> Result<Data, String> {
        match self {
            Data::Labels(labels) => Ok(Data::Text(labels.get(name).to_owned())),
            Data::Point(point) => match name {
                "Labels" => Ok(Data::Labels(point.0.clone())),
                "Value" => Ok(Data::Float(point.1)),
                _ => Err(format!("a result has .Labels and .Value, but no .{name}")),
            },
            Data::Args(args) => {
                let index = name.strip_prefix("arg").and_then(|i| i.parse::<usize>().ok());
                Ok(index.and_then(|i| args.get(i)).cloned().unwrap_or(Data::Nil))
            }
            other => Err(format!("a value of type {} has no field .{name}", other.type_name())),
        }
    }
}

/// The text of a metric's name in a map of labels is under [`NAME`], as in Prometheus.
fn map(entries: impl Iterator<Item = (String, String)>) -> String {
    let mut list: Vec<(String, String)> = entries.collect();
    list.sort();
    debug_assert!(list.iter().filter(|(n, _)| n == NAME).count() <= 1);
    let list: Vec<String> = list.into_iter().map(|(n, v)| format!("{n}:{v}")).collect();
    format!("map[{}]", list.join(" "))
}
