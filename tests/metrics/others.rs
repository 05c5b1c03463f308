//! A stack beside a real Prometheus and a real Alertmanager: what they say is shown, and what is
//! here stands in while they are silent.

use crate::harness::until;
use crate::live::{Live, Page, alert, rule, scrape};
use crate::prometheus::{Daemon, Sink, alertmanager, amtool, http, prometheus};
use quarterdeck::domain::alert::view::{Origin, Paged, Phase};
use quarterdeck::domain::board::{Ask, Board, GraphIndex, RemoteState};
use std::time::Duration;

const PAGE: &str = "load 2\nrequests_total 100\nbad_total 0\n";

fn both(hook: &Sink, page: &Page) -> Option<(Daemon, Daemon)> {
    let config = format!(
        "route: {{receiver: ops, group_wait: 50ms, group_interval: 1s}}\n\
         receivers: [{{name: ops, webhook_configs: [{{url: 'http://127.0.0.1:{}/'}}]}}]\n\
         inhibit_rules: [{{source_matchers: ['severity=critical'], target_matchers: ['severity=warning'], equal: [job]}}]\n",
        hook.port
    );
    let am = alertmanager(&config, &[], &[])?;
    let config = format!(
        "global: {{scrape_interval: 200ms, scrape_timeout: 200ms, evaluation_interval: 200ms}}\n\
         alerting: {{alertmanagers: [{{static_configs: [{{targets: ['127.0.0.1:{}']}}]}}]}}\nrule_files: [rules.yml]\n\
         scrape_configs: [{{job_name: api, static_configs: [{{targets: ['127.0.0.1:{}']}}]}}]\n",
        am.port, page.port
    );
    let rules = "groups: [{name: g, rules: [\
        {alert: Load, expr: 'load > 1', labels: {severity: warning}},\
        {alert: Theirs, expr: 'load > 1000', labels: {severity: warning}},\
        {alert: Worse, expr: 'worse > 0', labels: {severity: critical}}]}]\n";
    let args = ["--rules.alert.resend-delay=200ms"];
    Some((prometheus(&config, &[("rules.yml", rules)], &args)?, am))
}

fn paged(board: &Board, is: impl Fn(&Paged) -> bool) -> bool {
    alert(board, "Load").is_some_and(|a| a.origin == Origin::Prometheus && is(&a.paged))
}

fn answers(board: &Board) -> bool {
    let state = board.engine.prometheus.as_ref().map(|v| &v.state);
    matches!(state, Some(RemoteState::Answering { .. }))
}

/// Graph, answer and objective, by whether a Prometheus gave them.
fn by_prometheus(board: &Board) -> Option<(bool, bool, bool)> {
    Some((board.graphs.first()?.remote, board.query.as_ref()?.remote, board.slos.first()?.remote))
}

#[test]
fn what_the_others_say_is_shown_and_replaced_while_they_are_silent() {
    let (page, hook) = (Page::new(PAGE), Sink::webhook());
    let Some((mut prom, am)) = both(&hook, &page) else { return };
    let stack = format!(
        "{}[prometheus]\nurl = '{}'\n[alertmanager]\nurl = '{}'\n\
         [[rules]]\nalert = 'Load'\nexpr = 'load > 1'\nlabels = {{ severity = 'warning' }}\nhelp = 'add hosts'\nrows = ['X-1']\n\
         [[graphs]]\nid = 'g'\nexpr = 'load'\n\
         [[slos]]\nid = 's'\nobjective = 99\nwindow = '1h'\nmin_events = 1\ntotal = 'requests_total'\nbad = 'bad_total'\n",
        scrape("api", page.port, ""),
        prom.url(),
        am.url()
    );
    let live = Live::start(&stack);
    let receivers = |p: &Paged| *p == Paged::Yes { receivers: vec!["ops".into()] };
    let board = live.until("the page", |b| paged(b, receivers));
    let shared = rule(&board, "Load");
    assert_eq!(
        (shared.origin, shared.help.as_str(), &shared.rows[..]),
        (Origin::Prometheus, "add hosts", &["X-1".to_owned()][..])
    );
    assert_eq!(alert(&board, "Load").unwrap().rule, Some(shared.index));
    assert_eq!(rule(&board, "Theirs").origin, Origin::Prometheus);
    assert_eq!(board.alerts.iter().filter(|a| a.name == "Load").count(), 1, "shown once");

    let id = amtool(
        &am,
        &["silence", "add", "alertname=Load", "--comment=known", "--author=ada", "--duration=1h"],
    );
    let silenced =
        |p: &Paged| matches!(p, Paged::Silenced { by, comment, .. } if by == "ada" && comment == "known");
    live.until("the silence", |b| paged(b, silenced));
    amtool(&am, &["silence", "expire", id.trim()]);
    live.until("its expiry", |b| paged(b, receivers));
    page.show(&format!("{PAGE}worse 1\n"));
    live.until("the inhibition", |b| {
        paged(b, |p| matches!(p, Paged::Inhibited { by } if by.contains("Worse")))
    });
    page.show(PAGE);

    let span = Duration::from_secs(60);
    live.ask(Ask::Watch { graphs: vec![GraphIndex(0)], span, end: None, columns: 60 });
    live.ask(Ask::Query { expr: "load * 2".into(), span, end: None, columns: 60 });
    for n in 1..5 {
        page.show(&format!("load 2\nrequests_total {}\nbad_total {n}\n", 100 + n * 100));
        let more = format!("\"{}\"]", 100 + n * 100);
        until("a scrape", || {
            http(prom.port, "GET", "/api/v1/query?query=requests_total", "").contains(&more)
        });
    }
    let board = live.until("all from there", |b| by_prometheus(b) == Some((true, true, true)));
    let slo = &board.slos[0];
    assert!(slo.events > 0.0 && slo.seen < Duration::from_secs(600), "{slo:?}");
    live.until("more to be seen", |b| b.slos[0].remote && b.slos[0].seen > slo.seen);
    assert!(!board.graphs[0].lines.is_empty() && !board.query.as_ref().unwrap().lines.is_empty());
    let wide = Duration::from_secs(1800);
    live.ask(Ask::Watch { graphs: vec![GraphIndex(0)], span: wide, end: None, columns: 60 });
    live.until("the wider graph", |b| {
        b.graphs.first().is_some_and(|g| g.remote && g.to - g.from >= 1_800_000)
    });
    assert!(board.names.iter().any(|n| n == "requests_total") && board.labels.iter().any(|n| n == "job"));

    prom.stop();
    let board = live.until("silence and what is here", |b| {
        // A step of half an hour's graph is 15 s: the first one with samples of here is yet to come.
        let drawn = b.graphs.first().is_some_and(|g| !g.lines.is_empty());
        !answers(b) && by_prometheus(b) == Some((false, false, false)) && alert(b, "Load").is_some() && drawn
    });
    let here = alert(&board, "Load").unwrap();
    assert_eq!(
        (here.origin, here.phase, rule(&board, "Load").origin),
        (Origin::Local, Phase::Firing, Origin::Local)
    );
    assert!(!board.graphs[0].lines[0].line.samples.is_empty());
    let evaluated = rule(&board, "Load").evaluated;
    live.until("rules to go on", |b| rule(b, "Load").evaluated > evaluated);
    prom.again();
    live.until("it to be back", |b| {
        answers(b) && by_prometheus(b) == Some((true, true, true)) && paged(b, receivers)
    });
    drop(am);
    let unknown = |p: &Paged| matches!(p, Paged::Unknown { why } if why.contains("Alertmanager is silent"));
    live.until("an Alertmanager that is gone", |b| paged(b, unknown));
}
