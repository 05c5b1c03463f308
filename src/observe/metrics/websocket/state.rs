//! What a websocket has told so far, and what a scrape may say of it. Pure: time is passed in, as
//! monotonic time.

use crate::domain::series::Labels;
use crate::domain::text;
use crate::domain::units;
use crate::observe::metrics::collect::Look;
use crate::observe::metrics::mapping::{MAX_VALUES, Mapping};
use crate::observe::metrics::stale::Found;
use crate::transport::fetch::Fault;
use std::collections::HashMap;
use std::time::Duration;

/// Silence of this many intervals is a failure.
const PATIENCE: u32 = 2;

/// One connection after the other, as the scrapes see them.
#[derive(Debug)]
pub struct State {
    link: Link,
    /// The latest value of each series; at most [`MAX_VALUES`].
    values: HashMap<Labels, Latest>,
    /// Since the last scrape: what was wrong with a message, with paths, and messages not read.
    bad: Option<String>,
    trouble: String,
    skipped: u64,
}

#[derive(Debug)]
enum Link {
    Connecting,
    /// With the moment of the last message that counted, or of the connection before there was one.
    Open {
        heard: Duration,
        told: bool,
    },
    Broken(String),
}

#[derive(Debug)]
struct Latest {
    v: f64,
    at: Duration,
    /// Not given to a scrape yet.
    fresh: bool,
}

impl Default for State {
    fn default() -> Self {
        State {
            link: Link::Connecting,
            values: HashMap::new(),
            bad: None,
            trouble: String::new(),
            skipped: 0,
        }
    }
}

impl State {
    pub fn opened(&mut self, now: Duration) {
        self.link = Link::Open { heard: now, told: false };
    }

    /// The connection is lost, or there was none to be had; until the next one the scrapes fail.
    pub fn broke(&mut self, why: &str) {
        self.link = Link::Broken(text::reason(why));
        self.values.clear();
    }

    /// Takes a message that counts, or what was wrong with it.
    pub fn message(&mut self, now: Duration, message: Result<Mapping, String>) {
        let mapping = match message {
            Ok(mapping) => mapping,
            Err(why) => {
                self.bad = Some(text::reason(&why));
                return;
            }
        };
        self.link = Link::Open { heard: now, told: true };
        for Found { labels, v, .. } in mapping.found {
            if self.values.len() < MAX_VALUES || self.values.contains_key(&labels) {
                self.values.insert(labels, Latest { v, at: now, fresh: true });
            }
        }
        self.trouble = mapping.trouble;
    }

    /// A message was not read, since too many came.
    pub fn skip(&mut self) {
        self.skipped += 1;
    }

    /// How far it has come, for a scrape that may wait for the first message.
    pub fn stage(&self) -> Stage {
        match &self.link {
            Link::Connecting => Stage::Connecting,
            Link::Open { told: false, .. } if self.bad.is_none() => Stage::Waiting,
            _ => Stage::Settled,
        }
    }

    /// What a scrape finds: values that are new since the last one, and series that are quiet but
    /// have not ended.
    ///
    /// # Errors
    /// `Down`: no connection, silence, or nothing but messages that make no sense.
    pub(in crate::observe::metrics) fn look(
        &mut self,
        now: Duration,
        interval: Duration,
    ) -> Result<Look, Fault> {
        let (bad, trouble) = (self.bad.take(), std::mem::take(&mut self.trouble));
        let skipped = std::mem::take(&mut self.skipped);
        let patience = interval * PATIENCE;
        match &self.link {
            Link::Connecting => {
                return Err(Fault::Unreachable("expected a connection, got none yet".to_owned()));
            }
            Link::Broken(why) => return Err(Fault::Down(why.clone())),
            Link::Open { heard, .. } => {
                let silent = now.saturating_sub(*heard);
                self.values.retain(|_, latest| now.saturating_sub(latest.at) <= patience);
                match bad {
                    Some(why) if !self.values.values().any(|l| l.fresh) => return Err(Fault::Down(why)),
                    _ if silent > patience => {
                        let (within, silent) = (units::exact(patience), units::long_age(silent));
                        let why = format!("expected a message within {within}, got silence for {silent}");
                        return Err(Fault::Down(why));
                    }
                    _ => {}
                }
            }
        }
        let mut look = Look { seen: self.values.len(), trouble, ..Look::default() };
        for (labels, latest) in &mut self.values {
            if std::mem::take(&mut latest.fresh) {
                look.found.push(Found { labels: labels.clone(), t: None, v: latest.v });
            } else {
                look.quiet.push(labels.clone());
            }
        }
        if skipped > 0 {
            let words = format!("{skipped} messages not read, since too many came");
            look.trouble = if look.trouble.is_empty() { words } else { format!("{}; {words}", look.trouble) };
        }
        Ok(look)
    }

