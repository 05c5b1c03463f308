//! The command line as a script sees it: exit codes, shapes, and what is said when something is wrong.

#![expect(clippy::expect_used, reason = "helpers of tests may stop at once")]

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

const PROGRAM: &str = env!("CARGO_BIN_EXE_quarterdeck");

/// The program with an empty home, so that no config of this machine is found.
fn program(args: &[&str]) -> Command {
    let mut command = Command::new(PROGRAM);
    command.args(args).env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
    command.env("HOME", "/nonexistent").env("LANG", "C.UTF-8").stdin(Stdio::null());
    command
}

fn run(args: &[&str]) -> (i32, String, String) {
    let Output { status, stdout, stderr } = program(args).output().expect("the program runs");
    let text = |b: Vec<u8>| String::from_utf8(b).expect("the program prints UTF-8");
    (status.code().unwrap_or(-1), text(stdout), text(stderr))
}

/// A demo stack in a process of its own, stopped when dropped.
struct Demo {
    child: Child,
    config: PathBuf,
}

impl Demo {
    fn start(args: &[&str]) -> Demo {
        let mut child =
            program(&["demo", "--serve"]).args(args).stdout(Stdio::piped()).spawn().expect("the demo starts");
        let mut line = String::new();
        let out = child.stdout.take().expect("it has an output");
        BufReader::new(out).read_line(&mut line).expect("it prints its addresses");
        let addresses: serde_json::Value = serde_json::from_str(&line).expect("one JSON object");
        let config = PathBuf::from(addresses["config"].as_str().expect("where its config is"));
        Demo { child, config }
    }

    fn run(&self, args: &[&str]) -> (i32, String, String) {
        let mut all = vec!["--config", self.config.to_str().expect("a plain path")];
        all.extend(args);
        run(&all)
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        let _ = Command::new("kill").arg(self.child.id().to_string()).status();
        let _ = self.child.wait();
    }
}

#[test]
fn with_nothing_to_watch_it_says_what_to_type_next() {
    let (code, out, err) = run(&[]);
    assert_eq!((code, out.as_str()), (2, ""));
    for part in ["quarterdeck demo", "quarterdeck init --stack tornado"] {
        assert!(err.contains(part), "{part}: {err}");
    }
    assert!(err.lines().count() <= 24, "it fits one screen: {err}");
}

#[test]
fn mistakes_in_a_config_are_all_shown_and_nothing_starts() {
    let dir = tempfile::tempdir().expect("a folder");
    let file = dir.path().join("config.toml");
    std::fs::write(&file, "stack = \"tornadoo\"\nthem = \"dark\"\n[keys]\nquti = \"x\"\n").expect("written");
    let (code, out, err) = run(&["--config", file.to_str().expect("a path"), "check"]);
    assert_eq!((code, out.as_str()), (2, ""));
    for part in ["config.toml:1:9", "did you mean `tornado`", "config.toml:2:1", "did you mean `theme`"] {
        assert!(err.contains(part), "{part}: {err}");
    }
    assert!(!err.contains('\x1b'), "no colour into a pipe");
}

#[test]
fn a_healthy_stack_checks_as_zero_and_prints_each_form() {
    let demo = Demo::start(&["--seed", "7"]);
    let (code, text, err) = demo.run(&["check", "--wait", "20s"]);
    assert_eq!(code, 0, "{text}{err}");
    assert!(text.starts_with("UP tornado: "), "{text}");

    let (code, json, _) = demo.run(&["check", "--output", "json"]);
    let report: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!((code, &report["version"], &report["health"]), (0, &1.into(), &"up".into()));
    let probes = report["probes"].as_array().expect("probes");
    assert!(probes.len() >= 12);
    for probe in probes {
        for key in
            ["id", "name", "layer", "host", "kind", "target", "health", "reason", "latency_seconds", "at"]
        {
            assert!(probe.get(key).is_some_and(|v| !v.is_null()), "{key}: {probe}");
        }
    }

    let (_, metrics, _) = demo.run(&["check", "--output", "prometheus"]);
    let samples = metrics.lines().filter(|l| l.starts_with("probe_success{") && l.ends_with(" 1")).count();
    assert_eq!(samples, probes.len(), "{metrics}");
    assert!(!json.contains('\u{1b}'));
}

#[test]
fn the_broken_layer_is_named_and_the_exit_code_says_so() {
    let demo = Demo::start(&["--fault", "redis-down"]);
    // The fault is there from the start; what depends on it follows within its own intervals.
    let (code, text, _) = demo.run(&["check", "--layer", "redis"]);
    assert_eq!(code, 2, "{text}");
    assert!(text.contains("connection refused"), "{text}");
    let (code, text, _) = demo.run(&["check", "--layer", "postgres"]);
    assert_eq!(code, 0, "{text}");
    let (code, _, err) = demo.run(&["check", "--layer", "reddis"]);
    assert_eq!(code, 1);
    assert!(err.contains("did you mean redis?"), "{err}");
    let (_, text, _) = demo.run(&["snapshot", "--size", "120x40"]);
    assert!(text.lines().nth(1).is_some_and(|l| l.contains("Redis down")), "{text}");
    assert!(text.contains("likely cause") && text.contains("explained by Redis"), "{text}");
}

#[test]
fn a_frame_is_had_without_a_terminal() {
    let demo = Demo::start(&[]);
    let (code, text, _) = demo.run(&["snapshot", "--size", "80x24"]);
    assert_eq!((code, text.lines().count()), (0, 24));
    assert!(!text.contains('\x1b'));
    let (_, ansi, _) = demo.run(&["snapshot", "--size", "80x24", "--output", "ansi"]);
    assert!(ansi.contains("\x1b[0"));
    let (_, svg, _) = demo.run(&["snapshot", "--output", "svg", "--screen", "wallboard"]);
    assert!(svg.starts_with("<svg ") && svg.trim_end().ends_with("</svg>"));
    let (_, ascii, _) = demo.run(&["--ascii", "snapshot"]);
    assert!(ascii.is_ascii(), "{ascii}");
}

#[test]
fn an_unknown_fault_names_the_nearest() {
    let (code, _, err) = run(&["demo", "--serve", "--fault", "redis-dwon"]);
    assert_eq!(code, 2);
    assert!(err.contains("redis-down"), "{err}");
}

#[test]
fn completions_and_the_man_page_are_made_from_the_command_line() {
    let (code, bash, _) = run(&["completions", "bash"]);
    assert!(code == 0 && bash.contains("--state-dir") && bash.contains("wallboard"));
    let (code, man, _) = run(&["man"]);
    assert!(code == 0 && man.contains(".TH quarterdeck") && man.contains("Exit codes"));
}

/// The demo ends when asked, promptly, and leaves nothing behind.
#[test]
fn a_stopped_demo_leaves_nothing() {
    let demo = Demo::start(&[]);
    let config = demo.config.clone();
    let bin = std::fs::read_to_string(&config).expect("its config");
    let dir = bin
        .split("path = [\"")
        .nth(1)
        .and_then(|s| s.split('"').next())
        .map(PathBuf::from)
        .expect("its folder");
    assert!(dir.exists());
    drop(demo);
    let gone = (0..100).any(|_| {
        let gone = !dir.exists() && !config.exists();
        if !gone {
            pause(Duration::from_millis(50));
        }
        gone
    });
    assert!(gone, "{} or {} is still there", dir.display(), config.display());
}

#[expect(
    clippy::disallowed_methods,
    reason = "a test waits for another process to be gone, in bounded steps"
)]
fn pause(how_long: Duration) {
    std::thread::sleep(how_long);
}
