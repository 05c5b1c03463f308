//! What who only looks is shown of runs: the wallboard on the state directory of real runs, and the
//! picture of a screen.

use crate::harness::{self, until};
use crate::pty::{Exit, Launch, Pty};
use crate::yard::Yard;
use rustix::process::{Pid, Signal, kill_process};
use std::collections::BTreeMap;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::PathBuf;
use std::time::Duration;

fn wallboard(yard: &Yard, size: (u16, u16)) -> Pty {
    let config = yard.path("config.toml");
    let launch =
        Launch::new(crate::PROGRAM).arg("--config").arg(config).args(["wallboard", "--rotate", "1h"]);
    launch.env("HOME", "/nonexistent").size(size.0, size.1).start()
}

/// Turns all pages and tells of each what is on it.
fn every_page(pty: &Pty) -> Vec<String> {
    let first = pty.wait_for("page 1/");
    let of: usize =
        first.split("page 1/").nth(1).unwrap().chars().next().unwrap().to_digit(10).unwrap() as usize;
    assert!(of > 1, "{first}");
    let turn = |page: usize| {
        pty.send("n");
        pty.wait_for(&format!("page {}/{of}", page % of + 1))
    };
    (1..=of).map(turn).collect()
}

#[test]
fn the_wallboard_shows_runs_holds_doubts_and_debts_on_every_page() {
    let yard = Yard::new();
    let (wide, small) = (wallboard(&yard, (120, 40)), wallboard(&yard, (80, 24)));
    for pty in [&wide, &small] {
        let calm = pty.wait_for("page 1/");
        assert!(!calm.contains("RUN") && !calm.contains("HELD") && !calm.contains("runs"), "{calm}");
    }
    let slow = yard.start("slow");
    until("the step", || yard.has("begun"));
    for pty in [&wide, &small] {
        pty.wait_for("RUN slow 0/2 since ");
    }
    let held = yard.start("held");
    for pty in [&wide, &small] {
        pty.wait_for("HELD held waits for you ");
    }
    let runner = i32::try_from(yard.show(&slow)["runner"].as_i64().unwrap()).unwrap();
    kill_process(Pid::from_raw(runner).unwrap(), Signal::KILL).unwrap();
    for pty in [&wide, &small] {
        pty.wait_for("IN DOUBT slow lost its runner ");
    }
    yard.run("fails", &[]).expect(1);
    let all = ["HELD held waits for you ", "IN DOUBT slow lost its runner ", "OWED the first file is there "];
    for pty in [&wide, &small] {
        pty.wait_for(all[2]);
        for page in every_page(pty) {
            for words in all {
                let after = page.split(words).nth(1).unwrap_or_else(|| panic!("no {words}: {page}"));
                assert!(after.starts_with(|c: char| c.is_ascii_digit()), "no age after {words}: {page}");
            }
        }
    }
    // Whoever sees that is not led to a key that would answer it.
    small.send("4\rRCDa?:x\x1by\r");
    small.send("p");
    small.wait_for("PAUSED");
    assert_eq!(yard.show(&held)["state"], "held");
    yard.say(&["runs", "release-hold", &held, "--choice", "stop"]).expect(0);
    for pty in [&wide, &small] {
        until("what is answered to go", || !pty.screen().contains("HELD"));
        assert!(pty.screen().contains(all[1]) && pty.screen().contains(all[2]), "{}", pty.screen());
    }
    yard.write("go");
    for pty in [&wide, &small] {
        pty.send("q");
        assert_eq!(pty.wait_exit(), Exit::Code(0));
    }
}

/// Everything that the file system tells of what is there, but when it was read: also a change of a
/// mode, or a name that came and went, shows.
fn tree(yard: &Yard) -> BTreeMap<PathBuf, (u32, u64, i64, i64)> {
    let mut out = BTreeMap::new();
    let mut todo = vec![yard.path("state")];
    while let Some(path) = todo.pop() {
        let is = std::fs::symlink_metadata(&path).unwrap();
        if is.is_dir() {
            todo.extend(std::fs::read_dir(&path).unwrap().flatten().map(|e| e.path()));
        }
        out.insert(path, (is.mode(), is.size(), is.ctime(), is.ctime_nsec()));
    }
    out
}

