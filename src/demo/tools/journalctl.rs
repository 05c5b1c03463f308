//! `journalctl`: the model's journal, filtered and printed as the real tool does.

use std::fmt::Write as _;

use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use super::Outcome;
use crate::demo::model::Model;
use crate::demo::model::log::Entry;
use crate::demo::model::units::Units;

#[derive(Default)]
struct Call {
    units: Vec<String>,
    idents: Vec<String>,
    output: String,
    lines: Option<usize>,
    since: Option<Timestamp>,
    until: Option<Timestamp>,
    after: Option<u64>,
    priority: u8,
    reverse: bool,
    quiet: bool,
}

/// True when the output shall go on as the journal grows.
pub fn follows(args: &[String]) -> bool {
    args.iter().any(|a| a == "-f" || a == "--follow")
}

/// Prints what matches, after entry `seen` if given; also gives the newest entry's number.
pub fn run(m: &Model, args: &[String], seen: Option<u64>) -> (Outcome, u64) {
    let newest = m.log.entries().back().map_or(0, |e| e.seq);
    let mut call = match parse(m, args) {
        Ok(call) => call,
        Err(err) => return (Outcome::fail(1, err), newest),
    };
    if let Some(seen) = seen {
        (call.after, call.lines) = (Some(seen), None);
    }
    let mut found: Vec<&Entry> = m.log.entries().iter().filter(|e| takes(&call, e)).collect();
    if let Some(lines) = call.lines {
        found.drain(..found.len().saturating_sub(lines));
    }
    if call.reverse {
        found.reverse();
    }
    let mut out = String::new();
    for entry in &found {
        print(&mut out, m, entry, &call.output);
    }
    let plain = !["json", "export"].contains(&call.output.as_str());
    if found.is_empty() && seen.is_none() && plain && !call.quiet {
        out.push_str("-- No entries --\n");
    }
    (Outcome::out(out), newest)
}

fn takes(call: &Call, e: &Entry) -> bool {
    (call.units.is_empty() || call.units.iter().any(|u| u == e.unit))
        && (call.idents.is_empty() || call.idents.iter().any(|i| i == e.ident))
        && e.priority <= call.priority
        && call.since.is_none_or(|t| e.ts >= t)
        && call.until.is_none_or(|t| e.ts <= t)
        && call.after.is_none_or(|seq| e.seq > seq)
}

fn parse(m: &Model, args: &[String]) -> Result<Call, String> {
    let mut call = Call { output: "short".into(), priority: 7, ..Call::default() };
    let mut rest = args.iter();
    while let Some(arg) = rest.next() {
        let (name, inline) = match arg.split_once('=') {
            Some((name, value)) if name.starts_with("--") => (name, Some(value.to_owned())),
            _ if arg.len() > 2
                && ["-u", "-n", "-o", "-p", "-t", "-S", "-U"].iter().any(|f| arg.starts_with(f)) =>
            {
                (&arg[..2], Some(arg[2..].to_owned()))
            }
            _ => (arg.as_str(), None),
        };
        let mut value = || inline.clone().or_else(|| rest.next().cloned()).unwrap_or_default();
        match name {
            "-u" | "--unit" => call.units.push(unit(&value())),
            "-t" | "--identifier" => call.idents.push(value()),
            "-o" | "--output" => call.output = value(),
            "-n" | "--lines" => {
                let text = value();
                call.lines = match text.as_str() {
                    "all" => None,
                    n => Some(n.parse().map_err(|_| format!("Failed to parse lines '{}'\n", clip(n)))?),
                };
            }
            "-S" | "--since" => call.since = Some(time(m, &value())?),
            "-U" | "--until" => call.until = Some(time(m, &value())?),
            "-p" | "--priority" => {
                let text = value();
                call.priority =
                    priority(&text).ok_or_else(|| format!("Unknown log level {}\n", clip(&text)))?;
            }
            "--after-cursor" => call.after = Some(cursor(&value())?),
            "--cursor" => call.after = Some(cursor(&value())?.saturating_sub(1)),
            "--output-fields" => drop(value()),
            "-r" | "--reverse" => call.reverse = true,
            "-q" | "--quiet" => call.quiet = true,
            "-f" | "--follow" => call.lines = call.lines.or(Some(10)),
            "--no-pager" | "-a" | "--all" | "--utc" | "-e" | "-x" | "-b" | "--no-hostname" | "--no-tail"
            | "--show-cursor" => {}
            other => return Err(format!("journalctl: unrecognized option '{}'\n", clip(other))),
        }
    }
    Ok(call)
}

