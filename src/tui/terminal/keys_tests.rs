//! Every key a person presses is one event, however its bytes arrive, and nothing else is.

use crossterm::event::{KeyEventKind, MouseEventKind};
use proptest::prelude::*;

use super::*;

/// Events as short text: modifiers, then the key.
fn show(event: &Event) -> String {
    match event {
        Event::Key(k) => {
            assert_eq!(k.kind, KeyEventKind::Press);
            format!(
                "{}{:?}",
                if k.modifiers.is_empty() { String::new() } else { format!("{} ", k.modifiers) },
                k.code
            )
        }
        Event::Mouse(m) => format!("{:?} {},{} {}", m.kind, m.column, m.row, m.modifiers),
        other => format!("{other:?}"),
    }
}

/// The events of `bytes`, fed in pieces of `step` and then given up on.
fn parse(bytes: &[u8], step: usize) -> Vec<Event> {
    let (mut parser, mut out) = (Parser::default(), VecDeque::new());
    for piece in bytes.chunks(step.max(1)) {
        parser.advance(piece, &mut out);
    }
    parser.time_out(&mut out);
    assert!(!parser.is_waiting());
    out.into()
}

const KEYS: &[(&[u8], &[&str])] = &[
    (b"j", &["Char('j')"]),
    (b"J", &["Shift Char('J')"]),
    ("é".as_bytes(), &["Char('é')"]),
    ("界🦀".as_bytes(), &["Char('界')", "Char('🦀')"]),
    (b"\r", &["Enter"]),
    (b"\n", &["Control Char('j')"]),
    (b"\t", &["Tab"]),
    (b"\x7f", &["Backspace"]),
    (b"\x08", &["Control Char('h')"]),
    (b"\x03", &["Control Char('c')"]),
    (b"\x1a", &["Control Char('z')"]),
    (b"\x00", &["Control Char(' ')"]),
    (b"\x1f", &["Control Char('7')"]),
    (b"\x1b", &["Esc"]),
    (b"\x1b\x1b", &["Esc", "Esc"]),
    (b"\x1b\x1b[A", &["Esc", "Up"]),
    (b"\x1bx", &["Alt Char('x')"]),
    (b"\x1b\x7f", &["Alt Backspace"]),
    ("\x1bé".as_bytes(), &["Alt Char('é')"]),
    (b"\x1b[", &["Alt Char('[')"]),
    (b"\x1bO", &["Shift+Alt Char('O')"]),
    (b"\x1b]", &["Alt Char(']')"]),
    (b"\x1bP", &["Shift+Alt Char('P')"]),
    (b"\x1b]q", &["Alt Char(']')", "Char('q')"]),
    (b"\x1b[A\x1b[B\x1b[C\x1b[D", &["Up", "Down", "Right", "Left"]),
    (b"\x1bOA\x1bOH\x1bOF", &["Up", "Home", "End"]),
    (b"\x1bOP\x1bOS\x1bOM", &["F(1)", "F(4)", "Enter"]),
    (b"\x1b[H\x1b[F\x1b[1~\x1b[4~", &["Home", "End", "Home", "End"]),
    (b"\x1b[2~\x1b[3~\x1b[5~\x1b[6~", &["Insert", "Delete", "PageUp", "PageDown"]),
    (b"\x1b[15~\x1b[17~\x1b[21~\x1b[24~", &["F(5)", "F(6)", "F(10)", "F(12)"]),
    (b"\x1b[[A\x1b[[E", &["F(1)", "F(5)"]),
    (b"\x1b[Z", &["Shift BackTab"]),
    (b"\x1b[1;5A", &["Control Up"]),
    (b"\x1b[1;2R", &["Shift F(3)"]),
    (b"\x1b[3;3~", &["Alt Delete"]),
    (b"\x1b[97;5u", &["Control Char('a')"]),
    (b"\x1b[27;5;13~", &["Control Enter"]),
    (b"\x1b[I\x1b[O", &["FocusGained", "FocusLost"]),
    (b"\x1b[<0;10;5M", &["Down(Left) 9,4 "]),
    (b"\x1b[<0;0;0m", &["Up(Left) 0,0 "]),
    (b"\x1b[<65;1;1M", &["ScrollDown 0,0 "]),
    (b"\x1b[M !!", &["Down(Left) 0,0 "]),
    (b"\x1b[M#\x00\xff", &["Up(Left) 0,222 "]),
    (b"\x1b[200~rm -rf\r\x1b[A\x1b[201~q", &["Paste(\"rm -rf\\r\\u{1b}[A\")", "Char('q')"]),
    (b"\x1b[200~\x1b[201~", &["Paste(\"\")"]),
    // Answers nobody asked for, and what is broken off or unknown.
    (b"\x1b[24;80R\x1b[?62;4c\x1b[>1;2c", &[]),
    (b"\x1b]11;rgb:0000/0000/0000\x07a", &["Char('a')"]),
    (b"\x1b]11;rgb:0000/0000/0000\x1b\\a", &["Char('a')"]),
    (b"\x1bP>|xterm(390)\x1b\\a", &["Char('a')"]),
    (b"\x1b[999~\x1b[1;5a", &[]),
    (b"\xff\xc3a\xe2\x82", &["Char('a')"]),
    (b"\x1b[12\x1b[A", &["Up"]),
    (b"\x1b[1\x03", &["Control Char('c')"]),
    (b"\x1b[0000000000000000000000000000000000000000000000000000Aj", &["Char('j')"]),
    (b"\x1b[99999999999999;5A", &[]),
];

