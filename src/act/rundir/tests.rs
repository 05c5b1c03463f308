//! Modes, names and bounds of the state directory.

use super::*;
use std::os::unix::fs::PermissionsExt;

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().mode() & 0o7777
}

fn at() -> Timestamp {
    "2026-03-01T02:03:04.567Z".parse().unwrap()
}

#[test]
fn it_is_the_users_own_unless_a_group_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let own = StateDir::new(dir.path().join("a/own"), None);
    own.prepare().unwrap();
    let run = own.create_run(at()).unwrap();
    run.write_new("plan.json", b"{}").unwrap();
    assert_eq!((mode(own.root()), mode(&own.locks()), mode(run.path())), (0o700, 0o700, 0o700));
    assert_eq!(mode(&run.plan()), 0o600);

    let gid = rustix::process::getegid().as_raw();
    let shared = StateDir::new(dir.path().join("shared"), Some(gid));
    shared.prepare().unwrap();
    shared.prepare().unwrap();
    let run = shared.create_run(at()).unwrap();
    run.write_new("plan.json", b"{}").unwrap();
    assert_eq!((mode(shared.root()), mode(&shared.runs()), mode(run.path())), (0o2770, 0o2770, 0o2770));
    assert_eq!(mode(&run.plan()), 0o640, "nobody but its owner writes it");
}

#[test]
fn a_directory_that_everybody_may_write_into_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let state = StateDir::new(dir.path().join("s"), None);
    state.prepare().unwrap();
    fs::set_permissions(state.runs(), fs::Permissions::from_mode(0o777)).unwrap();
    assert!(state.prepare().unwrap_err().contains("everybody may write into it"));
}

#[test]
fn runs_are_named_by_time_and_never_twice() {
    let dir = tempfile::tempdir().unwrap();
    let state = StateDir::new(dir.path().join("s"), None);
    state.prepare().unwrap();
    let ids: Vec<String> = (0..3).map(|_| state.create_run(at()).unwrap().id().to_string()).collect();
    assert_eq!(ids, ["20260301-020304-567", "20260301-020304-568", "20260301-020304-569"]);
    fs::write(state.runs().join("20990101-000000-000"), "a file").unwrap();
    fs::create_dir(state.runs().join("NOT AN ID")).unwrap();
    let (listed, older) = state.run_ids().unwrap();
    assert_eq!((listed.len(), listed[0].as_str(), older), (3, "20260301-020304-569", 0));
    assert_eq!(state.run("20260301-020304-567").unwrap().id().as_str(), "20260301-020304-567");
    for (id, why) in
        [("../x", "no run's id"), ("gone", "there is none"), ("20990101-000000-000", "no directory")]
    {
        assert!(state.run(id).unwrap_err().contains(why), "{id}");
    }
}

#[test]
fn documents_are_written_once_and_links_are_not_followed() {
    let dir = tempfile::tempdir().unwrap();
    let state = StateDir::new(dir.path().join("s"), None);
    state.prepare().unwrap();
    let run = state.create_run(at()).unwrap();
    run.write_new("plan.json", b"one").unwrap();
    assert!(run.write_new("plan.json", b"two").is_err());
    assert_eq!(run.read("plan.json").unwrap(), "one");
    std::os::unix::fs::symlink("/etc/passwd", run.approval()).unwrap();
    assert!(run.read("approval.json").is_err());
    fs::write(run.path().join("big"), vec![b'x'; MAX_DOCUMENT + 1]).unwrap();
    assert!(run.read("big").unwrap_err().contains("larger than"));
}
