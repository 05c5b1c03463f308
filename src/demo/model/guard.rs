//! The admin API's gate: rate limits, failed logins and bans, admin tokens, request metrics.

use std::collections::{BTreeMap, VecDeque};

use super::units::Second;

/// Failed logins before a ban, the window they count in, and the ban's length in seconds.
pub const ATTEMPTS: usize = 5;
const WINDOW: Second = 300;
pub const BAN: Second = 900;
/// How long an admin token holds, in seconds.
pub const TOKEN_TTL: Second = 28_800;
/// Tokens remembered; the oldest falls out.
const TOKENS: usize = 256;
/// Client addresses remembered for limits and bans (loopback has few).
const ADDRESSES: usize = 64;

/// Bounds of the request histogram's buckets, in seconds.
pub const BUCKETS: [f64; 3] = [0.1, 0.5, 1.0];

/// What one handler has answered.
#[derive(Clone, Copy, Debug, Default)]
pub struct Handled {
    pub count: u64,
    pub seconds: f64,
    pub buckets: [u64; 3],
    pub bytes: u64,
}

/// The result of a login attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Login {
    Accepted,
    Refused { left: usize },
    Banned { seconds: Second },
}

#[derive(Debug, Default)]
pub struct Guard {
    hits: BTreeMap<(&'static str, u32), (Second, u32)>,
    failed: BTreeMap<u32, VecDeque<Second>>,
    banned: BTreeMap<u32, Second>,
    tokens: VecDeque<(String, Second)>,
    /// By handler, method and status class; handlers are route templates, so few.
    pub handled: BTreeMap<(&'static str, &'static str, &'static str), Handled>,
}

impl Guard {
    /// Counts a request; false when `limit` a minute is used up for this route and address.
    pub fn admit(&mut self, route: &'static str, address: u32, limit: u32, now: Second) -> bool {
        if self.hits.len() > ADDRESSES * 16 {
            self.hits.retain(|_, (start, _)| now < *start + 60);
        }
        let (start, count) = self.hits.entry((route, address)).or_insert((now, 0));
        if now >= *start + 60 {
            (*start, *count) = (now, 0);
        }
        *count = count.saturating_add(1);
        *count <= limit
    }

    pub fn login(&mut self, address: u32, correct: bool, now: Second) -> Login {
        if let Some(until) = self.banned.get(&address) {
            if *until > now {
                return Login::Banned { seconds: until - now };
            }
            self.banned.remove(&address);
        }
        if correct {
            self.failed.remove(&address);
            return Login::Accepted;
        }
        if self.failed.len() >= ADDRESSES {
            self.failed.clear();
        }
        let failed = self.failed.entry(address).or_default();
        failed.push_back(now);
        failed.retain(|at| now < at + WINDOW);
        if failed.len() < ATTEMPTS {
            return Login::Refused { left: ATTEMPTS - failed.len() };
        }
        self.failed.remove(&address);
        if self.banned.len() >= ADDRESSES {
            self.banned.clear();
        }
        self.banned.insert(address, now + BAN);
        Login::Banned { seconds: BAN }
    }

    pub fn grant(&mut self, token: String, now: Second) {
        if self.tokens.len() == TOKENS {
            self.tokens.pop_front();
        }
        self.tokens.push_back((token, now + TOKEN_TTL));
    }

    /// When the token ends, if it is good.
    pub fn token(&self, token: &str, now: Second) -> Option<Second> {
        self.tokens.iter().find(|(t, until)| t == token && *until > now).map(|(_, until)| *until)
    }

    /// The signing secret changed.
    pub fn revoke_all(&mut self) {
        self.tokens.clear();
    }

    /// The process restarted: what it had only in memory is gone; tokens are signed, so they stay.
    pub fn forget(&mut self) {
        self.hits.clear();
        self.failed.clear();
        self.banned.clear();
        self.handled.clear();
    }

    pub fn record(
        &mut self,
        handler: &'static str,
        method: &'static str,
        class: &'static str,
        seconds: f64,
        bytes: u64,
    ) {
        let entry = self.handled.entry((handler, method, class)).or_default();
        entry.count += 1;
        entry.seconds += seconds;
        entry.bytes += bytes;
        for (bound, bucket) in BUCKETS.iter().zip(&mut entry.buckets) {
            *bucket += u64::from(seconds <= *bound);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_is_per_route_address_and_minute() {
        let mut guard = Guard::default();
        assert!((0..200).all(|_| guard.admit("/health", 1, 200, 5)));
        assert!(!guard.admit("/health", 1, 200, 5));
        assert!(guard.admit("/health", 2, 200, 5), "another address");
        assert!(guard.admit("/ready", 1, 200, 5), "another route");
        assert!(guard.admit("/health", 1, 200, 65), "a minute later");
    }

    #[test]
    fn the_fifth_wrong_password_bans_and_the_ban_ends() {
        let mut guard = Guard::default();
        for left in [4, 3, 2, 1] {
            assert_eq!(guard.login(1, false, 10), Login::Refused { left });
        }
        assert_eq!(guard.login(1, false, 10), Login::Banned { seconds: BAN });
        assert_eq!(guard.login(1, true, 20), Login::Banned { seconds: BAN - 10 }, "even with the right one");
        assert_eq!(guard.login(2, true, 20), Login::Accepted);
        assert_eq!(guard.login(1, true, 10 + BAN), Login::Accepted);
    }

    #[test]
    fn old_failures_are_forgotten() {
        let mut guard = Guard::default();
        for i in 0..20 {
            assert_eq!(
                guard.login(1, false, i * 100),
                Login::Refused {
                    left: if i == 0 {
                        4
                    } else if i == 1 {
                        3
                    } else {
                        2
                    }
                }
            );
        }
    }

    #[test]
    fn tokens_end_and_are_bounded() {
        let mut guard = Guard::default();
        guard.grant("first".into(), 0);
        assert_eq!(guard.token("first", 1), Some(TOKEN_TTL));
        assert_eq!(guard.token("first", TOKEN_TTL), None);
        for i in 0..TOKENS {
            guard.grant(i.to_string(), 0);
        }
        assert_eq!(guard.token("first", 1), None);
    }
}