    /// All values that are not too old, for whoever looks at the target.
    pub fn values(&self) -> Vec<Found> {
        self.values.iter().map(|(labels, l)| Found { labels: labels.clone(), t: None, v: l.v }).collect()
    }
}

/// See [`State::stage`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    Connecting,
    /// Connected, and no message yet.
    Waiting,
    /// There is something to tell.
    Settled,
}

#[cfg(test)]
mod tests {
    use super::*;

    const INTERVAL: Duration = Duration::from_secs(15);

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[expect(clippy::unnecessary_wraps, reason = "as a message is given")]
    fn says(names: &[(&str, f64)]) -> Result<Mapping, String> {
        let found =
            names.iter().map(|(n, v)| Found { labels: Labels::new([("__name__", *n)]), t: None, v: *v });
        Ok(Mapping { found: found.collect(), trouble: String::new() })
    }

    /// What a scrape finds, as text: `a=1` for a new value, `(a)` for a quiet series.
    fn look(state: &mut State, now: u64) -> String {
        match state.look(at(now), INTERVAL) {
            Err(fault) => fault.why().to_owned(),
            Ok(look) => {
                let quiet = &look.quiet;
                let fresh = look.found.iter().map(|f| format!("{}={}", f.labels, f.v));
                let mut all: Vec<_> = fresh.chain(quiet.iter().map(|l| format!("({l})"))).collect();
                all.sort();
                all.join(" ") + &look.trouble
            }
        }
    }

    #[test]
    fn the_latest_value_of_each_series_is_given_once() {
        let mut state = State::default();
        assert_eq!(state.stage(), Stage::Connecting);
        state.opened(at(0));
        assert_eq!(state.stage(), Stage::Waiting);
        state.message(at(1), says(&[("a", 1.0), ("b", 7.0)]));
        state.message(at(2), says(&[("a", 2.0)]));
        assert_eq!(state.stage(), Stage::Settled);
        assert_eq!(look(&mut state, 3), "a=2 b=7");
        assert_eq!(look(&mut state, 15), "(a) (b)");
        state.message(at(20), says(&[("a", 3.0)]));
        assert_eq!(look(&mut state, 30), "(b) a=3");
        // What no message has told for two intervals has ended.
        state.message(at(40), says(&[("a", 4.0)]));
        assert_eq!(look(&mut state, 45), "a=4");
    }

    #[test]
    fn silence_of_two_intervals_is_down() {
        let mut state = State::default();
        state.opened(at(0));
        assert_eq!(look(&mut state, 30), "", "not yet");
        assert_eq!(look(&mut state, 31), "expected a message within 30s, got silence for 31s");
        state.message(at(40), says(&[("a", 1.0)]));
        assert_eq!(look(&mut state, 70), "a=1");
        assert_eq!(look(&mut state, 75), "expected a message within 30s, got silence for 35s");
    }

    #[test]
    fn garbage_is_down_only_while_nothing_better_comes() {
        let mut state = State::default();
        state.opened(at(0));
        state.message(at(1), Err("expected JSON, got x".to_owned()));
        assert_eq!(look(&mut state, 2), "expected JSON, got x");
        state.message(at(3), Err("expected JSON, got x".to_owned()));
        state.message(at(4), says(&[("a", 1.0)]));
        state.skip();
        assert_eq!(look(&mut state, 5), "a=11 messages not read, since too many came");
    }

    #[test]
    fn a_lost_connection_is_down_until_the_next_one_tells_something() {
        let mut state = State::default();
        state.opened(at(0));
        state.message(at(1), says(&[("a", 1.0)]));
        state.broke("expected messages, got a closed connection");
        assert_eq!(look(&mut state, 2), "expected messages, got a closed connection");
        state.opened(at(3));
        state.message(at(4), says(&[("a", 2.0)]));
        assert_eq!(look(&mut state, 5), "a=2");
    }
}
