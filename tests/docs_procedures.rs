//! docs/procedures.md against the code: every key is in it, under its own heading, its examples
//! load without a word, and the words that it says are defaults are.

#![cfg(test)] // tells clippy that helpers, too, may unwrap

use quarterdeck::domain::id::ProcedureId;
use quarterdeck::stack::diag::{Problems, Source};
use quarterdeck::stack::draft;
use quarterdeck::stack::lint::{self, LINTS};
use quarterdeck::stack::load::load_texts;
use quarterdeck::stack::procedure::expand::expand;
use quarterdeck::stack::procedure::step;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;

fn read(name: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).unwrap()
}

fn source(text: &str) -> Arc<Source> {
    Arc::new(Source { name: "docs/procedures.md".to_owned(), text: text.to_owned() })
}

/// What stands between a heading and the next of the same depth or above.
fn section(docs: &str, heading: &str) -> String {
    let depth = heading.chars().take_while(|c| *c == '#').count();
    let from = docs.split_once(&format!("\n{heading}\n")).unwrap_or_else(|| panic!("no heading {heading}")).1;
    let ends = |line: &&str| {
        let marks = line.chars().take_while(|c| *c == '#').count();
        (1..=depth).contains(&marks) && line.chars().nth(marks) == Some(' ')
    };
    from.lines().take_while(|line| !ends(line)).collect::<Vec<_>>().join("\n")
}

/// Where the keys of each sort of table are explained.
fn heading(what: &str) -> Option<String> {
    Some(match what {
        "procedure" => "## [[procedures]]".to_owned(),
        "parameter" => "### [[procedures.params]]".to_owned(),
        "blast radius" => "### [[procedures.blast_radius]]".to_owned(),
        "precondition" => "### [[procedures.preconditions]]".to_owned(),
        "step" => "## [[procedures.steps]]".to_owned(),
        "check" => "### Checks".to_owned(),
        "rollback" => "### rollback".to_owned(),
        "debt" => "### owes and settles".to_owned(),
        "interlock" | "condition that lifts it" | "condition" => "## [[interlocks]]".to_owned(),
        other => format!("### {}", other.strip_suffix(" step")?),
    })
}

#[test]
fn every_key_is_documented_under_its_own_heading() {
    let docs = read("docs/procedures.md");
    let mut text = "[stack]\nname = 's'\n[[procedures]]\n[[procedures.params]]\ntype = 'int'\n\
        [[procedures.blast_radius]]\n[[procedures.preconditions]]\n[[interlocks]]\nraised_while = {}\nuntil = {}\n\
        [[procedures.steps]]\nid = 'all'\nuses = 'manual'\nwith = {}\nverify = {}\nowes = {}\n\
        rollback = { uses = 'manual', with = {} }\n"
        .to_owned();
    let kinds: Vec<&str> = step::kinds().collect();
    for kind in &kinds {
        writeln!(text, "[[procedures.steps]]\nid = '{kind}'\nuses = '{kind}'\nwith = {{}}").unwrap();
    }
    let mut seen = Vec::new();
    for asked in draft::asked(&source(&text)) {
        let Some(heading) = heading(&asked.what) else { continue };
        let section = section(&docs, &heading);
        for key in &asked.asked {
            assert!(section.contains(&format!("`{key}`")), "{heading} lacks `{key}` of the {}", asked.what);
        }
        seen.push(asked.what);
    }
    for kind in kinds {
        assert!(seen.contains(&format!("{kind} step")), "nothing was asked of {kind}");
    }
    for what in
        ["procedure", "parameter", "check", "rollback", "debt", "interlock", "condition that lifts it"]
    {
        assert!(seen.iter().any(|s| s == what), "the text above has no {what}");
    }
}

/// The examples that follow a marker.
fn examples(docs: &str, marker: &str) -> Vec<String> {
    let marker = format!("<!-- example: {marker} -->\n\n```toml\n");
    let after = docs.split(&marker).skip(1);
    after.map(|rest| rest.split_once("\n```").unwrap().0.to_owned() + "\n").collect()
}

