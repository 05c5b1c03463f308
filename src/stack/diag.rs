//! What is wrong with a file: where, what was expected, what is near; all of it at once.

use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};
use std::ops::Range;

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
    pub source: std::sync::Arc<Source>,
    /// Byte range in the source.
    pub span: Range<usize>,
    pub message: String,
    /// What to write instead, when that is known.
    pub help: Option<String>,
}

impl Source {
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
    /// `file:line:column: error: message`, for machines and for one-line lists.
    pub fn line(&self) -> String {
        let (line, column) = self.source.position(self.span.start);
        let word = match self.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        let help = self.help.as_ref().map(|h| format!(" ({h})")).unwrap_or_default();
        format!("{}:{line}:{column}: {word}: {}{help}", self.source.name, self.message)
    }

    /// With an excerpt of the file, as rustc does it.
    pub fn render(&self, color: bool) -> String {
        let end = self.source.text.len();
        let span = self.span.start.min(end)..self.span.end.clamp(self.span.start.min(end), end);
        let message = crate::domain::text::one_line(&self.message, 400);
        let level = match self.severity {
            Severity::Error => Level::ERROR,
            Severity::Warning => Level::WARNING,
        };
        let snippet = Snippet::source(self.source.text.as_str())
            .path(self.source.name.as_str())
            .annotation(AnnotationKind::Primary.span(span));
        let mut group = level.primary_title(message.as_str()).element(snippet);
        if let Some(help) = &self.help {
            group = group.element(Level::HELP.message(help.as_str()));
        }
        let renderer = if color { Renderer::styled() } else { Renderer::plain() };
        renderer.render(&[group])
    }
}

/// All problems of one load, in the order of the files.
#[derive(Clone, Debug, Default)]
pub struct Problems(pub Vec<Problem>);

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
        }
    }

    /// Orders them by file and place, errors and warnings together, as a person reads the file.
    pub fn sort(&mut self) {
        self.0.sort_by(|a, b| (&a.source.name, a.span.start).cmp(&(&b.source.name, b.span.start)));
    }

    pub fn render(&self, color: bool) -> String {
        self.0.iter().map(|p| p.render(color) + "\n").collect()
    }
}

impl std::fmt::Display for Problems {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.render(false))
    }
}

impl std::error::Error for Problems {}
