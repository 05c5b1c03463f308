//! Finding a command by typing parts of its name.

use crate::tui::command::{Action, COMMANDS, Command};

/// The commands that match, best first: every letter typed occurs in order. What has no meaning
/// here (`offered`) is not among them.
pub fn matching(typed: &str, offered: impl Fn(Action) -> bool) -> Vec<&'static Command> {
    let typed = typed.trim().to_lowercase();
    let mut found: Vec<(usize, &'static Command)> = COMMANDS
        .iter()
        .filter(|c| offered(c.action))
        .filter_map(|c| score(&typed, c).map(|s| (s, c)))
        .collect();
    found.sort_by_key(|(score, _)| *score);
    found.into_iter().map(|(_, c)| c).collect()
}

/// Less is better: a prefix of the name, then part of the name, then of what it does, then letters in order.
fn score(typed: &str, command: &Command) -> Option<usize> {
    if command.name.starts_with(typed) {
        Some(0)
    } else if command.name.contains(typed) {
        Some(1)
    } else if command.doc.to_lowercase().contains(typed) {
        Some(2)
    } else {
        let mut rest = command.name.chars();
        typed.chars().all(|t| rest.any(|c| c == t)).then_some(3)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_few_letters_find_the_command() {
        let first = |typed: &str| matching(typed, |_| true).first().map(|c| c.name);
        for (typed, want) in [
            ("fre", Some("freeze")),
            ("only", Some("only-problems")),
            ("plw", Some("poll-now")),
            ("OSC", Some("copy")),
            ("zzzz", None),
        ] {
            assert_eq!(first(typed), want, "{typed}");
        }
        assert_eq!(matching("", |_| true).len(), COMMANDS.len());
    }
}
