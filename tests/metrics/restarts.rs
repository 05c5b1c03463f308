//! Alerts outlive the program: ended in order, killed, with a damaged file, and with nowhere to write.

use crate::PROGRAM;
use crate::harness::until;
use crate::live::{Page, scrape, stack_file};
use crate::pty::{Launch, Pty};
use rustix::process::Signal;
use serde_json::Value;
use std::path::{Path, PathBuf};

const RULES: &str = "[[rules]]\nalert = 'Load'\nexpr = 'load > 1'\n\
[[rules]]\nalert = 'Rate'\nexpr = 'rate(load[1m]) >= 0'\n";

struct Place {
    dir: tempfile::TempDir,
    stack: PathBuf,
    _page: Page,
}

impl Place {
    fn new() -> Place {
        let dir = tempfile::tempdir().unwrap();
        let page = Page::new("load 2\n");
        let stack = stack_file(dir.path(), &[scrape("api", page.port, ""), RULES.into()].concat());
        std::fs::write(dir.path().join("config.toml"), "").unwrap();
        Place { dir, stack, _page: page }
    }

    fn state(&self) -> PathBuf {
        self.dir.path().join("state")
    }

    fn kept(&self) -> PathBuf {
        self.state().join("alerts/s.json")
    }

    fn run(&self) -> Pty {
        let launch = Launch::new(PROGRAM).size(120, 40).env("HOME", self.dir.path()).arg("--config");
        let launch = launch.arg(self.dir.path().join("config.toml")).arg("--stack").arg(&self.stack);
        launch.arg("--state-dir").arg(self.state()).start()
    }

    /// The alerts in the file once both rules fire there and `is_so`: their since-times.
    fn since(&self, is_so: impl Fn(&Value) -> bool) -> Vec<(String, i64)> {
        let mut found = Vec::new();
        until("the alerts to be written down", || {
            let Some(alerts) = read(&self.kept()) else { return false };
            let alerts = alerts["alerts"].as_array().unwrap().clone();
            let since = |a: &Value| (a["rule"].as_str().unwrap().to_owned(), a["since"].as_i64().unwrap());
            found = alerts.iter().map(since).collect();
            alerts.len() == 2 && alerts.iter().all(|a| a["pending"] == false && is_so(a))
        });
        found.sort();
        found
    }
}

fn read(file: &Path) -> Option<Value> {
    serde_json::from_str(&std::fs::read_to_string(file).ok()?).ok()
}

#[test]
fn since_times_outlive_an_end_and_a_kill() {
    let place = Place::new();
    let first = place.run();
    let since = place.since(|_| true);
    first.signal(Signal::TERM);
    first.wait_exit();
    for signal in [Signal::KILL, Signal::TERM] {
        let again = place.run();
        again.wait_for("Load");
        // Written anew by this run once an alert has moved, or at its end.
        again.signal(signal);
        again.wait_exit();
    }
    assert_eq!(place.since(|_| true), since);
    let last = place.run();
    let screen = last.wait_for("Rate");
    assert!(screen.contains("Load"), "{screen}");
    last.signal(Signal::TERM);
    last.wait_exit();
    assert_eq!(place.since(|_| true), since);
}

#[test]
fn a_damaged_file_starts_fresh_and_a_place_that_cannot_be_written_stops_nothing() {
    let place = Place::new();
    std::fs::create_dir_all(place.state().join("alerts")).unwrap();
    std::fs::write(place.kept(), "{\"version\":1,\"at\":").unwrap();
    let fresh = place.run();
    fresh.wait_for("Load");
    place.since(|a| a["earlier"].is_null());
    fresh.signal(Signal::TERM);
    fresh.wait_exit();

    std::fs::remove_dir_all(place.state()).unwrap();
    std::fs::create_dir_all(place.state()).unwrap();
    std::fs::write(place.state().join("alerts"), "a file where the directory should be").unwrap();
    let deaf = place.run();
    deaf.wait_for("Load");
    deaf.wait_for("Rate");
    assert!(deaf.is_running());
    deaf.signal(Signal::TERM);
    deaf.wait_exit();
    assert!(place.state().join("alerts").is_file());
}
