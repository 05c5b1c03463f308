//! Job control: stopping together with the rest of the job, when there is a shell to come back from.

use std::io::{self, Read};

use rustix::process::{self, Signal};

/// How far up the family the search for the shell goes.
const GENERATIONS: usize = 32;

/// The most read of `/proc/<pid>/stat`; a line of it has some 350 bytes.
const STAT: u64 = 4096;

/// Whether somebody of this session, outside this job, watches over it and can bring it back.
/// Started straight by ssh or as a login shell's replacement there is nobody, and a stop would be for ever.
pub(super) fn has_shell() -> bool {
    let Some(me) = Relation::of(process::getpid().as_raw_nonzero().get()) else { return false };
    let mut next = me.parent;
    for _ in 0..GENERATIONS {
        // Zero: the parent, if any, is outside this pid namespace.
        if next == 0 {
            return false;
        }
        match Relation::of(next) {
            Some(them) if them.session != me.session => return false,
            Some(them) if them.job != me.job => return true,
            Some(them) => next = them.parent,
            // Its entry is hidden from us; what is left of the family is most likely a shell.
            None => return true,
        }
    }
    false
}

/// Whom a process belongs to. Plain numbers, and from `/proc`: in a pid namespace the leader of a
/// session or job may be outside, which the kernel shows as 0, and rustix' getters take that 0
/// for a pid (they stop the program in a debug build, and are undefined otherwise).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Relation {
    parent: i32,
    job: i32,
    session: i32,
}

impl Relation {
    fn of(pid: i32) -> Option<Self> {
        let file = std::fs::File::open(format!("/proc/{pid}/stat")).ok()?;
        let mut line = Vec::new();
        file.take(STAT).read_to_end(&mut line).ok()?;
        Self::parse(&String::from_utf8_lossy(&line))
    }

    /// Fields four to six; the second is a name in parentheses that may hold anything.
    fn parse(line: &str) -> Option<Self> {
        let (_, rest) = line.rsplit_once(')')?;
        let mut fields = rest.split_whitespace().skip(1).map(|field| field.parse().ok());
        let mut field = || fields.next().flatten();
        Some(Relation { parent: field()?, job: field()?, session: field()? })
    }
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
    fn the_family_is_read_behind_any_name() {
        let relation = |parent, job, session| Some(Relation { parent, job, session });
        let table = [
            ("12 (sh) S 7 12 11 0", relation(7, 12, 11)),
            ("12 (a) b (c) R 9 12 12 0", relation(9, 12, 12)),
            // In a pid namespace whose shell is outside.
            ("12 (sh) S 0 0 0 0", relation(0, 0, 0)),
            ("12 (sh) S 7 12", None),
            ("12 (sh) S x 12 12", None),
            ("12 (sh", None),
            ("", None),
        ];
        for (line, family) in table {
            assert_eq!(Relation::parse(line), family, "{line}");
        }
        let me = Relation::of(process::getpid().as_raw_nonzero().get()).unwrap();
        let parent = process::getppid().map_or(0, |pid| pid.as_raw_nonzero().get());
        assert_eq!(me.parent, parent);
    }
}
