//! The terminal can vanish: noticing it at once, and ending without another byte to it.
//!
//! Signals do not suffice (SIGHUP may be ignored, as under `nohup`, or go to somebody else) and
//! neither does reading (the loop may be busy), so a thread of its own sleeps in poll(2) on the
//! terminal until it hangs up. It asks for no events and is never woken by keys or output.
//! A serial line's lost carrier does not wake such a poll; there the reader of the keys notices.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread;
use std::time::Duration;

use super::tty::Tty;

/// The process's exit status after its terminal vanished: 128 + SIGHUP, as a shell reports one
/// that died of it.
pub const EXIT_STATUS: i32 = 129;

/// How long the last act may take before the process ends without it.
pub const LAST_ACT: Duration = Duration::from_millis(250);

/// Small: the watcher calls poll and, once, exit.
const STACK: usize = 128 * 1024;

type Act = Box<dyn FnOnce() + Send>;

static GONE: AtomicBool = AtomicBool::new(false);
static ACT: Mutex<Option<Act>> = Mutex::new(None);

/// Whether the terminal is known to have vanished. Nothing is written to it from then on.
pub fn is_gone() -> bool {
    GONE.load(Ordering::Acquire)
}

/// Registers what is done, once, before the process ends because its terminal vanished: saving
/// state, nothing long (see [`LAST_ACT`]) and nothing that writes to the terminal. It runs in a
/// thread of its own while the others go on. Replaces what was registered before.
pub fn before_exit(act: impl FnOnce() + Send + 'static) {
    *ACT.lock().unwrap_or_else(PoisonError::into_inner) = Some(Box::new(act));
}

/// Starts the thread that ends the process when `tty` hangs up.
///
/// # Errors
/// The thread cannot be started.
pub(super) fn watch(tty: Arc<Tty>) -> io::Result<()> {
    let watcher = thread::Builder::new().name("hang-up".to_owned()).stack_size(STACK);
    watcher.spawn(move || {
        if tty.wait_for_hang_up().is_ok() {
            vanish();
        }
    })?;
    Ok(())
}

/// Ends the process because its terminal is gone. Whoever comes second waits for the first.
pub fn vanish() -> ! {
    if GONE.swap(true, Ordering::AcqRel) {
        loop {
            thread::park();
        }
    }
    last_act();
    // No tracing here or later: a subscriber may write to the terminal.
    std::process::exit(EXIT_STATUS)
}

/// Runs what was registered, for at most [`LAST_ACT`].
pub(super) fn last_act() {
    // A lock that is held is a registration under way; the process does not wait for it.
    let act = ACT.try_lock().ok().and_then(|mut act| act.take());
    let Some(act) = act else { return };
    let (done, finished) = mpsc::channel::<()>();
    let actor = thread::Builder::new().name("last-act".to_owned());
    let spawned = actor.spawn(move || {
        act();
        drop(done);
    });
    if spawned.is_ok() {
        // The sender is dropped when the act is over, by return or panic.
        let _ = finished.recv_timeout(LAST_ACT);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_act_runs_once_and_is_not_waited_for_without_end() {
        let (told, heard) = mpsc::channel();
        before_exit(move || told.send(()).unwrap());
        last_act();
        assert!(heard.try_recv().is_ok(), "it ran before last_act returned");
        last_act();

        let (release, held) = mpsc::channel::<()>();
        before_exit(move || {
            let _ = held.recv();
        });
        last_act();
        assert!(release.send(()).is_ok(), "it was still running when last_act gave it up");
        before_exit(|| panic!("an act that fails"));
        last_act();
    }
}
