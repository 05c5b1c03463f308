//! The demo's directory: pid files, keys, configuration and logs, as the stack leaves them on a disk.

use std::collections::BTreeMap;
use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

use super::fault::Fault;
use super::model::services::Svc;
use super::model::{Model, Second};
use super::nginx;
use super::processes::KEPT;
use super::rng::{Rng, base64};
use super::runner::Runner;

/// The services that write a log file each.
pub const LOG_FILES: [&str; 9] = [
    "api-manager",
    "auth-service",
    "ipam-service",
    "master",
    "os-services",
    "session-manager",
    "tor-management",
    "user-service",
    "wg-manager",
];
/// A log file is moved to `.1` at this size, over the one before.
const LOG_SIZE: u64 = 1 << 20;
/// Exports kept; the oldest are removed. And the largest that is read back.
const EXPORTS: usize = 8;
const EXPORT_SIZE: u64 = 4 << 20;
/// The programs of [`super::tool`].
pub const TOOLS: [&str; 8] = ["systemctl", "wg", "journalctl", "df", "nginx", "nft", "redis-cli", "sudo"];

const KEYS: [&str; 4] = ["access_private", "access_public", "refresh_private", "refresh_public"];

pub fn run_dir(root: &Path) -> PathBuf {
    root.join("run/tornado")
}

pub fn log_dir(root: &Path) -> PathBuf {
    root.join("var/log/tornado")
}

pub fn export_dir(root: &Path) -> PathBuf {
    log_dir(root).join("exp")
}

pub fn install_dir(root: &Path) -> PathBuf {
    root.join("opt/tornado")
}

/// Keeps the files in step with the model.
pub struct Files {
    root: PathBuf,
    logs: BTreeMap<&'static str, (File, u64)>,
    pids: [Option<u32>; 3],
    generation: u64,
    staged: Option<Second>,
    readable: bool,
    interface_since: Option<Second>,
    dead_pid: u32,
    runner: Runner,
}

impl Files {
    /// Lays out the directory. `program` is what the tools' links point to.
    pub fn create(
        root: &Path,
        m: &mut Model,
        program: &Path,
        cookie: &[u8],
        runner: Runner,
        pids: [Option<u32>; 3],
    ) -> io::Result<Self> {
        for (path, mode) in [
            (run_dir(root), 0o775),
            (export_dir(root), 0o755),
            (install_dir(root).join("microservices"), 0o755),
            (install_dir(root), 0o755),
            (install_dir(root).join("keys/jwt/overlap"), 0o700),
            (root.join("run/tor"), 0o750),
            (root.join("etc/wireguard"), 0o700),
            (root.join("var/lib/tornado/keys"), 0o700),
            (root.join("bin"), 0o755),
            (nginx::sites_enabled(root), 0o755),
            (root.join("etc/nginx/sites-available"), 0o755),
            (nginx::kept(root), 0o700),
        ] {
            DirBuilder::new().recursive(true).mode(mode).create(path)?;
        }
        // The runner must get to its keys; what is secret here has a mode of its own.
        fs::set_permissions(root, Permissions::from_mode(0o711))?;
        for dir in ["keys", "keys/jwt", "keys/jwt/overlap"] {
            runner.own(&install_dir(root).join(dir))?;
        }
        for tool in TOOLS {
            symlink(program, root.join("bin").join(tool))?;
        }
        write(&root.join("admin.password"), 0o600, format!("{}\n", m.admin_password).as_bytes())?;
        write(&root.join("postgres.password"), 0o600, format!("{}\n", m.database_password).as_bytes())?;
        write(&root.join("run/tor/control.authcookie"), 0o640, cookie)?;
        write(&install_dir(root).join("auth_enc_key.bin"), 0o600, &m.interfaces[0].private_key)?;
        env_file(root, m)?;
        let site = root.join("etc/nginx/sites-available/admin-dashboard");
        write(&site, 0o644, nginx::DASHBOARD.as_bytes())?;
        symlink(&site, nginx::sites_enabled(root).join("admin-dashboard"))?;
        let mut files = Self {
            root: root.to_owned(),
            logs: BTreeMap::new(),
            pids: [None; 3],
            generation: 0,
            staged: None,
            readable: true,
            interface_since: None,
            dead_pid: dead_pid(),
            runner,
        };
        files.sync(m, pids)?;
        Ok(files)
    }

    /// Writes what has changed since the last call; `pids` are those of the services with a pid file.
    pub fn sync(&mut self, m: &mut Model, pids: [Option<u32>; 3]) -> io::Result<()> {
        self.sync_pids(m, pids)?;
        self.sync_keys(m)?;
        self.sync_wireguard(m)?;
        self.append_logs(m)
    }

