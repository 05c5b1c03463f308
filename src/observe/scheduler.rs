//! When each probe runs: one task per probe, spread out, bounded, and never slower to notice a
//! recovery than the probe's own interval.
//!
//! All probes start at once the first time, so that the first complete matrix takes as long as
//! its slowest probe; after that each keeps its own phase. What fails is looked at again sooner
//! (a quarter of the interval), then ever later up to the interval itself: that is the back-off,
//! and its bound is what keeps the promise above.

use super::mailbox::Mailbox;
use super::prober::Prober;
use crate::clock::Now;
use crate::domain::health::Health;
use crate::domain::observation::{Observation, ProbeIndex, Reading};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Notify, Semaphore};

/// Probes under way at once, at most.
pub const MAX_RUNNING: usize = 64;
/// The least time between two runs of a probe that fails, so that a look never becomes a load.
pub const MIN_RETRY: Duration = Duration::from_secs(1);

/// Who else is told of every result, before the screen: what turns them into series. Called on the
/// observers' thread; must not wait.
pub type Tap = Arc<dyn Fn(ProbeIndex, &Reading) + Send + Sync>;

/// Something else that runs on the observers' thread until they stop.
pub type Task = std::pin::Pin<Box<dyn Future<Output = ()> + Send>>;

/// The running observers. Dropping it stops them.
pub struct Scheduler {
    pokes: Arc<Vec<Notify>>,
    stop: Arc<Notify>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Scheduler {
    /// Starts the observers on a thread of their own, so that a slow name lookup or a fork never
    /// holds up a key press.
    ///
    /// # Errors
    /// When the thread or its runtime cannot be made.
    pub fn start(
        prober: Prober,
        mailbox: Arc<Mailbox>,
        tap: Option<Tap>,
        beside: Vec<Task>,
    ) -> std::io::Result<Self> {
        let pokes: Arc<Vec<Notify>> = Arc::new((0..prober.len()).map(|_| Notify::new()).collect());
        let stop = Arc::new(Notify::new());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let thread = std::thread::Builder::new().name("observe".into()).spawn({
            let (pokes, stop) = (Arc::clone(&pokes), Arc::clone(&stop));
            move || {
                let closer = CloseOnDrop(Arc::clone(&mailbox));
                runtime.block_on(observe(Arc::new(prober), &mailbox, tap.as_ref(), beside, &pokes, &stop));
                runtime.shutdown_background();
                drop(closer);
            }
        })?;
        Ok(Scheduler { pokes, stop, thread: Some(thread) })
    }

    /// Runs a probe now, or right after the run that is under way.
    pub fn poll_now(&self, probe: ProbeIndex) {
        if let Some(poke) = self.pokes.get(probe.0) {
            poke.notify_one();
        }
    }

    pub fn poll_all_now(&self) {
        self.pokes.iter().for_each(Notify::notify_one);
    }
}

impl Scheduler {
    /// Ends the observers without waiting for what they are in the middle of: for a program that
    /// is about to end.
    pub fn abandon(mut self) {
        self.stop.notify_one();
        drop(self.thread.take());
    }
}

impl Drop for Scheduler {
    fn drop(&mut self) {
        self.stop.notify_one();
        if let Some(thread) = self.thread.take() {
            // A panic over there has been reported by the panic hook already.
            let _ = thread.join();
        }
    }
}

/// Tells the reader that the observers are gone, also when they panicked: the screen then says
/// so instead of showing ageing values.
struct CloseOnDrop(Arc<Mailbox>);

impl Drop for CloseOnDrop {
    fn drop(&mut self) {
        self.0.close();
    }
}

async fn observe(
    prober: Arc<Prober>,
    mailbox: &Arc<Mailbox>,
    tap: Option<&Tap>,
    beside: Vec<Task>,
    pokes: &Arc<Vec<Notify>>,
    stop: &Notify,
) {
    let running = Arc::new(Semaphore::new(MAX_RUNNING));
    let mut tasks = tokio::task::JoinSet::new();
    for index in (0..prober.len()).map(ProbeIndex) {
        let (prober, mailbox) = (Arc::clone(&prober), Arc::clone(mailbox));
        let (pokes, running, tap) = (Arc::clone(pokes), Arc::clone(&running), tap.cloned());
        tasks.spawn(async move {
            keep_probing(&prober, index, &mailbox, tap.as_ref(), &pokes, &running).await;
        });
    }
    for task in beside {
        tasks.spawn(task);
    }
    tokio::select! {
        () = stop.notified() => {}
        () = async { while tasks.join_next().await.is_some() {} } => {}
    }
}

async fn keep_probing(
    prober: &Prober,
    index: ProbeIndex,
    mailbox: &Mailbox,
    tap: Option<&Tap>,
    pokes: &[Notify],
    running: &Semaphore,
) {
    let (Some(probe), Some(poke)) = (prober.probe(index), pokes.get(index.0)) else { return };
    let mut pace = Pace::new(probe.interval, phase_of(phase_key(probe)));
    // Only a run that somebody waits for is announced: the first, and one that was asked for.
    let mut announce = true;
    let mut before: Option<Health> = None;
    loop {
        let Ok(permit) = running.acquire().await else { return };
        let at = prober.clock().now();
        if announce {
            mailbox.post(Observation::Started { probe: index, at }, before.is_some());
        }
        let reading = prober.run(index).await;
        drop(permit);
        let now = prober.clock().now();
        let next = pace.next(at, now, reading.health);
        // Whoever asked for a look waits for its result, also when it says the same again.
        let urgent = announce || before != Some(reading.health);
        before = Some(reading.health);
        if let Some(tap) = tap {
            tap(index, &reading);
        }
        mailbox.post(Observation::Probed { probe: index, reading: Box::new(reading), next }, urgent);
        tokio::select! {
            () = tokio::time::sleep(next.since(now)) => announce = false,
            () = poke.notified() => announce = true,
        }
    }
}

/// Probes that one command answers together share a phase, so that it runs once for all of them.
fn phase_key(probe: &crate::stack::spec::Probe) -> String {
    match probe.kind.batch() {
        Some(batch) => format!("{batch}@{}", probe.host),
        None => probe.id.to_string(),
    }
}

/// A place in the interval, 0 to 1, from a name (FNV-1a): the same at every start, spread evenly.
fn phase_of(key: impl AsRef<str>) -> f64 {
    let hash = key
        .as_ref()
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |h, b| (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3));
    // FNV mixes short names poorly: finish it as SplitMix64 does.
    let mixed = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    f64::from((mixed >> 32) as u32) / f64::from(u32::MAX)
}

