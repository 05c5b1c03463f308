//! What is legal in a file and dangerous all the same. Each warning has an id, so that it can be
//! looked up in the documentation.

mod metrics;
mod procedures;

use super::diag::{Problem, Problems, Source};
use super::draft::{self, Draft};
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Arc, LazyLock};
use std::time::Duration;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// Web addresses polled more often than this are pointed out.
const FAST: Duration = Duration::from_secs(2);
/// How deep the search for secrets follows tables and lists.
const MAX_DEPTH: usize = 16;

/// Every lint of a file's own text and what it is about.
pub const LINTS: &[(&str, &str)] = &[
    ("alert-without-severity", "an alert without the label `severity` in a stack that declares severities"),
    ("beyond-deadline", "a step that may take longer than the run that it is a part of"),
    (
        "compose-restart",
        "a `restart` of containers after their environment or compose file changed: it keeps the old one",
    ),
    (
        "curl-in-exec",
        "a command that fetches a URL where the kind `http` would tell status, body and latency apart",
    ),
    ("date-in-name", "a name made of the date in a step: after midnight it is another name"),
    ("debt-never-settled", "a step that owes what no step settles, or not the procedure that it names"),
    (
        "fast-http",
        "a web address that is polled more often than every 2 s: rate limits harm those who share our address",
    ),
    ("interlock-never-lifted", "an interlock that nothing lifts, or only what it blocks itself"),
    ("interlock-never-raised", "an interlock that nothing raises: it never forbids anything"),
    ("missing-effect", "a step that does not say its effect: it is taken to destroy"),
    ("no-conditions", "a probe without conditions: it is up whenever there is any answer"),
    ("other-lock", "a procedure inside another that has another lock, which is not held then"),
    (
        "pipeline-hides-failure",
        "a shell line whose exit status says nothing: a pipe without pipefail, `|| true`, `|| echo`",
    ),
    ("redis-keys", "a Redis command that walks every key and holds up all other clients meanwhile"),
    ("secret-in-argv", "a secret among a command's arguments, where every user of the host can read it"),
    ("secret-in-header", "a secret in a header of a stack file"),
    ("secret-in-request", "a secret in a request, body, environment or content of a stack file"),
    ("secret-in-url", "a secret in a URL, which ends up in logs and on screens"),
    ("secret-in-vars", "a secret among the variables, which are shown and are not redacted"),
    (
        "short-for",
        "an alert whose `for` is shorter than the interval of its evaluation: it fires as if it held for longer",
    ),
    ("sleep-as-check", "a command that waits instead of looking"),
    ("step-without-verify", "a step with an effect that nothing verifies"),
    ("unknown-severity", "an alert whose severity is none of the stack's: it comes last"),
];

/// The id of the one lint that is about another file than the one it stands in.
pub const SECRET_FILE_MODE: &str = "secret-file-mode";

/// Whether a text is a stack file rather than a config file: it says what a stack is.
pub fn is_stack_file(source: &Source) -> bool {
    let (table, _) = DeTable::parse_recoverable(&source.text);
    let table = table.into_inner();
    let is_table = |key: &str| matches!(table.get(key).map(Spanned::get_ref), Some(DeValue::Table(_)));
    is_table("stack")
        || table.contains_key("layers")
        || matches!(table.get("probes").map(Spanned::get_ref), Some(DeValue::Array(_)))
}

/// Warns of everything dangerous in a stack file. What is wrong with it is not told again.
pub fn stack_file(source: &Arc<Source>, problems: &mut Problems) {
    let draft = draft::read(source, &BTreeMap::new(), &mut Problems::default());
    let mut lint = Lint { source, problems };
    lint.probes(&draft);
    let (table, _) = DeTable::parse_recoverable(&source.text);
    let table = table.into_inner();
    lint.vars(&table);
    lint.metrics(&table, &draft.metrics.metrics);
    lint.procedures(&table, &draft.procedures);
    if let Some(DeValue::Array(probes)) = table.get("probes").map(Spanned::get_ref) {
        for probe in probes.iter().take(super::validate::MAX_PROBES) {
            if let DeValue::Table(probe) = probe.get_ref() {
                lint.probe_values(probe);
            }
        }
    }
}

