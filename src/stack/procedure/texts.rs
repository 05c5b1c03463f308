//! Every text of an action: under which key it stands, what it is made of, and whether secrets
//! may be named in it. Placeholders are checked and filled through here, so that no text is
//! forgotten by one of both.

use super::fill::Lang;
use crate::domain::procedure::action::Action;
use crate::domain::procedure::action::kinds::{
    Alertmanager, CaptureFrom, Compose, Exec, Firewall, Http, Nginx, Shell, SignalTarget,
};
use crate::domain::procedure::check::{Check, Condition};
use crate::stack::decode::Part;

/// One text's place.
#[derive(Clone, Debug)]
pub struct Spot {
    pub key: &'static str,
    pub part: Part,
    pub lang: Lang,
    /// `${secret.NAME}` may stand in it.
    pub secrets: bool,
}

/// What looks at each text, and may change it.
pub type Visit<'v> = dyn FnMut(&Spot, &mut String) + 'v;

/// Visits one text.
fn one(v: &mut Visit<'_>, key: &'static str, lang: Lang, text: &mut String) {
    v(&Spot { key, part: Part::Whole, lang, secrets: false }, text);
}

fn maybe(v: &mut Visit<'_>, key: &'static str, lang: Lang, text: &mut Option<String>) {
    if let Some(text) = text {
        one(v, key, lang, text);
    }
}

/// A text in which secrets may be named.
fn secret(v: &mut Visit<'_>, key: &'static str, lang: Lang, text: &mut String) {
    v(&Spot { key, part: Part::Whole, lang, secrets: true }, text);
}

fn items(v: &mut Visit<'_>, key: &'static str, lang: Lang, all: &mut [String]) {
    for (i, text) in all.iter_mut().enumerate() {
        v(&Spot { key, part: Part::Item(i), lang, secrets: false }, text);
    }
}

/// The program and what a shell takes as its script are fixed; the other arguments may be filled.
fn argv(v: &mut Visit<'_>, key: &'static str, all: &mut [String]) {
    let fixed: Vec<bool> = (0..all.len()).map(|i| i == 0 || is_script(all, i)).collect();
    for (i, (text, fixed)) in all.iter_mut().zip(fixed).enumerate() {
        let lang = if fixed { Lang::Fixed } else { Lang::Argument };
        v(&Spot { key, part: Part::Item(i), lang, secrets: false }, text);
    }
}

/// Programs that take a script, or a command line for a shell, as an argument.
const SHELLS: [&str; 7] = ["sh", "bash", "dash", "zsh", "ksh", "ash", "su"];
const INTERPRETERS: [&str; 12] = [
    "python", "python2", "python3", "perl", "ruby", "node", "php", "lua", "psql", "mysql", "mariadb",
    "sqlite3",
];
/// All that follows them is joined and read by a shell, or is a script.
const HANDED_ON: [&str; 6] = ["ssh", "eval", "watch", "awk", "gawk", "sed"];

/// Whether an argument is a script or part of one: a value in it would be read as code.
fn is_script(argv: &[String], at: usize) -> bool {
    let before: Vec<&str> = argv.iter().take(at).map(|a| a.rsplit('/').next().unwrap_or(a)).collect();
    let has = |names: &[&str]| before.iter().any(|b| names.contains(b));
    let last = before.last().copied().unwrap_or("");
    let by_c = last.starts_with('-') && !last.starts_with("--") && last.ends_with('c');
    let by_e = matches!(last, "-e" | "-r" | "--eval" | "--execute" | "--command");
    let redis = at == 1 && (last.eq_ignore_ascii_case("eval") || last.eq_ignore_ascii_case("eval_ro"));
    redis || has(&HANDED_ON) || (by_c && has(&SHELLS)) || ((by_c || by_e) && has(&INTERPRETERS))
}

fn map(
    v: &mut Visit<'_>,
    key: &'static str,
    secrets: bool,
    all: &mut std::collections::BTreeMap<String, String>,
) {
    for (name, text) in all {
        v(&Spot { key, part: Part::Name(name.clone()), lang: Lang::Text, secrets }, text);
    }
}

