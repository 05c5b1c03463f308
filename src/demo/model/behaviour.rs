//! What the VPN's clients do in one second, and what the session manager makes of it.

use serde_json::json;

use super::clients::{ACCESS_TTL, Clients, DEVICES, HARD_TTL, HEARTBEAT_EVERY, HEARTBEAT_TTL, Reach};
use super::log::{Level, LogStore};
use super::units::Second;
use crate::demo::rng::Rng;

impl Clients {
    /// One second of every device's life, then the session manager's scan.
    pub fn step(&mut self, now: Second, reach: Reach, rng: &mut Rng, log: &mut LogStore) {
        for i in 0..DEVICES {
            let device = &mut self.devices[i];
            let away = device.away_until > now;
            match &mut device.session {
                None if !away && rng.once_in(900) => self.connect(i, now, reach, rng, log),
                Some(session) if !away => {
                    let traffic = rng.below(64 * 1024);
                    if session.online && session.peer && device.reaches_tunnel {
                        session.rx += traffic / 8;
                        session.tx += traffic;
                        if now.saturating_sub(session.handshake) >= 120 && reach.wg {
                            session.handshake = now;
                        }
                    }
                    if now % HEARTBEAT_EVERY == device.phase || device.next_try == now {
                        self.heartbeat(i, now, reach, rng, log);
                    }
                    self.maybe_leave(i, now, reach, rng, log);
                }
                _ => {}
            }
        }
        if now.is_multiple_of(10) && reach.session && reach.redis {
            self.scan(now, log);
        }
    }

    fn connect(&mut self, i: usize, now: Second, reach: Reach, rng: &mut Rng, log: &mut LogStore) {
        let who = self.who(i);
        if !self.users[self.devices[i].user].active || !reach.client_api || !reach.auth {
            return;
        }
        // What the packet filter drops nobody logs.
        if !self.devices[i].reaches_api {
            return;
        }
        if !self.login(i, reach, rng, log) {
            return;
        }
        if !reach.ipam || !reach.wg || !reach.redis || !reach.session {
            self.counters.tunnels_refused += 1;
            let reason = if reach.wg { "session_service_unreachable" } else { "wg_manager_unreachable" };
            log.write_with(
                "auth-service",
                Level::Error,
                "vpn_initiate_failed",
                Some(who),
                vec![("reason", json!(reason))],
            );
            return;
        }
        if !self.open(i, now, now, rng) {
            self.counters.tunnels_refused += 1;
            log.write_with(
                "ipam-service",
                Level::Warning,
                "ip_pool_exhausted",
                Some(who),
                vec![("pool", json!("vpn"))],
            );
            log.write_with(
                "wg-manager",
                Level::Error,
                "ipam_allocation_failed",
                Some(who),
                vec![("error", json!("pool_exhausted"))],
            );
            log.write_with(
                "auth-service",
                Level::Error,
                "vpn_initiate_failed",
                Some(who),
                vec![("reason", json!("pool_exhausted"))],
            );
            return;
        }
        self.counters.sessions_created += 1;
        if let Some(session) = &mut self.devices[i].session {
            session.peer = reach.peers_kept;
            session.handshake = if reach.peers_kept { now } else { 0 };
        }
        log.write_with("session-manager", Level::Info, "session_created", Some(who), Vec::new());
        log.write_with("auth-service", Level::Info, "vpn_initiate_success", Some(who), Vec::new());
    }

    fn login(&mut self, i: usize, reach: Reach, rng: &mut Rng, log: &mut LogStore) -> bool {
        let who = self.who(i);
        let address = self.devices[i].address.map(|b| b.to_string()).join(".");
        let reason = if !reach.tokens_honoured {
            Some("token_rejected")
        } else if !reach.keys_readable {
            Some("signing_key_unavailable")
        } else if !reach.postgres || !reach.redis {
            Some("database_unavailable")
        } else if rng.once_in(12) {
            Some("invalid_credentials")
        } else {
            None
        };
        if let Some(reason) = reason {
            self.counters.login_failures += 1;
            let extra = vec![("reason", json!(reason)), ("client_ip", json!(address))];
            log.write_with("auth-service", Level::Warning, "login_failed", Some(who), extra);
            return false;
        }
        self.counters.logins += 1;
        log.write_with(
            "auth-service",
            Level::Info,
            "login_success",
            Some(who),
            vec![("client_ip", json!(address))],
        );
        true
    }

