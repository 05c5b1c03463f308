//! Websockets: a real server of the protocol that talks, is silent, talks nonsense and goes away.

use crate::bench::{Bench, expect_down, expect_up, http, https, mapped, shown};
use crate::harness::fake;
use crate::host::real;
use crate::sshd::Sshd;
use crate::web::{Ca, answer, tls};
use futures_util::{SinkExt, StreamExt};
use quarterdeck::domain::id::SecretId;
use quarterdeck::observe::metrics::collect::{Collected, Collector};
use quarterdeck::stack::kind::http::Auth;
use quarterdeck::stack::metrics::{Http, OnlyType, ScrapeKind};
use quarterdeck::stack::spec::TransportSpec;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::server::{Request, Response};

/// A server whose one connection at a time says what the test tells it to.
struct Talker {
    address: SocketAddr,
    say: mpsc::UnboundedSender<Message>,
    /// The heads of the handshakes.
    asked: Arc<Mutex<Vec<String>>>,
}

impl Talker {
    fn start(bench: &Bench) -> Talker {
        let (say, mut said) = mpsc::unbounded_channel::<Message>();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let note = Arc::clone(&asked);
        let listener = bench.rt.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap();
        bench.rt.spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                #[expect(clippy::result_large_err, reason = "the library's own signature")]
                let look = |request: &Request, response: Response| {
                    note.lock().unwrap().push(format!("{} {:?}", request.uri(), request.headers()));
                    Ok(response)
                };
                let Ok(mut socket) = tokio_tungstenite::accept_hdr_async(stream, look).await else {
                    continue;
                };
                loop {
                    tokio::select! {
                        message = said.recv() => {
                            let Some(message) = message else { return };
                            let ends = message.is_close();
                            if socket.send(message).await.is_err() || ends {
                                break;
                            }
                        }
                        heard = socket.next() => {
                            if !matches!(heard, Some(Ok(_))) {
                                break;
                            }
                        }
                    }
                }
            }
        });
        Talker { address, say, asked }
    }

    fn says(&self, text: &str) {
        self.say.send(Message::text(text)).unwrap();
    }

    fn kind(&self) -> ScrapeKind {
        kind(http(&format!("http://{}/ws/metrics/live", self.address)))
    }
}

fn kind(http: Http) -> ScrapeKind {
    let series = vec![mapped("cpu", "data.cpu"), mapped("mem", "data.mem")];
    let only = Some(OnlyType { path: "type".into(), value: "live".into() });
    ScrapeKind::Websocket { http: Http { max_body: 64 << 10, ..http }, series, only }
}

/// Collects until it is so; the reader has a task of its own.
fn until(
    bench: &Bench,
    collector: &mut Collector,
    what: &str,
    is_so: impl Fn(&Collected) -> bool,
) -> Collected {
    for _ in 0..500 {
        let got = bench.collect(collector);
        if is_so(&got) {
            return got;
        }
        bench.rt.block_on(async { tokio::time::sleep(Duration::from_millis(20)).await });
    }
    panic!("waited too long for {what}: {}", bench.collect(collector).reason);
}

const ONE: &str = r#"{"type":"live","data":{"cpu":1,"mem":10}}"#;

