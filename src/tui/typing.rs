//! Editing a line of text: the filter, the palette and the expression share it.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use tui_input::{Input, InputRequest};

/// The longest filter or palette text, in characters.
pub const MAX_TYPED: usize = 200;

/// The longest expression, in characters.
pub const MAX_EXPRESSION: usize = 2000;

/// Types one character, unless the text is as long as it may be.
pub fn insert(input: &mut Input, c: char, max: usize) {
    if input.value().chars().count() < max {
        input.handle(InputRequest::InsertChar(c));
    }
}

/// Edits a line of text; tells whether the key was for it.
pub fn edit(input: &mut Input, key: KeyEvent, max: usize) -> bool {
    let ctrl = key.modifiers.contains(KeyModifiers::CONTROL);
    let request = match key.code {
        KeyCode::Char('u') if ctrl => InputRequest::DeleteLine,
        KeyCode::Char('w') if ctrl => InputRequest::DeletePrevWord,
        KeyCode::Char('a') if ctrl => InputRequest::GoToStart,
        KeyCode::Char('e') if ctrl => InputRequest::GoToEnd,
        KeyCode::Char(c) if !ctrl => {
            insert(input, c, max);
            return true;
        }
        KeyCode::Backspace => InputRequest::DeletePrevChar,
        KeyCode::Delete => InputRequest::DeleteNextChar,
        KeyCode::Left => InputRequest::GoToPrevChar,
        KeyCode::Right => InputRequest::GoToNextChar,
        KeyCode::Home => InputRequest::GoToStart,
        KeyCode::End => InputRequest::GoToEnd,
        _ => return false,
    };
    input.handle(request);
    true
}
