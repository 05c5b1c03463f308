//! Which labels an expression's series can have: from the text alone, and from the data without
//! its comparisons.

use super::node::{AggOp, Aggregate, BinOp, Binary, Node, Pick};
use super::table::Func;
use super::{Expr, Options, Type};
use crate::domain::series::labels::NAME;
use crate::domain::series::{Labels, Matcher, Millis, Op, Source};
use std::collections::{BTreeMap, BTreeSet};

/// Series that are looked at for one selector.
const MAX_SERIES: usize = 2000;

/// What the text alone says of the labels of an expression's series.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shape {
    /// No label but these can be there; `None` where any can.
    pub only: Option<BTreeSet<String>>,
    /// Labels that are there, with this value.
    pub fixed: BTreeMap<String, String>,
}

impl Expr {
    /// What the text says of its series' labels, the metric's name left out.
    pub fn shape(&self) -> Shape {
        shape(&self.node)
    }

    /// The labels that its series would have at a moment if every comparison with a number held,
    /// the metric's name left out. `None` where that cannot be told without evaluating.
    pub fn potential(&self, source: &dyn Source, at: Millis, options: &Options) -> Option<BTreeSet<Labels>> {
        let look = Look { source, at, lookback: Millis::try_from(options.lookback.as_millis()).ok()? };
        look.labels(&self.node)
    }
}

fn shape(node: &Node) -> Shape {
    match node {
        Node::Vector(select) | Node::Range(select, _) => Shape { only: None, fixed: fixed(&select.matchers) },
        Node::Paren(inner) | Node::Negate(inner) => shape(inner),
        Node::Subquery(s) => shape(&s.inner),
        Node::Aggregate(a) => aggregate(a),
        Node::Binary(b) => binary(b),
        Node::Call(func, args) => call(*func, args),
        Node::Number(_) | Node::Text(_) => Shape { only: Some(BTreeSet::new()), fixed: BTreeMap::new() },
    }
}

fn fixed(matchers: &[Matcher]) -> BTreeMap<String, String> {
    let equal = matchers.iter().filter(|m| m.op() == Op::Equal && m.name() != NAME && !m.value().is_empty());
    equal.map(|m| (m.name().to_owned(), m.value().to_owned())).collect()
}

fn picked(pick: &Pick, mut inner: Shape) -> Shape {
    match pick {
        Pick::Only(names) => {
            let names: BTreeSet<String> = names.iter().cloned().collect();
            inner.fixed.retain(|name, _| names.contains(name));
            inner.only = Some(inner.only.map_or(names.clone(), |only| &only & &names));
        }
        Pick::AllBut(names) => {
            inner.fixed.retain(|name, _| !names.contains(name));
            if let Some(only) = &mut inner.only {
                only.retain(|name| !names.contains(name));
            }
        }
    }
    inner
}

fn aggregate(a: &Aggregate) -> Shape {
    let inner = shape(&a.inner);
    match a.op {
        AggOp::Topk | AggOp::Bottomk => inner,
        AggOp::CountValues => Shape::default(),
        _ => picked(&a.pick, inner),
    }
}

fn binary(b: &Binary) -> Shape {
    match (b.left.kind(), b.right.kind(), b.op) {
        (Type::Vector, Type::Vector, BinOp::And | BinOp::Unless) => shape(&b.left),
        (Type::Vector, Type::Vector, BinOp::Or) => Shape::default(),
        (Type::Vector, Type::Vector, _) if b.many == super::node::Many::None => {
            // One to one: the result has the labels by which it was matched.
            if b.op.compares() && !b.flag { shape(&b.left) } else { picked(&b.pick, shape(&b.left)) }
        }
        (Type::Vector, Type::Vector, _) => Shape::default(),
        (Type::Vector, _, _) => shape(&b.left),
        _ => shape(&b.right),
    }
}

fn call(func: Func, args: &[Node]) -> Shape {
    if is_opaque(func) {
        return Shape::default();
    }
    match args.iter().find(|a| matches!(a.kind(), Type::Vector | Type::Matrix)) {
        Some(inner) => shape(inner),
        None => Shape { only: Some(BTreeSet::new()), fixed: BTreeMap::new() },
    }
}

/// Functions that make or drop labels in ways of their own.
fn is_opaque(func: Func) -> bool {
    matches!(
        func,
        Func::LabelReplace | Func::LabelJoin | Func::Absent | Func::AbsentOverTime | Func::HistogramQuantile
    )
}

struct Look<'a> {
    source: &'a dyn Source,
    at: Millis,
    lookback: Millis,
}

impl Look<'_> {
    fn labels(&self, node: &Node) -> Option<BTreeSet<Labels>> {
        match node {
            Node::Vector(select) => self.series(&select.matchers, self.lookback, select.shift.offset),
            Node::Range(select, range) => self.series(&select.matchers, *range, select.shift.offset),
            Node::Paren(inner) | Node::Negate(inner) => self.labels(inner),
            Node::Subquery(s) => self.labels(&s.inner),
            Node::Aggregate(a) => {
                let inner = self.labels(&a.inner)?;
                match a.op {
                    AggOp::Topk | AggOp::Bottomk => Some(inner),
                    AggOp::CountValues => None,
                    _ => Some(inner.iter().map(|l| key(&a.pick, l)).collect()),
                }
            }
            Node::Binary(b) => match (b.left.kind(), b.right.kind()) {
                (Type::Vector, Type::Vector) if b.op == BinOp::Or => {
                    let mut all = self.labels(&b.left)?;
                    all.extend(self.labels(&b.right)?);
                    Some(all)
                }
                (Type::Vector, Type::Vector) if b.many != super::node::Many::None => None,
                (Type::Vector, Type::Vector) => {
                    let (left, right) = (self.labels(&b.left)?, self.labels(&b.right)?);
                    let keys: BTreeSet<Labels> = right.iter().map(|l| key(&b.pick, l)).collect();
                    let is_kept = |l: &Labels| (b.op == BinOp::Unless) || keys.contains(&key(&b.pick, l));
                    let kept = left.into_iter().filter(is_kept);
                    let keeps = b.op.is_set() || (b.op.compares() && !b.flag);
                    Some(if keeps { kept.collect() } else { kept.map(|l| key(&b.pick, &l)).collect() })
                }
                (Type::Vector, _) => self.labels(&b.left),
                (_, Type::Vector) => self.labels(&b.right),
                _ => None,
            },
            Node::Call(func, args) if !is_opaque(*func) => {
                let inner = args.iter().find(|a| matches!(a.kind(), Type::Vector | Type::Matrix));
                inner.map_or_else(|| Some(BTreeSet::from([Labels::empty()])), |inner| self.labels(inner))
            }
            Node::Call(..) | Node::Number(_) | Node::Text(_) => None,
        }
    }

    /// `None` where there are too many to look at all of them: of two halves nothing follows.
    fn series(&self, matchers: &[Matcher], range: Millis, offset: Millis) -> Option<BTreeSet<Labels>> {
        let to = self.at.saturating_sub(offset);
        let mut found = BTreeSet::new();
        self.source.select(matchers, to.saturating_sub(range), to, &mut |labels, _| {
            if found.len() <= MAX_SERIES {
                found.insert(labels.without_name());
            }
        });
        (found.len() <= MAX_SERIES).then_some(found)
    }
}

fn key(pick: &Pick, labels: &Labels) -> Labels {
    match pick {
        Pick::Only(names) => labels.filtered(|n| names.iter().any(|p| p == n)),
        Pick::AllBut(names) => labels.filtered(|n| n != NAME && !names.iter().any(|p| p == n)),
    }
}
