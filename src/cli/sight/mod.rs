//! The eyes of a run: probes, scrapes and the stack's Prometheus, asked when the run asks.

mod look;
mod needs;
mod remote;
#[cfg(test)]
mod tests;

use crate::act::sight::{Looking, Sight};
use crate::clock::Clock;
use crate::domain::health::Health;
use crate::domain::id::ProbeId;
use crate::domain::procedure::check::{Condition, Seen};
use crate::domain::promql::{Expr, Value};
use crate::domain::text;
use crate::observe::metrics::engine::remotes;
use crate::observe::metrics::prometheus::Prometheus;
use crate::observe::prober::Prober;
use crate::stack::spec::Stack;
use look::{Eyes, Look, looks_back};
use needs::Needs;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Mutex;

/// How long an expression over time is looked at again before it is said to give nothing.
const COLLECTED: Duration = Duration::from_secs(5);
/// Between two such looks.
const EVERY: Duration = Duration::from_secs(1);

/// What of the Prometheus is good enough.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Freshness {
    /// For a run: only samples that are newer than the question.
    Newer,
    /// For a plan that somebody looks at: what it knows.
    AsKnown,
}

/// See the module. What it saw is kept as long as it lives, so that expressions over time get
/// better with every look.
pub struct Watcher {
    stack: Arc<Stack>,
    prober: Prober,
    clock: Arc<dyn Clock>,
    prometheus: Option<Result<Prometheus, String>>,
    freshness: Freshness,
    /// One look at a time.
    eyes: Mutex<Eyes>,
}

impl Watcher {
    /// `prober` is of this stack.
    pub fn new(stack: Arc<Stack>, prober: Prober, clock: Arc<dyn Clock>, freshness: Freshness) -> Self {
        let eyes = Mutex::new(Eyes::new(&stack, &prober, &clock));
        let prometheus = stack.metrics.prometheus.as_ref().map(|r| remotes::prometheus(r, &prober));
        Watcher { stack, prober, clock, prometheus, freshness, eyes }
    }

    async fn seen(&self, condition: &Condition) -> Seen {
        let bad = |says: String| Seen { holds: false, says: text::reason(&says) };
        let probes = match self.places(&condition.probes) {
            Ok(probes) => probes,
            Err(why) => return bad(why),
        };
        let mut exprs = Vec::new();
        for expr in &condition.exprs {
            match Expr::parse(expr) {
                Ok(expr) => {
                    let needs = needs::of(&expr, &self.stack);
                    exprs.push((expr, needs));
                }
                Err(e) => return bad(format!("{expr}: it cannot be understood: {e}")),
            }
        }
        let mut eyes = self.eyes.lock().await;
        let began = self.clock.now();
        loop {
            let look = eyes.look(&self.stack, &self.prober, &probes, &self.locally(&exprs)).await;
            let mut good = Vec::new();
            if let Some(why) = self.unhealthy(&look, &probes, condition.or_degraded, &mut good) {
                return bad(why);
            }
            let mut failed = None;
            for (expr, needs) in &exprs {
                let answer = self.answer(&eyes, &look, expr, needs).await;
                match answer.and_then(|v| holds(expr, &v).map_err(|why| why + &measured(&eyes, &look, expr)))
                {
                    Ok(says) => good.push(format!("{}: {says}", short(expr.text()))),
                    Err(why) => {
                        failed = Some((looks_back(expr), format!("{}: {why}", short(expr.text()))));
                        break;
                    }
                }
            }
            match failed {
                None => return Seen { holds: true, says: text::listed(&good, text::MAX_REASON) },
                Some((true, _)) if self.clock.now().since(began) < COLLECTED => {
                    tokio::time::sleep(EVERY).await;
                }
                Some((_, why)) => return bad(why),
            }
        }
    }

    /// Those that are looked at here: a Prometheus that is to be asked is asked instead.
    fn locally(&self, exprs: &[(Expr, Needs)]) -> Vec<(Expr, Needs)> {
        exprs.iter().filter(|(_, needs)| needs.ours || self.prometheus.is_none()).cloned().collect()
    }

    fn places(&self, probes: &[ProbeId]) -> Result<BTreeSet<usize>, String> {
        let place = |id: &ProbeId| {
            let found = self.stack.probes.iter().position(|p| p.id == *id);
            found.ok_or_else(|| format!("no probe is called {id}"))
        };
        probes.iter().map(place).collect()
    }

    /// The first probe that is not well enough.
    fn unhealthy(
        &self,
        look: &Look,
        probes: &BTreeSet<usize>,
        or_degraded: bool,
        good: &mut Vec<String>,
    ) -> Option<String> {
        for i in probes {
            let id = &self.stack.probes.get(*i)?.id;
            let Some(reading) = look.readings.get(i) else { return Some(format!("{id} was not looked at")) };
            let well = match reading.health {
                Health::Up => true,
                Health::Degraded => or_degraded,
                Health::Down | Health::Unknown => false,
            };
            if !well {
                return Some(format!("{id} is {}: {}", reading.health, reading.reason));
            }
            good.push(format!("{id} is {}: {}", reading.health, short(&reading.reason)));
        }
        None
    }

