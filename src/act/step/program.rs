//! What the kinds that run a program have in common: its places filled in, whether it is there and
//! may be run, and what is known of it after a lost runner.

use super::{Answer, Setting, Target};
use crate::act::place;
use crate::act::process::{self, Program};
use crate::domain::procedure::plan::Certainty;
use crate::domain::text;
use crate::transport::{Command, Output};
use std::collections::BTreeMap;

/// Fills in the places. Argv takes the run's id only: it can be read by others.
///
/// # Errors
/// It completes "failed: …" and never holds a secret.
pub async fn fill(
    argv: &[String],
    env: &BTreeMap<String, String>,
    stdin: Option<&str>,
    s: &Setting<'_>,
) -> Result<Program, String> {
    let argv = argv.iter().map(|word| place::plain(word, s)).collect::<Result<Vec<_>, _>>()?;
    let mut program = Program::new(argv);
    for (name, value) in env {
        program.env.insert(name.clone(), place::full(value, s).await?);
    }
    if let Some(text) = stdin {
        program.stdin = Some(place::full(text, s).await?);
    }
    Ok(program)
}

/// Looks whether a program can be run at all. What it would do is not known.
pub async fn target(
    argv: &[String],
    env: &BTreeMap<String, String>,
    stdin: Option<&str>,
    s: &Setting<'_>,
) -> Target {
    let target = Target {
        what: String::new(),
        state: String::new(),
        certainty: Certainty::Unknown,
        blast: Vec::new(),
        impossible: None,
        restless: false,
        warnings: Vec::new(),
    };
    let program = match fill(argv, env, stdin, s).await {
        Ok(program) => program,
        Err(why) => return target.but_impossible(why),
    };
    runnable(&program.argv, s, target).await
}

/// Notes in a target whether an argv can be run: the program is there, and sudo lets us.
pub async fn runnable(argv: &[String], s: &Setting<'_>, mut target: Target) -> Target {
    let program = argv.first().map_or("", String::as_str);
    if s.sudo {
        // It tells by itself whether the whole argv is allowed, and does not run it.
        let mut words = vec!["sudo", "-n", "-l", "--"];
        words.extend(argv.iter().map(String::as_str));
        match s.transport.run(&Command::new(words)).await {
            Ok(output) if output.status == 0 => target,
            Ok(output) => {
                let why = last_line(&output).unwrap_or_else(|| "it says nothing of it".to_owned());
                target.but_impossible(format!("sudo does not allow {program} on {}: {why}", s.host))
            }
            Err(e) => {
                target.warnings.push(format!("it is not known whether sudo allows {program}: {e}"));
                target
            }
        }
    } else {
        let look = Command::new(["sh", "-c", "command -v \"$1\"", "sh", program]);
        match s.transport.run(&look).await {
            Ok(output) if output.status == 0 => target,
            Ok(_) => target.but_impossible(format!("there is no program {program} on {}", s.host)),
            Err(e) => {
                target.warnings.push(format!("it is not known whether {program} is there: {e}"));
                target
            }
        }
    }
}

/// The last thing that a failed command said, safe to show.
pub fn last_line(output: &Output) -> Option<String> {
    let of = |bytes: &[u8]| {
        let text = String::from_utf8_lossy(bytes);
        text.lines().rfind(|l| !l.trim().is_empty()).map(|l| text::one_line(l, 200))
    };
    of(&output.stderr).or_else(|| of(&output.stdout))
}

/// What a program had done when its runner was lost, only it knows; but it may still run.
pub async fn ask(s: &Setting<'_>) -> Answer {
    match process::strays(s).await {
        Ok(strays) if strays.is_empty() => {
            Answer::unknown("nothing of it runs any more; how far it came is not known")
        }
        Ok(strays) => Answer::unknown(format!("it still runs: {}", process::names(&strays))),
        Err(why) => Answer::unknown(format!("whether it still runs is not known: {why}")),
    }
}

/// What is said not to have happened may still be about to, as long as a program of it runs.
pub async fn unless_it_runs(answer: Answer, s: &Setting<'_>) -> Answer {
    let says = &answer.says;
    match process::strays(s).await {
        Ok(strays) if strays.is_empty() => answer,
        Ok(strays) => Answer::unknown(format!("it still runs: {}; {says}", process::names(&strays))),
        Err(why) => Answer::unknown(format!("{says}; whether it still runs is not known: {why}")),
    }
}
