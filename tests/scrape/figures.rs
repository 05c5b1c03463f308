//! The figures of this host against its own /proc, here and through a real sshd.

use crate::bench::{Bench, expect_up};
use crate::host::real;
use crate::sshd::Sshd;
use quarterdeck::observe::metrics::collect::Collected;
use quarterdeck::stack::metrics::ScrapeKind;

const SSH: &[(&str, &str)] =
    &[("sshd", "openssh-server"), ("ssh", "openssh-client"), ("ssh-keygen", "openssh-client")];

fn value(got: &Collected, name: &str, label: Option<(&str, &str)>) -> Option<f64> {
    let mut found =
        got.samples.iter().filter(|(l, ..)| l.name() == name && label.is_none_or(|(k, v)| l.get(k) == v));
    found.next().map(|(_, _, v)| *v)
}

/// A figure of the kernel's, read by the shortest way.
fn proc(path: &str, line: &str, word: usize) -> f64 {
    let text = std::fs::read_to_string(path).unwrap();
    let line = text.lines().find(|l| l.trim_start().starts_with(line)).unwrap();
    line.split_whitespace().nth(word).unwrap().parse().unwrap()
}

/// Holds what was collected against the kernel: what stands still is equal, what counts has not
/// gone back.
fn hold(bench: &Bench) {
    let mut collector = bench.collector(ScrapeKind::Host);
    collector.explore(true);
    let before = proc("/proc/stat", "cpu ", 1) / 100.0;
    let sent = proc("/proc/net/dev", "lo:", 9);
    let got = bench.collect(&mut collector);
    expect_up(&got);
    let user = value(&got, "host_cpu_seconds_total", Some(("mode", "user"))).unwrap();
    assert!((before..=proc("/proc/stat", "cpu ", 1) / 100.0).contains(&user), "{user}");
    let lo = value(&got, "host_network_transmit_bytes_total", Some(("device", "lo"))).unwrap();
    assert!((sent..=proc("/proc/net/dev", "lo:", 9)).contains(&lo), "{lo}");
    let total = proc("/proc/meminfo", "MemTotal:", 1) * 1024.0;
    assert_eq!(value(&got, "host_memory_total_bytes", None), Some(total));
    let available = value(&got, "host_memory_available_bytes", None).unwrap();
    assert!(available > 0.0 && available < total);
    assert_eq!(value(&got, "host_boot_time_seconds", None), Some(proc("/proc/stat", "btime", 1)));
    let cpus = std::fs::read_to_string("/proc/stat")
        .unwrap()
        .lines()
        .filter(|l| l.starts_with("cpu") && !l.starts_with("cpu "))
        .count();
    assert_eq!(value(&got, "host_cpus", None), Some(cpus as f64));
    for name in ["host_load1", "host_load5", "host_load15", "host_open_files", "host_swap_total_bytes"] {
        assert!(value(&got, name, None).is_some_and(f64::is_finite), "{name}");
    }
    let root = Some(("mountpoint", "/"));
    let df = std::process::Command::new("df").args(["-P", "-B1", "/"]).output().unwrap();
    let df = String::from_utf8(df.stdout).unwrap();
    let size: f64 = df.lines().nth(1).unwrap().split_whitespace().nth(1).unwrap().parse().unwrap();
    assert_eq!(value(&got, "host_filesystem_size_bytes", root), Some(size), "{df}");
    assert!(value(&got, "host_filesystem_avail_bytes", root).unwrap() <= size);
    assert!(
        got.samples
            .iter()
            .filter(|(l, ..)| l.name().starts_with("host_"))
            .all(|(l, ..)| l.get("host") == "h")
    );
    let (families, _) = got.families.as_ref().unwrap();
    assert!(families.iter().all(|f| f.name.starts_with("host_") && !f.help.is_empty()));
    // Counters count on.
    let again = bench.collect(&mut collector);
    assert!(value(&again, "host_cpu_seconds_total", Some(("mode", "user"))).unwrap() >= user);
    assert!(!again.samples.iter().any(|(.., v)| quarterdeck::domain::series::is_stale(*v)));
}

#[test]
fn figures_of_this_host_are_those_of_its_kernel() {
    hold(&Bench::local());
}

#[test]
fn figures_of_another_host_come_through_ssh() {
    if real(SSH) {
        let sshd = Sshd::start("");
        hold(&Bench::new(sshd.spec(), &[], &[]));
    }
}
