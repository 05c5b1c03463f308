//! An `http://` or `https://` address, taken apart once so that each request costs little.

use crate::domain::text;
use crate::stack::kind::common::{Endpoint, Tls};
use hyper::Uri;
use hyper::header::HeaderValue;
use hyper::http::uri::PathAndQuery;
use std::path::PathBuf;

/// Where a request goes and what it says of that.
#[derive(Clone, Debug)]
pub struct Target {
    /// As it was written.
    pub url: String,
    pub endpoint: Endpoint,
    /// `Some` for https.
    pub tls: Option<Tls>,
    /// The `Host` header.
    pub host: HeaderValue,
    /// Path and query.
    pub path: Uri,
}

impl Target {
    /// Takes a URL apart. `tls` refines an https URL; `unix` is connected to instead of its host.
    ///
    /// # Errors
    /// What is wrong with the URL; completes "failed to understand the address: …".
    pub fn parse(url: &str, tls: Option<Tls>, unix: Option<&str>) -> Result<Target, String> {
        let shown = text::one_line(url, 80);
        let uri: Uri = url.parse().map_err(|e| format!("\"{shown}\" is no URL: {e}"))?;
        let https = match uri.scheme_str() {
            Some("http") => false,
            Some("https") => true,
            _ => return Err(format!("\"{shown}\" must begin with http:// or https://")),
        };
        let authority = uri.authority().ok_or_else(|| format!("\"{shown}\" names no host"))?;
        if authority.as_str().contains('@') {
            return Err("a user or password must not stand in a URL; use `auth`".to_owned());
        }
        let name = authority.host().trim_start_matches('[').trim_end_matches(']');
        let default = if https { 443 } else { 80 };
        // `http://host:` has a port of no digits; anything else that is no number is an error.
        let port = match authority.as_str().get(authority.host().len()..) {
            Some("" | ":") => default,
            _ => authority.port_u16().filter(|p| *p != 0).ok_or_else(|| format!("\"{shown}\" has no valid port"))?,
        };
        let endpoint = match unix {
            Some(path) => Endpoint::Unix(PathBuf::from(path)),
            None => Endpoint::Tcp { host: name.to_owned(), port },
        };
        if endpoint == (Endpoint::Tcp { host: String::new(), port }) {
            return Err(format!("\"{shown}\" names no host"));
        }
        if tls.is_some() && !https {
            return Err(format!("\"{shown}\" is not https, so `tls` does not apply"));
        }
        let tls = https.then(|| {
            let mut tls = tls.unwrap_or_default();
            // The name in the URL is meant, also when a Unix socket leads there.
            tls.server_name.get_or_insert_with(|| name.to_owned());
            tls
        });
        let host = if port == default { authority.host().to_owned() } else { format!("{}:{port}", authority.host()) };
        let host = HeaderValue::from_str(&host).map_err(|e| format!("\"{shown}\" is no URL: {e}"))?;
        let path = uri.path_and_query().cloned().unwrap_or_else(|| PathAndQuery::from_static("/"));
        let path = Uri::from(path);
        Ok(Target { url: url.to_owned(), endpoint, tls, host, path })
    }

    /// Whether what is sent can be read on its way.
    pub fn is_exposed(&self) -> bool {
        self.tls.is_none() && !self.endpoint.is_loopback()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_taken_apart() {
        let table = [
            ("http://127.0.0.1:8000/health?x=1", "127.0.0.1:8000", "127.0.0.1:8000", "/health?x=1", false),
            ("http://a.example", "a.example:80", "a.example", "/", false),
            ("https://a.example/x", "a.example:443", "a.example", "/x", true),
            ("https://[::1]:8443/", "[::1]:8443", "[::1]:8443", "/", true),
            ("http://a.example:80/", "a.example:80", "a.example", "/", false),
            ("http://a.example?q=1", "a.example:80", "a.example", "/?q=1", false),
        ];
        for (url, endpoint, host, path, tls) in table {
            let t = Target::parse(url, None, None).unwrap();
            let got = (t.endpoint.to_string(), t.host.to_str().unwrap().to_owned(), t.path.to_string(), t.tls.is_some());
            assert_eq!(got, (endpoint.into(), host.into(), path.into(), tls), "{url}");
        }
    }

    #[test]
    fn a_unix_socket_keeps_the_name_of_the_url() {
        let t = Target::parse("https://docker/version", None, Some("/run/d.sock")).unwrap();
        assert_eq!(t.endpoint, Endpoint::Unix("/run/d.sock".into()));
        assert_eq!(t.tls.unwrap().server_name.as_deref(), Some("docker"));
        assert_eq!(t.host, "docker");
    }

    #[test]
    fn what_is_no_url_is_refused_in_words() {
        let tls = || Some(Tls::default());
        let table = [
            ("ftp://a/", None, "must begin with http:// or https://"),
            ("/health", None, "must begin with"),
            ("http://u:p@a/", None, "must not stand in a URL"),
            ("http://a:0/", None, "no valid port"),
            ("http://a:99999/", None, "no valid port"),
            ("http://a b/", None, "is no URL"),
            ("http://a/", tls(), "is not https"),
        ];
        for (url, tls, want) in table {
            let why = Target::parse(url, tls, None).unwrap_err();
            assert!(why.contains(want), "{url}: {why}");
        }
    }
}
