//! What proves to servers who asks, for everything that asks: secrets, and sessions of logins.

use super::Fault;
use super::login::Logins;
use crate::domain::id::SecretId;
use crate::stack::spec::Login;
use crate::transport::secret::Secrets;
use secrecy::SecretString;
use std::sync::Arc;
use tokio::sync::Mutex;

/// One for a run of the program: a login that failed must be known to all who would try it again.
#[derive(Debug, Default)]
pub struct Access {
    pub secrets: Arc<Secrets>,
    /// Held by the one fetch of a secret that runs: a command that hangs holds one thread, not
    /// one more at every poll.
    fetching: Arc<Mutex<()>>,
    /// The sessions of HTTP APIs.
    pub(super) logins: Logins,
}

impl Access {
    pub fn new(secrets: Secrets, logins: &[Login]) -> Self {
        Access { secrets: Arc::new(secrets), fetching: Arc::default(), logins: Logins::new(logins) }
    }

    /// Every secret value that is known now: what was fetched, and the tokens of sessions. For
    /// taking them out of what is kept and shown.
    pub fn known(&self) -> Vec<SecretString> {
        let mut all = self.secrets.known();
        all.extend(self.logins.known());
        all
    }

    /// Fetches every secret that there is a source for. What cannot be had: each with why. Not
    /// bounded in time: each may take [`crate::transport::secret::MAX_TIME`]. Cancel-safe.
    pub async fn fetch_all(&self) -> Vec<String> {
        let ids: Vec<SecretId> = self.secrets.ids().cloned().collect();
        let mut missing = Vec::new();
        for id in ids {
            if let Err(fault) = self.secret(&id).await {
                missing.push(fault.why().to_owned());
            }
        }
        missing
    }

    /// The value of a secret. The first time it may run a command, on a thread of its own.
    /// Cancel-safe: a fetch that nobody waits for any more still fills the store.
    ///
    /// # Errors
    /// `Unknown`: we lack the secret, which says nothing of the target.
    pub async fn secret(&self, id: &SecretId) -> Result<SecretString, Fault> {
        if let Some(value) = self.secrets.at_hand(id) {
            return Ok(value);
        }
        let turn = Arc::clone(&self.fetching).lock_owned().await;
        let (secrets, id) = (Arc::clone(&self.secrets), id.clone());
        let fetched = tokio::task::spawn_blocking(move || {
            let value = secrets.get(&id);
            drop(turn);
            value
        });
        fetched
            .await
            .map_err(|e| Fault::Unknown(format!("cannot fetch a secret: {e}")))?
            .map_err(Fault::Unknown)
    }
}
