//! `uses = "alertmanager"` against a real one: silences and alerts, as it tells of them itself.

use crate::bench::Bench;
use crate::harness::{Server, free_port, need};
use crate::said::{done, failed};
use quarterdeck::domain::id::{HostId, StepId};
use quarterdeck::domain::procedure::action::Action;
use quarterdeck::domain::procedure::action::kinds::Alertmanager;
use quarterdeck::domain::procedure::event::Truth;
use quarterdeck::stack::kind::http::Auth;
use quarterdeck::stack::kind::http::target::Target;
use quarterdeck::stack::metrics::Remote;
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::time::Duration;

struct Real {
    _server: Server,
    port: u16,
    bench: Bench,
    _dir: tempfile::TempDir,
}

impl Real {
    fn new() -> Option<Real> {
        let program = need("prometheus-alertmanager", "prometheus-alertmanager")?;
        let dir = tempfile::tempdir().unwrap();
        let port = free_port();
        let config = dir.path().join("am.yml");
        std::fs::write(&config, "route: {receiver: nobody}\nreceivers: [{name: nobody}]\n").unwrap();
        let mut command = Command::new(program);
        command.arg(format!("--config.file={}", config.display()));
        command.arg(format!("--storage.path={}", dir.path().join("data").display()));
        command.arg(format!("--web.listen-address=127.0.0.1:{port}")).arg("--cluster.listen-address=");
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let server = Server::start(&mut command, || TcpStream::connect(("127.0.0.1", port)).is_ok());
        let mut bench = Bench::local(&[]);
        bench.stack.metrics.alertmanager = Some(remote(port));
        Some(Real { _server: server, port, bench, _dir: dir })
    }

    fn amtool(&self, args: &[&str]) -> String {
        let url = format!("--alertmanager.url=http://127.0.0.1:{}", self.port);
        let output = Command::new("amtool").arg(url).args(args).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    fn as_step(&mut self, step: &str) -> &Bench {
        self.bench.step = StepId::new(step);
        &self.bench
    }
}

fn remote(port: u16) -> Remote {
    Remote {
        host: HostId::new("h"),
        target: Target::parse(&format!("http://127.0.0.1:{port}"), None, None).unwrap(),
        auth: Auth::None,
        headers: vec![],
        timeout: Duration::from_secs(5),
    }
}

fn silence(matchers: &[&str]) -> Action {
    Action::Alertmanager(Alertmanager::Silence {
        matchers: matchers.iter().map(|t| (*t).to_owned()).collect(),
        span: Duration::from_secs(1800),
        comment: "restart by ${run.id}".into(),
    })
}

fn expire(step: &str) -> Action {
    Action::Alertmanager(Alertmanager::Expire { step: step.into() })
}

fn alert(labels: &[(&str, &str)]) -> Action {
    Action::Alertmanager(Alertmanager::Alert {
        labels: labels.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect(),
        annotations: [("summary".to_owned(), "drill of ${run.id}".to_owned())].into(),
        span: Some(Duration::from_secs(600)),
    })
}

#[test]
fn a_silence_is_made_once_and_ended_by_a_later_step() {
    let Some(mut real) = Real::new() else { return };
    let make = silence(&["layer=\"edge\"", "severity=~\"warning|critical\""]);
    done(&real.as_step("fire").perform(&alert(&[
        ("alertname", "Down"),
        ("layer", "edge"),
        ("severity", "critical"),
    ])));
    assert_eq!(real.as_step("hush").target(&make).blast, ["silences 1 that fire now: Down"]);
    assert_eq!(real.bench.ask(&make, "").truth, Truth::DidNot);
    let left = real.bench.perform(&make);
    assert!(done(&left).starts_with("silence "), "{left:?}");
    assert_eq!(real.bench.ask(&make, "").truth, Truth::Happened);
    let again = real.bench.perform(&make);
    assert!(done(&again).contains("is there already"), "{again:?}");
    let all = real.amtool(&["silence", "query", "-o", "json"]);
    let all: serde_json::Value = serde_json::from_str(&all).unwrap();
    assert_eq!(all.as_array().unwrap().len(), 1, "{all}");
    let want = format!("restart by {0} (quarterdeck {0} hush)", real.bench.run);
    assert_eq!(
        (all[0]["comment"].as_str(), all[0]["createdBy"].as_str()),
        (Some(&*want), Some("quarterdeck"))
    );
    assert_eq!(all[0]["matchers"].as_array().unwrap().len(), 2);

    let end = expire("hush");
    assert_eq!(real.as_step("unhush").ask(&end, "").truth, Truth::DidNot);
    done(&real.bench.perform(&end));
    assert_eq!(real.amtool(&["silence", "query", "-q"]).trim(), "");
    assert_eq!(real.bench.ask(&end, "").truth, Truth::Happened);
    assert!(done(&real.bench.perform(&end)).contains("no silence that still holds"));
    assert_eq!(real.as_step("hush").ask(&make, "").truth, Truth::DidNot);
}

#[test]
fn in_a_procedure_within_another_the_step_beside_it_is_meant() {
    let Some(mut real) = Real::new() else { return };
    done(&real.as_step("hush").perform(&silence(&["a=\"1\""])));
    done(&real.as_step("inner/hush").perform(&silence(&["a=\"2\""])));
    done(&real.as_step("inner/end").perform(&expire("hush")));
    assert_eq!(real.as_step("inner/hush").ask(&silence(&["a=\"2\""]), "").truth, Truth::DidNot);
    assert_eq!(real.as_step("hush").ask(&silence(&["a=\"1\""]), "").truth, Truth::Happened);
}

#[test]
fn an_alert_is_submitted_and_found_again() {
    let Some(mut real) = Real::new() else { return };
    let submit = alert(&[("alertname", "Drill"), ("severity", "info")]);
    assert_eq!(real.as_step("drill").ask(&submit, "").truth, Truth::DidNot);
    assert_eq!(done(&real.bench.perform(&submit)), "alert Drill submitted, for 10m");
    assert_eq!(real.bench.ask(&submit, "").truth, Truth::Happened);
    assert!(real.amtool(&["alert", "query"]).contains(&format!("drill of {}", real.bench.run)));
}

#[test]
fn what_cannot_be_is_told_in_advance_and_an_absent_server_is_told() {
    let mut bench = Bench::local(&[]);
    let why = bench.target(&silence(&["a=\"b\""])).impossible.unwrap();
    assert_eq!(why, "the stack has no [alertmanager]");
    bench.stack.metrics.alertmanager = Some(remote(free_port()));
    let table = [
        (silence(&[]), "would take every alert"),
        (silence(&["a=~\".*\""]), "would take every alert"),
        (silence(&["a"]), "no matcher"),
        (alert(&[("severity", "info")]), "needs the label alertname"),
    ];
    for (action, part) in table {
        let why = bench.target(&action).impossible;
        assert!(why.as_ref().is_some_and(|w| w.contains(part)), "{action:?}: {why:?}");
    }
    let make = silence(&["a=\"b\""]);
    assert!(bench.target(&make).warnings[0].contains("refused"), "{:?}", bench.target(&make));
    assert!(failed(&bench.perform(&make)).contains("refused"));
    assert_eq!(bench.ask(&make, "").truth, Truth::Unknown);
}
