//! From the parser crate's tree to the evaluator's, with every check that Prometheus makes.

use super::Type;
use super::lex::{self, GUARD};
use super::node::{AggOp, Aggregate, BinOp, Binary, Many, Node, Pick, Pin, Select, Shift, Subquery};
use super::table::{Func, unknown};
use crate::domain::series::labels::NAME;
use crate::domain::series::{Matcher, Millis, Op};
use promql_parser::label::Matchers;
use promql_parser::parser::token;
use promql_parser::parser::{self, AtModifier, Expr, LabelModifier, Offset, VectorMatchCardinality};
use std::time::{Duration, SystemTime};

/// How deep a tree may be: the evaluator goes down by calling itself.
const MAX_DEPTH: usize = 150;

/// Parses words that were checked and written again.
///
/// # Errors
/// A lowercase fragment: what is wrong.
pub(super) fn parse(text: &str) -> Result<Node, String> {
    let tree = parser::parse(text).map_err(|message| plain(&message))?;
    lower(&tree, 0)
}

/// The crate's message in this program's words.
fn plain(message: &str) -> String {
    if message.starts_with("invalid promql query") {
        return "the operators, brackets and names do not fit together".to_owned();
    }
    crate::domain::text::one_line(&message.replace(GUARD, ""), 300)
}

fn lower(expr: &Expr, depth: usize) -> Result<Node, String> {
    if depth > MAX_DEPTH {
        return Err(format!("the expression is nested more than {MAX_DEPTH} deep"));
    }
    let deeper = depth + 1;
    match expr {
        Expr::NumberLiteral(n) => Ok(Node::Number(n.val)),
        Expr::StringLiteral(s) => Ok(Node::Text(s.val.clone())),
        Expr::Paren(p) => Ok(Node::Paren(Box::new(lower(&p.expr, deeper)?))),
        Expr::VectorSelector(v) => Ok(Node::Vector(select(v)?)),
        Expr::MatrixSelector(m) => Ok(Node::Range(select(&m.vs)?, millis(m.range)?)),
        Expr::Unary(u) => {
            let inner = lower(&u.expr, deeper)?;
            match inner.kind() {
                Type::Scalar | Type::Vector => Ok(Node::Negate(Box::new(inner))),
                kind => Err(format!("a sign needs a scalar or a vector behind it, and this is a {kind}")),
            }
        }
        Expr::Subquery(s) => {
            let inner = lower(&s.expr, deeper)?;
            if inner.kind() != Type::Vector {
                return Err(format!("a subquery needs a vector before it, and this is a {}", inner.kind()));
            }
            Ok(Node::Subquery(Box::new(Subquery {
                inner,
                range: millis(s.range)?,
                step: s.step.map(millis).transpose()?,
                shift: shift(s.offset.as_ref(), s.at.as_ref())?,
            })))
        }
        Expr::Binary(b) => binary(b, deeper),
        Expr::Aggregate(a) => aggregate(a, deeper),
        Expr::Call(c) => call(c, deeper),
        Expr::Extension(_) => Err("extensions of the grammar are not supported".to_owned()),
    }
}

fn millis(duration: Duration) -> Result<Millis, String> {
    Millis::try_from(duration.as_millis()).map_err(|_| "a duration is too long".to_owned())
}

fn shift(offset: Option<&Offset>, at: Option<&AtModifier>) -> Result<Shift, String> {
    let offset = match offset {
        None => 0,
        Some(Offset::Pos(d)) => millis(*d)?,
        Some(Offset::Neg(d)) => -millis(*d)?,
    };
    let pin = match at {
        None => None,
        Some(AtModifier::Start) => Some(Pin::Start),
        Some(AtModifier::End) => Some(Pin::End),
        Some(AtModifier::At(time)) => Some(Pin::At(moment(*time)?)),
    };
    Ok(Shift { offset, pin })
}

fn moment(time: SystemTime) -> Result<Millis, String> {
    let (sign, distance) = match time.duration_since(SystemTime::UNIX_EPOCH) {
        Ok(after) => (1, after),
        Err(before) => (-1, before.duration()),
    };
    let distance = Millis::try_from(distance.as_millis()).ok().filter(|d| *d <= i64::MAX / 1000);
    distance.map(|d| sign * d).ok_or_else(|| "the moment after @ is out of bounds".to_owned())
}

