//! What the steps of one procedure may refer to, and the checks that all of them share.

use super::super::fill::{self, Lang, Name};
use super::super::params::Values;
use super::super::refs::{Reference, References, To};
use super::super::sound;
use super::super::spec::{Late, LateOf};
use super::super::texts::{self, Spot};
use super::{host_id, layer_id};
use crate::domain::id::{HostId, LayerId, ProbeId};
use crate::domain::procedure::action::Action;
use crate::domain::procedure::check::{Check, Condition};
use crate::domain::procedure::param::Param;
use crate::domain::{text, units};
use crate::stack::decode::{At, Part, Span, Table};
use std::cell::RefCell;
use std::ops::{Range, RangeInclusive};
use std::time::Duration;

/// Good observations in a row that may be asked for.
const GOOD: RangeInclusive<i64> = 1..=100;
/// Between two observations.
const EVERY: RangeInclusive<Duration> = Duration::from_millis(200)..=Duration::from_secs(600);
/// By when a condition must be seen to hold.
pub const WITHIN: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(7 * 86_400);
/// Probes or expressions of one condition.
const MAX_PARTS: usize = 64;

/// The names that there are in the stack.
#[derive(Clone, Copy)]
pub struct Names<'a> {
    pub hosts: &'a [At<String>],
    pub logins: &'a [String],
    pub layers: &'a [String],
    pub probes: &'a [String],
}

/// Where a step and its most talked-of keys stand.
#[derive(Clone, Debug)]
pub struct Places {
    pub id: Range<usize>,
    pub layer: Range<usize>,
    pub after: Range<usize>,
    pub uses: Range<usize>,
    pub with: Range<usize>,
    pub has_effect: bool,
}

impl Places {
    pub fn of(t: &Table<'_>, id: Option<&At<String>>) -> Places {
        Places {
            id: id.map_or_else(|| t.span.clone(), |i| i.span.clone()),
            layer: t.span_of("layer"),
            after: t.span_of("after"),
            uses: t.span_of("uses"),
            with: t.span_of("with"),
            has_effect: t.has("effect"),
        }
    }
}

/// What a step is read with.
pub struct Context<'a> {
    pub names: Names<'a>,
    pub params: &'a [Param],
    /// It stands in a `for_each`, so that `${each}` means something.
    pub each: bool,
    /// It stands in rounds over hosts, which say where it runs.
    pub host_rounds: bool,
    /// How many steps it stands inside of.
    pub depth: usize,
    pub references: &'a References,
    late: RefCell<Vec<Late>>,
    /// Durations may wait for parameters.
    may_be_late: bool,
}

impl<'a> Context<'a> {
    pub fn new(names: Names<'a>, params: &'a [Param], references: &'a References) -> Self {
        let late = RefCell::default();
        Context {
            names,
            params,
            each: false,
            host_rounds: false,
            depth: 0,
            references,
            late,
            may_be_late: true,
        }
    }

