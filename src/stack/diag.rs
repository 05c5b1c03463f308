//! What is wrong with a file: where, what was expected, what is near; all of it at once.

use crate::domain::text::is_hostile;
use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};
use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

/// Problems kept for one load; more than these help nobody.
pub const MAX_PROBLEMS: usize = 200;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    Warning,
    Error,
}

/// A file as it was read.
#[derive(Clone, Debug)]
pub struct Source {
    /// As the person named it.
    pub name: String,
    pub text: String,
}

/// One thing wrong at one place.
#[derive(Clone, Debug)]
pub struct Problem {
    pub severity: Severity,
    pub source: Arc<Source>,
    /// Byte range in the source.
    pub span: Range<usize>,
    pub message: String,
    /// What to write instead, when that is known.
    pub help: Option<String>,
}

impl Source {
    /// The same file with what stands at a place blotted out, so that an excerpt cannot show it.
    #[must_use]
    pub fn hiding(&self, span: &Range<usize>) -> Source {
        let hide = |at: usize, c: char| match c {
            '\n' | '"' | '\'' => c.to_string(),
            _ if span.contains(&at) => "*".repeat(c.len_utf8()),
            _ => c.to_string(),
        };
        let text = self.text.char_indices().map(|(at, c)| hide(at, c)).collect();
        Source { name: self.name.clone(), text }
    }

    /// Line and column of a byte offset, both from one; columns count characters.
    pub fn position(&self, at: usize) -> (usize, usize) {
        let mut cut = at.min(self.text.len());
        while !self.text.is_char_boundary(cut) {
            cut -= 1;
        }
        let before = self.text.get(..cut).unwrap_or("");
        let line_start = before.rfind('\n').map_or(0, |i| i + 1);
        (before.matches('\n').count() + 1, before.get(line_start..).unwrap_or("").chars().count() + 1)
    }
}

impl Problem {
    pub fn error(source: &Arc<Source>, span: Range<usize>, message: impl Into<String>) -> Self {
        let source = Arc::clone(source);
        Problem { severity: Severity::Error, source, span, message: message.into(), help: None }
    }

    #[must_use]
    pub fn warning(source: &Arc<Source>, span: Range<usize>, message: impl Into<String>) -> Self {
        Problem { severity: Severity::Warning, ..Problem::error(source, span, message) }
    }

    /// Says what to write instead, when that is known.
    #[must_use]
    pub fn help(mut self, help: Option<String>) -> Self {
        self.help = help;
        self
    }

    /// `file:line:column: error: message`, for machines and for one-line lists.
    pub fn line(&self) -> String {
        let (line, column) = self.source.position(self.span.start);
        let word = match self.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        let help = self.help.as_ref().map(|h| format!(" ({h})")).unwrap_or_default();
        let text = format!("{}:{line}:{column}: {word}: {}{help}", self.source.name, self.message);
        crate::domain::text::one_line(&text, 800)
    }

    /// With an excerpt of the file, as rustc does it.
    pub fn render(&self, color: bool) -> String {
        let end = self.source.text.len();
        let span = self.span.start.min(end)..self.span.end.clamp(self.span.start.min(end), end);
        let message = crate::domain::text::one_line(&self.message, 400);
        let help = self.help.as_ref().map(|h| crate::domain::text::one_line(h, 800));
        let level = match self.severity {
            Severity::Error => Level::ERROR,
            Severity::Warning => Level::WARNING,
        };
        let (text, name) = (shown(&self.source.text), crate::domain::text::one_line(&self.source.name, 200));
        let snippet =
            Snippet::source(&*text).path(name.as_str()).annotation(AnnotationKind::Primary.span(span));
        let mut group = level.primary_title(message.as_str()).element(snippet);
        if let Some(help) = &help {
            group = group.element(Level::HELP.message(help.as_str()));
        }
        let renderer = if color { Renderer::styled() } else { Renderer::plain() };
        renderer.render(&[group])
    }
}

/// A file's text without what must not reach a terminal; every place stays where it was.
fn shown(text: &str) -> Cow<'_, str> {
    let bad = |at: usize, c: char| {
        let line_end = c == '\r' && text.as_bytes().get(at + 1) == Some(&b'\n');
        is_hostile(c) && !matches!(c, '\n' | '\t') && !line_end
    };
    if !text.char_indices().any(|(at, c)| bad(at, c)) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    for (at, c) in text.char_indices() {
        if bad(at, c) {
            out.extend(std::iter::repeat_n('?', c.len_utf8()));
        } else {
            out.push(c);
        }
    }
    Cow::Owned(out)
}

/// All problems of one load, in the order of the files, and how many more than
/// [`MAX_PROBLEMS`] there were.
#[derive(Clone, Debug, Default)]
pub struct Problems(pub Vec<Problem>, pub usize);

impl Problems {
    pub fn has_errors(&self) -> bool {
        self.0.iter().any(|p| p.severity == Severity::Error)
    }

    pub fn count(&self, severity: Severity) -> usize {
        self.0.iter().filter(|p| p.severity == severity).count()
    }

    /// Adds one, unless there are too many already.
    pub fn push(&mut self, problem: Problem) {
        if self.0.len() < MAX_PROBLEMS {
            self.0.push(problem);
        } else {
            self.1 += 1;
        }
    }

    /// Takes over what another part found.
    pub fn append(&mut self, other: Problems) {
        self.1 += other.1;
        for problem in other.0 {
            self.push(problem);
        }
    }

    /// Adds one, unless the same place was named before: one wrong value may be used many times.
    pub fn push_once(&mut self, problem: Problem) {
        let same = |p: &Problem| {
            p.span == problem.span && !p.span.is_empty() && Arc::ptr_eq(&p.source, &problem.source)
        };
        if !self.0.iter().any(same) {
            self.push(problem);
        }
    }

    /// Orders them by file and place, errors and warnings together, as a person reads the file.
    pub fn sort(&mut self) {
        self.0.sort_by(|a, b| (&a.source.name, a.span.start).cmp(&(&b.source.name, b.span.start)));
    }

    pub fn render(&self, color: bool) -> String {
        let mut out: String = self.0.iter().map(|p| p.render(color) + "\n").collect();
        if self.1 > 0 {
            out.push_str("and ");
            out.push_str(&self.1.to_string());
            out.push_str(" more, not shown\n");
        }
        out
    }
}

impl std::fmt::Display for Problems {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.render(false))
    }
}

impl std::error::Error for Problems {}
