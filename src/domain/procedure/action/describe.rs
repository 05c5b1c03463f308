//! An action in words and as the exact argv or request, for previews, prompts and journals.

mod edge;
pub mod local;
mod wires;

use super::kinds::File;
use super::{Action, Edge};

impl Action {
    /// The kind's name, as `uses` has it.
    pub fn kind(&self) -> &'static str {
        match self {
            Action::Systemd(_) => "systemd",
            Action::Compose(_) => "compose",
            Action::Http(_) => "http",
            Action::UnixJson(_) => "unix-json",
            Action::Redis(_) => "redis",
            Action::Postgres(_) => "postgres",
            Action::Signal(_) => "signal",
            Action::Firewall(_) => "firewall",
            Action::File(_) => "file",
            Action::Nginx(_) => "nginx",
            Action::Capture(_) => "capture",
            Action::Wait(_) => "wait",
            Action::Alertmanager(_) => "alertmanager",
            Action::Manual(_) => "manual",
            Action::Exec(_) => "exec",
            Action::Shell(_) => "shell",
        }
    }

    /// Exact argv, quoted as a shell would need it, or request; one line each. Lines that belong to
    /// the one before are indented. Places for secrets stay places.
    pub fn describe(&self, sudo: bool) -> Vec<String> {
        match self {
            Action::Systemd(a) => local::systemd(a, sudo),
            Action::Compose(a) => local::compose(a, sudo),
            Action::Http(a) => wires::http(a),
            Action::UnixJson(a) => wires::unix_json(a),
            Action::Redis(a) => wires::redis(a),
            Action::Postgres(a) => wires::postgres(a),
            Action::Signal(a) => local::signal(a, sudo),
            Action::Firewall(a) => edge::firewall(a, sudo),
            Action::File(a) => local::file(a, sudo),
            Action::Nginx(a) => edge::nginx(a, sudo),
            Action::Capture(a) => local::capture(a, sudo),
            Action::Wait(a) => wires::wait(a),
            Action::Alertmanager(a) => wires::alertmanager(a),
            Action::Manual(a) => wires::manual(a),
            Action::Exec(a) => local::exec(a, sudo),
            Action::Shell(a) => local::shell(a, sudo),
        }
    }

    /// The same of what undoes a step that did this.
    pub fn describe_undoing(&self, done: &Action, sudo: bool) -> Vec<String> {
        match (self, done) {
            (Action::File(a), Action::File(done)) if a.content.is_none() && done.path == a.path => {
                return local::file_undone(done, sudo);
            }
            // Nothing that the step did not write is removed without a copy.
            (Action::File(a), _) if a.content.is_none() => {
                return local::file(&File { backup: true, ..a.clone() }, sudo);
            }
            _ => {}
        }
        let mut out = self.describe(sudo);
        if matches!(self, Action::Firewall(_) | Action::Nginx(_)) {
            out.push(
                "  as far as the step itself changed it: what was there before stays or comes back"
                    .to_owned(),
            );
        }
        out
    }

    /// How far it reaches of what keeps strangers out.
    pub fn edge(&self) -> Edge {
        use super::kinds::FirewallVerb::{Block, Close, Open, Unblock};
        match self {
            Action::Firewall(f) => match f.verb {
                Block | Unblock => Edge::Narrow,
                Close | Open => Edge::Wide,
            },
            // A whole site at once, for everybody who asks it.
            Action::Nginx(_) => Edge::Wide,
            _ => Edge::None,
        }
    }
}
