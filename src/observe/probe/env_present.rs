//! Looks whether variables are set. Their values pass through memory and are left there: only
//! names come out of this file.

use super::{Context, Fault, Found, file, host, pid_file, shared, systemd};
use crate::domain::fact::Fact;
use crate::domain::units::Unit;
use crate::stack::kind::env_present::{Place, Spec};
use crate::transport::files::FileError;
use std::collections::BTreeSet;

/// Read of an environment or of a file of one.
const MAX_ENVIRONMENT: usize = 1 << 20;

/// The names that a file of `NAME=value` lines sets to something: comments, `export` and quotes
/// as systemd and shells have them. A name that is set to nothing at last is not told.
pub fn parse_env_file(text: &str) -> BTreeSet<&str> {
    let mut set = BTreeSet::new();
    let mut continues = false;
    for line in text.lines() {
        let continued = std::mem::replace(&mut continues, line.ends_with('\\'));
        let line = line.trim_start();
        if continued || line.starts_with(['#', ';']) {
            continue;
        }
        let line = line.strip_prefix("export ").map_or(line, str::trim_start);
        let Some((name, value)) = line.split_once('=') else { continue };
        let value = value.trim();
        if matches!(value, "" | "\"\"" | "''") {
            set.remove(name.trim());
        } else {
            set.insert(name.trim());
        }
    }
    set
}

/// The names that `/proc/PID/environ` sets to something.
pub fn parse_environ(bytes: &[u8]) -> BTreeSet<&str> {
    let pairs = bytes.split(|b| *b == 0).filter_map(|entry| {
        let at = entry.iter().position(|b| *b == b'=')?;
        let (name, value) = entry.split_at_checked(at)?;
        (value.len() > 1).then(|| std::str::from_utf8(name).ok()).flatten()
    });
    pairs.collect()
}

pub(super) async fn look(spec: &Spec, cx: &Context<'_>) -> Result<Found, Fault> {
    let is_set =
        |set: &BTreeSet<&str>| spec.names.iter().map(|n| set.contains(n.as_str())).collect::<Vec<_>>();
    let present = match &spec.place {
        Place::Own => {
            let own = |name: &String| std::env::var_os(name).is_some_and(|value| !value.is_empty());
            spec.names.iter().map(own).collect()
        }
        Place::File(path) => {
            let bytes = match host::read(cx, path, MAX_ENVIRONMENT + 1).await {
                Ok(bytes) => bytes,
                Err(FileError::NotFound) => {
                    return Err(Fault::Down(format!("expected {path} to exist, got no such file")));
                }
                Err(e) => return Err(file::fault(path, e)),
            };
            let text = String::from_utf8_lossy(bounded(&bytes, path)?);
            is_set(&parse_env_file(&text))
        }
        Place::PidFile(path) => {
            let pid = pid_of_file(cx, path).await?;
            is_set(&parse_environ(&environ(cx, pid).await?))
        }
        Place::Unit(unit) => {
            let pid = pid_of_unit(cx, unit).await?;
            is_set(&parse_environ(&environ(cx, pid).await?))
        }
    };
    Ok(report(spec, &present))
}

fn report(spec: &Spec, present: &[bool]) -> Found {
    let missing: Vec<String> =
        spec.names.iter().zip(present).filter(|(_, set)| !**set).map(|(name, _)| name.clone()).collect();
    let set = spec.names.len() - missing.len();
    let mut found = Found { summary: format!("{set} of {} set", spec.names.len()), ..Found::default() };
    let lines = spec
        .names
        .iter()
        .zip(present)
        .map(|(name, set)| format!("{name}: {}", if *set { "set" } else { "not set" }));
    found.evidence = lines.collect::<Vec<_>>().join("\n");
    found.facts.number("SET", set as f64, Unit::None);
    found.facts.set("MISSING", Fact::Json(missing.into()));
    found
}

fn bounded<'a>(bytes: &'a [u8], path: &str) -> Result<&'a [u8], Fault> {
    if bytes.len() > MAX_ENVIRONMENT {
        return Err(Fault::Unknown(format!("{path} is longer than {MAX_ENVIRONMENT} bytes")));
    }
    Ok(bytes)
}

async fn pid_of_file(cx: &Context<'_>, path: &str) -> Result<u32, Fault> {
    let content = match host::read(cx, path, 4096).await {
        Ok(content) => content,
        Err(FileError::NotFound) => {
            return Err(Fault::Down(format!("expected {path} to exist, got no such file")));
        }
        Err(e) => return Err(file::fault(path, e)),
    };
    let pid = pid_file::parse_pid(&String::from_utf8_lossy(&content));
    pid.ok_or_else(|| Fault::Down(format!("expected a process id in {path}, got something else")))
}

async fn pid_of_unit(cx: &Context<'_>, unit: &str) -> Result<u32, Fault> {
    let (state, _) = systemd::state(cx, unit).await?;
    let pid = state.main_pid.filter(|pid| *pid > 0);
    pid.ok_or_else(|| {
        Fault::Down(format!("expected a main process of {unit}, got none: it is {}", state.active))
    })
}

async fn environ(cx: &Context<'_>, pid: u32) -> Result<Vec<u8>, Fault> {
    let path = format!("/proc/{pid}/environ");
    match host::read(cx, &path, MAX_ENVIRONMENT + 1).await {
        Ok(bytes) => bounded(&bytes, &path).map(<[u8]>::to_vec),
        Err(FileError::NotFound) => {
            Err(Fault::Down(format!("expected process {pid} to run, got no such process")))
        }
        Err(FileError::NotAllowed) => Err(Fault::Unknown(format!(
            "needs sudo = true, and in sudoers: <user> ALL=(root) NOPASSWD: {SUDOERS}"
        ))),
        // The process id changes with every start, so the rule names them all.
        Err(FileError::Other(why)) if shared::sudo_refused(&why) || why.starts_with("needs sudo") => {
            Err(Fault::Unknown(format!("needs sudo: add to sudoers: <user> ALL=(root) NOPASSWD: {SUDOERS}")))
        }
        Err(e) => Err(host::unreadable(&path, e)),
    }
}

const SUDOERS: &str = "/usr/bin/cat -- /proc/[0-9]*/environ";

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_are_read_as_systemd_and_shells_do() {
        let text =
            "# A=1\n; B=1\nC=1\nexport D='x'\n E = 2\nF=\nG=\"\"\nH=a \\\nI=2\nJ=1\nJ=\nnonsense\nK==\n";
        assert_eq!(parse_env_file(text).into_iter().collect::<Vec<_>>(), ["C", "D", "E", "H", "K"]);
        let environ = b"A=1\0B=\0C=x=y\0D\0\xff=1\0E=\n";
        assert_eq!(parse_environ(environ).into_iter().collect::<Vec<_>>(), ["A", "C", "E"]);
    }

    #[test]
    fn no_value_comes_out() {
        let spec = Spec { names: vec!["A".into(), "B".into()], place: Place::Own };
        let found = report(&spec, &[true, false]);
        assert_eq!(found.summary, "1 of 2 set");
        assert_eq!(found.evidence, "A: set\nB: not set");
        assert_eq!(found.facts.get("MISSING"), Some(&Fact::Json(serde_json::json!(["B"]))));
    }

    proptest! {
        #[test]
        fn any_text_is_read_without_a_panic(text in "((export )?\\PC{0,8}[=#;\\\\\"\n\0]){0,40}") {
            let _ = (parse_env_file(&text), parse_environ(text.as_bytes()));
        }
    }
}
