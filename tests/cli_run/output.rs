//! What steps print: too much of it, with escape sequences and with a secret in every form.

use crate::PROGRAM;
use crate::harness::until;
use crate::pty::Launch;
use crate::yard::{SECRET, Yard};
use std::process::Command;
use std::time::Duration;

/// What no terminal may get.
const BAD: [&str; 6] = ["\x1b]52", "\x1b[2J\x1b]", "\x1b[?1049l\u{9b}", "\u{9b}", "\u{202e}", "\x07"];

/// The secret in the forms that a program may print; of base64, what does not depend on what stands
/// around it.
fn forms() -> Vec<String> {
    let base64 = |before: &str, from: usize, to: usize| {
        let script = "printf %s \"$1\" | base64 -w0";
        let text = format!("{before}{SECRET}");
        let output = Command::new("sh").args(["-c", script, "sh", &text]).output().unwrap();
        String::from_utf8(output.stdout).unwrap()[from..to].to_owned()
    };
    let bits = SECRET.len() * 8;
    let mut all = vec![SECRET.to_owned(), SECRET.replace('"', "\\\"")];
    all.push(SECRET.replace('"', "%22").replace('/', "%2F").replace('+', "%2B"));
    all.extend([base64("", 0, bits / 6), base64("x", 2, (bits + 8) / 6), base64("xy", 3, (bits + 16) / 6)]);
    all
}

#[track_caller]
fn assert_clean(what: &str, bytes: &[u8]) {
    for form in forms() {
        let found = bytes.windows(form.len()).any(|w| w == form.as_bytes());
        assert!(!found, "{what} holds {form}: {}", String::from_utf8_lossy(bytes));
    }
}

#[track_caller]
fn assert_tame(what: &str, bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    for bad in BAD {
        assert!(!text.contains(bad), "{what} holds {bad:?}: {text:?}");
    }
}

#[test]
fn a_secret_cut_in_pieces_is_found_in_every_form_and_no_terminal_gets_what_a_step_prints() {
    let yard = Yard::new();
    let id = yard.start("hostile");
    let follower = yard.spawn(&["runs", "follow", &id]).wait_with_output().unwrap();
    assert_eq!(follower.status.code(), Some(1));
    let (shown, audit) = (yard.say(&["runs", "show", &id]).out, yard.say(&["audit", "show"]).out);
    assert!(shown.contains("last words"), "{shown}");
    for (what, bytes) in
        [("follow", &follower.stdout), ("show", &shown.into_bytes()), ("audit", &audit.into_bytes())]
    {
        assert_clean(what, bytes);
        assert_tame(what, bytes);
    }
    let files = yard.files("state");
    let kept = files.iter().find(|f| f.extension().is_some_and(|e| e == "out")).unwrap();
    let text = String::from_utf8_lossy(&std::fs::read(kept).unwrap()).into_owned();
    assert!(text.contains("begun") && text.contains("the end"), "the rest of it is kept: {text:?}");
    assert_eq!(text.matches("[redacted]").count(), 8, "{text:?}");
    for file in files {
        assert_clean(&file.display().to_string(), &std::fs::read(&file).unwrap_or_default());
    }
}

#[test]
fn the_dashboards_live_output_is_as_tame() {
    let yard = Yard::new();
    let pty = Launch::new(PROGRAM)
        .arg("--config")
        .arg(yard.path("config.toml"))
        .env("HOME", "/nonexistent")
        .size(110, 40)
        .start();
    pty.wait_for("The yard");
    pty.send("R");
    pty.wait_for("then Enter");
    let opened = pty.mark();
    // What comes faster than anybody types confirms nothing.
    for key in ["h", "e", "r", "e", "\r"] {
        pty.send(key);
        std::thread::park_timeout(Duration::from_millis(150));
    }
    pty.wait_for("the end");
    pty.wait_for("last words");
    assert_clean("the screen", &pty.bytes());
    assert_tame("the screen", &pty.bytes_since(opened));
    pty.send("q");
    pty.wait_exit();
}

#[test]
fn a_gibibyte_from_a_step_costs_its_runner_little_memory_and_little_disk() {
    let yard = Yard::new();
    let id = yard.start("flood");
    let runner = yard.show(&id)["runner"].as_u64().unwrap();
    let mut peak = 0;
    until("the run to end", || {
        let status = std::fs::read_to_string(format!("/proc/{runner}/status")).unwrap_or_default();
        let now =
            status.lines().find_map(|l| l.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB")?.parse().ok());
        peak = peak.max(now.unwrap_or(0_u64));
        yard.show(&id)["state"] == "ended"
    });
    let run = yard.show(&id);
    assert_eq!(run["outcome"], "verified", "{run:#}");
    let output = &run["steps"][0]["outputs"][0];
    let (kept, dropped) = (output["bytes"].as_u64().unwrap(), output["dropped"].as_u64().unwrap());
    assert_eq!(kept + dropped, 1 << 30);
    let disk: u64 = yard.files("state").iter().filter_map(|f| f.metadata().ok()).map(|m| m.len()).sum();
    println!("peak {peak} KiB of memory, {disk} bytes of disk");
    assert!(disk < kept + (1 << 20) && kept <= 64 << 20, "{disk}");
    assert!((1..64 << 10).contains(&peak), "{peak} KiB");
}
