//! An action in words and as the exact argv or request, for previews, prompts and journals.

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

    /// How far it reaches of what keeps strangers out.
    pub fn edge(&self) -> Edge {
        use super::kinds::FirewallVerb::{Block, Close, Open, Unblock};
        match self {
            Action::Firewall(f) => match f.verb {
                Block | Unblock => Edge::Narrow,
                Close | Open => Edge::Wide,
            },
            _ => Edge::None,
        }
    }
}
