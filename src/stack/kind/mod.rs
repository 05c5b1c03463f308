//! The kinds of probe a stack file can ask for: what each is told, and what it can know.
//!
//! A kind is a pair of files: `stack/kind/x.rs` (what the file says) and `observe/probe/x.rs`
//! (how it is looked at). Each is named once in the list below and once in `observe/probe`.

pub mod checked;
pub mod common;

use super::decode::Table;
use crate::domain::fact::FactDecl;
use common::Endpoint;

macro_rules! kinds {
    ($($variant:ident $module:ident $name:literal),* $(,)?) => {
        $(pub mod $module;)*

        /// A probe's kind and what it was told.
        #[derive(Clone, Debug)]
        pub enum Kind { $($variant($module::Spec),)* }

        /// The names that `kind =` takes.
        pub const NAMES: &[&str] = &[$($name),*];

        impl Kind {
            /// Reads the keys of one kind; `None` when they are wrong, which has been noted then.
            pub fn decode(name: &str, table: &Table<'_>) -> Option<Kind> {
                match name {
                    $($name => $module::Spec::decode(table).map(Kind::$variant),)*
                    _ => None,
                }
            }

            pub fn name(&self) -> &'static str {
                match self { $(Kind::$variant(_) => $name,)* }
            }

            /// What conditions on this kind can speak of.
            pub fn facts(&self) -> &'static [FactDecl] {
                match self { $(Kind::$variant(_) => $module::FACTS,)* }
            }

            /// What it looks at, for the screen.
            pub fn target(&self) -> String {
                match self { $(Kind::$variant(spec) => spec.target(),)* }
            }

            /// Where it connects to, if it does.
            pub fn endpoint(&self) -> Option<Endpoint> {
                match self { $(Kind::$variant(spec) => spec.endpoint(),)* }
            }

            /// Kinds whose probes of one host are answered together by one command.
            pub fn batch(&self) -> Option<&'static str> {
                Some(self.name()).filter(|n| matches!(*n, "systemd" | "wireguard"))
            }

            /// The conditions that hold when the file names none; they follow from what the
            /// file does say.
            pub fn default_conditions(&self) -> Vec<String> {
                match self { $(Kind::$variant(spec) => spec.default_conditions(),)* }
            }
        }
    };
}

// One line a kind.
kinds! {
    Disk disk "disk",
    EnvPresent env_present "env-present",
    Cert cert "cert",
    Dns dns "dns",
    Exec exec "exec",
    Http http "http",
    Nginx nginx "nginx",
    File file "file",
    Listen listen "listen",
    Load load "load",
    Memory memory "memory",
    PidFile pid_file "pid-file",
    Process process "process",
    Systemd systemd "systemd",
    Tcp tcp "tcp",
    Postgres postgres "postgres",
    Redis redis "redis",
    Tor tor "tor",
    Udp udp "udp",
    UnixJson unix_json "unix-json",
    Wireguard wireguard "wireguard",
}
