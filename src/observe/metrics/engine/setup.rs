//! From a stack file to an engine's beginning.

use crate::domain::alert::rules;
use crate::domain::promql::Options;
use crate::domain::series::Labels;
use crate::domain::series::store::Limits;
use crate::domain::slo::Promise;
use crate::domain::telemetry::graphs::Graph;
use crate::domain::telemetry::{Setup, Target, objectives};
use crate::stack::metrics::{Events, Metrics, Scrape, ScrapeKind, Slo};

/// Everything that a stack file says of metrics, as the engine wants it.
pub fn of(metrics: &Metrics) -> Setup {
    let settings = metrics.settings;
    let graph = |g: &crate::stack::metrics::Graph| Graph {
        lines: g.lines.iter().map(|l| (l.expr.clone(), l.legend.clone())).collect(),
    };
    Setup {
        rules: rules::Setup {
            rules: metrics.rules.clone(),
            inhibitions: metrics.inhibitions.clone(),
            severities: metrics.severities.clone(),
            interval: settings.evaluation_interval,
            external_labels: Labels::empty(),
            external_url: String::new(),
            options: Options { subquery_step: settings.evaluation_interval, ..Options::default() },
        },
        graphs: metrics.graphs.iter().map(graph).collect(),
        objectives: metrics.slos.iter().map(objective).collect(),
        targets: metrics.scrapes.iter().map(target).collect(),
        limits: Limits {
            max_series: settings.max_series,
            max_bytes: settings.max_bytes,
            // The bytes are the bound that counts; a sample takes more than an eighth of one.
            max_samples: settings.max_bytes as u64 * 8,
            retention: settings.retention,
        },
    }
}

fn target(scrape: &Scrape) -> Target {
    let url = match &scrape.kind {
        ScrapeKind::Page { http, .. }
        | ScrapeKind::Json { http, .. }
        | ScrapeKind::Websocket { http, .. } => http.target.url.clone(),
        ScrapeKind::Host => "/proc".to_owned(),
    };
    Target { id: scrape.id.clone(), host: scrape.host.to_string(), url }
}

fn objective(slo: &Slo) -> objectives::Setup {
    let (part, good) = match &slo.events {
        Events::Good(expr) => (expr.clone(), true),
        Events::Bad(expr) => (expr.clone(), false),
    };
    objectives::Setup {
        id: slo.id.clone(),
        name: slo.name.clone(),
        promise: Promise { objective: slo.objective, window: slo.window, min_events: slo.min_events },
        total: slo.total.clone(),
        part,
        good,
        help: slo.help.clone(),
        rows: slo.rows.clone(),
    }
}
