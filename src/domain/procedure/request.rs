//! What a person asks of a run that is under way.

use super::event::Choice;
use serde::{Deserialize, Serialize};

/// One request to a runner. Who asks is not in it: the kernel says that of the connection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "ask", rename_all = "kebab-case")]
pub enum Request {
    /// Is it there?
    Ping,
    /// Finish the step that runs and stop; `now` also ends that step. A second plain abort is `now`.
    Abort { now: bool },
    /// The answer to a hold. `hold` is the number of the journal entry that opened it, as the one
    /// who answers saw it: what nobody has seen cannot be answered. Only old audits lack it.
    Release {
        step: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        hold: Option<u64>,
        choice: Choice,
        note: Option<String>,
    },
}

/// What the runner answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "reply", rename_all = "kebab-case")]
pub enum Reply {
    /// It is on disk.
    Taken,
    /// Why not; completes "failed to …".
    Refused { why: String },
}
