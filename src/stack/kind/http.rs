//! `kind = "http"`: one request; its status, headers and body. Redirects are never followed.

pub mod target;

use super::common::{Endpoint, Tls};
use crate::domain::fact::{FactDecl, FactType};
use crate::domain::id::SecretId;
use crate::domain::text;
use crate::domain::units::Unit;
use crate::stack::decode::{At, Table};
use target::Target;

/// Kept of a body when nothing else is said, in bytes.
pub const DEFAULT_MAX_BODY: u64 = 1 << 20;
/// The most that `max_body` can be; JSON takes many times its size in memory.
pub const LARGEST_MAX_BODY: u64 = 8 << 20;

#[derive(Clone, Debug)]
pub struct Spec {
    pub target: Box<Target>,
    /// `GET`, `HEAD`, `POST` or `OPTIONS`: what should change nothing.
    pub method: &'static str,
    /// Names in lower case and values, as the file has them; both can be sent as they are.
    pub headers: Vec<(String, String)>,
    pub body: Option<String>,
    pub auth: Auth,
    /// Keep the connection for the next run; a fresh one also tests connecting.
    pub keep_alive: bool,
    /// A longer body is a failure, in bytes.
    pub max_body: usize,
}

/// How a request says who asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Auth {
    None,
    Bearer(SecretId),
    Basic {
        user: String,
        password: SecretId,
    },
    /// By the id of a `[logins.ID]`.
    Login(String),
}

pub const FACTS: &[FactDecl] = &[
    FactDecl { name: "STATUS", ty: FactType::Number(Unit::None), doc: "the status code" },
    FactDecl { name: "BODY", ty: FactType::Json, doc: "the body as JSON; as one text when it is not JSON" },
    FactDecl { name: "HEADER", ty: FactType::Json, doc: "the headers by lower-case name" },
    FactDecl { name: "SIZE", ty: FactType::Number(Unit::Bytes), doc: "the length of the body" },
    FactDecl {
        name: "LATENCY",
        ty: FactType::Number(Unit::Seconds),
        doc: "from connecting to the last byte",
    },
];

impl Spec {
    pub fn decode(t: &Table<'_>) -> Option<Spec> {
        let target = decode_target(t);
        let method = t.choice("method", &["GET", "HEAD", "POST", "OPTIONS"]).unwrap_or("GET");
        let body = t.str("body").map(|b| b.value);
        let keep_alive = t.bool_or("keep_alive", false);
        if keep_alive && method == "POST" {
            let help = "a request on a kept connection may have to be sent twice".to_owned();
            t.reader.error(t.span_of("keep_alive"), "keep_alive does not go with POST", Some(help));
        }
        let max_body = t.size("max_body", 1..=LARGEST_MAX_BODY).unwrap_or(DEFAULT_MAX_BODY);
        let auth = decode_auth(t);
        let headers = decode_headers(t);
        let target = target?;
        if !matches!(auth, Some(Auth::None)) && target.is_exposed() {
            t.reader.warning(
                t.span_of("auth"),
                "this sends a secret over plain http",
                Some("use https".into()),
            );
        }
        Some(Spec {
            target: Box::new(target),
            method,
            headers: headers?,
            body,
            auth: auth?,
            keep_alive,
            max_body: usize::try_from(max_body).ok()?,
        })
    }

    pub fn target(&self) -> String {
        let method = if self.method == "GET" { String::new() } else { format!("{} ", self.method) };
        match &self.target.endpoint {
            Endpoint::Unix(path) => format!("{method}{} on {}", self.target.path, path.display()),
            Endpoint::Tcp { .. } => format!("{method}{}", self.target.url),
        }
    }

    pub fn endpoint(&self) -> Option<Endpoint> {
        Some(self.target.endpoint.clone())
    }

    pub fn default_conditions(&self) -> Vec<String> {
        vec!["[STATUS] in 200..299".into()]
    }
}

/// Reads `url`, `tls` and `unix`; also for other kinds that speak HTTP.
pub(in crate::stack) fn decode_target(t: &Table<'_>) -> Option<Target> {
    let url = t.need_str("url");
    let tls = Tls::decode(t);
    let unix = t.str("unix");
    if let Some(At { value, span }) = &unix
        && !value.starts_with('/')
    {
        t.reader.error(span.clone(), "`unix` expects an absolute path", None);
        return None;
    }
    let At { value, span } = url?;
    match Target::parse(&value, tls, unix.as_ref().map(|u| u.value.as_str())) {
        Ok(target) => Some(target),
        Err(why) => {
            t.reader.error(span, why, None);
            None
        }
    }
}

/// Reads `auth`: how a request says who asks.
pub(in crate::stack) fn decode_auth(t: &Table<'_>) -> Option<Auth> {
    if !t.has("auth") {
        return Some(Auth::None);
    }
    let inner = t.table("auth", "auth table")?;
    let bearer = inner.secret("bearer");
    let login = inner.str("login");
    let (user, password) = (inner.str("user"), inner.secret("password"));
    let basic = inner.has("user") || inner.has("password");
    let ways = [inner.has("bearer"), inner.has("login"), basic].into_iter().filter(|w| *w).count();
    if ways != 1 || (basic && !(inner.has("user") && inner.has("password"))) {
        let help =
            "bearer = { secret = \"…\" }, or user and password = { secret = \"…\" }, or login = \"ID\"";
        t.reader.error(inner.span.clone(), "`auth` expects exactly one way to log in", Some(help.into()));
        inner.finish();
        return None;
    }
    inner.finish();
    if let Some(user) = &user
        && user.value.contains(':')
    {
        t.reader.error(user.span.clone(), "a user name for basic authentication has no colon", None);
        return None;
    }
    match (bearer, login, user, password) {
        (Some(id), ..) => Some(Auth::Bearer(id)),
        (_, Some(id), ..) => Some(Auth::Login(id.value)),
        (_, _, Some(user), Some(password)) => Some(Auth::Basic { user: user.value, password }),
        _ => None,
    }
}

