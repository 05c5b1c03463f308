//! Procedures, plans and runs in known states, for the tests of what is done from the screen.

use super::act_runs::runs;
use super::app::{App, Event};
use super::fixture::{app, at};
use super::glyph::Glyphs;
use super::update::update;
use crate::clock::Now;
use crate::domain::id::{HostId, LayerId, ProbeId, ProcedureId, RunId, StepId};
use crate::domain::procedure::action::Action;
use crate::domain::procedure::action::kinds::{Manual, Systemd, SystemdVerb};
use crate::domain::procedure::check::{Check, Condition, Seen};
use crate::domain::procedure::event::Outcome;
use crate::domain::procedure::ledger::{Ledger, Line, Owed, Raised, RunState, Tail, Waiting};
use crate::domain::procedure::level::{Effect, Level};
use crate::domain::procedure::param::{Kind, Param};
use crate::domain::procedure::plan::{
    Certainty, FORMAT, OnFailure, OnTimeout, Owe, Pin, Plan, PlanHash, Precondition, Rollback, Step,
};
use crate::domain::procedure::proposal::{Blast, Prompt, Proposal};
use crate::domain::procedure::run::Run;
use crate::stack::procedure::spec::{Interlock, Procedure, Procedures, Role, Until};
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

pub fn now() -> Now {
    at(58)
}

pub fn ago(seconds: i64) -> Timestamp {
    now().wall - SignedDuration::from_secs(seconds)
}

fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

fn id(text: &str) -> ProcedureId {
    ProcedureId::new(text)
}

fn procedure(name: &str, title: &str, role: Option<Role>, level: Option<Level>) -> Procedure {
    Procedure {
        id: id(name),
        name: title.to_owned(),
        about: format!("{title}: when the relay answers but does not deliver, and its cache is well."),
        role,
        rows: vec!["P-08".to_owned()],
        params: Vec::new(),
        lock: "stack".to_owned(),
        deadline: secs(600),
        level,
        blast_radius: Vec::new(),
        preconditions: Vec::new(),
        steps: Vec::new(),
        probes: Vec::new(),
        layers: Vec::new(),
    }
}

fn param(name: &str, kind: Kind, default: Option<&str>, fill: &[(&str, &str)]) -> Param {
    Param {
        id: name.to_owned(),
        about: "what it is for".to_owned(),
        kind,
        default: default.map(str::to_owned),
        fill: fill.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect(),
    }
}

pub fn procedures() -> Procedures {
    let services = Kind::Choice { values: vec!["relay".to_owned(), "push".to_owned()] };
    Procedures {
        all: vec![
            Procedure {
                layers: vec![LayerId::new("api")],
                ..procedure("restart", "Controlled restart", Some(Role::Restart), None)
            },
            procedure("drain", "Drain and recover", Some(Role::Drain), Some(Level::L3)),
            procedure("contain", "Emergency containment", Some(Role::Contain), Some(Level::L4)),
            Procedure {
                params: vec![
                    param("service", services, None, &[("cache-ping", "push"), ("api", "relay")]),
                    param("grace", Kind::Int { min: 1, max: 60 }, Some("5"), &[]),
                ],
                probes: vec![ProbeId::new("cache-ping")],
                layers: vec![LayerId::new("api")],
                ..procedure("restart-service", "Restart one service", None, None)
            },
            Procedure {
                params: vec![param("address", Kind::Ip, None, &[])],
                ..procedure("block", "Block an address", None, Some(Level::L2))
            },
            procedure("reopen", "Reopen the ingress", None, Some(Level::L3)),
        ],
        interlocks: vec![Interlock {
            id: "contained".to_owned(),
            says: "external access was closed by containment".to_owned(),
            raised_by: vec!["contain.close".to_owned()],
            raised_while: None,
            blocks: vec![id("reopen")],
            until: Until {
                says: "the secrets have been rotated and the old ones refused".to_owned(),
                verified: Vec::new(),
                or_verified: Vec::new(),
                holds: None,
            },
        }],
    }
}