/// Warns of everything dangerous in a config file.
pub fn config_file(source: &Arc<Source>, problems: &mut Problems) {
    let (table, _) = DeTable::parse_recoverable(&source.text);
    let table = table.into_inner();
    let mut lint = Lint { source, problems };
    lint.vars(&table);
    lint.remotes(&table);
    if let Some(DeValue::Table(secrets)) = table.get("secrets").map(Spanned::get_ref) {
        for (_, secret) in secrets {
            if let DeValue::Table(secret) = secret.get_ref() {
                lint.argv(&texts_of(secret.get("command")));
            }
        }
    }
}

/// Warns of a secret's file that others can read. Who calls has looked at the file.
pub fn secret_file(source: &Arc<Source>, id: &str, path: &str, mode: u32, problems: &mut Problems) {
    let (table, _) = DeTable::parse_recoverable(&source.text);
    let table = table.into_inner();
    let span = match table.get("secrets").map(Spanned::get_ref) {
        Some(DeValue::Table(secrets)) => match secrets.get(id).map(Spanned::get_ref) {
            Some(DeValue::Table(secret)) => secret.get("file").map(Spanned::span),
            _ => None,
        },
        _ => None,
    };
    let span = span.unwrap_or(0..0);
    let message = format!("{path} has mode {mode:03o} and can be read by others [{SECRET_FILE_MODE}]");
    let help = format!("chmod 600 {path}; until then what needs this secret stays unknown");
    problems.push(Problem::warning(source, span, message).help(Some(help)));
}

/// Warns of everything dangerous in a file of either sort.
pub fn file(source: &Arc<Source>, problems: &mut Problems) {
    if is_stack_file(source) { stack_file(source, problems) } else { config_file(source, problems) }
}

struct Lint<'a> {
    source: &'a Arc<Source>,
    problems: &'a mut Problems,
}

/// A text of the file and where it stands.
type Text<'a> = (&'a str, Range<usize>);

