//! What templates expand to: exactly what promtool makes of them.

use super::{ask, ours, promtool, source};
use quarterdeck::domain::alert::rules::{Rules, Setup};
use quarterdeck::domain::series::store::{Limits, Store};
use quarterdeck::stack::{rulefile, ruletest};
use serde_json::{Map, Value, json};
use std::fmt::Write;
use std::time::Duration;

const TEMPLATES: &[&str] = &[
    "plain { text } with } braces {",
    "{{ $value }} {{ .Value }} {{ $.Value }}",
    "{{ $labels.x }} {{ .Labels.x }} {{ $.Labels.x }}|{{ $labels.none }}|",
    "{{ $labels }}",
    "{{ $externalLabels.region }} {{ .ExternalLabels.none }} {{ $externalURL }} {{ .ExternalURL }}",
    "{{ humanize $value }} {{ $value | humanize }} {{ humanize \"1234.5678\" }} {{ humanize 12345 }}",
    "{{ humanize1024 $value }}",
    "{{ humanizeDuration $value }} {{ humanizeDuration 0.00025 }} {{ humanizeDuration 59.99999 }} {{ humanizeDuration -3661 }}",
    "{{ humanizePercentage $value }}",
    "{{ humanizeTimestamp $value }} {{ humanizeTimestamp 1435065584.128 }}",
    "{{ toTime 1435065584.5 }}",
    "{{ printf \"%v|%g|%G|%e|%E|%f|%F\" $value $value $value $value $value $value $value }}",
    "{{ printf \"%.0f|%.1f|%.3g|%.10g|%.0e|%.2e|%.0g\" $value $value $value $value $value $value $value }}",
    "{{ printf \"%8.2f|%-8.2f|%+.2f|%08.2f|% .2f|%+g|%12v|%-12v|\" $value $value $value $value $value $value $value $value }}",
    "{{ printf \"%d|%5d|%-5d|%05d|%+d|%x|%X|%o|%b|%c|%q\" 42 42 42 42 42 255 255 8 5 65 \"a\\tb\" }}",
    "{{ printf \"%s|%10s|%-10s|%.2s|%q|%v|%x\" $labels.x \"right\" \"left\" \"cut off\" $labels.x \"v\" \"hex\" }}",
    "{{ printf \"%d %s %t\" $value $value $value }}",
    "{{ printf \"%s\" 5 }} {{ printf \"%d\" \"x\" }} {{ printf \"%d\" }} {{ printf \"x\" 1 \"y\" }} {{ printf \"%!\" }} {{ printf \"100%\" }} {{ printf \"%%\" }}",
    "{{ printf \"%t %v %T %T %T %T\" true false true 1 1.5 \"s\" }}",
    "{{ printf \"%z\" 5 }} {{ printf \"%6.2f%%\" 12.345 }}",
    "{{ print 1 2 \"a\" \"b\" 3 }} {{ print $value }} {{ println \"a\" 1 }}",
    "{{ toUpper \"abc\" }} {{ toLower \"ABC\" }} {{ title \"hello wORLD foo-bar it's a_b\" }} {{ \"x\" | toUpper }}",
    "{{ match \"a.c\" \"xabcx\" }} {{ match \"^a\" \"ba\" }} {{ reReplaceAll \"(a)(b)\" \"${2}${1}x\" \"abab\" }} {{ \"b:80\" | reReplaceAll \":.*\" \"\" }}",
    "{{ stripPort \"a.b:80\" }} {{ stripPort \"a.b\" }} {{ stripPort \"[::1]:80\" }} {{ stripPort \"a:b:c\" }}",
    "{{ stripDomain \"a.b.c:80\" }} {{ stripDomain \"a.b\" }} {{ stripDomain \"10.1.2.3:80\" }} {{ stripDomain \"[::1]:80\" }} {{ stripDomain \"a\" }}",
    "{{ graphLink \"up == 1\" }} {{ tableLink \"sum(x{a=\\\"ü\\\"})\" }}",
    "{{ parseDuration \"1h30m\" }} {{ parseDuration \"5m\" | humanizeDuration }}",
    "{{ if gt $value 5.0 }}high{{ else if lt $value 0.0 }}negative{{ else }}low{{ end }}",
    "{{ if eq $labels.x \"1\" \"2\" }}one or two{{ else }}other{{ end }} {{ if ne $labels.x \"1\" }}not one{{ end }}",
    "{{ if and (gt $value 1.0) (lt $value 1000.0) }}between{{ end }} {{ or \"\" \"default\" }} {{ and 1 0 2 }} {{ not true }} {{ or $labels.none $labels.x }}",
    "{{ if $labels.none }}there{{ else }}not there{{ end }} {{ if 0 }}a{{ else }}b{{ end }} {{ if \"\" }}a{{ else }}b{{ end }}",
    "{{ with $labels.x }}x is {{ . }}{{ end }} {{ with $labels.none }}no{{ else }}else{{ end }} {{ with $y := \"z\" }}{{ $y }}{{ end }}",
    "{{ range query \"sort(m > 0 < 1e5)\" }}[{{ .Labels.x }}={{ .Value }}]{{ end }}",
    "{{ range $i, $s := query \"sort(m > 0 < 1e5)\" }}{{ if $i }}, {{ end }}{{ $s.Labels.x }}{{ end }}",
    "{{ range query \"nosuch\" }}x{{ else }}none{{ end }} {{ with query \"nosuch\" }}x{{ else }}none{{ end }}",
    "{{ query \"sum(m{x=~'1|3'})\" | first | value }} {{ (query \"m{x='1'}\" | first).Labels.x }} {{ query \"m{x='1'}\" | first | label \"x\" }}",
    "{{ range query \"m{x=~'1|3'}\" | sortByLabel \"x\" }}{{ .Labels.x }}{{ end }} {{ len (query \"m\") }} {{ query \"5\" | first | value }}",
    "{{ range $k, $v := $labels }}{{ $k }}={{ $v }};{{ end }}",
    "{{ $a := 5 }}{{ $a }} {{ if true }}{{ $a = 6 }}{{ end }}{{ $a }} {{ if true }}{{ $a := 7 }}{{ $a }}{{ end }}{{ $a }}",
    "{{ range query \"sort(m > 0 < 1e5)\" }}{{ if eq .Labels.x \"3\" }}{{ continue }}{{ end }}{{ .Labels.x }}{{ break }}{{ end }}",
    "a {{- 1 -}} b {{ 2 -}}\n c {{/* nothing */}}d{{- /* trim */ -}} e",
    "{{ `raw \"text\" \\n` }} {{ \"esc \\\" \\n \\u00e9 \\x41\" }} {{ 'a' }} {{ 0x1f }} {{ 1e3 }} {{ 1.50 }} {{ -3 }} {{ true }} {{ 010 }}",
    "{{ eq 1 1 }} {{ lt 1 2 }} {{ le 2 2 }} {{ ge 1 2 }} {{ eq 1.5 1.5 }} {{ lt \"a\" \"b\" }} {{ eq true true }}",
    "{{ len \"héllo\" }} {{ len $labels }} {{ index $labels \"x\" }} {{ index $labels \"none\" }}|",
    "{{ args 1 \"b\" }} {{ (args 1 \"b\").arg1 }} {{ html \"<a> & 'b'\" }} {{ js \"it's <b>\" }} {{ urlquery \"a b&c\" }} {{ safeHtml \"<b>\" }}",
    "{{ (printf \"%.0f\" 2.5) }} {{ (printf \"%.0f\" 3.5) }} {{ printf \"%.2f\" 1.005 }} {{ 1234567.0 }} {{ 123456.0 }} {{ 0.0001 }} {{ 0.00001 }}",
    "{{ $labels.x | printf \"%s-%s\" \"a\" | toUpper }}",
    "{{ printf \"%v %v\" nil $labels }} {{ printf \"%s\" $labels }}",
    "ünïcödé ☃ {{ $labels.u }}",
];

