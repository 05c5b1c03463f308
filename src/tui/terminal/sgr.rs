//! The style a terminal is writing in, and the shortest bytes that change it into another.

use ratatui::style::{Color, Modifier};

/// What the terminal's pen is set to. Colours are as [`super::Depth::fit`] gives them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Pen {
    pub fg: Color,
    pub bg: Color,
    pub underline: Color,
    pub modifier: Modifier,
}

/// The modifiers that show on a blank cell; on those without, nothing but the background does.
pub(super) const SHOWS_ON_BLANK: Modifier = Modifier::REVERSED
    .union(Modifier::UNDERLINED)
    .union(Modifier::SLOW_BLINK)
    .union(Modifier::RAPID_BLINK)
    .union(Modifier::CROSSED_OUT);

/// Turning one on, and the parameter that turns it off (with whatever shares that parameter).
const SWITCHES: [(Modifier, u8, u8); 9] = [
    (Modifier::BOLD, 1, 22),
    (Modifier::DIM, 2, 22),
    (Modifier::ITALIC, 3, 23),
    (Modifier::UNDERLINED, 4, 24),
    (Modifier::SLOW_BLINK, 5, 25),
    (Modifier::RAPID_BLINK, 6, 25),
    (Modifier::REVERSED, 7, 27),
    (Modifier::HIDDEN, 8, 28),
    (Modifier::CROSSED_OUT, 9, 29),
];

impl Pen {
    pub const DEFAULT: Pen =
        Pen { fg: Color::Reset, bg: Color::Reset, underline: Color::Reset, modifier: Modifier::empty() };

    /// `self` with what would not be seen on a blank cell left as it is in `current`.
    pub fn for_blank(self, current: Pen) -> Pen {
        let shows = self.modifier.intersection(SHOWS_ON_BLANK);
        if shows.is_empty() {
            let keep = current.modifier.difference(SHOWS_ON_BLANK);
            return Pen { bg: self.bg, modifier: keep, ..current };
        }
        self
    }

    /// Appends the shortest sequence that turns `current` into `self`: a difference, or a reset
    /// and everything anew, whichever is shorter. Appends nothing if they are the same.
    pub fn write_from(self, current: Pen, out: &mut Vec<u8>) {
        if self == current {
            return;
        }
        let start = out.len();
        out.extend_from_slice(b"\x1b[");
        self.write_difference(current, out);
        finish(out);
        let middle = out.len();
        out.extend_from_slice(b"\x1b[");
        if self != Pen::DEFAULT {
            out.extend_from_slice(b"0;");
            self.write_difference(Pen::DEFAULT, out);
        }
        finish(out);
        if out.len() - middle < middle - start {
            out.copy_within(middle.., start);
            out.truncate(out.len() - (middle - start));
        } else {
            out.truncate(middle);
        }
    }

    fn write_difference(self, current: Pen, out: &mut Vec<u8>) {
        self.write_modifiers(current.modifier, out);
        if self.fg != current.fg {
            write_color(self.fg, 30, out);
        }
        if self.bg != current.bg {
            write_color(self.bg, 40, out);
        }
        if self.underline != current.underline {
            write_underline(self.underline, out);
        }
    }

    fn write_modifiers(self, current: Modifier, out: &mut Vec<u8>) {
        let mut have = current;
        let mut written_off = 0;
        for (flag, _, off) in SWITCHES {
            if current.contains(flag) && !self.modifier.contains(flag) {
                if off != written_off {
                    number(u16::from(off), out);
                    out.push(b';');
                    written_off = off;
                }
                // What shares the parameter went off with it and has to come on again.
                for (other, _, other_off) in SWITCHES {
                    if other_off == off {
                        have.remove(other);
                    }
                }
            }
        }
        for (flag, on, _) in SWITCHES {
            if self.modifier.contains(flag) && !have.contains(flag) {
                number(u16::from(on), out);
                out.push(b';');
            }
        }
    }
}

/// Ends the sequence: the last separator becomes its final byte.
fn finish(out: &mut Vec<u8>) {
    match out.last_mut() {
        Some(last @ b';') => *last = b'm',
        _ => out.push(b'm'),
    }
}

