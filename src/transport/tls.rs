//! TLS over a connection: whom to trust, what name to expect, and errors in words.

mod unchecked;

use super::stream::Stream;
use crate::domain::text;
use crate::stack::kind::common::{Endpoint, Tls};
use rustls::client::Resumption;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, ClientConfig, RootCertStore};
use std::collections::BTreeMap;
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::pin::Pin;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// The largest CA file read, in bytes.
pub const MAX_CA_FILE: u64 = 4 << 20;
/// Configurations kept, one for each CA file; a stack file names a handful.
const MAX_CONFIGS: usize = 64;
/// Names of a certificate that an error quotes.
const MAX_NAMES: usize = 5;

/// Why there is no TLS session.
#[derive(Debug)]
pub enum TlsError {
    /// The target's doing: a bad certificate, no TLS at all, a closed connection.
    Target(String),
    /// Ours: the CA file cannot be read, the name to expect is no name.
    Ours(String),
}

impl std::fmt::Display for TlsError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            TlsError::Target(why) | TlsError::Ours(why) => f.write_str(why),
        }
    }
}

impl std::error::Error for TlsError {}

/// A connection with TLS or without, as one type.
#[derive(Debug)]
pub enum Wire {
    Plain(Stream),
    Tls(Box<TlsStream<Stream>>),
}

/// Puts TLS on a connection when it is asked for. See [`connect`].
///
/// # Errors
/// As [`connect`].
pub async fn wrap(stream: Stream, to: &Endpoint, tls: Option<&Tls>) -> Result<Wire, TlsError> {
    match tls {
        None => Ok(Wire::Plain(stream)),
        Some(tls) => Ok(Wire::Tls(Box::new(connect(stream, to, tls).await?))),
    }
}

/// Shakes hands over an open connection and checks the certificate. Not bounded in time: the
/// caller's deadline does that. Cancel-safe: dropping it closes the connection.
///
/// # Errors
/// In words, such as "expected a certificate for a.example, got one for b.example".
pub async fn connect(stream: Stream, to: &Endpoint, tls: &Tls) -> Result<TlsStream<Stream>, TlsError> {
    let name = server_name(to, tls)?;
    let config = config(tls).await?;
    TlsConnector::from(config)
        .connect(name, stream)
        .await
        .map_err(|e| TlsError::Target(describe_io(&e, tls.ca.as_deref())))
}

/// The name that the certificate must be for.
///
/// # Errors
/// When the address is no name, such as a Unix socket without `server_name`.
pub fn server_name(to: &Endpoint, tls: &Tls) -> Result<ServerName<'static>, TlsError> {
    let name = match (&tls.server_name, to) {
        (Some(name), _) => name.clone(),
        (None, Endpoint::Tcp { host, .. }) => host.clone(),
        (None, Endpoint::Unix(_)) => {
            return Err(TlsError::Ours("TLS over a Unix socket needs tls.server_name".to_owned()));
        }
    };
    let shown = text::one_line(&name, 80);
    ServerName::try_from(name).map_err(|_| TlsError::Ours(format!("{shown} is no name for a certificate")))
}

/// The client configuration for a CA file or for the system's roots.
///
/// # Errors
/// As [`trust`].
pub async fn config(tls: &Tls) -> Result<Arc<ClientConfig>, TlsError> {
    if tls.insecure {
        return unchecked::config().map_err(TlsError::Ours);
    }
    Ok(Arc::clone(&trust(tls.ca.as_deref()).await?.config))
}

/// Whom to trust, and a client configuration that does.
#[derive(Debug)]
pub struct Trust {
    pub roots: Arc<RootCertStore>,
    pub config: Arc<ClientConfig>,
}

/// What a CA file looked like when it was read; another look means that it is read again.
type Stamp = (u64, u64, i64, i64);

#[derive(Default)]
struct Cache {
    system: Option<Arc<Trust>>,
    files: BTreeMap<String, (Stamp, Arc<Trust>)>,
}

static CACHE: LazyLock<Mutex<Cache>> = LazyLock::new(Mutex::default);
static PROVIDER: LazyLock<Arc<CryptoProvider>> =
    LazyLock::new(|| Arc::new(rustls::crypto::ring::default_provider()));

/// The cryptography that all of TLS here uses.
pub fn provider() -> Arc<CryptoProvider> {
    Arc::clone(&PROVIDER)
}

