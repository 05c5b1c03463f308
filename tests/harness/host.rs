//! For tests of probes on a host: one probe from the lines of a stack file, looked at once; real
//! components that are missing are named; children are ended whatever happens.
#![expect(dead_code, reason = "each file of tests uses a part of it")]

use quarterdeck::clock::SystemClock;
use quarterdeck::domain::damping::Thresholds;
use quarterdeck::domain::id::{HostId, LayerId, ProbeId};
use quarterdeck::domain::observation::Reading;
use quarterdeck::observe::probe::{self, Context, shared::Shared};
use quarterdeck::stack::decode::{Reader, Table};
use quarterdeck::stack::diag::Source;
use quarterdeck::stack::kind::Kind;
use quarterdeck::stack::spec::{Host, Layer, Probe, Stack, TransportSpec};
use quarterdeck::transport::Transport;
use quarterdeck::transport::secret::Secrets;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command};
use std::sync::Arc;
use std::time::Duration;

/// A probe as a stack file would have it: the lines after `[[probes]]`.
pub fn probe(kind: &str, lines: &str) -> Probe {
    match try_probe(kind, lines) {
        Ok(probe) => probe,
        Err(problems) => panic!("{lines}: {problems}"),
    }
}

/// The same, or every problem that was noted.
pub fn try_probe(kind: &str, lines: &str) -> Result<Probe, String> {
    let reader = Reader::new(Arc::new(Source { name: "test.toml".into(), text: lines.into() }));
    let parsed = reader.parse(lines);
    let table = Table::new(&reader, &parsed, 0..lines.len(), "probe");
    let decoded = Kind::decode(kind, &table);
    let timeout =
        table.duration_or("timeout", Duration::from_secs(10), Duration::ZERO..=Duration::from_secs(60));
    let sudo = table.bool_or("sudo", false);
    let mut conditions: Vec<_> = table.conditions("conditions").into_iter().map(|c| c.value).collect();
    let stated = table.has("conditions");
    table.finish();
    let problems = format!("{:?}", reader.into_problems());
    let Some(kind) = decoded else { return Err(problems) };
    if !stated {
        conditions = kind.default_conditions().iter().map(|c| c.parse().unwrap()).collect();
    }
    for condition in &conditions {
        condition.check(kind.facts()).unwrap();
    }
    Ok(Probe {
        id: ProbeId::new("p"),
        name: "p".into(),
        layer: LayerId::new("l"),
        host: HostId::new("h"),
        interval: Duration::from_secs(5),
        timeout,
        thresholds: Thresholds::default(),
        conditions,
        degraded_unless: Vec::new(),
        sudo,
        help: String::new(),
        rows: Vec::new(),
        kind,
    })
}

/// A stack of one layer and one host.
pub fn stack(host: Host) -> Stack {
    Stack {
        name: "s".into(),
        title: "s".into(),
        environment: "test".into(),
        layers: vec![Layer { id: LayerId::new("l"), name: "l".into(), needs: Vec::new() }],
        hosts: vec![host],
        logins: Vec::new(),
        probes: Vec::new(),
        metrics: quarterdeck::stack::metrics::Metrics::default(),
        procedures: quarterdeck::stack::procedure::spec::Procedures::default(),
    }
}

/// A host and what its probes share.
pub struct Bench {
    rt: tokio::runtime::Runtime,
    pub transport: Transport,
    shared: Shared,
    clock: SystemClock,
}

impl Bench {
    /// This machine, with directories before its PATH.
    pub fn local(path: &[&Path]) -> Bench {
        Bench::new(TransportSpec::Local, path, &[])
    }

    pub fn new(transport: TransportSpec, path: &[&Path], probes: &[Probe]) -> Bench {
        let rt = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let path = path.iter().map(|p| p.display().to_string()).collect();
        let host = Host { id: HostId::new("h"), transport, path };
        let transport = Transport::new(&host).unwrap();
        let stack = Stack { probes: probes.to_vec(), ..stack(host) };
        Bench {
            rt,
            transport,
            shared: Shared::for_stack(Secrets::default(), &stack),
            clock: SystemClock::new(),
        }
    }

