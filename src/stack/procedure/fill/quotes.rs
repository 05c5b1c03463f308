//! Where the quotes of a text are, and how a value is written inside them.

use super::Lang;

/// What encloses a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quote {
    None,
    /// Between two of these; `true` when the text in them is a regular expression.
    In(char, bool),
}

/// What encloses the end of a text.
///
/// # Errors
/// Where that cannot be told for certain.
pub fn at_end(lang: Lang, before: &str) -> Result<Quote, String> {
    if lang == Lang::Sql && (before.contains("--") || before.contains("/*") || before.contains('$')) {
        // Comments and dollar quotes hide quotes, and `$1` is of another sort of statement.
        return Err("no value follows a comment or a $ in a statement".to_owned());
    }
    let opens: &[char] = match lang {
        Lang::Sql => &['\'', '"'],
        Lang::Expr => &['\'', '"', '`'],
        _ => &['"'],
    };
    let mut now = Quote::None;
    let mut skip = false;
    let mut comment = false;
    for (at, c) in before.char_indices() {
        if std::mem::take(&mut skip) {
            continue;
        }
        comment &= c != '\n';
        match now {
            Quote::None if comment => {}
            Quote::None if c == '#' && lang == Lang::Expr => comment = true,
            Quote::None if opens.contains(&c) => {
                now = Quote::In(c, is_pattern(before.get(..at).unwrap_or("")));
                if lang == Lang::Sql && ends_in_e(before.get(..at).unwrap_or("")) {
                    return Err("no value stands in an E'…' text of a statement".to_owned());
                }
            }
            Quote::In(q, _) if c == q => now = Quote::None,
            Quote::In(q, _) if c == '\\' && q != '`' && lang != Lang::Sql => skip = true,
            _ => {}
        }
    }
    if comment {
        return Err("a comment is no place for a value".to_owned());
    }
    Ok(now)
}

/// Whether a regular expression follows: `=~`, `!~`, `matches`.
fn is_pattern(before: &str) -> bool {
    let before = before.trim_end();
    before.ends_with('~') || before.ends_with("matches")
}

/// `E'…'` takes backslashes.
fn ends_in_e(before: &str) -> bool {
    before.ends_with(['e', 'E']) && !before.trim_end_matches(['e', 'E']).ends_with(char::is_alphanumeric)
}

/// A value as it is written in quotes.
///
/// # Errors
/// When there is no way to write it.
pub fn escape(lang: Lang, quote: Quote, value: &str) -> Result<String, String> {
    let Quote::In(quote, pattern) = quote else { return Ok(value.to_owned()) };
    let value = if pattern { regex::escape(value) } else { value.to_owned() };
    if lang == Lang::Sql {
        if value.contains('\\') {
            return Err("a statement's text cannot have a backslash filled in".to_owned());
        }
        let (one, two) = (quote.to_string(), format!("{quote}{quote}"));
        return Ok(value.replace(&one, &two));
    }
    if quote == '`' {
        let fits = !value.contains('`');
        return if fits { Ok(value) } else { Err("backquotes cannot hold a backquote".to_owned()) };
    }
    if lang == Lang::Json {
        let quoted = serde_json::Value::String(value).to_string();
        let inner = quoted.strip_prefix('"').and_then(|q| q.strip_suffix('"'));
        return Ok(inner.unwrap_or_default().to_owned());
    }
    let mut out = String::with_capacity(value.len());
    for c in value.chars() {
        if c == quote || c == '\\' {
            out.push('\\');
        }
        out.push(c);
    }
    Ok(out)
}
