//! The tree of a checked expression: what the evaluator walks.

use super::table::Func;
use crate::domain::series::{Matcher, Millis};

/// One step of an expression. Types were checked when it was built, so that the evaluator never
/// meets a vector where a scalar must stand.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Node {
    Number(f64),
    Text(String),
    /// The newest sample of each series.
    Vector(Select),
    /// The samples of each series in a window of this many milliseconds.
    Range(Select, Millis),
    Subquery(Box<Subquery>),
    Paren(Box<Node>),
    Negate(Box<Node>),
    Binary(Box<Binary>),
    Aggregate(Box<Aggregate>),
    Call(Func, Vec<Node>),
}

/// What `@` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pin {
    At(Millis),
    Start,
    End,
}

/// A shift in time: `offset` in milliseconds, positive into the past, and `@`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Shift {
    pub offset: Millis,
    pub pin: Option<Pin>,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Select {
    pub matchers: Vec<Matcher>,
    pub shift: Shift,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Subquery {
    pub inner: Node,
    pub range: Millis,
    /// The evaluation's own default where the text gives none.
    pub step: Option<Millis>,
    pub shift: Shift,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BinOp {
    Add,
    Sub,
    Mul,
    Div,
    Mod,
    Pow,
    Atan2,
    Equal,
    NotEqual,
    Greater,
    Less,
    GreaterEqual,
    LessEqual,
    And,
    Or,
    Unless,
}

impl BinOp {
    pub fn compares(self) -> bool {
        use BinOp::{Equal, Greater, GreaterEqual, Less, LessEqual, NotEqual};
        matches!(self, Equal | NotEqual | Greater | Less | GreaterEqual | LessEqual)
    }

    pub fn is_set(self) -> bool {
        matches!(self, BinOp::And | BinOp::Or | BinOp::Unless)
    }

    /// Whether the result is a number of its own, not one side's.
    pub fn computes(self) -> bool {
        !self.compares() && !self.is_set()
    }

    /// Whether the result is no longer the metric that the operands were. Prometheus 2.42 has no
    /// atan2 in its list.
    pub fn drops_name(self) -> bool {
        self.computes() && self != BinOp::Atan2
    }

    pub fn text(self) -> &'static str {
        match self {
            BinOp::Add => "+",
            BinOp::Sub => "-",
            BinOp::Mul => "*",
            BinOp::Div => "/",
            BinOp::Mod => "%",
            BinOp::Pow => "^",
            BinOp::Atan2 => "atan2",
            BinOp::Equal => "==",
            BinOp::NotEqual => "!=",
            BinOp::Greater => ">",
            BinOp::Less => "<",
            BinOp::GreaterEqual => ">=",
            BinOp::LessEqual => "<=",
            BinOp::And => "and",
            BinOp::Or => "or",
            BinOp::Unless => "unless",
        }
    }
}

/// Which labels take part: those listed, or all but those listed and the metric's name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Pick {
    Only(Vec<String>),
    AllBut(Vec<String>),
}

/// Which side may have several series for one of the other side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Many {
    None,
    Left,
    Right,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Binary {
    pub op: BinOp,
    pub left: Node,
    pub right: Node,
    /// `bool`: 0 and 1 instead of keeping and dropping.
    pub flag: bool,
    pub pick: Pick,
    pub many: Many,
    /// Labels that the result takes from the side that has one series.
    pub include: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AggOp {
    Sum,
    Avg,
    Min,
    Max,
    Count,
    Group,
    Stddev,
    Stdvar,
    Topk,
    Bottomk,
    Quantile,
    CountValues,
}

impl AggOp {
    pub fn text(self) -> &'static str {
        match self {
            AggOp::Sum => "sum",
            AggOp::Avg => "avg",
            AggOp::Min => "min",
            AggOp::Max => "max",
            AggOp::Count => "count",
            AggOp::Group => "group",
            AggOp::Stddev => "stddev",
            AggOp::Stdvar => "stdvar",
            AggOp::Topk => "topk",
            AggOp::Bottomk => "bottomk",
            AggOp::Quantile => "quantile",
            AggOp::CountValues => "count_values",
        }
    }
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Aggregate {
    pub op: AggOp,
    /// `by ()` when nothing is written.
    pub pick: Pick,
    pub param: Option<Node>,
    pub inner: Node,
}

impl Node {
    /// Without the brackets around it.
    pub fn bare(&self) -> &Node {
        let mut node = self;
        while let Node::Paren(inner) = node {
            node = inner;
        }
        node
    }

    pub fn kind(&self) -> super::Type {
        use super::Type;
        match self {
            Node::Number(_) => Type::Scalar,
            Node::Text(_) => Type::Text,
            Node::Vector(_) | Node::Aggregate(_) => Type::Vector,
            Node::Range(..) | Node::Subquery(_) => Type::Matrix,
            Node::Paren(inner) | Node::Negate(inner) => inner.kind(),
            Node::Binary(b) => {
                if b.left.kind() == Type::Scalar && b.right.kind() == Type::Scalar {
                    Type::Scalar
                } else {
                    Type::Vector
                }
            }
            Node::Call(func, _) => func.gives(),
        }
    }

    /// What it is made of, in the order of the text.
    pub fn children(&self) -> Vec<&Node> {
        match self {
            Node::Number(_) | Node::Text(_) | Node::Vector(_) | Node::Range(..) => Vec::new(),
            Node::Subquery(s) => vec![&s.inner],
            Node::Paren(inner) | Node::Negate(inner) => vec![inner],
            Node::Binary(b) => vec![&b.left, &b.right],
            Node::Aggregate(a) => a.param.iter().chain([&a.inner]).collect(),
            Node::Call(_, args) => args.iter().collect(),
        }
    }
}
