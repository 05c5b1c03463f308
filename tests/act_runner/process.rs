//! A runner as a process: its own session, its signals, its socket, and who may speak to it.

use crate::bench::{Bench, manual, plan, step};
use quarterdeck::domain::procedure::event::{Choice, Event, Mode, Outcome};
use quarterdeck::domain::procedure::request::{Reply, Request};
use quarterdeck::domain::procedure::run::Phase;
use rustix::process::{Pid, Signal, kill_process};
use std::fs;
use std::os::unix::fs::PermissionsExt;

fn held(b: &Bench) -> (String, Pid) {
    let id = b.start(&plan(vec![step("a", "true"), manual("m")]), None).unwrap();
    let run = b.until(&id, "it is held", |l| l.run.hold.is_some()).run;
    (id, Pid::from_raw(i32::try_from(run.runner).unwrap()).unwrap())
}

#[test]
fn it_has_a_session_of_its_own_and_only_sigterm_ends_it() {
    let b = Bench::new();
    let (id, pid) = held(&b);
    assert_eq!(rustix::process::getsid(Some(pid)).unwrap(), pid);
    assert_eq!(fs::read_link(format!("/proc/{}/cwd", pid.as_raw_nonzero())).unwrap().as_os_str(), "/");
    for signal in [Signal::HUP, Signal::INT] {
        kill_process(pid, signal).unwrap();
        assert_eq!(b.ask(&id, &Request::Ping).unwrap(), Reply::Taken, "{signal:?}");
    }
    kill_process(pid, Signal::TERM).unwrap();
    // That was the end of a process, and no decision about the run: it stays as it is, with its lock.
    let run = b.until_gone(&id).run;
    assert!(run.ended.is_none() && !run.in_doubt());
    let note = &run.notes.last().unwrap().1;
    assert!(note.ends_with("leaves the run as it stands: interrupted by SIGTERM before step `m`"), "{note}");
    let why = b.start(&plan(vec![step("a", "true")]), None).unwrap_err();
    assert!(why.contains("resume or abort that run first"), "{why}");
    b.resume(&id, Mode::Continue, None).unwrap();
    let hold = b.until(&id, "it is held again", |l| l.run.hold.is_some()).run.hold.unwrap();
    let done = Request::Release { step: "m".into(), hold: Some(hold.n), choice: Choice::GoOn, note: None };
    assert_eq!(b.ask(&id, &done).unwrap(), Reply::Taken);
    assert_eq!(b.until_gone(&id).run.ended.unwrap().outcome, Outcome::Verified);
}

#[test]
fn told_to_end_it_lets_its_step_finish_and_goes_on_later_without_doing_it_again() {
    let b = Bench::new();
    let (go, trace) = (b.file("go"), b.file("trace"));
    let first = step("a", &format!("while ! [ -e {go} ]; do sleep 0.05; done; echo a >> {trace}"));
    let id = b.start(&plan(vec![first, step("b", &format!("echo b >> {trace}"))]), None).unwrap();
    let run = b.until(&id, "its step runs", |l| l.run.steps[0].phase == Phase::Running).run;
    kill_process(Pid::from_raw(i32::try_from(run.runner).unwrap()).unwrap(), Signal::TERM).unwrap();
    b.until(&id, "it was heard", |l| l.run.abort.is_some());
    fs::write(&go, "").unwrap();
    assert!(b.until_gone(&id).run.ended.is_none());
    assert_eq!(b.lines("trace"), 1);
    b.resume(&id, Mode::Continue, None).unwrap();
    assert_eq!(b.until_gone(&id).run.ended.unwrap().outcome, Outcome::Verified);
    assert_eq!(fs::read_to_string(&trace).unwrap(), "a\nb\n");
}

