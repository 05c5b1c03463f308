//! What the probes of one host share: which units to ask for in one call, who its users are,
//! and its clocks. None of it is specific to a kind.

use super::procfs::Process;
use super::{Context, Fault};
use crate::clock::Now;
use crate::domain::id::HostId;
use crate::stack::kind::Kind;
use crate::stack::spec::Stack;
use crate::transport::Command;
use crate::transport::files::{FileError, FileStat, parse_stat, said, stat_command};
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Mutex;

/// The users and groups read, in bytes of their files.
const MAX_ACCOUNTS: usize = 4 << 20;
/// How long a host's users and groups, and the difference of its clock from ours, are believed.
const BELIEVED: Duration = Duration::from_secs(60);

/// One for all probes; part of [`super::shared::Shared`].
#[derive(Debug, Default)]
pub struct HostShared {
    units: HashMap<HostId, Vec<String>>,
    accounts: Slots<Accounts>,
    pub(super) processes: Slots<Vec<Process>>,
}

/// One remembered value for each host. Each has a lock of its own, held while it is learned: those
/// who ask at the same moment wait for one answer, and a host that hangs holds up no other.
#[derive(Debug)]
pub(super) struct Slots<T>(std::sync::Mutex<HashMap<HostId, Arc<Slot<T>>>>);

type Slot<T> = Mutex<Option<(Now, Arc<T>)>>;

impl<T> Default for Slots<T> {
    fn default() -> Self {
        Slots(std::sync::Mutex::default())
    }
}

impl<T> Slots<T> {
    /// The value and when it was learned: at most `max_age` old, learned now if there is none.
    pub(super) async fn get<E>(
        &self,
        cx: &Context<'_>,
        max_age: Duration,
        learn: impl Future<Output = Result<T, E>>,
    ) -> Result<(Now, Arc<T>), E> {
        let slot = {
            let mut slots = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            Arc::clone(slots.entry(cx.probe.host.clone()).or_default())
        };
        let mut known = slot.lock().await;
        if let Some((at, value)) = known.as_ref().filter(|(at, _)| cx.clock.now().since(*at) <= max_age) {
            return Ok((*at, Arc::clone(value)));
        }
        let at = cx.clock.now();
        let value = Arc::new(learn.await?);
        *known = Some((at, Arc::clone(&value)));
        Ok((at, value))
    }
}

impl HostShared {
    /// Notes the systemd units that the stack's probes ask for, by host.
    pub fn for_stack(stack: &Stack) -> Self {
        let mut units: HashMap<HostId, BTreeSet<String>> = HashMap::new();
        for probe in &stack.probes {
            let unit = match &probe.kind {
                Kind::Systemd(spec) => Some(spec.unit.clone()),
                Kind::EnvPresent(spec) => spec.place.unit().map(str::to_owned),
                _ => None,
            };
            if let Some(unit) = unit {
                units.entry(probe.host.clone()).or_default().insert(unit);
            }
        }
        let units = units.into_iter().map(|(host, set)| (host, set.into_iter().collect())).collect();
        HostShared { units, ..HostShared::default() }
    }

    /// The units to ask for in one call: all that are known for the host, and this one.
    pub(super) fn units_with(&self, host: &HostId, unit: &str) -> Vec<String> {
        let mut all = self.units.get(host).cloned().unwrap_or_default();
        if !all.iter().any(|u| u == unit) {
            all.push(unit.to_owned());
        }
        all
    }

    /// The host's users and groups, at most a minute old.
    pub(super) async fn accounts(&self, cx: &Context<'_>) -> Result<Arc<Accounts>, FileError> {
        let learn = async {
            let passwd = cx.transport.read_file("/etc/passwd", MAX_ACCOUNTS).await?;
            let group = cx.transport.read_file("/etc/group", MAX_ACCOUNTS).await?;
            Ok(parse_accounts(&String::from_utf8_lossy(&passwd), &String::from_utf8_lossy(&group)))
        };
        self.accounts.get(cx, BELIEVED, learn).await.map(|(_, accounts)| accounts)
    }
}

/// A user of the host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    pub name: String,
    pub uid: u32,
    /// The primary group and those that list the user.
    pub groups: Vec<u32>,
}

/// The users and groups of `/etc/passwd` and `/etc/group`. Those that a directory service adds
/// are not known here.
#[derive(Debug, Default)]
pub struct Accounts {
    users: Vec<User>,
    groups: HashMap<u32, String>,
}

impl Accounts {
    pub fn user(&self, name: &str) -> Option<&User> {
        self.users.iter().find(|u| u.name == name)
    }

    /// The name of a user id, or the number.
    pub fn user_name(&self, uid: u32) -> String {
        self.users.iter().find(|u| u.uid == uid).map_or_else(|| uid.to_string(), |u| u.name.clone())
    }

    /// The name of a group id, or the number.
    pub fn group_name(&self, gid: u32) -> String {
        self.groups.get(&gid).cloned().unwrap_or_else(|| gid.to_string())
    }
}

/// Reads `/etc/passwd` and `/etc/group`; lines that are neither are passed over.
pub fn parse_accounts(passwd: &str, group: &str) -> Accounts {
    let mut accounts = Accounts::default();
    for line in passwd.lines() {
        let mut fields = line.split(':');
        let (Some(name), _, Some(uid), Some(gid)) =
            (fields.next(), fields.next(), fields.next(), fields.next())
        else {
            continue;
        };
        if let (Ok(uid), Ok(gid)) = (uid.parse(), gid.parse()) {
            accounts.users.push(User { name: name.to_owned(), uid, groups: vec![gid] });
        }
    }
    for line in group.lines() {
        let mut fields = line.split(':');
        let (Some(name), _, Some(gid), Some(members)) =
            (fields.next(), fields.next(), fields.next(), fields.next())
        else {
            continue;
        };
        let Ok(gid) = gid.parse::<u32>() else { continue };
        accounts.groups.entry(gid).or_insert_with(|| name.to_owned());
        for member in members.split(',').filter(|m| !m.is_empty()) {
            for user in accounts.users.iter_mut().filter(|u| u.name == member) {
                user.groups.push(gid);
            }
        }
    }
    accounts
}

