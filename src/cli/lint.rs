//! `quarterdeck lint`: what is wrong with files, and what is legal and dangerous.

use super::{first_steps, report};
use crate::stack::config;
use crate::stack::diag::{Problems, Severity};
use crate::stack::files;
use crate::stack::lint;
use crate::stack::load::{self, Failure, Flags};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Clean, or only warnings without `--strict`.
pub const CLEAN: u8 = 0;
/// Warnings under `--strict`.
pub const WARNINGS: u8 = 1;
/// Errors, or nothing to check.
pub const ERRORS: u8 = 2;

/// Checks files, or without any the config that would be used and its stack. Reports go to
/// `err`, a line of summary to `out`. Gives the exit code.
pub fn run(
    flags: &Flags,
    paths: &[PathBuf],
    strict: bool,
    color: bool,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> io::Result<u8> {
    let env = |name: &str| std::env::var(name).ok();
    let mut problems = Problems::default();
    let found: Vec<PathBuf>;
    let paths = if paths.is_empty() {
        found = flags.config.clone().or_else(|| config::find(&env)).into_iter().collect();
        found.as_slice()
    } else {
        paths
    };
    match (paths.is_empty(), &flags.stack) {
        (true, None) => {
            first_steps::print(err)?;
            return Ok(ERRORS);
        }
        (true, Some(_)) => load_and_lint(flags, &mut problems),
        (false, _) => paths.iter().for_each(|path| check(path, flags, &mut problems)),
    }
    report::problems(&problems, color, err)?;
    let (errors, warnings) = (problems.count(Severity::Error), problems.count(Severity::Warning));
    writeln!(out, "{}, {}", count(errors, "error"), count(warnings, "warning"))?;
    Ok(if errors > 0 {
        ERRORS
    } else if warnings > 0 && strict {
        WARNINGS
    } else {
        CLEAN
    })
}

fn count(n: usize, what: &str) -> String {
    if n == 1 { format!("1 {what}") } else { format!("{n} {what}s") }
}

/// Checks one file: a stack file by itself, a config file together with its stack.
fn check(path: &Path, flags: &Flags, problems: &mut Problems) {
    let source = match files::read(path) {
        Ok(source) => source,
        Err(problem) => return problems.push(problem),
    };
    if lint::is_stack_file(&source) {
        match load::load_texts(&source, None, &|_| None) {
            Ok(loaded) => problems.append(loaded.problems),
            Err(found) => problems.append(found),
        }
        lint::stack_file(&source, problems);
    } else {
        load_and_lint(&Flags { config: Some(path.to_owned()), stack: flags.stack.clone() }, problems);
    }
}

/// Checks a config and the stack it names.
fn load_and_lint(flags: &Flags, problems: &mut Problems) {
    match load::load(flags, &|name| std::env::var(name).ok()) {
        Ok(loaded) => {
            problems.append(loaded.problems);
            if let Some(source) = &loaded.config.source {
                lint::config_file(source, problems);
            }
            lint::stack_file(&loaded.source, problems);
        }
        Err(Failure::Problems(found)) => {
            problems.append(found);
            // What is dangerous is told even while something else is wrong.
            if let Some(Ok(source)) = flags.config.as_deref().map(files::read) {
                lint::file(&source, problems);
            }
        }
        Err(Failure::Nothing) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lint(name: &str, text: &str, strict: bool) -> (u8, String) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(name);
        std::fs::write(&path, text).unwrap();
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let code = run(&Flags::default(), &[path], strict, false, &mut out, &mut err).unwrap();
        (code, String::from_utf8([err, out].concat()).unwrap())
    }

    const STACK: &str = "[stack]\nname = \"s\"\n[[layers]]\nid = \"l\"\n[[probes]]\nid = \"p\"\nlayer = \"l\"\nkind = \"exec\"\n";

    #[test]
    fn the_exit_code_tells_errors_from_warnings() {
        let sound = format!("{STACK}argv = [\"true\"]\n");
        let risky = format!("{STACK}argv = [\"sleep\", \"5\"]\n");
        let wrong = format!("{STACK}argv = \"true\"\n");
        let table = [
            (&sound, false, CLEAN, "0 errors, 0 warnings"),
            (&sound, true, CLEAN, "0 errors, 0 warnings"),
            (&risky, false, CLEAN, "[sleep-as-check]"),
            (&risky, true, WARNINGS, "0 errors, 1 warning"),
            (&wrong, false, ERRORS, "1 error, 0 warnings"),
        ];
        for (text, strict, code, part) in table {
            let (got, shown) = lint("s.toml", text, strict);
            assert!(got == code && shown.contains(part), "{text}\n{got}\n{shown}");
        }
    }

    #[test]
    fn a_config_is_checked_with_its_stack() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("s.toml"), format!("{STACK}argv = [\"sleep\", \"5\"]\n")).unwrap();
        let config = dir.path().join("config.toml");
        std::fs::write(&config, "stack = \"s.toml\"\n[vars]\napi_key = \"x\"\n").unwrap();
        let mut err = Vec::new();
        let code = run(&Flags::default(), &[config], false, false, &mut Vec::new(), &mut err).unwrap();
        let shown = String::from_utf8(err).unwrap();
        assert_eq!(code, ERRORS, "{shown}");
        assert!(shown.contains("no variable of this stack is called `api_key`"), "{shown}");
        assert!(shown.contains("[secret-in-vars]"), "{shown}");
    }
}
