//! Tables of what parsing refuses and says, how far expressions reach, what inspection finds, and
//! the bounds. That values are right is shown against a real Prometheus, in tests/promql.rs.

use super::inspect::Matching;
use super::*;

fn parse(text: &str) -> Expr {
    Expr::parse(text).unwrap_or_else(|e| panic!("{text}: {e}"))
}

/// Ten series of three samples, 15 seconds apart.
struct Ten;

impl Source for Ten {
    fn select(
        &self,
        matchers: &[Matcher],
        from: Millis,
        to: Millis,
        visit: &mut dyn FnMut(&Labels, &[Sample]),
    ) {
        for i in 0..10 {
            let labels = Labels::new([("__name__", "x"), ("i", &i.to_string())]);
            let samples = [0, 15_000, 30_000].map(|t| Sample { t, v: f64::from(i) });
            let inside: Vec<Sample> = samples.into_iter().filter(|s| s.t >= from && s.t <= to).collect();
            if !inside.is_empty() && matchers.iter().all(|m| m.selects(&labels)) {
                visit(&labels, &inside);
            }
        }
    }
}

#[test]
fn what_is_refused_is_named_where_it_stands() {
    let table = [
        ("rte(up[5m])", "there is no function rte (did you mean `rate`?)", 0..3),
        ("1 + mad_over_time(up[5m])", "the function mad_over_time is not supported: experimental", 4..17),
        (
            "histogram_avg(up)",
            "the function histogram_avg is not supported: for native histograms, which are not kept",
            0..13,
        ),
        ("up[5]", "a duration must have a unit (as in 90s, 5m, 1h30m)", 3..4),
        ("up + 5m", "the duration 5m stands where a number must", 5..7),
        ("up offset +5m", "offset takes no plus", 10..11),
        ("up{a=\"b\" or c=\"d\"}", "matchers cannot be joined with `or`", 9..11),
        ("up[5m", "[ is never closed", 0..5),
        ("up}", "} closes nothing", 2..3),
        ("up $ 1", "`$` has no meaning here", 3..4),
        ("1e999", "1e999 is no number", 0..1),
        ("", "the expression is empty", 0..0),
        ("rate(up)", "expected type matrix in call to function 'rate', got vector", 0..8),
        ("clamp(up, 1)", "expected 3 argument(s) in call to 'clamp', got 2", 0..12),
        ("up + fill(0) up", "fill is not supported: experimental", 5..9),
        ("1 > 2", "comparisons between scalars must use BOOL modifier", 0..5),
        (
            "+\"a\"",
            "unary expression only allowed on expressions of type scalar or vector, got: string",
            0..4,
        ),
        ("up up", "the operators, brackets and names do not fit together", 0..5),
    ];
    for (text, message, span) in table {
        let error = Expr::parse(text).err().unwrap_or_else(|| panic!("{text} is taken"));
        assert_eq!((error.message.as_str(), error.span), (message, span), "{text}");
    }
}

#[test]
fn texts_of_any_depth_and_length_are_answered() {
    let deep = |open: &str, middle: &str, close: &str, n| open.repeat(n) + middle + &close.repeat(n);
    let texts = [
        deep("(", "up", ")", 100_000),
        deep("(", "up", ")", 101),
        deep("sum(", "up", ")", 99),
        deep("-", "up", "", 20_000),
        deep("-", "up", "", 999),
        deep("up + ", "up", "", 999),
        deep("up or ", "up", "", 140),
        deep("2 ^ ", "2", "", 999),
        deep("up[1m", ":]", "", 5000),
        deep("", "up", "[1m:]", 90),
        "(".repeat(30_000),
        "{a=~\"".to_owned() + &"(a|b)*".repeat(3000) + "\"}",
        "{a=~\"(((((a{50}){50}){50}){50}){50}\"}".to_owned(),
        "x".repeat(MAX_TEXT + 1),
        "\u{0}".to_owned(),
    ];
    for text in texts {
        if let Ok(expr) = Expr::parse(&text) {
            let _ = expr.instant(&Ten, 30_000, &Options::default());
            assert_eq!(parse(&expr.parts().first().map_or_else(|| text.clone(), ToString::to_string)), expr);
        }
    }
    assert!(Expr::parse(&deep("up or ", "up", "", 140)).is_ok());
    assert!(Expr::parse(&deep("(", "up", ")", 90)).is_ok());
}

