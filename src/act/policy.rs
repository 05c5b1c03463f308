//! Who may have a plan carried out: the one place that makes an approved plan.

use super::rundir::RunDir;
use crate::domain::procedure::event::{Confirmed, Person};
use crate::domain::procedure::plan::{Plan, PlanHash};
use serde::{Deserialize, Serialize};

/// A plan that was approved. Only this can be given to a runner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApprovedPlan {
    plan: Plan,
    approval: Approval,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Approval {
    hash: PlanHash,
    by: Person,
    confirmed: Confirmed,
    at: jiff::Timestamp,
}

impl ApprovedPlan {
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    pub fn hash(&self) -> &PlanHash {
        &self.approval.hash
    }

    pub fn by(&self) -> &Person {
        &self.approval.by
    }

    pub fn confirmed(&self) -> &Confirmed {
        &self.approval.confirmed
    }

    /// The text of `approval.json`.
    pub fn document(&self) -> Vec<u8> {
        serde_json::to_vec_pretty(&self.approval).unwrap_or_default()
    }
}

/// Reads an approved plan back from a run's directory.
///
/// # Errors
/// It is not there, not ours, or the plan is not the one that was approved.
pub fn readmit(dir: &RunDir) -> Result<ApprovedPlan, String> {
    let plan: Plan =
        serde_json::from_str(&dir.read("plan.json")?).map_err(|e| format!("read the plan: {e}"))?;
    let approval: Approval =
        serde_json::from_str(&dir.read("approval.json")?).map_err(|e| format!("read the approval: {e}"))?;
    if PlanHash::of(&plan) != approval.hash {
        return Err("read the plan: it is not the one that was approved".to_owned());
    }
    Ok(ApprovedPlan { plan, approval })
}
