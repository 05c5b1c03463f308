//! What a journal withstands.

use super::*;
use crate::act::rundir::{StateDir, WriteState};
use crate::domain::id::StepId;
use crate::domain::procedure::check::Seen;
use crate::runs::journal::{Follow, Torn, has_runner};
use proptest::prelude::*;
use std::fs;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_700_000_000 + second).unwrap()
}

fn note(says: &str) -> Event {
    Event::Note { says: says.to_owned() }
}

fn intended(step: &str) -> Event {
    Event::Intended { step: StepId::new(step), attempt: 1, before: "active".to_owned() }
}

fn run_in(dir: &Path) -> RunDir {
    let state = StateDir::new(dir.join("state"), None);
    state.prepare().unwrap();
    state.create_run(at(0)).unwrap()
}

fn filled(run: &RunDir, count: i64) -> Vec<Entry> {
    let mut journal = Journal::create(run).unwrap();
    (0..count).map(|i| journal.append(note(&format!("line {i}")), at(i)).unwrap()).collect()
}

#[test]
fn what_is_written_is_read_again_in_order() {
    let dir = tempfile::tempdir().unwrap();
    let run = run_in(dir.path());
    let written = filled(&run, 5);
    let found = read(&run.journal()).unwrap();
    assert_eq!((found.entries, found.torn), (written, None));
    assert!(Journal::create(&run).is_err(), "there is one already");
}

/// A runner may die between any two of its steps: what it leaves has begun, or has not.
#[test]
fn it_comes_to_be_with_its_first_line() {
    let names = |run: &RunDir| fs::read_dir(run.path()).unwrap().flatten().count();
    let dir = tempfile::tempdir().unwrap();
    let run = run_in(dir.path());
    let mut journal = Journal::create(&run).unwrap();
    assert!(!run.journal().exists());
    assert!(Journal::create(&run).is_err(), "somebody is just making it");
    journal.append(note("begun"), at(0)).unwrap();
    assert_eq!((read(&run.journal()).unwrap().entries.len(), names(&run)), (1, 1));

    let other = run_in(dir.path());
    let mut late = Journal::create(&other).unwrap();
    fs::write(other.journal(), "of another hand").unwrap();
    assert!(late.append(note("begun"), at(0)).is_err(), "what is there stays");
    assert!(late.append(note("again"), at(0)).is_err());
    drop(late);
    assert_eq!(fs::read_to_string(other.journal()).unwrap(), "of another hand");
    assert_eq!(names(&other), 1, "what never came to be is gone");
}

#[test]
fn a_last_line_cut_anywhere_is_told_and_cut_off() {
    let dir = tempfile::tempdir().unwrap();
    let run = run_in(dir.path());
    let written = filled(&run, 3);
    let text = fs::read(run.journal()).unwrap();
    let start = text[..text.len() - 1].iter().rposition(|b| *b == b'\n').unwrap() + 1;
    for cut in [start + 1, start + 20, text.len() - 5, text.len() - 1] {
        fs::write(run.journal(), &text[..cut]).unwrap();
        let found = read(&run.journal()).unwrap();
        assert_eq!(found.entries, written[..2]);
        assert_eq!(found.torn.as_ref().map(|t| t.bytes), Some((cut - start) as u64), "{cut}");

        let (mut journal, found) = Journal::open(&run).unwrap();
        assert!(found.torn.unwrap().says().contains("torn after"));
        journal.append(note("again"), at(9)).unwrap();
        drop(journal);
        let found = read(&run.journal()).unwrap();
        assert_eq!((found.entries.len(), found.entries[2].n, found.torn), (3, 3, None));
    }
}

#[test]
fn a_torn_line_is_taken_for_the_worst_that_it_can_be() {
    let table = [
        ("{\"n\":3,\"at", true),
        ("{\"n\":3,\"at\":\"x\",\"event\":{\"is\":\"int", true),
        ("{\"n\":3,\"at\":\"x\",\"event\":{\"is\":\"intended\",\"step\":\"a", true),
        ("{\"n\":3,\"at\":\"x\",\"event\":{\"is\":\"observed\",\"st", false),
        ("", true),
    ];
    for (text, may_be) in table {
        let torn = Torn { bytes: 1, text: text.to_owned() };
        assert_eq!(torn.may_be("intended"), may_be, "{text}");
    }
}