    fn heartbeat(&mut self, i: usize, now: Second, reach: Reach, rng: &mut Rng, log: &mut LogStore) {
        let who = self.who(i);
        let device = &mut self.devices[i];
        // A client that was refused tries again long before its next regular beat.
        device.next_try = now + 10;
        let lost = reach.storm && (u64::from(device.luck) + now / HEARTBEAT_EVERY) % 10 < 7;
        if lost || !reach.client_api || !device.reaches_api {
            self.counters.heartbeat_failures += 1;
            return;
        }
        if !self.tokens(i, now, reach, rng, log) || !reach.session || !reach.redis {
            self.counters.heartbeat_failures += 1;
            return;
        }
        self.counters.heartbeats += 1;
        let user = self.devices[i].user;
        self.users[user].last_seen = now;
        let device = &mut self.devices[i];
        device.next_try = 0;
        let Some(session) = &mut device.session else { return };
        session.heartbeat_until = now + HEARTBEAT_TTL;
        if session.online {
            log.write_with("auth-service", Level::Info, "session_heartbeat", Some(who), Vec::new());
        } else {
            session.online = true;
            self.counters.sessions_recovered += 1;
            log.write_with(
                "session-manager",
                Level::Info,
                "attempting_session_recovery",
                Some(who),
                Vec::new(),
            );
            log.write_with("session-manager", Level::Info, "session_recovered", Some(who), Vec::new());
            // Only this transition puts the peer back; a beat of an online session does not.
            session.peer = reach.wg && reach.peers_kept;
            session.handshake = if session.peer { now } else { 0 };
        }
    }

    /// Renews what has expired; false when the client is left without a token.
    fn tokens(&mut self, i: usize, now: Second, reach: Reach, rng: &mut Rng, log: &mut LogStore) -> bool {
        let who = self.who(i);
        let Some(session) = &mut self.devices[i].session else { return false };
        if session.access_until > now && reach.tokens_honoured {
            return true;
        }
        if session.refresh_valid && reach.tokens_honoured && reach.auth && reach.redis && reach.keys_readable
        {
            session.access_until = now + ACCESS_TTL;
            return true;
        }
        self.counters.token_failures += 1;
        if !reach.auth {
            return false;
        }
        if reach.tokens_honoured {
            let ok = self.login(i, reach, rng, log);
            if let (true, Some(session)) = (ok, &mut self.devices[i].session) {
                session.refresh_valid = true;
                session.access_until = now + ACCESS_TTL;
            }
            return ok;
        }
        self.counters.login_failures += 1;
        let reason = vec![("reason", json!("invalid_refresh_token"))];
        log.write_with("auth-service", Level::Warning, "login_failed", Some(who), reason);
        if rng.once_in(20) {
            log.write_with(
                "auth-service",
                Level::Critical,
                "refresh_token_reuse_detected",
                Some(who),
                Vec::new(),
            );
        }
        false
    }

    fn maybe_leave(&mut self, i: usize, now: Second, reach: Reach, rng: &mut Rng, log: &mut LogStore) {
        let who = self.who(i);
        let Some(session) = &self.devices[i].session else { return };
        // A tunnel without a peer carries nothing: sooner or later its person reconnects.
        let dead = !session.peer && session.online && reach.peers_kept && reach.wg && rng.once_in(90);
        let leave = rng.once_in(1800);
        let reachable = reach.client_api && self.devices[i].reaches_api && reach.session && reach.redis;
        if (leave || dead) && reachable {
            self.close(i);
            log.write_with(
                "session-manager",
                Level::Info,
                "session_closed",
                Some(who),
                vec![("reason", json!("logout"))],
            );
            log.write_with("session-manager", Level::Info, "hard_cleanup_started", Some(who), Vec::new());
            log.write_with("session-manager", Level::Info, "hard_cleanup_completed", Some(who), Vec::new());
            if reach.postgres {
                log.write_with(
                    "session-manager",
                    Level::Info,
                    "session_persisted_to_db",
                    Some(who),
                    Vec::new(),
                );
            }
            if dead {
                self.connect(i, now, reach, rng, log);
            }
        } else if rng.once_in(5000) {
            // A lid was closed: no goodbye, only silence.
            self.devices[i].away_until = now + rng.range(150, 600);
        }
    }

    /// The session manager looks for missed heartbeats every ten seconds.
    fn scan(&mut self, now: Second, log: &mut LogStore) {
        for i in 0..DEVICES {
            let who = self.who(i);
            let Some(session) = &mut self.devices[i].session else { continue };
            if session.online && session.heartbeat_until <= now {
                session.online = false;
                session.peer = false;
                session.handshake = 0;
                log.write_with("session-manager", Level::Warning, "heartbeat_lost", Some(who), Vec::new());
                log.write_with(
                    "session-manager",
                    Level::Info,
                    "session_marked_offline",
                    Some(who),
                    Vec::new(),
                );
            } else if now >= session.created + HARD_TTL {
                self.close(i);
            }
        }
    }
}
