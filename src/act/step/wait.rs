//! `uses = "wait"`: looks until something is so, often enough in a row, or the time is over.

use super::{Answer, Left, Setting, Stop, Target};
use crate::act::output::Sink;
use crate::domain::procedure::action::kinds::Wait;
use crate::domain::procedure::check::Check;
use crate::domain::procedure::plan::Certainty;
use crate::domain::units;

/// How it stands now. It is no pin: it is meant to change; and what is so already is not worth a word.
pub async fn target(a: &Wait, s: &Setting<'_>) -> Target {
    let now = s.sight.check(&a.until.what).await;
    let mut target = Target { certainty: Certainty::Probed, ..Target::unpinned() };
    if !now.holds {
        target.warnings.push(format!(
            "not so yet, waits for at most {}: {}",
            units::exact(a.until.within),
            now.says
        ));
    }
    target
}

/// Ends well after enough good looks in a row, each begun after the one before. What is seen is
/// its output, a line whenever it differs from the one before: who waits wants to see it move.
pub async fn perform(a: &Wait, s: &Setting<'_>, stop: &Stop) -> Left {
    let check = &a.until;
    let needed = check.good.max(1);
    let start = s.clock.now();
    let mut sink = Sink::of_step(s).ok();
    let (mut streak, mut said, mut last) = (0, String::new(), "nothing was seen yet".to_owned());
    let work = async {
        loop {
            let seen = s.sight.check(&check.what).await;
            streak = if seen.holds { streak + 1 } else { 0 };
            let line = format!("{streak} of {needed} good: {}", news(check, &seen.says));
            if line != said {
                if let Some(sink) = &mut sink {
                    let at = s.clock.now().wall.strftime("%H:%M:%SZ").to_string();
                    sink.push(format!("{at} {line}\n").as_bytes());
                }
                said = line;
            }
            last = seen.says;
            if streak >= needed {
                return;
            }
            tokio::time::sleep(check.every).await;
        }
    };
    let ended = tokio::select! {
        biased;
        () = stop.stopped() => None,
        within = tokio::time::timeout(check.within, work) => Some(within.is_ok()),
    };
    let output = match sink {
        Some(sink) => Some(sink.finish().await.captured),
        None => None,
    };
    let took = units::exact(std::time::Duration::from_secs(s.clock.now().since(start).as_secs()));
    let left = match ended {
        Some(true) => Left::done(format!("so after {took}, seen {needed} times in a row: {last}")),
        Some(false) => Left::failed(format!(
            "not so within {} ({streak} of {needed} good): {last}",
            units::exact(check.within)
        )),
        None => Left::killed(format!("{last}; ended while waiting, after {took}")),
    };
    left.with(output)
}

/// What is seen without what is looked at, where that is one thing and so known.
fn news<'a>(check: &Check, says: &'a str) -> &'a str {
    match (check.what.probes.as_slice(), check.what.exprs.as_slice()) {
        ([], [expr]) => {
            says.strip_prefix(expr.as_str()).map_or(says, |rest| rest.trim_start_matches([':', ' ']))
        }
        _ => says,
    }
}

/// Waiting changes nothing.
pub fn ask() -> Answer {
    Answer::did_not("waiting leaves nothing behind: it begins anew")
}
