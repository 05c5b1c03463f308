//! A first `config.toml` for a stack: everything that may differ here, commented, at its default.

use super::load::Loaded;
use std::fmt::Write;
use std::fs::{DirBuilder, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

/// The text of a config for a stack, which is named as `named`.
pub fn text(loaded: &Loaded, named: &str) -> String {
    let mut out = String::new();
    let stack = &loaded.stack;
    // Writing to a String cannot fail.
    let _ = writeln!(out, "# quarterdeck: {}.", comment(&stack.title));
    if !loaded.about.is_empty() {
        let _ = writeln!(out, "# {}", comment(&loaded.about));
    }
    out += "# What starts with # and a key stands at its default. Check with: quarterdeck lint\n\n";
    let _ = writeln!(out, "stack = {}", quote(named));
    out += "\n# Where this runs; shown on every screen.\nenvironment = \"production\"\n";
    vars(&mut out, loaded);
    hosts(&mut out, loaded);
    secrets(&mut out, loaded);
    probes(&mut out, loaded);
    remotes(&mut out, loaded);
    out
}

/// Writes a new file that only its owner can read, and its directory if there is none.
///
/// # Errors
/// `AlreadyExists` when there is one: what a person wrote is never overwritten.
pub fn write(path: &Path, text: &str) -> io::Result<()> {
    if let Some(dir) = path.parent().filter(|d| !d.as_os_str().is_empty()) {
        DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

fn vars(out: &mut String, loaded: &Loaded) {
    if loaded.vars.is_empty() {
        return;
    }
    *out += "\n# Addresses and paths as the stack file has them.\n[vars]\n";
    for var in &loaded.vars {
        if !var.about.is_empty() {
            let _ = writeln!(out, "# {}", comment(&var.about));
        }
        let _ = writeln!(out, "#{} = {}", var.name, quote(&var.default));
    }
}

fn hosts(out: &mut String, loaded: &Loaded) {
    for host in &loaded.stack.hosts {
        let count = loaded.stack.probes.iter().filter(|p| p.host == host.id).count();
        let _ =
            writeln!(out, "\n# Where {count} of the probes look.\n[hosts.{}]", quote_key(host.id.as_str()));
        *out +=
            "transport = \"local\"\n# From elsewhere, through your own ssh (instead of the line above):\n";
        *out += "#transport = \"ssh\"\n#destination = \"user@host\"\n";
    }
}

fn secrets(out: &mut String, loaded: &Loaded) {
    for secret in &loaded.secrets {
        let name = secret.as_str();
        let key = quote_key(name);
        let _ =
            writeln!(out, "\n# Its first line is the secret. The file must be readable by its owner only.");
        let _ = writeln!(out, "[secrets.{key}]\nfile = {}", quote(&format!("{name}.secret")));
        *out += "# Or exactly one of:\n";
        let _ = writeln!(out, "#env = {}", quote(&name.to_uppercase().replace(['-', '.'], "_")));
        let _ = writeln!(out, "#command = [\"pass\", \"show\", {}]", quote(name));
    }
}

fn probes(out: &mut String, loaded: &Loaded) {
    let Some(probe) = loaded.stack.probes.first() else { return };
    *out += "\n# Every probe can be changed or switched off here, by its id:\n";
    let _ = writeln!(out, "#[probes.{}]", quote_key(probe.id.as_str()));
    *out += "#enabled = false\n#interval = \"30s\"\n#failure_threshold = 2\n";
}

fn remotes(out: &mut String, loaded: &Loaded) {
    let metrics = &loaded.stack.metrics;
    let (scrapes, rules) = (metrics.scrapes.len(), metrics.rules.len());
    if scrapes + rules == 0 {
        return;
    }
    let _ = writeln!(
        out,
        "\n# {scrapes} targets are scraped and {rules} rules evaluated here. Where a Prometheus and an Alertmanager\n\
         # watch this stack too, name them: queries, long ranges, their alerts and silences come from there."
    );
    for (name, url) in [("prometheus", "http://127.0.0.1:9090"), ("alertmanager", "http://127.0.0.1:9093")] {
        let _ = writeln!(out, "#[{name}]\n#url = {}", quote(url));
        if let Some(host) = loaded.stack.hosts.last() {
            let _ = writeln!(out, "#host = {}", quote(host.id.as_str()));
        }
    }
}

/// A text as TOML.
fn quote(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

/// An id as one part of a table's name; only a dot needs quotes.
fn quote_key(id: &str) -> String {
    if id.contains('.') { quote(id) } else { id.to_owned() }
}

/// A text that stays inside its comment.
fn comment(text: &str) -> String {
    crate::domain::text::one_line(text, 200)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stack::diag::Source;
    use crate::stack::load::load_texts;
    use std::os::unix::fs::PermissionsExt;
    use std::sync::Arc;

    #[test]
    fn what_it_writes_is_a_sound_config() {
        let stack = "[stack]\nname = \"s\"\nabout = \"a\\nb\"\n[vars]\nx = { default = \"a\\\"b\", about = \"q\" }\n\
            [[layers]]\nid = \"l\"\n[[hosts]]\nid = \"h.1\"\n\
            [logins.a]\nurl = \"http://x/\"\nusername = \"u\"\npassword = { secret = \"pw.x\" }\ncookie = \"c\"\n\
            [[probes]]\nid = \"p.1\"\nlayer = \"l\"\nkind = \"exec\"\nargv = [\"${x}\"]\n\
            [[scrapes]]\nid = \"m\"\nkind = \"host\"\n";
        let source = |name: &str, text: &str| Arc::new(Source { name: name.into(), text: text.into() });
        let loaded = load_texts(&source("s.toml", stack), None, &|_| None).unwrap();
        let first = text(&loaded, "s.toml");
        // With every commented key in force, apart from those that stand for others, it loads too.
        let open: String = first
            .lines()
            .filter(|l| !["#transport", "#destination", "#env", "#command"].iter().any(|k| l.starts_with(k)))
            .map(|l| l.strip_prefix('#').filter(|r| !r.starts_with(' ')).unwrap_or(l).to_owned() + "\n")
            .collect();
        for config in [&first, &open] {
            let again = load_texts(&source("s.toml", stack), Some(&source("c.toml", config)), &|_| None);
            let again = again.unwrap_or_else(|p| panic!("{config}\n{p}"));
            assert!(again.problems.0.is_empty(), "{config}\n{}", again.problems);
        }
    }

    #[test]
    fn an_existing_file_is_never_touched() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("new/config.toml");
        write(&path, "a").unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(write(&path, "b").unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        let link = dir.path().join("link");
        std::os::unix::fs::symlink(dir.path().join("absent"), &link).unwrap();
        assert_eq!(write(&link, "b").unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "a");
    }
}
