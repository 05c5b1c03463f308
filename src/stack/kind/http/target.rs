//! An `http://` or `https://` address, taken apart once so that each request costs little.

use crate::domain::text;
use crate::stack::kind::common::{Endpoint, Tls};
use std::path::PathBuf;

/// Where a request goes and what it says of that. All texts are such that they can be sent.
#[derive(Clone, Debug)]
pub struct Target {
    /// As it was written.
    pub url: String,
    pub endpoint: Endpoint,
    /// `Some` for https.
    pub tls: Option<Tls>,
    /// The `Host` header.
    pub host: String,
    /// Path and query.
    pub path: String,
}

impl Target {
    /// Takes a URL apart. `tls` refines an https URL; `unix` is connected to instead of its host.
    ///
    /// # Errors
    /// What is wrong with the URL; completes "failed to understand the address: …".
    pub fn parse(url: &str, tls: Option<Tls>, unix: Option<&str>) -> Result<Target, String> {
        let shown = text::one_line(url, 80);
        let after = |scheme: &str| {
            let (head, rest) = url.split_at_checked(scheme.len())?;
            head.eq_ignore_ascii_case(scheme).then_some(rest)
        };
        let (rest, https) = match (after("http://"), after("https://")) {
            (Some(rest), _) => (rest, false),
            (_, Some(rest)) => (rest, true),
            _ => return Err(format!("\"{shown}\" must begin with http:// or https://")),
        };
        // What follows `#` is for browsers and never sent.
        let rest = rest.split_once('#').map_or(rest, |(sent, _)| sent);
        let (authority, path) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
        let (endpoint, name, host) =
            take_authority(authority, https).map_err(|why| format!("\"{shown}\" {why}"))?;
        if tls.is_some() && !https {
            return Err(format!("\"{shown}\" is not https, so `tls` does not apply"));
        }
        if let Some(c) = path.chars().find(|c| !c.is_ascii_graphic() || "\"<>\\^`{|}".contains(*c)) {
            let c = text::one_line(&c.to_string(), 1);
            return Err(format!("\"{shown}\" has a `{c}` in it, which must be written in per cent: %XX"));
        }
        let tls = https.then(|| {
            let mut tls = tls.unwrap_or_default();
            // The name in the URL is meant, also when a Unix socket leads there.
            tls.server_name.get_or_insert(name);
            tls
        });
        let endpoint = unix.map_or(endpoint, |path| Endpoint::Unix(PathBuf::from(path)));
        let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
        Ok(Target { url: url.to_owned(), endpoint, tls, host, path })
    }

    /// Whether what is sent can be read on its way.
    pub fn is_exposed(&self) -> bool {
        self.tls.is_none() && !self.endpoint.is_loopback()
    }
}

/// The address, the bare name and the `Host` header of the part between `//` and the path.
fn take_authority(authority: &str, https: bool) -> Result<(Endpoint, String, String), String> {
    if authority.contains('@') {
        return Err("must not hold a user or password; use `auth`".to_owned());
    }
    let default = if https { 443 } else { 80 };
    let bare_v6 = !authority.starts_with('[') && authority.matches(':').count() > 1;
    match Endpoint::parse(authority, Some(default)).filter(|_| !bare_v6) {
        Some(Endpoint::Tcp { host, port }) => {
            let endpoint = Endpoint::Tcp { host: host.clone(), port };
            let shown = if host.contains(':') { format!("[{host}]") } else { host.clone() };
            let header = if port == default { shown } else { format!("{shown}:{port}") };
            Ok((endpoint, host, header))
        }
        _ => Err("names no valid host and port".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_url_is_taken_apart() {
        let table = [
            ("http://127.0.0.1:8000/health?x=1", "127.0.0.1:8000", "127.0.0.1:8000", "/health?x=1", false),
            ("http://a.example", "a.example:80", "a.example", "/", false),
            ("HTTPS://a.example/x#top", "a.example:443", "a.example", "/x", true),
            ("https://[::1]:8443/", "[::1]:8443", "[::1]:8443", "/", true),
            ("http://[::1]", "[::1]:80", "[::1]", "/", false),
            ("http://a.example:80/", "a.example:80", "a.example", "/", false),
            ("http://a.example?q=1/2", "a.example:80", "a.example", "/?q=1/2", false),
        ];
        for (url, endpoint, host, path, tls) in table {
            let t = Target::parse(url, None, None).unwrap();
            let got = (t.endpoint.to_string(), &*t.host, &*t.path, t.tls.is_some());
            assert_eq!(got, (endpoint.into(), host, path, tls), "{url}");
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
            ("é", None, "must begin with"),
            ("http://u:p@a/", None, "must not hold a user or password"),
            ("http:///x", None, "names no valid host and port"),
            ("http://a:0/", None, "names no valid host and port"),
            ("http://a:99999/", None, "names no valid host and port"),
            ("http://::1/", None, "names no valid host and port"),
            ("http://a b/", None, "names no valid host and port"),
            ("http://a/x y", None, "must be written in per cent"),
            ("http://a/\r\nX: y", None, "must be written in per cent"),
            ("http://a/é", None, "has a `é` in it"),
            ("http://a/", tls(), "is not https"),
        ];
        for (url, tls, want) in table {
            let why = Target::parse(url, tls, None).unwrap_err();
            assert!(why.contains(want), "{url}: {why}");
        }
    }

    proptest! {
        #[test]
        fn what_is_taken_can_be_sent(url in "https?://[a-z0-9.:@\\[\\]]{0,12}[/?#]?.{0,20}") {
            if let Ok(t) = Target::parse(&url, None, None) {
                prop_assert!(t.path.parse::<hyper::Uri>().is_ok(), "{}", t.path);
                prop_assert!(hyper::header::HeaderValue::from_str(&t.host).is_ok(), "{}", t.host);
            }
        }
    }
}
