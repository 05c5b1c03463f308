//! The files that a test's `rule_files` name: relative to the test, with `*`, `?` and `[…]` in names.

use std::path::{Path, PathBuf};

/// Files that one pattern may name.
const MAX_FILES: usize = 1000;

/// The files that a pattern names, in order of their names. None where nothing is called so.
pub fn rule_files(test: &Path, pattern: &str) -> Vec<PathBuf> {
    let base = test.parent().unwrap_or(Path::new(""));
    let start = if Path::new(pattern).is_absolute() { PathBuf::from("/") } else { base.to_owned() };
    let mut found = vec![start];
    for part in pattern.split('/').filter(|p| !p.is_empty()) {
        let mut next = Vec::new();
        for dir in found {
            if part.contains(['*', '?', '[']) {
                next.extend(matching(&dir, part));
            } else {
                next.push(dir.join(part));
            }
        }
        next.truncate(MAX_FILES);
        found = next;
    }
    found.retain(|path| path.exists());
    found
}

/// The entries of a directory that a pattern names.
fn matching(dir: &Path, pattern: &str) -> Vec<PathBuf> {
    let Some(regex) = regex_of(pattern) else { return Vec::new() };
    let looked = if dir.as_os_str().is_empty() { Path::new(".") } else { dir };
    let entries = std::fs::read_dir(looked).into_iter().flatten().flatten();
    let names = entries.filter_map(|e| e.file_name().into_string().ok());
    let mut names: Vec<String> = names.filter(|n| regex.is_match(n)).take(MAX_FILES).collect();
    names.sort();
    names.into_iter().map(|n| dir.join(n)).collect()
}

fn regex_of(pattern: &str) -> Option<regex::Regex> {
    let mut out = "^".to_owned();
    let mut in_class = false;
    for c in pattern.chars() {
        match c {
            '*' if !in_class => out.push_str(".*"),
            '?' if !in_class => out.push('.'),
            '[' | ']' => {
                in_class = c == '[';
                out.push(c);
            }
            '^' | '-' if in_class => out.push(c),
            c => out.push_str(&regex::escape(&c.to_string())),
        }
    }
    regex::Regex::new(&(out + "$")).ok()
}
