//! From tokens to a tree, with Go's rules of scope.

use super::TemplateError;
use super::lex::{self, Spanned, Token};
use super::tree::{Command, Kind, Node, Pipeline, Word};
use crate::domain::text::nearest;
use std::ops::Range;

/// How deeply actions and parentheses may stand in one another.
const MAX_DEPTH: usize = 64;
/// Keywords of Go's templates that rules have no use for.
const REFUSED: [&str; 3] = ["template", "define", "block"];
/// What every alert's template may name from the start.
const VARIABLES: [&str; 5] = ["$", "$labels", "$externalLabels", "$externalURL", "$value"];

pub fn parse(text: &str) -> Result<Vec<Node>, TemplateError> {
    let tokens = lex::lex(text)?;
    let variables = VARIABLES.iter().map(|v| (*v).to_owned()).collect();
    let mut parser = Parser { tokens, at: 0, end: text.len(), variables, loops: 0, depth: 0 };
    let (nodes, stop) = parser.nodes()?;
    match stop {
        None => Ok(nodes),
        Some((word, span)) => Err(fail(span, format!("{word} without an action that it belongs to"))),
    }
}

struct Parser {
    tokens: Vec<Spanned>,
    at: usize,
    /// The length of the text.
    end: usize,
    /// Those in scope.
    variables: Vec<String>,
    /// How many `range` stand around this place.
    loops: usize,
    depth: usize,
}

/// `end` or `else`, which ends a list of nodes, and its place.
type Stop = (String, Range<usize>);

fn fail(span: Range<usize>, message: impl Into<String>) -> TemplateError {
    TemplateError { message: message.into(), span }
}

