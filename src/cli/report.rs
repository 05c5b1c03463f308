//! Problems on a terminal or in a pipe: excerpts with colour only where a person sees it.

use crate::domain::text::one_line;
use crate::stack::diag::{Problem, Problems, Severity};
use std::io::{self, IsTerminal, Write};

/// Whether reports on standard error get colour: on a terminal, unless `NO_COLOR` or the command
/// line says no.
pub fn color(no_color_flag: bool) -> bool {
    let refused = std::env::var_os("NO_COLOR").is_some_and(|v| !v.is_empty());
    !no_color_flag && !refused && io::stderr().is_terminal()
}

/// Makes a panic read well where it is printed; colour only where a person sees it. The screen adds
/// its own hook on top, which restores the terminal first.
pub fn install_panic_report() {
    let mut hooks = color_eyre::config::HookBuilder::new().display_env_section(false).panic_section(
        "this is a mistake in quarterdeck: please report it with the lines above and what you did before",
    );
    if !color(false) {
        hooks = hooks.theme(color_eyre::config::Theme::new());
    }
    // It can only be installed once; the first one is as good.
    let _ = hooks.install();
}

/// Shows every problem, with an excerpt of its file where there is one.
pub fn problems(problems: &Problems, color: bool, err: &mut dyn Write) -> io::Result<()> {
    let mut ordered = problems.clone();
    ordered.sort();
    for problem in &ordered.0 {
        let text = if has_excerpt(problem) { problem.render(color) } else { plain(problem, color) };
        writeln!(err, "{text}")?;
    }
    if ordered.1 > 0 {
        writeln!(err, "and {} more, not shown", ordered.1)?;
    }
    Ok(())
}

/// As [`problems`], with the sentence that ends a program: for every command but `lint`.
pub fn refusal(found: &Problems, color: bool, err: &mut dyn Write) -> io::Result<()> {
    problems(found, color, err)?;
    let in_files = |p: &&Problem| p.severity == Severity::Error && has_excerpt(p);
    if !found.0.iter().any(|p| in_files(&p)) {
        // The command line is mended where it was typed; `lint` has nothing to add.
        return Ok(());
    }
    let errors = found.count(Severity::Error);
    let things = if errors == 1 { "this error".to_owned() } else { format!("these {errors} errors") };
    writeln!(err, "failed to load the configuration: mend {things}, then check with quarterdeck lint")
}

/// The first error with its place, and how many more there are.
pub fn in_one_line(found: &Problems) -> String {
    let mut errors = found.0.iter().filter(|p| p.severity == Severity::Error);
    let first =
        errors.next().map_or_else(String::new, |p| if has_excerpt(p) { p.line() } else { plain(p, false) });
    let more = errors.count() + found.1;
    if more == 0 { first } else { format!("{first}; and {more} more") }
}

/// Whether there is a text to show: neither a flag, which the person sees before them, nor a file
/// that could not be read has one.
fn has_excerpt(problem: &Problem) -> bool {
    let source = &problem.source;
    let is_unread = source.text.is_empty() && problem.message.contains(&source.name);
    !source.name.starts_with("--") && !is_unread
}

/// `error: message (help)`.
fn plain(problem: &Problem, color: bool) -> String {
    let (word, style) = match problem.severity {
        Severity::Error => ("error", "\x1b[1m\x1b[91m"),
        Severity::Warning => ("warning", "\x1b[1m\x1b[33m"),
    };
    let help = problem.help.as_ref().map(|h| format!(" ({h})")).unwrap_or_default();
    let text = one_line(&format!("{}{help}", problem.message), 800);
    if color { format!("{style}{word}\x1b[0m: {text}") } else { format!("{word}: {text}") }
}