fn check(good: u32) -> Check {
    let what = Condition {
        probes: vec![ProbeId::new("api-health"), ProbeId::new("api-ready")],
        exprs: vec!["sum(relay_up) == 2".to_owned()],
        or_degraded: false,
    };
    Check { what, good, every: secs(2), within: secs(60) }
}

fn step(name: &str, title: &str, effect: Effect) -> Step {
    let unit = "relay.service".to_owned();
    Step {
        id: StepId::new(name),
        origin: format!("restart.{name}"),
        name: title.to_owned(),
        host: HostId::new("core"),
        layer: None,
        sudo: true,
        action: Action::Systemd(Systemd { verb: SystemdVerb::Restart, unit, signal: None }),
        effect,
        idempotent: true,
        timeout: secs(60),
        on_timeout: OnTimeout::Verify,
        on_failure: OnFailure::Stop,
        verify: (effect > Effect::Read).then(|| check(3)),
        rollback: None,
        hold: None,
        point_of_no_return: false,
        unless: None,
        after: Vec::new(),
        owes: None,
        settles: Vec::new(),
        round: None,
        level: if effect == Effect::Interrupt { Level::L2 } else { Level::L1 },
        certainty: Certainty::Probed,
        preview: vec![format!("sudo -n systemctl {name} relay.service --no-ask-password --job-mode=replace")],
    }
}

/// Five steps: one with a rollback and a debt, one by hand.
pub fn plan(procedure: &str, title: &str, level: Level) -> Plan {
    let close = Step {
        rollback: Some(Rollback {
            action: step("x", "x", Effect::Change).action,
            timeout: secs(30),
            verify: None,
            preview: vec!["sudo -n nginx-maintenance off".to_owned()],
        }),
        owes: Some(Owe {
            id: "ingress".to_owned(),
            says: "the ingress is closed".to_owned(),
            by: Some(id("reopen")),
        }),
        ..step("close", "Close the ingress", Effect::Change)
    };
    let look = Step {
        action: Action::Manual(Manual {
            instruction: "look at the graph of sessions".to_owned(),
            note: true,
        }),
        sudo: false,
        ..step("look", "Look at the sessions", Effect::Read)
    };
    Plan {
        format: FORMAT,
        stack: "example".to_owned(),
        title: "Example".to_owned(),
        environment: "staging".to_owned(),
        stack_hash: "00".to_owned(),
        procedure: id(procedure),
        name: title.to_owned(),
        params: BTreeMap::new(),
        lock: "stack".to_owned(),
        deadline: secs(600),
        level,
        level_because: vec!["step `restart` interrupts service".to_owned()],
        preconditions: vec![Precondition {
            says: "the cache and the database up".to_owned(),
            what: Condition::default(),
        }],
        steps: vec![
            close,
            step("stop", "Stop the relay", Effect::Interrupt),
            Step {
                hold: Some("look at what remains, then go on".to_owned()),
                ..step("start", "Start the relay", Effect::Interrupt)
            },
            look,
            step("open", "Open the ingress", Effect::Change),
        ],
        pins: vec![Pin {
            what: "unit relay.service on core".to_owned(),
            state: "active, running".to_owned(),
        }],
    }
}

/// A plan of a level, as it is put before a person.
pub fn proposal(level: Level) -> Box<Proposal> {
    let (name, title) = match level {
        Level::L3 => ("drain", "Drain and recover"),
        Level::L4 => ("contain", "Emergency containment"),
        _ => ("restart", "Controlled restart"),
    };
    let plan = plan(name, title, level);
    let type_this = match level {
        Level::L0 | Level::L1 => None,
        Level::L2 => Some("core".to_owned()),
        Level::L3 | Level::L4 => Some(format!("{name} core 41")),
    };
    Box::new(Proposal {
        hash: PlanHash::of(&plan),
        looked: now(),
        blast: vec![
            Blast { says: "drops 41 live sessions".to_owned(), value: Some(Ok(41.0)) },
            Blast {
                says: "pauses an unknown number of pushes (relay_pushes: never scraped)".to_owned(),
                value: Some(Err("relay_pushes: never scraped".to_owned())),
            },
            Blast { says: "sessions come back by themselves within a minute".to_owned(), value: None },
        ],
        preconditions: vec![(
            "the cache and the database up".to_owned(),
            Seen { holds: true, says: "both up".to_owned() },
        )],
        refusals: Vec::new(),
        prompt: Prompt {
            level,
            type_this,
            count: (level >= Level::L3).then_some(41),
            needs_reason: level >= Level::L3,
            needs_second: level == Level::L4,
        },
        changed: Vec::new(),
        warnings: Vec::new(),
        plan,
    })
}

