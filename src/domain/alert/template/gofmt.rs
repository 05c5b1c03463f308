//! Numbers and texts as Go's `fmt` writes them.

use super::data::Data;
use std::fmt::Write;

/// From 10 to this power on, the shortest digits are written with an exponent.
const LARGE: i32 = 6;

/// A float as `%v`: the shortest digits that read back the same.
pub fn float(v: f64) -> String {
    general(v, None, false)
}

/// `%g`: the shortest digits, or `precision` significant ones; with an exponent where it is below -4
/// or beyond the digits.
fn general(v: f64, precision: Option<usize>, upper: bool) -> String {
    if let Some(text) = special(v) {
        return text;
    }
    let (digits, exponent) = match precision {
        None => digits(&format!("{v:e}")),
        Some(p) => digits(&format!("{v:.*e}", p.max(1) - 1)),
    };
    let significant = digits.trim_end_matches('0');
    let significant = if significant.is_empty() { "0" } else { significant };
    let sign = if v.is_sign_negative() { "-" } else { "" };
    let limit = precision.map_or(LARGE, |p| i32::try_from(p.max(1)).unwrap_or(i32::MAX));
    if exponent < -4 || exponent >= limit {
        return format!("{sign}{}", scientific(significant, exponent, upper));
    }
    format!("{sign}{}", plain(significant, exponent))
}

fn special(v: f64) -> Option<String> {
    if v.is_nan() {
        return Some("NaN".to_owned());
    }
    v.is_infinite().then(|| if v > 0.0 { "+Inf" } else { "-Inf" }.to_owned())
}

/// The digits of `1.5e3` without point and sign, and its exponent.
fn digits(text: &str) -> (String, i32) {
    let (mantissa, exponent) = text.split_once('e').unwrap_or((text, "0"));
    let digits = mantissa.chars().filter(char::is_ascii_digit).collect();
    (digits, exponent.parse().unwrap_or(0))
}

fn scientific(digits: &str, exponent: i32, upper: bool) -> String {
    let (first, rest) = digits.split_at(digits.len().min(1));
    let point = if rest.is_empty() { "" } else { "." };
    let sign = if exponent < 0 { '-' } else { '+' };
    let e = if upper { 'E' } else { 'e' };
    format!("{first}{point}{rest}{e}{sign}{:02}", exponent.unsigned_abs())
}

fn plain(digits: &str, exponent: i32) -> String {
    let Ok(whole) = usize::try_from(exponent + 1) else {
        return format!("0.{}{digits}", "0".repeat(exponent.unsigned_abs() as usize - 1));
    };
    if whole == 0 {
        return format!("0.{digits}");
    }
    if digits.len() <= whole {
        return format!("{digits}{}", "0".repeat(whole - digits.len()));
    }
    let (before, after) = digits.split_at(whole);
    format!("{before}.{after}")
}

/// `%.4g`, which the humanize functions use.
pub fn four(v: f64) -> String {
    general(v, Some(4), false)
}

/// `%.6g`, for messages.
pub fn six(v: f64) -> String {
    general(v, Some(6), false)
}

/// What stands between `%` and the verb.
#[derive(Clone, Copy, Debug, Default)]
struct Spec {
    plus: bool,
    minus: bool,
    sharp: bool,
    space: bool,
    zero: bool,
    width: usize,
    precision: Option<usize>,
}

/// The widest field and the longest fraction that are written.
const MAX_FIELD: usize = 1000;

/// Go's `Sprintf`, mistakes included: they are said in the text.
pub fn printf(format: &str, args: &[Data]) -> String {
    let mut out = String::with_capacity(format.len());
    let mut args_left = args.iter();
    let mut chars = format.chars().peekable();
    while let Some(c) = chars.next() {
        if c != '%' {
            out.push(c);
            continue;
        }
        let mut spec = Spec::default();
        while let Some(flag) = chars.peek().copied() {
            match flag {
                '+' => spec.plus = true,
                '-' => spec.minus = true,
                '#' => spec.sharp = true,
                ' ' => spec.space = true,
                '0' => spec.zero = true,
                _ => break,
            }
            chars.next();
        }
        spec.width = digits_of(&mut chars);
        if chars.next_if_eq(&'.').is_some() {
            spec.precision = Some(digits_of(&mut chars));
        }
        let Some(verb) = chars.next() else {
            out.push_str("%!(NOVERB)");
            break;
        };
        if verb == '%' {
            out.push('%');
            continue;
        }
        match args_left.next() {
            Some(arg) => out.push_str(&one(spec, verb, arg)),
            None => {
                let _ = write!(out, "%!{verb}(MISSING)");
            }
        }
    }
    let extra: Vec<String> = args_left.map(|a| format!("{}={}", a.type_name(), a.show())).collect();
    if !extra.is_empty() {
        let _ = write!(out, "%!(EXTRA {})", extra.join(", "));
    }
    out
}

