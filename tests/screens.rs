//! The whole program on a terminal of its own: keys, sizes, colours, and every way to end.

#![expect(clippy::expect_used, reason = "a test that cannot go on has failed")]

#[path = "harness/pty.rs"]
mod pty;

use pty::{Exit, Launch, Pty};
use rustix::process::Signal;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::PathBuf;
use std::time::Duration;

const PROGRAM: &str = env!("CARGO_BIN_EXE_quarterdeck");

fn demo() -> Launch {
    Launch::new(PROGRAM).args(["demo", "--seed", "7"]).size(120, 40)
}

fn healthy(launch: &Launch) -> Pty {
    let pty = launch.start();
    pty.wait_for("probes up");
    pty
}

/// A stack file of its own, for screens that the demo does not have.
struct Stack {
    _dir: tempfile::TempDir,
    path: PathBuf,
}

impl Stack {
    fn new(probes: &str) -> Stack {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("stack.toml");
        let text = format!(
            "[stack]\nname = \"small\"\ntitle = \"Small\"\n[[layers]]\nid = \"only\"\nname = \"Only\"\n[[hosts]]\nid = \"here\"\n{probes}"
        );
        std::fs::write(&path, text).expect("written");
        Stack { _dir: dir, path }
    }

    fn launch(&self) -> Launch {
        Launch::new(PROGRAM).arg("--stack").arg(&self.path).env("HOME", "/nonexistent").size(100, 24)
    }
}

#[test]
fn break_something_watch_the_layer_go_red_and_mend_it() {
    let pty = healthy(&demo());
    pty.send("8");
    pty.wait_for("redis-down");
    pty.send("\r1");
    pty.wait_for("Redis down");
    let screen = pty.wait_for("connection refused");
    assert!(screen.contains("likely cause"), "{screen}");
    pty.wait_for("explained by Redis");
    pty.send("n\r");
    let screen = pty.wait_for("evidence");
    for part in ["looks at   redis 127.0.0.1", "conditions", "outcomes", "next in"] {
        assert!(screen.contains(part), "{part}:\n{screen}");
    }
    pty.send("\x1b");
    pty.wait_gone("outcomes");
    pty.send("8\r1P");
    pty.wait_gone("connection refused");
    pty.send("q");
    assert_eq!(pty.wait_exit(), Exit::Code(0));
    assert_eq!(pty.left_behind(), Vec::<&str>::new());
}

#[test]
fn help_palette_filter_and_themes_by_keys() {
    let pty = healthy(&demo());
    pty.send("?");
    pty.wait_for("show every key");
    pty.send("\x1b");
    pty.wait_gone("show every key");
    pty.send("/wireguard\r");
    pty.wait_gone("Redis answers PING");
    pty.wait_for("wg0");
    pty.send("\x1b");
    pty.wait_for("Redis answers PING");
    pty.send(":fold-all\r");
    pty.wait_gone("Redis answers PING");
    pty.send("t");
    pty.wait_for("theme light");
    pty.send("f");
    pty.wait_for("FROZEN");
    pty.send("9");
    pty.wait_for("own log");
    pty.send("q");
    assert_eq!(pty.wait_exit(), Exit::Code(0));
}

#[test]
fn a_storm_of_resizes_down_to_nothing_and_back() {
    let pty = healthy(&demo());
    // Not only between two frames: a frame may find another size than the last signal told.
    for _ in 0..10 {
        for i in 0..60u16 {
            pty.resize(1 + i * 37 % 180, 1 + i * 23 % 70);
        }
        pty.resize(120, 40);
        pty.wait_for("Redis answers PING");
    }
    pty.resize(20, 2);
    pty.wait_for("up:");
    pty.resize(40, 12);
    pty.wait_for("Tornado VPN");
    pty.resize(300, 100);
    pty.wait_for("NGINX");
    assert!(pty.is_running());
    pty.send("q");
    assert_eq!(pty.wait_exit(), Exit::Code(0));
}

#[test]
fn without_colour_there_is_no_colour_and_the_states_are_words() {
    for launch in [demo().env("NO_COLOR", "1"), demo().arg("--no-color"), demo().env("TERM", "vt100")] {
        let pty = healthy(&launch);
        pty.send("8\r1");
        pty.wait_for("Redis down");
        let text = String::from_utf8_lossy(&pty.bytes()).into_owned();
        // Only what ends in `m` sets attributes: `CSI 31;5H` goes to row 31.
        for part in text.split("\x1b[").skip(1) {
            let end = part.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(part.len());
            if part[end..].starts_with('m') {
                let is_colour =
                    |n: &str| n.len() > 1 && matches!(n.as_bytes()[0], b'3' | b'4' | b'9') || n.len() == 3;
                let coloured = part[..end].split(';').any(|n| is_colour(n) && n != "39" && n != "49");
                assert!(!coloured, "{:?} was written", &part[..=end]);
            }
        }
        pty.send("q");
        pty.wait_exit();
    }
}

