//! The faults the demo stack can be given: their names, what they hit, and when they are on.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// The longest `AFTER` or `UNTIL` accepted; beyond it a typing error is likelier than intent.
const LONGEST: Duration = Duration::from_secs(7 * 24 * 3600);

/// Something that can be broken on purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fault {
    RedisDown,
    RedisSlow,
    PostgresDown,
    PostgresSlow,
    ClientApi500,
    ClientApiHang,
    AdminApiDown,
    LogServiceDown,
    Wg1Missing,
    PeersDropped,
    TorUnhealthy,
    TorDown,
    HeartbeatStorm,
    KeyspaceEventsLost,
    DiskFull,
    TokenFailures,
    IpPoolExhausted,
    ServiceCrash,
    StalePidFile,
    NginxDown,
    KeyFilesUnreadable,
    RestartFails,
    RestartHangs,
    RestartUnhealthy,
}

struct Row(Fault, &'static str, &'static str, &'static str);

/// In the order of the enum, so that a fault indexes its own row (a test holds this).
const TABLE: [Row; 24] = [
    Row(
        Fault::RedisDown,
        "redis-down",
        "redis",
        "Redis dies and stays dead; back, it has lost every subscription",
    ),
    Row(Fault::RedisSlow, "redis-slow", "redis", "Redis answers each command after 0.4 s"),
    Row(Fault::PostgresDown, "postgres-down", "postgres", "PostgreSQL refuses connections"),
    Row(
        Fault::PostgresSlow,
        "postgres-slow",
        "postgres",
        "PostgreSQL answers each step of a login and each query after 0.7 s",
    ),
    Row(Fault::ClientApi500, "client-api-500", "client-api", "the client API answers 500 to everything"),
    Row(Fault::ClientApiHang, "client-api-hang", "client-api", "the client API accepts and never answers"),
    Row(
        Fault::AdminApiDown,
        "admin-api-down",
        "admin-api",
        "the admin API's port is closed; nginx answers 502",
    ),
    Row(
        Fault::LogServiceDown,
        "log-service-down",
        "services",
        "the log service is gone: /ready is 503, /health stays ok",
    ),
    Row(Fault::Wg1Missing, "wg1-missing", "wireguard", "interface wg1 does not exist"),
    Row(
        Fault::PeersDropped,
        "peers-dropped",
        "wireguard",
        "WireGuard has no peers while sessions stay online",
    ),
    Row(Fault::TorUnhealthy, "tor-unhealthy", "tor", "Tor runs but cannot build circuits"),
    Row(Fault::TorDown, "tor-down", "tor", "Tor is not running: control and SOCKS ports are closed"),
    Row(
        Fault::HeartbeatStorm,
        "heartbeat-storm",
        "sessions",
        "seven in ten clients' heartbeats are lost on the way",
    ),
    Row(
        Fault::KeyspaceEventsLost,
        "keyspace-events-lost",
        "redis",
        "keyspace events are off and nobody subscribes, until tornado is restarted",
    ),
    Row(
        Fault::DiskFull,
        "disk-full",
        "host",
        "df reports 100 % and logs are dropped (the real disk is not filled)",
    ),
    Row(Fault::TokenFailures, "token-failures", "auth", "refresh tokens and logins are refused"),
    Row(
        Fault::IpPoolExhausted,
        "ip-pool-exhausted",
        "services",
        "every VPN address is taken; no new tunnels",
    ),
    Row(
        Fault::ServiceCrash,
        "service-crash",
        "services",
        "wg_manager crash-loops, and each attempt drops all peers",
    ),
    Row(
        Fault::StalePidFile,
        "stale-pid-file",
        "services",
        "auth_service.pid names a process that is dead, until auth is restarted",
    ),
    Row(Fault::NginxDown, "nginx-down", "edge", "nginx is not running"),
    Row(Fault::KeyFilesUnreadable, "key-files-unreadable", "auth", "the JWT key files have mode 000"),
    Row(
        Fault::RestartFails,
        "restart-fails",
        "services",
        "tornado.service, once stopped, does not start: its environment file is gone",
    ),
    Row(
        Fault::RestartHangs,
        "restart-hangs",
        "services",
        "tornado.service does not end when it is stopped: the job hangs",
    ),
    Row(
        Fault::RestartUnhealthy,
        "restart-unhealthy",
        "services",
        "the session service dies at each start: tornado comes back without it",
    ),
];

impl Fault {
    /// Every fault, in the order they are listed.
    pub fn all() -> impl Iterator<Item = Fault> {
        TABLE.iter().map(|row| row.0)
    }

    fn row(self) -> &'static Row {
        &TABLE[self as usize]
    }

    /// The name used on the command line.
    pub fn name(self) -> &'static str {
        self.row().1
    }

    /// The layer that should go red.
    pub fn layer(self) -> &'static str {
        self.row().2
    }

    /// One line for people.
    pub fn description(self) -> &'static str {
        self.row().3
    }

    /// Looks a fault up by its name.
    pub fn from_name(name: &str) -> Result<Fault, ParseError> {
        TABLE
            .iter()
            .find(|row| row.1 == name)
            .map(|row| row.0)
            .ok_or_else(|| ParseError::UnknownName { name: name.chars().take(60).collect() })
    }
}

