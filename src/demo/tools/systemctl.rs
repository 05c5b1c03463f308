//! `systemctl`: properties, states and jobs of the model's units, as systemd 252 prints them.

use std::fmt::Write as _;
use std::time::Duration;

use super::Outcome;
use crate::demo::model::units::{Job, Second, State, UNITS, UnitDef, UnitId, Units};
use crate::demo::model::{Model, UPTIME};
use crate::demo::nginx;
use crate::demo::redis_keys::glob;
use crate::demo::shared::DemoHandle;

/// How often a waiting job looks whether it is done, and how often at most.
const LOOK: Duration = Duration::from_millis(100);
const LOOKS: u32 = 900;

/// What the command line says.
#[derive(Default)]
struct Call {
    verb: String,
    units: Vec<String>,
    properties: Vec<String>,
    value_only: bool,
    timestamps: String,
    no_block: bool,
    quiet: bool,
}

pub async fn run(demo: &DemoHandle, args: &[String]) -> Outcome {
    let call = match parse(args) {
        Ok(call) => call,
        Err(outcome) => return outcome,
    };
    match call.verb.as_str() {
        "show" => demo.with(|m| Outcome::out(show(m, &call))),
        "is-active" => demo.with(|m| states(m, &call, |a| a == "active", 3)),
        "is-failed" => demo.with(|m| states(m, &call, |a| a == "failed", 1)),
        "is-system-running" => demo.with(|m| {
            let failed = UNITS.iter().any(|d| m.units.get(d.id).state == State::Failed);
            let text = if failed { "degraded\n" } else { "running\n" };
            Outcome { out: text.into(), code: u8::from(failed), ..Outcome::default() }
        }),
        "list-units" => demo.with(|m| Outcome::out(list(m, &call))),
        "status" => demo.with(|m| status(m, &call)),
        "start" | "stop" | "restart" | "kill" | "try-restart" | "reload" | "reload-or-restart"
        | "reset-failed" => act(demo, &call).await,
        "daemon-reload" => Outcome::default(),
        "--version" => Outcome::out("systemd 252 (252.31-1~deb12u1)\n"),
        other => {
            let shown: String = other.chars().filter(|c| !c.is_control()).take(60).collect();
            Outcome::fail(1, format!("Unknown command verb {shown}.\n"))
        }
    }
}

fn parse(args: &[String]) -> Result<Call, Outcome> {
    let mut call = Call::default();
    let mut rest = args.iter();
    while let Some(arg) = rest.next() {
        let (name, inline) = match arg.split_once('=') {
            Some((name, value)) if name.starts_with("--") => (name, Some(value.to_owned())),
            _ if arg.len() > 2 && ["-p", "-P", "-n", "-s", "-o", "-t"].iter().any(|f| arg.starts_with(f)) => {
                (&arg[..2], Some(arg[2..].to_owned()))
            }
            _ => (arg.as_str(), None),
        };
        let mut value = || inline.clone().or_else(|| rest.next().cloned()).unwrap_or_default();
        match name {
            "-p" | "--property" => call.properties.extend(value().split(',').map(str::to_owned)),
            "-P" => {
                call.properties.extend(value().split(',').map(str::to_owned));
                call.value_only = true;
            }
            "--value" => call.value_only = true,
            "--timestamp" => call.timestamps = value(),
            "-n" | "-s" | "-o" | "-t" | "--signal" | "--lines" | "--output" | "--type" | "--state"
            | "--kill-whom" => {
                value();
            }
            "--no-block" => call.no_block = true,
            "-q" | "--quiet" => call.quiet = true,
            "--no-pager" | "-a" | "--all" | "--plain" | "-l" | "--full" | "--no-legend" | "--system"
            | "--no-ask-password" | "--" => {}
            "--version" => call.verb = "--version".into(),
            other if other.starts_with('-') => {
                let shown: String = other.chars().filter(|c| !c.is_control()).take(60).collect();
                return Err(Outcome::fail(1, format!("systemctl: unrecognized option '{shown}'\n")));
            }
            _ if call.verb.is_empty() => call.verb.clone_from(arg),
            _ => call.units.push(arg.clone()),
        }
    }
    if call.verb.is_empty() {
        call.verb = "list-units".into();
    }
    Ok(call)
}

