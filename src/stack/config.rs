//! `config.toml`: which stack, how its hosts are reached, what differs here from the stack file,
//! where secrets come from, and how the screen looks.

use super::decode::{Asked, At, Reader, Table};
use super::diag::{Problems, Source};
use super::draft::{INTERVALS, THRESHOLDS, TIMEOUTS, is_var_name};
use super::metrics::remote::{self, RemoteDraft};
use super::spec::{SecretSource, SecretSources, TransportSpec};
use crate::domain::condition::Condition;
use crate::domain::id::{self, SecretId};
use crate::domain::text;
use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// How long the wallboard may stay on one screen.
pub const ROTATIONS: RangeInclusive<Duration> = Duration::from_secs(2)..=Duration::from_secs(3600);
/// Hosts, variables, overrides or bindings that one file may hold.
const MAX_ENTRIES: usize = 5000;

/// A named value of the process environment; passed in, so that tests say what it is.
pub type Environment<'a> = &'a dyn Fn(&str) -> Option<String>;

/// Which stack is watched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StackRef {
    /// One that is part of the program.
    BuiltIn(String),
    Path(PathBuf),
}

impl StackRef {
    /// A name, or a path when it has a `/` or ends in `.toml`. A relative path starts at `base`.
    pub fn parse(text: &str, base: &Path) -> StackRef {
        let is_path = text.contains('/') || Path::new(text).extension().is_some_and(|e| e == "toml");
        if is_path { StackRef::Path(base.join(text)) } else { StackRef::BuiltIn(text.to_owned()) }
    }
}

/// What `config.toml` says; without a file, the defaults.
#[derive(Clone, Debug)]
pub struct Config {
    /// The file, for those who check what it says later: the keymap, the themes.
    pub source: Option<Arc<Source>>,
    pub stack: Option<At<StackRef>>,
    /// Whether the file has the key at all, right or wrong.
    pub has_stack: bool,
    /// Where this stack runs, shown everywhere. What is not named is treated as production.
    pub environment: String,
    /// A theme's name or file; `None` for the default theme.
    pub theme: Option<At<String>>,
    pub ascii: bool,
    pub color: bool,
    pub state_dir: PathBuf,
    pub vars: BTreeMap<String, At<String>>,
    pub hosts: Vec<HostConfig>,
    pub probes: Vec<ProbeConfig>,
    /// Instead of the stack file's.
    pub prometheus: Option<RemoteDraft>,
    /// Instead of the stack file's.
    pub alertmanager: Option<RemoteDraft>,
    /// Prometheus rule files beside the stack's own; paths start at this file.
    pub rule_files: Vec<At<String>>,
    pub secrets: SecretSources,
    /// Every reference to a secret from this file.
    pub secret_refs: Vec<At<SecretId>>,
    pub keys: Vec<KeyBinding>,
    /// How long the wallboard stays on one screen.
    pub wallboard_rotate: Duration,
    /// The group whose members may take part; `None` for the user alone.
    pub operators_group: Option<String>,
}

/// How one host of the stack is reached.
#[derive(Clone, Debug)]
pub struct HostConfig {
    pub id: At<String>,
    pub transport: TransportSpec,
    /// Directories put before PATH there.
    pub path: Vec<String>,
}

/// What differs here for one probe.
#[derive(Clone, Debug)]
pub struct ProbeConfig {
    pub id: At<String>,
    pub enabled: bool,
    pub interval: Option<At<Duration>>,
    pub timeout: Option<At<Duration>>,
    pub failure_threshold: Option<u32>,
    pub success_threshold: Option<u32>,
    /// Whether its commands run through `sudo -n` here.
    pub sudo: Option<bool>,
    /// Instead of the stack file's.
    pub conditions: Option<Vec<At<Condition>>>,
    pub degraded_unless: Option<Vec<At<Condition>>>,
}

/// `[keys] action = "key"`: who knows actions and keys checks them, with these places.
#[derive(Clone, Debug)]
pub struct KeyBinding {
    pub action: At<String>,
    pub keys: Vec<At<String>>,
}

impl Config {
    /// What holds without a file.
    pub fn defaults(env: Environment<'_>) -> Config {
        Config {
            source: None,
            stack: None,
            has_stack: false,
            environment: "production".to_owned(),
            theme: None,
            ascii: false,
            color: true,
            state_dir: default_state_dir(env),
            vars: BTreeMap::new(),
            hosts: Vec::new(),
            probes: Vec::new(),
            prometheus: None,
            alertmanager: None,
            rule_files: Vec::new(),
            secrets: SecretSources::new(),
            secret_refs: Vec::new(),
            keys: Vec::new(),
            wallboard_rotate: Duration::from_secs(15),
            operators_group: None,
        }
    }

