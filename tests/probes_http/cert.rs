//! `cert` from files and from servers.

use crate::harness::fake;
use crate::harness::look::{expect, look, probe};
use crate::web::{Ca, tls};
use quarterdeck::domain::health::Health::{Degraded, Down, Unknown, Up};
use std::path::Path;

const GOOD: (i32, i32) = (2020, 2090);
const PAST: (i32, i32) = (2010, 2020);

fn write(dir: &Path, name: &str, text: &str) -> String {
    let path = dir.join(name);
    std::fs::write(&path, text).unwrap();
    path.display().to_string()
}

#[test]
fn a_server_shows_its_certificate_whatever_is_wrong_with_it() {
    let (ca, other) = (Ca::new("our CA"), Ca::new("other CA"));
    let dir = tempfile::tempdir().unwrap();
    let file = write(dir.path(), "ca.pem", &ca.pem);
    let serve = |ca: &Ca, name: &str, years| tls(&ca.issue(name, years), fake::silence);
    let (good, expired) = (serve(&ca, "a.example", GOOD), serve(&ca, "a.example", PAST));
    let unknown = serve(&other, "a.example", GOOD);
    let own = format!("ca = '{file}'\nserver_name = 'a.example'\n");
    let chain = "conditions = ['[LEFT] > 14d', '[CHAIN] == true']";
    let table = [
        (good, String::new(), Up, "left, a.example"),
        (good, format!("{own}{chain}"), Up, "left, a.example"),
        (expired, String::new(), Down, ", got -2"),
        (
            good,
            "conditions = ['[NAMES] contains b.example']".to_owned(),
            Down,
            "expected names contains b.example",
        ),
        (
            good,
            "conditions = ['[ISSUER] contains our', '[SELF_SIGNED] == false']".to_owned(),
            Up,
            "a.example",
        ),
        (unknown, format!("{own}{chain}"), Down, "expected chain == true, got false"),
        (
            good,
            format!("ca = '{file}'\nserver_name = 'b.example'\n{chain}"),
            Down,
            "expected chain == true, got false",
        ),
        (good, "degraded_unless = ['[LEFT] > 36500d']".to_owned(), Degraded, "expected left > 36500d"),
    ];
    for (to, more, health, part) in table {
        expect(&look(&format!("kind = 'cert'\naddress = '{to}'\n{more}")), health, part);
    }
    let shown = look(&format!("kind = 'cert'\naddress = '{unknown}'\n{own}{chain}")).evidence.join("\n");
    assert!(shown.contains("chain: certificate not trusted: no CA of"), "{shown}");
}

#[test]
fn a_server_without_tls_shows_none() {
    let table = [
        (fake::tcp(fake::say("220 mail ready\r\n")), "got something that is not TLS"),
        (fake::tcp(fake::say_and_close("")), "expected a TLS handshake, got a closed connection"),
        (fake::tcp(fake::silence), "expected an answer within 300ms, got silence"),
        (fake::tcp(fake::flood("", b"\x16\x03\x01\xff\xff")), "expected a TLS handshake, got"),
    ];
    for (to, part) in table {
        let timeout = if part.contains("within") { "300ms" } else { "5s" };
        expect(&look(&format!("kind = 'cert'\naddress = '{to}'\ntimeout = '{timeout}'")), Down, part);
    }
    let hole = fake::black_hole();
    let reading = look(&format!("kind = 'cert'\naddress = '{}'\ntimeout = '300ms'", hole.address));
    expect(&reading, Unknown, "unreachable from here");
}

#[test]
fn a_file_is_read_as_pem_or_der() {
    let ca = Ca::new("our CA");
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str, text: &str| write(dir.path(), name, text);
    let ca_file = at("ca.pem", &ca.pem);
    let identity = ca.issue("a.example", GOOD);
    let both = at("both.pem", &format!("{}{}", identity.key_pem, identity.pem));
    let expired = at("expired.pem", &ca.issue("a.example", PAST).pem);
    let early = at("early.pem", &ca.issue("a.example", (2080, 2090)).pem);
    let chain = "conditions = ['[CHAIN] == true']";
    let table = [
        (both.clone(), String::new(), Up, "left, a.example"),
        (both.clone(), format!("ca = '{ca_file}'\n{chain}"), Up, "left, a.example"),
        (both.clone(), chain.to_owned(), Unknown, "set `ca` to verify the chain of a file"),
        (expired.clone(), String::new(), Down, ", got -2"),
        (expired, format!("ca = '{ca_file}'\n{chain}"), Down, "expected chain == true, got false"),
        (early, String::new(), Down, "not valid before 2080-01-01"),
        (ca_file.clone(), "conditions = ['[SELF_SIGNED] == true']".to_owned(), Up, "left"),
        (at("none.pem", "nothing"), String::new(), Down, "got something that is none"),
        (at("empty.pem", ""), String::new(), Down, "got an empty file"),
        (at("key.pem", &identity.key_pem), String::new(), Down, "got PEM without a certificate"),
        (dir.path().join("absent").display().to_string(), String::new(), Down, "got no such file"),
        (dir.path().display().to_string(), String::new(), Unknown, "it is a directory"),
        (at("huge.pem", &"x".repeat(2 << 20)), String::new(), Down, "got a file of more than 1MiB"),
    ];
    for (path, more, health, part) in table {
        expect(&look(&format!("kind = 'cert'\nfile = '{path}'\n{more}")), health, part);
    }
    let reading = look(&format!("kind = 'cert'\nfile = '{both}'"));
    assert!(!format!("{reading:?}").contains("PRIVATE"), "the key beside it is not kept");
}

#[test]
fn one_place_is_named() {
    for (keys, want) in [
        ("", "exactly one of `file` and `address`"),
        ("file = '/a'\naddress = 'b'", "exactly one of `file` and `address`"),
        ("file = 'a'", "an absolute path"),
        ("address = '/run/a.sock'", "`server_name` is needed"),
    ] {
        let why = probe(&format!("kind = 'cert'\n{keys}")).unwrap_err();
        assert!(why.contains(want), "{keys}: {why}");
    }
}
