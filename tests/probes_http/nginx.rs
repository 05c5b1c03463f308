//! `nginx` against a real nginx, and against pages that are not its own.

use crate::harness::look::{expect, look};
use crate::harness::{Server, free_port, need};
use crate::web::{answer, web};
use quarterdeck::domain::health::Health::{Down, Up};
use std::net::TcpStream;
use std::process::Command;

#[test]
fn a_real_nginx_tells_its_counters() {
    let Some(program) = need("nginx", "nginx-light") else { return };
    let dir = tempfile::tempdir().unwrap();
    let (port, at) = (free_port(), dir.path().display());
    let config = dir.path().join("nginx.conf");
    let text = format!(
        "daemon off; worker_processes 1; pid {at}/pid; error_log {at}/error.log;\n\
         events {{ worker_connections 64; }}\n\
         http {{ access_log off; client_body_temp_path {at}/a; proxy_temp_path {at}/b; fastcgi_temp_path {at}/c;\n\
         uwsgi_temp_path {at}/d; scgi_temp_path {at}/e;\n\
         server {{ listen 127.0.0.1:{port}; location = /status {{ stub_status; }}\n\
         location = /locked {{ stub_status; deny all; }} location = /text {{ return 200 \"hello\"; }} }} }}\n"
    );
    std::fs::write(&config, text).unwrap();
    let mut command = Command::new(program);
    command.arg("-c").arg(&config).arg("-p").arg(dir.path()).arg("-e").arg(dir.path().join("early.log"));
    let _server = Server::start(&mut command, || TcpStream::connect(("127.0.0.1", port)).is_ok());

    let keys =
        |path: &str, more: &str| format!("kind = 'nginx'\nurl = 'http://127.0.0.1:{port}{path}'\n{more}");
    let counters = "conditions = ['[ACTIVE] >= 1', '[WRITING] >= 1', '[DROPPED] == 0', '[REQUESTS] >= 1', '[ACCEPTS] >= 1']";
    expect(&look(&keys("/status", counters)), Up, "active");
    expect(&look(&keys("/status", "conditions = ['[ACTIVE] > 60']")), Down, "expected active > 60, got");
    expect(&look(&keys("/absent", "")), Down, "expected status 200, got 404 Not Found");
    expect(&look(&keys("/locked", "")), Down, "expected status 200, got 403 Forbidden");
    expect(&look(&keys("/text", "")), Down, "expected a stub_status page, got \"hello\"");
    let http = format!(
        "kind = 'http'\nurl = 'http://127.0.0.1:{port}/text'\nconditions = ['[HEADER].server contains nginx']"
    );
    expect(&look(&http), Up, "200 OK, hello");
}

#[test]
fn a_page_that_is_not_nginx_is_down() {
    let table = [
        ("", "expected a stub_status page, got an empty page"),
        ("Active connections: many", "expected a stub_status page, got \"Active connections: many\""),
        ("\u{1b}[31m<html>", "got \"·[31m<html>\""),
    ];
    for (page, part) in table {
        let to = web(move |_| answer("200 OK", &[], page));
        expect(&look(&format!("kind = 'nginx'\nurl = 'http://{to}/'")), Down, part);
    }
    let to = web(|_| answer("200 OK", &[], &"x".repeat(5000)));
    expect(
        &look(&format!("kind = 'nginx'\nurl = 'http://{to}/'")),
        Down,
        "expected a body of at most 4KiB, got more",
    );
}