/// The roots of a PEM file, or the system's; read once on a thread of their own, and again when
/// the file has changed.
///
/// # Errors
/// When the CA file cannot be read or holds no certificate, or the system has no roots.
pub async fn trust(ca: Option<&str>) -> Result<Arc<Trust>, TlsError> {
    if let Some(known) = known(ca) {
        return Ok(known);
    }
    let ca = ca.map(str::to_owned);
    let loaded = tokio::task::spawn_blocking(move || load(ca.as_deref())).await;
    loaded.map_err(|e| TlsError::Ours(format!("cannot prepare TLS: {e}")))?.map_err(TlsError::Ours)
}

fn known(ca: Option<&str>) -> Option<Arc<Trust>> {
    let Some(path) = ca else { return lock().system.clone() };
    let stamp = stamp(&std::fs::metadata(path).ok()?);
    lock().files.get(path).filter(|(then, _)| *then == stamp).map(|(_, trust)| Arc::clone(trust))
}

fn lock() -> std::sync::MutexGuard<'static, Cache> {
    CACHE.lock().unwrap_or_else(PoisonError::into_inner)
}

fn stamp(meta: &std::fs::Metadata) -> Stamp {
    (meta.ino(), meta.len(), meta.mtime(), meta.mtime_nsec())
}

fn load(ca: Option<&str>) -> Result<Arc<Trust>, String> {
    let Some(path) = ca else {
        let trust = Arc::new(Trust::new(system_roots()?)?);
        lock().system = Some(Arc::clone(&trust));
        return Ok(trust);
    };
    let (stamp, pem) = read_ca(path).map_err(|e| format!("cannot read the CA file {path}: {e}"))?;
    let trust = Arc::new(Trust::new(roots_of(path, &pem)?)?);
    let mut cache = lock();
    if cache.files.len() >= MAX_CONFIGS {
        cache.files.clear();
    }
    cache.files.insert(path.to_owned(), (stamp, Arc::clone(&trust)));
    Ok(trust)
}

fn read_ca(path: &str) -> io::Result<(Stamp, Vec<u8>)> {
    // A FIFO of that name would otherwise wait for a writer for ever.
    if !std::fs::metadata(path)?.is_file() {
        return Err(io::Error::other("it is not a file"));
    }
    let file = std::fs::File::open(path)?;
    let stamp = stamp(&file.metadata()?);
    let mut pem = Vec::new();
    file.take(MAX_CA_FILE + 1).read_to_end(&mut pem)?;
    if pem.len() as u64 > MAX_CA_FILE {
        return Err(io::Error::other("it is larger than 4 MiB"));
    }
    Ok((stamp, pem))
}

fn roots_of(path: &str, pem: &[u8]) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    for (i, cert) in CertificateDer::pem_slice_iter(pem).enumerate() {
        let cert = cert.map_err(|e| format!("the CA file {path} is damaged: {e}"))?;
        roots.add(cert).map_err(|e| {
            format!("certificate {} of the CA file {path} cannot be used: {}", i + 1, describe(&e, None))
        })?;
    }
    if roots.is_empty() {
        return Err(format!("the CA file {path} holds no certificate; it must be PEM"));
    }
    Ok(roots)
}

fn system_roots() -> Result<RootCertStore, String> {
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    // Some systems carry roots that no longer parse; the others still serve.
    roots.add_parsable_certificates(found.certs);
    if roots.is_empty() {
        let why = found.errors.first().map(|e| format!(": {e}")).unwrap_or_default();
        return Err(format!("this system has no CA certificates{why}; name a CA file with tls.ca"));
    }
    Ok(roots)
}

impl Trust {
    fn new(roots: RootCertStore) -> Result<Trust, String> {
        let roots = Arc::new(roots);
        let mut config = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .map_err(|e| format!("cannot prepare TLS: {e}"))?
            .with_root_certificates(Arc::clone(&roots))
            .with_no_client_auth();
        // A resumed session does not show the certificate again, so its expiry would go unseen.
        config.resumption = Resumption::disabled();
        Ok(Trust { roots, config: Arc::new(config) })
    }
}

/// An error of a TLS connection in words; `ca` is the file that was trusted, if any.
pub fn describe_io(e: &io::Error, ca: Option<&str>) -> String {
    if let Some(tls) = e.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
        return describe(tls, ca);
    }
    match e.kind() {
        io::ErrorKind::UnexpectedEof => "expected a TLS handshake, got a closed connection".to_owned(),
        io::ErrorKind::ConnectionReset => "expected a TLS handshake, got a connection reset".to_owned(),
        _ => format!("expected a TLS handshake, got: {e}"),
    }
}

