//! The VPN's users, their devices and sessions, and what one second does to them.

use serde_json::json;

use super::log::{Level, LogStore};
use super::units::Second;
use crate::demo::rng::{Rng, Uuid};

/// Devices that exist; about half have a session at any time.
pub const DEVICES: usize = 140;
/// Users those devices belong to.
pub const USERS: usize = 90;
/// Addresses of each pool: a /24 without network, server and broadcast address.
pub const POOL: usize = 253;
/// Upstream's session time limits and token life times, in seconds.
pub const HEARTBEAT_TTL: Second = 90;
pub const HARD_TTL: Second = 1_296_000;
const ACCESS_TTL: Second = 900;
const HEARTBEAT_EVERY: Second = 30;

/// What of the stack the clients can reach this second.
#[derive(Clone, Copy, Debug)]
pub struct Reach {
    pub client_api: bool,
    pub auth: bool,
    pub session: bool,
    pub redis: bool,
    pub postgres: bool,
    pub ipam: bool,
    pub wg: bool,
    pub peers_kept: bool,
    pub keys_readable: bool,
    pub tokens_honoured: bool,
    pub storm: bool,
}

#[derive(Clone, Debug)]
pub struct Session {
    pub sid: Uuid,
    pub online: bool,
    pub created: Second,
    /// When the heartbeat key expires.
    pub heartbeat_until: Second,
    /// Index into the pools; the address ends in this plus 2.
    pub address: u8,
    pub public_key: [u8; 32],
    /// WireGuard knows this key.
    pub peer: bool,
    /// 0: never.
    pub handshake: Second,
    pub rx: u64,
    pub tx: u64,
    access_until: Second,
    refresh_valid: bool,
}

#[derive(Clone, Debug)]
pub struct Device {
    pub user: usize,
    pub id: Uuid,
    /// The client's own address and port, from the documentation ranges.
    pub address: [u8; 4],
    pub port: u16,
    pub session: Option<Session>,
    phase: Second,
    away_until: Second,
    next_try: Second,
    /// 0..10: which heartbeats a storm loses.
    luck: u8,
}

#[derive(Clone, Debug)]
pub struct User {
    pub id: Uuid,
    pub name: String,
    pub active: bool,
    pub total_sessions: u64,
    pub last_seen: Second,
}

/// Counters since the model began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    pub logins: u64,
    pub login_failures: u64,
    pub token_failures: u64,
    pub heartbeats: u64,
    pub heartbeat_failures: u64,
    pub sessions_created: u64,
    pub sessions_closed: u64,
    pub sessions_recovered: u64,
    pub tunnels_refused: u64,
}

#[derive(Debug)]
pub struct Clients {
    pub users: Vec<User>,
    pub devices: Vec<Device>,
    pub counters: Counters,
    /// Who holds each address: `None` is free.
    pool: [Holder; POOL],
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holder {
    Free,
    Device,
    /// Taken by a session that no longer exists.
    Leaked,
}

const NAMES: [&str; 12] = [
    "amber", "birch", "cedar", "delta", "ember", "fjord", "grove", "heron", "islet", "juniper", "kelp",
    "lotus",
];

impl Clients {
    pub fn new(rng: &mut Rng, now: Second) -> Self {
        let users = (0..USERS)
            .map(|i| User {
                id: rng.uuid(),
                name: format!("{}{:02}", NAMES[i % NAMES.len()], i / NAMES.len()),
                active: i % 31 != 30,
                total_sessions: rng.range(3, 240),
                last_seen: now.saturating_sub(rng.range(60, 80_000)),
            })
            .collect();
        let devices = (0..DEVICES)
            .map(|i| Device {
                user: i % USERS,
                id: rng.uuid(),
                address: [
                    if i % 2 == 0 { 198 } else { 203 },
                    51 - 51 * (i % 2) as u8,
                    100 + 13 * (i % 2) as u8,
                    i as u8 + 1,
                ],
                port: rng.range(20_000, 60_000) as u16,
                session: None,
                phase: rng.below(HEARTBEAT_EVERY),
                away_until: 0,
                next_try: 0,
                luck: rng.below(10) as u8,
            })
            .collect();
        let mut clients = Self { users, devices, counters: Counters::default(), pool: [Holder::Free; POOL] };
        for i in (0..DEVICES).step_by(2) {
            let age = rng.range(60, 5000);
            clients.open(i, now.saturating_sub(age), now, rng);
        }
        clients
    }

