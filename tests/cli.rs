//! The command line as a script sees it: exit codes, shapes, and what is said when something is wrong.

#![expect(clippy::expect_used, reason = "helpers of tests may stop at once")]

#[path = "harness/demo.rs"]
mod demo;

use demo::{Demo, program};
use std::path::PathBuf;
use std::process::Output;
use std::time::Duration;

const PROGRAM: &str = env!("CARGO_BIN_EXE_quarterdeck");

fn run(args: &[&str]) -> (i32, String, String) {
    let Output { status, stdout, stderr } = program(args).output().expect("the program runs");
    let text = |b: Vec<u8>| String::from_utf8(b).expect("the program prints UTF-8");
    (status.code().unwrap_or(-1), text(stdout), text(stderr))
}

impl Demo {
    fn run(&self, args: &[&str]) -> (i32, String, String) {
        let mut all = vec!["--config", self.config.to_str().expect("a plain path")];
        all.extend(args);
        run(&all)
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
    let (code, out, err) = run(&["--config", file.to_str().expect("a path"), "snapshot"]);
    assert_eq!((code, out.as_str()), (2, ""));
    for part in [
        "config.toml:1:9",
        "did you mean `tornado`",
        "config.toml:2:1",
        "did you mean `theme`",
        "config.toml:4:1",
        "quti",
        "check with quarterdeck lint",
    ] {
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
    assert!(report.get("cause").is_some_and(serde_json::Value::is_null), "{json}");
    let probes = report["probes"].as_array().expect("probes");
    assert!(probes.len() >= 12);
    for probe in probes {
        for key in
            ["id", "name", "layer", "host", "kind", "target", "health", "reason", "latency_seconds", "at"]
        {
            assert!(probe.get(key).is_some_and(|v| !v.is_null()), "{key}: {probe}");
        }
        assert!(probe.get("explained_by").is_some_and(serde_json::Value::is_null), "{probe}");
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
    let (code, out, err) = demo.run(&["check", "--layer", "reddis"]);
    assert_eq!(code, 3);
    assert!(err.contains("did you mean redis?"), "{err}");
    assert!(out.starts_with("UNKNOWN quarterdeck: failed to find the layer `reddis`"), "{out}");
    let (_, text, _) = demo.run(&["check"]);
    let first = text.lines().next().expect("a first line");
    assert!(first.starts_with("DOWN tornado: "), "{first}");
    assert!(first.contains(" unknown - Redis: ") && first.contains("connection refused"), "{first}");
    let (_, json, _) = demo.run(&["check", "--output", "json"]);
    let report: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!(report["cause"], "redis", "{json}");
    let explained = |p: &serde_json::Value| p["explained_by"] == "redis";
    let probes = report["probes"].as_array().expect("probes");
    assert!(probes.iter().any(|p| p["layer"] != "redis" && explained(p)), "{json}");
    assert!(!probes.iter().any(|p| explained(p) && (p["layer"] == "redis" || p["health"] == "up")), "{json}");
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
    assert!(ansi.contains("\x1b[0") && (ansi.contains(";38;") || ansi.contains(";48;")), "{ansi}");
    let (_, plain, _) = demo.run(&["--no-color", "snapshot", "--size", "80x24", "--output", "ansi"]);
    assert!(plain.contains("\x1b[0") && !plain.contains(";38;") && !plain.contains(";48;"), "{plain}");
    let (_, svg, _) = demo.run(&["snapshot", "--output", "svg", "--screen", "wallboard"]);
    assert!(svg.starts_with("<svg ") && svg.trim_end().ends_with("</svg>"));
    let (_, ascii, _) = demo.run(&["--ascii", "snapshot"]);
    assert!(ascii.is_ascii(), "{ascii}");
}

#[test]
fn an_unknown_fault_names_the_nearest() {
    let (code, _, err) = run(&["demo", "--serve", "--fault", "redis-dwon"]);
    assert_eq!(code, 2);
    assert!(err.contains("no fault is called `redis-dwon`; did you mean redis-down?"), "{err}");
}

/// A rule of one's own on a stack with a fault, added where the stack is chosen.
fn with_rules(demo: &Demo, dir: &std::path::Path) -> PathBuf {
    let rules = "groups:\n- name: own\n  rules:\n\
        \x20 - alert: CacheGone\n    expr: probe_success{probe=\"redis\"} == 0\n    labels: {severity: critical}\n\
        \x20   annotations: {summary: \"no cache\\n\\e[31mfor {{ $labels.probe }}\"}\n\
        \x20 - alert: CacheLongGone\n    expr: probe_success{probe=\"redis\"} == 0\n    for: 10m\n\
        \x20 - alert: Guarded\n    expr: probe_success / clamp_min(probe_duration_seconds, 1) > 9\n";
    std::fs::write(dir.join("own.yml"), rules).expect("written");
    let config = std::fs::read_to_string(&demo.config).expect("the demo's config");
    let file = dir.join("config.toml");
    std::fs::write(&file, format!("rule_files = [\"own.yml\"]\n{config}")).expect("written");
    file
}

#[test]
fn alerts_are_told_with_why_nobody_is_paged() {
    let demo = Demo::start(&["--fault", "redis-down"]);
    let dir = tempfile::tempdir().expect("a folder");
    let config = with_rules(&demo, dir.path());
    let state = dir.path().join("state");
    let alerts = |more: &[&str]| {
        let (config, state) = (config.to_str().expect("a path"), state.to_str().expect("a path"));
        run(&[&["--config", config, "--state-dir", state, "alerts"], more].concat())
    };
    let (code, text, err) = alerts(&[]);
    assert_eq!((code, err.as_str()), (0, ""), "{text}");
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines[0].starts_with("firing  critical  CacheGone since 20"), "{text}");
    assert!(lines[0].ends_with("(0s), value 0"), "{text}");
    assert_eq!(lines[1], "        no cache ·[31mfor redis", "nothing of it reaches the terminal");
    assert!(lines[2].contains("probe=\"redis\""), "{text}");
    assert!(lines[3].starts_with("        not paged: nothing is configured to send it; "), "{text}");
    assert!(lines[3].ends_with("; evaluated here"), "{text}");
    assert!(lines[4].starts_with("pending -         CacheLongGone since "), "{text}");
    assert!(text.contains("not paged: pending 0s of 10m"), "{text}");
    let last = lines.iter().find(|l| l.contains(" firing, ")).expect("the counts");
    assert!(last.starts_with("1 firing, 1 pending; ") && last.contains(" rules"), "{last}");
    assert!(text.contains("look back over more than was collected (0s)"), "{text}");
    assert!(!state.exists(), "nothing is written");

    let (code, json, _) = alerts(&["--output", "json", "--rules", "--collect", "1s"]);
    let report: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!((code, &report["version"], &report["collected_seconds"]), (0, &1.into(), &1.0.into()));
    let first = &report["alerts"][0];
    for (key, want) in
        [("name", "CacheGone"), ("phase", "firing"), ("origin", "here"), ("paged", "nowhere"), ("value", "0")]
    {
        assert_eq!(first[key], want, "{json}");
    }
    assert_eq!(first["labels"]["layer"], "redis");
    let rules = report["rules"].as_array().expect("rules");
    assert_eq!(report["rules_total"], rules.len());
    let named = |name: &str| rules.iter().find(|r| r["name"] == name).expect("a rule");
    assert_eq!(
        (&named("CacheGone")["state"], &named("CacheLongGone")["state"]),
        (&"firing".into(), &"pending".into())
    );
    assert!(named("Guarded")["blind"].as_array().is_some_and(|b| !b.is_empty()), "{json}");
}

/// What a dashboard has kept is taken up, so that a wait is not begun anew by looking.
#[test]
fn alerts_take_up_the_since_times_that_were_kept() {
    use quarterdeck::domain::telemetry::Telemetry;
    use quarterdeck::stack::load;
    let demo = Demo::start(&["--fault", "redis-down"]);
    let dir = tempfile::tempdir().expect("a folder");
    let config = with_rules(&demo, dir.path());
    let flags = load::Flags { config: Some(config.clone()), stack: None };
    let loaded = load::load(&flags, &|_| None).expect("the config is sound");
    let clock: std::sync::Arc<dyn quarterdeck::clock::Clock> =
        std::sync::Arc::new(quarterdeck::clock::SystemClock::new());
    let mut telemetry =
        Telemetry::new(quarterdeck::observe::metrics::engine::setup::of(&loaded.stack.metrics));
    let now = clock.now();
    let earlier = quarterdeck::clock::Now { wall: now.wall - jiff::SignedDuration::from_mins(9), ..now };
    let labels = [("__name__", "probe_success"), ("probe", "redis"), ("layer", "redis"), ("host", "vpn")];
    let labels = quarterdeck::domain::series::Labels::new(labels);
    telemetry.take(&[(labels, earlier.wall.as_millisecond(), 0.0)]);
    telemetry.evaluate(earlier, &|| Duration::ZERO);
    let kept = telemetry.save().expect("saved").expect("there is something");
    let state = dir.path().join("state");
    std::fs::create_dir_all(state.join("alerts")).expect("made");
    let file = state.join("alerts").join(format!("{}.json", loaded.stack.name));
    std::fs::write(&file, &kept).expect("written");
    let (config, state) = (config.to_str().expect("a path"), state.to_str().expect("a path"));
    let (code, json, _) = run(&["--config", config, "--state-dir", state, "alerts", "--output", "json"]);
    assert_eq!(code, 0);
    let report: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    let gone = report["alerts"].as_array().expect("alerts").iter().find(|a| a["name"] == "CacheGone");
    let since: jiff::Timestamp =
        gone.and_then(|a| a["fired"].as_str()).and_then(|s| s.parse().ok()).expect("a time");
    assert_eq!(since.as_second(), earlier.wall.as_second(), "{json}");
    assert!(json.contains("2 alerts are taken up again"), "{json}");
    assert_eq!(std::fs::read_to_string(&file).expect("still there"), kept);
}

/// A monitoring system must not page anyone because a file is missing: unknown is never red.
#[test]
fn what_check_cannot_find_out_is_unknown() {
    let dir = tempfile::tempdir().expect("a folder");
    let file = dir.path().join("config.toml");
    std::fs::write(&file, "stack = \"nosuch\"\n").expect("written");
    let wrong = file.to_str().expect("a path");
    let table: &[(&[&str], &str)] = &[
        (&["check"], "there is no config"),
        (&["--config", wrong, "check"], "config.toml:1:9: error: no stack called `nosuch`"),
        (&["--config", "/nonexistent/c.toml", "check"], "cannot read /nonexistent/c.toml"),
        (&["--stack", "nosuch", "check"], "no stack called `nosuch`"),
        (&["--stack", "/nonexistent/s.toml", "check"], "cannot read /nonexistent/s.toml"),
    ];
    for (args, why) in table {
        let (code, out, err) = run(args);
        assert_eq!((code, out.lines().count()), (3, 1), "{args:?} {out}{err}");
        assert!(out.starts_with("UNKNOWN quarterdeck: ") && out.contains(why), "{args:?} {out}");
        assert!(!err.is_empty(), "{args:?}");
        let as_json: Vec<&str> = args.iter().copied().chain(["--output", "json"]).collect();
        let (code, out, _) = run(&as_json);
        let report: serde_json::Value = serde_json::from_str(&out).expect("JSON");
        assert_eq!((code, &report["health"]), (3, &"unknown".into()), "{out}");
    }
    // What cannot be parsed was never meant for cron.
    assert_eq!(run(&["check", "--output", "nosuch"]).0, 2);
}

/// A flag is in front of the person who typed it: no excerpt, and nothing for `lint` to find.
#[test]
fn mistakes_in_flags_are_told_in_one_line() {
    let table: &[(&[&str], &str)] = &[
        (
            &["--stack", "tornado", "--theme", "drak", "snapshot"],
            "error: no theme is called \"drak\" (did you mean \"dark\"?)\n",
        ),
        (
            &["--stack", "tornadoo", "snapshot"],
            "error: no stack called `tornadoo` is built in (did you mean `tornado`?)\n",
        ),
    ];
    for (args, want) in table {
        let (code, out, err) = run(args);
        assert_eq!((code, out.as_str(), err.as_str()), (2, "", *want), "{args:?}");
    }
    let (code, _, err) = run(&["--config", "/nonexistent/c.toml", "snapshot"]);
    assert!(code == 2 && err.starts_with("error: cannot read /nonexistent/c.toml: "), "{err}");
    assert_eq!(err.lines().count(), 1, "{err}");
    let (code, _, err) = run(&["--stack", "tornado", "wallboard", "--rotate", "0s"]);
    assert!(code == 2 && err.contains("at least 1s"), "{err}");
}

#[test]
fn every_relative_link_of_the_documentation_leads_somewhere() {
    let mut files = vec![PathBuf::from("README.md")];
    let docs = std::fs::read_dir("docs").expect("docs/ is there").flatten().map(|e| e.path());
    files.extend(docs.filter(|p| p.extension().is_some_and(|e| e == "md")));
    let mut seen = 0;
    for file in files {
        let text = std::fs::read_to_string(&file).expect("a document");
        for target in text.split("](").skip(1).filter_map(|rest| rest.split([')', ' ', '\n']).next()) {
            let path = target.split('#').next().unwrap_or_default();
            if path.is_empty() || path.contains("://") || path.starts_with("mailto:") {
                continue;
            }
            let full = file.parent().map(|dir| dir.join(path)).expect("a folder");
            assert!(full.exists(), "{} links to {target}, which is not there", file.display());
            seen += 1;
        }
    }
    assert!(seen >= 5, "the links were not found");
}

#[test]
fn completions_and_the_man_page_are_made_from_the_command_line() {
    let (code, bash, _) = run(&["completions", "bash"]);
    assert!(code == 0 && bash.contains("--state-dir") && bash.contains("wallboard"));
    assert!(["alerts", "query", "rules", "--collect"].iter().all(|word| bash.contains(word)));
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
