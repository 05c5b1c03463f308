//! Bytes from a terminal to keys, pastes and clicks: a state machine without I/O or time.

use std::collections::VecDeque;

use crossterm::event::{Event, KeyCode, KeyEvent, KeyModifiers};

use super::sequence;

/// The most bytes kept of one paste; the rest of it is dropped and counted.
pub const LONGEST_PASTE: usize = 64 * 1024;

/// The most parameter bytes of a control sequence; a longer one is skipped whole.
const LONGEST_SEQUENCE: usize = 32;

const PASTE_END: &[u8] = b"\x1b[201~";

#[derive(Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Ground,
    /// ESC has come: a key of its own, Alt, or the start of a sequence.
    Escape,
    /// ESC O.
    Ss3,
    /// ESC [, and the parameters so far in `held`. `skip`: it grew too long.
    Csi { skip: bool },
    /// ESC [ [, a Linux console's function keys.
    LinuxFunction,
    /// ESC [ M, and so many of its three bytes are in `held`.
    OldMouse,
    /// ESC ] or ESC P: `begun` once anything has followed. Answers nobody asked for are skipped.
    Text { opener: u8, begun: bool, escape: bool },
    /// Within a paste.
    Paste,
    /// Within a character of so many bytes, those so far in `held`. `alt`: it came after ESC.
    Utf8 { length: usize, alt: bool },
}

/// The state machine. Everything it holds is bounded: one paste and one sequence.
#[derive(Debug, Default)]
pub struct Parser {
    state: State,
    held: Vec<u8>,
    paste: Vec<u8>,
    paste_dropped: usize,
}

impl Parser {
    /// Takes `bytes`, and appends the events they complete: at most two a byte.
    pub fn advance(&mut self, bytes: &[u8], out: &mut VecDeque<Event>) {
        for &byte in bytes {
            self.take(byte, out);
        }
    }

    /// Whether what has come may be a whole key or the start of more, which only time tells.
    pub fn is_waiting(&self) -> bool {
        !matches!(self.state, State::Ground | State::Paste)
    }

    /// Nothing followed in time: what was waiting is a key, or was nothing.
    pub fn time_out(&mut self, out: &mut VecDeque<Event>) {
        match std::mem::take(&mut self.state) {
            State::Escape => out.push_back(key(KeyCode::Esc, KeyModifiers::NONE)),
            State::Ss3 => out.push_back(alt('O')),
            State::Csi { skip: false } if self.held.is_empty() => out.push_back(alt('[')),
            State::Text { opener, begun: false, .. } => out.push_back(alt(char::from(opener))),
            State::Paste => self.state = State::Paste,
            _ => {}
        }
        if self.state == State::Ground {
            self.held.clear();
        }
    }

    fn take(&mut self, byte: u8, out: &mut VecDeque<Event>) {
        match std::mem::take(&mut self.state) {
            State::Ground => self.ground(byte, false, out),
            State::Escape => self.escape(byte, out),
            State::Ss3 => out.extend(sequence::ss3(byte)),
            State::LinuxFunction => out.extend(sequence::linux_function(byte)),
            State::Csi { skip } => self.csi(byte, skip, out),
            State::OldMouse => {
                self.held.push(byte);
                if self.held.len() < 3 {
                    self.state = State::OldMouse;
                } else {
                    out.extend(sequence::old_mouse(&self.held));
                    self.held.clear();
                }
            }
            State::Text { opener, begun, escape } => self.text(byte, (opener, begun, escape), out),
            State::Paste => self.paste(byte, out),
            State::Utf8 { length, alt } => self.utf8(byte, length, alt, out),
        }
    }

    fn ground(&mut self, byte: u8, alt: bool, out: &mut VecDeque<Event>) {
        let modifiers = if alt { KeyModifiers::ALT } else { KeyModifiers::NONE };
        let length = match byte {
            0x1b => {
                self.state = State::Escape;
                return;
            }
            0x00..=0x7f => {
                out.push_back(sequence::ascii(byte, modifiers));
                return;
            }
            0xc2..=0xdf => 2,
            0xe0..=0xef => 3,
            0xf0..=0xf4 => 4,
            _ => return, // never the start of a character
        };
        self.held.clear();
        self.held.push(byte);
        self.state = State::Utf8 { length, alt };
    }

