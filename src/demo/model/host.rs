//! The figures of the modelled host: processor, memory, network, and a disk that `df` can show full.

use std::collections::VecDeque;

use super::units::Second;
use crate::demo::rng::Rng;

/// Size of the modelled disk.
pub const DISK_BYTES: u64 = 40 << 30;
/// One point a minute, one hour.
const HISTORY: usize = 60;

/// One minute's figures.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    pub at: Second,
    pub cpu: f64,
    pub memory: f64,
    pub disk: f64,
    pub rx_kbps: f64,
    pub tx_kbps: f64,
}

#[derive(Debug)]
pub struct Host {
    pub now: Point,
    pub history: VecDeque<Point>,
    pub disk_used: u64,
}

impl Host {
    pub fn new() -> Self {
        let now = Point { at: 0, cpu: 9.0, memory: 41.0, disk: 0.0, rx_kbps: 0.0, tx_kbps: 0.0 };
        Self { now, history: VecDeque::new(), disk_used: 17 << 30 }
    }

    /// Bytes used and free, as `df` shows them.
    pub fn disk(&self, full: bool) -> (u64, u64) {
        if full { (DISK_BYTES, 0) } else { (self.disk_used, DISK_BYTES - self.disk_used) }
    }

    pub fn step(&mut self, at: Second, online: usize, peers: usize, full: bool, rng: &mut Rng) {
        let jitter = |rng: &mut Rng, width: u64| rng.below(width * 10) as f64 / 10.0;
        let load = online as f64;
        // A random walk around what the sessions cost, so that graphs look like a machine's.
        let target = 5.0 + load * 0.12 + jitter(rng, 6);
        self.now.cpu = round1((self.now.cpu * 3.0 + target) / 4.0);
        self.now.memory = round1(38.0 + load * 0.05 + jitter(rng, 1));
        self.now.rx_kbps = round1(peers as f64 * (18.0 + jitter(rng, 9)));
        self.now.tx_kbps = round1(peers as f64 * (140.0 + jitter(rng, 60)));
        self.disk_used = (self.disk_used + 700).min(DISK_BYTES / 2);
        let (used, _) = self.disk(full);
        self.now.disk = round1(used as f64 / DISK_BYTES as f64 * 100.0);
        self.now.at = at;
        if at.is_multiple_of(60) {
            if self.history.len() == HISTORY {
                self.history.pop_front();
            }
            self.history.push_back(self.now);
        }
    }
}

fn round1(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}
