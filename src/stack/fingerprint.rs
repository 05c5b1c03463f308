//! One short text that changes when a stack file changes, or what config.toml makes of it: a plan
//! that was made of another stack is not carried out.

use super::diag::Source;
use super::spec::Stack;
use super::vars::Vars;
use sha2::{Digest, Sha256};
use std::fmt::Write;

/// SHA-256 in hexadecimal digits, of the stack file's text, of the variables that config.toml
/// gives, and of what it makes of hosts and probes. Colours, keys and secrets' places are no part.
pub fn of(source: &Source, vars: &Vars, stack: &Stack) -> String {
    let mut text = String::new();
    let mut put = |name: &str, value: &str| {
        // Lengths, so that no value can look like the next entry.
        let _ = writeln!(text, "{name}:{}:{value}", value.len());
    };
    put("file", &source.text);
    put("environment", &stack.environment);
    for (name, value) in &vars.0 {
        put(name, value);
    }
    for host in &stack.hosts {
        put(host.id.as_str(), &format!("{:?} {:?}", host.transport, host.path));
    }
    for probe in &stack.probes {
        let conditions = |all: &[crate::domain::condition::Condition]| {
            all.iter().map(|c| c.text().to_owned()).collect::<Vec<_>>().join("\n")
        };
        put(
            probe.id.as_str(),
            &format!("{:?} {:?} {:?} {}", probe.interval, probe.timeout, probe.thresholds, probe.sudo),
        );
        put("conditions", &conditions(&probe.conditions));
        put("degraded_unless", &conditions(&probe.degraded_unless));
    }
    for remote in [&stack.metrics.prometheus, &stack.metrics.alertmanager].into_iter().flatten() {
        put("remote", &remote.target.url);
    }
    let mut out = String::with_capacity(64);
    for byte in Sha256::digest(text.as_bytes()) {
        let _ = write!(out, "{byte:02x}");
    }
    out
}