/// A TLS error in words; `ca` is the file that was trusted, if any.
pub fn describe(e: &rustls::Error, ca: Option<&str>) -> String {
    match e {
        rustls::Error::InvalidCertificate(why) => describe_certificate(why, ca),
        rustls::Error::InvalidMessage(_) => {
            "expected a TLS handshake, got something that is not TLS".to_owned()
        }
        rustls::Error::AlertReceived(alert) => {
            format!("expected a TLS handshake, got the alert {}", text::one_line(&format!("{alert:?}"), 60))
        }
        rustls::Error::PeerIncompatible(why) => {
            format!("expected TLS 1.2 or 1.3, got a server that does not fit: {why:?}")
        }
        rustls::Error::NoCertificatesPresented => "expected a certificate, got none".to_owned(),
        other => format!("expected a TLS handshake, got: {}", text::one_line(&other.to_string(), 160)),
    }
}

/// What is wrong with a certificate, in words.
pub fn describe_certificate(e: &CertificateError, ca: Option<&str>) -> String {
    match e {
        CertificateError::Expired => "expected a valid certificate, got one that has expired".to_owned(),
        CertificateError::ExpiredContext { not_after, .. } => {
            format!("expected a valid certificate, got one that expired on {}", day(*not_after))
        }
        CertificateError::NotValidYet => {
            "expected a valid certificate, got one that is not valid yet".to_owned()
        }
        CertificateError::NotValidYetContext { not_before, .. } => {
            format!("expected a valid certificate, got one that is not valid before {}", day(*not_before))
        }
        CertificateError::UnknownIssuer => match ca {
            Some(path) => format!("certificate not trusted: no CA of {path} issued it"),
            None => {
                "certificate not trusted: no CA of this system issued it; name its CA with tls.ca".to_owned()
            }
        },
        CertificateError::NotValidForName => "certificate for another name".to_owned(),
        CertificateError::NotValidForNameContext { expected, presented } => {
            let expected = expected.to_str();
            format!("expected a certificate for {expected}, got one for {}", names(presented))
        }
        CertificateError::Revoked => "expected a valid certificate, got one that was revoked".to_owned(),
        CertificateError::BadEncoding => "expected a certificate, got one that is damaged".to_owned(),
        CertificateError::BadSignature => {
            "certificate not trusted: its issuer has the name of a CA we trust, but another key".to_owned()
        }
        CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => {
            "certificate not trusted: it is not meant for servers".to_owned()
        }
        other => {
            let shown = text::one_line(&other.to_string(), 120);
            if shown.contains("CaUsedAsEndEntity") {
                return "certificate not trusted: the server shows its CA as its own certificate".to_owned();
            }
            format!("certificate not trusted: {shown}")
        }
    }
}

/// `DnsName("a.example")` as `a.example`; several with commas, none as "no name".
fn names(presented: &[String]) -> String {
    let mut out: Vec<String> = presented
        .iter()
        .take(MAX_NAMES)
        .map(|raw| {
            let inner = raw.split_once('(').map_or(raw.as_str(), |(_, rest)| rest.trim_end_matches(')'));
            text::one_line(inner.trim_matches('"'), 60)
        })
        .collect();
    if presented.len() > MAX_NAMES {
        out.push(format!("{} more", presented.len() - MAX_NAMES));
    }
    if out.is_empty() { "no name".to_owned() } else { out.join(", ") }
}

fn day(time: UnixTime) -> String {
    i64::try_from(time.as_secs())
        .ok()
        .and_then(|s| jiff::Timestamp::from_second(s).ok())
        .map_or_else(|| "an unknown day".to_owned(), |t| t.strftime("%Y-%m-%d %H:%M UTC").to_string())
}

impl AsyncRead for Wire {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Wire::Plain(s) => Pin::new(s).poll_read(cx, buf),
            Wire::Tls(s) => Pin::new(s).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Wire {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Wire::Plain(s) => Pin::new(s).poll_write(cx, buf),
            Wire::Tls(s) => Pin::new(s).poll_write(cx, buf),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Wire::Plain(s) => Pin::new(s).poll_flush(cx),
            Wire::Tls(s) => Pin::new(s).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Wire::Plain(s) => Pin::new(s).poll_shutdown(cx),
            Wire::Tls(s) => Pin::new(s).poll_shutdown(cx),
        }
    }
}

#[cfg(test)]
mod tests;