/// A unit's own name, for an alias too.
fn unit(name: &str) -> String {
    Units::find(name).map_or_else(|| name.to_owned(), |def| def.name.to_owned())
}

fn clip(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(60).collect()
}

fn priority(text: &str) -> Option<u8> {
    let names = ["emerg", "alert", "crit", "err", "warning", "notice", "info", "debug"];
    // A range's upper end decides; the lower is rarely given.
    let text = text.rsplit("..").next().unwrap_or(text);
    names.iter().position(|n| *n == text).map(|i| i as u8).or_else(|| text.parse().ok().filter(|p| *p < 8))
}

fn cursor(text: &str) -> Result<u64, String> {
    let part = text.split(';').find_map(|p| p.strip_prefix("i=")).unwrap_or_default();
    u64::from_str_radix(part, 16).map_err(|_| "Failed to seek to cursor: Invalid argument\n".to_owned())
}

fn time(m: &Model, text: &str) -> Result<Timestamp, String> {
    let now = m.wall(m.now);
    let bad = || format!("Failed to parse timestamp: {}\n", clip(text));
    let ago =
        text.strip_prefix('-').map(str::to_owned).or_else(|| text.strip_suffix(" ago").map(str::to_owned));
    if let Some(span) = ago {
        let span: SignedDuration = span.trim().parse().map_err(|_| bad())?;
        return now.checked_sub(span).map_err(|_| bad());
    }
    if let Some(unix) = text.strip_prefix('@') {
        let seconds: f64 = unix.parse().map_err(|_| bad())?;
        return Timestamp::from_microsecond((seconds * 1e6) as i64).map_err(|_| bad());
    }
    let plain = text.trim_end_matches(" UTC");
    match plain {
        "now" => Ok(now),
        "today" => plain_time(&now.strftime("%Y-%m-%d 00:00:00").to_string()).ok_or_else(bad),
        _ => text.parse::<Timestamp>().ok().or_else(|| plain_time(plain)).ok_or_else(bad),
    }
}

fn plain_time(text: &str) -> Option<Timestamp> {
    let full = match text.len() {
        10 => format!("{text} 00:00:00"),
        16 => format!("{text}:00"),
        _ => text.to_owned(),
    };
    full.parse::<jiff::civil::DateTime>().ok()?.to_zoned(jiff::tz::TimeZone::UTC).ok().map(|z| z.timestamp())
}

fn print(out: &mut String, m: &Model, e: &Entry, style: &str) {
    let pid = std::process::id();
    let _ = match style {
        "cat" => writeln!(out, "{}", e.message),
        // One field a line and an empty line after each entry; no message here has a line's end in it.
        "export" => writeln!(
            out,
            "__CURSOR=s={:032x};i={:x}\n__REALTIME_TIMESTAMP={}\n_HOSTNAME=vpn\n_PID={pid}\n_SYSTEMD_UNIT={}\n\
             SYSLOG_IDENTIFIER={}\nPRIORITY={}\nMESSAGE={}\n",
            m.seed,
            e.seq,
            e.ts.as_microsecond(),
            e.unit,
            e.ident,
            e.priority,
            e.message
        ),
        "json" => {
            let entry = json!({
                "__CURSOR": format!("s={:032x};i={:x};b={:032x}", m.seed, e.seq, u128::from(m.seed) + 1),
                "__REALTIME_TIMESTAMP": e.ts.as_microsecond().to_string(),
                "__MONOTONIC_TIMESTAMP": (e.ts.as_microsecond() - m.wall(0).as_microsecond()).to_string(),
                "_BOOT_ID": format!("{:032x}", u128::from(m.seed) + 1),
                "_HOSTNAME": "vpn", "_PID": pid.to_string(), "_SYSTEMD_UNIT": e.unit, "_TRANSPORT": "stdout",
                "SYSLOG_IDENTIFIER": e.ident, "PRIORITY": e.priority.to_string(), "MESSAGE": e.message,
            });
            writeln!(out, "{entry}")
        }
        "short-iso" => {
            writeln!(out, "{} vpn {}[{pid}]: {}", e.ts.strftime("%Y-%m-%dT%H:%M:%S+0000"), e.ident, e.message)
        }
        _ => writeln!(out, "{} vpn {}[{pid}]: {}", e.ts.strftime("%b %d %H:%M:%S"), e.ident, e.message),
    };
}
