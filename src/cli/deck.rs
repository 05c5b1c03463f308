//! The hands of the dashboard: carries out what its screens ask of procedures and runs, each in a
//! task of its own, and tells them what came of it. The screen never waits for any of it.

use super::acting::{self, Acting};
use super::lookout::{self, Look};
use super::screen::Hands;
use super::witness::AuditWitness;
use crate::act::approval::{self, Seconded};
use crate::act::control::{self, Launch};
use crate::act::identity;
use crate::act::planner::{self, interlocks};
use crate::act::policy::{self, Given, PREFLIGHT};
use crate::act::remains::Remains;
use crate::act::rundir::WriteState;
use crate::domain::id::{ProcedureId, RunId};
use crate::domain::procedure::differ::differ;
use crate::domain::procedure::event::{Mode, Second};
use crate::domain::procedure::level::Level;
use crate::domain::procedure::plan::PlanHash;
use crate::domain::procedure::proposal::Proposal;
use crate::domain::procedure::request::{Reply, Request};
use crate::domain::procedure::run::Run;
use crate::record::audit::What;
use crate::runs::watch::Watcher;
use crate::tui::app::{Effect, Event};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinHandle;

/// What may wait to be told; a task that has more to tell waits.
const MAX_TOLD: usize = 64;

/// See the module.
pub(super) struct Deck {
    desk: Arc<Desk>,
    told: mpsc::Receiver<Event>,
    /// The plan that is being made.
    planning: Option<JoinHandle<()>>,
}

/// What the tasks share.
struct Desk {
    acting: Acting,
    launch: Launch,
    /// The plan whose prompt is open.
    shown: Mutex<Option<Box<Proposal>>>,
    /// What waits for a second person, because of this prompt.
    request: Mutex<Option<String>>,
    /// The run that is looked at.
    chosen: Mutex<Option<RunId>>,
    /// Something happened that the ledger should show at once.
    look_now: Arc<Notify>,
    tell: mpsc::Sender<Event>,
}

impl Deck {
    /// Begins to watch the runs. Must be called within a runtime.
    pub fn new(acting: Acting, launch: Launch) -> Deck {
        let (tell, told) = mpsc::channel(MAX_TOLD);
        let (shown, request, chosen) = Default::default();
        let look_now = Arc::default();
        let desk = Arc::new(Desk { acting, launch, shown, request, chosen, look_now, tell });
        desk.watch();
        Deck { desk, told, planning: None }
    }

    fn stop_planning(&mut self) {
        if let Some(planning) = self.planning.take() {
            planning.abort();
        }
    }
}

impl Hands for Deck {
    fn take(&mut self, effect: Effect) {
        let desk = Arc::clone(&self.desk);
        match effect {
            Effect::Propose { procedure, params } => {
                self.stop_planning();
                self.planning = Some(tokio::spawn(async move { desk.propose(&procedure, &params).await }));
            }
            Effect::Approve { typed, reason, second } => {
                self.stop_planning();
                tokio::spawn(async move { desk.approve(typed, reason, second).await });
            }
            Effect::AskSecond { reason, .. } => {
                tokio::spawn(async move { desk.ask_second(reason).await });
            }
            Effect::Withdraw => {
                self.stop_planning();
                desk.withdraw();
            }
            Effect::Request { run, request } => {
                tokio::spawn(async move { desk.request(run, request).await });
            }
            Effect::Resume { run, mode, typed, reason } => {
                let given = Given { typed, reason, second: None };
                tokio::spawn(async move { desk.resume(run, mode, given).await });
            }
            Effect::ApproveOther { id, hash } => {
                tokio::spawn(async move { desk.approve_other(id, hash).await });
            }
            Effect::LookAt(run) => {
                *lock(&desk.chosen) = run;
                desk.look_now.notify_one();
            }
            _ => {}
        }
    }

    fn may_write(&self) -> bool {
        true
    }

    async fn tell(&mut self) -> Event {
        match self.told.recv().await {
            Some(event) => event,
            // The desk holds a sender as long as this lives.
            None => std::future::pending().await,
        }
    }
}

impl Desk {
    /// Begins to tell of every change to runs and requests.
    fn watch(self: &Arc<Self>) {
        let stack = &self.acting.stack;
        let rules = interlocks::rules(&stack.procedures.interlocks);
        let watcher = Watcher::new(self.acting.state.clone(), Some(&stack.name), rules);
        let desk = Arc::clone(self);
        let look: Look = Arc::new(move |watcher| {
            watcher.choose(lock(&desk.chosen).clone());
            let now = desk.acting.clock.now().wall;
            watcher.look(&approval::waiting(&desk.acting.state, now));
        });
        tokio::spawn(lookout::watch(watcher, look, Arc::clone(&self.look_now), self.tell.clone()));
    }

