//! Running procedures from the command line: the built program against real steps, in processes of
//! their own, with real kills. Exit codes, what is printed, what is left behind.

#![cfg(test)] // tells clippy that helpers, too, may unwrap

#[path = "cli_run/again.rs"]
mod again;
#[path = "cli_run/given_up.rs"]
mod given_up;
#[path = "harness/mod.rs"]
mod harness;
#[path = "cli_run/output.rs"]
mod output;
#[path = "harness/pty.rs"]
mod pty;
#[path = "cli_run/second.rs"]
mod second;
#[path = "cli_run/wall.rs"]
mod wall;
#[path = "cli_run/yard.rs"]
mod yard;

use harness::until;
use rustix::process::{Pid, Signal, kill_process};
use yard::{SECRET, Yard, in_any_command_line};

const PROGRAM: &str = env!("CARGO_BIN_EXE_quarterdeck");

#[test]
fn a_plan_shows_its_hash_and_changes_nothing() {
    let yard = Yard::new();
    let text = yard.say(&["run", "both", "--plan"]).expect(0);
    let plan = yard.plan("both");
    let hash = plan["hash"].as_str().unwrap();
    for part in [hash, "level L2", "here", "0 files are there", "write one x", "--approve", "--confirm here"]
    {
        assert!(text.out.contains(part), "{part}: {}", text.out);
    }
    assert_eq!((hash.len(), &plan["level"], &plan["may_run"]), (64, &"L2".into(), &true.into()));
    assert_eq!(yard.plan("both")["hash"], plan["hash"], "an unchanged world has one plan");
    assert!(!yard.has("one") && !yard.has("two"));
    assert!(yard.say(&["runs"]).expect(0).out.contains("no run yet"));
    // The same without --plan: nothing is done that was not approved.
    assert!(yard.say(&["run", "both"]).expect(0).out.contains(hash));
    assert!(!yard.has("one"));
}

#[test]
fn what_was_not_approved_as_shown_is_refused_and_changes_nothing() {
    let yard = Yard::new();
    let plan = yard.plan("both");
    let hash = plan["hash"].as_str().unwrap();
    let other = "0".repeat(64);
    let grave = yard.plan("grave");
    let grave_hash = grave["hash"].as_str().unwrap();
    let phrase = grave["prompt"]["confirm"].as_str().unwrap();
    let table: &[(&[&str], &str)] = &[
        (&["run", "both", "--approve", &other, "--confirm", "here"], "that is not this plan's hash ("),
        (
            &["run", "both", "--approve", &hash[..6], "--confirm", "here"],
            "give at least 12 digits of the plan's",
        ),
        (&["run", "both", "--approve", "hash", "--confirm", "here"], "hash is no plan's hash"),
        (&["run", "both", "--approve", hash, "--confirm", "there"], "here"),
        (&["run", "both", "--approve", hash], "here"),
        (&["run", "grave", "--approve", grave_hash, "--confirm", phrase], "reason"),
        (&["run", "bohts", "--plan"], "did you mean both?"),
        (&["run", "touch", "--plan", "--param", "text=c"], "text"),
        (&["run", "touch", "--plan", "--param", "txet=a"], "text"),
        (&["run", "both", "--plan", "--approve", hash], "cannot be used with"),
    ];
    for (args, says) in table {
        let said = yard.say(args).expect(2);
        assert!(said.err.contains(says) || said.out.contains(says), "{args:?}: {}{}", said.out, said.err);
    }
    // What is no whole hash is told without a plan; beside a wrong one the plan as it is now is shown.
    let text = |hash: &str| {
        let said = yard.say(&["run", "both", "--approve", hash, "--confirm", "here"]).expect(2);
        said.out.clone() + &said.err
    };
    assert!(!text(&hash[..6]).contains("write one x"));
    assert!(text(&other).contains("write one x"));
    assert!(!yard.has("one") && !yard.has("two"));
    let refused = yard.say(&["audit", "show"]).expect(0).out;
    assert!(refused.contains("both refused"), "{refused}");
}

#[test]
fn a_precondition_that_fails_refuses_and_says_which() {
    let yard = Yard::new();
    let said = yard.say(&["run", "needs", "--plan"]).expect(2);
    assert!(said.out.contains("REFUSED: needs the second file"), "{}", said.out);
    yard.run("needs", &[]).expect(2);
    assert!(!yard.has("one"));
    yard.write("two");
    yard.run("needs", &[]).expect(0);
    assert!(yard.has("one"));
}

