//! What runs beside the probes on the observers' thread: one task for each target.

use super::{Message, Teller, Wants};
use crate::clock::Clock;
use crate::domain::board::{Families, TargetIndex};
use crate::domain::series::selection::Selection;
use crate::domain::telemetry::Scraped;
use crate::observe::metrics::collect::{Collected, Collector};
use crate::observe::metrics::probed::Probed;
use crate::observe::prober::Prober;
use crate::observe::scheduler::{Tap, Task};
use crate::stack::metrics::Scrape;
use crate::stack::spec::{Probe, Stack};
use std::sync::{Arc, Mutex, PoisonError};

/// A task for each target of the stack.
pub fn scrapes(
    stack: &Stack,
    prober: &Prober,
    clock: &Arc<dyn Clock>,
    tell: &Teller,
    wants: &Wants,
) -> Vec<Task> {
    let selection = wants.selection.borrow().clone();
    collectors(stack, prober, clock, &selection)
        .into_iter()
        .map(|(index, collector)| {
            let (tell, wants, clock) = (tell.clone(), wants.clone(), Arc::clone(clock));
            let task: Task = Box::pin(keep_collecting(index, collector, clock, tell, wants));
            task
        })
        .collect()
}

/// What collects from each target of the stack, over the ways that its probes use.
pub fn collectors(
    stack: &Stack,
    prober: &Prober,
    clock: &Arc<dyn Clock>,
    selection: &Arc<Selection>,
) -> Vec<(TargetIndex, Collector)> {
    let collector = |scrape: &Scrape| {
        let way = prober.way_to(&scrape.host);
        Collector::new(scrape, way, prober.access(), Arc::clone(clock), Arc::clone(selection))
    };
    let all = stack.metrics.scrapes.iter().enumerate();
    all.map(|(i, scrape)| (TargetIndex(i), collector(scrape))).collect()
}

/// Turns every result of a probe into samples.
pub fn tap(stack: &Stack, tell: Teller) -> Tap {
    let probes: Vec<(Probe, Mutex<Probed>)> =
        stack.probes.iter().map(|p| (p.clone(), Mutex::default())).collect();
    Arc::new(move |index, reading| {
        if let Some((probe, probed)) = probes.get(index.0) {
            let mut probed = probed.lock().unwrap_or_else(PoisonError::into_inner);
            tell.tell(Message::Samples(probed.take(probe, reading)));
        }
    })
}

async fn keep_collecting(
    index: TargetIndex,
    mut collector: Collector,
    clock: Arc<dyn Clock>,
    tell: Teller,
    mut wants: Wants,
) {
    let interval = collector.scrape().interval;
    loop {
        let begun = clock.now();
        let explored = *wants.explored.borrow_and_update() == Some(index);
        collector.explore(explored);
        if wants.selection.has_changed().unwrap_or(false) {
            let selection = wants.selection.borrow_and_update().clone();
            collector.set_selection(selection);
        }
        let collected = collector.collect().await;
        tell.tell(Message::Scraped(Box::new(scraped(index, collected, explored))));
        let rest = interval.saturating_sub(clock.now().since(begun));
        tokio::select! {
            () = tokio::time::sleep(rest) => {}
            // Somebody has just opened this target: they wait for it.
            () = opened(&mut wants, index) => {}
        }
    }
}

/// Waits until somebody wants to see all of this target. Cancel-safe.
async fn opened(wants: &mut Wants, index: TargetIndex) {
    loop {
        if wants.explored.changed().await.is_err() {
            return std::future::pending().await;
        }
        if *wants.explored.borrow() == Some(index) {
            return;
        }
    }
}

/// One look, as the telemetry takes it.
pub fn scraped(target: TargetIndex, collected: Collected, explored: bool) -> Scraped {
    let at = Some(collected.at);
    let families = match (explored, collected.families) {
        (true, Some((list, more))) => Some(Families { target, at, list, more, trouble: None }),
        (true, None) => {
            let trouble = Some(collected.reason.clone());
            Some(Families { target, at, list: Vec::new(), more: 0, trouble })
        }
        (false, _) => None,
    };
    Scraped {
        target,
        at: collected.at,
        samples: collected.samples,
        up: collected.up,
        reason: collected.reason,
        took: collected.took,
        seen: collected.seen,
        kept: collected.kept,
        families: families.map(Arc::new),
    }
}
