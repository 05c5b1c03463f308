//! Disks that are full or cannot be written: nothing starts that could not be written down.

use crate::bench::{Bench, check, plan, step};
use quarterdeck::act::control;
use quarterdeck::act::rundir::WriteState;
use quarterdeck::domain::procedure::event::{Mode, Outcome};
use quarterdeck::domain::procedure::ledger::RunState;
use quarterdeck::domain::procedure::plan::Step;
use quarterdeck::domain::procedure::request::{Reply, Request};
use quarterdeck::domain::procedure::run::Phase;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// A small file system of its own at the state directory.
struct Disk(PathBuf);

impl Disk {
    /// `None`, said, where that is not allowed.
    fn under(b: &Bench, size: &str) -> Option<Disk> {
        let options = format!("size={size},mode=700");
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &options, "tmpfs"]).arg(b.state.root());
        if !rustix::process::getuid().is_root() || !mount.status().is_ok_and(|s| s.success()) {
            eprintln!("skipped: needs root and mounts for a small file system");
            return None;
        }
        let disk = Disk(b.state.root().to_owned());
        b.state.prepare().unwrap();
        Some(disk)
    }

    fn hog(&self) -> PathBuf {
        self.0.join("hog")
    }

    /// Leaves about so many bytes free.
    fn fill(&self, free: usize) {
        let mut file = fs::File::create(self.hog()).unwrap();
        while file.write(&[0; 4096]).is_ok_and(|n| n > 0) {}
        let len = file.metadata().unwrap().len();
        file.set_len(len.saturating_sub(free as u64)).unwrap();
    }

    fn remount(&self, how: &str) {
        let done = Command::new("mount").args(["-o", &format!("remount,{how}")]).arg(&self.0).status();
        assert!(done.unwrap().success());
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[test]
fn a_full_or_read_only_disk_lets_no_run_begin_and_says_so() {
    let b = Bench::new();
    let Some(disk) = Disk::under(&b, "1m") else { return };
    let plan = plan(vec![step("a", &format!("touch {}", b.file("trace")))]);
    let approved = b.approved(&plan);
    let start = || control::start(&b.state, &approved, &b.launch(None), b.clock.now().wall);
    disk.fill(0);
    let why = start().unwrap_err();
    assert!(why.contains("No space left"), "{why}");
    fs::remove_file(disk.hog()).unwrap();
    disk.remount("ro");
    let why = start().unwrap_err();
    assert!(why.contains("Read-only file system"), "{why}");
    disk.remount("rw");
    assert!(!Path::new(&b.file("trace")).exists());
    let id = start().unwrap();
    assert_eq!(b.until_gone(id.as_str()).run.ended.unwrap().outcome, Outcome::Verified);
}

#[test]
fn a_step_is_not_begun_whose_end_could_not_be_written_down() {
    let b = Bench::new();
    let Some(disk) = Disk::under(&b, "1m") else { return };
    let id = {
        let approved = b.approved(&plan(vec![step("a", &format!("echo x >> {}", b.file("trace")))]));
        disk.fill(60_000);
        control::start(&b.state, &approved, &b.launch(None), b.clock.now().wall).unwrap().to_string()
    };
    let loaded = b.until_gone(&id);
    assert_eq!((loaded.run.state(false), b.lines("trace")), (RunState::Lost, 0));
    assert_eq!(loaded.run.steps[0].phase, Phase::Waiting);
    let log = fs::read_to_string(b.state.run(&id).unwrap().log()).unwrap();
    assert!(log.contains("the step was not begun") && log.contains("No space left"), "{log}");
    fs::remove_file(disk.hog()).unwrap();
    b.resume(&id, Mode::Continue, None).unwrap();
    assert_eq!(b.until_gone(&id).run.ended.unwrap().outcome, Outcome::Verified);
    assert_eq!(b.lines("trace"), 1);
}

#[test]
fn a_step_that_fills_the_disk_has_its_end_written_down_all_the_same() {
    let b = Bench::new();
    let Some(disk) = Disk::under(&b, "1m") else { return };
    let hog = disk.hog().display().to_string();
    let plan = plan(vec![step("a", &format!("dd if=/dev/zero of={hog} bs=4k 2>/dev/null || true"))]);
    let id = b.start(&plan, None).unwrap();
    let run = b.until_gone(&id).run;
    assert_eq!(run.ended.as_ref().map(|e| e.outcome), Some(Outcome::Verified), "{run:#?}");
}

#[test]
fn an_abort_holds_also_when_it_cannot_be_written_and_is_written_once_it_can() {
    let b = Bench::new();
    let Some(disk) = Disk::under(&b, "1m") else { return };
    // Long observations use up what was kept free for the journal.
    let verify = Some(check(format!("has /{}", "x".repeat(3_000)), 1, Duration::from_secs(600)));
    let steps = vec![Step { verify, ..step("a", "true") }, step("b", &format!("touch {}", b.file("trace")))];
    let id = b.start(&plan(steps), None).unwrap();
    b.until(&id, "it is verified", |l| matches!(l.run.steps[0].phase, Phase::Verifying { .. }));
    disk.fill(0);
    let log = b.state.run(&id).unwrap().log();
    let said = || fs::read_to_string(&log).unwrap_or_default();
    b.until(&id, "the journal is full", |_| said().contains("No space left"));
    let refused = loop {
        match b.ask(&id, &Request::Abort { now: true }).unwrap() {
            Reply::Refused { why } => break why,
            // There was room for that one.
            Reply::Taken => {}
        }
    };
    assert!(refused.contains("heeded all the same"), "{refused}");
    fs::remove_file(disk.hog()).unwrap();
    let run = b.until_gone(&id).run;
    assert_eq!(run.ended.as_ref().map(|e| e.outcome), Some(Outcome::Aborted), "{run:#?}");
    assert!(!Path::new(&b.file("trace")).exists());
}
