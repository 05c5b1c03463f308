//! Starts, stops, restarts, reloads or signals a systemd unit; its invocation tells whether that
//! came about.

use super::{Answer, Left, Setting, Stop, Target, program};
use crate::act::process::{self, Program};
use crate::domain::procedure::action::describe::local::systemctl;
use crate::domain::procedure::action::kinds::{Systemd, SystemdVerb};
use crate::domain::procedure::event::Effected;
use crate::domain::text;
use crate::transport::Command;
use std::collections::{BTreeMap, BTreeSet};

const PROPERTIES: &str = "Id,LoadState,ActiveState,SubState,InvocationID,\
    ActiveEnterTimestampMonotonic,MainPID,Job,Result,CanReload,\
    RefuseManualStart,NRestarts,RefuseManualStop,RequiredBy,BoundBy,ConsistsOf";
/// Units named at most of those that depend on one.
const MAX_NAMED: usize = 6;

/// What systemd says of a unit.
#[derive(Debug, Default)]
struct Unit(BTreeMap<String, String>);

impl Unit {
    fn get(&self, name: &str) -> &str {
        self.0.get(name).map_or("", String::as_str)
    }

    /// One line that changes when the unit does.
    fn state(&self) -> String {
        let of = |name: &str| match self.get(name) {
            "" => "-".to_owned(),
            value => text::one_line(value, 80).replace(' ', "_"),
        };
        format!(
            "load={} active={} sub={} invocation={} entered={} pid={}",
            of("LoadState"),
            of("ActiveState"),
            of("SubState"),
            of("InvocationID"),
            of("ActiveEnterTimestampMonotonic"),
            of("MainPID")
        )
    }

    /// For people: `active (running)`.
    fn words(&self) -> String {
        let pid = match self.get("MainPID") {
            "" | "0" => String::new(),
            pid => format!(", pid {pid}"),
        };
        text::one_line(&format!("{} ({}){pid}", self.get("ActiveState"), self.get("SubState")), 120)
    }

    /// The units that go down with it.
    fn dependents(&self) -> BTreeSet<&str> {
        let of = |name: &str| self.get(name).split_whitespace();
        of("RequiredBy").chain(of("BoundBy")).chain(of("ConsistsOf")).collect()
    }

    /// Whether it changes by itself: on its way somewhere, or restarted by systemd before.
    fn is_restless(&self) -> bool {
        matches!(self.get("ActiveState"), "activating" | "deactivating" | "reloading")
            || !matches!(self.get("NRestarts"), "" | "0")
    }

    fn job(&self) -> Option<&str> {
        Some(self.get("Job")).filter(|job| !matches!(*job, "" | "0"))
    }
}

async fn show(unit: &str, s: &Setting<'_>) -> Result<Unit, String> {
    let command = Command::new(["systemctl", "show", "--no-pager", "-p", PROPERTIES, "--", unit]);
    let output = s.transport.run(&command).await.map_err(|e| e.to_string())?;
    if output.status != 0 {
        let why = program::last_line(&output).unwrap_or_else(|| "it says nothing".to_owned());
        return Err(format!("cannot ask systemd of {unit}: {why}"));
    }
    Ok(parse(&String::from_utf8_lossy(&output.stdout)))
}

fn parse(output: &str) -> Unit {
    let pairs = output.lines().filter_map(|line| line.split_once('='));
    Unit(pairs.map(|(k, v)| (k.to_owned(), v.to_owned())).collect())
}

