//! `quarterdeck query`: the value of an expression, from the Prometheus that the stack names, or
//! evaluated here over what is collected on the spot.

use super::moment::Moment;
use super::values::Found;
use crate::clock::Clock;
use crate::domain::board::Ask;
use crate::domain::promql::{Expr, MAX_POINTS, Options, Value};
use crate::domain::series::Millis;
use crate::domain::telemetry::Telemetry;
use crate::observe::metrics::engine::{remotes, setup};
use crate::observe::metrics::once;
use crate::observe::metrics::prometheus::Prometheus;
use crate::observe::prober::Prober;
use crate::stack::spec::Stack;
use std::sync::Arc;
use std::time::Duration;

/// A range is cut into this many steps when no step is given, as Prometheus' own pages do.
const STEPS: Millis = 250;
/// How long is collected for an expression that looks at a span of time.
const COLLECTED: Duration = Duration::from_secs(5);

/// What is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    pub expr: String,
    pub at: Moment,
    /// So far back from `at`.
    pub range: Option<Duration>,
    pub step: Option<Duration>,
}

/// Who evaluates.
pub enum Backend {
    Prometheus(Box<Prometheus>),
    Here(Arc<Prober>),
}

impl Backend {
    /// The stack's Prometheus, or else this program.
    ///
    /// # Errors
    /// There is no way to the Prometheus' host.
    pub fn of(stack: &Stack, prober: Prober) -> Result<Backend, String> {
        match &stack.metrics.prometheus {
            Some(remote) => remotes::prometheus(remote, &prober).map(|p| Backend::Prometheus(Box::new(p))),
            None => Ok(Backend::Here(Arc::new(prober))),
        }
    }
}

/// First, last and step of a range.
///
/// # Errors
/// More steps than anybody evaluates.
fn range(question: &Question, at: Millis) -> Result<Option<(Millis, Millis)>, String> {
    let millis = |d: Duration| Millis::try_from(d.as_millis()).unwrap_or(Millis::MAX);
    let Some(width) = question.range.map(millis) else { return Ok(None) };
    let step = question.step.map_or_else(|| (width / STEPS / 1000 * 1000).max(1000), millis);
    if step < 1 || usize::try_from(width / step).is_ok_and(|steps| steps > MAX_POINTS) {
        return Err(format!("evaluate more than {MAX_POINTS} steps: take a longer --step"));
    }
    Ok(Some((at.saturating_sub(width), step)))
}

/// Asks, and gives what came of it.
///
/// # Errors
/// The text completes "failed to …".
pub async fn ask(
    question: &Question,
    backend: &Backend,
    stack: &Stack,
    clock: &Arc<dyn Clock>,
) -> Result<Found, String> {
    match backend {
        Backend::Prometheus(prometheus) => {
            ask_prometheus(question, prometheus, clock.now().wall.as_millisecond()).await
        }
        Backend::Here(prober) => evaluate(question, prober, stack, clock).await,
    }
}

async fn ask_prometheus(question: &Question, prometheus: &Prometheus, now: Millis) -> Result<Found, String> {
    let at = question.at.millis(now);
    let range = range(question, at)?;
    let asked = match range {
        Some((from, step)) => {
            let lines = prometheus.query_range(&question.expr, from, at, step).await;
            lines.map(|a| (Value::Matrix(a.data), a.warnings))
        }
        None => prometheus.query(&question.expr, at).await.map(|a| (a.data, a.warnings)),
    };
    let (value, warnings) = asked.map_err(|e| format!("query {}: {e}", prometheus.api().url()))?;
    Ok(Found { expr: question.expr.clone(), at, range, value, warnings, by: "prometheus" })
}

/// Collects what the expression selects and evaluates it.
async fn evaluate(
    question: &Question,
    prober: &Arc<Prober>,
    stack: &Stack,
    clock: &Arc<dyn Clock>,
) -> Result<Found, String> {
    let expr = Expr::parse(&question.expr).map_err(|e| format!("understand the expression: {e}"))?;
    let mut telemetry = Telemetry::new(setup::of(&stack.metrics));
    let span = question.range.unwrap_or_default();
    telemetry.ask(Ask::Query { expr: question.expr.clone(), span, end: None, columns: 1 });
    let over_time = question.range.is_some() || expr.selectors().iter().any(|s| s.over_time);
    let collected = if over_time { COLLECTED } else { Duration::ZERO };
    once::gather(stack, prober, clock, &mut telemetry, collected).await;
    let at = question.at.millis(clock.now().wall.as_millisecond());
    let range = range(question, at)?;
    let options = Options::default();
    let value = match range {
        Some((from, step)) => {
            let step = Duration::from_millis(u64::try_from(step).unwrap_or(u64::MAX));
            expr.range(telemetry.source(), from, at, step, &options).map(Value::Matrix)
        }
        None => expr.instant(telemetry.source(), at, &options),
    };
    let value = value.map_err(|e| format!("evaluate the expression: {e}"))?;
    let mut warnings = Vec::new();
    if over_time || question.at != Moment::Now {
        let for_long = crate::domain::units::exact(collected);
        warnings.push(format!(
            "no Prometheus is named: this knows only what was collected just now, for {for_long}"
        ));
    }
    Ok(Found { expr: question.expr.clone(), at, range, value, warnings, by: "here" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_has_a_sensible_step_and_a_bound() {
        let question = |range: u64, step: Option<u64>| Question {
            expr: "x".into(),
            at: Moment::Now,
            range: Some(Duration::from_secs(range)),
            step: step.map(Duration::from_millis),
        };
        let table = [
            (question(60, None), Some((940_000, 1000))),
            (question(1000, None), Some((0, 4000))),
            (question(60, Some(500)), Some((940_000, 500))),
            (Question { range: None, ..question(1, None) }, None),
        ];
        for (question, want) in table {
            assert_eq!(range(&question, 1_000_000), Ok(want));
        }
        assert!(range(&question(86_400, Some(1)), 0).is_err());
        assert!(range(&question(1, Some(0)), 0).is_err());
    }
}
