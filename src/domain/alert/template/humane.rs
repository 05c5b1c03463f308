//! Numbers as Prometheus' humanize functions write them for people.

use super::gofmt::four;
use jiff::Timestamp;

const LARGE: [&str; 8] = ["k", "M", "G", "T", "P", "E", "Z", "Y"];
const BINARY: [&str; 8] = ["ki", "Mi", "Gi", "Ti", "Pi", "Ei", "Zi", "Yi"];
const SMALL: [&str; 8] = ["m", "u", "n", "p", "f", "a", "z", "y"];

pub fn humanize(v: f64) -> String {
    if v == 0.0 || !v.is_finite() {
        return four(v);
    }
    if v.abs() >= 1.0 {
        return scaled(v, 1000.0, &LARGE);
    }
    small(v)
}

pub fn humanize1024(v: f64) -> String {
    if v.abs() <= 1.0 || !v.is_finite() { four(v) } else { scaled(v, 1024.0, &BINARY) }
}

pub fn humanize_duration(v: f64) -> String {
    if !v.is_finite() {
        return four(v);
    }
    if v == 0.0 {
        return four(v) + "s";
    }
    if v.abs() < 1.0 {
        return small(v) + "s";
    }
    let sign = if v < 0.0 { "-" } else { "" };
    // Beyond what is counted Go's conversion gives the least number, on most machines.
    let whole = if v.abs() < 9.223_372_036_854_775e18 { v.abs() as i64 } else { i64::MIN };
    let (days, hours, minutes, seconds) = (whole / 86_400, whole / 3600 % 24, whole / 60 % 60, whole % 60);
    if days != 0 {
        format!("{sign}{days}d {hours}h {minutes}m {seconds}s")
    } else if hours != 0 {
        format!("{sign}{hours}h {minutes}m {seconds}s")
    } else if minutes != 0 {
        format!("{sign}{minutes}m {seconds}s")
    } else {
        format!("{sign}{}s", four(v.abs()))
    }
}

pub fn humanize_percentage(v: f64) -> String {
    four(v * 100.0) + "%"
}

/// Seconds since the epoch as a moment; the reason where there is none.
pub fn humanize_timestamp(v: f64) -> Result<String, String> {
    if !v.is_finite() {
        return Ok(four(v));
    }
    Ok(moment(to_millis(v)?))
}

/// Seconds as milliseconds, cut off as Prometheus does it.
pub fn to_millis(v: f64) -> Result<i64, String> {
    let nanos = v * 1e9;
    if !nanos.is_finite() || nanos.abs() >= 9.223_372_036_854_775e18 {
        return Err(format!("{} is no time that can be shown", super::gofmt::float(v)));
    }
    Ok(nanos as i64 / 1_000_000)
}

/// A moment as Go's `Time.String` writes it in UTC.
pub fn moment(ms: i64) -> String {
    let time = Timestamp::from_millisecond(ms).unwrap_or(Timestamp::UNIX_EPOCH);
    let fraction = format!("{:03}", ms.rem_euclid(1000));
    let fraction = fraction.trim_end_matches('0');
    let point = if fraction.is_empty() { "" } else { "." };
    format!("{}{point}{fraction} +0000 UTC", time.strftime("%Y-%m-%d %H:%M:%S"))
}

fn scaled(mut v: f64, by: f64, prefixes: &[&'static str]) -> String {
    let mut prefix = "";
    for p in prefixes {
        if v.abs() < by {
            break;
        }
        prefix = p;
        v /= by;
    }
    four(v) + prefix
}

fn small(mut v: f64) -> String {
    let mut prefix = "";
    for p in SMALL {
        if v.abs() >= 1.0 {
            break;
        }
        prefix = p;
        v *= 1000.0;
    }
    four(v) + prefix
}
