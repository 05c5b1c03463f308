//! `udp` and `dns` against peers on loopback: sockets that answer, stay silent, lie and are closed.

use crate::harness::look::{expect, look, probe};
use crate::harness::{fake, free_port};
use quarterdeck::domain::health::Health::{Down, Up};
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// Answers each datagram with those that `answer` makes of it.
fn peer(answer: impl Fn(&[u8]) -> Vec<Vec<u8>> + Send + 'static) -> SocketAddr {
    let socket = UdpSocket::bind(("127.0.0.1", 0)).unwrap();
    let address = socket.local_addr().unwrap();
    std::thread::spawn(move || {
        let mut buffer = [0; 2000];
        while let Ok((n, from)) = socket.recv_from(&mut buffer) {
            for datagram in answer(&buffer[..n]) {
                let _ = socket.send_to(&datagram, from);
            }
        }
    });
    address
}

fn keys(kind: &str, port: u16, more: &str) -> String {
    let key = if kind == "dns" { "server" } else { "address" };
    format!("kind = \"{kind}\"\n{key} = \"127.0.0.1:{port}\"\n{more}")
}

#[test]
fn a_datagram_is_answered_refused_or_lost() {
    let echo = peer(|asked| vec![asked.to_vec()]);
    let up = "send = 'ping'\nconditions = ['[ANSWERED] == true', '[REPLY] == ping']";
    expect(&look(&keys("udp", echo.port(), up)), Up, "answered with ping");
    expect(&look(&keys("udp", echo.port(), "send_hex = '68 69'")), Up, "answered with hi");
    let closed = free_port();
    let refused = format!("connection refused by 127.0.0.1:{closed} (udp)");
    expect(&look(&keys("udp", closed, "send = 'x'")), Down, &refused);
    let silent = peer(|_| Vec::new());
    let reading = look(&keys("udp", silent.port(), "send = 'x'\ntimeout = '300ms'"));
    expect(&reading, Down, "expected answered == true, got false");
    let open = "send = 'x'\ntimeout = '300ms'\nconditions = ['[ANSWERED] == false']";
    expect(&look(&keys("udp", silent.port(), open)), Up, "silent, and not refused");
    let hostile = peer(|_| vec![b"\x1b[2J\xff".to_vec()]);
    expect(&look(&keys("udp", hostile.port(), "send = 'x'")), Up, "answered with ·[2J");
}

#[test]
fn the_keys_are_checked_when_the_file_is_loaded() {
    let table = [
        (keys("udp", 1, ""), "no `send` or `send_hex`"),
        (keys("udp", 1, "send = 'a'\nsend_hex = '00'"), "exclude each other"),
        (keys("udp", 1, "send_hex = '0'"), "expects hexadecimal"),
        (keys("udp", 1, "send = ''"), "1 to 1400 bytes"),
        ("kind = 'udp'\naddress = '/run/x'\nsend = 'a'".to_owned(), "expects a host and a port"),
        (keys("dns", 1, "name = 'a..b'"), "each part between dots"),
        (keys("dns", 1, "name = 'bücher.example'"), "xn--"),
        (keys("dns", 1, "name = 'a'\nrecord = 'AAA'"), "did you mean \"AAAA\"?"),
        ("kind = 'dns'\nname = 'a'\nserver = '/run/x'".to_owned(), "expects a host"),
    ];
    for (keys, want) in table {
        let problems = probe(&keys).unwrap_err();
        assert!(problems.contains(want), "{problems}");
    }
    assert!(probe("kind = 'dns'\nname = 'db.internal.'\nserver = '::1'").is_ok());
}

/// An answer with these flags and one A record for each address, to the question `asked`.
fn answer(asked: &[u8], flags: u16, addresses: &[[u8; 4]]) -> Vec<u8> {
    let mut message = asked[..2].to_vec();
    message.extend((0x8180 | flags).to_be_bytes());
    message.extend([0, 1]);
    message.extend((addresses.len() as u16).to_be_bytes());
    message.extend([0; 4]);
    message.extend(&asked[12..]);
    for address in addresses {
        message.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 9, 0, 4]);
        message.extend(address);
    }
    message
}

const NAME: &str = "name = 'db.internal'\n";

#[test]
fn a_name_resolves_or_the_code_says_why_not() {
    let server = peer(|asked| vec![answer(asked, 0, &[[10, 0, 0, 1], [10, 0, 0, 2]])]);
    let more = format!(
        "{NAME}conditions = ['[ANSWERS] contains \"10.0.0.2\"', '[COUNT] == 2', '[RCODE] == NOERROR']"
    );
    expect(&look(&keys("dns", server.port(), &more)), Up, "10.0.0.1, 10.0.0.2");
    expect(&look(&keys("dns", server.port(), NAME)), Up, "10.0.0.1, 10.0.0.2");
    for (code, want) in [(3, "got NXDOMAIN"), (2, "got SERVFAIL"), (5, "got REFUSED")] {
        let server = peer(move |asked| vec![answer(asked, code, &[])]);
        expect(&look(&keys("dns", server.port(), NAME)), Down, want);
    }
    let empty = peer(|asked| vec![answer(asked, 0, &[])]);
    expect(&look(&keys("dns", empty.port(), NAME)), Down, "expected count > 0, got 0");
}

