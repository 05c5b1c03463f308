//! The model's log records and system journal: two bounded rings and the totals behind them.

use std::borrow::Cow;
use std::collections::{BTreeMap, VecDeque};

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use crate::demo::rng::Uuid;

/// Log records kept for the log endpoints; older ones are only in the files.
pub const RING: usize = 2000;
/// Journal entries kept for `journalctl`.
pub const JOURNAL: usize = 1000;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    Debug,
    Info,
    Warning,
    Error,
    Critical,
}

impl Level {
    pub const ALL: [Level; 5] = [Level::Debug, Level::Info, Level::Warning, Level::Error, Level::Critical];

    pub fn name(self) -> &'static str {
        match self {
            Self::Debug => "DEBUG",
            Self::Info => "INFO",
            Self::Warning => "WARNING",
            Self::Error => "ERROR",
            Self::Critical => "CRITICAL",
        }
    }

    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|level| level.name().eq_ignore_ascii_case(name))
    }
}

/// One line of a service's log file.
#[derive(Clone, Debug)]
pub struct Record {
    pub id: u64,
    pub ts: Timestamp,
    /// Also the stem of its file's name.
    pub service: &'static str,
    pub level: Level,
    pub event: &'static str,
    pub user: Option<Uuid>,
    pub device: Option<Uuid>,
    pub extra: Vec<(&'static str, Value)>,
}

impl Record {
    /// The line as upstream writes it to the file.
    pub fn line(&self) -> String {
        let mut map = self.extra_map();
        map.insert("ts".into(), stamp(self.ts).into());
        map.insert("service".into(), self.service.into());
        map.insert("level".into(), self.level.name().into());
        map.insert("event".into(), self.event.into());
        map.insert("stack_trace".into(), Value::Null);
        if let Some(user) = self.user {
            map.insert("user_id".into(), user.to_string().into());
        }
        if let Some(device) = self.device {
            map.insert("device_id".into(), device.to_string().into());
        }
        Value::Object(map).to_string()
    }

    /// The row as the log service returns it: `extra` is text, not an object.
    pub fn row(&self) -> Value {
        json!({
            "id": self.id,
            "ingested_at": stamp(self.ts + jiff::SignedDuration::from_secs(1)),
            "ts": stamp(self.ts),
            "service": self.service,
            "level": self.level.name(),
            "event": self.event,
            "request_id": Value::Null,
            "user_id": self.user.map(|id| id.to_string()),
            "device_id": self.device.map(|id| id.to_string()),
            "source_file": format!("{}.log", self.service),
            "extra": Value::Object(self.extra_map()).to_string(),
        })
    }

    fn extra_map(&self) -> Map<String, Value> {
        self.extra.iter().map(|(k, v)| ((*k).to_owned(), v.clone())).collect()
    }
}

/// UTC with microseconds and `Z`.
pub fn stamp(ts: Timestamp) -> String {
    format!("{ts:.6}")
}

/// One entry of the system journal.
#[derive(Clone, Debug)]
pub struct Entry {
    pub seq: u64,
    pub ts: Timestamp,
    pub unit: &'static str,
    pub ident: &'static str,
    /// Syslog priority, 0 to 7.
    pub priority: u8,
    pub message: Cow<'static, str>,
}

/// Everything the stack has logged.
#[derive(Debug)]
pub struct LogStore {
    /// When the current second of the model is.
    second: Timestamp,
    in_second: i64,
    ring: VecDeque<Record>,
    journal: VecDeque<Entry>,
    next_id: u64,
    next_seq: u64,
    /// The first id that has not been written to a file.
    unwritten: u64,
    events: BTreeMap<&'static str, u64>,
    levels: [u64; 5],
    /// Records that found no room on the disk.
    pub dropped: u64,
}

impl LogStore {
    pub fn new(second: Timestamp) -> Self {
        Self {
            second,
            in_second: 0,
            ring: VecDeque::new(),
            journal: VecDeque::new(),
            next_id: 48_211,
            next_seq: 1,
            unwritten: 0,
            events: BTreeMap::new(),
            levels: [0; 5],
            dropped: 0,
        }
    }

