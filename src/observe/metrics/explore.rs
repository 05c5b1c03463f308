//! All families of one page, for a person to look at: typed by the prometheus-parse crate, which is
//! given only what it reads rightly, over lines that our own lexer has checked.

use super::exposition::line::{Item, Key, Line, LineLimits, Lines};
use super::exposition::{Format, PageError, number, series};
use crate::domain::board::Family;
use crate::domain::series::Labels;
use crate::domain::series::labels::NAME;
use crate::domain::text;
use prometheus_parse::{HistogramCount, Scrape, Value};
use std::collections::HashMap;
use std::fmt::Write as _;

/// Families listed at most; the others are counted.
pub const MAX_FAMILIES: usize = 2_000;
/// Series of a family shown at most; the others are counted.
pub const MAX_SERIES: usize = 200;
/// Samples that are kept for a look, over all families.
const MAX_SAMPLES: usize = 100_000;
/// Characters of a help text, and of a series' labels.
const MAX_TEXT: usize = 300;
const LINE: LineLimits = LineLimits { max_label_bytes: 16 << 10, max_labels: 128 };

/// All families of a page in the order of the page, and how many more there are.
///
/// # Errors
/// This is no page of its format.
pub fn families(body: &[u8], format: Format) -> Result<(Vec<Family>, usize), PageError> {
    let mut all = Gathered::default();
    let mut lines = Lines::new(body, format, LINE);
    while let Some(item) = lines.next().map_err(|fault| fault.on(body))? {
        match item {
            Item::Meta { key, name, text } => all.meta(key, name, text),
            Item::Sample(line) => all.sample(&line),
        }
    }
    Ok((all.found.into_iter().map(Raw::shown).collect(), all.more))
}

/// The families as far as they have been read.
#[derive(Default)]
struct Gathered {
    found: Vec<Raw>,
    by_name: HashMap<String, usize>,
    samples: usize,
    more: usize,
}

/// A family as it stands on the page.
#[derive(Default)]
struct Raw {
    name: String,
    kind: String,
    help: String,
    unit: String,
    /// Series by their labels without `le` and `quantile`, in the order of the page.
    groups: Vec<Group>,
    by_labels: HashMap<String, usize>,
    more: usize,
}

/// One series of a family, with all its parts.
#[derive(Default)]
struct Group {
    labels: String,
    value: Option<f64>,
    sum: Option<f64>,
    count: Option<f64>,
    /// Of a histogram or a summary: `le` or `quantile`, and the value.
    parts: Vec<(f64, f64)>,
}

/// What a sample is to its family.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Value,
    Bucket,
    Quantile,
    Sum,
    Count,
    /// `_created`: when it began, which says nothing of the value.
    Created,
}

impl Gathered {
    fn family(&mut self, name: &str) -> Option<&mut Raw> {
        if let Some(place) = self.by_name.get(name) {
            return self.found.get_mut(*place);
        }
        if self.found.len() >= MAX_FAMILIES {
            self.more += 1;
            return None;
        }
        self.by_name.insert(name.to_owned(), self.found.len());
        self.found.push(Raw { name: name.to_owned(), ..Raw::default() });
        self.found.last_mut()
    }

    fn meta(&mut self, key: Key, name: &[u8], about: &[u8]) {
        let name = String::from_utf8_lossy(name).into_owned();
        let about = String::from_utf8_lossy(about);
        let Some(family) = self.family(&series::unescaped(&name)) else { return };
        match key {
            Key::Type => family.kind = about.into_owned(),
            Key::Help => family.help = text::one_line(&series::unescaped(&about), MAX_TEXT),
            Key::Unit => family.unit = text::one_line(&about, 40),
        }
    }

