//! The eleven microservices under the master, and the two APIs under `api_manager`.

use super::units::Second;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Svc {
    BootstrapKey,
    LogManage,
    OsServices,
    Ipam,
    Auth,
    Session,
    WgManager,
    TorManager,
    Users,
    ApiManager,
    KeyRotator,
    /// The admin API, an app of `api_manager`.
    ApiPublic,
    /// The client API, an app of `api_manager`.
    ApiInternal,
}

/// Name, description, and seconds from the master's start until it serves.
pub struct SvcDef {
    pub id: Svc,
    pub name: &'static str,
    pub description: &'static str,
    boot: Second,
}

/// In the order of [`Svc`]; the last two are apps, the others services.
pub const SERVICES: [SvcDef; 13] = [
    def(Svc::BootstrapKey, "bootstrap_key", "Bootstrap key service", 1),
    def(Svc::LogManage, "log_manage", "Central log service", 1),
    def(Svc::OsServices, "os_services", "OS service supervisor", 2),
    def(Svc::Ipam, "ipam", "IP address management", 2),
    def(Svc::Auth, "auth", "Authentication service", 3),
    def(Svc::Session, "session", "Session manager", 3),
    def(Svc::WgManager, "wg_manager", "WireGuard manager", 4),
    def(Svc::TorManager, "tor_manager", "Tor manager", 4),
    def(Svc::Users, "users", "User service", 4),
    def(Svc::ApiManager, "api_manager", "API process manager", 5),
    def(Svc::KeyRotator, "key_rotator", "JWT key rotator", 5),
    def(Svc::ApiPublic, "api_public", "Admin dashboard API", 7),
    def(Svc::ApiInternal, "api_internal", "Client connect API", 7),
];

const fn def(id: Svc, name: &'static str, description: &'static str, boot: Second) -> SvcDef {
    SvcDef { id, name, description, boot }
}

/// How many of [`SERVICES`] are services of the master.
pub const MASTERED: usize = 11;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SvcState {
    Stopped,
    Starting { at: Second },
    Running,
    Crashed { retry: Second },
}

#[derive(Clone, Debug)]
pub struct Service {
    pub state: SvcState,
    pub since: Second,
    pub restarts: u32,
    pub should_run: bool,
    /// Consecutive failures of the manager's own health check (apps only).
    pub failures: u8,
}

#[derive(Debug)]
pub struct Services {
    all: [Service; 13],
    started: Vec<Svc>,
    stopped: Vec<Svc>,
}

impl Services {
    pub fn new() -> Self {
        let all = SERVICES.each_ref().map(|def| Service {
            state: SvcState::Running,
            since: 8 + def.boot,
            restarts: 0,
            should_run: true,
            failures: 0,
        });
        Self { all, started: Vec::new(), stopped: Vec::new() }
    }

    pub fn get(&self, id: Svc) -> &Service {
        &self.all[id as usize]
    }

    pub fn get_mut(&mut self, id: Svc) -> &mut Service {
        &mut self.all[id as usize]
    }

    pub fn running(&self, id: Svc) -> bool {
        self.get(id).state == SvcState::Running
    }

    pub fn find(name: &str) -> Option<Svc> {
        SERVICES.iter().find(|def| def.name == name).map(|def| def.id)
    }

    /// As [`Self::find`], without the apps.
    pub fn find_mastered(name: &str) -> Option<Svc> {
        Self::find(name).filter(|svc| (*svc as usize) < MASTERED)
    }

    /// The master started: all come up in their order.
    pub fn boot(&mut self, now: Second) {
        for def in &SERVICES {
            let service = self.get_mut(def.id);
            service.should_run = true;
            service.restarts = 0;
            service.failures = 0;
            self.set(def.id, SvcState::Starting { at: now + def.boot }, now);
        }
    }