fn full_name(name: &str) -> String {
    if name.contains('.') { name.to_owned() } else { format!("{name}.service") }
}

/// The units meant, with globs expanded to those that are loaded.
fn targets(call: &Call) -> Vec<(String, Option<&'static UnitDef>)> {
    let mut out = Vec::new();
    for name in &call.units {
        if name.contains(['*', '?']) {
            out.extend(UNITS.iter().filter(|d| glob(name, d.name)).map(|d| (d.name.to_owned(), Some(d))));
        } else {
            out.push((full_name(name), Units::find(name)));
        }
    }
    out
}

fn show(m: &Model, call: &Call) -> String {
    let blocks: Vec<String> = targets(call)
        .iter()
        .map(|(name, def)| {
            let mut block = String::new();
            for (key, value) in properties(m, name, *def, &call.timestamps) {
                let wanted = call.properties.is_empty() || call.properties.iter().any(|p| p == key);
                if wanted && call.value_only {
                    let _ = writeln!(block, "{value}");
                } else if wanted {
                    let _ = writeln!(block, "{key}={value}");
                }
            }
            block
        })
        .collect();
    blocks.join("\n")
}

fn properties(m: &Model, name: &str, def: Option<&UnitDef>, style: &str) -> Vec<(&'static str, String)> {
    let Some(def) = def else { return not_found(name) };
    let text = str::to_owned;
    let unit = m.units.get(def.id);
    let (active, sub) = unit.states(def);
    let when = |at: Option<Second>| at.map_or_else(String::new, |at| timestamp(m, at, style));
    let monotonic = |at: Option<Second>| at.map_or_else(|| text("0"), |at| since_boot(m, at).to_string());
    let main = unit.running() && !def.oneshot;
    let status = if unit.result == "signal" { 9 } else { u8::from(unit.result == "exit-code") };
    let names = if def.alias == def.name { text(def.name) } else { format!("{} {}", def.name, def.alias) };
    let inactive = matches!(unit.state, State::Inactive | State::Failed).then_some(unit.since);
    vec![
        ("Type", text(if def.oneshot { "oneshot" } else { "simple" })),
        ("Restart", text(if def.restart_sec.is_some() { "on-failure" } else { "no" })),
        ("MainPID", if main { std::process::id().to_string() } else { text("0") }),
        ("NRestarts", unit.restarts.to_string()),
        ("InvocationID", invocation(m, def)),
        ("Result", text(unit.result)),
        ("ExecMainStartTimestamp", when(unit.active_enter)),
        ("ExecMainExitTimestamp", when(if main { None } else { unit.active_exit })),
        ("ExecMainPID", if main { std::process::id().to_string() } else { text("0") }),
        ("ExecMainCode", text(if main { "0" } else { "1" })),
        ("ExecMainStatus", status.to_string()),
        ("MemoryCurrent", memory(def.id, main)),
        ("Id", text(def.name)),
        ("Names", names),
        ("Description", text(def.description)),
        ("LoadState", text("loaded")),
        ("ActiveState", text(active)),
        ("FreezerState", text("running")),
        ("SubState", text(sub)),
        ("FragmentPath", format!("/lib/systemd/system/{}", def.name)),
        ("UnitFileState", text("enabled")),
        ("UnitFilePreset", text("enabled")),
        ("StateChangeTimestamp", when(Some(unit.since))),
        ("StateChangeTimestampMonotonic", monotonic(Some(unit.since))),
        ("InactiveExitTimestamp", when(unit.active_enter)),
        ("InactiveExitTimestampMonotonic", monotonic(unit.active_enter)),
        ("ActiveEnterTimestamp", when(unit.active_enter)),
        ("ActiveEnterTimestampMonotonic", monotonic(unit.active_enter)),
        ("ActiveExitTimestamp", when(unit.active_exit)),
        ("ActiveExitTimestampMonotonic", monotonic(unit.active_exit)),
        ("InactiveEnterTimestamp", when(inactive)),
        ("InactiveEnterTimestampMonotonic", monotonic(inactive)),
        ("NeedDaemonReload", text("no")),
    ]
}

