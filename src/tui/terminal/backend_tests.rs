//! What a terminal shows after the backend's bytes is what was drawn, and it takes few of them.

use proptest::prelude::*;
use ratatui::Terminal;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Color, Modifier, Style as CellStyle};

use super::*;

const FULL: Style = Style { depth: Depth::True, synchronized: true, erase_fills: true };

/// A terminal that takes everything, counts writes, and can be given another size.
struct Screen {
    parser: vt100::Parser,
    size: Size,
    writes: Vec<Vec<u8>>,
    /// The most bytes it takes in one write, if it is slow.
    takes: usize,
    /// The beginning of a character whose end has not been written yet.
    half: Vec<u8>,
}

impl Screen {
    fn new(width: u16, height: u16) -> Self {
        let parser = vt100::Parser::new(dimension(height), dimension(width), 0);
        Screen {
            parser,
            size: Size { width, height },
            writes: Vec::new(),
            takes: usize::MAX,
            half: Vec::new(),
        }
    }
}

/// How many bytes of these end with a whole character: the parser loses what follows a character of
/// two bytes that it is given in two pieces.
fn whole(bytes: &[u8]) -> usize {
    let cut = |at: &usize| matches!(std::str::from_utf8(&bytes[*at..]), Err(e) if e.error_len().is_none());
    let mut last = (bytes.len().saturating_sub(3)..bytes.len()).rev();
    last.find(|at| bytes[*at] >= 0xc0).filter(cut).unwrap_or(bytes.len())
}

fn dimension(n: u16) -> std::num::NonZeroU16 {
    std::num::NonZeroU16::new(n).unwrap()
}

impl Output for Screen {
    fn size(&self) -> Size {
        self.size
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let taken = &bytes[..bytes.len().min(self.takes)];
        self.half.extend_from_slice(taken);
        let rest = self.half.split_off(whole(&self.half));
        self.parser.process(&std::mem::replace(&mut self.half, rest));
        self.writes.push(taken.to_vec());
        Ok(taken.len())
    }
}

fn terminal(width: u16, height: u16, style: Style) -> Terminal<Ansi<Screen>> {
    Terminal::new(Ansi::new(Screen::new(width, height), style)).unwrap()
}

/// Draws `buffer` and returns the bytes it took.
fn show(terminal: &mut Terminal<Ansi<Screen>>, buffer: &Buffer) -> Vec<u8> {
    let before = terminal.backend().output.writes.len();
    terminal.draw(|frame| frame.buffer_mut().merge(buffer)).unwrap();
    terminal.backend().output.writes[before..].concat()
}

/// A cell as a person sees it: on a blank, only what shows there.
#[derive(Debug, PartialEq)]
struct Seen {
    text: String,
    fg: vt100::Color,
    bg: vt100::Color,
    flags: [bool; 5],
}

fn seen_color(color: Color) -> vt100::Color {
    match Depth::True.fit(color) {
        Color::Indexed(n) => vt100::Color::Idx(n),
        Color::Rgb(r, g, b) => vt100::Color::Rgb(r, g, b),
        _ => vt100::Color::Default,
    }
}

fn as_seen(mut seen: Seen) -> Seen {
    if seen.text.is_empty() {
        seen.text = " ".into();
    }
    let [bold, dim, italic, underline, inverse] = &mut seen.flags;
    if seen.text == " " {
        (*bold, *dim, *italic) = (false, false, false);
        if !*underline && !*inverse {
            seen.fg = vt100::Color::Default;
        }
    }
    seen
}

/// Every visible difference between the terminal and the buffer.
fn differences(screen: &vt100::Screen, buffer: &Buffer) -> Vec<String> {
    let mut found = Vec::new();
    let area = buffer.area;
    for y in 0..area.height {
        let mut x = 0;
        while x < area.width {
            let cell = &buffer[(x, y)];
            let shown = screen.cell(y, x).unwrap();
            let m = cell.modifier;
            let wanted = as_seen(Seen {
                text: cell.symbol().to_owned(),
                fg: seen_color(cell.fg),
                bg: seen_color(cell.bg),
                flags: [
                    Modifier::BOLD,
                    Modifier::DIM,
                    Modifier::ITALIC,
                    Modifier::UNDERLINED,
                    Modifier::REVERSED,
                ]
                .map(|flag| m.contains(flag)),
            });
            let flags = [shown.bold(), shown.dim(), shown.italic(), shown.underline(), shown.inverse()];
            let text = shown.contents().to_owned();
            let shown = as_seen(Seen { text, fg: shown.fgcolor(), bg: shown.bgcolor(), flags });
            if shown != wanted {
                found.push(format!("at {x},{y}: shown {shown:?}, wanted {wanted:?}"));
            }
            x += unicode_width::UnicodeWidthStr::width(cell.symbol()).max(1) as u16;
        }
    }
    found
}