    fn sample(&mut self, line: &Line<'_>) {
        let pairs = series::pairs(str::from_utf8(line.series).unwrap_or_default());
        let of = |wanted: &str| pairs.iter().find(|(n, _)| n == wanted).map_or("", |(_, v)| v.as_ref());
        let (name, part) = self.belongs(of(NAME));
        let bound = match part {
            Part::Bucket => of("le"),
            Part::Quantile => of("quantile"),
            _ => "",
        };
        let bound = number::parse(bound.as_bytes()).unwrap_or(f64::NAN);
        let is_last = part != Part::Bucket || bound == f64::INFINITY;
        let room = self.samples < MAX_SAMPLES;
        self.samples += 1;
        let Some(family) = self.family(&name) else { return };
        let inner = |n: &str| {
            n == NAME || (part == Part::Bucket && n == "le") || (part == Part::Quantile && n == "quantile")
        };
        let labels = Labels::new(pairs.iter().filter(|(n, _)| !inner(n)).map(|(n, v)| (n, v)));
        let Some(group) = family.group(&labels, room) else {
            let counts = matches!(part, Part::Value | Part::Bucket) && is_last;
            family.more += usize::from(counts || (part == Part::Count && family.kind == "summary"));
            return;
        };
        match part {
            // The first of two counts, as everywhere.
            Part::Value => group.value = group.value.or(Some(line.value())),
            Part::Sum => group.sum = Some(line.value()),
            Part::Count => group.count = Some(line.value()),
            Part::Bucket | Part::Quantile => group.parts.push((bound, line.value())),
            Part::Created => {}
        }
    }

    /// The family that a sample of this name belongs to, and as what.
    fn belongs(&self, name: &str) -> (String, Part) {
        let kind = |n: &str| self.by_name.get(n).and_then(|i| self.found.get(*i)).map_or("", |f| &f.kind);
        if kind(name) == "summary" {
            return (name.to_owned(), Part::Quantile);
        }
        let suffixes: [(&str, Part, &[&str]); 8] = [
            ("_bucket", Part::Bucket, &["histogram", "gaugehistogram"]),
            ("_sum", Part::Sum, &["histogram", "summary"]),
            ("_count", Part::Count, &["histogram", "summary"]),
            ("_gsum", Part::Sum, &["gaugehistogram"]),
            ("_gcount", Part::Count, &["gaugehistogram"]),
            ("_total", Part::Value, &["counter"]),
            ("_info", Part::Value, &["info"]),
            ("_created", Part::Created, &["counter", "histogram", "summary"]),
        ];
        for (suffix, part, kinds) in suffixes {
            if let Some(base) = name.strip_suffix(suffix).filter(|base| kinds.contains(&kind(base))) {
                return (base.to_owned(), part);
            }
        }
        (name.to_owned(), Part::Value)
    }
}

impl Raw {
    fn group(&mut self, labels: &Labels, room: bool) -> Option<&mut Group> {
        let shown = labels.to_string();
        let shown = shown.trim_start_matches('{').trim_end_matches('}');
        if let Some(place) = self.by_labels.get(shown) {
            return self.groups.get_mut(*place).filter(|g| room && g.parts.len() < 1000);
        }
        if self.groups.len() >= MAX_SERIES || !room {
            return None;
        }
        self.by_labels.insert(shown.to_owned(), self.groups.len());
        self.groups.push(Group { labels: text::one_line(shown, MAX_TEXT), ..Group::default() });
        self.groups.last_mut()
    }

    fn shown(self) -> Family {
        let typed = self.typed();
        let rows =
            self.groups.iter().zip(typed).map(|(g, typed)| (g.labels.clone(), g.in_words(typed.as_ref())));
        let kind = match self.kind.as_str() {
            "" | "unknown" => "untyped",
            "gaugehistogram" => "histogram",
            kind => kind,
        };
        Family {
            kind: kind.to_owned(),
            series: rows.collect(),
            name: text::one_line(&self.name, MAX_TEXT),
            help: self.help,
            unit: self.unit,
            more: self.more,
        }
    }

