//! Looks by asking a DNS server one question: over UDP, again when nothing comes, and over TCP
//! when the answer does not fit. Through another transport than our own machine's, only over TCP.

use super::{Context, Fault, Found, Phase, reply, udp};
use crate::domain::fact::Fact;
use crate::domain::text;
use crate::domain::units::Unit;
use crate::observe::wire::dns::{Answer, Wrong, answer, first_nameserver, question};
use crate::stack::kind::common::Endpoint;
use crate::stack::kind::dns::Spec;
use crate::transport::Command;
use std::io::Read;
use std::time::Duration;
use tokio::io::AsyncReadExt;
use tokio::net::UdpSocket;

/// The question is sent anew for each, since one datagram lost is no failure; each is a part of
/// the timeout, and together they end before it, so that silence is told as what it is.
const WAITS: [f64; 3] = [0.25, 0.25, 0.4];
/// The longest datagram read; without an extension that we do not ask for, 512 is the most.
const MAX_DATAGRAM: usize = 4 << 10;
/// Datagrams that are not ours, before we stop listening.
const MAX_STRAY: usize = 64;
/// How long a host's resolver is taken to be the same.
const RESOLVER_AGE: Duration = Duration::from_secs(60);

pub(super) async fn look(spec: &Spec, cx: &Context<'_>) -> Result<Found, Fault> {
    let server = match &spec.server {
        Some(server) => server.clone(),
        None => resolver(cx).await?,
    };
    let id = random_id().map_err(|e| Fault::Unknown(format!("no random numbers here: {e}")))?;
    let message = question(id, &spec.name, spec.record);
    cx.phase(Phase::Connecting);
    let over_udp =
        if cx.transport.is_local() { Some(ask_udp(spec, cx, &server, id, &message).await?) } else { None };
    let got = match over_udp {
        Some(got) if !got.truncated => got,
        _ => ask_tcp(spec, cx, &server, id, &message).await?,
    };
    Ok(found(spec, &server, got))
}

/// The host's own resolver.
async fn resolver(cx: &Context<'_>) -> Result<Endpoint, Fault> {
    let command = Command::new(["cat", "/etc/resolv.conf"]);
    let host = &cx.probe.host;
    let got = cx.shared.command(host, cx.transport, &command, RESOLVER_AGE, cx.clock).await?;
    let text = String::from_utf8_lossy(&got.output.stdout);
    // As resolv.conf(5) has it: without one, the server is on the machine itself.
    let ip = first_nameserver(&text).unwrap_or(std::net::Ipv4Addr::LOCALHOST.into());
    Ok(Endpoint::Tcp { host: ip.to_string(), port: 53 })
}

/// An id that a forger cannot guess.
fn random_id() -> std::io::Result<u16> {
    let mut bytes = [0; 2];
    std::fs::File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(u16::from_be_bytes(bytes))
}

async fn ask_udp(
    spec: &Spec,
    cx: &Context<'_>,
    server: &Endpoint,
    id: u16,
    message: &[u8],
) -> Result<Answer, Fault> {
    let Endpoint::Tcp { host, port } = server else {
        return Err(Fault::Unknown("a DNS server needs a host and a port".to_owned()));
    };
    let to = udp::resolve(host, *port).await?;
    let socket = udp::connected(to).await?;
    for part in WAITS {
        socket.send(message).await.map_err(|e| udp::of_io(to, &e))?;
        let wait = cx.probe.timeout.mul_f64(part);
        match tokio::time::timeout(wait, hear(&socket, spec, id)).await {
            Ok(Ok(got)) => return got,
            Ok(Err(e)) => return Err(udp::of_io(to, &e)),
            Err(_) => {}
        }
    }
    Err(udp::silence(to, &format!("{} questions", WAITS.len())))
}

/// Waits for the answer to our question and passes over what is not.
async fn hear(socket: &UdpSocket, spec: &Spec, id: u16) -> std::io::Result<Result<Answer, Fault>> {
    let mut buffer = vec![0; MAX_DATAGRAM];
    for _ in 0..MAX_STRAY {
        let n = socket.recv(&mut buffer).await?;
        match answer(buffer.get(..n).unwrap_or(&[]), id, &spec.name, spec.record) {
            Ok(got) => return Ok(Ok(got)),
            Err(Wrong::Malformed(got)) => return Ok(Err(malformed(got))),
            Err(Wrong::NotOurs) => {}
        }
    }
    Ok(Err(malformed("only answers to other questions")))
}

fn malformed(got: &str) -> Fault {
    Fault::Down(format!("expected a DNS answer, got {got}"))
}

async fn ask_tcp(
    spec: &Spec,
    cx: &Context<'_>,
    server: &Endpoint,
    id: u16,
    message: &[u8],
) -> Result<Answer, Fault> {
    let mut stream = cx.connect(server).await?;
    let mut framed = (message.len() as u16).to_be_bytes().to_vec();
    framed.extend(message);
    reply::send(&mut stream, &framed).await?;
    let read = async {
        let length = stream.read_u16().await?;
        let mut body = vec![0; usize::from(length)];
        stream.read_exact(&mut body).await?;
        Ok::<_, std::io::Error>(body)
    };
    let body = read.await.map_err(|e| match e.kind() {
        std::io::ErrorKind::UnexpectedEof => malformed("a closed connection"),
        _ => reply::broken(&e),
    })?;
    answer(&body, id, &spec.name, spec.record).map_err(|wrong| match wrong {
        Wrong::NotOurs => malformed("one to another question"),
        Wrong::Malformed(got) => malformed(got),
    })
}

fn found(spec: &Spec, server: &Endpoint, got: Answer) -> Found {
    let shown = match got.records.as_slice() {
        [] => format!("{}, no {} record", got.rcode, spec.record.name()),
        all => text::one_line(&all.join(", "), 80),
    };
    let mut evidence = format!("{} {} asked of {server}: {}", spec.record.name(), spec.name, got.rcode);
    for record in &got.records {
        evidence.push('\n');
        evidence.push_str(record);
    }
    let mut found = Found { summary: shown, evidence, ..Found::default() };
    found.facts.number("COUNT", got.records.len() as f64, Unit::None);
    found.facts.set("ANSWERS", Fact::Json(got.records.into()));
    found.facts.text("RCODE", got.rcode);
    found
}