    fn sync_pids(&mut self, m: &Model, pids: [Option<u32>; 3]) -> io::Result<()> {
        for (i, (svc, name, _)) in KEPT.iter().enumerate() {
            let stale = *svc == Svc::Auth && m.has(Fault::StalePidFile);
            let want = if stale { Some(self.dead_pid) } else { pids[i] };
            if want == self.pids[i] {
                continue;
            }
            let path = run_dir(&self.root).join(name);
            match want {
                Some(pid) => write(&path, 0o644, format!("{pid}\n").as_bytes())?,
                None => remove(&path)?,
            }
            self.pids[i] = want;
        }
        Ok(())
    }

    fn sync_keys(&mut self, m: &Model) -> io::Result<()> {
        let dir = install_dir(&self.root).join("keys/jwt");
        let fresh = self.generation != m.keys.generation;
        if fresh {
            for name in KEYS {
                let pem = pem(name, m.seed ^ m.keys.generation.rotate_left(17));
                write(&dir.join(format!("{name}.pem")), 0o600, pem.as_bytes())?;
                if self.generation != 0 {
                    remove(&dir.join(format!("{name}.new.pem")))?;
                    remove(&dir.join("overlap").join(format!("{name}.pem")))?;
                }
            }
            if self.generation != 0 {
                env_file(&self.root, m)?;
            }
            self.generation = m.keys.generation;
            self.staged = None;
        }
        if m.keys.rotating.is_some() && self.staged != m.keys.rotating {
            for name in KEYS {
                let staged = pem(name, m.seed ^ (m.keys.generation + 1).rotate_left(17));
                write(&dir.join(format!("{name}.new.pem")), 0o600, staged.as_bytes())?;
                let old = pem(name, m.seed ^ m.keys.generation.rotate_left(17));
                write(&dir.join("overlap").join(format!("{name}.pem")), 0o600, old.as_bytes())?;
            }
            self.staged = m.keys.rotating;
        }
        let readable = !m.has(Fault::KeyFilesUnreadable);
        if readable != self.readable || fresh {
            for name in KEYS {
                let mode = if readable { 0o600 } else { 0o000 };
                let path = dir.join(format!("{name}.pem"));
                fs::set_permissions(&path, Permissions::from_mode(mode))?;
                self.runner.own(&path)?;
            }
            self.readable = readable;
        }
        Ok(())
    }

    fn sync_wireguard(&mut self, m: &Model) -> io::Result<()> {
        let since = m.interface_present(0).then(|| m.interfaces[0].since);
        if since == self.interface_since {
            return Ok(());
        }
        for (i, interface) in m.interfaces.iter().enumerate() {
            let key = self.root.join(format!("var/lib/tornado/keys/wg{i}.key"));
            if since.is_none() {
                remove(&key)?;
                continue;
            }
            let private = base64(&interface.private_key);
            let conf = format!(
                "[Interface]\nAddress = 10.{}.0.1/24\nListenPort = {}\nPrivateKey = {private}\n",
                8 + i,
                51_820 + i
            );
            write(&self.root.join(format!("etc/wireguard/wg{i}.conf")), 0o600, conf.as_bytes())?;
            write(&key, 0o600, format!("{private}\n").as_bytes())?;
        }
        self.interface_since = since;
        Ok(())
    }

    fn append_logs(&mut self, m: &mut Model) -> io::Result<()> {
        let fresh = m.log.take_unwritten();
        // A full disk takes no more lines; what is there from before stays.
        if m.has(Fault::DiskFull) && !self.logs.is_empty() {
            m.log.dropped += fresh.len() as u64;
            return Ok(());
        }
        let mut text: BTreeMap<&'static str, String> = BTreeMap::new();
        for record in &fresh {
            let lines = text.entry(record.service).or_default();
            lines.push_str(&record.line());
            lines.push('\n');
        }
        if self.logs.is_empty() {
            for name in LOG_FILES {
                self.logs.insert(name, (open_log(&self.root, name)?, 0));
            }
        }
        for (service, lines) in text {
            let Some((file, size)) = self.logs.get_mut(service) else { continue };
            if *size + lines.len() as u64 > LOG_SIZE {
                let path = log_dir(&self.root).join(format!("{service}.log"));
                fs::rename(&path, path.with_extension("log.1"))?;
                (*file, *size) = (open_log(&self.root, service)?, 0);
            }
            file.write_all(lines.as_bytes())?;
            *size += lines.len() as u64;
        }
        Ok(())
    }
}

fn open_log(root: &Path, name: &str) -> io::Result<File> {
    OpenOptions::new().append(true).create(true).mode(0o644).open(log_dir(root).join(format!("{name}.log")))
}

/// Writes beside and renames, so that no reader sees half a file and the mode is right from the start.
fn write(path: &Path, mode: u32, bytes: &[u8]) -> io::Result<()> {
    let beside = path.with_extension("part");
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(mode).open(&beside)?;
    file.write_all(bytes)?;
    fs::set_permissions(&beside, Permissions::from_mode(mode))?;
    fs::rename(&beside, path)
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(e),
        _ => Ok(()),
    }
}

