//! Pages that mean harm: refused with a reason before memory grows, or read as what they are.

use quarterdeck::domain::series::labels::NAME;
use quarterdeck::domain::series::store::{Appended, Limits as StoreLimits};
use quarterdeck::domain::series::{Matcher, Selection, Source, Store};
use quarterdeck::observe::metrics::exposition::{Format, Lexer, Limits};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

fn lexer(limits: Limits) -> Lexer {
    Lexer::new(BTreeMap::new(), Arc::new(Selection::everything()), limits)
}

fn refused(page: &[u8], limits: Limits) -> String {
    let mut out = Vec::new();
    let error = lexer(limits).page(page, Format::Text, &mut out).unwrap_err();
    assert!(out.is_empty(), "a bad page brings nothing");
    error.to_string()
}

#[test]
fn a_page_beyond_the_limits_is_refused_with_the_limit() {
    let limits = Limits { max_series: 1000, ..Limits::default() };
    let mut five_million = String::new();
    for i in 0..5_000_000 {
        let _ = writeln!(five_million, "a{{i=\"{i}\"}} 1");
    }
    let mut lexer = lexer(limits);
    let mut out = Vec::new();
    let error = lexer.page(five_million.as_bytes(), Format::Text, &mut out).unwrap_err();
    assert_eq!(error.to_string(), "line 1001: more than 1000 series at `a{i=\"1000\"} 1`");
    assert!(out.capacity() < 5000, "room was made for {} samples", out.capacity());

    let long = format!("ok 1\na{{b=\"{}\"}} 1\n", "x".repeat(1 << 20));
    let error = refused(long.as_bytes(), limits);
    assert!(
        error.starts_with("line 2: a name or value of 1048576 bytes, where 16384 are allowed,"),
        "{error}"
    );
    assert!(error.len() < 200);
    assert!(
        refused(format!("{} 1", "a".repeat(1 << 20)).as_bytes(), limits).contains("where 16384 are allowed")
    );
    let many: String = (0..100_000).map(|i| format!("l{i}=\"\",")).collect();
    assert!(refused(format!("a{{{many}}} 1").as_bytes(), limits).contains("more than 128 labels"));
}

#[test]
fn what_is_remembered_between_pages_is_bounded() {
    let limits = Limits { max_cache_bytes: 10_000, ..Limits::default() };
    let mut lexer = lexer(limits);
    let page = |round: usize| {
        (0..1000).fold(String::new(), |mut page, i| {
            let _ = writeln!(page, "a{{i=\"{round}-{i}\"}} {i}");
            page
        })
    };
    for round in 0..20 {
        let mut out = Vec::new();
        let seen = lexer.page(page(round).as_bytes(), Format::Text, &mut out).unwrap();
        assert_eq!((seen.selected, seen.duplicates, out.len()), (1000, 0, 1000));
        // All series of the page before have ended, no others.
        assert_eq!(lexer.take_gone().len(), if round == 0 { 0 } else { 1000 });
    }
    let mut out = Vec::new();
    for _ in 0..20 {
        lexer.page(format!("{}!", page(7)).as_bytes(), Format::Text, &mut out).unwrap_err();
    }
    assert_eq!((lexer.take_gone().len(), out.len()), (1000, 0), "what ended once has ended");
}

#[test]
fn nan_everywhere_duplicates_and_times_out_of_order_come_through_the_store() {
    let mut lexer = lexer(Limits::default());
    let mut store = Store::new(StoreLimits {
        max_series: 100,
        max_bytes: 1 << 20,
        max_samples: 10_000,
        retention: Duration::from_secs(3600),
    });
    let page = "a{x=\"1\"} NaN\na{x=\"1\"} 2\nb NaN 5000\nb 1 4000\nb 2 5000\nb NaN 6000\nc{x=\"\"} 1\nc 2\n";
    let mut out = Vec::new();
    let seen = lexer.page(page.as_bytes(), Format::Text, &mut out).unwrap();
    assert_eq!((seen.series, seen.selected, seen.duplicates), (8, 6, 2));
    let what: Vec<Appended> =
        out.iter().map(|s| store.append_labels(&s.labels, s.t.unwrap_or(9000), s.v)).collect();
    assert_eq!(
        what,
        [Appended::Ok, Appended::Ok, Appended::OutOfOrder, Appended::Conflict, Appended::Ok, Appended::Ok]
    );
    let mut found = Vec::new();
    store.select(&[Matcher::equal(NAME, "b")], 0, 10_000, &mut |_, samples| {
        found.extend(samples.iter().map(|s| (s.t, s.v.is_nan())));
    });
    assert_eq!(found, [(5000, true), (6000, true)]);
    let dropped = store.stats().dropped;
    assert_eq!((dropped.out_of_order, dropped.conflicts), (1, 1));
}

#[test]
fn a_page_of_something_else_says_what_stands_there() {
    let table: &[(&[u8], &str)] = &[
        (b"<!DOCTYPE html>\n<html>", "line 1: no metric's name begins so at `<!DOCTYPE html>`"),
        (b"ok 1\n{\"status\": \"up\"}", "line 2: expected a label's value in quotes"),
        (
            b"ok 1\nerror 1 occurred",
            "line 2: expected a timestamp or the line's end after the value at `occurred`",
        ),
        (b"\x1f\x8b\x08\x00", "line 1: no metric's name begins so at `"),
        (b"ok 1\n\xff\xfe", "line 2: no metric's name begins so at `"),
    ];
    for (page, start) in table {
        let error = refused(page, Limits::default());
        let begins = error.starts_with(start)
            || error.starts_with(&start.replace("a label's value in quotes", "`=` after a label's name"));
        assert!(begins, "{error}");
        assert!(!error.contains('\u{1b}'));
    }
}
