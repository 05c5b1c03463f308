//! Every form of a secret is found, wherever the stream is cut, and nothing of it is left.

use super::*;
use proptest::prelude::*;

fn redactor(secrets: &[&str]) -> Redactor {
    Redactor::new(&secrets.iter().map(|s| SecretString::from(*s)).collect::<Vec<_>>())
}

#[test]
fn a_secret_is_found_in_every_form() {
    let secret = "p/ss \"wö<rd'+~";
    let forms = [
        ("plain", secret.to_owned()),
        ("json", r#"p/ss \"wö<rd'+~"#.to_owned()),
        ("json of a script", r#"p/ss \"w\u00f6<rd'+~"#.to_owned()),
        ("json of Go", "p/ss \\\"wö\\u003crd'+~".to_owned()),
        ("json of PHP", r#"p\/ss \"w\u00f6<rd'+~"#.to_owned()),
        ("url", "p%2Fss%20%22w%C3%B6%3Crd%27%2B~".to_owned()),
        ("url, lower case", "p%2fss%20%22w%c3%b6%3crd%27%2b~".to_owned()),
        ("form", "p%2Fss+%22w%C3%B6%3Crd%27%2B%7E".to_owned()),
        ("shell", r#"p/ss "wö<rd'\''+~"#.to_owned()),
        ("hex", "702f73732022".to_owned() + "77c3b63c7264272b7e"),
    ];
    for (name, form) in forms {
        let shown = redactor(&[secret]).text(&format!("a {form} b"));
        assert_eq!(shown, "a [redacted] b", "{name}");
    }
}

/// As `grep --color`, `jq -C` or a logger prints it.
#[test]
fn a_secret_with_colours_in_its_midst_is_found() {
    let table = [
        ("a \x1b[31mS3cr\x1b[0met-Pw b", "a \x1b[31m[redacted] b"),
        ("S\x1b[1;38;5;214m3\x1b(B\x1b[mcret-Pw", "[redacted]"),
        ("S3cr\x1b]0;a title\x07et-Pw", "[redacted]"),
        ("S3\x1b]8;;http://x\x1b\\cret\x1b]8;;\x1b\\-Pw", "[redacted]"),
        ("S3cr\x1b]0;et-Pw", "S3cr\x1b]0;et-Pw"),
        ("x\x1b[S3cret-Pw", "x\x1b[[redacted]"),
        ("S3cr\x1b[0m at", "S3cr\x1b[0m at"),
        ("S3cr\x1b[0", "S3cr\x1b[0"),
    ];
    for (text, want) in table {
        assert_eq!(redactor(&["S3cret-Pw"]).text(text), want, "{text:?}");
        // Wherever it is cut, too.
        for cut in 0..text.len() {
            let (mut redactor, mut out) = (redactor(&["S3cret-Pw"]), Vec::new());
            redactor.push(&text.as_bytes()[..cut], &mut out);
            redactor.push(&text.as_bytes()[cut..], &mut out);
            redactor.finish(&mut out);
            assert_eq!(String::from_utf8(out).unwrap(), want, "{text:?} at {cut}");
        }
    }
    // What is held back for the end of a sequence is bounded.
    let (mut redactor, mut out) = (redactor(&["S3cret-Pw"]), Vec::new());
    redactor.push(format!("S3\x1b[{}", "0".repeat(10_000)).as_bytes(), &mut out);
    assert_eq!(out.len(), 10_004);
}

#[test]
fn a_secret_of_many_lines_is_found_line_by_line() {
    let key = "-----BEGIN KEY-----\nMIIBVgIBADANBgkq\n-----END KEY-----";
    assert_eq!(redactor(&[key]).text("x:\r\n  MIIBVgIBADANBgkq\r\n"), "x:\r\n  [redacted]\r\n");
}

#[test]
fn short_values_are_left_and_overlapping_ones_leave_nothing() {
    assert_eq!(redactor(&["abc"]).text("abc"), "abc");
    assert_eq!(redactor(&["abcd", "cdefgh"]).text("xabcdefghx"), "x[redacted]x");
    assert_eq!(redactor(&["abcd", "abcdefgh"]).text("abcdefg abcdefgh"), "[redacted]efg [redacted]");
}

#[test]
fn what_is_cut_shows_no_beginning_of_a_secret() {
    let mut redactor = redactor(&["hunter2hunter2"]);
    let mut out = Vec::new();
    redactor.push(b"password: hunter2hunt", &mut out);
    assert_eq!((out.as_slice(), redactor.cut()), (&b"password: "[..], 11));
}

/// An encoder that knows nothing of ours.
fn base64_of(bytes: &[u8]) -> String {
    use std::io::Write;
    let mut child = std::process::Command::new("base64")
        .arg("-w0")
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(bytes).unwrap();
    String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap()
}

proptest! {
    /// Cut anywhere, the output is that of the whole; and nothing of a secret is in it.
    #[test]
    fn cuts_change_nothing_and_nothing_is_left(
        secrets in prop::collection::vec("[abc]{4,7}", 1..4),
        text in "[abcx]{0,60}",
        cuts in prop::collection::vec(1usize..9, 0..20),
    ) {
        let names: Vec<&str> = secrets.iter().map(String::as_str).collect();
        let whole = redactor(&names).text(&text);
        let (mut cut, mut out, mut rest) = (redactor(&names), Vec::new(), text.as_bytes());
        for n in cuts {
            let (now, later) = rest.split_at(n.min(rest.len()));
            cut.push(now, &mut out);
            rest = later;
        }
        cut.push(rest, &mut out);
        cut.finish(&mut out);
        prop_assert_eq!(std::str::from_utf8(&out).unwrap(), &whole);

        // Byte by byte: what belongs to any occurrence is gone, all else is there.
        let mut gone = vec![false; text.len()];
        for secret in &secrets {
            for at in 0..text.len() {
                if text[at..].starts_with(secret.as_str()) {
                    gone[at..at + secret.len()].fill(true);
                }
            }
        }
        let mut want = String::new();
        for (at, c) in text.char_indices() {
            if !gone[at] {
                want.push(c);
            } else if at == 0 || !gone[at - 1] {
                want.push_str("[redacted]");
            }
        }
        prop_assert_eq!(whole, want);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]
    #[test]
    fn a_secret_within_base64_is_found(before in "[ -~]{0,7}", secret in "[ -~é]{6,20}", after in "[ -~]{0,7}") {
        let all = base64_of(format!("{before}{secret}{after}").as_bytes());
        for text in [all.clone(), all.replace('+', "-").replace('/', "_")] {
            prop_assert!(redactor(&[&secret]).text(&text).contains("[redacted]"), "{text}");
        }
    }

    #[test]
    fn any_bytes_pass_and_no_form_remains(secret in "\\PC{4,12}", bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let mut redactor = redactor(&[&secret]);
        let mut out = Vec::new();
        let mut input = bytes.clone();
        input.extend_from_slice(secret.as_bytes());
        input.extend_from_slice(&bytes);
        redactor.push(&input, &mut out);
        redactor.finish(&mut out);
        prop_assert!(memchr::memmem::find(&out, secret.as_bytes()).is_none());
    }
}
