//! The state directory of what acts: one directory for each run, the locks, the approvals, and
//! who may read and write them.

use crate::domain::id::{self, RunId};
use jiff::Timestamp;
use rustix::fs::{Gid, Mode, OFlags};
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// The largest plan or approval that is read, in bytes.
pub const MAX_DOCUMENT: usize = 4 << 20;
/// Run directories looked at, at most; the newest ones.
pub const MAX_RUNS: usize = 5_000;
/// Tries to find a name for a run that nobody else took in the same millisecond.
const MAX_NAMES: u32 = 1_000;

/// Where runs, locks and approvals are kept: the user's own, or a group's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StateDir {
    root: PathBuf,
    group: Option<u32>,
}

/// The directory of one run: `plan.json`, `approval.json`, `journal`, outputs, `control.sock`,
/// `runner.log`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunDir {
    id: RunId,
    path: PathBuf,
    group: Option<u32>,
}

impl StateDir {
    /// The directory as it is to be; nothing is made or looked at yet. `group` is a group's id.
    pub fn new(root: impl Into<PathBuf>, group: Option<u32>) -> Self {
        StateDir { root: root.into(), group }
    }

    /// The same, with the group by its name, as `operators_group` has it.
    ///
    /// # Errors
    /// There is no such group.
    pub fn with_group(root: impl Into<PathBuf>, group: Option<&str>) -> Result<Self, String> {
        let group = group.map(super::identity::group_id).transpose()?;
        Ok(StateDir { root: root.into(), group })
    }

    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Whose members take part; `None` when it is the user's alone.
    pub fn group(&self) -> Option<u32> {
        self.group
    }

    pub fn runs(&self) -> PathBuf {
        self.root.join("runs")
    }

    pub fn locks(&self) -> PathBuf {
        self.root.join("locks")
    }

    pub fn approvals(&self) -> PathBuf {
        self.root.join("approvals")
    }

    /// Makes what is missing: 0700, or 2770 and the group's.
    ///
    /// # Errors
    /// It cannot be made; or it is there, belongs to somebody else, and no group was named; or
    /// anybody may write into it.
    pub fn prepare(&self) -> Result<(), String> {
        if let Some(above) = self.root.parent().filter(|a| !a.exists()) {
            fs::DirBuilder::new()
                .recursive(true)
                .mode(0o755)
                .create(above)
                .map_err(|e| format!("create {}: {e}", above.display()))?;
        }
        for dir in [self.root.clone(), self.runs(), self.locks(), self.approvals()] {
            self.prepare_one(&dir)?;
        }
        Ok(())
    }

    fn prepare_one(&self, dir: &Path) -> Result<(), String> {
        let told = |e: io::Error| format!("prepare {}: {e}", dir.display());
        match fs::DirBuilder::new().mode(0o700).create(dir) {
            Ok(()) => {
                admit(dir, self.group, true).map_err(told)?;
                if let Some(above) = dir.parent() {
                    sync_dir(above).map_err(told)?;
                }
                return Ok(());
            }
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
            Err(e) => return Err(told(e)),
        }
        let is = fs::metadata(dir).map_err(told)?;
        let mine = is.uid() == rustix::process::geteuid().as_raw();
        if !is.is_dir() {
            return Err(format!("use {}: it is no directory", dir.display()));
        }
        if is.mode() & 0o002 != 0 {
            return Err(format!("use {}: everybody may write into it", dir.display()));
        }
        match self.group {
            None if !mine => Err(format!(
                "use {}: it belongs to user {}, and no operators_group is set",
                dir.display(),
                super::identity::user_name(is.uid())
            )),
            Some(gid) if !mine && (is.gid() != gid || is.mode() & 0o070 != 0o070) => Err(format!(
                "use {}: it belongs to user {} and is not open to the operators' group",
                dir.display(),
                super::identity::user_name(is.uid())
            )),
            Some(gid) if mine && (is.gid() != gid || is.mode() & 0o7777 != 0o2770) => {
                admit(dir, self.group, true).map_err(told)
            }
            None if is.mode() & 0o077 != 0 && *dir != self.root => admit(dir, None, true).map_err(told),
            _ => Ok(()),
        }
    }

