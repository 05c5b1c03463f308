//! What is dangerous in procedures: effects that nobody verifies, failures that do not show, what
//! is left open for ever.

use super::{Lint, MAX_DEPTH, commands, hides_failure, is_literal, is_secret_name, looks_secret, texts_of};
use crate::domain::procedure::action::Action;
use crate::domain::procedure::action::kinds::ComposeVerb;
use crate::domain::procedure::level::Effect;
use crate::domain::units;
use crate::stack::procedure::read::{Draft, ProcedureDraft};
use crate::stack::procedure::spec::{Step, Uses};
use crate::stack::procedure::step;
use std::collections::BTreeSet;
use std::ops::Range;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

impl Lint<'_> {
    /// Everything about procedures and interlocks.
    pub(super) fn procedures(&mut self, root: &DeTable<'_>, draft: &Draft) {
        for procedure in &draft.drafts {
            let all = procedure.every_step();
            for (i, step) in all.iter().enumerate() {
                self.effect(step);
                self.compose(step, all.get(..i).unwrap_or_default());
            }
            self.deadline(procedure, draft);
            self.locks(procedure, draft);
            self.debts(procedure, draft);
        }
        for interlock in &draft.interlocks {
            self.interlock(interlock, draft);
        }
        for table in tables(root.get("procedures")) {
            self.steps(table, 0);
        }
    }

    fn effect(&mut self, draft: &step::Draft) {
        let Uses::Action(action) = &draft.step.uses else { return };
        let passive = matches!(**action, Action::Wait(_) | Action::Manual(_) | Action::Capture(_));
        if !draft.at.has_effect && !passive {
            let message = "this step does not say its effect, so it is taken to destroy";
            let help = "effect = \"read\", \"change\", \"interrupt\" or \"destroy\"";
            self.warn("missing-effect", draft.at.id.clone(), message, help);
        }
        if draft.step.effect != Effect::Read && draft.step.verify.is_none() && !passive {
            let message = "nothing verifies what this step does";
            let help = "verify = { probes = [\"…\"] } or { exprs = ['…'] }: what must be observed afterwards";
            self.warn("step-without-verify", draft.at.id.clone(), message, help);
        }
    }

    /// A restart takes no changed environment in.
    fn compose(&mut self, draft: &step::Draft, before: &[&step::Draft]) {
        let Uses::Action(action) = &draft.step.uses else { return };
        let restarts = matches!(&**action, Action::Compose(c) if c.verb == ComposeVerb::Restart);
        let writes = |d: &&&step::Draft| match &d.step.uses {
            Uses::Action(a) => matches!(**a, Action::File(_)),
            _ => false,
        };
        if restarts && before.iter().any(|d| writes(&d)) {
            let message = "`restart` keeps the old environment: what was written before is not taken in";
            let help = "use verb = \"recreate\" where a container's environment or compose file changed";
            self.warn("compose-restart", draft.at.id.clone(), message, help);
        }
    }

    /// What waits beyond its run's deadline is broken off in the middle, and what comes after it never
    /// begins. Steps of another procedure have the time of this one.
    fn deadline(&mut self, procedure: &ProcedureDraft, draft: &Draft) {
        let Some(deadline) = procedure.procedure.as_ref().map(|p| p.deadline) else { return };
        for step in procedure.every_step() {
            let (longest, inside, place) = match &step.step.uses {
                Uses::Procedure { id, .. } => {
                    let reached = reached(draft, id.as_str());
                    let of = |p: &&ProcedureDraft| p.id.as_ref().is_some_and(|i| reached.contains(&i.value));
                    let all = draft.drafts.iter().filter(of).flat_map(ProcedureDraft::every_step);
                    let Some(worst) = all.map(|s| &s.step).max_by_key(|s| s.longest()) else { continue };
                    (worst.longest(), format!(", by its step `{}`", worst.id), &step.at.with)
                }
                _ => (step.step.longest(), String::new(), &step.at.id),
            };
            if longest > deadline {
                let (longest, whole) = (units::exact(longest), units::exact(deadline));
                let message = format!(
                    "this step may take {longest}{inside}, and the run ends after {whole}: its deadline"
                );
                let help = "a longer `deadline`, or a shorter `timeout` and `within`";
                self.warn("beyond-deadline", place.clone(), &message, help);
            }
        }
    }

    /// Steps of another procedure run under the lock of this one only.
    fn locks(&mut self, procedure: &ProcedureDraft, draft: &Draft) {
        let Some(own) = &procedure.procedure else { return };
        for step in procedure.every_step() {
            let Uses::Procedure { id, .. } = &step.step.uses else { continue };
            let inner = draft.all.all.iter().find(|p| p.id == *id);
            if inner.is_some_and(|i| i.lock != own.lock) {
                let message = "that procedure has another lock, which is not held while its steps run here";
                self.warn("other-lock", step.at.with.clone(), message, "give both one `lock`");
            }
        }
    }

    fn debts(&mut self, procedure: &ProcedureDraft, draft: &Draft) {
        for step in procedure.every_step() {
            let Some(owes) = &step.step.owes else { continue };
            let settled_by: Vec<&ProcedureDraft> = draft
                .drafts
                .iter()
                .filter(|p| p.every_step().iter().any(|s| s.step.settles.contains(&owes.id)))
                .collect();
            if settled_by.is_empty() {
                let message = "nothing settles what this step owes: it stays owed for ever";
                let help = "settles = [\"…\"] in the step that makes it good";
                self.warn("debt-never-settled", step.at.id.clone(), message, help);
                continue;
            }
            let Some(by) = &owes.by else { continue };
            let reached = reached(draft, by.as_str());
            let settles = |p: &&&ProcedureDraft| p.id.as_ref().is_some_and(|i| reached.contains(&i.value));
            if !settled_by.iter().any(|p| settles(&p)) {
                let message =
                    "the procedure that is to settle this does not: none of its steps has it in `settles`";
                let help = "name the one that does in `by`";
                self.warn("debt-never-settled", step.at.id.clone(), message, help);
            }
        }
    }

    fn interlock(&mut self, found: &crate::stack::procedure::interlock::InterlockDraft, draft: &Draft) {
        let Some(interlock) = &found.interlock else { return };
        if interlock.raised_by.is_empty() && interlock.raised_while.is_none() {
            let message = "nothing raises this interlock, so it never forbids anything";
            let help = "raised_by = [\"PROCEDURE.STEP\"] or raised_while = { exprs = ['…'] }";
            self.warn("interlock-never-raised", found.span.clone(), message, help);
        }
        if interlock.until.verified.is_empty() && interlock.until.holds.is_none() {
            let message =
                "nothing lifts this interlock: what it blocks is blocked for ever once it is raised";
            let help = "until = { says = \"…\", verified = [\"PROCEDURE.STEP\"] } or exprs or probes";
            self.warn("interlock-never-lifted", found.span.clone(), message, help);
        }
        for way_out in interlock.until.verified.iter().chain(&interlock.until.or_verified) {
            let Some(of) = owner(draft, way_out) else { continue };
            let open = draft
                .all
                .all
                .iter()
                .any(|p| !interlock.blocks.contains(&p.id) && reached(draft, p.id.as_str()).contains(of));
            if !open {
                let message = "this interlock blocks every procedure that has the step which lifts it";
                let help = "leave one of them out of `blocks`";
                self.warn("interlock-never-lifted", found.span.clone(), message, help);
            }
        }
    }

    /// What the texts of steps give away or hide, those inside other steps too.
    fn steps(&mut self, table: &DeTable<'_>, depth: usize) {
        if depth > MAX_DEPTH {
            return;
        }
        for step in tables(table.get("steps")) {
            self.with(step);
            if let Some(DeValue::Table(rollback)) = step.get("rollback").map(Spanned::get_ref) {
                self.with(rollback);
            }
            self.steps(step, depth + 1);
        }
    }

    fn with(&mut self, step: &DeTable<'_>) {
        let Some(DeValue::Table(with)) = step.get("with").map(Spanned::get_ref) else { return };
        let uses = texts_of(step.get("uses")).first().map_or("", |(uses, _)| *uses);
        self.probe_values(with);
        if uses == "capture" {
            self.argv(&texts_of(with.get("command")));
        }
        self.secrets_in_argv(&texts_of(with.get("args")));
        for (script, span) in texts_of(with.get("script")) {
            self.script(script, &span);
        }
        for key in ["argv", "args", "command"] {
            for (text, span) in texts_of(with.get(key)) {
                self.date(text, &span);
                self.compose_by_hand(text, &texts_of(with.get(key)), &span);
            }
        }
        for key in ["env", "json", "request", "labels", "annotations", "params"] {
            self.secret_fields(with.get(key), 0);
        }
        for key in ["stdin", "content", "statement", "instruction", "comment"] {
            for (text, span) in texts_of(with.get(key)) {
                if looks_secret(text) {
                    self.secret_here(span);
                }
            }
        }
    }

    fn script(&mut self, script: &str, span: &Range<usize>) {
        // It runs with pipefail; what says "or else" is what still hides a failure.
        if hides_failure(script, true) {
            let message = "a failure in this script does not show: it ends well all the same";
            let help =
                "leave out `|| true` and `|| echo`; a step that may fail has on_failure = \"continue\"";
            self.warn("pipeline-hides-failure", span.clone(), message, help);
        }
        for word in commands(script) {
            match word.rsplit('/').next().unwrap_or(word) {
                "sleep" => {
                    let help = "use verify, or a step that uses \"wait\"";
                    self.warn("sleep-as-check", span.clone(), "this command waits instead of looking", help);
                }
                "curl" | "wget" => {
                    let help = "uses = \"http\" says what a good answer is, and keeps secrets out of argv";
                    self.warn("curl-in-exec", span.clone(), "this command fetches a URL", help);
                }
                _ => {}
            }
        }
        if looks_secret(script) {
            let help = "give it in env = { NAME = \"${secret.NAME}\" }";
            self.warn_hiding("secret-in-argv", span.clone(), "this script seems to hold a secret", help);
        }
        self.date(script, span);
        let words: Vec<(&str, Range<usize>)> = script.split_whitespace().map(|w| (w, span.clone())).collect();
        self.compose_by_hand(script, &words, span);
    }

    /// A name made of the time is another name later: after midnight, the backup is not found.
    fn date(&mut self, text: &str, span: &Range<usize>) {
        if text.contains("$(date") || text.contains("`date") {
            let message =
                "a name made of the date is another one after midnight, or in the step that undoes this";
            let help = "use ${run.id}, which stays the same for the whole run";
            self.warn("date-in-name", span.clone(), message, help);
        }
    }

    fn compose_by_hand(&mut self, text: &str, words: &[(&str, Range<usize>)], span: &Range<usize>) {
        let has = |word: &str| words.iter().any(|(w, _)| w.rsplit('/').next() == Some(word));
        let compose = has("docker-compose") || (has("docker") && has("compose"));
        // Told once, at the word itself; a script is one text.
        if compose && has("restart") && (text == "restart" || text.contains(' ')) {
            let message = "`docker compose restart` keeps the old environment";
            let help = "uses = \"compose\" with verb = \"recreate\" takes a changed one in";
            self.warn("compose-restart", span.clone(), message, help);
        }
    }

    /// Names that secrets go by with a value written beside them.
    fn secret_fields(&mut self, value: Option<&Spanned<DeValue<'_>>>, depth: usize) {
        let Some(DeValue::Table(table)) = value.map(Spanned::get_ref) else { return };
        for (name, value) in table {
            for (text, span) in texts_of(Some(value)) {
                if (is_secret_name(name.get_ref()) && is_literal(text)) || looks_secret(text) {
                    self.secret_here(span);
                }
            }
            if depth < MAX_DEPTH {
                self.secret_fields(Some(value), depth + 1);
            }
        }
    }

    fn secret_here(&mut self, span: Range<usize>) {
        let help = "define it under [secrets] in config.toml and write ${secret.NAME}";
        self.warn_hiding("secret-in-request", span, "this step seems to hold a secret", help);
    }
}

