//! The terminal layer seen from outside: whatever ends the program, the terminal is as it was found.

#![expect(clippy::expect_used, reason = "a test that cannot go on has failed")]

#[path = "harness/pty.rs"]
mod pty;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

use pty::{Exit, Launch, Pty};
use rustix::process::Signal;

/// A program on a dead terminal is gone within this; on an idle machine it takes about 1 ms.
const SOON: Duration = Duration::from_secs(1);

const CTRL_Z: &str = "\x1a";

/// The probe, built once: a test chosen by name does not build the examples.
fn probe() -> &'static Path {
    static PROBE: OnceLock<PathBuf> = OnceLock::new();
    PROBE.get_or_init(|| {
        let me = std::env::current_exe().expect("a test has a path");
        let profile = me.parent().and_then(Path::parent).expect("a test is in target/<profile>/deps");
        let target = profile.parent().expect("a profile has a directory in the target directory");
        let name = if profile.ends_with("release") { "release" } else { "dev" };
        let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        cargo.current_dir(env!("CARGO_MANIFEST_DIR"));
        // What cargo tells this test about the package makes some build scripts run anew.
        let told =
            |name: &std::ffi::OsStr| name.to_string_lossy().starts_with("CARGO_") && name != "CARGO_HOME";
        for (name, _) in std::env::vars_os().filter(|(name, _)| told(name)) {
            cargo.env_remove(name);
        }
        cargo
            .args(["build", "--quiet", "--example", "terminal_probe", "--profile", name, "--target-dir"])
            .arg(target);
        assert!(cargo.status().expect("run cargo").success(), "the probe does not build");
        profile.join("examples/terminal_probe")
    })
}

fn launch() -> Launch {
    Launch::new(probe())
}

/// The probe, run by `script`, which finds it as `$0`.
fn launch_by(shell: &str, options: &[&str], script: &str) -> Launch {
    let launch = options.iter().fold(Launch::new(shell), Launch::arg);
    launch.arg("-c").arg(script).arg(probe())
}

fn shown(launch: &Launch) -> Pty {
    let pty = launch.start();
    pty.wait_for("after 0 events");
    pty
}

fn assert_restored(pty: &Pty, how: &str) {
    assert_eq!(pty.left_behind(), Vec::<&str>::new(), "after {how}; screen:\n{}", pty.screen());
}

#[test]
fn however_it_ends_the_terminal_is_as_it_was_found() {
    type End = fn(&Pty);
    let ends: [(&str, End, Exit, &str); 6] = [
        ("quitting", |pty| pty.send("q"), Exit::Code(0), "goodbye"),
        ("an error", |pty| pty.send("e"), Exit::Code(1), "failed to go on as asked"),
        ("a panic", |pty| pty.send("p"), Exit::Code(101), "a deliberate drawing panic"),
        ("SIGTERM", |pty| pty.signal(Signal::TERM), Exit::Code(143), "goodbye"),
        ("SIGINT", |pty| pty.signal(Signal::INT), Exit::Code(130), "goodbye"),
        ("SIGHUP from outside", |pty| pty.signal(Signal::HUP), Exit::Code(129), ""),
    ];
    for (how, end, exit, said) in ends {
        let pty = shown(&launch());
        assert!(pty.look(vt100::Screen::alternate_screen), "it has entered");
        assert!(pty.look(vt100::Screen::bracketed_paste), "pastes are marked");
        assert_eq!(pty.look(vt100::Screen::mouse_protocol_mode), vt100::MouseProtocolMode::None);
        end(&pty);
        assert_eq!(pty.wait_exit(), exit, "after {how}");
        assert_restored(&pty, how);
        assert!(
            pty.screen().contains(said),
            "after {how} {said:?} is on the first screen:\n{}",
            pty.screen()
        );
    }
}