/// `base` is 30 for the foreground and 40 for the background.
fn write_color(color: Color, base: u16, out: &mut Vec<u8>) {
    match color {
        Color::Indexed(n @ 0..=7) => number(base + u16::from(n), out),
        Color::Indexed(n @ 8..=15) => number(base + 52 + u16::from(n), out),
        Color::Indexed(n) => {
            number(base + 8, out);
            out.extend_from_slice(b";5;");
            number(u16::from(n), out);
        }
        Color::Rgb(r, g, b) => {
            number(base + 8, out);
            out.extend_from_slice(b";2");
            for level in [r, g, b] {
                out.push(b';');
                number(u16::from(level), out);
            }
        }
        _ => number(base + 9, out),
    }
    out.push(b';');
}

/// With colons, because a terminal that does not know 58 skips one such parameter whole, where
/// `58;5;1` would leave it blinking and bold.
fn write_underline(color: Color, out: &mut Vec<u8>) {
    match color {
        Color::Indexed(n) => {
            out.extend_from_slice(b"58:5:");
            number(u16::from(n), out);
        }
        Color::Rgb(r, g, b) => {
            out.extend_from_slice(b"58:2:");
            for level in [r, g, b] {
                out.push(b':');
                number(u16::from(level), out);
            }
        }
        _ => out.extend_from_slice(b"59"),
    }
    out.push(b';');
}

/// Appends `n` in decimal.
pub(super) fn number(n: u16, out: &mut Vec<u8>) {
    let mut digits = [0u8; 5];
    let mut at = digits.len();
    let mut rest = n;
    loop {
        at -= 1;
        digits[at] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[at..]);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pen(fg: u8, modifier: Modifier) -> Pen {
        Pen { fg: Color::Indexed(fg), modifier, ..Pen::DEFAULT }
    }

    fn bytes(from: Pen, to: Pen) -> String {
        let mut out = Vec::new();
        to.write_from(from, &mut out);
        String::from_utf8(out).unwrap().replace('\x1b', "^")
    }

    #[test]
    fn the_shortest_change_is_written() {
        let plain = Pen::DEFAULT;
        let (bold, dim) = (Modifier::BOLD, Modifier::DIM);
        let under = Pen { underline: Color::Indexed(1), modifier: Modifier::UNDERLINED, ..plain };
        let true_fg = Pen { fg: Color::Rgb(1, 20, 255), ..plain };
        let bright_bg = Pen { bg: Color::Indexed(8), ..plain };
        let table = [
            (plain, plain, ""),
            (plain, pen(1, Modifier::empty()), "^[31m"),
            (plain, pen(9, Modifier::empty()), "^[91m"),
            (plain, pen(200, Modifier::empty()), "^[38;5;200m"),
            (plain, true_fg, "^[38;2;1;20;255m"),
            (plain, bright_bg, "^[100m"),
            (pen(1, bold), plain, "^[m"),
            (pen(1, Modifier::empty()), plain, "^[m"),
            (pen(1, bold), pen(1, Modifier::empty()), "^[22m"),
            (pen(1, bold | dim), pen(1, dim), "^[22;2m"),
            (pen(1, bold), pen(2, bold), "^[32m"),
            (pen(1, bold | Modifier::ITALIC | Modifier::REVERSED), pen(2, Modifier::empty()), "^[0;32m"),
            (plain, under, "^[4;58:5:1m"),
            (under, Pen { underline: Color::Reset, ..under }, "^[59m"),
        ];
        for (from, to, expected) in table {
            assert_eq!(bytes(from, to), expected, "{from:?} to {to:?}");
        }
    }

    #[test]
    fn a_blank_takes_only_the_background() {
        let current = pen(3, Modifier::BOLD);
        assert_eq!(pen(5, Modifier::ITALIC).for_blank(current), current);
        let reversed = pen(5, Modifier::REVERSED);
        assert_eq!(reversed.for_blank(current), reversed, "a reversed blank shows its foreground");
        let leaving = pen(5, Modifier::empty()).for_blank(reversed);
        assert_eq!(leaving.modifier, Modifier::empty(), "a plain blank must not stay reversed");
    }
}
