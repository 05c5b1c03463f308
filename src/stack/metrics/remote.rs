//! Reading `[prometheus]` and `[alertmanager]`: in the stack file, or in config.toml, which is read
//! before anybody knows the hosts that it may name.

use super::Remote;
use super::read::{Names, TIMEOUTS};
use crate::domain::id::HostId;
use crate::domain::text;
use crate::stack::decode::{At, Table};
use crate::stack::kind::http::target::Target;
use crate::stack::kind::http::{Auth, decode_auth, decode_headers, decode_target};
use std::ops::Range;
use std::time::Duration;

/// One of the two tables as it was written; its references are not followed yet.
#[derive(Clone, Debug)]
pub struct RemoteDraft {
    /// The stack's first host, where none is said.
    host: Option<At<String>>,
    target: Target,
    auth: Auth,
    headers: Vec<(String, String)>,
    timeout: Duration,
}

/// A reference that leads nowhere: where it stands, what is wrong, what is near.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dangling {
    pub span: Range<usize>,
    pub message: String,
    pub help: Option<String>,
}

/// Reads `[prometheus]` or `[alertmanager]`. What is wrong is noted, and nothing is given then.
pub fn read_draft(root: &Table<'_>, key: &'static str) -> Option<RemoteDraft> {
    let what = if key == "prometheus" { "[prometheus] table" } else { "[alertmanager] table" };
    let t = root.table(key, what)?;
    let said = t.has("host");
    let host = t.str("host");
    let timeout = t.duration_or("timeout", Duration::from_secs(10), TIMEOUTS);
    let target = decode_target(&t);
    let headers = decode_headers(&t);
    let mut auth = decode_auth(&t);
    let span = t.span_of("auth");
    if let Some(Auth::Login(_)) = &auth {
        let help = Some("use bearer = { secret = \"…\" }, or user and password".to_owned());
        let message = "a login is for probes and scrapes: it cannot be used here";
        t.reader.error(span.clone(), message, help);
        // The rest is looked at all the same.
        auth = Some(Auth::None);
    }
    if let (Some(auth), Some(target)) = (&auth, &target)
        && *auth != Auth::None
        && target.is_exposed()
    {
        let help = Some("use https".to_owned());
        t.reader.warning(span, "this sends a secret over plain http", help);
    }
    t.finish();
    if said && host.is_none() {
        return None;
    }
    Some(RemoteDraft { host, target: target?, auth: auth?, headers: headers?, timeout })
}

impl RemoteDraft {
    /// Follows its references.
    ///
    /// # Errors
    /// All that lead nowhere.
    pub fn resolve(&self, names: Names<'_>) -> Result<Remote, Vec<Dangling>> {
        let mut wrong = Vec::new();
        let hosts = || names.hosts.iter().map(|h| h.value.as_str());
        if let Some(At { value, span }) = self.host.as_ref().filter(|h| !hosts().any(|n| n == h.value)) {
            wrong.push(dangling("host", value, span, hosts()));
        }
        let first = names.hosts.first().map(|h| h.value.as_str());
        match self.host.as_ref().map(|h| h.value.as_str()).or(first).filter(|_| wrong.is_empty()) {
            Some(host) => Ok(Remote {
                host: HostId::new(host),
                target: self.target.clone(),
                auth: self.auth.clone(),
                headers: self.headers.clone(),
                timeout: self.timeout,
            }),
            None => Err(wrong),
        }
    }
}

fn dangling<'n>(
    what: &str,
    name: &str,
    span: &Range<usize>,
    valid: impl Iterator<Item = &'n str> + Clone,
) -> Dangling {
    let help = match text::nearest(name, valid.clone()) {
        Some(near) => format!("did you mean `{near}`?"),
        None if valid.clone().next().is_none() => format!("the stack has no {what}s"),
        None => format!("the stack has {}", text::one_line(&valid.collect::<Vec<_>>().join(", "), 300)),
    };
    let message = format!("no {what} is called `{}`", text::one_line(name, 60));
    Dangling { span: span.clone(), message, help: Some(help) }
}
