//! Looks at a certificate, in a file or as a server shows it.

mod shown;

use super::{Context, Fault, Found, file, host};
use crate::domain::fact::Fact;
use crate::domain::text;
use crate::domain::units::{self, Unit};
use crate::stack::kind::cert::{Place, Spec};
use crate::transport::tls;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use serde_json::Value;
use shown::MAX_CHAIN;
use std::fmt::Write as _;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, X509Certificate};

/// The largest certificate file read, in bytes.
const MAX_FILE: usize = 1 << 20;
/// Names kept of one certificate.
const MAX_NAMES: usize = 200;
/// The longest subject or issuer kept, in characters.
const MAX_NAME: usize = 200;

pub(super) async fn look(spec: &Spec, cx: &Context<'_>) -> Result<Found, Fault> {
    let chain = match &spec.from {
        Place::File(path) => read_chain(path, cx).await?,
        Place::Server(to) => {
            let stream = cx.connect(to).await?;
            shown::chain_of(stream, to, &spec.tls).await?
        }
    };
    let own = chain.first().ok_or_else(|| Fault::Down("expected a certificate, got none".to_owned()))?;
    let now = cx.clock.now().wall;
    let details = Details::read(own, now).map_err(Fault::Down)?;
    let trusted = if cx.speaks_of("CHAIN") || spec.tls.ca.is_some() {
        verify(&chain, spec, &details, now).await
    } else {
        Trusted::Unasked
    };
    if details.not_before > now {
        let from = details.not_before;
        return Err(Fault::Down(format!(
            "expected a valid certificate, got one that is not valid before {from}"
        )));
    }
    Ok(report(&details, &trusted, &chain))
}

async fn read_chain(path: &str, cx: &Context<'_>) -> Result<Vec<CertificateDer<'static>>, Fault> {
    let bytes = host::read(cx, path, MAX_FILE + 1).await;
    let bytes = bytes.map_err(|e| match e {
        crate::transport::files::FileError::NotFound => {
            Fault::Down(format!("expected a certificate at {path}, got no such file"))
        }
        other => file::fault(path, other),
    })?;
    if bytes.len() > MAX_FILE {
        return Err(Fault::Down(format!("expected a certificate at {path}, got a file of more than 1MiB")));
    }
    parse_chain(&bytes).map_err(|why| Fault::Down(format!("expected a certificate at {path}, got {why}")))
}

/// PEM or DER. A private key that stands beside a PEM certificate is passed over.
fn parse_chain(bytes: &[u8]) -> Result<Vec<CertificateDer<'static>>, String> {
    if bytes.is_empty() {
        return Err("an empty file".to_owned());
    }
    if !bytes.windows(11).any(|w| w == b"-----BEGIN ") {
        return Ok(vec![CertificateDer::from(bytes.to_vec())]);
    }
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(bytes).take(MAX_CHAIN).collect();
    let chain = chain.map_err(|e| format!("damaged PEM: {}", text::one_line(&e.to_string(), 80)))?;
    if chain.is_empty() { Err("PEM without a certificate".to_owned()) } else { Ok(chain) }
}

/// What a certificate says.
struct Details {
    not_before: jiff::Timestamp,
    not_after: jiff::Timestamp,
    /// Seconds until it expires.
    left: f64,
    subject: String,
    issuer: String,
    names: Vec<String>,
    self_signed: bool,
}

impl Details {
    fn read(der: &CertificateDer<'_>, now: jiff::Timestamp) -> Result<Details, String> {
        let damaged = |_| "expected a certificate, got something that is none".to_owned();
        let (rest, cert) = X509Certificate::from_der(der).map_err(damaged)?;
        if !rest.is_empty() {
            return Err(format!("expected a certificate, got one with {} bytes after it", rest.len()));
        }
        let time = |seconds: i64| {
            jiff::Timestamp::from_second(seconds)
                .map_err(|_| "expected a certificate, got one with a date out of bounds".to_owned())
        };
        let not_after = time(cert.validity().not_after.timestamp())?;
        Ok(Details {
            not_before: time(cert.validity().not_before.timestamp())?,
            not_after,
            left: not_after.duration_since(now).as_secs_f64(),
            subject: text::one_line(&cert.subject().to_string(), MAX_NAME),
            issuer: text::one_line(&cert.issuer().to_string(), MAX_NAME),
            names: names(&cert),
            self_signed: cert.subject().as_raw() == cert.issuer().as_raw(),
        })
    }
}

