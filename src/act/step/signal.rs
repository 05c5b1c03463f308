//! Sends a signal to one process, and only to the one that is meant: a stale pid file names
//! nobody or, worse, a stranger.

use super::{Answer, Left, Setting, Stop, Target, program};
use crate::act::place;
use crate::domain::procedure::action::kinds::{Signal, SignalTarget};
use crate::domain::text;
use crate::transport::{Command, Output};

/// Read of a pid file: its first line counts.
const MAX_FILE: usize = 4 << 10;
/// Kept of a command line.
const MAX_COMMAND: usize = 64 << 10;

/// Prints what the kernel says of a process: its state and times, its users, its command line.
const LOOK: &str = r#"cat "/proc/$1/stat" || exit 1
echo "--uids $(sed -n 's/^Uid:[[:space:]]*//p' "/proc/$1/status")"
tr '\0' ' ' <"/proc/$1/cmdline""#;

/// Sends a signal unless the process is another one by now than the one that was looked at. The
/// start time is the 22nd field of its line, the 20th behind the name.
const SEND: &str = r#"set -f; pid=$1; start=$2; shift 2
IFS= read -r line <"/proc/$pid/stat" 2>/dev/null || exit 41
now=$(set -- ${line##*) }; echo "${20}")
[ "$now" = "$start" ] || exit 42
exec "$@""#;
const ENDED: i32 = 41;
const ANOTHER: i32 = 42;

/// The process that would get it.
#[derive(Debug, PartialEq, Eq)]
struct Process {
    pid: u32,
    /// In ticks since the host was started: with the id it names one process for ever.
    started: String,
    uid: u32,
    command: String,
}

impl Process {
    fn state(&self) -> String {
        format!("pid={} started={} {}", self.pid, self.started, text::one_line(&self.command, 160))
    }
}

pub async fn target(a: &Signal, s: &Setting<'_>) -> Target {
    let what = match &a.to {
        SignalTarget::PidFile(path) => format!("the process of {path} on {}", s.host),
        SignalTarget::Unit(unit) => format!("the main process of {unit} on {}", s.host),
    };
    match find(a, s).await {
        Ok(process) => {
            let target = Target::probed(what, process.state());
            let argv = kill(a, process.pid);
            if s.sudo { program::runnable(&argv, s, target).await } else { target }
        }
        // Not impossible: a procedure may have an answer to it, such as a restart.
        Err(why) => {
            let mut target = Target::probed(what, format!("none: {}", text::one_line(&why, 160)));
            target.warnings.push(why);
            target
        }
    }
}

fn kill(a: &Signal, pid: u32) -> Vec<String> {
    ["kill", "-s", &a.signal, "--", &pid.to_string()].map(str::to_owned).into()
}

async fn run(argv: &[&str], max: usize, sudo: bool, s: &Setting<'_>) -> Result<Output, String> {
    let mut command = Command::new(argv.iter().copied()).sudo(sudo);
    command.max_stdout = max;
    s.transport.run(&command).await.map_err(|e| e.to_string())
}

/// Finds the process and makes sure that it is the one meant.
///
/// # Errors
/// There is none, or it is another one; it completes "failed: …".
async fn find(a: &Signal, s: &Setting<'_>) -> Result<Process, String> {
    let (pid, whence) = match &a.to {
        SignalTarget::PidFile(path) => {
            let path = place::plain(path, s)?;
            let size = MAX_FILE.to_string();
            let file = run(&["head", "-c", &size, "--", &path], MAX_FILE, s.sudo, s).await?;
            if file.status != 0 {
                let why = program::last_line(&file).unwrap_or_default();
                return Err(format!("there is no pid file {path}: {why}"));
            }
            let content = String::from_utf8_lossy(&file.stdout).into_owned();
            let first = content.lines().next().unwrap_or("").trim();
            let pid = first.parse::<u32>().ok().filter(|pid| *pid > 1);
            let shown = text::one_line(first, 40);
            (
                pid.ok_or_else(|| format!("the pid file {path} holds no process id: \"{shown}\""))?,
                format!("the pid file {path}"),
            )
        }
        SignalTarget::Unit(unit) => {
            let argv = ["systemctl", "show", "--value", "-p", "MainPID", "--", unit];
            let output = run(&argv, MAX_FILE, false, s).await?;
            let main = String::from_utf8_lossy(&output.stdout).trim().parse::<u32>().ok();
            let pid = main.filter(|pid| *pid > 1).ok_or_else(|| format!("{unit} has no main process"))?;
            (pid, unit.clone())
        }
    };
    let output = run(&["sh", "-c", LOOK, "sh", &pid.to_string()], MAX_COMMAND, false, s).await?;
    let process = parse(pid, &String::from_utf8_lossy(&output.stdout))
        .ok_or_else(|| format!("{whence} names nobody: no process {pid} runs"))?;
    let shown = text::one_line(&process.command, 120);
    if !process.command.contains(&a.process) {
        return Err(format!(
            "{whence} names a stranger: process {pid} is \"{shown}\", which holds no \"{}\"",
            a.process
        ));
    }
    if let Some(user) = &a.user {
        let id = run(&["id", "-u", "--", user], MAX_FILE, false, s).await?;
        let uid = String::from_utf8_lossy(&id.stdout).trim().parse::<u32>().ok();
        let uid = uid.ok_or_else(|| format!("there is no user {user} on {}", s.host))?;
        if uid != process.uid {
            return Err(format!(
                "{whence} names a stranger: process {pid} (\"{shown}\") runs as user id {}, not as {user} ({uid})",
                process.uid
            ));
        }
    }
    Ok(process)
}

/// Reads what [`LOOK`] prints; `None` for a process that is gone or only waits to be buried.
fn parse(pid: u32, output: &str) -> Option<Process> {
    let (stat, rest) = output.split_once("\n--uids ")?;
    let (uids, command) = rest.split_once('\n')?;
    // The name may hold anything, spaces and parentheses too.
    let fields: Vec<&str> = stat.rsplit_once(") ")?.1.split_whitespace().collect();
    if matches!(*fields.first()?, "Z" | "X") {
        return None;
    }
    Some(Process {
        pid,
        started: (*fields.get(19)?).to_owned(),
        // The effective one of the four.
        uid: uids.split_whitespace().nth(1)?.parse().ok()?,
        command: command.trim().to_owned(),
    })
}

pub async fn perform(a: &Signal, s: &Setting<'_>, stop: &Stop) -> Left {
    let send = async {
        let process = find(a, s).await?;
        let kill = kill(a, process.pid);
        let pid = process.pid.to_string();
        let mut argv = vec!["sh", "-c", SEND, "sh", &pid, &process.started];
        if s.sudo {
            argv.extend(["sudo", "-n", "--"]);
        }
        argv.extend(kill.iter().map(String::as_str));
        let output = run(&argv, MAX_FILE, false, s).await?;
        let shown = text::one_line(&process.command, 120);
        match output.status {
            0 => Ok(format!("sent {} to process {pid}, {shown}", a.signal)),
            ENDED => Err(format!("process {pid} ended just now; nothing was sent")),
            ANOTHER => Err(format!("process {pid} is another one by now; nothing was sent")),
            _ => Err(program::last_line(&output).unwrap_or_else(|| "kill failed".to_owned())),
        }
    };
    tokio::select! {
        sent = send => sent.map_or_else(Left::failed, Left::done),
        () = stop.stopped() => Left::killed("it is not known whether the signal was sent"),
    }
}

pub async fn ask(a: &Signal, before: &str, s: &Setting<'_>) -> Answer {
    let ends = matches!(a.signal.as_str(), "TERM" | "KILL" | "INT" | "QUIT" | "ABRT");
    let Some((pid, started)) = named(before) else {
        return Answer::unknown("which process was meant is not known");
    };
    let look = run(&["sh", "-c", LOOK, "sh", &pid.to_string()], MAX_COMMAND, false, s).await;
    let Ok(output) = look else { return Answer::unknown("its host does not answer") };
    let same = parse(pid, &String::from_utf8_lossy(&output.stdout)).is_some_and(|p| p.started == started);
    match (same, ends) {
        (false, true) => Answer::happened(format!("process {pid} has ended")),
        (true, true) if a.signal == "KILL" => Answer::did_not(format!("process {pid} still runs")),
        (false, false) => Answer::unknown(format!("process {pid} has ended since")),
        (true, _) => Answer::unknown(format!("process {pid} does not tell whether it had the signal")),
    }
}

/// The process that a state names.
fn named(state: &str) -> Option<(u32, &str)> {
    let rest = state.strip_prefix("pid=")?;
    let (pid, rest) = rest.split_once(" started=")?;
    Some((pid.parse().ok()?, rest.split(' ').next()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_read_whatever_its_name_holds() {
        let stat = "712 (a) b (c) S 1 712 712 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 86391 1 2 3";
        let process = parse(712, &format!("{stat}\n--uids 0\t33\t0\t0\npython x.py ")).unwrap();
        assert_eq!(
            (process.started.as_str(), process.uid, process.command.as_str()),
            ("86391", 33, "python x.py")
        );
        assert_eq!(named(&process.state()), Some((712, "86391")));
        assert_eq!(parse(712, &format!("{}\n--uids 0 0 0 0\n", stat.replace(" S ", " Z "))), None);
        assert_eq!(parse(712, ""), None);
    }
}