fn color() -> impl Strategy<Value = Color> {
    prop_oneof![
        4 => Just(Color::Reset),
        2 => Just(Color::Red),
        1 => Just(Color::LightBlue),
        1 => any::<u8>().prop_map(Color::Indexed),
        1 => any::<(u8, u8, u8)>().prop_map(|(r, g, b)| Color::Rgb(r, g, b)),
    ]
}

fn style() -> impl Strategy<Value = CellStyle> {
    let flags = prop_oneof![
        4 => Just(Modifier::empty()),
        1 => Just(Modifier::BOLD),
        1 => Just(Modifier::DIM | Modifier::ITALIC),
        1 => Just(Modifier::UNDERLINED),
        1 => Just(Modifier::REVERSED | Modifier::BOLD),
    ];
    (color(), color(), color(), flags).prop_map(|(fg, bg, line, flags)| {
        CellStyle::new().fg(fg).bg(bg).underline_color(line).add_modifier(flags)
    })
}

#[derive(Debug, Clone)]
enum Stroke {
    Text(u16, u16, String, CellStyle),
    Fill(Rect, CellStyle),
}

fn stroke(width: u16, height: u16) -> impl Strategy<Value = Stroke> {
    let text = prop_oneof![
        4 => "[ a-z]{1,12}",
        2 => " {1,30}",
        1 => "[─│█▁▂é]{1,9}",
        1 => "[界語あ a]{1,6}",
        1 => Just("e\u{301}x".to_owned()),
    ];
    prop_oneof![
        5 => (0..width, 0..height, text, style()).prop_map(|(x, y, t, s)| Stroke::Text(x, y, t, s)),
        1 => (0..width, 0..height, 1..width, 1..height, style())
            .prop_map(|(x, y, w, h, s)| Stroke::Fill(Rect::new(x, y, w, h), s)),
    ]
}

fn paint(area: Rect, strokes: &[Stroke]) -> Buffer {
    let mut buffer = Buffer::empty(area);
    for stroke in strokes {
        match stroke {
            Stroke::Text(x, y, text, style) => {
                buffer.set_string(*x, *y, text, *style);
            }
            Stroke::Fill(rect, style) => buffer.set_style(*rect, *style),
        }
    }
    // The parser keeps only one of bold and dim.
    for cell in &mut buffer.content {
        if cell.modifier.contains(Modifier::DIM) {
            cell.modifier.remove(Modifier::BOLD);
        }
    }
    // Writing over half of a wide character leaves the other half in the buffer, which no
    // terminal can show; views avoid it, and so does this test.
    for y in 0..area.height {
        let mut x = 0;
        while x < area.width {
            let width = unicode_width::UnicodeWidthStr::width(buffer[(x, y)].symbol()) as u16;
            if width == 2 {
                if x + 1 < area.width {
                    let lead = buffer[(x, y)].style();
                    buffer[(x + 1, y)].reset();
                    buffer[(x + 1, y)].set_style(lead);
                } else {
                    buffer[(x, y)].set_symbol("w");
                }
            }
            x += width.max(1);
        }
    }
    buffer
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_sequence_of_frames_is_shown_exactly(
        frames in prop::collection::vec(prop::collection::vec(stroke(24, 6), 0..14), 1..6),
        erase_fills: bool,
        clear_at in 0usize..6,
    ) {
        let mut terminal = terminal(24, 6, Style { erase_fills, ..FULL });
        for (n, strokes) in frames.iter().enumerate() {
            if n == clear_at {
                terminal.clear().unwrap();
            }
            let buffer = paint(Rect::new(0, 0, 24, 6), strokes);
            show(&mut terminal, &buffer);
            let wrong = differences(terminal.backend().output.parser.screen(), &buffer);
            prop_assert!(wrong.is_empty(), "frame {}: {:#?}", n, wrong);
        }
    }

    #[test]
    fn a_terminal_that_takes_little_at_a_time_ends_up_the_same(
        strokes in prop::collection::vec(stroke(24, 6), 1..14), takes in 1usize..40,
    ) {
        let mut terminal = terminal(24, 6, FULL);
        terminal.backend_mut().output.takes = takes;
        let buffer = paint(Rect::new(0, 0, 24, 6), &strokes);
        show(&mut terminal, &buffer);
        while terminal.backend().pending() > 0 {
            terminal.backend_mut().flush_pending().unwrap();
        }
        let wrong = differences(terminal.backend().output.parser.screen(), &buffer);
        prop_assert!(wrong.is_empty(), "{wrong:#?}");
    }

    #[test]
    fn no_cell_s_text_can_give_the_terminal_an_order(text in "[\\x00-\\x1f\\x7f-\\x9f\u{200e}\u{202a}-\u{202e}\u{2066}-\u{2069}a-z\\[;0-9]{1,12}") {
        let mut backend = Ansi::new(Screen::new(20, 2), FULL);
        let mut cell = Cell::EMPTY;
        cell.set_symbol(&text);
        let after = Cell::new("Z");
        backend.draw([(3, 0, &cell), (19, 0, &cell), (0, 1, &after)].into_iter()).unwrap();
        backend.flush().unwrap();
        let bytes = backend.output.writes.concat();
        let own = String::from_utf8(bytes).unwrap();
        // The letters that end our own cursor moves (C, G, H) are not among the text's.
        let moves = regex::Regex::new("\x1b\\[[0-9;]*[CGH]").unwrap();
        let rest = moves.replace_all(&own, "");
        let stray = rest.chars().any(|c| c.is_control() && !"\r\n".contains(c));
        prop_assert!(!stray, "{:?} became {:?}", text, own);
        let reorders = own.contains(['\u{202e}', '\u{2066}', '\u{200e}']);
        prop_assert!(!reorders, "{:?} became {:?}", text, own);
        prop_assert_eq!(backend.output.parser.screen().cell(1, 0).unwrap().contents(), "Z");
    }
}

