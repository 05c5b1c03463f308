//! For probes that speak HTTP and TLS: servers with a handler, certificates of every sort, and a
//! watch whose probes share their sessions as in the program.

use crate::harness::fake::{Behaviour, Wire, tcp};
use quarterdeck::clock::{Clock, ManualClock};
use quarterdeck::domain::id::{HostId, SecretId};
use quarterdeck::domain::observation::Reading;
use quarterdeck::observe::probe::shared::Shared;
use quarterdeck::observe::probe::{Context, run};
use quarterdeck::stack::spec::{Host, Login, Probe, SecretSource, TransportSpec};
use quarterdeck::transport::Transport;
use quarterdeck::transport::secret::Secrets;
use quarterdeck::transport::tls::provider;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::io::BufRead;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// One request as a server sees it.
#[derive(Debug)]
pub struct Ask {
    /// `GET /path`
    pub line: String,
    /// `name: value`, names in lower case.
    pub headers: Vec<String>,
    pub body: String,
}

impl Ask {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find_map(|h| h.strip_prefix(name)?.strip_prefix(": "))
    }
}

/// A server that answers each request with what the handler gives: head lines and body.
pub fn web(handler: impl Fn(&Ask) -> String + Send + Sync + 'static) -> SocketAddr {
    tcp(talk(handler))
}

/// The same as a behaviour, for a Unix socket or under TLS.
pub fn talk(
    handler: impl Fn(&Ask) -> String + Send + Sync + 'static,
) -> impl Fn(&mut dyn Wire) + Send + Sync {
    move |wire| {
        while let Some(ask) = read_ask(wire) {
            if wire.write_all(handler(&ask).as_bytes()).is_err() || ask.header("connection") == Some("close")
            {
                return;
            }
        }
    }
}

fn read_ask(wire: &mut dyn Wire) -> Option<Ask> {
    let mut reader = std::io::BufReader::new(wire);
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        let line = line.trim_end();
        if line.is_empty() {
            break;
        }
        lines.push(line.to_owned());
    }
    let (first, headers) = lines.split_first()?;
    let headers =
        headers.iter().filter_map(|h| h.split_once(": ")).map(|(k, v)| format!("{}: {v}", k.to_lowercase()));
    let mut ask = Ask {
        line: first.trim_end_matches(" HTTP/1.1").to_owned(),
        headers: headers.collect(),
        body: String::new(),
    };
    let length = ask.header("content-length").and_then(|n| n.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    std::io::Read::read_exact(&mut reader, &mut body).ok()?;
    ask.body = String::from_utf8(body).ok()?;
    Some(ask)
}

/// An answer: `answer("200 OK", &["a: b"], "body")`.
pub fn answer(status: &str, headers: &[&str], body: &str) -> String {
    let more = headers.iter().fold(String::new(), |all, h| all + h + "\r\n");
    format!("HTTP/1.1 {status}\r\n{more}content-length: {}\r\n\r\n{body}", body.len())
}

/// A certificate authority.
pub struct Ca {
    pub pem: String,
    issuer: rcgen::Issuer<'static, rcgen::KeyPair>,
}

/// A certificate and its key.
pub struct Identity {
    pub pem: String,
    pub key_pem: String,
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
}

impl Ca {
    pub fn new(name: &str) -> Ca {
        let key = rcgen::KeyPair::generate().unwrap();
        let mut params = rcgen::CertificateParams::new(Vec::<String>::new()).unwrap();
        params.distinguished_name.push(rcgen::DnType::CommonName, name);
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let pem = params.self_signed(&key).unwrap().pem();
        Ca { pem, issuer: rcgen::Issuer::new(params, key) }
    }

    /// A certificate for a name, valid from and until the given years.
    pub fn issue(&self, name: &str, years: (i32, i32)) -> Identity {
        let key = rcgen::KeyPair::generate().unwrap();
        let mut params = rcgen::CertificateParams::new(vec![name.to_owned()]).unwrap();
        params.not_before = rcgen::date_time_ymd(years.0, 1, 1);
        params.not_after = rcgen::date_time_ymd(years.1, 1, 1);
        let cert = params.signed_by(&key, &self.issuer).unwrap();
        Identity {
            pem: cert.pem(),
            key_pem: key.serialize_pem(),
            chain: vec![cert.der().clone()],
            key: PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
        }
    }
}

/// A TLS server that shows this certificate; `inside` is what it does once hands are shaken.
pub fn tls(identity: &Identity, inside: impl Fn(&mut dyn Wire) + Send + Sync + 'static) -> SocketAddr {
    let config = rustls::ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(identity.chain.clone(), identity.key.clone_key())
        .unwrap();
    let config = Arc::new(config);
    let inside: Box<Behaviour> = Box::new(inside);
    tcp(move |wire| {
        let session = rustls::ServerConnection::new(Arc::clone(&config)).unwrap();
        inside(&mut rustls::StreamOwned::new(session, wire));
    })
}

/// Probes that share sessions and kept connections, on a clock that the test moves.
pub struct Watch {
    pub clock: Arc<ManualClock>,
    shared: Shared,
    transport: Transport,
    runtime: tokio::runtime::Runtime,
}

impl Watch {
    pub fn new(logins: &[Login], secrets: &[(&str, SecretSource)]) -> Watch {
        let here = Host { id: HostId::new("here"), transport: TransportSpec::Local, path: Vec::new() };
        let sources = secrets.iter().map(|(name, source)| (SecretId::new(name), source.clone()));
        Watch {
            clock: Arc::new(ManualClock::at("2026-01-01T00:00:00Z".parse().unwrap())),
            shared: Shared::with_logins(Secrets::new(sources.collect()), logins),
            transport: Transport::new(&here).unwrap(),
            runtime: tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap(),
        }
    }

    /// Seconds since the watch began.
    pub fn seconds(&self) -> u64 {
        self.clock.now().mono.as_secs()
    }

    pub fn advance(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
    }

    pub fn run(&self, probe: &Probe) -> Reading {
        self.runtime.block_on(run(&Context::new(&self.transport, &self.shared, &*self.clock, probe)))
    }

    /// Runs four probes at the same moment.
    pub fn run_four(&self, probe: &Probe) -> [Reading; 4] {
        let cx = || Context::new(&self.transport, &self.shared, &*self.clock, probe);
        let (a, b, c, d) = (cx(), cx(), cx(), cx());
        let all = self.runtime.block_on(async { tokio::join!(run(&a), run(&b), run(&c), run(&d)) });
        [all.0, all.1, all.2, all.3]
    }
}
