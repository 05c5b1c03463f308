//! The two places: the yard of real components, and the demo of the Tornado stack, each with
//! programs in front of its tools that count what they are told to do.

use crate::demo::{Demo, program};
use crate::ground::{Counts, Ground};
use crate::host::tool;
use crate::operator::Operator;
use crate::relay;
use crate::yard::{STACK, Yard};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The yard; with `strict`, no step of its procedures says that it may be done twice. `None` where
/// one of its components is missing, which is said.
pub fn yard(strict: bool) -> Option<Ground> {
    let yard = Arc::new(Yard::here()?);
    let dir = PathBuf::from(yard.must("echo $D"));
    let stack = if strict { STACK.replace("idempotent = true\n", "") } else { STACK.to_owned() };
    let calls = dir.join("calls");
    for name in ["systemctl", "nginx", "nft", "base64"] {
        let real = ["/usr/sbin", "/usr/bin", "/bin"].map(|d| format!("{d}/{name}"));
        let real = real.into_iter().find(|p| Path::new(p).exists()).unwrap();
        counting(&dir.join("tools"), name, &real, &calls);
    }
    let deck = yard.operator_of("crash", &stack);
    let enter = move |argv: &[&str]| yard.enter(argv);
    let state = dir.join("operators/crash/state");
    Some(Ground::new(deck, state, dir.join("tools"), enter, move || counted(&calls), effect))
}

/// The demo, and what must live as long as it is used.
pub fn demo() -> ((Demo, tempfile::TempDir), Ground) {
    let demo = Demo::start(&[]);
    let own = tempfile::tempdir().unwrap();
    let mut config: toml::Table = std::fs::read_to_string(&demo.config).unwrap().parse().unwrap();
    let text = |table: &toml::Table, keys: &[&str]| {
        let mut at = toml::Value::Table(table.clone());
        for key in keys {
            at = at[*key].clone();
        }
        PathBuf::from(at.as_str().unwrap())
    };
    let bin = PathBuf::from(config["hosts"]["vpn"]["path"][0].as_str().unwrap());
    let (run_dir, exports) = (text(&config, &["vars", "run_dir"]), text(&config, &["vars", "export_dir"]));
    let calls = own.path().join("calls");
    let tools = own.path().join("counted");
    std::fs::create_dir(&tools).unwrap();
    for name in ["sudo", "systemctl", "nginx", "nft"] {
        counting(&tools, name, &bin.join(name).display().to_string(), &calls);
    }
    let seen = calls.clone();
    let watch = move || {
        for name in ["master", "api_mgr", "key_rotator"] {
            relay::before(&run_dir.join(name).with_extension("sock"), &seen);
        }
    };
    let path = [tools.clone(), bin].map(|d| toml::Value::String(d.display().to_string()));
    config["hosts"]["vpn"]["path"] = toml::Value::Array(path.into());
    let state = own.path().join("state");
    config.insert("state_dir".into(), toml::Value::String(state.display().to_string()));
    let file = own.path().join("crash.toml");
    std::fs::write(&file, config.to_string()).unwrap();
    let deck = Operator::new(move |args| {
        let mut command = program(&[]);
        command.arg("--config").arg(&file).args(args);
        command
    });
    let enter = |argv: &[&str]| std::process::Command::new(argv[0]).args(&argv[1..]).output().unwrap();
    let count = move || {
        let mut counts = counted(&calls);
        let files = std::fs::read_dir(&exports).into_iter().flatten().count();
        counts.insert("export".to_owned(), files as u64);
        counts
    };
    ((demo, own), Ground::new(deck, state, tools, enter, count, effect).watched(watch))
}

/// A program that has the real one do it, and writes down what was done. A look that fails to be
/// written down is no matter; an effect that was cut off is none.
fn counting(dir: &Path, name: &str, real: &str, calls: &Path) {
    let script = format!(
        "{real} \"$@\"\ns=$?\n[ $s != 0 ] || printf '%s\\n' \"{name} $*\" >>{}\nexit $s",
        calls.display()
    );
    tool(dir, name, &script);
}

/// What was done, out of all that was called: looks do not count.
fn counted(calls: &Path) -> Counts {
    let mut counts = Counts::new();
    for line in std::fs::read_to_string(calls).unwrap_or_default().lines() {
        if let Some(what) = called(line) {
            *counts.entry(what).or_default() += 1;
        }
    }
    counts
}

/// The effect that a call is.
fn called(line: &str) -> Option<String> {
    let words: Vec<&str> =
        line.split(' ').filter(|w| !w.starts_with("--") && *w != "sudo" && *w != "-n").collect();
    match words[..] {
        ["systemctl", "reload", unit] if unit.starts_with("nginx") => Some("reload nginx".to_owned()),
        ["systemctl", verb @ ("start" | "stop" | "restart" | "reload" | "kill"), unit] => {
            Some(format!("{verb} {unit}"))
        }
        ["nginx", .., "-s", "reload"] => Some("reload nginx".to_owned()),
        ["nft", "-f", "-"] => Some("change the filter".to_owned()),
        ["base64", ..] => Some("write the key".to_owned()),
        ["kill", ..] => Some("signal".to_owned()),
        ["master" | "api_mgr" | "key_rotator", ..] => asked(line.split_once(' ')?.1)
            .filter(|what| what.starts_with("restart") || what.starts_with("rotate")),
        _ => None,
    }
}

/// A request to a service, in words.
fn asked(request: &str) -> Option<String> {
    let request: Value = serde_json::from_str(request).ok()?;
    let word = |key: &str| request[key].as_str();
    let verb = word("command").or_else(|| word("action"))?;
    Some(word("target").map_or_else(|| verb.to_owned(), |target| format!("{verb} {target}")))
}

/// What the action of a step counts as.
fn effect(action: &Value) -> Option<String> {
    let with = &action["with"];
    match action["uses"].as_str().unwrap() {
        "systemd" => Some(format!("{} {}", with["verb"].as_str()?, with["unit"].as_str()?)),
        "nginx" => Some("reload nginx".to_owned()),
        "firewall" => Some("change the filter".to_owned()),
        "unix-json" => asked(with["request"].as_str()?),
        "signal" => Some("signal".to_owned()),
        "http" if with["method"] == "POST" => Some("export".to_owned()),
        "shell" if with["script"].as_str()?.contains("base64") => Some("write the key".to_owned()),
        _ => None,
    }
}