const VALUES: &[(&str, &str)] = &[
    ("1", "1000000"),
    ("2", "1234567890.123"),
    ("3", "0.00001234"),
    ("4", "-123456.789"),
    ("5", "Inf"),
    ("6", "-Inf"),
    ("7", "NaN"),
    ("8", "0"),
    ("9", "0.5"),
    ("10", "3661.25"),
    ("11", "8e9"),
    ("12", "-0.25"),
    ("13", "1023.99996"),
    ("14", "999.99999"),
    ("15", "42"),
];

#[test]
fn templates_expand_as_in_prometheus() {
    let Some(promtool) = promtool() else { return };
    let annotations: Map<String, Value> =
        TEMPLATES.iter().enumerate().map(|(i, t)| (format!("t{i}"), json!(t))).collect();
    let rule = json!({"alert": "A", "expr": "m", "labels": {"v": "{{ $value | humanize }}{{ $labels.none }}", "empty": "{{ $labels.none }}"}, "annotations": annotations});
    let rules = json!({"groups": [{"name": "g", "rules": [rule]}]}).to_string();
    let series: Vec<(String, &str)> =
        VALUES.iter().map(|(x, v)| (format!("m{{x=\"{x}\", u=\"ö\"}}"), *v)).collect();
    let external = json!({"region": "eu"});
    let url = "http://example.org:9090/prom?x";
    let read = rulefile::read(&source(&rules)).unwrap_or_else(|p| panic!("{p}")).rules;
    let mut engine = Rules::new(Setup {
        rules: read,
        external_labels: ruletest::metric("{region=\"eu\"}").unwrap(),
        external_url: url.to_owned(),
        ..Setup::default()
    });
    let mut store = store();
    for (name, value) in &series {
        let v = match *value {
            "Inf" => f64::INFINITY,
            "-Inf" => f64::NEG_INFINITY,
            "NaN" => f64::NAN,
            v => v.parse().unwrap(),
        };
        store.append_labels(&ruletest::metric(name).unwrap(), 0, v);
    }
    let done = engine.evaluate_all(&mut store, 0, &|| Duration::ZERO);
    assert_eq!(done.failures, vec![]);
    let alerts = engine.firing_of("A");
    assert_eq!(alerts.len(), VALUES.len());
    let expected: Vec<Value> = alerts
        .iter()
        .map(|(labels, annotations)| {
            let labels: Map<String, Value> = labels.iter().map(|(n, v)| (n.to_owned(), json!(v))).collect();
            let annotations: Map<String, Value> =
                annotations.iter().map(|(n, v)| (n.clone(), json!(v))).collect();
            json!({"exp_labels": labels, "exp_annotations": annotations})
        })
        .collect();
    let test = json!({
        "rule_files": ["rules.yml"],
        "tests": [{
            "interval": "1m",
            "input_series": series.iter().map(|(s, v)| json!({"series": s, "values": v})).collect::<Vec<_>>(),
            "external_labels": external,
            "external_url": url,
            "alert_rule_test": [{"eval_time": "0s", "alertname": "A", "exp_alerts": expected}],
        }],
    });
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("rules.yml"), rules).unwrap();
    let file = dir.path().join("test.yml");
    std::fs::write(&file, test.to_string()).unwrap();
    let (code, said) = ours(&file);
    assert_eq!(code, 0, "{said}");
    let (passed, said) = ask(&promtool, &["test", "rules"], &file);
    assert!(passed, "{}", differences(&said, &alerts));
}

