//! Holds the house's arrows: reads the `use` lines and paths of every file in `src/` and fails on
//! an arrow that the design does not draw.

#![expect(clippy::expect_used, reason = "helpers of tests may stop at once")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// For each room, the rooms it may know. `clock` is known to all. What runs wrote down is an
/// observation like any other: `runs` reads it below `act`, so that a screen which only looks can
/// show runs without a way to what acts; what writes it is in `act`.
const ARROWS: &[(&str, &[&str])] = &[
    ("domain", &[]),
    ("stack", &["domain"]),
    ("transport", &["stack", "domain"]),
    ("observe", &["transport", "stack", "domain"]),
    ("runs", &["domain"]),
    ("act", &["runs", "transport", "stack", "domain"]),
    ("record", &["transport", "stack", "domain"]),
    ("tui", &["act", "transport", "stack", "domain"]),
    ("demo", &[]),
    ("cli", &["tui", "act", "runs", "observe", "record", "demo", "transport", "stack", "domain"]),
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
    ("runs", &["tokio", "ratatui", "crossterm", "hyper", "reqwest", "std::net", "std::process"]),
    ("transport", &["ratatui", "crossterm"]),
    ("observe", &["ratatui", "crossterm"]),
];

#[test]
fn no_arrow_goes_where_the_design_draws_none() {
    let mut wrong = Vec::new();
    let all = sources();
    let tests = files_of_tests(&all);
    for (file, text) in all.into_iter().filter(|(file, _)| !tests.contains(file)) {
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
    let texts = by_path(&sources());
    let roots = [
        "src/tui/wallboard.rs",
        "src/tui/view/wallboard.rs",
        "src/cli/check.rs",
        "src/cli/wallboard.rs",
        "src/cli/snapshot.rs",
    ];
    for root in roots {
        assert!(texts.contains_key(root), "{root} is gone: name its successor here");
    }
    let reached = reach(&texts, &roots);
    for (file, way) in &reached {
        assert!(!file.starts_with("src/act/") && file != "src/act.rs", "{} reaches {file}", way.join(" > "));
    }
    // The walk must really walk: these are known only through others.
    for file in ["src/tui/view/paint.rs", "src/domain/matrix.rs", "src/domain/cause.rs"] {
        assert!(reached.contains_key(file), "the walk did not reach {file}");
    }
    // What shows runs reads them there.
    for root in ["src/cli/wallboard.rs", "src/cli/snapshot.rs"] {
        let reached = reach(&texts, &[root]);
        for file in ["src/runs/watch.rs", "src/runs/journal.rs"] {
            assert!(reached.contains_key(file), "{root} does not reach {file}");
        }
    }
}

/// What a file of `src/runs` may name of a path that could lead to writing; by the last part of the
/// path before it.
const READS: &[(&str, &[&str])] = &[
    (
        "fs",
        &[
            "self",
            "File",
            "Metadata",
            "metadata",
            "symlink_metadata",
            "read_dir",
            "open",
            "flock",
            "Mode",
            "OFlags",
            "FlockOperation",
            "MetadataExt",
            "FileExt",
        ],
    ),
    ("unix", &["fs"]),
    (
        "io",
        &[
            "self",
            "Result",
            "Error",
            "ErrorKind",
            "Read",
            "BufRead",
            "BufReader",
            "Seek",
            "SeekFrom",
            "Errno",
        ],
    ),
    ("File", &["from"]),
    ("OFlags", &["RDONLY", "CLOEXEC", "NOFOLLOW", "NONBLOCK", "NOCTTY"]),
    ("Mode", &["empty"]),
    // To see whether somebody else holds it; never to keep others out.
    ("FlockOperation", &["NonBlockingLockShared"]),
    ("rustix", &["fs", "io"]),
];

/// Names of functions of an open file that change it, or keep others from it.
const CHANGES: &[&str] = &[
    "write",
    "write_all",
    "write_at",
    "write_all_at",
    "write_fmt",
    "set_len",
    "set_permissions",
    "set_times",
    "set_modified",
    "sync_all",
    "sync_data",
    "lock",
    "lock_shared",
    "try_lock",
    "try_lock_shared",
];

/// What reads runs is not able to write: it knows nobody who does, and names no function of the
/// system but those that read.
#[test]
fn what_reads_runs_cannot_write() {
    let all = sources();
    let tests = files_of_tests(&all);
    let own = |file: &Path| file.starts_with("src/runs") && !tests.contains(file);
    let mut wrong = Vec::new();
    for (file, text) in all.iter().filter(|(file, _)| own(file)) {
        let code = code_lines(text).map(|(_, line)| line).collect::<Vec<_>>().join("\n");
        for (before, name) in named_after(&code) {
            if READS.iter().any(|(b, names)| *b == before && !names.contains(&name.as_str())) {
                wrong.push(format!("{} names {before}::{name}", file.display()));
            }
        }
        for name in CHANGES.iter().filter(|name| code.contains(&format!(".{name}("))) {
            wrong.push(format!("{} calls {name}", file.display()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let texts = by_path(&all);
    let roots: Vec<&str> = texts.keys().map(String::as_str).filter(|file| own(Path::new(file))).collect();
    assert!(roots.len() > 5, "{roots:?}");
    for (file, way) in reach(&texts, &roots) {
        let allowed = file.starts_with("src/runs/") || file.starts_with("src/domain/");
        assert!(allowed, "{} reaches {file}", way.join(" > "));
    }
}

/// The rule above sees what it forbids, in every form of path.
#[test]
fn what_writes_would_be_seen() {
    for code in [
        "std::fs::write(p, b)",
        "use std::fs::{File, OpenOptions};",
        "use std::os::unix::fs::{MetadataExt, DirBuilderExt};",
        "OFlags::RDONLY | OFlags::CREATE",
        "use std::io::{self, Write};",
        "use rustix::{fs::unlink, io};",
        "use rustix::process;",
        "FlockOperation::LockExclusive",
        "File::create(p)",
    ] {
        let seen = named_after(code);
        let bad = |(before, name): &(String, String)| {
            READS.iter().any(|(b, names)| b == before && !names.contains(&name.as_str()))
        };
        assert!(seen.iter().any(bad), "{code}: {seen:?}");
    }
}

/// Every name in a path, with the part before it, also inside `a::{b, c::d}`.
fn named_after(code: &str) -> Vec<(String, String)> {
    let mut paths = Vec::new();
    for start in word_starts(code) {
        expand(&code[start..], Vec::new(), &mut paths);
    }
    paths.iter().flat_map(|path| path.windows(2)).map(|two| (two[0].clone(), two[1].clone())).collect()
}

/// The walk above finds every way that Rust has of naming another file.
#[test]
fn the_walk_follows_every_form_of_path() {
    let files = |list: &[(&str, &str)]| -> BTreeMap<String, String> {
        list.iter().map(|(f, t)| ((*f).to_owned(), (*t).to_owned())).collect()
    };
    let act = ("src/act/run.rs", "");
    let cases: &[&[(&str, &str)]] = &[
        &[("src/a.rs", "use crate::act::run::Go;"), act],
        &[("src/a.rs", "fn f() { crate::act::run::go() }"), act],
        &[("src/a.rs", "use crate::{clock, act::{x, run::{\n  Go}}};"), act],
        &[
            ("src/a.rs", "use crate::b::c::X;"),
            ("src/b/c.rs", "use super::d::Y;"),
            ("src/b/d.rs", "use super::super::act::run;"),
            act,
        ],
        &[
            ("src/a.rs", "use crate::b::X;"),
            ("src/b/mod.rs", "mod e;\npub use e::X;"),
            ("src/b/e.rs", "use crate::act::run::Go;"),
            act,
        ],
        &[
            ("src/a.rs", "use crate::b::X;"),
            ("src/b.rs", "mod e;\npub use self::e::X;"),
            ("src/b/e.rs", "use crate::act::run;"),
            act,
        ],
    ];
    for case in cases {
        assert!(reach(&files(case), &["src/a.rs"]).contains_key("src/act/run.rs"), "{case:?}");
    }
    let declared = files(&[("src/a.rs", "#[cfg(test)]\nmod tests;\nuse crate::act::run;"), act]);
    assert!(reach(&declared, &["src/a.rs"]).contains_key("src/act/run.rs"), "what follows is no test");
    let innocent = files(&[("src/a.rs", "// crate::act::run\nuse crate::b::X;\n"), ("src/b.rs", ""), act]);
    assert!(!reach(&innocent, &["src/a.rs"]).contains_key("src/act/run.rs"));
}

fn by_path(sources: &[(PathBuf, String)]) -> BTreeMap<String, String> {
    sources.iter().map(|(f, t)| (f.display().to_string(), t.clone())).collect()
}

/// Every file that the roots know, directly or through others, and one way to it.
fn reach(texts: &BTreeMap<String, String>, roots: &[&str]) -> BTreeMap<String, Vec<String>> {
    let mut reached: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut todo: Vec<(String, Vec<String>)> = roots.iter().map(|r| ((*r).to_owned(), Vec::new())).collect();
    while let Some((file, mut way)) = todo.pop() {
        if reached.contains_key(&file) {
            continue;
        }
        let text = texts.get(&file).map_or("", String::as_str);
        way.push(file.clone());
        for module in modules_named_in(&file, text) {
            if let Some(next) = file_of(texts, &module) {
                todo.push((next, way.clone()));
            }
        }
        reached.insert(file, way);
    }
    reached
}

/// The file that holds a path: that of its longest prefix that is one.
fn file_of(texts: &BTreeMap<String, String>, module: &[String]) -> Option<String> {
    (1..=module.len()).rev().find_map(|n| {
        let path = format!("src/{}", module[..n].join("/"));
        [format!("{path}.rs"), format!("{path}/mod.rs")].into_iter().find(|p| texts.contains_key(p))
    })
}

/// Every path of a file into this crate, from the crate's root.
fn modules_named_in(file: &str, text: &str) -> Vec<Vec<String>> {
    let code = code_lines(text).map(|(_, line)| line).collect::<Vec<_>>().join("\n");
    let own = file.trim_start_matches("src/").trim_end_matches(".rs").trim_end_matches("/mod");
    let own: Vec<String> = own.split('/').map(str::to_owned).collect();
    let mut out = Vec::new();
    for start in word_starts(&code) {
        let (mut rest, mut base) = (&code[start..], None);
        for prefix in ["crate::", "quarterdeck::"] {
            if let Some(after) = rest.strip_prefix(prefix) {
                (rest, base) = (after, Some(Vec::new()));
            }
        }
        if let Some(after) = rest.strip_prefix("self::") {
            (rest, base) = (after, Some(own.clone()));
        }
        while let Some(after) = rest.strip_prefix("super::") {
            let mut up = base.unwrap_or_else(|| own.clone());
            up.pop();
            (rest, base) = (after, Some(up));
        }
        let child = first_word(rest);
        let is_child = rest[child.len()..].starts_with("::") && code.contains(&format!("mod {child};"));
        if let Some(base) = base.or_else(|| is_child.then(|| own.clone())) {
            expand(rest, base, &mut out);
        }
    }
    out
}

/// Where a path may start: at the first letter of a word that no `::` and no letter precedes.
fn word_starts(code: &str) -> Vec<usize> {
    let mut before = ' ';
    let mut out = Vec::new();
    for (at, c) in code.char_indices() {
        if (c.is_alphabetic() || c == '_') && !(before.is_alphanumeric() || before == '_' || before == ':') {
            out.push(at);
        }
        before = c;
    }
    out
}

/// Adds the paths that `a::b::{c, d::e}` stands for; gives what follows them.
fn expand<'a>(text: &'a str, mut base: Vec<String>, out: &mut Vec<Vec<String>>) -> &'a str {
    let mut rest = text.trim_start();
    loop {
        if let Some(mut list) = rest.strip_prefix('{') {
            loop {
                list = expand(list, base.clone(), out).trim_start();
                match list.strip_prefix(',') {
                    Some(after) => list = after,
                    None => return list.strip_prefix('}').unwrap_or(list),
                }
            }
        }
        let word = first_word(rest);
        if word.is_empty() {
            break;
        }
        rest = &rest[word.len()..];
        base.push(word);
        match rest.strip_prefix("::") {
            Some(after) => rest = after,
            None => break,
        }
    }
    out.push(base);
    // `a as b` and `*` end here as well.
    rest.trim_start_matches(|c: char| !matches!(c, ',' | '}' | ';' | '{' | '('))
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
    let all: Vec<&str> = text.lines().collect();
    let mut out = Vec::new();
    let mut at = 0;
    while let Some(line) = all.get(at) {
        at += 1;
        if *line == "#[cfg(test)]" {
            let item = all[at..].iter().position(|l| !l.starts_with("#[")).map_or(all.len(), |n| at + n);
            match all.get(item) {
                // Tests are a file's last part.
                Some(item) if item.contains("mod ") && item.ends_with('{') => break,
                // Tests in a file of their own: what follows is none.
                Some(found) if found.contains("mod ") => at = item + 1,
                _ => {}
            }
        } else if !line.trim_start().starts_with("//") {
            out.push((at, *line));
        }
    }
    out.into_iter()
}

/// Files that are there in tests only, by what the others say of them.
fn files_of_tests(sources: &[(PathBuf, String)]) -> BTreeSet<PathBuf> {
    let mut out = BTreeSet::new();
    for (file, text) in sources {
        let own = file.with_extension("");
        let dir = if file.ends_with("mod.rs") { file.parent().expect("below src").to_owned() } else { own };
        for (at, _) in text.match_indices("#[cfg(test)]\nmod ") {
            let name = first_word(&text[at + "#[cfg(test)]\nmod ".len()..]);
            out.insert(dir.join(format!("{name}.rs")));
        }
    }
    out
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