    /// Free addresses, the same in both pools.
    pub fn free(&self) -> usize {
        self.pool.iter().filter(|h| **h == Holder::Free).count()
    }

    /// Indices of the free addresses.
    pub fn free_addresses(&self) -> impl Iterator<Item = u8> + '_ {
        self.pool.iter().enumerate().filter(|(_, h)| **h == Holder::Free).map(|(i, _)| i as u8)
    }

    pub fn used(&self) -> usize {
        POOL - self.free()
    }

    pub fn sessions(&self) -> impl Iterator<Item = (&Device, &Session)> {
        self.devices.iter().filter_map(|d| d.session.as_ref().map(|s| (d, s)))
    }

    pub fn online(&self) -> usize {
        self.sessions().filter(|(_, s)| s.online).count()
    }

    pub fn peers(&self) -> usize {
        self.sessions().filter(|(_, s)| s.peer).count()
    }

    /// Takes every free address, or gives back those taken so.
    pub fn leak(&mut self, on: bool) {
        for holder in &mut self.pool {
            *holder = match (*holder, on) {
                (Holder::Free, true) => Holder::Leaked,
                (Holder::Leaked, false) => Holder::Free,
                (kept, _) => kept,
            };
        }
    }

    /// WireGuard lost its peers; the sessions do not know.
    pub fn drop_peers(&mut self) {
        for session in self.devices.iter_mut().filter_map(|d| d.session.as_mut()) {
            session.peer = false;
            session.handshake = 0;
        }
    }

    /// The overlap keys are gone: access and refresh tokens from before are worth nothing.
    pub fn revoke_tokens(&mut self) {
        for session in self.devices.iter_mut().filter_map(|d| d.session.as_mut()) {
            session.access_until = 0;
            session.refresh_valid = false;
        }
    }

    fn open(&mut self, i: usize, created: Second, now: Second, rng: &mut Rng) -> bool {
        let Some(address) = self.pool.iter().position(|h| *h == Holder::Free) else { return false };
        self.pool[address] = Holder::Device;
        let device = &mut self.devices[i];
        device.session = Some(Session {
            sid: rng.uuid(),
            online: true,
            created,
            heartbeat_until: now + HEARTBEAT_TTL,
            address: address as u8,
            public_key: rng.bytes32(),
            peer: true,
            handshake: now.saturating_sub(rng.below(100)).max(created),
            rx: rng.range(100, 400) * 1024,
            tx: rng.range(1_000, 4_000) * 1024,
            access_until: now + rng.range(60, ACCESS_TTL),
            refresh_valid: true,
        });
        let user = &mut self.users[device.user];
        user.total_sessions += 1;
        user.last_seen = now;
        true
    }

    fn close(&mut self, i: usize) {
        if let Some(session) = self.devices[i].session.take() {
            self.pool[usize::from(session.address)] = Holder::Free;
            self.counters.sessions_closed += 1;
        }
    }

    fn who(&self, i: usize) -> (Uuid, Uuid) {
        (self.users[self.devices[i].user].id, self.devices[i].id)
    }

    /// One second of every device's life, then the session manager's scan.
    pub fn step(&mut self, now: Second, reach: Reach, rng: &mut Rng, log: &mut LogStore) {
        for i in 0..DEVICES {
            let device = &mut self.devices[i];
            let away = device.away_until > now;
            match &mut device.session {
                None if !away && rng.once_in(900) => self.connect(i, now, reach, rng, log),
                None => {}
                Some(session) if !away => {
                    let traffic = rng.below(64 * 1024);
                    if session.online && session.peer {
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
                Some(_) => {}
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
        if lost || !reach.client_api {
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
        let reachable = reach.client_api && reach.session && reach.redis;
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