    /// Moves to the next second; records made in one second keep their order.
    pub fn begin_second(&mut self, second: Timestamp) {
        self.second = second;
        self.in_second = 0;
    }

    fn stamp_next(&mut self) -> Timestamp {
        self.in_second = (self.in_second + 1).min(999);
        self.second + jiff::SignedDuration::from_micros(self.in_second * 1000 + 337)
    }

    pub fn write(&mut self, service: &'static str, level: Level, event: &'static str) {
        self.write_with(service, level, event, None, Vec::new());
    }

    /// `who` is a user and one of their devices.
    pub fn write_with(
        &mut self,
        service: &'static str,
        level: Level,
        event: &'static str,
        who: Option<(Uuid, Uuid)>,
        extra: Vec<(&'static str, Value)>,
    ) {
        let ts = self.stamp_next();
        let (user, device) = (who.map(|w| w.0), who.map(|w| w.1));
        if self.ring.len() == RING {
            self.ring.pop_front();
        }
        self.ring.push_back(Record { id: self.next_id, ts, service, level, event, user, device, extra });
        self.next_id += 1;
        *self.events.entry(event).or_default() += 1;
        self.levels[level as usize] += 1;
    }

    pub fn journal(
        &mut self,
        unit: &'static str,
        ident: &'static str,
        priority: u8,
        message: impl Into<Cow<'static, str>>,
    ) {
        let ts = self.stamp_next();
        if self.journal.len() == JOURNAL {
            self.journal.pop_front();
        }
        let message = message.into();
        self.journal.push_back(Entry { seq: self.next_seq, ts, unit, ident, priority, message });
        self.next_seq += 1;
    }

    /// Newest last.
    pub fn records(&self) -> &VecDeque<Record> {
        &self.ring
    }

    /// Newest last.
    pub fn entries(&self) -> &VecDeque<Entry> {
        &self.journal
    }

    /// What has not been written to a file yet; asking is taking.
    pub fn take_unwritten(&mut self) -> Vec<Record> {
        // Ids are consecutive, so what is new is the ring's tail.
        let fresh = (self.next_id - self.unwritten).min(self.ring.len() as u64) as usize;
        let fresh = self.ring.iter().skip(self.ring.len() - fresh).cloned().collect();
        self.unwritten = self.next_id;
        fresh
    }

    /// How often `event` was logged since the model began.
    pub fn count(&self, event: &str) -> u64 {
        self.events.get(event).copied().unwrap_or(0)
    }

    pub fn level_count(&self, level: Level) -> u64 {
        self.levels[level as usize]
    }

    /// Rows in the log database, with those from before the model began.
    pub fn total(&self) -> u64 {
        self.next_id
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rings_are_bounded_and_files_get_each_record_once() {
        let mut log = LogStore::new(Timestamp::UNIX_EPOCH);
        for _ in 0..RING + 5 {
            log.write("auth-service", Level::Info, "login_success");
            log.journal("tornado.service", "tornado-master", 6, "hello");
        }
        assert_eq!(log.records().len(), RING);
        assert_eq!(log.entries().len(), JOURNAL);
        assert_eq!(log.count("login_success"), RING as u64 + 5);
        assert_eq!(log.take_unwritten().len(), RING);
        assert!(log.take_unwritten().is_empty());
        log.write("auth-service", Level::Warning, "login_failed");
        assert_eq!(log.take_unwritten().len(), 1);
    }

    #[test]
    fn a_line_is_one_json_object_with_utc_time() {
        let mut log = LogStore::new(Timestamp::UNIX_EPOCH);
        log.write_with(
            "ipam-service",
            Level::Warning,
            "ip_pool_exhausted",
            None,
            vec![("pool", json!("vpn"))],
        );
        let line: Value = serde_json::from_str(&log.records()[0].line()).unwrap();
        assert_eq!(line["event"], "ip_pool_exhausted");
        assert_eq!(line["pool"], "vpn");
        assert_eq!(line["ts"], "1970-01-01T00:00:00.001337Z");
    }
}
