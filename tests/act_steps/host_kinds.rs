//! Steps that change a host: units of a real systemd, real processes, real files, evidence.

use crate::bench::Bench;
use crate::host::{Killed, real, tool, wait_for};
use crate::sshd::Sshd;
use crate::systemd::Systemd;
use quarterdeck::act::step::{Left, Setting, Stop, perform};
use quarterdeck::domain::id::StepId;
use quarterdeck::domain::procedure::action::Action;
use quarterdeck::domain::procedure::action::kinds::{
    self, Capture, CaptureFrom, File, Signal, SignalTarget, SystemdVerb,
};
use quarterdeck::domain::procedure::event::{Effected, Truth};
use quarterdeck::domain::procedure::plan::Certainty;
use quarterdeck::stack::spec::TransportSpec;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::time::Duration;

const SSH: &[(&str, &str)] =
    &[("sshd", "openssh-server"), ("ssh", "openssh-client"), ("ssh-keygen", "openssh-client")];

#[track_caller]
fn done(left: &Left) -> &str {
    match &left.result {
        Effected::Done { says } => says,
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn failed(left: &Left) -> &str {
    match &left.result {
        Effected::Failed { why } => why,
        other => panic!("{other:?}"),
    }
}

fn everywhere(test: impl Fn(&Bench)) {
    test(&Bench::new(TransportSpec::Local, &[], &[("pw", "hunter2hunter2")]));
    if real(SSH) {
        let sshd = Sshd::start("");
        test(&Bench::new(sshd.spec(), &[], &[("pw", "hunter2hunter2")]));
    }
    if real(&[("sudo", "sudo")]) {
        let mut bench = Bench::new(TransportSpec::Local, &[], &[("pw", "hunter2hunter2")]);
        bench.sudo = true;
        test(&bench);
    }
}

fn systemd(verb: SystemdVerb, unit: &str) -> Action {
    Action::Systemd(kinds::Systemd { verb, unit: unit.into(), signal: None })
}

#[test]
fn units_are_restarted_and_their_invocation_tells() {
    if !real(&[("systemd", "systemd"), ("nsenter", "util-linux")]) {
        return;
    }
    let boot = Systemd::boot();
    let bench = Bench::local(&[&boot.tools()]);
    let restart = systemd(SystemdVerb::Restart, "steady.service");
    let target = bench.target(&restart);
    assert_eq!(target.certainty, Certainty::Probed);
    assert_eq!(target.what, "unit steady.service on h");
    assert!(target.state.starts_with("load=loaded active=active sub=running invocation="), "{target:?}");
    assert_eq!(bench.target(&restart).state, target.state, "nothing changed");

    assert_eq!(bench.ask(&restart, &target.state).truth, Truth::DidNot);
    let before = boot.ctl(&["show", "--value", "-p", "MainPID", "steady"]);
    let left = bench.perform(&restart);
    let after = boot.ctl(&["show", "--value", "-p", "MainPID", "steady"]);
    assert_ne!(before, after);
    assert_eq!(
        done(&left),
        format!("steady.service: active (running), pid {before}, then active (running), pid {after}")
    );
    assert_eq!(bench.ask(&restart, &target.state).truth, Truth::Happened);

    let stop = systemd(SystemdVerb::Stop, "steady.service");
    let running = bench.target(&stop).state;
    assert_eq!(bench.ask(&stop, &running).truth, Truth::DidNot);
    assert!(done(&bench.perform(&stop)).ends_with("then inactive (dead)"));
    assert_eq!(bench.ask(&stop, &running).truth, Truth::Happened);
    let start = systemd(SystemdVerb::Start, "steady.service");
    let stopped = bench.target(&start).state;
    assert_eq!(bench.ask(&start, &stopped).truth, Truth::DidNot);
    done(&bench.perform(&start));
    assert_eq!(bench.ask(&start, &stopped).truth, Truth::Happened);

    let absent = bench.target(&systemd(SystemdVerb::Start, "absent.service"));
    assert_eq!(absent.impossible.as_deref(), Some("absent.service: there is no such unit"));
    let reload = bench.target(&systemd(SystemdVerb::Reload, "steady.service"));
    assert_eq!(reload.impossible.as_deref(), Some("steady.service: it cannot be reloaded"));
    let left = bench.perform(&systemd(SystemdVerb::Reload, "steady.service"));
    assert!(failed(&left).contains("exit status") && failed(&left).contains("active (running)"), "{left:?}");
}

/// A process with a pid file.
fn sleeper(bench: &Bench, seconds: &str) -> (Killed, String) {
    let process = Killed::start(&["sleep", seconds]);
    let file = bench.dir.path().join(format!("{seconds}.pid")).display().to_string();
    std::fs::write(&file, format!("{}\n", process.0.id())).unwrap();
    let id = process.0.id();
    wait_for("the program to be itself", || {
        let line = std::fs::read_to_string(format!("/proc/{id}/cmdline")).unwrap_or_default();
        line.starts_with("sleep\0").then_some(())
    });
    (process, file)
}

fn signal(name: &str, file: &str, process: &str, user: Option<&str>) -> Action {
    Action::Signal(Signal {
        signal: name.into(),
        to: SignalTarget::PidFile(file.into()),
        process: process.into(),
        user: user.map(str::to_owned),
    })
}

#[test]
fn a_signal_reaches_the_process_that_is_meant_and_no_other() {
    everywhere(|bench| {
        let (mut process, file) = sleeper(bench, "86381");
        let pid = process.0.id();
        let refused = |action: &Action, why: &str| {
            let target = bench.target(action);
            assert!(target.impossible.is_none() && target.warnings.len() == 1, "{target:?}");
            assert!(failed(&bench.perform(action)).contains(why), "expected {why}");
        };
        refused(&signal("TERM", &file, "auth_service", None), "names a stranger");
        refused(&signal("TERM", &file, "sleep", Some("nobody")), "names a stranger");
        refused(&signal("TERM", "/nowhere/x.pid", "sleep", None), "there is no pid file");
        assert!(process.0.try_wait().unwrap().is_none());

        let action = signal("TERM", &file, "sleep 86381", Some("root"));
        let target = bench.target(&action);
        assert!(target.state.starts_with(&format!("pid={pid} started=")), "{target:?}");
        assert_eq!(bench.ask(&action, &target.state).truth, Truth::Unknown);
        assert_eq!(done(&bench.perform(&action)), format!("sent TERM to process {pid}, sleep 86381"));
        process.0.wait().unwrap();
        assert_eq!(bench.ask(&action, &target.state).truth, Truth::Happened);
        // What T-12 comes down to: the file has outlived its process.
        refused(&action, "names nobody");
        std::fs::write(&file, "not a number").unwrap();
        refused(&action, "holds no process id");
    });
}

fn file(path: &str, content: Option<&str>, backup: bool) -> Action {
    Action::File(File {
        path: path.into(),
        content: content.map(str::to_owned),
        mode: None,
        owner: None,
        backup,
    })
}

#[test]
fn a_file_is_replaced_as_a_whole_and_put_back_exactly() {
    everywhere(|bench| {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("it's a.conf");
        let at = path.display().to_string();
        std::fs::write(&path, "old\n").unwrap();
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o640)).unwrap();
        std::os::unix::fs::chown(&path, Some(65534), Some(65534)).unwrap();
        let write = file(&at, Some("key = ${secret.pw}\nrun = ${run.id}\n\n"), true);
        let before = bench.target(&write);
        assert!(before.impossible.is_none() && before.state.starts_with("mode=640 "), "{before:?}");
        assert_eq!(bench.ask(&write, &before.state).truth, Truth::DidNot);

        done(&bench.perform(&write));
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(text, format!("key = hunter2hunter2\nrun = {}\n\n", bench.setting().run));
        let meta = std::fs::metadata(&path).unwrap();
        assert_eq!((meta.mode() & 0o7777, meta.uid(), meta.gid()), (0o640, 65534, 65534));
        assert_eq!(bench.ask(&write, &before.state).truth, Truth::Happened);
        // A second attempt keeps the original that the first has kept.
        done(&bench.perform(&write));
        std::fs::write(&path, "somebody else's").unwrap();
        assert_eq!(bench.ask(&write, &before.state).truth, Truth::Unknown);

        // By another step of the run; undone by a rollback, see file_undo.rs.
        let restore = file(&at, None, false);
        assert_eq!(bench.ask(&restore, "").truth, Truth::DidNot);
        let other = Setting { step: &StepId::new("restore"), ..bench.setting() };
        let again = || bench.rt.block_on(perform(&restore, &other, &Stop::new()));
        assert_eq!(done(&again()), format!("put back {at}"));
        assert_eq!(bench.target(&write).state, before.state, "exactly as it was");
        assert_eq!(bench.ask(&restore, "").truth, Truth::Happened);
        assert!(done(&again()).ends_with("was put back before; nothing to do"));
        assert_eq!(bench.target(&write).state, before.state, "twice is as good as once");
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1, "nothing is left beside it");
    });
}