impl Parser {
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.at).map(|(t, _)| t)
    }

    fn span(&self) -> Range<usize> {
        self.tokens.get(self.at).map_or(self.end..self.end, |(_, s)| s.clone())
    }

    fn next(&mut self) -> Option<Spanned> {
        let token = self.tokens.get(self.at).cloned();
        self.at += 1;
        token
    }

    fn skip_space(&mut self) {
        while self.peek() == Some(&Token::Space) {
            self.at += 1;
        }
    }

    fn close(&mut self, what: &str) -> Result<(), TemplateError> {
        self.skip_space();
        let span = self.span();
        match self.next() {
            Some((Token::Close, _)) => Ok(()),
            _ => Err(fail(span, format!("expected }}}} after {what}"))),
        }
    }

    fn deeper(&mut self) -> Result<(), TemplateError> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(fail(
                self.span(),
                format!("actions stand in one another more than {MAX_DEPTH} deep"),
            ));
        }
        Ok(())
    }

    /// Nodes up to `end`, `else`, or the end of the text.
    fn nodes(&mut self) -> Result<(Vec<Node>, Option<Stop>), TemplateError> {
        let mut nodes = Vec::new();
        while let Some((token, _)) = self.next() {
            if let Token::Raw(text) = token {
                nodes.push(Node::Text(text));
                continue;
            }
            self.skip_space();
            let span = self.span();
            let Some(Token::Word(word)) = self.peek().cloned() else {
                nodes.push(self.action()?);
                continue;
            };
            match word.as_str() {
                "end" | "else" => {
                    self.at += 1;
                    if word == "end" {
                        self.close("end")?;
                    }
                    return Ok((nodes, Some((word, span))));
                }
                "if" | "with" | "range" => {
                    self.at += 1;
                    nodes.push(self.control(&word, span)?);
                }
                "break" | "continue" => {
                    self.at += 1;
                    if self.loops == 0 {
                        return Err(fail(span, format!("{word} outside of range")));
                    }
                    self.close(&word)?;
                    nodes.push(if word == "break" { Node::Break } else { Node::Continue });
                }
                w if REFUSED.contains(&w) => {
                    let why = "is not supported here: rules have no templates to share";
                    return Err(fail(span, format!("{w} {why}")));
                }
                _ => nodes.push(self.action()?),
            }
        }
        Ok((nodes, None))
    }

    fn action(&mut self) -> Result<Node, TemplateError> {
        let pipeline = self.pipeline(1)?;
        self.close("the pipeline")?;
        Ok(Node::Action(pipeline))
    }

    /// `if`, `with` or `range`, up to its `end`.
    fn control(&mut self, word: &str, span: Range<usize>) -> Result<Node, TemplateError> {
        self.deeper()?;
        let outside = self.variables.len();
        let cond = self.pipeline(if word == "range" { 2 } else { 1 })?;
        self.close(word)?;
        let inside = self.variables.len();
        self.loops += usize::from(word == "range");
        let (then, stop) = self.nodes()?;
        self.loops -= usize::from(word == "range");
        self.variables.truncate(inside);
        let unended = || fail(span.clone(), format!("{word} has no end"));
        let other = match stop {
            None => return Err(unended()),
            Some((stop, _)) if stop == "end" => Vec::new(),
            Some(_) => self.other(word)?.ok_or_else(unended)?,
        };
        self.variables.truncate(outside);
        self.depth -= 1;
        Ok(match word {
            "if" => Node::If { cond, then, other },
            "with" => Node::With { cond, then, other },
            _ => Node::Range { over: cond, body: then, other },
        })
    }

    /// What follows `else`, up to the `end`, which is missing in `None`.
    fn other(&mut self, word: &str) -> Result<Option<Vec<Node>>, TemplateError> {
        self.skip_space();
        let span = self.span();
        if word == "if" && self.peek() == Some(&Token::Word("if".to_owned())) {
            // One `end` serves both.
            self.at += 1;
            return self.control("if", span).map(|node| Some(vec![node]));
        }
        self.close("else")?;
        let (nodes, stop) = self.nodes()?;
        match stop {
            None => Ok(None),
            Some((stop, _)) if stop == "end" => Ok(Some(nodes)),
            Some((_, span)) => Err(fail(span, "a second else")),
        }
    }

    /// Commands, perhaps set to variables, at most so many.
    fn pipeline(&mut self, most: usize) -> Result<Pipeline, TemplateError> {
        self.skip_space();
        let start = self.at;
        let span = self.span();
        let (set, declares) = if let Some(found) = self.variables_set(most)? {
            found
        } else {
            self.at = start;
            (Vec::new(), false)
        };
        let mut commands = vec![self.command()?];
        while self.peek() == Some(&Token::Pipe) {
            self.at += 1;
            self.skip_space();
            let span = self.span();
            let command = self.command()?;
            if !command.words.first().is_some_and(|w| matches!(w.kind, Kind::Function(_))) {
                return Err(fail(span, "only a function can take what comes out of a pipe"));
            }
            commands.push(command);
        }
        if commands.iter().all(|c| c.words.is_empty()) {
            return Err(fail(span, "a value or a function is missing"));
        }
        if declares {
            self.variables.extend(set.iter().cloned());
        }
        Ok(Pipeline { set, declares, commands })
    }

    /// `$a :=`, `$a =` or, in `range`, `$i, $a :=`.
    fn variables_set(&mut self, most: usize) -> Result<Option<(Vec<String>, bool)>, TemplateError> {
        let mut set = Vec::new();
        loop {
            self.skip_space();
            let Some((Token::Variable(name), span)) = self.next() else { return Ok(None) };
            set.push((name, span));
            self.skip_space();
            match self.next() {
                Some((Token::Comma, _)) if set.len() < most => {}
                Some((Token::Declare, _)) => {
                    return Ok(Some((set.into_iter().map(|(n, _)| n).collect(), true)));
                }
                Some((Token::Assign, _)) => {
                    for (name, span) in &set {
                        self.known(name, span)?;
                    }
                    return Ok(Some((set.into_iter().map(|(n, _)| n).collect(), false)));
                }
                _ => return Ok(None),
            }
        }
    }

    fn known(&self, name: &str, span: &Range<usize>) -> Result<(), TemplateError> {
        if self.variables.iter().any(|v| v == name) {
            return Ok(());
        }
        let near = nearest(name, self.variables.iter().map(String::as_str))
            .map(|n| format!("; did you mean {n}?"))
            .unwrap_or_default();
        Err(fail(span.clone(), format!("no variable is called {name}{near}")))
    }

    /// One command: words with space between.
    fn command(&mut self) -> Result<Command, TemplateError> {
        let mut words = Vec::new();
        loop {
            self.skip_space();
            match self.peek() {
                None | Some(Token::Close | Token::Pipe | Token::Right) => break,
                _ => words.push(self.word()?),
            }
            let span = self.span();
            match self.peek() {
                Some(Token::Space | Token::Close | Token::Pipe | Token::Right) | None => {}
                _ => return Err(fail(span, "a space is missing before this")),
            }
        }
        let Some(first) = words.first() else {
            return Err(fail(self.span(), "a value or a function is missing"));
        };
        if words.len() > 1 && !matches!(first.kind, Kind::Function(_)) {
            return Err(fail(first.span.clone(), "only a function can be given arguments"));
        }
        Ok(Command { words })
    }

    fn word(&mut self) -> Result<Word, TemplateError> {
        let Some((token, span)) = self.next() else { return Err(fail(self.span(), "the action has no end")) };
        let mut fields = Vec::new();
        let kind = match token {
            Token::Dot => Kind::Dot,
            Token::Field(name) => {
                fields.push(name);
                Kind::Dot
            }
            Token::Variable(name) => {
                self.known(&name, &span)?;
                Kind::Variable(name)
            }
            Token::Text(text) => Kind::Text(text),
            Token::Int(n) => Kind::Int(n),
            Token::Float(n) => Kind::Float(n),
            Token::Word(word) => match word.as_str() {
                "true" => Kind::Bool(true),
                "false" => Kind::Bool(false),
                "nil" => Kind::Nil,
                _ => Kind::Function(word),
            },
            Token::Left => {
                self.deeper()?;
                let pipeline = self.pipeline(0)?;
                self.skip_space();
                if self.peek() != Some(&Token::Right) {
                    return Err(fail(span, "this ( is never closed"));
                }
                self.at += 1;
                self.depth -= 1;
                Kind::Paren(pipeline)
            }
            _ => return Err(fail(span, "this cannot stand here")),
        };
        while let Some(Token::Field(name)) = self.peek().cloned() {
            if !matches!(kind, Kind::Dot | Kind::Variable(_) | Kind::Paren(_)) {
                return Err(fail(self.span(), format!("this has no field .{name}")));
            }
            fields.push(name);
            self.at += 1;
        }
        let end = self.tokens.get(self.at.saturating_sub(1)).map_or(span.end, |(_, s)| s.end);
        Ok(Word { kind, fields, span: span.start..end })
    }
}
