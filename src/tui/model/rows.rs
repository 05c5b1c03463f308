//! The rows of the overview: layers and their probes, filtered and folded.

use crate::clock::Now;
use crate::domain::health::Health;
use crate::domain::observation::ProbeIndex;
use crate::tui::app::App;

/// A row by what it stands for, so that the cursor stays on it when rows come and go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RowId {
    Layer(usize),
    Probe(ProbeIndex),
}

/// The rows to show, in the order of the stack file. A layer is shown when any of its probes is,
/// or when nothing hides anything.
pub fn visible(app: &App, now: Now) -> Vec<RowId> {
    let matrix = app.matrix();
    let at = app.shown_at(now);
    let words: Vec<String> =
        app.filter.value().to_lowercase().split_whitespace().map(str::to_owned).collect();
    let hiding = app.only_problems || !words.is_empty();
    let mut rows = Vec::with_capacity(matrix.probes().len() + matrix.layers().len());
    for layer in 0..matrix.layers().len() {
        let header = rows.len();
        rows.push(RowId::Layer(layer));
        for probe in matrix.of_layer(layer) {
            let keep = !app.only_problems || matrix.health_at(probe, at) != Health::Up;
            // A fold hides rows; a filter that matches them brings them back.
            let folded = app.folded.contains(&layer) && words.is_empty();
            if keep && !folded && matches(app, probe, at, &words) {
                rows.push(RowId::Probe(probe));
            }
        }
        if hiding && rows.len() == header + 1 {
            let kept_by_fold = app.folded.contains(&layer)
                && words.is_empty()
                && matrix.of_layer(layer).any(|p| matrix.health_at(p, at) != Health::Up);
            if !kept_by_fold {
                rows.truncate(header);
            }
        }
    }
    rows
}

/// Whether every word of the filter is found in what the row shows.
fn matches(app: &App, probe: ProbeIndex, at: Now, words: &[String]) -> bool {
    if words.is_empty() {
        return true;
    }
    let matrix = app.matrix();
    let Some((meta, _)) = matrix.probe(probe) else { return false };
    let layer = matrix.layers().get(meta.layer).map_or("", |l| l.name.as_str());
    let shown = matrix.shown(probe, at);
    let text = format!(
        "{} {} {layer} {} {} {} {} {}",
        meta.id, meta.name, meta.host, meta.kind, meta.target, shown.health, shown.reason
    )
    .to_lowercase();
    words.iter().all(|w| text.contains(w.as_str()))
}

/// The next row after `from` whose probe is not up, going round.
pub fn next_problem(app: &App, rows: &[RowId], from: usize, now: Now) -> Option<usize> {
    let at = app.shown_at(now);
    (1..=rows.len()).map(|step| (from + step) % rows.len()).find(|i| match rows.get(*i) {
        Some(RowId::Probe(p)) => app.matrix().health_at(*p, at) != Health::Up,
        Some(RowId::Layer(l)) => {
            app.folded.contains(l) && app.matrix().layer_tally(*l, at).worst() != Health::Up
        }
        None => false,
    })
}
