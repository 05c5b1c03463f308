//! The processes of a host: from `/proc` here, from `ps` elsewhere; and the readers of both.

use super::{Context, Fault, host};
use crate::clock::Now;
use crate::transport::Command;
use crate::transport::files::FileError;
use crate::transport::local::stat_now;
use std::collections::HashMap;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

/// Clock ticks a second in `/proc`: the kernel gives the same to every program on every Linux
/// that this one runs on, whatever its own timer does.
pub const TICKS: f64 = 100.0;
/// Kept of one command line, in bytes.
pub const MAX_COMMAND: usize = 4 << 10;
/// Processes looked at on one host at most.
const MAX_PROCESSES: usize = 100_000;
/// Kept of what `ps` prints.
const MAX_PS: usize = 8 << 20;

/// One running process.
#[derive(Clone, Debug, PartialEq)]
pub struct Process {
    pub pid: u32,
    pub uid: u32,
    /// The short name, 15 bytes at most.
    pub comm: String,
    /// The arguments joined by blanks; the short name in brackets when there are none.
    pub command: String,
    /// Seconds since the host was started (here), or how long it has run (elsewhere).
    age: Age,
    /// Resident memory in bytes; here it is read only when asked for.
    rss: Option<u64>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Age {
    StartedAt(f64),
    Running(f64),
}

/// What `/proc/PID/stat` says.
#[derive(Clone, Debug, PartialEq)]
pub struct ProcStat {
    pub comm: String,
    /// `Z` and `X` are dead, `R`, `S`, `D`, `T`, `I` are not.
    pub state: char,
    /// Seconds from the host's start to the process's.
    pub started: f64,
}

impl ProcStat {
    pub fn is_dead(&self) -> bool {
        matches!(self.state, 'Z' | 'X' | 'x')
    }
}

/// Reads `/proc/PID/stat`. The name stands in brackets and may hold anything, brackets included.
pub fn parse_proc_stat(text: &str) -> Option<ProcStat> {
    let (head, tail) = text.rsplit_once(')')?;
    let (_, comm) = head.split_once('(')?;
    let mut fields = tail.split_whitespace();
    let state = fields.next()?.chars().next()?;
    let ticks: u64 = fields.nth(18)?.parse().ok()?;
    Some(ProcStat { comm: comm.to_owned(), state, started: ticks as f64 / TICKS })
}

/// Reads the resident memory, in bytes, out of `/proc/PID/status`.
pub fn parse_rss(status: &str) -> Option<u64> {
    let value = status.lines().find_map(|l| l.strip_prefix("VmRSS:"))?;
    value.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

/// When the host was started, from `/proc/stat`: seconds since the epoch by its present clock.
pub fn parse_boot_time(stat: &str) -> Option<f64> {
    stat.lines().find_map(|l| l.strip_prefix("btime "))?.trim().parse().ok()
}

/// `/proc/PID/cmdline` as one line.
pub fn command_line(raw: &[u8], comm: &str) -> String {
    let text = String::from_utf8_lossy(raw);
    let joined = text.trim_end_matches('\0').replace('\0', " ");
    if joined.is_empty() { format!("[{comm}]") } else { joined }
}

/// Joins what `ps -o pid=,uid=,rss=,etimes=,stat=,comm=` and `ps -o pid=,args=` print. Two lists,
/// since both a name and a command line may hold blanks. Zombies are left out.
pub fn parse_ps(states: &str, commands: &str) -> Vec<Process> {
    let commands: HashMap<u32, &str> = commands
        .lines()
        .filter_map(|l| l.trim_start().split_once(' '))
        .filter_map(|(pid, args)| Some((pid.parse().ok()?, args.trim())))
        .collect();
    let one = |line: &str| {
        let mut rest = line;
        let mut word = || {
            let (word, tail) = rest.trim_start().split_once(' ')?;
            rest = tail;
            Some(word)
        };
        let (pid, uid, rss, seconds) = (word()?, word()?, word()?, word()?);
        let state = word()?;
        let pid = pid.parse().ok()?;
        let comm = rest.trim().to_owned();
        let kib: u64 = rss.parse().ok()?;
        let command = commands.get(&pid).map_or_else(|| format!("[{comm}]"), |c| (*c).to_owned());
        let age = Age::Running(seconds.parse::<u64>().ok()? as f64);
        let dead = state.starts_with(['Z', 'X']);
        (!dead).then_some(Process {
            pid,
            uid: uid.parse().ok()?,
            comm,
            command,
            age,
            rss: kib.checked_mul(1024),
        })
    };
    states.lines().filter_map(one).take(MAX_PROCESSES).collect()
}

/// Every process of the probe's host, one list for all who ask at about the same time.
pub(super) async fn all(cx: &Context<'_>) -> Result<(Now, Arc<Vec<Process>>), Fault> {
    let max_age = host::max_age(cx);
    if let Some(local) = cx.transport.local() {
        let learn = async { local.blocking(scan).await.map_err(|e| host::unreadable("/proc", e)) };
        return cx.shared.host.processes.get(cx, max_age, learn).await;
    }
    let learn = async {
        let states = ps(cx, "pid=,uid=,rss=,etimes=,stat=,comm=").await?;
        let commands = ps(cx, "pid=,args=").await?;
        let found = parse_ps(&states, &commands);
        visible(found.iter().any(|p| p.pid == 1)).map(|()| found)
    };
    cx.shared.host.processes.get(cx, max_age, learn).await
}

async fn ps(cx: &Context<'_>, columns: &str) -> Result<String, Fault> {
    let mut command = Command::new(["ps", "-eww", "-o", columns]);
    command.max_stdout = MAX_PS;
    let output = cx.transport.run(&command).await?;
    if output.status != 0 {
        let said = crate::domain::text::one_line_bytes(&output.stderr, 120);
        return Err(Fault::Unknown(format!("cannot list the processes: {said}")));
    }
    if output.dropped > 0 {
        return Err(Fault::Unknown(format!("cannot list the processes: more than {MAX_PS} bytes of them")));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// `/proc` mounted with `hidepid` shows only our own processes; then absence says nothing.
fn visible(sees_first: bool) -> Result<(), Fault> {
    let why = "needs permission: /proc hides the processes of other users (hidepid)";
    if sees_first { Ok(()) } else { Err(Fault::Unknown(why.to_owned())) }
}

/// The same, asked for one process that seems not to be there.
pub(super) async fn check_visible(cx: &Context<'_>) -> Result<(), Fault> {
    match cx.transport.stat("/proc/1").await {
        Err(FileError::Unreachable(why)) => Err(Fault::Unreachable(why)),
        seen => visible(seen.is_ok()),
    }
}

/// Reads `/proc`. Processes that end meanwhile are left out; so are we.
fn scan() -> Result<Vec<Process>, FileError> {
    let mut found = Vec::new();
    let mut sees_first = false;
    for entry in std::fs::read_dir("/proc")? {
        let Some(pid) = entry?.file_name().to_str().and_then(|n| n.parse::<u32>().ok()) else { continue };
        sees_first |= pid == 1;
        if pid != std::process::id()
            && let Some(process) = one(pid)
        {
            found.push(process);
        }
        if found.len() >= MAX_PROCESSES {
            return Err(FileError::Other(format!("more than {MAX_PROCESSES} processes")));
        }
    }
    if sees_first { Ok(found) } else { Err(FileError::NotAllowed) }
}

fn one(pid: u32) -> Option<Process> {
    let read = |name: &str, max| {
        let mut bytes = Vec::new();
        std::fs::File::open(format!("/proc/{pid}/{name}")).ok()?.take(max).read_to_end(&mut bytes).ok()?;
        Some(bytes)
    };
    let stat = parse_proc_stat(&String::from_utf8_lossy(&read("stat", 4096)?))?;
    if stat.is_dead() {
        return None;
    }
    let command = command_line(&read("cmdline", MAX_COMMAND as u64)?, &stat.comm);
    let uid = stat_now(Path::new(&format!("/proc/{pid}"))).ok()?.uid;
    Some(Process { pid, uid, comm: stat.comm, command, age: Age::StartedAt(stat.started), rss: None })
}

impl Process {
    /// How long it has run, in seconds; `uptime` is the host's.
    pub fn running_for(&self, uptime: f64) -> f64 {
        match self.age {
            Age::StartedAt(at) => (uptime - at).max(0.0),
            Age::Running(seconds) => seconds,
        }
    }

    /// Whether it goes by a name: the short one, which the kernel cuts, or its program's.
    pub fn is_called(&self, name: &str) -> bool {
        let program = self.command.split(' ').next().and_then(|p| p.rsplit('/').next()).unwrap_or("");
        // A daemon's title, "nginx: master process", keeps the name before the colon.
        self.comm == name
            || program.trim_end_matches(':') == name
            || (self.comm.len() >= 15 && name.starts_with(&self.comm))
    }

    /// Resident memory in bytes; `None` when it has ended or is the kernel's own.
    pub(super) async fn resident(&self, cx: &Context<'_>) -> Option<u64> {
        if self.rss.is_some() {
            return self.rss;
        }
        let status = cx.transport.read_file(&format!("/proc/{}/status", self.pid), 16 << 10).await.ok()?;
        parse_rss(&String::from_utf8_lossy(&status))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const STAT: &str = "812 (tmux: a) b) S 1 812 812 0 -1 4194560 900 0 0 0 3 1 0 0 20 0 1 0 6150 12000000 1500 18446744073709551615 1 1 0 0";

    #[test]
    fn a_name_with_brackets_does_not_confuse_the_fields() {
        let stat = parse_proc_stat(STAT).unwrap();
        assert_eq!((&*stat.comm, stat.state, stat.started), ("tmux: a) b", 'S', 61.5));
        assert!(!stat.is_dead());
        for bad in ["", "1", "1 (a", "1 (a) S 1 2", "1 a S 1"] {
            assert_eq!(parse_proc_stat(bad), None, "{bad}");
        }
    }

    #[test]
    fn tables_of_the_kernel_read() {
        assert_eq!(parse_rss("Name:\tx\nVmRSS:\t    1234 kB\n"), Some(1_263_616));
        assert_eq!(parse_rss("Name:\tkthreadd\n"), None);
        assert_eq!(parse_boot_time("cpu 1 2\nbtime 1700000000\nprocesses 3\n"), Some(1_700_000_000.0));
        assert_eq!(command_line(b"/bin/sh\0-c\0a b\0", "sh"), "/bin/sh -c a b");
        assert_eq!(command_line(b"", "kthreadd"), "[kthreadd]");
    }

    #[test]
    fn the_two_lists_of_ps_are_joined() {
        let states = "    1     0  1200  500 Ss   systemd\n   77   104  2000    7 S<sl tmux: server\n   78     0     0    3 Z    sh <defunct>\n";
        let commands = "    1 /sbin/init splash\n   77 tmux new -s a\n   78 [sh] <defunct>\n";
        let all = parse_ps(states, commands);
        assert_eq!(all.len(), 2);
        assert_eq!(
            (all[1].pid, all[1].uid, &*all[1].comm, &*all[1].command),
            (77, 104, "tmux: server", "tmux new -s a")
        );
        assert_eq!((all[0].rss, all[0].running_for(1e9)), (Some(1_228_800), 500.0));
    }

    #[test]
    fn a_process_goes_by_its_short_name_or_its_program() {
        let process = |comm: &str, command: &str| Process {
            pid: 1,
            uid: 0,
            comm: comm.into(),
            command: command.into(),
            age: Age::Running(0.0),
            rss: None,
        };
        let table = [
            (process("redis-server", "/usr/bin/redis-server *:6379"), "redis-server", true),
            (process("nginx", "nginx: master process"), "nginx", true),
            (process("python3", "/srv/venv/bin/tornado-api --x"), "tornado-api", true),
            (
                process("prometheus-node", "/usr/bin/prometheus-node-exporter"),
                "prometheus-node-exporter",
                true,
            ),
            (process("prometheus-node", "x"), "prometheus-node-exporter", true),
            (process("sh", "sh -c redis-server"), "redis-server", false),
            (process("redis", "redis"), "redis-server", false),
        ];
        for (process, name, want) in table {
            assert_eq!(process.is_called(name), want, "{process:?} {name}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_without_a_panic(a in "(\\PC{0,6}[ \n()]){0,60}", b in "(\\PC{0,6}[ \n]){0,30}") {
            let _ = (parse_proc_stat(&a), parse_rss(&a), parse_boot_time(&a), parse_ps(&a, &b));
        }
    }
}
