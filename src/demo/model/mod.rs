//! The modelled stack: pure, synchronous, seeded; every number is a function of seed, time and faults.

mod behaviour;
pub mod clients;
pub mod guard;
pub mod host;
pub mod keys;
pub mod log;
pub mod services;
mod step;
mod traffic;
pub mod units;

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::fault::{Fault, FaultSet, FaultSpec, FaultState};
use super::nft::{Protocol, Ruleset};
use super::nginx::Site;
use super::rng::{Rng, Uuid, base64};
use clients::{Clients, Reach};
use guard::Guard;
use host::Host;
use keys::Keys;
use log::LogStore;
use services::{Services, Svc, SvcState};
pub use units::Second;
use units::{Job, UnitId, Units};

/// The stack has been up this long when the demo starts.
pub const UPTIME: Second = 93_784;
/// So much of it is played through at the start, so that there is a past to look at.
const WARM_UP: Second = 600;
/// Steps made up for after a gap (a suspended machine); a longer gap is skipped.
const CATCH_UP: Second = 3600;

/// One of the two `WireGuard` interfaces.
#[derive(Clone, Debug)]
pub struct Interface {
    pub private_key: [u8; 32],
    pub public_key: [u8; 32],
    pub since: Second,
}

/// What Redis forgets when it restarts.
#[derive(Clone, Copy, Debug)]
pub struct RedisState {
    pub keyspace_events: bool,
    pub session_subscribed: bool,
    pub admin_subscribed: bool,
    pub since: Second,
}

/// Tor's own view.
#[derive(Clone, Copy, Debug)]
pub struct TorState {
    /// The tor manager routes clients through it.
    pub enabled: bool,
    pub since: Second,
    pub bootstrap: u8,
    pub circuits: u8,
    pub read: u64,
    pub written: u64,
}

/// Everything that can be opened from outside; one bit each in [`Model::open_mask`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Door {
    Admin,
    Client,
    Edge,
    Redis,
    Postgres,
    TorControl,
    TorSocks,
    Master,
    Service(Svc),
}

impl Door {
    pub fn bit(self) -> u32 {
        let index = match self {
            Self::Admin => 0,
            Self::Client => 1,
            Self::Edge => 2,
            Self::Redis => 3,
            Self::Postgres => 4,
            Self::TorControl => 5,
            Self::TorSocks => 6,
            Self::Master => 7,
            Self::Service(svc) => 8 + svc as u32,
        };
        1 << index
    }
}

pub struct Model {
    pub seed: u64,
    rng: Rng,
    /// The civil time of second 0.
    epoch: Timestamp,
    pub now: Second,
    pub faults: FaultSet,
    schedule: Vec<FaultSpec>,
    pub units: Units,
    pub services: Services,
    pub clients: Clients,
    pub keys: Keys,
    pub log: LogStore,
    pub guard: Guard,
    pub host: Host,
    pub redis: RedisState,
    pub tor: TorState,
    pub interfaces: [Interface; 2],
    pub tornado_since: Second,
    pub admin_password: String,
    pub database_password: String,
    /// Requests the client API has answered, from the modelled clients and from outside.
    pub client_requests: u64,
    /// The host's packet filter.
    pub filter: Ruleset,
    /// Uptime of the machine when that of the model was [`UPTIME`].
    pub machine_uptime: Second,
    /// What NGINX does, as it read its configuration at its last start or reload.
    pub site: Site,
    /// Requests nginx has answered since it started.
    pub edge_requests: u64,
    traffic: traffic::Traffic,
    admin_secret_changed: bool,
    /// The auth service missed a rotation: every token it makes is refused.
    signs_with_old_key: bool,
}

