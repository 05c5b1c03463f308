//! Runs a shell script that ends at its first failure, also within a pipe. Parameters are its
//! arguments and never part of its text.

use super::{Answer, Left, Setting, Stop, Target, program};
use crate::act::process;
use crate::domain::procedure::action::describe::local::bash;
use crate::domain::procedure::action::kinds::Shell;

pub async fn target(a: &Shell, s: &Setting<'_>) -> Target {
    program::target(&bash(a), &a.env, a.stdin.as_deref(), s).await
}

pub async fn perform(a: &Shell, s: &Setting<'_>, stop: &Stop) -> Left {
    match program::fill(&bash(a), &a.env, a.stdin.as_deref(), s).await {
        Ok(program) => process::as_step(program, s, &[0], stop).await,
        Err(why) => Left::failed(why),
    }
}

pub async fn ask(_: &Shell, _: &str, s: &Setting<'_>) -> Answer {
    program::ask(s).await
}