    /// What prometheus-parse makes of each series. It corrupts names with colons, labels with
    /// braces, commas, equals signs or escapes, and loses count where series resemble each other:
    /// so each family is given to it alone, under a plain name, with a number for its labels.
    fn typed(&self) -> Vec<Option<Value>> {
        let kind = match self.kind.as_str() {
            "gaugehistogram" => "histogram",
            kind @ ("counter" | "gauge" | "histogram" | "summary") => kind,
            _ => "untyped",
        };
        let mut page = format!("# TYPE f {kind}\n");
        let (name, label) = if kind == "histogram" { ("f_bucket", "le") } else { ("f", "quantile") };
        for (n, group) in self.groups.iter().enumerate() {
            let _ = group.value.map_or(Ok(()), |v| writeln!(page, "f{{g=\"{n}\"}} {v}"));
            for (bound, value) in group.parts.iter().filter(|(bound, _)| !bound.is_nan()) {
                let _ = writeln!(page, "{name}{{g=\"{n}\",{label}=\"{bound}\"}} {value}");
            }
        }
        let mut typed = vec![None; self.groups.len()];
        let lines = page.lines().map(|l| Ok(l.to_owned()));
        for sample in Scrape::parse(lines).map(|s| s.samples).unwrap_or_default() {
            let place = sample.labels.get("g").and_then(|g| g.parse::<usize>().ok());
            if let Some(slot) = place.and_then(|n| typed.get_mut(n)) {
                *slot = Some(sample.value);
            }
        }
        typed
    }
}

impl Group {
    fn in_words(&self, typed: Option<&Value>) -> String {
        let mut words = Vec::new();
        let mut count = self.count;
        match typed {
            Some(Value::Counter(v) | Value::Gauge(v) | Value::Untyped(v)) => return number_in_words(*v),
            Some(Value::Histogram(buckets)) => {
                let mut buckets = buckets.clone();
                buckets.sort_by(|a, b| a.less_than.total_cmp(&b.less_than));
                count = count.or_else(|| buckets.last().map(|b| b.count));
                for (q, name) in [(0.5, "p50"), (0.9, "p90"), (0.99, "p99")] {
                    words.extend(quantile(q, &buckets).map(|v| format!("{name} {}", number_in_words(v))));
                }
            }
            Some(Value::Summary(quantiles)) => {
                let mut quantiles = quantiles.clone();
                quantiles.sort_by(|a, b| a.quantile.total_cmp(&b.quantile));
                for q in quantiles.iter().filter(|q| !q.count.is_nan()).take(9) {
                    words.push(format!(
                        "p{} {}",
                        number_in_words(q.quantile * 100.0),
                        number_in_words(q.count)
                    ));
                }
            }
            None => {}
        }
        if let (Some(sum), Some(count)) = (self.sum, count)
            && count > 0.0
        {
            words.insert(0, format!("mean {}", number_in_words(sum / count)));
        }
        words.splice(0..0, count.map(|c| format!("count {}", number_in_words(c))));
        if words.is_empty() {
            words.extend(self.parts.iter().take(9).map(|(_, v)| number_in_words(*v)));
        }
        words.join(", ")
    }
}

/// The value below which the share `q` lies, within its bucket in proportion, as PromQL has it.
fn quantile(q: f64, buckets: &[HistogramCount]) -> Option<f64> {
    let all = buckets.last().filter(|b| b.less_than == f64::INFINITY && b.count > 0.0)?;
    let rank = q * all.count;
    let place = buckets.iter().position(|b| b.count >= rank)?;
    let below = place.checked_sub(1).and_then(|n| buckets.get(n));
    let bucket = buckets.get(place)?;
    if bucket.less_than == f64::INFINITY {
        return below.map(|b| b.less_than);
    }
    let (start, before) = below.map_or((0.0, 0.0), |b| (b.less_than, b.count));
    if below.is_none() && bucket.less_than <= 0.0 {
        return Some(bucket.less_than);
    }
    Some(start + (bucket.less_than - start) * (rank - before) / (bucket.count - before))
}

