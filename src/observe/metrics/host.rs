//! A host's own figures: one set of the kernel's tables and one `df` for each scrape, here or
//! through ssh.

pub mod figures;

use super::collect::{Look, Looking};
use super::families::{About, families};
use super::stale::Found;
use crate::domain::text;
use crate::transport::fetch::Fault;
use crate::transport::files::FileError;
use crate::transport::{Command, RunError};
use figures::{Tables, about, figures};
use std::collections::HashMap;

/// Read of one table, in bytes: `/proc/stat` of a machine with many processors is long.
const MAX_TABLE: usize = 1 << 20;
/// Read of all tables together where they come as one text.
const MAX_TABLES: usize = 4 << 20;
/// Kept of what `df` prints.
const MAX_DF: usize = 256 << 10;

/// The tables that figures come from; the first one must be there.
const TABLES: [&str; 7] = [
    "/proc/stat",
    "/proc/loadavg",
    "/proc/meminfo",
    "/proc/diskstats",
    "/proc/net/dev",
    "/proc/sys/fs/file-nr",
    "/proc/self/mounts",
];

/// The figures of one host.
#[derive(Debug, Default)]
pub struct HostFigures(());

impl HostFigures {
    /// Looks once. A file system that hangs costs its figures, not the others'. Cancel-safe.
    pub(super) async fn look(&mut self, cx: &Looking<'_>) -> Result<Look, Fault> {
        let space = async {
            // What is left of the deadline is for the tables, should `df` hang in a dead mount.
            tokio::time::timeout(cx.timeout / 2, df(cx)).await.unwrap_or_else(|_| {
                Err("expected an answer from df, got none in time: is a mount dead?".to_owned())
            })
        };
        let (tables, space) = tokio::join!(tables(cx), space);
        let mut tables = tables?;
        let (df, trouble) = match space {
            Ok(df) => (df, String::new()),
            Err(why) => (String::new(), why),
        };
        let mut table = |path: &str| tables.remove(path).unwrap_or_default();
        let [stat, load, memory, disks, network, files, mounts] = TABLES.map(&mut table);
        let all = Tables { stat, load, memory, disks, network, files, mounts, df };
        let mut found = Vec::new();
        figures(&all, |name, own: &[(&str, &str)], v| {
            found.push(Found { labels: cx.labels.on(name, own.iter().copied()), t: None, v });
        });
        if found.is_empty() {
            let shown = text::one_line(&all.stat, 60);
            return Err(Fault::Down(format!("expected the figures of a Linux kernel, got \"{shown}\"")));
        }
        let families = cx.explore.then(|| {
            families(&found, |name| {
                let (kind, help) = about(name);
                About { kind, help }
            })
        });
        Ok(Look { seen: found.len(), found, trouble, families, quiet: Vec::new() })
    }
}

/// The tables by their paths; one that this host lacks is left out.
async fn tables(cx: &Looking<'_>) -> Result<HashMap<&'static str, String>, Fault> {
    if !cx.way.transport.is_local() {
        return tables_there(cx).await;
    }
    let mut tables = HashMap::new();
    for path in TABLES {
        match cx.way.transport.read_file(path, MAX_TABLE).await {
            Ok(bytes) => {
                tables.insert(path, String::from_utf8_lossy(&bytes).into_owned());
            }
            Err(FileError::Unreachable(why)) => return Err(Fault::Unreachable(why)),
            Err(e) if tables.is_empty() => return Err(Fault::Unknown(format!("cannot read {path}: {e}"))),
            Err(_) => {}
        }
    }
    Ok(tables)
}

/// All of them in one command: every line with its path before it.
async fn tables_there(cx: &Looking<'_>) -> Result<HashMap<&'static str, String>, Fault> {
    let mut command = Command::new(["grep", "-H", "", "--"].into_iter().chain(TABLES));
    command.max_stdout = MAX_TABLES;
    let output = cx.way.transport.run(&command).await?;
    if output.dropped > 0 {
        return Err(Fault::Unknown(format!("cannot read the tables of /proc: more than {MAX_TABLES} bytes")));
    }
    let tables = split(&String::from_utf8_lossy(&output.stdout));
    if tables.contains_key(TABLES[0]) {
        return Ok(tables);
    }
    let said = text::one_line_bytes(&output.stderr, 120);
    Err(Fault::Unknown(format!("cannot read {}: {said}", TABLES[0])))
}

/// Takes `PATH:LINE` lines apart.
fn split(text: &str) -> HashMap<&'static str, String> {
    let mut tables: HashMap<&'static str, String> = HashMap::new();
    for line in text.lines() {
        let of = TABLES.iter().find_map(|path| Some((*path, line.strip_prefix(path)?.strip_prefix(':')?)));
        if let Some((path, line)) = of {
            let table = tables.entry(path).or_default();
            table.push_str(line);
            table.push('\n');
        }
    }
    tables
}

/// What `df` prints of the file systems; those of other machines are left out, since they may not
/// answer.
async fn df(cx: &Looking<'_>) -> Result<String, String> {
    let mut command = Command::new(["df", "-P", "-l", "-B1"]);
    command.max_stdout = MAX_DF;
    match cx.way.transport.run(&command).await {
        // One mount that may not be looked at makes its status 1; the others are there.
        Ok(output) if !output.stdout.is_empty() => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
        Ok(output) => Err(format!("cannot run df: {}", text::one_line_bytes(&output.stderr, 120))),
        Err(RunError::NotFound(_)) => Err("cannot tell the space of file systems: no df there".to_owned()),
        Err(e) => Err(e.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_go_to_the_table_that_they_name() {
        let tables =
            split("/proc/stat:cpu 1 2\n/proc/stat:btime 5\nx\n/proc/loadavg:1 2 3\n/proc/statx:no\n");
        assert_eq!(tables["/proc/stat"], "cpu 1 2\nbtime 5\n");
        assert_eq!(tables["/proc/loadavg"], "1 2 3\n");
        assert_eq!(tables.len(), 2);
    }
}
