//! The head's second home: the system journal, or the system log where there is no journal.

use super::chain::Hash;
use super::head::Head;
use std::io::{self, Read};
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::{Command, Stdio};

/// Read of what journalctl answers, in bytes.
const MAX_ANSWER: u64 = 64 * 1024;

/// Where the journal of systemd takes datagrams of fields.
const JOURNAL: &str = "/run/systemd/journal/socket";
/// Where a system logger takes lines.
const DEV_LOG: &str = "/dev/log";
/// What the journal's entries are found by.
pub const IDENTIFIER: &str = "quarterdeck-audit";

/// Sends the head; gives where it went. Never waits: a full socket is an error.
///
/// # Errors
/// Nobody takes it; the text says who was asked.
pub fn send(log: &Path, n: u64, hash: &Hash) -> Result<String, String> {
    send_to(Path::new(JOURNAL), Path::new(DEV_LOG), log, n, hash)
}

fn send_to(journal: &Path, dev_log: &Path, log: &Path, n: u64, hash: &Hash) -> Result<String, String> {
    let log = log_name(log);
    let says = format!("audit head {n}:{hash} of {log}");
    let fields = format!(
        "MESSAGE={says}\nPRIORITY=5\nSYSLOG_IDENTIFIER={IDENTIFIER}\nSYSLOG_FACILITY=10\n\
         QUARTERDECK_AUDIT_LOG={log}\nQUARTERDECK_AUDIT_HEAD={n}:{hash}\n"
    );
    // Facility authpriv, severity notice.
    let line = format!("<85>{IDENTIFIER}[{}]: {says}", std::process::id());
    let mut why = Vec::new();
    for (to, text) in [(journal, fields), (dev_log, line)] {
        match datagram(to, text.as_bytes()) {
            Ok(()) => return Ok(to.display().to_string()),
            Err(e) => why.push(format!("{}: {e}", to.display())),
        }
    }
    Err(why.join("; "))
}

/// The head that the system journal kept last of this log; `None` where there is no journal, or
/// none of it. Bounded in time.
///
/// # Errors
/// There is a journal and it could not be asked.
pub fn last(log: &Path) -> Result<Option<Head>, String> {
    if !Path::new(JOURNAL).exists() {
        return Ok(None);
    }
    let mut command = Command::new("timeout");
    command.args(["5", "journalctl"]);
    last_by(command, log)
}

fn last_by(mut command: Command, log: &Path) -> Result<Option<Head>, String> {
    let log = log_name(log);
    command.args(["--quiet", "--no-pager", "--output=json", "--lines=1"]);
    command.arg(format!("SYSLOG_IDENTIFIER={IDENTIFIER}")).arg(format!("QUARTERDECK_AUDIT_LOG={log}"));
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().map_err(|e| format!("journalctl: {e}"))?;
    let mut bytes = Vec::new();
    if let Some(out) = child.stdout.take() {
        out.take(MAX_ANSWER).read_to_end(&mut bytes).map_err(|e| format!("journalctl: {e}"))?;
    }
    let ended = child.wait().map_err(|e| format!("journalctl: {e}"))?;
    if bytes.is_empty() {
        return if ended.success() { Ok(None) } else { Err(format!("journalctl: {ended}")) };
    }
    let entry: serde_json::Value =
        serde_json::from_slice(&bytes).map_err(|_| "journalctl: expected one entry as JSON".to_owned())?;
    let head = entry.get("QUARTERDECK_AUDIT_HEAD").and_then(|v| v.as_str()).and_then(Head::parse);
    head.map(Some).ok_or_else(|| "journalctl: the entry holds no head".to_owned())
}

/// The log as the journal knows it: by its whole path.
fn log_name(log: &Path) -> String {
    let whole = std::path::absolute(log).unwrap_or_else(|_| log.to_owned());
    crate::domain::text::one_line(&whole.display().to_string(), 300)
}

fn datagram(to: &Path, bytes: &[u8]) -> io::Result<()> {
    let socket = UnixDatagram::unbound()?;
    socket.set_nonblocking(true)?;
    socket.send_to(bytes, to).map(|_| ())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_journal_is_asked_for_the_last_head() {
        let hash = Hash::none();
        let entry = format!(r#"{{"QUARTERDECK_AUDIT_HEAD":"7:{hash}","_UID":"0"}}"#);
        let table = [
            (format!("echo '{entry}'"), Ok(Some(7))),
            ("true".to_owned(), Ok(None)),
            ("exit 3".to_owned(), Err(())),
            ("echo '{}'".to_owned(), Err(())),
            ("yes".to_owned(), Err(())),
        ];
        for (script, want) in table {
            let mut command = Command::new("sh");
            command.args(["-c", &script]);
            let found = last_by(command, Path::new("/x/audit.jsonl"));
            assert_eq!(found.map(|h| h.map(|h| h.n)).map_err(|_| ()), want, "{script}");
        }
    }

    #[test]
    fn the_journal_is_told_and_else_the_system_log() {
        let dir = tempfile::tempdir().unwrap();
        let (journal, dev_log) = (dir.path().join("journal"), dir.path().join("log"));
        let hash = Hash::none();
        let send = || send_to(&journal, &dev_log, Path::new("/x/audit.jsonl"), 7, &hash);
        let nobody = send().unwrap_err();
        assert!(nobody.contains("journal") && nobody.contains("log"), "{nobody}");

        let take = |from: &UnixDatagram| {
            let mut bytes = [0; 2048];
            let n = from.recv(&mut bytes).unwrap();
            String::from_utf8(bytes[..n].to_vec()).unwrap()
        };
        let syslog = UnixDatagram::bind(&dev_log).unwrap();
        assert_eq!(send().unwrap(), dev_log.display().to_string());
        let line = take(&syslog);
        assert!(line.starts_with("<85>quarterdeck-audit[") && line.contains(&format!("7:{hash}")), "{line}");

        let systemd = UnixDatagram::bind(&journal).unwrap();
        assert_eq!(send().unwrap(), journal.display().to_string());
        let fields = take(&systemd);
        for field in [
            "SYSLOG_IDENTIFIER=quarterdeck-audit".to_owned(),
            "QUARTERDECK_AUDIT_LOG=/x/audit.jsonl".to_owned(),
            format!("QUARTERDECK_AUDIT_HEAD=7:{hash}"),
        ] {
            assert!(fields.lines().any(|l| l == field), "{field}: {fields}");
        }
    }
}
