//! What all tables of one file share while they are read: the source, what `${name}` stands for,
//! and everything noted so far.

use super::super::diag::{Problem, Problems, Severity, Source};
use super::super::vars::{VarError, Vars, is_later};
use crate::domain::{id, text};
use std::cell::{Cell, RefCell};
use std::ops::Range;
use std::sync::Arc;
use toml::de::DeTable;

/// The largest file read.
pub const MAX_FILE: usize = 4 << 20;

/// A value and where it stood.
#[derive(Clone, Debug)]
pub struct At<T> {
    pub value: T,
    pub span: Range<usize>,
}

/// What all readers of one file share.
pub struct Reader {
    source: Arc<Source>,
    problems: RefCell<Problems>,
    vars: RefCell<Vars>,
    /// Whether `${param.…}` and its like are left for later.
    later: Cell<bool>,
    pub(super) secrets: RefCell<Vec<At<id::SecretId>>>,
    pub(super) asked: RefCell<Vec<Asked>>,
}

/// The keys that one kind of table was asked for, and those that it had: what keeps the
/// documentation complete.
#[derive(Clone, Debug)]
pub struct Asked {
    pub what: String,
    pub asked: Vec<String>,
    pub present: Vec<String>,
}

impl Reader {
    pub fn new(source: Arc<Source>) -> Self {
        Reader {
            source,
            problems: RefCell::default(),
            vars: RefCell::default(),
            later: Cell::default(),
            secrets: RefCell::default(),
            asked: RefCell::default(),
        }
    }

    pub fn source(&self) -> &Arc<Source> {
        &self.source
    }

    /// The secrets that were referred to so far.
    pub fn secrets(&self) -> Vec<At<id::SecretId>> {
        self.secrets.borrow().clone()
    }

    /// What was asked of the tables that were read to their end.
    pub fn asked(&self) -> Vec<Asked> {
        self.asked.borrow().clone()
    }

    /// Sets what `${name}` stands for from here on.
    pub fn set_vars(&self, vars: Vars) {
        *self.vars.borrow_mut() = vars;
    }

    /// Says whether the texts from here on may hold what is only filled in later: see [`is_later`].
    pub fn leave_later(&self, leave: bool) {
        self.later.set(leave);
    }

    /// Notes that a secret is referred to.
    pub fn refer_to_secret(&self, name: &str, span: Range<usize>) {
        self.secrets.borrow_mut().push(At { value: id::SecretId::new(name), span });
    }

    pub fn error(&self, span: Range<usize>, message: impl Into<String>, help: Option<String>) {
        self.note(Severity::Error, span, message.into(), help);
    }

    /// An error whose excerpt must not show what stands there.
    pub fn error_hiding(&self, span: Range<usize>, message: String, help: String) {
        let source = Arc::new(self.source.hiding(&span));
        let problem = Problem { severity: Severity::Error, source, span, message, help: Some(help) };
        self.problems.borrow_mut().push(problem);
    }

    pub fn warning(&self, span: Range<usize>, message: impl Into<String>, help: Option<String>) {
        self.note(Severity::Warning, span, message.into(), help);
    }

    fn note(&self, severity: Severity, span: Range<usize>, message: String, help: Option<String>) {
        let source = Arc::clone(&self.source);
        self.problems.borrow_mut().push(Problem { severity, source, span, message, help });
    }

    pub fn into_problems(self) -> Problems {
        self.problems.into_inner()
    }

    /// Parses the file; every syntax error is noted, and what could be read is handed on.
    pub fn parse<'s>(&self, text: &'s str) -> DeTable<'s> {
        let (table, errors) = DeTable::parse_recoverable(text);
        for error in errors {
            let span = error.span().unwrap_or(0..0);
            self.error(span, error.message().to_owned(), None);
        }
        table.into_inner()
    }

    pub(super) fn fill(&self, text: &str, span: &Range<usize>) -> String {
        let vars = self.vars.borrow();
        match vars.fill_but(text, |name| self.later.get() && is_later(name)) {
            Ok(filled) => filled,
            Err(VarError::Unclosed) => {
                self.error(
                    span.clone(),
                    "`${` is never closed with `}`",
                    Some("write $$ for a dollar sign".into()),
                );
                text.to_owned()
            }
            Err(VarError::Unknown(name)) => {
                if is_later(&name) {
                    let help =
                        "parameters, rounds, runs and secrets are known only in the steps of a procedure";
                    self.error(span.clone(), format!("`${{{name}}}` means nothing here"), Some(help.into()));
                    return text.to_owned();
                }
                let help = text::nearest(&name, vars.0.keys().map(String::as_str))
                    .map(|n| format!("did you mean ${{{n}}}?"))
                    .or_else(|| Some("define it under [vars]".into()));
                self.error(span.clone(), format!("no variable is called `{name}`"), help);
                text.to_owned()
            }
        }
    }
}
