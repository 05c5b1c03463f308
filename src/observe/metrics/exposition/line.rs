//! The lines of a page, each checked to its last byte and none of it copied.

use super::token::{self, LABEL, LABEL_START, METRIC, METRIC_START};
use super::{Fault, Format, number};
use crate::domain::series::Millis;

/// One sample as it stands there.
#[derive(Clone, Copy, Debug)]
pub struct Line<'a> {
    /// The name and the labels with their braces.
    pub series: &'a [u8],
    /// The name, without quotes but with its escapes.
    pub name: &'a [u8],
    value: &'a [u8],
    pub t: Option<Millis>,
}

impl Line<'_> {
    pub fn value(&self) -> f64 {
        // It was checked when the line was.
        number::parse(self.value).unwrap_or(f64::NAN)
    }
}

/// What a page consists of.
#[derive(Clone, Copy, Debug)]
pub enum Item<'a> {
    Sample(Line<'a>),
    /// `# HELP`, `# TYPE` or `# UNIT` of a family, whose name has no quotes but its escapes.
    Meta {
        key: Key,
        name: &'a [u8],
        text: &'a [u8],
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Key {
    Help,
    Type,
    Unit,
}

/// Bounds on one line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LineLimits {
    /// Of a label's name or value, and of a metric's name, in bytes.
    pub max_label_bytes: usize,
    /// Of one series.
    pub max_labels: usize,
}

/// Walks over a page.
#[derive(Debug)]
pub struct Lines<'a> {
    body: &'a [u8],
    at: usize,
    format: Format,
    limits: LineLimits,
    /// Whether the whole page is known to be UTF-8, which is one fast look.
    utf8: bool,
    /// The labels of the line, to find one that comes twice.
    labels: Vec<(&'a [u8], &'a [u8])>,
    /// Whether a label's name has escapes.
    escaped: bool,
    twice: bool,
    /// Of the line before: nearly always this line's too, which is one comparison to see.
    last_name: &'a [u8],
    ended: bool,
}

impl<'a> Lines<'a> {
    pub fn new(body: &'a [u8], format: Format, limits: LineLimits) -> Self {
        let utf8 = str::from_utf8(body).is_ok();
        Lines {
            body,
            at: 0,
            format,
            limits,
            utf8,
            labels: Vec::new(),
            escaped: false,
            twice: false,
            last_name: &[],
            ended: false,
        }
    }

    /// The labels of the last sample in the order of its text, as they stand there between their
    /// quotes; `None` when a name has escapes and so may not be what it looks like.
    pub fn labels(&self) -> Option<&[(&'a [u8], &'a [u8])]> {
        if self.escaped { None } else { Some(&self.labels) }
    }

    /// Whether the last sample has a label twice. That is wrong, unless one of them is empty or
    /// the label is the target's: then Prometheus drops it before it looks.
    pub fn has_label_twice(&self) -> bool {
        self.twice
    }

