//! What is printed is what is read; what one page after another brings and ends.

use super::*;
use crate::domain::series::labels::{NAME, Quoted};
use crate::domain::series::{Op, STALE_BITS};
use proptest::prelude::*;
use std::collections::BTreeSet;
use std::fmt::Write as _;

fn lexer(selection: Selection) -> Lexer {
    let target = [("job", "j"), ("instance", "i")].map(|(n, v)| (n.to_owned(), v.to_owned()));
    Lexer::new(target.into(), Arc::new(selection), Limits::default())
}

fn read(lexer: &mut Lexer, page: &str, format: Format) -> Result<(Seen, Vec<Scraped>), PageError> {
    let mut out = Vec::new();
    let seen = lexer.page(page.as_bytes(), format, &mut out)?;
    Ok((seen, out))
}

/// A series as it might be written, with a value and a time.
#[derive(Clone, Debug)]
struct Written {
    name: String,
    labels: BTreeMap<String, String>,
    v: f64,
    t: Option<Millis>,
}

fn written() -> impl Strategy<Value = Written> {
    let value = prop_oneof![
        any::<f64>(),
        (-1_000_000..1_000_000i64).prop_map(|i| i as f64 / 100.0),
        Just(f64::INFINITY),
        Just(f64::from_bits(STALE_BITS))
    ];
    (
        "[a-z_:][a-z0-9_:]{0,9}",
        proptest::collection::btree_map("[a-z_][a-z0-9_]{0,5}", "(\\PC|[\"\\\\\n{},= ]){0,12}", 0..5),
        value,
        proptest::option::of(0..4_000_000_000_000i64),
    )
        .prop_map(|(name, labels, v, t)| Written { name, labels, v, t })
}

fn print(all: &[Written], open: bool, quoted: bool) -> String {
    let mut page = String::new();
    for w in all {
        let labels = w.labels.iter().map(|(n, v)| format!("{n}={}", Quoted(v)));
        if quoted {
            let inner: Vec<String> = [Quoted(&w.name).to_string()].into_iter().chain(labels).collect();
            let _ = write!(page, "{{{}}}", inner.join(","));
        } else {
            let _ = write!(page, "{}{{{}}}", w.name, labels.collect::<Vec<_>>().join(","));
        }
        let _ = write!(page, " {}", w.v);
        match w.t {
            Some(t) if open => writeln!(page, " {}.{:03}", t / 1000, t % 1000),
            Some(t) => writeln!(page, " {t}"),
            None => writeln!(page),
        }
        .unwrap();
    }
    if open { page + "# EOF\n" } else { page }
}

