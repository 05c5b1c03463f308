//! The values a procedure needs before it can be planned: typed, and checked as they are typed.

use crate::domain::id::ProcedureId;
use crate::domain::procedure::param::{Kind, MAX_VALUE, Param};
use crate::domain::units::parse_duration;
use crate::stack::procedure::spec::Procedure;
use crate::tui::typing::edit;
use crossterm::event::{KeyCode, KeyEvent};
use std::collections::BTreeMap;
use std::net::IpAddr;
use tui_input::Input;

/// The values of one procedure, as they are being given.
#[derive(Clone, Debug)]
pub struct Form {
    pub procedure: ProcedureId,
    pub name: String,
    pub about: String,
    pub fields: Vec<Field>,
    /// The field that gets the keys.
    pub at: usize,
    /// Enter was pressed while something was missing: empty fields are wrong now, too.
    pub tried: bool,
}

/// One value.
#[derive(Clone, Debug)]
pub struct Field {
    pub param: Param,
    pub input: Input,
}

impl Field {
    /// What is wrong with the value, in words.
    pub fn wrong(&self) -> Option<String> {
        let value = self.input.value();
        if value.is_empty() {
            Some("a value is needed".to_owned())
        } else {
            check(&self.param.kind, value).err()
        }
    }

    /// The next or previous of a choice; nothing for other kinds.
    fn turn(&mut self, forward: bool) -> bool {
        let Kind::Choice { values } = &self.param.kind else { return false };
        let count = values.len().max(1);
        let at = values.iter().position(|v| v == self.input.value());
        let to = match (at, forward) {
            (None, _) => 0,
            (Some(at), true) => (at + 1) % count,
            (Some(at), false) => (at + count - 1) % count,
        };
        if let Some(value) = values.get(to) {
            self.input = Input::new(value.clone());
        }
        true
    }
}

/// What a key did to the form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    Nothing,
    Closed,
    /// Every value is there and right.
    Given(BTreeMap<String, String>),
}

impl Form {
    /// The values that are known already: from the selected row, else the defaults.
    pub fn new(procedure: &Procedure, known: &BTreeMap<String, String>) -> Form {
        let fields = procedure.params.iter().map(|param| {
            let value = known.get(&param.id).or(param.default.as_ref()).cloned().unwrap_or_default();
            Field { param: param.clone(), input: Input::new(value) }
        });
        let mut form = Form {
            procedure: procedure.id.clone(),
            name: procedure.name.clone(),
            about: procedure.about.clone(),
            fields: fields.collect(),
            at: 0,
            tried: false,
        };
        form.at = form.first_wrong().unwrap_or(0);
        form
    }

    pub fn first_wrong(&self) -> Option<usize> {
        self.fields.iter().position(|f| f.wrong().is_some())
    }

    pub fn values(&self) -> BTreeMap<String, String> {
        self.fields.iter().map(|f| (f.param.id.clone(), f.input.value().to_owned())).collect()
    }

    pub fn key(&mut self, key: KeyEvent) -> Said {
        let last = self.fields.len().saturating_sub(1);
        match key.code {
            KeyCode::Esc => return Said::Closed,
            KeyCode::Enter => match self.first_wrong() {
                None => return Said::Given(self.values()),
                Some(wrong) => {
                    self.tried = true;
                    self.at = wrong;
                }
            },
            KeyCode::Tab | KeyCode::Down => self.at = if self.at >= last { 0 } else { self.at + 1 },
            KeyCode::BackTab | KeyCode::Up => self.at = if self.at == 0 { last } else { self.at - 1 },
            code => {
                let Some(field) = self.fields.get_mut(self.at) else { return Said::Nothing };
                let turned = match code {
                    KeyCode::Left => field.turn(false),
                    KeyCode::Right | KeyCode::Char(' ') => field.turn(true),
                    _ => false,
                };
                if !turned {
                    edit(&mut field.input, key, MAX_VALUE);
                }
            }
        }
        Said::Nothing
    }

    /// A value may be pasted: it is checked like any other, and confirms nothing.
    pub fn paste(&mut self, text: &str) {
        if let Some(field) = self.fields.get_mut(self.at) {
            text.chars().for_each(|c| crate::tui::typing::insert(&mut field.input, c, MAX_VALUE));
        }
    }
}

/// What a kind takes, in words.
pub fn takes(kind: &Kind) -> String {
    match kind {
        Kind::Ip => "an IP address".to_owned(),
        Kind::Cidr => "a network such as 192.0.2.0/24".to_owned(),
        Kind::Unit => "a systemd unit such as nginx.service".to_owned(),
        Kind::Service => "a service's name".to_owned(),
        Kind::User => "a user's name".to_owned(),
        Kind::Path => "an absolute path".to_owned(),
        Kind::Int { min, max } => format!("a whole number from {min} to {max}"),
        Kind::Duration => "a duration such as 30s, 15m or 2h".to_owned(),
        Kind::Choice { values } => format!("one of {}; arrows choose", values.join(", ")),
        Kind::Regex { pattern } => format!("a text that matches {pattern}"),
    }
}

