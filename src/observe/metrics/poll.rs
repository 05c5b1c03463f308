//! Keeping up with a Prometheus and an Alertmanager: when to ask again, and what is known while
//! one of them is silent.

use super::alertmanager::Alertmanager;
use super::api::AskError;
use super::prometheus::Prometheus;
use crate::clock::{Clock, Now};
use crate::domain::alert::remote::{RemoteRule, Told};
use crate::domain::board::{RemoteState, RemoteView};
use crate::domain::text;
use std::sync::Arc;
use std::time::Duration;

/// After the first failed look the next comes this soon, then twice as late each time until it is
/// the interval: a blip is over at once, and a return is noticed within one interval.
const FIRST_RETRY: Duration = Duration::from_secs(1);

/// One look's result: what was heard, and what the server is.
pub type Heard<T> = Result<(T, String), AskError>;

/// What is known of one server. Pure: it is told the results of looks and says what they mean.
#[derive(Clone, Debug)]
pub struct Watch<T> {
    url: String,
    version: String,
    state: RemoteState,
    last: Option<(Now, Arc<T>)>,
    /// Failed looks in a row.
    failures: u32,
}

/// What a look at a Prometheus gives.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rules {
    pub rules: Vec<RemoteRule>,
    /// Why there are none, or what should be known about them; one line each.
    pub remarks: Vec<String>,
}

impl<T> Watch<T> {
    /// Of a server that has not been asked yet.
    pub fn new(url: &str) -> Self {
        Watch {
            url: url.to_owned(),
            version: String::new(),
            state: RemoteState::NotAsked,
            last: None,
            failures: 0,
        }
    }

    /// Takes the result of a look that ended at `at`.
    pub fn heard(&mut self, at: Now, result: Heard<T>) {
        match result {
            Ok((what, version)) => {
                self.failures = 0;
                self.state = RemoteState::Answering { at };
                self.last = Some((at, Arc::new(what)));
                if !version.is_empty() {
                    self.version = version;
                }
            }
            Err(why) => {
                self.failures = self.failures.saturating_add(1);
                let since = match self.state {
                    RemoteState::Silent { since, .. } => since,
                    RemoteState::NotAsked | RemoteState::Answering { .. } => at,
                };
                self.state = RemoteState::Silent { since, why: text::reason(&why.to_string()) };
            }
        }
    }

    /// For the board.
    pub fn view(&self) -> RemoteView {
        RemoteView { url: self.url.clone(), state: self.state.clone(), version: self.version.clone() }
    }

    /// Whether the last look went well.
    pub fn answers(&self) -> bool {
        matches!(self.state, RemoteState::Answering { .. })
    }

    /// Why the last look gave nothing, if it did not.
    pub fn silent(&self) -> Option<(Now, &str)> {
        match &self.state {
            RemoteState::Silent { since, why } => Some((*since, why)),
            RemoteState::NotAsked | RemoteState::Answering { .. } => None,
        }
    }

    /// What was heard last and when, however long ago that is.
    pub fn last(&self) -> Option<(Now, &Arc<T>)> {
        self.last.as_ref().map(|(at, what)| (*at, what))
    }

    /// How long to wait before the next look.
    pub fn wait(&self, interval: Duration) -> Duration {
        match self.failures {
            0 => interval,
            n => interval.min(FIRST_RETRY.saturating_mul(1 << (n - 1).min(20))),
        }
    }
}

/// Looks at a Prometheus once: its rules with their alerts, and, unless `version` is known, what
/// it is. One that has no rules (`VictoriaMetrics`) is asked the simplest of questions instead.
///
/// # Errors
/// It does not answer, or not as a Prometheus would.
pub async fn look_at_prometheus(prometheus: &Prometheus, version: &str, now: Now) -> Heard<Rules> {
    let found = match prometheus.rules().await {
        Ok(answer) => Rules { rules: answer.data, remarks: answer.warnings },
        Err(why) if why.answers() => {
            prometheus.query("1", now.wall.as_millisecond()).await?;
            Rules { rules: Vec::new(), remarks: vec![format!("no rules: {why}")] }
        }
        Err(why) => return Err(why),
    };
    let version = match version {
        // To know what it is matters less than what it says.
        "" => prometheus.build().await.map(|b| b.to_string()).unwrap_or_default(),
        known => known.to_owned(),
    };
    Ok((found, version))
}

