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

/// How often others are asked.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// Both are looked at: rules, alerts, silences.
    pub look: Duration,
    /// The objectives' long windows are counted: the shortest of them is five minutes.
    pub count: Duration,
    /// Names for completion.
    pub names: Duration,
    /// What a screen shows is asked for again.
    pub refresh: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        let [look, count, names, refresh] = [10, 30, 300, 5].map(Duration::from_secs);
        Pace { look, count, names, refresh }
    }
}

/// Counts of an objective's windows between two looks at how far back its samples go.
const REACH_EVERY: u32 = 10;

/// A task for each of the two that the stack names.
pub fn remotes(
    stack: &Stack,
    prober: &Prober,
    clock: &Arc<dyn Clock>,
    tell: &Teller,
    wants: &Wants,
    pace: Pace,
) -> Vec<Task> {
    let mut tasks: Vec<Task> = Vec::new();
    if let Some(remote) = &stack.metrics.prometheus {
        match prometheus(remote, prober) {
            Ok(asked) => {
                let asked = Arc::new(asked);
                tasks.push(Box::pin(keep_up(Arc::clone(&asked), Arc::clone(clock), tell.clone(), pace.look)));
                tasks.push(Box::pin(answer(Arc::clone(&asked), tell.clone(), wants.clone(), pace.refresh)));
                tasks.push(Box::pin(count(
                    Arc::clone(&asked),
                    Arc::clone(clock),
                    tell.clone(),
                    counts_of(stack),
                    pace.count,
                )));
                tasks.push(Box::pin(name(asked, tell.clone(), pace.names)));
            }
            Err(why) => no_way(tell, clock, remote, &why, |t, view| t.outside_mut().prometheus = Some(view)),
        }
    }
    if let Some(remote) = &stack.metrics.alertmanager {
        match alertmanager(remote, prober) {
            Ok(asked) => {
                tasks.push(Box::pin(hear(asked, Arc::clone(clock), tell.clone(), pace.look)));
            }
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
    let api = Api::new(remote.clone(), way, prober.access());
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

async fn keep_up(prometheus: Arc<Prometheus>, clock: Arc<dyn Clock>, tell: Teller, every: Duration) {
    poll::keep_up_with_prometheus(&prometheus, &*clock, every, |watch| {
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

async fn hear(alertmanager: Alertmanager, clock: Arc<dyn Clock>, tell: Teller, every: Duration) {
    poll::keep_up_with_alertmanager(&alertmanager, &*clock, every, |watch| {
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

/// Asks what the screens want to see: at once when that is something else, and now and then as it
/// moves on with time.
async fn answer(prometheus: Arc<Prometheus>, tell: Teller, mut wants: Wants, every: Duration) {
    loop {
        let questions = wants.questions.borrow_and_update().clone();
        let idle = questions.graphs.is_empty() && questions.query.is_none();
        let ask = async {
            ask_all(&prometheus, &questions, &mut |put| tell.tell(Message::Outside(put))).await;
            tokio::time::sleep(every).await;
            if idle {
                std::future::pending::<()>().await;
            }
        };
        tokio::select! {
            () = ask => {}
            // What nobody wants to know any more is not waited for.
            other = another(&mut wants, &questions) => if other.is_none() { return },
        }
    }
}

/// Waits until something else is wanted; `None` when the engine has ended. Cancel-safe.
async fn another(wants: &mut Wants, asked: &Questions) -> Option<()> {
    loop {
        wants.questions.changed().await.ok()?;
        if !wants.questions.borrow_and_update().only_moved_on(asked) {
            return Some(());
        }
    }
}

/// While the Prometheus is silent, what it said last stays, and then what is here is drawn.
pub async fn ask_all(prometheus: &Prometheus, questions: &Questions, put: &mut (dyn FnMut(Put) + Send)) {
    if let Some((expr, range)) = &questions.query {
        let found = prometheus.query_range(expr, range.from, range.to, range.step).await;
        if found.as_ref().err().is_none_or(AskError::answers) {
            let answer = Arc::new(answered(expr, *range, found.map(|a| (a.data, a.warnings))));
            put(Box::new(move |t| t.outside_mut().answer = Some(answer)));
        }
    }
    for graph in &questions.graphs {
        let Some(data) = draw(prometheus, graph).await else { continue };
        let data = Arc::new(data);
        put(Box::new(move |t| {
            t.outside_mut().graphs.insert(data.index, data);
        }));
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

async fn draw(prometheus: &Prometheus, graph: &GraphQuestion) -> Option<GraphData> {
    let range = graph.range;
    let mut lines = Vec::new();
    let mut trouble = None;
    for (expr, legend) in &graph.lines {
        match prometheus.query_range(expr, range.from, range.to, range.step).await {
            Ok(answer) => {
                lines.push((answer.data, legend.as_str()));
                trouble = trouble.or_else(|| answer.warnings.into_iter().next());
            }
            Err(e) if !e.answers() => return None,
            Err(e) => trouble = Some(text::reason(&e.to_string())),
        }
    }
    Some(graphs::from_lines(graph.index, lines, range, trouble, true))
}

/// What is asked for an objective.
struct Counted {
    place: usize,
    /// The window and its two expressions.
    windows: Vec<(Duration, String, String)>,
    reach: [String; 2],
}

fn counts_of(stack: &Stack) -> Vec<Counted> {
    let objectives = super::setup::of(&stack.metrics).objectives.into_iter().enumerate();
    let counted = objectives.map(|(place, setup)| {
        let objective = Objective::new(setup);
        let text =
            |c: &crate::domain::slo::Counts| (c.window, c.total.text().to_owned(), c.part.text().to_owned());
        let windows = objective.questions().iter().map(text).collect();
        Counted { place, windows, reach: objective.reach_questions() }
    });
    counted.collect()
}

async fn count(
    prometheus: Arc<Prometheus>,
    clock: Arc<dyn Clock>,
    tell: Teller,
    all: Vec<Counted>,
    every: Duration,
) {
    if all.is_empty() {
        return;
    }
    // Of each objective, in how many rounds to look how far back it reaches.
    let mut due = vec![0u32; all.len()];
    loop {
        let at = clock.now().wall.as_millisecond();
        for (counted, due) in all.iter().zip(&mut due) {
            let (puts, reaches) = count_one(&prometheus, counted, *due == 0, at).await;
            *due = if reaches { REACH_EVERY } else { due.saturating_sub(1) };
            for put in puts {
                tell.tell(Message::Outside(put));
            }
        }
        tokio::time::sleep(every).await;
    }
}

/// What puts an answer where it belongs.
pub type Put = Box<dyn FnOnce(&mut Telemetry) + Send>;

/// Counts the long windows of every objective once, for who looks only once.
pub async fn count_all(prometheus: &Prometheus, stack: &Stack, at: Millis) -> Vec<Put> {
    let mut out = Vec::new();
    for counted in &counts_of(stack) {
        out.extend(count_one(prometheus, counted, true, at).await.0);
    }
    out
}

/// Counts every window of one objective, and looks how far back it reaches if it is to; also
/// whether that is known now. What failed keeps its last figures: the screen says when the
/// Prometheus is silent.
async fn count_one(prometheus: &Prometheus, counted: &Counted, look: bool, at: Millis) -> (Vec<Put>, bool) {
    let mut out = Vec::new();
    let mut reaches = false;
    if look && let Some(reach) = reach(prometheus, &counted.reach, at).await {
        reaches = reach.is_some();
        out.push(of_objective(counted.place, move |o| o.reaches(reach)));
    }
    for (window, total, part) in &counted.windows {
        let (total, part) = (one(prometheus, total, at).await, one(prometheus, part, at).await);
        if let (Ok(total), Ok(part)) = (total, part) {
            let window = *window;
            out.push(of_objective(counted.place, move |o| o.answered(window, total, part)));
        }
    }
    (out, reaches)
}

/// Changes one objective.
fn of_objective(place: usize, change: impl FnOnce(&mut Objective) + Send + 'static) -> Put {
    Box::new(move |t| {
        if let Some(objective) = t.objectives_mut().get_mut(place) {
            change(objective);
        }
    })
}

/// When the Prometheus' first sample was; nothing when it does not say, `Some(None)` when it has none.
async fn reach(prometheus: &Prometheus, questions: &[String; 2], at: Millis) -> Option<Option<Millis>> {
    let mut first: Option<f64> = None;
    let mut said = false;
    for question in questions {
        if let Ok(found) = one(prometheus, question, at).await {
            said = true;
            first = first.into_iter().chain(found).min_by(f64::total_cmp);
        }
    }
    said.then(|| first.filter(|s| s.is_finite()).map(|s| (s * 1000.0) as Millis))
}

/// The value of an expression that gives one series or none.
async fn one(prometheus: &Prometheus, expr: &str, at: Millis) -> Result<Option<f64>, AskError> {
    Ok(match prometheus.query(expr, at).await?.data {
        Value::Vector(points) => points.first().map(|p| p.v),
        Value::Scalar(v) => Some(v),
        Value::Text(_) | Value::Matrix(_) => None,
    })
}

async fn name(prometheus: Arc<Prometheus>, tell: Teller, every: Duration) {
    loop {
        if let (Ok(names), Ok(labels)) =
            (prometheus.label_values("__name__").await, prometheus.label_names().await)
        {
            let ascending = |mut list: Vec<String>| {
                list.sort_unstable();
                list.dedup();
                Arc::new(list)
            };
            let (names, labels) = (ascending(names), ascending(labels));
            tell.tell(Message::Outside(Box::new(move |t| {
                (t.outside_mut().names, t.outside_mut().labels) = (names, labels);
            })));
        }
        tokio::time::sleep(every).await;
    }
}
