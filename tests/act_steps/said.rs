//! What a step left, or the failure of a test that hoped for something else.

use quarterdeck::act::step::Left;
use quarterdeck::domain::procedure::event::Effected;

#[track_caller]
pub fn done(left: &Left) -> &str {
    match &left.result {
        Effected::Done { says } => says,
        other => panic!("{other:?}"),
    }
}

#[track_caller]
pub fn failed(left: &Left) -> &str {
    match &left.result {
        Effected::Failed { why } => why,
        other => panic!("{other:?}"),
    }
}

#[track_caller]
pub fn killed(left: &Left) -> &str {
    match &left.result {
        Effected::Killed { why } => why,
        other => panic!("{other:?}"),
    }
}
