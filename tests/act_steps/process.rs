//! Programs that steps run, here and over ssh: what they say, how they end, what they leave.

use crate::bench::Bench;
use crate::host::{real, running, tool, wait_for};
use crate::sshd::{Sshd, signal};
use quarterdeck::act::output::hex;
use quarterdeck::act::process;
use quarterdeck::act::step::{Left, Stop};
use quarterdeck::domain::procedure::action::Action;
use quarterdeck::domain::procedure::action::kinds::{Exec, File, Shell};
use quarterdeck::domain::procedure::event::{Captured, Effected, Truth};
use sha2::{Digest, Sha256};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

const SSH: &[(&str, &str)] =
    &[("sshd", "openssh-server"), ("ssh", "openssh-client"), ("ssh-keygen", "openssh-client")];

fn exec(argv: &[&str]) -> Action {
    Action::Exec(Exec {
        argv: argv.iter().map(|w| (*w).to_owned()).collect(),
        env: [].into(),
        stdin: None,
        success: vec![0],
    })
}

fn shell(script: &str, args: &[&str], env: &[(&str, &str)], stdin: Option<&str>) -> Action {
    Action::Shell(Shell {
        script: script.into(),
        args: args.iter().map(|w| (*w).to_owned()).collect(),
        env: env.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect(),
        stdin: stdin.map(str::to_owned),
    })
}

fn script(script: &str) -> Action {
    shell(script, &[], &[], None)
}

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