impl Model {
    /// `wall` is now; the model's past lies before it.
    pub fn new(seed: u64, wall: Timestamp, schedule: Vec<FaultSpec>) -> Self {
        let mut rng = Rng::new(seed);
        let epoch = wall - SignedDuration::from_secs(UPTIME.cast_signed());
        let now = UPTIME - WARM_UP;
        let interface =
            |rng: &mut Rng| Interface { private_key: rng.bytes32(), public_key: rng.bytes32(), since: 12 };
        let mut model = Self {
            seed,
            epoch,
            now,
            faults: FaultSet::default(),
            schedule: Vec::new(),
            units: Units::new(),
            services: Services::new(),
            clients: Clients::new(&mut rng, now),
            keys: Keys::new(now),
            log: LogStore::new(at(epoch, now)),
            guard: Guard::default(),
            host: Host::new(),
            redis: RedisState {
                keyspace_events: true,
                session_subscribed: true,
                admin_subscribed: true,
                since: 3,
            },
            tor: TorState {
                enabled: true,
                since: 5,
                bootstrap: 100,
                circuits: 7,
                read: 9 << 30,
                written: 4 << 30,
            },
            interfaces: [interface(&mut rng), interface(&mut rng)],
            tornado_since: 8,
            admin_password: format!("demo-{:016x}", rng.next()),
            database_password: format!("demo-{:016x}", rng.next()),
            client_requests: 0,
            filter: Ruleset::default(),
            machine_uptime: u64::try_from(rustix::system::sysinfo().uptime).unwrap_or(UPTIME),
            site: Site::Proxy,
            edge_requests: 0,
            traffic: traffic::Traffic::new(seed),
            admin_secret_changed: false,
            signs_with_old_key: false,
            rng,
        };
        while model.now < UPTIME {
            model.step();
        }
        model.schedule = schedule;
        model.follow_schedule();
        model
    }

    /// Moves to `elapsed` since the demo's start, second by second.
    pub fn advance(&mut self, elapsed: Duration) {
        let target = UPTIME + elapsed.as_secs();
        if target > self.now + CATCH_UP {
            self.now = target - CATCH_UP;
        }
        while self.now < target {
            self.step();
        }
    }

    /// The civil time of a second of the model.
    pub fn wall(&self, second: Second) -> Timestamp {
        at(self.epoch, second)
    }

    /// Draws an identifier, for replies that carry a fresh one.
    pub fn fresh_id(&mut self) -> Uuid {
        self.rng.uuid()
    }

    /// An opaque admin token in the shape of a JWT.
    pub fn fresh_token(&mut self) -> String {
        let url = |bytes: &[u8]| base64(bytes).replace('+', "-").replace('/', "_").replace('=', "");
        let body =
            format!("{{\"sub\":\"admin\",\"exp\":{}}}", self.wall(self.now + guard::TOKEN_TTL).as_second());
        let sign = self.rng.bytes32();
        format!("{}.{}.{}", url(b"{\"alg\":\"HS256\",\"typ\":\"JWT\"}"), url(body.as_bytes()), url(&sign))
    }

    pub fn fault_states(&self) -> Vec<FaultState> {
        Fault::all()
            .map(|f| FaultState {
                name: f.name(),
                layer: f.layer(),
                description: f.description(),
                active: self.faults.has(f),
            })
            .collect()
    }

    pub fn set_fault(&mut self, fault: Fault, on: bool) {
        if self.faults.has(fault) == on {
            return;
        }
        self.faults.set(fault, on);
        self.units.fault_changed(fault, on, self.now, self.faults);
        let service = match fault {
            Fault::AdminApiDown => Some(Svc::ApiPublic),
            Fault::LogServiceDown => Some(Svc::LogManage),
            Fault::ServiceCrash => Some(Svc::WgManager),
            _ => None,
        };
        match (fault, on) {
            (Fault::PeersDropped, true) => self.clients.drop_peers(),
            (Fault::IpPoolExhausted, on) => self.clients.leak(on),
            (Fault::KeyspaceEventsLost, true) => self.forget_subscriptions(),
            (Fault::KeyspaceEventsLost, false) if self.units.running(UnitId::Redis) => self.subscribe(),
            _ => {}
        }
        if let Some(service) = service.filter(|s| self.services.get(*s).should_run) {
            if on {
                self.service_crashed(service);
            } else if !self.services.running(service) {
                self.services.set(service, SvcState::Starting { at: self.now + 1 }, self.now);
            }
        }
        self.settle();
    }

    /// A systemd job; its end shows in the unit's state.
    pub fn unit_job(&mut self, unit: UnitId, job: Job) {
        self.units.job(unit, job, self.now, self.faults);
        self.settle();
    }

    pub fn has(&self, fault: Fault) -> bool {
        self.faults.has(fault)
    }

    /// SIGHUP reached the process of a service.
    pub fn hung_up(&mut self, svc: Svc) {
        match svc {
            Svc::Auth => {
                self.signs_with_old_key = false;
                self.log.write("auth-service", log::Level::Info, "jwt_keys_reloaded_via_sighup");
            }
            // Its handler is broken upstream too: the secret is only read at the next start.
            Svc::ApiPublic => {
                let line = "Exception in the handler of SIGHUP: NameError";
                self.log.journal("tornado.service", "tornado-master", 3, line);
            }
            _ => {}
        }
    }

