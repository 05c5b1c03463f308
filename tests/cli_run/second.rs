//! The second person: who may be it, for how long, and what is done without one.

use crate::harness::{self, until};
use crate::yard::Yard;
use rustix::process::{Pid, Signal, kill_process};

/// The gravest plans wait for somebody else, and never for who asked.
#[test]
fn nobody_is_their_own_second_person() {
    let yard = Yard::of("production");
    let plan = yard.plan("grave");
    assert_eq!((&plan["level"], &plan["prompt"]["needs_second_person"]), (&"L4".into(), &true.into()));
    let approval = yard.approval("grave");
    let args: Vec<&str> = approval.iter().map(String::as_str).collect();
    let wrong =
        yard.say(&["run", "grave", "--approve", args[3], "--confirm", "x", "--reason", "y"]).expect(2);
    assert!(wrong.err.contains("must be typed"), "{}", wrong.err);

    // However whoever asked goes away, the request goes, too.
    for signal in [Signal::INT, Signal::TERM, Signal::HUP] {
        let asks = yard.spawn(&args);
        let waits = || yard.say(&["approve", "--output", "json"]).expect(0).json()["waiting"].clone();
        until("the request", || waits().as_array().is_some_and(|w| w.len() == 1));
        let request = waits()[0].clone();
        assert_eq!((&request["plan"], &request["reason"]), (&plan["hash"], &"a test".into()));
        let id = request["id"].as_str().unwrap();
        let own = yard.say(&["approve", id]).expect(2);
        assert!(own.err.contains("nobody approves their own plan"), "{}", own.err);
        let none = yard.say(&["approve", "2099"]).expect(2);
        assert!(none.err.contains("nothing of that name waits"), "{}", none.err);
        kill_process(Pid::from_child(&asks), signal).unwrap();
        let ended = asks.wait_with_output().unwrap();
        let err = String::from_utf8(ended.stderr).unwrap();
        assert_eq!(ended.status.code(), Some(2), "{err}");
        assert!(err.contains("quarterdeck approve") && err.contains("withdrawn"), "{err}");
        assert_eq!(waits().as_array().map(Vec::len), Some(0));
    }
    assert!(!yard.has("one"));
}

#[test]
fn another_person_approves_under_their_own_uid() {
    if !harness::is_root() {
        println!("skipped: only root can be two people");
        return;
    }
    let yard = Yard::shared();
    let approval = yard.approval("grave");
    let asks = yard.spawn(&approval.iter().map(String::as_str).collect::<Vec<_>>());
    let waits = || yard.say(&["approve", "--output", "json"]).expect(0).json()["waiting"].clone();
    until("the request", || waits().as_array().is_some_and(|w| w.len() == 1));
    let request = waits()[0].clone();
    let (id, hash) = (request["id"].as_str().unwrap(), request["plan"].as_str().unwrap());
    let wrong = yard.as_nobody(&["approve", id], "000000000000\n").expect(2);
    assert!(wrong.err.contains("that is not its hash"), "{}", wrong.err);
    let short = yard.as_nobody(&["approve", id], &format!("{}\n", &hash[..11])).expect(2);
    assert!(short.err.contains("nothing was approved"), "{}", short.err);
    let given = yard.as_nobody(&["approve", &id[..id.len() - 2]], &format!("{}\n", &hash[..12])).expect(0);
    for part in [hash, "a test", "write one x"] {
        assert!(given.err.contains(part), "{part}: {}", given.err);
    }
    let ended = asks.wait_with_output().unwrap();
    assert_eq!(ended.status.code(), Some(0), "{}", String::from_utf8_lossy(&ended.stderr));
    assert!(yard.has("one"));
    let run = yard.show("last");
    assert_eq!(run["second"]["approved"]["uid"], 65534);
    // The other person sees the run and the record of it as well.
    let seen = yard.as_nobody(&["runs", "show", "last"], "").expect(0);
    assert!(seen.out.contains("approved by nobody"), "{}", seen.out);
    let audit = yard.as_nobody(&["audit", "verify"], "").expect(0);
    assert!(audit.out.starts_with("sound: "), "{}", audit.out);
    let lines = yard.say(&["audit", "show"]).out;
    assert!(lines.contains("nobody (uid 65534)") && lines.contains("grave approved"), "{lines}");
}