#[test]
fn a_linux_console_gets_sixteen_colours_and_signs_it_has() {
    let pty = healthy(&demo().env("TERM", "linux").size(80, 24));
    assert!(!String::from_utf8_lossy(&pty.bytes()).contains("38;5;"), "{:?}", pty.screen());
    pty.send("8\r1");
    let screen = pty.wait_for("X 2 down of 2");
    assert!(screen.is_ascii(), "{screen}");
}

#[test]
fn ascii_means_ascii() {
    let pty = healthy(&demo().arg("--ascii"));
    pty.send("j\r");
    pty.wait_for("looks at");
    assert!(pty.bytes().is_ascii());
}

#[test]
fn every_way_to_end_leaves_the_terminal_as_it_was() {
    for (signal, code) in [(Signal::TERM, 143), (Signal::INT, 130)] {
        let pty = healthy(&demo());
        pty.signal(signal);
        assert_eq!(pty.wait_exit(), Exit::Code(code));
        assert_eq!(pty.left_behind(), Vec::<&str>::new(), "{signal:?}");
    }
    let pty = healthy(&demo());
    pty.send("\x03");
    assert_eq!(pty.wait_exit(), Exit::Code(0));
    assert_eq!(pty.left_behind(), Vec::<&str>::new());
}

#[test]
fn when_the_terminal_is_gone_so_is_the_program() {
    for shell in ["exec \"$0\" demo", "trap '' HUP; exec \"$0\" demo"] {
        let room = tempfile::tempdir().expect("a folder");
        let launch =
            Launch::new("/bin/sh").args(["-c", shell, PROGRAM]).size(120, 40).env("TMPDIR", room.path());
        let mut pty = healthy(&launch);
        pty.hang_up();
        assert!(pty.wait_exit_within(Duration::from_secs(1)).is_some(), "it is still there: {shell}");
        let left: Vec<_> = std::fs::read_dir(room.path()).expect("listed").flatten().collect();
        assert!(left.is_empty(), "the demo left {left:?}");
    }
}

#[test]
fn the_last_frame_is_kept_when_asked() {
    let pty = healthy(&demo().arg("--keep"));
    pty.send("q");
    pty.wait_exit();
    let screen = pty.wait_for("probes up");
    assert!(screen.contains("Redis answers PING"), "{screen}");
}

#[test]
fn the_wallboard_turns_pages_and_takes_three_keys() {
    let stack = Stack::new(
        "[[probes]]\nid = \"yes\"\nname = \"Says yes\"\nlayer = \"only\"\nkind = \"exec\"\nargv = [\"true\"]\n",
    );
    let pty = stack.launch().args(["wallboard", "--rotate", "1h"]).start();
    pty.wait_for("page 1/2");
    pty.wait_for("UP 1 of 1 up");
    pty.send("?8:RDC\x1b");
    pty.send("n");
    pty.wait_for("page 2/2");
    pty.wait_for("Says yes");
    pty.send("p");
    pty.wait_for("PAUSED");
    pty.send("q");
    assert_eq!(pty.wait_exit(), Exit::Code(0));
}

/// A server that answers everything with a body full of escape sequences.
fn hostile() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("its address").port();
    std::thread::spawn(move || {
        for stream in listener.incoming().take(100).flatten() {
            let mut stream = stream;
            let mut request = [0; 2048];
            let n = stream.read(&mut request).unwrap_or(0);
            let in_head = String::from_utf8_lossy(&request[..n]).starts_with("GET /head");
            let body =
                "{\"status\":\"\u{1b}[2J\u{1b}]52;c;ZXZpbA==\u{7}\u{1b}[?1049l\u{9b}31mPWNED\u{202e}\"}";
            let bad = if in_head { "\x1b]0;title\x07\r\nX-Bad: \u{9b}2J" } else { "Oops" };
            let head = format!("HTTP/1.1 500 {bad}\r\nContent-Length: {}\r\n\r\n", body.len());
            let _ = stream.write_all(format!("{head}{body}").as_bytes());
        }
    });
    port
}

