//! The documentation against the code: what stack files and config.toml can say is in it, and
//! stays in it. Set `QUARTERDECK_REWRITE=1` to write the generated parts anew.

#![cfg(test)] // tells clippy that helpers, too, may unwrap

use quarterdeck::domain::fact::FactType;
use quarterdeck::domain::units::Unit;
use quarterdeck::stack::config::{self, Config};
use quarterdeck::stack::decode::{Reader, Table};
use quarterdeck::stack::diag::{Problems, Source};
use quarterdeck::stack::kind::{self, Kind};
use quarterdeck::stack::lint::LINTS;
use quarterdeck::stack::load::{Failure, Flags, load, load_texts};
use quarterdeck::stack::spec::Probe;
use quarterdeck::stack::{builtin, draft};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

fn top(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

fn read(name: &str) -> String {
    std::fs::read_to_string(top(name)).unwrap()
}

fn source(name: &str, text: &str) -> Arc<Source> {
    Arc::new(Source { name: name.to_owned(), text: text.to_owned() })
}

/// The keys that one kind asks its table for.
fn keys_of(name: &str) -> BTreeSet<String> {
    let reader = Reader::new(source("x", ""));
    let root = reader.parse("");
    let table = Table::new(&reader, &root, 0..0, "probe");
    let _ = Kind::decode(name, &table);
    table.finish();
    reader.asked().into_iter().filter(|a| a.what == "probe").flat_map(|a| a.asked).collect()
}

/// A probe of each kind with as little as it takes, to learn its facts and own conditions.
fn smallest(name: &str) -> &'static str {
    match name {
        "exec" => "argv = ['true']",
        "tcp" | "redis" | "postgres" | "tor" => "address = '127.0.0.1:1'",
        "udp" => "address = '127.0.0.1:1'\nsend = 'x'",
        "http" | "nginx" => "url = 'http://127.0.0.1/'",
        "unix-json" => "path = '/x'\nrequest = '{}'",
        "systemd" => "unit = 'x.service'",
        "wireguard" => "interface = 'wg0'",
        "file" | "pid-file" | "disk" => "path = '/x'",
        "process" => "name = 'x'",
        "listen" => "port = 1",
        "env-present" => "names = ['X']",
        "cert" => "file = '/x'",
        "dns" => "name = 'x.example'",
        _ => "",
    }
}

fn kind(name: &str) -> Kind {
    let text = format!("[[probes]]\nid = 'p'\nlayer = 'l'\nkind = '{name}'\n{}\n", smallest(name));
    let draft = draft::read(&source(name, &text), &BTreeMap::new(), &mut Problems::default());
    draft.probes.into_iter().find_map(|p| p.kind).unwrap_or_else(|| panic!("no smallest probe of {name}"))
}

fn type_name(ty: FactType) -> &'static str {
    match ty {
        FactType::Bool => "true or false",
        FactType::Number(Unit::None) => "number",
        FactType::Number(Unit::Seconds) => "duration",
        FactType::Number(Unit::Bytes) => "size",
        FactType::Number(Unit::Percent) => "per cent",
        FactType::Text => "text",
        FactType::Json => "JSON",
    }
}

fn facts(name: &str) -> String {
    let kind = kind(name);
    let mut out = String::from("| fact | type | meaning |\n|---|---|---|\n");
    for f in kind.facts() {
        writeln!(out, "| `[{}]` | {} | {} |", f.name, type_name(f.ty), f.doc.replace('|', "\\|")).unwrap();
    }
    let own: Vec<String> = kind.default_conditions().iter().map(|c| format!("`{c}`")).collect();
    let own = if own.is_empty() { "none".to_owned() } else { own.join(", ") };
    writeln!(out, "\nConditions when a file names none: {own}").unwrap();
    out
}

fn lints() -> String {
    let mut out = String::from("| id | what |\n|---|---|\n");
    for (id, about) in LINTS {
        writeln!(out, "| `{id}` | {} |", about.replace('|', "\\|")).unwrap();
    }
    out
}

/// The text with what stands between a marker and `<!-- end -->` replaced.
fn fill(text: &str, marker: &str, with: &str) -> String {
    let (before, rest) =
        text.split_once(marker).unwrap_or_else(|| panic!("docs/stack-files.md lacks {marker}"));
    let (_, after) = rest.split_once("<!-- end -->").unwrap();
    format!("{before}{marker}\n\n{with}\n<!-- end -->{after}")
}

#[test]
fn every_kind_key_and_fact_is_documented() {
    let now = read("docs/stack-files.md");
    let mut want = fill(&now, "<!-- lints -->", &lints());
    for name in kind::NAMES {
        want = fill(&want, &format!("<!-- facts: {name} -->"), &facts(name));
        let section =
            now.split_once(&format!("\n### {name}\n")).unwrap_or_else(|| panic!("no section {name}")).1;
        let section = section.split("\n<!-- facts").next().unwrap();
        for key in keys_of(name) {
            assert!(
                section.contains(&format!("`{key}`")),
                "docs/stack-files.md: {name} lacks the key `{key}`"
            );
        }
    }
    if std::env::var_os("QUARTERDECK_REWRITE").is_some() {
        std::fs::write(top("docs/stack-files.md"), &want).unwrap();
    } else {
        assert!(
            now == want,
            "docs/stack-files.md is out of date: run with QUARTERDECK_REWRITE=1 and read the difference"
        );
    }
}

