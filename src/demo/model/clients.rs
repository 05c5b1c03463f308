//! The VPN's users, their devices and sessions, and who holds which address.

use std::collections::BTreeMap;

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
pub(super) const ACCESS_TTL: Second = 900;
pub(super) const HEARTBEAT_EVERY: Second = 30;

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
    /// `WireGuard` knows this key.
    pub peer: bool,
    /// 0: never.
    pub handshake: Second,
    pub rx: u64,
    pub tx: u64,
    pub(super) access_until: Second,
    pub(super) refresh_valid: bool,
}

#[derive(Clone, Debug)]
pub struct Device {
    pub user: usize,
    pub id: Uuid,
    /// The client's own address and port, from the documentation ranges.
    pub address: [u8; 4],
    pub port: u16,
    pub session: Option<Session>,
    /// The host's packet filter lets it through to the client API, and to `WireGuard`.
    pub reaches_api: bool,
    pub reaches_tunnel: bool,
    pub(super) phase: Second,
    pub(super) away_until: Second,
    pub(super) next_try: Second,
    /// 0..10: which heartbeats a storm loses.
    pub(super) luck: u8,
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
    /// Addresses given to callers of the IPAM socket, by user and device; at most the pool.
    pub outside: BTreeMap<String, u8>,
    /// Who holds each address.
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
                reaches_api: true,
                reaches_tunnel: true,
                phase: rng.below(HEARTBEAT_EVERY),
                away_until: 0,
                next_try: 0,
                luck: rng.below(10) as u8,
            })
            .collect();
        let mut clients = Self {
            users,
            devices,
            counters: Counters::default(),
            outside: BTreeMap::new(),
            pool: [Holder::Free; POOL],
        };
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

    /// Gives a caller from outside an address, the same one when asked again; `None` when none is free.
    pub fn allocate(&mut self, name: &str) -> Option<u8> {
        if let Some(index) = self.outside.get(name) {
            return Some(*index);
        }
        let index = self.pool.iter().position(|h| *h == Holder::Free)?;
        self.pool[index] = Holder::Device;
        self.outside.insert(name.to_owned(), index as u8);
        Some(index as u8)
    }

    /// Takes such an address back; false when there was none.
    pub fn release(&mut self, name: &str) -> bool {
        let Some(index) = self.outside.remove(name) else { return false };
        self.pool[usize::from(index)] = Holder::Free;
        true
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

    /// `WireGuard` lost its peers; the sessions do not know.
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

    pub(super) fn open(&mut self, i: usize, created: Second, now: Second, rng: &mut Rng) -> bool {
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

    pub(super) fn close(&mut self, i: usize) {
        if let Some(session) = self.devices[i].session.take() {
            self.pool[usize::from(session.address)] = Holder::Free;
            self.counters.sessions_closed += 1;
        }
    }

    /// A device's user and itself, as logs name them.
    pub(super) fn who(&self, i: usize) -> (Uuid, Uuid) {
        (self.users[self.devices[i].user].id, self.devices[i].id)
    }
}
