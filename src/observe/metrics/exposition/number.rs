//! Numbers of a page: what Go's `ParseFloat` takes without hexadecimal and underscores, exactly.

/// The bits of the NaN that Prometheus stores for any NaN on a page.
const NORMAL_NAN: u64 = 0x7ff8_0000_0000_0001;

/// Powers of ten that a float holds exactly.
const TENS: [f64; 23] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18,
    1e19, 1e20, 1e21, 1e22,
];

/// The length of the plain decimal number that `text` begins with, if it begins with one that
/// certainly is in range: at most 64 digits and an exponent of at most two.
#[inline]
pub fn plain(text: &[u8]) -> Option<usize> {
    let digits = |from: usize| text.iter().skip(from).take_while(|c| c.is_ascii_digit()).count();
    let mut at = usize::from(matches!(text.first(), Some(b'+' | b'-')));
    let whole = digits(at);
    at += whole;
    let mut fraction = 0;
    if text.get(at) == Some(&b'.') {
        fraction = digits(at + 1);
        at += 1 + fraction;
    }
    if whole + fraction == 0 || whole + fraction > 64 {
        return None;
    }
    if matches!(text.get(at), Some(b'e' | b'E')) {
        at += 1 + usize::from(matches!(text.get(at + 1), Some(b'+' | b'-')));
        let exponent = digits(at);
        if !(1..=2).contains(&exponent) {
            return None;
        }
        at += exponent;
    }
    Some(at)
}

/// The value of a whole text.
///
/// # Errors
/// No number, or one beyond what a float holds (which Go refuses too).
pub fn parse(text: &[u8]) -> Result<f64, &'static str> {
    if let Some(value) = quick(text) {
        return Ok(value);
    }
    let (sign, body) = match text {
        [b'-', rest @ ..] => (-1.0, rest),
        [b'+', rest @ ..] | rest => (1.0, rest),
    };
    if body.eq_ignore_ascii_case(b"inf") || body.eq_ignore_ascii_case(b"infinity") {
        return Ok(sign * f64::INFINITY);
    }
    if text.eq_ignore_ascii_case(b"nan") {
        return Ok(f64::from_bits(NORMAL_NAN));
    }
    // What is left must be decimal; Rust takes the same decimal forms as Go.
    if !body.first().is_some_and(|c| c.is_ascii_digit() || *c == b'.') {
        return Err("no number");
    }
    let value: f64 = str::from_utf8(text).ok().and_then(|t| t.parse().ok()).ok_or("no number")?;
    if value.is_infinite() { Err("a number too great") } else { Ok(value) }
}

/// Decimals whose digits and power of ten a float both holds exactly need one operation only,
/// which rounds as it must.
#[inline]
fn quick(text: &[u8]) -> Option<f64> {
    let (negative, body) = match text {
        [b'-', rest @ ..] => (true, rest),
        rest => (false, rest),
    };
    if body.len() > 17 {
        return None;
    }
    let (mut whole, mut point) = (0u64, None);
    for (i, c) in body.iter().enumerate() {
        match c {
            b'0'..=b'9' => whole = whole * 10 + u64::from(c - b'0'),
            b'.' if point.is_none() => point = Some(i),
            _ => return None,
        }
    }
    let digits = body.len() - usize::from(point.is_some());
    if digits == 0 || whole > 1 << 53 {
        return None;
    }
    let after = point.map_or(0, |p| body.len() - p - 1);
    let value = whole as f64 / TENS.get(after)?;
    Some(if negative { -value } else { value })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn forms_that_go_takes_and_refuses() {
        let good = [
            ("0", 0.0),
            ("-0", -0.0),
            ("+1", 1.0),
            ("1.", 1.0),
            (".5", 0.5),
            ("-.5", -0.5),
            ("1e3", 1e3),
            ("1E+3", 1e3),
            ("1.5e-3", 0.0015),
            ("00012", 12.0),
            ("1e-400", 0.0),
            ("Inf", f64::INFINITY),
            ("+Inf", f64::INFINITY),
            ("-inf", f64::NEG_INFINITY),
            ("INFINITY", f64::INFINITY),
            ("-Infinity", f64::NEG_INFINITY),
            ("1.7976931348623157e308", f64::MAX),
            ("5e-324", 5e-324),
            ("9007199254740993", 9_007_199_254_740_992.0),
            ("0.1", 0.1),
            ("123456789012345678", 123_456_789_012_345_680.0),
        ];
        for (text, value) in good {
            assert_eq!(parse(text.as_bytes()).map(f64::to_bits), Ok(value.to_bits()), "{text}");
        }
        for text in ["nan", "NaN", "NAN"] {
            assert_eq!(parse(text.as_bytes()).map(f64::to_bits), Ok(NORMAL_NAN));
        }
        let bad = [
            "",
            "+",
            "-",
            ".",
            "e5",
            "1e",
            "1e+",
            "+nan",
            "-NaN",
            "infin",
            "infinit",
            "infinityy",
            "1_000",
            "0x1p-2",
            "0x1F",
            "1e309",
            "-1e400",
            "1,5",
            "1 ",
            " 1",
            "１",
            "1f",
            "--1",
            "+-1",
            "1.2.3",
            "1e5.5",
            "0b1",
            "i",
            "\u{221e}",
        ];
        for text in bad {
            assert!(parse(text.as_bytes()).is_err(), "{text}");
            assert!(plain(text.as_bytes()).is_none_or(|n| n < text.len()), "{text}");
        }
    }

    proptest! {
        #[test]
        fn a_number_printed_is_the_number_parsed(value in any::<f64>().prop_filter("ordinary", |v| v.is_finite()), places in 0..25usize) {
            for text in [format!("{value}"), format!("{value:e}"), format!("{value:.places$}"), format!("{:.places$}", value % 1e9)] {
                let expected: f64 = text.parse().unwrap();
                if expected.is_finite() {
                    prop_assert_eq!(parse(text.as_bytes()).map(f64::to_bits), Ok(expected.to_bits()), "{}", text);
                }
            }
        }

        /// What is passed over as plain is a number, and all of the number.
        #[test]
        fn what_is_plain_parses(text in "[-+]?[0-9]{0,20}\\.?[0-9]{0,50}([eE][-+]?[0-9]{0,3})?[ x]?") {
            if let Some(length) = plain(text.as_bytes()) {
                prop_assert!(parse(&text.as_bytes()[..length]).is_ok(), "{}", text);
            }
            let number = text.trim_end_matches([' ', 'x']);
            if parse(number.as_bytes()).is_err() {
                prop_assert_ne!(plain(text.as_bytes()), Some(number.len()));
            }
        }

        #[test]
        fn any_text_is_a_number_for_us_only_if_it_is_for_rust(text in "[-+.eE0-9inftyaNIF_x]{0,12}") {
            if parse(text.as_bytes()).is_ok() {
                prop_assert!(text.parse::<f64>().is_ok(), "{}", text);
            }
        }
    }
}