/// Visits every text of an action.
pub fn visit(action: &mut Action, v: &mut Visit<'_>) {
    match action {
        Action::Systemd(s) => {
            one(v, "unit", Lang::Word, &mut s.unit);
            maybe(v, "signal", Lang::Fixed, &mut s.signal);
        }
        Action::Compose(c) => compose(c, v),
        Action::Http(h) => http(h, v),
        Action::UnixJson(u) => {
            one(v, "socket", Lang::Path, &mut u.socket);
            secret(v, "request", Lang::Json, &mut u.request);
            items(v, "expect", Lang::Condition, &mut u.expect);
        }
        Action::Redis(r) => {
            one(v, "address", Lang::Word, &mut r.address);
            maybe(v, "user", Lang::Word, &mut r.user);
            argv(v, "command", &mut r.command);
            items(v, "expect", Lang::Condition, &mut r.expect);
        }
        Action::Postgres(p) => {
            one(v, "address", Lang::Word, &mut p.address);
            one(v, "user", Lang::Word, &mut p.user);
            one(v, "database", Lang::Word, &mut p.database);
            one(v, "statement", Lang::Sql, &mut p.statement);
        }
        Action::Signal(s) => {
            match &mut s.to {
                SignalTarget::PidFile(path) => one(v, "pid_file", Lang::Path, path),
                SignalTarget::Unit(unit) => one(v, "unit", Lang::Word, unit),
            }
            one(v, "process", Lang::Text, &mut s.process);
            maybe(v, "user", Lang::Word, &mut s.user);
        }
        Action::Firewall(f) => firewall(f, v),
        Action::File(f) => {
            one(v, "path", Lang::Path, &mut f.path);
            if let Some(content) = &mut f.content {
                secret(v, "content", Lang::Body, content);
            }
            maybe(v, "owner", Lang::Word, &mut f.owner);
        }
        Action::Nginx(n) => nginx(n, v),
        Action::Capture(c) => {
            one(v, "name", Lang::Word, &mut c.name);
            match &mut c.from {
                CaptureFrom::Command(all) => argv(v, "command", all),
                CaptureFrom::Journal { units, .. } => items(v, "units", Lang::Word, units),
                CaptureFrom::File(path) => one(v, "file", Lang::Path, path),
                CaptureFrom::Http(h) => http(h, v),
            }
        }
        Action::Wait(w) => condition(&mut w.until.what, v),
        Action::Alertmanager(a) => alertmanager(a, v),
        Action::Manual(m) => one(v, "instruction", Lang::Text, &mut m.instruction),
        Action::Exec(e) => exec(e, v),
        Action::Shell(s) => shell(s, v),
    }
}

fn compose(c: &mut Compose, v: &mut Visit<'_>) {
    maybe(v, "project", Lang::Word, &mut c.project);
    maybe(v, "file", Lang::Path, &mut c.file);
    items(v, "services", Lang::Word, &mut c.services);
    maybe(v, "api", Lang::Path, &mut c.api);
}

fn http(h: &mut Http, v: &mut Visit<'_>) {
    one(v, "url", Lang::Url, &mut h.url);
    map(v, "headers", true, &mut h.headers);
    if let Some(body) = &mut h.body {
        secret(v, "body", Lang::Body, body);
    }
    items(v, "expect", Lang::Condition, &mut h.expect);
    maybe(v, "ca", Lang::Path, &mut h.ca);
}

fn firewall(f: &mut Firewall, v: &mut Visit<'_>) {
    maybe(v, "address", Lang::Word, &mut f.address);
    items(v, "ports", Lang::Word, &mut f.ports);
    items(v, "except", Lang::Word, &mut f.except);
    one(v, "table", Lang::Fixed, &mut f.table);
}

fn nginx(n: &mut Nginx, v: &mut Visit<'_>) {
    one(v, "site", Lang::Path, &mut n.site);
    one(v, "keep_in", Lang::Path, &mut n.keep_in);
    maybe(v, "page", Lang::Fixed, &mut n.page);
    items(v, "test", Lang::Fixed, &mut n.test);
    items(v, "reload", Lang::Fixed, &mut n.reload);
}

fn alertmanager(a: &mut Alertmanager, v: &mut Visit<'_>) {
    match a {
        Alertmanager::Silence { matchers, comment, .. } => {
            items(v, "matchers", Lang::Matcher, matchers);
            one(v, "comment", Lang::Text, comment);
        }
        Alertmanager::Expire { step } => one(v, "step", Lang::Fixed, step),
        Alertmanager::Alert { labels, annotations, .. } => {
            map(v, "labels", false, labels);
            map(v, "annotations", false, annotations);
        }
    }
}

fn exec(e: &mut Exec, v: &mut Visit<'_>) {
    argv(v, "argv", &mut e.argv);
    map(v, "env", true, &mut e.env);
    if let Some(stdin) = &mut e.stdin {
        secret(v, "stdin", Lang::Body, stdin);
    }
}

fn shell(s: &mut Shell, v: &mut Visit<'_>) {
    one(v, "script", Lang::Fixed, &mut s.script);
    items(v, "args", Lang::Argument, &mut s.args);
    map(v, "env", true, &mut s.env);
    if let Some(stdin) = &mut s.stdin {
        secret(v, "stdin", Lang::Body, stdin);
    }
}

/// Visits the expressions of a condition.
pub fn condition(what: &mut Condition, v: &mut Visit<'_>) {
    items(v, "exprs", Lang::Expr, &mut what.exprs);
}

/// Visits the expressions of a check.
pub fn check(check: &mut Check, v: &mut Visit<'_>) {
    condition(&mut check.what, v);
}