/// A set of faults, one bit each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FaultSet(u32);

impl FaultSet {
    pub fn has(self, fault: Fault) -> bool {
        self.0 & (1 << fault as u32) != 0
    }

    pub fn set(&mut self, fault: Fault, on: bool) {
        let bit = 1 << fault as u32;
        if on {
            self.0 |= bit;
        } else {
            self.0 &= !bit;
        }
    }
}

/// A fault and when it holds, counted from the demo's start: `NAME[@AFTER[..UNTIL]]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FaultSpec {
    pub fault: Fault,
    pub after: Duration,
    /// `None`: for as long as the demo runs.
    pub until: Option<Duration>,
}

/// A fault as the user sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub struct FaultState {
    pub name: &'static str,
    pub layer: &'static str,
    pub description: &'static str,
    pub active: bool,
}

/// Why a fault could not be understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ParseError {
    UnknownName { name: String },
    BadDuration { text: String, why: String },
    EmptyWindow { spec: String },
}

impl std::error::Error for ParseError {}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownName { name } => {
                write!(f, "no fault is called `{}`", name.escape_debug())?;
                if let Some(near) = nearest(name) {
                    write!(f, "; did you mean {near}?")?;
                }
                write!(f, "; there are: ")?;
                for (i, row) in TABLE.iter().enumerate() {
                    write!(f, "{}{}", if i == 0 { "" } else { ", " }, row.1)?;
                }
                Ok(())
            }
            Self::BadDuration { text, why } => {
                write!(
                    f,
                    "`{}` cannot be read as a duration such as 10s or 1m30s: {why}",
                    text.escape_debug()
                )
            }
            Self::EmptyWindow { spec } => write!(f, "`{}` ends before it begins", spec.escape_debug()),
        }
    }
}

fn nearest(name: &str) -> Option<&'static str> {
    TABLE
        .iter()
        .map(|row| (strsim::jaro_winkler(name, row.1), row.1))
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .filter(|best| best.0 > 0.6)
        .map(|best| best.1)
}

fn duration(text: &str) -> Result<Duration, ParseError> {
    let bad =
        |why: &str| ParseError::BadDuration { text: text.chars().take(60).collect(), why: why.to_owned() };
    let signed: jiff::SignedDuration = text.parse().map_err(|e: jiff::Error| bad(&e.to_string()))?;
    let plain = Duration::try_from(signed).map_err(|_| bad("it is negative"))?;
    if plain > LONGEST {
        return Err(bad("it is longer than a week"));
    }
    Ok(plain)
}

impl FromStr for FaultSpec {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let (name, window) = match text.split_once('@') {
            Some((name, window)) => (name, Some(window)),
            None => (text, None),
        };
        let fault = Fault::from_name(name)?;
        let (after, until) = match window {
            None => (Duration::ZERO, None),
            Some(window) => match window.split_once("..") {
                None => (duration(window)?, None),
                Some((after, until)) => (duration(after)?, Some(duration(until)?)),
            },
        };
        if until.is_some_and(|until| until <= after) {
            return Err(ParseError::EmptyWindow { spec: text.chars().take(80).collect() });
        }
        Ok(FaultSpec { fault, after, until })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_fault_indexes_its_own_row() {
        for fault in Fault::all() {
            assert_eq!(fault.row().0, fault);
            assert_eq!(Fault::from_name(fault.name()), Ok(fault));
            assert!(!fault.description().is_empty() && !fault.layer().is_empty());
        }
    }

    #[test]
    fn specs_say_what_and_when() {
        let s = Duration::from_secs;
        for (text, fault, after, until) in [
            ("redis-down", Fault::RedisDown, s(0), None),
            ("redis-down@10s", Fault::RedisDown, s(10), None),
            ("wg1-missing@1m30s..2m", Fault::Wg1Missing, s(90), Some(s(120))),
            ("tor-down@0s..500ms", Fault::TorDown, s(0), Some(Duration::from_millis(500))),
        ] {
            assert_eq!(text.parse(), Ok(FaultSpec { fault, after, until }), "{text}");
        }
    }

    #[test]
    fn a_wrong_spec_says_what_is_wrong() {
        for (text, part) in [
            ("redis-dwon", "did you mean redis-down?"),
            ("redis-dwon", "key-files-unreadable"),
            ("zzz", "no fault is called `zzz`; there are: redis-down, "),
            ("", "no fault is called ``"),
            ("redis-down@", "as a duration"),
            ("redis-down@soon", "as a duration"),
            ("redis-down@-5s", "negative"),
            ("redis-down@9000h", "longer than a week"),
            ("redis-down@10s..", "as a duration"),
            ("redis-down@10s..5s", "`redis-down@10s..5s` ends before it begins"),
            ("redis-down@10s..10s", "ends before it begins"),
        ] {
            let err = text.parse::<FaultSpec>().unwrap_err().to_string();
            assert!(err.contains(part), "{text}: {err}");
        }
    }
}
