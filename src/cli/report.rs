//! Problems on a terminal or in a pipe: excerpts with colour only where a person sees it.

use crate::stack::diag::{Problems, Severity};
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

/// Shows every problem with an excerpt of its file.
pub fn problems(problems: &Problems, color: bool, err: &mut dyn Write) -> io::Result<()> {
    let mut ordered = problems.clone();
    ordered.sort();
    err.write_all(ordered.render(color).as_bytes())
}

/// As [`problems`], with the sentence that ends a program: for every command but `lint`.
pub fn refusal(found: &Problems, color: bool, err: &mut dyn Write) -> io::Result<()> {
    problems(found, color, err)?;
    let errors = found.count(Severity::Error);
    let things = if errors == 1 { "this error".to_owned() } else { format!("these {errors} errors") };
    writeln!(err, "failed to load the configuration: mend {things}, then check with quarterdeck lint")
}
