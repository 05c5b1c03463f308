//! Completing what is typed of an expression: names of metrics, labels and functions.

/// Functions, aggregations and words of the language, as Prometheus names them.
const LANGUAGE: &[&str] = &[
    "abs",
    "absent",
    "absent_over_time",
    "avg",
    "avg_over_time",
    "bool",
    "bottomk",
    "by",
    "ceil",
    "changes",
    "clamp",
    "clamp_max",
    "clamp_min",
    "count",
    "count_over_time",
    "count_values",
    "day_of_month",
    "day_of_week",
    "day_of_year",
    "days_in_month",
    "delta",
    "deriv",
    "exp",
    "floor",
    "group",
    "group_left",
    "group_right",
    "histogram_quantile",
    "hour",
    "idelta",
    "ignoring",
    "increase",
    "irate",
    "label_join",
    "label_replace",
    "last_over_time",
    "ln",
    "log10",
    "log2",
    "max",
    "max_over_time",
    "min",
    "min_over_time",
    "minute",
    "month",
    "offset",
    "on",
    "or",
    "predict_linear",
    "present_over_time",
    "quantile",
    "quantile_over_time",
    "rate",
    "resets",
    "round",
    "scalar",
    "sgn",
    "sort",
    "sort_desc",
    "sqrt",
    "stddev",
    "stddev_over_time",
    "stdvar",
    "stdvar_over_time",
    "sum",
    "sum_over_time",
    "time",
    "timestamp",
    "topk",
    "unless",
    "vector",
    "without",
    "year",
];

/// The most that are offered.
const MAX: usize = 200;

/// What could stand where the cursor is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Completion {
    /// The first character of the word that is completed, counted in characters.
    pub start: usize,
    /// In order; the ones that begin like the word first.
    pub list: Vec<String>,
}

/// What is expected at a place of an expression.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Expected {
    Name,
    Label,
    /// Inside quotes or a range: nothing that is known here.
    Nothing,
}

/// What could complete the word before the cursor (`at`, in characters).
pub fn complete(text: &str, at: usize, names: &[String], labels: &[String]) -> Completion {
    let before: Vec<char> = text.chars().take(at).collect();
    let is_word = |c: &char| c.is_alphanumeric() || matches!(c, '_' | ':' | '.');
    let start = before.len() - before.iter().rev().take_while(|c| is_word(c)).count();
    let word: String = before.iter().skip(start).collect();
    let lower = word.to_lowercase();
    let candidates: Vec<&str> = match expected(before.get(..start).unwrap_or(&[])) {
        Expected::Nothing => Vec::new(),
        Expected::Label => labels.iter().map(String::as_str).collect(),
        Expected::Name => names.iter().map(String::as_str).chain(LANGUAGE.iter().copied()).collect(),
    };
    let (mut list, mut inside): (Vec<String>, Vec<String>) = (Vec::new(), Vec::new());
    for candidate in candidates {
        // Names come from outside: one that cannot be typed is not offered.
        if candidate == word || candidate.chars().any(crate::domain::text::is_hostile) {
            continue;
        }
        let small = candidate.to_lowercase();
        if small.starts_with(&lower) {
            list.push(candidate.to_owned());
        } else if lower.len() >= 2 && small.contains(&lower) {
            inside.push(candidate.to_owned());
        }
    }
    list.append(&mut inside);
    list.truncate(MAX);
    Completion { start, list }
}

/// What the text before a word asks for: labels in braces and after `by`, `on` and the like.
fn expected(before: &[char]) -> Expected {
    let mut quote: Option<char> = None;
    let mut escaped = false;
    let mut open: Vec<(char, bool)> = Vec::new();
    let mut word = String::new();
    let mut last_word = String::new();
    // Whether a label's value is expected: behind an operator inside braces.
    let mut value = false;
    for &c in before {
        if let Some(q) = quote {
            if escaped {
                escaped = false;
            } else if c == '\\' && q != '`' {
                escaped = true;
            } else if c == q {
                quote = None;
            }
            continue;
        }
        if c.is_alphanumeric() || c == '_' {
            word.push(c);
            continue;
        }
        if !word.is_empty() {
            last_word = std::mem::take(&mut word);
        }
        match c {
            '"' | '\'' | '`' => quote = Some(c),
            '(' => {
                let grouping = ["by", "without", "on", "ignoring", "group_left", "group_right"];
                open.push((c, grouping.contains(&last_word.to_lowercase().as_str())));
                last_word.clear();
            }
            '{' | '[' => {
                open.push((c, c == '{'));
                value = false;
            }
            ')' | '}' | ']' => {
                open.pop();
                last_word.clear();
            }
            '=' | '~' | '!' => value = true,
            ',' => value = false,
            c if c.is_whitespace() => {}
            _ => last_word.clear(),
        }
    }
    match (quote, open.last()) {
        (Some(_), _) | (None, Some(('[', _))) => Expected::Nothing,
        (None, Some(('{', _))) if value => Expected::Nothing,
        (None, Some((_, true))) => Expected::Label,
        _ => Expected::Name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn first(text: &str) -> Option<String> {
        let names = ["relay_http_requests_total", "relay_security_events_total", "up"].map(str::to_owned);
        let labels = ["instance", "job", "method", "status"].map(str::to_owned);
        let (text, at) = match text.find('|') {
            Some(at) => (text.replace('|', ""), at),
            None => (text.to_owned(), text.chars().count()),
        };
        complete(&text, at, &names, &labels).list.into_iter().next()
    }

    #[test]
    fn what_is_offered_fits_the_place() {
        let table = [
            ("rel", Some("relay_http_requests_total")),
            ("sum(rate(relay_s", Some("relay_security_events_total")),
            ("histo", Some("histogram_quantile")),
            ("http_req", Some("relay_http_requests_total")),
            ("relay_http_requests_total{st", Some("status")),
            ("relay_http_requests_total{status=\"5", None),
            ("relay_http_requests_total{status=\"500\",me", Some("method")),
            ("sum by (jo", Some("job")),
            ("a * on (inst", Some("instance")),
            ("sum(jo", None),
            ("up[5", None),
            ("rate(re|[5m])", Some("relay_http_requests_total")),
            ("sum by (job) (u", Some("up")),
            ("zzzz", None),
        ];
        for (text, want) in table {
            assert_eq!(first(text).as_deref(), want, "{text}");
        }
    }

    proptest! {
        #[test]
        fn nothing_typed_breaks_it(text in "\\PC{0,30}|[a-z{}()\\[\\]\"',= ]{0,30}", at in 0usize..40) {
            let done = complete(&text, at, &["a\u{202e}b".to_owned()], &[]);
            prop_assert!(done.start <= text.chars().count());
            let clean = done.list.iter().all(|c| !c.contains('\u{202e}'));
            prop_assert!(clean);
        }
    }
}
