//! Loads config.toml and its stack file together. Both are read to the end, so that everything
//! wrong with either is told at once.

use super::builtin;
use super::config::{self, Config, Environment, StackRef};
use super::decode::At;
use super::diag::{Problem, Problems, Source};
use super::draft::{self, Draft, Place, Placed, ProbeDraft, VarDecl};
use super::files;
use super::fingerprint;
use super::overrides::Overrides;
use super::rule_files::{Disk, RuleFiles};
use super::spec::{Host, Layer, Probe, Stack, TransportSpec};
use super::validate;
use super::vars::Vars;
use crate::domain::id::{HostId, LayerId, ProbeId, SecretId};
use crate::domain::text;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What the command line says about files.
#[derive(Clone, Debug, Default)]
pub struct Flags {
    /// `--config`.
    pub config: Option<PathBuf>,
    /// `--stack`: a name or a path.
    pub stack: Option<String>,
}

/// Everything that was read, and sound.
#[derive(Debug)]
pub struct Loaded {
    pub stack: Stack,
    /// The stack file.
    pub source: Arc<Source>,
    /// What the stack is, in its own words.
    pub about: String,
    /// The stack's variables and their defaults.
    pub vars: Vec<VarDecl>,
    /// The secrets that it refers to.
    pub secrets: Vec<SecretId>,
    pub config: Config,
    /// What a plan was made of: see [`fingerprint::of`].
    pub stack_hash: String,
    /// Warnings only.
    pub problems: Problems,
}

/// Why there is nothing to watch.
#[derive(Debug)]
pub enum Failure {
    /// No config was found and no stack was named: say what to type next.
    Nothing,
    /// At least one is an error.
    Problems(Problems),
}

/// Finds, reads and checks what is to be watched.
///
/// # Errors
/// See [`Failure`].
pub fn load(flags: &Flags, env: Environment<'_>) -> Result<Loaded, Failure> {
    load_as(flags, env, None)
}

/// The same with this text in place of the stack file's, which may be anything or gone by now.
///
/// # Errors
/// See [`Failure`].
pub fn load_with(flags: &Flags, env: Environment<'_>, text: String) -> Result<Loaded, Failure> {
    load_as(flags, env, Some(text))
}

fn load_as(flags: &Flags, env: Environment<'_>, text: Option<String>) -> Result<Loaded, Failure> {
    let mut problems = Problems::default();
    let path = flags.config.clone().or_else(|| config::find(env));
    let config_source = match path.as_deref().map(files::read) {
        Some(Ok(source)) => Some(source),
        Some(Err(problem)) => {
            problems.push(problem);
            None
        }
        None if flags.stack.is_none() => return Err(Failure::Nothing),
        None => None,
    };
    let mut config = match &config_source {
        Some(source) => Config::read(source, env, &mut problems),
        None => Config::defaults(env),
    };
    let stack_source = match text {
        None => choose_stack(flags, &mut config, &mut problems),
        Some(text) => {
            // Rule files stand beside the file, whatever it says now.
            let there = choose_stack(flags, &mut config, &mut Problems::default());
            let name = there.map_or_else(|| "the kept stack file".to_owned(), |s| s.name.clone());
            Some(Arc::new(Source { name, text }))
        }
    };
    let draft = stack_source.map(|source| read_stack(&source, &config, Disk::Read, &mut problems));
    problems.sort();
    match draft {
        Some(draft) if !problems.has_errors() => Ok(finish(draft, config, problems)),
        _ => Err(Failure::Problems(problems)),
    }
}

/// Loads files that were already read. Their names are their paths: rule files stand beside them.
///
/// # Errors
/// All that is wrong with either, and with the rule files that they name.
pub fn load_sources(
    stack: &Arc<Source>,
    config: Option<&Arc<Source>>,
    env: Environment<'_>,
) -> Result<Loaded, Problems> {
    load_both(stack, config, env, Disk::Read)
}

/// Loads texts instead of files, and so refuses to name rule files: for tests and fuzzing.
///
/// # Errors
/// All that is wrong with either text.
pub fn load_texts(
    stack: &Arc<Source>,
    config: Option<&Arc<Source>>,
    env: Environment<'_>,
) -> Result<Loaded, Problems> {
    load_both(stack, config, env, Disk::Untouched)
}

fn load_both(
    stack: &Arc<Source>,
    config: Option<&Arc<Source>>,
    env: Environment<'_>,
    disk: Disk,
) -> Result<Loaded, Problems> {
    let mut problems = Problems::default();
    let config = match config {
        Some(source) => Config::read(source, env, &mut problems),
        None => Config::defaults(env),
    };
    let draft = read_stack(stack, &config, disk, &mut problems);
    problems.sort();
    if problems.has_errors() { Err(problems) } else { Ok(finish(draft, config, problems)) }
}

