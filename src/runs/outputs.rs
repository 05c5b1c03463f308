//! Where the output of a run's steps is: the names of its files.

use super::dir::RunDir;
use std::fs;
use std::path::{Path, PathBuf};

/// Where the outputs of steps are, within a run's directory.
pub const OUTPUTS: &str = "output";
/// Files of one attempt at a step that are looked for, at most.
const MAX_FILES: u32 = 9;
/// Names of a run's directory that are looked at for folders of outputs, at most.
const MAX_NAMES: usize = 200;

/// The name of the file that holds the output of one attempt at a step, within a run's directory.
/// A second file of the same attempt (its rollback) has `-2` before its end, and so on.
pub fn file_of(step: &str, attempt: u32) -> String {
    format!("{OUTPUTS}/{}-{attempt}.out", file_name(step))
}

/// A name that is one part of a path, whatever the text.
pub fn file_name(text: &str) -> String {
    let safe = |c: char| if c.is_ascii_alphanumeric() || "-_.".contains(c) { c } else { '_' };
    let name: String = text.chars().take(120).map(safe).collect();
    if name.starts_with('.') || name.is_empty() { format!("_{name}") } else { name }
}

/// The name of the folder beside another one for who may not write into that.
pub fn folder_beside(name: &str, uid: u32) -> String {
    format!("{name}-{uid}")
}

/// The last file of one attempt at a step, whoever's runner made it; none when it printed nothing.
pub fn last_file(dir: &RunDir, step: &str, attempt: u32) -> Option<PathBuf> {
    let first = file_of(step, attempt);
    let here = last_of(&dir.path().join(&first));
    here.or_else(|| {
        // Its runner may have taken the run over from another operator's.
        let beside = fs::read_dir(dir.path()).ok()?.flatten().take(MAX_NAMES);
        let mut folders: Vec<String> = beside
            .filter_map(|e| e.file_name().into_string().ok())
            .filter(|n| n.strip_prefix(OUTPUTS).is_some_and(|rest| rest.starts_with('-')))
            .collect();
        folders.sort_unstable();
        folders.iter().find_map(|f| last_of(&dir.path().join(first.replacen(OUTPUTS, f, 1))))
    })
}

/// The last of a file and those that are numbered after it.
fn last_of(first: &Path) -> Option<PathBuf> {
    let stem = first.to_str()?.strip_suffix(".out")?.to_owned();
    let later = (2..=MAX_FILES).map(|n| PathBuf::from(format!("{stem}-{n}.out")));
    std::iter::once(first.to_owned()).chain(later).take_while(|p| p.exists()).last()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runs::dir::StateDir;

    #[test]
    fn the_output_of_whoever_runs_it_is_found() {
        let place = tempfile::tempdir().unwrap();
        let state = StateDir::new(place.path(), None);
        let path = state.runs().join("r");
        let put = |name: &str| {
            let file = path.join(name);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(&file, "x").unwrap();
            file
        };
        fs::create_dir_all(&path).unwrap();
        let dir = state.run("r").unwrap();
        assert_eq!(last_file(&dir, "s", 1), None);
        let first = put("output/s-1.out");
        assert_eq!(last_file(&dir, "s", 1), Some(first));
        let second = put("output/s-1-2.out");
        put("output/s-1-4.out");
        assert_eq!(last_file(&dir, "s", 1), Some(second), "numbered one after the other");
        let taken_over = put(&format!("{}/s-2.out", folder_beside(OUTPUTS, 1001)));
        assert_eq!(last_file(&dir, "s", 2), Some(taken_over));
    }
}