/// What ends programs is no person's request: the first of those lets the step end.
#[test]
fn who_aborts_a_run_that_is_told_to_end_lets_its_step_finish() {
    let b = Bench::new();
    let (go, trace) = (b.file("go"), b.file("trace"));
    let first = step("a", &format!("while ! [ -e {go} ]; do sleep 0.05; done; echo a >> {trace}"));
    let id = b.start(&plan(vec![first, step("b", "true")]), None).unwrap();
    let run = b.until(&id, "its step runs", |l| l.run.steps[0].phase == Phase::Running).run;
    kill_process(Pid::from_raw(i32::try_from(run.runner).unwrap()).unwrap(), Signal::TERM).unwrap();
    b.until(&id, "it was heard", |l| l.run.abort.is_some());
    assert_eq!(b.ask(&id, &Request::Abort { now: false }).unwrap(), Reply::Taken);
    fs::write(&go, "").unwrap();
    let ended = b.until_gone(&id).run.ended.unwrap();
    assert_eq!((ended.outcome, b.lines("trace")), (Outcome::Aborted, 1), "{}", ended.why);
    assert!(!ended.why.contains("SIGTERM"), "{}", ended.why);
}

#[test]
fn a_socket_deep_in_the_file_system_is_reached_as_well() {
    let b = Bench::at(&format!("{0}/{0}/{0}", "d".repeat(60)), None);
    let (id, _) = held(&b);
    assert!(b.state.run(&id).unwrap().socket().as_os_str().len() > 107);
    assert_eq!(b.ask(&id, &Request::Abort { now: false }).unwrap(), Reply::Taken);
    assert_eq!(b.until_gone(&id).run.ended.unwrap().outcome, Outcome::Aborted);
    assert!(b.ask(&id, &Request::Ping).unwrap_err().contains("there is none"));
}

#[test]
fn nonsense_at_the_socket_is_refused_and_does_no_harm() {
    use std::io::{Read, Write};
    let b = Bench::new();
    let (id, _) = held(&b);
    let path = b.state.run(&id).unwrap().socket();
    let ask = |bytes: &[u8]| {
        let mut stream = std::os::unix::net::UnixStream::connect(&path).unwrap();
        stream.write_all(bytes).unwrap();
        let mut answer = String::new();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        // It may hang up while it is still being written to.
        let _ = stream.read_to_string(&mut answer);
        answer
    };
    for nonsense in [b"\xff\x00{}\n".to_vec(), b"{\"ask\":\"sudo\"}\n".to_vec(), vec![b'x'; 70_000]] {
        let answer = ask(&nonsense);
        assert!(answer.is_empty() || answer.contains("read the request"), "{answer}");
    }
    assert!(ask(b"{\"ask\":\"ping\"}\n{\"ask\":\"ping\"}\n").matches("taken").count() == 2);
    // Clients that say nothing do not keep others out for long; they are bounded.
    let silent: Vec<_> = (0..8).map(|_| std::os::unix::net::UnixStream::connect(&path).unwrap()).collect();
    assert_eq!(b.ask(&id, &Request::Abort { now: true }).unwrap(), Reply::Taken);
    drop(silent);
    b.until_gone(&id);
}

#[test]
fn others_may_speak_to_it_when_the_group_is_named_and_the_kernel_says_who_they_are() {
    const NOBODY: u32 = 65_534;
    if !rustix::process::getuid().is_root() {
        eprintln!("skipped: needs root to be somebody else");
        return;
    }
    for group in [None, Some(NOBODY)] {
        let b = Bench::at("state", group);
        fs::set_permissions(b.dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let (id, _) = held(&b);
        let answer = b.abort_as(NOBODY, &id);
        if group.is_some() {
            assert!(answer.contains("Ok(Taken)"), "{answer}");
            let by = b.entries(&id).into_iter().find_map(|e| match e.event {
                Event::AbortRequested { by, .. } => Some(by.uid),
                _ => None,
            });
            assert_eq!(by, Some(NOBODY));
        } else {
            assert!(answer.contains("ermission denied"), "{answer}");
            b.ask(&id, &Request::Abort { now: false }).unwrap();
        }
        b.until_gone(&id);
    }
}