impl Lint<'_> {
    fn warn(&mut self, id: &str, span: Range<usize>, message: &str, help: &str) {
        debug_assert!(LINTS.iter().any(|(known, _)| *known == id), "{id} is not listed");
        let problem = Problem::warning(self.source, span, format!("{message} [{id}]"));
        self.problems.push(problem.help(Some(help.to_owned())));
    }

    /// As [`Lint::warn`], with an excerpt that does not show what stands there.
    fn warn_hiding(&mut self, id: &str, span: Range<usize>, message: &str, help: &str) {
        let hidden = Arc::new(self.source.hiding(&span));
        let problem = Problem::warning(&hidden, span, format!("{message} [{id}]"));
        self.problems.push(problem.help(Some(help.to_owned())));
    }

    fn probes(&mut self, draft: &Draft) {
        for probe in &draft.probes {
            let Some(kind) = &probe.kind else { continue };
            if probe.conditions.is_empty() && probe.degraded_unless.is_empty() {
                let message = "this probe has no conditions: any answer is `up`";
                self.warn("no-conditions", probe.span.clone(), message, "say what a good answer looks like");
            }
            if matches!(kind.name(), "http" | "nginx") && probe.interval.value < FAST {
                let message = "this address is polled more often than every 2 s";
                let help =
                    "a service that limits requests may refuse its own supervisor, who shares our address";
                self.warn("fast-http", probe.interval.place.span.clone(), message, help);
            }
        }
    }

    fn vars(&mut self, root: &DeTable<'_>) {
        let Some(DeValue::Table(vars)) = root.get("vars").map(Spanned::get_ref) else { return };
        for (name, value) in vars {
            let value = match value.get_ref() {
                DeValue::Table(t) => t.get("default"),
                _ => Some(value),
            };
            for (text, span) in texts_of(value) {
                let named = is_secret_name(name.get_ref()) && is_literal(text);
                if named || looks_secret(text) || has_userinfo(text) {
                    let help =
                        "define it under [secrets] in config.toml and refer to it with { secret = \"NAME\" }";
                    self.warn_hiding("secret-in-vars", span, "this variable seems to hold a secret", help);
                }
            }
        }
    }

    fn probe_values(&mut self, probe: &DeTable<'_>) {
        let argv = texts_of(probe.get("argv"));
        self.argv(&argv);
        if let Some((command, span)) = texts_of(probe.get("command")).first()
            && command.eq_ignore_ascii_case("keys")
        {
            let help = "keep a count or a set for it, or ask SCARD, HLEN or DBSIZE, which do not walk";
            self.warn("redis-keys", span.clone(), "KEYS holds Redis up while it walks every key", help);
        }
        self.secret_url(probe);
        if let Some(DeValue::Table(headers)) = probe.get("headers").map(Spanned::get_ref) {
            for (name, value) in headers {
                for (text, span) in texts_of(Some(value)) {
                    if (is_secret_name(name.get_ref()) && is_literal(text)) || looks_secret(text) {
                        let help = "use auth = { bearer = { secret = \"NAME\" } }";
                        self.warn_hiding(
                            "secret-in-header",
                            span,
                            "this header seems to hold a secret",
                            help,
                        );
                    }
                }
            }
        }
        for key in ["body", "request", "command", "send", "query"] {
            for (text, span) in texts_of(probe.get(key)) {
                if has_secret_field(text) || looks_secret(text) {
                    let help = "what is sent here is shown on screen; use the kind's own keys for secrets";
                    self.warn_hiding("secret-in-request", span, "this request seems to hold a secret", help);
                }
            }
        }
    }

    fn secret_url(&mut self, table: &DeTable<'_>) {
        for (url, span) in texts_of(table.get("url")) {
            if has_userinfo(url) || has_secret_query(url) || looks_secret(url) {
                let help =
                    "use auth = { user = …, password = { secret = \"NAME\" } } or auth = { bearer = … }";
                self.warn_hiding("secret-in-url", span, "this URL seems to hold a secret", help);
            }
        }
    }

    fn argv(&mut self, argv: &[Text<'_>]) {
        self.secrets_in_argv(argv);
        let Some(((program, at), args)) = argv.split_first() else { return };
        let program = program.rsplit('/').next().unwrap_or(program);
        let shell = matches!(program, "sh" | "bash" | "dash" | "zsh" | "ksh" | "ash");
        let script = args.iter().position(|(a, _)| a.starts_with('-') && a.ends_with('c'));
        let script = script.filter(|_| shell).and_then(|i| args.get(i + 1));
        if let Some((script, span)) = script {
            let flags: Vec<&str> = args.iter().map(|(a, _)| *a).collect();
            if hides_failure(script, flags.contains(&"pipefail")) {
                let message = "the exit status of this shell line says nothing of the command that failed";
                let help =
                    "run the program itself and use conditions on [OUTPUT] or [EXIT]; or bash -o pipefail -c";
                self.warn("pipeline-hides-failure", span.clone(), message, help);
            }
        }
        let words: Vec<Text<'_>> = match script {
            Some((script, span)) => commands(script).map(|w| (w, span.clone())).collect(),
            None => vec![(program, at.clone())],
        };
        for (word, span) in words {
            match word.rsplit('/').next().unwrap_or(word) {
                "sleep" => {
                    let help =
                        "a probe looks again at its next interval; use failure_threshold to be patient";
                    self.warn("sleep-as-check", span, "this command waits instead of looking", help);
                }
                "curl" | "wget" => {
                    let help = "kind = \"http\" tells status, body and latency apart, and redacts secrets";
                    self.warn("curl-in-exec", span, "this command fetches a URL", help);
                }
                _ => {}
            }
        }
    }

    fn secrets_in_argv(&mut self, argv: &[Text<'_>]) {
        let mut after_flag = false;
        for (arg, span) in argv {
            let (flag, value) = arg.split_once('=').unwrap_or((arg, ""));
            let named = is_secret_name(flag.trim_start_matches('-')) && flag.len() < 40;
            let given = (named && is_literal(value)) || (after_flag && is_literal(arg));
            if given || looks_secret(arg) || has_userinfo(arg) {
                let help =
                    "every user of the host can read a command's arguments; let the program read a file";
                self.warn_hiding(
                    "secret-in-argv",
                    span.clone(),
                    "this argument seems to hold a secret",
                    help,
                );
            }
            after_flag = named && value.is_empty() && flag.starts_with('-');
        }
    }
}

