//! The values a procedure needs before it can be planned: typed, and checked as they are typed.

use crate::domain::id::ProcedureId;
use crate::domain::procedure::param::{Kind, MAX_VALUE, Param};
use crate::stack::procedure::fill::sketch;
use crate::stack::procedure::params::check;
use crate::stack::procedure::spec::Procedure;
use crate::tui::typing::edit;
use crossterm::event::{KeyCode, KeyEvent};
use std::collections::BTreeMap;
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
        check(&self.param.kind, self.input.value()).err().map(|why| format!("expects {why}"))
    }

    /// Whether the arrows go through its values.
    pub fn turns(&self) -> bool {
        matches!(self.param.kind, Kind::Choice { .. })
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

    /// The procedure's name with the values as they stand in the form.
    pub fn title(&self) -> String {
        sketch(&self.name, &self.values())
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::act_fixture::procedures;
    use crossterm::event::KeyModifiers;

    #[test]
    fn what_is_wrong_is_said_at_once_and_arrows_choose() {
        let all = procedures();
        let service = all.all.iter().find(|p| p.id.as_str() == "restart-service").unwrap();
        let mut form = Form::new(service, &BTreeMap::new());
        let press = |form: &mut Form, code| form.key(KeyEvent::new(code, KeyModifiers::NONE));
        let wrong = |form: &Form| form.fields[form.at].wrong();
        // The first field without a value has the keys; the default of the other stands there.
        assert_eq!((form.at, form.fields[1].input.value()), (0, "5"));
        assert!(wrong(&form).unwrap().starts_with("expects one of relay, push"), "{:?}", wrong(&form));
        press(&mut form, KeyCode::Left);
        assert_eq!(wrong(&form), None);
        press(&mut form, KeyCode::Right);
        assert_eq!(form.fields[0].input.value(), "push");
        press(&mut form, KeyCode::Tab);
        press(&mut form, KeyCode::Char('9'));
        press(&mut form, KeyCode::Char('9'));
        assert!(wrong(&form).unwrap().contains("a whole number from 1 to 60"), "{:?}", wrong(&form));
        // Enter does not plan what is wrong.
        assert_eq!(press(&mut form, KeyCode::Enter), Said::Nothing);
        press(&mut form, KeyCode::Backspace);
        press(&mut form, KeyCode::Backspace);
        let given = [("grace", "5"), ("service", "push")].map(|(k, v)| (k.to_owned(), v.to_owned()));
        assert_eq!(press(&mut form, KeyCode::Enter), Said::Given(BTreeMap::from(given)));
    }
}
