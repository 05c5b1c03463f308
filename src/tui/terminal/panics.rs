//! Panics: logged first; the terminal is given back only if it is the screen's own code that panicked.

use std::collections::VecDeque;
use std::panic::PanicHookInfo;
use std::sync::{Mutex, PoisonError};
use std::thread;

use tokio::sync::Notify;

use super::glyph::cut;
use super::{hangup, restore};

/// Panics kept for the screen to show; older ones fall out and are counted.
pub const KEPT: usize = 16;

/// The most bytes kept of a panic's message.
const MESSAGE: usize = 1024;

/// A panic that did not end the program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PanicNote {
    /// The thread's name, or `task` for a task of the runtime.
    pub place: String,
    pub message: String,
    /// `file:line:column`, if known.
    pub location: String,
}

#[derive(Debug, Default)]
struct Notes {
    kept: VecDeque<PanicNote>,
    dropped: usize,
}

static NOTES: Mutex<Notes> = Mutex::new(Notes { kept: VecDeque::new(), dropped: 0 });
static NOTED: Notify = Notify::const_new();

/// Installs the hook; call it on the thread that draws, after color-eyre's own, which it calls.
///
/// A panic of that thread outside any task logs, restores the terminal, and is reported by the
/// hook before. Tasks are caught by the runtime, and other threads end alone: theirs are logged
/// and kept for [`take_panics`], and the screen stays.
pub fn install_panic_hook() {
    let before = std::panic::take_hook();
    let screen = thread::current().id();
    std::panic::set_hook(Box::new(move |info| {
        if hangup::is_gone() {
            return; // whatever is said now would go to the dead terminal
        }
        let note = note(info);
        tracing::error!(place = note.place, location = note.location, "panicked: {}", note.message);
        // A task runs on the drawing thread too when the runtime has only that one.
        let own = thread::current().id() == screen && tokio::task::try_id().is_none();
        if own || !restore::is_entered() {
            if restore::leave() {
                before(info); // otherwise nobody reads it, and writing it might never end
            }
        } else {
            keep(note);
        }
    }));
}

/// The panics kept since the last call, and how many more there were.
pub fn take_panics() -> (Vec<PanicNote>, usize) {
    let mut notes = NOTES.lock().unwrap_or_else(PoisonError::into_inner);
    (notes.kept.drain(..).collect(), std::mem::take(&mut notes.dropped))
}

/// Returns when a panic has been kept. Cancel-safe.
pub async fn panic_noted() {
    NOTED.notified().await;
}

fn keep(note: PanicNote) {
    let mut notes = NOTES.lock().unwrap_or_else(PoisonError::into_inner);
    if notes.kept.len() == KEPT {
        notes.kept.pop_front();
        notes.dropped += 1;
    }
    notes.kept.push_back(note);
    drop(notes);
    NOTED.notify_one();
}

fn note(info: &PanicHookInfo<'_>) -> PanicNote {
    let payload = info.payload();
    let text = payload.downcast_ref::<&str>().copied();
    let message =
        text.or_else(|| payload.downcast_ref::<String>().map(String::as_str)).unwrap_or("no message");
    let place = match tokio::task::try_id() {
        Some(_) => "task".to_owned(),
        None => thread::current().name().unwrap_or("a thread without a name").to_owned(),
    };
    let location = info.location().map_or_else(|| "an unknown place".to_owned(), ToString::to_string);
    PanicNote { place, message: cut(message, MESSAGE).to_owned(), location }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_panics_are_kept_and_the_rest_counted() {
        for n in 0..KEPT + 3 {
            keep(PanicNote { place: "task".into(), message: n.to_string(), location: String::new() });
        }
        let (kept, dropped) = take_panics();
        assert_eq!((kept.len(), dropped), (KEPT, 3));
        assert_eq!(kept[0].message, "3");
        assert_eq!(take_panics(), (Vec::new(), 0));
    }
}
