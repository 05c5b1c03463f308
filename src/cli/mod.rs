//! The command line: one file per subcommand.

pub mod acting;
pub mod alerts;
pub mod alerts_report;
pub mod args;
pub mod args_act;
pub mod audit;
pub mod check;
pub mod completions;
mod deck;
pub mod demo;
pub mod first_steps;
mod follow;
pub mod init;
pub mod kept;
mod lint;
pub mod log;
mod lookout;
pub mod man;
pub mod metrics;
pub mod moment;
pub mod plan_report;
mod procedures;
pub mod progress;
pub mod query;
pub mod report;
mod resume;
pub mod rules;
mod run;
pub mod run_json;
mod runner;
mod runs;
pub mod screen;
mod second;
pub mod setup;
pub mod sight;
pub mod snapshot;
pub mod values;
pub mod wallboard;
pub mod witness;

use crate::clock::{Clock, SystemClock};
use crate::domain::health::Health;
use crate::domain::observation::ProbeIndex;
use crate::stack::load::{self, Failure};
use args::{Cli, Command, Global, RulesCommand};
use setup::Ready;
use std::io::Write;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

/// Something could not be done.
const FAILED: u8 = 1;
/// Something in the command line or in a file is wrong.
const USAGE: u8 = 2;
/// Ended by Ctrl-C, as shells have it.
const INTERRUPTED: u8 = 130;

/// Carries out one command line.
pub fn run(cli: Cli) -> ExitCode {
    report::install_panic_report();
    let global = &cli.global;
    let result = match cli.command {
        None => open_dashboard(global),
        Some(Command::Wallboard { rotate }) => open_wallboard(global, rotate),
        Some(Command::Demo(demo)) => run_demo(global, demo),
        Some(Command::Check { output, layer, wait }) => {
            let checked = check(global, output, layer.as_deref(), wait);
            // Whatever went wrong here says nothing of the stack: unknown is never red.
            return checked.unwrap_or_else(|end| end.report_unknown(global.no_color, output));
        }
        Some(Command::Snapshot { output, size, screen, collect }) => {
            snapshot(global, output, size, screen, collect)
        }
        Some(Command::Query { expr, at, range, step, output }) => {
            query(global, &query::Question { expr, at, range, step }, output)
        }
        Some(Command::Alerts { output, rules, collect }) => alerts(global, output, rules, collect),
        Some(Command::Runner { run }) => return runner::in_words(runner::run(global, &run)),
        Some(Command::Run(args)) => run::run(global, &args),
        Some(Command::Approve(args)) => second::approve(global, &args),
        Some(Command::Runs(args)) => runs::run(global, args),
        Some(Command::Audit(args)) => acting::run_audit(global, args),
        Some(Command::Lint { files, strict }) => with_outputs(|out, err| {
            lint::run(&global.options().flags, &files, strict, report::color(global.no_color), out, err)
        }),
        Some(Command::Rules { command: RulesCommand::Check { files, strict } }) => {
            with_outputs(|out, err| rules::check(&files, strict, report::color(global.no_color), out, err))
        }
        Some(Command::Rules { command: RulesCommand::Test { files } }) => {
            with_outputs(|out, err| rules::test(&files, report::color(global.no_color), out, err))
        }
        Some(Command::Init { file }) => with_outputs(|out, err| {
            let env = |name: &str| std::env::var(name).ok();
            let flags = global.options().flags;
            init::run(&flags, file.as_deref(), &env, report::color(global.no_color), out, err)
        }),
        Some(Command::Completions { shell }) => with_outputs(|out, _| {
            completions::run(shell, <Cli as clap::CommandFactory>::command(), out).map(|()| 0)
        }),
        Some(Command::Man) => {
            with_outputs(|out, _| man::run(<Cli as clap::CommandFactory>::command(), out).map(|()| 0))
        }
    };
    result.unwrap_or_else(|end| end.report(global.no_color))
}

/// Runs a command that writes and gives its exit code; a reader that has left is no failure.
fn with_outputs(work: impl FnOnce(&mut dyn Write, &mut dyn Write) -> std::io::Result<u8>) -> Ended {
    match work(&mut std::io::stdout().lock(), &mut std::io::stderr().lock()) {
        Ok(code) => Ok(ExitCode::from(code)),
        Err(e) if e.kind() == std::io::ErrorKind::BrokenPipe => Ok(ExitCode::SUCCESS),
        Err(e) => Err(format!("write the output: {e}").into()),
    }
}

