//! The forms in which programs write a value down.

use std::fmt::Write as _;

/// The shortest line of a value of many lines that is looked for by itself.
const MIN_LINE: usize = 12;

/// Every form of a value in which it is looked for, some of them more than once.
pub(super) fn of(value: &str) -> Vec<Vec<u8>> {
    let mut out = vec![value.as_bytes().to_vec()];
    for text in [json(value, false), json(value, true), go_json(value), value.replace('\'', "'\\''")] {
        out.push(text.replace('/', "\\/").into_bytes());
        out.push(text.into_bytes());
    }
    // RFC 3986; forms of HTML; what JavaScript leaves as it is.
    for (kept, space) in [("-_.~", "%20"), ("-_.*", "+"), ("-_.!~*'()", "%20"), ("-_.~/", "%20")] {
        out.push(url(value, kept, space, false).into_bytes());
        out.push(url(value, kept, space, true).into_bytes());
    }
    for alphabet in [STANDARD, URL] {
        out.extend((0..3).map(|before| base64(value.as_bytes(), before, alphabet)));
    }
    let hex = |upper: bool| {
        value.bytes().fold(String::new(), |mut hex, b| {
            let _ = if upper { write!(hex, "{b:02X}") } else { write!(hex, "{b:02x}") };
            hex
        })
    };
    out.extend([hex(false).into_bytes(), hex(true).into_bytes()]);
    // A key of many lines may be shown indented, or with other line ends.
    if value.contains('\n') {
        let lines = value.lines().map(str::trim).filter(|l| l.len() >= MIN_LINE);
        out.extend(lines.map(|l| l.as_bytes().to_vec()));
    }
    out
}

/// As in a JSON string, without the quotes; with `ascii`, other characters are `\uXXXX`.
fn json(value: &str, ascii: bool) -> String {
    let quoted = serde_json::Value::from(value).to_string();
    let inner = quoted.get(1..quoted.len().saturating_sub(1)).unwrap_or("");
    if !ascii {
        return inner.to_owned();
    }
    let mut out = String::new();
    for c in inner.chars() {
        if c.is_ascii() {
            out.push(c);
        } else {
            let mut units = [0; 2];
            for unit in c.encode_utf16(&mut units) {
                let _ = write!(out, "\\u{unit:04x}");
            }
        }
    }
    out
}

/// As Go writes JSON, which may end up within HTML.
fn go_json(value: &str) -> String {
    json(value, false).replace('<', "\\u003c").replace('>', "\\u003e").replace('&', "\\u0026")
}

/// Percent-encoded, but for letters, digits and `kept`.
fn url(value: &str, kept: &str, space: &str, lower: bool) -> String {
    let mut out = String::new();
    for b in value.bytes() {
        let _ = match b {
            b if b.is_ascii_alphanumeric() || kept.as_bytes().contains(&b) => write!(out, "{}", b as char),
            b' ' => write!(out, "{space}"),
            b if lower => write!(out, "%{b:02x}"),
            b => write!(out, "%{b:02X}"),
        };
    }
    out
}

const STANDARD: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const URL: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// The letters of base64 that the value alone decides when `before` unknown bytes (modulo 3) stand
/// before it and others after it.
fn base64(value: &[u8], before: usize, alphabet: &[u8; 64]) -> Vec<u8> {
    let bits = 8 * (before + value.len());
    let bit = |at: usize| {
        let byte = (at / 8).checked_sub(before).and_then(|i| value.get(i)).copied().unwrap_or(0);
        usize::from(byte >> (7 - at % 8) & 1)
    };
    let letters = (8 * before).div_ceil(6)..bits / 6;
    let index = |letter: usize| (0..6).fold(0, |n, i| n << 1 | bit(6 * letter + i));
    letters.filter_map(|letter| alphabet.get(index(letter)).copied()).collect()
}
