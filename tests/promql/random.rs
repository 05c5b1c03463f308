//! Random well-typed expressions over the comparison's series. They shrink: to simpler
//! sub-expressions, shorter windows, the first of each list.

use crate::compare::When;
use crate::data::{END, START};
use proptest::prelude::*;
use proptest::sample::select;
use std::time::Duration;

/// An expression and when it is evaluated.
pub fn question() -> impl Strategy<Value = (String, When)> {
    // Eighths of a second: Prometheus reads times and steps as floats of seconds, and cuts off what
    // it then misses of a millisecond.
    let eighths = |from: i64, to: i64| (from / 125..to / 125).prop_map(|t| t * 125);
    let at = eighths(START - 60_000, END + 400_000).prop_map(When::At);
    let steps = (56_u64..1600).prop_map(|s| s * 125);
    let over = (eighths(START - 60_000, END), 1_i64..40, steps).prop_map(|(from, count, step)| {
        When::Over(from, from + count * i64::try_from(step).unwrap(), Duration::from_millis(step))
    });
    let expr = prop_oneof![12 => vector(), 1 => scalar(vector().boxed())];
    (expr, prop_oneof![at, over])
}

fn pick(list: &'static [&'static str]) -> impl Strategy<Value = &'static str> + Clone {
    select(list)
}

fn selector() -> impl Strategy<Value = String> {
    let name = pick(&[
        "requests_total",
        "errors_total",
        "temp",
        "odd",
        "up",
        "limit",
        "flaky",
        "constant",
        "once",
        "lat_bucket",
        "size_bucket",
        "clock",
        "nothing",
    ]);
    let matchers = pick(&[
        "",
        "",
        "",
        r#"{job="api"}"#,
        r#"{job!="api"}"#,
        r#"{job=~"a.*|db"}"#,
        r#"{job!~"w.+",instance="a:1"}"#,
        r#"{code=~"5..|404"}"#,
        r#"{instance=""}"#,
        r#"{code!=""}"#,
    ]);
    prop_oneof![
        20 => (name, matchers).prop_map(|(n, m)| format!("{n}{m}")),
        1 => pick(&[r#"{job="db"}"#, r#"{__name__=~"up|temp"}"#, r#"{__name__=~".*_total",job="web"}"#])
            .prop_map(str::to_owned),
    ]
}

fn span() -> impl Strategy<Value = &'static str> {
    pick(&["1m", "15s", "30s", "2m", "5m", "7m3s", "20m", "1h", "100ms"])
}

/// `@` and `offset`, mostly neither.
fn shift() -> impl Strategy<Value = String> {
    let at = (START / 1000..END / 1000).prop_map(|t| format!(" @ {t}"));
    let pin = prop_oneof![
        12 => Just(String::new()),
        1 => at,
        1 => Just(" @ start()".to_owned()),
        1 => Just(" @ end()".to_owned()),
    ];
    (pin, offset()).prop_map(|(p, o)| p + &o)
}

fn offset() -> impl Strategy<Value = String> {
    prop_oneof![
        6 => Just(String::new()),
        1 => span().prop_map(|s| format!(" offset {s}")),
        1 => span().prop_map(|s| format!(" offset -{s}")),
    ]
}

const LABELS: &[&str] = &[
    "job",
    "",
    "instance",
    "job, instance",
    "code",
    "job, code",
    "le",
    "job, le",
    "tier",
    "__name__",
    "job, __name__",
    "missing",
];

fn number() -> impl Strategy<Value = String> {
    prop_oneof![
        6 => pick(&["1", "0", "2", "-1", "0.5", "3", "10", "100", "1e3", "0x1F"]).prop_map(str::to_owned),
        1 => pick(&["NaN", "Inf", "-Inf"]).prop_map(str::to_owned),
        2 => (-400_i32..400).prop_map(|n| format!("{}", f64::from(n) / 4.0)),
    ]
}

fn scalar(inner: BoxedStrategy<String>) -> BoxedStrategy<String> {
    let plain = prop_oneof![8 => number(), 1 => Just("time()".to_owned()), 1 => Just("pi()".to_owned())];
    prop_oneof![
        8 => plain.clone(),
        2 => inner.prop_map(|v| format!("scalar({v})")),
        2 => (plain.clone(), pick(&["+", "-", "*", "/", "> bool", "== bool"]), plain)
            .prop_map(|(a, op, b)| format!("({a} {op} {b})")),
    ]
    .boxed()
}

const OVER_TIME: &[&str] = &[
    "rate",
    "increase",
    "delta",
    "irate",
    "idelta",
    "deriv",
    "resets",
    "changes",
    "sum_over_time",
    "avg_over_time",
    "min_over_time",
    "max_over_time",
    "count_over_time",
    "last_over_time",
    "present_over_time",
    "stddev_over_time",
    "stdvar_over_time",
    "absent_over_time",
];

const POINT: &[&str] = &[
    "abs",
    "ceil",
    "floor",
    "round",
    "exp",
    "ln",
    "log2",
    "log10",
    "sqrt",
    "sgn",
    "asin",
    "acos",
    "atan",
    "sinh",
    "cosh",
    "tanh",
    "asinh",
    "acosh",
    "atanh",
    "deg",
    "rad",
    "absent",
    "sort",
    "sort_desc",
    "-",
    "+",
    "",
];

const DATES: &[&str] =
    &["day_of_month", "day_of_week", "day_of_year", "days_in_month", "hour", "minute", "month", "year"];

fn matrix(inner: BoxedStrategy<String>, shift: BoxedStrategy<String>) -> impl Strategy<Value = String> {
    let step = pick(&["", "15s", "1m", "37s", "2m", "3m"]);
    prop_oneof![
        6 => (selector(), span(), shift.clone()).prop_map(|(s, d, shift)| format!("{s}[{d}]{shift}")),
        2 => (inner, pick(&["5m", "2m", "12m", "30m", "61s"]), step, shift)
            .prop_map(|(v, d, step, shift)| format!("({v})[{d}:{step}]{shift}")),
    ]
}

fn vector() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        10 => (selector(), shift()).prop_map(|(s, shift)| s + &shift),
        1 => number().prop_map(|n| format!("vector({n})")),
    ];
    leaf.prop_recursive(4, 24, 3, |inner| {
        let inner = inner.boxed();
        prop_oneof![
            6 => over_time(inner.clone()),
            3 => point(inner.clone()),
            5 => aggregate(inner.clone()),
            4 => arithmetic(inner.clone()),
            3 => joined(inner.clone()),
            2 => labelled(inner),
        ]
    })
}

