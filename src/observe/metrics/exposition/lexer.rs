//! One target's pages, scrape after scrape: which of their series are wanted, and their samples.

use super::hash::Seeded;
use super::line::{Item, Line, LineLimits, Lines};
use super::{Fault, Format, PageError, series};
use crate::domain::series::selection::OfName;
use crate::domain::series::{Labels, Matcher, Millis, Op, Selection};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// Bounds on one page, and on what is remembered between pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Samples on a page, wanted or not.
    pub max_series: usize,
    /// Of a label's name or value, in bytes.
    pub max_label_bytes: usize,
    /// Of one series.
    pub max_labels: usize,
    /// Of the text of series that is remembered so that it need not be decided on again. What is
    /// beyond is decided on each time.
    pub max_cache_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Limits { max_series: 200_000, max_label_bytes: 16 << 10, max_labels: 128, max_cache_bytes: 16 << 20 }
    }
}

/// A sample that somebody wants.
#[derive(Clone, Debug, PartialEq)]
pub struct Scraped {
    /// Of the series in the store: the target's labels are put over the page's.
    pub labels: Labels,
    /// Where the page gives a time; the scrape's own otherwise.
    pub t: Option<Millis>,
    pub v: f64,
}

/// What was on a page.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// Samples.
    pub series: usize,
    /// Samples that somebody wants.
    pub selected: usize,
    /// Wanted samples of a series that stood on the page already: the first one counts.
    pub duplicates: usize,
}

/// Reads one target's pages. It remembers what it decided about each series by its text, so that a
/// page like the one before costs little more than reading its bytes.
#[derive(Debug)]
pub struct Lexer {
    target: BTreeMap<String, String>,
    selection: Arc<Selection>,
    limits: Limits,
    /// Whether anything of a metric's name is wanted. Forgotten when there are too many.
    names: HashMap<Box<[u8]>, bool, Seeded>,
    /// What became of the text of a series, of those that passed the first look.
    texts: HashMap<Box<[u8]>, Text, Seeded>,
    text_bytes: usize,
    /// Texts of the page at hand that are remembered.
    texts_seen: usize,
    slots: Vec<Slot>,
    free: Vec<u32>,
    by_labels: HashMap<Labels, u32, Seeded>,
    /// Counts pages.
    page: u64,
    gone: Vec<Labels>,
}

#[derive(Clone, Copy, Debug)]
struct Text {
    /// Of a series that is wanted.
    slot: Option<u32>,
    page: u64,
}

#[derive(Clone, Debug)]
struct Slot {
    labels: Labels,
    /// That it was last seen on.
    page: u64,
    /// Whether it is in the store with the scrape's own times, and so needs an end when it goes.
    live: bool,
    timed: bool,
}

/// Names that are remembered.
const MAX_NAMES: usize = 50_000;

impl Lexer {
    /// `target` are the target's labels, which are put over the page's; `__name__` is not for it
    /// to set.
    pub fn new(target: BTreeMap<String, String>, selection: Arc<Selection>, limits: Limits) -> Self {
        Lexer {
            target,
            selection,
            limits,
            names: HashMap::default(),
            texts: HashMap::default(),
            text_bytes: 0,
            texts_seen: 0,
            slots: Vec::new(),
            free: Vec::new(),
            by_labels: HashMap::default(),
            page: 0,
            gone: Vec::new(),
        }
    }

    /// Others want other series now. Series that are wanted no more end with the next page.
    pub fn set_selection(&mut self, selection: Arc<Selection>) {
        if *self.selection != *selection {
            self.names = HashMap::default();
            self.forget_texts();
        }
        self.selection = selection;
    }

    /// Reads a page and appends the samples that somebody wants to `out`.
    ///
    /// # Errors
    /// This is no page of its format, or one beyond the limits. Nothing is appended, and all
    /// series of the target have ended, as when it does not answer.
    pub fn page(&mut self, body: &[u8], format: Format, out: &mut Vec<Scraped>) -> Result<Seen, PageError> {
        let before = out.len();
        self.page += 1;
        self.texts_seen = 0;
        match self.samples(body, format, out) {
            Ok(seen) => {
                self.commit();
                Ok(seen)
            }
            Err(fault) => {
                out.truncate(before);
                self.fail();
                Err(fault.on(body))
            }
        }
    }

    /// The target did not answer: all its series have ended.
    pub fn fail(&mut self) {
        self.gone.extend(self.slots.drain(..).filter(|s| s.live).map(|s| s.labels));
        // Series of pages that never became good must not pile up.
        self.free.clear();
        self.by_labels.clear();
        self.forget_texts();
    }

    /// The series that ended since this was last asked: each needs a stale marker, at the time of
    /// the scrape that did not bring it. Series whose samples carried times of their own need none.
    pub fn take_gone(&mut self) -> Vec<Labels> {
        std::mem::take(&mut self.gone)
    }

    fn forget_texts(&mut self) {
        self.texts = HashMap::default();
        self.text_bytes = 0;
    }

