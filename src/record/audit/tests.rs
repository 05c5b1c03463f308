//! What a log must show: every changed byte, every removed, moved or added line, every cut tail.

use super::chain::{Chain, Verdict};
use super::read::Lines;
use super::*;
use crate::domain::id::{ProcedureId, RunId};
use crate::domain::procedure::event::{Confirmed, Outcome, Person, Second};
use crate::domain::procedure::level::Level;
use crate::domain::procedure::plan::PlanHash;
use jiff::Timestamp;
use std::fs;
use std::path::Path;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).unwrap()
}

fn person() -> Person {
    Person { uid: 1000, login: "anna".into(), from: Some("192.0.2.7".into()) }
}

fn plan() -> PlanHash {
    serde_json::from_value(serde_json::json!("ab".repeat(32))).unwrap()
}

/// A log of five lines, of several forms.
fn small() -> (tempfile::TempDir, Log) {
    let dir = tempfile::tempdir().unwrap();
    let log = Log::new(dir.path(), None);
    let run = RunId::new("20270115-0800-ab");
    let confirmed = Confirmed {
        level: Level::L4,
        typed: "contain vpn 41".into(),
        reason: Some("break-in, \"ticket\" 7\u{1b}[2J".into()),
        second: Some(Second::BreakGlass { waited_s: 60 }),
    };
    let all = [
        What::Refused {
            stack: "x".into(),
            procedure: ProcedureId::new("restart"),
            plan: None,
            why: vec!["locked".into()],
        },
        What::Started {
            run: run.clone(),
            stack: "x".into(),
            environment: "production".into(),
            procedure: ProcedureId::new("contain"),
            params: [("address".to_owned(), "192.0.2.1".to_owned())].into(),
            plan: plan(),
            level: Level::L4,
            confirmed,
        },
        What::Intended {
            run: run.clone(),
            step: "close".into(),
            attempt: 1,
            host: "vpn".into(),
            commands: vec!["nft add rule".into()],
        },
        What::Finished { run: run.clone(), step: "close".into(), attempt: 1, how: "done: closed".into() },
        What::Ended { run, outcome: Outcome::Verified, why: "all steps".into() },
    ];
    for (second, what) in (0..).zip(all) {
        log.append(at(second), Some(&person()), what).unwrap();
    }
    (dir, log)
}

fn text(log: &Log) -> Vec<u8> {
    fs::read(log.path()).unwrap()
}

fn head(log: &Log) -> Head {
    log.head().unwrap().unwrap()
}

/// What a log of these bytes and this head would be found to be.
fn judge(bytes: &[u8], head: &Head) -> Verdict {
    let mut chain = Chain::new(Some(head.n));
    let mut lines = Lines::of(bytes);
    while let Some(raw) = lines.next().unwrap() {
        if !chain.take(&raw, &mut |_| {}) {
            break;
        }
    }
    chain.end(Some(head), "the head")
}

fn lines_of(bytes: &[u8]) -> Vec<Vec<u8>> {
    bytes.split_inclusive(|b| *b == b'\n').map(<[u8]>::to_vec).collect()
}

#[test]
fn a_log_that_nobody_touched_is_sound_and_can_be_shown() {
    let (_dir, log) = small();
    let verdict = log.verify(None).unwrap();
    assert!(verdict.is_sound() && verdict.torn.is_none(), "{verdict:?}");
    assert_eq!((verdict.lines, &verdict.last), (5, &head(&log).hash));
    let shown = log.show(2, &|_| true).unwrap();
    assert_eq!((shown.lines.len(), shown.older), (2, 3));
    let all = log.show(100, &|line| line.what.run().is_some()).unwrap();
    assert_eq!(all.lines.len(), 4);
    let started = all.lines[0].what.says();
    assert!(started.contains("BREAK-GLASS") && started.contains("contain vpn 41"), "{started}");
    for line in text(&log).split(|b| *b == b'\n').filter(|l| !l.is_empty()) {
        let json: serde_json::Value = serde_json::from_slice(line).expect("each line is JSON");
        assert!(json["hash"].is_string() && json["prev"].is_string() && json["did"].is_string());
        assert!(!line.contains(&0x1b), "nothing hostile is kept");
    }
}

