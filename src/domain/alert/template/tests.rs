//! What promtool cannot be asked; all else is compared with it in tests/rules.

use super::*;
use crate::domain::series::Sample;

struct Nothing;

impl Source for Nothing {
    fn select(
        &self,
        _: &[crate::domain::series::Matcher],
        _: Millis,
        _: Millis,
        _: &mut dyn FnMut(&Labels, &[Sample]),
    ) {
    }
}

fn expand(text: &str, value: f64) -> Result<String, String> {
    let scope = Scope {
        labels: &Labels::new([("job", "api")]),
        value,
        external_labels: &Labels::empty(),
        external_url: "http://example.org:9090/prom?x",
        source: &Nothing,
        at: 0,
        options: &Options::default(),
    };
    Template::parse(text).map_err(|e| e.message)?.expand(&scope)
}

#[test]
fn what_needs_an_address_or_a_result() {
    let table = [
        ("{{ externalURL }} {{ pathPrefix }}", Ok("http://example.org:9090/prom?x /prom")),
        ("{{ query \"nosuch\" }}", Ok("[]")),
        ("{{ humanizeDuration 1e300 }}", Ok("-106751991167300d -15h -30m -8s")),
        ("{{ query \"nosuch\" | first | value }}", Err("first() called on a vector with no elements")),
        ("{{ toUpper $value }}", Err("toUpper needs a text, and this is a float64")),
        ("{{ humanize \"x\" }}", Err("\"x\" is no number")),
        ("{{ humanizeTimestamp 1e300 }}", Err("1e+300 is no time that can be shown")),
        ("{{ printf \"%1000000d\" 1 | len }}", Ok("1000")),
    ];
    for (text, want) in table {
        let want = want.map(str::to_owned).map_err(str::to_owned);
        assert_eq!(expand(text, 1.5), want, "{text}");
    }
}

#[test]
fn what_grows_without_end_is_cut_off() {
    let long = "{{ $a := printf \"%1000d\" 1 }}".to_owned() + &"{{ $a }}".repeat(70);
    assert!(expand(&long, 1.0).unwrap_err().contains("64 KiB"));
    let deep = format!("{}1{}", "{{ if ".to_owned() + &"(".repeat(100), ")".repeat(100));
    assert!(expand(&deep, 1.0).unwrap_err().contains("deep"));
    assert_eq!(Template::parse("x {{ nosuch }}").unwrap_err().span, 5..11);
}

proptest::proptest! {
    #[test]
    fn any_text_is_read_or_refused_without_panic(text in "(\\{\\{|\\}\\}|-|[ .$|()\"a-z0-9=:,%]|if |end|range |printf |\\$value){0,24}", v: f64) {
        let _ = expand(&text, v);
    }
}
