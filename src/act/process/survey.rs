//! What a step has started and still runs: by its process group and session, by a mark in the
//! environment that its children inherit, and by who started whom.

use super::MARK;
use crate::act::step::Setting;
use crate::domain::text;
use crate::transport::Command;
use std::collections::BTreeSet;
use std::time::Duration;

/// How long a look at a host's processes may take.
const LOOK: Duration = Duration::from_secs(5);
/// Processes named at most.
const MAX_NAMED: usize = 5;
/// The largest list that is read, in bytes: some 20 000 processes. One that is cut is no list.
const MAX_LIST: usize = 1 << 20;

/// A process that a step has started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stray {
    pub pid: u32,
    /// Its name, one safe line.
    pub name: String,
}

/// Lists the living processes, `p PID PARENT GROUP SESSION NAME`, then those that bear a mark,
/// `m PID`, and at last, so that a list that was cut is known for one, who looked: `end UID`. What
/// ends while it looks is left out.
const SCRIPT: &str = r#"set -f
for d in $(cd /proc && set +f && echo [0-9]*); do
  { IFS= read -r l <"/proc/$d/stat"; } 2>/dev/null || continue
  n=${l#*(}; n=${n%)*}; set -- "$1" ${l##*) }
  case $2 in Z|X) continue;; esac
  echo "p $d $3 $4 $5 $n"
