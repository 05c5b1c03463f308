//! `uses = "alertmanager"`: a silence that ends by itself, its early end, or an alert.

mod api;

use super::unix_json::perhaps;
use super::{Answer, Left, Setting, Stop, Target};
use crate::act::place;
use crate::domain::alert::routing;
use crate::domain::id::RunId;
use crate::domain::procedure::action::kinds::Alertmanager;
use crate::domain::series::{Matcher, Op};
use crate::domain::text;
use crate::domain::units;
use api::{Api, Silence};
use jiff::Timestamp;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Duration;

/// Names of alerts that a preview lists.
const MAX_NAMED: usize = 5;
/// The annotation by which an alert is known as one run's and step's.
const MARK: &str = "quarterdeck";

/// What a silence of this step would hush now; whether a silence to expire is there.
pub async fn target(a: &Alertmanager, s: &Setting<'_>) -> Target {
    let mut target = Target::unpinned();
    let api = match Api::of(s) {
        Ok(api) => api,
        Err(why) => return target.but_impossible(why),
    };
    match a {
        Alertmanager::Silence { matchers, .. } => {
            let matchers = match read(matchers) {
                Ok(matchers) => matchers,
                Err(why) => return target.but_impossible(why),
            };
            match api.firing(&matchers).await {
                Ok(firing) => target.blast.push(hushed(&firing)),
                Err(why) => target.warnings.push(why),
            }
        }
        Alertmanager::Alert { labels, .. } if !labels.contains_key("alertname") => {
            return target.but_impossible("an alert needs the label alertname");
        }
        Alertmanager::Expire { .. } | Alertmanager::Alert { .. } => {
            if let Err(why) = api.reachable().await {
                target.warnings.push(why);
            }
        }
    }
    target
}

fn hushed(firing: &[String]) -> String {
    let named = firing.iter().take(MAX_NAMED).map(|n| text::one_line(n, 60)).collect::<Vec<_>>().join(", ");
    match firing.len() {
        0 => "silences no alert that fires now".to_owned(),
        n if n > MAX_NAMED => format!("silences {n} alerts that fire now: {named} …"),
        n => format!("silences {n} that fire now: {named}"),
    }
}

/// At least one matcher, and one that does not take everything.
fn read(texts: &[String]) -> Result<Vec<Matcher>, String> {
    let mut all = Vec::new();
    for text in texts {
        all.extend(routing::matchers(text)?);
    }
    let narrow = |m: &Matcher| match m.op() {
        Op::Equal => !m.value().is_empty(),
        Op::Match => !m.matches(""),
        Op::NotEqual | Op::NoMatch => false,
    };
    if all.iter().any(narrow) {
        Ok(all)
    } else {
        Err("a silence needs a matcher that asks for some value: this one would take every alert".to_owned())
    }
}

/// How a silence and an alert name the step that made them.
fn mark(run: &RunId, step: &str) -> String {
    format!("quarterdeck {run} {step}")
}

/// Does it, once: a silence that this step of this run has made already stays as it is.
pub async fn perform(a: &Alertmanager, s: &Setting<'_>, stop: &Stop) -> Left {
    let api = match Api::of(s) {
        Ok(api) => api,
        Err(why) => return Left::failed(format!("nothing was sent: {why}")),
    };
    let work = async {
        match a {
            Alertmanager::Silence { matchers, span, comment } => {
                silence(&api, s, matchers, *span, comment).await
            }
            Alertmanager::Expire { step } => expire(&api, s, step).await,
            Alertmanager::Alert { labels, annotations, span } => {
                alert(&api, s, labels, annotations, *span).await
            }
        }
    };
    let ended = tokio::select! {
        biased;
        () = stop.stopped() => return Left::killed(format!("ended while waiting{}", perhaps(api.way()))),
        ended = work => ended,
    };
    ended.map_or_else(Left::failed, Left::done)
}

