//! The eyes against real commands, files and a real HTTP server: what is asked, when, and what the
//! answers make of a condition.

use super::*;
use crate::clock::SystemClock;
use crate::observe::probe::shared::Shared;
use crate::stack::diag::Source;
use crate::stack::load::load_texts;
use crate::transport::secret::Secrets;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::sync::Mutex as StdMutex;

/// A server of one page, whose text can be changed, and which can be told to fail.
struct Page {
    port: u16,
    says: Arc<StdMutex<Option<String>>>,
    asked: Arc<StdMutex<u32>>,
}

impl Page {
    fn new(text: &str) -> Page {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let page = Page {
            port: listener.local_addr().unwrap().port(),
            says: Arc::new(StdMutex::new(Some(text.to_owned()))),
            asked: Arc::default(),
        };
        let (says, asked) = (Arc::clone(&page.says), Arc::clone(&page.asked));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let mut bytes = [0; 4096];
                let _ = stream.read(&mut bytes);
                *asked.lock().unwrap() += 1;
                let answer = match says.lock().unwrap().as_deref() {
                    Some(text) => format!(
                        "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{text}",
                        text.len()
                    ),
                    None => "HTTP/1.1 503 Gone\r\ncontent-length: 0\r\nconnection: close\r\n\r\n".to_owned(),
                };
                let _ = stream.write_all(answer.as_bytes());
            }
        });
        page
    }

    fn say(&self, text: Option<&str>) {
        *self.says.lock().unwrap() = text.map(str::to_owned);
    }

    fn asked(&self) -> u32 {
        *self.asked.lock().unwrap()
    }
}

fn watcher(dir: &Path, page: &Page) -> Watcher {
    let dir = dir.display();
    let text = format!(
        r#"
        [stack]
        name = "x"
        [[layers]]
        id = "low"
        name = "Low"
        [[hosts]]
        id = "here"
        [[probes]]
        id = "flag"
        name = "Flag"
        layer = "low"
        kind = "file"
        path = "{dir}/flag"
        conditions = ["[EXISTS] == true"]
        [[probes]]
        id = "half"
        name = "Half"
        layer = "low"
        kind = "file"
        path = "{dir}/flag"
        degraded_unless = ["[EXISTS] == false"]
        [[probes]]
        id = "counted"
        name = "Counted"
        layer = "low"
        kind = "exec"
        argv = ["sh", "{dir}/count"]
        [[scrapes]]
        id = "page"
        url = "http://127.0.0.1:{port}/metrics"
        timeout = "2s"
        "#,
        port = page.port
    );
    std::fs::write(format!("{dir}/count"), format!("echo x >>{dir}/counts\n")).unwrap();
    let source = Arc::new(Source { name: "x.toml".into(), text });
    let stack = match load_texts(&source, None, &|_| None) {
        Ok(loaded) => Arc::new(loaded.stack),
        Err(problems) => panic!("{}", problems.render(false)),
    };
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let shared = Shared::for_stack(Secrets::new(std::collections::BTreeMap::default()), &stack);
    let prober = Prober::new(&stack, shared, Arc::clone(&clock));
    Watcher::new(stack, prober, clock, Freshness::Newer)
}

fn condition(probes: &[&str], exprs: &[&str], or_degraded: bool) -> Condition {
    let probes = probes.iter().map(|p| ProbeId::new(p)).collect();
    Condition { probes, exprs: exprs.iter().map(|e| (*e).to_owned()).collect(), or_degraded }
}

