//! An approval lets one run begin, and that once; what is dangerous is confirmed again to go on.

use crate::harness::until;
use crate::yard::Yard;
use rustix::process::{Pid, Signal, kill_process};
use std::fs;

/// From L3 on a run is not taken up again by its id alone.
#[test]
fn a_dangerous_run_is_taken_up_again_by_its_phrase_and_a_reason() {
    let yard = Yard::new();
    let id = yard.start("edge");
    until("the run to wait", || yard.show(&id)["state"] == "held");
    assert!(yard.show(&id)["resume"].is_null());
    let pid = yard.show(&id)["runner"].as_i64().unwrap();
    kill_process(Pid::from_raw(i32::try_from(pid).unwrap()).unwrap(), Signal::KILL).unwrap();
    until("it to be lost", || yard.show(&id)["state"] == "lost");
    let resume = &yard.show(&id)["resume"];
    let phrase = resume["confirm"].as_str().unwrap();
    assert_eq!((phrase, &resume["needs_reason"]), ("edge here", &true.into()));
    assert!(yard.say(&["runs", "show", &id]).out.contains("--confirm \"edge here\" --reason TEXT"));
    for (given, says) in [
        (&[][..], "`edge here` must be typed"),
        (&["--confirm", "edge", "--reason", "it died"], "`edge here` must be typed"),
        (&["--confirm", phrase], "needs a reason"),
    ] {
        let refused = yard.say(&[&["runs", "resume", id.as_str()], given].concat()).expect(2);
        assert!(refused.err.contains(says), "{}", refused.err);
    }
    assert_eq!(yard.show(&id)["state"], "lost");
    let confirmed = ["--confirm", phrase, "--reason", "its runner died", "--detach"];
    yard.say(&[&["runs", "resume", id.as_str()], &confirmed[..]].concat()).expect(0);
    until("the run to wait", || yard.show(&id)["state"] == "held");
    yard.say(&["runs", "release-hold", &id]).expect(0);
    yard.say(&["runs", "follow", &id]).expect(0);
    assert!(yard.say(&["audit", "show"]).out.contains("resumed, because: its runner died"));
}

/// What is deployed meanwhile, or half edited, keeps nobody from finishing or undoing a run.
#[test]
fn a_lost_run_goes_on_with_the_stack_file_that_it_was_approved_with() {
    let yard = Yard::new();
    let id = yard.start("slow");
    until("the step to begin", || yard.has("begun"));
    let (stack, config) = (yard.path("stack.toml"), yard.path("config.toml"));
    let (text, said) = (fs::read_to_string(&stack).unwrap(), fs::read_to_string(&config).unwrap());
    let kept = yard.path("state/runs").join(&id).join("stack.toml");
    assert_eq!(fs::read_to_string(&kept).unwrap(), text);
    let lose = || {
        let pid = yard.show(&id)["runner"].as_i64().unwrap();
        let _ = kill_process(Pid::from_raw(i32::try_from(pid).unwrap()).unwrap(), Signal::KILL);
        until("it to be lost", || yard.show(&id)["state"] == "lost");
    };
    lose();
    yard.write("go");
    until("the step to end", || yard.has("one"));
    let resume = || yard.say(&["runs", "resume", &id, "--detach"]);
    let noted = |words: &str| yard.show(&id)["notes"].to_string().contains(words);
    for (now, words) in [
        (Some(format!("{text}\n# another comment\n")), "the stack file changed since this run was approved"),
        (
            Some(format!("{text}\n[[[\n")),
            "the stack file cannot be read any more since this run was approved",
        ),
        (None, "the stack file cannot be read any more"),
    ] {
        lose();
        match now {
            Some(now) => fs::write(&stack, now).unwrap(),
            None => fs::remove_file(&stack).unwrap(),
        }
        resume().expect(0);
        until("it to go on", || yard.show(&id)["state"] == "held");
        assert!(noted(words), "{words}: {}", yard.show(&id)["notes"]);
    }
    lose();
    // What config.toml puts into the stack is part of what was approved, and nobody else's word.
    fs::write(&stack, &text).unwrap();
    fs::write(&config, format!("{said}[hosts.here]\ntransport = \"local\"\npath = [\"/bin\"]\n")).unwrap();
    let refused = resume().expect(2).err;
    for part in ["is not what was approved together with config.toml", "put it back as it was", "runs abort"]
    {
        assert!(refused.contains(part), "{part}: {refused}");
    }
    fs::write(&config, &said).unwrap();
    // A file that was put there by another hand is not what was approved.
    fs::write(&stack, format!("{text}\n# another comment\n")).unwrap();
    fs::write(&kept, format!("{text}\n# forged\n")).unwrap();
    assert!(resume().expect(2).err.contains("is not what was approved"));
    fs::remove_file(&kept).unwrap();
    assert!(resume().expect(2).err.contains("none was kept"));
    fs::write(&stack, &text).unwrap();
    resume().expect(0);
    until("it to go on", || yard.show(&id)["state"] == "held");
    yard.say(&["runs", "release-hold", &id, "--choice", "go-on"]).expect(0);
    yard.say(&["runs", "follow", &id]).expect(0);
    assert_eq!((yard.lines("begun"), yard.lines("two")), (1, 1));
    assert!(kept.exists(), "what a new runner works with is kept as well");
}

#[test]
fn a_run_whose_journal_is_taken_away_does_not_begin_again() {
    let yard = Yard::new();
    yard.run("both", &[]).expect(0);
    let id = yard.show("last")["id"].as_str().unwrap().to_owned();
    let dir = yard.path("state/runs").join(&id);
    fs::rename(dir.join("journal"), dir.join("elsewhere")).unwrap();
    let said = yard.say(&["runner", &id]);
    assert_ne!(said.code, 0);
    assert!(said.err.contains("it has begun before, says the audit log"), "{}", said.err);
    // An old approval lets nothing begin, whatever the audit log says.
    fs::remove_file(yard.path("state/audit.jsonl")).unwrap();
    let text = fs::read_to_string(dir.join("approval.json")).unwrap();
    let mut approval: serde_json::Value = serde_json::from_str(&text).unwrap();
    approval["at"] = "2020-01-01T00:00:00Z".into();
    fs::write(dir.join("approval.json"), approval.to_string()).unwrap();
    let said = yard.say(&["runner", &id]);
    assert_ne!(said.code, 0);
    assert!(said.err.contains("begins within 60 s or not at all"), "{}", said.err);
    assert_eq!((yard.lines("one"), yard.lines("two")), (1, 1));
}

#[test]
fn an_audit_log_without_its_head_is_not_sound() {
    let yard = Yard::new();
    yard.run("both", &[]).expect(0);
    yard.say(&["audit", "verify"]).expect(0);
    let log = yard.path("state/audit.jsonl");
    let text = fs::read_to_string(&log).unwrap();
    let cut: String = text.split_inclusive('\n').take(3).collect();
    fs::write(&log, cut).unwrap();
    fs::remove_file(yard.path("state/audit.head")).unwrap();
    let said = yard.say(&["audit", "verify"]).expect(1);
    assert!(said.out.contains("nothing vouches for its end"), "{}", said.out);
    // What is appended now does not heal it.
    yard.run("both", &[]).expect(0);
    let said = yard.say(&["audit", "verify"]).expect(1);
    assert!(
        said.out.contains("line 4 records that the log before it had been tampered with"),
        "{}",
        said.out
    );
}