/// When the next run is due. Pure, so that its promises can be tested.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    interval: Duration,
    /// The second run comes after this part of the interval, which gives each probe its phase.
    first_gap: Duration,
    failures: u32,
    first: bool,
}

impl Pace {
    pub fn new(interval: Duration, phase: f64) -> Self {
        Pace {
            interval,
            first_gap: interval.mul_f64(0.5 + phase.clamp(0.0, 1.0) / 2.0),
            failures: 0,
            first: true,
        }
    }

    /// The time of the next run, given when the last one started and ended and how it went.
    /// Never in the past, and never more than one interval after `ended`.
    pub fn next(&mut self, started: Now, ended: Now, health: Health) -> Now {
        let gap = if health == Health::Up {
            self.failures = 0;
            if self.first { self.first_gap } else { self.interval }
        } else {
            let quarter = (self.interval / 4).max(MIN_RETRY);
            let gap = quarter.saturating_mul(1 << self.failures.min(4));
            self.failures = self.failures.saturating_add(1);
            gap.min(self.interval)
        };
        self.first = false;
        let due = started.plus(gap);
        // A run that took longer than the gap: the next one still leaves the target some air.
        if due.mono > ended.mono { due } else { ended.plus(MIN_RETRY.min(self.interval)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(ms: u64) -> Now {
        Now { mono: Duration::ZERO, wall: jiff::Timestamp::UNIX_EPOCH }.plus(Duration::from_millis(ms))
    }

    #[test]
    fn what_fails_is_looked_at_sooner_then_ever_later_up_to_the_interval() {
        let mut pace = Pace::new(Duration::from_secs(20), 0.0);
        let gaps: Vec<u64> = (0..5).map(|_| pace.next(at(0), at(1), Health::Down).mono.as_secs()).collect();
        assert_eq!(gaps, [5, 10, 20, 20, 20]);
        assert_eq!(pace.next(at(0), at(1), Health::Up).mono.as_secs(), 20);
        assert_eq!(pace.next(at(0), at(1), Health::Unknown).mono.as_secs(), 5);
    }

    #[test]
    fn phases_are_spread() {
        let mut phases: Vec<f64> = (0..200).map(|i| phase_of(format!("probe-{i}"))).collect();
        phases.sort_by(f64::total_cmp);
        for quarter in 0..4 {
            let low = f64::from(quarter) / 4.0;
            let n = phases.iter().filter(|p| (low..low + 0.25).contains(*p)).count();
            assert!((25..=75).contains(&n), "{n} of 200 in quarter {quarter}");
        }
    }

    proptest! {
        #[test]
        fn a_recovery_is_noticed_within_one_interval(
            interval in 1u64..600, phase in 0.0f64..1.0,
            runs in prop::collection::vec((prop::sample::select(Health::ALL.to_vec()), 0u64..70_000), 1..30),
        ) {
            let interval = Duration::from_secs(interval);
            let mut pace = Pace::new(interval, phase);
            let mut start = at(0);
            for (health, took) in runs {
                let end = start.plus(Duration::from_millis(took));
                let next = pace.next(start, end, health);
                prop_assert!(next.mono > end.mono);
                prop_assert!(next.since(end) <= interval);
                start = next;
            }
        }
    }
}
