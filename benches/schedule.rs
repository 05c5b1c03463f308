//! The scheduler under load: do all probes run on time, and what does one cost?
//! `cargo bench --bench schedule`; about 40 s, at most 1,000 requests a second, loopback only.

use quarterdeck::clock::{Clock, SystemClock};
use quarterdeck::domain::observation::Observation;
use quarterdeck::observe::mailbox::Mailbox;
use quarterdeck::observe::probe::shared::Shared;
use quarterdeck::observe::prober::Prober;
use quarterdeck::observe::scheduler::Scheduler;
use quarterdeck::stack::diag::Source;
use quarterdeck::stack::load;
use quarterdeck::transport::secret::Secrets;
use rustix::time::{ClockId, clock_gettime};
use std::fmt::Write as _;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

fn cpu(clock: ClockId) -> Duration {
    let t = clock_gettime(clock);
    Duration::new(u64::try_from(t.tv_sec).unwrap_or(0), u32::try_from(t.tv_nsec).unwrap_or(0))
}

/// A server on a thread of its own that counts its own processor time, in microseconds.
fn serve(spent: Arc<AtomicU64>) -> std::io::Result<u16> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let port = listener.local_addr()?.port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { continue };
            let _ = stream.read(&mut [0; 1024]);
            let _ = stream.write_all(
                b"HTTP/1.1 200 OK\r\nContent-Length: 15\r\nConnection: close\r\n\r\n{\"status\":\"ok\"}",
            );
            let micros = u64::try_from(cpu(ClockId::ThreadCPUTime).as_micros()).unwrap_or(0);
            spent.store(micros, Ordering::Relaxed);
        }
    });
    Ok(port)
}

fn stack(count: usize, interval: &str, port: u16) -> String {
    let mut text = format!(
        "[stack]\nname = \"load\"\n[[layers]]\nid = \"l\"\n[[hosts]]\nid = \"h\"\n[defaults]\ninterval = \"{interval}\"\ntimeout = \"1s\"\n"
    );
    for i in 0..count {
        let _ = write!(
            text,
            "[[probes]]\nid = \"p{i}\"\nlayer = \"l\"\nkind = \"http\"\nurl = \"http://127.0.0.1:{port}/health\"\nconditions = [\"[STATUS] == 200\", \"[BODY].status == ok\"]\n"
        );
    }
    text
}

fn run(count: usize, interval: &str, seconds: u64) -> Result<(), String> {
    let spent = Arc::new(AtomicU64::new(0));
    let port = serve(Arc::clone(&spent)).map_err(|e| e.to_string())?;
    let source = Arc::new(Source { name: "load.toml".into(), text: stack(count, interval, port) });
    let loaded = load::load_texts(&source, None, &|_| None).map_err(|p| p.to_string())?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let shared = Shared::for_stack(Secrets::default(), &loaded.stack);
    let prober = Prober::new(&loaded.stack, shared, Arc::clone(&clock));
    let mailbox = Arc::new(Mailbox::new(count));
    let scheduler =
        Scheduler::start(prober, Arc::clone(&mailbox), None, Vec::new()).map_err(|e| e.to_string())?;
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_time().build().map_err(|e| e.to_string())?;
    let pause = |d| runtime.block_on(async { tokio::time::sleep(d).await });
    // The first round runs all at once and is not what is measured.
    pause(Duration::from_secs(6));
    let mut due: Vec<Option<Duration>> = vec![None; count];
    let take = |due: &mut Vec<Option<Duration>>, late: &mut Vec<Duration>| {
        for observation in mailbox.drain() {
            if let Observation::Probed { probe, reading, next } = observation {
                let took = reading.latency.unwrap_or_default();
                if let Some(was) = due.get_mut(probe.0).and_then(|slot| slot.replace(next.mono)) {
                    late.push(reading.at.mono.saturating_sub(took).saturating_sub(was));
                }
            }
        }
    };
    take(&mut due, &mut Vec::new());
    let (mut late, cpu0, server0) = (Vec::new(), cpu(ClockId::ProcessCPUTime), spent.load(Ordering::Relaxed));
    for _ in 0..seconds * 4 {
        pause(Duration::from_millis(250));
        take(&mut due, &mut late);
    }
    let server = Duration::from_micros(spent.load(Ordering::Relaxed).saturating_sub(server0));
    let own = cpu(ClockId::ProcessCPUTime).saturating_sub(cpu0).saturating_sub(server);
    drop(scheduler);
    late.sort_unstable();
    let at = |part: f64| {
        late.get((late.len().saturating_sub(1) as f64 * part) as usize).copied().unwrap_or_default()
    };
    let each = own / u32::try_from(late.len().max(1)).unwrap_or(1);
    println!(
        "{count} probes every {interval}: {} a second; late by median {:?}, 99% {:?}, at most {:?}; {each:?} of processor each; {} dropped",
        late.len() as u64 / seconds,
        at(0.5),
        at(0.99),
        at(1.0),
        mailbox.dropped()
    );
    Ok(())
}

fn main() -> Result<(), String> {
    run(10, "1s", 10)?;
    run(1000, "5s", 10)?;
    run(5000, "5s", 10)
}