    /// Makes a run's directory, named by the time; of two in one millisecond the later one is
    /// named by the next that is free. [`StateDir::prepare`] must have been called.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn create_run(&self, at: Timestamp) -> Result<RunDir, String> {
        let runs = self.runs();
        let told = |e: io::Error| format!("create a run in {}: {e}", runs.display());
        let mut at = at;
        for _ in 0..MAX_NAMES {
            let id = RunId::new(&at.strftime("%Y%m%d-%H%M%S-%3f").to_string());
            let path = runs.join(id.as_str());
            match fs::DirBuilder::new().mode(0o700).create(&path) {
                Ok(()) => {
                    admit(&path, self.group, true).map_err(told)?;
                    sync_dir(&runs).map_err(told)?;
                    return Ok(RunDir { id, path, group: self.group });
                }
                Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {
                    at = at.checked_add(jiff::SignedDuration::from_millis(1)).unwrap_or(at);
                }
                Err(e) => return Err(told(e)),
            }
        }
        Err(format!("create a run in {}: too many began at once", runs.display()))
    }

    /// The directory of a run that there is.
    ///
    /// # Errors
    /// The text is no run's id, or there is no such run.
    pub fn run(&self, id: &str) -> Result<RunDir, String> {
        if !id::is_valid(id) {
            return Err(format!(
                "find the run {}: that is no run's id",
                crate::domain::text::one_line(id, 60)
            ));
        }
        let path = self.runs().join(id);
        match fs::symlink_metadata(&path) {
            Ok(is) if is.is_dir() => Ok(RunDir { id: RunId::new(id), path, group: self.group }),
            Ok(_) => Err(format!("find the run {id}: {} is no directory", path.display())),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Err(format!("find the run {id}: there is none")),
            Err(e) => Err(format!("find the run {id}: {}: {e}", path.display())),
        }
    }

    /// All runs, newest first, at most [`MAX_RUNS`], and how many older ones there are.
    ///
    /// # Errors
    /// The directory is there and cannot be read.
    pub fn run_ids(&self) -> Result<(Vec<RunId>, usize), String> {
        let dir = self.runs();
        let entries = match fs::read_dir(&dir) {
            Ok(entries) => entries,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok((Vec::new(), 0)),
            Err(e) => return Err(format!("read {}: {e}", dir.display())),
        };
        let mut ids: Vec<RunId> = entries
            .flatten()
            .filter(|e| e.file_type().is_ok_and(|t| t.is_dir()))
            .filter_map(|e| e.file_name().into_string().ok().filter(|n| id::is_valid(n)))
            .map(|n| RunId::new(&n))
            .collect();
        ids.sort_unstable_by(|a, b| b.cmp(a));
        let older = ids.len().saturating_sub(MAX_RUNS);
        ids.truncate(MAX_RUNS);
        Ok((ids, older))
    }
}

