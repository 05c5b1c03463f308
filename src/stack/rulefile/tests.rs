//! Rule files, sound and not.

use super::*;

fn source(text: &str) -> Arc<Source> {
    Arc::new(Source { name: "r.yml".to_owned(), text: text.to_owned() })
}

fn wrong(text: &str) -> Vec<String> {
    read(&source(text)).expect_err(text).0.iter().map(crate::stack::diag::Problem::line).collect()
}

#[test]
fn a_file_is_read_as_it_is_written() {
    let text = "\
groups:
- name: g
  interval: 30s
  limit: 5
  rules:
  - record: job:up:sum
    expr: sum by (job) (up)
    labels: {team: a, n: 1}
  - alert: Down
    expr: |
      up
        == 0
    for: 5m
    keep_firing_for: 1m30s
    labels:
      severity: page
    annotations:
      summary: '{{ $labels.instance }} is down'
- name: h
  rules:
";
    let file = read(&source(text)).unwrap();
    assert_eq!((file.groups, file.rules.len()), (2, 2));
    let [record, alert] = file.rules.as_slice() else { panic!("two rules") };
    assert_eq!(record.kind, RuleKind::Record("job:up:sum".to_owned()));
    assert_eq!(record.labels.get("n").map(String::as_str), Some("1"));
    assert_eq!((record.interval, record.limit), (Some(Duration::from_secs(30)), 5));
    assert_eq!(alert.hold, Duration::from_secs(300));
    assert_eq!(alert.keep_firing_for, Duration::from_secs(90));
    assert_eq!(alert.expr.text(), "up\n  == 0\n");
    assert_eq!(alert.place, "r.yml:9");
}

#[test]
fn every_mistake_is_told_at_once_with_its_place() {
    let text = "\
groups:
- name: g
  intervall: 30s
  rules:
  - alert: A
    record: a
    expr: up
  - alert: B
    expr: |
      sum(up
  - record: 'a b'
    for: 5m
    expr: up
    labels:
      __name__: x
  - alert: C
    expr: up
    annotations:
      x: 'is {{ nosuch }}'
      y: 'is {{ $lables.x }}'
    for: 5 minutes
- name: g
";
    let lines = wrong(text);
    let table = [
        "r.yml:3:3: error: a group has no key `intervall` (did you mean `interval`?)",
        "r.yml:6:5: error: a rule has either `alert` or `record`, not both",
        "r.yml:11:13: error: `a b` cannot be the name of a series",
        "r.yml:12:5: error: a recording rule has no `for`",
        "r.yml:15:7: error: `__name__` cannot be the name of a label",
        "r.yml:19:17: error: no function is called nosuch",
        "r.yml:20:17: error: no variable is called $lables; did you mean $labels?",
        "r.yml:21:10: error: \"5 minutes\" is no duration such as 30s, 5m or 1h30m",
        "r.yml:22:9: error: the group `g` is there twice in this file",
    ];
    for want in table {
        assert!(lines.iter().any(|l| l.starts_with(want)), "{want}\n{lines:#?}");
    }
    assert!(lines.iter().any(|l| l.starts_with("r.yml:10:")), "{lines:#?}");
    assert_eq!(lines.len(), table.len() + 1, "{lines:#?}");
}

#[test]
fn what_is_hostile_is_refused_in_time() {
    let deep = format!("groups: {}", "[".repeat(100_000));
    let nested = "- ".repeat(1000);
    let bomb = {
        let mut text = vec!["a: &a [x,x,x,x,x,x,x,x,x,x]".to_owned()];
        for (name, before) in "bcdefghij".chars().zip("abcdefghi".chars()) {
            let list = vec![format!("*{before}"); 10].join(",");
            text.push(format!("{name}: &{name} [{list}]"));
        }
        text.join("\n")
    };
    let table = [
        (deep.as_str(), "recursion limit"),
        (nested.as_str(), "deep"),
        (bomb.as_str(), "aliases counted"),
        ("groups: []\n---\ngroups: []\n", "second document"),
        ("groups: &a [*a]\n", "alias"),
        ("groups: !!python/object []\n", "tags"),
        ("- a\n", "a map"),
        ("groups: 5\n", "expected a list"),
        ("groups:\n- name: a\n  name: b\n", "given twice"),
        ("groups: [\n", "no YAML"),
        ("groups:\n\t- x\n", "no YAML"),
    ];
    for (text, part) in table {
        let lines = wrong(text);
        assert!(lines.iter().any(|l| l.contains(part)), "{part}: {lines:?}");
    }
    for empty in ["", "# nothing\n", "groups:\n", "---\n"] {
        assert_eq!(read(&source(empty)).unwrap().rules.len(), 0, "{empty:?}");
    }
}
