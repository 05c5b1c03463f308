//! What to type when nothing has been set up: one screen, no more.

use crate::stack::builtin;
use std::io::{self, Write};

/// The text; at most 76 columns and 22 rows, so that it fits any terminal.
pub fn text() -> String {
    let stacks: Vec<&str> = builtin::all().iter().map(|b| b.name).collect();
    let first = stacks.first().copied().unwrap_or("FILE.toml");
    format!(
        "There is no config yet, so there is nothing to watch.

  Look around, on a stack that comes along and can be broken on purpose:
    quarterdeck demo

  Watch this machine, with everything at its usual address:
    quarterdeck --stack {first}

  Write a config to change addresses, reach other hosts, name secrets:
    quarterdeck init --stack {first}
    quarterdeck lint
    quarterdeck

  One pass for scripts and monitoring; the exit code is the health:
    quarterdeck check --stack {first}

Stacks that are built in: {}
Any other is a file: --stack ./FILE.toml
A config is looked for in $QUARTERDECK_CONFIG,
~/.config/quarterdeck/config.toml and /etc/quarterdeck/config.toml.
More: quarterdeck --help
",
        stacks.join(", ")
    )
}

pub fn print(out: &mut dyn Write) -> io::Result<()> {
    out.write_all(text().as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_fits_a_small_terminal() {
        let text = text();
        assert!(text.lines().count() <= 22, "{text}");
        assert!(text.lines().all(|l| l.chars().count() <= 76), "{text}");
    }
}
