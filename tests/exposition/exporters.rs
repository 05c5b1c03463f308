//! The pages that real exporters serve, live: each is read, and read as Prometheus reads it.

use crate::against::{OPEN, Page, TEXT, compare, get, ours, prometheus};
use crate::harness::{Server, fake, free_port, need};
use std::net::{SocketAddr, TcpStream};
use std::process::{Command, Stdio};

/// Starts a program that serves `/metrics` and gives its page.
fn live(program: &str, package: &str, args: &dyn Fn(SocketAddr, &str) -> Vec<String>) -> Option<Vec<u8>> {
    let program = need(program, package)?;
    let address = SocketAddr::from(([127, 0, 0, 1], free_port()));
    let dir = tempfile::tempdir().unwrap();
    let mut command = Command::new(program);
    command
        .args(args(address, &dir.path().display().to_string()))
        .current_dir(dir.path())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let mut page = None;
    let _server = Server::start(&mut command, || {
        page = get(address, "/metrics");
        page.is_some()
    });
    page
}

fn pages() -> Vec<(&'static str, Vec<u8>)> {
    let listen = |a: SocketAddr| format!("--web.listen-address={a}");
    let redis_port = free_port();
    let redis = need("redis-server", "redis-server").map(|program| {
        let mut command = Command::new(program);
        command.args(["--bind", "127.0.0.1", "--save", "", "--port", &redis_port.to_string()]);
        Server::start(command.stdout(Stdio::null()), || TcpStream::connect(("127.0.0.1", redis_port)).is_ok())
    });
    let status = "Active connections: 1 \nserver accepts handled requests\n 16 16 31 \nReading: 0 Writing: 1 Waiting: 0 \n";
    let nginx = fake::tcp(fake::say_and_close(format!(
        "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{status}",
        status.len()
    )));
    let found = [
        (
            "node_exporter",
            live("prometheus-node-exporter", "prometheus-node-exporter", &|a, _| vec![listen(a)]),
        ),
        (
            "prometheus",
            live("prometheus", "prometheus", &|a, dir| {
                std::fs::write(format!("{dir}/p.yml"), "global: {scrape_interval: 1m}\n").unwrap();
                vec![
                    listen(a),
                    format!("--config.file={dir}/p.yml"),
                    format!("--storage.tsdb.path={dir}/data"),
                ]
            }),
        ),
        (
            "alertmanager",
            live("prometheus-alertmanager", "prometheus-alertmanager", &|a, dir| {
                std::fs::write(format!("{dir}/a.yml"), "route: {receiver: x}\nreceivers: [{name: x}]\n")
                    .unwrap();
                let files = [format!("--config.file={dir}/a.yml"), format!("--storage.path={dir}/data")];
                [listen(a), "--cluster.listen-address=".to_owned()].into_iter().chain(files).collect()
            }),
        ),
        (
            "redis_exporter",
            live("prometheus-redis-exporter", "prometheus-redis-exporter", &|a, _| {
                vec![
                    format!("-web.listen-address={a}"),
                    format!("-redis.addr=redis://127.0.0.1:{redis_port}"),
                ]
            }),
        ),
        (
            "nginx_exporter",
            live("prometheus-nginx-exporter", "prometheus-nginx-exporter", &|a, _| {
                vec![format!("-web.listen-address={a}"), format!("-nginx.scrape-uri=http://{nginx}/")]
            }),
        ),
        ("pushgateway", live("prometheus-pushgateway", "prometheus-pushgateway", &|a, _| vec![listen(a)])),
    ];
    drop(redis);
    found.into_iter().filter_map(|(name, page)| Some((name, page?))).collect()
}

#[test]
fn the_pages_of_real_exporters_are_read_as_prometheus_reads_them() {
    let live = pages();
    let served: Vec<Page> = live
        .iter()
        .flat_map(|(_, body)| {
            // The same lines are nearly OpenMetrics: what is refused then is refused by both.
            let open = [body.as_slice(), b"# EOF\n"].concat();
            [Page { kind: TEXT, body: body.clone() }, Page { kind: OPEN, body: open }]
        })
        .collect();
    for (n, (name, body)) in live.iter().enumerate() {
        let (seen, samples) = ours(2 * n, &served[2 * n]).unwrap_or_else(|e| panic!("{name}: {e}"));
        println!("{name}: {} bytes, {} series", body.len(), seen.series);
        assert!(seen.series > 10 && samples.len() == seen.series && seen.duplicates == 0, "{name}: {seen:?}");
    }
    let Some(verdicts) = prometheus(&served) else { return };
    let mut wrong = Vec::new();
    for (n, (page, verdict)) in served.iter().zip(&verdicts).enumerate() {
        let name = live[n / 2].0;
        assert!(n % 2 == 1 || verdict.is_ok(), "Prometheus refuses {name}: {verdict:?}");
        wrong.extend(compare(name, n, page, verdict).err());
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
