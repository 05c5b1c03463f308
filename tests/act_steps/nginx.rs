//! `uses = "nginx"` with a real nginx: maintenance on and off, and a configuration that nginx does
//! not take.

use crate::bench::Bench;
use crate::harness::{Server, free_port, need, until};
use crate::said::{done, failed};
use quarterdeck::domain::procedure::action::Action;
use quarterdeck::domain::procedure::action::kinds::{Nginx, Switch};
use quarterdeck::domain::procedure::event::Truth;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::Command;

struct Site {
    bench: Bench,
    dir: tempfile::TempDir,
    port: u16,
    _server: Server,
}

fn real(port: u16) -> String {
    format!("server {{ listen 127.0.0.1:{port}; location / {{ return 200 \"the real site\\n\"; }} }}\n")
}

fn page(port: u16) -> String {
    format!("server {{ listen 127.0.0.1:{port}; location / {{ return 503 \"maintenance\\n\"; }} }}\n")
}

impl Site {
    fn new() -> Option<Site> {
        let program = need("nginx", "nginx-light")?;
        let dir = tempfile::tempdir().unwrap();
        let (port, at) = (free_port(), dir.path().display().to_string());
        std::fs::create_dir_all(dir.path().join("sites")).unwrap();
        std::fs::write(dir.path().join("real.conf"), real(port)).unwrap();
        std::os::unix::fs::symlink("../real.conf", dir.path().join("sites/vpn")).unwrap();
        let text = format!(
            "daemon off; worker_processes 1; pid {at}/pid; error_log {at}/error.log;\n\
             events {{ worker_connections 64; }}\n\
             http {{ access_log off; client_body_temp_path {at}/a; proxy_temp_path {at}/b; fastcgi_temp_path {at}/c;\n\
             uwsgi_temp_path {at}/d; scgi_temp_path {at}/e; include {at}/sites/*; }}\n"
        );
        std::fs::write(dir.path().join("nginx.conf"), text).unwrap();
        let mut command = Command::new(program);
        command.arg("-c").arg(dir.path().join("nginx.conf")).arg("-p").arg(dir.path());
        command.arg("-e").arg(dir.path().join("early.log"));
        let server = Server::start(&mut command, || TcpStream::connect(("127.0.0.1", port)).is_ok());
        Some(Site { bench: Bench::local(&[]), dir, port, _server: server })
    }

    fn at(&self, name: &str) -> String {
        self.dir.path().join(name).display().to_string()
    }

    fn nginx(&self, more: &[&str]) -> Vec<String> {
        let conf = self.at("nginx.conf");
        let early = self.at("early.log");
        let base = ["nginx", "-c", &conf, "-e", &early];
        base.iter().chain(more).map(|w| (*w).to_owned()).collect()
    }

    fn switch(&self, maintenance: Switch, page: Option<String>) -> Action {
        Action::Nginx(Nginx {
            maintenance,
            site: self.at("sites/vpn"),
            keep_in: self.at("kept"),
            page,
            test: self.nginx(&["-t"]),
            reload: self.nginx(&["-s", "reload"]),
        })
    }

    fn on(&self) -> Action {
        self.switch(Switch::On, Some(page(self.port)))
    }

    fn off(&self) -> Action {
        self.switch(Switch::Off, None)
    }

    fn answers(&self) -> String {
        let Ok(mut stream) = TcpStream::connect(("127.0.0.1", self.port)) else { return String::new() };
        let mut answer = String::new();
        let _ = stream.write_all(b"GET / HTTP/1.0\r\n\r\n");
        let _ = stream.read_to_string(&mut answer);
        answer
    }

    /// Every file below the directory that is not a log, with its text or its link.
    fn files(&self) -> Vec<(PathBuf, String)> {
        let mut out = Vec::new();
        for dir in [self.dir.path().join("sites"), self.dir.path().join("kept")] {
            for entry in std::fs::read_dir(dir).into_iter().flatten().flatten() {
                let path = entry.path();
                let text = match std::fs::read_link(&path) {
                    Ok(to) => format!("-> {}", to.display()),
                    Err(_) => std::fs::read_to_string(&path).unwrap(),
                };
                out.push((path, text));
            }
        }
        out.sort();
        out
    }
}