/// All texts of a value: itself, or those of its list.
fn texts_of<'a>(value: Option<&'a Spanned<DeValue<'a>>>) -> Vec<Text<'a>> {
    let mut out = Vec::new();
    let mut waiting: Vec<(&Spanned<DeValue<'_>>, usize)> = value.into_iter().map(|v| (v, 0)).collect();
    while let Some((value, depth)) = waiting.pop() {
        match value.get_ref() {
            DeValue::String(text) => out.push((text.as_ref(), value.span())),
            DeValue::Array(items) if depth < MAX_DEPTH => {
                waiting.extend(items.iter().rev().map(|item| (item, depth + 1)));
            }
            _ => {}
        }
    }
    out
}

/// Whether a name is one that secrets go by.
fn is_secret_name(name: &str) -> bool {
    let name = name.to_lowercase().replace('-', "_");
    let whole = ["pass", "pwd", "pw", "auth", "key", "token", "secret"].contains(&name.as_str());
    let part = [
        "password",
        "passwd",
        "passphrase",
        "secret",
        "api_key",
        "apikey",
        "access_key",
        "private_key",
        "credential",
    ];
    let about = ["_file", "_path", "_dir", "_user", "_name", "_url"].iter().any(|end| name.ends_with(end));
    !about && (whole || name.ends_with("_token") || part.iter().any(|p| name.contains(p)))
}

/// Whether a value stands for itself: no variable, no path, not empty.
fn is_literal(value: &str) -> bool {
    !value.is_empty() && !value.contains("${") && !value.starts_with(['/', '~', '-', '.'])
}

/// Whether a text has the form of a well-known sort of token or key.
fn looks_secret(text: &str) -> bool {
    static FORMS: LazyLock<Option<regex::Regex>> = LazyLock::new(|| {
        let forms = [
            r"-----BEGIN [A-Z ]*PRIVATE KEY",
            r"\beyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.",
            r"\bgh[pousr]_[A-Za-z0-9]{20,}",
            r"\bglpat-[A-Za-z0-9_-]{16,}",
            r"\bxox[abprs]-[A-Za-z0-9-]{10,}",
            r"\bAKIA[0-9A-Z]{16}\b",
            r"\bsk[-_][A-Za-z0-9_-]{16,}",
            r"\bhvs\.[A-Za-z0-9_-]{16,}",
            r"(?i)\bbearer\s+[A-Za-z0-9._~+/=-]{8,}",
            r"(?i)\b(pgpassword|mysql_pwd|rediscli_auth)=[^\s$]",
        ];
        regex::Regex::new(&forms.join("|")).ok()
    });
    FORMS.as_ref().is_some_and(|forms| forms.is_match(text))
}

/// `scheme://user:password@host`.
fn has_userinfo(text: &str) -> bool {
    let Some((_, rest)) = text.split_once("://") else { return false };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or("");
    let Some((userinfo, _)) = authority.rsplit_once('@') else { return false };
    userinfo.split_once(':').is_some_and(|(_, password)| is_literal(password))
}

fn has_secret_query(url: &str) -> bool {
    let Some((_, query)) = url.split_once('?') else { return false };
    query.split('&').filter_map(|p| p.split_once('=')).any(|(k, v)| is_secret_name(k) && is_literal(v))
}

/// A JSON text with a field that secrets go by.
fn has_secret_field(text: &str) -> bool {
    let Ok(serde_json::Value::Object(map)) = serde_json::from_str(text) else { return false };
    map.iter().any(|(k, v)| is_secret_name(k) && v.as_str().is_some_and(is_literal))
}

/// Whether a shell line can end well although a part of it failed.
fn hides_failure(script: &str, pipefail: bool) -> bool {
    let quiet = ["true", "echo", ":", "exit 0", "printf"];
    let mut rest = script;
    while let Some(at) = rest.find('|') {
        let tail = rest.get(at + 1..).unwrap_or("");
        if let Some(after) = tail.strip_prefix('|') {
            if quiet.iter().any(|q| after.trim_start().starts_with(q)) {
                return true;
            }
            rest = after;
        } else {
            if !pipefail && !script.contains("pipefail") {
                return true;
            }
            rest = tail;
        }
    }
    let last = script.trim_end().rsplit([';', '\n']).next().unwrap_or("").trim();
    script.contains([';', '\n']) && matches!(last, "true" | ":" | "exit 0")
}

/// The first word of every command of a shell line.
fn commands(script: &str) -> impl Iterator<Item = &str> {
    script
        .split(['|', ';', '&', '\n', '(', ')', '{', '}', '`'])
        .filter_map(|part| {
            let skip = ["if", "then", "while", "until", "do", "!", "else", "exec", "time", "sudo", "-n"];
            part.split_whitespace().find(|w| !skip.contains(w) && !w.contains('='))
        })
        .take(256)
}

#[cfg(test)]
mod tests;
