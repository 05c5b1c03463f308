//! A step that prints as fast as it can, and the dashboard that shows it: key to screen, and the
//! memory of the dashboard and of the runner, before and meanwhile.
//! `cargo bench --bench flood`; it writes up to 700 MB below `target/`, and removes them.

mod place;
#[path = "../tests/harness/pty.rs"]
mod pty;

use place::{Done, PROGRAM, Place, SMALL, pause, say};
use pty::{Launch, Pty};
use quarterdeck::act::control;
use quarterdeck::clock::Clock;
use quarterdeck::domain::procedure::event::Choice;
use quarterdeck::domain::procedure::request::{Reply, Request};
use std::path::PathBuf;
use std::time::Duration;

/// Ten times 100 MiB, one step after the other, so that there is time for enough keys. It waits for
/// a person first.
const PROCEDURE: &str = "
[[procedures]]
id = 'bench'
name = 'Ten floods'
lock = 'bench'
deadline = '10m'
[[procedures.steps]]
id = 'ready'
name = 'Begin'
uses = 'exec'
with = { argv = ['true'] }
effect = 'change'
hold = 'the keys are counted first'
verify = { probes = ['bench'], within = '10s' }
[[procedures.steps]]
id = 'each'
uses = 'for_each'
with = { items = ['1', '2', '3', '4', '5', '6', '7', '8', '9', '10'] }
[[procedures.steps.steps]]
id = 'flood'
name = 'Print 100 MiB'
uses = 'shell'
with = { script = 'yes \"a line of a log, as long as lines of logs are, and no longer than that\" | head -c 104857600 || true' }
effect = 'change'
timeout = '2m'
verify = { probes = ['bench'], within = '10s' }
";
/// Between two keys.
const BETWEEN: Duration = Duration::from_millis(50);
/// Keys before the flood.
const QUIET: usize = 100;

/// Goes back and forth between two screens, and takes the time until the other one is there.
fn key(pty: &Pty, clock: &dyn Clock, there: &mut bool) -> Duration {
    let (key, text) = if *there { ("1", "probe is up") } else { ("4", "Ten floods") };
    *there = !*there;
    let began = clock.now();
    pty.send(key);
    pty.wait(text, |screen| heading(screen, text).then_some(()));
    let took = clock.now().since(began);
    pause(BETWEEN.saturating_sub(took));
    took
}

/// Whether one of the first rows has the text.
fn heading(screen: &vt100::Screen, text: &str) -> bool {
    let columns = screen.size().1.get();
    screen.rows(0, columns).take(4).any(|row| row.contains(text))
}

/// A line of `/proc/PID/status`, in KiB.
fn memory(pid: u32, name: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|l| l.strip_prefix(name)?.strip_prefix(':'));
    line.and_then(|l| l.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}

fn mib(kib: u64) -> f64 {
    kib as f64 / 1024.0
}

fn main() -> Done<()> {
    let below = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    let place = Place::new(&below, SMALL, "files", PROCEDURE)?;
    let clock = &*place.clock;
    let (id, _) = place.start()?;
    let runner = control::load(&place.state, id.as_str())?.run.runner;
    let args = place.launch.args.iter();
    let pty = Launch::new(PROGRAM).args(args).env("HOME", "/nonexistent").size(120, 40).start();
    pty.wait_for("probe is up");
    pty.send("4");
    pty.wait_for("runs that have not ended");
    pty.send("\r");
    pty.wait_for("the keys are counted first");
    let (dashboard, mut there) = (pty.pid().as_raw_nonzero().get().unsigned_abs(), true);
    let before: Vec<Duration> = (0..QUIET).map(|_| key(&pty, clock, &mut there)).collect();
    // From here on the peak is that of the flood.
    std::fs::write(format!("/proc/{dashboard}/clear_refs"), "5")?;
    std::fs::write(format!("/proc/{runner}/clear_refs"), "5")?;
    let rss = [dashboard, runner].map(|pid| memory(pid, "VmRSS"));
    let hold = control::load(&place.state, id.as_str())?.run.hold.map(|h| h.n);
    let go_on = Request::Release { step: "ready".into(), hold, choice: Choice::GoOn, note: None };
    let released = clock.now();
    match control::send(&place.state, id.as_str(), &go_on)? {
        Reply::Taken => {}
        Reply::Refused { why } => return Err(why.into()),
    }
    let (mut during, mut most) = (Vec::new(), [0, 0]);
    while control::load(&place.state, id.as_str())?.alive {
        during.push(key(&pty, clock, &mut there));
        for (most, pid) in most.iter_mut().zip([dashboard, runner]) {
            *most = memory(pid, "VmHWM").max(*most);
        }
    }
    let took = clock.now().since(released);
    let ended = control::load(&place.state, id.as_str())?.run.ended.map(|e| e.outcome);
    println!("ten steps of 100 MiB each in {:.1} s ({ended:?}), {} keys", took.as_secs_f64(), during.len());
    say("key to screen before", before);
    say("key to screen meanwhile", during);
    for ((what, before), most) in ["dashboard", "runner"].iter().zip(rss).zip(most) {
        let (before, most) = (mib(before), mib(most));
        println!("  {what}: {before:.1} MiB before, {most:.1} at its peak, {:.1} more", most - before);
    }
    Ok(())
}