fn unguarded(name: &str) -> &str {
    name.strip_prefix(GUARD).unwrap_or(name)
}

fn select(selector: &parser::VectorSelector) -> Result<Select, String> {
    let Matchers { matchers, or_matchers } = &selector.matchers;
    if !or_matchers.is_empty() {
        return Err("matchers cannot be joined with `or`".to_owned());
    }
    let mut all = Vec::with_capacity(matchers.len() + 1);
    if let Some(name) = &selector.name {
        if matchers.iter().any(|m| m.name == NAME) {
            return Err(format!("the metric's name is given twice, as {} and in braces", unguarded(name)));
        }
        all.push(Matcher::equal(NAME, unguarded(name)));
    }
    for m in matchers {
        let mut value = m.value.chars();
        let op = match value.next() {
            Some('=') => Op::Equal,
            Some('!') => Op::NotEqual,
            Some('~') => Op::Match,
            Some('^') => Op::NoMatch,
            _ => return Err("a matcher has no operator".to_owned()),
        };
        all.push(Matcher::new(m.name.as_str(), op, value.as_str())?);
    }
    if selector.name.is_none() && all.iter().all(|m| m.matches("")) {
        return Err("a selector needs a name or a matcher that does not match an absent label".to_owned());
    }
    Ok(Select { matchers: all, shift: shift(selector.offset.as_ref(), selector.at.as_ref())? })
}

fn labels(labels: &promql_parser::label::Labels) -> Vec<String> {
    let mut out: Vec<String> = labels.labels.iter().map(|l| unguarded(l).to_owned()).collect();
    out.sort();
    out.dedup();
    out
}

fn pick(modifier: Option<&LabelModifier>) -> Option<Pick> {
    modifier.map(|m| match m {
        LabelModifier::Include(l) => Pick::Only(labels(l)),
        LabelModifier::Exclude(l) => Pick::AllBut(labels(l)),
    })
}

fn operator(id: token::TokenId) -> Option<BinOp> {
    Some(match id {
        token::T_ADD => BinOp::Add,
        token::T_SUB => BinOp::Sub,
        token::T_MUL => BinOp::Mul,
        token::T_DIV => BinOp::Div,
        token::T_MOD => BinOp::Mod,
        token::T_POW => BinOp::Pow,
        token::T_ATAN2 => BinOp::Atan2,
        token::T_EQLC => BinOp::Equal,
        token::T_NEQ => BinOp::NotEqual,
        token::T_GTR => BinOp::Greater,
        token::T_LSS => BinOp::Less,
        token::T_GTE => BinOp::GreaterEqual,
        token::T_LTE => BinOp::LessEqual,
        token::T_LAND => BinOp::And,
        token::T_LOR => BinOp::Or,
        token::T_LUNLESS => BinOp::Unless,
        _ => return None,
    })
}

fn binary(b: &parser::BinaryExpr, depth: usize) -> Result<Node, String> {
    let op = operator(b.op.id()).ok_or_else(|| format!("the operator {} is not supported", b.op))?;
    let (left, right) = (lower(&b.lhs, depth)?, lower(&b.rhs, depth)?);
    let modifier = b.modifier.clone().unwrap_or_default();
    if modifier.fill_values.lhs.is_some() || modifier.fill_values.rhs.is_some() {
        return Err("fill is not supported: experimental".to_owned());
    }
    let (many, include) = match &modifier.card {
        VectorMatchCardinality::ManyToOne(l) => (Many::Left, labels(l)),
        VectorMatchCardinality::OneToMany(l) => (Many::Right, labels(l)),
        VectorMatchCardinality::OneToOne | VectorMatchCardinality::ManyToMany => (Many::None, Vec::new()),
    };
    let pick = pick(modifier.matching.as_ref()).unwrap_or(Pick::AllBut(Vec::new()));
    let node = Binary { op, left, right, flag: modifier.return_bool, pick, many, include };
    check_binary(&node)?;
    Ok(Node::Binary(Box::new(node)))
}

