//! Looks at a systemd unit: one `systemctl show` answers for all units of a host.

use super::shared::Answer;
use super::{Context, Fault, Found, host};
use crate::domain::fact::Fact;
use crate::domain::text;
use crate::domain::units::{self, Unit as Of};
use crate::stack::kind::systemd::Spec;
use crate::transport::Command;
use std::fmt::Write as _;
use std::time::Duration;

/// Both forms of the time are asked for: the plain one needs `--timestamp=unix` (systemd 251),
/// the monotonic one is always in microseconds.
const PROPERTIES: &str = "Id,Names,LoadState,ActiveState,SubState,Result,NRestarts,MainPID,\
    StateChangeTimestamp,StateChangeTimestampMonotonic,UnitFileState,ExecMainStatus,NeedDaemonReload";

/// Kept of the answer: some two thousand units.
const MAX_ANSWER: usize = 2 << 20;

/// What systemd says of one unit. A property that its type lacks is `None`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct UnitState {
    pub id: String,
    pub names: Vec<String>,
    pub load: String,
    pub active: String,
    pub sub: String,
    pub result: Option<String>,
    pub restarts: Option<u64>,
    pub main_pid: Option<u32>,
    /// When its state last changed: seconds since the epoch.
    pub changed: Option<f64>,
    /// The same, in seconds since the host was started.
    pub changed_monotonic: Option<f64>,
    /// The properties as they came, for the evidence.
    pub raw: String,
}

impl UnitState {
    fn answers_to(&self, unit: &str) -> bool {
        self.id == unit || self.names.iter().any(|n| n == unit)
    }
}

/// Reads the output of `systemctl show`: blocks of `Key=value`, a blank line between units.
/// Blocks that name no unit (the manager's own properties) are left out.
pub fn parse_units(output: &str) -> Vec<UnitState> {
    let mut units = Vec::new();
    let mut unit = UnitState::default();
    for line in output.lines().chain([""]) {
        if let Some((key, value)) = line.split_once('=') {
            unit.take(key, value);
            unit.raw.push_str(line);
            unit.raw.push('\n');
        } else if line.is_empty() {
            let done = std::mem::take(&mut unit);
            if !done.id.is_empty() && !done.active.is_empty() {
                units.push(done);
            }
        }
    }
    units
}

impl UnitState {
    fn take(&mut self, key: &str, value: &str) {
        let text = || value.to_owned();
        match key {
            "Id" => self.id = text(),
            "Names" => self.names = value.split_whitespace().map(str::to_owned).collect(),
            "LoadState" => self.load = text(),
            "ActiveState" => self.active = text(),
            "SubState" => self.sub = text(),
            "Result" => self.result = Some(text()),
            "NRestarts" => self.restarts = value.parse().ok(),
            "MainPID" => self.main_pid = value.parse().ok(),
            "StateChangeTimestamp" => {
                self.changed = value.strip_prefix('@').and_then(|v| v.parse().ok()).filter(|v| *v > 0.0);
            }
            "StateChangeTimestampMonotonic" => {
                self.changed_monotonic = value.parse::<u64>().ok().filter(|v| *v > 0).map(|v| v as f64 / 1e6);
            }
            _ => {}
        }
    }
}

pub(super) async fn look(spec: &Spec, cx: &Context<'_>) -> Result<Found, Fault> {
    let (unit, answer) = state(cx, &spec.unit).await?;
    let since = since(&unit, &answer, cx).await;
    let mut found = Found { seen_at: Some(answer.at), evidence: unit.raw.clone(), ..Found::default() };
    found.summary = summary(&unit, &since);
    let facts = &mut found.facts;
    facts.text("LOAD", unit.load);
    facts.text("ACTIVE", unit.active);
    facts.text("SUB", unit.sub);
    facts.set("RESULT", unit.result.map_or_else(|| not_for_its_type("Result"), Fact::Text));
    let number =
        |n: Option<f64>, name: &str| n.map_or_else(|| not_for_its_type(name), |n| Fact::Number(n, Of::None));
    facts.set("RESTARTS", number(unit.restarts.map(|n| n as f64), "NRestarts"));
    facts.set("PID", number(unit.main_pid.map(f64::from), "MainPID"));
    facts.set("SINCE", since.map_or_else(Fact::Unavailable, |s| Fact::Number(s, Of::Seconds)));
    Ok(found)
}

fn not_for_its_type(property: &str) -> Fact {
    Fact::Unavailable(format!("systemd gives no {property} for this unit"))
}

fn summary(unit: &UnitState, since: &Result<f64, String>) -> String {
    let mut out = format!("{} ({})", unit.active, unit.sub);
    if let Ok(age) = since {
        out.push_str(" for ");
        out.push_str(&units::long_age(Duration::try_from_secs_f64(*age).unwrap_or_default()));
    }
    if let Some(n @ 1..) = unit.restarts {
        let _ = write!(out, ", {n} restart{}", if n == 1 { "" } else { "s" });
    }
    out
}

