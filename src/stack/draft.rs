//! A stack file as it was written: everything with its place, nothing yet checked against
//! anything else. What is missing or malformed has been noted; the rest is kept, so that the
//! checks that follow can report their part too.

use super::decode::{Asked, At, Reader, Table};
use super::diag::{Problems, Source};
use super::kind::common::Tls;
use super::kind::http::target::Target;
use super::kind::{self, Kind};
use super::metrics;
use super::procedure;
use super::spec::{Login, TokenFrom};
use super::vars::Vars;
use crate::domain::condition::Condition;
use crate::domain::damping::Thresholds;
use crate::domain::id::{self, SecretId};
use crate::domain::text;
use std::collections::BTreeMap;
use std::ops::{Range, RangeInclusive};
use std::sync::Arc;
use std::time::Duration;

/// How often a probe may look.
pub const INTERVALS: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(3600);
/// How long one look may take.
pub const TIMEOUTS: RangeInclusive<Duration> = Duration::from_millis(50)..=Duration::from_secs(60);
/// How many results in a row may be asked for.
pub const THRESHOLDS: RangeInclusive<i64> = 1..=100;
/// The least time between two refused logins.
const BACKOFFS: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(86_400);

/// Where something was said: the stack file, or config.toml when that overrode it.
#[derive(Clone, Debug)]
pub struct Place {
    pub source: Arc<Source>,
    pub span: Range<usize>,
}

/// A value and where it was said.
#[derive(Clone, Debug)]
pub struct Placed<T> {
    pub value: T,
    pub place: Place,
}

/// A stack file as it was written.
#[derive(Debug)]
pub struct Draft {
    pub source: Arc<Source>,
    pub name: String,
    pub title: String,
    pub about: String,
    pub vars: Vec<VarDecl>,
    pub layers: Vec<LayerDraft>,
    pub hosts: Vec<At<String>>,
    pub logins: Vec<At<Login>>,
    /// The ids of all logins, also of those that are wrong.
    pub login_ids: Vec<String>,
    pub probes: Vec<ProbeDraft>,
    pub metrics: metrics::read::Draft,
    pub procedures: procedure::read::Draft,
    /// Every reference to a secret.
    pub secrets: Vec<At<SecretId>>,
}

/// A variable and what it stands for when config.toml says nothing else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VarDecl {
    pub name: String,
    pub default: String,
    pub about: String,
}

#[derive(Debug)]
pub struct LayerDraft {
    pub id: At<String>,
    pub name: String,
    pub needs: Vec<At<String>>,
}

#[derive(Debug)]
pub struct ProbeDraft {
    /// `None` when it has none that is valid; that was noted.
    pub id: Option<At<String>>,
    pub name: String,
    pub layer: Option<At<String>>,
    pub host: Option<At<String>>,
    pub interval: Placed<Duration>,
    pub timeout: Placed<Duration>,
    pub thresholds: Thresholds,
    pub conditions: Vec<Placed<Condition>>,
    pub degraded_unless: Vec<Placed<Condition>>,
    pub sudo: bool,
    pub help: String,
    pub rows: Vec<String>,
    /// `None` when its keys are wrong; that was noted.
    pub kind: Option<Kind>,
    /// Where `auth` stands, or the probe.
    pub auth: Range<usize>,
    pub span: Range<usize>,
}

/// Intervals and thresholds for the probes that give none: `[defaults]`.
#[derive(Clone, Copy, Debug)]
struct Defaults {
    interval: Duration,
    timeout: Duration,
    thresholds: Thresholds,
}

/// Reads a stack file, with the variables that config.toml overrides.
pub fn read(
    source: &Arc<Source>,
    overrides: &BTreeMap<String, Placed<String>>,
    problems: &mut Problems,
) -> Draft {
    let reader = Reader::new(Arc::clone(source));
    let root = reader.parse(&source.text);
    let draft = read_root(&reader, &Table::new(&reader, &root, 0..0, "stack file"), overrides);
    problems.append(reader.into_problems());
    draft
}

/// What a stack file was asked for, table by table: the documentation is held complete against it.
pub fn asked(source: &Arc<Source>) -> Vec<Asked> {
    let reader = Reader::new(Arc::clone(source));
    let root = reader.parse(&source.text);
    read_root(&reader, &Table::new(&reader, &root, 0..0, "stack file"), &BTreeMap::new());
    reader.asked()
}

