//! What keeps up with a Prometheus and an Alertmanager, and asks the Prometheus for the screens
//! and the objectives.

use super::{Message, Teller, Wants};
use crate::clock::Clock;
use crate::domain::board::{Answer, GraphData};
use crate::domain::promql::{Line, Value};
use crate::domain::series::Millis;
use crate::domain::telemetry::graphs::{self, MAX_ANSWER};
use crate::domain::telemetry::objectives::Objective;
use crate::domain::telemetry::{GraphQuestion, Questions, Telemetry};
use crate::domain::text;
use crate::observe::metrics::alertmanager::Alertmanager;
use crate::observe::metrics::api::{Api, AskError};
use crate::observe::metrics::poll;
use crate::observe::metrics::prometheus::Prometheus;
use crate::observe::prober::Prober;
use crate::observe::scheduler::Task;
use crate::stack::metrics::Remote;
use crate::stack::spec::Stack;
use std::sync::Arc;
use std::time::Duration;

/// How often both are looked at.
const EVERY: Duration = Duration::from_secs(10);
/// How often the objectives' long windows are counted: the shortest of them is five minutes.
const COUNT_EVERY: Duration = Duration::from_secs(30);
/// How often names for completion are asked for.
const NAMES_EVERY: Duration = Duration::from_secs(300);
/// How often what a screen shows is asked for again.
const REFRESH_EVERY: Duration = Duration::from_secs(5);

/// A task for each of the two that the stack names.
pub fn remotes(
    stack: &Stack,
    prober: &Prober,
    clock: &Arc<dyn Clock>,
    tell: &Teller,
    wants: &Wants,
) -> Vec<Task> {
    let mut tasks: Vec<Task> = Vec::new();
    if let Some(remote) = &stack.metrics.prometheus {
        match prometheus(remote, prober) {
            Ok(asked) => {
                let asked = Arc::new(asked);
                tasks.push(Box::pin(keep_up(Arc::clone(&asked), Arc::clone(clock), tell.clone())));
                tasks.push(Box::pin(answer(Arc::clone(&asked), tell.clone(), wants.clone())));
                tasks.push(Box::pin(count(
                    Arc::clone(&asked),
                    Arc::clone(clock),
                    tell.clone(),
                    counts_of(stack),
                )));
                tasks.push(Box::pin(name(asked, tell.clone())));
            }
            Err(why) => no_way(tell, clock, remote, &why, |t, view| t.outside_mut().prometheus = Some(view)),
        }
    }
    if let Some(remote) = &stack.metrics.alertmanager {
        match alertmanager(remote, prober) {
            Ok(asked) => tasks.push(Box::pin(hear(asked, Arc::clone(clock), tell.clone()))),
            Err(why) => {
                no_way(tell, clock, remote, &why, |t, view| t.outside_mut().alertmanager = Some(view));
            }
        }
    }
    tasks
}

/// The client of a Prometheus, over the way that probes of its host use.
///
/// # Errors
/// There is no way to its host, or a header that cannot be sent.
pub fn prometheus(remote: &Remote, prober: &Prober) -> Result<Prometheus, String> {
    api(remote, prober).map(Prometheus::over)
}

/// As [`prometheus`], of an Alertmanager.
///
/// # Errors
/// There is no way to its host, or a header that cannot be sent.
pub fn alertmanager(remote: &Remote, prober: &Prober) -> Result<Alertmanager, String> {
    api(remote, prober).map(Alertmanager::over)
}

fn api(remote: &Remote, prober: &Prober) -> Result<Api, String> {
    let way = prober.way_to(&remote.host)?;
    let api = Api::new(remote.clone(), way, Arc::clone(&prober.access().secrets));
    remote.headers.iter().try_fold(api, |api, (name, value)| api.with_header(name, value))
}

