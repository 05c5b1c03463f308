//! A running engine over a stack that a test wrote, and pages that the test changes.

use crate::harness::{fake, until};
use quarterdeck::cli::setup::prober;
use quarterdeck::clock::{Clock, SystemClock};
use quarterdeck::domain::alert::view::{AlertView, RuleView};
use quarterdeck::domain::board::{Ask, Board, TargetView};
use quarterdeck::domain::telemetry::Telemetry;
use quarterdeck::observe::mailbox::Mailbox;
use quarterdeck::observe::metrics::engine::remotes::{Pace, remotes};
use quarterdeck::observe::metrics::engine::{Engine, setup, tasks};
use quarterdeck::observe::scheduler::Scheduler;
use quarterdeck::stack::load::{Flags, load};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

const HEAD: &str = "[stack]\ntitle = 'S'\nname = 's'\n[[layers]]\nid = 'l'\n[[hosts]]\nid = 'h'\n\
[[probes]]\nid = 'p'\nlayer = 'l'\nkind = 'exec'\nargv = ['true']\ninterval = '60s'\n\
[metrics]\nevaluation_interval = '1s'\n";

/// Writes a stack file: the least that a stack must have, and more.
pub fn stack_file(dir: &Path, more: &str) -> PathBuf {
    let file = dir.join("s.toml");
    std::fs::write(&file, format!("{HEAD}{more}")).unwrap();
    file
}

/// A target of the stack file, looked at every second.
pub fn scrape(id: &str, port: u16, more: &str) -> String {
    let mut text = String::new();
    let url = format!("http://127.0.0.1:{port}/metrics");
    writeln!(text, "[[scrapes]]\nid = '{id}'\nurl = '{url}'\nlabels = {{ job = '{id}' }}\n{more}").unwrap();
    text + "interval = '1s'\ntimeout = '1s'\n"
}

/// The engine with its observers, as the screen runs them.
pub struct Live {
    // Stopped before the engine, which they tell what they see.
    _observers: Scheduler,
    pub engine: Engine,
    last: Arc<Mutex<Arc<Board>>>,
    _dir: tempfile::TempDir,
}

impl Live {
    pub fn start(more: &str) -> Live {
        let dir = tempfile::tempdir().unwrap();
        let file = stack_file(dir.path(), more);
        let config = dir.path().join("config.toml");
        std::fs::write(&config, "").unwrap();
        let flags = Flags { config: Some(config), stack: Some(file.display().to_string()) };
        let loaded = load(&flags, &|_| None).unwrap();
        let stack = &loaded.stack;
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
        let last: Arc<Mutex<Arc<Board>>> = Arc::default();
        let publish = {
            let last = Arc::clone(&last);
            Box::new(move |board, _| *last.lock().unwrap() = board)
        };
        let telemetry = Telemetry::new(setup::of(&stack.metrics));
        let interval = stack.metrics.settings.evaluation_interval;
        let engine = Engine::start(telemetry, interval, Arc::clone(&clock), publish, None).unwrap();
        let prober = prober(&loaded, &clock);
        let (teller, wants) = (engine.teller(), engine.wants());
        let mut beside = tasks::scrapes(stack, &prober, &clock, &teller, &wants);
        let quick = Duration::from_millis(300);
        let pace = Pace { look: quick, count: quick, names: quick, refresh: quick };
        beside.extend(remotes(stack, &prober, &clock, &teller, &wants, pace));
        let mailbox = Arc::new(Mailbox::new(stack.probes.len()));
        let observers = Scheduler::start(prober, mailbox, Some(tasks::tap(stack, teller)), beside).unwrap();
        let live = Live { _observers: observers, engine, last, _dir: dir };
        live.until("a first board", |b| b.at.is_some());
        live
    }

    pub fn board(&self) -> Arc<Board> {
        Arc::clone(&self.last.lock().unwrap())
    }

    pub fn ask(&self, ask: Ask) {
        self.engine.ask(ask);
    }

    /// Waits until a board shows something; that board.
    pub fn until(&self, what: &str, is_so: impl Fn(&Board) -> bool) -> Arc<Board> {
        let mut found = self.board();
        let seen = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            until(what, || {
                found = self.board();
                is_so(&found)
            });
        }));
        if let Err(panic) = seen {
            println!("the last board: {:#?}", Board { names: Arc::default(), ..(*self.board()).clone() });
            std::panic::resume_unwind(panic);
        }
        found
    }
}

pub fn alert<'a>(board: &'a Board, name: &str) -> Option<&'a AlertView> {
    board.alerts.iter().find(|a| a.name == name)
}

pub fn rule<'a>(board: &'a Board, name: &str) -> &'a RuleView {
    board.rules.iter().find(|r| r.name == name).unwrap()
}

pub fn target<'a>(board: &'a Board, id: &str) -> &'a TargetView {
    board.targets.iter().find(|t| t.id == id).unwrap()
}

/// A web server whose only page a test changes.
pub struct Page {
    pub port: u16,
    page: Arc<Mutex<(String, String)>>,
}

impl Page {
    pub fn new(text: &str) -> Page {
        let page = Arc::new(Mutex::new((String::new(), String::new())));
        let shown = Arc::clone(&page);
        let port = fake::tcp(move |wire| {
            fake::heard(wire);
            let (kind, text) = shown.lock().unwrap().clone();
            let head = format!("HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\nconnection: close\r\n");
            let _ = write!(wire, "{head}content-length: {}\r\n\r\n{text}", text.len());
        })
        .port();
        let page = Page { port, page };
        page.show(text);
        page
    }

    pub fn show(&self, text: &str) {
        *self.page.lock().unwrap() = ("text/plain; version=0.0.4".into(), text.into());
    }

    pub fn show_html(&self) {
        *self.page.lock().unwrap() = ("text/html".into(), "<html><body>Sign in</body></html>".into());
    }
}
