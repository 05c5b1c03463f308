//! What can be told of a template without data: refused when it is read, never at 3 am.

use super::TemplateError;
use super::functions::{FUNCTIONS, LEFT_OUT};
use super::tree::{Command, Kind, Node, Pipeline, Word};
use crate::domain::promql::Expr;
use crate::domain::text::nearest;
use std::ops::Range;

/// What the dot has at the start.
const FIELDS: [&str; 4] = ["ExternalLabels", "ExternalURL", "Labels", "Value"];
/// Functions that compare two values of one type.
const COMPARISONS: [&str; 6] = ["eq", "ge", "gt", "le", "lt", "ne"];

pub fn check(nodes: &[Node]) -> Result<(), TemplateError> {
    list(nodes, true)
}

/// `outer` holds where the dot is still what it is at the start.
fn list(nodes: &[Node], outer: bool) -> Result<(), TemplateError> {
    nodes.iter().try_for_each(|node| match node {
        Node::Text(_) | Node::Break | Node::Continue => Ok(()),
        Node::Action(p) => pipeline(p, outer),
        Node::If { cond, then, other } => {
            pipeline(cond, outer)?;
            list(then, outer)?;
            list(other, outer)
        }
        Node::With { cond, then, other } | Node::Range { over: cond, body: then, other } => {
            pipeline(cond, outer)?;
            list(then, false)?;
            list(other, outer)
        }
    })
}

fn pipeline(pipeline: &Pipeline, outer: bool) -> Result<(), TemplateError> {
    let mut before: Option<&Command> = None;
    for command in &pipeline.commands {
        for w in &command.words {
            word(w, outer)?;
        }
        call(command, before, outer)?;
        // A function without arguments may stand as an argument itself.
        for w in command.words.iter().skip(1) {
            if let Kind::Function(name) = &w.kind {
                known(name, 0, w)?;
            }
        }
        before = Some(command);
    }
    Ok(())
}

fn word(word: &Word, outer: bool) -> Result<(), TemplateError> {
    let is_start =
        matches!(&word.kind, Kind::Dot if outer) || matches!(&word.kind, Kind::Variable(v) if v == "$");
    match (&word.kind, word.fields.as_slice()) {
        (_, [first, ..]) if is_start && !FIELDS.contains(&first.as_str()) => {
            let near = nearest(first, FIELDS).map(|n| format!("; did you mean .{n}?")).unwrap_or_default();
            fail(&word.span, format!("an alert's template has no .{first}{near}"))
        }
        (_, [first, next, ..]) if is_start && !first.ends_with("Labels") => {
            fail(&word.span, format!(".{first} has no field .{next}"))
        }
        (Kind::Variable(v), [next, ..]) if v == "$value" || v == "$externalURL" => {
            fail(&word.span, format!("{v} has no field .{next}"))
        }
        (Kind::Paren(inner), _) => pipeline(inner, outer),
        _ => Ok(()),
    }
}

/// A call: that the function is there, takes so many arguments, and can make something of them.
fn call(command: &Command, before: Option<&Command>, outer: bool) -> Result<(), TemplateError> {
    let Some((first, words)) = command.words.split_first() else { return Ok(()) };
    let Kind::Function(name) = &first.kind else { return Ok(()) };
    known(name, words.len() + usize::from(before.is_some()), first)?;
    let piped = before.and_then(|c| if let [only] = c.words.as_slice() { Some(only) } else { None });
    let args: Vec<&Word> = words.iter().chain(piped).collect();
    if COMPARISONS.contains(&name.as_str()) {
        let fraction = args.iter().find(|w| is_value(w, outer));
        let whole = args.iter().find_map(|w| if let Kind::Int(n) = w.kind { Some((n, w)) } else { None });
        if let (Some(_), Some((n, place))) = (fraction, whole) {
            let message = format!("{name} cannot compare the value with the whole number {n}: write {n}.0");
            return fail(&place.span, message);
        }
    }
    if let ("query", Some(Word { kind: Kind::Text(text), span, .. })) = (name.as_str(), args.first()) {
        return Expr::parse(text).map(|_| ()).or_else(|e| fail(span, format!("in the query: {}", e.message)));
    }
    if let ("match" | "reReplaceAll", Some(Word { kind: Kind::Text(text), span, .. })) =
        (name.as_str(), words.first())
    {
        return regex::Regex::new(text).map(|_| ()).or_else(|e| {
            let why = crate::domain::text::one_line(&e.to_string(), 200);
            fail(span, format!("this is no regular expression: {why}"))
        });
    }
    Ok(())
}

/// Whether a word is the alert's value, which is a number with a fraction.
fn is_value(word: &Word, outer: bool) -> bool {
    match (&word.kind, word.fields.as_slice()) {
        (Kind::Variable(v), []) => v == "$value",
        (Kind::Variable(v), [field]) => v == "$" && field == "Value",
        (Kind::Dot, [field]) => outer && field == "Value",
        (Kind::Float(_), []) => true,
        _ => false,
    }
}

fn known(name: &str, args: usize, word: &Word) -> Result<(), TemplateError> {
    let Some(function) = FUNCTIONS.iter().find(|f| f.name == name) else {
        if LEFT_OUT.contains(&name) {
            return fail(&word.span, format!("{name} is not supported here"));
        }
        let near = nearest(name, FUNCTIONS.iter().map(|f| f.name))
            .map(|n| format!("; did you mean {n}?"))
            .unwrap_or_default();
        return fail(&word.span, format!("no function is called {name}{near}"));
    };
    if (function.least..=function.most).contains(&args) {
        return Ok(());
    }
    let wants = match (function.least, function.most) {
        (0, 0) => "no argument".to_owned(),
        (1, 1) => "one argument".to_owned(),
        (least, most) if least == most => format!("{least} arguments"),
        (1, _) => "at least one argument".to_owned(),
        (least, _) => format!("at least {least} arguments"),
    };
    fail(&word.span, format!("{name} takes {wants}, not {args}"))
}

fn fail(span: &Range<usize>, message: String) -> Result<(), TemplateError> {
    Err(TemplateError { message, span: span.clone() })
}