/// The stack that `--stack` names, and how a config names it from anywhere.
///
/// # Errors
/// Why it cannot be read.
pub fn named_stack(named: &str) -> Result<(String, Arc<Source>), Problems> {
    let mut problems = Problems::default();
    let wanted = StackRef::parse(named, Path::new(""));
    let command_line = Arc::new(Source { name: "--stack".to_owned(), text: named.to_owned() });
    let place = Place { source: command_line, span: 0..named.len() };
    let source = open_stack(&wanted, &place, &mut problems).ok_or(problems)?;
    let name = match wanted {
        StackRef::BuiltIn(name) => name,
        StackRef::Path(path) => std::fs::canonicalize(&path).unwrap_or(path).display().to_string(),
    };
    Ok((name, source))
}

/// The stack file that the flag names, or else the config. What a config says about one stack is
/// not applied to another.
fn choose_stack(flags: &Flags, config: &mut Config, problems: &mut Problems) -> Option<Arc<Source>> {
    if let Some(named) = &flags.stack {
        let wanted = StackRef::parse(named, Path::new(""));
        if config.stack.as_ref().is_some_and(|s| s.value != wanted) {
            set_aside(config, problems);
        }
        let command_line = Arc::new(Source { name: "--stack".to_owned(), text: named.clone() });
        return open_stack(&wanted, &Place { source: command_line, span: 0..named.len() }, problems);
    }
    let source = config.source.clone()?;
    let Some(At { value, span }) = config.stack.clone() else {
        if config.has_stack {
            return None;
        }
        let names: Vec<&str> = builtin::all().iter().map(|b| b.name).collect();
        let help = format!("write stack = \"NAME\" or \"FILE.toml\"; built in: {}", names.join(", "));
        problems.push(Problem::error(&source, 0..0, "this config names no `stack`").help(Some(help)));
        return None;
    };
    open_stack(&value, &Place { source, span }, problems)
}

fn set_aside(config: &mut Config, problems: &mut Problems) {
    let (Some(source), Some(stack)) = (config.source.clone(), config.stack.clone()) else { return };
    let remote = config.prometheus.is_some() || config.alertmanager.is_some();
    if remote
        || !(config.rule_files.is_empty()
            && config.vars.is_empty()
            && config.hosts.is_empty()
            && config.probes.is_empty())
    {
        let message = "the vars, hosts, probes, prometheus, alertmanager and rule_files of this config are not \
            applied: --stack names another stack";
        problems.push(Problem::warning(&source, stack.span, message));
    }
    config.vars.clear();
    config.hosts.clear();
    config.probes.clear();
    config.rule_files.clear();
    (config.prometheus, config.alertmanager) = (None, None);
    config.secret_refs.clear();
}

fn open_stack(wanted: &StackRef, place: &Place, problems: &mut Problems) -> Option<Arc<Source>> {
    let problem = match wanted {
        StackRef::BuiltIn(name) => {
            if let Some(source) = builtin::source(name) {
                return Some(source);
            }
            let names: Vec<&str> = builtin::all().iter().map(|b| b.name).collect();
            let near = text::nearest(name, names.iter().copied());
            let help = near.map_or_else(
                || format!("built in: {}; a file is written with a / or .toml", names.join(", ")),
                |n| format!("did you mean `{n}`?"),
            );
            let message = format!("no stack called `{}` is built in", text::one_line(name, 60));
            Problem::error(&place.source, place.span.clone(), message).help(Some(help))
        }
        StackRef::Path(path) => match files::read(path) {
            Ok(source) => return Some(source),
            // The place that named the file helps more than the file that cannot be read.
            Err(p) if p.span.is_empty() => Problem::error(&place.source, place.span.clone(), p.message),
            Err(p) => p,
        },
    };
    problems.push(problem);
    None
}

/// Reads the stack, applies the config's overrides, and checks the whole.
fn read_stack(source: &Arc<Source>, config: &Config, disk: Disk, problems: &mut Problems) -> Draft {
    let mut overrides = config_vars(config);
    let mut found = Problems::default();
    let mut draft = draft::read(source, &overrides, &mut found);
    overrides.retain(|name, _| draft.vars.iter().any(|v| v.name == *name));
    Overrides { config, draft: &mut draft, problems: &mut found }.apply();
    rule_files(source, config, disk, (&mut draft, &mut found));
    validate::validate(&draft, &mut found);
    secrets_are_defined(&draft, config, &mut found);
    super::procedure::off::warn(&draft.procedures, config, &mut found);
    problems.1 += found.1;
    for problem in found.0 {
        match culprit(&problem, source, &overrides) {
            Some(place) => problems.push_once(blame(problem, place)),
            None => problems.push(problem),
        }
    }
    draft
}

/// Adds the rules of files to those of the stack file.
fn rule_files(
    stack: &Arc<Source>,
    config: &Config,
    disk: Disk,
    (draft, problems): (&mut Draft, &mut Problems),
) {
    let named = std::mem::take(&mut draft.metrics.rule_files);
    if let Some(first) = named.first().filter(|_| builtin::is(stack)) {
        let message = "a built-in stack is all in one file: it names no rule files";
        problems.push(Problem::error(stack, first.span.clone(), message));
        return;
    }
    let mut files = RuleFiles::new(disk, &mut draft.metrics.metrics.rules, problems);
    files.read(stack, &named);
    if let Some(source) = &config.source {
        files.read(source, &config.rule_files);
    }
}

