//! The loader of stack files and config.toml: any bytes are loaded or refused, and every problem
//! lies inside its file and can be shown.
//!
//! The input is a stack file, a NUL, and a config file.

#![no_main]

use libfuzzer_sys::fuzz_target;
use quarterdeck::stack::diag::{Problem, Problems};
use quarterdeck::stack::{files, lint, load};

fn check(problem: &Problem) {
    assert!(problem.span.start <= problem.span.end && problem.span.end <= problem.source.text.len());
    let shown = problem.render(false) + &problem.line();
    assert!(!shown.contains(|c: char| c != '\n' && quarterdeck::domain::text::is_hostile(c)));
}

fuzz_target!(|data: &[u8]| {
    let mut parts = data.splitn(2, |b| *b == 0);
    let mut read = |name| files::decode(name, parts.next().unwrap_or_default().to_vec());
    let (stack, config) = match (read("stack.toml"), read("config.toml")) {
        (Ok(stack), Ok(config)) => (stack, config),
        (stack, config) => return [stack.err(), config.err()].iter().flatten().for_each(check),
    };
    let mut lints = Problems::default();
    lint::file(&stack, &mut lints);
    lint::file(&config, &mut lints);
    lints.0.iter().for_each(check);
    match load::load_texts(&stack, Some(&config), &|_| None) {
        Ok(loaded) => loaded.problems.0.iter().for_each(check),
        Err(problems) => problems.0.iter().for_each(check),
    }
});