    /// Reads a file's text. What is wrong is noted, and the default stands in its place.
    pub fn read(source: &Arc<Source>, env: Environment<'_>, problems: &mut Problems) -> Config {
        let reader = Reader::new(Arc::clone(source));
        let root = reader.parse(&source.text);
        let config = read_root(&Table::new(&reader, &root, 0..0, "config file"), source, env);
        problems.append(reader.into_problems());
        config
    }
}

/// What a config file was asked for, table by table: `config.toml.example` is held complete
/// against it.
pub fn asked(source: &Arc<Source>) -> Vec<Asked> {
    let reader = Reader::new(Arc::clone(source));
    let root = reader.parse(&source.text);
    read_root(&Table::new(&reader, &root, 0..0, "config file"), source, &|_| None);
    reader.asked()
}

/// The first config file of: `$QUARTERDECK_CONFIG`, the user's own, the machine's. The first is
/// taken even if it does not exist, since it was asked for.
pub fn find(env: Environment<'_>) -> Option<PathBuf> {
    if let Some(named) = env("QUARTERDECK_CONFIG").filter(|v| !v.is_empty()) {
        return Some(PathBuf::from(named));
    }
    let home = |rest: &str| env("HOME").filter(|v| v.starts_with('/')).map(|h| Path::new(&h).join(rest));
    let own = env("XDG_CONFIG_HOME").filter(|v| v.starts_with('/')).map(PathBuf::from);
    let candidates = [own, home(".config"), Some(PathBuf::from("/etc"))];
    candidates.into_iter().flatten().map(|dir| dir.join("quarterdeck/config.toml")).find(|p| p.exists())
}

fn default_state_dir(env: Environment<'_>) -> PathBuf {
    let absolute = |name: &str| env(name).filter(|v| v.starts_with('/')).map(PathBuf::from);
    let base = absolute("XDG_STATE_HOME").or_else(|| absolute("HOME").map(|h| h.join(".local/state")));
    base.unwrap_or_else(|| PathBuf::from("/var/lib")).join("quarterdeck")
}

/// What a path in the file is relative to.
struct Paths<'a> {
    env: Environment<'a>,
    /// The directory of the config file.
    base: PathBuf,
}

impl Paths<'_> {
    /// `~/x` is below the user's home.
    fn home(&self, path: &str) -> String {
        match (path.strip_prefix("~/"), (self.env)("HOME")) {
            (Some(rest), Some(home)) => format!("{}/{rest}", home.trim_end_matches('/')),
            _ => path.to_owned(),
        }
    }

    /// A relative path starts where the config file is.
    fn resolve(&self, path: &str) -> PathBuf {
        self.base.join(self.home(path))
    }

    fn resolve_text(&self, path: &str) -> String {
        self.resolve(path).display().to_string()
    }
}

fn read_root(root: &Table<'_>, source: &Arc<Source>, env: Environment<'_>) -> Config {
    let mut config = Config::defaults(env);
    let base = Path::new(&source.name).parent().map(Path::to_path_buf).unwrap_or_default();
    let paths = &Paths { env, base };
    config.source = Some(Arc::clone(source));
    config.stack = root
        .str("stack")
        .map(|s| At { value: StackRef::parse(&paths.home(&s.value), &paths.base), span: s.span });
    config.environment = root.str_or("environment", &config.environment);
    config.theme = root.str("theme");
    config.ascii = root.bool_or("ascii", config.ascii);
    config.color = root.bool_or("color", config.color);
    if let Some(dir) = root.str("state_dir") {
        config.state_dir = paths.resolve(&dir.value);
    }
    config.operators_group = root.str("operators_group").map(|g| g.value);
    config.vars = read_vars(root);
    config.hosts = named(root, "hosts", "host", |id, t| read_host(id, t, paths));
    config.probes = named(root, "probes", "probe override", |id, t| Some(read_probe(id, t)));
    config.prometheus = remote::read_draft(root, "prometheus");
    config.alertmanager = remote::read_draft(root, "alertmanager");
    let home = |at: At<String>| At { value: paths.home(&at.value), span: at.span };
    config.rule_files = root.strings("rule_files").unwrap_or_default().into_iter().map(home).collect();
    config.secret_refs = root.reader.secrets();
    config.secrets =
        named(root, "secrets", "secret", |id, t| read_secret(&id, t, paths)).into_iter().collect();
    config.keys = read_keys(root);
    if let Some(t) = root.table("wallboard", "[wallboard] table") {
        config.wallboard_rotate = t.duration_or("rotate", config.wallboard_rotate, ROTATIONS);
        t.finish();
    }
    root.check_keys();
    config
}

fn read_vars(root: &Table<'_>) -> BTreeMap<String, At<String>> {
    let Some(t) = root.table("vars", "[vars] table") else { return BTreeMap::new() };
    let mut out = BTreeMap::new();
    for (name, span) in t.keys().into_iter().take(MAX_ENTRIES) {
        if !is_var_name(name) {
            let message = format!("`{}` is no valid name of a variable", text::one_line(name, 60));
            t.reader.error(span, message, Some("lower-case letters, digits and _".to_owned()));
        } else if let Some(value) = t.str(name) {
            out.insert(name.to_owned(), value);
        }
    }
    out
}