fn config_vars(config: &Config) -> BTreeMap<String, Placed<String>> {
    let Some(source) = &config.source else { return BTreeMap::new() };
    let placed = |at: &At<String>| Placed {
        value: at.value.clone(),
        place: Place { source: Arc::clone(source), span: at.span.clone() },
    };
    config.vars.iter().map(|(name, at)| (name.clone(), placed(at))).collect()
}

/// The variable of config.toml that stands where a problem of the stack file is.
fn culprit<'a>(
    problem: &Problem,
    stack: &Arc<Source>,
    overrides: &'a BTreeMap<String, Placed<String>>,
) -> Option<&'a Place> {
    // How the variable is written is the stack file's own affair.
    if !Arc::ptr_eq(&problem.source, stack) || problem.message.starts_with("no variable") {
        return None;
    }
    let excerpt = stack.text.get(problem.span.clone())?;
    overrides.iter().find(|(name, _)| excerpt.contains(&format!("${{{name}}}"))).map(|(_, o)| &o.place)
}

/// A value that config.toml put in is wrong there, not where the stack file uses it.
fn blame(problem: Problem, place: &Place) -> Problem {
    let (line, _) = problem.source.position(problem.span.start);
    let message = format!("{} (used in {}, line {line})", problem.message, problem.source.name);
    Problem { source: Arc::clone(&place.source), span: place.span.clone(), message, ..problem }
}

fn secrets_are_defined(draft: &Draft, config: &Config, problems: &mut Problems) {
    let Some(source) = &config.source else { return };
    let mut told: Vec<&SecretId> = Vec::new();
    let here = draft.secrets.iter().map(|s| (&draft.source, s));
    for (source, secret) in here.chain(config.secret_refs.iter().map(|s| (source, s))) {
        if config.secrets.contains_key(&secret.value) || told.contains(&&secret.value) {
            continue;
        }
        told.push(&secret.value);
        let message = format!("the secret `{}` is not defined: what needs it stays unknown", secret.value);
        let help = format!("add [secrets.{}] with env, file or command to config.toml", secret.value);
        problems.push(Problem::warning(source, secret.span.clone(), message).help(Some(help)));
    }
}

/// Puts together what has been found sound.
fn finish(draft: Draft, config: Config, problems: Problems) -> Loaded {
    let hosts: Vec<Host> = draft.hosts.iter().map(|h| host(&h.value, &config)).collect();
    let first_host = hosts.first().map_or_else(|| HostId::new("local"), |h| h.id.clone());
    let off = |id: &str| config.probes.iter().any(|p| p.id.value == id && !p.enabled);
    let probes =
        draft.probes.into_iter().filter_map(|p| probe(p, &first_host)).filter(|p| !off(p.id.as_str()));
    let layers = draft.layers.into_iter().map(|l| Layer {
        id: LayerId::new(&l.id.value),
        name: l.name,
        needs: l.needs.iter().map(|n| LayerId::new(&n.value)).collect(),
    });
    let refs = draft.secrets.into_iter().chain(config.secret_refs.iter().cloned());
    let mut secrets: Vec<SecretId> = refs.map(|s| s.value).collect();
    secrets.sort();
    secrets.dedup();
    let stack = Stack {
        name: draft.name,
        title: draft.title,
        environment: config.environment.clone(),
        layers: layers.collect(),
        hosts,
        logins: draft.logins.into_iter().map(|l| l.value).collect(),
        probes: probes.collect(),
        metrics: draft.metrics.metrics,
        procedures: draft.procedures.all,
    };
    let given = config.vars.iter().map(|(name, at)| (name.clone(), at.value.clone()));
    let stack_hash = fingerprint::of(&draft.source, &Vars(given.collect()), &stack);
    let (source, about, vars) = (draft.source, draft.about, draft.vars);
    Loaded { stack, source, about, vars, secrets, config, stack_hash, problems }
}

fn host(id: &str, config: &Config) -> Host {
    let said = config.hosts.iter().find(|h| h.id.value == id);
    Host {
        id: HostId::new(id),
        transport: said.map_or(TransportSpec::Local, |h| h.transport.clone()),
        path: said.map(|h| h.path.clone()).unwrap_or_default(),
    }
}

fn probe(p: ProbeDraft, first_host: &HostId) -> Option<Probe> {
    Some(Probe {
        id: ProbeId::new(&p.id?.value),
        name: p.name,
        layer: LayerId::new(&p.layer?.value),
        host: p.host.map_or_else(|| first_host.clone(), |h| HostId::new(&h.value)),
        interval: p.interval.value,
        timeout: p.timeout.value,
        thresholds: p.thresholds,
        conditions: p.conditions.into_iter().map(|c| c.value).collect(),
        degraded_unless: p.degraded_unless.into_iter().map(|c| c.value).collect(),
        sudo: p.sudo,
        help: p.help,
        rows: p.rows,
        kind: p.kind?,
    })
}
