//! Looks for processes by name, command line and user.

use super::procfs::Process;
use super::{Context, Fault, Found, file, host, procfs};
use crate::domain::fact::Fact;
use crate::domain::units::{self, Unit};
use crate::stack::kind::process::Spec;
use std::fmt::Write as _;
use std::time::Duration;

/// Process ids told at most.
const MAX_PIDS: usize = 1000;
/// Processes whose memory is read at most; each is a file of its own.
const MAX_MEASURED: usize = 1000;
/// Processes written into the evidence at most.
const MAX_SHOWN: usize = 100;

pub(super) async fn look(spec: &Spec, cx: &Context<'_>) -> Result<Found, Fault> {
    let uid = match &spec.user {
        None => None,
        Some(name) => Some(uid_of(cx, name).await?),
    };
    let (at, all) = procfs::all(cx).await?;
    let matching: Vec<&Process> = all.iter().filter(|p| is_meant(spec, uid, p)).collect();
    let age = cx.clock.now().since(at).as_secs_f64();
    let uptime = host::uptime(cx).await? - age;
    let oldest = matching.iter().map(|p| p.running_for(uptime)).reduce(f64::max);
    let mut found = Found { seen_at: Some(at), evidence: evidence(&matching, uptime), ..Found::default() };
    found.summary = match (matching.len(), oldest) {
        (0, _) | (_, None) => "none runs".to_owned(),
        (1, Some(age)) => format!("1 runs, for {}", shown(age)),
        (n, Some(age)) => format!("{n} run, the oldest for {}", shown(age)),
    };
    found.facts.number("COUNT", matching.len() as f64, Unit::None);
    if file::wants(cx, "RSS") {
        found.facts.set("RSS", resident(cx, &matching).await);
    }
    let none = || Fact::Unavailable("no such process runs".to_owned());
    found.facts.set("OLDEST", oldest.map_or_else(none, |s| Fact::Number(s, Unit::Seconds)));
    let pids = matching.iter().take(MAX_PIDS).map(|p| p.pid).collect::<Vec<_>>();
    found.facts.set("PIDS", Fact::Json(pids.into()));
    Ok(found)
}

async fn uid_of(cx: &Context<'_>, name: &str) -> Result<u32, Fault> {
    let accounts = cx.shared.host.accounts(cx).await.map_err(|e| host::unreadable("/etc/passwd", e))?;
    let user = accounts.user(name).map(|u| u.uid);
    user.ok_or_else(|| Fault::Unknown(format!("the host's /etc/passwd has no user {name}")))
}

fn is_meant(spec: &Spec, uid: Option<u32>, process: &Process) -> bool {
    spec.name.as_ref().is_none_or(|name| process.is_called(name))
        && spec.command.as_ref().is_none_or(|pattern| pattern.is_match(&process.command))
        && uid.is_none_or(|uid| uid == process.uid)
}

async fn resident(cx: &Context<'_>, matching: &[&Process]) -> Fact {
    if matching.len() > MAX_MEASURED {
        return Fact::Unavailable(format!("more than {MAX_MEASURED} processes match"));
    }
    let mut sum = 0u64;
    for process in matching {
        // One that has ended since it was listed has no memory.
        sum = sum.saturating_add(process.resident(cx).await.unwrap_or(0));
    }
    Fact::Number(sum as f64, Unit::Bytes)
}

fn shown(age: f64) -> String {
    units::long_age(Duration::try_from_secs_f64(age).unwrap_or_default())
}

fn evidence(matching: &[&Process], uptime: f64) -> String {
    let mut out = String::new();
    for p in matching.iter().take(MAX_SHOWN) {
        let _ = writeln!(out, "{} uid {} for {} {}", p.pid, p.uid, shown(p.running_for(uptime)), p.command);
    }
    out
}