fn read_root<'a>(
    reader: &'a Reader,
    root: &Table<'a>,
    overrides: &BTreeMap<String, Placed<String>>,
) -> Draft {
    let vars = read_vars(root);
    let fill = vars.iter().map(|v| {
        let value = overrides.get(&v.name).map_or(&v.default, |o| &o.value);
        (v.name.clone(), value.clone())
    });
    reader.set_vars(Vars(fill.collect()));
    let (name, title, about) = read_head(root);
    let defaults = read_defaults(root);
    let layers: Vec<LayerDraft> = root.tables("layers", "layer").into_iter().filter_map(read_layer).collect();
    let mut hosts: Vec<At<String>> = root
        .tables("hosts", "host")
        .into_iter()
        .filter_map(|t| {
            let id = t.need_id("id");
            t.finish();
            id
        })
        .collect();
    if hosts.is_empty() && !root.has("hosts") {
        hosts.push(At { value: "local".to_owned(), span: 0..0 });
    }
    let logins = root.named_tables("logins", "login");
    let login_ids: Vec<String> = logins.iter().map(|(id, _)| id.value.clone()).collect();
    let logins = logins.into_iter().filter_map(read_login).collect();
    let probes: Vec<ProbeDraft> =
        root.tables("probes", "probe").into_iter().map(|t| read_probe(t, defaults)).collect();
    let names = metrics::read::Names { hosts: &hosts, logins: &login_ids };
    let metrics = metrics::read::read(root, names);
    let ids: Vec<String> = probes.iter().filter_map(|p| p.id.as_ref()).map(|i| i.value.clone()).collect();
    let defined = procedure::read::Stack { hosts: &hosts, logins: &login_ids, layers: &layers, probes: &ids };
    let procedures = procedure::read::read(root, defined);
    root.check_keys();
    let source = Arc::clone(reader.source());
    Draft {
        source,
        name,
        title,
        about,
        vars,
        layers,
        hosts,
        logins,
        login_ids,
        probes,
        metrics,
        procedures,
        secrets: reader.secrets(),
    }
}

fn read_head(root: &Table<'_>) -> (String, String, String) {
    let Some(t) = root.table("stack", "[stack] table") else {
        if !root.has("stack") {
            root.reader.error(0..0, "this stack file has no [stack] table; it needs at least a name", None);
        }
        return Default::default();
    };
    let name = t.need_id("name").map(|n| n.value).unwrap_or_default();
    let title = t.str_or("title", &name);
    let about = t.str_or("about", "");
    t.finish();
    (name, title, about)
}

fn read_vars(root: &Table<'_>) -> Vec<VarDecl> {
    let Some(t) = root.table("vars", "[vars] table") else { return Vec::new() };
    let mut out = Vec::new();
    for (name, span) in t.keys() {
        if !is_var_name(name) || name == "each" {
            let shown = text::one_line(name, 60);
            let help = Some("lower-case letters, digits and _".to_owned());
            t.reader.error(span, format!("`{shown}` is no valid name of a variable"), help);
            continue;
        }
        let (default, about) = if t.is_table(name) {
            let Some(inner) = t.table(name, "variable") else { continue };
            let (default, about) = (inner.need_str("default"), inner.str_or("about", ""));
            inner.finish();
            (default, about)
        } else {
            (t.str(name), String::new())
        };
        let default = default.map(|d| d.value).unwrap_or_default();
        out.push(VarDecl { name: name.to_owned(), default, about });
    }
    out
}

/// What may stand between `${` and `}`.
pub fn is_var_name(name: &str) -> bool {
    id::is_valid(name) && !name.contains(['-', '.'])
}

fn read_defaults(root: &Table<'_>) -> Defaults {
    let built_in = Defaults {
        interval: Duration::from_secs(5),
        timeout: Duration::from_secs(2),
        thresholds: Thresholds::default(),
    };
    let Some(t) = root.table("defaults", "[defaults] table") else { return built_in };
    let interval = t.duration_or("interval", built_in.interval, INTERVALS);
    let timeout = t.duration_or("timeout", built_in.timeout.min(interval), TIMEOUTS);
    if timeout > interval {
        let help = Some("a probe that outlasts its interval is never on time".to_owned());
        t.reader.error(t.span_of("timeout"), "`timeout` is longer than `interval`", help);
    }
    let thresholds = read_thresholds(&t, built_in.thresholds);
    t.finish();
    Defaults { interval, timeout, thresholds }
}

/// `failure_threshold` and `success_threshold`.
pub fn read_thresholds(t: &Table<'_>, default: Thresholds) -> Thresholds {
    let read =
        |key, default: u32| u32::try_from(t.int_or(key, default.into(), THRESHOLDS)).unwrap_or(default);
    Thresholds {
        failure: read("failure_threshold", default.failure),
        success: read("success_threshold", default.success),
    }
}

fn read_layer(t: Table<'_>) -> Option<LayerDraft> {
    let id = t.need_id("id");
    let name = t.str("name").map(|n| n.value);
    let needs = t.strings("needs").unwrap_or_default();
    t.finish();
    let id = id?;
    Some(LayerDraft { name: name.unwrap_or_else(|| id.value.clone()), id, needs })
}

