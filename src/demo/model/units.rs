//! The systemd units of the stack's host: states, jobs and how long they take.

use crate::demo::fault::{Fault, FaultSet};

/// Seconds since the stack's first boot; the model's only time.
pub type Second = u64;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnitId {
    Tornado,
    Postgresql,
    PostgresqlMain,
    Redis,
    Nginx,
    TorMaster,
    Tor,
    Unbound,
}

/// When what hangs would end.
const NEVER: Second = Second::MAX;

/// What does not change about a unit.
pub struct UnitDef {
    pub id: UnitId,
    pub name: &'static str,
    /// Another name that means the same unit.
    pub alias: &'static str,
    pub description: &'static str,
    /// Debian's umbrella units: `active (exited)` whatever their instances do.
    pub oneshot: bool,
    /// The fault that keeps it down.
    pub fault: Option<Fault>,
    /// systemd restarts it when it dies, after this many seconds.
    pub restart_sec: Option<Second>,
}

/// In the order of [`UnitId`].
pub const UNITS: [UnitDef; 8] = [
    unit(UnitId::Tornado, "tornado.service", "Tornado VPN master service", None, Some(5)),
    umbrella(UnitId::Postgresql, "postgresql.service", "PostgreSQL RDBMS"),
    unit(
        UnitId::PostgresqlMain,
        "postgresql@15-main.service",
        "PostgreSQL Cluster 15-main",
        Some(Fault::PostgresDown),
        None,
    ),
    UnitDef {
        alias: "redis.service",
        ..unit(
            UnitId::Redis,
            "redis-server.service",
            "Advanced key-value store",
            Some(Fault::RedisDown),
            Some(1),
        )
    },
    unit(
        UnitId::Nginx,
        "nginx.service",
        "A high performance web server and a reverse proxy server",
        Some(Fault::NginxDown),
        None,
    ),
    umbrella(UnitId::TorMaster, "tor.service", "Anonymizing overlay network for TCP (multi-instance-master)"),
    unit(
        UnitId::Tor,
        "tor@default.service",
        "Anonymizing overlay network for TCP",
        Some(Fault::TorDown),
        Some(1),
    ),
    unit(UnitId::Unbound, "unbound.service", "Unbound DNS server", None, Some(1)),
];

const fn unit(
    id: UnitId,
    name: &'static str,
    description: &'static str,
    fault: Option<Fault>,
    restart_sec: Option<Second>,
) -> UnitDef {
    UnitDef { id, name, alias: name, description, oneshot: false, fault, restart_sec }
}

const fn umbrella(id: UnitId, name: &'static str, description: &'static str) -> UnitDef {
    UnitDef { id, name, alias: name, description, oneshot: true, fault: None, restart_sec: None }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    Active,
    Inactive,
    Failed,
    Starting { until: Second },
    Stopping { until: Second, then_start: bool },
    AutoRestart { at: Second },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Job {
    Start,
    Stop,
    Restart,
    /// The main process is killed from outside.
    Kill,
}

/// What a unit's change means for the processes behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    Started(UnitId),
    Stopped(UnitId),
}

#[derive(Clone, Debug)]
pub struct Unit {
    pub state: State,
    pub since: Second,
    pub active_enter: Option<Second>,
    pub active_exit: Option<Second>,
    pub restarts: u32,
    /// How often it was started, by whomever.
    pub starts: u32,
    /// systemd's `Result`: `success`, `exit-code`, `resources` or `signal`.
    pub result: &'static str,
}

impl Unit {
    pub fn running(&self) -> bool {
        self.state == State::Active
    }

    /// systemd's `ActiveState` and `SubState`.
    pub fn states(&self, def: &UnitDef) -> (&'static str, &'static str) {
        match self.state {
            State::Active if def.oneshot => ("active", "exited"),
            State::Active => ("active", "running"),
            State::Inactive => ("inactive", "dead"),
            State::Failed => ("failed", "failed"),
            State::Starting { .. } => ("activating", "start"),
            State::Stopping { .. } => ("deactivating", "stop-sigterm"),
            State::AutoRestart { .. } => ("activating", "auto-restart"),
        }
    }

    fn enter(&mut self, state: State, now: Second) {
        let was = self.running();
        let starting = matches!(self.state, State::Starting { .. });
        if matches!(state, State::Starting { .. }) || state == State::Active && !was && !starting {
            self.starts += 1;
        }
        self.state = state;
        self.since = now;
        match (was, self.running()) {
            (false, true) => self.active_enter = Some(now),
            (true, false) => self.active_exit = Some(now),
            _ => {}
        }
    }
}

/// All units.
#[derive(Debug)]
pub struct Units {
    units: [Unit; 8],
    changes: Vec<Change>,
}

