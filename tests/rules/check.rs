//! Which rule files are sound: the same as for `promtool check rules`.

use super::{ask, promtool, source};
use quarterdeck::stack::rulefile;

/// Files that both accept.
const SOUND: &[&str] = &[
    "",
    "# only a comment\n",
    "groups:\n",
    "groups: []\n",
    "groups: [{name: a}]\n",
    "groups: [{name: a, rules: []}]\n",
    "groups: [{name: a, interval: 1m30s, limit: 10, rules: [{record: 'a:b', expr: 1}]}]\n",
    "groups: [{name: a, limit: -1, rules: [{alert: a b ☃, expr: up}]}]\n",
    "groups: [{name: 5, rules: [{alert: 6, expr: up, for: 0, keep_firing_for: 1d}]}]\n",
    "groups: [{name: a, rules: [{alert: a, expr: up, for: ~, labels: ~, annotations: {}}]}]\n",
    "groups: [{name: a, rules: [{alert: a, expr: up, labels: {a: 1, b: true, c: 1.50, d: null}}]}]\n",
    "groups: [{name: a, rules: [{record: a, expr: up, for: 0s, annotations: {}}]}]\n",
    "groups: [{name: a, rules: [{alert: a, expr: up, annotations: {x: '{{ $value | humanize }}'}}]}]\n",
    "groups: [{name: a, rules: [{alert: '', record: b, expr: up}]}]\n",
    "groups:\n- name: a\n  rules:\n  - alert: a\n    expr: |\n      up # comment\n        == 0\n",
    "groups:\n- name: a\n  rules:\n  - alert: a\n    expr: >-\n      up\n      == 0\n",
    "groups:\n- name: a\n  rules:\n  - &x {alert: a, expr: up}\n  - *x\n",
    "groups:\n- name: a\n  rules:\n  - &x {alert: a, expr: up}\n  - <<: *x\n    alert: b\n",
    "{\"groups\": [{\"name\": \"a\", \"rules\": [{\"alert\": \"x\", \"expr\": \"up\"}]}]}",
    "groups: [{name: a, rules: [{record: a, expr: up}, {record: a, expr: up}]}]\n",
    "groups: [{name: a, rules: [{record: a, expr: up, labels: {x: '{{ nosuch }}'}}]}]\n",
    "groups: [{name: a, rules: [{alert: a, expr: up, for: 1y2w3d4h5m6s7ms}]}]\n",
];

/// Files that both refuse.
const UNSOUND: &[&str] = &[
    "groups: 5\n",
    "- a\n",
    "group: []\n",
    "groups: [{rules: []}]\n",
    "groups: [{name: ''}]\n",
    "groups: [{name: a}, {name: a}]\n",
    "groups: [{name: a, name: b}]\n",
    "groups: [{name: a, intervall: 5m}]\n",
    "groups: [{name: a, interval: 5}]\n",
    "groups: [{name: a, interval: 5 m}]\n",
    "groups: [{name: a, interval: 5m1h}]\n",
    "groups: [{name: a, interval: -5m}]\n",
    "groups: [{name: a, limit: x}]\n",
    "groups: [{name: a, limit: 1.5}]\n",
    "groups: [{name: a, rules: {}}]\n",
    "groups: [{name: a, rules: [x]}]\n",
    "groups: [{name: a, rules: [{}]}]\n",
    "groups: [{name: a, rules: [{alert: a}]}]\n",
    "groups: [{name: a, rules: [{expr: up}]}]\n",
    "groups: [{name: a, rules: [{alert: a, record: b, expr: up}]}]\n",
    "groups: [{name: a, rules: [{alert: a, expr: 'up ='}]}]\n",
    "groups: [{name: a, rules: [{alert: a, expr: 'nosuch(up)'}]}]\n",
    "groups: [{name: a, rules: [{alert: a, expr: 'sum(up[5m])'}]}]\n",
    "groups: [{name: a, rules: [{alert: a, expr: up, exprs: up}]}]\n",
    "groups: [{name: a, rules: [{alert: a, expr: up, for: 5}]}]\n",
    "groups: [{name: a, rules: [{alert: a, expr: up, for: [5m]}]}]\n",
    "groups: [{name: a, rules: [{alert: a, expr: up, for: 9999999999y}]}]\n",
    "groups: [{name: a, rules: [{alert: a, expr: up, for: 300y}]}]\n",
    "groups: [{name: a, rules: [{record: a, expr: up, for: 5m}]}]\n",
    "groups: [{name: a, rules: [{record: a, expr: up, keep_firing_for: 5m}]}]\n",
    "groups: [{name: a, rules: [{record: a, expr: up, annotations: {a: b}}]}]\n",
    "groups: [{name: a, rules: [{record: 'a b', expr: up}]}]\n",
    "groups: [{name: a, rules: [{record: 1a, expr: up}]}]\n",
    "groups: [{name: a, rules: [{alert: a, expr: up, labels: [a]}]}]\n",
    "groups: [{name: a, rules: [{alert: a, expr: up, labels: {a-b: c}}]}]\n",
    "groups: [{name: a, rules: [{alert: a, expr: up, labels: {'a:b': c}}]}]\n",
    "groups: [{name: a, rules: [{alert: a, expr: up, labels: {__name__: c}}]}]\n",
    "groups: [{name: a, rules: [{alert: a, expr: up, labels: {a: [b]}}]}]\n",
    "groups: [{name: a, rules: [{alert: a, expr: up, labels: {a: b, a: c}}]}]\n",
    "groups: [{name: a, rules: [{alert: a, expr: up, annotations: {a-b: c}}]}]\n",
    "groups: [{name: a, rules: [{alert: a, expr: up, labels: {a: '{{ nosuch }}'}}]}]\n",
    "groups: [{name: a, rules: [{alert: a, expr: up, annotations: {a: '{{ $labls.a }}'}}]}]\n",
    "groups: [{name: a, rules: [{alert: a, expr: up, annotations: {a: '{{ if $value }}'}}]}]\n",
    "groups: [{name: a, rules: [{alert: a, expr: up, annotations: {a: '{{ end }}'}}]}]\n",
    "groups: [{name: a, rules: [{alert: a, expr: up, annotations: {a: '{{ $value'}}]}]\n",
    "groups: [{name: a, rules: [{alert: a, expr: up, annotations: {a: '{{ }}'}}]}]\n",
    "groups: [{name: a, rules: [{alert: a, expr: up, annotations: {a: '{{ \"x }}'}}]}]\n",
    "groups: [{name: a, rules: [{alert: a, expr: up, annotations: {a: '{{ 1 | 2 }}'}}]}]\n",
    "groups: [{name: a, rules: [{alert: a, expr: up, annotations: {a: '{{ else }}'}}]}]\n",
    "groups: [{name: a, rules: [{alert: a, expr: up, annotations: {a: '{{ break }}'}}]}]\n",
    "groups: [\n",
    "groups:\n\t- x\n",
    "groups: *a\n",
    // Promtool reads newer keys only in newer versions; here they are refused by name.
    "groups: [{name: a, query_offset: 5m}]\n",
    "groups: [{name: a, partial_response_strategy: warn}]\n",
];