    /// The value of an expression, by what was just seen or by the Prometheus.
    async fn answer(&self, eyes: &Eyes, look: &Look, expr: &Expr, needs: &Needs) -> Result<Value, String> {
        let prometheus = match &self.prometheus {
            Some(prometheus) if !needs.ours => {
                prometheus.as_ref().map_err(|why| format!("not known: {why}"))?
            }
            _ => {
                let silent = look.silent.iter();
                let missed =
                    silent.filter(|(i, _)| needs.targets.contains(i) && !eyes.does_without(**i, expr));
                if let Some((i, why)) = missed.into_iter().next() {
                    let id = self.stack.metrics.scrapes.get(*i).map_or("", |s| s.id.as_str());
                    return Err(format!("not known: target {id}: {why}"));
                }
                return eyes.value(expr, look).map_err(|e| format!("not known: {e}"));
            }
        };
        let asked = match self.freshness {
            Freshness::Newer => remote::newer_value(prometheus, expr, &*self.clock).await,
            Freshness::AsKnown => remote::value(prometheus, expr, &*self.clock).await,
        };
        asked.map_err(|e| format!("not known: {}: {e}", prometheus.api().url()))
    }

    async fn valued(&self, text: &str) -> Result<f64, String> {
        let expr = Expr::parse(text).map_err(|e| format!("the expression cannot be understood: {e}"))?;
        let needs = needs::of(&expr, &self.stack);
        let exprs = [(expr, needs)];
        let local = self.locally(&exprs);
        let [(expr, needs)] = &exprs;
        let mut eyes = self.eyes.lock().await;
        let began = self.clock.now();
        loop {
            let look = eyes.look(&self.stack, &self.prober, &BTreeSet::new(), &local).await;
            let found = self.answer(&eyes, &look, expr, needs).await;
            let found = found
                .and_then(|v| sum(&v))
                .map_err(|why| text::reason(why.strip_prefix("not known: ").unwrap_or(&why)));
            if found.is_ok() || !looks_back(expr) || self.clock.now().since(began) >= COLLECTED {
                return found;
            }
            tokio::time::sleep(EVERY).await;
        }
    }

    async fn probed(&self, id: &ProbeId) -> (Health, String) {
        let probes = match self.places(std::slice::from_ref(id)) {
            Ok(probes) => probes,
            Err(why) => return (Health::Unknown, why),
        };
        let mut eyes = self.eyes.lock().await;
        let mut look = eyes.look(&self.stack, &self.prober, &probes, &[]).await;
        match look.readings.pop_first() {
            Some((_, reading)) => (reading.health, reading.reason),
            None => (Health::Unknown, format!("{id} was not looked at")),
        }
    }
}

impl Sight for Watcher {
    fn check<'a>(&'a self, condition: &'a Condition) -> Looking<'a, Seen> {
        Box::pin(self.seen(condition))
    }

    fn value<'a>(&'a self, expr: &'a str) -> Looking<'a, Result<f64, String>> {
        Box::pin(self.valued(expr))
    }

    fn probe<'a>(&'a self, id: &'a ProbeId) -> Looking<'a, (Health, String)> {
        Box::pin(self.probed(id))
    }
}

/// What of a value says that its expression holds; otherwise why it does not.
fn holds(expr: &Expr, value: &Value) -> Result<String, String> {
    let flag = expr.is_scalar() || expr.comparison().is_some_and(|c| c.flag);
    let values: Vec<f64> = match value {
        Value::Scalar(v) => vec![*v],
        Value::Vector(points) => points.iter().map(|p| p.v).collect(),
        Value::Text(_) | Value::Matrix(_) => return Err("it is no condition".to_owned()),
    };
    match values.as_slice() {
        [] => Err("it does not hold".to_owned()),
        all if flag && all.iter().any(|v| *v == 0.0 || v.is_nan()) => Err("it does not hold".to_owned()),
        [one] => Ok(format!("{one}")),
        many => Ok(format!("{} series", many.len())),
    }
}

/// What was measured of a comparison that does not hold: `; 41 now`.
fn measured(eyes: &Eyes, look: &Look, expr: &Expr) -> String {
    let side = expr.comparison().map(|c| eyes.value(c.measured(), look));
    match side {
        Some(Ok(Value::Scalar(v))) => format!("; {v} now"),
        Some(Ok(Value::Vector(points))) => match points.as_slice() {
            [] => String::new(),
            [one] => format!("; {} now", one.v),
            [first, rest @ ..] => format!("; {} now and {} more", first.v, rest.len()),
        },
        _ => String::new(),
    }
}

fn sum(value: &Value) -> Result<f64, String> {
    match value {
        Value::Scalar(v) => Ok(*v),
        Value::Vector(points) if points.is_empty() => Err("it gives nothing".to_owned()),
        Value::Vector(points) => Ok(points.iter().map(|p| p.v).sum()),
        Value::Text(_) | Value::Matrix(_) => Err("it is no number".to_owned()),
    }
}

fn short(words: &str) -> String {
    text::one_line(words, 80)
}
