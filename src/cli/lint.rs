//! `quarterdeck lint`: what is wrong with files, and what is legal and dangerous.

use super::{first_steps, report, setup};
use crate::stack::config::{self, Config};
use crate::stack::diag::{Problems, Severity};
use crate::stack::files;
use crate::stack::lint;
use crate::stack::load::{self, Failure, Flags};
use crate::stack::spec::SecretSource;
use std::io::{self, Write};
use std::os::unix::fs::MetadataExt;
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
        match load::load_sources(&source, None, &|_| None) {
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
    if let Some(config) = setup::config_of(flags) {
        setup::check_looks(None, &config, problems);
        secret_files(&config, problems);
    }
}

/// Warns of secrets that others can read: what needs them stays unknown until that is mended.
fn secret_files(config: &Config, problems: &mut Problems) {
    let Some(source) = &config.source else { return };
    for (id, secret) in &config.secrets {
        let SecretSource::File(path) = secret else { continue };
        // One that is not there yet is no danger.
        let Ok(meta) = std::fs::metadata(path) else { continue };
        if meta.is_file() && meta.mode() & 0o077 != 0 {
            lint::secret_file(source, id.as_str(), path, meta.mode() & 0o777, problems);
        }
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
    fn what_would_stop_the_dashboard_is_an_error_here_too() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("s.toml"), format!("{STACK}argv = [\"true\"]\n")).unwrap();
        let table = [
            ("theme = \"nosuch\"\n", "no theme is called \"nosuch\""),
            ("theme = \"/nonexistent/x.toml\"\n", "cannot read /nonexistent/x.toml"),
            ("[keys]\nquti = \"x\"\n", "quti"),
            ("[keys]\nquit = \"no-such-key\"\n", "no-such-key"),
            ("[keys]\nquit = \"x\"\nhelp = \"x\"\n", "the key x is bound to both"),
        ];
        for (text, part) in table {
            for stack in ["s.toml", "absent.toml"] {
                let config = dir.path().join("config.toml");
                std::fs::write(&config, format!("stack = \"{stack}\"\n{text}")).unwrap();
                let mut err = Vec::new();
                let code =
                    run(&Flags::default(), &[config], false, false, &mut Vec::new(), &mut err).unwrap();
                let shown = String::from_utf8(err).unwrap();
                assert!(code == ERRORS && shown.contains(part), "{text}\n{shown}");
                assert_eq!(shown.contains("absent.toml: No such file"), stack == "absent.toml", "{shown}");
            }
        }
    }

    #[test]
    fn a_secret_that_others_can_read_is_pointed_out() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("s.toml"), format!("{STACK}argv = [\"true\"]\n")).unwrap();
        let (config, secret) = (dir.path().join("config.toml"), dir.path().join("x.secret"));
        std::fs::write(&config, "stack = \"s.toml\"\n[secrets.x]\nfile = \"x.secret\"\n").unwrap();
        for (mode, want) in [(None, false), (Some(0o600), false), (Some(0o640), true), (Some(0o604), true)] {
            if let Some(mode) = mode {
                std::fs::write(&secret, "hunter2\n").unwrap();
                std::fs::set_permissions(&secret, PermissionsExt::from_mode(mode)).unwrap();
            }
            let mut err = Vec::new();
            let paths = std::slice::from_ref(&config);
            let code = run(&Flags::default(), paths, true, false, &mut Vec::new(), &mut err).unwrap();
            let shown = String::from_utf8(err).unwrap();
            assert_eq!(code, if want { WARNINGS } else { CLEAN }, "{mode:?} {shown}");
            assert_eq!(
                shown.contains("[secret-file-mode]") && shown.contains("config.toml:3:8"),
                want,
                "{shown}"
            );
            assert!(!shown.contains("hunter2"), "{shown}");
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
