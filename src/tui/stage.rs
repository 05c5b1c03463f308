//! What a full-screen loop needs of what it shows: the dashboard and the wallboard are two such.

use super::app::{App, Effect, Event};
use super::update::update;
use super::view;
use super::wallboard::{Asked, Wallboard};
use crate::clock::Now;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

/// Takes events in, gives effects out, and can be drawn.
pub trait Stage {
    fn event(&mut self, now: Now, event: Event) -> Vec<Effect>;
    /// The columns and rows that it lays its parts out for, told by [`Event::Resize`]; `None` when
    /// that is the area it is drawn in, whatever that is. It is drawn in no other area.
    fn size(&self) -> Option<(u16, u16)>;
    fn draw(&self, now: Now, area: Rect, buf: &mut Buffer);
    /// Results dropped before they got here.
    fn dropped(&mut self, count: u64);
}

impl Stage for App {
    fn event(&mut self, now: Now, event: Event) -> Vec<Effect> {
        update(self, now, event)
    }

    fn size(&self) -> Option<(u16, u16)> {
        Some(self.size)
    }

    fn draw(&self, now: Now, area: Rect, buf: &mut Buffer) {
        view::draw(self, now, area, buf);
    }

    fn dropped(&mut self, count: u64) {
        self.dropped = count;
    }
}

impl Stage for Wallboard {
    /// No event of the wallboard ever yields an effect on anything but the screen itself.
    fn event(&mut self, now: Now, event: Event) -> Vec<Effect> {
        match event {
            Event::Key(key) => match self.key(key, now) {
                Asked::Quit => return vec![Effect::Quit],
                Asked::Redraw | Asked::Nothing => {}
            },
            Event::Observed(all) => self.observe(all),
            Event::Board(board) => self.board = board,
            Event::Tick => self.tick(now),
            Event::Trouble(text) => self.trouble = Some(text),
            // Runs are shown, in words; what is proposed or answered is not for a wallboard.
            Event::Ledger(ledger) => self.ledger = ledger,
            Event::Act(_)
            | Event::Paste(_)
            | Event::Resize(..)
            | Event::Switches(_)
            | Event::Proposed(_)
            | Event::Started(_)
            | Event::Replied { .. } => {}
        }
        Vec::new()
    }

    fn size(&self) -> Option<(u16, u16)> {
        None
    }

    fn draw(&self, now: Now, area: Rect, buf: &mut Buffer) {
        view::wallboard::draw(self, now, area, buf);
    }

    fn dropped(&mut self, count: u64) {
        if count > 0 {
            self.trouble
                .get_or_insert_with(|| format!("{count} results were dropped: this screen is too slow"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::id::RunId;
    use crate::domain::procedure::level::Level;
    use crate::domain::procedure::request::Reply;
    use crate::tui::act_fixture::{full, proposal};
    use crate::tui::command::COMMANDS;
    use crate::tui::fixture::{at, broken};
    use crate::tui::glyph::Glyphs;
    use crate::tui::theme::Theme;
    use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
    use proptest::prelude::*;
    use std::sync::Arc;
    use std::time::Duration;

    fn board() -> Wallboard {
        let theme = Theme::built_in("dark").unwrap();
        Wallboard::new(
            "Example".into(),
            "test".into(),
            broken(),
            theme,
            Glyphs::Unicode,
            Duration::from_secs(15),
            at(58),
        )
    }

    proptest! {
        /// Whatever is typed, pasted or sent: the wallboard asks for nothing but to leave.
        #[test]
        fn no_wallboard_event_yields_an_effect(c in any::<char>(), ctrl in any::<bool>(), pasted in ".{0,20}", action in proptest::sample::select(COMMANDS).prop_map(|c| c.action), w in 0u16..300, h in 0u16..100) {
            let mut board = board();
            let modifiers = if ctrl { KeyModifiers::CONTROL } else { KeyModifiers::NONE };
            for event in [Event::Key(KeyEvent::new(KeyCode::Char(c), modifiers)), Event::Paste(pasted), Event::Resize(w, h), Event::Tick,
                Event::Ledger(Arc::new(full())), Event::Proposed(Ok(proposal(Level::L1))), Event::Started(Ok(RunId::new("r"))),
                Event::Replied { run: RunId::new("r"), reply: Reply::Taken }, Event::Act(action)] {
                let effects = board.event(at(60), event);
                prop_assert!(effects.is_empty() || effects == [Effect::Quit]);
            }
            let mut buf = Buffer::empty(Rect::new(0, 0, w, h));
            board.draw(at(60), buf.area, &mut buf);
        }
    }

    #[test]
    fn pages_turn_by_themselves_unless_paused() {
        let mut board = board();
        let page = |b: &Wallboard| b.page(at(58)).1;
        assert_eq!(page(&board), 0);
        let _ = board.event(at(72), Event::Tick);
        assert_eq!(page(&board), 0);
        let _ = board.event(at(73), Event::Tick);
        assert_eq!(page(&board), 1);
        let _ = board.event(at(74), Event::Key(KeyEvent::new(KeyCode::Char('p'), KeyModifiers::NONE)));
        let _ = board.event(at(200), Event::Tick);
        assert_eq!(page(&board), 1);
    }
}
