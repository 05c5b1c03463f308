//! A tiny program on the terminal layer, for tests that watch it from outside through a PTY.
//!
//! Keys: q quits, e returns an error, p panics on the drawing thread, t panics in a task, b blocks
//! the drawing thread for good, c copies, w writes frames until the terminal takes no more,
//! Ctrl-Z suspends. Every event is shown. With `PROBE_LAST_ACT` set, a file of that name is written
//! when the terminal vanishes; with `PROBE_LOG` set, what is logged goes to that file.

use std::fmt::Write as _;
use std::io::Write as _;
use std::sync::{Arc, Mutex};

use crossterm::event::{Event, KeyCode, KeyEvent, KeyModifiers};
use quarterdeck::tui::terminal::{
    Capability, Drawn, Input, Options, Signal, Signals, Suspended, Terminal, Tty, hangup, install_panic_hook,
    panic_noted, take_panics,
};
use ratatui::Frame;
use ratatui::style::{Color, Modifier, Style};
use tracing::field::{Field, Visit};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};

fn main() -> color_eyre::Result<()> {
    color_eyre::install()?;
    install_panic_hook();
    if let Some(path) = std::env::var_os("PROBE_LOG") {
        let file = Mutex::new(std::fs::File::create(path)?);
        tracing::subscriber::set_global_default(tracing_subscriber::registry().with(ToFile(file)))?;
    }
    if let Some(path) = std::env::var_os("PROBE_LAST_ACT") {
        hangup::before_exit(move || drop(std::fs::write(path, "done")));
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let status = runtime.block_on(run())?;
    runtime.shutdown_background();
    std::process::exit(status)
}

struct Probe {
    lines: Vec<String>,
    events: usize,
}

impl Probe {
    fn say(&mut self, line: impl Into<String>) {
        self.lines.push(line.into());
        if self.lines.len() > 12 {
            self.lines.remove(0);
        }
    }

    fn render(&self, frame: &mut Frame<'_>) {
        let area = frame.area();
        let buffer = frame.buffer_mut();
        let title = format!("probe {}x{} after {} events", area.width, area.height, self.events);
        buffer.set_stringn(0, 0, title, area.width.into(), Style::new().add_modifier(Modifier::BOLD));
        for (n, line) in self.lines.iter().enumerate().take(area.height.saturating_sub(1).into()) {
            let style = Style::new().fg(Color::Rgb(90, 200, 120)).underlined();
            buffer.set_stringn(0, n as u16 + 1, line, area.width.into(), style);
        }
        for y in 14..area.height {
            let filler = "filler ".repeat(usize::from(area.width) / 7);
            buffer.set_string(0, y, filler, Style::new().fg(Color::Yellow));
        }
    }
}

async fn run() -> color_eyre::Result<i32> {
    let mut signals = Signals::new()?;
    let tty = Arc::new(Tty::open()?);
    let mut terminal = Terminal::enter(&tty, Options::new(Capability::detect(None, None)), &signals)?;
    let mut input = Input::new(&tty)?;
    let mut probe = Probe { lines: Vec::new(), events: 0 };
    loop {
        let _deferred = terminal.draw(|frame| probe.render(frame));
        tokio::select! {
            biased;
            signal = signals.next() => match signal {
                Signal::HangUp => terminal.hang_up(),
                Signal::Terminate | Signal::Interrupt | Signal::Quit => {
                    return Ok(goodbye(terminal, signal.exit_status()));
                }
                Signal::Suspend => suspend(&mut terminal, &mut signals, &mut probe).await,
                Signal::Continue => terminal.resume(),
                Signal::Resize => {}
            },
            event = input.next() => {
                probe.events += 1;
                probe.say(format!("{event:?}"));
                if let Event::Key(key) = event
                    && on_key(key, &mut terminal, &mut signals, &mut probe).await?
                {
                    return Ok(goodbye(terminal, 0));
                }
            }
            () = panic_noted() => {
                for note in take_panics().0 {
                    probe.say(format!("panicked in {}: {}", note.place, note.message));
                }
            }
            // The rest of a frame was taken; one that was deferred is drawn now.
            () = terminal.writable() => {}
        }
    }
}

fn goodbye(mut terminal: Terminal, status: i32) -> i32 {
    if terminal.leave() {
        println!("goodbye");
    }
    status
}

async fn suspend(terminal: &mut Terminal, signals: &mut Signals, probe: &mut Probe) {
    match terminal.suspend(signals).await {
        Suspended::Resumed => probe.say("back again"),
        Suspended::NoShell => probe.say("no shell to suspend to"),
    }
}

/// Whether to quit.
async fn on_key(
    key: KeyEvent,
    terminal: &mut Terminal,
    signals: &mut Signals,
    probe: &mut Probe,
) -> color_eyre::Result<bool> {
    match (key.code, key.modifiers) {
        (KeyCode::Char('z'), KeyModifiers::CONTROL) => suspend(terminal, signals, probe).await,
        (KeyCode::Char('q'), _) => return Ok(true),
        (KeyCode::Char('e'), _) => return Err(color_eyre::eyre::eyre!("failed to go on as asked")),
        (KeyCode::Char('p'), _) => deliberate("drawing"),
        (KeyCode::Char('t'), _) => drop(tokio::spawn(async { deliberate("task") })),
        (KeyCode::Char('b'), _) => loop {
            std::thread::park();
        },
        (KeyCode::Char('c'), _) => terminal.copy("copied by the probe")?,
        (KeyCode::Char('w'), _) => {
            for _ in 0..500 {
                terminal.redraw();
                if terminal.draw(|frame| probe.render(frame)) == Drawn::Deferred || terminal.is_blocked() {
                    break;
                }
            }
        }
        _ => {}
    }
    Ok(false)
}

#[expect(clippy::panic, reason = "the tests watch what a panic does")]
fn deliberate(place: &str) {
    panic!("a deliberate {place} panic");
}

/// Writes each event's fields on a line.
struct ToFile(Mutex<std::fs::File>);

impl<S: tracing::Subscriber> Layer<S> for ToFile {
    fn on_event(&self, event: &tracing::Event<'_>, _: Context<'_, S>) {
        struct Fields(String);
        impl Visit for Fields {
            fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
                let _ = write!(self.0, "{field}={value:?} ");
            }
        }
        let mut fields = Fields(String::new());
        event.record(&mut fields);
        if let Ok(mut file) = self.0.lock() {
            let _ = writeln!(file, "{}", fields.0);
        }
    }
}
