//! Changes that belong on the time axis of every graph, read off the series themselves.

use crate::domain::board::{Mark, MarkKind};
use crate::domain::series::{Labels, Matcher, Millis, Op, is_stale};
use crate::domain::text;
use jiff::Timestamp;
use std::collections::{HashMap, VecDeque};

/// Marks kept; the oldest go first.
pub const MAX_MARKS: usize = 200;
/// Series watched for changes; beyond it new ones are not.
const MAX_WATCHED: usize = 10_000;
/// Client libraries export when their process started under this name, in seconds.
const STARTED: &str = "process_start_time_seconds";
/// Client libraries export what runs as a label of a series whose name ends so.
const BUILD: &str = "_build_info";
/// A clock that is stepped moves the start of a process by a little, which is no restart.
const SAME_START: f64 = 2.0;

/// Watches for restarts and deploys.
#[derive(Debug, Default)]
pub struct Marks {
    /// When each process was last seen to have started.
    started: HashMap<Labels, f64>,
    /// The labels under which each build was last seen.
    builds: HashMap<Labels, Builds>,
    /// The process id that each probe last saw.
    pids: HashMap<Labels, f64>,
    kept: VecDeque<Mark>,
}

/// What one exporter says it runs. Some say it of several parts at once.
#[derive(Debug, Default)]
struct Builds {
    at: Millis,
    now: Vec<Labels>,
    before: Vec<Labels>,
}

/// Parts of which one exporter may tell the build; of more, none is told.
const MAX_PARTS: usize = 32;

impl Marks {
    /// What must be kept of every page for this to work.
    pub fn wanted() -> Vec<Vec<Matcher>> {
        let builds = Matcher::new("__name__", Op::Match, format!(".+{BUILD}"));
        let mut out = vec![vec![Matcher::equal("__name__", STARTED)]];
        out.extend(builds.ok().map(|m| vec![m]));
        out
    }

    /// Looks at one sample; cheap for those that say nothing.
    pub fn observe(&mut self, labels: &Labels, t: Millis, v: f64) {
        if is_stale(v) || !v.is_finite() {
            return;
        }
        let name = labels.name();
        if name == STARTED {
            self.process(labels, v);
        } else if name.ends_with(BUILD) {
            self.build(labels, t);
        } else if name == "probe_fact" && labels.get("fact") == "PID" {
            self.pid(labels, t, v);
        }
    }

    fn process(&mut self, labels: &Labels, v: f64) {
        let known = self.started.len() < MAX_WATCHED || self.started.contains_key(labels);
        let before = if known { self.started.insert(labels.clone(), v) } else { None };
        if before.is_some_and(|b| (b - v).abs() > SAME_START)
            && let Ok(at) = Timestamp::from_millisecond((v * 1000.0) as i64)
        {
            self.push(at, MarkKind::Restart, &format!("{} restarted", whose(labels)));
        }
    }

    fn build(&mut self, labels: &Labels, t: Millis) {
        // One that runs is told by who exports it; the rest of the labels say what it is.
        let who = labels.filtered(|n| matches!(n, "__name__" | "job" | "instance" | "host"));
        if self.builds.len() >= MAX_WATCHED && !self.builds.contains_key(&who) {
            return;
        }
        let builds = self.builds.entry(who).or_default();
        if t > builds.at {
            (builds.at, builds.before) = (t, std::mem::take(&mut builds.now));
        }
        if t < builds.at || builds.now.len() >= MAX_PARTS {
            return;
        }
        let known = builds.before.is_empty() || builds.before.contains(labels);
        builds.now.push(labels.clone());
        if !known
            && let Some(before) = builds.before.iter().max_by_key(|b| in_common(b, labels)).cloned()
            && let Ok(at) = Timestamp::from_millisecond(t)
        {
            let version = |l: &Labels| {
                ["version", "revision", "commit", "goversion"]
                    .iter()
                    .map(|name| l.get(name).to_owned())
                    .find(|v| !v.is_empty())
            };
            let change = match (version(&before), version(labels)) {
                (Some(from), Some(to)) => format!(": {from} to {to}"),
                _ => String::new(),
            };
            self.push(at, MarkKind::Deploy, &format!("{} runs another build{change}", whose(labels)));
        }
    }

    fn pid(&mut self, labels: &Labels, t: Millis, v: f64) {
        // 0 is what a stopped unit shows; the next process is still another one.
        if v <= 0.0 || (self.pids.len() >= MAX_WATCHED && !self.pids.contains_key(labels)) {
            return;
        }
        let before = self.pids.insert(labels.clone(), v);
        if before.is_some_and(|b| (b - v).abs() > 0.5)
            && let Ok(at) = Timestamp::from_millisecond(t)
        {
            self.push(at, MarkKind::Restart, &format!("{} restarted", labels.get("probe")));
        }
    }

