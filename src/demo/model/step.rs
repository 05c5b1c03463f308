//! One second of the whole stack, and what its parts do to each other.

use super::log::Level;
use super::services::{self, MASTERED, Svc};
use super::units::{self, Change, UnitId};
use super::{Model, TorState, UPTIME, keys};
use crate::demo::fault::Fault;

impl Model {
    pub(super) fn step(&mut self) {
        self.now += 1;
        let now = self.now;
        let second = self.wall(now);
        self.log.begin_second(second);
        self.follow_schedule();
        self.units.step(now, self.faults);
        if self.services.running(Svc::OsServices)
            && let Some(unit) = self.units.supervise(now, self.faults)
        {
            let name = units::UNITS[unit as usize].name;
            self.log.write_with(
                "os-services",
                Level::Warning,
                "service_restarted",
                None,
                vec![("unit", name.into())],
            );
        }
        self.step_services();
        self.settle();
        self.check_apis();
        self.step_keys();
        let reach = self.reach();
        self.meet_filter();
        let before = self.clients.counters;
        self.clients.step(now, reach, &mut self.rng, &mut self.log);
        let after = self.clients.counters;
        self.client_requests += after.heartbeats - before.heartbeats + after.logins - before.logins;
        self.step_tor();
        self.pings();
        self.step_traffic();
        let (online, peers) = (self.clients.online(), self.clients.peers());
        self.host.step(now, online, peers, self.has(Fault::DiskFull), &mut self.rng);
    }

    pub(super) fn follow_schedule(&mut self) {
        let elapsed = self.now.saturating_sub(UPTIME);
        for i in 0..self.schedule.len() {
            let spec = self.schedule[i];
            // Only the edges act, so that a fault switched by hand stays as the hand left it.
            if spec.after.as_secs() == elapsed && self.now >= UPTIME {
                self.set_fault(spec.fault, true);
            }
            let until = spec.until.map(|u| u.as_secs().max(spec.after.as_secs() + 1));
            if until == Some(elapsed) {
                self.set_fault(spec.fault, false);
            }
        }
    }

    fn step_services(&mut self) {
        if !self.units.running(UnitId::Tornado) {
            return;
        }
        let now = self.now;
        let redis_gone = !self.units.running(UnitId::Redis);
        let session_starts = !self.services.running(Svc::Session);
        let faults = self.faults;
        let crashed = self.services.step(now, |svc| match svc {
            Svc::WgManager => faults.has(Fault::ServiceCrash),
            Svc::LogManage => faults.has(Fault::LogServiceDown),
            Svc::ApiPublic => faults.has(Fault::AdminApiDown),
            // It subscribes before it serves.
            Svc::Session => session_starts && (redis_gone || faults.has(Fault::RestartUnhealthy)),
            _ => false,
        });
        for svc in crashed {
            self.log_crash(svc);
        }
    }

    pub(super) fn service_crashed(&mut self, svc: Svc) {
        let wait = if svc as usize >= MASTERED { 3 } else { 2 };
        self.services.crash(svc, self.now, wait);
        self.log_crash(svc);
    }

    fn log_crash(&mut self, svc: Svc) {
        if svc == Svc::WgManager {
            // It dies after it has made its interfaces anew.
            self.renew_interfaces();
        }
        let name = services::SERVICES[svc as usize].name;
        let extra = vec![("target", name.into())];
        if (svc as usize) < MASTERED {
            self.log.write_with("master", Level::Error, "Crash detected — scheduling restart", None, extra);
            let line =
                format!("{{\"event\": \"Crash detected — scheduling restart\", \"target\": \"{name}\"}}");
            self.log.journal("tornado.service", "tornado-master", 3, line);
        } else {
            let tripped = self.services.get(svc).restarts == 6;
            let event = if tripped { "circuit_breaker_tripped" } else { "process_exited_restarting" };
            let level = if tripped { Level::Critical } else { Level::Error };
            self.log.write_with("api-manager", level, event, None, extra);
        }
    }

    /// Carries out what changed units and services mean for the rest.
    pub(in crate::demo) fn settle(&mut self) {
        for change in self.units.take_changes() {
            self.unit_changed(change);
        }
        for svc in self.services.take_stopped() {
            match svc {
                Svc::KeyRotator => self.keys.abandon(),
                Svc::ApiPublic => self.redis.admin_subscribed = false,
                Svc::Session => self.redis.session_subscribed = false,
                _ => {}
            }
        }
        for svc in self.services.take_started() {
            self.service_started(svc);
        }
    }

    fn unit_changed(&mut self, change: Change) {
        let now = self.now;
        match change {
            Change::Started(id) => {
                let def = &units::UNITS[id as usize];
                self.log.journal(
                    def.name,
                    "systemd",
                    6,
                    format!("Started {} - {}.", def.name, def.description),
                );
                match id {
                    UnitId::Tornado => {
                        self.tornado_since = now;
                        self.services.boot(now);
                        self.log.write("master", Level::Info, "Starting service");
                    }
                    UnitId::Nginx => self.edge_requests = 0,
                    UnitId::Redis => {
                        self.redis.since = now;
                        self.forget_subscriptions();
                    }
                    UnitId::Tor => {
                        let enabled = self.tor.enabled;
                        self.tor =
                            TorState { enabled, since: now, bootstrap: 0, circuits: 0, read: 0, written: 0 };
                    }
                    _ => {}
                }
            }
            Change::Stopped(id) => {
                let def = &units::UNITS[id as usize];
                let failed = self.units.get(id).state == units::State::Failed;
                let (priority, text) = if failed {
                    (4, format!("{}: Failed with result '{}'.", def.name, self.units.get(id).result))
                } else {
                    (6, format!("Stopped {} - {}.", def.name, def.description))
                };
                self.log.journal(def.name, "systemd", priority, text);
                match id {
                    UnitId::Tornado => {
                        self.services.halt(now);
                        self.clients.drop_peers();
                    }
                    UnitId::Redis => self.forget_subscriptions(),
                    _ => {}
                }
            }
        }
    }

