//! What becomes of a target is on the board: alerts, staleness, marks, and reasons for bad pages.

use crate::harness::fake;
use crate::live::{Live, Page, alert, rule, scrape, target};
use quarterdeck::domain::alert::view::{Paged, Phase, RuleState};
use quarterdeck::domain::board::{Ask, GraphIndex, MarkKind, TargetIndex};
use quarterdeck::observe::metrics::engine::{DEAD, Message};
use std::fmt::Write as _;
use std::time::Duration;

const RULES: &str = "[[rules]]\nalert = 'Load'\nexpr = 'load > 1'\nfor = '2s'\n\
[[rules]]\nalert = 'Down'\nexpr = 'up == 0'\n[[graphs]]\nid = 'g'\nexpr = 'load'\n";

#[test]
fn an_alert_comes_and_its_target_dies_and_recovers() {
    let page = Page::new("load 0.5\nprocess_start_time_seconds 1000\nx_build_info{version=\"1\"} 1\n");
    let other = Page::new("other 1\n");
    let stack = [scrape("api", page.port, ""), scrape("other", other.port, ""), RULES.into()].concat();
    let live = Live::start(&stack);
    let inactive = |b: &_, why: &str| matches!(&rule(b, "Load").state, RuleState::Inactive { because } if because == why);
    live.until("the rule to be inactive", |b| inactive(b, "0.5 is not > 1"));
    page.show("load 2\nprocess_start_time_seconds 2000\nx_build_info{version=\"2\"} 1\n");
    let board = live.until("the alert to wait", |b| alert(b, "Load").is_some());
    let waiting = alert(&board, "Load").unwrap();
    assert_eq!(waiting.phase, Phase::Pending);
    assert!(matches!(waiting.paged, Paged::Pending { needs, .. } if needs == Duration::from_secs(2)));
    let board = live.until("it to fire", |b| alert(b, "Load").is_some_and(|a| a.phase == Phase::Firing));
    assert_eq!(alert(&board, "Load").unwrap().paged, Paged::Nowhere);
    let marks: Vec<_> = board.marks.iter().map(|m| (m.kind, m.text.as_str())).collect();
    for (kind, text) in [
        (MarkKind::Restart, "api restarted"),
        (MarkKind::Deploy, "api runs another build: 1 to 2"),
        (MarkKind::Alert, "Load fires"),
    ] {
        let found =
            marks.iter().filter(|(k, t)| *k == kind && t.starts_with(text.split(' ').next().unwrap()));
        assert_eq!(found.count(), 1, "{text}: {marks:?}");
    }

    page.show_html();
    let board =
        live.until("the rule to be stale", |b| matches!(rule(b, "Load").state, RuleState::Stale { .. }));
    let dead = target(&board, "api");
    assert!(dead.up == Some(false) && dead.reason.contains("HTML"), "{}", dead.reason);
    assert!(alert(&board, "Load").is_none(), "what is not measured does not fire");
    live.until("what watches `up` to fire", |b| alert(b, "Down").is_some_and(|a| a.paged == Paged::Nowhere));
    let now = live.board();
    live.until("the other to be looked at again", |b| target(b, "other").at != target(&now, "other").at);
    assert_eq!(target(&live.board(), "other").up, Some(true));

    page.show("load 0.25\nprocess_start_time_seconds 2000\n");
    let board = live.until("it to recover", |b| inactive(b, "0.25 is not > 1"));
    assert_eq!(target(&board, "api").up, Some(true));
    live.until("the alert to be over", |b| b.alerts.is_empty());

    let span = Duration::from_secs(60);
    live.ask(Ask::Watch { graphs: vec![GraphIndex(0)], span, end: None, columns: 60 });
    live.ask(Ask::Query { expr: "load + other".into(), span, end: None, columns: 60 });
    live.ask(Ask::Explore { target: TargetIndex(1) });
    let board = live.until("what was asked for", |b| b.families.is_some() && b.query.is_some());
    assert!(!board.graphs[0].remote && board.graphs[0].lines[0].line.samples.len() > 1);
    let families = board.families.as_ref().unwrap();
    assert_eq!(families.list.iter().map(|f| f.name.as_str()).collect::<Vec<_>>(), ["other"]);
    live.ask(Ask::Query { expr: "nosuch(".into(), span, end: None, columns: 60 });
    let said = |b: &quarterdeck::domain::board::Board| b.query.as_ref().and_then(|q| q.trouble.clone());
    let board = live.until("it to be refused", |b| said(b).is_some());
    assert!(!said(&board).unwrap().is_empty());
    live.ask(Ask::Rest);
    live.until("the screen to be left", |b| b.graphs.is_empty() && b.query.is_none());
}

