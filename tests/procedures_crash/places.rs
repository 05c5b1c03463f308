//! The two places: the yard of real components, and the demo of the Tornado stack, each with
//! programs in front of its tools that count what they are told to do.

use crate::ground::{Counts, Ground};
use crate::host::tool;
use crate::operator::Operator;
use crate::yard::Yard;
use serde_json::Value;
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;

/// The yard; with `strict`, no step of its procedures says that it may be done twice.
pub fn yard(strict: bool) -> (Arc<Yard>, Ground) {
    let yard = Arc::new(Yard::open());
    let dir = yard.dir().to_owned();
    let stack = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/procedures/yard.toml");
    let mut text = std::fs::read_to_string(stack).unwrap();
    if strict {
        text = text.replace("idempotent = true\n", "");
    }
    // A maintenance page is an nginx that is well.
    let serves = "exprs = ['max(probe_fact{probe=\"edge\", fact=\"STATUS\"}) >= 200']";
    let (before, rest) = text.split_once("id = \"edge\"\nname = \"nginx\"\nlayer = \"edge\"\nuses").unwrap();
    let (step, after) = rest.split_once("\n[[procedures]]").unwrap();
    let step = step.replace("probes = [\"edge\"]", serves);
    text = format!("{before}id = \"edge\"\nname = \"nginx\"\nlayer = \"edge\"\nuses{step}\n[[procedures]]{after}");
    std::fs::write(dir.join("stack.toml"), text).unwrap();
    let d = dir.display();
    let config = format!(
        "stack = \"{d}/stack.toml\"\nstate_dir = \"{d}/state\"\n[vars]\ndir = \"{d}\"\n[hosts.vpn]\ntransport = \"local\"\npath = [\"{d}/counted\"]\n"
    );
    std::fs::write(dir.join("crash.toml"), config).unwrap();
    std::fs::create_dir(dir.join("counted")).unwrap();
    let calls = dir.join("calls");
    for name in ["systemctl", "nginx", "nft", "base64"] {
        let real = ["/usr/sbin", "/usr/bin", "/bin"].map(|d| format!("{d}/{name}"));
        let real = real.into_iter().find(|p| Path::new(p).exists()).unwrap();
        counting(&dir.join("counted"), name, &real, &calls);
    }
    let (within, config) = (Arc::clone(&yard), dir.join("crash.toml").display().to_string());
    let deck = Operator::new(move |args| {
        let argv = [&[env!("CARGO_BIN_EXE_quarterdeck"), "--config", &config], args].concat();
        let mut command = within.command(&argv);
        command.env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").env("LANG", "C.UTF-8");
        command.env("HOME", "/nonexistent").stdin(Stdio::null());
        command
    });
    let within = Arc::clone(&yard);
    let enter = move |argv: &[&str]| within.enter(argv);
    let ground = Ground::new(deck, dir.join("state"), enter, move || counted(&calls), effect);
    (yard, ground)
}

/// A program that writes down what it is told and has the real one do it.
fn counting(dir: &Path, name: &str, real: &str, calls: &Path) {
    let script = format!("printf '%s\\n' \"{name} $*\" >>{}\nexec {real} \"$@\"", calls.display());
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
    let words: Vec<&str> = line.split(' ').filter(|w| !w.starts_with("--") && *w != "sudo" && *w != "-n").collect();
    match words[..] {
        ["systemctl", verb @ ("start" | "stop" | "restart" | "reload" | "kill"), unit] => {
            Some(format!("{verb} {unit}"))
        }
        ["nginx", .., "-s", "reload"] => Some("reload nginx".to_owned()),
        ["nft", "-f", "-"] => Some("change the filter".to_owned()),
        ["base64", ..] => Some("write the key".to_owned()),
        _ => None,
    }
}

/// What the action of a step counts as.
fn effect(action: &Value) -> Option<String> {
    let with = &action["with"];
    match action["uses"].as_str().unwrap() {
        "systemd" => Some(format!("{} {}", with["verb"].as_str()?, with["unit"].as_str()?)),
        "nginx" => Some("reload nginx".to_owned()),
        "firewall" => Some("change the filter".to_owned()),
        "shell" if with["script"].as_str()?.contains("base64") => Some("write the key".to_owned()),
        _ => None,
    }
}
