//! That a value stays one value, whatever it is and wherever it stands.

use super::*;
use crate::domain::promql::Expr;
use proptest::prelude::*;

fn put(template: &str, lang: Lang, text: &str, kind: &Kind) -> Result<String, String> {
    fill(template, lang, &|_| Some(Value { text, kind: Some(kind) }))
}

fn any_text() -> Kind {
    Kind::Regex { pattern: ".*".to_owned() }
}

#[test]
fn placeholders_are_found_and_others_are_not() {
    let text = "${param.a}x${HOME}${each}$${run.id}${secret.b}${a${each}";
    let found: Vec<Name<'_>> = names(text).into_iter().map(|(name, _)| name).collect();
    assert_eq!(found, [Name::Param("a"), Name::Each, Name::Run("id"), Name::Secret("b"), Name::Each]);
}

#[test]
fn a_value_is_written_as_its_place_needs_it() {
    let text = any_text();
    let int = Kind::Int { min: -9, max: 9 };
    let table: &[(&str, Lang, &str, &Kind, &str)] = &[
        ("up{a=\"${param.x}\"}", Lang::Expr, "q\"}) or (", &text, "up{a=\"q\\\"}) or (\"}"),
        ("up{a=~\"${param.x}.*\"}", Lang::Expr, "a.b", &text, "up{a=~\"a\\\\.b.*\"}"),
        ("x > ${param.x}", Lang::Expr, "-5", &int, "x > (-5)"),
        ("rate(x[${param.x}])", Lang::Expr, "5m", &Kind::Duration, "rate(x[5m])"),
        ("{\"a\":\"${param.x}\"}", Lang::Json, "\",\"b\":\"", &text, "{\"a\":\"\\\",\\\"b\\\":\\\"\"}"),
        ("{\"a\":\"${param.x}\"}", Lang::Body, "\"", &text, "{\"a\":\"\\\"\"}"),
        ("a=${param.x}", Lang::Body, "\"", &text, "a=\""),
        ("select '${param.x}'", Lang::Sql, "'; drop table t; '", &text, "select '''; drop table t; '''"),
        ("limit ${param.x}", Lang::Sql, "3", &int, "limit 3"),
        ("http://h/a/${param.x}", Lang::Url, "10.0.0.0/8?x=&", &text, "http://h/a/10.0.0.0%2F8%3Fx%3D%26"),
        ("http://${param.x}/", Lang::Url, "10.0.0.1", &Kind::Ip, "http://10.0.0.1/"),
        ("[BODY].a == \"${param.x}\"", Lang::Condition, "\"\\", &text, "[BODY].a == \"\\\"\\\\\""),
        ("/run/${param.x}.pid", Lang::Path, "auth", &Kind::Service, "/run/auth.pid"),
        ("${param.x}/a", Lang::Path, "/b/c", &Kind::Path, "/b/c/a"),
        ("--user=${param.x}", Lang::Argument, "-x", &text, "--user=-x"),
        ("${run.id} ${param.x}", Lang::Text, "a", &text, "${run.id} a"),
    ];
    for (template, lang, value, kind, want) in table {
        assert_eq!(put(template, *lang, value, kind).as_deref(), Ok(*want), "{template}");
    }
}

#[test]
fn a_value_that_would_be_more_than_a_value_is_refused() {
    let text = any_text();
    let table: &[(&str, Lang, &str, &str)] = &[
        ("up > ${param.x}", Lang::Expr, "5", "only a number"),
        ("up ${param.x}", Lang::Expr, "or vector(1)", "only a number"),
        ("up # ${param.x}", Lang::Expr, "a", "comment"),
        ("up{a=`${param.x}`}", Lang::Expr, "`", "backquote"),
        ("select ${param.x}", Lang::Sql, "1; drop", "only a number"),
        ("select E'${param.x}'", Lang::Sql, "a", "E'…'"),
        ("select -- '\n '${param.x}'", Lang::Sql, "a", "comment"),
        ("select '${param.x}'", Lang::Sql, "\\", "backslash"),
        ("{\"a\":${param.x}}", Lang::Json, "1,\"b\":2", "only a number"),
        ("[STATUS] == ${param.x}", Lang::Condition, "a b", "only a number"),
        ("${param.x}", Lang::Argument, "--force", "option"),
        ("/run/${param.x}", Lang::Path, "../etc", "no / in it"),
        ("http://${param.x}/", Lang::Url, "a@b", "no name of a host"),
        ("http://h/${param.x}/b", Lang::Url, "..", "climb"),
        ("${param.x}", Lang::Fixed, "ls", "no value"),
    ];
    for (template, lang, value, want) in table {
        let why = put(template, *lang, value, &text).unwrap_err();
        assert!(why.contains(want), "{template}: {why}");
    }
}

proptest! {
    /// Whatever stands in the quotes, the expression selects by one label and nothing else.
    #[test]
    fn no_value_adds_to_an_expression(value in "\\PC{0,20}", quote in "[\"'`]", sign in "=|=~") {
        let template = format!("up{{a{sign}{quote}${{param.x}}{quote}}}");
        if let Ok(filled) = put(&template, Lang::Expr, &value, &any_text()) {
            let expr = Expr::parse(&filled).map_err(|e| TestCaseError::fail(format!("{filled}: {}", e.message)))?;
            let selectors = expr.selectors();
            prop_assert_eq!(selectors.len(), 1);
            let of_a: Vec<_> = selectors[0].matchers.iter().filter(|m| m.name() == "a").collect();
            prop_assert_eq!(of_a.len(), 1);
            prop_assert_eq!(selectors[0].matchers.len(), 2);
            if sign == "=" {
                prop_assert_eq!(of_a[0].value(), value.as_str());
            } else {
                prop_assert!(of_a[0].matches(&value));
            }
        }
    }

    #[test]
    fn no_value_adds_to_json(value in "\\PC{0,20}") {
        let filled = put("{\"a\":\"${param.x}\"}", Lang::Json, &value, &any_text()).unwrap();
        let read: serde_json::Value = serde_json::from_str(&filled).unwrap();
        prop_assert_eq!(read, serde_json::json!({ "a": value }));
    }

    #[test]
    fn no_value_adds_to_a_condition(value in "\\PC{0,20}") {
        let filled = put("[BODY].a == \"${param.x}\"", Lang::Condition, &value, &any_text()).unwrap();
        prop_assert!(filled.parse::<crate::domain::condition::Condition>().is_ok(), "{}", filled);
    }
}

/// Before a plan, nobody is shown what only the planner reads.
#[test]
fn a_name_is_told_before_its_values_are_known() {
    let known =
        |list: &[(&str, &str)]| list.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    for (name, values, want) in [
        ("Controlled restart", known(&[]), "Controlled restart"),
        ("Restart ${param.unit} now", known(&[]), "Restart UNIT now"),
        ("Restart ${param.unit} now", known(&[("unit", "")]), "Restart UNIT now"),
        ("Restart ${param.unit}", known(&[("unit", "web.service")]), "Restart web.service"),
        ("${param.a}${param.b}: ${each}, run ${run.id}", known(&[("b", "2")]), "A2: EACH, run RUN"),
        ("costs ${HOME} and ${param.", known(&[]), "costs ${HOME} and ${param."),
    ] {
        assert_eq!(sketch(name, &values), want);
    }
}