async fn silence(
    api: &Api<'_>,
    s: &Setting<'_>,
    matchers: &[String],
    span: Duration,
    comment: &str,
) -> Result<String, String> {
    let matchers = read(matchers)?;
    let mark = mark(s.run, s.step.as_str());
    if let Some(there) = api.silence_of(&mark).await? {
        return Ok(format!("silence {} is there already, until {}", there.id, there.until));
    }
    let now = s.clock.now();
    let until = now.plus(span).wall;
    let comment = format!("{} ({mark})", place::plain(comment, s)?);
    let all: Vec<Value> = matchers
        .iter()
        .map(|m| {
            json!({
                "name": m.name(), "value": m.value(),
                "isRegex": matches!(m.op(), Op::Match | Op::NoMatch),
                "isEqual": matches!(m.op(), Op::Equal | Op::Match),
            })
        })
        .collect();
    let body = json!({
        "matchers": all, "startsAt": now.wall, "endsAt": until, "createdBy": "quarterdeck", "comment": comment,
    });
    let said = api.post("/api/v2/silences", &body).await?;
    let id = said.get("silenceID").and_then(Value::as_str).ok_or("it made no silence that it could name")?;
    Ok(format!("silence {} until {}", text::one_line(id, 60), seconds(until)))
}

fn seconds(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()
}

async fn expire(api: &Api<'_>, s: &Setting<'_>, step: &str) -> Result<String, String> {
    match find(api, s, step).await? {
        Some(there) => {
            api.delete(&format!("/api/v2/silence/{}", there.id)).await?;
            Ok(format!("silence {} ended", there.id))
        }
        None => Ok(format!("the step {step} has no silence that still holds")),
    }
}

/// The silence of another step of this run. In a step that was taken in from another procedure, the
/// name is first looked for beside it.
async fn find(api: &Api<'_>, s: &Setting<'_>, step: &str) -> Result<Option<Silence>, String> {
    if let Some((outer, _)) = s.step.as_str().rsplit_once('/')
        && let Some(found) = api.silence_of(&mark(s.run, &format!("{outer}/{step}"))).await?
    {
        return Ok(Some(found));
    }
    api.silence_of(&mark(s.run, step)).await
}

async fn alert(
    api: &Api<'_>,
    s: &Setting<'_>,
    labels: &BTreeMap<String, String>,
    annotations: &BTreeMap<String, String>,
    span: Option<Duration>,
) -> Result<String, String> {
    let name = labels.get("alertname").ok_or("an alert needs the label alertname")?;
    let fill = |all: &BTreeMap<String, String>| -> Result<BTreeMap<String, String>, String> {
        all.iter().map(|(k, v)| Ok((k.clone(), place::plain(v, s)?))).collect()
    };
    let mut annotations = fill(annotations)?;
    annotations.insert(MARK.to_owned(), mark(s.run, s.step.as_str()));
    let now = s.clock.now();
    let mut one = json!({ "labels": fill(labels)?, "annotations": annotations, "startsAt": now.wall });
    if let (Some(span), Some(members)) = (span, one.as_object_mut()) {
        members.insert("endsAt".to_owned(), json!(now.plus(span).wall));
    }
    api.post("/api/v2/alerts", &json!([one])).await?;
    let until = span.map(|span| format!(", for {}", units::exact(span))).unwrap_or_default();
    Ok(format!("alert {} submitted{until}", text::one_line(name, 80)))
}

/// The Alertmanager knows what it has.
pub async fn ask(a: &Alertmanager, _: &str, s: &Setting<'_>) -> Answer {
    let api = match Api::of(s) {
        Ok(api) => api,
        Err(why) => return Answer::unknown(why),
    };
    let told = match a {
        Alertmanager::Silence { .. } => {
            api.silence_of(&mark(s.run, s.step.as_str())).await.map(|found| match found {
                Some(there) => {
                    Answer::happened(format!("silence {} is there, until {}", there.id, there.until))
                }
                None => Answer::did_not("there is no silence of this step"),
            })
        }
        Alertmanager::Expire { step } => find(&api, s, step).await.map(|found| match found {
            Some(there) => Answer::did_not(format!("silence {} still holds", there.id)),
            None => Answer::happened(format!("the step {step} has no silence that still holds")),
        }),
        Alertmanager::Alert { .. } => {
            let mark = mark(s.run, s.step.as_str());
            api.has_alert(MARK, &mark).await.map(|is_there| {
                if is_there {
                    Answer::happened("it has the alert")
                } else {
                    Answer::did_not("it does not have the alert")
                }
            })
        }
    };
    told.unwrap_or_else(Answer::unknown)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_silence_must_not_take_everything() {
        for bad in [&[][..], &["a!=\"b\""], &["a=~\".*\""], &["a=\"\""], &["nonsense"]] {
            let texts: Vec<String> = bad.iter().map(|t| (*t).to_owned()).collect();
            assert!(read(&texts).is_err(), "{bad:?}");
        }
        let texts = ["layer=\"edge\"".to_owned(), "severity!=\"page\"".to_owned()];
        assert_eq!(read(&texts).unwrap().len(), 2);
    }
}