    /// Adds one that somebody else knows of.
    pub fn push(&mut self, at: Timestamp, kind: MarkKind, text: &str) {
        let mark = Mark { at, kind, text: text::one_line(text, 120) };
        // A rule that fires for a hundred instances at once is one change.
        if self.kept.iter().rev().any(|m| *m == mark) {
            return;
        }
        if self.kept.len() >= MAX_MARKS {
            self.kept.pop_front();
        }
        self.kept.push_back(mark);
    }

    /// Oldest first.
    pub fn list(&self) -> Vec<Mark> {
        let mut all: Vec<Mark> = self.kept.iter().cloned().collect();
        all.sort_by_key(|m| m.at);
        all
    }
}

/// How many labels two series share: which build became which.
fn in_common(a: &Labels, b: &Labels) -> usize {
    a.iter().filter(|(name, value)| b.get(name) == *value).count()
}

/// The job of a series, and the instance where there is one.
fn whose(labels: &Labels) -> String {
    match (labels.get("job"), labels.get("instance")) {
        ("", instance) => instance.to_owned(),
        (job, "") => job.to_owned(),
        (job, instance) => format!("{job} {instance}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Step<'a> = (&'a [(&'a str, &'a str)], Millis, f64);

    fn seen(steps: &[Step<'_>]) -> Vec<(i64, MarkKind, String)> {
        let mut marks = Marks::default();
        for (labels, t, v) in steps {
            marks.observe(&Labels::new(labels.iter().copied()), *t, *v);
        }
        marks.list().into_iter().map(|m| (m.at.as_second(), m.kind, m.text)).collect()
    }

    #[test]
    fn a_process_that_started_later_was_restarted_then() {
        let series: &[(&str, &str)] = &[("__name__", STARTED), ("job", "api")];
        let steps: &[_] = &[(series, 0, 100.0), (series, 1000, 100.4), (series, 2000, 500.0)];
        assert_eq!(seen(steps), [(500, MarkKind::Restart, "api restarted".to_owned())]);
    }

    #[test]
    fn an_exporter_that_tells_of_several_builds_at_once_is_not_deployed_at_every_look() {
        let v = |part, version| {
            [("__name__", "x_build_info"), ("job", "api"), ("part", part), ("version", version)]
        };
        let (a, b, c) = (v("a", "1"), v("b", "2"), v("b", "3"));
        let mut steps: Vec<Step<'_>> = Vec::new();
        for t in 1..9 {
            steps.extend([(&a[..], t * 1000, 1.0), (if t < 5 { &b[..] } else { &c[..] }, t * 1000, 1.0)]);
        }
        let marks = seen(&steps);
        assert_eq!(marks.iter().map(|m| m.0).collect::<Vec<_>>(), [5], "{marks:?}");
    }

    #[test]
    fn another_version_of_the_same_instance_is_a_deploy() {
        let v = |version| {
            [("__name__", "api_build_info"), ("job", "api"), ("instance", "a:1"), ("version", version)]
        };
        let (one, two) = (v("1.0"), v("1.1"));
        let steps: &[_] = &[(&one[..], 1000, 1.0), (&one[..], 2000, 1.0), (&two[..], 3000, 1.0)];
        assert_eq!(seen(steps), [(3, MarkKind::Deploy, "api a:1 runs another build: 1.0 to 1.1".to_owned())]);
    }

    #[test]
    fn another_process_behind_a_probe_is_a_restart_and_none_is_not() {
        let series: &[(&str, &str)] = &[("__name__", "probe_fact"), ("fact", "PID"), ("probe", "nginx")];
        let steps: &[_] = &[(series, 0, 7.0), (series, 1000, 0.0), (series, 2000, 7.0), (series, 3000, 9.0)];
        assert_eq!(seen(steps), [(3, MarkKind::Restart, "nginx restarted".to_owned())]);
    }

    #[test]
    fn there_are_never_more_than_the_bound() {
        let mut marks = Marks::default();
        for i in 0..i64::try_from(MAX_MARKS).unwrap() + 5 {
            marks.push(Timestamp::from_second(i).unwrap(), MarkKind::Alert, &i.to_string());
        }
        let all = marks.list();
        assert_eq!((all.len(), all[0].text.as_str()), (MAX_MARKS, "5"));
    }
}
