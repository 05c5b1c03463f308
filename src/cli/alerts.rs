//! `quarterdeck alerts`: one look at everything that rules speak of, here and at the Prometheus and
//! the Alertmanager that the stack names. Nothing is written: what a running dashboard keeps stays.

use super::metrics;
use crate::clock::Clock;
use crate::domain::alert::remote::Told;
use crate::domain::board::Board;
use crate::domain::promql::{LOOKBACK, Selector};
use crate::domain::telemetry::{Setup, Telemetry};
use crate::observe::metrics::api::AskError;
use crate::observe::metrics::engine::remotes::{self, Put};
use crate::observe::metrics::engine::{restored_words, setup};
use crate::observe::metrics::once;
use crate::observe::metrics::poll::{self, Rules, Watch};
use crate::observe::prober::Prober;
use crate::record::keep::Kept;
use crate::stack::spec::Stack;
use std::sync::Arc;
use std::time::Duration;

/// What one look found.
pub struct Seen {
    pub board: Board,
    /// What should be known of it; one line each.
    pub notes: Vec<String>,
    /// For how long was looked.
    pub collected: Duration,
}

/// Looks at everything, again each second until `collect` is over, and asks those who are outside.
pub async fn look(
    stack: &Stack,
    prober: &Arc<Prober>,
    clock: &Arc<dyn Clock>,
    kept: &Kept,
    collect: Duration,
) -> Seen {
    let mut notes = Vec::new();
    let setup = each_look(setup::of(&stack.metrics));
    let over_time = looks_back(&setup, collect);
    let mut telemetry = Telemetry::new(setup);
    match metrics::take_up(kept, &mut telemetry, clock.now()) {
        Ok(None) => {}
        Ok(Some(restored)) => notes.push(restored_words(&restored)),
        Err(why) => notes.push(format!("failed to {why}; since-times start now")),
    }
    let (prometheus, alertmanager, ()) = tokio::join!(
        ask_prometheus(stack, prober, clock),
        ask_alertmanager(stack, prober, clock),
        once::gather(stack, prober, clock, &mut telemetry, collect),
    );
    put_others(&mut telemetry, prometheus, alertmanager, &mut notes);
    if over_time > 0 && !telemetry.outside_mut().prometheus_answers() {
        let look = crate::domain::units::exact(collect);
        let (rules, them) = if over_time == 1 { ("rule looks", "it") } else { ("rules look", "them") };
        notes.push(format!(
            "{over_time} {rules} back over more than was collected ({look}), and may be silent for that; \
             --collect gives {them} more"
        ));
    }
    Seen { board: telemetry.board(clock.now()), notes, collected: collect }
}

/// What the Prometheus and the Alertmanager of a stack say, put where it belongs; also what should
/// be known of it.
pub async fn ask_others(
    stack: &Stack,
    prober: &Prober,
    clock: &Arc<dyn Clock>,
    telemetry: &mut Telemetry,
) -> Vec<String> {
    let (prometheus, alertmanager) =
        tokio::join!(ask_prometheus(stack, prober, clock), ask_alertmanager(stack, prober, clock));
    let mut notes = Vec::new();
    put_others(telemetry, prometheus, alertmanager, &mut notes);
    notes
}

fn put_others(
    telemetry: &mut Telemetry,
    prometheus: Option<(Watch<Rules>, Vec<Put>)>,
    alertmanager: Option<Watch<Told>>,
    notes: &mut Vec<String>,
) {
    if let Some((watch, puts)) = prometheus {
        let outside = telemetry.outside_mut();
        outside.prometheus = Some(watch.view());
        if let Some((_, heard)) = watch.last() {
            outside.rules.clone_from(&heard.rules);
            notes.extend(heard.remarks.iter().cloned());
        }
        for put in puts {
            put(telemetry);
        }
    }
    if let Some(watch) = alertmanager {
        let outside = telemetry.outside_mut();
        outside.alertmanager = Some(watch.view());
        if let Some((_, told)) = watch.last() {
            outside.told = (**told).clone();
            notes.extend(told.odd.iter().cloned());
        }
    }
}

/// Every rule is due at every look, whatever its interval: there may be only one.
fn each_look(mut setup: Setup) -> Setup {
    setup.rules.interval = Duration::from_millis(1);
    for rule in &mut setup.rules.rules {
        rule.interval = None;
    }
    setup
}

/// Rules that look back over a span of time, unless all of it is collected.
fn looks_back(setup: &Setup, collect: Duration) -> usize {
    // A span may be just as long as the lookback of a single moment.
    let is_longer = |s: &Selector| (s.over_time || s.reach != LOOKBACK) && s.reach > collect;
    setup.rules.rules.iter().filter(|r| r.expr.selectors().iter().any(is_longer)).count()
}

/// What the stack's Prometheus says, and what its counts change; nothing where none is named.
async fn ask_prometheus(
    stack: &Stack,
    prober: &Prober,
    clock: &Arc<dyn Clock>,
) -> Option<(Watch<Rules>, Vec<Put>)> {
    let remote = stack.metrics.prometheus.as_ref()?;
    let mut watch = Watch::new(&remote.target.url);
    let mut puts = Vec::new();
    match remotes::prometheus(remote, prober) {
        Ok(prometheus) => {
            let heard = poll::look_at_prometheus(&prometheus, "", clock.now()).await;
            watch.heard(clock.now(), heard);
            if watch.answers() {
                let at = clock.now().wall.as_millisecond();
                puts = remotes::count_all(&prometheus, stack, at).await;
            }
        }
        Err(why) => watch.heard(clock.now(), Err(AskError::Ours(why))),
    }
    Some((watch, puts))
}

/// As [`ask_prometheus`], of the Alertmanager.
async fn ask_alertmanager(stack: &Stack, prober: &Prober, clock: &Arc<dyn Clock>) -> Option<Watch<Told>> {
    let remote = stack.metrics.alertmanager.as_ref()?;
    let mut watch = Watch::new(&remote.target.url);
    let heard = match remotes::alertmanager(remote, prober) {
        Ok(alertmanager) => poll::look_at_alertmanager(&alertmanager).await,
        Err(why) => Err(AskError::Ours(why)),
    };
    watch.heard(clock.now(), heard);
    Some(watch)
}