#[test]
fn maintenance_is_put_on_and_taken_off_as_if_it_had_not_been() {
    let Some(site) = Site::new() else { return };
    let (on, off) = (site.on(), site.off());
    let before = site.files();
    let target = site.bench.target(&on);
    assert_eq!(target.state, format!("{} is served", site.at("sites/vpn")));
    assert!(target.impossible.is_none() && target.warnings.is_empty(), "{target:?}");
    assert_eq!(site.bench.ask(&on, "").truth, Truth::DidNot);

    done(&site.bench.perform(&on));
    until("the page", || site.answers().contains("503") && site.answers().contains("maintenance"));
    let in_maintenance = site.files();
    assert_eq!(site.bench.ask(&on, "").truth, Truth::Happened);
    assert_eq!(site.bench.ask(&off, "").truth, Truth::DidNot);
    assert!(site.bench.target(&on).warnings[0].contains(site.bench.run.as_str()));
    done(&site.bench.perform(&on));
    assert_eq!(site.files(), in_maintenance, "twice is once");

    done(&site.bench.perform(&off));
    until("the site", || site.answers().contains("the real site"));
    assert_eq!(site.files(), before, "the exact inverse, the link a link");
    assert_eq!(site.bench.ask(&off, "").truth, Truth::Happened);
    done(&site.bench.perform(&off));
    assert_eq!(site.files(), before);
}

#[test]
fn a_page_that_nginx_refuses_leaves_everything_as_it_was() {
    let Some(site) = Site::new() else { return };
    let before = site.files();
    let bad = site.switch(Switch::On, Some("server { listen nonsense; }\n".into()));
    let left = site.bench.perform(&bad);
    assert!(failed(&left).contains("nginx refuses the configuration"), "{left:?}");
    assert!(
        failed(&left).contains("nonsense") && failed(&left).contains("every file is as it was"),
        "{left:?}"
    );
    assert_eq!(site.files(), before);
    assert!(site.answers().contains("the real site"));
    assert_eq!(site.bench.ask(&bad, "").truth, Truth::DidNot);
}

#[test]
fn a_real_site_that_no_longer_works_leaves_the_page_in_place() {
    let Some(site) = Site::new() else { return };
    done(&site.bench.perform(&site.on()));
    until("the page", || site.answers().contains("503"));
    let before = site.files();
    std::fs::write(site.dir.path().join("real.conf"), "server { listen nonsense; }\n").unwrap();
    let left = site.bench.perform(&site.off());
    assert!(failed(&left).contains("every file is as it was"), "{left:?}");
    assert_eq!(site.files(), before);
    // A worker of before the page may still have answered, on its way out.
    until("the page", || site.answers().contains("503"));
    std::fs::write(site.dir.path().join("real.conf"), real(site.port)).unwrap();
    done(&site.bench.perform(&site.off()));
    until("the site", || site.answers().contains("the real site"));
}

#[test]
fn a_reload_that_fails_is_put_back_as_well() {
    let Some(site) = Site::new() else { return };
    let before = site.files();
    let Action::Nginx(mut step) = site.on() else { unreachable!() };
    step.reload = vec!["false".into()];
    let left = site.bench.perform(&Action::Nginx(step));
    assert!(failed(&left).contains("the reload failed"), "{left:?}");
    assert_eq!(site.files(), before);
}

#[test]
fn a_switch_that_was_cut_short_is_finished_or_told() {
    let Some(site) = Site::new() else { return };
    let before = site.files();
    // Kept, and the page not yet in its place.
    std::fs::create_dir(site.dir.path().join("kept")).unwrap();
    std::os::unix::fs::symlink("../real.conf", site.dir.path().join("kept/vpn")).unwrap();
    assert_eq!(site.bench.ask(&site.on(), "").truth, Truth::DidNot);
    done(&site.bench.perform(&site.on()));
    // In its place, and nginx perhaps not told.
    let mark = std::fs::read_dir(site.bench.dir.path()).unwrap().flatten().map(|e| e.path());
    for file in mark.filter(|p| p.extension().is_some_and(|e| e == "reloaded")) {
        std::fs::remove_file(file).unwrap();
    }
    let answer = site.bench.ask(&site.on(), "");
    assert_eq!(answer.truth, Truth::Unknown, "{answer:?}");
    done(&site.bench.perform(&site.on()));
    assert_eq!(site.bench.ask(&site.on(), "").truth, Truth::Happened);
    done(&site.bench.perform(&site.off()));
    assert_eq!(site.files(), before);
}

#[test]
fn a_file_that_somebody_wants_is_never_lost() {
    let Some(site) = Site::new() else { return };
    // Two real files that differ.
    std::fs::create_dir(site.dir.path().join("kept")).unwrap();
    std::fs::write(site.dir.path().join("kept/vpn"), "# another\n").unwrap();
    for action in [site.on(), site.off()] {
        let why = site.bench.target(&action).impossible.unwrap();
        assert!(why.contains("both real files and differ"), "{why}");
        assert!(failed(&site.bench.perform(&action)).contains("differ"));
    }
    // A page, and nothing kept.
    std::fs::remove_file(site.dir.path().join("kept/vpn")).unwrap();
    done(&site.bench.perform(&site.on()));
    std::fs::remove_file(site.dir.path().join("kept/vpn")).unwrap();
    for action in [site.on(), site.off()] {
        assert!(failed(&site.bench.perform(&action)).contains("must be put there first"));
    }
    std::fs::remove_file(site.dir.path().join("sites/vpn")).unwrap();
    assert!(site.bench.target(&site.on()).impossible.unwrap().contains("is not there"));
}

