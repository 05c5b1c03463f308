//! The audit log: who did what to the world, in lines of which each is bound to the one before, so
//! that an edit, a removed line or a cut tail shows.
//!
//! It proves nothing against somebody who may write the log and everything that vouches for it; so
//! the head, which vouches for the whole log, is also sent to the system journal.

mod append;
mod chain;
pub mod elsewhere;
mod head;
mod line;
mod read;
#[cfg(test)]
mod tests;

pub use append::{Appended, Log};
pub use chain::{Broken, Hash, Torn, Verdict};
pub use head::Head;
pub use line::{Line, What};
pub use read::Shown;

/// The log's name in the state directory.
pub const FILE: &str = "audit.jsonl";
/// The head's.
pub const HEAD_FILE: &str = "audit.head";

/// The longest line, in bytes. Longer texts are cut before a line is made of them.
pub const MAX_LINE: usize = 512 * 1024;
