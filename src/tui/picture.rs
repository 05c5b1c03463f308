//! A frame without a terminal: as text, as ANSI, as SVG. The README's pictures are made here, so
//! that they are real frames.

use super::terminal::color::{plain, shade};
use ratatui::buffer::{Buffer, Cell};
use ratatui::style::{Color, Modifier};
use std::fmt::Write as _;

/// Plain text, one line a row, without trailing spaces.
pub fn text(buf: &Buffer) -> String {
    let mut out = String::new();
    for y in buf.area.top()..buf.area.bottom() {
        out.push_str(row_text(buf, y).trim_end());
        out.push('\n');
    }
    out
}

fn row_text(buf: &Buffer, y: u16) -> String {
    let mut line = String::new();
    let mut skip = 0;
    for x in buf.area.left()..buf.area.right() {
        if skip > 0 {
            skip -= 1;
            continue;
        }
        let symbol = buf.cell((x, y)).map_or(" ", Cell::symbol);
        skip = super::view::paint::columns(symbol).saturating_sub(1);
        line.push_str(symbol);
    }
    line
}

/// Text with SGR colours, for a pager or a chat that shows them.
pub fn ansi(buf: &Buffer) -> String {
    let mut out = String::new();
    for y in buf.area.top()..buf.area.bottom() {
        for (style, run) in runs(buf, y) {
            let _ = write!(out, "\x1b[0{}m{run}", sgr(style));
        }
        out.push_str("\x1b[0m\n");
    }
    out
}

/// What decides how a cell looks.
type Look = (Color, Color, Modifier);

fn runs(buf: &Buffer, y: u16) -> Vec<(Look, String)> {
    let mut out: Vec<(Look, String)> = Vec::new();
    let mut skip = 0;
    for x in buf.area.left()..buf.area.right() {
        if skip > 0 {
            skip -= 1;
            continue;
        }
        let Some(cell) = buf.cell((x, y)) else { continue };
        skip = super::view::paint::columns(cell.symbol()).saturating_sub(1);
        let look = (cell.fg, cell.bg, cell.modifier);
        match out.last_mut() {
            Some((last, run)) if *last == look => run.push_str(cell.symbol()),
            _ => out.push((look, cell.symbol().to_owned())),
        }
    }
    out
}

fn sgr((fg, bg, modifier): Look) -> String {
    let mut out = String::new();
    let codes = [
        (Modifier::BOLD, 1),
        (Modifier::DIM, 2),
        (Modifier::ITALIC, 3),
        (Modifier::UNDERLINED, 4),
        (Modifier::REVERSED, 7),
    ];
    for (bit, code) in codes {
        if modifier.contains(bit) {
            let _ = write!(out, ";{code}");
        }
    }
    for (color, base) in [(fg, 30), (bg, 40)] {
        match plain(color) {
            Color::Rgb(r, g, b) => {
                let _ = write!(out, ";{};2;{r};{g};{b}", base + 8);
            }
            Color::Indexed(n) => {
                let _ = write!(out, ";{};5;{n}", base + 8);
            }
            _ => {}
        }
    }
    out
}

/// Width and height of one cell in the picture.
const CELL: (f64, f64) = (8.4, 17.0);

/// An SVG of the frame on a dark or light ground.
pub fn svg(buf: &Buffer, light: bool) -> String {
    let (ground, ink) = if light { ("#ffffff", "#202020") } else { ("#16181c", "#d0d0d0") };
    let (width, height) =
        (f64::from(buf.area.width) * CELL.0 + 16.0, f64::from(buf.area.height) * CELL.1 + 16.0);
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width:.0} {height:.0}\" width=\"{width:.0}\" height=\"{height:.0}\">\n\
         <rect width=\"100%\" height=\"100%\" rx=\"6\" fill=\"{ground}\"/>\n\
         <g font-family=\"DejaVu Sans Mono, Menlo, Consolas, monospace\" font-size=\"14\" xml:space=\"preserve\">\n"
    );
    for y in buf.area.top()..buf.area.bottom() {
        let mut x = 8.0;
        let top = 8.0 + f64::from(y) * CELL.1;
        for ((fg, bg, modifier), run) in runs(buf, y) {
            let wide = super::view::paint::columns(&run) as f64 * CELL.0;
            let (mut fg, mut bg) = (hex(fg).unwrap_or_else(|| ink.to_owned()), hex(bg));
            if modifier.contains(Modifier::REVERSED) {
                (fg, bg) = (bg.unwrap_or_else(|| ground.to_owned()), Some(fg));
            }
            if let Some(bg) = bg {
                let _ = writeln!(
                    out,
                    "<rect x=\"{x:.1}\" y=\"{top:.1}\" width=\"{wide:.1}\" height=\"{}\" fill=\"{bg}\"/>",
                    CELL.1
                );
            }
            if !run.trim().is_empty() {
                let weight = if modifier.contains(Modifier::BOLD) { " font-weight=\"bold\"" } else { "" };
                let faint = if modifier.contains(Modifier::DIM) { " opacity=\"0.65\"" } else { "" };
                let line = if modifier.contains(Modifier::UNDERLINED) {
                    " text-decoration=\"underline\""
                } else {
                    ""
                };
                let base = top + 13.0;
                let _ = writeln!(
                    out,
                    "<text x=\"{x:.1}\" y=\"{base:.1}\" textLength=\"{wide:.1}\" fill=\"{fg}\"{weight}{line}{faint}>{}</text>",
                    escape(&run)
                );
            }
            x += wide;
        }
    }
    out.push_str("</g>\n</svg>\n");
    out
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace(' ', "\u{a0}")
}

/// A colour as `#rrggbb`, with xterm's values for the palette; `None` for the terminal's own.
fn hex(color: Color) -> Option<String> {
    let (r, g, b) = match plain(color) {
        Color::Rgb(r, g, b) => (r, g, b),
        Color::Indexed(n) => shade(n),
        _ => return None,
    };
    Some(format!("#{r:02x}{g:02x}{b:02x}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use ratatui::layout::Rect;
    use ratatui::style::Style;

    fn sample() -> Buffer {
        let mut buf = Buffer::empty(Rect::new(0, 0, 10, 2));
        buf.set_string(0, 0, "ab <日>", Style::new().fg(Color::Red));
        buf.set_string(0, 1, "x", Style::new().add_modifier(Modifier::BOLD));
        buf
    }

    #[test]
    fn a_frame_reads_the_same_in_every_form() {
        assert_eq!(text(&sample()), "ab <日>\nx\n");
        assert!(ansi(&sample()).starts_with("\x1b[0;38;5;1mab <日>\x1b[0m"), "{:?}", ansi(&sample()));
        let svg = svg(&sample(), false);
        assert!(
            svg.contains("ab\u{a0}&lt;日&gt;") && svg.contains("#cd0000") && svg.contains("font-weight"),
            "{svg}"
        );
    }
}
