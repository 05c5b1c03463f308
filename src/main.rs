//! Parses the command line, installs hooks, hands over.

use clap::Parser;
use quarterdeck::cli;
use std::process::ExitCode;

fn main() -> ExitCode {
    // The demo puts links to this program where its stack's own tools would be (systemctl, wg);
    // a call by such a name is answered before anything else is set up, since it must be cheap.
    let mut words = std::env::args_os();
    if let Some(code) = words.next().and_then(|name| quarterdeck::demo::tool::dispatch(&name, words)) {
        return code;
    }
    let args = cli::args::Cli::parse();
    cli::run(args)
}
