//! How many colours a terminal shows, and the nearest one it has for each that was asked for.

use ratatui::style::Color;

/// How many colours may be written. Ordered from fewest to most.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Depth {
    /// No colour at all; bold, underline and reverse stay.
    None,
    /// The 16 colours every colour terminal has, whose shades its user chose.
    Sixteen,
    /// The 256-colour palette of xterm.
    TwoFiftySix,
    /// 24 bits.
    True,
}

/// The red, green and blue of xterm's 16 base colours, which nearest matches are measured against.
const BASE: [(u8, u8, u8); 16] = [
    (0, 0, 0),
    (205, 0, 0),
    (0, 205, 0),
    (205, 205, 0),
    (0, 0, 238),
    (205, 0, 205),
    (0, 205, 205),
    (229, 229, 229),
    (127, 127, 127),
    (255, 0, 0),
    (0, 255, 0),
    (255, 255, 0),
    (92, 92, 255),
    (255, 0, 255),
    (0, 255, 255),
    (255, 255, 255),
];

/// The six levels of each channel in the 6×6×6 cube of the 256-colour palette.
const CUBE: [u8; 6] = [0, 95, 135, 175, 215, 255];

impl Depth {
    /// The nearest colour this depth can show: `Reset` when it has none, otherwise `Reset`,
    /// `Indexed` (below 16 for a base colour) or `Rgb`.
    #[must_use]
    pub fn fit(self, color: Color) -> Color {
        if self == Depth::None {
            return Color::Reset;
        }
        match plain(color) {
            Color::Rgb(r, g, b) => match self {
                Depth::True => Color::Rgb(r, g, b),
                Depth::TwoFiftySix => Color::Indexed(nearest_of_256((r, g, b))),
                Depth::Sixteen | Depth::None => Color::Indexed(nearest_of_16((r, g, b))),
            },
            Color::Indexed(n) if n >= 16 && self == Depth::Sixteen => Color::Indexed(nearest_of_16(shade(n))),
            other => other,
        }
    }
}

/// The same colour with the named ones as palette numbers, so that equal colours compare equal.
pub fn plain(color: Color) -> Color {
    let n = match color {
        Color::Black => 0,
        Color::Red => 1,
        Color::Green => 2,
        Color::Yellow => 3,
        Color::Blue => 4,
        Color::Magenta => 5,
        Color::Cyan => 6,
        Color::Gray => 7,
        Color::DarkGray => 8,
        Color::LightRed => 9,
        Color::LightGreen => 10,
        Color::LightYellow => 11,
        Color::LightBlue => 12,
        Color::LightMagenta => 13,
        Color::LightCyan => 14,
        Color::White => 15,
        Color::Reset | Color::Rgb(..) | Color::Indexed(_) => return color,
    };
    Color::Indexed(n)
}

/// What entry `n` of the 256-colour palette looks like.
pub fn shade(n: u8) -> (u8, u8, u8) {
    match n {
        0..=15 => BASE[usize::from(n)],
        16..=231 => {
            let n = usize::from(n - 16);
            (CUBE[n / 36], CUBE[n / 6 % 6], CUBE[n % 6])
        }
        232..=255 => {
            let level = 8 + 10 * (n - 232);
            (level, level, level)
        }
    }
}

/// Squared distance, weighted roughly as the eye does: green most, blue least.
fn distance(a: (u8, u8, u8), b: (u8, u8, u8)) -> u32 {
    let square = |x: u8, y: u8| u32::from(x.abs_diff(y)).pow(2);
    3 * square(a.0, b.0) + 6 * square(a.1, b.1) + square(a.2, b.2)
}

fn nearest_of_16(rgb: (u8, u8, u8)) -> u8 {
    (0..16).min_by_key(|&n| distance(rgb, shade(n))).unwrap_or(7)
}

/// The base 16 are left out: their shades are the user's, not ours to guess.
fn nearest_of_256(rgb: (u8, u8, u8)) -> u8 {
    let level = |v: u8| (0..6u8).min_by_key(|&i| CUBE[usize::from(i)].abs_diff(v)).unwrap_or(0);
    let cube = 16 + 36 * level(rgb.0) + 6 * level(rgb.1) + level(rgb.2);
    let mean = (u16::from(rgb.0) + u16::from(rgb.1) + u16::from(rgb.2)) / 3;
    let gray = 232 + (mean.saturating_sub(3) / 10).min(23) as u8;
    if distance(rgb, shade(gray)) < distance(rgb, shade(cube)) { gray } else { cube }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_depth_shows_the_nearest_it_has() {
        let table = [
            (Depth::None, Color::Red, Color::Reset),
            (Depth::None, Color::Rgb(1, 2, 3), Color::Reset),
            (Depth::Sixteen, Color::LightRed, Color::Indexed(9)),
            (Depth::Sixteen, Color::Rgb(250, 5, 5), Color::Indexed(9)),
            (Depth::Sixteen, Color::Rgb(10, 10, 10), Color::Indexed(0)),
            (Depth::Sixteen, Color::Indexed(196), Color::Indexed(9)),
            (Depth::TwoFiftySix, Color::Rgb(255, 0, 0), Color::Indexed(196)),
            (Depth::TwoFiftySix, Color::Rgb(118, 118, 118), Color::Indexed(243)),
            (Depth::TwoFiftySix, Color::Indexed(77), Color::Indexed(77)),
            (Depth::True, Color::Rgb(1, 2, 3), Color::Rgb(1, 2, 3)),
            (Depth::True, Color::Red, Color::Indexed(1)),
            (Depth::True, Color::Reset, Color::Reset),
        ];
        for (depth, asked, shown) in table {
            assert_eq!(depth.fit(asked), shown, "{depth:?} {asked:?}");
        }
    }

    #[test]
    fn the_palette_s_own_shades_map_to_themselves() {
        for n in 16..=255u8 {
            let (r, g, b) = shade(n);
            let Color::Indexed(found) = Depth::TwoFiftySix.fit(Color::Rgb(r, g, b)) else {
                panic!("no palette entry for {n}")
            };
            assert_eq!(shade(found), (r, g, b), "entry {n} became {found}");
        }
    }
}
