//! What a probe found out, by name: the values that conditions are held against.

use super::units::{self, Unit};

/// One value found by a probe.
#[derive(Clone, Debug, PartialEq)]
pub enum Fact {
    Bool(bool),
    Number(f64, Unit),
    Text(String),
    /// A structure with paths into it, such as a JSON body.
    Json(serde_json::Value),
    /// It exists, but we could not learn it. The reason completes "unknown: …".
    Unavailable(String),
}

impl Fact {
    /// How it reads in a reason, as one safe line.
    pub fn show(&self) -> String {
        match self {
            Fact::Bool(b) => b.to_string(),
            Fact::Number(n, unit) => units::quantity(*n, *unit),
            Fact::Text(t) if t.is_empty() => "nothing".to_owned(),
            Fact::Text(t) => super::text::one_line(t, 80),
            Fact::Json(v) => show_json(v),
            Fact::Unavailable(why) => super::text::reason(why),
        }
    }
}

/// A JSON value as one short safe line.
pub fn show_json(v: &serde_json::Value) -> String {
    match v {
        serde_json::Value::String(s) if s.is_empty() => "an empty text".to_owned(),
        serde_json::Value::String(s) => super::text::one_line(s, 80),
        serde_json::Value::Array(items) => format!("a list of {}", items.len()),
        serde_json::Value::Object(map) => format!("an object of {}", map.len()),
        other => other.to_string(),
    }
}

/// The facts of one probe run. A handful at most, so a list beats a map.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Facts(Vec<(&'static str, Fact)>);

impl Facts {
    pub fn new() -> Self {
        Facts::default()
    }

    /// Adds a fact; the first of a name stands.
    #[must_use]
    pub fn with(mut self, name: &'static str, fact: Fact) -> Self {
        self.set(name, fact);
        self
    }

    pub fn set(&mut self, name: &'static str, fact: Fact) {
        if self.get(name).is_none() {
            self.0.push((name, fact));
        }
    }

    pub fn number(&mut self, name: &'static str, value: f64, unit: Unit) {
        self.set(name, Fact::Number(value, unit));
    }

    pub fn text(&mut self, name: &'static str, value: impl Into<String>) {
        self.set(name, Fact::Text(value.into()));
    }

    pub fn bool(&mut self, name: &'static str, value: bool) {
        self.set(name, Fact::Bool(value));
    }

    pub fn get(&self, name: &str) -> Option<&Fact> {
        self.0.iter().find(|(n, _)| *n == name).map(|(_, f)| f)
    }

    pub fn iter(&self) -> impl Iterator<Item = (&'static str, &Fact)> {
        self.0.iter().map(|(n, f)| (*n, f))
    }
}

/// What a probe kind can know, so that a condition is checked when its file is loaded.
#[derive(Clone, Copy, Debug)]
pub struct FactDecl {
    /// As written between brackets: `STATUS`.
    pub name: &'static str,
    pub ty: FactType,
    /// One line for the documentation.
    pub doc: &'static str,
}

/// The type of a declared fact.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum FactType {
    Bool,
    Number(Unit),
    Text,
    /// May be followed by a path: `[BODY].data[0].name`.
    Json,
}
