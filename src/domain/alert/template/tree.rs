//! A template as a tree.

use std::ops::Range;

#[derive(Clone, Debug)]
pub enum Node {
    Text(String),
    /// Shows its value, unless it only sets a variable.
    Action(Pipeline),
    If {
        cond: Pipeline,
        then: Vec<Node>,
        other: Vec<Node>,
    },
    With {
        cond: Pipeline,
        then: Vec<Node>,
        other: Vec<Node>,
    },
    Range {
        over: Pipeline,
        body: Vec<Node>,
        other: Vec<Node>,
    },
    Break,
    Continue,
}

/// Commands, each of which gets the one before as its last argument.
#[derive(Clone, Debug)]
pub struct Pipeline {
    /// Variables that are set: one, or two in `range`.
    pub set: Vec<String>,
    /// Whether they are new (`:=`).
    pub declares: bool,
    pub commands: Vec<Command>,
}

#[derive(Clone, Debug)]
pub struct Command {
    /// What is called or shown, then its arguments.
    pub words: Vec<Word>,
}

#[derive(Clone, Debug)]
pub struct Word {
    pub kind: Kind,
    /// Names after it: `.a.b`.
    pub fields: Vec<String>,
    pub span: Range<usize>,
}

#[derive(Clone, Debug)]
pub enum Kind {
    /// `.` or, with fields, `.a`.
    Dot,
    /// With its `$`.
    Variable(String),
    Function(String),
    Text(String),
    Int(i64),
    Float(f64),
    Bool(bool),
    Nil,
    Paren(Pipeline),
}
