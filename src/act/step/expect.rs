//! What an answer must be: conditions, as probes have them.

use crate::domain::condition::{Condition, Verdict};
use crate::domain::fact::{FactDecl, Facts};

/// Conditions on one answer.
#[derive(Debug)]
pub struct Expect(Vec<Condition>);

impl Expect {
    /// Reads the conditions, or `otherwise` where there are none.
    ///
    /// # Errors
    /// One of them is no condition on such an answer; completes "failed: …".
    pub fn parse(texts: &[String], otherwise: Option<&str>, facts: &[FactDecl]) -> Result<Expect, String> {
        let own = otherwise.filter(|_| texts.is_empty());
        let all = texts.iter().map(String::as_str).chain(own).map(|text| {
            let condition: Condition = text.parse().map_err(|e| format!("`{text}` is no condition: {e}"))?;
            condition.check(facts).map_err(|why| format!("`{text}`: {why}"))?;
            Ok(condition)
        });
        all.collect::<Result<_, String>>().map(Expect)
    }

    /// Whether any of them speaks of a fact.
    pub fn wants(&self, fact: &str) -> bool {
        self.0.iter().any(|c| c.name() == fact)
    }

    /// Holds them against an answer.
    ///
    /// # Errors
    /// The first that does not hold: "expected …, got …".
    pub fn judge(&self, facts: &Facts) -> Result<(), String> {
        for condition in &self.0 {
            match condition.eval(facts) {
                Verdict::Holds => {}
                Verdict::Fails(why) | Verdict::Unknown(why) => return Err(why),
            }
        }
        Ok(())
    }
}
