//! The loader as its users meet it: files that must load, and files that must be refused with
//! exactly the report that stands beside them.
//!
//! A case is `NAME.toml` (a stack file), perhaps with `NAME.config.toml`. Set
//! `QUARTERDECK_REWRITE=1` to write the reports anew, and read the difference.

#![cfg(test)] // tells clippy that helpers, too, may unwrap

use proptest::prelude::*;
use quarterdeck::domain::id::SecretId;
use quarterdeck::stack::diag::{Problems, Source};
use quarterdeck::stack::kind::http::Auth;
use quarterdeck::stack::load::{self, Loaded, load_sources, load_texts};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

fn cases(sort: &str) -> Vec<PathBuf> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/configs").join(sort);
    let mut all: Vec<PathBuf> = std::fs::read_dir(dir)
        .unwrap()
        .map(|e| e.unwrap().path())
        .filter(|p| p.extension().is_some_and(|e| e == "toml"))
        .filter(|p| !p.to_string_lossy().ends_with(".config.toml"))
        .collect();
    all.sort();
    assert!(!all.is_empty(), "no cases in {sort}");
    all
}

fn source(path: &Path) -> Option<Arc<Source>> {
    let text = std::fs::read_to_string(path).ok()?;
    let name = path.file_name()?.to_string_lossy().into_owned();
    Some(Arc::new(Source { name, text }))
}

fn load(path: &Path) -> Result<Loaded, Problems> {
    let config = source(&path.with_extension("config.toml"));
    let home = |name: &str| (name == "HOME").then(|| "/home/op".to_owned());
    load_sources(&source(path).unwrap(), config.as_ref(), &home)
}

#[test]
fn sound_files_load_without_a_word() {
    for path in cases("valid") {
        match load(&path) {
            Ok(loaded) => assert!(loaded.problems.0.is_empty(), "{}", loaded.problems),
            Err(problems) => panic!("{}:\n{problems}", path.display()),
        }
    }
}

/// config.toml names the Prometheus of this place, and leaves what it does not name.
#[test]
fn a_config_replaces_the_stacks_prometheus_and_keeps_its_alertmanager() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/configs/valid");
    let loaded = load(&dir.join("metrics.toml")).unwrap();
    let metrics = &loaded.stack.metrics;
    let prometheus = metrics.prometheus.as_ref().unwrap();
    let alertmanager = metrics.alertmanager.as_ref().unwrap();
    assert_eq!(prometheus.target.url, "https://prometheus.example");
    // Its host is the stack's first, not that of the table it replaces.
    assert_eq!(prometheus.host.as_str(), "app");
    assert_eq!(prometheus.timeout, Duration::from_secs(10));
    assert_eq!(prometheus.auth, Auth::Bearer(SecretId::new("token")));
    let tenant = |name: &str| vec![("x-scope-orgid".to_owned(), name.to_owned())];
    assert_eq!(prometheus.headers, tenant("tenant"));
    assert_eq!(alertmanager.target.url, "http://127.0.0.1:9093");
    let number = ("x-number".to_owned(), "3".to_owned());
    assert_eq!(alertmanager.headers, [vec![number], tenant("shop")].concat());
    // What suppresses is told from what only stands beside it.
    assert_eq!((metrics.inhibitions.len(), metrics.suppressions.len()), (1, 2));
    assert_eq!(metrics.inhibitions[0], metrics.suppressions[0].inhibition);
}

#[test]
fn the_rules_of_files_come_after_the_stacks_own() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/configs/valid");
    let loaded = load(&dir.join("rule-files.toml")).unwrap();
    let rules: Vec<(&str, String)> =
        loaded.stack.metrics.rules.iter().map(|r| (r.name(), r.place.clone())).collect();
    let names: Vec<&str> = rules.iter().map(|(name, _)| *name).collect();
    assert_eq!(names, ["FromTheStack", "FromAFile", "job:up:sum"]);
    assert!(rules[1].1.ends_with("rules/sound.yml:4"), "{rules:?}");
}

/// Files are found from where they are named, not from where the program runs.
#[test]
fn rule_files_stand_beside_the_file_that_names_them() {
    let dir = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(dir.path().join(name), text).unwrap();
    std::fs::create_dir(dir.path().join("etc")).unwrap();
    let stack = "rule_files = ['a.yml']\n[stack]\nname = 's'\n[[layers]]\nid = 'l'\n[[probes]]\nid = 'p'\n\
        layer = 'l'\nkind = 'exec'\nargv = ['true']\n";
    let group = |name: &str| format!("groups: [{{name: g, rules: [{{alert: {name}, expr: up == 0}}]}}]\n");
    write("stack.toml", stack);
    write("a.yml", &group("A"));
    write("etc/b.yml", &group("B"));
    write("etc/config.toml", "stack = '../stack.toml'\nrule_files = ['b.yml']\n");
    let flags = load::Flags { config: Some(dir.path().join("etc/config.toml")), stack: None };
    let loaded = load::load(&flags, &|_| None).unwrap_or_else(|e| panic!("{e:?}"));
    let names: Vec<&str> =
        loaded.stack.metrics.rules.iter().map(quarterdeck::stack::metrics::Rule::name).collect();
    assert_eq!(names, ["A", "B"]);
    assert!(loaded.problems.0.is_empty(), "{}", loaded.problems);
}

