//! Regular expressions as Go, and so Prometheus, reads them, written for Rust's crate.

/// The same expression for the `regex` crate. Where the two read one text in two ways, Go's holds:
/// in a class `[`, `&&`, `--` and `~~` are plain characters, a brace that repeats nothing is one
/// too, and `\d`, `\w`, `\s`, `\b` are of ASCII only. What Go refuses may still be taken.
pub fn go_regex(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    let mut rest = text;
    let mut class = Class::default();
    while let Some(c) = rest.chars().next() {
        let after = rest.get(c.len_utf8()..).unwrap_or("");
        let taken = match c {
            '\\' => escape(after, class.open, &mut out),
            '[' if class.open => bracket_in_class(rest, &mut out),
            '[' => {
                let negated = after.starts_with('^');
                out.push_str(if negated { "[^" } else { "[" });
                class = Class { open: true, first: true };
                rest = rest.get(1 + usize::from(negated)..).unwrap_or("");
                continue;
            }
            ']' if class.open && class.first => {
                out.push_str("\\]");
                1
            }
            ']' => {
                class.open = false;
                out.push(']');
                1
            }
            '&' | '~' if class.open => {
                out.push('\\');
                out.push(c);
                1
            }
            '-' if class.open && after.starts_with('-') => {
                out.push_str("\\-");
                1
            }
            '{' if !class.open && !repeats(after) => {
                out.push_str("\\{");
                1
            }
            c => {
                out.push(c);
                c.len_utf8()
            }
        };
        class.first = false;
        rest = rest.get(taken..).unwrap_or("");
    }
    out
}

#[derive(Default)]
struct Class {
    open: bool,
    /// Nothing stands in it yet: a closing bracket is a plain one here.
    first: bool,
}

/// Writes what follows a backslash; how many bytes that is, with the backslash.
fn escape(after: &str, in_class: bool, out: &mut String) -> usize {
    let Some(c) = after.chars().next() else {
        out.push('\\');
        return 1;
    };
    match (c, in_class) {
        ('d', false) => out.push_str("[0-9]"),
        ('d', true) => out.push_str("0-9"),
        ('D', false) => out.push_str("[^0-9]"),
        ('w', false) => out.push_str("[0-9A-Za-z_]"),
        ('w', true) => out.push_str("0-9A-Za-z_"),
        ('W', false) => out.push_str("[^0-9A-Za-z_]"),
        ('s', false) => out.push_str("[\\t\\n\\f\\r ]"),
        ('s', true) => out.push_str("\\t\\n\\f\\r "),
        ('S', false) => out.push_str("[^\\t\\n\\f\\r ]"),
        ('b', false) => out.push_str("(?-u:\\b)"),
        ('Q', false) => {
            let inner = after.get(1..).unwrap_or("");
            let end = inner.find("\\E").unwrap_or(inner.len());
            out.push_str(&regex::escape(inner.get(..end).unwrap_or("")));
            return 2 + (end + 2).min(inner.len());
        }
        (c, _) => {
            out.push('\\');
            out.push(c);
        }
    }
    1 + c.len_utf8()
}

fn bracket_in_class(rest: &str, out: &mut String) -> usize {
    let named = rest.starts_with("[:").then(|| rest.find(":]")).flatten();
    if let Some(end) = named {
        out.push_str(rest.get(..end + 2).unwrap_or(""));
        return end + 2;
    }
    out.push_str("\\[");
    1
}

/// Whether a brace begins a count: `{2}`, `{2,}`, `{2,5}`.
fn repeats(after: &str) -> bool {
    let Some((inside, _)) = after.split_once('}') else { return false };
    let number = |s: &str| !s.is_empty() && s.bytes().all(|b| b.is_ascii_digit());
    match inside.split_once(',') {
        None => number(inside),
        Some((least, most)) => number(least) && (most.is_empty() || number(most)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_two_read_otherwise_is_read_as_go_does() {
        let table: &[(&str, &str, bool)] = &[
            ("a|{", "{", true),
            ("a{b}", "a{b}", true),
            ("a{2}", "aa", true),
            ("a{,2}", "a{,2}", true),
            ("[[]", "[", true),
            ("[]a]+", "]a]", true),
            ("[^]a]", "]", false),
            ("[a&&b]+", "a&b", true),
            ("[a--]+", "a-", true),
            ("[[:digit:]]+", "12", true),
            (r"\d+", "12", true),
            (r"\d", "\u{663}", false),
            (r"[\d.]+", "1.2", true),
            (r"\w+", "ä", false),
            (r"\Qa.b\E.", "a.bx", true),
            (r"\Qa.b\E.", "axbx", false),
            (r"\Qa.b", "a.b", true),
            (r"\.", ".", true),
            (r"\bab\b", "ab", true),
        ];
        for (text, value, matches) in table {
            let regex = regex::Regex::new(&format!("^(?s:{})$", go_regex(text)))
                .unwrap_or_else(|e| panic!("{text}: {e}"));
            assert_eq!(regex.is_match(value), *matches, "{text} on {value}");
        }
    }
}
