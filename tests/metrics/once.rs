//! Everything that the demo's stack names, collected and judged once.

use crate::demo::Demo;
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

fn loaded(demo: &Demo) -> Loaded {
    let flags = Flags { config: Some(demo.config.clone()), stack: None };
    load(&flags, &|name| std::env::var(name).ok()).unwrap()
}

/// Everything that is known after looking for so long.
fn board(demo: &Demo, span: Duration, asks: &[Ask]) -> Board {
    let loaded = loaded(demo);
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
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
    assert!(!board.targets.is_empty() && !board.rules.is_empty());
    for target in &board.targets {
        assert_eq!(target.up, Some(true), "{}: {}", target.id, target.reason);
    }
    for rule in &board.rules {
        let sound = !matches!(rule.state, RuleState::Error { .. } | RuleState::Waiting);
        assert!(sound, "{}: {:?}", rule.name, rule.state);
    }
    assert_eq!(board.graphs.len(), graphs);
    for graph in &board.graphs {
        assert_eq!(graph.trouble, None, "{:?}", graph.index);
    }
    assert!(board.alerts.is_empty(), "{:#?}", board.alerts);
}