    /// The process of a service ended, and nobody had told the service to.
    pub fn process_died(&mut self, svc: Svc) {
        self.service_crashed(svc);
        self.settle();
    }

    /// Begins a key rotation; lost when one runs already.
    pub fn rotate_keys(&mut self) {
        let clock = self.rotator_clock();
        self.keys.rotate(self.now, &mut self.log, &clock);
    }

    /// Every door that is open, one bit each.
    pub fn open_mask(&self) -> u32 {
        let mut mask = 0;
        let mut open = |door: Door, yes: bool| mask |= if yes { door.bit() } else { 0 };
        open(Door::Admin, self.services.running(Svc::ApiPublic) && !self.has(Fault::AdminApiDown));
        open(Door::Client, self.services.running(Svc::ApiInternal));
        open(Door::Edge, self.units.running(UnitId::Nginx));
        open(Door::Redis, self.units.running(UnitId::Redis));
        open(Door::Postgres, self.units.running(UnitId::PostgresqlMain));
        open(Door::TorControl, self.units.running(UnitId::Tor));
        open(Door::TorSocks, self.units.running(UnitId::Tor));
        open(Door::Master, self.units.running(UnitId::Tornado));
        for def in services::SERVICES.iter().take(services::MASTERED) {
            open(Door::Service(def.id), self.services.running(def.id));
        }
        mask
    }

    pub fn is_open(&self, door: Door) -> bool {
        self.open_mask() & door.bit() != 0
    }

    /// Peers that `wg` shows; both interfaces carry the same devices.
    pub fn interface_present(&self, index: usize) -> bool {
        let wanted = self.services.running(Svc::WgManager) || self.units.running(UnitId::Tornado);
        wanted && !(index == 1 && self.has(Fault::Wg1Missing))
    }

    pub fn tor_healthy(&self) -> bool {
        self.tor.enabled
            && self.units.running(UnitId::Tor)
            && !self.has(Fault::TorUnhealthy)
            && self.tor.bootstrap == 100
    }

    /// Tells every device whether its packets still get in.
    fn meet_filter(&mut self) {
        let (filter, now) = (&self.filter, self.now);
        for device in &mut self.clients.devices {
            let from = device.address;
            let gets = |protocol, port| filter.is_empty() || filter.admits(from, protocol, port, now);
            device.reaches_api = gets(Protocol::Tcp, 4605);
            device.reaches_tunnel = gets(Protocol::Udp, 51_820);
        }
    }

    fn forget_subscriptions(&mut self) {
        self.redis.keyspace_events = false;
        self.redis.session_subscribed = false;
        self.redis.admin_subscribed = false;
    }

    fn subscribe(&mut self) {
        if self.has(Fault::KeyspaceEventsLost) {
            return;
        }
        if self.services.running(Svc::Session) {
            self.redis.keyspace_events = true;
            self.redis.session_subscribed = true;
        }
        if self.services.running(Svc::ApiPublic) {
            self.redis.admin_subscribed = true;
        }
    }

    fn rotator_clock(&self) -> String {
        self.wall(self.now).strftime("%Y-%m-%d %H:%M:%S").to_string()
    }

    fn reach(&self) -> Reach {
        let up = |svc| self.services.running(svc);
        Reach {
            client_api: up(Svc::ApiInternal)
                && !self.has(Fault::ClientApi500)
                && !self.has(Fault::ClientApiHang),
            auth: up(Svc::Auth),
            session: up(Svc::Session),
            redis: self.units.running(UnitId::Redis),
            postgres: self.units.running(UnitId::PostgresqlMain),
            ipam: up(Svc::Ipam),
            wg: up(Svc::WgManager),
            peers_kept: !self.has(Fault::PeersDropped),
            keys_readable: !self.has(Fault::KeyFilesUnreadable),
            tokens_honoured: !self.has(Fault::TokenFailures) && !self.signs_with_old_key,
            storm: self.has(Fault::HeartbeatStorm),
        }
    }
}

fn at(epoch: Timestamp, second: Second) -> Timestamp {
    epoch + SignedDuration::from_secs(second.cast_signed())
}

#[cfg(test)]
mod tests;
