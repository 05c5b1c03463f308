//! Parameters: what values each kind takes, and the values of one planning.

use super::fill::{self, Name, Value};
use crate::domain::procedure::param::{Kind, MAX_VALUE, Param};
use crate::domain::{text, units};
use std::collections::BTreeMap;
use std::net::IpAddr;

/// Whether a value is one of this kind.
///
/// # Errors
/// What is expected; it completes "`x` expects …".
pub fn check(kind: &Kind, value: &str) -> Result<(), String> {
    if value.len() > MAX_VALUE {
        return Err(format!("at most {MAX_VALUE} bytes"));
    }
    if value.is_empty() {
        return Err(format!("{}, got nothing", describe(kind)));
    }
    if value.chars().any(text::is_hostile) {
        return Err("a text without control characters".to_owned());
    }
    // What is filled in now must not be filled in again by the runner: it knows secrets.
    if value.contains("${") {
        return Err("a value without ${".to_owned());
    }
    if is_one(kind, value) {
        return Ok(());
    }
    let near = match kind {
        Kind::Choice { values } => text::nearest(value, values.iter().map(String::as_str)),
        _ => None,
    };
    let hint = near.map(|n| format!("; did you mean `{n}`?")).unwrap_or_default();
    Err(format!("{}, got \"{}\"{hint}", describe(kind), text::one_line(value, 60)))
}

fn is_one(kind: &Kind, value: &str) -> bool {
    match kind {
        Kind::Ip => value.parse::<IpAddr>().is_ok(),
        Kind::Cidr => is_network(value),
        Kind::Unit => is_unit(value),
        Kind::Service => is_word(value, "-_.@"),
        Kind::User => is_user(value),
        Kind::Path => is_path(value),
        Kind::Int { min, max } => {
            let plain = value.strip_prefix('-').unwrap_or(value).chars().all(|c| c.is_ascii_digit());
            plain && value.parse::<i64>().is_ok_and(|n| (*min..=*max).contains(&n))
        }
        Kind::Duration => units::parse_duration(value).is_some_and(|d| !d.is_zero()),
        Kind::Choice { values } => values.iter().any(|v| v == value),
        Kind::Regex { pattern } => whole(pattern).is_ok_and(|r| r.is_match(value)),
    }
}

/// What values a kind takes, in words.
pub fn describe(kind: &Kind) -> String {
    match kind {
        Kind::Ip => "an IP address".to_owned(),
        Kind::Cidr => "a network such as 10.0.0.0/8, or an address".to_owned(),
        Kind::Unit => "a systemd unit such as nginx.service".to_owned(),
        Kind::Service => "a name of letters, digits, - _ . @".to_owned(),
        Kind::User => "a user's name".to_owned(),
        Kind::Path => "an absolute path without ..".to_owned(),
        Kind::Int { min, max } => format!("a whole number from {min} to {max}"),
        Kind::Duration => "a duration such as 15m".to_owned(),
        Kind::Choice { values } => format!("one of {}", text::one_line(&values.join(", "), 300)),
        Kind::Regex { pattern } => format!("a text that matches {}", text::one_line(pattern, 200)),
    }
}

/// The pattern of a whole value.
pub fn whole(pattern: &str) -> Result<regex::Regex, regex::Error> {
    regex::RegexBuilder::new(&format!("^(?:{pattern})$")).size_limit(1 << 20).build()
}

/// An address or a network.
pub fn is_network(value: &str) -> bool {
    let (address, bits) = value.split_once('/').map_or((value, None), |(a, b)| (a, Some(b)));
    let Ok(address) = address.parse::<IpAddr>() else { return false };
    let most = if address.is_ipv4() { 32 } else { 128 };
    let digits = |b: &str| !b.is_empty() && b.len() <= 3 && b.chars().all(|c| c.is_ascii_digit());
    bits.is_none_or(|b| digits(b) && b.parse::<u8>().is_ok_and(|b| b <= most))
}

/// The name of a unit, with its type.
pub fn is_unit(value: &str) -> bool {
    const TYPES: [&str; 8] = ["service", "socket", "timer", "target", "path", "mount", "slice", "scope"];
    let Some((name, ty)) = value.rsplit_once('.') else { return false };
    TYPES.contains(&ty) && value.len() <= 255 && is_word(name, "-_.@:\\")
}

/// Letters, digits and these; it starts with a letter or digit.
pub fn is_word(value: &str, also: &str) -> bool {
    value.len() <= 255
        && value.starts_with(|c: char| c.is_ascii_alphanumeric())
        && value.chars().all(|c| c.is_ascii_alphanumeric() || also.contains(c))
}

/// A user's or group's name, as useradd takes it.
pub fn is_user(value: &str) -> bool {
    value.len() <= 32
        && value.starts_with(|c: char| c.is_ascii_lowercase() || c == '_')
        && value.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || "_-".contains(c))
}

/// An absolute path without `..`.
pub fn is_path(value: &str) -> bool {
    value.len() <= 1024
        && value.starts_with('/')
        && !value.split('/').any(|part| part == "..")
        && !value.chars().any(char::is_control)
}

/// The values of one planning, each valid.
#[derive(Clone, Debug, Default)]
pub struct Values<'p> {
    params: BTreeMap<&'p str, (String, &'p Kind)>,
    each: Option<String>,
}

