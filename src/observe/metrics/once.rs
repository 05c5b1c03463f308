//! Looking at every target and probe for a short while, without a screen: for one-shot commands.

use super::collect::Collector;
use super::engine::tasks::{collectors, scraped};
use super::probed::Probed;
use crate::clock::Clock;
use crate::domain::board::TargetIndex;
use crate::domain::observation::ProbeIndex;
use crate::domain::telemetry::Telemetry;
use crate::observe::prober::Prober;
use crate::observe::scheduler::MAX_RUNNING;
use crate::stack::spec::Stack;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

/// Looks at everything, and again each second until `span` is over; at least once. Each look ends
/// with an evaluation of the rules that are due, the last one of all rules.
pub async fn gather(
    stack: &Stack,
    prober: &Arc<Prober>,
    clock: &Arc<dyn Clock>,
    telemetry: &mut Telemetry,
    span: Duration,
) {
    let begun = clock.now();
    let mut probed: Vec<Probed> = stack.probes.iter().map(|_| Probed::default()).collect();
    let mut targets = collectors(stack, prober, clock, &telemetry.selection());
    loop {
        let look = clock.now();
        targets = collect(targets, telemetry).await;
        for (probe, reading) in probe(prober).await {
            if let (Some(spec), Some(series)) = (stack.probes.get(probe.0), probed.get_mut(probe.0)) {
                telemetry.take(&series.take(spec, &reading));
            }
        }
        let steady = Arc::clone(clock);
        let now = clock.now();
        if now.since(begun) >= span {
            // The first look has no rates yet, and a report is made of the last.
            telemetry.evaluate_all(now, &move || steady.now().mono);
            return;
        }
        telemetry.evaluate(now, &move || steady.now().mono);
        let rest = Duration::from_secs(1).saturating_sub(now.since(look));
        tokio::time::sleep(rest.min(span.saturating_sub(now.since(begun)))).await;
    }
}

async fn collect(
    targets: Vec<(TargetIndex, Collector)>,
    telemetry: &mut Telemetry,
) -> Vec<(TargetIndex, Collector)> {
    let mut tasks = JoinSet::new();
    for (index, mut collector) in targets {
        tasks.spawn(async move {
            let collected = collector.collect().await;
            (index, collector, collected)
        });
    }
    let mut back = Vec::new();
    while let Some(done) = tasks.join_next().await {
        // One that panicked is gone; the panic was reported.
        if let Ok((index, collector, collected)) = done {
            telemetry.take_scrape(scraped(index, collected, false));
            back.push((index, collector));
        }
    }
    back
}

async fn probe(prober: &Arc<Prober>) -> Vec<(ProbeIndex, crate::domain::observation::Reading)> {
    let running = Arc::new(Semaphore::new(MAX_RUNNING));
    let mut tasks = JoinSet::new();
    for index in (0..prober.len()).map(ProbeIndex) {
        let (prober, running) = (Arc::clone(prober), Arc::clone(&running));
        tasks.spawn(async move {
            let _permit = running.acquire().await;
            (index, prober.run(index).await)
        });
    }
    let mut out = Vec::new();
    while let Some(done) = tasks.join_next().await {
        out.extend(done);
    }
    out
}