fn check_binary(b: &Binary) -> Result<(), String> {
    let (left, right, op) = (b.left.kind(), b.right.kind(), b.op.text());
    if let Some(kind) = [left, right].into_iter().find(|k| !matches!(k, Type::Scalar | Type::Vector)) {
        return Err(format!("{op} takes scalars and vectors, and one side is a {kind}"));
    }
    if b.flag && !b.op.compares() {
        return Err("bool can only follow a comparison".to_owned());
    }
    let scalars = left == Type::Scalar && right == Type::Scalar;
    if b.op.compares() && scalars && !b.flag {
        return Err(format!("two scalars are compared with `{op} bool`"));
    }
    let vectors = left == Type::Vector && right == Type::Vector;
    if b.op.is_set() && !vectors {
        return Err(format!("{op} takes vectors on both sides"));
    }
    if b.op.is_set() && b.many != Many::None {
        return Err(format!("{op} takes no group_left or group_right"));
    }
    let (Pick::Only(listed) | Pick::AllBut(listed)) = &b.pick;
    if !vectors && !listed.is_empty() {
        return Err("labels can only be matched between vectors".to_owned());
    }
    if let Pick::Only(on) = &b.pick
        && let Some(both) = on.iter().find(|l| b.include.contains(l))
    {
        return Err(format!("the label {both} stands in on and in group_left or group_right"));
    }
    Ok(())
}

fn aggregation(id: token::TokenId) -> Option<AggOp> {
    Some(match id {
        token::T_SUM => AggOp::Sum,
        token::T_AVG => AggOp::Avg,
        token::T_MIN => AggOp::Min,
        token::T_MAX => AggOp::Max,
        token::T_COUNT => AggOp::Count,
        token::T_GROUP => AggOp::Group,
        token::T_STDDEV => AggOp::Stddev,
        token::T_STDVAR => AggOp::Stdvar,
        token::T_TOPK => AggOp::Topk,
        token::T_BOTTOMK => AggOp::Bottomk,
        token::T_QUANTILE => AggOp::Quantile,
        token::T_COUNT_VALUES => AggOp::CountValues,
        _ => return None,
    })
}

fn aggregate(a: &parser::AggregateExpr, depth: usize) -> Result<Node, String> {
    let op = aggregation(a.op.id())
        .ok_or_else(|| format!("the aggregation {} is not supported: experimental", a.op))?;
    let inner = lower(&a.expr, depth)?;
    if inner.kind() != Type::Vector {
        return Err(format!("{} takes a vector, and this is a {}", op.text(), inner.kind()));
    }
    let param = a.param.as_ref().map(|p| lower(p, depth)).transpose()?;
    let want = match op {
        AggOp::Topk | AggOp::Bottomk | AggOp::Quantile => Some(Type::Scalar),
        AggOp::CountValues => Some(Type::Text),
        _ => None,
    };
    if param.as_ref().map(Node::kind) != want {
        let want = want.map_or_else(|| "nothing".to_owned(), |w| w.to_string());
        return Err(format!("{} takes {want} before its vector", op.text()));
    }
    if op == AggOp::CountValues {
        label_name(op.text(), param.as_ref())?;
    }
    let pick = pick(a.modifier.as_ref()).unwrap_or(Pick::Only(Vec::new()));
    Ok(Node::Aggregate(Box::new(Aggregate { op, pick, param, inner })))
}

fn call(c: &parser::Call, depth: usize) -> Result<Node, String> {
    let name = if c.func.name == "double_exponential_smoothing" { "holt_winters" } else { c.func.name };
    let func = Func::of(name).ok_or_else(|| unknown(name))?;
    let args = c.args.args.iter().map(|a| lower(a, depth)).collect::<Result<Vec<_>, _>>()?;
    let types: Vec<Type> = args.iter().map(Node::kind).collect();
    func.check(&types)?;
    // What Prometheus finds out when it evaluates, and what can be known now.
    match func {
        Func::LabelReplace => {
            label_name(name, args.get(1))?;
            if let Some(Node::Text(pattern)) = args.get(4).map(Node::bare) {
                super::func_label::pattern(pattern)?;
            }
        }
        Func::LabelJoin => {
            label_name(name, args.get(1))?;
            args.iter().skip(3).try_for_each(|a| label_name(name, Some(a)))?;
        }
        _ => {}
    }
    Ok(Node::Call(func, args))
}

fn label_name(of: &str, arg: Option<&Node>) -> Result<(), String> {
    match arg.map(Node::bare) {
        Some(Node::Text(label)) if !lex::is_label(label) => {
            Err(format!("{of}: `{}` is no name of a label", crate::domain::text::one_line(label, 60)))
        }
        _ => Ok(()),
    }
}