    fn service_started(&mut self, svc: Svc) {
        match svc {
            Svc::WgManager => {
                self.renew_interfaces();
                self.log.write("wg-manager", Level::Info, "both_interfaces_up");
            }
            Svc::Session | Svc::ApiPublic => {
                if svc == Svc::ApiPublic {
                    self.guard.forget();
                    if std::mem::take(&mut self.admin_secret_changed) {
                        self.guard.revoke_all();
                    }
                }
                let session = svc == Svc::Session;
                if session && self.units.running(UnitId::Redis) {
                    // It sets them and subscribes at each start: that is the cure.
                    self.faults.set(Fault::KeyspaceEventsLost, false);
                }
                if self.units.running(UnitId::Redis) && !self.has(Fault::KeyspaceEventsLost) {
                    self.redis.session_subscribed |= session;
                    self.redis.keyspace_events |= session;
                    self.redis.admin_subscribed |= !session;
                }
            }
            Svc::KeyRotator => self.rotate_keys(),
            // It reads the keys and writes its pid when it starts.
            Svc::Auth => {
                self.signs_with_old_key = false;
                self.faults.set(Fault::StalePidFile, false);
            }
            _ => {}
        }
    }

    /// Each start of `wg_manager` makes new server keys, so no peer survives it.
    fn renew_interfaces(&mut self) {
        for interface in &mut self.interfaces {
            interface.private_key = self.rng.bytes32();
            interface.public_key = self.rng.bytes32();
            interface.since = self.now;
        }
        self.clients.drop_peers();
    }

    /// `api_manager` asks both APIs for their health every 15 s, and restarts after three failures.
    fn check_apis(&mut self) {
        if !self.now.is_multiple_of(15) || !self.services.running(Svc::ApiManager) {
            return;
        }
        let broken = self.has(Fault::ClientApi500) || self.has(Fault::ClientApiHang);
        for app in [Svc::ApiPublic, Svc::ApiInternal] {
            if !self.services.running(app) {
                continue;
            }
            let healthy = if app == Svc::ApiPublic {
                // Its own check comes from 127.0.0.1 and counts against the same limit as ours.
                self.guard.admit("/health", u32::from(std::net::Ipv4Addr::LOCALHOST), 200, self.now)
            } else {
                !broken
            };
            let name = services::SERVICES[app as usize].name;
            let service = self.services.get_mut(app);
            service.failures = if healthy { 0 } else { service.failures + 1 };
            if service.failures >= 3 {
                self.services.restart(app, self.now);
                let extra = vec![("target", name.into())];
                self.log.write_with(
                    "api-manager",
                    Level::Error,
                    "health_check_all_retries_exhausted",
                    None,
                    extra,
                );
            }
        }
        self.settle();
    }

    fn step_keys(&mut self) {
        let clock = self.rotator_clock();
        let running = self.services.running(Svc::KeyRotator);
        let told = !self.has(Fault::StalePidFile) && self.services.running(Svc::Auth);
        let progress = self.keys.step(self.now, running, told, &mut self.log, &clock);
        if matches!(progress, Some(keys::Progress::Complete | keys::Progress::CompleteUnheard)) {
            self.clients.revoke_tokens();
            self.admin_secret_changed = true;
            self.signs_with_old_key = progress == Some(keys::Progress::CompleteUnheard);
        }
        if progress == Some(keys::Progress::Complete) {
            self.log.write("auth-service", Level::Info, "jwt_keys_reloaded_via_sighup");
        }
    }

    fn step_tor(&mut self) {
        if !self.units.running(UnitId::Tor) {
            return;
        }
        let tor = &mut self.tor;
        if self.faults.has(Fault::TorUnhealthy) {
            tor.circuits = 0;
            return;
        }
        tor.bootstrap = tor.bootstrap.saturating_add(9).min(100);
        if tor.bootstrap == 100 {
            if tor.circuits == 0 || self.now.is_multiple_of(30) {
                tor.circuits = self.rng.range(4, 9) as u8;
            }
            let load = self.clients.peers() as u64;
            tor.read += load * self.rng.range(500, 4000);
            tor.written += load * self.rng.range(100, 900);
        }
    }

    /// The two managers note each ping they send.
    fn pings(&mut self) {
        if self.now.is_multiple_of(20) && self.services.running(Svc::OsServices) {
            self.log.write("os-services", Level::Info, "health_check_passed");
        }
        if self.now.is_multiple_of(15) && self.services.running(Svc::ApiManager) {
            self.log.write("api-manager", Level::Info, "health_check_passed");
            for (app, port) in [(Svc::ApiPublic, 44_012), (Svc::ApiInternal, 44_018)] {
                if self.services.running(app) {
                    let line = format!("INFO:     127.0.0.1:{port} - \"GET /health HTTP/1.1\" 200 OK");
                    self.log.journal("tornado.service", "tornado-master", 6, line);
                }
            }
        }
    }
}