/// Whole numbers as they are, others to four significant digits.
fn number_in_words(v: f64) -> String {
    if v.is_nan() {
        return "NaN".to_owned();
    }
    if v.is_infinite() {
        return if v > 0.0 { "+Inf".to_owned() } else { "-Inf".to_owned() };
    }
    if v.fract() == 0.0 && v.abs() < 1e15 {
        return format!("{v}");
    }
    if v.abs() >= 1e15 || v.abs() < 1e-4 {
        return format!("{v:.3e}");
    }
    let places = (3 - v.abs().log10().floor() as i32).clamp(1, 8) as usize;
    let fixed = format!("{v:.places$}");
    fixed.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows<'a>(list: &'a [Family], name: &str) -> Vec<(&'a str, &'a str)> {
        let family = list.iter().find(|f| f.name == name).unwrap();
        family.series.iter().map(|(l, v)| (l.as_str(), v.as_str())).collect()
    }

    #[test]
    fn families_are_typed_and_told_in_words() {
        let page = "# HELP job:rate5m A \\n line\n# TYPE job:rate5m gauge\njob:rate5m 0.123456\n\
            # TYPE h histogram\n\
            h_bucket{p=\"{a,b=\\\"c}\",le=\"0.1\"} 50\nh_bucket{p=\"{a,b=\\\"c}\",le=\"1\"} 90\nh_bucket{p=\"{a,b=\\\"c}\",le=\"+Inf\"} 100\n\
            h_sum{p=\"{a,b=\\\"c}\"} 40\nh_count{p=\"{a,b=\\\"c}\"} 100\n\
            h_bucket{p=\"other\",le=\"0.1\"} 0\nh_bucket{p=\"other\",le=\"+Inf\"} 0\nh_count{p=\"other\"} 0\n\
            # TYPE s summary\ns{quantile=\"0.5\"} 0.25\ns{quantile=\"0.99\"} NaN\ns_sum 10\ns_count 20\n\
            # TYPE c_total counter\nc_total{} 1e3\nloose{x=\"1\"} +Inf 5\n";
        let (list, more) = families(page.as_bytes(), Format::Text).unwrap();
        assert_eq!(more, 0);
        let kinds: Vec<_> = list.iter().map(|f| (f.name.as_str(), f.kind.as_str())).collect();
        assert_eq!(
            kinds,
            [
                ("job:rate5m", "gauge"),
                ("h", "histogram"),
                ("s", "summary"),
                ("c_total", "counter"),
                ("loose", "untyped")
            ]
        );
        assert_eq!(list[0].help, "A line");
        assert_eq!(rows(&list, "job:rate5m"), [("", "0.1235")]);
        assert_eq!(
            rows(&list, "h"),
            [(r#"p="{a,b=\"c}""#, "count 100, mean 0.4, p50 0.1, p90 1, p99 1"), (r#"p="other""#, "count 0")]
        );
        assert_eq!(rows(&list, "s"), [("", "count 20, mean 0.5, p50 0.25")]);
        assert_eq!(
            (rows(&list, "c_total"), rows(&list, "loose")),
            (vec![("", "1000")], vec![(r#"x="1""#, "+Inf")])
        );
    }

    #[test]
    fn openmetrics_families_hold_their_parts_and_units() {
        let page = "# TYPE a_seconds counter\n# UNIT a_seconds seconds\n# HELP a_seconds Time.\n\
            a_seconds_total{x=\"1\"} 3 # {t=\"u\"} 1\na_seconds_created{x=\"1\"} 1\n\
            # TYPE \"my.metric\" gauge\n{\"my.metric\",\"k.l\"=\"v\"} 2\n# EOF\n";
        let (list, _) = families(page.as_bytes(), Format::OpenMetrics).unwrap();
        assert_eq!((list[0].unit.as_str(), rows(&list, "a_seconds")), ("seconds", vec![(r#"x="1""#, "3")]));
        assert_eq!(rows(&list, "my.metric"), [(r#"k.l="v""#, "2")]);
        assert_eq!(families(b"a 1\n", Format::OpenMetrics).unwrap_err().line, 2);
    }

    #[test]
    fn what_is_too_much_is_counted() {
        let mut page = String::new();
        for i in 0..MAX_FAMILIES + 5 {
            let _ = writeln!(page, "f{i} 1");
        }
        for i in 0..MAX_SERIES + 7 {
            let _ = writeln!(page, "f0{{i=\"{i}\"}} 1");
        }
        let (list, more) = families(page.as_bytes(), Format::Text).unwrap();
        assert_eq!((list.len(), more), (MAX_FAMILIES, 5));
        assert_eq!((list[0].series.len(), list[0].more), (MAX_SERIES, 8));
    }
}