/// Reads a small table of the kernel's, whole. The name of what it is for completes the fault.
pub(super) async fn table(cx: &Context<'_>, path: &str, max: usize) -> Result<String, Fault> {
    let bytes = cx.transport.read_file(path, max).await.map_err(|e| unreadable(path, e))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// What it means that a file which is not itself the target cannot be read.
pub(super) fn unreadable(path: &str, e: FileError) -> Fault {
    match e {
        FileError::Unreachable(why) => Fault::Unreachable(why),
        FileError::NotAllowed => Fault::Unknown(format!("needs permission to read {path}")),
        other => Fault::Unknown(format!("cannot read {path}: {other}")),
    }
}

/// Reads a file, through sudo when the probe says so.
pub(super) async fn read(cx: &Context<'_>, path: &str, max: usize) -> Result<Vec<u8>, FileError> {
    if !cx.probe.sudo {
        return cx.transport.read_file(path, max).await;
    }
    let mut command = Command::new(["cat", "--", path]).sudo(true);
    command.max_stdout = max;
    let output = cx.transport.run(&command).await.map_err(of_run)?;
    if output.status == 0 {
        return Ok(output.stdout);
    }
    Err(refused(&command, &String::from_utf8_lossy(&output.stderr), None))
}

/// Looks at a path, through sudo when the probe says so.
pub(super) async fn stat(cx: &Context<'_>, path: &str) -> Result<FileStat, FileError> {
    if !cx.probe.sudo {
        return cx.transport.stat(path).await;
    }
    let command = stat_command(&[path]).sudo(true);
    let output = cx.transport.run(&command).await.map_err(of_run)?;
    match parse_stat(&output, path) {
        Ok(stat) => Ok(stat),
        Err(_) => Err(refused(&command, &String::from_utf8_lossy(&output.stderr), Some(path))),
    }
}

fn refused(command: &Command, stderr: &str, path: Option<&str>) -> FileError {
    if super::shared::sudo_refused(stderr) {
        FileError::Other(super::shared::sudo_help(command))
    } else {
        said(stderr, path)
    }
}

fn of_run(e: crate::transport::RunError) -> FileError {
    match e {
        crate::transport::RunError::Unreachable(why) => FileError::Unreachable(why),
        other => FileError::Other(other.to_string()),
    }
}

/// The host's wall clock, in seconds since the epoch: ours here, asked for elsewhere, since the
/// clocks of two machines differ.
pub(super) async fn wall_clock(cx: &Context<'_>) -> Result<f64, Fault> {
    let here = |now: Now| now.wall.as_nanosecond() as f64 / 1e9;
    if cx.transport.is_local() {
        return Ok(here(cx.clock.now()));
    }
    let (text, at) = shared_text(cx, &["date", "+%s"]).await?;
    let there: f64 =
        text.trim().parse().map_err(|_| Fault::Unknown("cannot read the host's clock".to_owned()))?;
    Ok(there + cx.clock.now().since(at).as_secs_f64())
}

/// Seconds since the host was started, suspended time included.
pub(super) async fn uptime(cx: &Context<'_>) -> Result<f64, Fault> {
    let (text, at) = if cx.transport.is_local() {
        (table(cx, "/proc/uptime", 256).await?, cx.clock.now())
    } else {
        shared_text(cx, &["cat", "/proc/uptime"]).await?
    };
    let first = text.split_whitespace().next().and_then(|w| w.parse::<f64>().ok());
    let then = first.ok_or_else(|| Fault::Unknown("cannot read /proc/uptime".to_owned()))?;
    Ok(then + cx.clock.now().since(at).as_secs_f64())
}

async fn shared_text(cx: &Context<'_>, argv: &[&str]) -> Result<(String, Now), Fault> {
    let command = Command::new(argv.iter().copied());
    let answer = cx.shared.command(&cx.probe.host, cx.transport, &command, BELIEVED, cx.clock).await?;
    Ok((String::from_utf8_lossy(&answer.output.stdout).into_owned(), answer.at))
}

/// How old a shared answer may be: fresh enough for every probe, and one call for all of them.
pub(super) fn max_age(cx: &Context<'_>) -> Duration {
    (cx.probe.interval / 2).min(Duration::from_secs(1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn users_have_their_primary_and_other_groups() {
        let accounts = parse_accounts(
            "root:x:0:0:root:/root:/bin/sh\n# no\nwww:x:33:33::/:/x\nbad:x:a:b\n",
            "root:x:0:\nwww:x:33:\nssl:x:110:db,www,\nadm:x\n",
        );
        let www = accounts.user("www").unwrap();
        assert_eq!((www.uid, &*www.groups), (33, &[33, 110][..]));
        assert_eq!(accounts.user("bad"), None);
        assert_eq!((accounts.user_name(0), accounts.user_name(7)), ("root".into(), "7".into()));
        assert_eq!((accounts.group_name(110), accounts.group_name(7)), ("ssl".into(), "7".into()));
    }

    proptest! {
        #[test]
        fn any_text_reads_as_some_accounts(a in "(\\PC{0,20}[:\n,]){0,20}", b in "(\\PC{0,20}[:\n,]){0,20}") {
            let _ = parse_accounts(&a, &b);
        }
    }
}