#[test]
fn earlier_damage_is_refused_with_its_line() {
    let dir = tempfile::tempdir().unwrap();
    let run = run_in(dir.path());
    filled(&run, 6);
    let text = fs::read_to_string(run.journal()).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let join = |lines: &[&str]| lines.join("\n") + "\n";
    let edited = text.replace("line 3", "line 7");
    let mut swapped = lines.clone();
    swapped.swap(1, 2);
    let table = [
        ("a changed byte", edited, 4),
        ("a line cut in half", text.replace(lines[2], &lines[2][..30]), 3),
        ("a removed line", join(&[&lines[..2], &lines[3..]].concat()), 3),
        ("a removed first line", join(&lines[1..]), 1),
        ("two lines swapped", join(&swapped), 2),
        ("a line twice", join(&[&lines[..2], &lines[1..]].concat()), 3),
        ("an empty line", text.replacen('\n', "\n\n", 1), 2),
        ("no text", text.replacen("{\"n\":2", "\0\0\0\0\0\0", 1), 2),
    ];
    for (what, damaged, line) in table {
        fs::write(run.journal(), damaged).unwrap();
        let error = read(&run.journal()).unwrap_err();
        assert!(matches!(error, ReadError::Damaged { line: found, .. } if found == line), "{what}: {error}");
        assert!(error.to_string().contains(&format!("damaged at line {line}")));
        assert!(Journal::open(&run).is_err(), "{what}");
    }
}

#[test]
fn a_follower_reads_only_what_was_added() {
    let dir = tempfile::tempdir().unwrap();
    let run = run_in(dir.path());
    let mut journal = Journal::create(&run).unwrap();
    let mut follow = Follow::new();
    for i in 0..4 {
        journal.append(note("x"), at(i)).unwrap();
        let more = follow.more(&run.journal()).unwrap();
        assert_eq!(more.iter().map(|e| e.n).collect::<Vec<_>>(), [i.unsigned_abs() + 1]);
    }
    // Half a line is not an entry yet, and is read once it is whole.
    let (line, _) = journal.chain.seal(&Entry { n: 5, at: at(5), event: note("half") }).unwrap();
    let mut file = fs::OpenOptions::new().append(true).open(run.journal()).unwrap();
    file.write_all(&line[..20]).unwrap();
    assert!(follow.more(&run.journal()).unwrap().is_empty());
    assert!(follow.torn().is_some());
    file.write_all(&line[20..]).unwrap();
    assert_eq!(follow.more(&run.journal()).unwrap().len(), 1);
    assert!(follow.torn().is_none());
    fs::write(run.journal(), "").unwrap();
    assert!(follow.more(&run.journal()).is_err(), "it is shorter than what was read");
}

#[test]
fn a_clock_that_goes_back_is_noted_and_order_is_by_number() {
    let dir = tempfile::tempdir().unwrap();
    let run = run_in(dir.path());
    let mut journal = Journal::create(&run).unwrap();
    journal.append(note("a"), at(100)).unwrap();
    let told = journal.went_back(at(40));
    assert!(matches!(&told, Some(Event::Note { says }) if says.contains("went back by 60.000 s")));
    journal.append(note("b"), at(40)).unwrap();
    assert_eq!(journal.went_back(at(41)), None, "it is told once");
    journal.append(note("c"), at(41)).unwrap();
    let slew = at(41).checked_sub(jiff::SignedDuration::from_millis(300)).unwrap();
    assert_eq!(journal.went_back(slew), None, "slewing is not worth a note");
    journal.append(note("d"), slew).unwrap();
    journal.append(note("e"), at(42)).unwrap();
    let numbers: Vec<u64> = read(&run.journal()).unwrap().entries.iter().map(|e| e.n).collect();
    assert_eq!(numbers, [1, 2, 3, 4, 5]);
}

#[test]
fn a_journal_has_one_writer_and_others_see_that_it_has() {
    let dir = tempfile::tempdir().unwrap();
    let run = run_in(dir.path());
    assert!(!has_runner(&run));
    let mut journal = Journal::create(&run).unwrap();
    journal.append(note("begun"), at(0)).unwrap();
    assert!(has_runner(&run));
    assert!(matches!(Journal::open(&run), Err(JournalError::Busy(_))));
    drop(journal);
    assert!(!has_runner(&run));
    assert!(Journal::open(&run).is_ok());
}