#[test]
fn a_verified_run_ends_with_zero_and_is_on_record() {
    let yard = Yard::new();
    let said = yard.run("both", &[]).expect(0);
    for part in ["[1/2] verified", "[2/2] verified", "VERIFIED after"] {
        assert!(said.out.contains(part), "{part}: {}", said.out);
    }
    assert_eq!((yard.lines("one"), yard.lines("two")), (1, 1));
    let run = yard.show("last");
    assert_eq!(
        (&run["state"], &run["outcome"], &run["exit_code"]),
        (&"ended".into(), &"verified".into(), &0.into())
    );
    assert!(run["steps"].as_array().unwrap().iter().all(|s| s["phase"] == "verified"));
    let list = yard.say(&["runs", "--output", "json"]).expect(0).json();
    assert_eq!((&list["runs"][0]["procedure"], &list["runs"][0]["steps_done"]), (&"both".into(), &2.into()));
    let listed = yard.say(&["run"]).expect(0).out;
    assert!(listed.contains("both") && listed.contains("verified"), "{listed}");

    let audit = yard.say(&["audit", "show"]).expect(0).out;
    for part in ["both started: L2", "typed \"here\"", "one on here", "write one x", "ended verified"] {
        assert!(audit.contains(part), "{part}: {audit}");
    }
    assert!(yard.say(&["audit", "verify"]).expect(0).out.starts_with("sound: "));
    let file = yard.path("state/audit.jsonl");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, text.replacen("write one", "write two", 1)).unwrap();
    let line = text.lines().position(|l| l.contains("write one")).unwrap() + 1;
    let broken = yard.say(&["audit", "verify", "--output", "json"]).expect(1).json();
    assert_eq!((&broken["sound"], &broken["broken"]["line"]), (&false.into(), &line.into()));
}

/// Files are often named from the directory that one stands in.
#[test]
fn a_config_beside_who_types_brings_its_state_directory() {
    let yard = Yard::new();
    let approval = yard.approval("both");
    let mut command = std::process::Command::new(PROGRAM);
    command.current_dir(yard.path("")).args(["--config", "config.toml"]).args(&approval);
    let said = command.env("HOME", "/nonexistent").output().unwrap();
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
    assert!(yard.has("state/audit.jsonl") && yard.has("two"));
}

#[test]
fn a_failing_run_ends_with_one_and_says_what_is_owed() {
    let yard = Yard::new();
    let said = yard.run("fails", &[]).expect(1);
    for part in ["two", "OWED: the first file is there", "quarterdeck run touch"] {
        assert!(said.out.contains(part), "{part}: {}", said.out);
    }
    let run = yard.show("last");
    let phases: Vec<&str> =
        run["steps"].as_array().unwrap().iter().map(|s| s["phase"].as_str().unwrap()).collect();
    assert_eq!(phases, ["verified", "failed", "will-not-run"]);
    assert!(!yard.has("three"));
    assert_eq!(yard.say(&["runs", "--output", "json"]).json()["owed"][0]["id"], "one");
    assert_eq!(yard.say(&["runs", "show", "last"]).code, 1);
}

#[test]
fn an_abort_ends_with_four_and_nothing_begins_after_it() {
    let yard = Yard::new();
    let id = yard.start("slow");
    let mut follower = yard.spawn(&["runs", "follow", &id]);
    until("the step to begin", || yard.has("begun"));
    assert_eq!(yard.show(&id)["state"], "running");
    yard.say(&["runs", "abort", &id[..id.len() - 1]]).expect(0);
    yard.say(&["runs", "abort", "last", "--now"]).expect(0);
    assert_eq!(follower.wait().unwrap().code(), Some(4));
    let run = yard.show(&id);
    assert_eq!((&run["outcome"], &run["steps"][1]["phase"]), (&"aborted".into(), &"will-not-run".into()));
    assert!(!yard.has("two"));
    let again = yard.say(&["runs", "abort", &id]).expect(2);
    assert!(again.err.contains("it has ended"), "{}", again.err);
}

