//! `quarterdeck init`: writes a commented config for a stack, never over an existing file.

use super::report;
use crate::stack::builtin;
use crate::stack::config::{self, Environment};
use crate::stack::init;
use crate::stack::load::{self, Flags};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Writes the config for the stack that `flags` names. `-` is standard output; without a file it
/// is the user's own config. Gives the exit code: 0 written, 1 could not, 2 no such stack.
pub fn run(
    flags: &Flags,
    file: Option<&Path>,
    env: Environment<'_>,
    color: bool,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> io::Result<u8> {
    let Some(named) = &flags.stack else {
        let names: Vec<&str> = builtin::all().iter().map(|b| b.name).collect();
        writeln!(
            err,
            "failed to write a config: name its stack with --stack NAME|FILE (built in: {})",
            names.join(", ")
        )?;
        return Ok(2);
    };
    // The config that may exist already says nothing about a new one, so it is not read.
    let (named, source) = match load::named_stack(named) {
        Ok(found) => found,
        Err(problems) => {
            report::problems(&problems, color, err)?;
            return Ok(2);
        }
    };
    let loaded = match load::load_sources(&source, None, env) {
        Ok(loaded) => loaded,
        Err(problems) => {
            report::problems(&problems, color, err)?;
            return Ok(2);
        }
    };
    let text = init::text(&loaded, &named);
    if file == Some(Path::new("-")) {
        out.write_all(text.as_bytes())?;
        return Ok(0);
    }
    let Some(path) = file.map(Path::to_owned).or_else(|| own_config(env)) else {
        writeln!(err, "failed to write a config: neither HOME nor XDG_CONFIG_HOME is set; name a file")?;
        return Ok(1);
    };
    let dir = path.parent().filter(|d| !d.as_os_str().is_empty());
    if let Some(dir) = dir.filter(|d| !d.is_dir() && own_config(env).as_ref() != Some(&path)) {
        // A folder that is missing from a path that was typed is likelier a slip than a wish.
        writeln!(err, "failed to write {}: there is no directory {}", path.display(), dir.display())?;
        return Ok(1);
    }
    match init::write(&path, &text) {
        Ok(()) => {
            writeln!(out, "wrote {}", path.display())?;
            for secret in &loaded.secrets {
                writeln!(out, "put the secret {secret} where [secrets.{secret}] says")?;
            }
            let found = config::find(env).as_ref() == Some(&path);
            let flag = if found {
                String::new()
            } else {
                format!(" --config {}", quoted(&path.display().to_string()))
            };
            writeln!(out, "next: quarterdeck{flag} lint, then quarterdeck{flag}")?;
            Ok(0)
        }
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {
            writeln!(err, "failed to write {}: it exists, and is never overwritten", path.display())?;
            Ok(1)
        }
        Err(e) => {
            writeln!(err, "failed to write {}: {e}", path.display())?;
            Ok(1)
        }
    }
}

/// A word as a shell reads it.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+,:@%=".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', "'\\''"))
}

/// Where the user's own config belongs.
fn own_config(env: Environment<'_>) -> Option<PathBuf> {
    let absolute = |name: &str| env(name).filter(|v| v.starts_with('/')).map(PathBuf::from);
    let base = absolute("XDG_CONFIG_HOME").or_else(|| absolute("HOME").map(|h| h.join(".config")))?;
    Some(base.join("quarterdeck/config.toml"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stack::load::Failure;

    fn init(stack: Option<&str>, file: Option<&Path>, home: &Path) -> (u8, String) {
        let flags = Flags { config: None, stack: stack.map(str::to_owned) };
        let home = home.display().to_string();
        let env = move |name: &str| (name == "HOME").then(|| home.clone());
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let code = run(&flags, file, &env, false, &mut out, &mut err).unwrap();
        (code, String::from_utf8([out, err].concat()).unwrap())
    }

    #[test]
    fn every_built_in_stack_gets_a_config_that_loads() {
        for built_in in builtin::all() {
            let dir = tempfile::tempdir().unwrap();
            let (code, shown) = init(Some(built_in.name), None, dir.path());
            assert_eq!(code, 0, "{shown}");
            let path = dir.path().join(".config/quarterdeck/config.toml");
            let flags = Flags { config: Some(path.clone()), stack: None };
            match load::load(&flags, &|_| None) {
                Ok(loaded) => assert!(loaded.problems.0.is_empty(), "{}", loaded.problems),
                Err(Failure::Problems(problems)) => panic!("{problems}"),
                Err(Failure::Nothing) => panic!("nothing to load"),
            }
            let (code, shown) = init(Some(built_in.name), Some(&path), dir.path());
            assert!(code == 1 && shown.contains("never overwritten"), "{shown}");
        }
    }

    #[test]
    fn what_to_type_next_finds_the_file_that_was_written() {
        let dir = tempfile::tempdir().unwrap();
        let name = builtin::all().first().map(|b| b.name);
        let (_, shown) = init(name, None, dir.path());
        assert!(shown.ends_with("next: quarterdeck lint, then quarterdeck\n"), "{shown}");
        for (file, word) in [("x.toml", "{}/x.toml"), ("it's x.toml", "'{}/it'\\''s x.toml'")] {
            let (code, shown) = init(name, Some(&dir.path().join(file)), dir.path());
            let flag = format!("--config {}", word.replace("{}", &dir.path().display().to_string()));
            let next = format!("next: quarterdeck {flag} lint, then quarterdeck {flag}\n");
            assert!(code == 0 && shown.ends_with(&next), "{shown}");
        }
        let (code, shown) = init(name, Some(&dir.path().join("no/such/x.toml")), dir.path());
        assert!(code == 1 && shown.contains("there is no directory"), "{shown}");
        assert!(!dir.path().join("no").exists());
    }

    #[test]
    fn an_unknown_stack_is_refused_with_the_names_there_are() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(init(None, None, dir.path()).0, 2);
        let (code, shown) = init(Some("no-such-stack"), None, dir.path());
        assert!(code == 2 && shown.contains("no stack called `no-such-stack` is built in"), "{shown}");
        assert!(!dir.path().join(".config").exists());
    }

    #[test]
    fn a_stack_file_is_named_so_that_it_is_found_from_anywhere() {
        let dir = tempfile::tempdir().unwrap();
        let stack = dir.path().join("s.toml");
        let text = "[stack]\nname = \"s\"\n[[layers]]\nid = \"l\"\n[[probes]]\nid = \"p\"\nlayer = \"l\"\nkind = \"exec\"\nargv = [\"true\"]\n";
        std::fs::write(&stack, text).unwrap();
        let (code, shown) = init(stack.to_str(), Some(Path::new("-")), dir.path());
        assert!(code == 0 && shown.contains(&format!("stack = \"{}\"", stack.display())), "{shown}");
    }
}