#[test]
fn every_change_of_a_single_byte_is_found_at_its_line() {
    let (_dir, log) = small();
    let (bytes, head) = (text(&log), head(&log));
    let mut line = 1;
    for place in 0..bytes.len() {
        for flip in [0x01, 0x20, 0x80, 0xff, bytes[place] ^ b'\n'] {
            let mut other = bytes.clone();
            other[place] ^= flip;
            if other == bytes {
                continue;
            }
            let verdict = judge(&other, &head);
            let broken = verdict.broken.unwrap_or_else(|| panic!("byte {place} ^ {flip:#x} is not found"));
            assert_eq!(broken.line, line, "byte {place} ^ {flip:#x}: {}", broken.why);
        }
        line += u64::from(bytes[place] == b'\n');
    }
}

#[test]
fn every_removed_doubled_and_moved_line_is_found() {
    let (_dir, log) = small();
    let (lines, head) = (lines_of(&text(&log)), head(&log));
    for i in 0..lines.len() {
        let mut removed = lines.clone();
        removed.remove(i);
        let verdict = judge(&removed.concat(), &head);
        assert_eq!(verdict.broken.map(|b| b.line), Some(i as u64 + 1), "line {i} removed");

        let mut doubled = lines.clone();
        doubled.insert(i, lines[i].clone());
        let verdict = judge(&doubled.concat(), &head);
        assert_eq!(verdict.broken.map(|b| b.line), Some(i as u64 + 2), "line {i} doubled");

        for j in i + 1..lines.len() {
            let mut moved = lines.clone();
            moved.swap(i, j);
            let verdict = judge(&moved.concat(), &head);
            assert_eq!(verdict.broken.map(|b| b.line), Some(i as u64 + 1), "lines {i} and {j} swapped");
        }
    }
}

#[test]
fn every_cut_is_found_against_the_head() {
    let (_dir, log) = small();
    let (bytes, head) = (text(&log), head(&log));
    for size in 0..bytes.len() {
        let verdict = judge(&bytes[..size], &head);
        assert!(!verdict.is_sound(), "cut at {size}: {verdict:?}");
        let whole = memchr::memchr_iter(b'\n', &bytes[..size]).count() as u64;
        assert_eq!(verdict.broken.unwrap().line, whole + 1, "cut at {size}");
        assert_eq!(verdict.torn, None, "a head that vouches for a line knows that it was no crash");
    }
}

#[test]
fn a_crash_in_the_middle_of_a_line_is_told_from_a_cut() {
    let (_dir, log) = small();
    let bytes = text(&log);
    let lines = lines_of(&bytes);
    let whole: usize = lines[..4].iter().map(Vec::len).sum();
    // The head of before the crash.
    let last = chain::parse(lines[3].strip_suffix(b"\n").unwrap()).unwrap();
    let before = Head { n: 4, hash: last.hash, sent: None };
    for size in whole..bytes.len() {
        let verdict = judge(&bytes[..size], &before);
        assert!(verdict.is_sound(), "{verdict:?}");
        assert_eq!(verdict.torn.is_some(), size > whole);
    }
    // All of the line and no head of it: the crash was a little later.
    let verdict = judge(&bytes, &before);
    assert!(verdict.is_sound() && verdict.remarks.len() == 1, "{verdict:?}");
}

