//! Undoing what a step did to a file: exactly that, once, and nothing that it did not do; also when
//! the runner is killed at any point, here, through sudo and over ssh.

use crate::bench::Bench;
use crate::host::{real, tool, wait_for};
use crate::sshd::Sshd;
use quarterdeck::act::step::{Left, Setting, Stop, perform};
use quarterdeck::domain::id::StepId;
use quarterdeck::domain::procedure::action::Action;
use quarterdeck::domain::procedure::action::kinds::{self, File};
use quarterdeck::domain::procedure::event::{Effected, Truth};
use quarterdeck::stack::spec::TransportSpec;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::time::Duration;

const SSH: &[(&str, &str)] =
    &[("sshd", "openssh-server"), ("ssh", "openssh-client"), ("ssh-keygen", "openssh-client")];

/// A file in a directory of its own.
struct Place {
    dir: tempfile::TempDir,
    path: PathBuf,
}

impl Place {
    fn empty() -> Place {
        let dir = tempfile::tempdir().unwrap();
        Place { path: dir.path().join("it's a.conf"), dir }
    }

    fn with(text: &str) -> Place {
        let place = Place::empty();
        fs::write(&place.path, text).unwrap();
        fs::set_permissions(&place.path, PermissionsExt::from_mode(0o640)).unwrap();
        place
    }

    fn text(&self) -> Option<String> {
        fs::read_to_string(&self.path).ok()
    }

    fn names(&self) -> usize {
        fs::read_dir(self.dir.path()).unwrap().count()
    }

    fn action(&self, content: Option<&str>, backup: bool) -> Action {
        let path = self.path.display().to_string();
        let content = content.map(str::to_owned);
        Action::File(File { path, content, mode: None, owner: None, backup })
    }

    fn write(&self, content: &str) -> Action {
        self.action(Some(content), true)
    }

