//! The names of things: layers, hosts, probes. Newtypes, so that one is never taken for another.

use std::fmt;
use std::sync::Arc;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
        pub struct $name(Arc<str>);

        impl $name {
            pub fn new(text: &str) -> Self {
                $name(Arc::from(text))
            }

            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:?}", &*self.0)
            }
        }

        impl std::borrow::Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }
    };
}

id!(
    /// A layer of the stack.
    LayerId
);
id!(
    /// A host of the stack.
    HostId
);
id!(
    /// A probe of the stack.
    ProbeId
);
id!(
    /// A secret, by the name that `config.toml` gives it.
    SecretId
);

id!(
    /// A procedure of the stack.
    ProcedureId
);
id!(
    /// A step of a plan: `id`, or `outer/id` and `outer[item]/id` where one step became several.
    StepId
);
id!(
    /// One run of a plan; sorts by time, and fits a file name.
    RunId
);

/// What an id may look like: lower-case letters, digits, `-`, `_`, `.`; it starts with a letter
/// or digit and is at most [`MAX_ID`] bytes, so that it fits a column, a file name and a label.
pub fn is_valid(text: &str) -> bool {
    text.len() <= MAX_ID
        && text.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit())
        && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || "-_.".contains(c))
}

/// The longest id, in bytes.
pub const MAX_ID: usize = 48;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_plain_words() {
        for good in ["redis", "wg0", "0a", "api-8000", "log_rate", "a.b"] {
            assert!(is_valid(good), "{good}");
        }
        for bad in ["", "-a", "Redis", "a b", "a/b", "é", &"x".repeat(49)] {
            assert!(!is_valid(bad), "{bad}");
        }
    }
}
