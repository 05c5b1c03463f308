//! Real exporters: a node exporter, and a Prometheus that packs its own page.

use crate::bench::{Bench, expect_down, expect_up, http, page, report};
use crate::harness::{Server, free_port, need};
use crate::host::{self};
use crate::sshd::Sshd;
use quarterdeck::domain::series::{Matcher, Selection, is_stale};
use std::net::TcpStream;
use std::process::{Command, Stdio};

const SSH: &[(&str, &str)] =
    &[("sshd", "openssh-server"), ("ssh", "openssh-client"), ("ssh-keygen", "openssh-client")];

fn node_exporter() -> Option<(Server, u16)> {
    let program = need("prometheus-node-exporter", "prometheus-node-exporter")?;
    let port = free_port();
    let mut command = Command::new(program);
    command.arg(format!("--web.listen-address=127.0.0.1:{port}")).stderr(Stdio::null());
    Some((Server::start(&mut command, || TcpStream::connect(("127.0.0.1", port)).is_ok()), port))
}

#[test]
fn a_real_node_exporter_is_read_and_its_end_is_the_end_of_its_series() {
    let Some((server, port)) = node_exporter() else { return };
    let mut bench = Bench::local();
    bench.selection = Selection::new([vec![Matcher::equal("__name__", "node_cpu_seconds_total")]]);
    let mut collector = bench.collector(page(http(&format!("http://127.0.0.1:{port}/metrics"))));
    let got = bench.collect(&mut collector);
    expect_up(&got);
    assert!(got.seen > 200 && (8..got.seen / 2).contains(&got.kept), "{}", got.reason);
    assert!(got.samples.iter().any(|(l, ..)| l.get("mode") == "idle" && l.get("job") == "job"));
    let kept = got.kept;
    drop(server);
    let got = bench.collect(&mut collector);
    expect_down(&got, "");
    assert_eq!(got.samples.iter().filter(|(.., v)| is_stale(*v)).count(), kept);
    assert!(report(&got, "scrape_samples_scraped").abs() < 0.5);
}

#[test]
fn a_real_prometheus_packs_its_own_page() {
    let Some(program) = need("prometheus", "prometheus") else { return };
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("p.yml"), "global: {}\n").unwrap();
    let port = free_port();
    let mut command = Command::new(program);
    command
        .arg(format!("--config.file={}", dir.path().join("p.yml").display()))
        .arg(format!("--storage.tsdb.path={}", dir.path().join("data").display()))
        .arg(format!("--web.listen-address=127.0.0.1:{port}"))
        .stderr(Stdio::null());
    let _server = Server::start(&mut command, || TcpStream::connect(("127.0.0.1", port)).is_ok());
    let bench = Bench::local();
    let mut collector = bench.collector(page(http(&format!("http://127.0.0.1:{port}/metrics"))));
    for _ in 0..2 {
        let got = bench.collect(&mut collector);
        expect_up(&got);
        assert!(got.seen > 200 && got.kept == got.seen, "{}", got.reason);
        assert!(got.samples.iter().any(|(l, ..)| l.name() == "prometheus_build_info"));
    }
    // Its screens are for people.
    let got = bench.once(page(http(&format!("http://127.0.0.1:{port}/classic/graph"))));
    expect_down(&got, "expected metrics, got an HTML page");
}

#[test]
fn an_exporter_of_another_machine_is_reached_through_ssh() {
    if !host::real(SSH) {
        return;
    }
    let Some((_exporter, port)) = node_exporter() else { return };
    let mut sshd = Sshd::start("");
    let bench = Bench::new(sshd.spec(), &[], &[]);
    let mut collector = bench.collector(page(http(&format!("http://127.0.0.1:{port}/metrics"))));
    for _ in 0..2 {
        let got = bench.collect(&mut collector);
        expect_up(&got);
        assert!(got.seen > 200, "{}", got.reason);
    }
    sshd.stop();
    let got = bench.collect(&mut collector);
    assert!(!got.up && got.samples.iter().any(|(.., v)| is_stale(*v)), "{}", got.reason);
}