#[test]
fn a_panic_in_a_task_is_shown_and_the_screen_stays() {
    let dir = tempfile::tempdir().unwrap();
    let log = dir.path().join("log");
    let pty = shown(&launch().env("PROBE_LOG", &log));
    pty.send("t");
    pty.wait_for("panicked in task: a deliberate task panic");
    assert!(pty.look(vt100::Screen::alternate_screen), "the screen is still the program's");
    pty.send("x");
    pty.wait_for("after 2 events");
    pty.send("p");
    assert_eq!(pty.wait_exit(), Exit::Code(101));
    let logged = std::fs::read_to_string(log).unwrap();
    for panic in ["a deliberate task panic", "a deliberate drawing panic"] {
        assert!(logged.contains(panic), "{panic:?} is in the log: {logged}");
    }
}

#[test]
fn when_the_terminal_vanishes_the_process_is_gone() {
    let ignoring = "trap '' HUP; exec \"$0\"";
    let table = [
        ("plain", launch()),
        ("with SIGHUP ignored", launch_by("sh", &[], ignoring)),
        (
            "with SIGHUP ignored and only /dev/tty",
            launch_by("sh", &[], "trap '' HUP; exec \"$0\" </dev/null >/dev/null 2>&1"),
        ),
        ("with only output redirected", launch_by("sh", &[], "exec \"$0\" >/dev/null")),
    ];
    for (how, launch) in table {
        for busy in [false, true] {
            let dir = tempfile::tempdir().unwrap();
            let saved = dir.path().join("saved");
            let mut pty = shown(&launch.clone().env("PROBE_LAST_ACT", &saved));
            if busy {
                pty.send("b");
                pty.settle(Duration::from_millis(100));
            }
            pty.hang_up();
            let exit = pty.wait_exit_within(SOON);
            assert_eq!(exit, Some(Exit::Code(129)), "{how}, busy: {busy}");
            assert_eq!(std::fs::read_to_string(saved).unwrap(), "done", "{how}: its last act was done");
        }
    }
}

#[test]
fn nohup_does_not_keep_it_from_ending() {
    let dir = tempfile::tempdir().unwrap();
    let mut pty = shown(&launch_by("sh", &[], "exec nohup \"$0\"").dir(dir.path()));
    pty.send("x");
    pty.wait_for("after 1 events");
    pty.hang_up();
    assert_eq!(pty.wait_exit_within(SOON), Some(Exit::Code(129)));
}

#[test]
fn keys_and_pastes_arrive_as_what_they_are() {
    let pty = shown(&launch().size(160, 24));
    for (keys, event) in [
        ("x", "code: Char('x')"),
        ("\x1b[A", "code: Up"),
        ("\x1b", "code: Esc"),
        ("ü", "code: Char('ü')"),
        ("\x1b[200~qeb\x1b[201~", "Paste(\"qeb\")"),
        ("\x03", "code: Char('c'), modifiers: KeyModifiers(CONTROL)"),
    ] {
        pty.send(keys);
        pty.wait_for(event);
    }
    assert!(pty.is_running(), "a pasted q is not a pressed one");
    // A sequence in two pieces is still one key.
    pty.send("\x1b[");
    pty.send("5~");
    pty.wait_for("code: PageUp");
}

#[test]
fn an_idle_screen_writes_nothing_and_one_key_little() {
    let pty = shown(&launch());
    pty.settle(Duration::from_millis(100));
    let mark = pty.mark();
    pty.settle(Duration::from_millis(500));
    assert_eq!(pty.bytes_since(mark), b"");
    pty.send("x");
    pty.wait_for("after 1 events");
    pty.settle(Duration::from_millis(100));
    let written = pty.bytes_since(mark);
    assert!(written.len() < 200, "{} bytes: {:?}", written.len(), String::from_utf8_lossy(&written));
}