fn sound(text: &str) {
    let config = "stack = 'x.toml'\n[secrets.api]\nenv = 'A'\n[secrets.redis]\nenv = 'B'\n";
    let (stack, config) = (source(text), source(config));
    let loaded = load_texts(&stack, Some(&config), &|_| None).unwrap_or_else(|p| panic!("{p}\n{text}"));
    assert!(loaded.problems.0.is_empty(), "{}", loaded.problems);
    for procedure in &loaded.stack.procedures.all {
        let plan = expand(&loaded.stack, &procedure.id, &BTreeMap::new()).unwrap();
        assert!(!plan.steps.is_empty(), "{}", procedure.id);
    }
    let mut problems = Problems::default();
    lint::stack_file(&stack, &mut problems);
    assert!(problems.0.is_empty(), "{problems}");
}

#[test]
fn every_example_loads_and_lint_has_nothing_to_say() {
    let docs = read("docs/procedures.md");
    let whole = examples(&docs, "whole");
    assert_eq!(whole.len(), 1);
    sound(&whole[0]);
    let steps = examples(&docs, "step");
    assert_eq!(steps.len(), step::kinds().count() + 1, "one for each kind, and one of interlocks");
    for example in steps {
        let text = format!("{}\n[[procedures]]\nid = 'this'\n{example}", whole[0]);
        sound(&text);
    }
    assert!(docs.matches("```toml").count() == 1 + examples(&docs, "step").len(), "an example is not tried");
}

#[test]
fn what_the_tables_call_defaults_are_the_defaults() {
    let text = "[stack]\nname = 's'\n[[layers]]\nid = 'l'\n[[probes]]\nid = 'p'\nlayer = 'l'\nkind = 'memory'\n\
        [[procedures]]\nid = 'a'\n[[procedures.steps]]\nid = 's'\nuses = 'exec'\nwith = { argv = ['x'] }\n\
        verify = { probes = ['p'] }\n[[procedures.steps]]\nid = 'm'\nuses = 'manual'\nwith = { instruction = 'x' }\n\
        [[procedures.steps]]\nid = 'w'\nuses = 'wait'\nwith = { probes = ['p'] }\n";
    let loaded = load_texts(&source(text), None, &|_| None).unwrap();
    let plan = expand(&loaded.stack, &ProcedureId::new("a"), &BTreeMap::new()).unwrap();
    let shown = |d: std::time::Duration| quarterdeck::domain::units::exact(d);
    let docs = read("docs/procedures.md");
    let row = |heading: &str, key: &str, default: &str| {
        let want = format!("| `{key}` | `{default}` |");
        assert!(section(&docs, heading).contains(&want), "{heading}: {want}");
    };
    row("## [[procedures]]", "deadline", &shown(plan.deadline));
    row("## [[procedures]]", "lock", &plan.lock);
    let step = &plan.steps[0];
    let word = |v: serde_json::Value| v.as_str().unwrap().to_owned();
    let steps = "## [[procedures.steps]]";
    row(steps, "effect", &word(serde_json::to_value(step.effect).unwrap()));
    row(steps, "on_timeout", &word(serde_json::to_value(step.on_timeout).unwrap()));
    row(steps, "on_failure", &word(serde_json::to_value(step.on_failure).unwrap()));
    row(steps, "idempotent", &step.idempotent.to_string());
    assert_eq!(shown(step.timeout), "1m");
    row(steps, "timeout", "60s");
    assert_eq!((shown(plan.steps[1].timeout), shown(plan.steps[2].timeout)), ("1d".into(), "1m 30s".into()));
    let check = step.verify.as_ref().unwrap();
    row("### Checks", "good", &check.good.to_string());
    row("### Checks", "every", &shown(check.every));
    assert_eq!(shown(check.within), "1m");
    row("### Checks", "within", "60s");
}

#[test]
fn the_lints_that_are_named_are_lints() {
    let docs = read("docs/procedures.md");
    let section = section(&docs, "## What lint warns of");
    let named: Vec<&str> = section.split('`').skip(3).step_by(2).collect();
    assert!(named.len() > 5);
    for name in named {
        assert!(LINTS.iter().any(|(id, _)| *id == name), "there is no lint {name}");
    }
}