impl<'p> Values<'p> {
    /// Takes what was given, adds defaults, and checks both.
    ///
    /// # Errors
    /// Every value that is missing, wrong or of a parameter that there is not.
    pub fn new(params: &'p [Param], given: &BTreeMap<String, String>) -> Result<Self, Vec<String>> {
        let mut wrong = Vec::new();
        for name in given.keys().filter(|n| !params.iter().any(|p| p.id == **n)) {
            let ids = || params.iter().map(|p| p.id.as_str());
            let help = match text::nearest(name, ids()) {
                Some(near) => format!("did you mean `{near}`?"),
                None if params.is_empty() => "it takes none".to_owned(),
                None => format!("there are {}", ids().collect::<Vec<_>>().join(", ")),
            };
            wrong.push(format!("no parameter is called `{}`: {help}", text::one_line(name, 60)));
        }
        let mut out = Values::default();
        for param in params {
            let Some(value) = given.get(&param.id).or(param.default.as_ref()) else {
                let about = if param.about.is_empty() { String::new() } else { format!(": {}", param.about) };
                wrong.push(format!("`{}` needs a value, {}{about}", param.id, describe(&param.kind)));
                continue;
            };
            match check(&param.kind, value) {
                Ok(()) => {
                    out.params.insert(&param.id, (value.clone(), &param.kind));
                }
                Err(why) => wrong.push(format!("`{}` expects {why}", param.id)),
            }
        }
        if wrong.is_empty() { Ok(out) } else { Err(wrong) }
    }

    /// Values that are surely valid, to try a procedure with.
    pub fn sample(params: &'p [Param]) -> Self {
        let one = |p: &'p Param| {
            let value = p.default.clone().unwrap_or_else(|| fill::sample(&p.kind));
            (p.id.as_str(), (value, &p.kind))
        };
        Values { params: params.iter().map(one).collect(), each: None }
    }

    /// The same within a round.
    #[must_use]
    pub fn with_each(&self, item: &str) -> Self {
        Values { each: Some(item.to_owned()), ..self.clone() }
    }

    pub fn get(&self, name: Name<'_>) -> Option<Value<'_>> {
        match name {
            Name::Param(id) => self.params.get(id).map(|(text, kind)| Value { text, kind: Some(*kind) }),
            Name::Each => self.each.as_deref().map(|text| Value { text, kind: None }),
            Name::Run(_) | Name::Secret(_) => None,
        }
    }

    /// By name, as a plan keeps them.
    pub fn to_map(&self) -> BTreeMap<String, String> {
        self.params.iter().map(|(id, (value, _))| ((*id).to_owned(), value.clone())).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_takes_its_own() {
        let choice = Kind::Choice { values: vec!["auth".into(), "ipam".into()] };
        let regex = Kind::Regex { pattern: "a|b+".into() };
        let int = Kind::Int { min: 1, max: 20 };
        let table: &[(&Kind, &[&str], &[&str])] = &[
            (&Kind::Ip, &["10.0.0.1", "::1"], &["10.0.0.0/8", "10.0.0.1 ", "a", ""]),
            (
                &Kind::Cidr,
                &["10.0.0.0/8", "10.0.0.1", "fd00::/8"],
                &["10.0.0.0/33", "10.0.0.0/", "/8", "10.0.0.0/+8"],
            ),
            (
                &Kind::Unit,
                &["a.service", "wg-quick@wg0.service"],
                &["a", "-a.service", "a b.service", "../a.service"],
            ),
            (&Kind::Service, &["auth_1", "a@b"], &["-a", "a/b", "..", "a b", "a;b"]),
            (&Kind::User, &["tornado-runner", "_apt"], &["Root", "-x", "a b"]),
            (&Kind::Path, &["/a/b.c", "/a..b"], &["a", "/a/../b", "/a\nb"]),
            (&int, &["1", "20"], &["0", "21", "1.0", "+1", "0x1"]),
            (&Kind::Duration, &["15m", "1h30m"], &["15", "0s", "-1m"]),
            (&choice, &["auth"], &["auht", "AUTH"]),
            (&regex, &["a", "bb"], &["ab", "aXb", "a\n", "${secret.x}"]),
        ];
        for (kind, good, bad) in table {
            for value in *good {
                assert_eq!(check(kind, value), Ok(()), "{kind:?} {value}");
            }
            for value in *bad {
                assert!(check(kind, value).is_err(), "{kind:?} {value}");
            }
        }
        assert!(check(&choice, "auht").unwrap_err().contains("did you mean `auth`?"));
    }

    #[test]
    fn no_value_brings_a_placeholder_in() {
        let any = Kind::Regex { pattern: ".*".into() };
        assert_eq!(check(&any, "${secret.admin}"), Err("a value without ${".to_owned()));
    }

    #[test]
    fn what_is_missing_wrong_or_unknown_is_told_together() {
        let param = |id: &str, kind, default: Option<&str>| Param {
            id: id.to_owned(),
            about: String::new(),
            kind,
            default: default.map(str::to_owned),
            fill: BTreeMap::new(),
        };
        let params =
            [param("a", Kind::Ip, None), param("b", Kind::Ip, Some("::1")), param("c", Kind::Ip, None)];
        let given = [("c", "x"), ("bb", "::1")].map(|(k, v)| (k.to_owned(), v.to_owned())).into();
        let wrong = Values::new(&params, &given).unwrap_err();
        assert_eq!(wrong.len(), 3, "{wrong:?}");
        let given = [("a", "::2"), ("c", "::3")].map(|(k, v)| (k.to_owned(), v.to_owned())).into();
        let values = Values::new(&params, &given).unwrap().to_map();
        assert_eq!(values["b"], "::1");
    }
}