/// Where only texts are looked at, and in what is part of the program, there are no files beside.
#[test]
fn rule_files_are_refused_where_there_can_be_none() {
    let tornado = quarterdeck::stack::builtin::source("tornado").unwrap();
    let config = Source { name: "c.toml".to_owned(), text: "rule_files = ['x.yml']".to_owned() };
    let found = load_texts(&tornado, Some(&Arc::new(config)), &|_| None).unwrap_err();
    assert!(found.to_string().contains("rule files are not looked at here"), "{found}");
}

/// A secret that only a procedure needs is missed like any other, and so is a probe.
#[test]
fn a_config_is_told_what_procedures_miss_in_it() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/configs/valid");
    let stack = source(&dir.join("procedures.toml")).unwrap();
    let config = "stack = 'x.toml'\n[probes.web]\nenabled = false\n[secrets.admin_password]\nenv = 'A'\n\
        [secrets.redis]\nenv = 'B'\n[secrets.db]\nenv = 'C'\n";
    let config = Arc::new(Source { name: "config.toml".to_owned(), text: config.to_owned() });
    let loaded = load_sources(&stack, Some(&config), &|_| None).unwrap();
    let told: Vec<String> = loaded.problems.0.iter().map(|p| p.message.clone()).collect();
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(told.iter().any(|m| m.contains("the secret `api_token` is not defined")), "{told:?}");
    assert!(told.iter().any(|m| m.contains("`web` is switched off") && m.contains("restart")), "{told:?}");
}

/// A plan is bound to the stack that it was made of, and to what config.toml makes of it.
#[test]
fn the_fingerprint_of_a_stack_changes_with_it_and_not_with_colours() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/configs/valid");
    let stack = source(&dir.join("procedures.toml")).unwrap();
    let hash = |stack: &Arc<Source>, config: &str| {
        let text = format!("stack = 'x.toml'\n{config}");
        let config = Arc::new(Source { name: "config.toml".to_owned(), text });
        load_sources(stack, Some(&config), &|_| None).unwrap().stack_hash
    };
    let first = hash(&stack, "");
    assert_eq!(first.len(), 64);
    assert_eq!(first, hash(&stack, "ascii = true\n"));
    let changed =
        Arc::new(Source { name: stack.name.clone(), text: stack.text.replace("\"TERM\"", "x") + "\n#" });
    for other in [
        hash(&stack, "[vars]\napi = 'http://127.0.0.1:9'\n"),
        hash(&stack, "environment = 'lab'\n"),
        hash(&stack, "[hosts.app]\ntransport = 'ssh'\ndestination = 'app.example'\n"),
        hash(&stack, "[probes.web]\ninterval = '9s'\n"),
        hash(&changed, ""),
    ] {
        assert_ne!(first, other);
    }
}

/// What a config says of one stack's Prometheus is not taken for another's.
#[test]
fn another_stack_does_not_inherit_the_prometheus_of_a_config() {
    let dir = tempfile::tempdir().unwrap();
    let config = dir.path().join("config.toml");
    std::fs::write(&config, "stack = \"a.toml\"\n[prometheus]\nurl = \"http://127.0.0.1:9090\"\n").unwrap();
    let smallest = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/configs/valid/smallest.toml");
    let stack = Some(smallest.display().to_string());
    let loaded = load::load(&load::Flags { config: Some(config), stack }, &|_| None);
    let loaded = loaded.unwrap_or_else(|e| panic!("{e:?}"));
    assert!(loaded.stack.metrics.prometheus.is_none());
    let told: Vec<String> = loaded.problems.0.iter().map(|p| p.message.clone()).collect();
    assert!(
        told.iter().any(|m| m.contains("prometheus, alertmanager and rule_files of this config")),
        "{told:?}"
    );
}

#[test]
fn every_mistake_is_reported_at_once_with_its_place() {
    let rewrite = std::env::var_os("QUARTERDECK_REWRITE").is_some();
    let mut wrong = Vec::new();
    for path in cases("invalid") {
        let Err(problems) = load(&path) else {
            panic!("{} loads", path.display());
        };
        for p in &problems.0 {
            assert!(p.span.start <= p.span.end && p.span.end <= p.source.text.len(), "{}", p.line());
        }
        let got = problems.render(false);
        let beside = path.with_extension("stderr");
        if rewrite {
            std::fs::write(&beside, &got).unwrap();
        } else if std::fs::read_to_string(&beside).unwrap_or_default() != got {
            wrong.push(format!("{}:\n{got}", path.display()));
        }
    }
    assert!(wrong.is_empty(), "reports differ from those beside the files:\n{}", wrong.join("\n"));
}

