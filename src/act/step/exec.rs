//! Runs a program: an argv, with secrets only in its environment and on its standard input.

use super::{Answer, Left, Setting, Stop, Target, program};
use crate::act::process;
use crate::domain::procedure::action::kinds::Exec;

pub async fn target(a: &Exec, s: &Setting<'_>) -> Target {
    program::target(&a.argv, &a.env, a.stdin.as_deref(), s).await
}

pub async fn perform(a: &Exec, s: &Setting<'_>, stop: &Stop) -> Left {
    match program::fill(&a.argv, &a.env, a.stdin.as_deref(), s).await {
        Ok(program) => process::as_step(program, s, &a.success, stop).await,
        Err(why) => Left::failed(why),
    }
}

pub async fn ask(_: &Exec, _: &str, s: &Setting<'_>) -> Answer {
    program::ask(s).await
}
