//! Moments on the command line: `now`, `-5m`, RFC 3339, seconds since the epoch.

use crate::domain::series::Millis;
use crate::domain::units::parse_duration;
use jiff::Timestamp;
use std::time::Duration;

/// A moment as it was given; a relative one needs to know when now is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    Now,
    /// So long before now.
    Before(Duration),
    At(Millis),
}

impl Moment {
    /// In milliseconds since the epoch.
    pub fn millis(self, now: Millis) -> Millis {
        match self {
            Moment::Now => now,
            Moment::Before(by) => now.saturating_sub(Millis::try_from(by.as_millis()).unwrap_or(Millis::MAX)),
            Moment::At(at) => at,
        }
    }
}

/// Reads one.
///
/// # Errors
/// Says what is expected.
pub fn parse(text: &str) -> Result<Moment, String> {
    if text == "now" {
        return Ok(Moment::Now);
    }
    if let Some(by) = text.strip_prefix('-').and_then(parse_duration) {
        return Ok(Moment::Before(by));
    }
    if let Ok(at) = text.parse::<Timestamp>() {
        return Ok(Moment::At(at.as_millisecond()));
    }
    let plain = text.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    let seconds = text.parse::<f64>().ok().filter(|_| plain);
    match seconds.and_then(|s| Timestamp::from_millisecond((s * 1000.0).round() as i64).ok()) {
        Some(at) => Ok(Moment::At(at.as_millisecond())),
        None => Err("expected now, -5m, 2026-03-14T02:59:58Z or seconds since 1970".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_read_in_every_form() {
        let now = 1_000_000_000;
        let table = [
            ("now", now),
            ("-5m", now - 300_000),
            ("-1h30m", now - 5_400_000),
            ("1435781451.781", 1_435_781_451_781),
            ("0", 0),
            ("2026-03-14T02:59:58Z", 1_773_457_198_000),
            ("2026-03-14T03:59:58.5+01:00", 1_773_457_198_500),
        ];
        for (text, want) in table {
            assert_eq!(parse(text).unwrap().millis(now), want, "{text}");
        }
        for bad in ["", "5m", "--5m", "tomorrow", "1e9", "-", "inf", "99999999999999999999", "2026-03-14"] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }
}
