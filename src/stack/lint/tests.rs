//! What lint warns of, and what it does not.

use super::*;

fn ids(text: &str) -> Vec<&'static str> {
    let mut problems = Problems::default();
    file(&Arc::new(Source { name: "t.toml".into(), text: text.into() }), &mut problems);
    for p in &problems.0 {
        assert!(!p.render(false).contains("hunter2"), "a secret is shown: {}", p.render(false));
    }
    let mut ids: Vec<_> = problems.0.iter().filter_map(id_of).collect();
    assert_eq!(ids.len(), problems.0.len(), "a lint without an id");
    ids.sort_unstable();
    ids.dedup();
    ids
}

fn exec(argv: &str) -> Vec<&'static str> {
    ids(&format!("[[probes]]\nid = \"p\"\nlayer = \"l\"\nkind = \"exec\"\nargv = {argv}\n"))
}

#[test]
fn commands_that_hide_what_failed_or_whom_they_trust() {
    let table: &[(&str, &[&str])] = &[
        (r#"["systemctl", "is-active", "x"]"#, &[]),
        (r#"["sh", "-c", "check-a && check-b"]"#, &[]),
        (r#"["sh", "-c", "check-a || check-b"]"#, &[]),
        (r#"["bash", "-o", "pipefail", "-c", "a | b"]"#, &[]),
        (r#"["bash", "-c", "set -o pipefail; a | b"]"#, &[]),
        (r#"["sh", "-c", "a | b"]"#, &["pipeline-hides-failure"]),
        (r#"["/bin/bash", "-ec", "a || true"]"#, &["pipeline-hides-failure"]),
        (r#"["bash", "-o", "pipefail", "-c", "a || echo failed"]"#, &["pipeline-hides-failure"]),
        (r#"["sh", "-c", "a; true"]"#, &["pipeline-hides-failure"]),
        (r#"["sleep", "5"]"#, &["sleep-as-check"]),
        (r#"["sh", "-c", "restart && sleep 5 && a"]"#, &["sleep-as-check"]),
        (r#"["/usr/bin/curl", "-f", "http://x/"]"#, &["curl-in-exec"]),
        (r#"["sh", "-c", "if ! curl -f http://x/; then exit 1; fi"]"#, &["curl-in-exec"]),
        (r#"["db", "--password", "hunter2"]"#, &["secret-in-argv"]),
        (r#"["db", "--password=hunter2"]"#, &["secret-in-argv"]),
        (r#"["env", "PGPASSWORD=hunter2", "psql"]"#, &["secret-in-argv"]),
        (r#"["psql", "postgres://u:hunter2@h/db"]"#, &["secret-in-argv"]),
        (r#"["db", "--password-file", "/run/pw"]"#, &[]),
        (r#"["db", "--password", "/run/pw"]"#, &[]),
    ];
    for (argv, want) in table {
        assert_eq!(exec(argv), *want, "{argv}");
    }
}

#[test]
fn secrets_that_stand_in_a_file() {
    let table: &[(&str, &[&str])] = &[
        ("[vars]\napi = \"http://127.0.0.1\"\ntoken_file = \"/x\"\n", &[]),
        ("[vars]\ndb_password = \"hunter2\"\n", &["secret-in-vars"]),
        ("[vars]\ndb_password = { default = \"hunter2\" }\n", &["secret-in-vars"]),
        ("[vars]\ndb = \"postgres://u:hunter2@h/db\"\n", &["secret-in-vars"]),
        ("[[probes]]\nurl = \"http://x/?api_key=hunter2\"\n", &["secret-in-url"]),
        ("[[probes]]\nurl = \"http://x/?page=2\"\n", &[]),
        ("[[probes]]\nheaders = { X-Api-Key = \"hunter2\" }\n", &["secret-in-header"]),
        ("[[probes]]\nheaders = { X = \"bearer hunter2hunter2\" }\n", &["secret-in-header"]),
        ("[[probes]]\nrequest = '{\"token\":\"hunter2\"}'\n", &["secret-in-request"]),
        ("[[probes]]\nrequest = '{\"action\":\"ping\"}'\n", &[]),
        ("[secrets.a]\ncommand = [\"sh\", \"-c\", \"pass x | head -1\"]\n", &["pipeline-hides-failure"]),
    ];
    for (text, want) in table {
        assert_eq!(ids(text), *want, "{text}");
    }
}

#[test]
fn metrics_that_mislead_or_tell_secrets() {
    let rule = |more: &str| format!("[[rules]]\nalert = \"A\"\nexpr = \"up == 0\"\n{more}\n");
    let declared = |more: &str| format!("{}[[severities]]\nname = \"P0\"\nrank = 0\n", rule(more));
    let table: &[(String, &[&str])] = &[
        (rule(""), &[]),
        (declared(""), &["alert-without-severity"]),
        (declared("labels = { team = \"x\" }"), &["alert-without-severity"]),
        (declared("labels = { severity = \"P0\" }"), &[]),
        (declared("labels = { severity = \"PO\" }"), &["unknown-severity"]),
        (declared("labels = { severity = \"{{ $labels.x }}\" }"), &[]),
        (declared("labels = { severity = \"P0\" }\nfor = \"5s\""), &["short-for"]),
        (declared("labels = { severity = \"P0\" }\nfor = \"15s\""), &[]),
        (declared("labels = { severity = \"P0\" }\nfor = \"0s\""), &[]),
        (declared("labels = { severity = \"P0\" }\nfor = \"5s\"\ninterval = \"5s\""), &[]),
        (format!("{}[metrics]\nevaluation_interval = \"1m\"\n", rule("for = \"30s\"")), &["short-for"]),
        (
            "[[rules]]\nrecord = \"a\"\nexpr = \"up\"\n[[severities]]\nname = \"P0\"\nrank = 0\n".to_owned(),
            &[],
        ),
        ("[[scrapes]]\nid = \"a\"\nurl = \"http://x/?token=hunter2\"\n".to_owned(), &["secret-in-url"]),
        ("[[scrapes]]\nid = \"a\"\nurl = \"http://x/\"\ninterval = \"1s\"\n".to_owned(), &["fast-http"]),
        ("[[scrapes]]\nid = \"a\"\nkind = \"host\"\ninterval = \"1s\"\n".to_owned(), &[]),
        ("[prometheus]\nurl = \"http://u:hunter2@x/\"\n".to_owned(), &["secret-in-url"]),
    ];
    for (text, want) in table {
        assert_eq!(ids(&format!("[stack]\nname = \"s\"\n{text}")), *want, "{text}");
    }
    assert_eq!(ids("[alertmanager]\nurl = \"http://x/?api_key=hunter2\"\n"), ["secret-in-url"]);
}

#[test]
fn a_probe_that_says_nothing_is_pointed_out() {
    let text = "[[probes]]\nid = \"p\"\nlayer = \"l\"\nkind = \"tcp\"\naddress = \"a:1\"\n";
    assert_eq!(ids(text), [""; 0]);
    assert_eq!(ids(&format!("{text}conditions = []\n")), ["no-conditions"]);
}

/// The id at the end of a lint's message, if it is one.
fn id_of(problem: &Problem) -> Option<&'static str> {
    let id = problem.message.strip_suffix(']')?.rsplit_once('[')?.1;
    LINTS.iter().map(|(known, _)| *known).find(|known| *known == id)
}
