//! Looks at a host's load: `/proc/loadavg`, and how many processors share it.

use super::{Context, Fault, Found, host};
use crate::domain::fact::Fact;
use crate::domain::text;
use crate::domain::units::{self, Unit};
use crate::stack::kind::load::Spec;

/// Read of either table.
const MAX_TABLE: usize = 4 << 10;
const CPUS: &str = "/sys/devices/system/cpu/online";

/// The three averages of `/proc/loadavg`.
pub fn parse_loadavg(text: &str) -> Option<[f64; 3]> {
    let mut words = text.split_whitespace();
    let mut next = || words.next()?.parse::<f64>().ok().filter(|n| n.is_finite() && *n >= 0.0);
    Some([next()?, next()?, next()?])
}

/// How many processors a list such as `0-3,8` names.
pub fn parse_cpu_list(text: &str) -> Option<u32> {
    let mut count = 0u32;
    for part in text.trim().split(',') {
        let (low, high) = part.split_once('-').unwrap_or((part, part));
        let (low, high): (u32, u32) = (low.parse().ok()?, high.parse().ok()?);
        count = count.checked_add(high.checked_sub(low)?.checked_add(1)?)?;
    }
    Some(count)
}

pub(super) async fn look(_: &Spec, cx: &Context<'_>) -> Result<Found, Fault> {
    let text = host::table(cx, "/proc/loadavg", MAX_TABLE).await?;
    let [one, five, fifteen] = parse_loadavg(&text).ok_or_else(|| {
        Fault::Unknown(format!("expected three averages in /proc/loadavg, got {}", text::one_line(&text, 60)))
    })?;
    let cpus = match cx.transport.read_file(CPUS, MAX_TABLE).await {
        Ok(list) => {
            parse_cpu_list(&String::from_utf8_lossy(&list)).ok_or_else(|| format!("cannot understand {CPUS}"))
        }
        Err(e) => Err(format!("cannot read {CPUS}: {e}")),
    };
    let mut found = Found { evidence: text, ..Found::default() };
    found.facts.number("LOAD1", one, Unit::None);
    found.facts.number("LOAD5", five, Unit::None);
    found.facts.number("LOAD15", fifteen, Unit::None);
    found.summary = format!("{one} {five} {fifteen}");
    match cpus {
        Ok(cpus) => {
            let each = five / f64::from(cpus);
            found.summary = format!("{} a processor ({five} on {cpus})", units::quantity(each, Unit::None));
            found.facts.number("CPUS", f64::from(cpus), Unit::None);
            found.facts.number("PER_CPU", each, Unit::None);
        }
        Err(why) => {
            found.facts.set("CPUS", Fact::Unavailable(why.clone()));
            found.facts.set("PER_CPU", Fact::Unavailable(why));
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn averages_and_processors_read() {
        assert_eq!(parse_loadavg("0.20 1.18 12.00 2/411 9000\n"), Some([0.2, 1.18, 12.0]));
        for bad in ["", "1 2", "a b c", "1 -2 3", "NaN 1 1", "inf 1 1"] {
            assert_eq!(parse_loadavg(bad), None, "{bad}");
        }
        for (list, want) in [
            ("0\n", Some(1)),
            ("0-3\n", Some(4)),
            ("0-3,8,10-11", Some(7)),
            ("", None),
            ("3-1", None),
            ("0-4294967295", None),
        ] {
            assert_eq!(parse_cpu_list(list), want, "{list}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_without_a_panic(text in "([0-9]{0,11}[-,. ]?\\PC{0,2}){0,9}") {
            let _ = (parse_loadavg(&text), parse_cpu_list(&text));
        }
    }
}
