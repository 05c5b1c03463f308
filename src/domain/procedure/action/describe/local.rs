//! What runs on a host: the argv of programs, and what is done with files.

use crate::domain::procedure::action::kinds::{
    Capture, CaptureFrom, Compose, ComposeVerb, Exec, File, Shell, Signal, SignalTarget, Systemd, SystemdVerb,
};
use crate::domain::{shell, units};
use std::collections::BTreeMap;
use std::time::Duration;

/// An argv as it is started, with the names of the variables that it is given.
pub fn full_argv(argv: &[String], sudo: bool, env: &BTreeMap<String, String>) -> Vec<String> {
    let mut all = Vec::new();
    if sudo {
        all.extend(["sudo", "-n"].map(str::to_owned));
        if !env.is_empty() {
            // Names only; sudo would otherwise drop the variables themselves.
            let names: Vec<&str> = env.keys().map(String::as_str).collect();
            all.push(format!("--preserve-env={}", names.join(",")));
        }
        all.push("--".to_owned());
    }
    all.extend(argv.iter().cloned());
    all
}

fn command(argv: &[String], sudo: bool) -> String {
    shell::line(full_argv(argv, sudo, &BTreeMap::new()).iter().map(String::as_str))
}

fn words(words: &[&str], sudo: bool) -> String {
    command(&words.iter().map(|w| (*w).to_owned()).collect::<Vec<_>>(), sudo)
}

/// A program with what it is given beside its argv; secrets stay places.
fn program(argv: &[String], sudo: bool, env: &BTreeMap<String, String>, stdin: Option<&str>) -> Vec<String> {
    let mut out = vec![shell::line(full_argv(argv, sudo, env).iter().map(String::as_str))];
    out.extend(env.iter().map(|(name, value)| format!("  with {name}={}", shell::quote(value))));
    if let Some(text) = stdin {
        out.push("  reads:".to_owned());
        out.extend(text.lines().map(|line| format!("    {line}")));
    }
    out
}

/// The argv of `systemctl` for a step.
pub fn systemctl(a: &Systemd) -> Vec<String> {
    let verb = match a.verb {
        SystemdVerb::Start => "start",
        SystemdVerb::Stop => "stop",
        SystemdVerb::Restart => "restart",
        SystemdVerb::Reload => "reload",
        SystemdVerb::Kill => "kill",
    };
    let mut argv: Vec<String> = ["systemctl", "--no-ask-password", verb].map(str::to_owned).into();
    if let Some(signal) = &a.signal {
        argv.push(format!("--signal={signal}"));
    }
    argv.extend(["--".to_owned(), a.unit.clone()]);
    argv
}

pub(super) fn systemd(a: &Systemd, sudo: bool) -> Vec<String> {
    vec![command(&systemctl(a), sudo)]
}

/// The argv of `docker compose` for a step.
pub fn docker_compose(a: &Compose) -> Vec<String> {
    let mut argv: Vec<String> = ["docker", "compose"].map(str::to_owned).into();
    if let Some(project) = &a.project {
        argv.extend(["--project-name".to_owned(), project.clone()]);
    }
    if let Some(file) = &a.file {
        argv.extend(["--file".to_owned(), file.clone()]);
    }
    let verb: &[&str] = match a.verb {
        ComposeVerb::Up => &["up", "--detach", "--no-color", "--quiet-pull"],
        ComposeVerb::Stop => &["stop"],
        ComposeVerb::Restart => &["restart"],
        ComposeVerb::Recreate => &["up", "--detach", "--no-color", "--quiet-pull", "--force-recreate"],
    };
    argv.extend(verb.iter().map(|w| (*w).to_owned()));
    argv.push("--".to_owned());
    argv.extend(a.services.iter().cloned());
    argv
}

pub(super) fn compose(a: &Compose, sudo: bool) -> Vec<String> {
    let Some(socket) = &a.api else { return vec![command(&docker_compose(a), sudo)] };
    let verb = match a.verb {
        ComposeVerb::Stop => "stop",
        ComposeVerb::Restart => "restart",
        ComposeVerb::Up => "start",
        ComposeVerb::Recreate => "recreate",
    };
    let services = if a.services.is_empty() { "every service".to_owned() } else { a.services.join(", ") };
    let project = a.project.as_deref().unwrap_or("(no project)");
    vec![format!("POST /containers/…/{verb} to {socket} for each container of {services} in {project}")]
}

