//! `uses = "http"`: one request, and what its answer must be.

use super::context::Context;
use crate::domain::procedure::action::Action;
use crate::domain::procedure::action::kinds::Http;
use crate::domain::text;
use crate::stack::decode::{At, Part, Table};
use std::collections::BTreeMap;

const METHODS: &[&str] = &["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];

pub(super) fn decode(t: &Table<'_>, ctx: &Context<'_>) -> Option<Action> {
    request(t, ctx).map(Action::Http)
}

/// What a request can be told, for who reads only a part of it.
pub(super) const KEYS: [&str; 10] =
    ["method", "url", "headers", "body", "json", "login", "session", "expect", "ca", "insecure"];

/// The keys of a request.
pub(super) fn request(t: &Table<'_>, ctx: &Context<'_>) -> Option<Http> {
    let method = t.choice("method", METHODS).unwrap_or("GET");
    let url = t.need_str("url");
    let headers = headers(t);
    let (body, json) = (t.str("body").map(|b| b.value), t.json("json").map(|j| j.value));
    if t.has("body") && t.has("json") {
        t.reader.error(t.span_of("json"), "a request has one body: `body` or `json`", None);
    }
    let login = ctx.login(t);
    let session = t.str("session");
    if let Some(session) = &session {
        if !t.has("login") {
            t.reader.error(session.span.clone(), "`session` names one of a `login`, and there is none", None);
        }
        if !crate::domain::id::is_valid(&session.value) {
            let shown = text::one_line(&session.value, 60);
            t.reader.error(session.span.clone(), format!("`{shown}` is no valid id"), None);
        }
    }
    let expect = super::expect(t).unwrap_or_default();
    let ca = t.str("ca").map(|c| c.value);
    let insecure = t.bool_or("insecure", false);
    let session = session.map(|s| s.value);
    let mut headers = headers?;
    if json.is_some() && !headers.keys().any(|k| k.eq_ignore_ascii_case("content-type")) {
        headers.insert("content-type".to_owned(), "application/json".to_owned());
    }
    let body = json.or(body);
    Some(Http {
        method: method.to_owned(),
        url: url?.value,
        headers,
        body,
        login,
        session,
        expect,
        ca,
        insecure,
    })
}

fn headers(t: &Table<'_>) -> Option<BTreeMap<String, String>> {
    let mut out = BTreeMap::new();
    let mut sound = true;
    for (name, At { value, .. }) in t.text_map("headers") {
        match check(&name, &value) {
            Ok(()) => {
                out.insert(name.to_ascii_lowercase(), value);
            }
            Err((message, help)) => {
                let value = t.span_of_part("headers", &Part::Name(name));
                t.reader.error_hiding(value, message, help.unwrap_or_default().to_owned());
                sound = false;
            }
        }
    }
    sound.then_some(out)
}

fn check(name: &str, value: &str) -> Result<(), (String, Option<&'static str>)> {
    let shown = text::one_line(name, 40);
    let is_token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
    if name.is_empty() || !name.chars().all(is_token) {
        return Err((format!("`{shown}` is no name for a header"), Some("letters, digits and -")));
    }
    let is = |names: &[&str]| names.iter().any(|n| name.eq_ignore_ascii_case(n));
    if is(&["authorization", "proxy-authorization", "cookie"]) && !value.contains("${secret.") {
        let help = "write \"Bearer ${secret.NAME}\", or use `login`";
        return Err((format!("`{shown}` is a secret and must not stand in a file"), Some(help)));
    }
    if is(&["connection", "content-length", "transfer-encoding", "upgrade", "te", "expect", "host"]) {
        return Err((format!("`{shown}` is set by quarterdeck itself"), Some("leave it out")));
    }
    if value.chars().any(|c| c.is_control() && c != '\t') {
        let help = Some("a header is one line");
        return Err((format!("the value of `{shown}` cannot stand in a header"), help));
    }
    Ok(())
}