    /// The rollback of the documentation.
    fn inverse(&self) -> Action {
        self.action(None, false)
    }
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

fn everywhere(test: impl Fn(&mut Bench)) {
    test(&mut Bench::local(&[]));
    if real(SSH) {
        let sshd = Sshd::start("");
        test(&mut Bench::new(sshd.spec(), &[], &[]));
    }
    if real(&[("sudo", "sudo")]) {
        let mut bench = Bench::new(TransportSpec::Local, &[], &[]);
        bench.sudo = true;
        test(&mut bench);
    }
}

#[test]
fn undone_twice_is_as_good_as_once() {
    everywhere(|bench| {
        let place = Place::with("original\n");
        let (write, undo) = (place.write("new\n"), place.inverse());
        let before = bench.target(&write).state;
        done(&bench.perform(&write));
        assert_eq!(bench.ask_undone(&write, &undo).truth, Truth::DidNot);
        let left = bench.undo(&write, &undo);
        assert_eq!((done(&left), left.spared), (&*format!("put back {}", place.path.display()), false));
        assert_eq!(bench.target(&write).state, before);
        assert_eq!(bench.ask_undone(&write, &undo).truth, Truth::Happened);
        let left = bench.undo(&write, &undo);
        assert!(done(&left).ends_with("was put back before; nothing to do") && !left.spared, "{left:?}");
        assert_eq!((place.text().as_deref(), place.names()), (Some("original\n"), 1));
        // What came to be there since is none of it.
        fs::write(&place.path, "of a later hand").unwrap();
        done(&bench.undo(&write, &undo));
        assert_eq!(place.text().as_deref(), Some("of a later hand"));
    });
}

#[test]
fn what_the_step_did_not_touch_is_left() {
    everywhere(|bench| {
        let place = Place::with("original\n");
        let (write, undo) = (place.write("${secret.unknown}"), place.inverse());
        failed(&bench.perform(&write));
        let left = bench.undo(&write, &undo);
        assert!(done(&left).starts_with("left as it is: this run did not write ") && left.spared, "{left:?}");
        assert_eq!((place.text().as_deref(), place.names()), (Some("original\n"), 1));

        // Nor what another run has written: the word is of one run.
        let write = place.write("new\n");
        done(&bench.perform(&write));
        bench.next_run();
        done(&bench.undo(&write, &undo));
        assert_eq!(place.text().as_deref(), Some("new\n"));
        // Nor what is removed by a rollback of a step that is about something else: it is kept.
        let exec = kinds::Exec { argv: vec!["true".into()], env: [].into(), stdin: None, success: vec![0] };
        let left = bench.undo(&Action::Exec(exec), &undo);
        let (_, kept) = done(&left).split_once("; it is ").unwrap();
        assert_eq!((place.text(), fs::read_to_string(kept).unwrap().as_str()), (None, "new\n"));
    });
}

#[test]
fn a_file_that_was_not_there_is_taken_away_and_one_that_was_removed_comes_back() {
    everywhere(|bench| {
        let place = Place::empty();
        let (write, undo) = (place.write("new\n"), place.inverse());
        done(&bench.perform(&write));
        assert!(done(&bench.undo(&write, &undo)).ends_with("; there was none before the step"));
        assert_eq!((place.text(), place.names()), (None, 0));
        fs::write(&place.path, "new\n").unwrap();
        done(&bench.undo(&write, &undo));
        assert_eq!(place.text().as_deref(), Some("new\n"), "of another hand, though the text is the same");

        bench.step = StepId::new("take-away");
        let remove = place.action(None, true);
        done(&bench.perform(&remove));
        done(&bench.perform(&remove));
        assert_eq!(place.text(), None);
        done(&bench.undo(&remove, &undo));
        done(&bench.undo(&remove, &undo));
        assert_eq!((place.text().as_deref(), place.names()), (Some("new\n"), 1));
        // A step that removes is none that undoes.
        bench.step = StepId::new("for-good");
        done(&bench.perform(&undo));
        assert_eq!((place.text(), place.names()), (None, 0));
    });
}

#[test]
fn what_somebody_else_changed_since_is_left_and_nothing_is_lost() {
    everywhere(|bench| {
        let kept = |bench: &Bench, place: &Place| {
            fs::read_to_string(format!("{}.quarterdeck-{}", place.path.display(), bench.run)).ok()
        };
        let changed = |bench: &Bench, step: &str, place: &Place, action: &Action| {
            fs::write(&place.path, "of another hand").unwrap();
            let left = bench.undo(action, &place.inverse());
            assert!(
                failed(&left).starts_with("left as it is: somebody else has changed "),
                "{step}: {left:?}"
            );
            assert_eq!(bench.ask_undone(action, &place.inverse()).truth, Truth::Unknown, "{step}");
            assert_eq!(place.text().as_deref(), Some("of another hand"), "{step}");
        };
        let place = Place::with("original\n");
        let write = place.write("new\n");
        done(&bench.perform(&write));
        changed(bench, "replaced", &place, &write);
        assert_eq!(kept(bench, &place).as_deref(), Some("original\n"));

        // The step once more: what it replaces now is what comes back, and both copies are there.
        bench.attempt = 2;
        done(&bench.perform(&write));
        assert_eq!(place.names(), 3);
        done(&bench.undo(&write, &place.inverse()));
        assert_eq!(place.text().as_deref(), Some("of another hand"));
        assert_eq!(kept(bench, &place).as_deref(), Some("original\n"));
        bench.attempt = 1;

        let place = Place::empty();
        bench.step = StepId::new("new");
        let write = place.write("new\n");
        done(&bench.perform(&write));
        changed(bench, "new", &place, &write);

        let place = Place::with("original\n");
        bench.step = StepId::new("gone");
        let remove = place.action(None, true);
        done(&bench.perform(&remove));
        changed(bench, "removed", &place, &remove);
        assert_eq!(kept(bench, &place).as_deref(), Some("original\n"));
        // Taken away by somebody: nothing is lost by what was there before.
        fs::remove_file(&place.path).unwrap();
        done(&bench.undo(&remove, &place.inverse()));
        assert_eq!(place.text().as_deref(), Some("original\n"));
    });
}

#[test]
fn each_of_several_steps_at_one_file_gives_back_what_was_before_it() {
    let mut bench = Bench::local(&[]);
    let place = Place::with("original\n");
    let (first, second) = (place.write("first\n"), place.write("second\n"));
    done(&bench.perform(&first));
    bench.attempt = 2;
    done(&bench.perform(&first));
    bench.step = StepId::new("second");
    bench.attempt = 1;
    let left = bench.perform(&second);
    assert!(done(&left).ends_with(&format!(".quarterdeck-{}-2", bench.run)), "{left:?}");
    // One that fails before it touches anything takes nothing of theirs.
    bench.step = StepId::new("third");
    failed(&bench.perform(&place.write("${secret.unknown}")));
    assert!(bench.undo(&first, &place.inverse()).spared);
    bench.step = StepId::new("second");
    done(&bench.undo(&second, &place.inverse()));
    assert_eq!(place.text().as_deref(), Some("first\n"));
    bench.step = StepId::new("s");
    done(&bench.undo(&first, &place.inverse()));
    assert_eq!((place.text().as_deref(), place.names()), (Some("original\n"), 1));
}

#[test]
fn what_cannot_be_put_back_is_said() {
    let mut bench = Bench::local(&[]);
    let place = Place::with("original\n");
    let unkept = place.action(Some("new\n"), false);
    done(&bench.perform(&unkept));
    assert!(failed(&bench.undo(&unkept, &place.inverse())).contains("told to keep nothing"));
    assert_eq!(place.text().as_deref(), Some("new\n"));

    let copy = format!("{}.quarterdeck-{}", place.path.display(), bench.run);
    let write = place.write("newer\n");
    for (step, spoil) in [("gone", None), ("another", Some("forged"))] {
        bench.step = StepId::new(step);
        fs::write(&place.path, "original\n").unwrap();
        let left = bench.perform(&write);
        let (_, copy) = done(&left).split_once("; what was there is ").unwrap();
        match spoil {
            None => fs::remove_file(copy).unwrap(),
            Some(text) => fs::write(copy, text).unwrap(),
        }
        assert!(failed(&bench.undo(&write, &place.inverse())).starts_with("left as it is: "), "{step}");
        assert_eq!(place.text().as_deref(), Some("newer\n"), "{step}");
    }
    // A copy of a runner that left no word of what it did: nobody knows what is to be undone.
    bench.next_run();
    let old = format!("{}.quarterdeck-{}", place.path.display(), bench.run);
    assert_ne!(old, copy);
    fs::write(&old, "older\n").unwrap();
    assert!(failed(&bench.undo(&write, &place.inverse())).contains("left no word"));
    assert_eq!(place.text().as_deref(), Some("newer\n"));
    assert_eq!(fs::read_to_string(&old).unwrap(), "older\n");
}

#[test]
fn what_was_written_through_a_link_is_undone_where_it_led() {
    everywhere(|bench| {
        let place = Place::with("original\n");
        let link = Place::empty();
        symlink(&place.path, &link.path).unwrap();
        let (write, undo) = (link.write("new\n"), link.inverse());
        done(&bench.perform(&write));
        assert_eq!(place.text().as_deref(), Some("new\n"));
        done(&bench.undo(&write, &undo));
        assert_eq!((place.text().as_deref(), place.names()), (Some("original\n"), 1));
        assert!(link.path.is_symlink());
    });
}

/// Tools that do as they are told and stop the runner before or after the nth of them.
struct Cut(tempfile::TempDir);

impl Cut {
    fn tools() -> Cut {
        let dir = tempfile::tempdir().unwrap();
        let at = dir.path().display();
        for name in ["cp", "mv", "rm", "install", "dd", "chown", "chmod", "sync"] {
            tool(
                dir.path(),
                name,
                &format!(
                    "n=$(($(cat {at}/n) + 1)); echo $n >{at}/n; read -r cut <{at}/cut\n\
                     [ \"$cut\" != \"$n before\" ] || {{ : >{at}/hit; exec sleep 60; }}\n\
                     /usr/bin/{name} \"$@\" || exit\n\
                     [ \"$cut\" != \"$n after\" ] || {{ : >{at}/hit; exec sleep 60; }}"
                ),
            );
        }
        let cut = Cut(dir);
        cut.at("never");
        cut
    }

