//! What probes share: secrets, and commands whose one answer serves several probes.

use super::Fault;
use super::host::HostShared;
use super::kept::Kept;
use crate::clock::{Clock, Now};
use crate::domain::id::{HostId, SecretId};
use crate::stack::spec::{Login, Stack};
use crate::transport::fetch::access::Access;
use crate::transport::secret::Secrets;
use crate::transport::{Command, Output, Transport};
use secrecy::SecretString;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Mutex;

/// Shared commands remembered at most; a stack file names a handful.
const MAX_SHARED_COMMANDS: usize = 256;

/// One for all probes of a run of the program.
#[derive(Debug, Default)]
pub struct Shared {
    /// Secrets and sessions; scrapes use the same.
    pub access: Arc<Access>,
    /// What the probes of one host share.
    pub host: HostShared,
    /// Connections that HTTP probes keep between their runs.
    pub(super) kept: Kept,
    commands: Mutex<HashMap<(HostId, Command), Arc<Slot>>>,
}

/// The last answer of one command. The lock is held while it runs, so that probes which ask at
/// the same moment wait for one answer instead of starting it again.
type Slot = Mutex<Option<Answer>>;

/// A command's output and when it was had.
#[derive(Clone, Debug)]
pub struct Answer {
    pub output: Arc<Output>,
    pub at: Now,
}

impl Shared {
    pub fn new(secrets: Secrets) -> Self {
        Shared { access: Arc::new(Access::new(secrets, &[])), ..Shared::default() }
    }

    /// For probes outside of a stack that log in.
    pub fn with_logins(secrets: Secrets, logins: &[Login]) -> Self {
        Shared { access: Arc::new(Access::new(secrets, logins)), ..Shared::default() }
    }

    /// The value of a secret; see [`Access::secret`].
    ///
    /// # Errors
    /// As there.
    pub async fn secret(&self, id: &SecretId) -> Result<SecretString, Fault> {
        self.access.secret(id).await
    }

    /// For the probes of one stack: what they ask for together is known from the start.
    pub fn for_stack(secrets: Secrets, stack: &Stack) -> Self {
        Shared {
            access: Arc::new(Access::new(secrets, &stack.logins)),
            host: HostShared::for_stack(stack),
            ..Shared::default()
        }
    }

    /// The same secrets and sessions, with nothing remembered of what was answered before.
    #[must_use]
    pub fn afresh(&self, stack: &Stack) -> Self {
        Shared { access: Arc::clone(&self.access), host: HostShared::for_stack(stack), ..Shared::default() }
    }

    /// Runs a command on a host, or takes its answer when one is at most `max_age` old.
    /// Cancel-safe: when the asker that runs it gives up, the next one runs it again.
    pub async fn command(
        &self,
        host: &HostId,
        transport: &Transport,
        command: &Command,
        max_age: Duration,
        clock: &dyn Clock,
    ) -> Result<Answer, Fault> {
        self.cleaned_command(host, transport, command, max_age, clock, |_| {}).await
    }

    /// As [`Shared::command`], for a command whose output holds what must not be kept: `clean`
    /// takes it out before the answer is stored.
    pub async fn cleaned_command(
        &self,
        host: &HostId,
        transport: &Transport,
        command: &Command,
        max_age: Duration,
        clock: &dyn Clock,
        clean: impl FnOnce(&mut Output),
    ) -> Result<Answer, Fault> {
        let slot = {
            let mut commands = self.commands.lock().await;
            if commands.len() >= MAX_SHARED_COMMANDS {
                commands.clear();
            }
            Arc::clone(commands.entry((host.clone(), command.clone())).or_default())
        };
        let mut slot = slot.lock().await;
        if let Some(answer) = slot.as_ref().filter(|a| clock.now().since(a.at) <= max_age) {
            return Ok(answer.clone());
        }
        let at = clock.now();
        let mut output = transport.run(command).await?;
        clean(&mut output);
        let answer = Answer { output: Arc::new(output), at };
        *slot = Some(answer.clone());
        Ok(answer)
    }
}

/// Whether `sudo -n` said that it would have to ask.
pub fn sudo_refused(stderr: &str) -> bool {
    stderr.contains("a password is required")
        || stderr.contains("may not run sudo")
        || stderr.contains("is not in the sudoers")
}

/// What to put into sudoers so that a command may run.
pub fn sudo_help(command: &Command) -> String {
    format!("needs sudo: add to sudoers: <user> ALL=(root) NOPASSWD: {}", command.argv.join(" "))
}