/// How a command ended other than well.
enum End {
    /// The text completes "failed to …".
    Failed(String),
    /// The same, of what was not begun: nothing was changed.
    Refused(String),
    /// Nothing to watch, or files with mistakes.
    Load(Failure),
}

impl From<String> for End {
    fn from(text: String) -> Self {
        End::Failed(text)
    }
}

impl From<Failure> for End {
    fn from(failure: Failure) -> Self {
        End::Load(failure)
    }
}

impl End {
    /// What `check` says when it has no result: one line for a monitoring system on standard
    /// output, all the rest on standard error.
    fn report_unknown(self, no_color: bool, output: check::Output) -> ExitCode {
        let why = self.in_one_line();
        // If standard output is gone, the exit code is all that can be said.
        let _ = print(&check::no_result(&why, output));
        let _ = self.report(no_color);
        ExitCode::from(Health::Unknown.exit_code())
    }

    fn in_one_line(&self) -> String {
        match self {
            End::Failed(text) | End::Refused(text) => format!("failed to {text}"),
            End::Load(Failure::Nothing) => "there is no config and no stack was named".to_owned(),
            End::Load(Failure::Problems(problems)) => report::in_one_line(problems),
        }
    }

    fn report(self, no_color: bool) -> ExitCode {
        let mut err = std::io::stderr().lock();
        // If standard error is gone too, the exit code is all that can be said.
        let (code, _) = match self {
            End::Failed(text) => (FAILED, writeln!(err, "quarterdeck: failed to {text}")),
            End::Refused(text) => (USAGE, writeln!(err, "quarterdeck: failed to {text}")),
            End::Load(Failure::Nothing) => (USAGE, first_steps::print(&mut err)),
            End::Load(Failure::Problems(problems)) => {
                (USAGE, report::refusal(&problems, report::color(no_color), &mut err))
            }
        };
        ExitCode::from(code)
    }
}

type Ended = Result<ExitCode, End>;

/// Writes to standard output; a reader that has left is no failure.
fn print(text: &str) -> Ended {
    match std::io::stdout().write_all(text.as_bytes()) {
        Ok(()) => Ok(ExitCode::SUCCESS),
        Err(e) if e.kind() == std::io::ErrorKind::BrokenPipe => Ok(ExitCode::SUCCESS),
        Err(e) => Err(format!("write to standard output: {e}").into()),
    }
}

/// A runtime for commands that have no screen.
fn block_on<T>(work: impl Future<Output = T>) -> Result<T, End> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|e| format!("start the runtime: {e}"))?;
    let out = runtime.block_on(work);
    // A name lookup that hangs must not hold up the end.
    runtime.shutdown_background();
    Ok(out)
}

fn check(global: &Global, output: check::Output, layer: Option<&str>, wait: Option<Duration>) -> Ended {
    // Themes and keys are no concern of a pass without a screen.
    let loaded = load::load(&global.options().flags, &|name| std::env::var(name).ok())?;
    let stack = &loaded.stack;
    if let Some(layer) = layer.filter(|l| !stack.layers.iter().any(|k| k.id.as_str() == *l)) {
        let names: Vec<&str> = stack.layers.iter().map(|l| l.id.as_str()).collect();
        let near = crate::domain::text::nearest(layer, names.iter().copied())
            .map(|n| format!("; did you mean {n}?"));
        return Err(format!(
            "find the layer `{layer}`{}; there are {}",
            near.unwrap_or_default(),
            names.join(", ")
        )
        .into());
    }
    let probes: Vec<ProbeIndex> = (0..stack.probes.len())
        .filter(|i| layer.is_none_or(|l| stack.probes.get(*i).is_some_and(|p| p.layer.as_str() == l)))
        .map(ProbeIndex)
        .collect();
    let mut matrix = stack.matrix();
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let prober = Arc::new(setup::prober(&loaded, &clock));
    block_on(check::until_up(prober, &mut matrix, &probes, wait.unwrap_or_default()))?;
    let now = clock.now();
    let (code, text) = check::report(&matrix, &probes, &stack.name, &stack.environment, now, output);
    print(&text)?;
    Ok(ExitCode::from(code))
}