fn no_way(
    tell: &Teller,
    clock: &Arc<dyn Clock>,
    remote: &Remote,
    why: &str,
    put: fn(&mut Telemetry, crate::domain::board::RemoteView),
) {
    use crate::domain::board::{RemoteState, RemoteView};
    let state = RemoteState::Silent { since: clock.now(), why: text::reason(why) };
    let view = RemoteView { url: remote.target.url.clone(), state, version: String::new() };
    tell.tell(Message::Outside(Box::new(move |t| put(t, view))));
}

async fn keep_up(prometheus: Arc<Prometheus>, clock: Arc<dyn Clock>, tell: Teller) {
    poll::keep_up_with_prometheus(&prometheus, &*clock, EVERY, |watch| {
        let view = watch.view();
        let rules = watch.last().map(|(_, rules)| Arc::clone(rules));
        tell.tell(Message::Outside(Box::new(move |telemetry| {
            let outside = telemetry.outside_mut();
            outside.prometheus = Some(view);
            if let Some(rules) = rules {
                outside.rules.clone_from(&rules.rules);
            }
            if !outside.prometheus_answers() {
                telemetry.objectives_mut().iter_mut().for_each(Objective::forget_remote);
            }
        })));
    })
    .await;
}

async fn hear(alertmanager: Alertmanager, clock: Arc<dyn Clock>, tell: Teller) {
    poll::keep_up_with_alertmanager(&alertmanager, &*clock, EVERY, |watch| {
        let view = watch.view();
        let told = watch.last().map(|(_, told)| Arc::clone(told));
        tell.tell(Message::Outside(Box::new(move |telemetry| {
            let outside = telemetry.outside_mut();
            outside.alertmanager = Some(view);
            if let Some(told) = told {
                outside.told = (*told).clone();
            }
        })));
    })
    .await;
}

/// Asks what the screens want to see, at once when that changes and now and then after.
async fn answer(prometheus: Arc<Prometheus>, tell: Teller, mut wants: Wants) {
    loop {
        let questions = wants.questions.borrow_and_update().clone();
        ask_all(&prometheus, &tell, &questions).await;
        let idle = questions.graphs.is_empty() && questions.query.is_none();
        tokio::select! {
            changed = wants.questions.changed() => if changed.is_err() { return },
            () = tokio::time::sleep(REFRESH_EVERY), if !idle => {}
        }
    }
}

async fn ask_all(prometheus: &Prometheus, tell: &Teller, questions: &Questions) {
    if let Some((expr, range)) = &questions.query {
        let found = prometheus.query_range(expr, range.from, range.to, range.step).await;
        let answer = Arc::new(answered(expr, *range, found.map(|a| (a.data, a.warnings))));
        tell.tell(Message::Outside(Box::new(move |t| t.outside_mut().answer = Some(answer))));
    }
    for graph in &questions.graphs {
        let data = Arc::new(draw(prometheus, graph).await);
        tell.tell(Message::Outside(Box::new(move |t| {
            t.outside_mut().graphs.insert(data.index, data);
        })));
    }
}

fn answered(expr: &str, range: graphs::Range, found: Result<(Vec<Line>, Vec<String>), AskError>) -> Answer {
    let (mut lines, mut trouble) = match found {
        Ok((lines, warnings)) => (lines, warnings.into_iter().next()),
        Err(e) => (Vec::new(), Some(text::reason(&e.to_string()))),
    };
    if lines.len() > MAX_ANSWER {
        trouble = Some(format!("the first {MAX_ANSWER} of {} series are shown", lines.len()));
        lines.truncate(MAX_ANSWER);
    }
    let graphs::Range { from, to, step } = range;
    Answer { expr: expr.to_owned(), from, to, step, lines, trouble, remote: true }
}

async fn draw(prometheus: &Prometheus, graph: &GraphQuestion) -> GraphData {
    let range = graph.range;
    let mut lines = Vec::new();
    let mut trouble = None;
    for (expr, legend) in &graph.lines {
        match prometheus.query_range(expr, range.from, range.to, range.step).await {
            Ok(answer) => {
                lines.push((answer.data, legend.as_str()));
                trouble = trouble.or_else(|| answer.warnings.into_iter().next());
            }
            Err(e) => trouble = Some(text::reason(&e.to_string())),
        }
    }
    graphs::from_lines(graph.index, lines, range, trouble, true)
}

