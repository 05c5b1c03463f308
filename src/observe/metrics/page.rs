//! A page of metrics fetched over HTTP: the Prometheus text format or OpenMetrics.

use super::collect::{Look, Looking};
use super::explore;
use super::exposition::{ACCEPT, Format, Lexer, Limits};
use super::json::{clean, get, is_html, quoted, refused};
use super::labels::TargetLabels;
use super::stale::Found;
use crate::domain::series::{Labels, Selection};
use crate::stack::metrics::Http;
use crate::transport::fetch::Fault;
use crate::transport::fetch::http::{Open, plain_headers};
use hyper::StatusCode;
use hyper::header::{self, HeaderName, HeaderValue};
use std::sync::Arc;

/// Tells a target how long it may take; some measure only when asked.
const TIMEOUT: HeaderName = HeaderName::from_static("x-prometheus-scrape-timeout-seconds");

/// A page's address and what was decided about its series.
#[derive(Debug)]
pub struct Page {
    http: Http,
    kept: Option<Box<Open>>,
    /// Knows, too, which series ended.
    lexer: Lexer,
}

impl Page {
    pub fn new(http: Http, max_series: usize, labels: &TargetLabels, selection: Arc<Selection>) -> Self {
        let limits = Limits { max_series, ..Limits::default() };
        Page { http, kept: None, lexer: Lexer::new(labels.as_map().clone(), selection, limits) }
    }

    pub fn set_selection(&mut self, selection: Arc<Selection>) {
        self.lexer.set_selection(selection);
    }

    /// The series that ended, once a scrape is over; after a failed one they all have.
    pub fn gone(&mut self, failed: bool) -> Vec<Labels> {
        if failed {
            self.lexer.fail();
        }
        self.lexer.take_gone()
    }

    /// Fetches and reads once. Cancel-safe.
    pub(super) async fn look(&mut self, cx: &Looking<'_>) -> Result<Look, Fault> {
        let mut headers = plain_headers(&self.http.target)?;
        headers.remove(header::CONNECTION);
        headers.insert(header::ACCEPT, HeaderValue::from_static(ACCEPT));
        if let Ok(seconds) = HeaderValue::from_str(&cx.timeout.as_secs_f64().to_string()) {
            headers.insert(TIMEOUT, seconds);
        }
        let (answer, credential) = get(&self.http, headers, cx, &mut self.kept).await?;
        let credential = credential.as_deref();
        if answer.status != StatusCode::OK {
            return Err(refused("metrics", &answer, credential));
        }
        let start = answer.body.get(..answer.body.len().min(256)).unwrap_or(&[]);
        if is_html(&answer, String::from_utf8_lossy(start).trim_start()) {
            return Err(Fault::Down(format!("expected metrics, got {}", quoted(&answer, credential))));
        }
        let kind = answer.headers.get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or("");
        let format = Format::from_content_type(kind)
            .map_err(|why| Fault::Down(format!("expected metrics, but {}", clean(&why, credential))))?;
        let mut scraped = Vec::new();
        let seen = self.lexer.page(&answer.body, format, &mut scraped).map_err(|e| {
            Fault::Down(format!("expected metrics, got a bad page: {}", clean(&e.to_string(), credential)))
        })?;
        let trouble = match seen.duplicates {
            0 => String::new(),
            1 => "1 series stands on the page twice".to_owned(),
            n => format!("{n} series stand on the page twice"),
        };
        // Read once more, and only while somebody looks at it.
        let families = if cx.explore { explore::families(&answer.body, format).ok() } else { None };
        let found = scraped.into_iter().map(|s| Found { labels: s.labels, t: s.t, v: s.v }).collect();
        Ok(Look { found, seen: seen.series, trouble, families, ..Look::default() })
    }
}