/// Texts that look like stack files here and there.
fn texts() -> impl Strategy<Value = String> {
    let line = prop_oneof![
        "\\PC{0,30}",
        "[a-z_.\\[\\]{}=\"' 0-9$#\\\\]{0,40}",
        Just("[[probes]]".to_owned()),
        Just("[[layers]]".to_owned()),
        Just("id = \"a\"".to_owned()),
        Just("kind = \"exec\"".to_owned()),
        Just("layer = \"a\"".to_owned()),
        Just("[vars]".to_owned()),
        Just("[logins.a]".to_owned()),
        Just("password = { secret = \"a\" }".to_owned()),
        Just("[probes.a]".to_owned()),
        Just("[secrets.a]".to_owned()),
        Just("[hosts.a]".to_owned()),
        Just("conditions = [\"[EXIT] == 0\", 3]".to_owned()),
        Just("[[rules]]".to_owned()),
        Just("[[scrapes]]".to_owned()),
        Just("[[graphs]]".to_owned()),
        Just("[[slos]]".to_owned()),
        Just("[[inhibitions]]".to_owned()),
        Just("[prometheus]".to_owned()),
        Just("expr = \"sum(rate(a_total[5m])) > 1\"".to_owned()),
        Just("[[procedures]]".to_owned()),
        Just("[[procedures.params]]".to_owned()),
        Just("type = \"int\"".to_owned()),
        Just("[[procedures.steps]]".to_owned()),
        Just("[[procedures.steps.steps]]".to_owned()),
        Just("uses = \"for_each\"".to_owned()),
        Just("with = { items = [\"${each}\"], id = \"a\", argv = [\"${param.a}\"] }".to_owned()),
        Just("after = [\"a\"]".to_owned()),
        Just("[[interlocks]]".to_owned()),
        Just("source_matchers = ['a=\"b\"']".to_owned()),
    ];
    proptest::collection::vec(line, 0..25).prop_map(|lines| lines.join("\n"))
}

/// Every problem lies inside its file, on a boundary of characters, and can be shown safely.
fn check(problems: &Problems) -> Result<(), TestCaseError> {
    for p in &problems.0 {
        prop_assert!(p.span.start <= p.span.end && p.span.end <= p.source.text.len(), "{:?}", p);
        prop_assert!(p.source.text.get(p.span.clone()).is_some(), "{:?}", p);
        let shown = p.render(false) + &p.line();
        let hostile = |c: char| quarterdeck::domain::text::is_hostile(c) && c != '\n';
        prop_assert!(!shown.contains(hostile), "{shown:?}");
    }
    Ok(())
}

fn load_both(stack: String, config: String) -> Result<(), TestCaseError> {
    let source = |name: &str, text| Arc::new(Source { name: name.to_owned(), text });
    let config = source("config.toml", config);
    match load_texts(&source("stack.toml", stack), Some(&config), &|_| None) {
        Ok(loaded) => check(&loaded.problems),
        Err(problems) => check(&problems),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn any_text_is_loaded_or_refused(stack in texts(), config in texts()) {
        load_both(stack, config)?;
    }

    #[test]
    fn a_sound_file_with_one_change_is_loaded_or_refused(
        at in any::<proptest::sample::Index>(), cut in 0usize..9, put in "\\PC{0,4}|[\\x00-\\x7f]{0,3}",
        name in prop_oneof![Just("metrics"), Just("overridden"), Just("procedures")],
    ) {
        let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/configs/valid");
        let read = |name: &str| std::fs::read_to_string(dir.join(name)).unwrap();
        let (stack, config) = (read(&format!("{name}.toml")), read(&format!("{name}.config.toml")));
        let change = |text: &str| {
            let chars: Vec<char> = text.chars().collect();
            let at = at.index(chars.len());
            let tail = chars.iter().skip(at + cut);
            chars.iter().take(at).copied().chain(put.chars()).chain(tail.copied()).collect::<String>()
        };
        load_both(change(&stack), config.clone())?;
        load_both(stack.clone(), change(&config))?;
    }

    #[test]
    fn any_bytes_are_text_or_refused_with_a_place(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        match quarterdeck::stack::files::decode("x", bytes.clone()) {
            Ok(source) => prop_assert_eq!(source.text.as_bytes(), &bytes[..]),
            Err(p) => check(&Problems(vec![p], 0))?,
        }
    }
}