/// Whether a value is of a kind. The planner checks again: this is so that a mistake is said at
/// once.
///
/// # Errors
/// What is wrong, in words.
pub fn check(kind: &Kind, value: &str) -> Result<(), String> {
    if value.len() > MAX_VALUE {
        return Err(format!("longer than {MAX_VALUE} bytes"));
    }
    if value.chars().any(crate::domain::text::is_hostile) {
        return Err("has characters that cannot be seen".to_owned());
    }
    let right = match kind {
        Kind::Ip => value.parse::<IpAddr>().is_ok(),
        Kind::Cidr => is_network(value),
        Kind::Unit => {
            is_name(value, "@-_.:\\")
                && value.rsplit_once('.').is_some_and(|(n, k)| !n.is_empty() && !k.is_empty())
        }
        Kind::Service => is_name(value, "-_.@"),
        Kind::User => is_name(value, "-_."),
        Kind::Path => return path(value),
        Kind::Int { min, max } => return number(value, *min, *max),
        Kind::Duration => parse_duration(value).is_some(),
        Kind::Choice { values } => values.iter().any(|v| v == value),
        Kind::Regex { pattern } => {
            return match regex::Regex::new(&format!("^(?:{pattern})$")) {
                Ok(regex) if regex.is_match(value) => Ok(()),
                Ok(_) => Err(format!("does not match {pattern}")),
                Err(_) => Err("its pattern is none: the stack file is wrong".to_owned()),
            };
        }
    };
    if right { Ok(()) } else { Err(format!("is not {}", takes(kind).replace("; arrows choose", ""))) }
}

/// A name that no command takes for an option.
fn is_name(value: &str, signs: &str) -> bool {
    value.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_')
        && value.chars().all(|c| c.is_ascii_alphanumeric() || signs.contains(c))
}

fn is_network(value: &str) -> bool {
    let Some((address, bits)) = value.split_once('/') else { return false };
    let most = match address.parse::<IpAddr>() {
        Ok(IpAddr::V4(_)) => 32,
        Ok(IpAddr::V6(_)) => 128,
        Err(_) => return false,
    };
    bits.parse::<u8>().is_ok_and(|bits| bits <= most) && !bits.starts_with('+')
}

fn path(value: &str) -> Result<(), String> {
    if !value.starts_with('/') {
        Err("is not absolute: it must begin with /".to_owned())
    } else if value.split('/').any(|part| part == "..") {
        Err("has .. in it".to_owned())
    } else {
        Ok(())
    }
}

fn number(value: &str, min: i64, max: i64) -> Result<(), String> {
    match value.parse::<i64>() {
        Err(_) => Err("is no whole number".to_owned()),
        Ok(n) if n < min => Err(format!("is less than {min}")),
        Ok(n) if n > max => Err(format!("is more than {max}")),
        Ok(_) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_and_what_is_said_of_them() {
        let choice = Kind::Choice { values: vec!["auth".into(), "ipam".into()] };
        let int = Kind::Int { min: 1, max: 60 };
        let regex = Kind::Regex { pattern: "[a-z]+|x1".into() };
        let table: &[(&Kind, &str, Option<&str>)] = &[
            (&Kind::Ip, "192.0.2.7", None),
            (&Kind::Ip, "2001:db8::1", None),
            (&Kind::Ip, "192.0.2.300", Some("is not an IP address")),
            (&Kind::Cidr, "192.0.2.0/24", None),
            (&Kind::Cidr, "192.0.2.0/33", Some("is not a network such as 192.0.2.0/24")),
            (&Kind::Unit, "nginx.service", None),
            (&Kind::Unit, "nginx", Some("is not a systemd unit such as nginx.service")),
            (&Kind::Service, "-rf", Some("is not a service's name")),
            (&Kind::User, "ops", None),
            (&Kind::Path, "/var/lib/x", None),
            (&Kind::Path, "var", Some("is not absolute: it must begin with /")),
            (&Kind::Path, "/var/../etc", Some("has .. in it")),
            (&int, "60", None),
            (&int, "61", Some("is more than 60")),
            (&int, "0", Some("is less than 1")),
            (&int, "x", Some("is no whole number")),
            (&Kind::Duration, "15m", None),
            (&Kind::Duration, "15", Some("is not a duration such as 30s, 15m or 2h")),
            (&choice, "ipam", None),
            (&choice, "dns", Some("is not one of auth, ipam")),
            (&regex, "abc", None),
            // The whole value must match, also with an alternative in the pattern.
            (&regex, "x1y", Some("does not match [a-z]+|x1")),
            (&Kind::Service, "a\u{202e}b", Some("has characters that cannot be seen")),
        ];
        for (kind, value, want) in table {
            assert_eq!(check(kind, value).err().as_deref(), *want, "{kind:?} {value}");
        }
    }
}
