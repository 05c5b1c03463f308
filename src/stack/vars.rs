//! `${name}` in the strings of a stack file: addresses, paths and thresholds that differ from
//! one installation to the next.

use std::collections::BTreeMap;

/// Names and values; the file's own defaults, overridden by config.toml.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Vars(pub BTreeMap<String, String>);

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
                out.push_str(self.0.get(name).ok_or_else(|| VarError::Unknown(name.to_owned()))?);
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
}