fn over_time(inner: BoxedStrategy<String>) -> impl Strategy<Value = String> {
    let plain =
        (pick(OVER_TIME), matrix(inner.clone(), shift().boxed())).prop_map(|(f, m)| format!("{f}({m})"));
    // Where another argument changes from step to step, Prometheus 2.42 moves a window with `@`,
    // too, although it should stay.
    let m = matrix(inner.clone(), offset().boxed()).boxed();
    prop_oneof![
        8 => plain,
        1 => (scalar(inner.clone()), m.clone()).prop_map(|(s, m)| format!("quantile_over_time({s}, {m})")),
        1 => (m.clone(), scalar(inner)).prop_map(|(m, s)| format!("predict_linear({m}, {s})")),
        1 => m.prop_map(|m| format!("holt_winters({m}, 0.3, 0.6)")),
    ]
}

fn point(inner: BoxedStrategy<String>) -> impl Strategy<Value = String> {
    let s = scalar(inner.clone());
    prop_oneof![
        6 => (pick(POINT), inner.clone()).prop_map(|(f, v)| format!("{f}({v})")),
        1 => pick(DATES).prop_map(|f| format!("{f}(clock)")),
        // Not of a selector with both `@` and `offset`, of which Prometheus 2.42 then forgets the offset.
        1 => (selector(), offset()).prop_map(|(v, o)| format!("(timestamp({v}{o}) - 1.7e9)")),
        1 => inner.clone().prop_map(|v| format!("(timestamp(sum by (job) ({v})) - 1.7e9)")),
        // Far out, these make much of the last bit of their argument.
        1 => (pick(&["sin", "cos", "tan"]), selector()).prop_map(|(f, v)| format!("{f}({v})")),
        1 => (selector(), scalar(selector().boxed())).prop_map(|(v, s)| format!("({v} % {s})")),
        1 => pick(DATES).prop_map(|f| format!("{f}()")),
        1 => (inner.clone(), s.clone()).prop_map(|(v, s)| format!("clamp_min({v}, {s})")),
        1 => (inner.clone(), s.clone()).prop_map(|(v, s)| format!("clamp_max({v}, {s})")),
        1 => (inner.clone(), s.clone(), s.clone()).prop_map(|(v, a, b)| format!("clamp({v}, {a}, {b})")),
        1 => (inner, s).prop_map(|(v, s)| format!("round({v}, {s})")),
    ]
}

