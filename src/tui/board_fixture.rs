//! A board in a known state, for the tests of the screens: a message relay with its metrics.

use super::app::{App, Event};
use super::fixture::{app, at};
use super::glyph::Glyphs;
use super::update::update;
use crate::clock::Now;
use crate::domain::alert::view::{
    AlertView, Blind, BlindKind, Origin, Paged, Phase, RuleIndex, RuleState, RuleView,
};
use crate::domain::board::{
    Answer, Board, BurnView, Drawn, Engine, Families, Family, GraphData, GraphIndex, Mark, MarkKind,
    RemoteState, RemoteView, SloView, TargetIndex, TargetView,
};
use crate::domain::promql::{Expr, Line};
use crate::domain::series::{Labels, Sample};
use crate::stack::metrics::{Graph, GraphLine, Threshold, Unit};
use jiff::{SignedDuration, Timestamp};
use std::sync::Arc;
use std::time::Duration;

/// The moment that the board is of.
pub fn now() -> Now {
    at(58)
}

fn ago(seconds: i64) -> Timestamp {
    now().wall - SignedDuration::from_secs(seconds)
}

fn minutes(n: u64) -> Duration {
    Duration::from_secs(n * 60)
}

/// A line of an hour, a point every 15 s; points for which `f` gives nothing are missing.
fn line(labels: &[(&str, &str)], f: impl Fn(f64) -> Option<f64>) -> Line {
    let end = now().wall.as_millisecond();
    let samples = (0..=240).filter_map(|i| {
        let v = f(f64::from(i) / 240.0)?;
        Some(Sample { t: end - i64::from(240 - i) * 15_000, v })
    });
    Line { labels: Labels::new(labels.iter().copied()), samples: samples.collect() }
}

/// A number that wanders without chance.
fn wave(x: f64, turns: f64) -> f64 {
    (x * turns * std::f64::consts::TAU).sin()
}

fn graph(id: &str, title: &str, unit: Unit, key: bool, limit: Option<(f64, &str)>) -> Graph {
    let expr = |text: &str| Expr::parse(text).expect("an expression");
    Graph {
        id: id.to_owned(),
        title: title.to_owned(),
        unit,
        lines: vec![GraphLine { expr: expr("relay_http_in_flight_requests"), legend: String::new() }],
        thresholds: limit
            .map(|(value, label)| Threshold { value, label: label.to_owned() })
            .into_iter()
            .collect(),
        key,
        min: None,
        max: None,
        help: "Rises with the load; look at the pool of the database first.".to_owned(),
        rows: vec!["P-08".to_owned()],
    }
}

pub fn graphs() -> Vec<Graph> {
    vec![
        graph("requests", "Requests by status", Unit::PerSecond, true, None),
        graph("errors", "Server errors", Unit::Ratio, true, Some((0.02, "page"))),
        graph("latency", "Mean latency", Unit::Seconds, true, Some((0.5, "slow"))),
        graph("inflight", "Requests in flight", Unit::None, false, Some((200.0, "page"))),
        graph("security", "Security events", Unit::PerSecond, false, None),
        graph("memory", "Memory", Unit::Bytes, false, None),
        graph("ratchet", "Ratchet steps", Unit::PerSecond, false, None),
    ]
}