/// The tables below `[key]`, each with a valid id as its name.
fn named<'a, T>(
    root: &Table<'a>,
    key: &'a str,
    what: &'a str,
    mut read: impl FnMut(At<String>, Table<'a>) -> Option<T>,
) -> Vec<T> {
    let mut out = Vec::new();
    for (id, table) in root.named_tables(key, what).into_iter().take(MAX_ENTRIES) {
        if !id::is_valid(&id.value) {
            let shown = text::one_line(&id.value, 60);
            table.reader.error(id.span.clone(), format!("`{shown}` is no valid id"), None);
        }
        out.extend(read(id, table));
    }
    out
}

fn read_host(id: At<String>, t: Table<'_>, paths: &Paths<'_>) -> Option<HostConfig> {
    let transport = t.choice("transport", &["local", "ssh"]);
    let (destination, port) = (t.str("destination"), t.int("port", 1..=65535));
    let config = t.str("ssh_config");
    let path = t.strings("path").unwrap_or_default().into_iter().map(|p| p.value).collect();
    let transport = if transport == Some("ssh") {
        destination_of(&t, destination).map(|destination| TransportSpec::Ssh {
            destination,
            port: port.and_then(|p| u16::try_from(p).ok()),
            config: config.map(|c| paths.resolve_text(&c.value)),
        })
    } else {
        let local = transport.is_some() || !t.has("transport");
        if local {
            for key in ["destination", "port", "ssh_config"].into_iter().filter(|k| t.has(k)) {
                let help = Some("add transport = \"ssh\"".to_owned());
                t.reader.error(t.span_of(key), format!("`{key}` is for hosts that are reached by ssh"), help);
            }
        }
        Some(TransportSpec::Local)
    };
    t.finish();
    Some(HostConfig { id, transport: transport?, path })
}

/// Where ssh goes. It becomes an argument of ssh, so it must not look like an option.
fn destination_of(t: &Table<'_>, found: Option<At<String>>) -> Option<String> {
    let Some(At { value, span }) = found else {
        if !t.has("destination") {
            let help = Some("write destination = \"user@host\", or an alias of ssh_config".to_owned());
            t.reader.error(t.span.clone(), "this host has transport \"ssh\" and no `destination`", help);
        }
        return None;
    };
    let good = !value.is_empty()
        && !value.starts_with('-')
        && value.chars().all(|c| c.is_ascii_alphanumeric() || "@._-:%[]".contains(c));
    if !good {
        let shown = text::one_line(&value, 60);
        t.reader.error(span, format!("`destination` expects host or user@host, got \"{shown}\""), None);
    }
    good.then_some(value)
}

fn read_probe(id: At<String>, t: Table<'_>) -> ProbeConfig {
    let threshold = |key| t.int(key, THRESHOLDS).and_then(|n| u32::try_from(n).ok());
    let duration = |key, bounds| t.duration(key, bounds).map(|value| At { value, span: t.span_of(key) });
    let probe = ProbeConfig {
        id,
        enabled: t.bool_or("enabled", true),
        interval: duration("interval", INTERVALS),
        timeout: duration("timeout", TIMEOUTS),
        failure_threshold: threshold("failure_threshold"),
        success_threshold: threshold("success_threshold"),
        sudo: t.bool("sudo"),
        conditions: t.has("conditions").then(|| t.conditions("conditions")),
        degraded_unless: t.has("degraded_unless").then(|| t.conditions("degraded_unless")),
    };
    t.finish();
    probe
}

fn read_secret(id: &At<String>, t: Table<'_>, paths: &Paths<'_>) -> Option<(SecretId, SecretSource)> {
    let name = t.str("env").map(|e| SecretSource::Env(e.value));
    let file = t.str("file").map(|f| SecretSource::File(paths.resolve_text(&f.value)));
    let command = t.argv("command").map(SecretSource::Command);
    let given = ["env", "file", "command"].into_iter().filter(|k| t.has(k)).count();
    if given != 1 {
        let message = format!("the secret `{}` needs exactly one of `env`, `file` and `command`", id.value);
        t.reader.error(t.span.clone(), message, None);
    }
    t.finish();
    let source = [name, file, command].into_iter().flatten().next()?;
    Some((SecretId::new(&id.value), source))
}

fn read_keys(root: &Table<'_>) -> Vec<KeyBinding> {
    let Some(t) = root.table("keys", "[keys] table") else { return Vec::new() };
    let mut out = Vec::new();
    for (action, span) in t.keys().into_iter().take(MAX_ENTRIES) {
        if let Some(keys) = t.strings(action) {
            out.push(KeyBinding { action: At { value: action.to_owned(), span }, keys });
        }
    }
    out
}