impl Site {
    /// Another run's page, with other words.
    fn on_with(&self, words: &str) -> Action {
        self.switch(Switch::On, Some(page(self.port).replace("maintenance", words)))
    }
}

#[test]
fn a_maintenance_that_another_run_began_outlives_the_undoing_of_one_that_found_it() {
    let Some(mut site) = Site::new() else { return };
    let (on, off) = (site.on(), site.off());
    let real = site.files();
    done(&site.bench.perform(&on));
    let theirs = site.files();
    let by = site.bench.run.clone();

    let first = site.bench.next_run();
    assert!(done(&site.bench.perform(&on)).contains("is in maintenance already"));
    assert_eq!(site.files(), theirs, "it stays whose it is");
    assert_eq!(site.bench.ask(&on, "").truth, Truth::Happened);
    assert_eq!(site.bench.ask_undone(&on, &off).truth, Truth::Happened);
    let left = site.bench.undo(&on, &off);
    assert!(left.spared && done(&left).starts_with("left as it is: "), "{left:?}");
    assert!(done(&left).contains(by.as_str()), "{left:?}");
    assert_eq!(site.files(), theirs);

    // The run that began it undoes it, twice as well as once.
    let second = site.bench.turn_to(first);
    assert_eq!(site.bench.ask_undone(&on, &off).truth, Truth::DidNot);
    for _ in 0..2 {
        let left = site.bench.undo(&on, &off);
        assert!(!left.spared && done(&left).contains("is served"), "{left:?}");
        assert_eq!(site.files(), real);
    }
    assert_eq!(site.bench.ask_undone(&on, &off).truth, Truth::Happened);
    until("the site", || site.answers().contains("the real site"));

    // Begun anew by the one and ended by the other, forward.
    done(&site.bench.perform(&on));
    site.bench.turn_to(second);
    done(&site.bench.perform(&off));
    assert_eq!(site.files(), real);
}

#[test]
fn a_page_that_was_replaced_comes_back() {
    let Some(mut site) = Site::new() else { return };
    let (theirs, ours, off) = (site.on_with("theirs"), site.on_with("ours"), site.off());
    done(&site.bench.perform(&theirs));
    until("their page", || site.answers().contains("theirs"));
    let before = site.files();
    site.bench.next_run();
    done(&site.bench.perform(&ours));
    done(&site.bench.perform(&ours));
    until("our page", || site.answers().contains("ours"));
    assert_eq!(site.bench.ask_undone(&ours, &off).truth, Truth::DidNot);
    for _ in 0..2 {
        let left = site.bench.undo(&ours, &off);
        assert!(left.spared, "{left:?}");
        assert_eq!(site.files(), before, "exactly as it was");
    }
    until("their page", || site.answers().contains("theirs"));
    assert_eq!(site.bench.ask_undone(&ours, &off).truth, Truth::Happened);

    // A page that nginx refuses does not stay in place of one that it takes.
    let bad = site.switch(Switch::On, Some("server { listen nonsense; }\n".into()));
    assert!(failed(&site.bench.perform(&bad)).contains("every file is as it was"));
    assert_eq!(site.files(), before);
}

#[test]
fn undoing_the_end_of_a_maintenance_begins_only_what_was_ended() {
    let Some(mut site) = Site::new() else { return };
    let (theirs, on, off) = (site.on_with("theirs"), site.on(), site.off());
    let real = site.files();
    // There was none.
    done(&site.bench.perform(&off));
    let left = site.bench.undo(&off, &on);
    assert!(left.spared && done(&left).contains("is served, as before this step"), "{left:?}");
    assert_eq!(site.files(), real);

    done(&site.bench.perform(&theirs));
    let before = site.files();
    site.bench.next_run();
    done(&site.bench.perform(&off));
    assert_eq!(site.files(), real);
    assert_eq!(site.bench.ask_undone(&off, &on).truth, Truth::DidNot);
    for _ in 0..2 {
        done(&site.bench.undo(&off, &on));
        assert_eq!(site.files(), before, "their page, in their name");
    }
    until("their page", || site.answers().contains("theirs"));
    assert_eq!(site.bench.ask_undone(&off, &on).truth, Truth::Happened);
}