#[test]
fn a_killed_runner_leaves_a_run_in_doubt_that_can_be_resumed() {
    let yard = Yard::new();
    let id = yard.start("slow");
    until("the step to begin", || yard.has("begun"));
    let mut follower = yard.spawn(&["runs", "follow", &id]);
    let pid = yard.show(&id)["runner"].as_i64().unwrap();
    kill_process(Pid::from_raw(i32::try_from(pid).unwrap()).unwrap(), Signal::KILL).unwrap();
    assert_eq!(follower.wait().unwrap().code(), Some(3), "in doubt");
    assert_eq!(yard.show(&id)["state"], "lost");
    // What the dead runner had started goes on and comes to its end; the lock is left for review.
    yard.write("go");
    until("the step to end", || yard.has("one"));
    let refused = yard.say(&["run", "slow", "--plan"]).expect(2);
    assert!(refused.out.contains(&id), "{}", refused.out);

    // A step that may not be done twice, and of which nothing tells whether it was done.
    yard.say(&["runs", "resume", &id, "--detach"]).expect(0);
    until("the run to wait", || yard.show(&id)["state"] == "held");
    let hold = yard.show(&id)["hold"].clone();
    assert_eq!((&hold["step"], &hold["why"]), (&"wait".into(), &"in-doubt".into()));
    let wrong = yard.say(&["runs", "release-hold", &id, "--choice", "gone"]).expect(2);
    assert!(wrong.err.contains("go-on"), "{}", wrong.err);
    let bare = yard.say(&["runs", "release-hold", &id, "--note", "I saw the file"]).expect(2);
    assert!(bare.err.contains("say --choice: go-on, again, stop"), "{}", bare.err);
    let n = hold["n"].as_u64().unwrap();
    let (this, other) = (n.to_string(), (n + 1).to_string());
    let answer = |hold: &str| {
        let go_on = ["--choice", "go-on", "--note", "I saw the file"];
        yard.say(&[&["runs", "release-hold", id.as_str(), "--hold", hold][..], &go_on].concat())
    };
    assert!(answer(&other).expect(2).err.contains("no longer open"));
    answer(&this).expect(0);
    yard.say(&["runs", "follow", &id]).expect(0);
    assert_eq!((yard.lines("begun"), yard.lines("two")), (1, 1), "nothing was done twice");
    assert!(yard.say(&["audit", "show"]).out.contains("I saw the file"));
}

#[test]
fn a_run_without_a_runner_can_be_given_up() {
    let yard = Yard::new();
    let id = yard.start("slow");
    until("the step to begin", || yard.has("begun"));
    let pid = yard.show(&id)["runner"].as_i64().unwrap();
    kill_process(Pid::from_raw(i32::try_from(pid).unwrap()).unwrap(), Signal::KILL).unwrap();
    until("it to be lost", || yard.show(&id)["state"] == "lost");
    let refused = yard.say(&["runs", "abort", &id]);
    assert!(refused.code == 2 && refused.err.contains("STILL RUNS"), "{}: {}", refused.code, refused.err);
    yard.write("go");
    // What its step had started notices that in its own time.
    let mut said = String::new();
    until("nothing of it to run", || {
        let given_up = yard.say(&["runs", "abort", &id]);
        said = given_up.out;
        given_up.code == 0
    });
    assert!(said.contains("in doubt"), "{said}");
    assert_eq!(yard.say(&["runs", "show", &id]).code, 3);
    yard.say(&["run", "slow", "--plan"]).expect(0);
}

#[test]
fn ctrl_c_ends_the_following_and_not_the_run() {
    let yard = Yard::new();
    let approval = yard.approval("slow");
    let args: Vec<&str> = approval.iter().map(String::as_str).collect();
    let child = yard.spawn(&args);
    until("the step to begin", || yard.has("begun"));
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    let ended = child.wait_with_output().unwrap();
    let err = String::from_utf8(ended.stderr).unwrap();
    assert_eq!(ended.status.code(), Some(130), "{err}");
    assert!(err.contains("goes on") && err.contains("runs follow"), "{err}");
    yard.write("go");
    yard.say(&["runs", "follow", "last"]).expect(0);
}

#[test]
fn a_hold_waits_for_a_person() {
    let yard = Yard::new();
    let id = yard.start("held");
    until("the run to wait", || yard.show(&id)["state"] == "held");
    assert!(!yard.has("one"));
    let shown = yard.say(&["runs", "show", &id]).expect(0).out;
    assert!(shown.contains("look around first") && shown.contains("release-hold"), "{shown}");
    yard.say(&["runs", "release-hold", &id, "--choice", "stop"]).expect(0);
    let ended = yard.say(&["runs", "follow", &id]);
    assert_ne!(ended.code, 0, "{}", ended.out);
    assert!(!yard.has("one"));
    let none = yard.say(&["runs", "release-hold", &id]).expect(2);
    assert!(none.err.contains("waits for nobody"), "{}", none.err);
}

#[test]
fn a_secret_stands_nowhere() {
    let yard = Yard::new();
    let mut child = yard.spawn(&yard.approval("tell").iter().map(String::as_str).collect::<Vec<_>>());
    let mut seen = false;
    until("the run to end", || {
        seen |= in_any_command_line(SECRET);
        child.try_wait().unwrap().is_some()
    });
    assert!(!seen, "it was in a command line");
    let ended = child.wait_with_output().unwrap();
    assert_eq!(ended.status.code(), Some(0), "{}", String::from_utf8_lossy(&ended.stderr));
    let shown = yard.say(&["runs", "show", "last"]).out + &yard.say(&["audit", "show"]).out;
    let printed = [ended.stdout, ended.stderr, shown.into_bytes()].concat();
    assert!(!holds(&printed, SECRET));
    let files = yard.files("state");
    assert!(files.iter().any(|f| f.extension().is_some_and(|e| e == "out")), "its output is kept: {files:?}");
    in_no_file(&yard);
}

