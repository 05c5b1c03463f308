//! Text from outside, made safe to show: no control characters, no direction tricks, bounded.

/// The longest reason kept, in characters; what is longer ends in `…`.
pub const MAX_REASON: usize = 300;

/// True for what must never reach a terminal from outside: C0 and C1 controls, DEL, bidirectional
/// overrides and isolates, zero-width and other invisible format characters.
pub fn is_hostile(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// One line, neutralised and cut to `max` characters, between words where that costs little. Tabs
/// and line ends become one space, as do several spaces; any other hostile character becomes `·`, so
/// that its place can still be seen.
pub fn one_line(text: &str, max: usize) -> String {
    neutralised(text.trim(), max, false)
}

/// As [`one_line`], for a line that is laid out in columns: its spaces stay.
pub fn laid_out(text: &str, max: usize) -> String {
    neutralised(text.trim_end(), max, true)
}

fn neutralised(text: &str, max: usize, keep_spaces: bool) -> String {
    let mut out = String::with_capacity(text.len().min(max * 2));
    let mut count = 0;
    let mut pending_space = false;
    for c in text.chars() {
        let space = c == ' ' && keep_spaces;
        if c.is_whitespace() && !space {
            pending_space = true;
            continue;
        }
        if count + usize::from(pending_space) >= max {
            if !pending_space && !space {
                end_at_a_word(&mut out, max);
            }
            let whole = out.trim_end_matches([' ', ';', ',', ':', '…']).len();
            out.truncate(whole);
            if max > 0 {
                out.push('…');
            }
            return out;
        }
        if pending_space {
            out.push(' ');
            count += 1;
            pending_space = false;
        }
        out.push(if is_hostile(c) { '·' } else { c });
        count += 1;
    }
    out
}

/// Takes a word away of which only the beginning stands at the end, unless that were more than a
/// quarter of what fits: then the half word tells more than nothing.
fn end_at_a_word(out: &mut String, max: usize) {
    if let Some(space) = out.rfind(' ')
        && out.get(..space).is_some_and(|kept| kept.chars().count() >= max - max / 4)
    {
        out.truncate(space);
    }
}

/// Several things in one line of at most `max` characters: whole ones as long as they fit, then how
/// many more there are. The first is told in any case.
pub fn listed(parts: &[String], max: usize) -> String {
    /// What is kept free for "; and 9 more".
    const MORE: usize = 16;
    let whole = parts.join("; ");
    if whole.chars().count() <= max {
        return one_line(&whole, max);
    }
    let mut out = String::new();
    for (i, part) in parts.iter().enumerate() {
        let part = one_line(part, max);
        let wide = out.chars().count() + part.chars().count() + MORE;
        if i > 0 && wide > max {
            return one_line(&format!("{out}; and {} more", parts.len() - i), max);
        }
        if i > 0 {
            out.push_str("; ");
        }
        out.push_str(&part);
    }
    one_line(&out, max)
}

/// A reason: one safe line of at most [`MAX_REASON`] characters.
pub fn reason(text: &str) -> String {
    one_line(text, MAX_REASON)
}

/// The safe form of bytes that may not be UTF-8.
pub fn one_line_bytes(bytes: &[u8], max: usize) -> String {
    // A character is at most four bytes, so nothing that would be shown is cut off here.
    let cut = bytes.get(..bytes.len().min(max.saturating_mul(4) + 4)).unwrap_or(bytes);
    one_line(&String::from_utf8_lossy(cut), max)
}

/// The nearest of `valid` to `wrong`, when it is near enough to be meant.
pub fn nearest<'a>(wrong: &str, valid: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let limit = (wrong.chars().count() / 3).max(1) + 1;
    valid
        .into_iter()
        .map(|name| (strsim::damerau_levenshtein(&wrong.to_lowercase(), &name.to_lowercase()), name))
        .filter(|(distance, name)| *distance <= limit && *distance < name.chars().count().max(2))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

/// Go's escapes in a quoted text; `None` where one is wrong.
pub fn unescape_go(body: &str) -> Option<String> {
    let mut out = String::with_capacity(body.len());
    let mut chars = body.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            out.push(c);
            continue;
        }
        let kind = chars.next()?;
        let simple = match kind {
            'a' => Some('\x07'),
            'b' => Some('\x08'),
            'f' => Some('\x0c'),
            'n' => Some('\n'),
            'r' => Some('\r'),
            't' => Some('\t'),
            'v' => Some('\x0b'),
            '\\' | '"' | '\'' => Some(kind),
            _ => None,
        };
        if let Some(c) = simple {
            out.push(c);
            continue;
        }
        let (digits, radix, first) = match kind {
            'x' => (2, 16, None),
            'u' => (4, 16, None),
            'U' => (8, 16, None),
            c if c.is_digit(8) => (2, 8, Some(c)),
            _ => return None,
        };
        let mut text: String = first.into_iter().collect();
        text.extend(chars.by_ref().take(digits));
        let full = text.chars().count() == digits + usize::from(first.is_some());
        out.push(u32::from_str_radix(&text, radix).ok().filter(|_| full).and_then(char::from_u32)?);
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn escapes_and_direction_tricks_are_shown_as_dots() {
        let table = [
            ("\x1b[2J\x1b]0;pwned\x07ok", "·[2J·]0;pwned·ok"),
            ("a\u{202e}b\u{200b}c", "a·b·c"),
            ("line\r\nline\ttab", "line line tab"),
            ("\u{9b}31m", "·31m"),
        ];
        for (text, want) in table {
            assert_eq!(one_line(text, 100), want);
        }
    }

    #[test]
    fn what_is_cut_ends_with_a_whole_word_where_that_costs_little() {
        let table = [
            ("seen by 127.0.0.1", 17, "seen by 127.0.0.1"),
            ("client-health is up: 200 OK, quickly", 32, "client-health is up: 200 OK…"),
            ("admin-ready is up; services is up", 19, "admin-ready is up…"),
            ("one two three", 3, "one…"),
            // A half word tells more than half of what there is room for.
            ("sha256 0123456789abcdef", 12, "sha256 01234…"),
            ("abc", 0, ""),
        ];
        for (text, max, want) in table {
            assert_eq!(one_line(text, max), want, "{text} {max}");
        }
    }

    #[test]
    fn what_is_laid_out_keeps_its_columns_and_nothing_else() {
        assert_eq!(laid_out(" 1  done     tunnels\x1b[2J\n\n ", 40), " 1  done     tunnels·[2J");
        assert_eq!(one_line(" 1  done     tunnels", 40), "1 done tunnels");
    }

    #[test]
    fn several_things_are_told_whole_or_counted() {
        let parts: Vec<String> = ["a is up: fine", "b is up: fine", "c is up: fine"].map(Into::into).into();
        assert_eq!(listed(&parts, 60), "a is up: fine; b is up: fine; c is up: fine");
        assert_eq!(listed(&parts, 42), "a is up: fine; b is up: fine; and 1 more");
        assert_eq!(listed(&parts, 41), "a is up: fine; and 2 more");
        assert_eq!(listed(&parts[..1], 8), "a is up…");
        assert_eq!(listed(&[], 8), "");
    }

    #[test]
    fn the_nearest_name_is_offered_only_when_it_is_near() {
        let names = ["interval", "timeout", "conditions"];
        assert_eq!(nearest("intervall", names), Some("interval"));
        assert_eq!(nearest("Timeuot", names), Some("timeout"));
        assert_eq!(nearest("zebra", names), None);
    }

    proptest! {
        #[test]
        fn what_is_shown_is_safe_and_bounded(text in "\\PC{0,40}|[\\x00-\\x9f\u{202a}-\u{202e} a-z]{0,60}", max in 0usize..50) {
            let shown = one_line(&text, max);
            prop_assert!(shown.chars().count() <= max + 1);
            prop_assert!(!shown.chars().any(is_hostile));
            let laid = laid_out(&text, max);
            prop_assert!(laid.chars().count() <= max + 1);
            prop_assert!(!laid.chars().any(is_hostile));
            let parts: Vec<String> = text.split('a').map(str::to_owned).collect();
            prop_assert!(listed(&parts, max).chars().count() <= max + 1);
        }
    }
}
