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

/// One step of one procedure, sound but for what is said of it.
fn step(uses: &str, with: &str, more: &str) -> String {
    format!(
        "[[procedures]]\nid = 'a'\n[[procedures.steps]]\nid = 's'\nuses = '{uses}'\nwith = {{ {with} }}\n{more}\n"
    )
}

#[test]
fn steps_that_hide_what_happened_or_tell_secrets() {
    let sound = "effect = 'change'\nverify = { exprs = ['up'] }";
    let table: &[(String, &[&str])] = &[
        (step("systemd", "verb = 'stop', unit = 'a.service'", sound), &[]),
        (step("systemd", "verb = 'stop', unit = 'a.service'", "effect = 'change'"), &["step-without-verify"]),
        (
            step("systemd", "verb = 'stop', unit = 'a.service'", "verify = { exprs = ['up'] }"),
            &["missing-effect"],
        ),
        (step("http", "url = 'http://127.0.0.1/'", "effect = 'read'"), &[]),
        (step("manual", "instruction = 'look'", ""), &[]),
        (step("exec", "argv = ['sleep', '5']", sound), &["sleep-as-check"]),
        (step("shell", "script = 'restart-it; sleep 5'", sound), &["sleep-as-check"]),
        (step("shell", "script = 'a | b'", sound), &[]),
        (step("shell", "script = 'a || true'", sound), &["pipeline-hides-failure"]),
        (
            step("shell", "script = 'curl -f http://x/ || echo failed'", sound),
            &["curl-in-exec", "pipeline-hides-failure"],
        ),
        (step("exec", "argv = ['tool', '--password', 'hunter2']", sound), &["secret-in-argv"]),
        (step("shell", "script = 'PGPASSWORD=hunter2 psql'", sound), &["secret-in-argv"]),
        (step("shell", "script = 'a', args = ['--token=hunter2']", sound), &["secret-in-argv"]),
        (step("exec", "argv = ['tool'], env = { DB_PASSWORD = 'hunter2' }", sound), &["secret-in-request"]),
        (step("exec", "argv = ['tool'], env = { DB_PASSWORD = '${secret.db}' }", sound), &[]),
        (
            step("http", "url = 'http://127.0.0.1/', json = { user = { password = 'hunter2' } }", sound),
            &["secret-in-request"],
        ),
        (step("http", "url = 'http://u:hunter2@x/'", sound), &["secret-in-url"]),
        (step("shell", "script = 'tar cf backup_$(date +%F).tar /x'", sound), &["date-in-name"]),
        (step("exec", "argv = ['docker', 'compose', 'restart', 'web']", sound), &["compose-restart"]),
        (step("shell", "script = 'cd /srv; docker-compose restart'", sound), &["compose-restart"]),
        (step("compose", "verb = 'restart', project = 'x'", sound), &[]),
        (
            step("file", "path = '/srv/.env', content = 'A=1'", sound)
                + "[[procedures.steps]]\nid = 't'\nuses = 'compose'\nwith = { verb = 'restart', project = 'x' }\n"
                + sound,
            &["compose-restart"],
        ),
    ];
    for (text, want) in table {
        assert_eq!(ids(&format!("[stack]\nname = \"s\"\n{text}")), *want, "{text}");
    }
}

#[test]
fn what_takes_longer_than_its_run() {
    let procedure = |id: &str, deadline: &str, step: &str| {
        format!(
            "[[procedures]]\nid = '{id}'\ndeadline = '{deadline}'\n[[procedures.steps]]\nid = 's'\n{step}\n"
        )
    };
    let wait = "uses = 'wait'\nwith = { exprs = ['up == 1'], within = '2h' }";
    let exec = "uses = 'exec'\nwith = { argv = ['x'] }\neffect = 'change'";
    let verified = |keys: &str| format!("{exec}\n{keys}\nverify = {{ exprs = ['up == 1'], within = '2h' }}");
    let inlined = "uses = 'procedure'\nwith = { id = 'b' }";
    let manual = "uses = 'manual'\nwith = { instruction = 'look' }";
    let given = "uses = 'wait'\nwith = { exprs = ['up == 1'], within = '${param.span}' }\n\
        [[procedures.params]]\nid = 'span'\ntype = 'duration'";
    let table: &[(String, &[&str])] = &[
        (procedure("a", "2h", wait), &[]),
        (procedure("a", "1h", wait), &["beyond-deadline"]),
        (procedure("a", "1h", &verified("")), &["beyond-deadline"]),
        (procedure("a", "3h", &verified("timeout = '2h'")), &[]),
        (procedure("a", "3h", &verified("timeout = '4h'")), &["beyond-deadline"]),
        (procedure("a", "1h", inlined) + &procedure("b", "3h", wait), &["beyond-deadline"]),
        // A person's time is not counted, and what parameters give is refused when it is planned.
        (procedure("a", "1m", manual), &[]),
        (procedure("a", "1m", given), &[]),
    ];
    for (text, want) in table {
        assert_eq!(ids(&format!("[stack]\nname = 's'\n{text}")), *want, "{text}");
    }
}

#[test]
fn what_stays_open_for_ever() {
    let two = |first: &str, second: &str, interlock: &str| {
        let manual = "uses = 'manual'\nwith = { instruction = 'look' }";
        format!(
            "[stack]\nname = 's'\n[[procedures]]\nid = 'a'\n[[procedures.steps]]\nid = 'x'\n{manual}\n{first}\n\
             [[procedures]]\nid = 'b'\n[[procedures.steps]]\nid = 'y'\n{manual}\n{second}\n{interlock}"
        )
    };
    let owes = "owes = { id = 'ingress', says = 'closed', by = 'b' }";
    let lock = |raised: &str, blocks: &str, until: &str| {
        format!(
            "[[interlocks]]\nid = 'i'\nsays = 'closed'\n{raised}\nblocks = [{blocks}]\nuntil = {{ says = 'open'{until} }}\n"
        )
    };
    let inlined = "[[procedures.steps]]\nid = 'all'\nuses = 'procedure'\nwith = { id = 'b' }";
    let elsewhere =
        "lock = 'b'\n[[procedures.steps]]\nid = 'y'\nuses = 'manual'\nwith = { instruction = 'look' }";
    let table: &[(String, &[&str])] = &[
        (two(owes, "settles = ['ingress']", ""), &[]),
        (two(owes, "", ""), &["debt-never-settled"]),
        (two(&format!("{owes}\nsettles = ['ingress']"), "", ""), &["debt-never-settled"]),
        (two("", "", &lock("raised_by = ['a.x']", "'a'", ", verified = ['b.y']")), &[]),
        (two("", "", &lock("", "'a'", ", verified = ['b.y']")), &["interlock-never-raised"]),
        (two("", "", &lock("raised_by = ['a.x']", "'a'", "")), &["interlock-never-lifted"]),
        (
            two("", "", &lock("raised_by = ['a.x']", "'b'", ", verified = ['b.y']")),
            &["interlock-never-lifted"],
        ),
        (
            two("", "", &lock("raised_by = ['a.x']", "'b'", ", verified = ['a.x'], or_verified = ['b.y']")),
            &["interlock-never-lifted"],
        ),
        (two(inlined, "", &lock("raised_by = ['a.x']", "'b'", ", verified = ['b.y']")), &[]),
        (
            two(inlined, "", "").replace(
                "id = 'b'\n[[procedures.steps]]",
                &format!("id = 'b'\n{elsewhere}\n[[procedures.steps]]"),
            ),
            &["other-lock"],
        ),
    ];
    for (text, want) in table {
        assert_eq!(ids(text), *want, "{text}");
    }
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
