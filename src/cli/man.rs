//! `quarterdeck man`: the man page, with every subcommand in it.

use clap::Command;
use clap_mangen::Man;
use std::io::{self, Write};

/// Writes the page for `command` in roff: `quarterdeck man | man -l -`.
pub fn run(mut command: Command, out: &mut dyn Write) -> io::Result<()> {
    command.build();
    Man::new(command.clone()).render(out)?;
    for sub in command.get_subcommands().filter(|s| !s.is_hide_set() && s.get_name() != "help") {
        // One page for all: each subcommand follows as a section, without its own header.
        let title = format!("{} {}", command.get_name(), sub.get_name());
        writeln!(out, ".SH \"{}\"", title.to_uppercase())?;
        let page = Man::new(sub.clone());
        page.render_description_section(out)?;
        if sub.get_arguments().any(|a| !a.is_global_set() && !a.is_hide_set()) {
            page.render_options_section(out)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_holds_the_subcommands_with_their_options() {
        let strict = clap::Arg::new("strict").long("strict").action(clap::ArgAction::SetTrue);
        let lint = Command::new("lint").about("checks files").arg(strict);
        let mut out = Vec::new();
        run(Command::new("quarterdeck").about("a").subcommand(lint), &mut out).unwrap();
        let page = String::from_utf8(out).unwrap();
        for part in [".TH quarterdeck", ".SH \"QUARTERDECK LINT\"", "checks files", "strict"] {
            assert!(page.contains(part), "{part} is not in\n{page}");
        }
    }
}