/// Bytes of memory that this process uses.
fn resident() -> usize {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap();
    text.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * 4096
}

#[test]
fn bad_pages_have_reasons_and_disturb_nobody() {
    let good = Page::new("load 2\n");
    let odd = Page::new(
        "a NaN\na NaN\nload{x=\"1\"} 5\nload{x=\"1\"} 6\nb 1 1000\nb 2 500\nload{z=\"1\"} 3 99999999999999\n",
    );
    let huge = fake::tcp(|wire| {
        fake::heard(wire);
        let head = "HTTP/1.1 200 OK\r\ncontent-type: text/plain; version=0.0.4\r\n\r\n";
        if wire.write_all(head.as_bytes()).is_err() {
            return;
        }
        for block in 0..20_000 {
            let mut lines = String::new();
            for i in 0..1000 {
                let _ = writeln!(lines, "load{{n=\"{}\"}} 1", block * 1000 + i);
            }
            if wire.write_all(lines.as_bytes()).is_err() {
                return;
            }
        }
    });
    let long = Page::new(&format!("load{{x=\"{}\"}} 1\n", "y".repeat(1 << 20)));
    let stack = [
        scrape("good", good.port, ""),
        scrape("odd", odd.port, ""),
        scrape("huge", huge.port(), "max_series = 5000"),
        scrape("long", long.port, ""),
        RULES.into(),
    ]
    .concat();
    let before = resident();
    let live = Live::start(&stack);
    live.until("all to be looked at", |b| !b.targets.is_empty() && b.targets.iter().all(|t| t.up.is_some()));
    let first = live.board();
    for _ in 0..3 {
        let at = target(&live.board(), "good").at;
        live.until("the good one to go on", |b| target(b, "good").at != at);
    }
    let board = live.until("the alert", |b| alert(b, "Load").is_some_and(|a| a.phase == Phase::Firing));
    assert_eq!(target(&board, "good").up, Some(true));
    assert!(target(&board, "good").at != target(&first, "good").at);
    for (id, up, words) in
        [("odd", true, "in the future"), ("huge", false, "at most 32MiB"), ("long", false, "")]
    {
        let found = target(&board, id);
        println!("{id}: {}", found.reason);
        assert_eq!(found.up, Some(up), "{id}: {}", found.reason);
        assert!(found.reason.contains(words), "{id}: {}", found.reason);
    }
    assert!(board.engine.series < 50, "{:?}", board.engine);
    let grown = resident().saturating_sub(before);
    // Of the 400 MB that are offered; other tests run in this process, too.
    assert!(grown < 250 << 20, "{grown} bytes more");
}

#[test]
fn what_the_engine_is_too_busy_for_is_counted_and_its_death_is_told() {
    let page = Page::new("load 2\n");
    let live = Live::start(&[scrape("api", page.port, ""), RULES.into()].concat());
    live.until("a look", |b| b.targets.first().is_some_and(|t| t.up == Some(true)));
    let teller = live.engine.teller();
    let (hold, held) = std::sync::mpsc::channel::<()>();
    teller.tell(Message::Outside(Box::new(move |_| {
        let _ = held.recv();
    })));
    for _ in 0..3000 {
        teller.tell(Message::Samples(Vec::new()));
    }
    let dropped = teller.dropped();
    assert!((1900..3000).contains(&dropped), "{dropped}");
    drop(hold);
    live.until("the loss on the board", |b| b.engine.dropped >= dropped);
    teller.tell(Message::Outside(Box::new(|_| panic!("a test of what happens then"))));
    let board = live.until("its end on the board", |b| b.engine.trouble.is_some());
    assert_eq!(board.engine.trouble.as_deref(), Some(DEAD));
    assert_eq!(board.rules.len(), 2, "what it knew is still there to be read");
    teller.tell(Message::Samples(Vec::new()));
}