fn in_no_file(yard: &Yard) {
    for file in yard.files("state") {
        let bytes = std::fs::read(&file).unwrap_or_default();
        assert!(!holds(&bytes, SECRET), "{}", file.display());
    }
}

/// Programs print configuration: also what no step of the run asked for is known to be secret.
#[test]
fn a_secret_that_no_step_uses_is_kept_nowhere_either() {
    let yard = Yard::new();
    yard.run("careless", &[]).expect(0);
    let kept = yard.files("state").into_iter().find(|f| f.ends_with("evidence/config")).unwrap();
    assert_eq!(std::fs::read_to_string(kept).unwrap().trim(), "[redacted]");
    in_no_file(&yard);
    // One that cannot be had is not looked for, and that is said.
    std::fs::set_permissions(yard.path("token"), std::os::unix::fs::PermissionsExt::from_mode(0o644))
        .unwrap();
    yard.run("both", &[]).expect(0);
    let notes = yard.show("last")["notes"].to_string();
    assert!(notes.contains("not all secrets are known") && notes.contains("chmod 600"), "{notes}");
}

/// The name that the page on security has for a file or a directory of the state directory.
fn name_on_the_page(path: &str) -> String {
    let parts: Vec<&str> = path.split('/').collect();
    match parts[..] {
        ["" | "runs" | "locks" | "approvals"] | ["runs", _] => "the directory".to_owned(),
        ["runs", _, "output" | "evidence", ..] => "output/".to_owned(),
        ["runs", _, name] => format!("`{name}`").replace("`plan.json`", "plan.json"),
        ["locks", _] => "STACK.SCOPE.lock".to_owned(),
        _ => path.to_owned(),
    }
}

#[test]
fn what_runs_leave_has_the_modes_of_the_table() {
    use std::os::unix::fs::PermissionsExt;
    let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/security.md")).unwrap();
    let rows: Vec<Vec<&str>> =
        page.lines().filter(|l| l.starts_with('|')).map(|l| l.split('|').map(str::trim).collect()).collect();
    let yards = [Some((Yard::new(), 3)), rustix::process::getuid().is_root().then(|| (Yard::shared(), 4))];
    for (yard, column) in yards.into_iter().flatten() {
        yard.run("both", &[]).expect(0);
        let root = yard.path("state");
        let mut seen = std::collections::BTreeSet::new();
        let mut todo = vec![root.clone()];
        while let Some(path) = todo.pop() {
            let is = std::fs::symlink_metadata(&path).unwrap();
            if is.is_dir() {
                todo.extend(std::fs::read_dir(&path).unwrap().flatten().map(|e| e.path()));
            }
            let name = name_on_the_page(path.strip_prefix(&root).unwrap().to_str().unwrap());
            let bare = name.trim_matches('`');
            let row = rows
                .iter()
                .find(|r| r.len() == 6 && (r[1].contains(&name) || r[1].contains(&format!("/{bare}`"))))
                .unwrap_or_else(|| panic!("docs/security.md: the table lacks {name} ({})", path.display()));
            // Of outputs the row has the directory's mode, and says the files' in words.
            let want = if bare == "output/" && is.is_file() { "0600" } else { row[column] };
            let mode = format!("{:04o}", is.permissions().mode() & 0o7777);
            assert_eq!(mode, want, "{}: {}", path.display(), row[1]);
            seen.insert(bare.to_owned());
        }
        for name in ["plan.json", "journal", "runner.log", "audit.jsonl", "audit.head", "STACK.SCOPE.lock"] {
            assert!(seen.contains(name), "{name} was not left: {seen:?}");
        }
    }
}

fn holds(bytes: &[u8], text: &str) -> bool {
    let json = text.replace('"', "\\\"");
    [text, &json].iter().any(|t| bytes.windows(t.len()).any(|w| w == t.as_bytes()))
}

#[test]
fn an_id_that_means_nothing_or_too_much_is_told() {
    let yard = Yard::new();
    assert!(yard.say(&["runs", "show", "last"]).expect(2).err.contains("there is none"));
    yard.run("touch", &[]).expect(0);
    yard.run("touch", &["--param", "text=a"]).expect(0);
    let ids: Vec<String> = yard.say(&["runs", "--output", "json"]).json()["runs"]
        .as_array()
        .unwrap()
        .iter()
        .map(|r| r["id"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(ids.len(), 2);
    let several = yard.say(&["runs", "show", &ids[0][..4]]).expect(2);
    assert!(ids.iter().all(|id| several.err.contains(id.as_str())), "{}", several.err);
    let mut wrong = ids[0].clone();
    wrong.replace_range(0..1, "3");
    assert!(yard.say(&["runs", "show", &wrong]).expect(2).err.contains("did you mean"));
    assert!(yard.say(&["runs", "show", "../../etc"]).expect(2).err.contains("there is none"));
}