#[test]
fn a_new_file_has_its_mode_and_a_removed_one_is_kept() {
    everywhere(|bench| {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("new.conf");
        let at = path.display().to_string();
        let mut write = file(&at, Some("text"), true);
        if let Action::File(f) = &mut write {
            f.mode = Some("0600".into());
        }
        assert_eq!(bench.target(&write).state, "absent");
        done(&bench.perform(&write));
        assert_eq!(std::fs::metadata(&path).unwrap().mode() & 0o777, 0o600);

        let remove = file(&at, None, true);
        let before = bench.target(&remove).state;
        let left = bench.perform(&remove);
        let (_, kept) = done(&left).split_once("; it is ").unwrap();
        assert_eq!((path.exists(), std::fs::read_to_string(kept).unwrap().as_str()), (false, "text"));
        assert_eq!(bench.ask(&remove, &before).truth, Truth::Happened);
        done(&bench.perform(&remove)); // twice is as good as once
        std::fs::rename(kept, &path).unwrap();

        // A link stays one, and what it leads to is replaced.
        let link = dir.path().join("link");
        std::os::unix::fs::symlink(&path, &link).unwrap();
        done(&bench.perform(&file(&link.display().to_string(), Some("through"), false)));
        assert!(std::fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "through");

        let nowhere = bench.target(&file("/nowhere/at/all", Some("x"), true));
        assert!(nowhere.impossible.is_some(), "{nowhere:?}");
        let directory = bench.target(&file(&dir.path().display().to_string(), Some("x"), true));
        assert!(directory.impossible.unwrap().contains("is a directory, no file"));
    });
}

