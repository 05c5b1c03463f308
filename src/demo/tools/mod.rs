//! The demo's end of the tools: reads an argv from the tool socket, runs it against the model.

mod df;
mod journalctl;
mod nft;
mod nginx;
pub(super) mod redis_cli;
mod systemctl;
mod wg;

use serde_json::json;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::UnixStream;

use super::shared::DemoHandle;

/// Longest argv line, and most arguments.
const ARGV: u64 = 64 * 1024;
const ARGUMENTS: usize = 256;

/// What a tool prints and how it ends.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    pub out: String,
    pub err: String,
    pub code: u8,
}

impl Outcome {
    pub fn out(text: impl Into<String>) -> Self {
        Self { out: text.into(), ..Self::default() }
    }

    pub fn fail(code: u8, err: impl Into<String>) -> Self {
        Self { err: err.into(), code, ..Self::default() }
    }
}

pub async fn serve(demo: DemoHandle, mut stream: UnixStream) {
    let (read, mut write) = stream.split();
    let mut line = Vec::new();
    let mut read = BufReader::new(read);
    if (&mut read).take(ARGV).read_until(b'\n', &mut line).await.is_err() {
        return;
    }
    let argv: Vec<String> = serde_json::from_slice(&line).unwrap_or_default();
    if argv.len() > ARGUMENTS {
        return;
    }
    let Some((tool, args)) = argv.split_first() else { return };
    let follow = tool == "journalctl" && journalctl::follows(args);
    let (outcome, mut seen) = if tool == "journalctl" {
        demo.with(|m| journalctl::run(m, args, None))
    } else {
        // A script follows the call, as one line of JSON.
        let mut script = Vec::new();
        if super::tool::takes_script(&argv) {
            // Quoting makes a text longer, seldom more than twofold.
            let most = 2 * super::tool::STDIN;
            if (&mut read).take(most).read_until(b'\n', &mut script).await.is_err() {
                return;
            }
        }
        let script: Option<String> = serde_json::from_slice(&script).ok();
        (run(&demo, tool, args, script.as_deref()).await, 0)
    };
    if follow && outcome.code == 0 {
        let mut fresh = outcome;
        loop {
            if !fresh.out.is_empty() && frame(&mut write, &json!({ "out": fresh.out })).await.is_err() {
                return;
            }
            // A reader that has gone away closes its end; do not poll the journal for nobody.
            let mut byte = [0];
            tokio::select! {
                _ = read.read(&mut byte) => return,
                () = tokio::time::sleep(std::time::Duration::from_secs(1)) => {}
            }
            (fresh, seen) = demo.with(|m| journalctl::run(m, args, Some(seen)));
        }
    }
    let reply = json!({"out": outcome.out, "err": outcome.err, "exit": outcome.code});
    let _ = frame(&mut write, &reply).await;
}

async fn frame(
    write: &mut (impl tokio::io::AsyncWrite + Unpin),
    value: &serde_json::Value,
) -> std::io::Result<()> {
    let mut line = value.to_string();
    line.push('\n');
    write.write_all(line.as_bytes()).await
}

async fn run(demo: &DemoHandle, tool: &str, args: &[String], stdin: Option<&str>) -> Outcome {
    match tool {
        "systemctl" => systemctl::run(demo, args).await,
        "wg" => demo.with(|m| wg::run(m, args)),
        "df" => demo.with(|m| df::run(m, args)),
        "nft" => demo.with(|m| nft::run(m, args, stdin)),
        "nginx" => nginx::run(demo.dir(), args),
        "redis-cli" => redis_cli::run(demo, args, stdin),
        _ => Outcome::fail(127, format!("{}: not a tool of the demo\n", tool.escape_debug())),
    }
}

#[cfg(test)]
mod tests;
