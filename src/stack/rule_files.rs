//! The Prometheus rule files that a stack file or config.toml names: found, read, and put together.

use super::decode::At;
use super::diag::{Problem, Problems, Source};
use super::metrics::Rule;
use super::{files, rulefile, ruletest};
use crate::domain::text;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Rules of one stack, those of its files included.
pub const MAX_RULES: usize = 10_000;
/// Rule files of one stack.
const MAX_FILES: usize = 500;

/// Where files may be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disk {
    Read,
    /// Only texts are looked at: whoever names a file is refused.
    Untouched,
}

/// Reads rule files one list of names after the other.
pub struct RuleFiles<'a> {
    pub disk: Disk,
    pub rules: &'a mut Vec<Rule>,
    pub problems: &'a mut Problems,
    /// What was read so far.
    seen: Vec<PathBuf>,
}

impl<'a> RuleFiles<'a> {
    /// Appends to `rules`.
    pub fn new(disk: Disk, rules: &'a mut Vec<Rule>, problems: &'a mut Problems) -> Self {
        RuleFiles { disk, rules, problems, seen: Vec::new() }
    }

    /// Reads the files that `source` names, relative to it; the last part of a path may hold `*`.
    pub fn read(&mut self, source: &Arc<Source>, named: &[At<String>]) {
        for At { value, span } in named {
            let refuse = |message: String| Problem::error(source, span.clone(), message);
            if self.disk == Disk::Untouched {
                self.problems.push(refuse("rule files are not looked at here".to_owned()));
                continue;
            }
            let found = ruletest::rule_files(Path::new(&source.name), value);
            if found.is_empty() {
                let shown = text::one_line(value, 200);
                self.problems.push(refuse(format!("no rule file is called `{shown}`")));
            }
            for path in found {
                if self.seen.contains(&path) {
                    let message = format!("{} is named twice, and read once", path.display());
                    self.problems.push(Problem::warning(source, span.clone(), message));
                    continue;
                }
                if self.seen.len() >= MAX_FILES {
                    self.problems.push(refuse(format!("a stack has at most {MAX_FILES} rule files")));
                    return;
                }
                match self.one(&path) {
                    Ok(()) => {}
                    // The place that named the file helps more than the file that cannot be read.
                    Err(p) if p.span.is_empty() && p.source.text.is_empty() => {
                        self.problems.push(refuse(p.message));
                    }
                    Err(p) => self.problems.push(p),
                }
                self.seen.push(path);
                if self.rules.len() > MAX_RULES {
                    self.problems.push(refuse(format!("a stack has at most {MAX_RULES} rules")));
                    self.rules.truncate(MAX_RULES);
                    return;
                }
            }
        }
    }

    /// Reads one file. The error is that it cannot be read; what is wrong in it is noted.
    fn one(&mut self, path: &Path) -> Result<(), Problem> {
        match rulefile::read(&files::read(path)?) {
            Ok(file) => {
                self.rules.extend(file.rules);
                self.problems.append(file.warnings);
            }
            Err(found) => self.problems.append(found),
        }
        Ok(())
    }
}
