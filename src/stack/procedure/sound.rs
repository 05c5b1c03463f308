//! Whether what an action is told can be meant, once its texts are filled: asked of samples when
//! the file is loaded, and of the real values when a run is planned.

use super::fill::neutral;
use super::params::{is_network, is_path, is_unit, is_user, is_word};
use super::texts::{self, Spot};
use crate::domain::fact::FactDecl;
use crate::domain::procedure::action::Action;
use crate::domain::procedure::action::kinds::{CaptureFrom, FirewallVerb};
use crate::domain::promql::{Expr, Type};
use crate::domain::series::Matcher;
use crate::domain::text;
use crate::stack::decode::Part;
use crate::stack::kind::common::{Endpoint, Tls};
use crate::stack::kind::http::target::Target;
use crate::stack::kind::{self, redis as redis_kind};

/// Something that cannot be meant, and where.
#[derive(Clone, Debug)]
pub struct Wrong {
    pub key: &'static str,
    pub part: Part,
    pub message: String,
}

/// Everything of a filled action that cannot be meant.
pub fn action(action: &Action) -> Vec<Wrong> {
    let mut out = Vec::new();
    let facts = facts(action);
    let word = word_check(action);
    let mut copy = action.clone();
    texts::visit(&mut copy, &mut |spot, text| {
        if let Err(message) = spot_check(spot, &neutral(text), facts, word) {
            out.push(Wrong { key: spot.key, part: spot.part.clone(), message });
        }
    });
    if let Action::Http(h) = action {
        out.extend(tls(h.ca.as_ref(), h.insecure, &h.url));
    }
    out
}

/// A CA for plain http, or one that is not looked at.
fn tls(ca: Option<&String>, insecure: bool, url: &str) -> Option<Wrong> {
    let wrong = |key, message: &str| Some(Wrong { key, part: Part::Whole, message: message.to_owned() });
    let https = url.get(..8).is_some_and(|s| s.eq_ignore_ascii_case("https://"));
    match (ca, insecure) {
        (Some(_), true) => wrong("insecure", "`insecure` looks at no certificate, so `ca` means nothing"),
        (Some(_), _) if !https => wrong("ca", "the address is not https, so `ca` does not apply"),
        (None, true) if !https => wrong("insecure", "the address is not https, so `insecure` does not apply"),
        _ => None,
    }
}

fn spot_check(
    spot: &Spot,
    text: &str,
    facts: &[FactDecl],
    word: fn(&str, &str) -> Result<(), String>,
) -> Result<(), String> {
    use super::fill::Lang;
    let key = spot.key;
    if text.contains('\0') {
        return Err(format!("`{key}` has a NUL in it"));
    }
    match spot.lang {
        Lang::Text | Lang::Body | Lang::Fixed | Lang::Argument => Ok(()),
        Lang::Path if is_path(text) => Ok(()),
        Lang::Path => Err(format!("`{key}` expects an absolute path without .., got \"{}\"", shown(text))),
        Lang::Url => Target::parse(text, None::<Tls>, None).map(|_| ()),
        Lang::Json => json(key, text),
        Lang::Sql => statement(text),
        Lang::Expr => expr(key, text),
        Lang::Matcher => {
            Matcher::parse(text).map(|_| ()).map_err(|why| format!("`{key}` holds no matcher: {why}"))
        }
        Lang::Condition => condition(text, facts),
        Lang::Word => word(key, text),
    }
}

fn shown(text: &str) -> String {
    text::one_line(text, 60)
}

fn json(key: &str, text: &str) -> Result<(), String> {
    serde_json::from_str::<serde::de::IgnoredAny>(text)
        .map(|_| ())
        .map_err(|e| format!("`{key}` expects JSON or a table, got: {e}"))
}

/// One statement, as a probe's: a second one would escape the row limit of the first.
fn statement(text: &str) -> Result<(), String> {
    kind::postgres::statement(text).map(|_| ()).map_err(|why| why.replace("`query`", "`statement`"))
}

