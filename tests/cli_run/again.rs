//! An approval lets one run begin, and that once.

use crate::yard::Yard;
use std::fs;

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
