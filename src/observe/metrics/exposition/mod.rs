//! Pages of metrics: the Prometheus text format 0.0.4 and OpenMetrics 1.0, read as strictly as
//! Prometheus reads them, and as fast as a scrape of many targets wants it.
//!
//! The measure of right is Prometheus' own lexer. Where its versions differ, the newer (3.x) is
//! followed: quoted UTF-8 names, and a comma after the last label in OpenMetrics. What it accepts
//! only by accident is refused: a NUL byte between a label's closing quote and what follows.

pub mod hash;
pub mod lexer;
pub mod line;
pub mod number;
pub mod series;
pub mod token;

pub use lexer::{Lexer, Limits, Scraped, Seen};

use crate::domain::text;
use std::fmt;

/// What to ask a target for, best first: the value of `Accept`.
pub const ACCEPT: &str =
    "application/openmetrics-text;version=1.0.0;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1";

/// How a page is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Prometheus text, 0.0.4 or 1.0.0.
    Text,
    OpenMetrics,
}

impl Format {
    /// From a `Content-Type`. None at all means the text format, as Prometheus 2 takes it.
    ///
    /// # Errors
    /// Another type: what it is instead.
    pub fn from_content_type(value: &str) -> Result<Format, String> {
        let kind = value.split(';').next().unwrap_or("").trim().to_ascii_lowercase();
        match kind.as_str() {
            "" | "text/plain" => Ok(Format::Text),
            "application/openmetrics-text" => Ok(Format::OpenMetrics),
            "text/html" => Err("the answer is an HTML page, not metrics".to_owned()),
            other => Err(format!("the answer is {}, not a page of metrics", text::one_line(other, 60))),
        }
    }
}

/// Why a page is none: nothing of it counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PageError {
    /// From 1.
    pub line: usize,
    pub message: String,
}

impl fmt::Display for PageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.message)
    }
}

impl std::error::Error for PageError {}

/// What is wrong at a byte of a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    pub at: usize,
    pub message: String,
}

impl Fault {
    pub(super) fn new(at: usize, message: impl Into<String>) -> Self {
        Fault { at, message: message.into() }
    }

    /// With the number of its line in place of its byte, and what stands there.
    pub(super) fn on(self, body: &[u8]) -> PageError {
        let at = self.at.min(body.len());
        let before = body.get(..at).unwrap_or(&[]);
        let line = memchr::memchr_iter(b'\n', before).count() + 1;
        let there = body.get(at..).unwrap_or(&[]);
        let there = there.get(..memchr::memchr(b'\n', there).unwrap_or(there.len())).unwrap_or(there);
        let message = if there.is_empty() {
            format!("{} at the line's end", self.message)
        } else {
            format!("{} at `{}`", self.message, text::one_line_bytes(there, 40))
        };
        PageError { line, message }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_content_type_says_how_a_page_is_written() {
        let table = [
            ("", Ok(Format::Text)),
            ("text/plain", Ok(Format::Text)),
            ("Text/Plain; version=0.0.4; charset=utf-8", Ok(Format::Text)),
            ("application/openmetrics-text; version=1.0.0; charset=utf-8", Ok(Format::OpenMetrics)),
            ("text/html; charset=utf-8", Err("the answer is an HTML page, not metrics")),
            ("application/json", Err("the answer is application/json, not a page of metrics")),
        ];
        for (value, expected) in table {
            assert_eq!(Format::from_content_type(value), expected.map_err(str::to_owned), "{value}");
        }
    }
}