    /// Looks once.
    pub fn look(&self, probe: &Probe) -> Reading {
        self.rt.block_on(probe::run(&Context::new(&self.transport, &self.shared, &self.clock, probe)))
    }

    pub fn look_at(&self, kind: &str, lines: &str) -> Reading {
        self.look(&probe(kind, lines))
    }

    /// Looks at all of them at the same time.
    pub fn look_together(&self, probes: &[Probe]) -> Vec<Reading> {
        self.rt.block_on(async {
            let contexts: Vec<_> =
                probes.iter().map(|p| Context::new(&self.transport, &self.shared, &self.clock, p)).collect();
            let mut looks: Vec<_> = contexts.iter().map(|cx| Box::pin(probe::run(cx))).collect();
            let mut out = vec![None; looks.len()];
            std::future::poll_fn(|task| {
                for (look, slot) in looks.iter_mut().zip(&mut out) {
                    if slot.is_none()
                        && let std::task::Poll::Ready(reading) = look.as_mut().poll(task)
                    {
                        *slot = Some(reading);
                    }
                }
                if out.iter().all(Option::is_some) {
                    std::task::Poll::Ready(())
                } else {
                    std::task::Poll::Pending
                }
            })
            .await;
            out.into_iter().flatten().collect()
        })
    }

    pub fn shared(&self) -> &Shared {
        &self.shared
    }

    pub fn block_on<T>(&self, work: impl Future<Output = T>) -> T {
        self.rt.block_on(work)
    }
}

/// Everything a reading keeps, as one text: for what must not be in it.
pub fn everything(reading: &Reading) -> String {
    format!("{reading:?}")
}

/// A program for a directory of [`Bench::local`].
pub fn tool(dir: &Path, name: &str, script: &str) {
    let path = dir.join(name);
    std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
}

/// Whether a real component can be used. What is missing fails the test where everything is
/// required, and is said otherwise.
pub fn real(programs: &[(&str, &str)]) -> bool {
    let mut missing: Vec<&str> = programs
        .iter()
        .filter(|(program, _)| {
            !["/usr/sbin", "/usr/bin", "/sbin", "/bin", "/lib/systemd"]
                .iter()
                .any(|d| Path::new(d).join(program).exists())
        })
        .map(|(_, package)| *package)
        .collect();
    if std::fs::metadata("/proc/self").is_ok_and(|m| std::os::unix::fs::MetadataExt::uid(&m) != 0) {
        missing.push("(root's privileges)");
    }
    if missing.is_empty() {
        return true;
    }
    missing.dedup();
    let why = format!("needs {}", missing.join(", "));
    assert!(std::env::var("QUARTERDECK_REQUIRE_REAL").as_deref() != Ok("1"), "{why}");
    eprintln!("skipped: {why}");
    false
}

/// A child that is killed and waited for at the end.
pub struct Killed(pub Child);

impl Killed {
    /// Starts a program that also ends when this thread does, even if nothing is dropped.
    pub fn start(argv: &[&str]) -> Killed {
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL", "--"]).args(argv).stdin(std::process::Stdio::null());
        Killed(command.spawn().unwrap())
    }

    /// The first child of it.
    pub fn only_child(&self) -> Option<u32> {
        let id = self.0.id();
        let children = std::fs::read_to_string(format!("/proc/{id}/task/{id}/children")).ok()?;
        children.split_whitespace().next()?.parse().ok()
    }
}

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Waits for something that is known to come, and fails loudly when it does not.
pub fn wait_for<T>(what: &str, mut ready: impl FnMut() -> Option<T>) -> T {
    for _ in 0..3000 {
        if let Some(found) = ready() {
            return found;
        }
        pause();
    }
    panic!("waited too long for {what}");
}

#[expect(
    clippy::disallowed_methods,
    reason = "between two looks at another process there is nothing to wait on"
)]
pub fn pause() {
    std::thread::sleep(Duration::from_millis(10));
}

/// The living processes whose command line holds a text.
pub fn running(text: &str) -> Vec<u32> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|n| n.parse::<u32>().ok()) else { continue };
        let line = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
        let line = String::from_utf8_lossy(&line).replace('\0', " ");
        if line.contains(text) && pid != std::process::id() {
            found.push(pid);
        }
    }
    found
}