    fn at(&self, when: &str) {
        fs::write(self.0.path().join("cut"), format!("{when}\n")).unwrap();
        fs::write(self.0.path().join("n"), "0\n").unwrap();
        let _ = fs::remove_file(self.0.path().join("hit"));
    }

    /// Does it, as a runner that dies there; `false` when it came to its end before.
    fn cuts(&self, bench: &Bench, when: &str, action: &Action, undoes: Option<&Action>) -> bool {
        self.at(when);
        let hit = self.0.path().join("hit");
        let died = async {
            while !hit.exists() {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        let setting = Setting { undoes, ..bench.setting() };
        let died = bench.rt.block_on(async {
            tokio::select! {
                () = died => true,
                left = async { perform(action, &setting, &Stop::new()).await } => {
                    done(&left);
                    false
                }
            }
        });
        self.at("never");
        died
    }
}

/// As a later runner does: not before nothing of it runs any more.
fn later(bench: &Bench, action: &Action, undoes: Option<&Action>) -> Left {
    wait_for("what was begun to be gone", || {
        let left = match undoes {
            Some(step) => bench.undo(step, action),
            None => bench.perform(action),
        };
        let runs = matches!(&left.result, Effected::Failed { why } if why.starts_with("an earlier attempt"));
        (!runs).then_some(left)
    })
}

/// Cuts the deed, or its undoing, at every point; then each of these worlds is to be as before.
fn at_every_point(before: Option<&str>, deed: fn(&Place) -> Action, undoing: bool, again: bool) {
    let cut = Cut::tools();
    let mut bench = Bench::local(&[cut.0.path() as &Path]);
    for when in ["before", "after"] {
        for n in 1.. {
            let place = before.map_or_else(Place::empty, Place::with);
            let (deed, undo) = (deed(&place), place.inverse());
            bench.next_run();
            bench.attempt = 1;
            let was = bench.target(&deed).state;
            let at = format!("{n} {when}");
            let died = if undoing {
                done(&bench.perform(&deed));
                cut.cuts(&bench, &at, &undo, Some(&deed))
            } else {
                cut.cuts(&bench, &at, &deed, None)
            };
            bench.attempt = 2;
            bench.by_word = true;
            if again {
                done(&later(&bench, &deed, None));
            }
            for _ in 0..2 {
                done(&later(&bench, &undo, Some(&deed)));
                assert_eq!(bench.target(&deed).state, was, "cut {at}");
            }
            assert_eq!(place.names(), usize::from(before.is_some()), "nothing is left beside it, cut {at}");
            if !died {
                assert!(n > 2, "it was cut nowhere");
                break;
            }
        }
    }
}

#[test]
fn a_write_that_was_cut_off_anywhere_is_undone() {
    at_every_point(Some("original\n"), |place| place.write("new\n"), false, false);
    at_every_point(None, |place| place.write("new\n"), false, false);
}

#[test]
fn a_write_that_was_cut_off_anywhere_and_done_again_is_undone() {
    at_every_point(Some("original\n"), |place| place.write("new\n"), false, true);
}

#[test]
fn a_removal_that_was_cut_off_anywhere_is_undone() {
    at_every_point(Some("original\n"), |place| place.action(None, true), false, false);
}

#[test]
fn an_undoing_that_was_cut_off_anywhere_is_carried_to_its_end() {
    at_every_point(Some("original\n"), |place| place.write("new\n"), true, false);
    at_every_point(None, |place| place.write("new\n"), true, false);
}