fn line(run: &Run, state: RunState) -> Line {
    let line = run.line(state != RunState::Lost);
    assert_eq!(line.state, state, "the story of {}", run.id);
    line
}

/// What is known when there is one run, in that state.
pub fn ledger_of(name: &str) -> Ledger {
    let (_, run, state) = runs().into_iter().find(|(n, ..)| *n == name).expect("a run of that name");
    let owe = run.owed[0].clone();
    Ledger {
        runs: vec![line(&run, state)],
        owed: vec![Owed { owe, run: run.id.clone(), since: ago(200), also: vec![] }],
        tails: vec![Tail {
            run: run.id.clone(),
            step: run.plan.steps[super::model::run_view::current(&run)].id.clone(),
            lines: vec!["stopping relay".to_owned(), "12 sessions left".to_owned()],
        }],
        open: vec![Arc::new(run)],
        ..Ledger::default()
    }
}

/// The plan of somebody else that waits for a second person.
pub fn waiting_for_second(hash: PlanHash, approved: Option<&str>) -> Waiting {
    Waiting {
        id: "a1".to_owned(),
        procedure: id("contain"),
        name: "Emergency containment".to_owned(),
        level: Level::L4,
        place: "Example, environment staging, host core".to_owned(),
        hash,
        by: "anna".to_owned(),
        uid: 1000,
        blast: vec!["drops 41 live sessions".to_owned()],
        steps: vec![
            "Close external access on core: nft add rule inet filter input drop".to_owned(),
            "Rotate the secrets on core: rotate --all".to_owned(),
        ],
        reason: "keys leaked".to_owned(),
        since: ago(20),
        until: ago(-280),
        approved: approved.map(str::to_owned),
    }
}

/// Everything at once: runs of all kinds, debts, interlocks, a request, a broken journal.
pub fn full() -> Ledger {
    let all = runs();
    let mut lines: Vec<Line> = all.iter().map(|(_, run, state)| line(run, *state)).collect();
    for (i, took) in [(1, 41), (2, 45), (3, 300)] {
        lines.push(Line {
            id: RunId::new(&format!("2026031{i}-old")),
            procedure: id("drain"),
            name: "Drain and recover".to_owned(),
            level: Level::L3,
            by: "ben".to_owned(),
            started: ago(86_400 * i + took),
            state: RunState::Ended(Outcome::Verified),
            ended: Some(ago(86_400 * i)),
            steps: (5, 5),
        });
    }
    Ledger {
        runs: lines,
        interlocks: vec![Raised {
            id: "contained".to_owned(),
            run: RunId::new("20260314-lost"),
            since: ago(3000),
        }],
        waiting: vec![waiting_for_second(proposal(Level::L4).hash, None)],
        broken: vec![("20260101-torn".to_owned(), "line 7 does not follow line 6".to_owned())],
        ..ledger_of("running")
    }
}

/// The dashboard with these procedures and runs, in a terminal of a size.
pub fn app_with(ledger: Ledger, glyphs: Glyphs, width: u16, height: u16) -> App {
    let mut app = app(glyphs);
    app.procedures = Arc::new(procedures());
    let _ = update(&mut app, now(), Event::Resize(width, height));
    let _ = update(&mut app, now(), Event::Ledger(Arc::new(ledger)));
    app
}