    fn samples(&mut self, body: &[u8], format: Format, out: &mut Vec<Scraped>) -> Result<Seen, Fault> {
        let limits =
            LineLimits { max_label_bytes: self.limits.max_label_bytes, max_labels: self.limits.max_labels };
        let mut lines = Lines::new(body, format, limits);
        let mut seen = Seen::default();
        let selection = Arc::clone(&self.selection);
        // Series of one name stand together.
        let (mut name, mut wanted): (&[u8], Option<OfName<'_>>) = (&[], None);
        while let Some(item) = lines.item()? {
            let Item::Sample(line) = item else { continue };
            seen.series += 1;
            if seen.series > self.limits.max_series {
                let message = format!("more than {} series", self.limits.max_series);
                return Err(Fault::new(offset(body, line.series), message));
            }
            if lines.has_label_twice() {
                self.check_twice(line.series)
                    .map_err(|message| Fault::new(offset(body, line.series), message))?;
            }
            if line.name != name {
                name = line.name;
                wanted = self.of_name(&selection, name);
            }
            let Some(wanted) = &wanted else { continue };
            if lines.labels().is_none_or(|raw| wanted.wants_where(|m| self.may_hold(m, raw))) {
                self.sample(&line, &mut seen, out)
                    .map_err(|message| Fault::new(offset(body, line.series), message))?;
            }
        }
        Ok(seen)
    }

    /// What is asked of a name, unless nothing is.
    fn of_name<'a>(&mut self, selection: &'a Selection, name: &[u8]) -> Option<OfName<'a>> {
        if self.names.get(name) == Some(&false) {
            return None;
        }
        // The line it stands on was checked to be UTF-8.
        let asked = selection.of_name(&series::unescaped(str::from_utf8(name).unwrap_or_default()));
        if !self.names.contains_key(name) {
            if self.names.len() >= MAX_NAMES {
                self.names.clear();
            }
            self.names.insert(name.into(), !asked.is_never());
        }
        (!asked.is_never()).then_some(asked)
    }

    fn check_twice(&self, text: &[u8]) -> Result<(), String> {
        let text = str::from_utf8(text).map_err(|_| "no valid UTF-8".to_owned())?;
        series::labels(text, &self.target).map(drop)
    }

    /// Whether a matcher may hold for a series with these labels on its page: a quick look that
    /// keeps most series from being made. What it lets pass is looked at again.
    fn may_hold(&self, matcher: &Matcher, raw: &[(&[u8], &[u8])]) -> bool {
        let name = matcher.name();
        if matcher.op() == Op::Equal
            && let Some((_, value)) = raw.iter().find(|(n, _)| *n == name.as_bytes())
            && *value != matcher.value().as_bytes()
            && !value.contains(&b'\\')
            && !name.starts_with(series::EXPORTED)
            && !self.target.contains_key(name)
        {
            // By far the most frequent answer, at the price of one comparison.
            return false;
        }
        if let Some(value) = self.target.get(name).filter(|v| !v.is_empty()) {
            return matcher.matches(value);
        }
        let value = raw.iter().find(|(n, _)| *n == name.as_bytes()).map_or(&[][..], |(_, v)| v);
        let value = series::unescaped(str::from_utf8(value).unwrap_or_default());
        matcher.matches(&value) || name.starts_with(series::EXPORTED)
    }

    fn sample(&mut self, line: &Line<'_>, seen: &mut Seen, out: &mut Vec<Scraped>) -> Result<(), String> {
        let page = self.page;
        let slot = match self.texts.get_mut(line.series) {
            Some(text) => {
                self.texts_seen += usize::from(text.page != page);
                text.page = page;
                text.slot
            }
            None => self.decide(line.series)?,
        };
        let Some(slot) = slot.and_then(|s| self.slots.get_mut(s as usize)) else { return Ok(()) };
        if slot.page == page && line.t.is_none() {
            seen.duplicates += 1;
            return Ok(());
        }
        (slot.page, slot.timed) = (page, line.t.is_some());
        seen.selected += 1;
        out.push(Scraped { labels: slot.labels.clone(), t: line.t, v: line.value() });
        Ok(())
    }

    /// Whether a series that was not seen before is wanted, and what it is then.
    fn decide(&mut self, text: &[u8]) -> Result<Option<u32>, String> {
        let text_str = str::from_utf8(text).map_err(|_| "no valid UTF-8".to_owned())?;
        let labels = series::labels(text_str, &self.target)?;
        let slot = if self.selection.wants(&labels) { self.slot(labels) } else { None };
        // The map's slot and the allocator's own come to about as much as a short text.
        let cost = text.len() + 80;
        if self.text_bytes + cost <= self.limits.max_cache_bytes {
            self.text_bytes += cost;
            self.texts_seen += 1;
            self.texts.insert(text.into(), Text { slot, page: self.page });
        }
        Ok(slot)
    }

    /// Two texts may name one series.
    fn slot(&mut self, labels: Labels) -> Option<u32> {
        if let Some(slot) = self.by_labels.get(&labels) {
            return Some(*slot);
        }
        let number = self.free.pop().or_else(|| u32::try_from(self.slots.len()).ok())?;
        let slot = Slot { labels: labels.clone(), page: 0, live: false, timed: false };
        match self.slots.get_mut(number as usize) {
            Some(place) => *place = slot,
            None => self.slots.push(slot),
        }
        self.by_labels.insert(labels, number);
        Some(number)
    }

    /// The page was good: what was not on it has ended and is forgotten.
    fn commit(&mut self) {
        let page = self.page;
        if self.texts_seen < self.texts.len() {
            self.texts.retain(|text, at| {
                let stays = at.page == page;
                self.text_bytes -= if stays { 0 } else { text.len() + 80 };
                stays
            });
        }
        for (number, slot) in (0u32..).zip(&mut self.slots) {
            if slot.page == page {
                slot.live = !slot.timed;
            } else if self.by_labels.remove(&slot.labels).is_some() {
                let labels = std::mem::replace(&mut slot.labels, Labels::empty());
                if slot.live {
                    self.gone.push(labels);
                }
                slot.live = false;
                self.free.push(number);
            }
        }
    }
}

/// Where a part of a page stands in it.
fn offset(body: &[u8], part: &[u8]) -> usize {
    (part.as_ptr() as usize).saturating_sub(body.as_ptr() as usize)
}

#[cfg(test)]
#[path = "lexer_tests.rs"]
mod tests;
