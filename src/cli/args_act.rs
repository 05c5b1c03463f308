//! The part of the command line that acts on the world, as clap reads it.

use crate::domain::procedure::event::Choice;
use clap::{Args, Subcommand, ValueEnum};

/// Lines of the audit that are shown when nothing else is asked for.
pub const LAST: usize = 50;

/// How answers are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Output {
    Text,
    Json,
}

#[derive(Args, Debug)]
pub struct Run {
    /// Its id; without one, all procedures are listed
    #[arg(value_name = "PROCEDURE")]
    pub procedure: Option<String>,
    /// A parameter of the procedure
    #[arg(long = "param", value_name = "NAME=VALUE", value_parser = pair)]
    pub params: Vec<(String, String)>,
    /// Show the plan and its hash; change nothing
    #[arg(long, conflicts_with_all = ["approve", "confirm", "break_glass", "detach"])]
    pub plan: bool,
    /// Run the plan with this hash, and no other; its first twelve digits do
    #[arg(long, value_name = "HASH")]
    pub approve: Option<String>,
    /// What the plan asks to have typed
    #[arg(long, value_name = "TEXT", requires = "approve")]
    pub confirm: Option<String>,
    /// Why; recorded for good
    #[arg(long, value_name = "TEXT", requires = "approve")]
    pub reason: Option<String>,
    /// Where a second person must approve: go on alone after a countdown, recorded loudly
    #[arg(long, requires = "approve")]
    pub break_glass: bool,
    /// Start it and do not follow it
    #[arg(long, requires = "approve")]
    pub detach: bool,
    #[arg(long, value_enum, default_value = "text")]
    pub output: Output,
}

#[derive(Args, Debug)]
pub struct Runs {
    #[command(subcommand)]
    pub command: Option<RunsCommand>,
    #[arg(long, value_enum, default_value = "text", global = true)]
    pub output: Output,
}

#[derive(Debug, Subcommand)]
pub enum RunsCommand {
    /// All runs, newest first; what is owed; what is forbidden
    List,
    /// Everything about a run
    Show {
        #[arg(value_name = "ID")]
        id: String,
    },
    /// Watch a run to its end; the exit code is its outcome
    Follow {
        #[arg(value_name = "ID")]
        id: String,
    },
    /// Finish the step that runs and stop
    Abort {
        #[arg(value_name = "ID")]
        id: String,
        /// End the step that runs as well
        #[arg(long)]
        now: bool,
    },
    /// Take up a run whose runner died, or that failed
    Resume {
        #[arg(value_name = "ID")]
        id: String,
        /// Undo what was done, last step first
        #[arg(long)]
        rollback: bool,
        /// From L3 on: what must be typed; without it, it is told
        #[arg(long, value_name = "TEXT")]
        confirm: Option<String>,
        /// Why; needed from L3 on, and recorded for good
        #[arg(long, value_name = "TEXT")]
        reason: Option<String>,
        /// Where a second person is needed and nobody is there: waits a minute, and is told loudly
        #[arg(long)]
        break_glass: bool,
        /// Do not follow it
        #[arg(long)]
        detach: bool,
    },
    /// Answer a run that waits for a person
    ReleaseHold {
        #[arg(value_name = "ID")]
        id: String,
        /// Answer only this hold, by its number in `runs show`
        #[arg(long, value_name = "N")]
        hold: Option<u64>,
        /// Needed where a step failed, ran out of its time, or is in doubt; else go-on
        #[arg(long, value_enum)]
        choice: Option<HoldChoice>,
        /// What you did or saw; recorded for good
        #[arg(long, value_name = "TEXT")]
        note: Option<String>,
    },
}

/// The answer to a hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum HoldChoice {
    /// Go on; of a manual step: it was done
    GoOn,
    /// Do the step (again)
    Again,
    /// Stop the run here
    Stop,
}

impl From<HoldChoice> for Choice {
    fn from(choice: HoldChoice) -> Choice {
        match choice {
            HoldChoice::GoOn => Choice::GoOn,
            HoldChoice::Again => Choice::Again,
            HoldChoice::Stop => Choice::Stop,
        }
    }
}

#[derive(Args, Debug)]
pub struct Approve {
    /// Which plan; without one, those that wait are listed
    #[arg(value_name = "ID")]
    pub id: Option<String>,
    #[arg(long, value_enum, default_value = "text")]
    pub output: Output,
}

#[derive(Args, Debug)]
pub struct Audit {
    #[command(subcommand)]
    pub command: Option<AuditCommand>,
    #[arg(long, value_enum, default_value = "text", global = true)]
    pub output: Output,
}

#[derive(Debug, Subcommand)]
pub enum AuditCommand {
    /// The last lines
    Show {
        /// How many
        #[arg(long, value_name = "N", default_value_t = LAST)]
        last: usize,
        /// Only those of one run
        #[arg(long, value_name = "ID")]
        run: Option<String>,
    },
    /// Find any edit, removal or cut; the exit code is 1 when there is one
    Verify {
        /// The head as it was kept elsewhere; else the system journal is asked
        #[arg(long, value_name = "N:HASH", value_parser = head)]
        head: Option<crate::record::audit::Head>,
    },
}

fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("expected NAME=VALUE".to_owned()),
    }
}

fn head(text: &str) -> Result<crate::record::audit::Head, String> {
    crate::record::audit::Head::parse(text)
        .ok_or_else(|| "expected a line number, a colon and 64 hexadecimal digits".to_owned())
}