#[test]
fn every_kind_can_answer_its_own_conditions() {
    for name in kind::NAMES {
        let kind = kind(name);
        assert!(kind.facts().iter().any(|f| f.name == "LATENCY"), "{name} has no LATENCY");
        for text in kind.default_conditions() {
            let condition: quarterdeck::domain::condition::Condition =
                text.parse().unwrap_or_else(|e| panic!("{name}: {text}: {e:?}"));
            assert_eq!(condition.check(kind.facts()), Ok(()), "{name}: {text}");
        }
    }
}

#[test]
fn every_table_of_a_stack_file_is_documented() {
    let text = "[stack]\n[defaults]\n[vars]\nx = {}\n[logins.a]\n[[layers]]\n[[hosts]]\n[[probes]]\nkind = 'memory'\n\
        [metrics]\n[prometheus]\n[alertmanager]\n[[scrapes]]\nid = 'a'\n[[scrapes]]\nkind = 'json'\nseries = [{}]\n\
        [[scrapes]]\nkind = 'websocket'\nonly = {}\n[[rules]]\n[[inhibitions]]\n[[severities]]\n[[slos]]\n[[graphs]]\n\
        lines = [{}]\nthresholds = [{}]\n";
    let docs = read("docs/stack-files.md");
    let tables = docs.split_once("\n## Tables\n").unwrap().1.split("\n## Conditions\n").next().unwrap();
    let all = draft::asked(&source("x", text));
    for what in ["scrape", "series", "only table", "rule", "inhibition", "severity", "slo", "graph", "line"] {
        assert!(all.iter().any(|a| a.what == what), "the text above has no {what}");
    }
    for asked in all {
        for key in asked.asked {
            assert!(
                tables.contains(&format!("`{key}`"))
                    || tables.contains(&format!("[{key}]"))
                    || tables.contains(&format!("\n### {key}\n"))
                    || tables.contains(&format!("[[{key}]]"))
                    || tables.contains(&format!("### [{key}.")),
                "docs/stack-files.md: the {} lacks `{key}`",
                asked.what
            );
        }
    }
}

/// The example with every commented key in force.
fn uncommented() -> String {
    let open = |line: &str| {
        let bare =
            line.strip_prefix('#').filter(|r| r.starts_with(|c: char| c.is_ascii_lowercase() || c == '['));
        bare.unwrap_or(line).to_owned() + "\n"
    };
    read("config.toml.example").lines().map(open).collect()
}

fn example(text: &str) -> quarterdeck::stack::load::Loaded {
    let stack = builtin::source("tornado").unwrap();
    let config = source("config.toml.example", text);
    let loaded = load_texts(&stack, Some(&config), &|_| None).unwrap_or_else(|p| panic!("{p}"));
    assert!(loaded.problems.0.is_empty(), "{}", loaded.problems);
    loaded
}

#[test]
fn the_example_loads_as_it_stands_and_with_every_key_in_force() {
    example(&read("config.toml.example"));
    example(&uncommented());
    let flags = Flags { config: Some(top("config.toml.example")), stack: None };
    match load(&flags, &|_| None) {
        Ok(loaded) => assert!(loaded.problems.0.is_empty(), "{}", loaded.problems),
        Err(Failure::Problems(p)) => panic!("{p}"),
        Err(Failure::Nothing) => panic!("the example names no stack"),
    }
}

#[test]
fn the_example_has_every_key_that_a_config_is_asked_for() {
    let mut missing: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let all = config::asked(&source("config.toml.example", &uncommented()));
    for asked in &all {
        missing.entry(asked.what.clone()).or_default().extend(asked.asked.iter().cloned());
    }
    for asked in &all {
        let left = missing.get_mut(&asked.what).unwrap();
        asked.present.iter().for_each(|key| {
            left.remove(key);
        });
    }
    // Ways to log in exclude each other, so that they can only be named.
    let ways = missing.remove("auth table").unwrap_or_default();
    let text = read("config.toml.example");
    assert!(ways.iter().all(|way| text.contains(&format!("{{ {way} = "))), "config.toml.example: {ways:?}");
    missing.retain(|_, keys| !keys.is_empty());
    assert!(missing.is_empty(), "config.toml.example lacks {missing:?}");
}

/// What the example can change about a probe.
fn shown(p: &Probe) -> String {
    let texts = |all: &[quarterdeck::domain::condition::Condition]| {
        all.iter().map(|c| c.text().to_owned()).collect::<Vec<_>>()
    };
    format!(
        "{:?} {:?} {:?} {} {:?} {:?}",
        p.interval,
        p.timeout,
        p.thresholds,
        p.sudo,
        texts(&p.conditions),
        texts(&p.degraded_unless)
    )
}

