//! The condition grammar shared by every probe kind: `[STATUS] == 200`,
//! `[BODY].services[*].state == running`, `len([BODY].rows) > 0`, `[AGE] < 10m`.
//!
//! ```text
//! condition := operand op literal
//! operand   := ref | ("len" | "has" | "letters") "(" ref ")"
//! ref       := "[" NAME "]" ( "." key | "[" index | "*" "]" )*
//! op        := "==" | "!=" | "<" | "<=" | ">" | ">=" | "contains" | "matches" | "in"
//! literal   := number with unit | true | false | null | word | "quoted text"
//!            | "(" literal, … ")" or low..high          (only after `in`)
//! ```
//! A `[*]` means every element, of which there must be at least one.

mod eval;
mod parse;

pub use eval::Verdict;
pub use parse::ParseError;

use super::fact::{FactDecl, FactType};
use super::units::Unit;

/// A parsed condition.
#[derive(Clone, Debug)]
pub struct Condition {
    /// As the stack file has it; this is what a reason quotes.
    text: String,
    function: Function,
    name: String,
    path: Vec<Segment>,
    op: Op,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Function {
    None,
    /// Elements of a list, keys of an object, characters of a text.
    Len,
    /// Whether there is anything at that path.
    Has,
    /// The set of letters of a text, in order: Redis reports `Ex` as `xE`.
    Letters,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Segment {
    Key(String),
    Index(usize),
    Every,
}

#[derive(Clone, Debug)]
enum Op {
    Compare(Compare, Literal),
    Contains(String),
    Matches(regex::Regex),
    OneOf(Vec<Literal>),
    Within(f64, f64, Unit),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Compare {
    Eq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
}

#[derive(Clone, Debug, PartialEq)]
enum Literal {
    Number(f64, Unit),
    Bool(bool),
    Null,
    Text(String),
}

impl Condition {
    /// The condition as written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The fact it speaks of.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Checks it against what a probe kind can know.
    ///
    /// # Errors
    /// An unknown name, a path where there is no structure, or units that cannot be compared;
    /// the text completes "failed to understand the condition: …".
    pub fn check(&self, facts: &[FactDecl]) -> Result<(), String> {
        let Some(decl) = facts.iter().find(|d| d.name == self.name) else {
            let names: Vec<String> = facts.iter().map(|d| format!("[{}]", d.name)).collect();
            let near = super::text::nearest(&self.name, facts.iter().map(|d| d.name));
            let hint = near.map(|n| format!("; did you mean [{n}]?")).unwrap_or_default();
            return Err(format!(
                "this kind of probe has no [{}]{hint} it has {}",
                self.name,
                names.join(", ")
            ));
        };
        if !self.path.is_empty() && decl.ty != FactType::Json {
            return Err(format!("[{}] has no parts, so no path can follow it", self.name));
        }
        let want = match decl.ty {
            FactType::Number(unit) if self.function == Function::None => unit,
            FactType::Number(_) if self.function != Function::Has => {
                return Err(format!("[{}] is a number; len and letters are for texts and lists", self.name));
            }
            FactType::Bool if self.function == Function::None => return self.check_bool(),
            _ => return Ok(()),
        };
        self.check_unit(want)
    }

    fn check_bool(&self) -> Result<(), String> {
        match &self.op {
            Op::Compare(Compare::Eq | Compare::Ne, Literal::Bool(_)) => Ok(()),
            _ => Err(format!("[{}] is true or false; write [{}] == true", self.name, self.name)),
        }
    }

    fn check_unit(&self, want: Unit) -> Result<(), String> {
        let fits = |unit: Unit| unit == want || (want != Unit::Seconds && unit == Unit::None);
        let literal_fits = |l: &Literal| matches!(l, Literal::Number(_, unit) if fits(*unit));
        let ok = match &self.op {
            Op::Compare(_, literal) => literal_fits(literal),
            Op::OneOf(all) => all.iter().all(literal_fits),
            Op::Within(_, _, unit) => fits(*unit),
            Op::Contains(_) | Op::Matches(_) => false,
        };
        if ok { Ok(()) } else { Err(format!("[{}] is compared with {}", self.name, want.describe())) }
    }
}

impl Function {
    fn name(self) -> &'static str {
        match self {
            Function::None => "",
            Function::Len => "len",
            Function::Has => "has",
            Function::Letters => "letters",
        }
    }
}

impl Compare {
    fn symbol(self) -> &'static str {
        match self {
            Compare::Eq => "==",
            Compare::Ne => "!=",
            Compare::Lt => "<",
            Compare::Le => "<=",
            Compare::Gt => ">",
            Compare::Ge => ">=",
        }
    }
}

#[cfg(test)]
mod tests;