done
set +f; for f in $(grep -lzxF -e "$1" /proc/[0-9]*/environ 2>/dev/null); do
  d=${f#/proc/}; echo "m ${d%/environ}"
done
echo "end $(id -u)""#;

/// What the mark of a step says: the same for all of its attempts.
pub(super) fn mark(s: &Setting<'_>) -> String {
    format!("{} {}", s.run, s.step)
}

/// What any attempt at this step has started and still runs on its host. What runs under sudo is
/// looked for with sudo, since nobody but root sees whose it is.
///
/// # Errors
/// It is not known whether anything runs, and why.
pub async fn strays(s: &Setting<'_>) -> Result<Vec<Stray>, String> {
    all(s, None).await
}

/// The same, with all of a process group.
///
/// # Errors
/// As for [`strays`].
pub(super) async fn all(s: &Setting<'_>, group: Option<u32>) -> Result<Vec<Stray>, String> {
    let plain = look(s, false).await;
    if !s.sudo || matches!(plain, Ok(Seen { uid: 0, .. })) {
        return plain.map(|seen| seen.of(group));
    }
    match look(s, true).await {
        Ok(seen) => Ok(seen.of(group)),
        // What is seen without it runs all the same; that nothing is seen says nothing.
        Err(why) => match plain.map(|seen| seen.of(group)) {
            Ok(seen) if !seen.is_empty() => Ok(seen),
            _ => Err(why),
        },
    }
}

/// What a program whose group is known left: seen without sudo, which the group needs not.
///
/// # Errors
/// As for [`strays`].
pub(super) async fn left(s: &Setting<'_>, group: Option<u32>) -> Result<Vec<Stray>, String> {
    look(s, false).await.map(|seen| seen.of(group))
}

async fn look(s: &Setting<'_>, sudo: bool) -> Result<Seen, String> {
    let mut command = Command::new(["sh", "-c", SCRIPT, "sh", &format!("{MARK}={}", mark(s))]).sudo(sudo);
    command.max_stdout = MAX_LIST;
    let with = if sudo { " with sudo" } else { "" };
    let told = |why: &str| format!("cannot look at the processes of {}{with}: {why}", s.host);
    match tokio::time::timeout(LOOK, s.transport.run(&command)).await {
        Ok(Ok(output)) => Seen::parse(&String::from_utf8_lossy(&output.stdout)).ok_or_else(|| {
            let said = text::one_line_bytes(output.stderr.trim_ascii(), 200);
            told(if said.is_empty() { "the list has no end" } else { &said })
        }),
        Ok(Err(e)) => Err(told(&text::reason(&e.to_string()))),
        Err(_) => Err(told(&format!("no answer within {} s", LOOK.as_secs()))),
    }
}

/// All processes of a host.
#[derive(Debug, Default)]
struct Seen {
    all: Vec<Process>,
    marked: BTreeSet<u32>,
    /// Who looked.
    uid: u32,
}

#[derive(Debug)]
struct Process {
    parent: u32,
    group: u32,
    session: u32,
    is: Stray,
}

impl Seen {
    /// `None` for a list without its end.
    fn parse(list: &str) -> Option<Seen> {
        let mut seen = Seen::default();
        for line in list.lines() {
            let mut words = line.splitn(6, ' ');
            let kind = words.next();
            let mut number = || words.next().and_then(|w| w.parse::<u32>().ok());
            match (kind, number()) {
                (Some("p"), Some(pid)) => {
                    if let (Some(parent), Some(group), Some(session)) = (number(), number(), number()) {
                        let name = text::one_line(words.next().unwrap_or(""), 20);
                        seen.all.push(Process { parent, group, session, is: Stray { pid, name } });
                    }
                }
                (Some("m"), Some(pid)) => {
                    seen.marked.insert(pid);
                }
                (Some("end"), Some(uid)) => return Some(Seen { uid, ..seen }),
                _ => {}
            }
        }
        None
    }

    /// Those that bear the mark or are of the group, and all that they started: sudo takes the mark
    /// from what it runs. By their ids.
    fn of(self, group: Option<u32>) -> Vec<Stray> {
        let mut found: BTreeSet<u32> = self.marked;
        let ours = |p: &&Process| group.is_some_and(|g| p.group == g || p.session == g);
        found.extend(self.all.iter().filter(ours).map(|p| p.is.pid));
        loop {
            let before = found.len();
            let born: Vec<u32> =
                self.all.iter().filter(|p| found.contains(&p.parent)).map(|p| p.is.pid).collect();
            found.extend(born);
            if found.len() == before {
                break;
            }
        }
        let mut all: Vec<Stray> =
            self.all.into_iter().map(|p| p.is).filter(|p| found.contains(&p.pid)).collect();
        all.sort_by_key(|stray| stray.pid);
        all.dedup_by_key(|stray| stray.pid);
        all
    }
}

/// "2 processes (712 sleep, 713 sh)".
pub fn names(all: &[Stray]) -> String {
    let mut names: Vec<String> =
        all.iter().take(MAX_NAMED).map(|stray| format!("{} {}", stray.pid, stray.name)).collect();
    if all.len() > MAX_NAMED {
        names.push(format!("{} more", all.len() - MAX_NAMED));
    }
    let noun = if all.len() == 1 { "process" } else { "processes" };
    format!("{} {noun} ({})", all.len(), names.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strays_are_named_once_and_not_without_end() {
        let all = Seen::parse("p 7 1 7 7 sleep\np 5 1 9 9 a b\nx y\nm 7\nm 5\nm 7\nm 12\nend 1000\n")
            .unwrap()
            .of(None);
        assert_eq!(names(&all), "2 processes (5 a b, 7 sleep)");
        let many: Vec<Stray> = (1..9).map(|pid| Stray { pid, name: "x".into() }).collect();
        assert_eq!(names(&many), "8 processes (1 x, 2 x, 3 x, 4 x, 5 x, 3 more)");
    }

    #[test]
    fn what_a_marked_one_started_is_one_too_and_a_cut_list_is_none() {
        // sudo (20) bears the mark; what it runs (30, 31) does not; 40 is of the group.
        let list = "p 31 30 20 20 sleep\np 30 20 20 20 systemctl\np 20 1 20 20 sudo\np 40 1 44 44 x\np 50 1 50 50 y\nm 20\n";
        assert!(Seen::parse(list).is_none());
        let pids = |group| -> Vec<u32> {
            Seen::parse(&format!("{list}end 0\n")).unwrap().of(group).iter().map(|p| p.pid).collect()
        };
        assert_eq!((pids(None), pids(Some(44))), (vec![20, 30, 31], vec![20, 30, 31, 40]));
    }
}