pub async fn target(a: &Systemd, s: &Setting<'_>) -> Target {
    let unit = match show(&a.unit, s).await {
        Ok(unit) => unit,
        Err(why) => return Target::unknown(why),
    };
    let mut target = Target::probed(format!("unit {} on {}", a.unit, s.host), unit.state());
    target.restless = unit.is_restless();
    if let Some(why) = impossible(a, &unit) {
        return target.but_impossible(why);
    }
    let takes_down = matches!(a.verb, SystemdVerb::Stop | SystemdVerb::Restart | SystemdVerb::Kill);
    let dependents = unit.dependents();
    if takes_down && !dependents.is_empty() {
        let named: Vec<String> = dependents.iter().take(MAX_NAMED).map(|u| text::one_line(u, 60)).collect();
        let (verb, more) =
            (if dependents.len() == 1 { "unit depends" } else { "units depend" }, dependents.len());
        let rest = if more > MAX_NAMED { format!(" and {} more", more - MAX_NAMED) } else { String::new() };
        target.blast.push(format!("{more} {verb} on {}: {}{rest}", a.unit, named.join(", ")));
    }
    if let Some(job) = unit.job() {
        target.warnings.push(format!("systemd has a job for {} under way: {job}", a.unit));
    }
    if s.sudo { program::runnable(&systemctl(a), s, target).await } else { target }
}

fn impossible(a: &Systemd, unit: &Unit) -> Option<String> {
    let why = match (unit.get("LoadState"), a.verb) {
        ("not-found", _) => "there is no such unit",
        ("masked", SystemdVerb::Start | SystemdVerb::Restart) => "it is masked",
        ("error" | "bad-setting", _) => "its unit file cannot be loaded",
        (_, SystemdVerb::Reload) if unit.get("CanReload") == "no" => "it cannot be reloaded",
        (_, SystemdVerb::Start | SystemdVerb::Restart) if unit.get("RefuseManualStart") == "yes" => {
            "it may only be started by other units"
        }
        (_, SystemdVerb::Stop | SystemdVerb::Restart) if unit.get("RefuseManualStop") == "yes" => {
            "it may only be stopped by other units"
        }
        _ => return None,
    };
    Some(format!("{}: {why}", a.unit))
}

pub async fn perform(a: &Systemd, s: &Setting<'_>, stop: &Stop) -> Left {
    let before = show(&a.unit, s).await.map_or_else(|why| why, |unit| unit.words());
    let mut left = process::as_step(Program::new(systemctl(a)), s, &[0], stop).await;
    // Also after it was ended: what was asked of systemd goes on without whoever asked.
    let after = match show(&a.unit, s).await {
        Ok(unit) => {
            let job =
                unit.job().map(|job| format!("; systemd is still at its job {job}")).unwrap_or_default();
            format!("{}{job}", unit.words())
        }
        Err(why) => why,
    };
    let told = format!("{}: {before}, then {after}", a.unit);
    match &mut left.result {
        Effected::Done { says } => *says = told,
        Effected::Failed { why } | Effected::TimedOut { why } | Effected::Killed { why } => {
            *why = format!("{why}; {told}");
        }
    }
    left
}

pub async fn ask(a: &Systemd, before: &str, s: &Setting<'_>) -> Answer {
    match show(&a.unit, s).await {
        Ok(unit) => judge(a, before, &unit),
        Err(why) => Answer::unknown(why),
    }
}

