//! The HTTP API (version 2) of an Alertmanager: its alerts, silences, receivers and routing.
//! Reading only.

mod config;
mod wire;

pub use config::routing;

use super::api::{Api, AskError, Reply, stranger};
use crate::domain::alert::remote::{Sent, Silence, Told};
use crate::domain::text;
use serde::de::DeserializeOwned;

/// The largest answer, in bytes after decompression.
const MAX_BODY: usize = 32 << 20;
/// Alerts, silences and receivers taken at most, of each.
pub const MAX_EACH: usize = 20_000;
/// What is asked for, as an error names it.
const WHAT: &str = "an Alertmanager";

/// An Alertmanager.
#[derive(Debug)]
pub struct Alertmanager {
    api: Api,
}

/// What it says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// Such as `0.25.0`.
    pub version: String,
    /// Its configuration as it is, without its secrets.
    pub config: String,
    /// Of its cluster: `ready`, `settling`, `disabled`.
    pub cluster: String,
}

impl Alertmanager {
    /// Nothing is opened yet.
    pub fn over(api: Api) -> Alertmanager {
        Alertmanager { api }
    }

    pub fn api(&self) -> &Api {
        &self.api
    }

    /// Every alert that it has: active, silenced and inhibited.
    ///
    /// # Errors
    /// See [`AskError`].
    pub async fn alerts(&self) -> Result<Vec<Sent>, AskError> {
        let found: Vec<wire::Alert> = self.ask("/api/v2/alerts").await?;
        Ok(found.into_iter().take(MAX_EACH).map(wire::Alert::read).collect())
    }

    /// Every silence that it remembers, expired ones as well.
    ///
    /// # Errors
    /// See [`AskError`].
    pub async fn silences(&self) -> Result<Vec<Silence>, AskError> {
        let found: Vec<wire::Silence> = self.ask("/api/v2/silences").await?;
        Ok(found.into_iter().take(MAX_EACH).map(wire::Silence::read).collect())
    }

    /// Names of its receivers.
    ///
    /// # Errors
    /// See [`AskError`].
    pub async fn receivers(&self) -> Result<Vec<String>, AskError> {
        let found: Vec<wire::Named> = self.ask("/api/v2/receivers").await?;
        Ok(found.into_iter().take(MAX_EACH).map(|r| r.name).collect())
    }

    /// Its version and configuration.
    ///
    /// # Errors
    /// See [`AskError`].
    pub async fn status(&self) -> Result<Status, AskError> {
        Ok(self.ask::<wire::Status>("/api/v2/status").await?.read())
    }

    /// Everything at once, for one look.
    ///
    /// # Errors
    /// See [`AskError`]. A configuration that cannot be understood is none; it is in `odd`.
    pub async fn told(&self) -> Result<Told, AskError> {
        let status = self.status().await?;
        // Silences first: an alert that was silenced in between then names one we do not know,
        // which is said; the other way round it would be taken for one that pages.
        let silences = self.silences().await?;
        let alerts = self.alerts().await?;
        let mut odd = Vec::new();
        let routing = routing(&status.config, &mut odd);
        let version = format!("Alertmanager {}", status.version);
        Ok(Told { alerts, silences, routing, odd, version })
    }

    async fn ask<T: DeserializeOwned>(&self, path: &str) -> Result<T, AskError> {
        open(path, &self.api.get(path, &[], MAX_BODY).await?)
    }
}

/// Takes an answer apart.
fn open<T: DeserializeOwned>(path: &str, reply: &Reply) -> Result<T, AskError> {
    match (reply.status, serde_json::from_slice(&reply.body)) {
        (200, Ok(found)) => Ok(found),
        (200, Err(e)) => Err(stranger(WHAT, reply, &text::one_line(&e.to_string(), 120))),
        (404, _) => Err(AskError::Absent(format!("404 Not Found: it has no {path}"))),
        (status, _) => {
            // Errors are texts in quotes, or objects with a message.
            let said = match serde_json::from_slice(&reply.body) {
                Ok(serde_json::Value::String(said)) => said,
                Ok(serde_json::Value::Object(o)) => {
                    o.get("message").and_then(|m| m.as_str()).unwrap_or("").to_owned()
                }
                _ => return Err(stranger(WHAT, reply, "no JSON")),
            };
            let said = format!("status {status}: {}", text::one_line(&said, 300));
            Err(if status >= 500 { AskError::Silent(said) } else { AskError::Refused(said) })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_answer_is_said_in_words() {
        let table = [
            (200, "<html><title>Login</title>", "got HTML: the page \"Login\""),
            (200, r#"{"status":"success"}"#, "expected the API of an Alertmanager"),
            (404, "404 page not found", "it has no /x"),
            (400, r#""bad filter""#, "status 400: bad filter"),
            (500, r#"{"code":500,"message":"boom"}"#, "status 500: boom"),
            (503, "upstream gone", "status 503: upstream gone"),
        ];
        for (status, body, words) in table {
            let reply = Reply { status, body: body.as_bytes().to_vec() };
            let why = open::<Vec<wire::Named>>("/x", &reply).err().unwrap().to_string();
            assert!(why.contains(words), "{body}: {why}");
        }
    }
}