    /// The master stopped: all go with it.
    pub fn halt(&mut self, now: Second) {
        for def in &SERVICES {
            self.get_mut(def.id).should_run = false;
            self.set(def.id, SvcState::Stopped, now);
        }
    }

    pub fn set(&mut self, id: Svc, state: SvcState, now: Second) {
        let was = self.running(id);
        let service = self.get_mut(id);
        service.state = state;
        service.since = now;
        match (was, state == SvcState::Running) {
            (true, false) => self.stopped.push(id),
            (false, true) => self.started.push(id),
            _ => {}
        }
    }

    pub fn start(&mut self, id: Svc, now: Second) {
        self.get_mut(id).should_run = true;
        if !self.running(id) {
            self.set(id, SvcState::Starting { at: now + 1 }, now);
        }
        self.apps_follow(id, now, true);
    }

    pub fn stop(&mut self, id: Svc, now: Second) {
        self.get_mut(id).should_run = false;
        self.set(id, SvcState::Stopped, now);
        self.apps_follow(id, now, false);
    }

    pub fn restart(&mut self, id: Svc, now: Second) {
        let service = self.get_mut(id);
        service.should_run = true;
        service.restarts += 1;
        service.failures = 0;
        self.set(id, SvcState::Starting { at: now + 2 }, now);
        self.apps_follow(id, now, true);
    }

    /// `api_manager` is the parent of both APIs: they end with it and start after it.
    fn apps_follow(&mut self, id: Svc, now: Second, up: bool) {
        if id != Svc::ApiManager {
            return;
        }
        for app in [Svc::ApiPublic, Svc::ApiInternal] {
            let state = if up { SvcState::Starting { at: now + 4 } } else { SvcState::Stopped };
            self.set(app, state, now);
        }
    }

    pub fn crash(&mut self, id: Svc, now: Second, retry_after: Second) {
        self.get_mut(id).restarts += 1;
        self.set(id, SvcState::Crashed { retry: now + retry_after }, now);
    }

    /// Ends the starts that are due; `blocked` says which cannot succeed.
    pub fn step(&mut self, now: Second, blocked: impl Fn(Svc) -> bool) -> Vec<Svc> {
        let mut crashed = Vec::new();
        for def in &SERVICES {
            let due = match self.get(def.id).state {
                SvcState::Starting { at } => now >= at,
                SvcState::Crashed { retry } => now >= retry,
                SvcState::Running => blocked(def.id),
                SvcState::Stopped => false,
            };
            if !due {
                continue;
            }
            if blocked(def.id) {
                let wait = if def.id as usize >= MASTERED { 3 } else { 2 };
                self.crash(def.id, now, wait);
                crashed.push(def.id);
            } else {
                self.set(def.id, SvcState::Running, now);
            }
        }
        crashed
    }

    pub fn take_started(&mut self) -> Vec<Svc> {
        std::mem::take(&mut self.started)
    }

    pub fn take_stopped(&mut self) -> Vec<Svc> {
        std::mem::take(&mut self.stopped)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn definitions_are_in_the_order_of_their_ids() {
        for (i, def) in SERVICES.iter().enumerate() {
            assert_eq!(def.id as usize, i);
        }
    }

    #[test]
    fn a_boot_takes_seven_seconds_until_the_apis_serve() {
        let mut services = Services::new();
        services.halt(100);
        services.boot(100);
        for now in 101..107 {
            services.step(now, |_| false);
            assert!(!services.running(Svc::ApiPublic), "{now}");
        }
        services.step(107, |_| false);
        assert!(services.running(Svc::ApiPublic) && services.running(Svc::ApiInternal));
    }

    #[test]
    fn what_is_blocked_crash_loops() {
        let mut services = Services::new();
        for now in 100..110 {
            services.step(now, |id| id == Svc::LogManage);
        }
        assert_eq!(services.get(Svc::LogManage).restarts, 5);
        services.step(110, |_| false);
        assert!(services.running(Svc::LogManage));
    }
}
