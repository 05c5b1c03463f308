//! The head's second home: the system journal, or the system log where there is no journal.

use super::chain::Hash;
use std::io;
use std::os::unix::net::UnixDatagram;
use std::path::Path;

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
    let log = crate::domain::text::one_line(&log.display().to_string(), 300);
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

fn datagram(to: &Path, bytes: &[u8]) -> io::Result<()> {
    let socket = UnixDatagram::unbound()?;
    socket.set_nonblocking(true)?;
    socket.send_to(bytes, to).map(|_| ())
}

#[cfg(test)]
mod tests {
    use super::*;

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