fn aggregate(inner: BoxedStrategy<String>) -> impl Strategy<Value = String> {
    let by = prop_oneof![
        1 => Just(String::new()),
        2 => select(LABELS).prop_map(|l| format!("by ({l})")),
        1 => select(LABELS).prop_map(|l| format!("without ({l})")),
    ]
    .boxed();
    let plain = pick(&["sum", "avg", "min", "max", "count", "group", "stddev", "stdvar"]);
    let s = scalar(inner.clone());
    prop_oneof![
        6 => (plain, by.clone(), inner.clone()).prop_map(|(op, by, v)| format!("{op} {by} ({v})")),
        // Of selectors: which of equal computed values stay changes in Prometheus from run to run.
        2 => (pick(&["topk", "bottomk"]), by.clone(), 0..5, selector())
            .prop_map(|(op, by, k, v)| format!("{op} {by} ({k}, {v})")),
        1 => (by.clone(), s.clone(), inner.clone()).prop_map(|(by, q, v)| format!("quantile {by} ({q}, {v})")),
        // Whole numbers, because what is equal to one part in a billion is another label.
        1 => (by, inner.clone()).prop_map(|(by, v)| format!("count_values {by} (\"value\", round(clamp({v}, -1e3, 1e3)))")),
        1 => (s, inner).prop_map(|(q, v)| format!("histogram_quantile({q}, {v})")),
    ]
}

const OPERATORS: &[&str] = &["+", "-", "*", "/", "^", "atan2", "==", "!=", ">", "<", ">=", "<="];

fn operator() -> impl Strategy<Value = String> {
    prop_oneof![
        5 => select(OPERATORS).prop_map(str::to_owned),
        1 => pick(&["==", "!=", ">", "<", ">=", "<="]).prop_map(|o| format!("{o} bool")),
    ]
}

fn arithmetic(inner: BoxedStrategy<String>) -> impl Strategy<Value = String> {
    let s = scalar(inner.clone());
    prop_oneof![
        (inner.clone(), operator(), s.clone()).prop_map(|(a, op, b)| format!("({a} {op} {b})")),
        (s, operator(), inner).prop_map(|(a, op, b)| format!("({a} {op} {b})")),
    ]
}

fn joined(inner: BoxedStrategy<String>) -> impl Strategy<Value = String> {
    let matching = prop_oneof![
        2 => Just(String::new()),
        3 => select(LABELS).prop_map(|l| format!("on ({l})")),
        2 => select(LABELS).prop_map(|l| format!("ignoring ({l})")),
    ]
    .boxed();
    let group =
        (pick(&["group_left", "group_right"]), select(&["", "tier", "code", "job, tier", "__name__"][..]))
            .prop_map(|(g, l)| format!("{g} ({l})"));
    let with_group = (matching.clone(), group).prop_map(|(m, g)| if m.is_empty() { m } else { m + " " + &g });
    prop_oneof![
        3 => (inner.clone(), operator(), prop_oneof![matching.clone(), with_group], inner.clone())
            .prop_map(|(a, op, m, b)| format!("({a} {op} {m} {b})")),
        2 => (inner.clone(), pick(&["and", "or", "unless"]), matching, inner)
            .prop_map(|(a, op, m, b)| format!("({a} {op} {m} {b})")),
        1 => (operator(), select(&["requests_total", "up", "temp", "errors_total"][..]), pick(&["up", "temp", "odd", "errors_total"]))
            .prop_map(|(op, a, b)| format!("({a} {op} on (job, instance) group_left () {b})")),
    ]
}

fn labelled(inner: BoxedStrategy<String>) -> impl Strategy<Value = String> {
    let to = pick(&["new", "job", "instance", "__name__"]);
    let from = pick(&["job", "instance", "code", "missing", "__name__"]);
    let regex = pick(&["(.*)", "(a).*", "([a-z]+):(.)", "", "x"]);
    let with = pick(&["$1", "", "$2-$1", "fixed", "${1}x"]);
    prop_oneof![
        (inner.clone(), to.clone(), with, from.clone(), regex).prop_map(|(v, to, with, from, re)| format!(
            r#"label_replace({v}, "{to}", "{with}", "{from}", "{re}")"#
        )),
        (inner, to, pick(&["-", "", ","]), from.clone(), from)
            .prop_map(|(v, to, sep, a, b)| format!(r#"label_join({v}, "{to}", "{sep}", "{a}", "{b}")"#)),
    ]
}