#[test]
fn an_evaluation_over_its_bounds_ends_with_an_error() {
    let most = |max_samples| Options { max_samples, ..Options::default() };
    let table = [("x", 9), ("x[1m]", 29), ("sum_over_time(x[1d:1s])", 86_400), ("sum(x) + vector(1)", 10)];
    for (text, samples) in table {
        let is = parse(text).instant(&Ten, 30_000, &most(samples));
        assert_eq!(is, Err(EvalError(format!("the expression takes more than {samples} samples"))), "{text}");
        assert!(parse(text).instant(&Ten, 30_000, &most(10_000_000)).is_ok(), "{text}");
    }
    let far = parse("x @ 9e12 offset 200y");
    for at in [i64::MIN, 0, i64::MAX] {
        assert_eq!(far.instant(&Ten, at, &Options::default()), Ok(Value::Vector(Vec::new())));
        assert!(parse("rate(x[200y:1y] offset 200y)").instant(&Ten, at, &Options::default()).is_ok());
    }
    let second = Duration::from_secs(1);
    let options = Options::default();
    assert!(parse("x").range(&Ten, 0, 11_000_000, second, &options).is_ok());
    assert!(parse("x").range(&Ten, 0, 11_001_000, second, &options).is_err());
    assert!(parse("x").range(&Ten, 0, -1, second, &options).is_err());
    assert!(parse("x").range(&Ten, 0, 1, Duration::ZERO, &options).is_err());
    assert!(parse("x[5m]").range(&Ten, 0, 1, second, &options).is_err());
}

#[test]
fn a_window_as_long_as_the_lookback_is_still_a_window() {
    for (text, over_time) in [("m", false), ("rate(m[5m])", true), ("max_over_time(m[5m:1m])", true)] {
        assert_eq!(Expr::parse(text).unwrap().selectors()[0].over_time, over_time, "{text}");
    }
}

#[test]
fn selectors_say_how_far_they_reach() {
    type Reach = (&'static str, u64, Option<Millis>);
    let table: &[(&str, &[Reach])] = &[
        ("1", &[]),
        ("up", &[("up", 300, None)]),
        ("up offset 5m", &[("up offset 5m", 600, None)]),
        ("up offset -10m", &[("up offset -10m", 0, None)]),
        ("rate(up[1m])", &[("up[1m]", 60, None)]),
        ("max_over_time(rate(up[1m])[1h:])", &[("up[1m]", 3660, None)]),
        ("sum_over_time(up[1h:5m] offset 1d)", &[("up", 90_300, None)]),
        ("up @ 10 + a / b", &[("up @ 10.000", 300, Some(10_000)), ("a", 300, None), ("b", 300, None)]),
        ("sum_over_time(up[1h:] @ 10)", &[("up", 3900, Some(10_000))]),
        ("up{a=~\"b\"} @ end()", &[("up{a=~\"b\"} @ end()", 300, None)]),
        ("{\"a.b\", \"c d\"!=\"e\"}", &[("{__name__=\"a.b\",\"c d\"!=\"e\"}", 300, None)]),
    ];
    for (text, expected) in table {
        let is = parse(text).selectors();
        let is: Vec<_> = is.iter().map(|s| (s.text.as_str(), s.reach.as_secs(), s.pinned)).collect();
        assert_eq!(&is, expected, "{text}");
    }
}

#[test]
fn inspection_finds_comparisons_joins_and_guards() {
    let ratio = parse("(sum by (job) (rate(e[5m])) / clamp_min(sum by (job) (rate(t[5m])), 1) > 5 / 100)");
    let comparison = ratio.comparison().unwrap();
    assert_eq!((comparison.op, comparison.threshold.map(|t| t.value)), (">", Some(0.05)));
    assert_eq!(comparison.measured(), &comparison.left);
    assert!(comparison.holds(0.06, 0.05) && !comparison.holds(0.04, 0.05));
    let [guard] = ratio.guards().try_into().unwrap();
    assert_eq!((guard.clamped.text(), guard.least), ("sum by (job) (rate(t[5m]))", Some(1.0)));
    let [join] = ratio.joins().try_into().unwrap();
    assert_eq!((join.op, &join.matching, &join.group), ("/", &Matching::Ignoring(Vec::new()), &None));
    assert_eq!(join.left, parse("sum by (job) (rate(e[5m]))"));

    let swapped = parse("5 < up").comparison().unwrap();
    assert!(swapped.threshold.is_some_and(|t| t.on_left && t.value == 5.0));
    assert_eq!(swapped.measured().text(), "up");
    let [join] = parse("a * on (x, y) group_left (z) b").joins().try_into().unwrap();
    assert!(join.matching.uses("x") && !join.matching.uses("z"));
    assert_eq!(join.group, Some(("group_left", vec!["z".to_owned()])));
    assert_eq!(parse("a unless b").set_operation().map(|(op, ..)| op), Some("unless"));
    assert_eq!(parse("sum(a)").comparison(), None);
}
