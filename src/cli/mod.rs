//! The command line: one file per subcommand.

pub mod args;
pub mod check;
pub mod demo;
pub mod setup;
pub mod snapshot;

use crate::domain::observation::ProbeIndex;
use crate::stack::load::Failure;
use args::{Cli, Command, Global};
use setup::Ready;
use std::io::{IsTerminal, Write};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

/// Something in the command line or in a file is wrong.
const USAGE: u8 = 2;

/// Carries out one command line.
pub fn run(cli: Cli) -> ExitCode {
    let result = match cli.command {
        None => todo_dashboard(&cli.global),
        Some(Command::Check { output, layer, wait }) => check(&cli.global, output, layer.as_deref(), wait),
        Some(Command::Snapshot { output, size, screen }) => snapshot(&cli.global, output, size, screen),
        Some(Command::Demo(demo)) => run_demo(&cli.global, demo, cli.keep),
        Some(Command::Completions { shell }) => {
            let mut command = <Cli as clap::CommandFactory>::command();
            let mut out = Vec::new();
            clap_complete::generate(shell, &mut command, "quarterdeck", &mut out);
            print(&String::from_utf8_lossy(&out))
        }
        Some(Command::Man) => {
            let mut out = Vec::new();
            match clap_mangen::Man::new(<Cli as clap::CommandFactory>::command()).render(&mut out) {
                Ok(()) => print(&String::from_utf8_lossy(&out)),
                Err(e) => Err(format!("make the man page: {e}").into()),
            }
        }
        _ => Ok(ExitCode::SUCCESS),
    };
    result.unwrap_or_else(|end| end.report())
}

/// How a command ended other than well.
enum End {
    /// The text completes "failed to …".
    Failed(String),
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
    fn report(self) -> ExitCode {
        let text = match self {
            End::Failed(text) => {
                let _ = writeln!(std::io::stderr(), "quarterdeck: failed to {text}");
                return ExitCode::FAILURE;
            }
            End::Load(Failure::Nothing) => first_steps(),
            End::Load(Failure::Problems(problems)) => {
                let color = std::io::stderr().is_terminal()
                    && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty());
                let errors = problems.count(crate::stack::diag::Severity::Error);
                format!("{}\nquarterdeck: {errors} errors; nothing was started\n", problems.render(color))
            }
        };
        let _ = std::io::stderr().write_all(text.as_bytes());
        ExitCode::from(USAGE)
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

fn first_steps() -> String {
    let stacks: Vec<String> = crate::stack::builtin::all().iter().map(|s| format!("  {}", s.name)).collect();
    format!(
        "quarterdeck: no config file and no stack named, so there is nothing to watch yet.\n\n\
         To see it at work on an embedded stack that can be broken on purpose:\n  quarterdeck demo\n\n\
         To watch a stack of your own:\n  quarterdeck init --stack NAME      writes a commented config\n  quarterdeck lint                   checks it\n  quarterdeck                        opens the dashboard\n\n\
         Built-in stacks:\n{}\n\nquarterdeck --help says more.\n",
        stacks.join("\n")
    )
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
    let ready = Ready::new(&global.options())?;
    let stack = &ready.loaded.stack;
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
    let prober = Arc::new(ready.prober());
    block_on(check::until_up(prober, &mut matrix, &probes, wait.unwrap_or_default()))?;
    let now = ready.clock.now();
    let (code, text) = check::report(&matrix, &probes, &stack.name, &stack.environment, now, output);
    print(&text)?;
    Ok(ExitCode::from(code))
}

fn snapshot(global: &Global, output: snapshot::Output, size: (u16, u16), shown: snapshot::Shown) -> Ended {
    let ready = Ready::new(&global.options())?;
    let text = block_on(snapshot::draw(&ready, shown, size, output))?;
    print(&text)
}

fn run_demo(global: &Global, args: args::Demo, _keep: bool) -> Ended {
    let options = crate::demo::Options { seed: args.seed, faults: args.faults };
    let running = demo::start(options)?;
    if args.serve {
        print(&format!("{}\n", running.addresses))?;
        block_on(demo::until_stopped())?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut options = global.options();
    options.flags =
        crate::stack::load::Flags { config: Some(running.config.clone()), stack: global.stack.clone() };
    let ready = Ready::new(&options)?;
    if let Some(form) = args.snapshot {
        let text = block_on(snapshot::draw(&ready, args.screen, args.size, form))?;
        return print(&text);
    }
    Ok(ExitCode::SUCCESS)
}

fn todo_dashboard(global: &Global) -> Ended {
    let _ready = Ready::new(&global.options())?;
    Ok(ExitCode::SUCCESS)
}
