//! Quoted texts in expressions, with the escapes of Go.

use crate::domain::series::labels::Quoted;
use std::fmt::Write;

/// The text that begins `rest` with a quote, and how many bytes it takes with its quotes.
///
/// # Errors
/// Unended, an escape that does not exist, or one that gives no character.
pub(super) fn unquote(rest: &str) -> Result<(String, usize), String> {
    let mut chars = rest.char_indices();
    let Some((_, quote)) = chars.next() else { return Err("a text is missing".to_owned()) };
    if quote == '`' {
        let inner = rest.get(1..).unwrap_or("");
        let end = inner.find('`').ok_or("a text is never closed")?;
        return Ok((inner.get(..end).unwrap_or("").to_owned(), end + 2));
    }
    // Bytes, because an escape may give a part of a character.
    let mut out: Vec<u8> = Vec::new();
    let put = |out: &mut Vec<u8>, c: char| out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
    while let Some((at, c)) = chars.next() {
        match c {
            c if c == quote => {
                let text = String::from_utf8(out).map_err(|_| "the escapes of a text give no UTF-8")?;
                return Ok((text, at + 1));
            }
            '\n' => {
                return Err("a text in quotes ends with its line (write \\n, or use backquotes)".to_owned());
            }
            '\\' => {
                let (_, kind) = chars.next().ok_or("a text is never closed")?;
                match escape(kind, quote, &mut chars)? {
                    Escape::Byte(byte) => out.push(byte),
                    Escape::Char(c) => put(&mut out, c),
                }
            }
            c => put(&mut out, c),
        }
    }
    Err("a text is never closed".to_owned())
}

enum Escape {
    Byte(u8),
    Char(char),
}

fn escape(kind: char, quote: char, chars: &mut std::str::CharIndices<'_>) -> Result<Escape, String> {
    let mut digits = |count: usize, radix: u32, start: u32| -> Result<Escape, String> {
        let mut code = start;
        for _ in 0..count {
            let digit = chars.next().and_then(|(_, c)| c.to_digit(radix));
            code = code * radix + digit.ok_or("an escape is cut short")?;
        }
        let of_byte = count < 4;
        let found = if of_byte {
            u8::try_from(code).ok().map(Escape::Byte)
        } else {
            char::from_u32(code).map(Escape::Char)
        };
        found.ok_or_else(|| "an escape gives no character".to_owned())
    };
    Ok(Escape::Char(match kind {
        'a' => '\u{7}',
        'b' => '\u{8}',
        'f' => '\u{c}',
        'n' => '\n',
        'r' => '\r',
        't' => '\t',
        'v' => '\u{b}',
        '\\' => '\\',
        c if c == quote => c,
        'x' => return digits(2, 16, 0),
        'u' => return digits(4, 16, 0),
        'U' => return digits(8, 16, 0),
        '0'..='7' => return digits(2, 8, kind.to_digit(8).unwrap_or(0)),
        _ => return Err("there is no such escape in a text".to_owned()),
    }))
}

/// Writes a text so that it reads back as itself.
pub(super) fn quote(out: &mut String, text: &str) {
    let _ = write!(out, "{}", Quoted(text));
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn escapes_are_those_of_go() {
        let table = [
            (r#""a\"b" x"#, Ok(("a\"b", 6))),
            (r"'it\'s'", Ok(("it's", 7))),
            (r#"'"'"#, Ok(("\"", 3))),
            (r"`a\n`", Ok(("a\\n", 5))),
            (r#""\x41\101\u00e4\U0001F600""#, Ok(("AAä😀", 26))),
            (r#""\xc3\xa4\303\244""#, Ok(("ää", 18))),
            (r#""\"'"#, Err(())),
            (r#""\'""#, Err(())),
            (r#""\q""#, Err(())),
            (r#""\xff""#, Err(())),
            (r#""\ud800""#, Err(())),
            ("\"a\nb\"", Err(())),
            ("'a", Err(())),
        ];
        for (text, expected) in table {
            let is = unquote(text).map_err(|_| ());
            assert_eq!(is, expected.map(|(t, n)| (t.to_owned(), n)), "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_quoted_reads_back(text in ".*") {
            let mut quoted = String::new();
            quote(&mut quoted, &text);
            prop_assert_eq!(unquote(&quoted), Ok((text, quoted.len())));
        }
    }
}
