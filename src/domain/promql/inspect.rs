//! What an expression is made of, for whoever explains why it gives nothing: the comparison at its
//! root, its joins, and guards that hide low values.

use super::node::{Binary, Many, Node, Pick};
use super::table::Func;
use super::{BinOp, Expr, Type};
use std::sync::Arc;

/// A comparison, as the root of an alert's condition: `left > right`.
#[derive(Clone, Debug, PartialEq)]
pub struct Comparison {
    /// `>`, `<=`, ...
    pub op: &'static str,
    /// With `bool`: gives 0 and 1 for all instead of keeping some.
    pub flag: bool,
    pub left: Expr,
    pub right: Expr,
    /// The side that is a plain number, if one is.
    pub threshold: Option<Threshold>,
}

/// The number that a vector is compared with.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Threshold {
    pub value: f64,
    /// The number stands on the left, as in `5 < up`.
    pub on_left: bool,
}

impl Comparison {
    /// The side that varies: the one that is not the threshold, or the left one.
    pub fn measured(&self) -> &Expr {
        if self.threshold.is_some_and(|t| t.on_left) { &self.right } else { &self.left }
    }

    /// Whether the comparison holds between two values.
    pub fn holds(&self, left: f64, right: f64) -> bool {
        op_of(self.op).is_some_and(|op| super::binary::compute(op, left, right).is_some())
    }
}

fn op_of(text: &str) -> Option<BinOp> {
    use BinOp::{Equal, Greater, GreaterEqual, Less, LessEqual, NotEqual};
    [Equal, NotEqual, Greater, Less, GreaterEqual, LessEqual].into_iter().find(|op| op.text() == text)
}

/// Which labels two sides of a join must share.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Matching {
    On(Vec<String>),
    /// All labels but these and the metric's name; also when nothing is written.
    Ignoring(Vec<String>),
}

impl Matching {
    /// Whether a label takes part in the matching.
    pub fn uses(&self, label: &str) -> bool {
        match self {
            Matching::On(names) => names.iter().any(|n| n == label),
            Matching::Ignoring(names) => {
                label != crate::domain::series::labels::NAME && !names.iter().any(|n| n == label)
            }
        }
    }
}

/// An operation between two vectors.
#[derive(Clone, Debug, PartialEq)]
pub struct Join {
    /// `/`, `and`, `>`, ...
    pub op: &'static str,
    pub matching: Matching,
    /// `group_left` or `group_right`, with the labels that are taken over.
    pub group: Option<(&'static str, Vec<String>)>,
    pub left: Expr,
    pub right: Expr,
    /// The whole operation.
    pub whole: Expr,
}

/// A `clamp_min` in a divisor: the ratio is smaller than it truly is while the divisor is low.
#[derive(Clone, Debug, PartialEq)]
pub struct Guard {
    /// The division.
    pub whole: Expr,
    pub dividend: Expr,
    /// The call.
    pub clamp: Expr,
    /// What is clamped.
    pub clamped: Expr,
    /// The least value, where it is a plain number.
    pub least: Option<f64>,
}

impl Expr {
    fn part(node: &Node) -> Expr {
        Expr { text: Arc::from(node.to_string()), node: Arc::new(node.clone()) }
    }

    /// The comparison at the root, through brackets.
    pub fn comparison(&self) -> Option<Comparison> {
        let Node::Binary(b) = self.node.bare() else { return None };
        if !b.op.compares() {
            return None;
        }
        let threshold = match (plain(&b.left), plain(&b.right)) {
            (_, Some(value)) => Some(Threshold { value, on_left: false }),
            (Some(value), None) => Some(Threshold { value, on_left: true }),
            (None, None) => None,
        };
        let (left, right) = (Expr::part(&b.left), Expr::part(&b.right));
        Some(Comparison { op: b.op.text(), flag: b.flag, left, right, threshold })
    }

    /// The sides of an `and`, `or` or `unless` at the root, through brackets: its name, left, right.
    pub fn set_operation(&self) -> Option<(&'static str, Expr, Expr)> {
        match self.node.bare() {
            Node::Binary(b) if b.op.is_set() => {
                Some((b.op.text(), Expr::part(&b.left), Expr::part(&b.right)))
            }
            _ => None,
        }
    }

    /// Every operation between two vectors, outer ones first.
    pub fn joins(&self) -> Vec<Join> {
        let mut found = Vec::new();
        each(&self.node, &mut |node| {
            if let Node::Binary(b) = node
                && b.left.kind() == Type::Vector
                && b.right.kind() == Type::Vector
            {
                found.push(join(node, b));
            }
        });
        found
    }

    /// Every `clamp_min` that stands, at whatever depth, in a divisor.
    pub fn guards(&self) -> Vec<Guard> {
        let mut found = Vec::new();
        each(&self.node, &mut |node| {
            if let Node::Binary(b) = node
                && b.op == BinOp::Div
            {
                guards_in(node, b, &mut found);
            }
        });
        found
    }

    /// All parts of the expression that are vectors, the expression itself first.
    pub fn parts(&self) -> Vec<Expr> {
        let mut found = Vec::new();
        each(&self.node, &mut |node| {
            if node.kind() == Type::Vector && !matches!(node, Node::Paren(_)) {
                found.push(Expr::part(node));
            }
        });
        found
    }
}

fn each(node: &Node, visit: &mut dyn FnMut(&Node)) {
    visit(node);
    for child in node.children() {
        each(child, visit);
    }
}

/// The value of a number, also with brackets and signs.
fn plain(node: &Node) -> Option<f64> {
    match node {
        Node::Number(v) => Some(*v),
        Node::Paren(inner) => plain(inner),
        Node::Negate(inner) => plain(inner).map(|v| -v),
        Node::Binary(b) if b.op.computes() => super::binary::compute(b.op, plain(&b.left)?, plain(&b.right)?),
        _ => None,
    }
}

fn join(node: &Node, b: &Binary) -> Join {
    Join {
        op: b.op.text(),
        matching: match &b.pick {
            Pick::Only(names) => Matching::On(names.clone()),
            Pick::AllBut(names) => Matching::Ignoring(names.clone()),
        },
        group: match b.many {
            Many::None => None,
            Many::Left => Some(("group_left", b.include.clone())),
            Many::Right => Some(("group_right", b.include.clone())),
        },
        left: Expr::part(&b.left),
        right: Expr::part(&b.right),
        whole: Expr::part(node),
    }
}

fn guards_in(whole: &Node, division: &Binary, found: &mut Vec<Guard>) {
    each(&division.right, &mut |node| {
        if let Node::Call(Func::ClampMin, args) = node
            && let [clamped, least] = args.as_slice()
        {
            found.push(Guard {
                whole: Expr::part(whole),
                dividend: Expr::part(&division.left),
                clamp: Expr::part(node),
                clamped: Expr::part(clamped),
                least: plain(least),
            });
        }
    });
}