fn judge(a: &Systemd, before: &str, unit: &Unit) -> Answer {
    let then = |name: &str| {
        let of = |word: &'_ str| word.strip_prefix(name)?.strip_prefix('=').map(str::to_owned);
        before.split(' ').find_map(of).unwrap_or_default()
    };
    let now = unit.words();
    if let Some(job) = unit.job() {
        return Answer::unknown(format!("systemd is still at its job {job}; {} is {now}", a.unit));
    }
    let state = unit.get("ActiveState");
    let (runs, rests) = (matches!(state, "active" | "reloading"), matches!(state, "inactive" | "failed"));
    // An old systemd has no invocations, but it has times. A unit that was unloaded after it stopped
    // has lost both, which proves nothing.
    let entered = unit.get("ActiveEnterTimestampMonotonic");
    let invoked_anew = match unit.get("InvocationID") {
        "" => then("invocation") == "-" && !matches!(entered, "" | "0" | "-") && then("entered") != entered,
        invocation => then("invocation") != invocation,
    };
    let says = |what: &str| format!("{} is {now}: {what}", a.unit);
    match a.verb {
        _ if then("load").is_empty() => Answer::unknown(says("how it was before is not known")),
        SystemdVerb::Start if runs => Answer::happened(says("it runs")),
        SystemdVerb::Start | SystemdVerb::Restart if invoked_anew => {
            Answer::happened(says("it was started since"))
        }
        SystemdVerb::Stop if rests => Answer::happened(says("it does not run")),
        SystemdVerb::Kill if rests || invoked_anew => Answer::happened(says("what ran before is gone")),
        SystemdVerb::Kill | SystemdVerb::Reload => Answer::unknown(says("it does not tell")),
        // Only a unit to which nothing at all happened says that this did not happen either: a
        // restart that was cut off between its halves has taken the service down.
        _ if unit.state() == before => Answer::did_not(says("as it was before")),
        SystemdVerb::Start => Answer::unknown(says("it is not as it was, and does not run")),
        SystemdVerb::Restart => Answer::unknown(says(
            "it is not as it was, and was not started again: perhaps only half of it happened",
        )),
        SystemdVerb::Stop => Answer::unknown(says("it is not as it was, and has not stopped")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::procedure::event::Truth;

    fn unit(active: &str, invocation: &str, job: &str) -> Unit {
        // `@t` stands for a systemd without invocations, with a time.
        let (invocation, entered) = match invocation.strip_prefix('@') {
            Some(time) => ("", time),
            None => (invocation, "1"),
        };
        parse(&format!(
            "LoadState=loaded\nActiveState={active}\nSubState=x\nInvocationID={invocation}\n\
             ActiveEnterTimestampMonotonic={entered}\nMainPID=1\nJob={job}\n"
        ))
    }

    #[test]
    fn what_became_of_it_is_read_off_the_invocation() {
        use SystemdVerb::{Kill, Reload, Restart, Start, Stop};
        use Truth::{DidNot, Happened, Unknown};
        let table = [
            (Restart, ("active", "a"), ("active", "b", ""), Happened),
            (Restart, ("active", "a"), ("active", "a", ""), DidNot),
            // Half of it happened.
            (Restart, ("active", "a"), ("inactive", "a", ""), Unknown),
            (Restart, ("active", "a"), ("deactivating", "a", ""), Unknown),
            (Restart, ("active", "a"), ("failed", "a", ""), Unknown),
            // Stopped and unloaded: no invocation and no time is no new start.
            (Restart, ("active", "a"), ("inactive", "@0", ""), Unknown),
            (Restart, ("failed", "a"), ("failed", "a", ""), DidNot),
            (Restart, ("active", "a"), ("deactivating", "a", "7"), Unknown),
            (Restart, ("failed", "a"), ("failed", "b", ""), Happened),
            (Restart, ("active", "@1"), ("active", "@2", ""), Happened),
            (Restart, ("active", "@1"), ("active", "@1", ""), DidNot),
            (Start, ("inactive", "a"), ("active", "b", ""), Happened),
            (Start, ("inactive", "a"), ("failed", "b", ""), Happened),
            (Start, ("inactive", "a"), ("inactive", "a", ""), DidNot),
            (Start, ("inactive", "a"), ("activating", "a", ""), Unknown),
            (Start, ("failed", "a"), ("inactive", "a", ""), Unknown),
            (Stop, ("active", "a"), ("inactive", "a", ""), Happened),
            (Stop, ("active", "a"), ("active", "a", ""), DidNot),
            (Stop, ("active", "a"), ("deactivating", "a", ""), Unknown),
            (Stop, ("active", "a"), ("active", "b", ""), Unknown),
            (Kill, ("active", "a"), ("active", "a", ""), Unknown),
            (Kill, ("active", "a"), ("failed", "a", ""), Happened),
            (Kill, ("active", "a"), ("deactivating", "a", ""), Unknown),
            (Reload, ("active", "a"), ("active", "a", ""), Unknown),
        ];
        for (verb, then, now, want) in table {
            let a = Systemd { verb, unit: "u".into(), signal: None };
            let before = unit(then.0, then.1, "").state();
            let answer = judge(&a, &before, &unit(now.0, now.1, now.2));
            assert_eq!(answer.truth, want, "{verb:?} {then:?} {now:?}: {}", answer.says);
        }
    }
}
