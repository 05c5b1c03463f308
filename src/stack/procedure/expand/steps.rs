//! One step of a plan, made of a step of the file and the values that fill it.

use super::super::fill::{Lang, fill};
use super::super::params::Values;
use super::super::spec::{Late, LateOf, Step};
use super::super::{sound, texts};
use super::{Became, Scope};
use crate::domain::id::{HostId, StepId};
use crate::domain::procedure::action::Action;
use crate::domain::procedure::action::kinds::{Alertmanager, CaptureFrom};
use crate::domain::procedure::check::Check;
use crate::domain::procedure::level::Level;
use crate::domain::procedure::plan::{self, Certainty, Owe};
use crate::domain::{text, units};
use std::time::Duration;

/// Beyond a wait's own `within`, as when the file is read.
const BEYOND_WAIT: Duration = Duration::from_secs(30);

/// Fills in everything that a step says.
///
/// # Errors
/// Everything that cannot be filled in, or means nothing then.
pub(super) fn resolve(
    step: &Step,
    action: &Action,
    scope: &Scope<'_>,
    first_host: &HostId,
    became: &Became,
) -> Result<plan::Step, Vec<String>> {
    let mut fill = Filling { values: scope.values, wrong: Vec::new() };
    let mut action = fill.action(action);
    let mut verify = step.verify.as_ref().map(|c| fill.check(c));
    let mut unless = step.unless.as_ref().map(|c| fill.check(c));
    let mut timeout = step.timeout;
    for late in &step.late {
        let Some(span) = fill.span(late) else { continue };
        place(late.of, span, (&mut action, &mut timeout, &mut verify, &mut unless));
        if late.of == LateOf::Wait && !step.late.iter().any(|l| l.of == LateOf::Timeout) {
            timeout = timeout.max(span + BEYOND_WAIT);
        }
    }
    if fill.wrong.is_empty() {
        fill.wrong.extend(sound::action(&action).into_iter().map(|w| w.message));
    }
    if let Action::Alertmanager(Alertmanager::Expire { step }) = &mut action {
        // In the plan, the step that made the silence has another name.
        if let Some(made) = became.get(step.as_str()).and_then(|all| all.last()) {
            made.as_str().clone_into(step);
        }
    }
    let rollback = step.rollback.as_ref().map(|r| {
        let undo = fill.action(&r.action);
        fill.wrong.extend(sound::action(&undo).into_iter().map(|w| w.message));
        let verify = r.verify.as_ref().map(|c| fill.check(c));
        let preview = undo.describe_undoing(&action, step.sudo);
        plan::Rollback { action: undo, timeout: r.timeout, verify, preview }
    });
    let owes = step.owes.as_ref().map(|o| Owe { says: fill.words(&o.says), ..o.clone() });
    let (name, hold) = (fill.words(&step.name), step.hold.as_ref().map(|h| fill.words(h)));
    let host = step.host.as_ref().or(scope.host).unwrap_or(first_host).clone();
    let after = step.after.iter().filter_map(|id| became.get(id)).flatten().cloned().collect();
    if !fill.wrong.is_empty() {
        return Err(fill.wrong);
    }
    Ok(plan::Step {
        id: StepId::new(&format!("{}{}", scope.prefix, step.id)),
        origin: format!("{}.{}", scope.procedure.id, step.id),
        name,
        host,
        layer: step.layer.clone(),
        sudo: step.sudo,
        effect: step.effect,
        idempotent: step.idempotent,
        timeout,
        on_timeout: step.on_timeout,
        on_failure: step.on_failure,
        verify,
        rollback,
        hold,
        point_of_no_return: step.point_of_no_return,
        unless,
        after,
        owes,
        settles: step.settles.clone(),
        round: scope.round.cloned(),
        level: Level::L0,
        certainty: Certainty::Unknown,
        preview: action.describe(step.sudo),
        action,
    })
}

/// Why a step cannot have the time that parameters give it: the run ends before. What the file itself
/// says wrong, `lint` tells.
pub(super) fn beyond(step: &Step, made: &plan::Step, deadline: Duration) -> Option<String> {
    let given = |late: &Late| matches!(late.of, LateOf::Timeout | LateOf::Wait | LateOf::Verify);
    let longest = plan::longest(&made.action, made.timeout, made.verify.as_ref());
    (longest > deadline && step.late.iter().any(given)).then(|| {
        let (longest, deadline) = (units::exact(longest), units::exact(deadline));
        format!("it may take {longest}, and the run ends after {deadline}: its deadline")
    })
}

type Durations<'s> = (&'s mut Action, &'s mut Duration, &'s mut Option<Check>, &'s mut Option<Check>);

/// Puts a duration where it belongs.
fn place(of: LateOf, span: Duration, (action, timeout, verify, unless): Durations<'_>) {
    let within = |check: &mut Option<Check>| {
        if let Some(check) = check {
            check.within = span;
        }
    };
    match (of, action) {
        (LateOf::Timeout, _) => *timeout = span,
        (LateOf::Verify, _) => within(verify),
        (LateOf::Unless, _) => within(unless),
        (LateOf::Expires, Action::Firewall(f)) => f.expires = Some(span),
        (LateOf::For, Action::Alertmanager(Alertmanager::Silence { span: of, .. })) => *of = span,
        (LateOf::For, Action::Alertmanager(Alertmanager::Alert { span: of, .. })) => *of = Some(span),
        (LateOf::Since, Action::Capture(c)) => {
            if let CaptureFrom::Journal { since, .. } = &mut c.from {
                *since = span;
            }
        }
        (LateOf::Wait, Action::Wait(w)) => w.until.within = span,
        _ => {}
    }
}

struct Filling<'v> {
    values: &'v Values<'v>,
    wrong: Vec<String>,
}

impl Filling<'_> {
    fn text(&mut self, key: &str, lang: Lang, text: &str) -> String {
        fill(text, lang, &|name| self.values.get(name)).unwrap_or_else(|why| {
            self.wrong.push(format!("`{key}` cannot be filled in: {why}"));
            text.to_owned()
        })
    }

    fn words(&mut self, text: &str) -> String {
        self.text("text", Lang::Text, text)
    }

    fn action(&mut self, action: &Action) -> Action {
        let mut out = action.clone();
        texts::visit(&mut out, &mut |spot, text| *text = self.text(spot.key, spot.lang, text));
        out
    }

    fn check(&mut self, check: &Check) -> Check {
        let mut out = check.clone();
        texts::check(&mut out, &mut |spot, text| {
            *text = self.text(spot.key, spot.lang, text);
            if let Err(why) = sound::expr(spot.key, text) {
                self.wrong.push(why);
            }
        });
        out
    }

    fn span(&mut self, late: &Late) -> Option<Duration> {
        let filled = self.text("duration", Lang::Text, &late.text);
        let (low, high) = late.bounds;
        let found = units::parse_duration(&filled).filter(|d| (low..=high).contains(d));
        if found.is_none() {
            let (low, high) = (units::exact(low), units::exact(high));
            let got = text::one_line(&filled, 40);
            self.wrong.push(format!("expected a duration from {low} to {high}, got \"{got}\""));
        }
        found
    }
}