    fn same(&self) -> Context<'a> {
        Context { late: RefCell::default(), ..*self }
    }

    pub fn for_a_step(&self) -> Context<'a> {
        self.same()
    }

    pub fn for_a_rollback(&self) -> Context<'a> {
        Context { may_be_late: false, ..self.same() }
    }

    pub fn for_rounds(&self, over_hosts: bool) -> Context<'a> {
        Context { each: true, host_rounds: over_hosts, depth: self.depth + 1, ..self.same() }
    }

    pub fn take_late(&self) -> Vec<Late> {
        self.late.take()
    }

    /// Values to try texts with.
    fn sample(&self) -> Values<'a> {
        let values = Values::sample(self.params);
        if self.each { values.with_each("sample") } else { values }
    }

    /// Notes what is wrong with the placeholders of a text.
    fn placeholders(&self, t: &Table<'_>, spot: &Spot, text: &str) -> bool {
        let span = t.span_of_part(spot.key, &spot.part);
        let mut sound = true;
        for (name, range) in fill::names(text) {
            let whole = text.get(range).unwrap_or("");
            if let Err((message, help)) = self.placeholder(spot, name, whole) {
                t.reader.error(span.clone(), message, help);
                sound = false;
            } else if let Name::Secret(id) = name {
                t.reader.refer_to_secret(id, span.clone());
            }
        }
        sound
    }

    fn placeholder(&self, spot: &Spot, name: Name<'_>, whole: &str) -> Result<(), (String, Option<String>)> {
        let fixed = |what: &str| {
            let (message, help) = match spot.key {
                "script" => (
                    format!("{what} may not be part of a script's text: {whole}"),
                    "give it in `args` (then it is $1) or in `env`",
                ),
                "argv" | "command" if spot.part == Part::Item(0) => {
                    (format!("{what} may not name the program: {whole}"), "name the program itself")
                }
                "argv" | "command" => (
                    format!("{what} may not be part of what a shell reads: {whole}"),
                    "run the program itself, or use `shell` with `args`",
                ),
                key => (format!("{what} may not stand in `{key}`: {whole}"), "write it out"),
            };
            Err((message, Some(help.to_owned())))
        };
        match name {
            Name::Param(id) if !self.params.iter().any(|p| p.id == id) => {
                let ids = || self.params.iter().map(|p| p.id.as_str());
                let help = match text::nearest(id, ids()) {
                    Some(near) => format!("did you mean ${{param.{near}}}?"),
                    None => "define it under [[procedures.params]]".to_owned(),
                };
                Err((format!("no parameter is called `{}`", text::one_line(id, 60)), Some(help)))
            }
            Name::Each if !self.each => {
                let help = "it is the item of a round: write the step inside a for_each".to_owned();
                Err(("`${each}` means nothing outside a for_each".to_owned(), Some(help)))
            }
            Name::Param(_) if spot.lang == Lang::Fixed => fixed("a parameter"),
            Name::Each if spot.lang == Lang::Fixed => fixed("the item of a round"),
            Name::Run("id") if matches!(spot.lang, Lang::Expr | Lang::Sql | Lang::Condition) => {
                Err((format!("`{whole}` may not stand in `{}`", spot.key), None))
            }
            Name::Run("id") | Name::Param(_) | Name::Each => Ok(()),
            Name::Run(part) => {
                let shown = text::one_line(part, 40);
                Err((format!("a run has no `{shown}`"), Some("there is ${run.id}".to_owned())))
            }
            Name::Secret(_) if !spot.secrets => Err(secret_refused(spot, whole)),
            Name::Secret(id) if !fill::is_id(id) => {
                Err((format!("`{}` is no valid id of a secret", text::one_line(id, 60)), None))
            }
            Name::Secret(_) => Ok(()),
        }
    }

    /// Checks one text: its placeholders, and its form with values that are surely valid.
    pub fn text(&self, t: &Table<'_>, spot: &Spot, text: &str) -> Option<String> {
        if !self.placeholders(t, spot, text) {
            return None;
        }
        let values = self.sample();
        match fill::fill(text, spot.lang, &|name| values.get(name)) {
            Ok(filled) => Some(filled),
            Err(why) => {
                let span = t.span_of_part(spot.key, &spot.part);
                t.reader.error(span, format!("`{}` cannot be filled in: {why}", spot.key), None);
                None
            }
        }
    }

    /// A text for people, as it is.
    pub fn words(&self, t: &Table<'_>, key: &'static str, text: String) -> String {
        let spot = Spot { key, part: Part::Whole, lang: Lang::Text, secrets: false };
        self.text(t, &spot, &text);
        text
    }

    /// An item of rounds or a value for another procedure: a text with parameters.
    pub fn item(&self, t: &Table<'_>, at: &At<String>) {
        let spot = Spot { key: "items", part: Part::Whole, lang: Lang::Text, secrets: false };
        for (name, range) in fill::names(&at.value) {
            let whole = at.value.get(range).unwrap_or("");
            let refused = match name {
                Name::Run(_) => Err(("the run's id may not stand here".to_owned(), None)),
                _ => self.placeholder(&spot, name, whole),
            };
            if let Err((message, help)) = refused {
                t.reader.error(at.span.clone(), message, help);
            }
        }
    }

    /// Checks every text of an action, and with samples filled in the whole.
    pub fn check_action(&self, with: &Table<'_>, action: &Action) {
        let mut sample = action.clone();
        let mut sound = true;
        texts::visit(&mut sample, &mut |spot, text| match self.text(with, spot, text) {
            Some(filled) => *text = filled,
            None => sound = false,
        });
        if !sound {
            return;
        }
        for wrong in sound::action(&sample) {
            with.reader.error(with.span_of_part(wrong.key, &wrong.part), wrong.message, None);
        }
    }

    /// The key `host`.
    pub fn host(&self, t: &Table<'_>) -> Option<HostId> {
        let said = t.str("host")?;
        if self.host_rounds {
            let help = Some("leave it out, or use rounds over `items`".to_owned());
            t.reader.error(said.span, "the round over hosts says where this step runs", help);
            return None;
        }
        let hosts = || self.names.hosts.iter().map(|h| h.value.as_str());
        self.known(t, "host", &said, hosts()).then(|| host_id(&said))
    }

    /// The key `layer`.
    pub fn layer(&self, t: &Table<'_>) -> Option<LayerId> {
        let said = t.str("layer")?;
        let layers = self.names.layers.iter().map(String::as_str);
        self.known(t, "layer", &said, layers).then(|| layer_id(&said))
    }

    /// The key `login`.
    pub fn login<'t>(&self, t: &Table<'t>) -> Option<String> {
        let said = t.str("login")?;
        self.known(t, "login", &said, self.names.logins.iter().map(String::as_str)).then_some(said.value)
    }

    /// Whether a name is one of the stack's; if not, it is noted with the nearest.
    pub fn known<'n>(
        &self,
        t: &Table<'_>,
        what: &str,
        said: &At<String>,
        valid: impl Iterator<Item = &'n str> + Clone,
    ) -> bool {
        if valid.clone().any(|v| v == said.value) {
            return true;
        }
        let help = match text::nearest(&said.value, valid.clone()) {
            Some(near) => format!("did you mean `{near}`?"),
            None if valid.clone().next().is_none() => format!("this stack defines no {what}s"),
            None => format!("there are {}", text::one_line(&valid.collect::<Vec<_>>().join(", "), 300)),
        };
        let shown = text::one_line(&said.value, 60);
        t.reader.error(said.span.clone(), format!("no {what} is called `{shown}`"), Some(help));
        false
    }

    /// Notes a reference that is looked up once everything is read.
    pub fn refers(&self, to: To, at: &At<String>) {
        self.references.push(Reference { to, name: at.clone() });
    }

    /// A list of names; who reads them all looks them up.
    pub fn references<'t>(&self, t: &Table<'t>, key: &'static str) -> Vec<String> {
        let all = t.strings(key).unwrap_or_default();
        let to = if key == "settles" { To::Debt } else { To::Earlier(self.references.current()) };
        all.iter().for_each(|at| self.refers(to, at));
        all.into_iter().map(|at| at.value).collect()
    }

    /// A duration that a parameter may give.
    pub fn duration(
        &self,
        t: &Table<'_>,
        key: &'static str,
        bounds: RangeInclusive<Duration>,
        of: LateOf,
    ) -> Option<Duration> {
        let at = match t.duration_or_later(key, bounds.clone())? {
            Span::Known(duration) => return Some(duration),
            Span::Later(at) => at,
        };
        if !self.may_be_late {
            t.reader.error(at.span, format!("`{key}` of a rollback is not left to parameters"), None);
            return None;
        }
        let spot = Spot { key, part: Part::Whole, lang: Lang::Text, secrets: false };
        let filled = self.text(t, &spot, &at.value)?;
        let found = units::parse_duration(&filled).filter(|d| bounds.contains(d));
        if found.is_none() {
            let (low, high) = (units::exact(*bounds.start()), units::exact(*bounds.end()));
            let got = text::one_line(&filled, 40);
            let message = format!("`{key}` expects a duration from {low} to {high}, and would be \"{got}\"");
            t.reader.error(at.span, message, None);
        }
        let bounds = (*bounds.start(), *bounds.end());
        self.late.borrow_mut().push(Late { of, text: at.value, bounds });
        found
    }

    /// `verify`, `unless`: a condition, how often and by when.
    pub fn check<'t>(&self, t: &Table<'t>, key: &'static str, of: LateOf) -> Option<Check> {
        let inner = t.table(key, "check")?;
        let check = self.check_in(&inner, of);
        inner.finish();
        check
    }

    /// The keys of a check that stand in this table.
    pub fn check_in(&self, t: &Table<'_>, of: LateOf) -> Option<Check> {
        let what = self.condition_in(t);
        let good = u32::try_from(t.int_or("good", 1, GOOD)).unwrap_or(1);
        let every = t.duration_or("every", Duration::from_secs(1), EVERY);
        let late = self.late.borrow().len();
        let within = self.duration(t, "within", WITHIN, of).unwrap_or(Duration::from_secs(60));
        let known = self.late.borrow().len() == late;
        if known && every.saturating_mul(good - 1) >= within {
            let message = format!(
                "{good} observations {} apart cannot be made within {}",
                units::exact(every),
                units::exact(within)
            );
            t.reader.error(t.span_of("within"), message, None);
        }
        Some(Check { what: what?, good, every, within })
    }

    /// The keys of a condition that stand in this table; at least one part must.
    pub fn condition_in(&self, t: &Table<'_>) -> Option<Condition> {
        let probes = self.probes(t, "probes");
        let exprs = self.exprs(t, "exprs");
        let or_degraded = t.bool_or("or_degraded", false);
        if !t.has("probes") && !t.has("exprs") {
            let message = format!("this {} looks at nothing; it needs `probes` or `exprs`", t.what());
            t.reader.error(t.span.clone(), message, None);
            return None;
        }
        let condition = Condition { probes: probes?, exprs: exprs?, or_degraded };
        if condition.is_empty() {
            let message = format!("this {} looks at nothing: its lists are empty", t.what());
            t.reader.error(t.span.clone(), message, None);
            return None;
        }
        Some(condition)
    }

    /// A list of probes of the stack; `None` when one of them is none.
    pub fn probes<'t>(&self, t: &Table<'t>, key: &'static str) -> Option<Vec<ProbeId>> {
        let Some(all) = t.strings(key) else { return (!t.has(key)).then(Vec::new) };
        let mut sound = self.few(t, key, all.len());
        for at in &all {
            sound &= self.known(t, "probe", at, self.names.probes.iter().map(String::as_str));
        }
        sound.then(|| all.iter().map(|at| ProbeId::new(&at.value)).collect())
    }

    /// A list of expressions; `None` when one of them is none.
    fn exprs<'t>(&self, t: &Table<'t>, key: &'static str) -> Option<Vec<String>> {
        let Some(all) = t.strings(key) else { return (!t.has(key)).then(Vec::new) };
        let mut sound = self.few(t, key, all.len());
        for (i, at) in all.iter().enumerate() {
            sound &= self.expr(t, (key, Part::Item(i)), at);
        }
        sound.then(|| all.into_iter().map(|at| at.value).collect())
    }

    /// Whether a text is an expression, tried with samples.
    pub fn expr(&self, t: &Table<'_>, (key, part): (&'static str, Part), at: &At<String>) -> bool {
        let spot = Spot { key, part, lang: Lang::Expr, secrets: false };
        let Some(filled) = self.text(t, &spot, &at.value) else { return false };
        let found = sound::expr(key, &filled);
        if let Err(why) = &found {
            t.reader.error(at.span.clone(), why.clone(), None);
        }
        found.is_ok()
    }

    fn few(&self, t: &Table<'_>, key: &str, count: usize) -> bool {
        if count > MAX_PARTS {
            t.reader.error(t.span_of(key), format!("`{key}` has at most {MAX_PARTS} entries"), None);
        }
        count <= MAX_PARTS
    }
}

/// Why a secret may not stand in a text, and where it may.
fn secret_refused(spot: &Spot, whole: &str) -> (String, Option<String>) {
    let why = match spot.key {
        "argv" | "command" | "args" => "every user of the host can read a command's arguments",
        "script" => "a script's text is an argument, which every user of the host can read",
        "url" => "an address ends up in logs and on screens",
        "statement" => "statements end up in the server's log",
        _ => "it would be shown and kept",
    };
    let help = match spot.key {
        "argv" | "command" | "args" | "script" => "give it in `env` or `stdin`",
        "url" => "give it in `headers` or `body`, or use `login`",
        _ => "secrets go into headers, bodies, requests, env, stdin, contents and `password`",
    };
    (format!("a secret may not stand in `{}` ({why}): {whole}", spot.key), Some(help.to_owned()))
}