/// Looks at an Alertmanager once.
///
/// # Errors
/// It does not answer, or not as an Alertmanager would.
pub async fn look_at_alertmanager(alertmanager: &Alertmanager) -> Heard<Told> {
    let told = alertmanager.told().await?;
    let version = told.version.clone();
    Ok((told, version))
}

/// Keeps up with a Prometheus until it is dropped; `tell` gets what is known after every look.
/// Looks never overlap.
pub async fn keep_up_with_prometheus(
    prometheus: &Prometheus,
    clock: &dyn Clock,
    interval: Duration,
    mut tell: impl FnMut(&Watch<Rules>),
) {
    let mut watch = Watch::new(prometheus.api().url());
    loop {
        // Who has been silent may be another one by now.
        let version = if watch.answers() { watch.version.clone() } else { String::new() };
        let heard = look_at_prometheus(prometheus, &version, clock.now()).await;
        watch.heard(clock.now(), heard);
        tell(&watch);
        tokio::time::sleep(watch.wait(interval)).await;
    }
}

/// As [`keep_up_with_prometheus`], with an Alertmanager.
pub async fn keep_up_with_alertmanager(
    alertmanager: &Alertmanager,
    clock: &dyn Clock,
    interval: Duration,
    mut tell: impl FnMut(&Watch<Told>),
) {
    let mut watch = Watch::new(alertmanager.api().url());
    loop {
        let heard = look_at_alertmanager(alertmanager).await;
        watch.heard(clock.now(), heard);
        tell(&watch);
        tokio::time::sleep(watch.wait(interval)).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::ManualClock;

    #[test]
    fn silence_has_a_beginning_and_the_last_answer_stays() {
        let clock = ManualClock::at("2026-01-01T00:00:00Z".parse().unwrap());
        let mut watch = Watch::new("http://a");
        assert_eq!(watch.view().state, RemoteState::NotAsked);
        let first = clock.now();
        watch.heard(first, Ok((1, "Prometheus 2".into())));
        clock.advance(Duration::from_secs(15));
        let gone = clock.now();
        let silent = |why: &str| Err(AskError::Silent(why.into()));
        watch.heard(gone, silent("refused"));
        clock.advance(Duration::from_secs(15));
        watch.heard(clock.now(), silent("too slow"));
        assert_eq!(watch.view().state, RemoteState::Silent { since: gone, why: "too slow".into() });
        assert_eq!(watch.last().map(|(at, v)| (at, **v)), Some((first, 1)));
        assert_eq!(watch.view().version, "Prometheus 2");
        watch.heard(clock.now(), Ok((2, String::new())));
        assert_eq!(
            (watch.answers(), watch.silent(), watch.view().version.as_str()),
            (true, None, "Prometheus 2")
        );
    }

    #[test]
    fn a_silent_server_is_asked_within_an_interval() {
        let interval = Duration::from_secs(15);
        let clock = ManualClock::at("2026-01-01T00:00:00Z".parse().unwrap());
        let mut watch: Watch<()> = Watch::new("http://a");
        let waits: Vec<u64> = (0..60)
            .map(|_| {
                watch.heard(clock.now(), Err(AskError::Silent("x".into())));
                watch.wait(interval).as_secs()
            })
            .collect();
        assert_eq!(waits[..6], [1, 2, 4, 8, 15, 15]);
        assert_eq!(waits[59], 15);
        watch.heard(clock.now(), Ok(((), String::new())));
        assert_eq!(watch.wait(interval), interval);
    }
}