#[test]
fn what_a_crash_cut_off_is_removed_by_the_next_line_which_says_so() {
    let (_dir, log) = small();
    let bytes = text(&log);
    fs::write(log.path(), [&bytes[..], br#"{"prev":"00"#].concat()).unwrap();
    assert!(log.verify(None).unwrap().torn.is_some());
    let note = What::Noted { run: RunId::new("r"), says: "after".into() };
    let appended = log.append(at(9), None, note).unwrap();
    assert_eq!(appended.head.n, 7);
    let shown = log.show(9, &|_| true).unwrap();
    assert!(shown.verdict.is_sound() && shown.verdict.torn.is_none(), "{:?}", shown.verdict);
    assert!(matches!(shown.lines[5].what, What::Mended { bytes: 11, .. }), "{:?}", shown.lines[5]);
}

/// The next line keeps what the head vouched for: writing goes on, and the cut shows for ever.
#[test]
fn writing_on_after_a_cut_does_not_hide_it() {
    let (_dir, log) = small();
    let (bytes, vouched) = (text(&log), head(&log));
    let lines = lines_of(&bytes);
    let damages: [(&str, Vec<u8>); 4] = [
        ("cut at a line", lines[..3].concat()),
        ("cut in a line", bytes[..bytes.len() - 10].to_vec()),
        ("emptied", Vec::new()),
        ("last line changed", [lines[..4].concat(), b"{}\n".to_vec()].concat()),
    ];
    for (name, damage) in damages {
        fs::write(log.path(), damage).unwrap();
        log.set_head(&vouched).unwrap();
        let note = || What::Noted { run: RunId::new("r"), says: "on".into() };
        let appended = log.append(at(9), None, note()).unwrap();
        assert!(appended.remarks.iter().any(|r| r.contains("TAMPERED")), "{name}: {appended:?}");
        log.append(at(10), None, note()).unwrap();
        assert!(!log.verify(None).unwrap().is_sound(), "{name}");
        assert!(String::from_utf8_lossy(&text(&log)).contains(vouched.hash.as_str()), "{name}");
    }
}

#[test]
fn a_head_kept_elsewhere_finds_what_the_one_beside_it_was_made_to_hide() {
    let (_dir, log) = small();
    let kept = head(&log);
    let four = lines_of(&text(&log))[..4].concat();
    let last = four.split(|b| *b == b'\n').nth(3).unwrap();
    let forged = Head { n: 4, hash: chain::parse(last).unwrap().hash, sent: None };
    fs::write(log.path(), &four).unwrap();
    log.set_head(&forged).unwrap();
    assert!(log.verify(None).unwrap().is_sound(), "the head beside it was forged");
    let broken = log.verify(Some(&kept)).unwrap().broken.unwrap();
    assert_eq!(broken.line, 5, "{}", broken.why);
    assert!(Head::parse(&format!("{}:{}", kept.n, kept.hash)).is_some() && Head::parse("5:x").is_none());
    // An older head, kept elsewhere, is no contradiction.
    assert!(log.verify(Some(&forged)).unwrap().is_sound());
}

#[test]
fn writers_do_not_get_into_each_others_way() {
    let dir = tempfile::tempdir().unwrap();
    std::thread::scope(|all| {
        for writer in 0..4 {
            let log = Log::new(dir.path(), None);
            all.spawn(move || {
                for i in 0..25 {
                    let says = format!("{writer} {i}");
                    log.append(at(i), None, What::Noted { run: RunId::new("r"), says }).unwrap();
                }
            });
        }
    });
    let verdict = Log::new(dir.path(), None).verify(None).unwrap();
    assert!(verdict.is_sound() && verdict.lines == 100, "{verdict:?}");
}

#[test]
fn a_line_is_bounded_whatever_goes_into_it() {
    let dir = tempfile::tempdir().unwrap();
    let log = Log::new(dir.path(), None);
    let commands = vec!["\u{1f600}\"\\".repeat(100_000); 1000];
    let what =
        What::Intended { run: RunId::new("r"), step: "s".into(), attempt: 1, host: "h".into(), commands };
    log.append(at(0), None, what).unwrap();
    let what = What::Noted { run: RunId::new("r"), says: "x".repeat(1 << 20) };
    log.append(at(1), None, what).unwrap();
    assert!(log.verify(None).unwrap().is_sound());
    // What is no log of ours is not read without end, and not written over.
    fs::write(log.path(), vec![b'x'; MAX_LINE * 4]).unwrap();
    assert_eq!(log.verify(None).unwrap().broken.unwrap().line, 1);
    log.append(at(2), None, What::Noted { run: RunId::new("r"), says: "on".into() }).unwrap();
    let bytes = text(&log);
    assert!(bytes.starts_with(&vec![b'x'; MAX_LINE * 4]) && bytes[MAX_LINE * 4] == b'\n');
    let says = String::from_utf8_lossy(&bytes[MAX_LINE * 4..]).into_owned();
    assert!(says.contains("\"did\":\"tampered\""), "{says}");
}

#[test]
fn only_its_owner_reads_it_unless_a_group_shares_it() {
    use std::os::unix::fs::PermissionsExt;
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    for (group, want) in [(None, 0o600), (Some(rustix::process::getgid().as_raw()), 0o660)] {
        let dir = tempfile::tempdir().unwrap();
        let log = Log::new(dir.path(), group);
        log.append(at(0), None, What::Noted { run: RunId::new("r"), says: "x".into() }).unwrap();
        assert_eq!(mode(&log.path()), want);
        assert_eq!(mode(&dir.path().join(HEAD_FILE)), want);
    }
}