fn env_file(root: &Path, m: &Model) -> io::Result<()> {
    // 0640 as installed; the rotator leaves 0600 behind.
    let rotated = m.keys.generation > 2;
    let mode = if rotated { 0o600 } else { 0o640 };
    let text = format!(
        "DB_HOST=127.0.0.1\nDB_NAME=tornadodb\nDB_USER=tornado_db_user\nDB_PASSWORD={}\nADMIN_USERNAME=admin\n\
         ADMIN_PASSWORD={}\nADMIN_SECRET={:016x}\nHEARTBEAT_TTL=90\nHARD_TTL=1296000\nLOG_EXPORT_DIR={}\n",
        m.database_password,
        m.admin_password,
        Rng::new(m.seed ^ m.keys.generation).next(),
        export_dir(root).display(),
    );
    write(&install_dir(root).join(".env"), mode, text.as_bytes())
}

/// Text in the shape of a PEM file; no key of any use.
fn pem(name: &str, seed: u64) -> String {
    let kind = if name.ends_with("private") { "PRIVATE KEY" } else { "PUBLIC KEY" };
    let mut rng = Rng::new(seed ^ name.len() as u64);
    let body: Vec<String> = (0..if kind.starts_with("PRIV") { 26 } else { 7 })
        .map(|_| {
            let (a, b) = (rng.bytes32(), rng.bytes32());
            base64(&[&a[..], &b[..16]].concat())
        })
        .collect();
    format!("-----BEGIN {kind}-----\n{}\n-----END {kind}-----\n", body.join("\n"))
}

/// A pid that no process has.
fn dead_pid() -> u32 {
    let max = fs::read_to_string("/proc/sys/kernel/pid_max")
        .ok()
        .and_then(|t| t.trim().parse().ok())
        .unwrap_or(32_768);
    (2..max).rev().find(|pid| !Path::new(&format!("/proc/{pid}")).exists()).unwrap_or(max - 1)
}

/// Writes an export and drops the oldest beyond the bound. Gives the file's path.
pub fn write_export(dir: &Path, name: &str, text: &str) -> io::Result<String> {
    let mut old: Vec<_> = fs::read_dir(dir)?
        .filter_map(Result::ok)
        .filter_map(|e| Some((e.metadata().ok()?.modified().ok()?, e.path())))
        .collect();
    old.sort();
    for (_, path) in old.iter().take(old.len().saturating_sub(EXPORTS - 1)) {
        remove(path)?;
    }
    let path = dir.join(name);
    write(&path, 0o600, text.as_bytes())?;
    Ok(path.display().to_string())
}

/// Reads an export back; a name with anything but letters, digits, `-` and `.` is not one.
pub fn read_export(dir: &Path, name: &str) -> io::Result<String> {
    if name.starts_with('.') || !name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'.') {
        return Err(io::Error::from(io::ErrorKind::NotFound));
    }
    let mut text = String::new();
    File::open(dir.join(name))?.take(EXPORT_SIZE).read_to_string(&mut text)?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demo::model::log::Level;

    #[test]
    fn log_files_are_bounded() {
        let dir = tempfile::tempdir().unwrap();
        let wall = jiff::Timestamp::UNIX_EPOCH + jiff::SignedDuration::from_hours(99_999);
        let mut m = Model::new(1, wall, Vec::new());
        let mut files =
            Files::create(dir.path(), &mut m, Path::new("/bin/true"), &[0; 32], Runner::find(), [None; 3])
                .unwrap();
        for _ in 0..12 {
            for _ in 0..1500 {
                m.log.write("wg-manager", Level::Error, "wg_exec_failed");
            }
            files.sync(&mut m, [None; 3]).unwrap();
        }
        let size = |name: &str| fs::metadata(log_dir(dir.path()).join(name)).unwrap().len();
        assert!(size("wg-manager.log") <= LOG_SIZE && size("wg-manager.log.1") <= LOG_SIZE);
        let names = fs::read_dir(log_dir(dir.path())).unwrap().count();
        assert_eq!(names, LOG_FILES.len() + 2, "nine logs, one moved, the exports' directory");
    }

    #[test]
    fn exports_are_bounded_and_stay_in_their_directory() {
        let dir = tempfile::tempdir().unwrap();
        for i in 0..EXPORTS * 2 {
            write_export(dir.path(), &format!("export-{i}.csv"), "x").unwrap();
        }
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), EXPORTS);
        assert_eq!(read_export(dir.path(), "export-15.csv").unwrap(), "x");
        for name in ["../secret", "..", ".env", "a/b", ""] {
            assert!(read_export(dir.path(), name).is_err(), "{name}");
        }
    }
}
