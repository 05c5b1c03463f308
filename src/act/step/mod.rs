//! The kinds of step: one file each, in which is said how it reads its target, how it acts and
//! how it finds out later whether it had acted.

pub mod alertmanager;
mod capture;
mod compose;
mod exec;
mod expect;
mod file;
mod firewall;
pub mod http;
pub mod manual;
mod mark;
mod nginx;
pub mod postgres;
pub mod program;
pub mod redis;
mod shell;
mod signal;
mod systemd;
mod tool;
pub mod unix_json;
pub mod wait;

use super::sight::Sight;
pub use super::stop::Stop;
use crate::clock::Clock;
use crate::domain::id::{HostId, RunId, StepId};
use crate::domain::procedure::action::Action;
use crate::domain::procedure::event::{Captured, Effected, Truth};
use crate::domain::procedure::plan::Certainty;
use crate::stack::spec::Stack;
use crate::transport::Transport;
use crate::transport::fetch::access::Access;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// How long a look at a target may take.
pub const LOOK: Duration = Duration::from_secs(10);

/// Where and with what a step is carried out.
pub struct Setting<'a> {
    pub stack: &'a Stack,
    pub run: &'a RunId,
    pub step: &'a StepId,
    pub attempt: u32,
    /// A person who was told what is not known said to do it once more.
    pub by_word: bool,
    /// What the step did, when this is its undoing: only what came of that is taken back.
    pub undoes: Option<&'a Action>,
    pub host: &'a HostId,
    pub transport: &'a Transport,
    pub sudo: bool,
    /// Secrets and logins.
    pub access: &'a Arc<Access>,
    pub sight: &'a dyn Sight,
    pub clock: &'a dyn Clock,
    /// How long the step may take: what a server that can is told to give up after.
    pub timeout: Duration,
    /// The run's directory, where outputs and evidence are kept.
    pub dir: &'a Path,
}

/// A target as it was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// What, for a pin: `unit nginx.service on vpn`. Empty when there is nothing to pin.
    pub what: String,
    /// Its state, as one line; equal texts mean that nothing changed. Journalled as `before`.
    pub state: String,
    pub certainty: Certainty,
    /// What follows for others: "3 units depend on it".
    pub blast: Vec<String>,
    /// Why the step cannot work here: "no such unit". The plan is refused.
    pub impossible: Option<String>,
    /// Its state changes by itself, as that of a unit in a crash loop does: a plan that was bound
    /// to it could never be confirmed.
    pub restless: bool,
    pub warnings: Vec<String>,
}

/// What a step left behind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Left {
    pub result: Effected,
    pub output: Option<Captured>,
    /// An undoing that left something, or put it back, as it was before the step: what would prove
    /// that all is undone need not hold.
    pub spared: bool,
}

/// What the system says about an effect that was intended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    pub truth: Truth,
    pub says: String,
}

impl Target {
    /// A target of which nothing can be told in advance.
    pub fn unknown(why: impl Into<String>) -> Target {
        Target {
            what: String::new(),
            state: String::new(),
            certainty: Certainty::Unknown,
            blast: Vec::new(),
            impossible: None,
            restless: false,
            warnings: vec![why.into()],
        }
    }

    /// A target of which nothing is pinned: what the step does there shows only when it does it.
    pub fn unpinned() -> Target {
        Target { warnings: Vec::new(), ..Target::unknown("") }
    }

    /// A target that was looked at just now.
    pub fn probed(what: impl Into<String>, state: impl Into<String>) -> Target {
        Target {
            what: what.into(),
            state: state.into(),
            certainty: Certainty::Probed,
            blast: Vec::new(),
            impossible: None,
            restless: false,
            warnings: Vec::new(),
        }
    }

    /// What a plan is bound to.
    pub fn pinned(&self) -> &str {
        if self.restless { "changes by itself" } else { &self.state }
    }

    /// The same, of a step that cannot work; why completes "impossible: …".
    #[must_use]
    pub fn but_impossible(mut self, why: impl Into<String>) -> Target {
        self.impossible = Some(why.into());
        self
    }
}

impl Left {
    /// It did what it was to do.
    pub fn done(says: impl Into<String>) -> Left {
        Left { result: Effected::Done { says: says.into() }, output: None, spared: false }
    }

    /// It did not; why completes "failed: …".
    pub fn failed(why: impl Into<String>) -> Left {
        Left { result: Effected::Failed { why: why.into() }, output: None, spared: false }
    }

    /// It was ended because it was asked to end; why says what may be half done.
    pub fn killed(why: impl Into<String>) -> Left {
        Left { result: Effected::Killed { why: why.into() }, output: None, spared: false }
    }

    #[must_use]
    pub fn sparing(mut self, spared: bool) -> Left {
        self.spared = spared;
        self
    }

    #[must_use]
    pub fn with(mut self, output: Option<Captured>) -> Left {
        self.output = output;
        self
    }
}

impl Answer {
    pub fn happened(says: impl Into<String>) -> Answer {
        Answer { truth: Truth::Happened, says: says.into() }
    }

    pub fn did_not(says: impl Into<String>) -> Answer {
        Answer { truth: Truth::DidNot, says: says.into() }
    }

    pub fn unknown(says: impl Into<String>) -> Answer {
        Answer { truth: Truth::Unknown, says: says.into() }
    }
}