fn read_login((id, t): (At<String>, Table<'_>)) -> Option<At<Login>> {
    if !id::is_valid(&id.value) {
        let shown = text::one_line(&id.value, 60);
        t.reader.error(id.span.clone(), format!("`{shown}` is no valid id"), None);
    }
    let username = t.need_str("username");
    let password = t.secret("password");
    if !t.has("password") {
        t.reader.error(t.span.clone(), "this login has no `password`; it needs { secret = \"NAME\" }", None);
    }
    let token = match (t.str("cookie"), t.str("token")) {
        (Some(cookie), None) => Some(TokenFrom::Cookie(cookie.value)),
        (None, Some(path)) => Some(TokenFrom::Body(path.value)),
        (None, None) if t.has("cookie") || t.has("token") => None,
        _ => {
            let message = "a login needs exactly one of `cookie` and `token`: where the answer has the token";
            t.reader.error(t.span.clone(), message, None);
            None
        }
    };
    let backoff = t.duration_or("backoff", Duration::from_secs(30), BACKOFFS);
    let url = t.need_str("url");
    let tls = Tls::decode(&t);
    if let Some(url) = &url
        && let Err(why) = Target::parse(&url.value, tls.clone(), None)
    {
        t.reader.error(url.span.clone(), why, None);
    }
    t.finish();
    let login = Login {
        id: id.value,
        url: url?.value,
        username: username?.value,
        password: password?,
        token: token?,
        backoff,
        tls: tls.unwrap_or_default(),
    };
    Some(At { value: login, span: id.span })
}

fn read_probe(t: Table<'_>, defaults: Defaults) -> ProbeDraft {
    let source = Arc::clone(t.reader.source());
    let place = |key: &str| Place { source: Arc::clone(&source), span: t.span_of(key) };
    let id = t.need_id("id");
    let name = t.str("name").map(|n| n.value);
    let layer = t.need_str("layer");
    let host = t.str("host");
    let interval = t.duration_or("interval", defaults.interval, INTERVALS);
    let timeout = t.duration_or("timeout", defaults.timeout.min(interval), TIMEOUTS);
    let thresholds = read_thresholds(&t, defaults.thresholds);
    let given = t.has("conditions");
    let here = |all: Vec<At<Condition>>| {
        let at = |c: At<Condition>| Placed {
            value: c.value,
            place: Place { source: Arc::clone(&source), span: c.span },
        };
        all.into_iter().map(at).collect::<Vec<_>>()
    };
    let mut conditions = here(t.conditions("conditions"));
    let degraded_unless = here(t.conditions("degraded_unless"));
    let sudo = t.bool_or("sudo", false);
    let help = t.str_or("help", "");
    let rows = t.strings("rows").unwrap_or_default().into_iter().map(|r| r.value).collect();
    let (interval, timeout) = (
        Placed { value: interval, place: place("interval") },
        Placed { value: timeout, place: place("timeout") },
    );
    let span = id.as_ref().map_or_else(|| t.span.clone(), |i| i.span.clone());
    let auth = t.span_of("auth");
    let kind = read_kind(t);
    if let Some(kind) = kind.as_ref().filter(|_| !given) {
        let place = Place { source: Arc::clone(&source), span: span.clone() };
        // A kind's own conditions are part of this program; a test parses every one of them.
        let own = kind.default_conditions().into_iter().filter_map(|text| text.parse().ok());
        conditions = own.map(|value| Placed { value, place: place.clone() }).collect();
    }
    let name = name.or_else(|| id.as_ref().map(|i| i.value.clone())).unwrap_or_default();
    ProbeDraft {
        id,
        name,
        layer,
        host,
        interval,
        timeout,
        thresholds,
        conditions,
        degraded_unless,
        sudo,
        help,
        rows,
        kind,
        auth,
        span,
    }
}

/// Reads what is particular to the kind. Without a kind nobody knows which keys are right, so
/// none is called unknown then.
fn read_kind(t: Table<'_>) -> Option<Kind> {
    let name = t.need_str("kind")?;
    if !kind::NAMES.contains(&name.value.as_str()) {
        let near = text::nearest(&name.value, kind::NAMES.iter().copied());
        let help = near.map_or_else(
            || format!("there are {}", kind::NAMES.join(", ")),
            |n| format!("did you mean \"{n}\"?"),
        );
        let shown = text::one_line(&name.value, 40);
        t.reader.error(name.span, format!("there is no kind of probe called \"{shown}\""), Some(help));
        return None;
    }
    let kind = Kind::decode(&name.value, &t);
    t.finish();
    kind
}
