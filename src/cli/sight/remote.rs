//! Expressions that only the stack's Prometheus can answer, and how new its answer is.

use crate::clock::Clock;
use crate::domain::promql::{Expr, Value};
use crate::domain::series::Millis;
use crate::domain::units;
use crate::observe::metrics::api::AskError;
use crate::observe::metrics::prometheus::Prometheus;
use std::time::Duration;

/// How long is waited for samples newer than the question: twice the longest usual scrape interval.
const PATIENCE: Duration = Duration::from_secs(120);
/// How long is waited for a series that is not there at all.
const ABSENT: Duration = Duration::from_secs(10);
/// Between two looks at how new they are.
const EVERY: Duration = Duration::from_secs(1);

/// The value of an expression now, as the Prometheus knows it.
///
/// # Errors
/// It completes "not known: …".
pub(super) async fn value(
    prometheus: &Prometheus,
    expr: &Expr,
    clock: &dyn Clock,
) -> Result<Value, AskError> {
    let at = clock.now().wall.as_millisecond();
    prometheus.query(expr.text(), at).await.map(|a| a.data)
}

/// The value of an expression by samples that are newer than this call: it waits until the
/// Prometheus has them. Cancel-safe.
///
/// # Errors
/// It completes "not known: …".
pub(super) async fn newer_value(
    prometheus: &Prometheus,
    expr: &Expr,
    clock: &dyn Clock,
) -> Result<Value, AskError> {
    let began = clock.now();
    let since = began.wall.as_millisecond();
    let mut ages = Vec::new();
    for selector in expr.selectors() {
        let matchers: Vec<String> = selector.matchers.iter().map(ToString::to_string).collect();
        ages.push((format!("min(timestamp({{{}}}))", matchers.join(",")), selector.text));
    }
    for (question, text) in ages {
        loop {
            let newest = newest(prometheus, &question, clock.now().wall.as_millisecond()).await?;
            match newest {
                Some(t) if t >= since => break,
                Some(_) if clock.now().since(began) < PATIENCE => tokio::time::sleep(EVERY).await,
                None if clock.now().since(began) < ABSENT => tokio::time::sleep(EVERY).await,
                Some(_) => {
                    let span = units::exact(PATIENCE);
                    return Err(AskError::Ours(format!("no sample of {text} came within {span}")));
                }
                None => {
                    let why =
                        format!("the Prometheus has no series {text}, and so nothing newer than the effect");
                    return Err(AskError::Ours(why));
                }
            }
        }
    }
    value(prometheus, expr, clock).await
}

/// When the oldest of some newest samples was taken.
async fn newest(prometheus: &Prometheus, question: &str, at: Millis) -> Result<Option<Millis>, AskError> {
    Ok(match prometheus.query(question, at).await?.data {
        Value::Vector(points) => points.first().map(|p| (p.v * 1000.0).round() as Millis),
        _ => None,
    })
}