/// Looks at what a step would change; changes nothing. Bounded: a target that does not tell its
/// state within [`LOOK`] is one whose state is not known.
pub async fn target(action: &Action, s: &Setting<'_>) -> Target {
    let look = async {
        match action {
            Action::Systemd(a) => systemd::target(a, s).await,
            Action::Compose(a) => compose::target(a, s).await,
            Action::Http(a) => http::target(a, s).await,
            Action::UnixJson(a) => unix_json::target(a, s).await,
            Action::Redis(a) => redis::target(a, s).await,
            Action::Postgres(a) => postgres::target(a, s).await,
            Action::Signal(a) => signal::target(a, s).await,
            Action::Firewall(a) => firewall::target(a, s).await,
            Action::File(a) => file::target(a, s).await,
            Action::Nginx(a) => nginx::target(a, s).await,
            Action::Capture(a) => capture::target(a, s).await,
            Action::Wait(a) => wait::target(a, s).await,
            Action::Alertmanager(a) => alertmanager::target(a, s).await,
            Action::Manual(_) => manual::target(),
            Action::Exec(a) => exec::target(a, s).await,
            Action::Shell(a) => shell::target(a, s).await,
        }
    };
    match tokio::time::timeout(LOOK, Box::pin(look)).await {
        Ok(target) => target,
        Err(_) => Target::unknown(format!(
            "{} on {} did not tell its state within {} s",
            action.kind(),
            s.host,
            LOOK.as_secs()
        )),
    }
}

/// Carries a step out. It has no time limit of its own: the runner has one, and says through
/// `stop` that this must end.
pub async fn perform(action: &Action, s: &Setting<'_>, stop: &Stop) -> Left {
    let work = async {
        match action {
            Action::Systemd(a) => systemd::perform(a, s, stop).await,
            Action::Compose(a) => compose::perform(a, s, stop).await,
            Action::Http(a) => http::perform(a, s, stop).await,
            Action::UnixJson(a) => unix_json::perform(a, s, stop).await,
            Action::Redis(a) => redis::perform(a, s, stop).await,
            Action::Postgres(a) => postgres::perform(a, s, stop).await,
            Action::Signal(a) => signal::perform(a, s, stop).await,
            Action::Firewall(a) => firewall::perform(a, s, stop).await,
            Action::File(a) => file::perform(a, s, stop).await,
            Action::Nginx(a) => nginx::perform(a, s, stop).await,
            Action::Capture(a) => capture::perform(a, s, stop).await,
            Action::Wait(a) => wait::perform(a, s, stop).await,
            Action::Alertmanager(a) => alertmanager::perform(a, s, stop).await,
            Action::Manual(a) => manual::perform(a),
            Action::Exec(a) => exec::perform(a, s, stop).await,
            Action::Shell(a) => shell::perform(a, s, stop).await,
        }
    };
    Box::pin(work).await
}

/// After a lost runner: asks the system whether an effect that was intended came about. `before`
/// is the target's state as it was journalled with the intent.
pub async fn ask(action: &Action, before: &str, s: &Setting<'_>) -> Answer {
    let look = async {
        let answer = asked(action, before, s).await;
        if answer.truth != Truth::DidNot || !starts_programs(action) {
            return answer;
        }
        let answer = program::unless_it_runs(answer, s).await;
        // Its program may have done it and ended between the two looks.
        if answer.truth == Truth::DidNot { asked(action, before, s).await } else { answer }
    };
    match tokio::time::timeout(LOOK, Box::pin(look)).await {
        Ok(answer) => answer,
        Err(_) => Answer::unknown(format!("{} did not answer within {} s", s.host, LOOK.as_secs())),
    }
}

async fn asked(action: &Action, before: &str, s: &Setting<'_>) -> Answer {
    match action {
        Action::Systemd(a) => systemd::ask(a, before, s).await,
        Action::Compose(a) => compose::ask(a, before, s).await,
        Action::Http(a) => http::ask(a),
        Action::UnixJson(a) => unix_json::ask(a),
        Action::Redis(a) => redis::ask(a, before, s).await,
        Action::Postgres(a) => postgres::ask(a, before, s).await,
        Action::Signal(a) => signal::ask(a, before, s).await,
        Action::Firewall(a) => firewall::ask(a, before, s).await,
        Action::File(a) => file::ask(a, before, s).await,
        Action::Nginx(a) => nginx::ask(a, before, s).await,
        Action::Capture(a) => capture::ask(a, before, s).await,
        Action::Wait(_) => wait::ask(),
        Action::Alertmanager(a) => alertmanager::ask(a, before, s).await,
        Action::Manual(_) => manual::ask(),
        Action::Exec(a) => exec::ask(a, before, s).await,
        Action::Shell(a) => shell::ask(a, before, s).await,
    }
}

/// Whether what a step does is done by programs of its own, which may outlive its runner.
pub fn starts_programs(action: &Action) -> bool {
    match action {
        Action::Systemd(_)
        | Action::Compose(_)
        | Action::Firewall(_)
        | Action::File(_)
        | Action::Nginx(_)
        | Action::Capture(_)
        | Action::Signal(_)
        | Action::Exec(_)
        | Action::Shell(_) => true,
        Action::Http(_)
        | Action::UnixJson(_)
        | Action::Redis(_)
        | Action::Postgres(_)
        | Action::Wait(_)
        | Action::Alertmanager(_)
        | Action::Manual(_) => false,
    }
}
