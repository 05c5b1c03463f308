//! `redis-cli`: one command, a scan, or commands from its standard input, against the demo's Redis.

use std::fmt::Write as _;

use super::Outcome;
use crate::demo::model::Door;
use crate::demo::redis_commands;
use crate::demo::resp::{Client, Reply};
use crate::demo::shared::DemoHandle;

/// What was asked for on the command line.
#[derive(Debug, Default, PartialEq, Eq)]
struct Call<'a> {
    csv: bool,
    scan: bool,
    pattern: Option<&'a str>,
    db: u32,
    command: &'a [String],
}

impl<'a> Call<'a> {
    fn parse(args: &'a [String]) -> Result<Self, String> {
        let mut call = Self::default();
        let mut rest = args;
        while let Some((first, more)) = rest.split_first().filter(|(first, _)| first.starts_with('-')) {
            rest = more;
            match first.as_str() {
                "--csv" => call.csv = true,
                "--scan" => call.scan = true,
                "--raw" | "-e" | "--no-auth-warning" => {}
                "-u" | "-h" | "-p" | "-n" | "--pattern" => {
                    let Some((value, more)) = rest.split_first() else {
                        return Err(format!("{first} needs a value"));
                    };
                    rest = more;
                    match first.as_str() {
                        "--pattern" => call.pattern = Some(value),
                        "-n" => call.db = value.parse().map_err(|_| "the database is a number")?,
                        "-u" if !value.starts_with("redis://") => return Err("Invalid URI scheme".into()),
                        // There is one Redis here, whatever it is called.
                        _ => {}
                    }
                }
                other => return Err(format!("Unrecognized option or bad number of args for: '{other}'")),
            }
        }
        call.command = rest;
        Ok(call)
    }
}

/// Whether it takes its commands from its standard input, as without one on the command line.
pub fn reads_input(args: &[String]) -> bool {
    Call::parse(args).is_ok_and(|call| !call.scan && call.command.is_empty())
}

pub fn run(demo: &DemoHandle, args: &[String], stdin: Option<&str>) -> Outcome {
    let call = match Call::parse(args) {
        Ok(call) => call,
        Err(why) => return Outcome::fail(1, format!("{}\n", why.escape_debug())),
    };
    if !demo.with(|m| m.is_open(Door::Redis)) {
        return Outcome::fail(1, "Could not connect to Redis: Connection refused\n");
    }
    let mut client = Client { version: 2, db: call.db, quit: false };
    if call.scan {
        let all = ["SCAN", "0", "MATCH", call.pattern.unwrap_or("*")].map(str::to_owned);
        let reply = redis_commands::run(demo, &mut client, &all);
        let Reply::Array(parts) = &reply else { return Outcome::fail(1, shown(&reply, false)) };
        return Outcome::out(parts.get(1).map_or_else(String::new, |keys| shown(keys, false)));
    }
    if !call.command.is_empty() {
        return Outcome::out(shown(&redis_commands::run(demo, &mut client, call.command), call.csv));
    }
    let mut out = String::new();
    for line in stdin.unwrap_or_default().lines() {
        match words(line) {
            Some(words) if words.is_empty() => {}
            Some(words) => out.push_str(&shown(&redis_commands::run(demo, &mut client, &words), call.csv)),
            None => out.push_str("Invalid argument(s)\n"),
        }
    }
    Outcome::out(out)
}

/// The words of a line, some in double quotes; `None` when a quote is not closed.
fn words(line: &str) -> Option<Vec<String>> {
    let mut out = Vec::new();
    let mut chars = line.chars().peekable();
    loop {
        while chars.next_if(|c| c.is_whitespace()).is_some() {}
        let Some(first) = chars.peek() else { return Some(out) };
        let mut word = String::new();
        if *first == '"' {
            chars.next();
            loop {
                match chars.next()? {
                    '"' => break,
                    '\\' => word.push(chars.next()?),
                    c => word.push(c),
                }
            }
        } else {
            while let Some(c) = chars.next_if(|c| !c.is_whitespace()) {
                word.push(c);
            }
        }
        out.push(word);
    }
}

/// A reply with its newline, raw or as CSV.
fn shown(reply: &Reply, csv: bool) -> String {
    let mut out = String::new();
    write(reply, csv, &mut out);
    if !out.ends_with('\n') {
        out.push('\n');
    }
    out
}

fn write(reply: &Reply, csv: bool, out: &mut String) {
    let text = |text: &str, out: &mut String| {
        if csv {
            let _ = write!(out, "\"{}\"", text.escape_default());
        } else {
            out.push_str(text);
        }
    };
    let between = if csv { "," } else { "\n" };
    match reply {
        Reply::Simple(s) => text(s, out),
        Reply::Bulk(s) => text(s, out),
        Reply::Error(why) => {
            out.push_str(if csv { "ERROR," } else { "" });
            text(why, out);
        }
        Reply::Int(n) => {
            let _ = write!(out, "{n}");
        }
        Reply::Null => out.push_str(if csv { "NULL" } else { "" }),
        Reply::Array(items) => {
            for (i, item) in items.iter().enumerate() {
                out.push_str(if i == 0 { "" } else { between });
                write(item, csv, out);
            }
        }
        Reply::Map(pairs) => {
            for (i, (key, value)) in pairs.iter().enumerate() {
                out.push_str(if i == 0 { "" } else { between });
                text(key, out);
                out.push_str(between);
                write(value, csv, out);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(line: &str) -> Vec<String> {
        line.split(' ').map(str::to_owned).collect()
    }

    #[test]
    fn only_without_a_command_is_the_input_read() {
        for (line, reads) in [
            ("-u redis://127.0.0.1:6379", true),
            ("-u redis://127.0.0.1:6379 --csv", true),
            ("-u redis://127.0.0.1:6379 --scan", false),
            ("-h localhost -p 6379 PING", false),
            ("-u http://x", false),
            ("-u", false),
        ] {
            assert_eq!(reads_input(&args(line)), reads, "{line}");
        }
    }

    #[test]
    fn words_and_replies_are_quoted_as_the_real_one_does() {
        assert_eq!(words(r#"GET "a \"b\" \\" c"#), Some(vec!["GET".into(), r#"a "b" \"#.into(), "c".into()]));
        assert_eq!(words(r#"GET "a"#), None);
        assert_eq!(words("  "), Some(Vec::new()));
        let map = Reply::Map(vec![("a".into(), Reply::Bulk("x\ny\"".into())), ("b".into(), Reply::Null)]);
        assert_eq!(shown(&map, true), "\"a\",\"x\\ny\\\"\",\"b\",NULL\n");
        assert_eq!(shown(&map, false), "a\nx\ny\"\nb\n");
        assert_eq!(shown(&Reply::Int(-1), true), "-1\n");
        assert_eq!(shown(&Reply::Error("ERR no".into()), true), "ERROR,\"ERR no\"\n");
    }
}
