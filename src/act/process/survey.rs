//! What a step has started and still runs: by its process group and session, and by a mark in the
//! environment that all its children inherit.

use super::MARK;
use crate::act::step::Setting;
use crate::domain::text;
use crate::transport::Command;
use std::time::Duration;

/// How long a look at a host's processes may take.
const LOOK: Duration = Duration::from_secs(5);
/// Processes named at most.
const MAX_NAMED: usize = 5;
/// Kept of the list.
const MAX_LIST: usize = 64 << 10;

/// A process that a step has started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stray {
    pub pid: u32,
    /// Its name, one safe line.
    pub name: String,
}

/// Lists `PID NAME` of a group's and a session's living processes, then the files of those that
/// bear a mark. What ends while it looks is left out.
const SCRIPT: &str = r#"set -f
for d in $(cd /proc && set +f && echo [0-9]*); do
  { IFS= read -r l <"/proc/$d/stat"; } 2>/dev/null || continue
  n=${l#*(}; n=${n%)*}; set -- "$1" "$2" ${l##*) }
  case $3 in Z|X) continue;; esac
  if [ "$5" = "$1" ] || [ "$6" = "$1" ]; then echo "$d $n"; fi
done
[ -z "$2" ] || set +f; for f in $(grep -lzxF -e "$2" /proc/[0-9]*/environ 2>/dev/null); do
  d=${f#/proc/}; d=${d%/environ}
  { IFS= read -r l <"/proc/$d/stat"; } 2>/dev/null || continue
  n=${l#*(}; n=${n%)*}; set -- "$1" "$2" ${l##*) }
  case $3 in Z|X) continue;; esac
  echo "$d $n"
done"#;

/// What the mark of a step says: the same for all of its attempts.
pub(super) fn mark(s: &Setting<'_>) -> String {
    format!("{} {}", s.run, s.step)
}

/// What any attempt at this step has started and still runs on its host. Empty when that cannot be
/// learned.
pub async fn strays(s: &Setting<'_>) -> Vec<Stray> {
    left(s, None).await
}

/// The same, with all of a process group.
pub(super) async fn left(s: &Setting<'_>, group: Option<u32>) -> Vec<Stray> {
    let group = group.map_or_else(|| "none".to_owned(), |g| g.to_string());
    let mut command = Command::new(["sh", "-c", SCRIPT, "sh", &group, &format!("{MARK}={}", mark(s))]);
    command.max_stdout = MAX_LIST;
    match tokio::time::timeout(LOOK, s.transport.run(&command)).await {
        Ok(Ok(output)) => parse(&String::from_utf8_lossy(&output.stdout)),
        _ => Vec::new(),
    }
}

fn parse(list: &str) -> Vec<Stray> {
    let mut all: Vec<Stray> = list
        .lines()
        .filter_map(|line| {
            let (pid, name) = line.split_once(' ')?;
            Some(Stray { pid: pid.parse().ok()?, name: text::one_line(name, 20) })
        })
        .collect();
    all.sort_by_key(|stray| stray.pid);
    all.dedup_by_key(|stray| stray.pid);
    all
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
        let all = parse("7 sleep\n5 a b\nx y\n7 sleep\n");
        assert_eq!(names(&all), "2 processes (5 a b, 7 sleep)");
        let many: Vec<Stray> = (1..9).map(|pid| Stray { pid, name: "x".into() }).collect();
        assert_eq!(names(&many), "8 processes (1 x, 2 x, 3 x, 4 x, 5 x, 3 more)");
    }
}