impl RunDir {
    pub fn id(&self) -> &RunId {
        &self.id
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    pub fn group(&self) -> Option<u32> {
        self.group
    }

    pub fn plan(&self) -> PathBuf {
        self.path.join("plan.json")
    }

    pub fn approval(&self) -> PathBuf {
        self.path.join("approval.json")
    }

    pub fn journal(&self) -> PathBuf {
        self.path.join("journal")
    }

    pub fn socket(&self) -> PathBuf {
        self.path.join("control.sock")
    }

    pub fn log(&self) -> PathBuf {
        self.path.join("runner.log")
    }

    /// Why the run was set aside without a journal that says so, and by whom.
    pub fn set_aside(&self) -> PathBuf {
        self.path.join("set-aside")
    }

    /// The user that made it.
    ///
    /// # Errors
    /// It cannot be looked at.
    pub fn owner(&self) -> Result<u32, String> {
        fs::symlink_metadata(&self.path)
            .map(|is| is.uid())
            .map_err(|e| format!("look at {}: {e}", self.path.display()))
    }

    /// Writes a file that must not be there yet, and has it on disk before it returns. The name
    /// itself is on disk after [`RunDir::sync`].
    ///
    /// # Errors
    /// It is there already, or cannot be written; what was written of it is removed.
    pub fn write_new(&self, name: &str, bytes: &[u8]) -> Result<(), String> {
        let path = self.path.join(name);
        let told = |e: io::Error| format!("write {}: {e}", path.display());
        let mut file =
            open(&path, OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL, self.group).map_err(told)?;
        // Read by the group, written by nobody else: who approved a plan is whose file it is.
        let sealed = |file: &File| match self.group {
            Some(_) => file.set_permissions(fs::Permissions::from_mode(0o640)),
            None => Ok(()),
        };
        let written = file.write_all(bytes).and_then(|()| sealed(&file)).and_then(|()| file.sync_all());
        if written.is_err() {
            let _ = fs::remove_file(&path);
        }
        written.map_err(told)
    }

    /// Has the directory's names on disk.
    ///
    /// # Errors
    /// It cannot be.
    pub fn sync(&self) -> Result<(), String> {
        sync_dir(&self.path).map_err(|e| format!("write {}: {e}", self.path.display()))
    }

    /// The text of one of its documents, at most [`MAX_DOCUMENT`] bytes.
    ///
    /// # Errors
    /// It cannot be read, is no plain file, is larger, or is no text.
    pub fn read(&self, name: &str) -> Result<String, String> {
        let path = self.path.join(name);
        read_bounded(&path, MAX_DOCUMENT)
            .and_then(|bytes| String::from_utf8(bytes).map_err(|_| io::Error::other("it is no text")))
            .map_err(|e| format!("read {}: {e}", path.display()))
    }

    /// Removes it all: for a run that never came to its first line.
    pub fn discard(&self) {
        let _ = fs::remove_dir_all(&self.path);
    }
}

/// Opens a plain file of the state directory, following no link at its end. A new one gets mode
/// 0600, or 0660 and the group.
///
/// # Errors
/// As from the system; a pipe, socket or device is `InvalidInput`.
pub fn open(path: &Path, flags: OFlags, group: Option<u32>) -> io::Result<File> {
    let flags = flags | OFlags::CLOEXEC | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY;
    let plain = |file: File| {
        if file.metadata()?.is_file() {
            Ok(file)
        } else {
            Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no plain file"))
        }
    };
    if flags.contains(OFlags::CREATE) {
        match rustix::fs::open(path, flags | OFlags::EXCL, Mode::from_raw_mode(0o600)) {
            Ok(fd) => {
                let file = File::from(fd);
                give(&file, group, false)?;
                return plain(file);
            }
            Err(rustix::io::Errno::EXIST) if !flags.contains(OFlags::EXCL) => {}
            Err(e) => return Err(e.into()),
        }
    }
    plain(File::from(rustix::fs::open(path, flags.difference(OFlags::CREATE), Mode::empty())?))
}

/// Reads a plain file of at most `max` bytes.
///
/// # Errors
/// As from the system; `FileTooLarge` beyond the bound.
pub fn read_bounded(path: &Path, max: usize) -> io::Result<Vec<u8>> {
    let file = open(path, OFlags::RDONLY, None)?;
    let mut bytes = Vec::new();
    file.take(max as u64 + 1).read_to_end(&mut bytes)?;
    if bytes.len() > max {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, format!("it is larger than {max} bytes")));
    }
    Ok(bytes)
}

