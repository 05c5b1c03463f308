//! `${name}` in the strings of a stack file: addresses, paths and thresholds that differ from
//! one installation to the next.

use std::collections::BTreeMap;

/// Names and values; the file's own defaults, overridden by config.toml.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Vars(pub BTreeMap<String, String>);

/// Whether a name is filled in later than variables are: in a procedure's steps the parameters and
/// the item of a round when a run is planned, the run and secrets when it is carried out.
pub fn is_later(name: &str) -> bool {
    name == "each" || ["param.", "run.", "secret."].iter().any(|p| name.starts_with(p))
}

/// Why a text could not be filled in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum VarError {
    /// No such name.
    Unknown(String),
    /// `${` without its `}`.
    Unclosed,
}

impl Vars {
    /// Fills in every `${name}`; `$$` is a dollar sign. Values are not filled in again.
    pub fn fill(&self, text: &str) -> Result<String, VarError> {
        self.fill_but(text, |_| false)
    }

    /// As [`Vars::fill`], where the names that `keep` knows are left for whoever fills them later.
    pub fn fill_but(&self, text: &str, keep: impl Fn(&str) -> bool) -> Result<String, VarError> {
        if !text.contains('$') {
            return Ok(text.to_owned());
        }
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(at) = rest.find('$') {
            out.push_str(rest.get(..at).unwrap_or(""));
            let tail = rest.get(at + 1..).unwrap_or("");
            if let Some(tail) = tail.strip_prefix('$') {
                out.push('$');
                rest = tail;
            } else if let Some(inner) = tail.strip_prefix('{') {
                let (name, tail) = inner.split_once('}').ok_or(VarError::Unclosed)?;
                if keep(name) {
                    out.push_str("${");
                    out.push_str(name);
                    out.push('}');
                } else {
                    out.push_str(self.0.get(name).ok_or_else(|| VarError::Unknown(name.to_owned()))?);
                }
                rest = tail;
            } else {
                out.push('$');
                rest = tail;
            }
        }
        out.push_str(rest);
        Ok(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_filled_in_once() {
        let vars = Vars([("a".to_owned(), "1${b}".to_owned()), ("b".to_owned(), "2".to_owned())].into());
        let table = [
            ("plain", Ok("plain".to_owned())),
            ("${b}/x", Ok("2/x".to_owned())),
            ("${a}", Ok("1${b}".to_owned())),
            ("$$5 $x", Ok("$5 $x".to_owned())),
            ("${c}", Err(VarError::Unknown("c".to_owned()))),
            ("${b", Err(VarError::Unclosed)),
        ];
        for (text, want) in table {
            assert_eq!(vars.fill(text), want, "{text}");
        }
    }

    #[test]
    fn what_is_filled_later_is_left_alone() {
        let vars = Vars([("a".to_owned(), "1".to_owned())].into());
        let table = [
            ("${a}${param.a}${each}", Ok("1${param.a}${each}".to_owned())),
            ("${run.id} ${secret.x}", Ok("${run.id} ${secret.x}".to_owned())),
            ("$${HOME}", Ok("${HOME}".to_owned())),
            ("${HOME}", Err(VarError::Unknown("HOME".to_owned()))),
        ];
        for (text, want) in table {
            assert_eq!(vars.fill_but(text, is_later), want, "{text}");
        }
    }
}