fn query(global: &Global, question: &query::Question, output: values::Output) -> Ended {
    let loaded = load::load(&global.options().flags, &|name| std::env::var(name).ok())?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let backend = query::Backend::of(&loaded.stack, setup::prober(&loaded, &clock))?;
    let found = block_on(query::ask(question, &backend, &loaded.stack, &clock))??;
    for warning in &found.warnings {
        // Standard output is for the values alone.
        let _ = writeln!(std::io::stderr(), "quarterdeck: {warning}");
    }
    print(&values::print(&found, output))
}

fn alerts(global: &Global, output: alerts_report::Output, rules: bool, collect: Duration) -> Ended {
    let loaded = load::load(&global.options().flags, &|name| std::env::var(name).ok())?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let prober = Arc::new(setup::prober(&loaded, &clock));
    let state_dir = global.state_dir.as_ref().unwrap_or(&loaded.config.state_dir);
    let kept = metrics::alerts_of(state_dir, &loaded.stack.name);
    let seen = block_on(alerts::look(&loaded.stack, &prober, &clock, &kept, collect))?;
    print(&alerts_report::print(&seen, &loaded.stack, output, rules))
}

fn snapshot(
    global: &Global,
    output: snapshot::Output,
    size: (u16, u16),
    shown: snapshot::Shown,
    collect: Duration,
) -> Ended {
    let ready = Ready::new(&global.options())?;
    let text = block_on(snapshot::draw(&ready, shown, size, output, collect))?;
    print(&text)
}

/// Only the stack, until it is told to stop.
async fn serve_demo(options: crate::demo::Options) -> Ended {
    let mut stop = demo::Stop::new()?;
    let running = demo::start(options)?;
    print(&format!("{}\n", running.addresses))?;
    stop.wait().await;
    Ok(ExitCode::SUCCESS)
}

fn run_demo(global: &Global, args: args::Demo) -> Ended {
    let options = crate::demo::Options { seed: args.seed, faults: args.faults };
    if args.serve {
        return block_on(serve_demo(options))?;
    }
    let running = demo::start(options)?;
    let mut options = global.options();
    options.flags = load::Flags { config: Some(running.config.clone()), stack: global.stack.clone() };
    let ready = Ready::new(&options)?;
    if let Some(form) = args.snapshot {
        let text = block_on(snapshot::draw(&ready, args.screen, args.size, form, args.collect))?;
        return print(&text);
    }
    // What a demonstration does is over with it, unless a place was named to keep it.
    let global = Global {
        config: Some(running.config.clone()),
        state_dir: global.state_dir.clone().or_else(|| Some(running.state_dir())),
        ..global.clone()
    };
    dashboard(&ready, Some(running.handle()), &global)
}

fn open_dashboard(global: &Global) -> Ended {
    let ready = Ready::new(&global.options())?;
    dashboard(&ready, None, global)
}

fn dashboard(ready: &Ready, demo: Option<crate::demo::DemoHandle>, global: &Global) -> Ended {
    log::init();
    let mut app = ready.app();
    app.procedures = Arc::new(ready.loaded.stack.procedures.clone());
    let state = acting::state(global)?;
    let launch = acting::launch(global)?;
    let acting = acting::Acting::of(&ready.loaded, state, Arc::clone(&ready.clock));
    let ended =
        block_on(async { screen::run(&mut app, ready, demo, deck::Deck::new(acting, launch)).await })??;
    end_of_screen(&ended, global.keep)
}

fn open_wallboard(global: &Global, rotate: Option<Duration>) -> Ended {
    let ready = Ready::new(&global.options())?;
    log::init();
    let ended = block_on(wallboard::run(&ready, rotate))??;
    end_of_screen(&ended, global.keep)
}

fn end_of_screen(ended: &screen::Ended, keep: bool) -> Ended {
    if let Some(frame) = ended.last_frame.as_ref().filter(|_| keep) {
        print(frame)?;
    }
    Ok(ExitCode::from(ended.status))
}
