//! Rules against the real promtool: what it accepts, what it expands, and what fires when.
#![cfg(test)] // tells clippy that helpers, too, may unwrap

#[path = "rules/check.rs"]
mod check;
mod harness;
#[path = "rules/random.rs"]
mod random;
#[path = "rules/templates.rs"]
mod templates;
#[path = "rules/unit.rs"]
mod unit;

use harness::need;
use quarterdeck::stack::diag::Source;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

pub(crate) fn promtool() -> Option<PathBuf> {
    need("promtool", "prometheus")
}

/// Whether promtool is content, and what it says.
pub(crate) fn ask(promtool: &Path, args: &[&str], file: &Path) -> (bool, String) {
    let done = Command::new(promtool).args(args).arg(file).output().unwrap();
    let text = [done.stdout, done.stderr].concat();
    (done.status.success(), String::from_utf8_lossy(&text).into_owned())
}

pub(crate) fn source(text: &str) -> Arc<Source> {
    Arc::new(Source { name: "file.yml".to_owned(), text: text.to_owned() })
}

/// `rules test` of the program itself: its exit code and all that it says.
pub(crate) fn ours(file: &Path) -> (u8, String) {
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let code = quarterdeck::cli::rules::test(&[file.to_owned()], false, &mut out, &mut err).unwrap();
    (code, String::from_utf8([out, err].concat()).unwrap())
}
