//! Answers as servers give them, of every kind and of none.

use super::values::Data;
use super::*;
use crate::domain::promql::Point;
use crate::domain::series::Sample;

fn reply(status: u16, body: &str) -> Reply {
    Reply { status, body: body.as_bytes().to_vec() }
}

fn value(data: &str) -> Result<Value, AskError> {
    let body = format!(r#"{{"status":"success","data":{data}}}"#);
    let answer: Answer<Data> = open("/x", &reply(200, &body))?;
    answer.data.value(&mut Vec::new()).map_err(|why| odd(&why))
}

#[test]
fn values_of_every_type_are_read() {
    let labels = Labels::new([("a", "b")]);
    let nan = match value(r#"{"resultType":"scalar","result":[1.5,"NaN"]}"#).unwrap() {
        Value::Scalar(v) => v.is_nan(),
        _ => false,
    };
    assert!(nan);
    let table = [
        (r#"{"result":[1,"+Inf"],"resultType":"scalar"}"#, Value::Scalar(f64::INFINITY)),
        (r#"{"resultType":"string","result":[1,"a\nb"]}"#, Value::Text("a\nb".into())),
        (
            r#"{"resultType":"vector","result":[{"metric":{"a":"b"},"value":[1.234,"-1.5e+06"]}]}"#,
            Value::Vector(vec![Point { labels: labels.clone(), v: -1.5e6 }]),
        ),
        (
            r#"{"resultType":"matrix","result":[{"metric":{"a":"b"},"values":[[1.001,"1"],[1435781451.781,"-Inf"]]}]}"#,
            Value::Matrix(vec![Line {
                labels,
                samples: vec![
                    Sample { t: 1001, v: 1.0 },
                    Sample { t: 1_435_781_451_781, v: f64::NEG_INFINITY },
                ],
            }]),
        ),
        (r#"{"resultType":"vector","result":[]}"#, Value::Vector(Vec::new())),
    ];
    for (data, want) in table {
        assert_eq!(value(data).unwrap(), want, "{data}");
    }
}

#[test]
fn what_is_no_answer_is_said_in_words() {
    let good = r#"{"resultType":"vector","result":[]}"#;
    let table = [
        (
            200,
            "<!DOCTYPE html><html><head><title>Sign in</title>".to_owned(),
            "got HTML: the page \"Sign in\"",
        ),
        (200, String::new(), "got an empty answer"),
        (200, "{}".into(), "missing field `status`"),
        (200, r#"{"status":"success"}"#.into(), "JSON without a result"),
        (200, good[..20].into(), "expected the API of a Prometheus"),
        (502, "Bad Gateway".into(), "status 502: Bad Gateway"),
        (404, "404 page not found".into(), "404 Not Found: it has no /x"),
        (
            400,
            r#"{"status":"error","errorType":"bad_data","error":"1:3: parse error"}"#.into(),
            "it does not understand the question: 1:3: parse error",
        ),
        (
            422,
            r#"{"status":"error","errorType":"execution","error":"many-to-many"}"#.into(),
            "it cannot evaluate this: many-to-many",
        ),
        (
            422,
            r#"{"status":"error","errorType":422,"error":"unknown func"}"#.into(),
            "status 422: unknown func",
        ),
        (
            503,
            r#"{"status":"error","errorType":"timeout","error":"query timed out"}"#.into(),
            "it took too long over there",
        ),
        (
            200,
            r#"{"status":"success","data":{"resultType":"vector","result":[{"value":[1,"x"]}]}}"#.into(),
            "which is no number",
        ),
        (
            200,
            r#"{"status":"success","data":{"resultType":"vector","result":[[1,2]]}}"#.into(),
            "a list where a series belongs",
        ),
        (
            200,
            r#"{"status":"success","data":{"resultType":"tensor","result":[]}}"#.into(),
            "a result of the type tensor",
        ),
        (
            200,
            r#"{"status":"success","data":{"resultType":"scalar","result":["1"]}}"#.into(),
            "no pair of a moment and a value",
        ),
    ];
    for (status, body, words) in table {
        let answer: Result<Answer<Data>, AskError> = open("/x", &reply(status, &body));
        let why = answer
            .and_then(|a| a.data.value(&mut Vec::new()).map_err(|why| odd(&why)))
            .unwrap_err()
            .to_string();
        assert!(why.contains(words), "{body}: {why}");
    }
}

#[test]
fn a_server_that_refuses_a_question_is_there() {
    let error = |kind: &str| format!(r#"{{"status":"error","errorType":"{kind}","error":"x"}}"#);
    for (kind, there) in
        [("bad_data", true), ("execution", true), ("not_found", true), ("unavailable", false)]
    {
        let answer: Result<Answer<Data>, AskError> = open("/x", &reply(400, &error(kind)));
        assert_eq!(answer.err().unwrap().answers(), there, "{kind}");
    }
}

#[test]
fn rules_come_with_their_state() {
    let body = r#"{"status":"success","data":{"groups":[{"name":"g","file":"/f","interval":15,"rules":[
        {"type":"alerting","name":"A","query":"up == 0","duration":600,"keepFiringFor":60,"labels":{"severity":"page"},
         "annotations":{"summary":"s"},"health":"ok","evaluationTime":0.25,"lastEvaluation":"2026-01-01T00:00:00.5Z","state":"firing",
         "alerts":[{"labels":{"alertname":"A"},"annotations":{},"state":"firing","activeAt":"2026-01-01T01:00:00+01:00","value":"1e+00"},
                   {"labels":{"alertname":"A"},"annotations":{},"state":"firing","keepFiringSince":"2026-01-01T00:00:00Z","activeAt":"2026-01-01T00:00:00Z","value":"NaN"}]},
        {"type":"recording","name":"r","query":"1","health":"err","lastError":"boom","evaluationTime":0,"lastEvaluation":"0001-01-01T00:00:00Z"}]}]},
        "warnings":["partial"]}"#;
    let answer: Answer<rules::Groups> = open("/x", &reply(200, body)).unwrap();
    assert_eq!(answer.warnings, ["partial"]);
    let rules = answer.data.rules(&mut Vec::new());
    let crate::domain::alert::remote::RemoteKind::Alerting { hold, keep, alerts, .. } = &rules[0].kind else {
        panic!("{rules:?}")
    };
    assert_eq!((hold.as_secs(), keep.as_secs(), rules[0].took.as_millis()), (600, 60, 250));
    assert_eq!(alerts.iter().map(|a| (a.phase, a.since.as_second())).collect::<Vec<_>>(), {
        use crate::domain::alert::view::Phase;
        [(Phase::Firing, 1_767_225_600), (Phase::Keeping, 1_767_225_600)]
    });
    assert_eq!((rules[1].error.as_deref(), rules[1].evaluated), (Some("boom"), None));
}

#[test]
fn rules_over_there_are_blind_by_their_text_too() {
    use crate::domain::alert::view::BlindKind;
    let body = r#"{"status":"success","data":{"groups":[{"rules":[
        {"type":"alerting","name":"Guard","query":"sum(rate(a[5m])) / clamp_min(sum(rate(b[5m])), 1) > 0.02"},
        {"type":"alerting","name":"Newer","query":"limitk(1, up) > 0"},
        {"type":"alerting","name":"Fine","query":"up == 0"}]}]}}"#;
    let answer: Answer<rules::Groups> = open("/x", &reply(200, body)).unwrap();
    let rules = answer.data.rules(&mut Vec::new());
    let kinds: Vec<Vec<_>> = rules.iter().map(|r| r.blind.iter().map(|b| b.kind).collect()).collect();
    assert_eq!(kinds, [vec![BlindKind::GuardHides], vec![], vec![]]);
}

#[test]
fn times_are_written_in_seconds() {
    for (millis, text) in
        [(0, "0.000"), (1_435_781_451_781, "1435781451.781"), (-1500, "-1.500"), (15_000, "15.000")]
    {
        assert_eq!(seconds(millis), text);
    }
}
