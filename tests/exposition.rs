//! Pages of metrics, with a real Prometheus as the measure: the same pages accepted and refused,
//! the same series and values; the real pages of real exporters; pages that mean harm.
#![cfg(test)] // tells clippy that helpers, too, may unwrap

mod harness;

#[path = "exposition/against.rs"]
mod against;
#[path = "exposition/exporters.rs"]
mod exporters;
#[path = "exposition/hostile.rs"]
mod hostile;
#[path = "exposition/pages.rs"]
mod pages;