fn names(cert: &X509Certificate<'_>) -> Vec<String> {
    let Ok(Some(san)) = cert.subject_alternative_name() else { return Vec::new() };
    let shown = san.value.general_names.iter().filter_map(|name| match name {
        GeneralName::DNSName(name) => Some(text::one_line(name, MAX_NAME)),
        GeneralName::IPAddress(bytes) => {
            let v4 = <[u8; 4]>::try_from(*bytes).map(IpAddr::from);
            v4.or_else(|_| <[u8; 16]>::try_from(*bytes).map(IpAddr::from)).ok().map(|ip| ip.to_string())
        }
        _ => None,
    });
    shown.take(MAX_NAMES).collect()
}

/// What came of verifying a chain.
enum Trusted {
    Yes,
    No(String),
    /// It could not be verified.
    Unknown(String),
    Unasked,
}

async fn verify(
    chain: &[CertificateDer<'static>],
    spec: &Spec,
    details: &Details,
    now: jiff::Timestamp,
) -> Trusted {
    let ca = spec.tls.ca.as_deref();
    let name = match (&spec.from, details.names.first()) {
        (Place::Server(to), _) => tls::server_name(to, &spec.tls),
        (Place::File(_), _) if ca.is_none() => {
            return Trusted::Unknown("set `ca` to verify the chain of a file".to_owned());
        }
        (Place::File(path), own) => {
            // Without a name to expect, the first of its own: what is asked is who vouches for it.
            let name = spec.tls.server_name.clone().or_else(|| own.cloned()).unwrap_or_default();
            ServerName::try_from(name)
                .map_err(|_| tls::TlsError::Ours(format!("{path} is for no name; set `server_name`")))
        }
    };
    let name = match name {
        Ok(name) => name,
        Err(e) => return Trusted::Unknown(e.to_string()),
    };
    let trust = match tls::trust(ca).await {
        Ok(trust) => trust,
        Err(e) => return Trusted::Unknown(e.to_string()),
    };
    let verifier =
        WebPkiServerVerifier::builder_with_provider(Arc::clone(&trust.roots), tls::provider()).build();
    let (verifier, Some((own, others))) = (verifier, chain.split_first()) else { return Trusted::Unasked };
    let since_epoch = Duration::from_secs(u64::try_from(now.as_second()).unwrap_or(0));
    match verifier {
        Err(e) => Trusted::Unknown(format!("cannot verify the chain: {e}")),
        Ok(verifier) => {
            let now = UnixTime::since_unix_epoch(since_epoch);
            match verifier.verify_server_cert(own, others, &name, &[], now) {
                Ok(_) => Trusted::Yes,
                Err(e) => Trusted::No(tls::describe(&e, ca)),
            }
        }
    }
}

fn report(details: &Details, trusted: &Trusted, chain: &[CertificateDer<'static>]) -> Found {
    let left = Duration::try_from_secs_f64(details.left.abs()).unwrap_or_default();
    let left = units::long_age(left);
    let whose = details.names.first().unwrap_or(&details.subject);
    let summary = if details.left < 0.0 {
        format!("expired {left} ago, {whose}")
    } else {
        format!("{left} left, {whose}")
    };
    let mut found =
        Found { evidence: evidence(details, trusted, chain, &summary), summary, ..Found::default() };
    let facts = &mut found.facts;
    facts.number("LEFT", details.left, Unit::Seconds);
    facts.text("NOT_AFTER", details.not_after.to_string());
    facts.text("SUBJECT", details.subject.as_str());
    facts.text("ISSUER", details.issuer.as_str());
    facts.bool("SELF_SIGNED", details.self_signed);
    let names = details.names.iter().cloned().map(Value::String).collect();
    facts.set("NAMES", Fact::Json(Value::Array(names)));
    match trusted {
        Trusted::Yes => facts.bool("CHAIN", true),
        Trusted::No(_) => facts.bool("CHAIN", false),
        Trusted::Unknown(why) => facts.set("CHAIN", Fact::Unavailable(why.clone())),
        Trusted::Unasked => {}
    }
    found
}

fn evidence(
    details: &Details,
    trusted: &Trusted,
    chain: &[CertificateDer<'static>],
    summary: &str,
) -> String {
    let chain_says = match trusted {
        Trusted::Yes => "verifies",
        Trusted::No(why) | Trusted::Unknown(why) => why.as_str(),
        Trusted::Unasked => "not asked for",
    };
    let names = if details.names.is_empty() { "none".to_owned() } else { details.names.join(", ") };
    let mut out = format!(
        "{summary}\nsubject: {}\nissuer: {}\nnames: {names}\nvalid: {} to {}\nchain: {chain_says}\n",
        details.subject, details.issuer, details.not_before, details.not_after
    );
    for (i, der) in chain.iter().enumerate().skip(1) {
        let subject = X509Certificate::from_der(der).map_or_else(
            |_| "damaged".to_owned(),
            |(_, cert)| format!("{}, until {}", cert.subject(), cert.validity().not_after),
        );
        let _ = writeln!(out, "chain {i}: {}", text::one_line(&subject, MAX_NAME));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn self_signed(name: &str, years: (i32, i32)) -> rcgen::Certificate {
        let key = rcgen::KeyPair::generate().unwrap();
        let mut params = rcgen::CertificateParams::new(vec![name.to_owned(), "10.0.0.1".to_owned()]).unwrap();
        params.not_before = rcgen::date_time_ymd(years.0, 1, 1);
        params.not_after = rcgen::date_time_ymd(years.1, 1, 1);
        params.self_signed(&key).unwrap()
    }

    fn now() -> jiff::Timestamp {
        "2026-01-01T00:00:00Z".parse().unwrap()
    }

    #[test]
    fn a_certificate_tells_how_long_it_lasts_and_for_whom() {
        let cert = self_signed("a.example", (2020, 2027));
        let details = Details::read(cert.der(), now()).unwrap();
        assert_eq!(details.left as i64, 365 * 86_400);
        assert_eq!(details.not_after.to_string(), "2027-01-01T00:00:00Z");
        assert_eq!(details.names, ["a.example", "10.0.0.1"]);
        assert_eq!(details.subject, "CN=rcgen self signed cert");
        assert!(details.self_signed);
        let expired = self_signed("a.example", (2020, 2025));
        assert_eq!(Details::read(expired.der(), now()).unwrap().left as i64, -365 * 86_400);
    }

    #[test]
    fn pem_and_der_are_told_apart() {
        let cert = self_signed("a.example", (2020, 2027));
        let key = rcgen::KeyPair::generate().unwrap().serialize_pem();
        assert_eq!(parse_chain(cert.der()).unwrap(), [cert.der().clone()]);
        let pem = format!("some words\n{key}{}{}", cert.pem(), cert.pem());
        assert_eq!(parse_chain(pem.as_bytes()).unwrap().len(), 2);
        assert_eq!(parse_chain(key.as_bytes()), Err("PEM without a certificate".to_owned()));
        assert_eq!(parse_chain(b""), Err("an empty file".to_owned()));
    }

    proptest! {
        #[test]
        fn damaged_certificates_are_refused_without_panic(at in 0usize..300, byte: u8, cut in 0usize..400) {
            let mut der = self_signed("a.example", (2020, 2027)).der().to_vec();
            let at = at % der.len();
            der[at] = byte;
            der.truncate(der.len().max(cut + 1) - cut);
            let _ = Details::read(&CertificateDer::from(der.clone()), now());
            let _ = parse_chain(&der);
        }
    }
}
