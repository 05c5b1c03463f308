//! How a program is ended: TERM to its whole group, KILL after a grace, and then whatever it has
//! started elsewhere.

use super::survey::{self, Stray};
use super::{Alarm, GRACE};
use crate::act::step::{Setting, Stop};
use crate::domain::text;
use crate::transport::Command;
use rustix::process::{Pid, Signal};
use std::time::Duration;

/// How long a killed program may take to be gone. One in the middle of a read from a dead disk
/// stays for ever.
const GONE: Duration = Duration::from_secs(2);
/// How long sending a signal over ssh or through sudo may take.
const SEND: Duration = Duration::from_secs(5);
/// Between two looks at what still runs, and how many of them: as long as the grace.
const AGAIN: Duration = Duration::from_millis(250);
const LOOKS: u32 = 20;

/// What was done so far to end a program.
#[derive(Debug, Default)]
pub(super) struct Ending {
    pub(super) done: Vec<String>,
    killed: bool,
}

impl Ending {
    pub(super) fn begun(&self) -> bool {
        !self.done.is_empty()
    }

    /// Asks the group to end; gives the end of the grace.
    pub(super) async fn term(&mut self, s: &Setting<'_>, group: Option<u32>) -> Alarm {
        self.send(s, group, "TERM").await;
        Box::pin(tokio::time::sleep(GRACE))
    }

    /// Kills the group; `None` when that was done already and did not help.
    pub(super) async fn kill(&mut self, s: &Setting<'_>, group: Option<u32>) -> Option<Alarm> {
        if std::mem::replace(&mut self.killed, true) {
            self.done.push("it has not ended".to_owned());
            return None;
        }
        self.send(s, group, "KILL").await;
        Some(Box::pin(tokio::time::sleep(GONE)))
    }

    async fn send(&mut self, s: &Setting<'_>, group: Option<u32>, name: &str) {
        let Some(group) = group else {
            self.done.push(format!("{name} could not be sent: it was still being started"));
            return;
        };
        let sent = signal(s, &format!("-{group}"), name).await;
        self.done.push(match sent {
            Ok(()) => format!("sent {name} to its process group {group}"),
            Err(why) => format!("could not send {name} to its process group {group}: {why}"),
        });
    }

    /// What the program has started and still runs. When it was told to stop, that is ended too.
    pub(super) async fn clear_up(&mut self, s: &Setting<'_>, group: Option<u32>, stop: &Stop) -> Vec<Stray> {
        if !self.begun() || !stop.is_stopped() {
            return survey::left(s, group).await.unwrap_or_default();
        }
        match self.end_all(s, group, self.killed).await {
            Ok(left) => left,
            Err(why) => {
                self.done.push(format!("what it had started is not known: {why}"));
                Vec::new()
            }
        }
    }

    /// Ends all that a step has started: TERM, and KILL after the grace, or, when that is over, at
    /// once. Gives what still runs then.
    async fn end_all(
        &mut self,
        s: &Setting<'_>,
        group: Option<u32>,
        late: bool,
    ) -> Result<Vec<Stray>, String> {
        let mut left = survey::all(s, group).await?;
        for look in 0..LOOKS {
            if left.is_empty() {
                return Ok(left);
            }
            if look == 0 {
                // What is in the group has heard it already; what has left the group has not.
                self.each(s, &left, "TERM").await;
            }
            if late {
                break;
            }
            tokio::time::sleep(AGAIN).await;
            left = survey::all(s, group).await?;
        }
        if left.is_empty() {
            return Ok(left);
        }
        self.done.push(format!("killed what it had started: {}", survey::names(&left)));
        self.each(s, &left, "KILL").await;
        for _ in 0..LOOKS / 2 {
            tokio::time::sleep(AGAIN / 5).await;
            left = survey::all(s, group).await?;
            if left.is_empty() {
                break;
            }
        }
        Ok(left)
    }

    async fn each(&mut self, s: &Setting<'_>, all: &[Stray], name: &str) {
        for stray in all {
            // One that has just ended is what is wanted.
            if let Err(why) = signal(s, &stray.pid.to_string(), name).await
                && !why.contains("No such process")
            {
                self.done.push(format!("could not send {name} to {} {}: {why}", stray.pid, stray.name));
            }
        }
    }
}

/// Ends all that a lost runner's step has started and still runs. Gives what was done, and what runs
/// all the same.
///
/// # Errors
/// It is not known what runs.
pub async fn end_strays(s: &Setting<'_>) -> Result<(Vec<String>, Vec<Stray>), String> {
    let mut ending = Ending::default();
    let found = survey::all(s, None).await?;
    if !found.is_empty() {
        ending.done.push(format!("told to end: {}", survey::names(&found)));
    }
    let left = ending.end_all(s, None, false).await?;
    Ok((ending.done, left))
}

/// Sends a signal to a process, or with `-` before it to a group, with the privileges that the step
/// has: what runs under sudo belongs to another user.
async fn signal(s: &Setting<'_>, to: &str, name: &str) -> Result<(), String> {
    if s.transport.is_local() && !s.sudo {
        return here(to, name).map_err(|e| e.to_string());
    }
    let command = Command::new(["kill", "-s", name, "--", to]).sudo(s.sudo);
    match tokio::time::timeout(SEND, s.transport.run(&command)).await {
        Ok(Ok(output)) if output.status == 0 => Ok(()),
        Ok(Ok(output)) => Err(text::one_line_bytes(&output.stderr, 200)),
        Ok(Err(e)) => Err(text::reason(&e.to_string())),
        Err(_) => Err(format!("no answer within {} s", SEND.as_secs())),
    }
}

fn here(to: &str, name: &str) -> Result<(), rustix::io::Errno> {
    let signal = if name == "KILL" { Signal::KILL } else { Signal::TERM };
    let id =
        to.trim_start_matches('-').parse().ok().and_then(Pid::from_raw).ok_or(rustix::io::Errno::SRCH)?;
    if to.starts_with('-') {
        rustix::process::kill_process_group(id, signal)
    } else {
        rustix::process::kill_process(id, signal)
    }
}