fn capture(name: &str, from: CaptureFrom, max: u64, whole: bool) -> Action {
    Action::Capture(Capture { name: name.into(), from, max, whole, may_be_empty: false })
}

fn command(argv: &[&str]) -> CaptureFrom {
    CaptureFrom::Command(argv.iter().map(|w| (*w).to_owned()).collect())
}

#[test]
fn evidence_is_whole_or_says_that_it_is_not() {
    everywhere(|bench| {
        let dump = ["sh", "-c", "echo complaint >&2; printf '\\000\\001binary'"];
        let left = bench.perform(&capture("dump.bin", command(&dump), 1000, true));
        assert_eq!(done(&left), "evidence/dump.bin, 8B");
        let path = bench.dir.path().join("evidence/dump.bin");
        assert_eq!(std::fs::read(&path).unwrap(), b"\x00\x01binary");
        assert_eq!(std::fs::metadata(&path).unwrap().mode() & 0o777, 0o600);

        // Never over what is there.
        let left = bench.perform(&capture("dump.bin", command(&["echo", "again"]), 1000, true));
        assert_eq!(left.output.unwrap().file, "evidence/dump-2.bin");

        // Only the end of a name is the mark of what is not all there.
        let name = "disk.partitions.part.txt";
        let left = bench.perform(&capture(name, command(&["echo", "sda1"]), 1000, true));
        assert_eq!(done(&left), "evidence/disk.partitions.part.txt, 5B");

        let zeros = command(&["head", "-c", "5000", "/dev/zero"]);
        let left = bench.perform(&capture("cut", zeros.clone(), 1000, false));
        assert!(done(&left).contains("CUT"), "{left:?}");
        let kept = left.output.unwrap();
        assert_eq!((kept.bytes, kept.dropped), (1000, 4000));
        let left = bench.perform(&capture("whole", zeros, 1000, true));
        assert!(failed(&left).starts_with("it is longer than"));
        assert_eq!(left.output.unwrap().file, "evidence/whole.part");

        // A file without a byte is no evidence, unless the procedure says that it may be.
        let none = |may_be_empty| {
            let from = command(&["true"]);
            Action::Capture(Capture { name: "none".into(), from, max: 9, whole: true, may_be_empty })
        };
        assert_eq!(failed(&bench.perform(&none(false))), "it is empty: there was nothing to keep");
        assert!(!bench.dir.path().join("evidence/none").exists());
        assert_eq!(
            done(&bench.perform(&none(true))),
            "evidence/none-2, 0B",
            "what failed keeps its own file"
        );

        let left =
            bench.perform(&capture("bad", command(&["sh", "-c", "echo x; echo why >&2; exit 4"]), 9, false));
        assert_eq!(failed(&left), "exit status 4: why");
        assert!(!bench.dir.path().join("evidence/bad").exists());

        let left = bench.perform(&capture("../up", CaptureFrom::File("/etc/hostname".into()), 1000, true));
        assert_eq!(left.output.unwrap().file, "evidence/_.._up");
    });
}

