//! Looks at a host's memory: `/proc/meminfo`.

use super::{Context, Fault, Found, host};
use crate::domain::fact::Fact;
use crate::domain::units::{self, Unit};
use crate::stack::kind::memory::Spec;

/// Read of `/proc/meminfo`.
const MAX_TABLE: usize = 64 << 10;

/// What `/proc/meminfo` says, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Meminfo {
    pub total: u64,
    /// Linux has told it since 3.14.
    pub available: Option<u64>,
    pub swap_total: u64,
    pub swap_free: u64,
}

/// Reads `/proc/meminfo`; `None` when it does not say how much memory there is.
pub fn parse_meminfo(text: &str) -> Option<Meminfo> {
    let of = |name: &str| {
        let value = text.lines().find_map(|l| l.strip_prefix(name)?.strip_prefix(':'))?;
        value.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
    };
    Some(Meminfo {
        total: of("MemTotal").filter(|n| *n > 0)?,
        available: of("MemAvailable"),
        swap_total: of("SwapTotal").unwrap_or(0),
        swap_free: of("SwapFree").unwrap_or(0),
    })
}

pub(super) async fn look(_: &Spec, cx: &Context<'_>) -> Result<Found, Fault> {
    let text = host::table(cx, "/proc/meminfo", MAX_TABLE).await?;
    let info = parse_meminfo(&text)
        .ok_or_else(|| Fault::Unknown("expected MemTotal in /proc/meminfo, got none".to_owned()))?;
    let mut found = Found { evidence: text, ..Found::default() };
    let part = |free: u64, total: u64| 100.0 * total.saturating_sub(free) as f64 / total as f64;
    let unknown = || Fact::Unavailable("this kernel has no MemAvailable".to_owned());
    let used = info.available.map(|available| part(available, info.total));
    let shown = used.map_or_else(|| "?".to_owned(), |u| units::quantity(u, Unit::Percent));
    let left = info.available.map_or_else(|| "?".to_owned(), |n| units::bytes(n as f64));
    found.summary = format!("{shown} used, {left} available");
    found.facts.set("USED", used.map_or_else(unknown, |u| Fact::Number(u, Unit::Percent)));
    found
        .facts
        .set("AVAILABLE", info.available.map_or_else(unknown, |n| Fact::Number(n as f64, Unit::Bytes)));
    found.facts.number("TOTAL", info.total as f64, Unit::Bytes);
    let swap = if info.swap_total == 0 { 0.0 } else { part(info.swap_free, info.swap_total) };
    found.facts.number("SWAP_USED", swap, Unit::Percent);
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_lines_that_matter_are_read() {
        let text = "MemTotal:        1000 kB\nMemFree:  1 kB\nMemAvailable:     250 kB\nSwapCached: 9 kB\nSwapTotal:  40 kB\nSwapFree: 30 kB\n";
        let want =
            Meminfo { total: 1_024_000, available: Some(256_000), swap_total: 40_960, swap_free: 30_720 };
        assert_eq!(parse_meminfo(text), Some(want));
        assert_eq!(parse_meminfo("MemTotal: 1 kB\n").unwrap().available, None);
        for bad in
            ["", "MemTotal: x kB", "MemTotal: 0 kB", "MemTotal 5 kB", "MemTotal: 99999999999999999999 kB"]
        {
            assert_eq!(parse_meminfo(bad), None, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_without_a_panic(text in "((MemTotal|SwapFree)?:? {0,2}\\PC{0,22}(kB)?\n){0,9}") {
            let _ = parse_meminfo(&text);
        }
    }
}
