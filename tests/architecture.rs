//! Holds the house's arrows: reads the `use` lines and paths of every file in `src/` and fails on
//! an arrow that the design does not draw.

#![expect(clippy::expect_used, reason = "helpers of tests may stop at once")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// For each room, the rooms it may know. `clock` is known to all.
const ARROWS: &[(&str, &[&str])] = &[
    ("domain", &[]),
    ("stack", &["domain"]),
    ("transport", &["stack", "domain"]),
    ("observe", &["transport", "stack", "domain"]),
    ("act", &["transport", "stack", "domain"]),
    ("record", &["transport", "stack", "domain"]),
    ("tui", &["act", "transport", "stack", "domain"]),
    ("demo", &[]),
    ("cli", &["tui", "act", "observe", "record", "demo", "transport", "stack", "domain"]),
    ("main", &["cli", "demo"]),
    ("clock", &[]),
];

/// Crates that a room must not know, whatever its arrows say.
const FORBIDDEN_CRATES: &[(&str, &[&str])] = &[
    (
        "domain",
        &[
            "tokio",
            "ratatui",
            "crossterm",
            "hyper",
            "redis",
            "tokio_postgres",
            "rustix",
            "std::fs",
            "std::net",
            "std::process",
        ],
    ),
    ("stack", &["tokio", "ratatui", "crossterm", "hyper", "redis", "tokio_postgres"]),
    ("transport", &["ratatui", "crossterm"]),
    ("observe", &["ratatui", "crossterm"]),
];

#[test]
fn no_arrow_goes_where_the_design_draws_none() {
    let mut wrong = Vec::new();
    for (file, text) in sources() {
        let room = room_of(&file);
        let Some((_, allowed)) = ARROWS.iter().find(|(r, _)| *r == room) else {
            if file != Path::new("src/lib.rs") {
                wrong.push(format!("{}: the room `{room}` is not in the design", file.display()));
            }
            continue;
        };
        for (line, target) in crate_paths(&text) {
            let known = ARROWS.iter().any(|(r, _)| *r == target);
            if known && target != room && target != "clock" && !allowed.contains(&target.as_str()) {
                wrong.push(format!("{}:{line}: {room} must not know {target}", file.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn pure_rooms_know_no_effects() {
    let mut wrong = Vec::new();
    for (file, text) in sources() {
        let room = room_of(&file);
        for (_, crates) in FORBIDDEN_CRATES.iter().filter(|(r, _)| *r == room) {
            for (number, line) in code_lines(&text) {
                for name in *crates {
                    if line.contains(&format!("{name}::")) || line.contains(&format!("use {name};")) {
                        wrong.push(format!("{}:{number}: {room} must not use {name}", file.display()));
                    }
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The wallboard and `check` are built from code that cannot reach `act/`: directly or through
/// anything that they know.
#[test]
fn what_is_read_only_cannot_reach_what_acts() {
    let sources = sources();
    let files_of: BTreeMap<String, &str> =
        sources.iter().map(|(f, t)| (f.display().to_string(), t.as_str())).collect();
    let roots =
        ["src/tui/wallboard.rs", "src/tui/view/wallboard.rs", "src/cli/check.rs", "src/cli/wallboard.rs"];
    for root in roots {
        let text = files_of.get(root).unwrap_or_else(|| panic!("{root} is gone: name its successor here"));
        for (line, target) in crate_paths(text) {
            assert_ne!(target, "act", "{root}:{line} reaches act");
        }
    }
    // `observe` is what they are built on; the arrows above keep `act` out of it for good.
    let (_, known) = ARROWS.iter().find(|(r, _)| *r == "observe").expect("observe is a room");
    assert!(!known.contains(&"act"));
}

/// A stack is data: its name stands in its own file and in the demo, nowhere else.
#[test]
fn no_stack_is_named_in_the_code() {
    let stacks: Vec<String> = fs::read_dir("stacks")
        .expect("stacks/ is there")
        .filter_map(|e| Some(e.ok()?.path().file_stem()?.to_string_lossy().to_lowercase()))
        .collect();
    assert!(!stacks.is_empty());
    let mut wrong = Vec::new();
    for (file, text) in sources() {
        if room_of(&file) == "demo" {
            continue;
        }
        for (number, line) in code_lines(&text) {
            let line = line.to_lowercase();
            for stack in &stacks {
                if line.contains(stack.as_str()) && !line.contains(&format!("\"{stack}.toml\"")) {
                    wrong.push(format!("{}:{number}: names the stack {stack}", file.display()));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_file_says_its_duty_first() {
    let silent: Vec<String> = sources()
        .into_iter()
        .filter(|(_, text)| !text.starts_with("//! "))
        .map(|(file, _)| file.display().to_string())
        .collect();
    assert!(silent.is_empty(), "these files do not say what they are for: {silent:?}");
}

fn sources() -> Vec<(PathBuf, String)> {
    let mut out = Vec::new();
    let mut todo = vec![PathBuf::from("src")];
    while let Some(dir) = todo.pop() {
        for entry in fs::read_dir(&dir).expect("src/ can be read").flatten() {
            let path = entry.path();
            if path.is_dir() {
                todo.push(path);
            } else if path.extension().is_some_and(|e| e == "rs") {
                let text = fs::read_to_string(&path).expect("a source file is text");
                out.push((path, text));
            }
        }
    }
    out.sort();
    assert!(out.len() > 20, "the sources were not found");
    out
}

/// The room of a file: the first folder below `src/`, or the file's own name.
fn room_of(file: &Path) -> String {
    let below = file.strip_prefix("src").expect("below src");
    let first = below.components().next().expect("a name").as_os_str().to_string_lossy().into_owned();
    first.trim_end_matches(".rs").to_owned()
}

/// The lines of a file that are neither comments nor in its tests, numbered from one.
fn code_lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let end = text.find("\n#[cfg(test)]").unwrap_or(text.len());
    text[..end]
        .lines()
        .enumerate()
        .map(|(i, l)| (i + 1, l))
        .filter(|(_, l)| !l.trim_start().starts_with("//"))
}

/// Every room named by `crate::room` or `quarterdeck::room`, also inside `use crate::{a, b}`.
fn crate_paths(text: &str) -> Vec<(usize, String)> {
    let mut out = Vec::new();
    for (number, line) in code_lines(text) {
        for prefix in ["crate::", "quarterdeck::"] {
            for (at, _) in line.match_indices(prefix) {
                let rest = &line[at + prefix.len()..];
                if let Some(list) = rest.strip_prefix('{') {
                    let list = list.split('}').next().unwrap_or(list);
                    out.extend(list.split(',').map(|name| (number, first_word(name))));
                } else {
                    out.push((number, first_word(rest)));
                }
            }
        }
    }
    out
}

fn first_word(text: &str) -> String {
    text.trim().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
}