/// The number that stands next, at most [`MAX_FIELD`]; none is zero.
fn digits_of(chars: &mut std::iter::Peekable<std::str::Chars<'_>>) -> usize {
    let mut n = 0usize;
    while let Some(d) = chars.peek().and_then(|c| c.to_digit(10)) {
        n = (n * 10 + d as usize).min(MAX_FIELD);
        chars.next();
    }
    n
}

/// One value under one verb.
fn one(spec: Spec, verb: char, arg: &Data) -> String {
    let text = match (verb, arg) {
        ('v', Data::Float(v)) => Some(signed(spec, number(spec, 'g', *v))),
        ('e' | 'E' | 'f' | 'F' | 'g' | 'G', Data::Float(v)) => Some(signed(spec, number(spec, verb, *v))),
        ('d' | 'v', Data::Int(n)) => Some(signed(spec, n.to_string())),
        ('x' | 'X' | 'o' | 'b', Data::Int(n)) => Some(radix(spec, verb, *n)),
        ('c', Data::Int(n)) => {
            Some(u32::try_from(*n).ok().and_then(char::from_u32).unwrap_or('\u{fffd}').to_string())
        }
        ('q', Data::Text(s)) => Some(quote(&cut(s, spec.precision))),
        ('v', Data::Text(s)) if spec.sharp => Some(quote(s)),
        ('s' | 'v', Data::Text(s)) => Some(cut(s, spec.precision)),
        ('x' | 'X', Data::Text(s)) => Some(hex(s, verb == 'X')),
        ('t' | 'v', Data::Bool(b)) => Some(b.to_string()),
        ('T', arg) => Some(arg.type_name().to_owned()),
        ('v', Data::Nil) => Some("<nil>".to_owned()),
        (_, Data::Nil) => Some(format!("%!{verb}(<nil>)")),
        ('v', arg) => Some(arg.show()),
        ('s', arg @ (Data::Labels(_) | Data::Time(_))) => Some(arg.show()),
        _ => None,
    };
    match text {
        Some(text) => pad(spec, text, !matches!(arg, Data::Text(_))),
        None => format!("%!{verb}({}={})", arg.type_name(), arg.show()),
    }
}

fn number(spec: Spec, verb: char, v: f64) -> String {
    if let Some(text) = special(v) {
        return text;
    }
    match verb {
        'f' | 'F' => format!("{v:.*}", spec.precision.unwrap_or(6)),
        'e' | 'E' => {
            let (digits, exponent) = digits(&format!("{v:.*e}", spec.precision.unwrap_or(6)));
            let sign = if v.is_sign_negative() { "-" } else { "" };
            format!("{sign}{}", scientific(&digits, exponent, verb == 'E'))
        }
        _ => general(v, spec.precision, verb == 'G'),
    }
}

/// The `+` or the space that a flag asks for.
fn signed(spec: Spec, text: String) -> String {
    if spec.space && !spec.plus && text.starts_with('+') {
        // Infinity, which has its sign already.
        return text.replacen('+', " ", 1);
    }
    if text.starts_with(['-', '+']) {
        return text;
    }
    if spec.plus {
        format!("+{text}")
    } else if spec.space {
        format!(" {text}")
    } else {
        text
    }
}

fn radix(spec: Spec, verb: char, n: i64) -> String {
    let (sign, n) = (if n < 0 { "-" } else { "" }, n.unsigned_abs());
    let prefix = match verb {
        _ if !spec.sharp => "",
        'x' => "0x",
        'X' => "0X",
        'o' => "0",
        _ => "0b",
    };
    let digits = match verb {
        'x' => format!("{n:x}"),
        'X' => format!("{n:X}"),
        'o' => format!("{n:o}"),
        _ => format!("{n:b}"),
    };
    signed(spec, format!("{sign}{prefix}{digits}"))
}

fn cut(text: &str, precision: Option<usize>) -> String {
    precision.map_or_else(|| text.to_owned(), |p| text.chars().take(p).collect())
}

fn hex(text: &str, upper: bool) -> String {
    text.bytes().map(|b| if upper { format!("{b:02X}") } else { format!("{b:02x}") }).collect()
}

/// As Go quotes.
pub fn quote(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\x07' => out.push_str("\\a"),
            '\x08' => out.push_str("\\b"),
            '\x0c' => out.push_str("\\f"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\x0b' => out.push_str("\\v"),
            c if c.is_ascii_control() => {
                let _ = write!(out, "\\x{:02x}", u32::from(c));
            }
            c if c.is_control() => {
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

fn pad(spec: Spec, text: String, is_number: bool) -> String {
    let missing = spec.width.saturating_sub(text.chars().count());
    if missing == 0 {
        return text;
    }
    if spec.minus {
        return format!("{text}{}", " ".repeat(missing));
    }
    let finite = !text.ends_with("Inf") && !text.ends_with("NaN");
    if !spec.zero || (is_number && !finite) {
        return format!("{}{text}", " ".repeat(missing));
    }
    let (sign, digits) = match text.strip_prefix(['-', '+', ' ']) {
        Some(rest) if is_number => (text.get(..1).unwrap_or(""), rest),
        _ => ("", text.as_str()),
    };
    format!("{sign}{}{digits}", "0".repeat(missing))
}