/// What systemd says of a unit that it has never heard of; the exit status is 0 all the same.
fn not_found(name: &str) -> Vec<(&'static str, String)> {
    let text = str::to_owned;
    vec![
        ("MainPID", text("0")),
        ("NRestarts", text("0")),
        ("Result", text("success")),
        ("ExecMainStatus", text("0")),
        ("Id", text(name)),
        ("Names", text(name)),
        ("Description", text(name)),
        ("LoadState", text("not-found")),
        ("ActiveState", text("inactive")),
        ("SubState", text("dead")),
        ("UnitFileState", String::new()),
        ("StateChangeTimestamp", String::new()),
        ("StateChangeTimestampMonotonic", text("0")),
        ("ActiveEnterTimestamp", String::new()),
        ("ActiveEnterTimestampMonotonic", text("0")),
        ("ActiveExitTimestamp", String::new()),
        ("InactiveEnterTimestamp", String::new()),
    ]
}

fn memory(id: UnitId, running: bool) -> String {
    let mib: u64 = match id {
        UnitId::Tornado => 612,
        UnitId::PostgresqlMain => 71,
        UnitId::Tor => 94,
        _ => 12,
    };
    if running { (mib << 20).to_string() } else { "[not set]".to_owned() }
}

fn timestamp(m: &Model, at: Second, style: &str) -> String {
    let wall = m.wall(at);
    match style {
        "unix" => format!("@{}", wall.as_second()),
        "us" | "us+utc" | "µs" | "µs+utc" => wall.strftime("%a %Y-%m-%d %H:%M:%S.%6f UTC").to_string(),
        _ => wall.strftime("%a %Y-%m-%d %H:%M:%S UTC").to_string(),
    }
}

/// Microseconds of the machine's own monotonic clock, always the same for the same moment; what lies
/// before its boot is put right after it.
fn since_boot(m: &Model, at: Second) -> u64 {
    (m.machine_uptime + at).saturating_sub(UPTIME).max(1) * 1_000_000
}

/// Another one for each start of each unit.
fn invocation(m: &Model, def: &UnitDef) -> String {
    let start = (u128::from(m.seed) << 64) | (u128::from(def.id as u8) << 32);
    let start = start + u128::from(m.units.get(def.id).starts);
    format!("{:032x}", start.wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835))
}

fn states(m: &Model, call: &Call, good: impl Fn(&str) -> bool, bad: u8) -> Outcome {
    let mut any = false;
    let mut out = String::new();
    for (_, def) in targets(call) {
        let active = def.map_or("inactive", |d| m.units.get(d.id).states(d).0);
        any |= good(active);
        if !call.quiet {
            let _ = writeln!(out, "{active}");
        }
    }
    Outcome { out, code: if any { 0 } else { bad }, ..Outcome::default() }
}

fn list(m: &Model, call: &Call) -> String {
    let mut out = String::new();
    for def in UNITS
        .iter()
        .filter(|d| call.units.is_empty() || call.units.iter().any(|p| glob(&full_name(p), d.name)))
    {
        let (active, sub) = m.units.get(def.id).states(def);
        let _ = writeln!(out, "{:<28} loaded {active} {sub} {}", def.name, def.description);
    }
    out
}

