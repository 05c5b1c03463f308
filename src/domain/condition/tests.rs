//! The condition grammar, as tables and properties.

use super::{Condition, Verdict};
use crate::domain::fact::{Fact, FactDecl, FactType, Facts};
use crate::domain::units::Unit;
use proptest::prelude::*;
use serde_json::json;

fn facts() -> Facts {
    Facts::new()
        .with("STATUS", Fact::Number(503.0, Unit::None))
        .with("LATENCY", Fact::Number(0.35, Unit::Seconds))
        .with("USED", Fact::Number(91.0, Unit::Percent))
        .with("CONNECTED", Fact::Bool(true))
        .with("VALUE", Fact::Text("xE".into()))
        .with("PEERS", Fact::Unavailable("needs root".into()))
        .with(
            "BODY",
            Fact::Json(json!({
                "status": "ok", "free": 0, "ratio": "0.5", "none": null, "list": ["a", "b"], "empty": [],
                "services": [{"name": "auth", "state": "running"}, {"name": "wg_manager", "state": "crashed"}],
                "apps": {"api": {"pid": 7}, "admin": {"pid": 9}},
            })),
        )
}

fn eval(text: &str) -> Verdict {
    text.parse::<Condition>().unwrap().eval(&facts())
}

#[test]
fn conditions_that_hold() {
    for text in [
        "[STATUS] == 503",
        "[STATUS] in 500..599",
        "[STATUS] in (502, 503)",
        "[LATENCY] < 500ms",
        "[LATENCY] == 350ms",
        "[USED] > 90%",
        "[USED] > 90",
        "[CONNECTED] == true",
        "letters([VALUE]) == Ex",
        "[BODY].status == ok",
        "[BODY].status == \"ok\"",
        "[BODY].status != down",
        "[BODY].status matches ^o.$",
        "[BODY].ratio < 1",
        "[BODY].none == null",
        "[BODY].missing == null",
        "has([BODY].status) == true",
        "has([BODY].missing) == false",
        "len([BODY].list) == 2",
        "[BODY].list contains b",
        "[BODY].list[1] == b",
        "[BODY].services[*].name matches .",
        "[BODY].apps[*].pid > 0",
    ] {
        assert_eq!(eval(text), Verdict::Holds, "{text}");
    }
}

#[test]
fn conditions_that_fail_say_what_was_expected_and_what_came() {
    let table = [
        ("[STATUS] == 200", "expected status == 200, got 503"),
        ("[STATUS] in 200..299", "expected status in 200..299, got 503"),
        ("[LATENCY] < 100ms", "expected latency < 100ms, got 350ms"),
        ("[USED] < 90%", "expected used < 90%, got 91%"),
        ("[BODY].status == healthy", "expected status == healthy, got ok"),
        ("[BODY].free > 0", "expected free > 0, got 0"),
        ("[BODY].missing.deep == 1", "expected missing.deep == 1, got nothing"),
        ("[BODY].services[*].state == running", "wg_manager: expected state == running, got crashed"),
        ("[BODY].apps[*].pid == 7", "admin: expected pid == 7, got 9"),
        ("[BODY].empty[*].x == 1", "expected empty[*].x == 1, got an empty list"),
        ("[BODY].status > 3", "expected status > 3, got ok"),
        ("len([BODY].list) > 2", "expected len(list) > 2, got 2"),
        ("letters([VALUE]) == KEA", "expected letters(value) == AEK, got Ex"),
    ];
    for (text, want) in table {
        assert_eq!(eval(text), Verdict::Fails(want.into()), "{text}");
    }
}

#[test]
fn what_could_not_be_learned_is_unknown_not_failed() {
    assert_eq!(eval("[PEERS] > 0"), Verdict::Unknown("needs root".into()));
}

#[test]
fn what_is_no_condition_is_refused_with_the_place() {
    let table = [
        ("STATUS == 200", 0, "[STATUS]"),
        ("[STATUS == 200", 7, "]"),
        ("[STATUS] = 200", 9, "expected =="),
        ("[STATUS] ==", 11, "expected a value"),
        ("[STATUS] < fast", 10, "needs a number"),
        ("[STATUS] matches (", 16, "bad regex"),
        ("[STATUS] in 9..1", 12, "expected a list"),
        ("[BODY].a == not quoted", 16, "quotes"),
        ("[BODY].a == \"open", 12, "never closed"),
        ("has([BODY].a) == 3", 16, "true or false"),
        ("size([BODY]) > 3", 0, "got `size`"),
    ];
    for (text, at, part) in table {
        let error = text.parse::<Condition>().unwrap_err();
        assert!(error.message.contains(part), "{text}: {}", error.message);
        assert_eq!(error.at, at, "{text}: {}", error.message);
    }
}

const DECLS: &[FactDecl] = &[
    FactDecl { name: "STATUS", ty: FactType::Number(Unit::None), doc: "" },
    FactDecl { name: "LATENCY", ty: FactType::Number(Unit::Seconds), doc: "" },
    FactDecl { name: "OPEN", ty: FactType::Bool, doc: "" },
    FactDecl { name: "BODY", ty: FactType::Json, doc: "" },
];

#[test]
fn a_condition_is_checked_against_what_the_kind_knows() {
    let check = |text: &str| text.parse::<Condition>().unwrap().check(DECLS);
    for good in ["[STATUS] == 200", "[LATENCY] < 1s", "[OPEN] == true", "[BODY].a.b == x", "len([BODY]) > 1"]
    {
        assert_eq!(check(good), Ok(()), "{good}");
    }
    for (bad, part) in [
        ("[STATSU] == 200", "did you mean [STATUS]?"),
        ("[STATUS].x == 1", "no path"),
        ("[LATENCY] < 500", "duration"),
        ("[LATENCY] < 80%", "duration"),
        ("[STATUS] == ok", "a number"),
        ("[OPEN] > 3", "true or false"),
        ("len([STATUS]) > 3", "len and letters"),
    ] {
        let error = check(bad).unwrap_err();
        assert!(error.contains(part), "{bad}: {error}");
    }
}

proptest! {
    #[test]
    fn any_text_is_parsed_or_refused_inside_itself(text in "\\PC{0,60}|[\\[\\]A-Z().*=<> a-z0-9\"]{0,60}") {
        if let Err(e) = text.parse::<Condition>() {
            prop_assert!(e.at <= text.len());
        }
    }

    #[test]
    fn a_number_is_below_exactly_when_it_is(a in -1e6f64..1e6, b in -1e6f64..1e6) {
        let facts = Facts::new().with("N", Fact::Number(a, Unit::None));
        let condition: Condition = format!("[N] < {b}").parse().unwrap();
        let near = (a - b).abs() <= 1e-9 * a.abs().max(b.abs());
        prop_assume!(!near);
        prop_assert_eq!(condition.eval(&facts) == Verdict::Holds, a < b);
    }

    #[test]
    fn a_json_number_equals_itself_however_it_is_carried(n in any::<i32>()) {
        for fact in [Fact::Number(f64::from(n), Unit::None), Fact::Text(n.to_string()), Fact::Json(json!(n))] {
            let condition: Condition = format!("[N] == {n}").parse().unwrap();
            prop_assert_eq!(condition.eval(&Facts::new().with("N", fact)), Verdict::Holds);
        }
    }
}
