//! Which key asks for which command. Two commands on one key are refused, not silently ordered.

use super::command::{self, Action, COMMANDS};
use crokey::{KeyCombination, KeyCombinationFormat};
use crossterm::event::KeyEvent;
use std::collections::HashMap;

/// The bindings in force.
#[derive(Clone, Debug)]
pub struct Keymap {
    bindings: HashMap<KeyCombination, Action>,
    /// As they are shown, in the order given; by action.
    shown: HashMap<Action, Vec<String>>,
}

/// A binding that cannot be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyError {
    UnknownCommand { name: String, nearest: Option<&'static str> },
    BadKey { name: String, key: String },
    Conflict { key: String, first: &'static str, second: &'static str },
}

impl std::fmt::Display for KeyError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            KeyError::UnknownCommand { name, nearest: Some(near) } => {
                write!(f, "no command is called `{name}`; did you mean `{near}`?")
            }
            KeyError::UnknownCommand { name, nearest: None } => write!(f, "no command is called `{name}`"),
            KeyError::BadKey { name, key } => {
                write!(f, "`{key}` for `{name}` is no key; write for example q, G, ctrl-r, f5 or space")
            }
            KeyError::Conflict { key, first, second } => {
                write!(f, "the key {key} is bound to both `{first}` and `{second}`")
            }
        }
    }
}

impl Keymap {
    /// The default bindings with some commands' keys replaced.
    ///
    /// # Errors
    /// Every command name, key and conflict that is wrong.
    pub fn new<'a>(
        overrides: impl IntoIterator<Item = (&'a str, Vec<String>)>,
    ) -> Result<Keymap, Vec<KeyError>> {
        let mut keys: HashMap<Action, Vec<String>> =
            COMMANDS.iter().map(|c| (c.action, c.keys.iter().map(|k| (*k).to_owned()).collect())).collect();
        let mut errors = Vec::new();
        for (name, new) in overrides {
            match command::by_name(name) {
                Some(command) => {
                    keys.insert(command.action, new);
                }
                None => errors.push(KeyError::UnknownCommand {
                    name: name.to_owned(),
                    nearest: crate::domain::text::nearest(name, command::names()),
                }),
            }
        }
        let mut bindings: HashMap<KeyCombination, Action> = HashMap::new();
        for command in COMMANDS {
            for key in keys.get(&command.action).into_iter().flatten() {
                let Some(combination) = parse(key) else {
                    errors.push(KeyError::BadKey { name: command.name.to_owned(), key: key.clone() });
                    continue;
                };
                if let Some(other) = bindings.insert(combination, command.action) {
                    let first = COMMANDS.iter().find(|c| c.action == other).map_or("", |c| c.name);
                    errors.push(KeyError::Conflict { key: key.clone(), first, second: command.name });
                }
            }
        }
        if errors.is_empty() { Ok(Keymap { bindings, shown: keys }) } else { Err(errors) }
    }

    pub fn action(&self, key: KeyEvent) -> Option<Action> {
        self.bindings.get(&KeyCombination::from(key)).copied()
    }

    /// The first key of a command, as a person reads it; empty when it has none.
    pub fn key_of(&self, action: Action) -> String {
        self.keys_of(action).into_iter().next().unwrap_or_default()
    }

    /// All keys of a command, as a person reads them.
    pub fn keys_of(&self, action: Action) -> Vec<String> {
        let format = KeyCombinationFormat::default().with_lowercase_modifiers();
        let shown = self.shown.get(&action).into_iter().flatten();
        shown.filter_map(|k| parse(k).map(|c| pretty(k, &format.to_string(c)))).collect()
    }
}

/// Single characters read best as they are typed; crokey writes `Shift-G` and `Space`.
fn pretty(written: &str, formatted: &str) -> String {
    if written.chars().count() == 1 { written.to_owned() } else { formatted.replace("Escape", "Esc") }
}

fn parse(key: &str) -> Option<KeyCombination> {
    let mut chars = key.chars();
    if let (Some(c), None) = (chars.next(), chars.next()) {
        // crokey reads `G` as `g` and does not know `?`: take one character as it is typed.
        let modifiers = if c.is_ascii_uppercase() {
            crossterm::event::KeyModifiers::SHIFT
        } else {
            crossterm::event::KeyModifiers::NONE
        };
        return Some(KeyCombination::from(KeyEvent::new(crossterm::event::KeyCode::Char(c), modifiers)));
    }
    crokey::parse(key).ok().map(KeyCombination::normalized)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crossterm::event::{KeyCode, KeyModifiers};

    fn press(map: &Keymap, code: KeyCode, modifiers: KeyModifiers) -> Option<Action> {
        map.action(KeyEvent::new(code, modifiers))
    }

    #[test]
    fn the_default_keys_do_not_collide_and_work_as_a_terminal_sends_them() {
        let map = Keymap::new([]).unwrap();
        let none = KeyModifiers::NONE;
        let table = [
            (KeyCode::Char('q'), none, Action::Quit),
            (KeyCode::Char('c'), KeyModifiers::CONTROL, Action::Quit),
            (KeyCode::Char('G'), KeyModifiers::SHIFT, Action::Last),
            (KeyCode::Char('g'), none, Action::First),
            (KeyCode::Char('?'), none, Action::Help),
            (KeyCode::Char(':'), none, Action::Palette),
            (KeyCode::Char(' '), none, Action::Fold),
            (KeyCode::Enter, none, Action::Open),
            (KeyCode::Esc, none, Action::Back),
            (KeyCode::PageDown, none, Action::PageDown),
            (KeyCode::F(1), none, Action::Help),
        ];
        for (code, modifiers, want) in table {
            assert_eq!(press(&map, code, modifiers), Some(want), "{code:?}");
        }
        assert_eq!(press(&map, KeyCode::Char('R'), KeyModifiers::SHIFT), Some(Action::Restart));
        // A capital that is one step from a letter's own command must not be taken for it.
        assert_eq!(press(&map, KeyCode::Char('r'), KeyModifiers::NONE), Some(Action::Resume));
        assert_eq!(press(&map, KeyCode::Char('W'), KeyModifiers::SHIFT), None);
    }

    #[test]
    fn a_rebound_command_loses_its_old_keys() {
        let map = Keymap::new([("quit", vec!["ctrl-q".to_owned()])]).unwrap();
        assert_eq!(press(&map, KeyCode::Char('q'), KeyModifiers::NONE), None);
        assert_eq!(press(&map, KeyCode::Char('q'), KeyModifiers::CONTROL), Some(Action::Quit));
        assert_eq!(map.key_of(Action::Quit), "ctrl-q");
    }

    #[test]
    fn what_cannot_be_bound_is_said_all_at_once() {
        let bad = [
            ("quti", vec!["x".to_owned()]),
            ("help", vec!["hyper-nope".to_owned()]),
            ("copy", vec!["q".to_owned()]),
        ];
        let errors: Vec<String> = Keymap::new(bad).unwrap_err().iter().map(ToString::to_string).collect();
        assert_eq!(errors.len(), 3, "{errors:?}");
        assert!(errors[0].contains("did you mean `quit`"), "{errors:?}");
        assert!(errors.iter().any(|e| e.contains("is no key")), "{errors:?}");
        assert!(errors.iter().any(|e| e.contains("`quit` and `copy`")), "{errors:?}");
    }
}