fn status(m: &Model, call: &Call) -> Outcome {
    let mut outcome = Outcome::default();
    for (name, def) in targets(call) {
        let Some(def) = def else {
            let _ = writeln!(outcome.err, "Unit {name} could not be found.");
            outcome.code = 4;
            continue;
        };
        let unit = m.units.get(def.id);
        let (active, sub) = unit.states(def);
        let dot = if active == "failed" {
            '×'
        } else if unit.running() {
            '●'
        } else {
            '○'
        };
        let _ = write!(
            outcome.out,
            "{dot} {} - {}\n     Loaded: loaded (/lib/systemd/system/{}; enabled; preset: enabled)\n     \
             Active: {active} ({sub}) since {}; {}s ago\n",
            def.name,
            def.description,
            def.name,
            timestamp(m, unit.since, ""),
            m.now - unit.since
        );
        if unit.running() && !def.oneshot {
            let _ = writeln!(outcome.out, "   Main PID: {}", std::process::id());
        }
        outcome.code = outcome.code.max(if unit.running() { 0 } else { 3 });
    }
    outcome
}

async fn act(demo: &DemoHandle, call: &Call) -> Outcome {
    let verb = call.verb.as_str();
    for (name, def) in targets(call) {
        let Some(def) = def else {
            return Outcome::fail(5, format!("Failed to {verb} {name}: Unit {name} not found.\n"));
        };
        let running = demo.with(|m| m.units.running(def.id));
        let job = match verb {
            "start" => Job::Start,
            "stop" => Job::Stop,
            "kill" => Job::Kill,
            "try-restart" if running => Job::Restart,
            "reload" | "reload-or-restart" if def.id == UnitId::Nginx && running => match reread(demo) {
                Ok(()) => continue,
                Err(outcome) => return outcome,
            },
            "reload" if def.id == UnitId::Nginx => {
                return Outcome::fail(1, format!("{name} is not active, cannot reload.\n"));
            }
            "restart" | "reload-or-restart" => Job::Restart,
            "reload" if def.id == UnitId::Tornado => {
                let text =
                    format!("Failed to reload {name}: Job type reload is not applicable for unit {name}.\n");
                return Outcome::fail(1, text);
            }
            _ => continue,
        };
        // It tests its configuration before it starts, and what ran goes on when that is refused.
        if def.id == UnitId::Nginx
            && matches!(job, Job::Start | Job::Restart)
            && let Err(outcome) = reread(demo)
        {
            return outcome;
        }
        demo.with(|m| m.unit_job(def.id, job));
        if call.no_block || job == Job::Kill {
            continue;
        }
        let state = settled(demo, def.id).await;
        if job != Job::Stop && state != State::Active {
            let why = match demo.with(|m| m.units.get(def.id).result) {
                "resources" => "of unavailable resources or another system error",
                _ => "the control process exited with error code",
            };
            return Outcome::fail(
                1,
                format!(
                    "Job for {name} failed because {why}.\nSee \"systemctl \
                     status {name}\" and \"journalctl -xeu {name}\" for details.\n"
                ),
            );
        }
    }
    Outcome::default()
}

/// NGINX reads its configuration again; one that it cannot take leaves all as it was.
fn reread(demo: &DemoHandle) -> Result<(), Outcome> {
    match nginx::load(demo.dir()) {
        Ok(site) => {
            demo.with(|m| m.site = site);
            Ok(())
        }
        Err(why) => {
            demo.with(|m| m.log.journal("nginx.service", "nginx", 2, format!("nginx: {why}")));
            Err(Outcome::fail(
                1,
                "Job for nginx.service failed because the control process exited with error code.\nSee \"systemctl \
                 status nginx.service\" and \"journalctl -xeu nginx.service\" for details.\n",
            ))
        }
    }
}

/// Waits, as systemctl does, until the unit's job is done.
async fn settled(demo: &DemoHandle, id: UnitId) -> State {
    for _ in 0..LOOKS {
        let state = demo.with(|m| m.units.get(id).state);
        if matches!(state, State::Active | State::Inactive | State::Failed) {
            return state;
        }
        tokio::time::sleep(LOOK).await;
    }
    State::Failed
}