#[test]
fn ctrl_z_gives_the_shell_its_terminal_and_fg_takes_it_back() {
    let script =
        "set -m; \"$0\"; echo \"the job is stopped: $?\"; read line; fg >/dev/null; echo \"it ended: $?\"";
    let pty = shown(&launch_by("bash", &["--norc", "--noprofile"], script));
    pty.send(CTRL_Z);
    pty.wait_for("the job is stopped");
    assert_restored(&pty, "Ctrl-Z");
    pty.send("\n");
    pty.wait_for("back again");
    assert!(pty.look(|s| s.alternate_screen() && s.hide_cursor() && s.bracketed_paste()));
    let screen = pty.wait_for("filler filler");
    assert!(screen.starts_with("probe 80x24"), "everything is drawn again:\n{screen}");
    pty.send("x");
    pty.wait_for("after 2 events");
    pty.send("q");
    pty.wait_for("it ended: 0");
    assert_eq!(pty.wait_exit(), Exit::Code(0));
    assert_restored(&pty, "quitting after a suspension");
}

#[test]
fn a_hang_up_while_suspended_ends_it() {
    let script = "set -m; \"$0\"; echo \"the job is stopped\"; jobs -p; read line";
    let mut pty = shown(&launch_by("bash", &["--norc", "--noprofile"], script));
    pty.send(CTRL_Z);
    let screen = pty.wait("the job's id", |screen| {
        let contents = screen.contents();
        contents.lines().rev().find_map(|line| line.trim().parse::<i32>().ok())
    });
    let job = rustix::process::Pid::from_raw(screen).unwrap();
    let job = rustix::process::pidfd_open(job, rustix::process::PidfdFlags::empty()).unwrap();
    pty.hang_up();
    // A pidfd becomes readable when its process has ended.
    let mut fds = [rustix::event::PollFd::new(&job, rustix::event::PollFlags::IN)];
    let second = rustix::event::Timespec { tv_sec: 1, tv_nsec: 0 };
    assert_eq!(
        rustix::event::poll(&mut fds, Some(&second)),
        Ok(1),
        "the stopped job is gone within a second"
    );
}

#[test]
fn without_a_shell_to_come_back_from_it_does_not_stop() {
    let pty = shown(&launch());
    pty.send(CTRL_Z);
    pty.wait_for("no shell to suspend to");
    pty.signal(Signal::TSTP);
    pty.send("x");
    pty.wait_for("after 2 events");
}

#[test]
fn a_stop_from_outside_is_survived() {
    let pty = shown(&launch());
    pty.signal(Signal::STOP);
    pty.signal(Signal::CONT);
    pty.send("x");
    pty.wait_for("after 1 events");
    pty.send("q");
    assert_eq!(pty.wait_exit(), Exit::Code(0));
    assert_restored(&pty, "a stop from outside");
}

#[test]
fn a_storm_of_resizes_ends_in_the_right_picture() {
    let pty = shown(&launch());
    for n in 0..200u16 {
        pty.resize(1 + n * 7 % 200, 1 + n * 3 % 60);
    }
    pty.resize(1, 1);
    pty.resize(100, 30);
    pty.wait_for("probe 100x30");
    let screen = pty.wait_for("filler");
    assert_eq!(screen.lines().filter(|line| line.starts_with("filler filler")).count(), 16, "{screen}");
    pty.send("q");
    assert_eq!(pty.wait_exit(), Exit::Code(0));
    assert_restored(&pty, "a storm of resizes");
}

#[test]
fn a_stalled_terminal_stalls_neither_the_program_nor_its_end() {
    let mut pty = shown(&launch().size(200, 60));
    pty.pause();
    pty.send("w");
    pty.send("yyy");
    pty.settle(Duration::from_millis(100));
    pty.go_on();
    pty.wait_for("after 4 events");
    let screen = pty.wait_for("filler");
    assert_eq!(screen.lines().filter(|line| line.starts_with("filler filler")).count(), 46, "{screen}");

    pty.pause();
    pty.send("w");
    pty.settle(Duration::from_millis(100));
    pty.signal(Signal::TERM);
    assert_eq!(pty.wait_exit_within(SOON), Some(Exit::Code(143)));
}