#[track_caller]
fn killed(left: &Left) -> &str {
    match &left.result {
        Effected::Killed { why } => why,
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn kept(left: &Left) -> &Captured {
    left.output.as_ref().expect("an output")
}

#[track_caller]
fn output(bench: &Bench, left: &Left) -> String {
    let kept = kept(left);
    let path = bench.dir.path().join(&kept.file);
    let bytes = std::fs::read(&path).unwrap();
    assert_eq!(bytes.len() as u64, kept.bytes);
    let sum = hex(&Sha256::digest(&bytes));
    assert_eq!(sum, kept.sha256);
    assert_eq!(std::fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Says stop once a file is there.
fn stop_when(ready: &Path) -> Stop {
    let stop = Stop::new();
    let (tell, ready) = (stop.clone(), ready.to_owned());
    std::thread::spawn(move || {
        wait_for("the program to begin", || ready.exists().then_some(()));
        tell.stop();
    });
    stop
}

fn alive(pid: u32) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|s| !s.contains(") Z "))
}

fn gone(pid: u32) {
    wait_for("a process to be gone", || (!alive(pid)).then_some(()));
}

fn read_pid(path: &Path) -> u32 {
    std::fs::read_to_string(path).unwrap().trim().parse().unwrap()
}

/// What holds here must hold over ssh.
fn everywhere(test: impl Fn(&dyn Fn(&[(&str, &str)]) -> Bench)) {
    test(&|secrets| Bench::new(quarterdeck::stack::spec::TransportSpec::Local, &[], secrets));
    if real(SSH) {
        let sshd = Sshd::start("");
        test(&|secrets| Bench::new(sshd.spec(), &[], secrets));
    }
}

#[test]
fn a_program_gives_its_status_and_both_outputs_in_order() {
    everywhere(|bench| {
        let bench = bench(&[]);
        let left = bench.perform(&exec(&["sh", "-c", "echo one; echo two >&2; echo three"]));
        assert_eq!(done(&left), "exit status 0");
        assert_eq!(output(&bench, &left), "one\ntwo\nthree\n");
        assert_eq!(kept(&left).file, "output/s-1.out");

        let left = bench.perform(&exec(&["sh", "-c", "echo 'no such \x1b[31mkey'; exit 3"]));
        assert_eq!(failed(&left), "exit status 3: no such ·[31mkey");
        assert_eq!(kept(&left).file, "output/s-1-2.out");
        assert_eq!(output(&bench, &left), "no such \x1b[31mkey\n");

        let words = ["printf", "%s|", "a b", "", "it's", "$HOME `id` \\", "*", "@RUN@", "ü\n;"];
        let left = bench.perform(&exec(&words));
        assert_eq!(output(&bench, &left), "a b||it's|$HOME `id` \\|*|@RUN@|ü\n;|");
        assert_eq!(failed(&bench.perform(&exec(&["sh", "-c", "kill -9 $$"]))), "ended by signal 9");
        let left = bench.perform(&exec(&["no-such-program-here"]));
        assert!(failed(&left).contains("no such program"), "{left:?}");
        let target = bench.target(&exec(&["no-such-program-here"]));
        assert_eq!(target.impossible.as_deref(), Some("there is no program no-such-program-here on h"));
        assert_eq!(bench.target(&exec(&["true"])).impossible, None);
    });
}

#[test]
fn a_script_ends_at_its_first_failure_and_its_arguments_are_no_code() {
    everywhere(|bench| {
        let bench = bench(&[]);
        let left = bench.perform(&shell("echo \"$1/$2\"", &["a b", "$(id) '\"; exit 9"], &[], None));
        assert_eq!(output(&bench, &left), "a b/$(id) '\"; exit 9\n");
        assert_eq!(failed(&bench.perform(&script("false | cat; echo no"))), "exit status 1");
        assert!(failed(&bench.perform(&script("echo $unset"))).contains("unbound variable"));
    });
}

/// A secret reaches the program by its environment and input, and nobody else by anything.
#[test]
fn secrets_are_in_no_argv_and_no_output() {
    let secret = "hun'ter2 \"x\"\nsecond line \\n";
    everywhere(|bench| {
        let bench = bench(&[("pw", secret)]);
        let look = "want=$(printf 'hun%ster2' \"'\")
            [ \"$PW\" = \"$(cat)\" ] && echo same
            cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' ' ' | grep -c -f <(printf %s \"${want:0:9}\") || true
            echo \"plain: $PW\"; printf 'split: %s' \"${PW:0:5}\"; sleep 0.2; echo \"${PW:5}\"
            printf %s \"$PW\" | base64 -w0";
        let left = bench.perform(&shell(look, &[], &[("PW", "${secret.pw}")], Some("${secret.pw}")));
        done(&left);
        let said = output(&bench, &left);
        assert!(said.starts_with("same\n0\nplain: [redacted]\nsplit: [redacted]\n[redacted]"), "{said}");
        assert!(!said.contains("ter2"), "{said}");

        let left = bench.perform(&exec(&["echo", "${secret.pw}"]));
        assert_eq!(failed(&left), "the secret pw may not stand here: others could read it");
        let left = bench.perform(&shell("echo $PW >&2; exit 1", &[], &[("PW", "${secret.pw}")], None));
        assert!(failed(&left).contains("[redacted]") && !failed(&left).contains("ter2"), "{left:?}");
    });
}

#[test]
fn large_input_arrives_whole() {
    everywhere(|bench| {
        let bench = bench(&[]);
        let text = (0..40_000).map(|i| format!("line {i}")).collect::<Vec<_>>().join("\n") + "\n";
        let sum = hex(&Sha256::digest(text.as_bytes()));
        let left = bench.perform(&shell("sha256sum", &[], &[], Some(&text)));
        assert_eq!(output(&bench, &left), format!("{sum}  -\n"));
        // And one that nobody reads blocks nothing.
        done(&bench.perform(&shell("true", &[], &[], Some(&text))));
    });
}

#[test]
fn a_program_that_ignores_term_is_killed_after_the_grace() {
    everywhere(|bench| {
        let bench = bench(&[]);
        let ready = bench.dir.path().join("ready");
        let action =
            script(&format!("trap '' TERM; echo $$ >{0}.new; mv {0}.new {0}; sleep 86391", ready.display()));
        let left = bench.perform_until(&action, &stop_when(&ready));
        let why = killed(&left);
        assert!(why.contains("sent TERM") && why.contains("then sent KILL"), "{why}");
        assert!(!why.contains("left running"), "{why}");
        gone(read_pid(&ready));
        assert!(running("sleep 86391").is_empty());
    });
}

#[test]
fn a_program_that_ends_at_term_gets_no_kill_and_may_tidy_up() {
    everywhere(|bench| {
        let bench = bench(&[]);
        let ready = bench.dir.path().join("ready");
        let action = script(&format!(
            "trap 'echo tidy; exit 0' TERM; touch {}; while :; do sleep 0.1; done",
            ready.display()
        ));
        let left = bench.perform_until(&action, &stop_when(&ready));
        assert!(killed(&left).contains("sent TERM") && !killed(&left).contains("KILL"), "{left:?}");
        // Its `sleep` is in the group and has heard it as well.
        assert!(output(&bench, &left).ends_with("tidy\n"));
    });
}

#[test]
fn a_grandchild_that_holds_the_output_is_named_and_not_waited_for() {
    everywhere(|bench| {
        let bench = bench(&[]);
        let left = bench.perform(&script("sleep 86392 & echo $!"));
        let pid: u32 = output(&bench, &left).trim().parse().unwrap();
        assert_eq!(done(&left), format!("exit status 0; left running: 1 process ({pid} sleep)"));
        assert!(alive(pid));
        signal("-KILL", pid);

        // In a session of its own it is known by its mark.
        let left = bench.perform(&script("setsid sleep 86393 >/dev/null 2>&1 & echo $!; sleep 0.2"));
        let pid: u32 = output(&bench, &left).trim().parse().unwrap();
        assert_eq!(done(&left), format!("exit status 0; left running: 1 process ({pid} sleep)"));
        signal("-KILL", pid);
    });
}

#[test]
fn what_a_stopped_program_has_started_ends_with_it_wherever_it_went() {
    everywhere(|bench| {
        let bench = bench(&[]);
        let ready = bench.dir.path().join("ready");
        let text = "setsid sleep 86394 & (trap '' TERM; exec sleep 86395) & sleep 0.3; touch READY; wait";
        let action = script(&text.replace("READY", &ready.display().to_string()));
        let left = bench.perform_until(&action, &stop_when(&ready));
        assert!(killed(&left).contains("killed what it had started"), "{left:?}");
        assert!(!killed(&left).contains("left running"), "{left:?}");
        assert!(running("sleep 86394").is_empty() && running("sleep 86395").is_empty());
    });
}

#[test]
fn an_earlier_attempt_that_still_runs_forbids_another() {
    everywhere(|bench| {
        let mut bench = bench(&[]);
        let action = script("sleep 86396 & echo $!");
        let pid: u32 = output(&bench, &bench.perform(&action)).trim().parse().unwrap();
        assert_eq!(bench.ask(&action, "").says, format!("it still runs: 1 process ({pid} sleep)"));
        bench.attempt = 2;
        let left = bench.perform(&action);
        assert_eq!(failed(&left), format!("an earlier attempt at it still runs: 1 process ({pid} sleep)"));
        signal("-KILL", pid);
        gone(pid);
        assert!(bench.ask(&action, "").says.starts_with("nothing of it runs"));
    });
}

/// A sudo that refuses to look, and processes that only root could tell: then it is held open, and
/// not begun a second time but by the word of a person.
#[test]
fn what_sudo_does_not_let_one_see_is_not_known() {
    let tools = tempfile::tempdir().unwrap();
    // As another user sees it, who looks at root's: nothing, and not as root.
    tool(tools.path(), "id", "echo 1000");
    tool(
        tools.path(),
        "sudo",
        "shift 2; case $1 in sh) echo 'sudo: a password is required' >&2; exit 1;; esac; exec \"$@\"",
    );
    let mut bench = Bench::local(&[tools.path()]);
    bench.sudo = true;
    let action = exec(&["echo", "done"]);
    assert_eq!(done(&bench.perform(&action)), "exit status 0", "the first time nobody asks");
    let answer = bench.ask(&action, "");
    assert_eq!(answer.truth, Truth::Unknown);
    assert!(answer.says.contains("whether it still runs is not known: "), "{}", answer.says);
    assert!(answer.says.contains("with sudo: sudo: a password is required"), "{}", answer.says);
    bench.attempt = 2;
    let left = bench.perform(&action);
    assert!(failed(&left).starts_with("it is not known whether an earlier attempt"), "{left:?}");
    bench.by_word = true;
    done(&bench.perform(&action));
}

/// Of what still runs nobody can say that it does not happen.
#[test]
fn what_is_as_it_was_may_still_change_while_a_program_of_it_runs() {
    let bench = Bench::local(&[]);
    let pid: u32 = output(&bench, &bench.perform(&script("sleep 86398 & echo $!"))).trim().parse().unwrap();
    let path = bench.dir.path().join("x").display().to_string();
    let file = Action::File(File { path, content: Some("x".into()), mode: None, owner: None, backup: false });
    let before = bench.target(&file).state;
    let answer = bench.ask(&file, &before);
    assert_eq!(answer.truth, Truth::Unknown);
    assert!(answer.says.starts_with(&format!("it still runs: 1 process ({pid} sleep)")), "{}", answer.says);
    signal("-KILL", pid);
    gone(pid);
    assert_eq!(bench.ask(&file, &before).truth, Truth::DidNot);
}

/// What sudo runs has lost the mark, and is found through the sudo that started it.
#[test]
fn what_runs_under_sudo_is_found_again() {
    if !real(&[("sudo", "sudo")]) {
        return;
    }
    let mut bench = Bench::local(&[]);
    bench.sudo = true;
    let ready = bench.dir.path().join("ready");
    let action = script(&format!("echo $$ >{0}.new; mv {0}.new {0}; sleep 86397", ready.display()));
    let s = bench.setting();
    let stop = Stop::new();
    bench.rt.block_on(async {
        let begun = async {
            while !ready.exists() {
                tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            }
            let pid = read_pid(&ready);
            let found = process::strays(&s).await.unwrap();
            assert!(found.iter().any(|p| p.pid == pid), "{pid} {found:?}");
            let (_, left) = process::end_strays(&s).await.unwrap();
            assert_eq!(left, []);
            assert!(!alive(pid));
        };
        tokio::join!(quarterdeck::act::step::perform(&action, &s, &stop), begun)
    });
}

#[test]
fn a_gibibyte_of_output_is_bounded_and_blocks_nothing() {
    let bench = Bench::local(&[]);
    let left = bench.perform(&exec(&["head", "-c", "1G", "/dev/zero"]));
    assert!(done(&left).contains("960MiB of its output"), "{left:?}");
    assert_eq!((kept(&left).bytes, kept(&left).dropped), (64 << 20, (1 << 30) - (64 << 20)));
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let peak = status.lines().find_map(|l| l.strip_prefix("VmHWM:")).unwrap();
    let peak: u64 = peak.trim().trim_end_matches(" kB").parse().unwrap();
    assert!(peak < 200 << 10, "{peak} KiB");
}

/// A small file system, unmounted at the end.
struct Tmpfs(std::path::PathBuf);

impl Drop for Tmpfs {
    fn drop(&mut self) {
        let _ = std::process::Command::new("umount").arg(&self.0).status();
    }
}

#[test]
fn a_full_disk_loses_the_output_and_not_the_step() {
    if !real(&[("mount", "mount")]) {
        return;
    }
    let bench = Bench::local(&[]);
    let at = bench.dir.path().join("output");
    std::fs::create_dir(&at).unwrap();
    let mut mount = std::process::Command::new("mount");
    mount.args(["-t", "tmpfs", "-o", "size=256k", "tmpfs"]).arg(&at);
    if !mount.status().unwrap().success() {
        assert!(std::env::var("QUARTERDECK_REQUIRE_REAL").as_deref() != Ok("1"), "cannot mount a tmpfs");
        return eprintln!("skipped: cannot mount a tmpfs");
    }
    let _tmpfs = Tmpfs(at);
    let left = bench.perform(&exec(&["head", "-c", "1000000", "/dev/zero"]));
    assert!(done(&left).contains("its output could not be kept: No space left"), "{left:?}");
    assert_eq!(output(&bench, &left).len(), 256 << 10);
    assert_eq!(kept(&left).bytes + kept(&left).dropped, 1_000_000);
}

#[test]
fn a_lost_connection_is_neither_failure_nor_success_and_ends_what_ran() {
    if !real(SSH) {
        return;
    }
    let sshd = Sshd::start("");
    let bench = Bench::new(sshd.spec(), &[], &[]);
    let ready = bench.dir.path().join("ready");
    let action = script(&format!("echo $$ >{0}.new; mv {0}.new {0}; sleep 86397", ready.display()));
    let left = std::thread::scope(|scope| {
        scope.spawn(|| {
            wait_for("the program to begin", || ready.exists().then_some(()));
            // The processes of the connection only: what runs under them must be ended by us.
            for pid in sshd.connections() {
                let comm = std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
                if comm.starts_with("sshd") {
                    signal("-KILL", pid);
                }
            }
        });
        bench.perform(&action)
    });
    let Effected::TimedOut { why } = &left.result else { panic!("{left:?}") };
    assert!(why.starts_with("the way to its host was lost while it ran"), "{why}");
    gone(read_pid(&ready));
}
