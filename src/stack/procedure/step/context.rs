//! What the steps of one procedure may refer to, and the checks that all of them share.

use super::super::fill::{self, Lang, Name};
use super::super::params::Values;
use super::super::refs::{Reference, References, To};
use super::super::sound;
use super::super::spec::Late;
use super::super::texts::{self, Spot};
use super::{host_id, layer_id};
use crate::domain::id::{HostId, LayerId};
use crate::domain::procedure::action::Action;
use crate::domain::procedure::param::Param;
use crate::domain::text;
use crate::stack::decode::{At, Part, Table};
use std::cell::RefCell;
use std::ops::Range;

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
    pub(super) late: RefCell<Vec<Late>>,
    /// Durations may wait for parameters.
    pub(super) may_be_late: bool,
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

    #[must_use]
    pub fn for_a_step(&self) -> Context<'a> {
        self.same()
    }

    #[must_use]
    pub fn for_a_rollback(&self) -> Context<'a> {
        Context { may_be_late: false, ..self.same() }
    }

    #[must_use]
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
    pub fn login(&self, t: &Table<'_>) -> Option<String> {
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
    pub fn references(&self, t: &Table<'_>, key: &'static str) -> Vec<String> {
        let all = t.strings(key).unwrap_or_default();
        let to = if key == "settles" { To::Debt } else { To::Earlier(self.references.current()) };
        for at in &all {
            self.refers(to, at);
        }
        all.into_iter().map(|at| at.value).collect()
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
