//! What stood in the filter before a step changed it, noted in the run's directory so that undoing
//! the step can put back exactly that.

use super::{Blocked, Closed, Filter};
use crate::act::step::Setting;
use crate::act::step::mark::Mark;
use crate::domain::procedure::action::filter::{Change, Net, Port};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// By what a step was about to change, as texts; `None` for what was neither blocked nor closed.
/// What the step found as it was to be has no entry: that is not the step's.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Was {
    blocked: BTreeMap<String, Option<WasBlocked>>,
    closed: BTreeMap<String, Option<WasClosed>>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WasBlocked {
    /// When it would have ended by itself.
    pub until: Option<Timestamp>,
    pub by: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WasClosed {
    except: Vec<String>,
    pub by: String,
}

impl WasBlocked {
    fn of(there: &Blocked, now: Timestamp) -> WasBlocked {
        let end = |seconds: u64| {
            let span = SignedDuration::from_secs(i64::try_from(seconds).unwrap_or(i64::MAX));
            now.checked_add(span).unwrap_or(Timestamp::MAX)
        };
        WasBlocked { until: there.left.map(end), by: there.comment.clone() }
    }

    /// What makes it again, for the time that it has left; `None` when it would have ended.
    pub fn again(&self, net: Net, now: Timestamp) -> Option<Change> {
        let Some(until) = self.until else { return Some(Change::Block { net, seconds: None }) };
        let left = u64::try_from(until.duration_since(now).as_secs()).ok().filter(|s| *s > 0)?;
        Some(Change::Block { net, seconds: Some(left) })
    }
}

impl WasClosed {
    fn of(there: &Closed) -> WasClosed {
        WasClosed {
            except: there.except.iter().map(ToString::to_string).collect(),
            by: there.comment.clone(),
        }
    }

    /// What makes it again. A closing that was cut short is made whole: that is what was meant.
    pub fn again(&self, port: Port) -> Result<Change, String> {
        let except = self.except.iter().map(|n| Net::parse(n)).collect::<Result<_, _>>()?;
        Ok(Change::Close { ports: vec![port], except })
    }
}

impl Was {
    fn mark(s: &Setting<'_>) -> Mark {
        Mark::of_step(s, "filter-was")
    }

    /// What this step has noted, at any of its attempts.
    ///
    /// # Errors
    /// It cannot be read; completes "failed: …".
    pub fn of_step(s: &Setting<'_>) -> Result<Was, String> {
        Ok(Was::mark(s).noted()?.unwrap_or_default())
    }

    /// Notes what there is of what is about to be changed; on disk when it returns.
    ///
    /// # Errors
    /// It cannot be written; completes "failed: …".
    pub fn note(todo: &Change, filter: &Filter, ours: &str, s: &Setting<'_>) -> Result<(), String> {
        let mut was = Was::of_step(s)?;
        was.add(todo, filter, ours, s.clock.now().wall);
        Was::mark(s).note(&was)
    }

    /// What an earlier attempt has made, or left half changed, is not what was there before.
    fn add(&mut self, todo: &Change, filter: &Filter, ours: &str, now: Timestamp) {
        match todo {
            Change::Block { net, .. } | Change::Unblock { net } => {
                let key = net.to_string();
                let there = filter.block_of(net);
                let noted = self.blocked.get(&key);
                let own = there.is_some_and(|b| b.comment == ours);
                if noted.is_none() || !own {
                    self.blocked.insert(key, there.map(|b| WasBlocked::of(b, now)));
                }
            }
            Change::Close { ports, .. } | Change::Open { ports } => {
                for port in ports {
                    let key = port.to_string();
                    let there = filter.closings(*port).find(|c| c.comment != ours);
                    let own = filter.closings(*port).any(|c| c.comment == ours);
                    let same = |w: &Option<WasClosed>| match (w, there) {
                        (Some(was), Some(c)) => was.by == c.comment,
                        _ => false,
                    };
                    if !self.closed.get(&key).is_some_and(|w| own || same(w)) {
                        self.closed.insert(key, there.map(WasClosed::of));
                    }
                }
            }
        }
    }

    /// The block that the step took away or replaced.
    pub fn block(&self, net: &Net) -> Option<&WasBlocked> {
        self.blocked.get(&net.to_string())?.as_ref()
    }

    /// The closing that the step took away or replaced.
    pub fn closing(&self, port: Port) -> Option<&WasClosed> {
        self.closed.get(&port.to_string())?.as_ref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn closed(port: Port, by: &str) -> Closed {
        Closed { port, except: vec![], comment: by.into(), half: false }
    }

    #[test]
    fn a_second_attempt_does_not_note_what_the_first_has_made() {
        let port = Port::parse("tcp/443").unwrap();
        let close = Change::Close { ports: vec![port], except: vec![] };
        let filter = |all: &[&str]| Filter {
            blocked: vec![],
            closed: all.iter().map(|by| closed(port, by)).collect(),
        };
        // What there is at each attempt; whose closing is to be put back.
        let table: [(&[&[&str]], Option<&str>); 5] = [
            (&[&[], &["ours"]], None),
            (&[&["theirs"], &["theirs", "ours"], &["ours"]], Some("theirs")),
            (&[&["theirs"], &["others"]], Some("others")),
            (&[&["theirs"], &[]], None),
            (&[&[], &["theirs"]], Some("theirs")),
        ];
        for (attempts, want) in table {
            let mut was = Was::default();
            for there in attempts {
                was.add(&close, &filter(there), "ours", Timestamp::UNIX_EPOCH);
            }
            let got = was.closing(port).map(|w| w.by.as_str());
            assert_eq!(got, want, "{attempts:?}");
        }
    }

    #[test]
    fn a_block_comes_back_for_the_time_that_it_has_left() {
        let net = Net::parse("203.0.113.7").unwrap();
        let now = Timestamp::UNIX_EPOCH;
        let later = |s| now.checked_add(SignedDuration::from_secs(s)).unwrap();
        let was = |left| WasBlocked::of(&Blocked { net, left, comment: "c".into() }, now);
        assert_eq!(was(None).again(net, later(99)), Some(Change::Block { net, seconds: None }));
        assert_eq!(was(Some(60)).again(net, later(20)), Some(Change::Block { net, seconds: Some(40) }));
        assert_eq!(was(Some(60)).again(net, later(60)), None);
        assert!(was(Some(u64::MAX)).again(net, now).is_some());
    }
}