#[test]
fn without_colour_there_is_none_and_with_little_there_is_little() {
    // The probe draws with a 24-bit green and yellow.
    let table: [(&str, Launch, &[&str], &[&str]); 4] = [
        ("NO_COLOR", launch().env("NO_COLOR", "1"), &["\x1b[1m"], &["\x1b[3", "\x1b[9", ";5;", ";2;"]),
        ("linux", launch().env("TERM", "linux"), &["\x1b[0;33m"], &["38;5", "38;2"]),
        ("256 colours", launch(), &["38;5;"], &["38;2"]),
        ("truecolor", launch().env("COLORTERM", "truecolor"), &["38;2;90;200;120"], &["38;5"]),
    ];
    for (how, launch, has, has_not) in table {
        let pty = shown(&launch);
        pty.send("x");
        pty.wait_for("after 1 events");
        pty.send("q");
        assert_eq!(pty.wait_exit(), Exit::Code(0));
        assert_restored(&pty, how);
        let bytes = String::from_utf8(pty.bytes()).unwrap();
        for part in has {
            assert!(bytes.contains(part), "{how}: {part:?} in {bytes:?}");
        }
        for part in has_not {
            assert!(!bytes.contains(part), "{how}: no {part:?} in {bytes:?}");
        }
    }
}

#[test]
fn a_terminal_that_cannot_show_a_screen_is_refused_untouched() {
    let pty = launch().env("TERM", "dumb").start();
    assert_eq!(pty.wait_exit(), Exit::Code(1));
    assert_restored(&pty, "a refusal");
    assert!(pty.screen().contains("cannot move its cursor"), "{}", pty.screen());
}

#[test]
fn a_copy_reaches_the_terminal() {
    let pty = shown(&launch());
    pty.send("c");
    pty.wait_for("after 1 events");
    pty.settle(Duration::from_millis(50));
    let bytes = String::from_utf8(pty.bytes()).unwrap();
    assert!(bytes.contains("\x1b]52;c;Y29waWVkIGJ5IHRoZSBwcm9iZQ=="), "{bytes:?}");
}

/// Debian package `tmux`.
fn tmux_missing() -> bool {
    let found = Command::new("tmux").arg("-V").output().is_ok_and(|out| out.status.success());
    if !found {
        let required = std::env::var("QUARTERDECK_REQUIRE_REAL").is_ok_and(|value| value == "1");
        assert!(!required, "tmux is required: install the package tmux");
        eprintln!("skipped: tmux is not installed (package tmux)");
    }
    !found
}

#[test]
fn inside_tmux_it_draws_copies_and_ends_with_its_pane() {
    if tmux_missing() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let socket = dir.path().join("socket");
    let tmux = |args: &[&str]| {
        let out = Command::new("tmux").arg("-S").arg(&socket).args(args).output().expect("run tmux");
        assert!(out.status.success(), "tmux {args:?}: {}", String::from_utf8_lossy(&out.stderr));
        String::from_utf8_lossy(&out.stdout).into_owned()
    };
    let saved = dir.path().join("saved");
    let pty = Launch::new("tmux")
        .arg("-f/dev/null")
        .arg("-S")
        .arg(&socket)
        .args([
            "set",
            "-g",
            "set-clipboard",
            "on",
            ";",
            "set",
            "-g",
            "remain-on-exit",
            "on",
            ";",
            "new-session",
        ])
        .arg(format!("PROBE_LAST_ACT='{}' exec '{}'", saved.display(), probe().display()))
        .start();
    pty.wait_for("after 0 events");
    let screen = pty.wait_for("filler filler");
    assert!(screen.starts_with("probe 80x23"), "tmux keeps a row for itself:\n{screen}");
    pty.send("c");
    pty.wait_for("after 1 events");
    assert_eq!(tmux(&["show-buffer"]).trim_end(), "copied by the probe");
    pty.resize(100, 30);
    pty.wait_for("probe 100x29");
    pty.send("q");
    pty.wait_for("goodbye");
    tmux(&["respawn-pane", "-k"]);
    pty.wait_for("after 0 events");
    tmux(&["kill-server"]);
    pty.wait_exit();
    let gone = pty::wait_for_file(&saved);
    assert_eq!(gone, "done", "the pane's program noticed that its terminal vanished");
}
