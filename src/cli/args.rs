//! The command line, as clap reads it; completions and the man page are made from it.

use super::{check, setup, snapshot};
use crate::demo::FaultSpec;
use clap::{Args, Parser, Subcommand};
use std::path::PathBuf;
use std::time::Duration;

/// Exit codes, for the end of every help text.
const EXIT_CODES: &str = "\
Exit codes:
  check            0 up, 1 degraded, 2 down, 3 unknown (as monitoring plugins have it)
  lint             0 clean, 1 warnings under --strict, 2 errors
  rules check      the same
  run, follow      0 verified, 1 failed, 2 refused, 3 in doubt, 4 aborted, 130 left by Ctrl-C
  audit            0 sound, 1 broken, 2 it cannot be read
  everything else  0 done, 1 failed, 2 the command line or a file is wrong
  129              the terminal went away";

/// What is true about a server stack, on one screen.
#[derive(Debug, Parser)]
#[command(name = "quarterdeck", version, about, after_help = EXIT_CODES, max_term_width = 100)]
#[command(args_conflicts_with_subcommands = false, subcommand_precedence_over_arg = true)]
pub struct Cli {
    #[command(flatten)]
    pub global: Global,
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// Options that every subcommand takes.
#[derive(Args, Clone, Debug, Default)]
pub struct Global {
    /// The config file (else `$QUARTERDECK_CONFIG`, ~/.config/quarterdeck/config.toml, /etc/quarterdeck/config.toml)
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// The stack: a built-in name, or a stack file
    #[arg(long, global = true, value_name = "NAME|FILE")]
    pub stack: Option<String>,
    /// A built-in theme, or a theme file
    #[arg(long, global = true, value_name = "NAME|FILE")]
    pub theme: Option<String>,
    /// Draw with ASCII signs only
    #[arg(long, global = true)]
    pub ascii: bool,
    /// No colour (also when `NO_COLOR` is set)
    #[arg(long, global = true)]
    pub no_color: bool,
    /// Where runs, journals and saved state are kept
    #[arg(long, global = true, value_name = "DIR")]
    pub state_dir: Option<PathBuf>,
    /// Print the last frame's text after leaving the screen
    #[arg(long, global = true)]
    pub keep: bool,
}

impl Global {
    pub fn options(&self) -> setup::Options {
        setup::Options {
            flags: crate::stack::load::Flags { config: self.config.clone(), stack: self.stack.clone() },
            theme: self.theme.clone(),
            ascii: self.ascii,
            no_color: self.no_color,
            state_dir: self.state_dir.clone(),
        }
    }
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// The read-only screen for a wall: larger cells, turning pages
    Wallboard {
        /// How long each page stays; at least 1s
        #[arg(long, value_name = "DURATION", value_parser = rotation)]
        rotate: Option<Duration>,
    },
    /// The dashboard on an embedded stack that can be broken on purpose
    Demo(Demo),
    /// One pass over the probes; the exit code is the stack's health
    Check {
        #[arg(long, value_enum, default_value = "text")]
        output: check::Output,
        /// Only the probes of this layer
        #[arg(long, value_name = "ID")]
        layer: Option<String>,
        /// Keep asking until everything is up, for so long
        #[arg(long, value_name = "DURATION", value_parser = duration)]
        wait: Option<Duration>,
    },
    /// One frame of a screen, once every probe has answered, without a terminal
    Snapshot {
        #[arg(long, value_enum, default_value = "text")]
        output: snapshot::Output,
        #[arg(long, value_name = "COLSxROWS", default_value = "120x40", value_parser = snapshot::parse_size)]
        size: (u16, u16),
        #[arg(long, value_enum, default_value = "overview")]
        screen: snapshot::Shown,
        /// Look again and again for so long first, so that graphs have a past
        #[arg(long, value_name = "DURATION", default_value = "0s", value_parser = duration)]
        collect: Duration,
    },
    /// The value of a PromQL expression, from the stack's Prometheus or evaluated here
    Query {
        expr: String,
        /// When: now, -5m, an RFC 3339 time or seconds since 1970
        #[arg(long, value_name = "TIME", default_value = "now", allow_hyphen_values = true, value_parser = super::moment::parse)]
        at: super::moment::Moment,
        /// All values of so long, up to `--at`
        #[arg(long, value_name = "DURATION", value_parser = duration)]
        range: Option<Duration>,
        /// How far apart the values of a range are
        #[arg(long, value_name = "DURATION", value_parser = duration, requires = "range")]
        step: Option<Duration>,
        #[arg(long, value_enum, default_value = "table")]
        output: super::values::Output,
    },
    /// What is pending or fires now, the most pressing first, and why nobody is paged
    Alerts {
        #[arg(long, value_enum, default_value = "text")]
        output: super::alerts_report::Output,
        /// Every rule as well: its state, and what keeps it from ever firing
        #[arg(long)]
        rules: bool,
        /// Look for so long, for rules over a span of time; at most 10m
        #[arg(long, value_name = "DURATION", default_value = "0s", value_parser = collected)]
        collect: Duration,
    },
    /// Show a procedure's plan; run it once it was approved as it was shown
    Run(super::args_act::Run),
    /// Give your word as the second person that the gravest plans need
    Approve(super::args_act::Approve),
    /// Carry one run out; started by `run`, by `runs resume` and by the dashboard
    #[command(hide = true)]
    Runner {
        #[arg(value_name = "RUN")]
        run: String,
    },
    /// What runs there are and how they stand; watch, abort, resume and answer them
    Runs(super::args_act::Runs),
    /// What was done to the world, by whom, and whether the record of it is whole
    Audit(super::args_act::Audit),
    /// Check stack files and config files, and warn of what is legal and dangerous
    Lint {
        /// Files to check; without any, the config and its stack
        #[arg(value_name = "FILE")]
        files: Vec<PathBuf>,
        /// Warnings fail too
        #[arg(long)]
        strict: bool,
    },
    /// Check Prometheus rule files, and run promtool's unit tests of them
    Rules {
        #[command(subcommand)]
        command: RulesCommand,
    },
    /// Write a commented config for a stack; never over an existing file
    Init {
        /// Where to write it (default: ~/.config/quarterdeck/config.toml)
        #[arg(value_name = "FILE")]
        file: Option<PathBuf>,
    },
    /// Completions for a shell
    Completions { shell: clap_complete::Shell },
    /// The man page
    Man,
}

#[derive(Debug, Subcommand)]
pub enum RulesCommand {
    /// Check rule files; no config and no stack is needed
    Check {
        #[arg(value_name = "FILE", required = true)]
        files: Vec<PathBuf>,
        /// Warnings fail too
        #[arg(long)]
        strict: bool,
    },
    /// Run unit tests in promtool's format, and show what was expected beside what there is
    Test {
        #[arg(value_name = "FILE", required = true)]
        files: Vec<PathBuf>,
    },
}

#[derive(Args, Debug)]
pub struct Demo {
    /// Only the stack: print its addresses as one JSON object, then run until stopped
    #[arg(long)]
    pub serve: bool,
    /// Break something: at once, after a time, or for a while
    #[arg(long = "fault", value_name = "NAME[@AFTER[..UNTIL]]")]
    pub faults: Vec<FaultSpec>,
    /// The same seed gives the same numbers
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
    /// Draw one frame instead of opening the dashboard (see `snapshot`)
    #[arg(long, value_enum, value_name = "FORM", conflicts_with = "serve")]
    pub snapshot: Option<snapshot::Output>,
    #[arg(long, value_name = "COLSxROWS", default_value = "120x40", value_parser = snapshot::parse_size, requires = "snapshot")]
    pub size: (u16, u16),
    #[arg(long, value_enum, default_value = "overview", requires = "snapshot")]
    pub screen: snapshot::Shown,
    /// Look again and again for so long before that frame, so that graphs have a past
    #[arg(long, value_name = "DURATION", default_value = "0s", value_parser = duration, requires = "snapshot")]
    pub collect: Duration,
}

fn rotation(text: &str) -> Result<Duration, String> {
    let least = Duration::from_secs(1);
    duration(text)
        .and_then(|d| if d < least { Err("a page stays for at least 1s".to_owned()) } else { Ok(d) })
}

fn collected(text: &str) -> Result<Duration, String> {
    let most = Duration::from_secs(600);
    duration(text).and_then(|d| if d > most { Err("at most 10m".to_owned()) } else { Ok(d) })
}

fn duration(text: &str) -> Result<Duration, String> {
    crate::domain::units::parse_duration(text)
        .ok_or_else(|| "expected a duration such as 500ms, 15s or 2m".to_owned())
}
