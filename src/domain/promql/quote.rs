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
    let mut out = String::new();
    while let Some((at, c)) = chars.next() {
        match c {
            c if c == quote => return Ok((out, at + 1)),
            '\n' => {
                return Err("a text in quotes ends with its line (write \\n, or use backquotes)".to_owned());
            }
            '\\' => {
                let (_, kind) = chars.next().ok_or("a text is never closed")?;
                out.push(escape(kind, quote, &mut chars)?);
            }
            c => out.push(c),
        }
    }
    Err("a text is never closed".to_owned())
}

fn escape(kind: char, quote: char, chars: &mut std::str::CharIndices<'_>) -> Result<char, String> {
    let mut digits = |count: usize, radix: u32, start: u32| -> Result<char, String> {
        let mut code = start;
        for _ in 0..count {
            let digit = chars.next().and_then(|(_, c)| c.to_digit(radix));
            code = code * radix + digit.ok_or("an escape is cut short")?;
        }
        // One byte above 127 is no text in UTF-8, and labels are text.
        let byte = count < 4;
        if byte && code > 127 {
            return Err("an escape gives a byte that is no text".to_owned());
        }
        char::from_u32(code).ok_or_else(|| "an escape gives no character".to_owned())
    };
    Ok(match kind {
        'a' => '\u{7}',
        'b' => '\u{8}',
        'f' => '\u{c}',
        'n' => '\n',
        'r' => '\r',
        't' => '\t',
        'v' => '\u{b}',
        '\\' => '\\',
        c if c == quote => c,
        'x' => digits(2, 16, 0)?,
        'u' => digits(4, 16, 0)?,
        'U' => digits(8, 16, 0)?,
        '0'..='7' => digits(2, 8, kind.to_digit(8).unwrap_or(0))?,
        _ => return Err("there is no such escape in a text".to_owned()),
    })
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
            assert_eq!(is.as_ref().map(|(t, n)| (t.as_str(), *n)).map_err(|()| ()), expected, "{text}");
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
