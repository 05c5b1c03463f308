//! The way to a monitoring server: an HTTP client that trusts the right CAs, goes where the stack
//! file says and nowhere else, and through ssh where the host is behind it.

use super::api::AskError;
use crate::domain::text;
use crate::stack::kind::common::Endpoint;
use crate::stack::kind::http::target::Target;
use crate::transport::bridge::Bridge;
use crate::transport::local::connect_error;
use crate::transport::{ConnectError, Transport, tls};
use reqwest::redirect::Policy;
use rustls::ClientConfig;
use std::error::Error;
use std::io;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

/// Redirects followed within the same server, such as to a path with a slash at its end.
const MAX_REDIRECTS: usize = 3;
/// How long a connection is kept for the next poll.
const KEEP: Duration = Duration::from_secs(90);

/// A client and what it goes through.
#[derive(Clone, Debug)]
pub struct Way {
    pub client: reqwest::Client,
    /// What it was made with; another one means that it is made again.
    pub tls: Arc<ClientConfig>,
    /// Where the client itself cannot go: over ssh, or to a name that is not the certificate's.
    bridge: Option<Arc<Bridge>>,
}

/// For servers without TLS. The client insists on some configuration, and would take the system's
/// CAs, which a machine may not have and which nothing here needs.
static NO_TLS: LazyLock<Option<Arc<ClientConfig>>> = LazyLock::new(|| {
    let builder = ClientConfig::builder_with_provider(tls::provider());
    let builder = builder.with_safe_default_protocol_versions().ok()?;
    Some(Arc::new(builder.with_root_certificates(rustls::RootCertStore::empty()).with_no_client_auth()))
});

/// Whom to trust on the way to a target.
///
/// # Errors
/// The CA file cannot be read or the system has no CAs.
pub async fn tls_config(target: &Target) -> Result<Arc<ClientConfig>, String> {
    match &target.tls {
        Some(tls) => tls::config(tls).await.map_err(|e| e.to_string()),
        None => NO_TLS.clone().ok_or_else(|| "cannot prepare TLS".to_owned()),
    }
}

impl Way {
    /// # Errors
    /// The client or its socket cannot be made.
    pub fn new(target: &Target, transport: &Arc<Transport>, tls: Arc<ClientConfig>) -> Result<Way, String> {
        let mut builder = reqwest::Client::builder()
            .tls_backend_preconfigured((*tls).clone())
            .no_proxy()
            .http1_only()
            .referer(false)
            .redirect(Policy::custom(follow))
            .user_agent(concat!("quarterdeck/", env!("CARGO_PKG_VERSION")))
            .pool_max_idle_per_host(1)
            .pool_idle_timeout(KEEP);
        let mut bridge = None;
        match &target.endpoint {
            Endpoint::Unix(path) if transport.is_local() => builder = builder.unix_socket(path.as_path()),
            Endpoint::Tcp { .. } if transport.is_local() && host_header(target).is_none() => {}
            to => {
                let opened = Arc::new(Bridge::open(Arc::clone(transport), to.clone())?);
                builder = builder.unix_socket(opened.path());
                bridge = Some(opened);
            }
        }
        let client = builder.build().map_err(|e| format!("cannot make an HTTP client: {}", deepest(&e)))?;
        Ok(Way { client, tls, bridge })
    }

    /// What went wrong, as a reason.
    pub fn in_words(&self, target: &Target, e: &reqwest::Error) -> AskError {
        if let Some(why) = self.bridge.as_ref().and_then(|b| b.take_trouble()) {
            return of_connect(&why);
        }
        if e.is_builder() {
            return AskError::Ours(format!("cannot send this request: {}", deepest(e)));
        }
        if e.is_decode() && !e.is_body() {
            return AskError::Stranger(format!(
                "expected an answer, got one that does not unpack: {}",
                deepest(e)
            ));
        }
        if let Some(io) = io_error(e) {
            if io.get_ref().is_some_and(<dyn Error + Send + Sync>::is::<rustls::Error>) {
                let ca = target.tls.as_ref().and_then(|t| t.ca.as_deref());
                return AskError::Stranger(tls::describe_io(io, ca));
            }
            if e.is_connect() && target.tls.is_some() && io.kind() == io::ErrorKind::UnexpectedEof {
                return AskError::Stranger(tls::describe_io(io, None));
            }
            if e.is_connect() {
                return of_connect(&connect_error(&target.endpoint, io));
            }
            return AskError::Silent(match io.kind() {
                io::ErrorKind::ConnectionReset => "expected an answer, got a connection reset".to_owned(),
                io::ErrorKind::UnexpectedEof => {
                    "expected a whole answer, got a closed connection in the middle of it".to_owned()
                }
                _ => format!("expected an answer, got: {}", text::one_line(&io.to_string(), 120)),
            });
        }
        of_hyper(e)
    }
}

