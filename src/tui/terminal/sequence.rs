//! What each key's bytes mean, once they are complete.

use crossterm::event::{Event, KeyCode, KeyModifiers, MouseButton, MouseEvent, MouseEventKind};

use super::keys::key;

/// A byte below 0x80 on its own, named as crossterm names it: Ctrl-J is not Enter.
pub(super) fn ascii(byte: u8, modifiers: KeyModifiers) -> Event {
    let control = modifiers | KeyModifiers::CONTROL;
    match byte {
        b'\r' => key(KeyCode::Enter, modifiers),
        b'\t' => key(KeyCode::Tab, modifiers),
        0x7f => key(KeyCode::Backspace, modifiers),
        0x1b => key(KeyCode::Esc, modifiers),
        0x00 => key(KeyCode::Char(' '), control),
        0x01..=0x1a => key(KeyCode::Char(char::from(byte - 1 + b'a')), control),
        0x1c..=0x1f => key(KeyCode::Char(char::from(byte - 0x1c + b'4')), control),
        _ => character(char::from(byte), modifiers),
    }
}

/// A printed character; a capital comes with Shift.
pub(super) fn character(c: char, modifiers: KeyModifiers) -> Event {
    let shift = if c.is_uppercase() { KeyModifiers::SHIFT } else { KeyModifiers::NONE };
    key(KeyCode::Char(c), modifiers | shift)
}

/// ESC O and `last`.
pub(super) fn ss3(last: u8) -> Option<Event> {
    let code = match last {
        b'M' => KeyCode::Enter,
        _ => letter(last)?,
    };
    Some(key(code, KeyModifiers::NONE))
}

/// ESC [ [ and `last`: F1 to F5.
pub(super) fn linux_function(last: u8) -> Option<Event> {
    matches!(last, b'A'..=b'E').then(|| key(KeyCode::F(last - b'A' + 1), KeyModifiers::NONE))
}

/// ESC [, `parameters` and `last`; `None` for what is no key, such as an answer nobody asked for.
pub(super) fn csi(parameters: &[u8], last: u8) -> Option<Event> {
    if let Some(click) = parameters.strip_prefix(b"<") {
        return mouse(&numbers(click)?, last);
    }
    match (parameters, last) {
        (b"", b'I') => return Some(Event::FocusGained),
        (b"", b'O') => return Some(Event::FocusLost),
        (b"", b'Z') => return Some(key(KeyCode::BackTab, KeyModifiers::SHIFT)),
        _ => {}
    }
    let given = numbers(parameters)?;
    let first = given.first().copied().unwrap_or(0);
    let modifiers = modifiers(given.get(1).copied().unwrap_or(0));
    let code = match last {
        b'~' if first == 27 => return code_point(given.get(2).copied()?, modifiers),
        b'~' => tilde(first)?,
        b'u' => return code_point(first, modifiers),
        b'Z' => KeyCode::BackTab,
        // `CSI row;column R` says where the cursor is; F3 has 1 in place of a row.
        _ if first <= 1 => letter(last)?,
        _ => return None,
    };
    Some(key(code, modifiers))
}

/// At most eight numbers; an empty one is 0, and of `a:b` only `a` counts.
fn numbers(parameters: &[u8]) -> Option<Vec<u32>> {
    let text = std::str::from_utf8(parameters).ok()?;
    let number = |part: &str| {
        let part = part.split(':').next().unwrap_or_default();
        if part.is_empty() { Some(0) } else { part.parse().ok() }
    };
    if text.is_empty() { Some(Vec::new()) } else { text.split(';').take(8).map(number).collect() }
}

/// xterm's sum of 1, 2 and 4 for Shift, Alt and Ctrl (then 8 Super, 16 Hyper, 32 Meta), plus 1.
fn modifiers(sum: u32) -> KeyModifiers {
    let flags = sum.saturating_sub(1);
    let table = [
        (1, KeyModifiers::SHIFT),
        (2, KeyModifiers::ALT),
        (4, KeyModifiers::CONTROL),
        (8, KeyModifiers::SUPER),
        (16, KeyModifiers::HYPER),
        (32, KeyModifiers::META),
    ];
    table.into_iter().filter(|(bit, _)| flags & bit != 0).map(|(_, modifier)| modifier).collect()
}

