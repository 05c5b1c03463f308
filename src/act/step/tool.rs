//! Small programs of a host that a step asks or tells something, with their whole output at hand.

use super::{Setting, Stop};
use crate::domain::procedure::action::describe::local::full_argv;
use crate::domain::text;
use crate::transport::running::{Said, Start};
use std::collections::BTreeMap;

/// Kept of standard output, in bytes: a filter's table may be long.
const MAX_OUT: usize = 4 << 20;
/// Kept of standard error, in bytes.
const MAX_ERR: usize = 16 << 10;

/// What a program left.
#[derive(Debug)]
pub struct Told {
    /// 128 + n when signal n ended it.
    pub status: i32,
    pub out: Vec<u8>,
    pub err: Vec<u8>,
    /// More came than is kept.
    pub cut: bool,
}

impl Told {
    pub fn well(&self) -> bool {
        self.status == 0
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.out).into_owned()
    }

    /// What it said of its failure, as one safe line.
    pub fn complaint(&self) -> String {
        let said = if self.err.is_empty() { &self.out } else { &self.err };
        let said = text::one_line(&String::from_utf8_lossy(said), 240);
        if said.is_empty() { format!("it ended with status {}", self.status) } else { said }
    }
}

/// Runs a program to its end; `stdin` is what it reads. When it is told to stop, it is killed.
///
/// # Errors
/// It could not be started, its host was lost, or it was stopped; completes "failed: …".
pub async fn run(s: &Setting<'_>, argv: &[String], stdin: Option<&str>, stop: &Stop) -> Result<Told, String> {
    let start = Start {
        argv: full_argv(argv, s.sudo, &BTreeMap::new()),
        env: Vec::new(),
        hide: s.access.secrets.variables(),
        stdin: stdin.map(Into::into),
        merged: false,
        sudo: s.sudo,
    };
    let shown = argv.first().map_or("", String::as_str);
    let work = async {
        let mut running = s.transport.start(start).await.map_err(|e| e.to_string())?;
        let mut told = Told { status: -1, out: Vec::new(), err: Vec::new(), cut: false };
        loop {
            match running.next().await.map_err(|e| format!("{shown}: cannot read its output: {e}"))? {
                Said::Out(new) => told.cut |= keep(&mut told.out, new, MAX_OUT),
                Said::Err(new) => {
                    keep(&mut told.err, new, MAX_ERR);
                }
                Said::Begun => {}
                Said::Ended(status) => told.status = status,
                Said::Absent => return Err(format!("{shown}: no such program on {}", s.host)),
                Said::Lost(why) => return Err(format!("{shown}: the way to {} was lost: {why}", s.host)),
                Said::Closed => break,
            }
        }
        running.release().await;
        if told.cut { Err(format!("{shown} says more than can be read")) } else { Ok(told) }
    };
    tokio::select! {
        biased;
        told = work => told,
        () = stop.stopped() => Err(format!("{shown} was ended")),
    }
}

fn keep(kept: &mut Vec<u8>, new: &[u8], max: usize) -> bool {
    let room = (max - kept.len()).min(new.len());
    kept.extend_from_slice(new.get(..room).unwrap_or(&[]));
    room < new.len()
}

/// An argv of words.
pub fn argv(words: &[&str]) -> Vec<String> {
    words.iter().map(|w| (*w).to_owned()).collect()
}
