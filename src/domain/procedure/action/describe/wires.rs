//! What goes over connections: requests, commands and statements.

use crate::domain::procedure::action::kinds::{Alertmanager, Http, Manual, Postgres, Redis, UnixJson, Wait};
use crate::domain::{shell, units};

pub(super) fn http(a: &Http) -> Vec<String> {
    let mut out = vec![format!("{} {}", a.method, a.url)];
    if let Some(login) = &a.login {
        let session =
            a.session.as_ref().map_or_else(String::new, |name| format!(", in the session called {name}"));
        out.push(format!("  as the login {login}{session}"));
    }
    if a.insecure {
        out.push("  the server's certificate is NOT checked".to_owned());
    } else if let Some(ca) = &a.ca {
        out.push(format!("  the server's certificate must be signed by {ca}"));
    }
    out.extend(a.headers.iter().map(|(name, value)| format!("  {name}: {value}")));
    if let Some(body) = &a.body {
        out.extend(body.lines().map(|line| format!("    {line}")));
    }
    let status = ["[STATUS] in 200..299".to_owned()];
    out.push(expected(if a.expect.is_empty() { &status } else { &a.expect }));
    out
}

fn expected(conditions: &[String]) -> String {
    if conditions.is_empty() {
        return "  any answer will do".to_owned();
    }
    format!("  expects {}", conditions.join(" and "))
}

pub(super) fn unix_json(a: &UnixJson) -> Vec<String> {
    let mut out = vec![format!("send to the socket {}", a.socket)];
    out.extend(a.request.lines().map(|line| format!("    {line}")));
    out.push(expected(&a.expect));
    out
}

pub(super) fn redis(a: &Redis) -> Vec<String> {
    let db = if a.db == 0 { String::new() } else { format!(" database {}", a.db) };
    let command = shell::line(a.command.iter().map(String::as_str));
    let mut out = vec![format!("redis {}{db}: {command}", a.address)];
    out.extend(who(a.user.as_deref(), a.password.as_deref()));
    if !a.expect.is_empty() {
        out.push(expected(&a.expect));
    }
    out
}

fn who(user: Option<&str>, password: Option<&str>) -> Option<String> {
    let password = password.map(|p| format!("with the password ${{secret.{p}}}"));
    let parts: Vec<String> = user.map(|u| format!("as {u}")).into_iter().chain(password).collect();
    (!parts.is_empty()).then(|| format!("  {}", parts.join(" ")))
}

pub(super) fn postgres(a: &Postgres) -> Vec<String> {
    let mut out = vec![format!("postgres {} database {}:", a.address, a.database)];
    out.extend(a.statement.trim().lines().map(|line| format!("    {line}")));
    out.extend(who(Some(&a.user), a.password.as_deref()));
    let rows = if a.row_limit == 1 { "1 row".to_owned() } else { format!("{} rows", a.row_limit) };
    out.push(if a.transaction {
        format!("  in a transaction, undone when it fails or concerns more than {rows}")
    } else {
        format!("  NOT in a transaction; more than {rows} is a failure and lasts all the same")
    });
    out
}

pub(super) fn wait(a: &Wait) -> Vec<String> {
    let what = &a.until.what;
    let degraded = if what.or_degraded { " (or degraded)" } else { "" };
    let mut out = vec![format!(
        "wait until it is so {} times in a row, looking every {}, for at most {}",
        a.until.good.max(1),
        units::exact(a.until.every),
        units::exact(a.until.within)
    )];
    out.extend(what.probes.iter().map(|probe| format!("    probe {probe} is up{degraded}")));
    out.extend(what.exprs.iter().map(|expr| format!("    {expr}")));
    out
}

pub(super) fn alertmanager(a: &Alertmanager) -> Vec<String> {
    match a {
        Alertmanager::Silence { matchers, span, comment } => vec![
            "POST /api/v2/silences to the stack's Alertmanager".to_owned(),
            format!("  {{{}}} for {}", matchers.join(", "), units::exact(*span)),
            format!("  comment: {comment} (quarterdeck ${{run.id}} STEP)"),
        ],
        Alertmanager::Expire { step } => vec![
            "DELETE /api/v2/silence/ID at the stack's Alertmanager".to_owned(),
            format!("  ID is that of the silence which the step {step} of this run made"),
        ],
        Alertmanager::Alert { labels, annotations, span } => {
            let mut out = vec!["POST /api/v2/alerts to the stack's Alertmanager".to_owned()];
            out.extend(labels.iter().map(|(k, v)| format!("  {k}=\"{v}\"")));
            out.extend(annotations.iter().map(|(k, v)| format!("  {k}: {v}")));
            out.push(span.map_or_else(
                || "  until the Alertmanager takes it for resolved".to_owned(),
                |span| format!("  for {}", units::exact(span)),
            ));
            out
        }
    }
}

pub(super) fn manual(a: &Manual) -> Vec<String> {
    let mut out = vec!["you do this, and say when it is done:".to_owned()];
    out.extend(a.instruction.lines().map(|line| format!("    {line}")));
    if a.note {
        out.push("  you write down what you saw".to_owned());
    }
    out
}