    /// The next sample or metadata; `None` after the last.
    ///
    /// # Errors
    /// What makes this no page of its format.
    #[inline]
    pub fn item(&mut self) -> Result<Option<Item<'a>>, Fault> {
        match self.format {
            Format::Text => self.next_text(),
            Format::OpenMetrics => self.next_open(),
        }
    }

    #[inline]
    fn next_text(&mut self) -> Result<Option<Item<'a>>, Fault> {
        while !self.ended {
            let begins = self.at;
            let at = token::blank(self.body, begins);
            match self.body.get(at) {
                Some(c) if token::is(Some(c), METRIC_START) || *c == b'{' => {
                    if at > begins && *c != b'{' {
                        return Err(Fault::new(begins, "white space before a name"));
                    }
                    self.at = at;
                    let (series, name) = self.series::<false>()?;
                    let value = self.value(token::blank(self.body, self.at))?;
                    let t = self.text_time()?;
                    return Ok(Some(Item::Sample(Line { series, name, value, t })));
                }
                Some(b'\n') => self.at = at + 1,
                Some(b'#') => {
                    self.at = at + 1;
                    if let Some(meta) = self.text_comment()? {
                        return Ok(Some(meta));
                    }
                }
                // Prometheus takes a NUL between lines for the page's end.
                None | Some(0) => self.ended = true,
                Some(_) => return Err(Fault::new(at, "no metric's name begins so")),
            }
        }
        Ok(None)
    }

    /// The end of a text line: a time in milliseconds, if any, and nothing else.
    #[inline]
    fn text_time(&mut self) -> Result<Option<Millis>, Fault> {
        let mut at = self.at;
        let mut t = None;
        if !matches!(self.body.get(at), Some(b'\n')) {
            at = token::blank(self.body, at);
            let begins = at;
            while self.body.get(at).is_some_and(u8::is_ascii_digit) {
                at += 1;
            }
            let digits = self.body.get(begins..at).unwrap_or(&[]);
            if !digits.is_empty() {
                let parsed = str::from_utf8(digits).ok().and_then(|d| d.parse().ok());
                t = Some(parsed.ok_or_else(|| Fault::new(begins, "a timestamp too great"))?);
                at = token::blank(self.body, at);
            }
        }
        match self.body.get(at) {
            Some(b'\n') => self.at = at + 1,
            None => self.at = at,
            Some(_) if t.is_some() => {
                return Err(Fault::new(at, "expected the line's end after the timestamp"));
            }
            Some(_) => return Err(Fault::new(at, "expected a timestamp or the line's end after the value")),
        }
        Ok(t)
    }

    /// A comment of the text format, whose `#` has been passed.
    fn text_comment(&mut self) -> Result<Option<Item<'a>>, Fault> {
        let hash_end = self.at;
        let at = token::blank(self.body, hash_end);
        let end = token::line_end(self.body, at);
        let comment = self.body.get(at..end).unwrap_or(&[]);
        let key = match comment {
            [b'H', b'E', b'L', b'P', b' ' | b'\t', ..] => Key::Help,
            [b'T', b'Y', b'P', b'E', b' ' | b'\t', ..] => Key::Type,
            _ => {
                // Prometheus takes a NUL for the page's end here too: after a bare `#` anywhere,
                // after `# ` at once.
                self.ended = comment.first() == Some(&0) || (at == hash_end && comment.contains(&0));
                self.at = (end + 1).min(self.body.len());
                return Ok(None);
            }
        };
        if at == hash_end {
            self.at = (end + 1).min(self.body.len());
            return Ok(None);
        }
        self.at = token::blank(self.body, at + 4);
        let (name, text) = self.meta(end)?;
        if key == Key::Type {
            known_type(text, &["counter", "gauge", "histogram", "summary", "untyped"], self.at)?;
        }
        self.at = (end + 1).min(self.body.len());
        Ok(Some(Item::Meta { key, name, text }))
    }

    /// The name and the text of metadata whose line ends at `end`.
    fn meta(&mut self, end: usize) -> Result<(&'a [u8], &'a [u8]), Fault> {
        let name = if self.body.get(self.at) == Some(&b'"') {
            self.quoted::<false>("a metric's name")?
        } else {
            if !token::is(self.body.get(self.at), METRIC_START) {
                return Err(Fault::new(self.at, "expected a metric's name"));
            }
            let begins = self.at;
            self.at = token::run(self.body, begins, METRIC);
            self.body.get(begins..self.at).unwrap_or(&[])
        };
        // A quoted name may hold line ends.
        let end = if self.at > end { token::line_end(self.body, self.at) } else { end };
        let text = match self.body.get(self.at..end) {
            Some([0, ..]) => return Err(Fault::new(self.at, "a NUL after a name")),
            // Whatever stands after the name parts it from the text.
            Some([_, text @ ..]) => text,
            _ => &[],
        };
        self.check_utf8(self.at, text)?;
        self.at = end;
        Ok((name, text))
    }

    #[inline]
    fn next_open(&mut self) -> Result<Option<Item<'a>>, Fault> {
        if self.ended {
            return Ok(None);
        }
        match self.body.get(self.at) {
            Some(c) if token::is(Some(c), METRIC_START) || *c == b'{' => {
                let (series, name) = self.series::<true>()?;
                let value = self.value(self.space("a space and a value")?)?;
                let t = self.open_rest()?;
                Ok(Some(Item::Sample(Line { series, name, value, t })))
            }
            Some(b'#') => self.open_meta(),
            None => Err(Fault::new(self.at, "expected `# EOF`")),
            Some(_) => Err(Fault::new(self.at, "no line of OpenMetrics begins so")),
        }
    }

    fn open_meta(&mut self) -> Result<Option<Item<'a>>, Fault> {
        let begins = self.at;
        let end = token::line_end(self.body, begins);
        let line = self.body.get(begins..end).unwrap_or(&[]);
        let key = match line {
            b"# EOF" => {
                if end + 1 < self.body.len() {
                    return Err(Fault::new(end + 1, "expected nothing after `# EOF`"));
                }
                self.ended = true;
                return Ok(None);
            }
            [b'#', b' ', b'H', b'E', b'L', b'P', b' ', ..] => Key::Help,
            [b'#', b' ', b'T', b'Y', b'P', b'E', b' ', ..] => Key::Type,
            [b'#', b' ', b'U', b'N', b'I', b'T', b' ', ..] => Key::Unit,
            _ => return Err(Fault::new(begins, "expected `# HELP`, `# TYPE`, `# UNIT` or `# EOF`")),
        };
        self.at = begins + 7;
        let name_begins = self.at;
        let (name, text) = self.meta(end)?;
        let quotes = if self.body.get(name_begins) == Some(&b'"') { 2 } else { 0 };
        if self.body.get(name_begins + name.len() + quotes) != Some(&b' ') {
            return Err(Fault::new(name_begins + name.len() + quotes, "expected a space and a text"));
        }
        if self.body.get(self.at) != Some(&b'\n') {
            return Err(Fault::new(self.at, "expected `# EOF`"));
        }
        match key {
            Key::Type => known_type(text, OPEN_TYPES, name_begins)?,
            Key::Unit if !has_unit(name, text) => {
                return Err(Fault::new(name_begins, "the unit is not the end of the name"));
            }
            _ => {}
        }
        self.at += 1;
        Ok(Some(Item::Meta { key, name, text }))
    }

    /// The end of an OpenMetrics line: a time in seconds, an exemplar, both, or nothing.
    fn open_rest(&mut self) -> Result<Option<Millis>, Fault> {
        let mut t = None;
        if self.body.get(self.at) == Some(&b' ') && !self.at_exemplar() {
            t = Some(self.seconds("timestamp")?);
        }
        if self.at_exemplar() {
            self.at += 4;
            let mut has_name = true;
            self.pairs::<true>(&mut has_name, true)?;
            self.value(self.space("a space and the exemplar's value")?)?;
            if self.body.get(self.at) == Some(&b' ') {
                self.seconds("exemplar's timestamp")?;
            }
        }
        match self.body.get(self.at) {
            Some(b'\n') => self.at += 1,
            None => return Err(Fault::new(self.at, "expected a line's end and `# EOF`")),
            Some(_) => {
                return Err(Fault::new(self.at, "expected a timestamp, an exemplar or the line's end"));
            }
        }
        Ok(t)
    }

    fn at_exemplar(&self) -> bool {
        self.body.get(self.at..).is_some_and(|rest| rest.starts_with(b" # {"))
    }

    fn seconds(&mut self, what: &str) -> Result<Millis, Fault> {
        let begins = self.space(what)?;
        let text = self.value(begins)?;
        let seconds = number::parse(text).unwrap_or(f64::NAN);
        if !seconds.is_finite() {
            return Err(Fault::new(begins, format!("no {what}")));
        }
        Ok((seconds * 1000.0) as Millis)
    }

    /// Past the one space that must be here.
    fn space(&self, what: &str) -> Result<usize, Fault> {
        if self.body.get(self.at) == Some(&b' ') {
            Ok(self.at + 1)
        } else {
            Err(Fault::new(self.at, format!("expected {what}")))
        }
    }

    /// A number that begins at `at` and ends at white space or the page's end.
    #[inline]
    fn value(&mut self, at: usize) -> Result<&'a [u8], Fault> {
        let rest = self.body.get(at..).unwrap_or(&[]);
        if let Some(length) = number::plain(rest)
            && matches!(rest.get(length), None | Some(b' ' | b'\t' | b'\n'))
        {
            self.at = at + length;
            return Ok(rest.get(..length).unwrap_or(&[]));
        }
        let length = rest.iter().take_while(|c| !matches!(**c, b' ' | b'\t' | b'\n')).count();
        let text = rest.get(..length).unwrap_or(&[]);
        number::parse(text).map_err(|e| Fault::new(at, format!("{e} for a value")))?;
        self.at = at + length;
        Ok(text)
    }

    /// A series: its whole text, and its name.
    #[inline]
    fn series<const OPEN: bool>(&mut self) -> Result<(&'a [u8], &'a [u8]), Fault> {
        let begins = self.at;
        let again = begins + self.last_name.len();
        let is_again = self.body.get(begins..again) == Some(self.last_name);
        let name_end = token::run(self.body, if is_again { again } else { begins }, METRIC);
        let mut name = self.body.get(begins..name_end).unwrap_or(&[]);
        self.last_name = name;
        let brace = if OPEN { name_end } else { token::blank(self.body, name_end) };
        if self.body.get(brace) != Some(&b'{') {
            self.at = name_end;
            self.labels.clear();
            (self.escaped, self.twice) = (false, false);
            self.check_length(begins, name)?;
            return Ok((name, name));
        }
        self.at = brace + 1;
        let mut has_name = !name.is_empty();
        if let Some(quoted) = self.pairs::<OPEN>(&mut has_name, false)? {
            name = quoted;
        }
        if !has_name {
            return Err(Fault::new(begins, "a series without a name"));
        }
        let series = self.body.get(begins..self.at).unwrap_or(&[]);
        if series.len() > self.limits.max_label_bytes {
            self.check_length(begins, name)?;
        }
        Ok((series, name))
    }

    /// What is between braces, the opening one passed: the metric's name, if it stands there.
    #[inline]
    fn pairs<const OPEN: bool>(
        &mut self,
        has_name: &mut bool,
        exemplar: bool,
    ) -> Result<Option<&'a [u8]>, Fault> {
        let blank = |at| if OPEN { at } else { token::blank(self.body, at) };
        let (mut found, mut seen) = (None, 0u64);
        if !exemplar {
            self.labels.clear();
            (self.escaped, self.twice) = (false, false);
        }
        loop {
            self.at = blank(self.at);
            let begins = self.at;
            let is_quoted = match self.body.get(begins) {
                Some(b'}') => {
                    self.at += 1;
                    return Ok(found);
                }
                Some(b'"') => true,
                c if token::is(c, LABEL_START) => false,
                _ => return Err(Fault::new(begins, "expected a label's name")),
            };
            let name = if is_quoted {
                self.quoted::<false>("a name")?
            } else {
                self.at = token::run(self.body, begins, LABEL);
                self.body.get(begins..self.at).unwrap_or(&[])
            };
            self.at = blank(self.at);
            if is_quoted && (name.is_empty() || name.contains(&0)) {
                return Err(Fault::new(begins, "an empty name, or one with a NUL in it,"));
            }
            if is_quoted && !exemplar && matches!(self.body.get(self.at), Some(b',' | b'}')) {
                if *has_name {
                    return Err(Fault::new(begins, "a second name"));
                }
                (found, *has_name) = (Some(name), true);
                self.at += usize::from(self.body.get(self.at) == Some(&b','));
                continue;
            }
            if !exemplar {
                self.escaped |= is_quoted && name.contains(&b'\\');
                self.check_twice(begins, name, &mut seen)?;
            }
            if self.body.get(self.at) != Some(&b'=') {
                return Err(Fault::new(self.at, "expected `=` after a label's name"));
            }
            self.at = blank(self.at + 1);
            if self.body.get(self.at) != Some(&b'"') {
                return Err(Fault::new(self.at, "expected a label's value in quotes"));
            }
            let value = self.quoted::<OPEN>("a label's value")?;
            if !exemplar {
                self.labels.push((name, value));
            }
            self.at = blank(self.at);
            match self.body.get(self.at) {
                Some(b',') => self.at += 1,
                Some(b'}') => {}
                // The text format lets a comma be left out.
                _ if !OPEN => {}
                _ => return Err(Fault::new(self.at, "expected `,` or `}` after a label")),
            }
        }
    }

    /// A text in quotes, of which the first is here; what is between them.
    #[inline]
    fn quoted<const ONE_LINE: bool>(&mut self, what: &str) -> Result<&'a [u8], Fault> {
        let begins = self.at + 1;
        let mut at = begins;
        loop {
            at = token::quote_or_backslash(self.body, at);
            match self.body.get(at) {
                Some(b'"') => break,
                Some(_) if !matches!(self.body.get(at + 1), None | Some(b'\n')) => at += 2,
                _ => return Err(Fault::new(begins - 1, format!("the quotes around {what} do not close"))),
            }
        }
        let text = self.body.get(begins..at).unwrap_or(&[]);
        if ONE_LINE && memchr::memchr(b'\n', text).is_some() {
            return Err(Fault::new(begins - 1, format!("the quotes around {what} do not close")));
        }
        self.check_length(begins, text)?;
        self.check_utf8(begins, text)?;
        self.at = at + 1;
        Ok(text)
    }

    #[inline]
    fn check_length(&self, at: usize, text: &[u8]) -> Result<(), Fault> {
        if text.len() <= self.limits.max_label_bytes {
            return Ok(());
        }
        let (is, max) = (text.len(), self.limits.max_label_bytes);
        Err(Fault::new(at, format!("a name or value of {is} bytes, where {max} are allowed,")))
    }

    #[inline]
    fn check_utf8(&self, at: usize, text: &[u8]) -> Result<(), Fault> {
        if self.utf8 {
            return Ok(());
        }
        match str::from_utf8(text) {
            Ok(_) => Ok(()),
            Err(e) => Err(Fault::new(at + e.valid_up_to(), "no valid UTF-8")),
        }
    }

    /// Whether a label's name is new on its line. One bit for each name seen tells nearly always.
    #[inline]
    fn check_twice(&mut self, at: usize, name: &'a [u8], seen: &mut u64) -> Result<(), Fault> {
        let (first, last) = (name.first().copied().unwrap_or(0), name.last().copied().unwrap_or(0));
        let mixed = name.len() + usize::from(first) * 7 + usize::from(last) * 13;
        let bit = 1u64 << (mixed & 63);
        self.twice |= *seen & bit != 0 && self.labels.iter().any(|(n, _)| *n == name);
        *seen |= bit;
        if self.labels.len() >= self.limits.max_labels {
            return Err(Fault::new(at, format!("more than {} labels", self.limits.max_labels)));
        }
        Ok(())
    }
}

const OPEN_TYPES: &[&str] =
    &["counter", "gauge", "histogram", "gaugehistogram", "summary", "info", "stateset", "unknown"];

fn known_type(text: &[u8], known: &[&str], at: usize) -> Result<(), Fault> {
    if known.iter().any(|k| k.as_bytes() == text) {
        return Ok(());
    }
    let shown = crate::domain::text::one_line_bytes(text, 40);
    Err(Fault::new(at, format!("no type of metric: `{shown}`")))
}

fn has_unit(name: &[u8], unit: &[u8]) -> bool {
    unit.is_empty() || name.strip_suffix(unit).is_some_and(|rest| rest.ends_with(b"_"))
}
