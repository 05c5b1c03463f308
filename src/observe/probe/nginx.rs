//! Looks at nginx's `stub_status` page; anything that is not exactly that page is a failure.

use super::{Context, Fault, Found};
use crate::domain::text;
use crate::domain::units::Unit;
use crate::stack::kind::nginx::Spec;
use crate::transport::fetch::http::{Call, fetch, plain_headers};
use hyper::body::Bytes;
use hyper::{Method, StatusCode};

/// The page has four short lines.
const MAX_PAGE: usize = 4 << 10;

pub(super) async fn look(spec: &Spec, cx: &Context<'_>) -> Result<Found, Fault> {
    let call = Call {
        target: &spec.target,
        method: Method::GET,
        headers: plain_headers(&spec.target)?,
        body: Bytes::new(),
        max_body: MAX_PAGE,
        keep: false,
        gzip: false,
    };
    let answer = fetch(&cx.way, call, &mut None).await?;
    if answer.status != StatusCode::OK {
        return Err(Fault::Down(format!("expected status 200, got {}", answer.status)));
    }
    let page = String::from_utf8_lossy(&answer.body).into_owned();
    let status = parse(&page).ok_or_else(|| {
        let first = text::one_line(page.lines().next().unwrap_or(""), 60);
        let got = if first.is_empty() { "an empty page".to_owned() } else { format!("\"{first}\"") };
        Fault::Down(format!("expected a stub_status page, got {got}"))
    })?;
    Ok(report(&status, page))
}

fn report(status: &Status, page: String) -> Found {
    let summary = format!("{} active, {} waiting", status.active, status.waiting);
    let mut found = Found { summary, evidence: page, ..Found::default() };
    let dropped = status.accepts.saturating_sub(status.handled);
    for (name, value) in [
        ("ACTIVE", status.active),
        ("ACCEPTS", status.accepts),
        ("HANDLED", status.handled),
        ("DROPPED", dropped),
        ("REQUESTS", status.requests),
        ("READING", status.reading),
        ("WRITING", status.writing),
        ("WAITING", status.waiting),
    ] {
        found.facts.number(name, value as f64, Unit::None);
    }
    found
}

#[derive(Debug, PartialEq, Eq)]
struct Status {
    active: u64,
    accepts: u64,
    handled: u64,
    requests: u64,
    reading: u64,
    writing: u64,
    waiting: u64,
}

/// Reads the page of `ngx_http_stub_status_module`. Its words stand in a fixed order, so the
/// words are what is checked and the numbers are what is taken.
fn parse(page: &str) -> Option<Status> {
    let mut words = page.split_ascii_whitespace();
    let mut after = |expected: &[&str]| -> Option<u64> {
        for word in expected {
            (words.next()? == *word).then_some(())?;
        }
        let number = words.next()?;
        number.bytes().all(|b| b.is_ascii_digit()).then(|| number.parse().ok())?
    };
    let status = Status {
        active: after(&["Active", "connections:"])?,
        accepts: after(&["server", "accepts", "handled", "requests"])?,
        handled: after(&[])?,
        requests: after(&[])?,
        reading: after(&["Reading:"])?,
        writing: after(&["Writing:"])?,
        waiting: after(&["Waiting:"])?,
    };
    words.next().is_none().then_some(status)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const PAGE: &str = "Active connections: 291 \nserver accepts handled requests\n \
                        16630948 16630940 31070465 \nReading: 6 Writing: 179 Waiting: 106 \n";

    #[test]
    fn the_page_gives_its_seven_numbers() {
        let want = Status {
            active: 291,
            accepts: 16_630_948,
            handled: 16_630_940,
            requests: 31_070_465,
            reading: 6,
            writing: 179,
            waiting: 106,
        };
        assert_eq!(parse(PAGE), Some(want));
    }

    #[test]
    fn anything_else_is_refused() {
        let table = [
            String::new(),
            "<html><title>Welcome to nginx!</title></html>".to_owned(),
            PAGE.replace("291", "-1"),
            PAGE.replace("291", "+1"),
            PAGE.replace("291", "99999999999999999999"),
            PAGE.replace("Writing", "Wrting"),
            PAGE.replace("106", ""),
            PAGE.to_owned() + "more",
        ];
        for page in table {
            assert_eq!(parse(&page), None, "{page}");
        }
    }

    proptest! {
        #[test]
        fn a_page_cut_short_never_passes_for_a_whole_one(cut in 0usize..120) {
            let page = PAGE.get(..cut.min(PAGE.trim_end().len() - 3)).unwrap_or("");
            prop_assert_eq!(parse(page), None);
        }
    }
}
