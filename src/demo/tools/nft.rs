//! `nft`: commands and scripts for the packet filter of the demo's host.

use super::Outcome;
use crate::demo::model::Model;
use crate::demo::nft::How;

/// `stdin` is the script of `nft -f -`.
pub fn run(m: &mut Model, args: &[String], stdin: Option<&str>) -> Outcome {
    let (mut how, mut words, mut script) = (How::default(), Vec::new(), None);
    let mut rest = args.iter();
    while let Some(arg) = rest.next() {
        // Options come before the command; after it, `-` may be a part of it.
        if !words.is_empty() || !arg.starts_with('-') {
            words.push(arg.as_str());
            continue;
        }
        match arg.as_str() {
            "-v" | "--version" => return Outcome::out("nftables v1.0.6 (Lester Gooch #5)\n"),
            "-f" | "--file" => script = Some(rest.next().cloned().unwrap_or_default()),
            "--json" => how.json = true,
            "--handle" => how.handles = true,
            "--stateless" => how.stateless = true,
            "--check" => how.only_check = true,
            "--numeric" | "--echo" | "--numeric-time" | "--numeric-priority" => {}
            short if !short.starts_with("--") && short.len() > 1 => {
                for c in short.chars().skip(1) {
                    match c {
                        'j' => how.json = true,
                        'a' => how.handles = true,
                        's' => how.stateless = true,
                        'c' => how.only_check = true,
                        'n' | 'e' | 'y' | 't' | 'T' => {}
                        'f' => script = Some(rest.next().cloned().unwrap_or_default()),
                        _ => return unknown(short),
                    }
                }
            }
            other => return unknown(other),
        }
    }
    let text = match (script, stdin) {
        (Some(_), Some(text)) => text.to_owned(),
        (Some(file), None) => {
            let shown: String = file.chars().filter(|c| !c.is_control()).take(60).collect();
            return Outcome::fail(
                1,
                format!("Error: the demo's nft reads scripts from - only, not from {shown}\n"),
            );
        }
        (None, _) => words.join(" "),
    };
    let now = m.now;
    match m.filter.run(&text, now, how) {
        Ok(out) => Outcome::out(out),
        Err(why) => Outcome::fail(1, format!("Error: {why}\n")),
    }
}

fn unknown(option: &str) -> Outcome {
    let shown: String = option.chars().filter(|c| !c.is_control()).take(60).collect();
    Outcome::fail(1, format!("nft: unrecognized option '{shown}'\n"))
}