/// The state of one unit, from the answer that all units of the host share.
pub(super) async fn state(cx: &Context<'_>, unit: &str) -> Result<(UnitState, Answer), Fault> {
    let names = cx.shared.host.units_with(&cx.probe.host, unit);
    let mut answer = ask(cx, &names, true).await?;
    if answer.output.status != 0 && complaint(&answer).contains("timestamp") {
        answer = ask(cx, &names, false).await?; // systemd before 251
    }
    let said = String::from_utf8_lossy(&answer.output.stdout);
    match parse_units(&said).into_iter().find(|u| u.answers_to(unit)) {
        Some(found) => Ok((found, answer)),
        None => Err(absent(unit, &answer)),
    }
}

async fn ask(cx: &Context<'_>, names: &[String], unix_time: bool) -> Result<Answer, Fault> {
    let mut argv = vec!["systemctl", "show", "--no-pager"];
    if unix_time {
        argv.push("--timestamp=unix");
    }
    argv.extend(["-p", PROPERTIES, "--"]);
    let mut command = Command::new(argv.into_iter().chain(names.iter().map(String::as_str)));
    command.max_stdout = MAX_ANSWER;
    cx.shared.command(&cx.probe.host, cx.transport, &command, host::max_age(cx), cx.clock).await
}

fn complaint(answer: &Answer) -> String {
    let text = String::from_utf8_lossy(&answer.output.stderr);
    text::one_line(text.lines().rfind(|l| !l.trim().is_empty()).unwrap_or(""), 200)
}

fn absent(unit: &str, answer: &Answer) -> Fault {
    let said = complaint(answer);
    if !said.is_empty() {
        Fault::Unknown(format!("systemctl says: {said}"))
    } else if answer.output.dropped > 0 {
        Fault::Unknown(format!(
            "systemctl's answer is longer than {MAX_ANSWER} bytes and has no {unit} before that"
        ))
    } else {
        Fault::Unknown(format!(
            "expected {unit} in systemctl's answer (exit {}), got none",
            answer.output.status
        ))
    }
}

/// How long the unit has been in its state, or why that is not known. On another host the
/// monotonic form is taken: its clock may differ from ours.
async fn since(unit: &UnitState, answer: &Answer, cx: &Context<'_>) -> Result<f64, String> {
    let by_wall = unit.changed.map(|then| answer.at.wall.as_nanosecond() as f64 / 1e9 - then);
    match (by_wall, unit.changed_monotonic) {
        (Some(age), _) if cx.transport.is_local() => Ok(age.max(0.0)),
        (_, Some(then)) => match host::uptime(cx).await {
            Ok(now) => Ok((now - then).max(0.0)),
            Err(Fault::Down(why) | Fault::Unknown(why) | Fault::Unreachable(why)) => Err(why),
        },
        (Some(age), None) => Ok(age.max(0.0)),
        (None, None) => Err("it has not changed its state since the start".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SAMPLE: &str = "\
Result=success\nNRestarts=2\nMainPID=812\nExecMainStatus=0\nId=ssh.service\nNames=sshd.service ssh.service\n\
LoadState=loaded\nActiveState=active\nSubState=running\nUnitFileState=enabled\n\
StateChangeTimestamp=@1700000000\nStateChangeTimestampMonotonic=61000000\nNeedDaemonReload=no\n\
\n\
Id=nope.service\nNames=nope.service\nLoadState=not-found\nActiveState=inactive\nSubState=dead\n\
StateChangeTimestamp=\nStateChangeTimestampMonotonic=0\n\
\n\
Id=basic.target\nNames=basic.target\nLoadState=loaded\nActiveState=active\nSubState=active\n\
StateChangeTimestamp=n/a\nStateChangeTimestampMonotonic=1500000\n";

    #[test]
    fn every_unit_of_an_answer_is_read() {
        let units = parse_units(SAMPLE);
        assert_eq!(
            units.iter().map(|u| &*u.id).collect::<Vec<_>>(),
            ["ssh.service", "nope.service", "basic.target"]
        );
        let ssh = &units[0];
        assert!(ssh.answers_to("sshd.service") && ssh.answers_to("ssh.service") && !ssh.answers_to("ssh"));
        assert_eq!(
            (ssh.restarts, ssh.main_pid, ssh.result.as_deref()),
            (Some(2), Some(812), Some("success"))
        );
        assert_eq!((ssh.changed, ssh.changed_monotonic), (Some(1_700_000_000.0), Some(61.0)));
        let nope = &units[1];
        assert_eq!(
            (&*nope.load, &*nope.active, nope.changed, nope.changed_monotonic),
            ("not-found", "inactive", None, None)
        );
        assert_eq!(
            (units[2].restarts, units[2].changed, units[2].changed_monotonic),
            (None, None, Some(1.5))
        );
    }

    #[test]
    fn what_names_no_unit_is_left_out() {
        for text in [
            "",
            "\n\n",
            "Version=252\nVirtualization=kvm\n",
            "Failed to connect to bus",
            "Id=\nActiveState=active",
        ] {
            assert_eq!(parse_units(text), [], "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_without_a_panic(text in "([A-Za-z]{0,12}=?\\PC{0,20}\n{0,2}){0,30}") {
            for unit in parse_units(&text) {
                prop_assert!(!unit.id.is_empty());
            }
        }
    }
}