#[test]
fn a_journal_is_exported_by_the_units_and_the_span_that_are_asked_for() {
    let tools = tempfile::tempdir().unwrap();
    tool(tools.path(), "journalctl", "echo \"$@\"");
    let bench = Bench::local(&[tools.path()]);
    let from = CaptureFrom::Journal {
        units: vec!["a.service".into(), "b".into()],
        since: Duration::from_secs(1800),
    };
    let left = bench.perform(&capture("j", from, 1000, true));
    done(&left);
    assert_eq!(
        std::fs::read_to_string(bench.dir.path().join("evidence/j")).unwrap(),
        "--no-pager --quiet -o export --since=-1800s --unit=a.service --unit=b\n"
    );
}

/// The export form of the real tool, from a journal without entries.
#[test]
fn the_real_journalctl_takes_what_it_is_told() {
    if !real(&[("journalctl", "systemd")]) {
        return;
    }
    let bench = Bench::local(&[]);
    let from = CaptureFrom::Journal { units: vec!["no-such.service".into()], since: Duration::from_secs(60) };
    let none = Capture { name: "j".into(), from, max: 1000, whole: true, may_be_empty: true };
    done(&bench.perform(&Action::Capture(none)));
}

#[test]
fn what_sudo_does_not_allow_is_known_before() {
    let tools = tempfile::tempdir().unwrap();
    tool(tools.path(), "sudo", "echo 'sudo: a password is required' >&2; exit 1");
    let mut bench = Bench::local(&[tools.path()]);
    bench.sudo = true;
    let action = Action::Exec(kinds::Exec {
        argv: vec!["true".into()],
        env: [].into(),
        stdin: None,
        success: vec![0],
    });
    assert_eq!(
        bench.target(&action).impossible.as_deref(),
        Some("sudo does not allow true on h: sudo: a password is required")
    );
}

/// A program of another user is ended through sudo, also when it ignores TERM.
#[test]
fn what_runs_under_sudo_is_ended_through_sudo() {
    if !real(&[("sudo", "sudo")]) {
        return;
    }
    let mut bench = Bench::local(&[]);
    bench.sudo = true;
    let ready = bench.dir.path().join("ready");
    let action = Action::Shell(kinds::Shell {
        script: format!(
            "trap '' TERM; echo \"$GIVEN $$\" >{0}.new; mv {0}.new {0}; sleep 86382",
            ready.display()
        ),
        args: Vec::new(),
        env: [("GIVEN".to_owned(), "a b".to_owned())].into(),
        stdin: None,
    });
    let stop = Stop::new();
    let (tell, seen) = (stop.clone(), ready.clone());
    std::thread::spawn(move || {
        wait_for("the program to begin", || seen.exists().then_some(()));
        tell.stop();
    });
    let left = bench.perform_until(&action, &stop);
    let Effected::Killed { why } = &left.result else { panic!("{left:?}") };
    assert!(why.contains("sent KILL to its process group") && !why.contains("could not"), "{why}");
    let said = std::fs::read_to_string(&ready).unwrap();
    let (given, pid) = said.trim().rsplit_once(' ').unwrap();
    assert_eq!(given, "a b");
    wait_for("it to be gone", || {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"));
        stat.map_or(true, |s| s.contains(") Z ")).then_some(())
    });
}
