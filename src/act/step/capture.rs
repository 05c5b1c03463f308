//! Captures evidence: something long, kept up to a bound with its hash, under its own name only
//! once it is all there.

use super::{Answer, Left, Setting, Stop, Target, http, program};
use crate::act::output::{EVIDENCE, Sink, folder_of};
use crate::act::place;
use crate::act::process::{self, Output, Program};
use crate::domain::procedure::action::describe::local::{journal_export, since};
use crate::domain::procedure::action::kinds::{Capture, CaptureFrom, Http};
use crate::domain::procedure::event::{Captured, Effected};
use crate::domain::units;
use crate::transport::fetch::Way;
use std::path::Path;

/// The largest answer to a request that is captured, in bytes: it is held in memory.
const MAX_ANSWER: u64 = 16 << 20;
/// Ends the name of what is not all there.
const PART: &str = ".part";

/// The argv that prints it; `None` for a request.
fn argv(a: &Capture, s: &Setting<'_>) -> Result<Option<Vec<String>>, String> {
    let argv: Vec<String> = match &a.from {
        CaptureFrom::Command(argv) => argv.clone(),
        CaptureFrom::Journal { units, since: span } => journal_export(units, &since(*span)),
        CaptureFrom::File(path) => ["cat", "--", path].map(str::to_owned).into(),
        CaptureFrom::Http(_) => return Ok(None),
    };
    argv.iter().map(|word| place::plain(word, s)).collect::<Result<_, _>>().map(Some)
}

pub async fn target(a: &Capture, s: &Setting<'_>) -> Target {
    let target = match (&a.from, argv(a, s)) {
        (_, Err(why)) => return Target::unpinned().but_impossible(why),
        (CaptureFrom::Http(request), _) => return http::target(request, s).await,
        (_, Ok(argv)) => program::runnable(&argv.unwrap_or_default(), s, Target::unpinned()).await,
    };
    match &a.from {
        CaptureFrom::File(path) if target.impossible.is_none() && !s.sudo => {
            let found = s.transport.stat(path).await;
            match found {
                Ok(_) => target,
                Err(e) => target.but_impossible(format!("{path}: {e}")),
            }
        }
        _ => target,
    }
}

pub async fn perform(a: &Capture, s: &Setting<'_>, stop: &Stop) -> Left {
    let name = format!("{}{PART}", a.name);
    let (sink, argv) = match (Sink::evidence(s, &name, a.max), argv(a, s)) {
        (Ok(sink), Ok(argv)) => (sink, argv),
        (Err(why), _) | (_, Err(why)) => return Left::failed(why),
    };
    let mut left = match (&a.from, argv) {
        (CaptureFrom::Http(request), _) => of_http(request, a.max, sink, s, stop).await,
        (_, argv) => of_program(argv.unwrap_or_default(), sink, s, stop).await,
    };
    let Some(captured) = &mut left.output else { return left };
    let cut = captured.dropped > 0;
    if cut && a.whole && matches!(left.result, Effected::Done { .. }) {
        left.result = Effected::Failed { why: format!("it is longer than {}", units::bytes(a.max as f64)) };
    }
    // A file without a byte proves nothing: the program ran somewhere else, or saw nothing.
    if captured.bytes == 0 && !a.may_be_empty && matches!(left.result, Effected::Done { .. }) {
        left.result = Effected::Failed { why: "it is empty: there was nothing to keep".to_owned() };
    }
    if let Effected::Done { says } = &mut left.result {
        match take_name(s.dir, captured) {
            Ok(()) => {
                let cut = if cut {
                    format!(", CUT: {} more were not kept", units::bytes(captured.dropped as f64))
                } else {
                    String::new()
                };
                *says = format!("{}, {}{cut}", captured.file, units::bytes(captured.bytes as f64));
            }
            Err(why) => left.result = Effected::Failed { why: format!("cannot name the evidence: {why}") },
        }
    }
    left
}

/// What is all there loses the mark of what is not; never over another file.
fn take_name(dir: &Path, captured: &mut Captured) -> Result<(), String> {
    use rustix::fs::{CWD, RenameFlags, renameat_with};
    let part = captured.file.clone();
    let whole = part.strip_suffix(PART).unwrap_or(&part).to_owned();
    let (stem, end) = whole.rsplit_once('.').filter(|(s, _)| !s.ends_with('/')).unwrap_or((&whole, ""));
    for n in 1..=99 {
        let name = match (n, end) {
            (1, _) => whole.clone(),
            (_, "") => format!("{stem}-{n}"),
            _ => format!("{stem}-{n}.{end}"),
        };
        match renameat_with(CWD, dir.join(&part), CWD, dir.join(&name), RenameFlags::NOREPLACE) {
            Ok(()) => {
                captured.file = name;
                // The name is on disk before it is journalled.
                let folder = Path::new(&part).parent().unwrap_or(Path::new(EVIDENCE));
                let folder = std::fs::File::open(dir.join(folder)).map_err(|e| e.to_string())?;
                return folder.sync_all().map_err(|e| e.to_string());
            }
            Err(rustix::io::Errno::EXIST) => {}
            Err(e) => return Err(e.to_string()),
        }
    }
    Err("there are 99 of that name".to_owned())
}

async fn of_program(argv: Vec<String>, sink: Sink, s: &Setting<'_>, stop: &Stop) -> Left {
    let ended = match process::run(Program::new(argv), s, Output::Out(sink), stop).await {
        Ok(ended) => ended,
        Err(why) if stop.is_stopped() => return Left::killed(why),
        Err(why) => return Left::failed(why),
    };
    let trouble = ended.kept.trouble.clone();
    let mut left = ended.into_left(&[0]);
    // Evidence that is not there is none.
    if let (Some(why), Effected::Done { .. }) = (trouble, &left.result) {
        left.result = Effected::Failed { why };
    }
    left
}

async fn of_http(request: &Http, max: u64, mut sink: Sink, s: &Setting<'_>, stop: &Stop) -> Left {
    let expect = match http::expected(request) {
        Ok(expect) => expect,
        Err(why) => return Left::failed(format!("nothing was sent: {why}")),
    };
    let way = Way::new(s.transport, s.access, s.clock, s.host);
    let max = usize::try_from(max.min(MAX_ANSWER)).unwrap_or(usize::MAX);
    let start = s.clock.now();
    let got = tokio::select! {
        got = http::answer(request, s, &way, max) => got,
        () = stop.stopped() => return Left::killed("it was told to stop before the answer was there"),
    };
    let got = match got {
        Ok(got) => got,
        Err(why) => return Left::failed(why),
    };
    let judged = http::judge(&expect, &got, s.clock.now().since(start));
    // A session that was only opened for this may be echoed by it.
    sink.relearn(s.access, got.secrets());
    sink.push(&got.reply.body);
    let kept = sink.finish().await;
    let result = match (kept.trouble, judged) {
        (Some(why), _) | (None, Err(why)) => Effected::Failed { why },
        (None, Ok(_)) => Effected::Done { says: String::new() },
    };
    Left { result, output: Some(kept.captured), spared: false }
}

#[expect(clippy::unused_async, reason = "as all kinds are asked")]
pub async fn ask(a: &Capture, _: &str, s: &Setting<'_>) -> Answer {
    // One that was complete may not have been journalled; taking it again writes over nothing.
    if s.dir.join(folder_of(s.dir, EVIDENCE)).join(&a.name).exists() {
        return Answer::did_not("it was taken, but its hash is in no journal; it can be taken again");
    }
    Answer::did_not("it is not there; it can be taken again")
}
