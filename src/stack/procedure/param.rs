//! Reading `[[procedures.params]]`.

use super::params;
use super::refs::unique;
use super::step::context::Names;
use crate::domain::procedure::param::{Kind, Param};
use crate::domain::text;
use crate::stack::decode::{At, Table};
use std::collections::BTreeMap;

/// Parameters of one procedure.
const MAX_PARAMS: usize = 32;
/// The words that `type` takes.
pub const TYPES: &[&str] =
    &["ip", "cidr", "unit", "service", "user", "path", "int", "duration", "choice", "regex"];

/// Reads the parameters of a procedure. One that is wrong is kept when its name is known, so that
/// those who use it are not told that there is none.
pub(super) fn read(t: &Table<'_>, names: Names<'_>) -> Vec<Param> {
    let tables = t.tables("params", "parameter");
    if let Some(extra) = tables.get(MAX_PARAMS) {
        let message =
            format!("a procedure has at most {MAX_PARAMS} parameters, this one has {}", tables.len());
        t.reader.error(extra.span.clone(), message, None);
    }
    let read: Vec<(At<String>, Param)> =
        tables.into_iter().take(MAX_PARAMS).filter_map(|t| read_one(t, names)).collect();
    unique(t.reader, "parameter of this procedure", read.iter().map(|(at, _)| at));
    read.into_iter().map(|(_, param)| param).collect()
}

fn read_one(t: Table<'_>, names: Names<'_>) -> Option<(At<String>, Param)> {
    let id = t.need_id("id");
    let about = t.str_or("about", "");
    let ty = super::step::need_choice(&t, "type", TYPES);
    let kind = ty.and_then(|ty| read_kind(&t, ty));
    let default = t.str_or_number("default");
    let fill = t.text_map("fill");
    if let Some(kind) = &kind {
        if let Some(default) = &default
            && let Err(why) = params::check(kind, &default.value)
        {
            t.reader.error(default.span.clone(), format!("`default` expects {why}"), None);
        }
        for (name, at) in &fill {
            if let Err(why) = params::check(kind, &at.value) {
                t.reader.error(at.span.clone(), format!("`fill` for `{name}` expects {why}"), None);
            }
        }
    }
    for (name, at) in &fill {
        let valid = names.probes.iter().chain(names.layers).map(String::as_str);
        let name = At { value: name.clone(), span: at.span.clone() };
        super::refs::found(t.reader, "probe or layer", &name, valid);
    }
    t.finish();
    let id = id?;
    let fill: BTreeMap<String, String> = fill.into_iter().map(|(k, at)| (k, at.value)).collect();
    // What is wrong with the kind was noted; one that takes anything causes no further errors.
    let kind = kind.unwrap_or_else(|| Kind::Regex { pattern: ".*".to_owned() });
    let param = Param { id: id.value.clone(), about, kind, default: default.map(|d| d.value), fill };
    Some((id, param))
}

fn read_kind(t: &Table<'_>, ty: &'static str) -> Option<Kind> {
    let values = t.strings("values");
    let min = t.int("min", i64::MIN..=i64::MAX);
    let max = t.int("max", i64::MIN..=i64::MAX);
    let pattern = t.str("pattern");
    let belongs = [("values", "choice"), ("min", "int"), ("max", "int"), ("pattern", "regex")];
    for (key, of) in belongs {
        if t.has(key) && of != ty {
            t.reader.error(t.span_of(key), format!("`{key}` belongs to type = \"{of}\", not \"{ty}\""), None);
        }
        if !t.has(key) && of == ty {
            t.reader.error(t.span.clone(), format!("a parameter of type \"{ty}\" needs `{key}`"), None);
        }
    }
    Some(match ty {
        "ip" => Kind::Ip,
        "cidr" => Kind::Cidr,
        "unit" => Kind::Unit,
        "service" => Kind::Service,
        "user" => Kind::User,
        "path" => Kind::Path,
        "duration" => Kind::Duration,
        "int" => {
            let (min, max) = (min?, max?);
            if min > max {
                t.reader.error(t.span_of("min"), "`min` is greater than `max`", None);
                return None;
            }
            Kind::Int { min, max }
        }
        "choice" => choice(t, values?)?,
        _ => regex(t, pattern?)?,
    })
}

fn choice(t: &Table<'_>, values: Vec<At<String>>) -> Option<Kind> {
    if values.is_empty() {
        t.reader.error(t.span_of("values"), "`values` has nothing to choose from", None);
        return None;
    }
    for at in &values {
        let bad = at.value.is_empty() || at.value.chars().any(text::is_hostile) || at.value.contains("${");
        if bad {
            t.reader.error(at.span.clone(), "a choice is a text of one line without ${", None);
        }
    }
    Some(Kind::Choice { values: values.into_iter().map(|v| v.value).collect() })
}

fn regex(t: &Table<'_>, pattern: At<String>) -> Option<Kind> {
    match params::whole(&pattern.value) {
        Ok(_) => Some(Kind::Regex { pattern: pattern.value }),
        Err(e) => {
            let why = text::one_line(&e.to_string(), 200);
            t.reader.error(pattern.span, format!("`pattern` is no regular expression: {why}"), None);
            None
        }
    }
}
