//! How many HTTP probes a CPU-second buys: fresh connections and kept ones, few probes and many.
//! Run it by hand: `cargo bench --bench http_probe`. It prints; it judges nothing.

#![expect(clippy::expect_used, reason = "a benchmark that cannot start has nothing to report")]

#[path = "support/snippet.rs"]
mod snippet;

use quarterdeck::clock::SystemClock;
use quarterdeck::domain::health::Health;
use quarterdeck::observe::probe::shared::Shared;
use quarterdeck::observe::probe::{self, Context};
use quarterdeck::stack::spec::Probe;
use quarterdeck::transport::Transport;
use std::net::{SocketAddr, TcpListener};
use std::rc::Rc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::Semaphore;
use tokio::task::LocalSet;

/// Probes under way at a time, as a scheduler bounds them.
const CONCURRENCY: usize = 64;
const BODY: &str =
    r#"{"status":"ok","request_id":"0123456789abcdef","data":{"healthy":true,"log_service":"ok"}}"#;

fn main() {
    let addr = serve();
    println!("probes a CPU-second of the probing thread (two conditions, one on the body):");
    for (name, keep, body) in [
        ("fresh, status only", false, false),
        ("fresh, JSON body", false, true),
        ("kept alive, status only", true, false),
        ("kept alive, JSON body", true, true),
    ] {
        for probes in [10, 1000, 5000] {
            let runs = if keep { 60_000 } else { 30_000 };
            println!("{name:>26}, {probes:>4} probes: {:>8.0}", measure(addr, probes, runs, keep, body));
        }
    }
}

/// Runs that many probes until `runs` are done in all; gives the runs for each CPU-second.
fn measure(addr: SocketAddr, probes: usize, runs: usize, keep: bool, body: bool) -> f64 {
    let conditions =
        if body { "'[STATUS] == 200', '[BODY].data.healthy == true'" } else { "'[STATUS] == 200'" };
    let specs: Vec<Probe> = (0..probes)
        .map(|i| {
            let text = format!(
                "id = 'p{i}'\nkind = 'http'\nurl = 'http://{addr}/ready'\nkeep_alive = {keep}\n\
                 timeout = '10s'\nconditions = [{conditions}]"
            );
            snippet::probe(&text).expect("a sound probe")
        })
        .collect();
    let rt = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let (transport, shared) = (snippet::local().expect("this machine"), Rc::new(Shared::default()));
    let (transport, specs) = (Rc::new(transport), Rc::new(specs));
    let round = |times: usize| {
        let local = LocalSet::new();
        let gate = Rc::new(Semaphore::new(CONCURRENCY));
        let mut tasks = Vec::new();
        for i in 0..probes {
            tasks.push(local.spawn_local(one(
                Rc::clone(&transport),
                Rc::clone(&shared),
                Rc::clone(&specs),
                i,
                times,
                Rc::clone(&gate),
            )));
        }
        rt.block_on(local.run_until(async {
            for task in tasks {
                task.await.expect("every probe is up");
            }
        }));
    };
    round(1); // connections are kept from here on
    let before = cpu_seconds();
    round(runs / probes);
    (runs / probes * probes) as f64 / (cpu_seconds() - before)
}

async fn one(
    transport: Rc<Transport>,
    shared: Rc<Shared>,
    specs: Rc<Vec<Probe>>,
    i: usize,
    times: usize,
    gate: Rc<Semaphore>,
) {
    let clock = SystemClock::new();
    for _ in 0..times {
        let _permit = gate.acquire().await.expect("an open gate");
        let reading = probe::run(&Context::new(&transport, &shared, &clock, &specs[i])).await;
        assert_eq!(reading.health, Health::Up, "{}", reading.reason);
    }
}

/// CPU time of this thread.
fn cpu_seconds() -> f64 {
    let t = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    t.tv_sec as f64 + t.tv_nsec as f64 / 1e9
}

/// A server on a thread of its own that answers every request at once.
fn serve() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let addr = listener.local_addr().expect("an address");
    std::thread::spawn(move || {
        let rt = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        listener.set_nonblocking(true).expect("non-blocking");
        let answer = format!(
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\nserver: bench\r\n\
             date: Thu, 01 Jan 1970 00:00:00 GMT\r\n\r\n{BODY}",
            BODY.len()
        );
        let answer: &'static [u8] = answer.leak().as_bytes();
        rt.block_on(async {
            let listener = tokio::net::TcpListener::from_std(listener).expect("a listener");
            while let Ok((mut stream, _)) = listener.accept().await {
                tokio::spawn(async move {
                    let mut buffer = [0; 4096];
                    while let Ok(1..) = stream.read(&mut buffer).await {
                        if stream.write_all(answer).await.is_err() {
                            break;
                        }
                    }
                });
            }
        });
    });
    addr
}
