//! Targets that would fill the memory: pages without an end, packed bombs, millions of series,
//! messages without an end. What is held of them is bounded, and a reason says so.
//!
//! One test and one process of its own, so that what it holds can be measured.
#![cfg(test)] // tells clippy that helpers, too, may unwrap

#[path = "harness/scrape.rs"]
#[expect(dead_code, reason = "other tests use the rest of it")]
mod bench;
mod harness;

use bench::{Bench, expect_down, http, mapped, page};
use flate2::Compression;
use flate2::write::GzEncoder;
use harness::fake::{self, Wire};
use quarterdeck::stack::metrics::{Http, ScrapeKind};
use std::fmt::Write as _;
use std::io::Write as _;
use std::net::SocketAddr;

/// What a target may send, in bytes.
const MAX_BODY: usize = 16 << 20;
/// More than is held while the largest page is read: the body, its growth, what the lexer knows.
const BOUND: u64 = 96 << 20;

const HEAD: &str = "HTTP/1.1 200 OK\r\ncontent-type: text/plain; version=0.0.4\r\n";

/// The most memory that this process has held since it was last asked, in bytes.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|l| l.strip_prefix("VmHWM:")).unwrap();
    line.trim().strip_suffix("kB").unwrap().trim().parse::<u64>().unwrap() * 1024
}

/// Lines of so many different series, written as they are asked for.
fn series(count: usize) -> SocketAddr {
    fake::tcp(move |wire: &mut dyn Wire| {
        fake::heard(wire);
        if wire.write_all(format!("{HEAD}connection: close\r\n\r\n").as_bytes()).is_err() {
            return;
        }
        let mut block = String::new();
        for i in 0..count {
            let _ = writeln!(block, "a{{i=\"{i}\"}} 1");
            if block.len() > 64 << 10 || i + 1 == count {
                if wire.write_all(block.as_bytes()).is_err() {
                    return;
                }
                block.clear();
            }
        }
    })
}

/// A gzip stream that unpacks to 2 GiB of comments.
fn bomb() -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    let block = [b"# ".as_slice(), &vec![b'x'; (1 << 20) - 3], b"\n"].concat();
    for _ in 0..64 {
        encoder.write_all(&block).unwrap();
    }
    let member = encoder.finish().unwrap();
    // Members follow one another, and unpack to all of their contents.
    let packed = member.repeat(32);
    [format!("{HEAD}content-encoding: gzip\r\ncontent-length: {}\r\n\r\n", packed.len()).as_bytes(), &packed]
        .concat()
}

#[test]
fn what_would_fill_the_memory_does_not() {
    let bench = Bench::local();
    let kind = |to: SocketAddr| page(Http { max_body: MAX_BODY, ..http(&format!("http://{to}/")) });
    let bomb = bomb();
    let before = peak();
    let table = [
        (fake::tcp(fake::flood(format!("{HEAD}\r\n"), b"a 1\n")), "a body of at most 16MiB, got more"),
        (
            fake::tcp(fake::flood(format!("{HEAD}transfer-encoding: chunked\r\n\r\n"), b"4\r\na 1\n\r\n")),
            "got 1025 pieces of a few bytes",
        ),
        (fake::tcp(fake::flood("HTTP/1.1 200 OK\r\nx: ", b"x")), "expected a head of at most 64KiB"),
        (fake::tcp(fake::say(bomb)), "a body of at most 16MiB, got more"),
        (series(5_000_000), "a body of at most 16MiB, got more"),
        (series(300_000), "200000"),
    ];
    for (to, part) in table {
        let mut collector = bench.collector(kind(to));
        for _ in 0..2 {
            expect_down(&bench.collect(&mut collector), part);
        }
        let held = peak().saturating_sub(before);
        assert!(held < BOUND, "{part}: {} MiB held", held >> 20);
    }
    let document = ScrapeKind::Json {
        http: Http { max_body: 1 << 20, ..http(&format!("http://{}/", series(5_000_000))) },
        series: vec![mapped("a", "a")],
    };
    expect_down(&bench.once(document), "a body of at most 1MiB, got more");
    let held = peak().saturating_sub(before);
    assert!(held < BOUND, "{} MiB held", held >> 20);
}
