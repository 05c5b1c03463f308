//! Job control: stopping together with the rest of the job, when there is a shell to come back from.

use std::io::{self, Read};

use rustix::process::{self, Pid, Signal};

/// How far up the family the search for the shell goes.
const GENERATIONS: usize = 32;

/// The most read of `/proc/<pid>/stat`; a line of it has some 350 bytes.
const STAT: u64 = 4096;

/// Whether somebody of this session, outside this job, watches over it and can bring it back.
/// Started straight by ssh or as a login shell's replacement there is nobody, and a stop would be for ever.
pub(super) fn has_shell() -> bool {
    let (job, session) = (process::getpgrp(), process::getsid(None));
    let Ok(session) = session else { return false };
    let mut next = process::getppid();
    for _ in 0..GENERATIONS {
        let Some(pid) = next else { return false };
        if process::getsid(Some(pid)) != Ok(session) {
            return false;
        }
        if process::getpgid(Some(pid)) != Ok(job) {
            return true;
        }
        match parent_of(pid) {
            Some(parent) => next = Some(parent),
            // Its entry is hidden from us; what is left of the family is most likely a shell.
            None => return true,
        }
    }
    false
}

fn parent_of(pid: Pid) -> Option<Pid> {
    let file = std::fs::File::open(format!("/proc/{}/stat", pid.as_raw_nonzero())).ok()?;
    let mut line = Vec::new();
    file.take(STAT).read_to_end(&mut line).ok()?;
    parse_parent(&String::from_utf8_lossy(&line))
}

/// The fourth field; the second is a name in parentheses that may hold anything.
fn parse_parent(line: &str) -> Option<Pid> {
    let (_, rest) = line.rsplit_once(')')?;
    rest.split_whitespace().nth(1)?.parse().ok().and_then(Pid::from_raw)
}

/// Stops every process of this job, as the key would in a shell. SIGSTOP, since a handler for
/// SIGTSTP is installed for good; the whole job, since the shell waits for all of it (under
/// `cargo run`, cargo is part of it). May return before the stop takes hold.
///
/// # Errors
/// The signal cannot be sent.
pub(super) fn stop() -> io::Result<()> {
    Ok(process::kill_current_process_group(Signal::STOP)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parent_is_found_behind_any_name() {
        let table = [
            ("12 (sh) S 7 12 12 0", Some(7)),
            ("12 (a) b (c) R 9 12 12 0", Some(9)),
            ("12 (sh) S 0 12", None),
            ("12 (sh", None),
            ("", None),
        ];
        for (line, parent) in table {
            assert_eq!(parse_parent(line).map(|p| p.as_raw_nonzero().get()), parent, "{line}");
        }
        assert_eq!(parent_of(process::getpid()), process::getppid());
    }
}
