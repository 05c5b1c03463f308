//! The labels of a target, and how they meet those of its series.

use crate::domain::series::Labels;
use crate::domain::series::labels::NAME;
use crate::stack::kind::common::Endpoint;
use crate::stack::metrics::{Scrape, ScrapeKind};
use std::collections::BTreeMap;

/// What a target puts on every series.
#[derive(Clone, Debug)]
pub struct TargetLabels(BTreeMap<String, String>);

impl TargetLabels {
    /// Those of the stack file; `job` is the scrape's id and `instance` its address where the file
    /// does not say. Figures of a host carry its id as `host`.
    pub fn of(scrape: &Scrape) -> Self {
        let mut all = scrape.labels.clone();
        all.entry("job".to_owned()).or_insert_with(|| scrape.id.clone());
        all.entry("instance".to_owned()).or_insert_with(|| instance(scrape));
        if matches!(scrape.kind, ScrapeKind::Host) {
            all.entry("host".to_owned()).or_insert_with(|| scrape.host.to_string());
        }
        all.retain(|_, value| !value.is_empty());
        TargetLabels(all)
    }

    /// By name, for a lexer that puts them on itself.
    pub fn as_map(&self) -> &BTreeMap<String, String> {
        &self.0
    }

    /// A series of the target itself, such as `up`.
    pub fn report(&self, name: &str) -> Labels {
        self.on(name, std::iter::empty::<(&str, &str)>())
    }

    /// A series' labels with the target's. As in Prometheus, the target's hold, and a label of the
    /// series with the same name becomes `exported_…`, with as many `exported_` as it takes.
    pub fn on<'a>(&'a self, name: &'a str, own: impl IntoIterator<Item = (&'a str, &'a str)>) -> Labels {
        let mut all: BTreeMap<String, &str> = own
            .into_iter()
            .filter(|(_, value)| !value.is_empty())
            .map(|(name, value)| (name.to_owned(), value))
            .collect();
        for (name, value) in &self.0 {
            if let Some(theirs) = all.insert(name.clone(), value) {
                let mut moved = format!("exported_{name}");
                while all.contains_key(&moved) || self.0.contains_key(&moved) {
                    moved.insert_str(0, "exported_");
                }
                all.insert(moved, theirs);
            }
        }
        all.insert(NAME.to_owned(), name);
        Labels::new(all)
    }
}

fn instance(scrape: &Scrape) -> String {
    let http = match &scrape.kind {
        ScrapeKind::Page { http, .. }
        | ScrapeKind::Json { http, .. }
        | ScrapeKind::Websocket { http, .. } => http,
        ScrapeKind::Host => return scrape.host.to_string(),
    };
    match &http.target.endpoint {
        Endpoint::Unix(path) => path.display().to_string(),
        tcp @ Endpoint::Tcp { .. } => tcp.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_targets_labels_hold_and_the_series_own_are_moved() {
        let target = TargetLabels(
            [("job", "api"), ("exported_instance", "x"), ("instance", "a:1")]
                .map(|(k, v)| (k.to_owned(), v.to_owned()))
                .into(),
        );
        let table: &[(&[(&str, &str)], &str)] = &[
            (&[], r#"up{exported_instance="x", instance="a:1", job="api"}"#),
            (
                &[("job", "b"), ("c", ""), ("d", "e")],
                r#"up{d="e", exported_instance="x", exported_job="b", instance="a:1", job="api"}"#,
            ),
            (
                &[("instance", "b")],
                r#"up{exported_exported_instance="b", exported_instance="x", instance="a:1", job="api"}"#,
            ),
        ];
        for (own, want) in table {
            assert_eq!(target.on("up", own.iter().copied()).to_string(), *want, "{own:?}");
        }
    }
}