pub(super) fn signal(a: &Signal, sudo: bool) -> Vec<String> {
    let from = match &a.to {
        SignalTarget::PidFile(path) => format!("the process named by {path}"),
        SignalTarget::Unit(unit) => format!("the main process of {unit}"),
    };
    let user = a.user.as_ref().map(|u| format!(" and run as {u}")).unwrap_or_default();
    vec![
        words(&["kill", "-s", &a.signal, "--", "PID"], sudo),
        format!("  PID is {from}; its command line must hold \"{}\"{user}", a.process),
    ]
}

pub(super) fn file(a: &File, sudo: bool) -> Vec<String> {
    let by = if sudo { " (sudo -n)" } else { "" };
    let mut out = Vec::new();
    if a.backup {
        out.push(format!("keep {0} as {0}.quarterdeck-${{run.id}}{by}", a.path));
    }
    match &a.content {
        None if a.backup => {
            out = vec![format!("move {0} to {0}.quarterdeck-${{run.id}}{by}", a.path)];
        }
        None => out.push(format!(
            "put {0}.quarterdeck-${{run.id}} back as {0}; where this run has kept none, remove {0}{by}",
            a.path
        )),
        Some(content) => {
            out.push(format!("  beside it, on disk, then renamed{by}"));
            let mode = a.mode.as_deref().unwrap_or("as before, else 0644");
            let owner = a.owner.as_deref().unwrap_or("as before");
            out.push(format!("write {}, mode {mode}, owner {owner}{by}:", a.path));
            out.extend(content.lines().map(|line| format!("    {line}")));
        }
    }
    out
}

/// What undoes a step that wrote or removed a file.
pub(super) fn file_undone(done: &File, sudo: bool) -> Vec<String> {
    let by = if sudo { " (sudo -n)" } else { "" };
    let path = &done.path;
    let mut out = Vec::new();
    if done.backup {
        out.push(format!(
            "put {path} back as it was before the step, from {path}.quarterdeck-${{run.id}}{by}"
        ));
    }
    if done.content.is_some() {
        out.push(format!("remove {path} where there was none before the step{by}"));
    }
    if !done.backup {
        out.push(format!("  a {path} that was there before the step is not kept and cannot be put back"));
    }
    out.push("  left as it is when somebody else has changed it since".to_owned());
    out
}

/// So far back, as `journalctl --since` takes it.
pub fn since(span: Duration) -> String {
    format!("-{}s", span.as_secs())
}

/// The argv that exports the journal of units since a moment.
pub fn journal_export(units: &[String], since: &str) -> Vec<String> {
    let mut argv: Vec<String> =
        ["journalctl", "--no-pager", "--quiet", "-o", "export"].map(str::to_owned).into();
    argv.push(format!("--since={since}"));
    argv.extend(units.iter().map(|unit| format!("--unit={unit}")));
    argv
}

pub(super) fn capture(a: &Capture, sudo: bool) -> Vec<String> {
    let whole = if a.whole { "a longer one fails" } else { "the rest is counted" };
    let empty = if a.may_be_empty { "it may be empty" } else { "an empty one fails" };
    let kept =
        format!("  into {} of the run, at most {}; {whole}, {empty}", a.name, units::bytes(a.max as f64));
    let line = match &a.from {
        CaptureFrom::Command(argv) => command(argv, sudo),
        CaptureFrom::Journal { units, since: span } => command(&journal_export(units, &since(*span)), sudo),
        CaptureFrom::File(path) => words(&["cat", "--", path], sudo),
        CaptureFrom::Http(request) => {
            let mut lines = super::wires::http(request);
            lines.push(kept);
            return lines;
        }
    };
    vec![line, kept]
}

pub(super) fn exec(a: &Exec, sudo: bool) -> Vec<String> {
    program(&a.argv, sudo, &a.env, a.stdin.as_deref())
}

/// The argv of a shell step. `pipefail` is why it is bash (trap X11); `--norc`, since a bash that
/// sshd has started would otherwise read the user's start files.
pub fn bash(a: &Shell) -> Vec<String> {
    let mut argv: Vec<String> =
        ["bash", "--norc", "-euo", "pipefail", "-c", &a.script, "bash"].map(str::to_owned).into();
    argv.extend(a.args.iter().cloned());
    argv
}

pub(super) fn shell(a: &Shell, sudo: bool) -> Vec<String> {
    if !a.script.trim_end().contains('\n') {
        return program(&bash(a), sudo, &a.env, a.stdin.as_deref());
    }
    let mut argv = bash(a);
    if let Some(script) = argv.get_mut(5) {
        "SCRIPT".clone_into(script);
    }
    let mut out = program(&argv, sudo, &a.env, a.stdin.as_deref());
    out.push("  where SCRIPT is:".to_owned());
    out.extend(a.script.lines().map(|line| format!("    {line}")));
    out
}