fn data() -> Vec<Arc<GraphData>> {
    let lines: Vec<Vec<(&str, Line)>> = vec![
        vec![
            ("200", line(&[("status", "200")], |x| Some(180.0 + 40.0 * wave(x, 3.0)))),
            ("429", line(&[("status", "429")], |x| Some(if x > 0.6 { 60.0 * (x - 0.6) } else { 0.0 }))),
            ("503", line(&[("status", "503")], |x| (x > 0.7).then_some(90.0 * (x - 0.7)))),
            ("404", line(&[("status", "404")], |x| Some(12.0 + 4.0 * wave(x, 7.0)))),
        ],
        vec![("errors", line(&[], |x| Some(if x > 0.7 { 0.15 * (x - 0.7) } else { 0.002 })))],
        vec![(
            "mean",
            line(&[], |x| {
                (!(0.3..0.4).contains(&x))
                    .then(|| 0.08 + 0.02 * wave(x, 5.0) + if x > 0.7 { x - 0.7 } else { 0.0 })
            }),
        )],
        vec![("in flight", line(&[], |x| Some((30.0 + 12.0 * wave(x, 9.0)).round())))],
        vec![
            ("auth_nonce_replay", line(&[], |x| Some((2.0 * wave(x, 2.0)).abs()))),
            ("rate_limit_rejected", line(&[], |x| Some(if x > 0.6 { 24.0 } else { 1.0 }))),
        ],
        vec![("resident", line(&[], |x| Some(4.1e8 + 2e8 * (x * 4.0).fract())))],
        vec![],
    ];
    let end = now().wall.as_millisecond();
    let all = lines.into_iter().enumerate().map(|(i, lines)| {
        let lines = lines.into_iter().map(|(legend, line)| Drawn { legend: legend.to_owned(), line });
        let trouble = (i == 6).then(|| "relay_ratchet_steps_total: never scraped".to_owned());
        let (from, to) = (end - 3_600_000, end);
        Arc::new(GraphData {
            index: GraphIndex(i),
            from,
            to,
            step: 15_000,
            lines: lines.collect(),
            trouble,
            remote: false,
        })
    });
    all.collect()
}

fn alert(name: &str, severity: &str, rank: u8, phase: Phase, seconds: i64, paged: Paged) -> AlertView {
    AlertView {
        rule: None,
        name: name.to_owned(),
        severity: severity.to_owned(),
        rank,
        labels: Labels::new([("service", "relay"), ("alertname", name)]),
        annotations: Vec::new(),
        value: 0.041,
        phase,
        since: ago(seconds),
        fired: (phase != Phase::Pending).then(|| ago(seconds)),
        keep_left: None,
        acknowledge_by: None,
        paged,
        origin: Origin::Local,
        caveat: None,
    }
}

fn alerts() -> Vec<AlertView> {
    let pages = || Paged::Yes { receivers: vec!["oncall-critical".to_owned()] };
    let errors = AlertView {
        rule: Some(RuleIndex(0)),
        annotations: vec![
            ("summary".to_owned(), "4.1% of requests fail".to_owned()),
            ("runbook".to_owned(), "look at the database's pool, then at Redis".to_owned()),
        ],
        since: ago(1320),
        acknowledge_by: Some(ago(-180)),
        caveat: Some("this program was not running for 4m of that".to_owned()),
        ..alert("RelayHighServerErrorRate", "critical", 0, Phase::Firing, 720, pages())
    };
    let inhibited = Paged::Inhibited { by: "RelayHighServerErrorRate".to_owned() };
    let silenced =
        Paged::Silenced { until: ago(-5400), by: "ops".to_owned(), comment: "planned load test".to_owned() };
    let pending = Paged::Pending { held: minutes(3), needs: minutes(10) };
    vec![
        errors,
        AlertView {
            rule: Some(RuleIndex(1)),
            ..alert("RelayNonceReplayBurst", "high", 1, Phase::Firing, 240, Paged::Nowhere)
        },
        alert("RelayRateLimitRejectSpike", "medium", 2, Phase::Firing, 900, inhibited),
        alert("RelayDeviceRevocationSpike", "high", 1, Phase::Firing, 3000, silenced),
        AlertView {
            keep_left: Some(minutes(2)),
            ..alert("RelayPushCircuitBreakerOpen", "critical", 0, Phase::Keeping, 500, pages())
        },
        alert("RelayHighInflightRequests", "medium", 2, Phase::Pending, 180, pending),
    ]
}