/// Reads `headers`: sent with every request. `None` when one of them may not be sent.
pub(in crate::stack) fn decode_headers(t: &Table<'_>) -> Option<Vec<(String, String)>> {
    let mut headers = Vec::new();
    let mut sound = true;
    for (name, At { value, span }) in t.text_map("headers") {
        match check_header(&name, &value) {
            Ok(()) => headers.push((name.to_ascii_lowercase(), value)),
            Err((message, help)) => {
                t.reader.error(span, message, help.map(str::to_owned));
                sound = false;
            }
        }
    }
    sound.then_some(headers)
}

fn check_header(name: &str, value: &str) -> Result<(), (String, Option<&'static str>)> {
    let shown = text::one_line(name, 40);
    let is_token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
    if name.is_empty() || !name.chars().all(is_token) {
        return Err((format!("`{shown}` is no name for a header"), None));
    }
    let is = |names: &[&str]| names.iter().any(|n| name.eq_ignore_ascii_case(n));
    if is(&["authorization", "proxy-authorization", "cookie"]) {
        return Err((
            format!("`{shown}` is a secret and must not stand in a file"),
            Some("use auth = { bearer = { secret = \"…\" } }, or a login"),
        ));
    }
    if is(&["connection", "content-length", "transfer-encoding", "upgrade", "te", "expect"]) {
        return Err((format!("`{shown}` is set by quarterdeck itself"), None));
    }
    if value.chars().any(|c| c.is_control() && c != '\t') {
        return Err((format!("the value of `{shown}` cannot stand in a header"), None));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stack::decode::Reader;
    use crate::stack::diag::Source;
    use std::sync::Arc;

    fn decode(text: &str) -> Result<Spec, String> {
        let reader = Reader::new(Arc::new(Source { name: "t.toml".into(), text: text.into() }));
        let parsed = reader.parse(text);
        let table = Table::new(&reader, &parsed, 0..text.len(), "probe");
        let spec = Spec::decode(&table);
        table.finish();
        let problems = reader.into_problems();
        match spec {
            Some(spec) if !problems.has_errors() => Ok(spec),
            _ => Err(problems.0.iter().map(crate::stack::diag::Problem::line).collect::<Vec<_>>().join("\n")),
        }
    }

    #[test]
    fn a_plain_probe_needs_only_its_url() {
        let spec = decode("url = 'http://127.0.0.1:8000/ready'").unwrap();
        assert_eq!(spec.target(), "http://127.0.0.1:8000/ready");
        assert_eq!((spec.method, spec.auth, spec.keep_alive), ("GET", Auth::None, false));
        assert_eq!(spec.max_body, 1 << 20);
    }

    #[test]
    fn every_key_is_taken() {
        let spec = decode(
            "url = 'https://api/x'\nunix = '/run/a.sock'\nmethod = 'POST'\nbody = '{}'\nmax_body = '64KiB'\n\
             headers = { X-A = 'b', Host = 'other' }\ntls = { ca = '/ca.pem' }\n\
             auth = { user = 'u', password = { secret = 'p' } }",
        )
        .unwrap();
        assert_eq!(spec.target(), "POST /x on /run/a.sock");
        assert_eq!(spec.max_body, 65536);
        let headers: Vec<_> = spec.headers.iter().map(|(k, v)| (&**k, &**v)).collect();
        assert_eq!(headers, [("host", "other"), ("x-a", "b")]);
        assert_eq!(spec.auth, Auth::Basic { user: "u".into(), password: SecretId::new("p") });
    }

    #[test]
    fn what_cannot_be_is_refused_in_words() {
        let table = [
            ("", "has no `url`"),
            ("url = 'x'", "must begin with http://"),
            ("url = 'http://a/'\nmethod = 'DELETE'", "expects one of GET, HEAD, POST, OPTIONS"),
            ("url = 'http://a/'\nunix = 'run/x'", "absolute path"),
            ("url = 'http://a/'\nmethod = 'POST'\nkeep_alive = true", "does not go with POST"),
            ("url = 'http://a/'\nmax_body = '1GiB'", "`max_body` expects a size from 1B to 8MiB"),
            ("url = 'http://a/'\nheaders = { Authorization = 'x' }", "must not stand in a file"),
            ("url = 'http://a/'\nheaders = { 'a b' = 'x' }", "no name for a header"),
            ("url = 'http://a/'\nheaders = { A = \"x\\ny\" }", "cannot stand in a header"),
            ("url = 'http://a/'\nauth = { bearer = 'abc' }", "must not stand in a file"),
            ("url = 'http://a/'\nauth = { user = 'a' }", "exactly one way"),
            ("url = 'http://a/'\nauth = { login = 'a', user = 'b' }", "exactly one way"),
            ("url = 'http://a/'\nauth = {}", "exactly one way"),
        ];
        for (text, want) in table {
            let why = decode(text).unwrap_err();
            assert!(why.contains(want), "{text}: {why}");
        }
    }
}
