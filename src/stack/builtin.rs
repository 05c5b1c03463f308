//! The stacks that are part of the program. A new one is a file in `stacks/` and a line here.

use super::diag::Source;
use std::sync::Arc;

/// One embedded stack file.
#[derive(Clone, Copy, Debug)]
pub struct BuiltIn {
    /// What `--stack` takes: the file's name.
    pub name: &'static str,
    pub text: &'static str,
}

macro_rules! built_in {
    ($($file:literal),* $(,)?) => {
        &[$(BuiltIn {
            name: stem($file),
            text: include_str!(concat!("../../stacks/", $file)),
        }),*]
    };
}

// One line a stack.
const ALL: &[BuiltIn] = built_in!["tornado.toml", "pqmsg.toml", "edgesentry.toml"];

/// The part of a file's name before `.toml`.
const fn stem(file: &'static str) -> &'static str {
    match file.len().checked_sub(".toml".len()) {
        Some(end) => file.split_at(end).0,
        None => file,
    }
}

/// All of them.
pub fn all() -> &'static [BuiltIn] {
    ALL
}

/// Whether this is the file of one of them, and so has no files beside it.
pub fn is(source: &Source) -> bool {
    ALL.iter().any(|b| source.text == b.text && source.name == name_of(b.name))
}

fn name_of(stack: &str) -> String {
    format!("{stack}.toml (built in)")
}

/// The file of one of them.
pub fn source(name: &str) -> Option<Arc<Source>> {
    let found = ALL.iter().find(|b| b.name == name)?;
    Some(Arc::new(Source { name: name_of(name), text: found.text.to_owned() }))
}
