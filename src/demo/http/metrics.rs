//! `/metrics` of the admin API: the instrumentator's names, as Prometheus text.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use hyper::body::Body as _;

use super::Reply;
use crate::demo::model::Model;
use crate::demo::model::guard::{BUCKETS, Handled};
use crate::demo::model::services::Svc;

/// Notes an answered request. The demo answers in microseconds; upstream needs a few milliseconds.
pub fn record(m: &mut Model, handler: &'static str, method: &'static str, reply: &Reply, delay: Duration) {
    let class = match reply.status().as_u16() {
        200..300 => "2xx",
        300..400 => "3xx",
        400..500 => "4xx",
        _ => "5xx",
    };
    let bytes = reply.body().size_hint().lower();
    let seconds = 0.004 + delay.as_secs_f64();
    m.guard.record(handler, method, class, seconds, bytes);
}

pub fn text(m: &Model) -> String {
    let mut out = String::with_capacity(8 * 1024);
    let mut by_handler: BTreeMap<(&str, &str), Handled> = BTreeMap::new();
    let mut total = Handled::default();
    family(
        &mut out,
        "http_requests_total",
        "counter",
        "Total number of requests by method, status and handler.",
    );
    for ((handler, method, class), h) in &m.guard.handled {
        let handler = handler.replace("{}", "{name}");
        let _ = writeln!(
            out,
            "http_requests_total{{handler=\"{handler}\",method=\"{method}\",status=\"{class}\"}} {}.0",
            h.count
        );
    }
    for ((handler, method, _), h) in &m.guard.handled {
        for sum in [by_handler.entry((*handler, *method)).or_default(), &mut total] {
            sum.count += h.count;
            sum.seconds += h.seconds;
            sum.bytes += h.bytes;
            sum.buckets.iter_mut().zip(h.buckets).for_each(|(a, b)| *a += b);
        }
    }
    family(
        &mut out,
        "http_response_size_bytes",
        "summary",
        "Content length of outgoing responses by handler.",
    );
    for ((handler, _), h) in &by_handler {
        let handler = handler.replace("{}", "{name}");
        let _ = writeln!(out, "http_response_size_bytes_count{{handler=\"{handler}\"}} {}.0", h.count);
        let _ = writeln!(out, "http_response_size_bytes_sum{{handler=\"{handler}\"}} {}.0", h.bytes);
    }
    family(
        &mut out,
        "http_request_duration_highr_seconds",
        "histogram",
        "Latency with many buckets but no API specific labels.",
    );
    histogram(&mut out, "http_request_duration_highr_seconds", "", &total);
    family(
        &mut out,
        "http_request_duration_seconds",
        "histogram",
        "Latency with only few buckets by handler.",
    );
    for ((handler, method), h) in &by_handler {
        let labels = format!("handler=\"{}\",method=\"{method}\",", handler.replace("{}", "{name}"));
        histogram(&mut out, "http_request_duration_seconds", &labels, h);
    }
    process(m, &mut out, total.count);
    out
}

fn family(out: &mut String, name: &str, kind: &str, help: &str) {
    let _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} {kind}");
}

fn histogram(out: &mut String, name: &str, labels: &str, h: &Handled) {
    for (bound, count) in BUCKETS.iter().zip(h.buckets) {
        let _ = writeln!(out, "{name}_bucket{{{labels}le=\"{bound:?}\"}} {count}.0");
    }
    let _ = writeln!(out, "{name}_bucket{{{labels}le=\"+Inf\"}} {}.0", h.count);
    let braces =
        if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.trim_end_matches(',')) };
    let _ = writeln!(out, "{name}_count{braces} {}.0\n{name}_sum{braces} {}", h.count, h.seconds);
}

fn process(m: &Model, out: &mut String, requests: u64) {
    let start = m.wall(m.services.get(Svc::ApiPublic).since).as_second();
    let seconds = (m.now - m.services.get(Svc::ApiPublic).since) as f64 * 0.006 + requests as f64 * 0.003;
    for (name, kind, help, value) in [
        (
            "process_start_time_seconds",
            "gauge",
            "Start time of the process since unix epoch in seconds.",
            start as f64,
        ),
        ("process_cpu_seconds_total", "counter", "Total user and system CPU time spent in seconds.", seconds),
        ("process_resident_memory_bytes", "gauge", "Resident memory size in bytes.", 91_250_688.0),
        ("process_open_fds", "gauge", "Number of open file descriptors.", 21.0),
        ("process_max_fds", "gauge", "Maximum number of open file descriptors.", 1024.0),
    ] {
        family(out, name, kind, help);
        let _ = writeln!(out, "{name} {value:?}");
    }
    family(out, "python_info", "gauge", "Python platform information.");
    out.push_str(
        "python_info{implementation=\"CPython\",major=\"3\",minor=\"11\",patchlevel=\"2\",version=\"3.11.2\"} 1.0\n",
    );
}