proptest! {
    #[test]
    fn what_is_printed_is_what_is_read(all in proptest::collection::vec(written(), 0..12), open in any::<bool>(), quoted in any::<bool>()) {
        let format = if open { Format::OpenMetrics } else { Format::Text };
        let mut lexer = lexer(Selection::everything());
        let mut expected = Vec::new();
        let mut untimed = BTreeSet::new();
        for w in &all {
            let pairs = w.labels.iter().map(|(n, v)| match n.as_str() {
                "job" | "instance" => (format!("exported_{n}"), v.clone()),
                _ => (n.clone(), v.clone()),
            });
            let fixed = [(NAME, w.name.as_str()), ("job", "j"), ("instance", "i")];
            let labels = Labels::new(pairs.chain(fixed.map(|(n, v)| (n.to_owned(), v.to_owned()))));
            if !untimed.insert(labels.clone()) && w.t.is_none() {
                continue;
            }
            expected.push((labels, w.t, if w.v.is_nan() { 0x7ff8_0000_0000_0001 } else { w.v.to_bits() }));
        }
        for _ in 0..2 {
            let (seen, got) = read(&mut lexer, &print(&all, open, quoted), format).unwrap();
            let got: Vec<_> = got.into_iter().map(|s| (s.labels, s.t, s.v.to_bits())).collect();
            prop_assert_eq!(seen.series, all.len());
            // A float of seconds may miss a millisecond by one.
            let near = |a: Option<i64>, b: Option<i64>| a == b || matches!((a, b), (Some(a), Some(b)) if open && (a - b).abs() <= 1);
            prop_assert_eq!(got.len(), expected.len());
            for (got, expected) in got.iter().zip(&expected) {
                prop_assert!(got.0 == expected.0 && near(got.1, expected.1) && got.2 == expected.2, "{:?} {:?}", got, expected);
            }
        }
    }

    /// What is selected is what is read, filtered; whatever the first look lets pass.
    #[test]
    fn a_selection_is_a_filter(
        all in proptest::collection::vec(("[ab]", "[xy]", "|x|y", "|x"), 1..30),
        lists in proptest::collection::vec(proptest::collection::vec((0..5usize, 0..4usize, "|a|x|j|x\\.\\*|\\.\\+"), 0..3), 0..4),
    ) {
        let lists = lists.iter().map(|list| list.iter().map(|(n, op, v)| {
            let name = [NAME, "l", "job", "exported_job", "none"][*n];
            Matcher::new(name, [Op::Equal, Op::NotEqual, Op::Match, Op::NoMatch][*op], v.as_str()).unwrap()
        }).collect::<Vec<_>>());
        let selection = Selection::new(lists);
        let page = all.iter().fold(String::new(), |mut page, (name, l, job, empty)| {
            let _ = writeln!(page, "{name}{{l=\"{l}\",job=\"{job}\",none=\"{empty}\"}} 1");
            page
        });
        let (_, everything) = read(&mut lexer(Selection::everything()), &page, Format::Text).unwrap();
        let mut choosy = lexer(selection.clone());
        for _ in 0..2 {
            let (seen, some) = read(&mut choosy, &page, Format::Text).unwrap();
            let expected: Vec<_> = everything.iter().filter(|s| selection.wants(&s.labels)).cloned().collect();
            prop_assert_eq!(seen.selected, expected.len());
            prop_assert_eq!(some, expected);
        }
    }

    /// On what prometheus-parse reads rightly both agree.
    #[test]
    fn prometheus_parse_agrees_where_it_is_right(all in proptest::collection::btree_map(("[a-z]{1,5}", "[a-z0-9/]{1,6}"), -1e9..1e9f64, 1..20)) {
        let page = all.iter().fold(String::new(), |mut page, ((name, l), v)| {
            let _ = writeln!(page, "{name}{{l=\"{l}\"}} {v}");
            page
        });
        let theirs = prometheus_parse::Scrape::parse(page.lines().map(|l| Ok(l.to_owned()))).unwrap();
        let theirs: BTreeMap<(String, String), u64> = theirs.samples.iter().map(|s| {
            let prometheus_parse::Value::Untyped(v) = s.value else { panic!("{s:?}") };
            ((s.metric.clone(), s.labels.get("l").unwrap_or_default().to_owned()), v.to_bits())
        }).collect();
        let (_, ours) = read(&mut lexer(Selection::everything()), &page, Format::Text).unwrap();
        let ours: BTreeMap<_, _> = ours.iter().map(|s| ((s.labels.name().to_owned(), s.labels.get("l").to_owned()), s.v.to_bits())).collect();
        prop_assert_eq!(ours, theirs);
    }
}

#[test]
fn a_series_ends_when_its_page_is_without_it_or_is_bad_or_nobody_wants_it() {
    let mut lexer = lexer(Selection::everything());
    let ended = |lexer: &mut Lexer, page: &str| {
        let good = read(lexer, page, Format::Text).is_ok();
        let mut gone: Vec<String> = lexer.take_gone().iter().map(|l| l.name().to_owned()).collect();
        gone.sort();
        (good, gone.join(" "))
    };
    let said = |good, gone: &str| (good, gone.to_owned());
    assert_eq!(ended(&mut lexer, "a 1\nb 1\nc 1 5\n"), said(true, ""));
    assert_eq!(ended(&mut lexer, "a 2\nd 1\n"), said(true, "b"), "c has times of its own");
    assert_eq!(ended(&mut lexer, "a 3\ne 1\n!"), said(false, "a d"), "e was never there");
    assert_eq!(ended(&mut lexer, "!"), said(false, ""), "what ended has ended");
    assert_eq!(ended(&mut lexer, "a 4\nd 2\n"), said(true, ""));
    lexer.set_selection(Arc::new(Selection::new([vec![Matcher::equal(NAME, "a")]])));
    assert_eq!(ended(&mut lexer, "a 5\nd 3\n"), said(true, "d"));
    lexer.fail();
    assert_eq!(lexer.take_gone().len(), 1);
}

#[test]
fn a_page_of_a_vault_with_go_metrics_names() {
    // Written after the form that go-metrics' Prometheus sink has; not taken from a running one.
    let page = "# HELP vault_core_unsealed vault_core_unsealed\n# TYPE vault_core_unsealed gauge\n\
        vault_core_unsealed{cluster=\"vault-cluster-1a2b\"} 1\n\
        # HELP vault_audit_log_request vault_audit_log_request\n# TYPE vault_audit_log_request summary\n\
        vault_audit_log_request{quantile=\"0.5\"} NaN\nvault_audit_log_request{quantile=\"0.99\"} NaN\n\
        vault_audit_log_request_sum 1.2345678806304932\nvault_audit_log_request_count 17\n\
        vault_route_read_secret_{quantile=\"0.9\"} 0.04\nvault_route_read_secret__sum 8.123e-05\n";
    let (seen, samples) = read(&mut lexer(Selection::everything()), page, Format::Text).unwrap();
    assert_eq!((seen.series, seen.selected, samples.iter().filter(|s| s.v.is_nan()).count()), (7, 7, 2));
}
