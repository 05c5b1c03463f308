//! Writes a part of an expression as Prometheus would: the text of sub-expressions.

use super::node::{Aggregate, Binary, Many, Node, Pick, Pin, Select, Shift, Subquery};
use crate::domain::series::labels::{NAME, Quoted};
use crate::domain::series::{Millis, Op};
use std::fmt::{self, Display, Formatter};

impl Display for Node {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Node::Number(v) => number(f, *v),
            Node::Text(text) => write!(f, "{}", Quoted(text)),
            Node::Vector(select) => {
                series(f, select)?;
                shift(f, select.shift)
            }
            Node::Range(select, range) => {
                series(f, select)?;
                write!(f, "[{}]", Span(*range))?;
                shift(f, select.shift)
            }
            Node::Subquery(s) => subquery(f, s),
            Node::Paren(inner) => write!(f, "({inner})"),
            Node::Negate(inner) => write!(f, "-{inner}"),
            Node::Binary(b) => binary(f, b),
            Node::Aggregate(a) => aggregate(f, a),
            Node::Call(func, args) => {
                write!(f, "{}(", func.name())?;
                for (i, arg) in args.iter().enumerate() {
                    write!(f, "{}{arg}", if i > 0 { ", " } else { "" })?;
                }
                f.write_str(")")
            }
        }
    }
}

fn number(f: &mut Formatter<'_>, v: f64) -> fmt::Result {
    match v {
        v if v.is_nan() => f.write_str("NaN"),
        v if v.is_infinite() => f.write_str(if v > 0.0 { "Inf" } else { "-Inf" }),
        v => {
            let (plain, short) = (v.to_string(), format!("{v:e}"));
            f.write_str(if plain.len() <= 21 { &plain } else { &short })
        }
    }
}

/// A duration as in expressions: `1h30m`, `-5m`.
pub(super) struct Span(pub Millis);

impl Display for Span {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let mut rest = self.0.unsigned_abs();
        if rest == 0 {
            return f.write_str("0s");
        }
        if self.0 < 0 {
            f.write_str("-")?;
        }
        for (unit, millis) in [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)] {
            if rest >= millis {
                write!(f, "{}{unit}", rest / millis)?;
                rest %= millis;
            }
        }
        Ok(())
    }
}

fn is_metric(name: &str) -> bool {
    super::lex::is_label(&name.replace(':', "_"))
}

/// A label's name, quoted where it needs to be.
struct Name<'a>(&'a str);

impl Display for Name<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if super::lex::is_label(self.0) { f.write_str(self.0) } else { write!(f, "{}", Quoted(self.0)) }
    }
}

fn series(f: &mut Formatter<'_>, select: &Select) -> fmt::Result {
    let named =
        |m: &&crate::domain::series::Matcher| m.name() == NAME && m.op() == Op::Equal && is_metric(m.value());
    let name = select.matchers.iter().find(named);
    if let Some(m) = name {
        f.write_str(m.value())?;
    }
    let mut rest = select.matchers.iter().filter(|m| name.is_none_or(|n| !std::ptr::eq(n, *m))).peekable();
    if name.is_some() && rest.peek().is_none() {
        return Ok(());
    }
    f.write_str("{")?;
    for (i, m) in rest.enumerate() {
        let op = match m.op() {
            Op::Equal => "=",
            Op::NotEqual => "!=",
            Op::Match => "=~",
            Op::NoMatch => "!~",
        };
        write!(f, "{}{}{op}{}", if i > 0 { "," } else { "" }, Name(m.name()), Quoted(m.value()))?;
    }
    f.write_str("}")
}

fn shift(f: &mut Formatter<'_>, shift: Shift) -> fmt::Result {
    match shift.pin {
        None => {}
        Some(Pin::At(t)) => {
            let sign = if t < 0 { "-" } else { "" };
            write!(f, " @ {sign}{}.{:03}", t.unsigned_abs() / 1000, t.unsigned_abs() % 1000)?;
        }
        Some(Pin::Start) => f.write_str(" @ start()")?,
        Some(Pin::End) => f.write_str(" @ end()")?,
    }
    if shift.offset == 0 { Ok(()) } else { write!(f, " offset {}", Span(shift.offset)) }
}

fn subquery(f: &mut Formatter<'_>, s: &Subquery) -> fmt::Result {
    write!(f, "{}[{}:", s.inner, Span(s.range))?;
    if let Some(step) = s.step {
        write!(f, "{}", Span(step))?;
    }
    f.write_str("]")?;
    shift(f, s.shift)
}

fn list(f: &mut Formatter<'_>, word: &str, names: &[String]) -> fmt::Result {
    write!(f, " {word} (")?;
    for (i, name) in names.iter().enumerate() {
        write!(f, "{}{}", if i > 0 { ", " } else { "" }, Name(name))?;
    }
    f.write_str(")")
}

fn binary(f: &mut Formatter<'_>, b: &Binary) -> fmt::Result {
    write!(f, "{} {}", b.left, b.op.text())?;
    if b.flag {
        f.write_str(" bool")?;
    }
    match &b.pick {
        Pick::Only(names) => list(f, "on", names)?,
        Pick::AllBut(names) if !names.is_empty() || b.many != Many::None => list(f, "ignoring", names)?,
        Pick::AllBut(_) => {}
    }
    match b.many {
        Many::None => {}
        Many::Left => list(f, "group_left", &b.include)?,
        Many::Right => list(f, "group_right", &b.include)?,
    }
    write!(f, " {}", b.right)
}

fn aggregate(f: &mut Formatter<'_>, a: &Aggregate) -> fmt::Result {
    f.write_str(a.op.text())?;
    match &a.pick {
        Pick::Only(names) if names.is_empty() => {}
        Pick::Only(names) => list(f, "by", names)?,
        Pick::AllBut(names) => list(f, "without", names)?,
    }
    f.write_str(if matches!(a.pick, Pick::Only(ref n) if n.is_empty()) { "(" } else { " (" })?;
    if let Some(param) = &a.param {
        write!(f, "{param}, ")?;
    }
    write!(f, "{})", a.inner)
}
