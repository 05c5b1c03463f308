//! `quarterdeck completions`: what a shell needs to complete the command line.

use clap_complete::Shell;
use std::io::{self, Write};

/// Writes the completions of `command` for a shell.
pub fn run(shell: Shell, mut command: clap::Command, out: &mut dyn Write) -> io::Result<()> {
    // Made in memory first: the generator panics where it cannot write.
    let mut text = Vec::new();
    let name = command.get_name().to_owned();
    clap_complete::generate(shell, &mut command, name, &mut text);
    out.write_all(&text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::ValueEnum;

    #[test]
    fn every_shell_learns_the_subcommands() {
        for shell in Shell::value_variants() {
            let command = clap::Command::new("quarterdeck").subcommand(clap::Command::new("wallboard"));
            let mut out = Vec::new();
            run(*shell, command, &mut out).unwrap();
            assert!(String::from_utf8(out).unwrap().contains("wallboard"), "{shell}");
        }
    }
}
