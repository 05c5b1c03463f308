//! What several kinds are told in the same way: addresses and TLS.

use crate::stack::decode::{At, Table};
use std::fmt;
use std::path::PathBuf;

/// Where a connection goes, seen from the probe's host.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Endpoint {
    Tcp { host: String, port: u16 },
    Unix(PathBuf),
}

impl Endpoint {
    /// Reads `host:port`, `[v6]:port`, or `unix:/path` (also a plain absolute path).
    pub fn parse(text: &str, default_port: Option<u16>) -> Option<Endpoint> {
        if let Some(path) = text.strip_prefix("unix:").or_else(|| text.starts_with('/').then_some(text)) {
            return path.starts_with('/').then(|| Endpoint::Unix(PathBuf::from(path)));
        }
        let (host, port) = if let Some(rest) = text.strip_prefix('[') {
            let (host, tail) = rest.split_once(']')?;
            (host, tail.strip_prefix(':'))
        } else if text.matches(':').count() > 1 {
            (text, None) // a bare IPv6 address
        } else {
            text.split_once(':').map_or((text, None), |(h, p)| (h, Some(p)))
        };
        let port = match port {
            Some(p) => p.parse().ok().filter(|p| *p != 0)?,
            None => default_port?,
        };
        let good = !host.is_empty() && host.chars().all(|c| c.is_ascii_alphanumeric() || "-._:%".contains(c));
        good.then(|| Endpoint::Tcp { host: host.to_owned(), port })
    }

    /// Whether it stays on the machine it is opened on.
    pub fn is_loopback(&self) -> bool {
        match self {
            Endpoint::Unix(_) => true,
            Endpoint::Tcp { host, .. } => {
                host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
            }
        }
    }

    /// Reads it from a key; without the key, it is the usual port of this machine.
    pub fn decode_or_local(table: &Table<'_>, key: &'static str, usual_port: u16) -> Option<Endpoint> {
        // Asked for in any case, so that a misspelt key is offered this one.
        if table.str(key).is_none() && !table.has(key) {
            return Some(Endpoint::Tcp { host: "127.0.0.1".to_owned(), port: usual_port });
        }
        Self::decode(table, key, Some(usual_port))
    }

    /// Reads it from a key, noting what is wrong.
    pub fn decode(table: &Table<'_>, key: &'static str, default_port: Option<u16>) -> Option<Endpoint> {
        let At { value, span } = table.need_str(key)?;
        let endpoint = Endpoint::parse(&value, default_port);
        if endpoint.is_none() {
            let help = "write \"127.0.0.1:6379\", \"[::1]:6379\" or \"unix:/run/x.sock\"";
            let shown = crate::domain::text::one_line(&value, 60);
            table.reader.error(
                span,
                format!("`{key}` expects an address, got \"{shown}\""),
                Some(help.into()),
            );
        }
        endpoint
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Endpoint::Tcp { host, port } if host.contains(':') => write!(f, "[{host}]:{port}"),
            Endpoint::Tcp { host, port } => write!(f, "{host}:{port}"),
            Endpoint::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

/// `tls = { ca = "/path.pem", server_name = "x" }`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tls {
    /// A PEM file of the CAs to trust instead of the system's.
    pub ca: Option<String>,
    /// The name to expect in the certificate, if it is not the address's.
    pub server_name: Option<String>,
    /// Any certificate will do. No file can say so of something that is only looked at.
    pub insecure: bool,
}

impl Tls {
    /// Reads the `tls` key; `None` when it is absent.
    pub fn decode(table: &Table<'_>) -> Option<Tls> {
        let inner = table.table("tls", "tls table")?;
        let tls = Tls {
            ca: inner.str("ca").map(|s| s.value),
            server_name: inner.str("server_name").map(|s| s.value),
            insecure: false,
        };
        inner.finish();
        Some(tls)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_read_in_their_usual_forms() {
        let tcp = |host: &str, port| Some(Endpoint::Tcp { host: host.into(), port });
        let table = [
            ("127.0.0.1:6379", tcp("127.0.0.1", 6379)),
            ("redis.internal", tcp("redis.internal", 99)),
            ("[::1]:5432", tcp("::1", 5432)),
            ("::1", tcp("::1", 99)),
            ("unix:/run/a.sock", Some(Endpoint::Unix("/run/a.sock".into()))),
            ("/run/a.sock", Some(Endpoint::Unix("/run/a.sock".into()))),
            ("a:0", None),
            ("a:99999", None),
            ("unix:run", None),
            ("", None),
            ("a b:1", None),
        ];
        for (text, want) in table {
            assert_eq!(Endpoint::parse(text, Some(99)), want, "{text}");
        }
    }
}