    fn escape(&mut self, byte: u8, out: &mut VecDeque<Event>) {
        self.held.clear();
        match byte {
            b'[' => self.state = State::Csi { skip: false },
            b'O' => self.state = State::Ss3,
            b']' | b'P' => self.state = State::Text { opener: byte, begun: false, escape: false },
            0x1b => {
                out.push_back(key(KeyCode::Esc, KeyModifiers::NONE));
                self.state = State::Escape;
            }
            _ => self.ground(byte, true, out),
        }
    }

    fn csi(&mut self, byte: u8, skip: bool, out: &mut VecDeque<Event>) {
        match byte {
            b'[' if self.held.is_empty() => self.state = State::LinuxFunction,
            b'M' if self.held.is_empty() => self.state = State::OldMouse,
            0x20..=0x3f => {
                let skip = skip || self.held.len() == LONGEST_SEQUENCE;
                if !skip {
                    self.held.push(byte);
                }
                self.state = State::Csi { skip };
            }
            0x40..=0x7e => {
                let parameters = std::mem::take(&mut self.held);
                if skip {
                } else if byte == b'~' && parameters == b"200" {
                    self.state = State::Paste;
                } else {
                    out.extend(sequence::csi(&parameters, byte));
                }
            }
            // Anything else breaks the sequence off and stands for itself.
            _ => {
                self.held.clear();
                self.ground(byte, false, out);
            }
        }
    }

    fn text(&mut self, byte: u8, (opener, begun, escape): (u8, bool, bool), out: &mut VecDeque<Event>) {
        match byte {
            // Two keys were pressed, the first with Alt.
            _ if !begun && !starts_text(opener, byte) => {
                out.push_back(alt(char::from(opener)));
                self.ground(byte, false, out);
            }
            0x07 => {}
            b'\\' if escape => {}
            _ => self.state = State::Text { opener, begun: true, escape: byte == 0x1b },
        }
    }

    fn paste(&mut self, byte: u8, out: &mut VecDeque<Event>) {
        // The last bytes may be the start of the end, so they are held beyond the bound.
        self.paste.push(byte);
        if self.paste.ends_with(PASTE_END) {
            self.paste.truncate(self.paste.len() - PASTE_END.len());
            let kept = &self.paste[..self.paste.len().min(LONGEST_PASTE)];
            let dropped = self.paste_dropped + self.paste.len() - kept.len();
            if dropped > 0 {
                tracing::warn!(dropped, "a paste was cut to {LONGEST_PASTE} bytes");
            }
            out.push_back(Event::Paste(String::from_utf8_lossy(kept).into_owned()));
            self.paste = Vec::new();
            self.paste_dropped = 0;
            return;
        }
        if self.paste.len() > LONGEST_PASTE + PASTE_END.len() {
            self.paste.remove(LONGEST_PASTE);
            self.paste_dropped += 1;
        }
        self.state = State::Paste;
    }

    fn utf8(&mut self, byte: u8, length: usize, alt: bool, out: &mut VecDeque<Event>) {
        if byte & 0xc0 != 0x80 {
            // The character broke off; what came instead stands for itself.
            self.held.clear();
            self.ground(byte, false, out);
            return;
        }
        self.held.push(byte);
        if self.held.len() < length {
            self.state = State::Utf8 { length, alt };
            return;
        }
        let modifiers = if alt { KeyModifiers::ALT } else { KeyModifiers::NONE };
        if let Some(c) = std::str::from_utf8(&self.held).ok().and_then(|text| text.chars().next()) {
            out.push_back(sequence::character(c, modifiers));
        }
        self.held.clear();
    }
}

/// An OSC starts with a digit, a DCS with a digit or a sign.
fn starts_text(opener: u8, byte: u8) -> bool {
    byte.is_ascii_digit() || (opener == b'P' && b"$+>!|".contains(&byte))
}

pub(super) fn key(code: KeyCode, modifiers: KeyModifiers) -> Event {
    Event::Key(KeyEvent::new(code, modifiers))
}

fn alt(c: char) -> Event {
    sequence::character(c, KeyModifiers::ALT)
}

#[cfg(test)]
#[path = "keys_tests.rs"]
mod tests;