fn rule(index: usize, name: &str, severity: &str, rank: u8, state: RuleState) -> RuleView {
    RuleView {
        index: RuleIndex(index),
        name: name.to_owned(),
        group: "relay-security-alerts".to_owned(),
        recording: severity.is_empty(),
        expr: "sum(rate(relay_http_requests_total{status=~\"5..\"}[5m])) / clamp_min(sum(rate(relay_http_requests_total[5m])), 1) > 0.02".to_owned(),
        hold: minutes(10),
        keep: Duration::ZERO,
        severity: severity.to_owned(),
        rank,
        state,
        blind: Vec::new(),
        help: "Fail over the database's pool if it is exhausted.".to_owned(),
        rows: vec!["P-05".to_owned()],
        origin: Origin::Local,
        evaluated: Some(ago(8)),
        took: Duration::from_micros(420),
    }
}

fn rules() -> Vec<RuleView> {
    let quiet = |because: &str| RuleState::Inactive { because: because.to_owned() };
    let blind =
        |kind, what: &str, remedy: &str| Blind { kind, what: what.to_owned(), remedy: remedy.to_owned() };
    vec![
        rule(0, "RelayHighServerErrorRate", "critical", 0, RuleState::Firing),
        rule(1, "RelayNonceReplayBurst", "high", 1, RuleState::Firing),
        rule(2, "RelayHighInflightRequests", "medium", 2, RuleState::Pending),
        RuleView {
            blind: vec![
                blind(
                    BlindKind::NeverMatched,
                    "relay_http_requests_total{path=\"/v1/messages\"} has never matched a series",
                    "the route is /v1/relay/:recipient_user_id",
                ),
                blind(BlindKind::JoinsNothing, "the two sides share no labels", "join on (instance)"),
            ],
            ..rule(3, "RelayRatchetStall", "high", 1, quiet("no series matches its right side"))
        },
        rule(4, "RelayAuthRejectSpike", "high", 1, quiet("0.31 is not > 5")),
        rule(
            5,
            "RelayRegistrationSpike",
            "medium",
            2,
            RuleState::Stale { since: ago(400), what: "relay:9090".to_owned() },
        ),
        rule(
            6,
            "RelaySignedPrekeyStale",
            "high",
            1,
            RuleState::Error { why: "more than 10000 series".to_owned() },
        ),
        rule(7, "relay:errors:ratio5m", "", 9, RuleState::Recorded { series: Some(3) }),
        rule(8, "RelayBackupOld", "high", 1, RuleState::Waiting),
    ]
}

fn slo() -> SloView {
    SloView {
        id: "availability".to_owned(),
        name: "Relay availability".to_owned(),
        objective: 0.999,
        window: Duration::from_secs(30 * 86_400),
        seen: Duration::from_secs(6 * 3600),
        good: Some(0.9987),
        events: 4_120_000.0,
        budget_left: Some(0.43),
        burns: vec![BurnView {
            long: minutes(60),
            short: minutes(5),
            factor: 14.4,
            long_rate: Some(16.2),
            short_rate: Some(21.0),
            firing: true,
            held_back: None,
            severity: "critical".to_owned(),
        }],
        remote: false,
        trouble: None,
        help: "Stop deploying while the budget burns.".to_owned(),
        rows: vec!["P-02".to_owned()],
    }
}

fn target(index: usize, id: &str, up: Option<bool>, reason: &str) -> TargetView {
    TargetView {
        index: TargetIndex(index),
        id: id.to_owned(),
        host: "core".to_owned(),
        url: format!("http://127.0.0.1:{}/metrics", 9090 + index),
        up,
        reason: reason.to_owned(),
        at: up.map(|_| at(52)),
        took: Duration::from_millis(14),
        seen: if up == Some(true) { 1284 } else { 0 },
        kept: if up == Some(true) { 37 } else { 0 },
    }
}

