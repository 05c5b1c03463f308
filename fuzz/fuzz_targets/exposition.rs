//! Pages of metrics in both formats: read or refused; what is read twice is the same both times,
//! and what one reader takes the other takes.

#![no_main]

use libfuzzer_sys::fuzz_target;
use quarterdeck::domain::series::Selection;
use quarterdeck::observe::metrics::explore;
use quarterdeck::observe::metrics::exposition::{Format, Lexer, Limits};
use std::collections::BTreeMap;
use std::sync::Arc;

fuzz_target!(|data: &[u8]| {
    let Some((which, page)) = data.split_first() else { return };
    let format = if which % 2 == 0 { Format::Text } else { Format::OpenMetrics };
    let limits = Limits { max_cache_bytes: usize::from(*which) * 10, ..Limits::default() };
    let target: BTreeMap<String, String> = [("job".to_owned(), "j".to_owned())].into();
    let mut lexer = Lexer::new(target.clone(), Arc::new(Selection::everything()), limits);
    let (mut cold, mut warm) = (Vec::new(), Vec::new());
    let first = lexer.page(page, format, &mut cold);
    let second = lexer.page(page, format, &mut warm);
    assert_eq!(first, second);
    let same = |s: &[quarterdeck::observe::metrics::exposition::Scraped]| {
        s.iter().map(|s| (s.labels.to_string(), s.t, s.v.to_bits())).collect::<Vec<_>>()
    };
    assert_eq!(same(&cold), same(&warm));
    // What nobody wants is checked as strictly, but for labels that are the same only once their
    // escapes are undone.
    let mut none = Vec::new();
    let skipped = Lexer::new(target, Arc::new(Selection::default()), limits).page(page, format, &mut none);
    assert!(none.is_empty() && (first.is_err() || skipped.is_ok()));
    let families = explore::families(page, format);
    assert!(first.is_err() || families.is_ok());
});