#[test]
fn each_key_is_one_event() {
    for (bytes, expected) in KEYS {
        let got: Vec<String> = parse(bytes, usize::MAX).iter().map(show).collect();
        assert_eq!(&got, expected, "{:?}", String::from_utf8_lossy(bytes));
    }
}

#[test]
fn it_does_not_matter_how_the_bytes_are_cut() {
    for (bytes, _) in KEYS {
        for step in 1..bytes.len() {
            assert_eq!(parse(bytes, step), parse(bytes, usize::MAX), "{bytes:?} in pieces of {step}");
        }
    }
}

#[test]
fn a_paste_is_cut_at_its_bound_and_its_rest_never_becomes_keys() {
    for (length, kept) in
        [(LONGEST_PASTE, LONGEST_PASTE), (LONGEST_PASTE + 1, LONGEST_PASTE), (200_000, LONGEST_PASTE)]
    {
        let bytes = [b"\x1b[200~".to_vec(), vec![b'x'; length], b"\x1b[201~q".to_vec()].concat();
        let events = parse(&bytes, 1000);
        assert_eq!(events[0], Event::Paste("x".repeat(kept)), "of {length}");
        assert_eq!(events[1..], [key(KeyCode::Char('q'), KeyModifiers::NONE)]);
    }
}

#[test]
fn only_what_may_go_on_waits() {
    for (bytes, waits) in [
        (b"a".as_slice(), false),
        (b"\x1b", true),
        (b"\x1b[1", true),
        (b"\xc3", true),
        (b"\x1b[200~a", false),
    ] {
        let (mut parser, mut out) = (Parser::default(), VecDeque::new());
        parser.advance(bytes, &mut out);
        assert_eq!(parser.is_waiting(), waits, "{bytes:?}");
    }
}

proptest! {
    #[test]
    fn any_bytes_however_cut_give_the_same_bounded_events(
        bytes in prop::collection::vec(prop_oneof![
            3 => any::<u8>(),
            2 => prop::sample::select(b"\x1b[O]P<;M~ABu0123459\x07\\".to_vec()),
        ], 0..200),
        step in 1usize..20,
    ) {
        let whole = parse(&bytes, usize::MAX);
        prop_assert!(whole.len() <= 2 * bytes.len() + 1);
        prop_assert_eq!(&parse(&bytes, step), &whole);
        for event in whole {
            if let Event::Mouse(m) = event {
                prop_assert!(m.kind != MouseEventKind::Moved || m.column < u16::MAX);
            }
        }
    }

    #[test]
    fn typed_text_arrives_as_it_was_typed(text in "[^\\x00-\\x1f\\x7f-\\x9f]{0,40}") {
        let got: String = parse(text.as_bytes(), 3).iter().filter_map(|event| match event {
            Event::Key(k) => k.code.as_char(),
            _ => None,
        }).collect();
        prop_assert_eq!(got, text);
    }
}
