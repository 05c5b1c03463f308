//! The user that the demo's services "run as": a real account of this machine, so that a check of who
//! may read what has an answer.

use std::io;
use std::os::unix::fs::chown;
use std::path::Path;

/// An account, and whether files must be given to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Runner {
    pub name: String,
    owner: Option<(u32, u32)>,
}

impl Runner {
    /// Ourselves; or `nobody` when we are root, whom no file mode stops.
    pub fn find() -> Self {
        let accounts = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
        Self::among(&accounts, rustix::process::geteuid().as_raw())
    }

    fn among(accounts: &str, uid: u32) -> Self {
        let rows = || {
            accounts.lines().filter_map(|line| {
                let mut fields = line.split(':');
                let name = fields.next()?;
                let uid: u32 = fields.nth(1)?.parse().ok()?;
                Some((name, uid, fields.next()?.parse::<u32>().ok()?))
            })
        };
        if uid == 0
            && let Some((name, uid, gid)) = rows().find(|row| row.0 == "nobody")
        {
            return Self { name: name.to_owned(), owner: Some((uid, gid)) };
        }
        let name = rows().find(|row| row.1 == uid).map_or_else(|| uid.to_string(), |row| row.0.to_owned());
        Self { name, owner: None }
    }

    /// The account's numbers, when it is not our own.
    pub fn ids(&self) -> Option<(u32, u32)> {
        self.owner
    }

    /// Gives a file or directory to the runner, if it is not ours anyway.
    pub fn own(&self, path: &Path) -> io::Result<()> {
        match self.owner {
            Some((uid, gid)) => chown(path, Some(uid), Some(gid)),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn root_gives_its_files_away_and_others_keep_theirs() {
        let accounts =
            "root:x:0:0:root:/root:/bin/sh\nann:x:1000:1000::/home/ann:/bin/sh\nnobody:x:65534:65534::/:/x\n";
        for (accounts, uid, name, owner) in [
            (accounts, 0, "nobody", Some((65534, 65534))),
            (accounts, 1000, "ann", None),
            (accounts, 77, "77", None),
            ("root:x:0:0::/root:/bin/sh\n", 0, "root", None),
            ("garbage\n::\n", 5, "5", None),
        ] {
            assert_eq!(Runner::among(accounts, uid), Runner { name: name.into(), owner }, "{uid}");
        }
    }
}