impl Units {
    /// Everything came up at boot, the umbrella's needs first.
    pub fn new() -> Self {
        let unit = |at| Unit {
            state: State::Active,
            since: at,
            active_enter: Some(at),
            active_exit: None,
            restarts: 0,
            starts: 1,
            result: "success",
        };
        Self { units: [8, 4, 4, 3, 3, 2, 5, 6].map(unit), changes: Vec::new() }
    }

    pub fn get(&self, id: UnitId) -> &Unit {
        &self.units[id as usize]
    }

    pub fn running(&self, id: UnitId) -> bool {
        self.get(id).running()
    }

    /// Finds a unit by name or alias, with or without `.service`.
    pub fn find(name: &str) -> Option<&'static UnitDef> {
        let full = if name.contains(".service") { name.to_owned() } else { format!("{name}.service") };
        UNITS.iter().find(|def| def.name == full || def.alias == full)
    }

    /// The units that one job touches: umbrellas take their instances with them, and unbound is part
    /// of tornado.
    fn family(id: UnitId) -> &'static [UnitId] {
        match id {
            UnitId::Postgresql => &[UnitId::Postgresql, UnitId::PostgresqlMain],
            UnitId::TorMaster => &[UnitId::TorMaster, UnitId::Tor],
            UnitId::Tornado => &[UnitId::Tornado, UnitId::Unbound],
            UnitId::PostgresqlMain => &[UnitId::PostgresqlMain],
            UnitId::Redis => &[UnitId::Redis],
            UnitId::Nginx => &[UnitId::Nginx],
            UnitId::Tor => &[UnitId::Tor],
            UnitId::Unbound => &[UnitId::Unbound],
        }
    }

    /// Queues a job; its end is seen in the unit's state.
    pub fn job(&mut self, id: UnitId, job: Job, now: Second, faults: FaultSet) {
        for (i, member) in Self::family(id).iter().enumerate() {
            // `PartOf=` carries stops and restarts, not starts or signals.
            if i > 0 && id == UnitId::Tornado && matches!(job, Job::Start | Job::Kill) {
                continue;
            }
            self.job_one(*member, job, now, faults);
        }
    }

    fn job_one(&mut self, id: UnitId, job: Job, now: Second, faults: FaultSet) {
        let def = &UNITS[id as usize];
        let state = self.get(id).state;
        match job {
            Job::Start if matches!(state, State::Active | State::Starting { .. }) => {}
            Job::Start if matches!(state, State::Stopping { .. }) => self.rejoin(id, true),
            Job::Start => self.begin(def, now, faults),
            Job::Stop | Job::Restart => {
                let then_start = job == Job::Restart;
                if state == State::Active {
                    let until = match id {
                        UnitId::Tornado if faults.has(Fault::RestartHangs) => NEVER,
                        UnitId::Tornado => now + 2,
                        _ => now + 1,
                    };
                    self.leave(id, State::Stopping { until, then_start }, "success", now);
                } else if matches!(state, State::Stopping { .. }) {
                    // A job that hangs is joined, not overtaken.
                    self.rejoin(id, then_start);
                } else if then_start {
                    self.begin(def, now, faults);
                } else {
                    self.leave(id, State::Inactive, "success", now);
                }
            }
            Job::Kill if state == State::Active => {
                let next = def.restart_sec.map_or(State::Failed, |sec| State::AutoRestart { at: now + sec });
                self.leave(id, next, "signal", now);
            }
            Job::Kill => {}
        }
    }

    fn rejoin(&mut self, id: UnitId, start: bool) {
        if let State::Stopping { then_start, .. } = &mut self.units[id as usize].state {
            *then_start = start;
        }
    }

    fn begin(&mut self, def: &UnitDef, now: Second, faults: FaultSet) {
        if def.fault.is_some_and(|fault| faults.has(fault)) {
            self.leave(def.id, State::Failed, "exit-code", now);
        } else if def.id == UnitId::Tornado && faults.has(Fault::RestartFails) {
            self.leave(def.id, State::Failed, "resources", now);
        } else if def.id == UnitId::Tornado || def.oneshot {
            // Type=simple: active from the first instant.
            self.arrive(def.id, now);
        } else {
            self.units[def.id as usize].enter(State::Starting { until: now + 1 }, now);
        }
    }

    fn arrive(&mut self, id: UnitId, now: Second) {
        self.units[id as usize].result = "success";
        self.units[id as usize].enter(State::Active, now);
        self.changes.push(Change::Started(id));
    }

    fn leave(&mut self, id: UnitId, state: State, result: &'static str, now: Second) {
        let unit = &mut self.units[id as usize];
        let was = unit.running();
        unit.result = result;
        unit.enter(state, now);
        if was {
            self.changes.push(Change::Stopped(id));
        }
    }

    /// A fault was switched: what it holds dies at once, what it held comes back within a second.
    pub fn fault_changed(&mut self, fault: Fault, on: bool, now: Second, faults: FaultSet) {
        let tornado = &mut self.units[UnitId::Tornado as usize].state;
        if let (Fault::RestartHangs, false, State::Stopping { until, .. }) = (fault, on, tornado) {
            *until = now;
        }
        for def in UNITS.iter().filter(|def| def.fault == Some(fault)) {
            if on {
                self.leave(def.id, State::Failed, "signal", now);
            } else if !self.running(def.id) {
                self.begin(def, now, faults);
            }
        }
    }

    /// Ends the jobs that are due.
    pub fn step(&mut self, now: Second, faults: FaultSet) {
        for def in &UNITS {
            match self.get(def.id).state {
                State::Starting { until } if now >= until => self.arrive(def.id, now),
                State::Stopping { until, then_start } if now >= until => {
                    self.units[def.id as usize].enter(State::Inactive, now);
                    if then_start {
                        self.begin(def, now, faults);
                    }
                }
                State::AutoRestart { at } if now >= at => {
                    self.units[def.id as usize].restarts += 1;
                    self.begin(def, now, faults);
                }
                _ => {}
            }
        }
    }

    /// `os_services` looks after Redis and `PostgreSQL`: observed to bring them back after 22 s and 11 s.
    pub fn supervise(&mut self, now: Second, faults: FaultSet) -> Option<UnitId> {
        for (id, after) in [(UnitId::Redis, 22), (UnitId::PostgresqlMain, 11)] {
            let unit = self.get(id);
            let def = &UNITS[id as usize];
            let held = def.fault.is_some_and(|fault| faults.has(fault));
            if matches!(unit.state, State::Failed | State::Inactive) && now >= unit.since + after && !held {
                self.begin(def, now, faults);
                return Some(id);
            }
        }
        None
    }

    pub fn take_changes(&mut self) -> Vec<Change> {
        std::mem::take(&mut self.changes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn definitions_are_in_the_order_of_their_ids() {
        for (i, def) in UNITS.iter().enumerate() {
            assert_eq!(def.id as usize, i);
            assert_eq!(Units::find(def.name).map(|d| d.id), Some(def.id));
        }
        assert_eq!(Units::find("redis").map(|d| d.id), Some(UnitId::Redis));
        assert!(Units::find("sshd").is_none());
    }

    #[test]
    fn a_restart_stops_then_starts() {
        let (mut units, none) = (Units::new(), FaultSet::default());
        units.job(UnitId::Redis, Job::Restart, 100, none);
        assert!(!units.running(UnitId::Redis));
        units.step(101, none);
        assert_eq!(units.get(UnitId::Redis).state, State::Starting { until: 102 });
        units.step(102, none);
        assert!(units.running(UnitId::Redis));
        assert_eq!(units.take_changes(), [Change::Stopped(UnitId::Redis), Change::Started(UnitId::Redis)]);
        assert_eq!(units.get(UnitId::Redis).restarts, 0, "a restart by hand is not counted");
    }

    #[test]
    fn a_kill_is_restarted_and_counted() {
        let (mut units, none) = (Units::new(), FaultSet::default());
        units.job(UnitId::Tornado, Job::Kill, 100, none);
        for now in 101..110 {
            units.step(now, none);
        }
        assert!(units.running(UnitId::Tornado));
        assert_eq!(units.get(UnitId::Tornado).restarts, 1);
    }

    #[test]
    fn what_a_fault_holds_does_not_start() {
        let mut units = Units::new();
        let mut faults = FaultSet::default();
        faults.set(Fault::RedisDown, true);
        units.fault_changed(Fault::RedisDown, true, 10, faults);
        units.job(UnitId::Redis, Job::Start, 11, faults);
        assert_eq!(units.get(UnitId::Redis).state, State::Failed);
        assert_eq!(units.supervise(100, faults), None);
        units.supervise(100, FaultSet::default());
        units.step(101, FaultSet::default());
        assert!(units.running(UnitId::Redis));
    }

    #[test]
    fn the_umbrella_stays_active_when_its_cluster_dies() {
        let mut units = Units::new();
        let mut faults = FaultSet::default();
        faults.set(Fault::PostgresDown, true);
        units.fault_changed(Fault::PostgresDown, true, 10, faults);
        let def = &UNITS[UnitId::Postgresql as usize];
        assert_eq!(units.get(UnitId::Postgresql).states(def), ("active", "exited"));
        assert_eq!(units.get(UnitId::PostgresqlMain).state, State::Failed);
    }
}
