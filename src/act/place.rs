//! The places that a plan leaves open for the runner: `${run.id}` and `${secret.NAME}`.

use super::step::Setting;
use crate::domain::id::SecretId;
use secrecy::{ExposeSecret, SecretString};

/// A text cut at its places.
enum Part<'t> {
    Text(&'t str),
    Run,
    Secret(&'t str),
}

/// Cuts a text at its places; anything else between `${` and `}` is text, since a shell script
/// has such places of its own.
fn parts(text: &str) -> Vec<Part<'_>> {
    let (mut out, mut rest, mut from) = (Vec::new(), text, 0);
    while let Some(at) = rest.get(from..).and_then(|r| r.find("${")).map(|at| at + from) {
        let inner = rest.get(at + 2..).unwrap_or("");
        let Some((name, after)) = inner.split_once('}') else { break };
        let part = match name.strip_prefix("secret.") {
            Some(secret) if !secret.is_empty() => Part::Secret(secret),
            _ if name == "run.id" => Part::Run,
            _ => {
                from = at + 2;
                continue;
            }
        };
        out.push(Part::Text(rest.get(..at).unwrap_or("")));
        out.push(part);
        (rest, from) = (after, 0);
    }
    out.push(Part::Text(rest));
    out
}

/// The names of the secrets that a text has places for.
pub fn secrets_in(text: &str) -> Vec<SecretId> {
    let of = |part: &Part<'_>| if let Part::Secret(name) = part { Some(SecretId::new(name)) } else { None };
    parts(text).iter().filter_map(of).collect()
}

/// Fills in the run's id, in texts where no secret may stand: what is shown, and what others see.
///
/// # Errors
/// When there is a place for a secret. It completes "failed: …".
pub fn plain(text: &str, s: &Setting<'_>) -> Result<String, String> {
    let mut out = String::with_capacity(text.len());
    for part in parts(text) {
        match part {
            Part::Text(text) => out.push_str(text),
            Part::Run => out.push_str(s.run.as_str()),
            Part::Secret(name) => {
                return Err(format!("the secret {name} may not stand here: others could read it"));
            }
        }
    }
    Ok(out)
}

/// Fills in all places. The first time, a secret may have to be fetched by a command.
///
/// # Errors
/// When a secret cannot be had. It completes "failed: …" and never holds a value.
pub async fn full(text: &str, s: &Setting<'_>) -> Result<SecretString, String> {
    let mut out = String::with_capacity(text.len());
    for part in parts(text) {
        match part {
            Part::Text(text) => out.push_str(text),
            Part::Run => out.push_str(s.run.as_str()),
            Part::Secret(name) => {
                let value = s.access.secret(&SecretId::new(name)).await;
                out.push_str(value.map_err(|fault| fault.why().to_owned())?.expose_secret());
            }
        }
    }
    Ok(SecretString::from(out))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_places_are_places() {
        let table = [
            ("plain", vec![]),
            ("${secret.a}", vec!["a"]),
            ("x${secret.a}y${run.id}z${secret.b-c}", vec!["a", "b-c"]),
            ("${HOME} ${1:-${secret.a}}", vec!["a"]),
            ("${secret.} ${secret.a", vec![]),
        ];
        for (text, want) in table {
            let want: Vec<SecretId> = want.into_iter().map(SecretId::new).collect();
            assert_eq!(secrets_in(text), want, "{text}");
        }
    }
}