/// What was approved a while ago is approved again before it is done: the first word was for then.
#[test]
fn a_lost_run_goes_on_to_what_is_gravest_with_a_second_person_only() {
    if !harness::is_root() {
        println!("skipped: only root can be two people");
        return;
    }
    let yard = Yard::shared();
    let approval = yard.approval("graver");
    let asks = yard.spawn(&approval.iter().map(String::as_str).collect::<Vec<_>>());
    let waits = || yard.say(&["approve", "--output", "json"]).expect(0).json()["waiting"].clone();
    let approve = || {
        until("the request", || waits().as_array().is_some_and(|w| w.len() == 1));
        let request = waits()[0].clone();
        let (id, hash) = (request["id"].as_str().unwrap(), request["plan"].as_str().unwrap());
        yard.as_nobody(&["approve", id], &format!("{}\n", &hash[..12])).expect(0).err
    };
    approve();
    until("the first step to begin", || yard.has("begun"));
    let id = yard.show("last")["id"].as_str().unwrap().to_owned();
    let pid = yard.show(&id)["runner"].as_i64().unwrap();
    kill_process(Pid::from_raw(i32::try_from(pid).unwrap()).unwrap(), Signal::TERM).unwrap();
    yard.write("go");
    assert_eq!(asks.wait_with_output().unwrap().status.code(), Some(3));
    until("it to be lost", || yard.show(&id)["state"] == "lost");
    assert_eq!(yard.show(&id)["resume"]["needs_second"], true);
    assert!(yard.say(&["runs", "show", &id]).out.contains("waits for a second person, or --break-glass"));

    let phrase = yard.show(&id)["resume"]["confirm"].as_str().unwrap().to_owned();
    let resume = ["runs", "resume", &id, "--confirm", &phrase, "--reason", "the host came back"];
    let wrong = yard.say(&resume[..5]).expect(2);
    assert!(wrong.err.contains("needs a reason"), "nobody is bothered for that: {}", wrong.err);
    let asks = yard.spawn(&resume);
    let shown = approve();
    assert!(shown.contains("goes on where it stopped; still to be done: Destroy it"), "{shown}");
    let ended = asks.wait_with_output().unwrap();
    assert_eq!(ended.status.code(), Some(0), "{}", String::from_utf8_lossy(&ended.stderr));
    assert!(yard.has("two"));
    let said = yard.say(&["runs", "show", &id]).out + &yard.say(&["audit", "show"]).out;
    assert!(said.contains("taken up again; approved by nobody"), "{said}");
    assert!(said.contains("resumed, because: the host came back; approved by nobody"), "{said}");
}

#[test]
fn the_glass_is_broken_only_after_a_countdown_and_with_a_reason() {
    let yard = Yard::of("production");
    let plan = yard.plan("grave");
    let (hash, text) = (plan["hash"].as_str().unwrap(), plan["prompt"]["confirm"].as_str().unwrap());
    let args = ["run", "grave", "--approve", hash, "--confirm", text, "--break-glass"];
    let said = yard.say(&args).expect(2);
    assert!(said.err.contains("needs a reason"), "{}", said.err);
    let mut child = yard.spawn(&[&args[..], &["--reason", "alone"]].concat());
    let mut err = std::io::BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    while !line.contains("goes on alone in") {
        line.clear();
        assert!(
            std::io::BufRead::read_line(&mut err, &mut line).unwrap() > 0,
            "it said nothing of a countdown"
        );
    }
    assert!(child.try_wait().unwrap().is_none() && !yard.has("one"), "it waits");
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    assert!(!child.wait().unwrap().success());
    assert!(!yard.has("one") && yard.say(&["runs"]).out.contains("no run yet"));
}
