//! `quarterdeck audit`: what was done to the world and by whom, and whether the record is whole.

use super::args_act::{AuditCommand, Output};
use crate::domain::text;
use crate::record::audit::{Head, Line, Log, Shown, Verdict, elsewhere};
use serde::Serialize;
use std::fmt::Write as _;

/// The version of the JSON shapes; it grows by one when a reader of the old shape would err.
pub const JSON_VERSION: u32 = 1;
/// The most lines that are shown.
const MAX_SHOWN: usize = 100_000;

#[derive(Serialize)]
struct ShowReport<'a> {
    version: u32,
    file: String,
    sound: bool,
    /// Lines that were asked for and are older than those shown.
    older: u64,
    lines: &'a [Line],
}

#[derive(Serialize)]
struct VerifyReport<'a> {
    version: u32,
    file: String,
    sound: bool,
    /// Whole and sound lines up to the first break.
    lines: u64,
    /// `N:HASH` of the last of them; null when there is none.
    head: Option<String>,
    broken: Option<Place<'a>>,
    torn: Option<TornPlace<'a>>,
    /// Lines that say that the log before them had been tampered with.
    tampered_before: &'a [u64],
    remarks: &'a [String],
}

#[derive(Serialize)]
struct Place<'a> {
    line: u64,
    why: &'a str,
}

#[derive(Serialize)]
struct TornPlace<'a> {
    line: u64,
    bytes: u64,
    why: &'a str,
}

/// Carries one out; gives the exit code and what to print.
///
/// # Errors
/// The log cannot be read; completes "failed to …".
pub fn run(log: &Log, command: AuditCommand, output: Output) -> Result<(u8, String), String> {
    match command {
        AuditCommand::Show { last, run } => {
            let wanted = |line: &Line| {
                let of_run =
                    |r: &String| line.what.run().is_some_and(|id| id.as_str().starts_with(r.as_str()));
                run.as_ref().is_none_or(of_run)
            };
            let shown = log.show(last.min(MAX_SHOWN), &wanted)?;
            Ok((u8::from(!shown.verdict.is_sound()), show(log, &shown, output)))
        }
        AuditCommand::Verify { head } => {
            let mut remarks = Vec::new();
            let head = head.or_else(|| journalled(log, &mut remarks));
            let mut verdict = log.verify(head.as_ref())?;
            verdict.remarks.extend(remarks);
            Ok((u8::from(!verdict.is_sound()), verify(log, &verdict, output)))
        }
    }
}

fn journalled(log: &Log, remarks: &mut Vec<String>) -> Option<Head> {
    match elsewhere::last(&log.path()) {
        Ok(Some(head)) => {
            remarks.push(format!("the system journal vouches for line {}", head.n));
            Some(head)
        }
        Ok(None) => None,
        Err(why) => {
            remarks.push(format!("the system journal was not asked: {why}"));
            None
        }
    }
}

fn show(log: &Log, shown: &Shown, output: Output) -> String {
    let sound = shown.verdict.is_sound();
    if output == Output::Json {
        let file = log.path().display().to_string();
        let report =
            ShowReport { version: JSON_VERSION, file, sound, older: shown.older, lines: &shown.lines };
        return serde_json::to_string_pretty(&report).unwrap_or_default() + "\n";
    }
    let mut out = String::new();
    if shown.older > 0 {
        let _ = writeln!(out, "{} older lines: see --last", shown.older);
    }
    for line in &shown.lines {
        let at = line.at.strftime("%Y-%m-%dT%H:%M:%SZ");
        let who = line.who.as_ref().map_or_else(
            || "quarterdeck".to_owned(),
            |p| {
                let from = p.from.as_ref().map(|f| format!(" from {f}")).unwrap_or_default();
                format!("{} (uid {}){from}", p.login, p.uid)
            },
        );
        let who = text::one_line(&who, 80);
        let _ = writeln!(out, "{:>5} {at} {who} @{}: {}", line.n, line.machine, line.what.says());
    }
    if shown.lines.is_empty() {
        out.push_str("nothing was recorded yet\n");
    }
    if !sound {
        out.push_str("THE LOG IS BROKEN: see quarterdeck audit verify\n");
    }
    out
}

fn verify(log: &Log, verdict: &Verdict, output: Output) -> String {
    let file = log.path().display().to_string();
    let head = (verdict.lines > 0).then(|| format!("{}:{}", verdict.lines, verdict.last));
    if output == Output::Json {
        let report = VerifyReport {
            version: JSON_VERSION,
            file,
            sound: verdict.is_sound(),
            lines: verdict.lines,
            head,
            broken: verdict.broken.as_ref().map(|b| Place { line: b.line, why: &b.why }),
            torn: verdict.torn.as_ref().map(|t| TornPlace { line: t.line, bytes: t.bytes, why: &t.why }),
            tampered_before: &verdict.confessed,
            remarks: &verdict.remarks,
        };
        return serde_json::to_string_pretty(&report).unwrap_or_default() + "\n";
    }
    let mut out = String::new();
    let words = if verdict.lines == 1 { "line" } else { "lines" };
    match &verdict.broken {
        None if verdict.is_sound() => {
            let _ = writeln!(out, "sound: {file}: {} {words}", verdict.lines);
        }
        None => {
            let _ = writeln!(
                out,
                "BROKEN: {file}: the lines follow each other, but some say it had been tampered with"
            );
        }
        Some(broken) => {
            let _ = writeln!(out, "BROKEN: {file}:{}: {}", broken.line, broken.why);
            let _ = writeln!(out, "  {} {words} before it are sound", verdict.lines);
        }
    }
    for line in &verdict.confessed {
        let _ = writeln!(out, "  line {line} records that the log before it had been tampered with");
    }
    if let Some(torn) = &verdict.torn {
        let _ = writeln!(out, "  line {} is torn, {} bytes: {}", torn.line, torn.bytes, torn.why);
    }
    if let Some(head) = head {
        let _ = writeln!(out, "  head {head}");
    }
    for remark in &verdict.remarks {
        let _ = writeln!(out, "  {remark}");
    }
    out
}
