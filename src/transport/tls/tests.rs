//! TLS as a client sees it: what is accepted, what is refused, and in which words.

use super::*;
use rustls::pki_types::PrivateKeyDer;
use std::net::Ipv4Addr;
use tokio::net::{TcpListener, TcpStream};

fn block_on<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
}

/// A CA called `of` and a server certificate it issued for `name`, with its years of validity.
struct Issued {
    ca_pem: String,
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
}

fn issue(name: &str, years: (i32, i32)) -> Issued {
    issue_by("a CA", name, years)
}

fn issue_by(of: &str, name: &str, years: (i32, i32)) -> Issued {
    let ca_key = rcgen::KeyPair::generate().unwrap();
    let mut ca = rcgen::CertificateParams::new(Vec::<String>::new()).unwrap();
    ca.distinguished_name.push(rcgen::DnType::CommonName, of);
    ca.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let ca_cert = ca.self_signed(&ca_key).unwrap();
    let issuer = rcgen::Issuer::new(ca, ca_key);
    let key = rcgen::KeyPair::generate().unwrap();
    let mut leaf = rcgen::CertificateParams::new(vec![name.to_owned()]).unwrap();
    leaf.not_before = rcgen::date_time_ymd(years.0, 1, 1);
    leaf.not_after = rcgen::date_time_ymd(years.1, 1, 1);
    let cert = leaf.signed_by(&key, &issuer).unwrap();
    Issued {
        ca_pem: ca_cert.pem(),
        chain: vec![cert.der().clone()],
        key: PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
    }
}

/// Shakes hands with a server that shows `issued`; the client trusts `ca_pem`.
fn handshake(issued: Issued, ca_pem: &str, server_name: Option<&str>) -> Result<(), String> {
    let dir = tempfile::tempdir().unwrap();
    let ca = dir.path().join("ca.pem");
    std::fs::write(&ca, ca_pem).unwrap();
    let server = rustls::ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(issued.chain, issued.key)
        .unwrap();
    block_on(async {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(server));
        let serve = async {
            let (stream, _) = listener.accept().await.unwrap();
            let _ = acceptor.accept(stream).await;
        };
        let tls = Tls {
            ca: Some(ca.display().to_string()),
            server_name: server_name.map(str::to_owned),
            ..Tls::default()
        };
        let to = Endpoint::Tcp { host: "127.0.0.1".into(), port };
        let client = async {
            let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.unwrap();
            connect(Stream::Tcp(stream), &to, &tls).await
        };
        let ((), result) = tokio::join!(serve, client);
        result.map(drop).map_err(|e| e.to_string().replace(&ca.display().to_string(), "CA"))
    })
}

/// Years of validity, another CA that is trusted instead, the name expected, what is said.
type Case = ((i32, i32), Option<&'static str>, &'static str, &'static str);

#[test]
fn a_certificate_is_accepted_or_refused_in_words() {
    let good = issue("a.example", (2020, 2090));
    let own_ca = good.ca_pem.clone();
    assert_eq!(handshake(good, &own_ca, Some("a.example")), Ok(()));

    let by_address = issue("127.0.0.1", (2020, 2090));
    let ca = by_address.ca_pem.clone();
    assert_eq!(handshake(by_address, &ca, None), Ok(()));

    let table: [Case; 5] = [
        (
            (2010, 2020),
            None,
            "a.example",
            "expected a valid certificate, got one that expired on 2020-01-01 00:00 UTC",
        ),
        (
            (2080, 2090),
            None,
            "a.example",
            "expected a valid certificate, got one that is not valid before 2080-01-01 00:00 UTC",
        ),
        ((2020, 2090), None, "b.example", "expected a certificate for b.example, got one for a.example"),
        ((2020, 2090), Some("other CA"), "a.example", "certificate not trusted: no CA of CA issued it"),
        (
            (2020, 2090),
            Some("a CA"),
            "a.example",
            "certificate not trusted: its issuer has the name of a CA we trust, but another key",
        ),
    ];
    for (years, trusted, name, want) in table {
        let issued = issue("a.example", years);
        let ca =
            trusted.map_or_else(|| issued.ca_pem.clone(), |other| issue_by(other, "x", (2020, 2090)).ca_pem);
        assert_eq!(handshake(issued, &ca, Some(name)), Err(want.to_owned()));
    }
}

#[test]
fn a_server_without_tls_is_told_apart() {
    let answer = |bytes: &'static [u8]| {
        block_on(async {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
            let addr = listener.local_addr().unwrap();
            let serve = async {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut hello = [0; 1];
                tokio::io::AsyncReadExt::read_exact(&mut stream, &mut hello).await.unwrap();
                tokio::io::AsyncWriteExt::write_all(&mut stream, bytes).await.unwrap();
            };
            let dir = tempfile::tempdir().unwrap();
            let ca = dir.path().join("ca.pem");
            std::fs::write(&ca, issue("x", (2020, 2090)).ca_pem).unwrap();
            let tls = Tls { ca: Some(ca.display().to_string()), ..Tls::default() };
            let to = Endpoint::Tcp { host: "127.0.0.1".into(), port: addr.port() };
            let client =
                async { connect(Stream::Tcp(TcpStream::connect(addr).await.unwrap()), &to, &tls).await };
            tokio::join!(serve, client).1.map(drop).unwrap_err().to_string()
        })
    };
    assert_eq!(
        answer(b"HTTP/1.1 400 Bad Request\r\n\r\n"),
        "expected a TLS handshake, got something that is not TLS"
    );
    assert!(answer(b"").starts_with("expected a TLS handshake, got a c"), "{}", answer(b""));
}

#[test]
fn a_bad_ca_file_is_our_own_fault_and_named() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name).display().to_string();
    std::fs::write(at("empty"), "nothing here\n").unwrap();
    std::fs::write(at("torn"), "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n").unwrap();
    for (path, want) in [
        (at("none"), "cannot read the CA file"),
        (at("."), "it is not a file"),
        (at("empty"), "holds no certificate; it must be PEM"),
        (at("torn"), "certificate 1 of the CA file"),
    ] {
        match block_on(trust(Some(&path))) {
            Err(TlsError::Ours(why)) => assert!(why.contains(want), "{why}"),
            other => panic!("{path}: {other:?}"),
        }
    }
}

#[test]
fn a_ca_file_is_read_once_until_it_changes() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("ca.pem").display().to_string();
    std::fs::write(&path, issue("x", (2020, 2090)).ca_pem).unwrap();
    let first = block_on(trust(Some(&path))).unwrap();
    assert!(Arc::ptr_eq(&first, &block_on(trust(Some(&path))).unwrap()));
    let more = issue("x", (2020, 2090)).ca_pem + &issue("y", (2020, 2090)).ca_pem;
    std::fs::write(&path, more).unwrap();
    assert_eq!(block_on(trust(Some(&path))).unwrap().roots.len(), 2);
}

#[test]
fn a_unix_socket_needs_a_name() {
    let to = Endpoint::Unix("/run/a.sock".into());
    let why = server_name(&to, &Tls::default()).unwrap_err().to_string();
    assert_eq!(why, "TLS over a Unix socket needs tls.server_name");
    let named = Tls { server_name: Some("a.example".into()), ..Tls::default() };
    assert_eq!(server_name(&to, &named).unwrap(), ServerName::try_from("a.example").unwrap());
}