/// The windows of every objective: its place, the window, and the two expressions.
type Counted = (usize, Duration, String, String);

fn counts_of(stack: &Stack) -> Vec<Counted> {
    let objectives = super::setup::of(&stack.metrics).objectives;
    let mut out = Vec::new();
    for (i, setup) in objectives.into_iter().enumerate() {
        let objective = Objective::new(setup);
        for counts in objective.questions() {
            out.push((i, counts.window, counts.total.text().to_owned(), counts.part.text().to_owned()));
        }
    }
    out
}

async fn count(prometheus: Arc<Prometheus>, clock: Arc<dyn Clock>, tell: Teller, counts: Vec<Counted>) {
    if counts.is_empty() {
        return;
    }
    loop {
        let at = clock.now().wall.as_millisecond();
        if let Some(reach) = reach(&prometheus, at).await {
            tell.tell(Message::Outside(Box::new(move |t| t.outside_mut().reach = Some(reach))));
        }
        for counted in &counts {
            // What failed keeps its last figures: the screen says when the Prometheus is silent.
            if let Some(put) = count_one(&prometheus, counted, at).await {
                tell.tell(Message::Outside(put));
            }
        }
        tokio::time::sleep(COUNT_EVERY).await;
    }
}

/// What puts an answer where it belongs.
pub type Put = Box<dyn FnOnce(&mut Telemetry) + Send>;

async fn count_one(prometheus: &Prometheus, counted: &Counted, at: Millis) -> Option<Put> {
    let (i, window, total, part) = counted;
    let total = one(prometheus, total, at).await.ok()?;
    let part = one(prometheus, part, at).await.ok()?;
    let (i, window) = (*i, *window);
    Some(Box::new(move |t| {
        if let Some(objective) = t.objectives_mut().get_mut(i) {
            objective.answered(window, total, part);
        }
    }))
}

/// Counts the long windows of every objective once, for who looks only once.
pub async fn count_all(prometheus: &Prometheus, stack: &Stack, at: Millis) -> Vec<Put> {
    let counts = counts_of(stack);
    let mut out: Vec<Put> = Vec::new();
    if counts.is_empty() {
        return out;
    }
    if let Some(reach) = reach(prometheus, at).await {
        out.push(Box::new(move |t| t.outside_mut().reach = Some(reach)));
    }
    for counted in &counts {
        out.extend(count_one(prometheus, counted, at).await);
    }
    out
}

/// The value of an expression that gives one series or none.
async fn one(prometheus: &Prometheus, expr: &str, at: Millis) -> Result<Option<f64>, AskError> {
    Ok(match prometheus.query(expr, at).await?.data {
        Value::Vector(points) => points.first().map(|p| p.v),
        Value::Scalar(v) => Some(v),
        Value::Text(_) | Value::Matrix(_) => None,
    })
}

/// How far back the Prometheus has samples, by its own account; where it gives none (Thanos,
/// Mimir), as far as anybody asks.
async fn reach(prometheus: &Prometheus, at: Millis) -> Option<Duration> {
    let first = one(prometheus, "prometheus_tsdb_lowest_timestamp_seconds", at).await.ok()?;
    let Some(first) = first else { return Some(Duration::from_secs(366 * 86_400)) };
    Duration::try_from_secs_f64((at as f64 / 1000.0 - first).max(0.0)).ok()
}

async fn name(prometheus: Arc<Prometheus>, tell: Teller) {
    loop {
        if let (Ok(mut names), Ok(labels)) =
            (prometheus.label_values("__name__").await, prometheus.label_names().await)
        {
            names.extend(labels);
            names.sort_unstable();
            names.dedup();
            let names = Arc::new(names);
            tell.tell(Message::Outside(Box::new(move |t| t.outside_mut().names = names)));
        }
        tokio::time::sleep(NAMES_EVERY).await;
    }
}
