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
