//! What others ask of the admin API: its own supervisor, and people with the dashboard open. It is
//! what `/metrics` counts while nobody else asks.

use super::services::Svc;
use super::units::{Second, UnitId};
use super::{Door, Model};
use crate::demo::fault::Fault;
use crate::demo::rng::Rng;

/// One thing that is asked for again and again: by each dashboard, or once by the supervisor.
struct Habit {
    route: &'static str,
    every: Second,
    by_people: bool,
    /// A usual answer's time in milliseconds and its size.
    millis: u64,
    bytes: u64,
}

const fn habit(route: &'static str, every: Second, by_people: bool, millis: u64, bytes: u64) -> Habit {
    Habit { route, every, by_people, millis, bytes }
}

const HABITS: [Habit; 7] = [
    habit("/health", 15, false, 3, 160),
    habit("/api/metrics/live", 5, true, 4, 210),
    habit("/services/status", 10, true, 11, 2900),
    habit("/apps/status", 10, true, 9, 540),
    habit("/api/admin/sessions", 10, true, 24, 26_000),
    habit("/users", 30, true, 31, 9_800),
    habit("/network_state", 15, true, 6, 40),
];

/// How many have the dashboard open, and their luck; apart from the model's own, so that adding a
/// habit changes nothing else.
pub struct Traffic {
    rng: Rng,
    open: u64,
}

impl Traffic {
    pub fn new(seed: u64) -> Self {
        Traffic { rng: Rng::new(seed ^ 0x7261_6666_6963), open: 2 }
    }
}

impl Model {
    /// One second of it.
    pub(super) fn step_traffic(&mut self) {
        let now = self.now;
        if now.is_multiple_of(120) {
            self.traffic.open = self.traffic.rng.range(1, 4);
        }
        if !self.is_open(Door::Admin) {
            return;
        }
        for (i, habit) in HABITS.iter().enumerate() {
            // Not all in the same second.
            if !(now + i as Second * 3).is_multiple_of(habit.every) {
                continue;
            }
            let times = if habit.by_people { self.traffic.open } else { 1 };
            for _ in 0..times {
                self.answered(habit);
            }
        }
    }

    fn answered(&mut self, habit: &Habit) {
        let fails = match habit.route {
            "/users" => !self.units.running(UnitId::PostgresqlMain) || !self.services.running(Svc::Users),
            "/api/admin/sessions" => !self.units.running(UnitId::Redis),
            "/apps/status" => !self.services.running(Svc::ApiManager),
            _ => false,
        };
        let slow = match habit.route {
            "/users" if self.has(Fault::PostgresSlow) => 1.5,
            "/api/admin/sessions" if self.has(Fault::RedisSlow) => 0.8,
            _ => 0.0,
        };
        let rng = &mut self.traffic.rng;
        // Mostly as usual, now and then much longer.
        let stretch = if rng.once_in(60) { rng.range(800, 3000) } else { rng.range(60, 200) };
        let seconds = habit.millis as f64 / 1000.0 * stretch as f64 / 100.0 + slow;
        let class = if fails { "5xx" } else { "2xx" };
        let bytes = if fails { 40 } else { habit.bytes * stretch.min(150) / 100 };
        self.guard.record(habit.route, "GET", class, seconds, bytes);
    }
}
