//! Looks at a file system with `df`: on any host, and killed when a dead mount holds it.

use super::{Context, Fault, Found, file};
use crate::domain::fact::Fact;
use crate::domain::text;
use crate::domain::units::{self, Unit};
use crate::stack::kind::disk::Spec;
use crate::transport::Command;
use crate::transport::files::{FileError, said};

/// Kept of what `df` prints: a heading and one line.
const MAX_OUTPUT: usize = 16 << 10;

/// One line of `df -P`: in the unit that was asked for, or in inodes.
#[derive(Clone, Debug, PartialEq)]
pub struct Usage {
    pub filesystem: String,
    /// `None` where df prints `-`: the file system does not count them.
    pub total: Option<u64>,
    pub used: Option<u64>,
    pub available: Option<u64>,
    /// 0 to 100, rounded up.
    pub percent: Option<f64>,
    pub mounted_on: String,
}

/// Reads `df -P PATH`: the line after the heading.
pub fn parse_df(output: &str) -> Option<Usage> {
    parse_line(output.lines().nth(1)?)
}

/// Reads `df -P`: every line after the heading that is one.
pub fn parse_df_all(output: &str) -> Vec<Usage> {
    output.lines().skip(1).filter_map(parse_line).collect()
}

/// Names of devices and of mount points may hold blanks, so the five columns between them are
/// looked for from the percentage, which is the only word to end in `%`.
fn parse_line(line: &str) -> Option<Usage> {
    let words: Vec<&str> = line.split(' ').filter(|w| !w.is_empty()).collect();
    let count = |w: &str| w.parse::<u64>().ok();
    let counted = |w: &str| w == "-" || count(w).is_some();
    let percent = |w: &str| w.strip_suffix('%').and_then(|n| n.parse::<f64>().ok()).filter(|n| n.is_finite());
    let start = words.windows(5).position(|five| match *five {
        [total, used, available, share, at] => {
            // df prints what is available below root's reserve as a negative number.
            let available = available.strip_prefix('-').filter(|w| !w.is_empty()).unwrap_or(available);
            counted(total)
                && counted(used)
                && counted(available)
                && (share == "-" || percent(share).is_some())
                && at.starts_with('/')
        }
        _ => false,
    })?;
    let at = |i: usize| words.get(start + i).copied().unwrap_or("");
    Some(Usage {
        filesystem: words.get(..start)?.join(" "),
        total: count(at(0)),
        used: count(at(1)),
        available: if at(2).len() > 1 && at(2).starts_with('-') { Some(0) } else { count(at(2)) },
        percent: percent(at(3)),
        mounted_on: words.get(start + 4..)?.join(" "),
    })
}

pub(super) async fn look(spec: &Spec, cx: &Context<'_>) -> Result<Found, Fault> {
    let (space, inodes) = tokio::join!(df(spec, cx, "-B1"), async {
        // A second process for what nobody asks is not started.
        if file::wants(cx, "INODES_USED") { Some(df(spec, cx, "-i").await) } else { None }
    });
    let (space, evidence) = space?;
    let mut found = Found { evidence, ..Found::default() };
    let quantity = |n: Option<u64>| match n {
        Some(n) => Fact::Number(n as f64, Unit::Bytes),
        None => Fact::Unavailable(format!("{} does not count its blocks", space.mounted_on)),
    };
    found.facts.set("USED", share(space.percent, &space.mounted_on, "blocks"));
    found.facts.set("FREE", quantity(space.available));
    found.facts.set("TOTAL", quantity(space.total));
    let free = space.available.map_or_else(|| "?".to_owned(), |n| units::bytes(n as f64));
    let used = space.percent.map_or_else(|| "?".to_owned(), |p| units::quantity(p, Unit::Percent));
    found.summary = format!("{used} used, {free} free on {}", text::one_line(&space.mounted_on, 40));
    if let Some(inodes) = inodes {
        let (inodes, evidence) = inodes?;
        found.facts.set("INODES_USED", share(inodes.percent, &inodes.mounted_on, "inodes"));
        found.evidence.push_str(&evidence);
    }
    Ok(found)
}

fn share(percent: Option<f64>, of: &str, what: &str) -> Fact {
    match percent {
        Some(percent) => Fact::Number(percent, Unit::Percent),
        // A file system that makes inodes as it needs them cannot run out of them.
        None if what == "inodes" => Fact::Number(0.0, Unit::Percent),
        None => Fact::Unavailable(format!("{of} does not count its {what}")),
    }
}

async fn df(spec: &Spec, cx: &Context<'_>, unit: &str) -> Result<(Usage, String), Fault> {
    let mut command = Command::new(["df", "-P", unit, "--", &spec.path]).sudo(cx.probe.sudo);
    command.max_stdout = MAX_OUTPUT;
    let output = cx.transport.run(&command).await?;
    let stderr = String::from_utf8_lossy(&output.stderr);
    if output.status != 0 {
        if super::shared::sudo_refused(&stderr) {
            return Err(Fault::Unknown(super::shared::sudo_help(&command)));
        }
        return Err(match said(&stderr, Some(&spec.path)) {
            // More often a mistake in the stack file than a disk that went away, and how full it
            // is was not learned either way.
            FileError::NotFound => {
                Fault::Unknown(format!("no such directory here: {}; is this the right host?", spec.path))
            }
            e => file::fault(&spec.path, e),
        });
    }
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    match parse_df(&text) {
        Some(usage) => Ok((usage, text)),
        None => Err(Fault::Unknown(format!("expected df's table, got {}", text::one_line(&text, 80)))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn df(line: &str) -> Option<Usage> {
        parse_df(&format!("Filesystem 1-blocks Used Available Capacity Mounted on\n{line}\n"))
    }

    #[test]
    fn df_is_read_whatever_the_names_are() {
        let plain = df("/dev/sda1      10501771264 8502054912 1447522304      86% /").unwrap();
        assert_eq!(
            (plain.total, plain.available, plain.percent),
            (Some(10_501_771_264), Some(1_447_522_304), Some(86.0))
        );
        let odd = df("//nas/my share 7 100 90 10 90% /mnt/my 5% disk").unwrap();
        assert_eq!(
            (&*odd.filesystem, odd.percent, &*odd.mounted_on),
            ("//nas/my share 7", Some(90.0), "/mnt/my 5% disk")
        );
        let uncounted = df("proc 0 0 0 - /proc").unwrap();
        assert_eq!((uncounted.total, uncounted.percent), (Some(0), None));
        let inodes = df("/dev/btrfs - - - - /srv").unwrap();
        assert_eq!((inodes.total, inodes.percent), (None, None));
        let reserve = df("/dev/sdb1 100 99 -4 105% /full").unwrap();
        assert_eq!((reserve.available, reserve.percent), (Some(0), Some(105.0)));
    }

    #[test]
    fn what_is_no_table_is_refused() {
        for text in ["", "y\ny\ny\n", "Filesystem\n", "head\n/dev/sda1 1 2 3 4%\n", "head\na b c d e /\n"] {
            assert_eq!(parse_df(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_without_a_panic(text in "h?\n?(\\PC{0,6}[ \n%/0-9-]{1,3}){0,40}") {
            let _ = parse_df(&text);
        }
    }
}