/// What Prometheus accepts and would never work: refused here, with the reason.
const REFUSED_HERE: &[(&str, &str)] = &[
    ("groups: []\n---\ngroups: []\n", "second document"),
    ("groups: [{name: a, rules: [{alert: a, expr: 'up[5m]'}]}]\n", "no vector"),
    ("groups: [{name: a, rules: [{record: a, expr: '\"x\"'}]}]\n", "no vector"),
    (
        "groups: [{name: a, rules: [{alert: a, expr: up, annotations: {a: '{{ .Lables.x }}'}}]}]\n",
        "did you mean .Labels",
    ),
    (
        "groups: [{name: a, rules: [{alert: a, expr: up, annotations: {a: '{{ if gt $value 5 }}{{ end }}'}}]}]\n",
        "write 5.0",
    ),
    (
        "groups: [{name: a, rules: [{alert: a, expr: up, annotations: {a: '{{ humanize }}'}}]}]\n",
        "humanize takes one argument, not 0",
    ),
    (
        "groups: [{name: a, rules: [{alert: a, expr: up, annotations: {a: '{{ query \"sum(\" }}'}}]}]\n",
        "in the query",
    ),
    (
        "groups: [{name: a, rules: [{alert: a, expr: up, annotations: {a: '{{ reReplaceAll \"(\" \"\" \"x\" }}'}}]}]\n",
        "no regular expression",
    ),
    (
        "groups: [{name: a, rules: [{alert: a, expr: up, annotations: {a: '{{ define \"x\" }}{{ end }}'}}]}]\n",
        "define is not supported",
    ),
];

fn ours(text: &str) -> Result<usize, String> {
    rulefile::read(&source(text)).map(|f| f.rules.len()).map_err(|p| p.to_string())
}

#[test]
fn the_same_files_are_sound() {
    let Some(promtool) = promtool() else { return };
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file.yml");
    let tables = [(SOUND, true), (UNSOUND, false)];
    for (text, sound) in tables.iter().flat_map(|(t, sound)| t.iter().map(move |text| (text, sound))) {
        std::fs::write(&file, text).unwrap();
        let (theirs, said) = ask(&promtool, &["check", "rules", "--lint=none"], &file);
        assert_eq!(theirs, *sound, "promtool on\n{text}\n{said}");
        let found = ours(text);
        assert_eq!(found.is_ok(), *sound, "here on\n{text}\n{found:?}");
        if let Ok(rules) = found {
            assert!(said.contains(&format!("SUCCESS: {rules} rules found")), "{text}\n{said}");
        }
    }
}

#[test]
fn what_could_never_work_is_refused_when_the_file_loads() {
    let Some(promtool) = promtool() else { return };
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file.yml");
    for (text, why) in REFUSED_HERE {
        std::fs::write(&file, text).unwrap();
        let (theirs, said) = ask(&promtool, &["check", "rules", "--lint=none"], &file);
        assert!(theirs, "promtool on\n{text}\n{said}");
        let found = ours(text).expect_err(text);
        assert!(found.contains(why), "{text}\n{found}");
    }
}