fn letter(last: u8) -> Option<KeyCode> {
    Some(match last {
        b'A' => KeyCode::Up,
        b'B' => KeyCode::Down,
        b'C' => KeyCode::Right,
        b'D' => KeyCode::Left,
        b'E' => KeyCode::KeypadBegin,
        b'F' => KeyCode::End,
        b'H' => KeyCode::Home,
        b'P'..=b'S' => KeyCode::F(last - b'P' + 1),
        _ => return None,
    })
}

fn tilde(number: u32) -> Option<KeyCode> {
    let function = |from: u32, first: u32| KeyCode::F((number - from + first) as u8);
    Some(match number {
        1 | 7 => KeyCode::Home,
        2 => KeyCode::Insert,
        3 => KeyCode::Delete,
        4 | 8 => KeyCode::End,
        5 => KeyCode::PageUp,
        6 => KeyCode::PageDown,
        11..=15 => function(11, 1),
        17..=21 => function(17, 6),
        23..=26 => function(23, 11),
        28..=29 => function(28, 15),
        31..=34 => function(31, 17),
        _ => return None,
    })
}

/// A key named by its character, as xterm and others send combinations that have no byte.
fn code_point(code: u32, modifiers: KeyModifiers) -> Option<Event> {
    let c = char::from_u32(code)?;
    let code = match c {
        '\r' => KeyCode::Enter,
        '\t' if modifiers.contains(KeyModifiers::SHIFT) => KeyCode::BackTab,
        '\t' => KeyCode::Tab,
        '\x1b' => KeyCode::Esc,
        '\x08' | '\x7f' => KeyCode::Backspace,
        c if c.is_control() => return None,
        c => return Some(character(c, modifiers)),
    };
    Some(key(code, modifiers))
}

/// `CSI < button;column;row M` (pressed) or `m` (released).
fn mouse(given: &[u32], last: u8) -> Option<Event> {
    let &[button, column, row] = given else { return None };
    click(button, column, row, last == b'm')
}

/// Three bytes, each 32 more than what it says; release does not say of which button.
pub(super) fn old_mouse(bytes: &[u8]) -> Option<Event> {
    let &[button, column, row] = bytes else { return None };
    let [button, column, row] = [button, column, row].map(|b| u32::from(b.saturating_sub(32)));
    click(button, column, row, button & 0b0100_0011 == 3)
}

/// Positions count from 1; one that says 0 is taken for 1.
fn click(button: u32, column: u32, row: u32, released: bool) -> Option<Event> {
    let side = match button & 3 {
        1 => MouseButton::Middle,
        2 => MouseButton::Right,
        _ => MouseButton::Left,
    };
    let kind = match (button & 0b1110_0000, released) {
        (64, _) => match button & 3 {
            0 => MouseEventKind::ScrollUp,
            1 => MouseEventKind::ScrollDown,
            2 => MouseEventKind::ScrollLeft,
            _ => MouseEventKind::ScrollRight,
        },
        (32, _) if button & 3 == 3 => MouseEventKind::Moved,
        (32, _) => MouseEventKind::Drag(side),
        (0, true) => MouseEventKind::Up(side),
        (0, false) => MouseEventKind::Down(side),
        _ => return None,
    };
    let place = |n: u32| u16::try_from(n.saturating_sub(1)).unwrap_or(u16::MAX);
    let table = [(4, KeyModifiers::SHIFT), (8, KeyModifiers::ALT), (16, KeyModifiers::CONTROL)];
    let modifiers = table.into_iter().filter(|(bit, _)| button & bit != 0).map(|(_, m)| m).collect();
    Some(Event::Mouse(MouseEvent { kind, column: place(column), row: place(row), modifiers }))
}