/// Has a directory's names on disk.
///
/// # Errors
/// As from the system.
pub fn sync_dir(dir: &Path) -> io::Result<()> {
    let fd = rustix::fs::open(dir, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    Ok(rustix::fs::fsync(fd)?)
}

fn admit(dir: &Path, group: Option<u32>, is_dir: bool) -> io::Result<()> {
    let fd = rustix::fs::open(dir, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    give(&File::from(fd), group, is_dir)
}

/// Sets group and mode exactly, whatever the umask is.
fn give(file: &File, group: Option<u32>, is_dir: bool) -> io::Result<()> {
    if let Some(gid) = group
        && file.metadata()?.gid() != gid
    {
        rustix::fs::fchown(file, None, Some(Gid::from_raw(gid)))?;
    }
    let mode = match (group.is_some(), is_dir) {
        (false, true) => 0o700,
        (false, false) => 0o600,
        (true, true) => 0o2770,
        (true, false) => 0o660,
    };
    if file.metadata()?.mode() & 0o7777 == mode {
        return Ok(());
    }
    file.set_permissions(fs::Permissions::from_mode(mode))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().mode() & 0o7777
    }

    fn at() -> Timestamp {
        "2026-03-01T02:03:04.567Z".parse().unwrap()
    }

    #[test]
    fn it_is_the_users_own_unless_a_group_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let own = StateDir::new(dir.path().join("a/own"), None);
        own.prepare().unwrap();
        let run = own.create_run(at()).unwrap();
        run.write_new("plan.json", b"{}").unwrap();
        assert_eq!((mode(own.root()), mode(&own.locks()), mode(run.path())), (0o700, 0o700, 0o700));
        assert_eq!(mode(&run.plan()), 0o600);

        let gid = rustix::process::getegid().as_raw();
        let shared = StateDir::new(dir.path().join("shared"), Some(gid));
        shared.prepare().unwrap();
        shared.prepare().unwrap();
        let run = shared.create_run(at()).unwrap();
        run.write_new("plan.json", b"{}").unwrap();
        assert_eq!((mode(shared.root()), mode(&shared.runs()), mode(run.path())), (0o2770, 0o2770, 0o2770));
        assert_eq!(mode(&run.plan()), 0o640, "nobody but its owner writes it");
    }

    #[test]
    fn a_directory_that_everybody_may_write_into_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let state = StateDir::new(dir.path().join("s"), None);
        state.prepare().unwrap();
        fs::set_permissions(state.runs(), fs::Permissions::from_mode(0o777)).unwrap();
        assert!(state.prepare().unwrap_err().contains("everybody may write into it"));
    }

    #[test]
    fn runs_are_named_by_time_and_never_twice() {
        let dir = tempfile::tempdir().unwrap();
        let state = StateDir::new(dir.path().join("s"), None);
        state.prepare().unwrap();
        let ids: Vec<String> = (0..3).map(|_| state.create_run(at()).unwrap().id().to_string()).collect();
        assert_eq!(ids, ["20260301-020304-567", "20260301-020304-568", "20260301-020304-569"]);
        fs::write(state.runs().join("20990101-000000-000"), "a file").unwrap();
        fs::create_dir(state.runs().join("NOT AN ID")).unwrap();
        let (listed, older) = state.run_ids().unwrap();
        assert_eq!((listed.len(), listed[0].as_str(), older), (3, "20260301-020304-569", 0));
        assert_eq!(state.run("20260301-020304-567").unwrap().id().as_str(), "20260301-020304-567");
        for (id, why) in
            [("../x", "no run's id"), ("gone", "there is none"), ("20990101-000000-000", "no directory")]
        {
            assert!(state.run(id).unwrap_err().contains(why), "{id}");
        }
    }

    #[test]
    fn documents_are_written_once_and_links_are_not_followed() {
        let dir = tempfile::tempdir().unwrap();
        let state = StateDir::new(dir.path().join("s"), None);
        state.prepare().unwrap();
        let run = state.create_run(at()).unwrap();
        run.write_new("plan.json", b"one").unwrap();
        assert!(run.write_new("plan.json", b"two").is_err());
        assert_eq!(run.read("plan.json").unwrap(), "one");
        std::os::unix::fs::symlink("/etc/passwd", run.approval()).unwrap();
        assert!(run.read("approval.json").is_err());
        fs::write(run.path().join("big"), vec![b'x'; MAX_DOCUMENT + 1]).unwrap();
        assert!(run.read("big").unwrap_err().contains("larger than"));
    }
}