/// The tests of a full disk and of a read-only one need a file system of their own.
fn mounted(options: &str) -> Option<Mounted> {
    if !rustix::process::geteuid().is_root() {
        eprintln!("skipped: needs root for a small tmpfs");
        return None;
    }
    let dir = tempfile::tempdir().unwrap();
    let status = std::process::Command::new("mount")
        .args(["-t", "tmpfs", "-o", options, "tmpfs"])
        .arg(dir.path())
        .status()
        .unwrap();
    if !status.success() {
        eprintln!("skipped: mount is not allowed here");
        return None;
    }
    Some(Mounted(dir))
}

struct Mounted(tempfile::TempDir);

impl Mounted {
    fn again(&self, options: &str) {
        let done = std::process::Command::new("mount").args(["-o", options]).arg(self.0.path()).status();
        assert!(done.unwrap().success());
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let _ = std::process::Command::new("umount").arg("-l").arg(self.0.path()).status();
    }
}

#[test]
fn on_a_full_disk_no_step_is_intended_but_the_end_of_one_that_was_can_be_written() {
    let Some(disk) = mounted("size=512k") else { return };
    let run = run_in(disk.0.path());
    let mut journal = Journal::create(&run).unwrap();
    journal.append(note("begun"), at(0)).unwrap();
    journal.append(intended("a"), at(1)).unwrap();
    // Somebody else fills the disk.
    let mut hog = File::create(disk.0.path().join("hog")).unwrap();
    while hog.write(&[b'x'; 4096]).is_ok_and(|n| n > 0) {}
    let finished = Event::Finished {
        step: StepId::new("a"),
        attempt: 1,
        result: crate::domain::procedure::event::Effected::Done { says: "x".repeat(10_000) },
        output: None,
    };
    journal.append(finished, at(2)).unwrap();
    // The reserve is not for beginning something else.
    for i in 0..20 {
        let _ = journal.append(note(&"y".repeat(9_000)), at(3 + i));
    }
    let error = journal.append(intended("b"), at(30)).unwrap_err();
    assert!(error.to_string().contains("room for the end of a step"), "{error}");
    let found = read(&run.journal()).unwrap();
    assert_eq!(found.torn, None, "what could not be written whole is not there in part");
    assert!(
        !found
            .entries
            .iter()
            .any(|e| matches!(&e.event, Event::Intended { step, .. } if step.as_str() == "b"))
    );
    // With room again, it goes on.
    drop(hog);
    fs::remove_file(disk.0.path().join("hog")).unwrap();
    journal.append(intended("b"), at(31)).unwrap();
    assert!(matches!(read(&run.journal()).unwrap().entries.last().unwrap().event, Event::Intended { .. }));
}

#[test]
fn a_disk_that_becomes_read_only_stops_it() {
    let Some(disk) = mounted("size=1m") else { return };
    let run = run_in(disk.0.path());
    filled(&run, 2);
    disk.again("remount,ro");
    assert!(Journal::open(&run).is_err());
    assert_eq!(read(&run.journal()).unwrap().entries.len(), 2, "it can still be read");
    let state = StateDir::new(disk.0.path().join("state"), None);
    let error = state.create_run(at(9)).unwrap_err();
    assert!(error.starts_with("create a run in "), "{error}");
}

#[test]
fn a_long_journal_is_read_in_little_time() {
    let dir = tempfile::tempdir().unwrap();
    let run = run_in(dir.path());
    let mut journal = Journal::create(&run).unwrap();
    let seen = Seen { holds: true, says: "api up: 200 in 3 ms, sessions 41".to_owned() };
    for i in 0..20_000 {
        let event =
            Event::Observed { step: StepId::new("restart"), seen: seen.clone(), streak: 1, needed: 3 };
        journal.append(event, at(i)).unwrap();
    }
    assert_eq!(read(&run.journal()).unwrap().entries.len(), 20_000);
}

proptest! {
    /// Whatever one byte becomes, nothing is read that was not written.
    #[test]
    fn no_changed_byte_passes(place in 0usize..10_000, xor in 1u8..=255) {
        let dir = tempfile::tempdir().unwrap();
        let run = run_in(dir.path());
        let written = filled(&run, 4);
        let mut text = fs::read(run.journal()).unwrap();
        let place = place % text.len();
        text[place] ^= xor;
        fs::write(run.journal(), &text).unwrap();
        if let Ok(found) = read(&run.journal()) {
            prop_assert!(found.torn.is_some(), "only the last line's end can be taken for torn");
            prop_assert_eq!(&found.entries[..], &written[..3]);
        }
    }
}