/// The annotations about which promtool differs, one a line: its own text, then this program's.
fn differences(
    said: &str,
    alerts: &[(quarterdeck::domain::series::Labels, Vec<(String, String)>)],
) -> String {
    let got = said.split("got:").nth(1).unwrap_or(said);
    let mut out = String::new();
    for (labels, annotations) in alerts {
        let mark = format!("x=\"{}\"}}", labels.get("x"));
        let Some(block) =
            got.split("Labels:{").find(|b| b.split('\n').next().is_some_and(|l| l.contains(&mark)))
        else {
            writeln!(out, "no alert {labels}").unwrap();
            continue;
        };
        for (name, text) in annotations {
            let quoted = format!("{name}={text:?}");
            if !block.contains(&quoted.replace("\\'", "'")) {
                let theirs = block.split(&format!("{name}=\"")).nth(1).unwrap_or("?");
                let theirs: String = theirs.chars().take(text.len() + 60).collect();
                writeln!(out, "x={} {name}\n  theirs {theirs}\n  here   {text:?}", labels.get("x")).unwrap();
            }
        }
    }
    if out.is_empty() { said.to_owned() } else { out }
}

pub fn store() -> Store {
    Store::new(Limits {
        max_series: 10_000,
        max_bytes: 64 << 20,
        max_samples: 1_000_000,
        retention: Duration::from_secs(30 * 86_400),
    })
}
