//! The JWT signing keys and their rotation: at every start of the rotator, and every 24 hours.
//!
//! A rotation takes 10 min 35 s upstream. Nobody watches a demo for so long, so it takes 16 s here:
//! the order of its parts is kept, and its journal lines and `status` say the shorter times.

use super::log::LogStore;
use super::units::Second;

pub const INTERVAL: Second = 24 * 3600;
/// Upstream: 600 s.
pub const OVERLAP: Second = 8;
/// Upstream: 15 s.
pub const GRACE: Second = 3;
/// From the private keys' switch to the end. Upstream: 20 s.
const TAIL: Second = 5;
/// A whole rotation.
#[cfg(test)]
pub const ROTATION: Second = OVERLAP + GRACE + TAIL;

/// What the rest of the stack must do about a rotation's progress.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// New keys lie beside the old, copies in `overlap/`.
    Staged,
    /// The overlap copies are gone, and with them every token signed before.
    Complete,
    /// As `Complete`, but the auth service was not told and signs with a key that nobody accepts.
    CompleteUnheard,
}

#[derive(Debug)]
pub struct Keys {
    /// When the present keys were staged; ages count from here, not from their cut-over.
    pub staged: Second,
    /// When the running rotation began.
    pub rotating: Option<Second>,
    pub next: Second,
    /// Goes up with each complete rotation; the key files follow it.
    pub generation: u64,
    /// The running rotation could not tell the auth service, which signs on with the old key.
    missed: bool,
}

impl Keys {
    /// As of `now`, after the rotation at the stack's first start and those every day since.
    pub fn new(now: Second) -> Self {
        let boot = 13;
        let days = now.saturating_sub(boot) / INTERVAL;
        let staged = boot + days * INTERVAL;
        Self { staged, rotating: None, next: staged + INTERVAL, generation: days + 1, missed: false }
    }

    /// Begins a rotation; one that comes while another runs is lost, as upstream.
    pub fn rotate(&mut self, now: Second, log: &mut LogStore, clock: &str) {
        if self.rotating.is_some() {
            return;
        }
        self.rotating = Some(now);
        self.staged = now;
        self.next = now + INTERVAL;
        let window = format!(" | duration={OVERLAP}s (shortened for the demo)");
        for (event, rest) in [
            ("rotation_started", " | interval_hours=24"),
            ("backed_up_key", " | name=access_private"),
            ("backed_up_key", " | name=refresh_private"),
            ("staged_key", " | name=access"),
            ("staged_key", " | name=refresh"),
            ("overlap_window_started", window.as_str()),
        ] {
            line(log, clock, event, rest);
        }
    }

    /// The rotator died: what it had begun is not finished by anybody.
    pub fn abandon(&mut self) {
        self.rotating = None;
    }

    /// `told` is whether the auth service's pid file leads to it.
    pub fn step(
        &mut self,
        now: Second,
        running: bool,
        told: bool,
        log: &mut LogStore,
        clock: &str,
    ) -> Option<Progress> {
        let Some(start) = self.rotating else {
            if running && now >= self.next {
                self.rotate(now, log, clock);
                return Some(Progress::Staged);
            }
            return None;
        };
        match now.saturating_sub(start) {
            OVERLAP => {
                line(log, clock, "rotating_public_keys", "");
                line(log, clock, "public_key_rotated", " | name=access");
                line(log, clock, "public_key_rotated", " | name=refresh");
                self.missed = !told;
                let event = if told { "sighup_sent" } else { "process_not_found" };
                line(log, clock, event, " | service=auth_service");
                line(log, clock, "pid_file_not_found", " | service=key_rotator");
                line(log, clock, "sighup_grace_period_started", &format!(" | duration={GRACE}s"));
            }
            t if t == OVERLAP + GRACE => {
                line(log, clock, "rotating_private_keys", "");
                line(log, clock, "private_key_rotated", " | name=access");
                line(log, clock, "private_key_rotated", " | name=refresh");
                line(log, clock, "env_secret_rotated", " | name=ADMIN_SECRET");
            }
            t if t >= OVERLAP + GRACE + TAIL => {
                line(log, clock, "overlap_key_deleted", " | name=access");
                line(log, clock, "overlap_key_deleted", " | name=refresh");
                line(log, clock, "rotation_complete", "");
                self.rotating = None;
                self.generation += 1;
                return Some(if self.missed { Progress::CompleteUnheard } else { Progress::Complete });
            }
            _ => {}
        }
        None
    }
}

/// The rotator logs plain text, and only to the journal.
fn line(log: &mut LogStore, clock: &str, event: &str, rest: &str) {
    log.journal("tornado.service", "tornado-master", 6, format!("{clock},000 [INFO] {event}{rest}"));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rotation_ends_by_itself_and_a_second_request_is_lost() {
        let mut log = LogStore::new(jiff::Timestamp::UNIX_EPOCH);
        let mut keys = Keys::new(93_784);
        assert_eq!(keys.next, 13 + 2 * INTERVAL);
        keys.rotate(100_000, &mut log, "t");
        keys.rotate(100_010, &mut log, "t");
        assert_eq!(keys.staged, 100_000, "the second request is lost");
        for now in 100_001..100_000 + ROTATION {
            assert_eq!(keys.step(now, true, true, &mut log, "t"), None, "{now}");
        }
        assert_eq!(keys.step(100_000 + ROTATION, true, true, &mut log, "t"), Some(Progress::Complete));
        let text: Vec<_> = log.entries().iter().map(|e| e.message.to_string()).collect();
        assert!(text.last().is_some_and(|m| m.contains("rotation_complete")), "{text:?}");
    }
}
