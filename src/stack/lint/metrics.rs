//! What is legal and dangerous in the tables that speak of metrics.

use super::{FAST, Lint, texts_of};
use crate::domain::text;
use crate::domain::units;
use crate::stack::metrics::Metrics;
use crate::stack::metrics::read::MAX_EACH;
use std::ops::Range;
use std::time::Duration;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

impl Lint<'_> {
    /// Looks at every rule and target of scraping; `metrics` is what could be read of them.
    pub(super) fn metrics(&mut self, root: &DeTable<'_>, metrics: &Metrics) {
        for (scrape, _) in tables(root, "scrapes") {
            self.secret_url(scrape);
            self.fast_scrape(scrape);
        }
        for (rule, span) in tables(root, "rules") {
            if rule.contains_key("alert") {
                self.severity(rule, &span, metrics);
                self.hold(rule, metrics.settings.evaluation_interval);
            }
        }
        self.remotes(root);
    }

    /// `[prometheus]` and `[alertmanager]`, of a stack file or of config.toml.
    pub(super) fn remotes(&mut self, root: &DeTable<'_>) {
        for key in ["prometheus", "alertmanager"] {
            if let Some(DeValue::Table(table)) = root.get(key).map(Spanned::get_ref) {
                self.secret_url(table);
            }
        }
    }

    fn fast_scrape(&mut self, scrape: &DeTable<'_>) {
        let kind = text_of(scrape, "kind").map_or("prometheus", |(kind, _)| kind);
        let interval = text_of(scrape, "interval");
        if let Some((interval, span)) = interval.filter(|_| matches!(kind, "prometheus" | "json"))
            && units::parse_duration(interval).is_some_and(|d| d < FAST)
        {
            let help = "a service that limits requests may refuse its own supervisor, who shares our address";
            self.warn("fast-http", span, "this address is scraped more often than every 2 s", help);
        }
    }

    fn severity(&mut self, rule: &DeTable<'_>, place: &Range<usize>, metrics: &Metrics) {
        let names: Vec<&str> = metrics.severities.iter().map(|s| s.name.as_str()).collect();
        if names.is_empty() {
            return;
        }
        let labels = match rule.get("labels").map(Spanned::get_ref) {
            Some(DeValue::Table(labels)) => Some(labels),
            _ => None,
        };
        let Some((severity, span)) = labels.and_then(|l| text_of(l, "severity")) else {
            let span = rule.get("alert").map_or_else(|| place.clone(), Spanned::span);
            let message = "this alert has no severity, so it comes last and nobody is told by when to look";
            let help = format!("labels = {{ severity = \"…\" }}, one of {}", names.join(", "));
            self.warn("alert-without-severity", span, message, &help);
            return;
        };
        // What a variable or a template becomes is not known here.
        if names.contains(&severity) || severity.contains("${") || severity.contains("{{") {
            return;
        }
        let help = match text::nearest(severity, names.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("[[severities]] has {}", names.join(", ")),
        };
        let shown = text::one_line(severity, 60);
        let message = format!("no severity of this stack is called `{shown}`");
        self.warn("unknown-severity", span, &message, &help);
    }

    /// A condition that is looked at less often than it must hold fires as if it held for longer.
    fn hold(&mut self, rule: &DeTable<'_>, every: Duration) {
        let own = text_of(rule, "interval").and_then(|(text, _)| units::parse_duration(text));
        let every = own.unwrap_or(every);
        let Some((hold, span)) = text_of(rule, "for") else { return };
        if units::parse_duration(hold).is_some_and(|hold| !hold.is_zero() && hold < every) {
            let message = "this alert must hold for less time than passes between two looks at it";
            let help = format!("rules are evaluated every {}: use that, or none", units::exact(every));
            self.warn("short-for", span, message, &help);
        }
    }
}

/// A list of tables and where each begins.
fn tables<'t>(root: &'t DeTable<'t>, key: &str) -> Vec<(&'t DeTable<'t>, Range<usize>)> {
    let Some(DeValue::Array(items)) = root.get(key).map(Spanned::get_ref) else { return Vec::new() };
    let table = |item: &'t Spanned<DeValue<'t>>| match item.get_ref() {
        DeValue::Table(table) => Some((table, item.span())),
        _ => None,
    };
    items.iter().take(MAX_EACH).filter_map(table).collect()
}

/// The text at a key.
fn text_of<'t>(table: &'t DeTable<'t>, key: &str) -> Option<(&'t str, Range<usize>)> {
    texts_of(table.get(key)).into_iter().next()
}