/// Whether an open connection broke before an answer began.
pub fn is_broken(e: &reqwest::Error) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionReset, UnexpectedEof};
    let reset =
        io_error(e).is_some_and(|io| matches!(io.kind(), BrokenPipe | ConnectionReset | UnexpectedEof));
    let ended = chain(e).find_map(|e| e.downcast_ref::<hyper::Error>());
    !e.is_connect()
        && (reset || ended.is_some_and(|h| h.is_incomplete_message() || h.is_canceled() || h.is_closed()))
}

fn of_connect(e: &ConnectError) -> AskError {
    AskError::Silent(e.to_string())
}

fn of_hyper(e: &reqwest::Error) -> AskError {
    let hyper = chain(e).find_map(|e| e.downcast_ref::<hyper::Error>());
    match hyper {
        Some(h) if h.is_parse() => AskError::Stranger(format!(
            "expected an HTTP/1.1 answer, got something else: {}",
            text::one_line(&h.to_string(), 80)
        )),
        Some(h) if h.is_incomplete_message() || h.is_canceled() || h.is_closed() => {
            AskError::Silent("expected an answer, got a closed connection".to_owned())
        }
        _ => AskError::Silent(format!("expected an answer, got: {}", deepest(e))),
    }
}

/// Follows a redirect only within the same server: elsewhere our credentials have no business.
fn follow(attempt: reqwest::redirect::Attempt<'_>) -> reqwest::redirect::Action {
    let same = attempt.previous().first().is_some_and(|first| first.origin() == attempt.url().origin());
    if same && attempt.previous().len() <= MAX_REDIRECTS { attempt.follow() } else { attempt.stop() }
}

/// The name that the certificate must be for, where it is not the address's.
fn other_name(target: &Target) -> Option<&str> {
    let name = target.tls.as_ref()?.server_name.as_deref()?;
    let host = target.host.rsplit_once(':').filter(|(_, p)| p.bytes().all(|b| b.is_ascii_digit()));
    let host = host.map_or(target.host.as_str(), |(h, _)| h);
    (host.trim_start_matches('[').trim_end_matches(']') != name).then_some(name)
}

/// The `Host` header, where it is not the URL's own.
pub fn host_header(target: &Target) -> Option<&str> {
    other_name(target).map(|_| target.host.as_str())
}

/// The address of a function of the API. Its host is the name in the certificate, since that is
/// where the client takes the name from.
pub fn url(target: &Target, path: &str) -> String {
    let scheme = if target.tls.is_some() { "https" } else { "http" };
    let name = other_name(target).map(|n| if n.contains(':') { format!("[{n}]") } else { n.to_owned() });
    let host = name.as_deref().unwrap_or(&target.host);
    let (base, query) = target.path.split_once('?').unwrap_or((&target.path, ""));
    let mark = if query.is_empty() { "" } else { "?" };
    format!("{scheme}://{host}{}{path}{mark}{query}", base.trim_end_matches('/'))
}

fn chain<'e>(e: &'e (dyn Error + 'static)) -> impl Iterator<Item = &'e (dyn Error + 'static)> {
    std::iter::successors(Some(e), |&e| e.source())
}

/// The innermost I/O error, which is the one that knows: they come wrapped in each other.
fn io_error(e: &reqwest::Error) -> Option<&io::Error> {
    let mut found = chain(e).filter_map(|e| e.downcast_ref::<io::Error>()).last()?;
    while let Some(inner) = found.get_ref().and_then(|i| i.downcast_ref::<io::Error>()) {
        found = inner;
    }
    Some(found)
}

fn deepest(e: &reqwest::Error) -> String {
    chain(e).last().map_or_else(String::new, |e| text::one_line(&e.to_string(), 160))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stack::kind::common::Tls;

    #[test]
    fn the_base_keeps_its_path_its_query_and_the_name_of_its_certificate() {
        let named = Tls { server_name: Some("prom.internal".into()), ..Tls::default() };
        let table = [
            ("http://127.0.0.1:9090", None, "http://127.0.0.1:9090/api/v1/query", None),
            ("http://a/prometheus/", None, "http://a/prometheus/api/v1/query", None),
            ("https://a/select/0/prometheus", None, "https://a/select/0/prometheus/api/v1/query", None),
            ("http://[::1]:9/x?tenant=b", None, "http://[::1]:9/x/api/v1/query?tenant=b", None),
            ("https://[::1]:9/", None, "https://[::1]:9/api/v1/query", None),
            (
                "https://10.0.0.1:9090/",
                Some(named),
                "https://prom.internal/api/v1/query",
                Some("10.0.0.1:9090"),
            ),
        ];
        for (base, tls, want, host) in table {
            let target = Target::parse(base, tls, None).unwrap();
            assert_eq!(
                (url(&target, "/api/v1/query").as_str(), host_header(&target)),
                (want, host),
                "{base}"
            );
        }
    }
}