#[test]
fn escape_sequences_from_outside_never_reach_the_terminal() {
    let port = hostile();
    let stack = Stack::new(&format!(
        "[[probes]]\nid = \"evil\"\nname = \"Evil\"\nlayer = \"only\"\nkind = \"http\"\nurl = \"http://127.0.0.1:{port}/body\"\nconditions = [\"[BODY].status == ok\"]\n\
         [[probes]]\nid = \"head\"\nname = \"Head\"\nlayer = \"only\"\nkind = \"http\"\nurl = \"http://127.0.0.1:{port}/head\"\n\
         [[probes]]\nid = \"name\"\nname = \"Bad \\u001b[2J name\"\nlayer = \"only\"\nkind = \"exec\"\nargv = [\"printf\", '\\033[2J\\033]0;x\\007out']\nconditions = [\"[OUTPUT] == y\"]\n"
    ));
    let pty = stack.launch().size(100, 50).start();
    pty.wait_for("3 down");
    for key in ["j\r", "j", "j"] {
        pty.send(key);
        pty.wait_for("evidence");
        pty.settle(Duration::from_millis(200));
    }
    pty.wait_for("OUTPUT");
    let bytes = pty.bytes();
    let text = String::from_utf8_lossy(&bytes);
    for bad in ["\x1b]52", "\x1b]0;", "\x1b[?1049l", "\u{202e}", "\u{9b}", "\x07"] {
        assert!(!text.contains(bad), "{bad:?} reached the terminal");
    }
    assert!(!text.contains("\x1b[2J\x1b]"), "a body's own bytes reached the terminal");
    pty.send("q");
    pty.wait_exit();
}

#[test]
fn without_a_terminal_it_says_so() {
    let output = std::process::Command::new(PROGRAM)
        .arg("demo")
        .stdin(std::process::Stdio::null())
        .output()
        .expect("the program runs");
    let err = String::from_utf8_lossy(&output.stderr);
    // Under a test runner there may still be a controlling terminal; then it would open that one.
    assert!(output.status.code() == Some(1) && err.contains("failed to open the terminal"), "{err}");
}

#[test]
fn ctrl_z_gives_the_shell_its_terminal_and_fg_brings_the_matrix_back() {
    let script =
        "set -m; \"$0\" demo; echo \"the job is stopped\"; read line; fg >/dev/null; echo \"it ended: $?\"";
    let launch = Launch::new("bash").args(["--norc", "--noprofile", "-c", script, PROGRAM]).size(120, 40);
    let pty = healthy(&launch);
    pty.send("\x1a");
    pty.wait_for("the job is stopped");
    assert_eq!(pty.left_behind(), Vec::<&str>::new());
    pty.send("\n");
    pty.wait_for("Redis answers PING");
    pty.send("8\r1");
    pty.wait_for("Redis down");
    pty.send("q");
    pty.wait_for("it ended: 0");
    assert_eq!(pty.left_behind(), Vec::<&str>::new());
}

#[test]
fn inside_tmux_the_matrix_is_whole_and_ends_with_its_pane() {
    let tmux = |socket: &std::path::Path, args: &[&str]| {
        let out = std::process::Command::new("tmux").arg("-S").arg(socket).args(args).output();
        out.ok().filter(|o| o.status.success()).map(|o| String::from_utf8_lossy(&o.stdout).into_owned())
    };
    let room = tempfile::tempdir().expect("a folder");
    let socket = room.path().join("tmux");
    if tmux(&socket, &["-V"]).is_none() {
        assert!(
            std::env::var_os("QUARTERDECK_REQUIRE_REAL").is_none(),
            "tmux is required: install the package tmux"
        );
        eprintln!("skipped: tmux is not installed (package tmux)");
        return;
    }
    let command = format!("exec env TMPDIR={} {PROGRAM} demo --seed 7", room.path().display());
    let started = tmux(&socket, &["-f", "/dev/null", "new-session", "-d", "-x", "100", "-y", "30", &command]);
    assert!(started.is_some(), "tmux does not start");
    let capture = || tmux(&socket, &["capture-pane", "-p"]).unwrap_or_default();
    let wait = |what: &str| {
        for _ in 0..400 {
            let screen = capture();
            if screen.contains(what) {
                return screen;
            }
            pause(Duration::from_millis(25));
        }
        panic!("waited in vain for {what:?}:\n{}", capture());
    };
    let screen = wait("probes up");
    assert!(screen.lines().count() >= 29 && screen.contains("Redis answers PING"), "{screen}");
    assert!(tmux(&socket, &["send-keys", "8", "Enter", "1"]).is_some());
    wait("Redis down");
    assert!(tmux(&socket, &["kill-server"]).is_some());
    let files = || std::fs::read_dir(room.path()).expect("listed").flatten().any(|f| f.file_name() != "tmux");
    let gone = (0..100).any(|_| {
        let left = files();
        if left {
            pause(Duration::from_millis(20));
        }
        !left
    });
    assert!(gone, "the demo's files are still there after its pane is gone");
}

#[expect(clippy::disallowed_methods, reason = "a test looks at another process, in bounded steps")]
fn pause(how_long: Duration) {
    std::thread::sleep(how_long);
}
