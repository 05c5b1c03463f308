//! `quarterdeck query` and `quarterdeck alerts` against a real Prometheus and a real Alertmanager, and
//! without them.

use crate::harness::until;
use crate::hostile::{ONE, answer, listening};
use crate::prometheus::{alertmanager, http, prometheus};
use std::path::Path;
use std::process::{Command, Output};

const STACK: &str = "[stack]\ntitle = 'S'\nname = 's'\n[[layers]]\nid = 'l'\n[[hosts]]\nid = 'h'\n\
[[probes]]\nid = 'p'\nlayer = 'l'\nkind = 'exec'\nargv = ['true']\n";

fn query(dir: &Path, more: &str, args: &[&str]) -> Output {
    run("query", dir, more, args)
}

fn run(what: &str, dir: &Path, more: &str, args: &[&str]) -> Output {
    let file = dir.join("s.toml");
    std::fs::write(&file, format!("{STACK}{more}")).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_quarterdeck"));
    command.env_clear().env("HOME", dir).env("PATH", std::env::var_os("PATH").unwrap());
    command.arg(what).arg("--stack").arg(&file).args(args).output().unwrap()
}

fn said(output: &Output) -> (Option<i32>, String, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

#[test]
fn an_expression_is_asked_of_the_prometheus() {
    let config = "global: {scrape_interval: 200ms, scrape_timeout: 200ms}\n\
                  scrape_configs: [{job_name: self, static_configs: [{targets: ['127.0.0.1:PORT']}]}]\n";
    let Some(server) = prometheus(config, &[], &[]) else { return };
    until("a scrape", || http(server.port, "GET", "/api/v1/query?query=up", "").contains("\"1\""));
    let dir = tempfile::tempdir().unwrap();
    let remote = format!("[prometheus]\nurl = '{}'\n", server.url());
    let (code, out, err) = said(&query(dir.path(), &remote, &["up"]));
    let up = format!("up{{instance=\"127.0.0.1:{}\", job=\"self\"}}  1\n", server.port);
    assert_eq!((code, out, err), (Some(0), up, String::new()));

    let args = ["time()", "--at", "1000", "--range", "2s", "--step", "1s", "--output", "csv"];
    let csv =
        "time,value\r\n1970-01-01T00:16:38Z,998\r\n1970-01-01T00:16:39Z,999\r\n1970-01-01T00:16:40Z,1000\r\n";
    assert_eq!(said(&query(dir.path(), &remote, &args)), (Some(0), csv.into(), String::new()));

    let (_, json, _) = said(&query(dir.path(), &remote, &["vector(1)/0", "--at", "-5m", "--output", "json"]));
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!((&json["by"], &json["result"][0]["value"]), (&"prometheus".into(), &"+Inf".into()));

    let (code, _, err) = said(&query(dir.path(), &remote, &["up +"]));
    assert!(
        code == Some(1)
            && err.contains("failed to query http://127.0.0.1")
            && err.contains("1:5: parse error"),
        "{err}"
    );
    let closed = "[prometheus]\nurl = 'http://127.0.0.1:1'\n";
    let (code, _, err) = said(&query(dir.path(), closed, &["up"]));
    assert!(code == Some(1) && err.contains("connection refused by 127.0.0.1:1"), "{err}");
}

#[test]
fn without_a_prometheus_it_is_evaluated_over_what_is_collected_now() {
    let dir = tempfile::tempdir().unwrap();
    let (code, out, err) = said(&query(dir.path(), "", &["probe_success"]));
    assert_eq!((code, err.as_str()), (Some(0), ""));
    assert!(out.contains("probe=\"p\"") && out.ends_with("  1\n"), "{out}");
    let (code, out, err) = said(&query(dir.path(), "", &["count_over_time(probe_success[1m]) >= 2"]));
    assert!(code == Some(0) && !out.is_empty() && err.contains("no Prometheus is named"), "{out} {err}");
    let (code, _, err) = said(&query(dir.path(), "", &["rat(x[5m])"]));
    assert!(code == Some(1) && err.contains("failed to understand the expression"), "{err}");
    assert_eq!(query(dir.path(), "", &["up", "--at", "soon"]).status.code(), Some(2));
}

/// What a tenant is called goes with every question.
#[test]
fn the_headers_of_the_stack_file_are_sent() {
    let (server, asked) = listening(|_| answer("200 OK", "", ONE));
    let dir = tempfile::tempdir().unwrap();
    let remote =
        format!("[prometheus]\nurl = 'http://{server}'\nheaders = {{ X-Scope-OrgID = 'team-a', X-N = 3 }}\n");
    let (code, _, err) = said(&query(dir.path(), &remote, &["1"]));
    assert_eq!((code, err), (Some(0), String::new()));
    let asked = asked.lock().unwrap();
    assert!(!asked.is_empty());
    assert!(asked.iter().all(|a| a.contains("x-scope-orgid: team-a") && a.contains("x-n: 3")), "{asked:?}");
}

#[test]
fn alerts_of_a_prometheus_and_an_alertmanager_are_told_with_who_is_paged() {
    let routes =
        "route: {receiver: ops}\nreceivers: [{name: ops, webhook_configs: [{url: 'http://127.0.0.1:1/'}]}]\n";
    let Some(am) = alertmanager(routes, &[], &[]) else { return };
    let config = format!(
        "global: {{evaluation_interval: 100ms}}\nrule_files: [rules.yml]\n\
         alerting: {{alertmanagers: [{{static_configs: [{{targets: ['127.0.0.1:{}']}}]}}]}}\n",
        am.port
    );
    let rules = "groups: [{name: g, rules: [\
        {alert: Held, expr: vector(2), for: 1h, labels: {severity: warning}},\
        {alert: Sent, expr: vector(7), labels: {severity: critical}, annotations: {summary: 'it is {{ $value }}'}},\
        {record: sum:one, expr: vector(1)}]}]\n";
    let Some(prom) = prometheus(&config, &[("rules.yml", rules)], &["--rules.alert.resend-delay=200ms"])
    else {
        return;
    };
    until("an alert", || http(am.port, "GET", "/api/v2/alerts", "").contains("Sent"));
    let dir = tempfile::tempdir().unwrap();
    let remotes = format!("[prometheus]\nurl = '{}'\n[alertmanager]\nurl = '{}'\n", prom.url(), am.url());
    let (code, json, err) = said(&run("alerts", dir.path(), &remotes, &["--output", "json", "--rules"]));
    assert_eq!((code, err.as_str()), (Some(0), ""));
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    let told = |i: usize| {
        let a = &json["alerts"][i];
        ["name", "phase", "origin", "value", "paged"].map(|key| a[key].as_str().unwrap_or("?").to_owned())
    };
    assert_eq!(told(0), ["Sent", "firing", "prometheus", "7", "yes"], "{json:#}");
    assert_eq!(told(1), ["Held", "pending", "prometheus", "2", "pending"], "{json:#}");
    assert_eq!(json["alerts"][0]["receivers"], serde_json::json!(["ops"]));
    assert_eq!(json["alerts"][0]["annotations"]["summary"], "it is 7");
    assert_eq!((&json["firing"], &json["pending"], &json["rules_total"]), (&1.into(), &1.into(), &3.into()));
    assert_eq!(json["rules"].as_array().unwrap().len(), 3);
    assert_eq!(json["silent"], serde_json::json!([]));

    // Who is gone is said, and what remains is told all the same.
    let url = prom.url();
    drop(prom);
    let (code, text, _) = said(&run("alerts", dir.path(), &remotes, &[]));
    assert_eq!(code, Some(0));
    assert!(text.contains(&format!("silent: prometheus {url}: ")), "{text}");
    assert!(text.contains("firing  critical  Sent since ") && text.contains("from alertmanager"), "{text}");
}
