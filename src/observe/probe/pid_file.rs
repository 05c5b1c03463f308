//! Looks at a pid file: is that process alive, is it the one meant, is the number its own still.

use super::file::{fault, missing};
use super::{Context, Fault, Found, host, procfs};
use crate::domain::fact::Fact;
use crate::domain::text;
use crate::domain::units::Unit;
use crate::stack::kind::pid_file::Spec;
use crate::transport::files::{FileError, FileStat};

/// Read of a pid file; some have more lines than the first.
const MAX_FILE: usize = 4 << 10;
/// Read of `/proc/stat`; its length grows with the processors and interrupts.
const MAX_STAT: usize = 1 << 20;
/// How much later than its file a process may seem to have started: both clocks are coarse.
const SLACK: f64 = 2.0;

pub(super) async fn look(spec: &Spec, cx: &Context<'_>) -> Result<Found, Fault> {
    let content = match host::read(cx, &spec.path, MAX_FILE).await {
        Ok(content) => content,
        Err(FileError::NotFound) => return missing(cx, &spec.path),
        Err(e) => return Err(fault(&spec.path, e)),
    };
    let stat = host::stat(cx, &spec.path).await.map_err(|e| fault(&spec.path, e))?;
    let content = String::from_utf8_lossy(&content);
    let pid = parse_pid(&content).ok_or_else(|| {
        Fault::Down(format!("expected a process id in {}, got {}", spec.path, shown(&content)))
    })?;
    let mut found = Found { summary: format!("pid {pid}"), ..Found::default() };
    found.facts.bool("EXISTS", true);
    found.facts.number("PID", f64::from(pid), Unit::None);
    found.facts.number("AGE", (host::wall_clock(cx).await? - stat.modified).max(0.0), Unit::Seconds);
    of_process(spec, cx, pid, &stat, &mut found).await?;
    Ok(found)
}

/// The process id on the first line of a pid file.
pub fn parse_pid(content: &str) -> Option<u32> {
    content.lines().next()?.trim().parse().ok().filter(|pid| *pid > 0)
}

fn shown(content: &str) -> String {
    let line = text::one_line(content.lines().next().unwrap_or(""), 40);
    if line.is_empty() { "nothing".to_owned() } else { format!("\"{line}\"") }
}

async fn of_process(
    spec: &Spec,
    cx: &Context<'_>,
    pid: u32,
    file: &FileStat,
    found: &mut Found,
) -> Result<(), Fault> {
    let alive = match cx.transport.read_file(&format!("/proc/{pid}/stat"), 4096).await {
        Ok(bytes) => procfs::parse_proc_stat(&String::from_utf8_lossy(&bytes)).filter(|s| !s.is_dead()),
        Err(FileError::NotFound) => None,
        Err(e) => return Err(host::unreadable(&format!("/proc/{pid}/stat"), e)),
    };
    found.facts.bool("ALIVE", alive.is_some());
    let Some(process) = alive else {
        procfs::check_visible(cx).await?;
        found.evidence = format!("{}: process {pid} does not run", spec.path);
        return Ok(());
    };
    let line = cx.transport.read_file(&format!("/proc/{pid}/cmdline"), procfs::MAX_COMMAND).await;
    match line.map(|raw| procfs::command_line(&raw, &process.comm)) {
        Ok(command) => {
            found.summary = format!("pid {pid}, {}", text::one_line(&command, 60));
            found.evidence = format!("{}: process {pid} runs {command}", spec.path);
            if let Some(pattern) = &spec.command {
                found.facts.bool("MATCHES", pattern.is_match(&command));
            }
            found.facts.text("COMMAND", command);
        }
        Err(e) => {
            let why = format!("cannot read the command line of process {pid}: {e}");
            found.facts.set("MATCHES", Fact::Unavailable(why.clone()));
            found.facts.set("COMMAND", Fact::Unavailable(why));
        }
    }
    if spec.command.is_none() {
        found.facts.set("MATCHES", Fact::Unavailable("this probe has no `command` to match".to_owned()));
    }
    let boot = procfs::parse_boot_time(&host::table(cx, "/proc/stat", MAX_STAT).await?);
    found.facts.set(
        "CURRENT",
        boot.map_or_else(
            || Fact::Unavailable("/proc/stat does not say when the host was started".to_owned()),
            |boot| Fact::Bool(boot + process.started <= file.modified + SLACK),
        ),
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_first_line_is_the_process_id() {
        let table = [
            ("812\n", Some(812)),
            (" 812", Some(812)),
            ("812\n/var/lib/postgresql\n170\n", Some(812)),
            ("0\n", None),
            ("-1\n", None),
            ("\n812\n", None),
            ("", None),
            ("pid=812", None),
            ("99999999999999999999", None),
        ];
        for (content, want) in table {
            assert_eq!(parse_pid(content), want, "{content:?}");
        }
    }

    proptest! {
        #[test]
        fn any_content_is_read_without_a_panic(content in "\\PC{0,40}") {
            let _ = (parse_pid(&content), shown(&content));
        }
    }
}
