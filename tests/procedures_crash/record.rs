//! What a journal says, read by other eyes than the program's: the step that is in doubt, and how
//! often each step may have been done.

use serde_json::Value;
use std::collections::BTreeMap;

/// A run as its entries tell it.
#[derive(Debug, Default)]
pub struct Record {
    /// Intended, and of unknown outcome.
    pub open: Option<String>,
    /// Intents of each step, and how many of them somebody allowed beyond the first: the system,
    /// by saying that the effect was not there, or a person, by saying "again".
    pub intents: BTreeMap<String, (u64, u64)>,
    pub ended: Option<(String, String)>,
}

impl Record {
    pub fn of(entries: &[Value]) -> Record {
        let mut record = Record::default();
        for event in entries.iter().map(|e| &e["event"]) {
            record.add(event);
        }
        record
    }

    fn add(&mut self, event: &Value) {
        let step = event["step"].as_str().unwrap_or_default().to_owned();
        let counted = self.intents.entry(step.clone());
        match event["is"].as_str().unwrap() {
            "intended" => {
                counted.or_default().0 += 1;
                self.open = Some(step);
            }
            "finished" => {
                // What could not be begun is no effect.
                if event["result"]["why"].as_str().is_some_and(|w| w.contains("still runs")) {
                    counted.or_default().1 += 1;
                }
                self.open = None;
            }
            "asked" if event["truth"] == "did-not" => {
                counted.or_default().1 += 1;
                self.open = None;
            }
            "asked" if event["truth"] == "happened" => self.open = None,
            // It may be done once more; until it is, it is not known whether it was.
            "hold-released" if event["choice"] == "again" => counted.or_default().1 += 1,
            "hold-released" if event["choice"] == "go-on" => self.open = None,
            "ended" => {
                let text = |key: &str| event[key].as_str().unwrap_or_default().to_owned();
                self.ended = Some((text("outcome"), text("why")));
            }
            "resumed" => self.ended = None,
            _ => {}
        }
    }
}