/// An expression that gives samples or a number.
///
/// # Errors
/// What is wrong with it.
pub fn expr(key: &str, text: &str) -> Result<(), String> {
    let parsed = Expr::parse(text).map_err(|e| {
        let part = text.get(e.span.clone()).filter(|part| *part != text);
        let at = part.map(|p| format!(" at `{}`", shown(p))).unwrap_or_default();
        format!("`{key}` is no expression that can be evaluated: {e}{at}")
    })?;
    match parsed.value_type() {
        Type::Vector | Type::Scalar => Ok(()),
        Type::Text => Err(format!("`{key}` gives a text, which is neither true nor false")),
        Type::Matrix => Err(format!(
            "`{key}` gives samples over time; a function such as rate() or last_over_time() must take them"
        )),
    }
}

fn condition(text: &str, facts: &[FactDecl]) -> Result<(), String> {
    let parsed: crate::domain::condition::Condition = text
        .parse()
        .map_err(|e: crate::domain::condition::ParseError| format!("not a condition: {}", e.message))?;
    parsed.check(facts).map_err(|why| why.replace("this kind of probe", "the answer"))
}

/// What can be asked of an action's answer.
fn facts(action: &Action) -> &'static [FactDecl] {
    match action {
        Action::Http(_) | Action::Capture(_) => kind::http::FACTS,
        Action::UnixJson(_) => kind::unix_json::FACTS,
        Action::Redis(_) => redis_kind::FACTS,
        _ => &[],
    }
}

/// What the words of an action must be.
fn word_check(action: &Action) -> fn(&str, &str) -> Result<(), String> {
    match action {
        Action::Firewall(f) if matches!(f.verb, FirewallVerb::Block | FirewallVerb::Unblock) => net_word,
        Action::Firewall(_) => edge_word,
        Action::Redis(_) => |key, text| endpoint_word(key, text, 6379),
        Action::Postgres(_) => |key, text| endpoint_word(key, text, 5432),
        Action::Capture(c) => match c.from {
            CaptureFrom::Journal { .. } => capture_journal,
            _ => capture_word,
        },
        _ => plain_word,
    }
}

fn expects(key: &str, what: &str, text: &str, fits: bool) -> Result<(), String> {
    if fits { Ok(()) } else { Err(format!("`{key}` expects {what}, got \"{}\"", shown(text))) }
}

fn plain_word(key: &str, text: &str) -> Result<(), String> {
    match key {
        "unit" => expects(key, "a unit with its type, such as nginx.service", text, is_unit(text)),
        "user" => expects(key, "a user's name", text, is_user(text)),
        "owner" => {
            let fits = text.split_once(':').is_some_and(|(u, g)| is_user(u) && is_user(g));
            expects(key, "\"user:group\"", text, fits)
        }
        _ => expects(key, "a name of letters, digits, - _ .", text, is_word(text, "-_.")),
    }
}

fn net_word(key: &str, text: &str) -> Result<(), String> {
    if key != "address" {
        // It does not belong to the verb; that was told.
        return Ok(());
    }
    let everybody = text.ends_with("/0");
    expects(key, "an address or a network, and not everybody's", text, is_network(text) && !everybody)
}

fn edge_word(key: &str, text: &str) -> Result<(), String> {
    if key == "except" {
        return expects(key, "an address or a network", text, is_network(text));
    }
    let fits = text.split_once('/').is_some_and(|(protocol, port)| {
        let range = port.split_once('-').map_or((port, port), |r| r);
        let number = |p: &str| p.chars().all(|c| c.is_ascii_digit()) && p.parse::<u16>().is_ok_and(|p| p > 0);
        matches!(protocol, "tcp" | "udp") && number(range.0) && number(range.1)
    });
    expects(key, "ports such as \"tcp/443\" or \"udp/51820\"", text, fits)
}

fn endpoint_word(key: &str, text: &str, port: u16) -> Result<(), String> {
    if key == "address" {
        let fits = Endpoint::parse(text, Some(port)).is_some();
        return expects(key, "an address such as \"127.0.0.1:6379\" or \"unix:/run/x.sock\"", text, fits);
    }
    expects(key, "a name", text, !text.is_empty() && !text.contains(char::is_control))
}

/// The file of a capture lies in the run's directory, beside the plan and the journal.
fn capture_word(key: &str, text: &str) -> Result<(), String> {
    let fits = text.len() <= 64 && is_word(text, "-_.") && !text.contains("..");
    expects(key, "the name of a file, without a path", text, fits)
}

fn capture_journal(key: &str, text: &str) -> Result<(), String> {
    if key == "units" {
        return expects(key, "units with their type, such as nginx.service", text, is_unit(text));
    }
    capture_word(key, text)
}