    async fn tell(&self, event: Event) {
        // Nobody listens any more only when the screen is gone.
        let _ = self.tell.send(event).await;
    }

    /// Makes a plan, or looks again at the one that is shown and says what has changed.
    async fn propose(&self, procedure: &ProcedureId, params: &BTreeMap<String, String>) {
        let proposed = planner::propose(&self.acting.eyes(), procedure, params).await;
        let proposed = proposed.map(|mut fresh| {
            let mut shown = lock(&self.shown);
            // A plan has each parameter, defaults included: what was asked for may have fewer.
            let same = shown.as_ref().filter(|s| {
                s.plan.procedure == *procedure && params.iter().all(|(k, v)| s.plan.params.get(k) == Some(v))
            });
            if let Some(before) = same {
                fresh.changed = differ(before, &fresh);
            }
            let fresh = Box::new(fresh);
            *shown = Some(fresh.clone());
            fresh
        });
        self.tell(Event::Proposed(proposed)).await;
    }

    async fn approve(self: Arc<Self>, typed: String, reason: Option<String>, second: Option<Second>) {
        let Some(shown) = lock(&self.shown).clone() else {
            return self.tell(Event::Started(Err(vec!["no plan is shown".to_owned()]))).await;
        };
        let fresh = match self.still_so(&shown).await {
            Ok(fresh) => fresh,
            Err(event) => return self.tell(event).await,
        };
        let started = tokio::task::spawn_blocking(move || {
            let started = self.start(&shown, &fresh, typed, reason, second.as_ref());
            (self, started)
        });
        let Ok((desk, started)) = started.await else { return };
        desk.look_now.notify_one();
        desk.tell(Event::Started(started)).await;
    }

    /// The plan as it was looked at last; one that is too old for its level is looked at again.
    async fn still_so(&self, shown: &Proposal) -> Result<Proposal, Event> {
        let age = self.acting.clock.now().since(shown.looked);
        if shown.plan.level < Level::L3 || age <= PREFLIGHT {
            return Ok(shown.clone());
        }
        let plan = &shown.plan;
        let fresh = planner::propose(&self.acting.eyes(), &plan.procedure, &plan.params).await;
        let mut fresh = fresh.map_err(|wrong| Event::Started(Err(wrong)))?;
        fresh.changed = differ(shown, &fresh);
        if fresh.changed.is_empty() {
            return Ok(fresh);
        }
        *lock(&self.shown) = Some(Box::new(fresh.clone()));
        Err(Event::Proposed(Ok(Box::new(fresh))))
    }

    fn start(
        &self,
        shown: &Proposal,
        fresh: &Proposal,
        typed: String,
        reason: Option<String>,
        second: Option<&Second>,
    ) -> Result<RunId, Vec<String>> {
        let (me, now) = (identity::me(), self.acting.clock.now());
        let seconded = self.seconded(fresh, second, reason.as_deref());
        let approved = seconded.map_err(|why| vec![why]).and_then(|second| {
            let given = Given { typed, reason, second };
            policy::approve(fresh, &shown.hash, &given, &me, now)
        });
        let approved = match approved {
            Ok(approved) => approved,
            Err(why) => {
                let what = What::Refused {
                    stack: fresh.plan.stack.clone(),
                    procedure: fresh.plan.procedure.clone(),
                    plan: Some(fresh.hash.clone()),
                    why: why.clone(),
                };
                // What was refused has done nothing; that it could not be noted stops nobody.
                self.note(what);
                return Err(why);
            }
        };
        let id = control::start(&self.acting.state, &approved, &self.launch, now.wall)
            .map_err(|why| vec![format!("failed to {why}")])?;
        *lock(&self.shown) = None;
        *lock(&self.request) = None;
        Ok(id)
    }

    /// The second person's word, where one is needed: found in the state directory, or the glass
    /// that was broken.
    fn seconded(
        &self,
        fresh: &Proposal,
        second: Option<&Second>,
        reason: Option<&str>,
    ) -> Result<Option<Seconded>, String> {
        if !fresh.prompt.needs_second {
            return Ok(None);
        }
        let seconded = if let Some(Second::BreakGlass { waited_s }) = second {
            approval::break_glass(&fresh.hash, Duration::from_secs(*waited_s), reason.unwrap_or_default())
        } else {
            let now = self.acting.clock.now().wall;
            approval::seconded(&self.acting.state, &fresh.hash, &identity::me(), now)
        };
        seconded.map(Some).map_err(|why| format!("failed to {why}"))
    }