/// A health matrix of the usual look: names, coloured states, figures, a strip, reasons.
fn matrix(width: u16, height: u16, selected: u16) -> Buffer {
    let mut b = Buffer::empty(Rect::new(0, 0, width, height));
    let border = CellStyle::new().fg(Color::DarkGray);
    b.set_string(0, 0, format!("┌ health {}┐", "─".repeat(usize::from(width) - 10)), border);
    for y in 1..height - 1 {
        b.set_string(0, y, "│", border);
        b.set_string(width - 1, y, "│", border);
        let (word, color) = if y % 9 == 4 { ("degraded", Color::Yellow) } else { ("up", Color::Green) };
        b.set_string(2, y, format!("service-{y:02}"), CellStyle::new());
        b.set_string(16, y, word, CellStyle::new().fg(color).add_modifier(Modifier::BOLD));
        b.set_string(26, y, format!("{:>6} ms", u32::from(y) * 37 % 1000), CellStyle::new());
        b.set_string(38, y, "GET http://10.0.12.7:8443/healthz: 200", CellStyle::new().fg(Color::Gray));
        b.set_string(width - 16, y, "▁▂▃▄▅▆▇█▇▆▅▄", CellStyle::new().fg(color));
    }
    b.set_string(0, height - 1, format!("└{}┘", "─".repeat(usize::from(width) - 2)), border);
    b.set_style(Rect::new(1, selected, width - 2, 1), CellStyle::new().add_modifier(Modifier::REVERSED));
    b
}

fn non_blank(buffer: &Buffer) -> usize {
    buffer.content.iter().filter(|cell| cell.symbol() != " ").count()
}

/// Non-ASCII text costs its UTF-8 bytes whatever is done; this is what a cell costs beyond that.
#[test]
fn a_full_repaint_costs_at_most_three_bytes_a_cell() {
    for (width, height) in [(80, 24), (120, 40), (200, 60)] {
        let mut terminal = terminal(width, height, FULL);
        let buffer = matrix(width, height, 3);
        terminal.clear().unwrap();
        let bytes = show(&mut terminal, &buffer);
        let cells = non_blank(&buffer);
        assert!(differences(terminal.backend().output.parser.screen(), &buffer).is_empty());
        let cost = bytes.len() as f64 / cells as f64;
        assert!(cost <= 3.0, "{width}x{height}: {cost:.2} bytes a cell ({} for {cells})", bytes.len());
    }
}