#[test]
fn forged_answers_are_passed_over() {
    let server = peer(|asked| {
        let mut forged = answer(asked, 0, &[[6, 6, 6, 6]]);
        forged[0] ^= 1;
        let mut other = answer(asked, 0, &[[6, 6, 6, 6]]);
        other[13] = b'x';
        vec![b"junk".to_vec(), forged, other, answer(asked, 0, &[[10, 0, 0, 1]])]
    });
    expect(&look(&keys("dns", server.port(), NAME)), Up, "10.0.0.1");
    let only_forged = peer(|asked| vec![vec![0; 40].into_iter().chain(asked.to_vec()).collect(); 70]);
    expect(&look(&keys("dns", only_forged.port(), NAME)), Down, "only answers to other questions");
    let loops = peer(|asked| {
        let mut message = answer(asked, 0, &[[10, 0, 0, 1]]);
        let own = asked.len();
        message[own + 1] = own as u8;
        vec![message]
    });
    expect(&look(&keys("dns", loops.port(), NAME)), Down, "expected a DNS answer, got a malformed record");
}

#[test]
fn a_lost_datagram_is_sent_again() {
    let seen = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&seen);
    let server = peer(move |asked| {
        let first = count.fetch_add(1, Ordering::SeqCst) == 0;
        if first { Vec::new() } else { vec![answer(asked, 0, &[[10, 0, 0, 1]])] }
    });
    expect(&look(&keys("dns", server.port(), NAME)), Up, "10.0.0.1");
    assert_eq!(seen.load(Ordering::SeqCst), 2);
    let silent = peer(|_| Vec::new());
    let reading = look(&keys("dns", silent.port(), &format!("{NAME}timeout = '400ms'")));
    expect(&reading, Down, "got silence to 3 questions");
    let closed = free_port();
    expect(&look(&keys("dns", closed, NAME)), Down, "connection refused by");
}

/// A server whose UDP answer is cut short; what it says over TCP follows.
fn truncating(over_tcp: impl Fn(&[u8]) -> Vec<u8> + Send + Sync + 'static) -> u16 {
    let (udp, tcp) = std::iter::repeat_with(|| {
        let udp = UdpSocket::bind(("127.0.0.1", 0)).unwrap();
        let port = udp.local_addr().unwrap().port();
        TcpListener::bind(("127.0.0.1", port)).map(|tcp| (udp, tcp))
    })
    .find_map(Result::ok)
    .unwrap();
    let port = udp.local_addr().unwrap().port();
    std::thread::spawn(move || {
        let mut buffer = [0; 2000];
        while let Ok((n, from)) = udp.recv_from(&mut buffer) {
            let _ = udp.send_to(&answer(&buffer[..n], 0x0200, &[]), from);
        }
    });
    std::thread::spawn(move || {
        for stream in tcp.incoming() {
            let mut stream = stream.unwrap();
            let asked = fake::heard(&mut stream);
            let _ = std::io::Write::write_all(&mut stream, &over_tcp(&asked[2..]));
        }
    });
    port
}

#[test]
fn an_answer_that_does_not_fit_is_fetched_over_tcp() {
    let framed = |message: Vec<u8>| [&(message.len() as u16).to_be_bytes()[..], &message].concat();
    let many = truncating(move |asked| framed(answer(asked, 0, &[[10, 0, 0, 1]; 300])));
    expect(&look(&keys("dns", many, &format!("{NAME}conditions = ['[COUNT] == 300']"))), Up, "10.0.0.1, ");
    let closing = truncating(|_| Vec::new());
    expect(&look(&keys("dns", closing, NAME)), Down, "expected a DNS answer, got a closed connection");
    let short = truncating(|_| vec![0xff, 0xff, 1, 2]);
    expect(&look(&keys("dns", short, NAME)), Down, "expected a DNS answer, got a closed connection");
    let alien = truncating(move |_| framed(vec![0; 40]));
    expect(&look(&keys("dns", alien, NAME)), Down, "got one to another question");
}

#[test]
fn slow_is_up_within_the_timeout() {
    let server = peer(|asked| {
        crate::harness::pause(Duration::from_millis(300));
        vec![answer(asked, 0, &[[10, 0, 0, 1]])]
    });
    expect(&look(&keys("dns", server.port(), NAME)), Up, "10.0.0.1");
}
