//! The eyes of a run on a real Prometheus: what it answers counts only when its samples are newer
//! than the question.

use crate::prometheus::prometheus;
use quarterdeck::act::sight::Sight;
use quarterdeck::cli::sight::{Freshness, Watcher};
use quarterdeck::clock::{Clock, SystemClock};
use quarterdeck::domain::procedure::check::{Condition, Seen};
use quarterdeck::observe::probe::shared::Shared;
use quarterdeck::observe::prober::Prober;
use quarterdeck::stack::diag::Source;
use quarterdeck::stack::load::load_texts;
use quarterdeck::transport::secret::Secrets;
use std::collections::BTreeMap;
use std::sync::Arc;

const CONFIG: &str = "
global:
  scrape_interval: 1s
scrape_configs:
  - job_name: self
    static_configs:
      - targets: ['127.0.0.1:PORT']
";

fn watcher(port: u16, clock: &Arc<dyn Clock>, freshness: Freshness) -> Watcher {
    let text = format!(
        r#"
        [stack]
        name = "x"
        [[layers]]
        id = "low"
        name = "Low"
        [[hosts]]
        id = "here"
        [[probes]]
        id = "port"
        name = "Port"
        layer = "low"
        kind = "tcp"
        address = "127.0.0.1:{port}"
        [prometheus]
        url = "http://127.0.0.1:{port}"
        "#
    );
    let source = Arc::new(Source { name: "x.toml".into(), text });
    let loaded = load_texts(&source, None, &|_| None).unwrap_or_else(|p| panic!("{}", p.render(false)));
    let stack = Arc::new(loaded.stack);
    let shared = Shared::for_stack(Secrets::new(BTreeMap::default()), &stack);
    let prober = Prober::new(&stack, shared, Arc::clone(clock));
    Watcher::new(stack, prober, Arc::clone(clock), freshness)
}

async fn check(sight: &Watcher, expr: &str) -> Seen {
    sight.check(&Condition { exprs: vec![expr.to_owned()], ..Condition::default() }).await
}

#[tokio::test]
async fn a_run_believes_only_samples_that_are_newer_than_its_question() {
    let Some(server) = prometheus(CONFIG, &[], &[]) else { return };
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let run = watcher(server.port, &clock, Freshness::Newer);
    // The first scrape may take a moment.
    let up = r#"up{job="self"} == 1"#;
    while !check(&run, up).await.holds {
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    for _ in 0..3 {
        let asked = clock.now().wall.as_millisecond();
        let newer = format!("timestamp(up{{job=\"self\"}}) * 1000 >= {asked}");
        let seen = check(&run, &newer).await;
        assert!(seen.holds, "{}", seen.says);
    }
    let seen = check(&run, r#"up{job="self"} == 0"#).await;
    assert!(!seen.holds && seen.says.contains("does not hold"), "{}", seen.says);
    // Nothing shows how old it is that there is nothing.
    let seen = check(&run, "absent(nothing_of_that_name)").await;
    assert!(!seen.holds && seen.says.contains("has no series nothing_of_that_name"), "{}", seen.says);

    let plan = watcher(server.port, &clock, Freshness::AsKnown);
    assert_eq!(plan.value(r#"sum(up{job="self"})"#).await, Ok(1.0));
    assert!(plan.value("nothing_of_that_name").await.is_err());
    assert!(check(&plan, up).await.holds);
    drop(server);
    let gone = check(&plan, up).await;
    assert!(!gone.holds && gone.says.contains("not known"), "{}", gone.says);
}