#[test]
fn a_painted_background_costs_little_more() {
    let mut terminal = terminal(120, 40, FULL);
    let mut buffer = matrix(120, 40, 3);
    buffer.set_style(buffer.area, CellStyle::new().bg(Color::Rgb(20, 22, 30)));
    terminal.clear().unwrap();
    let bytes = show(&mut terminal, &buffer);
    assert!(differences(terminal.backend().output.parser.screen(), &buffer).is_empty());
    let cost = bytes.len() as f64 / non_blank(&buffer) as f64;
    assert!(cost <= 3.2, "{cost:.2} bytes a cell");
}

#[test]
fn a_frame_is_one_write_and_an_unchanged_one_is_none() {
    let mut terminal = terminal(120, 40, FULL);
    let buffer = matrix(120, 40, 3);
    show(&mut terminal, &buffer);
    assert_eq!(terminal.backend().output.writes.len(), 1, "a frame is one write");
    let first = &terminal.backend().output.writes[0];
    assert!(first.starts_with(BEGIN) && first.ends_with(END), "a large frame is synchronized");
    assert!(show(&mut terminal, &buffer).is_empty(), "nothing changed, nothing is written");

    let mut changed = buffer.clone();
    changed.set_string(26, 5, "   999 ms", CellStyle::new());
    let bytes = show(&mut terminal, &changed);
    assert!(bytes.len() <= 16, "one figure: {} bytes, {:?}", bytes.len(), String::from_utf8_lossy(&bytes));
}

#[test]
fn without_colour_there_is_weight_but_no_colour() {
    let mut terminal = terminal(120, 40, Style { depth: Depth::None, ..FULL });
    let bytes = show(&mut terminal, &matrix(120, 40, 3));
    let text = String::from_utf8(bytes).unwrap();
    let parameters: Vec<&str> = text
        .split("\x1b[")
        .filter_map(|s| s.split_once(|c: char| !c.is_ascii_digit() && c != ';').map(|(p, _)| (p, s)))
        .filter(|(p, s)| s[p.len()..].starts_with('m'))
        .flat_map(|(p, _)| p.split(';'))
        .collect();
    assert!(parameters.contains(&"1") && parameters.contains(&"7"), "{parameters:?}");
    let colours = parameters.iter().filter(|p| p.parse::<u16>().is_ok_and(|n| n >= 30));
    assert_eq!(colours.count(), 0, "{parameters:?}");
}

#[test]
fn the_cursor_goes_where_it_is_wanted_and_costs_nothing_while_it_stays() {
    let mut terminal = terminal(40, 5, FULL);
    terminal.draw(|frame| frame.set_cursor_position((7, 2))).unwrap();
    let screen = terminal.backend().output.parser.screen();
    assert_eq!((screen.cursor_position(), screen.hide_cursor()), ((2, 7), false));
    let writes = terminal.backend().output.writes.len();
    terminal.draw(|frame| frame.set_cursor_position((7, 2))).unwrap();
    assert_eq!(terminal.backend().output.writes.len(), writes);
    terminal.draw(|_| ()).unwrap();
    assert!(terminal.backend().output.parser.screen().hide_cursor());
}

#[test]
fn a_redraw_after_others_wrote_shows_the_same_and_hides_the_cursor() {
    let mut terminal = terminal(80, 24, FULL);
    let buffer = matrix(80, 24, 3);
    terminal.draw(|frame| frame.set_cursor_position((7, 2))).unwrap();
    show(&mut terminal, &buffer);
    terminal.draw(|frame| frame.set_cursor_position((7, 2))).unwrap();
    terminal.backend_mut().output.parser.process(b"\x1b[1;31;7m\x1b[5;5Hsomebody else\x1b[?25h");
    terminal.backend_mut().forget();
    terminal.clear().unwrap();
    show(&mut terminal, &buffer);
    let screen = terminal.backend().output.parser.screen();
    assert_eq!(differences(screen, &buffer), Vec::<String>::new());
    assert!(screen.hide_cursor());
}

#[test]
fn a_resize_repaints_the_whole_screen() {
    let mut terminal = terminal(80, 24, FULL);
    show(&mut terminal, &matrix(80, 24, 3));
    for (width, height) in [(60, 20), (1, 1), (120, 40), (80, 24)] {
        let screen = &mut terminal.backend_mut().output;
        screen.size = Size { width, height };
        screen.parser.screen_mut().set_size(dimension(height), dimension(width));
        let buffer = match (width, height) {
            (1, 1) => Buffer::with_lines(["!"]),
            _ => matrix(width, height, 2),
        };
        show(&mut terminal, &buffer);
        assert_eq!(differences(terminal.backend().output.parser.screen(), &buffer), Vec::<String>::new());
    }
}