/// The tables of a list.
fn tables<'t>(value: Option<&'t Spanned<DeValue<'t>>>) -> Vec<&'t DeTable<'t>> {
    let Some(DeValue::Array(items)) = value.map(Spanned::get_ref) else { return Vec::new() };
    let table = |item: &'t Spanned<DeValue<'t>>| match item.get_ref() {
        DeValue::Table(table) => Some(table),
        _ => None,
    };
    items.iter().filter_map(table).collect()
}

/// A procedure and all that stand inside it.
fn reached(draft: &Draft, id: &str) -> BTreeSet<String> {
    let mut out = BTreeSet::new();
    let mut waiting = vec![id.to_owned()];
    while let Some(id) = waiting.pop() {
        if !out.insert(id.clone()) {
            continue;
        }
        let of = draft.drafts.iter().find(|d| d.id.as_ref().is_some_and(|i| i.value == id));
        waiting.extend(of.into_iter().flat_map(|d| d.refs.inlined()).map(|at| at.value));
    }
    out
}

/// The procedure of `PROCEDURE.STEP`; both may have dots.
fn owner<'d>(draft: &'d Draft, step: &str) -> Option<&'d String> {
    let ids = draft.drafts.iter().filter_map(|d| Some((d, &d.id.as_ref()?.value)));
    let is = |s: &Step, rest: &str| s.id == rest;
    ids.filter_map(|(d, id)| Some((d, id, step.strip_prefix(id.as_str())?.strip_prefix('.')?)))
        .find(|(d, _, rest)| d.every_step().iter().any(|s| is(&s.step, rest)))
        .map(|(_, id, _)| id)
}
