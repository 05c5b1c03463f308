//! `quarterdeck run`: shows a procedure's plan, and has it carried out once it was approved as it
//! was shown.

use super::acting::{self, Acting};
use super::args::Global;
use super::args_act::{Output, Run};
use super::{End, Ended, USAGE, follow, plan_report, print, run_json, second};
use crate::act::control;
use crate::act::identity;
use crate::act::planner;
use crate::act::policy::{self, Given};
use crate::domain::id::ProcedureId;
use crate::domain::procedure::event::Person;
use crate::domain::procedure::plan::PlanHash;
use crate::domain::procedure::proposal::{Prompt, Proposal, Refusal};
use crate::domain::text::{nearest, one_line};
use crate::record::audit::What;
use std::collections::BTreeMap;
use std::io::Write;
use std::process::ExitCode;

/// Carries out one command line.
pub(super) fn run(global: &Global, args: &Run) -> Ended {
    let acting = Acting::load(global)?;
    let Some(name) = &args.procedure else {
        return print(&super::procedures::list(&acting, args.output));
    };
    let procedure = known(&acting, name)?;
    let params = params(&args.params)?;
    if let Some(text) = args.approve.as_deref().filter(|_| !args.plan) {
        hash_like(text).map_err(|why| End::Refused(format!("run {procedure}: {why}")))?;
    }
    let proposal = super::block_on(propose(&acting, &procedure, &params))??;
    let Some(text) = args.approve.as_deref().filter(|_| !args.plan) else {
        print(&plan_report::print(&proposal, args.output))?;
        return Ok(ExitCode::from(if proposal.refusals.is_empty() { 0 } else { USAGE }));
    };
    let me = identity::me();
    let hash = proposal.hash.clone();
    if !hash.is_meant_by(text) {
        let why =
            vec![format!("that is not this plan's hash ({}): what was shown may have changed", hash.short())];
        return refuse(&acting, args.output, &me, &proposal, why);
    }
    if !proposal.refusals.is_empty() {
        let why = proposal.refusals.iter().map(Refusal::says).collect();
        return refuse(&acting, args.output, &me, &proposal, why);
    }
    let start = Start { global, acting: &acting, args, procedure: &procedure, params: &params, me: &me };
    start.go(proposal, &hash)
}

/// What can be no plan's hash is told before anything is looked at or shown.
fn hash_like(text: &str) -> Result<(), String> {
    let digits = text.chars().count();
    if !text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) || digits > PlanHash::DIGITS {
        return Err(format!("{} is no plan's hash", one_line(text, 80)));
    }
    if digits < PlanHash::LEAST {
        return Err(format!("give at least {} digits of the plan's hash, not {digits}", PlanHash::LEAST));
    }
    Ok(())
}

/// Everything that starting a plan takes.
struct Start<'a> {
    global: &'a Global,
    acting: &'a Acting,
    args: &'a Run,
    procedure: &'a ProcedureId,
    params: &'a BTreeMap<String, String>,
    me: &'a Person,
}

impl Start<'_> {
    fn go(&self, mut proposal: Proposal, shown: &PlanHash) -> Ended {
        let reason = self.args.reason.as_deref();
        let mut given = Given {
            typed: self.args.confirm.clone().unwrap_or_default(),
            reason: reason.map(str::to_owned),
            second: None,
        };
        if proposal.prompt.needs_second {
            // What is wrong with the rest is told before anybody else is bothered or waits.
            let why = amiss(&proposal.prompt, &given);
            if !why.is_empty() {
                return refuse(self.acting, self.args.output, self.me, &proposal, why);
            }
            let (acting, reason) = (self.acting, reason.unwrap_or_default());
            let second = super::block_on(async {
                if self.args.break_glass {
                    second::break_glass(&*acting.clock, &proposal, reason).await
                } else {
                    second::wait_for((&acting.state, &*acting.clock), &proposal, reason, self.me).await
                }
            })?;
            given.second = Some(second.map_err(End::Refused)?);
            // That took its time: the plan must still be this one.
            proposal = super::block_on(propose(self.acting, self.procedure, self.params))??;
        }
        let now = self.acting.clock.now();
        let approved = match policy::approve(&proposal, shown, &given, self.me, now) {
            Ok(approved) => approved,
            Err(why) => return refuse(self.acting, self.args.output, self.me, &proposal, why),
        };
        let launch = acting::launch(self.global)?;
        let id = control::start(&self.acting.state, &approved, &launch, now.wall).map_err(End::Refused)?;
        if self.args.detach {
            return print(&match self.args.output {
                Output::Text => format!("run {id} started\n  quarterdeck runs follow {id}\n"),
                Output::Json => {
                    let json = serde_json::json!({ "version": run_json::JSON_VERSION, "id": id.as_str() });
                    format!("{json}\n")
                }
            });
        }
        follow::to_the_end(&self.acting.state, id.as_str(), self.args.output).map(ExitCode::from)
    }
}

/// What of the confirmation is missing, apart from the second person.
pub(super) fn amiss(prompt: &Prompt, given: &Given) -> Vec<String> {
    let mut why = Vec::new();
    if let Some(text) = prompt.type_this.as_ref().filter(|_| !prompt.takes(given.typed.trim())) {
        why.push(format!("`{text}` must be typed to confirm it"));
    }
    if prompt.needs_reason && given.reason.as_ref().is_none_or(|r| r.trim().is_empty()) {
        why.push(format!("a plan of {} needs a reason", prompt.level));
    }
    why
}

/// Says why a plan does not run, shows the plan as it is now, and puts it on record.
fn refuse(acting: &Acting, output: Output, by: &Person, proposal: &Proposal, why: Vec<String>) -> Ended {
    print(&plan_report::print(proposal, output))?;
    for line in &why {
        // If standard error is gone, the exit code is all that can be said.
        let _ = writeln!(std::io::stderr(), "quarterdeck: refused: {}", one_line(line, 400));
    }
    let what = What::Refused {
        stack: proposal.plan.stack.clone(),
        procedure: proposal.plan.procedure.clone(),
        plan: Some(proposal.hash.clone()),
        why,
    };
    acting::log_of(&acting.state).append(acting.clock.now().wall, Some(by), what).map_err(End::Refused)?;
    Ok(ExitCode::from(USAGE))
}

async fn propose(
    acting: &Acting,
    procedure: &ProcedureId,
    params: &BTreeMap<String, String>,
) -> Result<Proposal, End> {
    let proposed = planner::propose(&acting.eyes(), procedure, params).await;
    proposed.map_err(|wrong| End::Refused(format!("plan {procedure}: {}", wrong.join("; "))))
}

fn known(acting: &Acting, name: &str) -> Result<ProcedureId, End> {
    let all = &acting.stack.procedures.all;
    if let Some(found) = all.iter().find(|p| p.id.as_str() == name) {
        return Ok(found.id.clone());
    }
    let names = || all.iter().map(|p| p.id.as_str());
    let help = match nearest(name, names()) {
        Some(near) => format!("did you mean {near}?"),
        None if all.is_empty() => "this stack has none".to_owned(),
        None => format!("there are {}", names().collect::<Vec<_>>().join(", ")),
    };
    Err(End::Refused(format!("find the procedure {}; {help}", one_line(name, 60))))
}

fn params(given: &[(String, String)]) -> Result<BTreeMap<String, String>, End> {
    let mut all = BTreeMap::new();
    for (name, value) in given {
        if all.insert(name.clone(), value.clone()).is_some() {
            return Err(End::Refused(format!("plan: {} is given twice", one_line(name, 60))));
        }
    }
    Ok(all)
}