#[tokio::test]
async fn each_check_asks_anew_and_only_what_it_needs() {
    let (dir, page) = (tempfile::tempdir().unwrap(), Page::new("sessions 3\n"));
    let sight = watcher(dir.path(), &page);
    let flag = dir.path().join("flag");
    for there in [false, true, false, true] {
        if there {
            std::fs::write(&flag, "x").unwrap();
        } else {
            let _ = std::fs::remove_file(&flag);
        }
        for what in [
            condition(&["flag"], &[], false),
            condition(&[], &[r#"probe_success{probe="flag"} == 1"#], false),
        ] {
            let seen = sight.check(&what).await;
            assert_eq!(seen.holds, there, "{what:?}: {}", seen.says);
            assert!(seen.says.contains("flag"), "{}", seen.says);
        }
        let (health, _) = sight.probe(&ProbeId::new("flag")).await;
        assert_eq!(health == Health::Up, there);
        let up = sight.value(r#"probe_success{probe="flag"}"#).await;
        assert_eq!(up, Ok(f64::from(u8::from(there))));
    }
    assert!(!dir.path().join("counts").exists(), "nobody asked for that probe");
    assert_eq!(page.asked(), 0, "and nobody for that page");
    assert!(sight.check(&condition(&[], &[r#"sum(probe_success{layer="low"}) == 3"#], false)).await.holds);
    assert!(dir.path().join("counts").exists());
}

#[tokio::test]
async fn what_is_less_than_up_does_not_hold_unless_degraded_is_good_enough() {
    let (dir, page) = (tempfile::tempdir().unwrap(), Page::new(""));
    let sight = watcher(dir.path(), &page);
    std::fs::write(dir.path().join("flag"), "x").unwrap();
    let table = [
        (condition(&["half"], &[], false), false, "half is degraded"),
        (condition(&["half"], &[], true), true, "half is degraded"),
        (condition(&["flag", "half"], &[], true), true, "flag is up"),
        (condition(&["nobody"], &[], true), false, "no probe is called nobody"),
        (condition(&[], &["1 +"], false), false, "cannot be understood"),
        (condition(&[], &["1"], false), true, "1"),
        (condition(&[], &["0"], false), false, "does not hold"),
        (condition(&[], &["vector(1) > bool 2"], false), false, "1 now"),
        (condition(&[], &["vector(3) <= 2"], false), false, "3 now"),
    ];
    for (what, holds, says) in table {
        let seen = sight.check(&what).await;
        assert_eq!(seen.holds, holds, "{what:?}: {}", seen.says);
        assert!(seen.says.contains(says), "{what:?}: {}", seen.says);
    }
}

/// Unknown is never healthy: what hides behind a silent target could be anything.
#[tokio::test]
async fn a_silent_target_makes_an_expression_unknown_and_never_true() {
    let (dir, page) = (tempfile::tempdir().unwrap(), Page::new("sessions 3\n"));
    let sight = watcher(dir.path(), &page);
    let few = condition(&[], &["sessions <= 1"], false);
    let none = condition(&[], &["absent(sessions)"], false);
    let seen = sight.check(&few).await;
    assert!(!seen.holds && seen.says.contains("3 now"), "{}", seen.says);
    assert_eq!(sight.value("sum(sessions)").await, Ok(3.0));
    page.say(Some("sessions 1\n"));
    assert!(sight.check(&few).await.holds);

    page.say(None);
    for what in [&few, &none] {
        let seen = sight.check(what).await;
        assert!(!seen.holds && seen.says.contains("not known: target page"), "{}", seen.says);
    }
    assert!(sight.value("sum(sessions)").await.unwrap_err().contains("target page"));
    let silent = condition(&[], &[r#"up{job="page"} == 0"#], false);
    assert!(sight.check(&silent).await.holds, "that it is silent can be asked");

    // It answered without the series: it is really absent, and that it is silent now hides no other.
    page.say(Some("other 1\n"));
    assert!(sight.check(&none).await.holds);
    assert!(!sight.check(&few).await.holds, "what was seen before stands for nothing");
}

#[tokio::test]
async fn an_expression_over_time_is_looked_at_until_it_has_a_past() {
    let (dir, page) = (tempfile::tempdir().unwrap(), Page::new("requests_total 3\n"));
    let sight = watcher(dir.path(), &page);
    let rate = sight.value("rate(requests_total[1m])").await;
    assert_eq!(rate, Ok(0.0), "two looks are enough for a rate");
    assert!(page.asked() >= 2);
    assert!(sight.check(&condition(&[], &["changes(requests_total[1m]) == 0"], false)).await.holds);
}
