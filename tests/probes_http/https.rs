//! `http` under TLS.

use crate::harness::fake;
use crate::harness::look::{expect, look};
use crate::web::{Ca, answer, talk, tls};
use quarterdeck::domain::health::Health::{Down, Unknown, Up};
use std::net::SocketAddr;

fn hello(name: &str, ca: &Ca, years: (i32, i32)) -> SocketAddr {
    tls(&ca.issue(name, years), talk(|_| answer("200 OK", &[], "hello")))
}

#[test]
fn a_certificate_is_trusted_or_the_reason_says_why_not() {
    let (ca, other) = (Ca::new("our CA"), Ca::new("other CA"));
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("ca.pem").display().to_string();
    std::fs::write(&file, &ca.pem).unwrap();
    let good = (2020, 2090);
    let (ours, address) = (hello("api.example", &ca, good), hello("127.0.0.1", &ca, good));
    let named = format!("tls = {{ ca = '{file}', server_name = 'api.example' }}");
    let wrong = format!("tls = {{ ca = '{file}', server_name = 'db.example' }}");
    let by_address = format!("tls = {{ ca = '{file}' }}");
    let plain = fake::tcp(fake::say("HTTP/1.1 400 Bad Request\r\n\r\n"));
    let table = [
        (ours, named.as_str(), Up, "200 OK, hello".to_owned()),
        (address, &by_address, Up, "200 OK, hello".to_owned()),
        (ours, &wrong, Down, "expected a certificate for db.example, got one for api.example".to_owned()),
        (ours, &by_address, Down, "expected a certificate for 127.0.0.1, got one for api.example".to_owned()),
        (
            hello("api.example", &ca, (2010, 2020)),
            &named,
            Down,
            "got one that expired on 2020-01-01".to_owned(),
        ),
        (
            hello("api.example", &other, good),
            &named,
            Down,
            format!("certificate not trusted: no CA of {file} issued it"),
        ),
        (plain, &named, Down, "got something that is not TLS".to_owned()),
        (fake::tcp(fake::silence), &named, Down, "expected an answer within 2s".to_owned()),
        (
            ours,
            "tls = { ca = '/no/such/ca.pem' }",
            Unknown,
            "cannot read the CA file /no/such/ca.pem".to_owned(),
        ),
    ];
    for (to, tls, health, part) in table {
        let keys = format!("kind = 'http'\nurl = 'https://{to}/'\n{tls}");
        expect(&look(&keys), health, &part);
    }
}

#[test]
fn the_system_trusts_no_ca_of_ours() {
    let to = hello("127.0.0.1", &Ca::new("our CA"), (2020, 2090));
    let reading = look(&format!("kind = 'http'\nurl = 'https://{to}/'\ntimeout = '10s'"));
    // Without any CA installed the machine cannot judge, which is no failure of the server.
    let (health, part) = match reading.health {
        Unknown => (Unknown, "this system has no CA certificates"),
        _ => (Down, "certificate not trusted: no CA of this system issued it; name its CA with tls.ca"),
    };
    expect(&reading, health, part);
}
