//! `runs abort --now` of a run that has lost its runner: what its step still does is ended, what
//! cannot be known is named, and the run holds nobody up any more.

use crate::harness::until;
use crate::yard::{Yard, in_any_command_line};
use rustix::process::{Pid, Signal, kill_process};

/// A run whose runner was killed while its step waits for the file `go`.
fn lost(yard: &Yard) -> String {
    let id = yard.start("slow");
    until("the step to begin", || yard.has("begun"));
    let pid = yard.show(&id)["runner"].as_i64().unwrap();
    kill_process(Pid::from_raw(i32::try_from(pid).unwrap()).unwrap(), Signal::KILL).unwrap();
    until("it to be lost", || yard.show(&id)["state"] == "lost");
    id
}

#[test]
fn now_ends_what_a_lost_run_still_does_and_frees_its_lock() {
    let yard = Yard::new();
    let id = lost(&yard);
    let program = yard.path("wait").display().to_string();
    let refused = yard.say(&["runs", "abort", &id]).expect(2);
    for part in ["step `wait` on here STILL RUNS", &format!("quarterdeck runs abort {id} --now")] {
        assert!(refused.err.contains(part), "{part}: {}", refused.err);
    }
    assert!(in_any_command_line(&program), "a refusal ends nothing");
    assert!(yard.say(&["run", "slow", "--plan"]).expect(2).out.contains(&id), "its lock is kept");

    let said = yard.say(&["runs", "abort", &id, "--now"]).expect(0);
    for part in ["given up: in doubt", "step `wait` on here: "] {
        assert!(said.out.contains(part), "{part}: {}", said.out);
    }
    assert!(!said.out.contains("STILL RUNS") && !in_any_command_line(&program), "{}", said.out);
    let run = yard.show(&id);
    assert_eq!((&run["state"], &run["outcome"]), (&"ended".into(), &"in-doubt".into()), "{run:#}");
    assert_eq!(yard.say(&["runs", "show", &id]).code, 3);
    yard.write("go");
    assert!(!yard.has("one") && !yard.has("two"), "nothing of it goes on");
    yard.say(&["run", "slow", "--plan"]).expect(0);
    assert!(yard.say(&["runs", "abort", &id, "--now"]).expect(2).err.contains("it has ended"));
    assert!(yard.say(&["audit", "show"]).expect(0).out.contains("given up"));
}

/// Without its stack nobody can look at the hosts of a run; it can be given up, and says what that means.
#[test]
fn now_gives_up_what_cannot_be_looked_at_and_says_that_it_may_still_run() {
    let yard = Yard::new();
    let id = lost(&yard);
    let stack = yard.path("stack.toml");
    std::fs::write(&stack, std::fs::read_to_string(&stack).unwrap() + "\n[nonsense]\n").unwrap();
    let refused = yard.say(&["runs", "abort", &id]).expect(2);
    assert!(refused.err.contains("still runs is NOT KNOWN"), "{}", refused.err);
    assert_eq!(yard.show(&id)["state"], "lost");

    let said = yard.say(&["runs", "abort", &id, "--now"]).expect(3);
    for part in ["given up: in doubt", "step `wait` on here still runs is NOT KNOWN"] {
        assert!(said.out.contains(part), "{part}: {}", said.out);
    }
    assert_eq!(yard.show(&id)["outcome"], "in-doubt");
    yard.write("go");
    until("what was left to end", || yard.has("one"));
}

#[test]
fn now_sets_a_run_aside_whose_journal_cannot_be_read() {
    let yard = Yard::new();
    let id = lost(&yard);
    yard.write("go");
    until("the step to end", || yard.has("one"));
    let journal = yard.path("state/runs").join(&id).join("journal");
    let text = std::fs::read_to_string(&journal).unwrap();
    let damaged: Vec<&str> =
        text.lines().enumerate().map(|(i, line)| if i == 1 { "damaged" } else { line }).collect();
    std::fs::write(&journal, damaged.join("\n") + "\n").unwrap();

    let failed = yard.say(&["runs", "abort", &id]).expect(1);
    for part in ["line 2", &format!("`runs abort {id} --now` sets it aside")] {
        assert!(failed.err.contains(part), "{part}: {}", failed.err);
    }
    yard.say(&["run", "slow", "--plan"]).expect(2);
    let said = yard.say(&["runs", "abort", &id, "--now"]).expect(0);
    assert!(said.out.contains("set aside: nothing is known of what it did"), "{}", said.out);
    yard.say(&["run", "slow", "--plan"]).expect(0);
    let listed = yard.say(&["runs"]).expect(0).out;
    assert!(listed.contains(&format!("UNREADABLE {id}")) && listed.contains("set aside by"), "{listed}");
    assert!(yard.say(&["audit", "show"]).expect(0).out.contains("set aside"));
}