#[test]
fn who_only_looks_leaves_no_trace_on_what_runs_wrote() {
    let yard = Yard::new();
    yard.say(&["snapshot", "--screen", "wallboard"]).expect(0);
    let pty = wallboard(&yard, (80, 24));
    // Long enough for the alerts to have been evaluated, which the dashboard would keep.
    std::thread::park_timeout(Duration::from_secs(3));
    pty.send("q");
    assert_eq!(pty.wait_exit(), Exit::Code(0));
    assert!(!yard.has("state"), "looking makes no directory");
    yard.run("fails", &[]).expect(1);
    // Its end is told before its runner has let go of everything.
    until("the runner to be gone", || !tree(&yard).keys().any(|path| path.ends_with("control.sock")));
    let before = tree(&yard);
    assert!(before.len() > 8, "{before:?}");
    let pty = wallboard(&yard, (80, 24));
    pty.wait_for("OWED the first file is there");
    pty.send("q");
    pty.wait_exit();
    for screen in ["wallboard", "overview"] {
        let picture = yard.say(&["snapshot", "--screen", screen, "--size", "120x40"]).expect(0).out;
        assert!(picture.contains("OWED the first file is there"), "{picture}");
    }
    assert_eq!(tree(&yard), before);
}

#[test]
fn nothing_is_drawn_while_nothing_changes() {
    let yard = Yard::new();
    let held = yard.start("held");
    until("the hold", || yard.show(&held)["state"] == "held");
    let pty = wallboard(&yard, (80, 24));
    pty.wait_for("HELD held");
    pty.settle(Duration::from_secs(1));
    let before = pty.bytes().len();
    std::thread::park_timeout(Duration::from_secs(4));
    let drawn = pty.bytes().len() - before;
    // The clock, and an age, once a second each.
    assert!(drawn < 1500, "{drawn} bytes for four seconds");
    pty.send("q");
    pty.wait_exit();
    yard.say(&["runs", "release-hold", &held, "--choice", "stop"]).expect(0);
}

/// Not to be let in is not to be told that there is nothing, and no alarm either.
#[test]
fn who_may_not_read_the_runs_is_told_so_quietly() {
    if !harness::is_root() {
        println!("skipped: only root can be two people");
        return;
    }
    let look = ["snapshot", "--screen", "wallboard", "--size", "120x40"];
    let yard = Yard::new();
    std::fs::set_permissions(yard.path(""), std::fs::Permissions::from_mode(0o755)).unwrap();
    let quiet = yard.as_nobody(&look, "").expect(0).out;
    assert!(!quiet.contains("runs"), "without a state directory there is nothing to tell: {quiet}");
    yard.run("fails", &[]).expect(1);
    let told = yard.as_nobody(&look, "").expect(0).out;
    let place = yard.path("state/runs").display().to_string();
    assert!(told.contains("runs are not shown: this user may not read"), "{told}");
    assert!(
        !told.contains("OWED") && !told.contains("RUNS UNKNOWN") && !told.contains("failed to"),
        "{told}"
    );
    assert!(told.contains(&place[..20]), "{told}");

    // A member of the operators' group is shown what the group's runs do.
    let shared = Yard::shared();
    let held = shared.start("held");
    until("the hold", || shared.show(&held)["state"] == "held");
    let told = shared.as_nobody(&look, "").expect(0).out;
    assert!(told.contains("HELD held waits for you"), "{told}");
    shared.say(&["runs", "release-hold", &held, "--choice", "stop"]).expect(0);
}

/// A monitoring system asks how the stack is, not what people are doing to it.
#[test]
fn a_check_tells_of_probes_whatever_runs_do() {
    let yard = Yard::new();
    let check = || {
        let said = yard.say(&["check", "--output", "json"]);
        let report = said.json();
        (said.code, report["health"].clone(), report.as_object().unwrap().keys().cloned().collect::<Vec<_>>())
    };
    let before = check();
    let held = yard.start("held");
    until("the hold", || yard.show(&held)["state"] == "held");
    assert_eq!(check(), before);
    yard.say(&["runs", "release-hold", &held, "--choice", "stop"]).expect(0);
}