    async fn ask_second(&self, reason: String) {
        let Some(shown) = lock(&self.shown).clone() else { return };
        let (me, now) = (identity::me(), self.acting.clock.now().wall);
        let asked = self
            .acting
            .state
            .prepare()
            .and_then(|()| approval::request(&self.acting.state, &shown, &reason, &me, now));
        match asked {
            Ok(id) => {
                self.note(What::Asked {
                    stack: shown.plan.stack.clone(),
                    procedure: shown.plan.procedure.clone(),
                    plan: shown.hash.clone(),
                    request: id.clone(),
                });
                *lock(&self.request) = Some(id);
            }
            Err(why) => self.tell(Event::Started(Err(vec![format!("failed to {why}")]))).await,
        }
    }

    fn withdraw(&self) {
        *lock(&self.shown) = None;
        if let Some(id) = lock(&self.request).take()
            && let Err(why) = approval::withdraw(&self.acting.state, &id)
        {
            tracing::warn!("failed to {why}");
        }
    }

    async fn request(self: Arc<Self>, run: RunId, request: Request) {
        let asked = tokio::task::spawn_blocking(move || {
            let reply = self.ask_runner(&run, &request).unwrap_or_else(|why| Reply::Refused { why });
            (self, run, reply)
        });
        let Ok((desk, run, reply)) = asked.await else { return };
        desk.look_now.notify_one();
        desk.tell(Event::Replied { run, reply }).await;
    }

    /// Asks the runner; a run that has lost its own is given up here.
    fn ask_runner(&self, run: &RunId, request: &Request) -> Result<Reply, String> {
        let state = &self.acting.state;
        if let Request::Abort { now } = *request {
            let loaded = control::load(state, run.as_str())?;
            if !loaded.alive {
                let remains = self.remains(&loaded.run, now)?;
                let witness = Box::new(AuditWitness::new(acting::log_of(state), loaded.run.plan));
                let clock = Arc::clone(&self.acting.clock);
                control::abort_lost(state, run.as_str(), identity::me(), clock, witness, &remains)?;
                return Ok(Reply::Taken);
            }
        }
        control::send(state, run.as_str(), request)
    }

    /// What a lost run's steps still run: ended, or else nothing must.
    fn remains(&self, run: &Run, end: bool) -> Result<Remains, String> {
        let dir = self.acting.state.run(run.id.as_str())?;
        let eyes = self.acting.eyes();
        let here = tokio::runtime::Handle::current();
        if end {
            return Ok(here.block_on(Remains::end(run, &dir, &eyes)));
        }
        let remains = here.block_on(Remains::look(run, &dir, &eyes));
        super::runs::refuse_while_any(run.id.as_str(), &remains).map(|()| remains)
    }

    async fn resume(self: Arc<Self>, run: RunId, mode: Mode, given: Given) {
        let resumed = tokio::task::spawn_blocking(move || {
            let state = &self.acting.state;
            let taken_up = acting::take_up(state, run.as_str(), mode, &given, &self.launch);
            let reply = taken_up.map_or_else(|why| Reply::Refused { why }, |()| Reply::Taken);
            (self, run, reply)
        });
        let Ok((desk, run, reply)) = resumed.await else { return };
        desk.look_now.notify_one();
        desk.tell(Event::Replied { run, reply }).await;
    }

    async fn approve_other(&self, id: String, hash: PlanHash) {
        let (me, now) = (identity::me(), self.acting.clock.now().wall);
        let state = &self.acting.state;
        let asked = approval::look(state, &id, now);
        let approved = asked.and_then(|asked| approval::approve(state, &id, &hash, &me, now).map(|()| asked));
        match approved {
            Ok(asked) => self.note(What::Approved {
                stack: asked.plan.stack.clone(),
                procedure: asked.plan.procedure.clone(),
                plan: hash,
                request: id,
            }),
            Err(why) => self.tell(Event::Started(Err(vec![format!("failed to {why}")]))).await,
        }
    }

    fn note(&self, what: What) {
        let log = acting::log_of(&self.acting.state);
        if let Err(why) = log.append(self.acting.clock.now().wall, Some(&identity::me()), what) {
            tracing::warn!("failed to {why}");
        }
    }
}

/// A lock that nobody holds while anything is waited for.
fn lock<T>(of: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}