pub fn families() -> Families {
    let family = |name: &str, kind: &str, help: &str, series: &[(&str, &str)]| Family {
        name: name.to_owned(),
        kind: kind.to_owned(),
        help: help.to_owned(),
        unit: String::new(),
        series: series.iter().map(|(l, v)| ((*l).to_owned(), (*v).to_owned())).collect(),
        more: 0,
    };
    Families {
        target: TargetIndex(0),
        at: Some(at(52)),
        list: vec![
            family("relay_http_in_flight_requests", "gauge", "Requests being answered.", &[("", "31")]),
            family(
                "relay_http_requests_total",
                "counter",
                "Requests answered.",
                &[("method=\"GET\", status=\"200\"", "918273"), ("method=\"POST\", status=\"503\"", "412")],
            ),
            family(
                "relay_http_request_duration_seconds",
                "histogram",
                "",
                &[("method=\"GET\"", "count 918273, mean 12ms, 95% 41ms")],
            ),
            family("relay_security_events_total", "counter", "By kind.", &[("event=\"x\u{1b}[2J\"", "7")]),
        ],
        more: 12,
        trouble: None,
    }
}

pub fn answer(expr: &str) -> Answer {
    let end = now().wall.as_millisecond();
    Answer {
        expr: expr.to_owned(),
        from: end - 3_600_000,
        to: end,
        step: 15_000,
        lines: vec![
            line(&[("status", "200"), ("job", "relay")], |x| Some(180.0 + 40.0 * wave(x, 3.0))),
            line(&[("status", "503"), ("job", "relay")], |x| (x > 0.7).then_some(90.0 * (x - 0.7))),
        ],
        trouble: None,
        remote: true,
    }
}

fn marks() -> Vec<Mark> {
    let mark = |seconds, kind, text: &str| Mark { at: ago(seconds), kind, text: text.to_owned() };
    vec![
        mark(2400, MarkKind::Deploy, "relay 1.4.2"),
        mark(1080, MarkKind::Restart, "relay restarted"),
        mark(720, MarkKind::Alert, "RelayHighServerErrorRate"),
    ]
}

/// Everything at once: firing, pending, silenced, blind, silent.
pub fn board() -> Board {
    let silent = RemoteState::Silent {
        since: Now { mono: Duration::ZERO, wall: ago(58) },
        why: "connection refused".to_owned(),
    };
    Board {
        at: Some(now()),
        engine: Engine {
            prometheus: Some(RemoteView {
                url: "http://127.0.0.1:9090".to_owned(),
                state: RemoteState::Answering { at: at(50) },
                version: "Prometheus 2.42.0".to_owned(),
            }),
            alertmanager: Some(RemoteView {
                url: "http://127.0.0.1:9093".to_owned(),
                state: silent,
                version: String::new(),
            }),
            series: 431,
            samples: 103_440,
            bytes: 402_000,
            dropped: 12,
            evaluation: Some(Duration::from_millis(3)),
            trouble: None,
        },
        targets: vec![
            target(0, "relay", Some(true), "1284 series"),
            target(1, "node", Some(false), "connection refused by 127.0.0.1:9091"),
            target(2, "redis", None, ""),
        ],
        alerts: alerts(),
        rules: rules(),
        slos: vec![slo()],
        graphs: data(),
        marks: marks(),
        query: None,
        families: None,
        names: Arc::new(
            ["relay_http_in_flight_requests", "relay_http_requests_total"].map(str::to_owned).to_vec(),
        ),
        labels: Arc::new(["job", "status"].map(str::to_owned).to_vec()),
    }
}

/// A board on which all is well.
pub fn calm() -> Board {
    let rules = rules().into_iter().filter(|r| r.index.0 == 4 || r.index.0 == 7).collect();
    let slo = SloView { burns: Vec::new(), budget_left: Some(0.91), ..slo() };
    Board { at: Some(now()), rules, slos: vec![slo], ..Board::default() }
}

/// The dashboard on a board, in a terminal of a size.
pub fn app_on(board: Board, glyphs: Glyphs, width: u16, height: u16) -> App {
    let mut app = app(glyphs);
    app.graphs = Arc::new(graphs());
    let _ = update(&mut app, now(), Event::Resize(width, height));
    let _ = update(&mut app, now(), Event::Board(Arc::new(board)));
    app
}