#[test]
fn the_latest_values_are_taken_and_silence_is_down() {
    let bench = Bench::local();
    let talker = Talker::start(&bench);
    let mut collector = bench.collector(talker.kind());
    talker.says(r#"{"type":"other","data":{"cpu":99}}"#);
    talker.says(ONE);
    let got = bench.collect(&mut collector);
    expect_up(&got);
    assert_eq!(shown(&got), ["cpu 1@0", "mem 10@0"]);
    bench.advance(15);
    for cpu in 2..=5 {
        talker.says(&format!(r#"{{"type":"live","data":{{"cpu":{cpu},"mem":20}}}}"#));
    }
    let got = until(&bench, &mut collector, "the last of four", |c| {
        shown(c).iter().any(|s| s.starts_with("cpu 5"))
    });
    assert!(shown(&got).contains(&"cpu 5@15".to_owned()));
    // No message in the next interval: the series are quiet, and have not ended.
    bench.advance(15);
    let got = bench.collect(&mut collector);
    expect_up(&got);
    assert_eq!(shown(&got), [""; 0]);
    bench.advance(16);
    let got = bench.collect(&mut collector);
    expect_down(&got, "expected a message within 30s, got silence for 31s");
    assert_eq!(shown(&got), ["cpu ended@46", "mem ended@46"]);
    talker.says(ONE);
    until(&bench, &mut collector, "a new message", |c| c.up);
    let heads = talker.asked.lock().unwrap();
    assert!(heads.len() == 1 && heads[0].starts_with("/ws/metrics/live "), "{heads:?}");
}

#[test]
fn a_path_that_is_missing_is_named_and_its_series_ends() {
    let bench = Bench::local();
    let talker = Talker::start(&bench);
    let mut collector = bench.collector(talker.kind());
    talker.says(ONE);
    expect_up(&bench.collect(&mut collector));
    bench.advance(31);
    talker.says(r#"{"type":"live","data":{"cpu":2}}"#);
    let got = until(&bench, &mut collector, "the shorter message", |c| c.up);
    assert!(got.reason.starts_with("expected a number at data.mem, got nothing there"), "{}", got.reason);
    assert!(shown(&got).contains(&"cpu 2@31".to_owned()));
}

#[test]
fn garbage_is_said_and_does_no_harm() {
    let bench = Bench::local();
    let talker = Talker::start(&bench);
    let mut collector = bench.collector(talker.kind());
    talker.says("no JSON \u{1b}[2J");
    expect_down(&bench.collect(&mut collector), "expected JSON, got \"no JSON ·[2J\"");
    talker.say.send(Message::binary(ONE.as_bytes().to_vec())).unwrap();
    let got = until(&bench, &mut collector, "sense", |c| c.up);
    assert_eq!(shown(&got), ["cpu 1@0", "mem 10@0"], "binary messages count as well");
}

#[test]
fn a_lost_connection_is_down_and_comes_back() {
    let bench = Bench::local();
    let talker = Talker::start(&bench);
    let mut collector = bench.collector(talker.kind());
    talker.says(ONE);
    expect_up(&bench.collect(&mut collector));
    talker.say.send(Message::Close(None)).unwrap();
    let got = until(&bench, &mut collector, "the end of the connection", |c| !c.up);
    expect_down(&got, "expected messages, got a closed connection");
    assert_eq!(shown(&got), ["cpu ended@0", "mem ended@0"]);
    talker.says(ONE);
    until(&bench, &mut collector, "the next connection", |c| c.up);
    // Too large a message ends the connection, too.
    talker.says(&format!(r#"{{"type":"live","x":"{}"}}"#, "x".repeat(100_000)));
    let got = until(&bench, &mut collector, "the refusal", |c| !c.up);
    expect_down(&got, "expected messages of at most 64KiB, got one of");
    talker.says(ONE);
    until(&bench, &mut collector, "one more connection", |c| c.up);
    assert_eq!(talker.asked.lock().unwrap().len(), 3);
}

#[test]
fn a_flood_is_thinned_out_and_told() {
    let bench = Bench::local();
    let talker = Talker::start(&bench);
    let mut collector = bench.collector(talker.kind());
    for _ in 0..300 {
        talker.says(ONE);
    }
    let got = until(&bench, &mut collector, "the flood", |c| c.reason.contains("not read"));
    expect_up(&got);
    assert!(got.reason.contains("messages not read, since too many came"), "{}", got.reason);
}

#[test]
fn what_is_no_websocket_is_called_what_it_is() {
    let mut bench = Bench::local();
    bench.timeout = Duration::from_millis(500);
    let free = SocketAddr::from(([127, 0, 0, 1], crate::harness::free_port()));
    let table = [
        (fake::tcp(fake::say(answer("404 Not Found", &[], "no"))), "expected a websocket, got 404 Not Found"),
        (fake::tcp(fake::say(answer("200 OK", &[], "hello"))), "expected a websocket, got 200 OK"),
        (fake::tcp(fake::say("SSH-2.0-x\r\n\r\n")), "expected a websocket, got: "),
        (fake::tcp(fake::say_and_close("")), "closed connection"),
        (fake::tcp(fake::flood("HTTP/1.1 200 OK\r\n", b"a: b\r\n")), "expected a websocket, got"),
        (fake::tcp(fake::silence), "expected an answer within 500ms"),
        (free, "connection refused"),
        (fake::black_hole().address, ""),
    ];
    for (to, part) in table {
        let mut collector = bench.collector(kind(http(&format!("http://{to}/ws"))));
        let got = until(&bench, &mut collector, part, |c| c.reason.contains(part));
        expect_down(&got, part);
    }
}

#[test]
fn it_proves_who_asks() {
    let bench = Bench::new(TransportSpec::Local, &[("s", "s3cret")], &[]);
    let talker = Talker::start(&bench);
    let auth = Auth::Bearer(SecretId::new("s"));
    let mut collector =
        bench.collector(kind(Http { auth, ..http(&format!("http://{}/ws", talker.address)) }));
    talker.says(ONE);
    expect_up(&bench.collect(&mut collector));
    assert!(talker.asked.lock().unwrap()[0].contains("Bearer s3cret"));
}

/// The same over TLS: a wire that is blocking, so a thread of its own serves it.
#[test]
fn it_runs_under_tls() {
    let ca = Ca::new("our CA");
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("ca.pem").display().to_string();
    std::fs::write(&file, &ca.pem).unwrap();
    let to = tls(&ca.issue("127.0.0.1", (2020, 2090)), |wire| {
        let mut socket = tokio_tungstenite::tungstenite::accept(wire).unwrap();
        socket.send(Message::text(ONE)).unwrap();
        while socket.read().is_ok() {}
    });
    let bench = Bench::local();
    let got = bench.once(kind(https(&format!("https://{to}/ws"), &file)));
    expect_up(&got);
    assert_eq!(shown(&got), ["cpu 1@0", "mem 10@0"]);
}

#[test]
fn it_runs_through_ssh() {
    let needs = [("sshd", "openssh-server"), ("ssh", "openssh-client"), ("ssh-keygen", "openssh-client")];
    if !real(&needs) {
        return;
    }
    let sshd = Sshd::start("");
    let bench = Bench::new(sshd.spec(), &[], &[]);
    let talker = Talker::start(&bench);
    let mut collector = bench.collector(talker.kind());
    talker.says(ONE);
    expect_up(&bench.collect(&mut collector));
    bench.advance(15);
    talker.says(ONE);
    until(&bench, &mut collector, "a second message", |c| !shown(c).is_empty());
}