#[test]
fn the_defaults_that_the_example_names_are_the_defaults() {
    let given = example(&uncommented());
    let home = |name: &str| (name == "HOME").then(|| "/home/op".to_owned());
    let default = Config::defaults(&home);
    let config = source("x/config.toml", &uncommented());
    let read = Config::read(&config, &home, &mut Problems::default());
    assert_eq!(read.environment, default.environment);
    assert_eq!((read.ascii, read.color), (default.ascii, default.color));
    assert_eq!(read.state_dir, default.state_dir);
    assert_eq!(read.wallboard_rotate, default.wallboard_rotate);
    assert_eq!(read.theme.unwrap().value, quarterdeck::tui::theme::names().next().unwrap());
    for binding in &read.keys {
        let keys: Vec<&str> = binding.keys.iter().map(|k| k.value.as_str()).collect();
        let command = quarterdeck::tui::command::by_name(&binding.action.value).unwrap();
        assert_eq!(command.keys, keys, "{}", command.name);
    }
    let plain = example("stack = \"tornado\"\n[secrets.admin_password]\nenv = \"X\"\n");
    for probe in &given.config.probes {
        let of = |all: &[Probe]| all.iter().find(|p| p.id.as_str() == probe.id.value).map(shown);
        assert_eq!(of(&given.stack.probes), of(&plain.stack.probes));
    }
    let urls = "[prometheus]\nurl = 'http://x'\n[alertmanager]\nurl = 'http://x'\n";
    let bare =
        example(&format!("stack = \"tornado\"\n[secrets.admin_password]\nenv = \"X\"\n{urls}")).stack.metrics;
    let given_metrics = &given.stack.metrics;
    for (given, bare) in
        [(&given_metrics.prometheus, bare.prometheus), (&given_metrics.alertmanager, bare.alertmanager)]
    {
        let (given, bare) = (given.as_ref().unwrap(), bare.unwrap());
        assert_eq!((&given.host, given.timeout), (&bare.host, bare.timeout));
    }
    for (name, at) in &given.config.vars {
        let declared = given.vars.iter().find(|v| v.name == *name).unwrap();
        assert_eq!(declared.default, at.value, "{name}");
    }
}

/// The part of the command line's page that is about one command, by its heading.
fn section<'a>(page: &'a str, name: &str) -> &'a str {
    let named = |part: &&str| part.lines().next().unwrap().contains(&format!("`{name}`"));
    page.split("\n## ")
        .skip(1)
        .find(named)
        .unwrap_or_else(|| panic!("docs/command-line.md has no section `{name}`"))
}

/// What a command takes, without what every command takes.
fn own_arguments(command: &clap::Command) -> impl Iterator<Item = &clap::Arg> {
    command.get_arguments().filter(|a| !a.is_global_set() && !a.is_hide_set())
}

#[test]
fn every_subcommand_and_option_of_the_command_line_is_documented() {
    let page = read("docs/command-line.md");
    let program = <quarterdeck::cli::args::Cli as clap::CommandFactory>::command();
    let options = section(&page, "quarterdeck");
    for arg in program.get_arguments() {
        let flag = format!("--{}", arg.get_long().unwrap());
        assert!(options.contains(&format!("`{flag}")), "docs/command-line.md lacks {flag}");
    }
    let mut missing = Vec::new();
    for command in program.get_subcommands().filter(|c| !c.is_hide_set()) {
        let text = section(&page, command.get_name());
        let nested = command.get_subcommands().collect::<Vec<_>>();
        for inner in &nested {
            if !text.contains(&format!("`{} {}", command.get_name(), inner.get_name())) {
                missing.push(format!("{} {}", command.get_name(), inner.get_name()));
            }
        }
        for arg in std::iter::once(command).chain(nested).flat_map(own_arguments) {
            if let Some(long) = arg.get_long().filter(|l| !text.contains(&format!("--{l}"))) {
                missing.push(format!("{} --{long}", command.get_name()));
            }
        }
    }
    assert!(missing.is_empty(), "docs/command-line.md lacks {missing:?}");
}

/// All Rust files below a directory, as one text.
fn rust_below(dir: &Path) -> String {
    let mut text = String::new();
    for entry in std::fs::read_dir(dir).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            text += &rust_below(&path);
        } else if path.extension().is_some_and(|e| e == "rs") {
            text += &std::fs::read_to_string(&path).unwrap();
        }
    }
    text
}

/// What the page on security claims it names tests for: they must be there.
#[test]
fn every_test_that_the_page_on_security_names_is_there() {
    let page = read("docs/security.md");
    let code = rust_below(&top("src")) + &rust_below(&top("tests"));
    let is_test = |name: &&str| {
        name.matches('_').count() >= 3 && name.chars().all(|c| c.is_ascii_lowercase() || c == '_')
    };
    let named: Vec<&str> = page.split('`').skip(1).step_by(2).filter(is_test).collect();
    assert!(named.len() > 20, "{named:?}");
    for name in named {
        assert!(code.contains(&format!("fn {name}(")), "docs/security.md names {name}, which is nowhere");
    }
}
