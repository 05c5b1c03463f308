//! The telemetry as a whole, over time that the test makes.

use super::*;
use crate::domain::alert::rule::{Rule, RuleKind};
use crate::domain::alert::view::{Paged, Phase, RuleState};
use crate::domain::board::{RemoteState, RemoteView};
use crate::domain::promql::Line;
use crate::domain::slo::Promise;
use std::collections::BTreeMap;

const INTERVAL: u64 = 15;

fn expr(text: &str) -> Expr {
    Expr::parse(text).unwrap()
}

fn rule(name: &str, text: &str, hold: u64) -> Rule {
    Rule {
        kind: RuleKind::Alert(name.to_owned()),
        group: "g".to_owned(),
        expr: expr(text),
        hold: Duration::from_secs(hold),
        keep_firing_for: Duration::ZERO,
        labels: BTreeMap::new(),
        annotations: BTreeMap::new(),
        interval: None,
        limit: 0,
        help: String::new(),
        rows: Vec::new(),
        place: String::new(),
    }
}

fn setup(rules: Vec<Rule>) -> Setup {
    let target = Target { id: "api".into(), host: "a".into(), url: "http://a".into() };
    let interval = Duration::from_secs(INTERVAL);
    Setup {
        rules: rules::Setup { rules, interval, ..rules::Setup::default() },
        graphs: vec![Graph { lines: vec![(expr("load"), String::new())] }],
        objectives: Vec::new(),
        targets: vec![target],
        limits: Limits {
            max_series: 1000,
            max_bytes: 1 << 22,
            max_samples: 1 << 20,
            retention: Duration::from_secs(6 * 3600),
        },
    }
}

/// Time as a test moves it.
struct World {
    telemetry: Telemetry,
    now: Now,
}

impl World {
    fn new(setup: Setup) -> World {
        let wall = "2026-01-01T12:00:00Z".parse().unwrap();
        World { telemetry: Telemetry::new(setup), now: Now { mono: Duration::from_secs(100), wall } }
    }

    /// The wall clock is set, and nothing else happens.
    fn jump(&mut self, seconds: i64) {
        self.now.wall = self.now.wall.checked_add(jiff::SignedDuration::from_secs(seconds)).unwrap();
    }

    fn scraped(&self, up: bool, samples: &[(&str, f64)]) -> Scraped {
        let t = self.now.wall.as_millisecond();
        let own = [("up", f64::from(u8::from(up)))];
        let samples = own.iter().chain(samples).map(|(n, v)| (Labels::new([("__name__", *n)]), t, *v));
        Scraped {
            target: TargetIndex(0),
            at: self.now,
            samples: samples.collect(),
            up,
            reason: "a test".into(),
            took: Duration::ZERO,
            seen: 1,
            kept: 1,
            families: None,
        }
    }

    /// One interval later the target was looked at, and the rules were.
    fn step(&mut self, samples: &[(&str, f64)]) -> Vec<String> {
        self.step_of(true, samples)
    }

    fn step_of(&mut self, up: bool, samples: &[(&str, f64)]) -> Vec<String> {
        self.now = self.now.plus(Duration::from_secs(INTERVAL));
        let scraped = self.scraped(up, samples);
        self.telemetry.take_scrape(scraped);
        self.telemetry.evaluate(self.now, &|| Duration::ZERO)
    }

    fn board(&mut self) -> Board {
        self.telemetry.board(self.now)
    }
}

#[test]
fn an_alert_waits_fires_and_leaves_a_mark() {
    let mut world = World::new(setup(vec![rule("Load", "load > 1", 30)]));
    world.step(&[("load", 0.5)]);
    let RuleState::Inactive { because } = &world.board().rules[0].state else { panic!("it is inactive") };
    assert_eq!(because, "0.5 is not > 1");
    world.step(&[("load", 2.0)]);
    let board = world.board();
    assert_eq!(board.alerts[0].phase, Phase::Pending);
    assert_eq!(board.alerts[0].paged.words(world.now.wall), "not paged: pending 0s of 30s");
    assert_eq!(world.step(&[("load", 2.0)]), Vec::<String>::new());
    assert_eq!(world.step(&[("load", 2.0)]).len(), 1);
    let board = world.board();
    assert_eq!((board.alerts[0].phase, &board.alerts[0].paged), (Phase::Firing, &Paged::Nowhere));
    let marks: Vec<_> = board.marks.iter().map(|m| (m.kind, m.text.as_str())).collect();
    assert_eq!(marks, [(MarkKind::Alert, "Load fires")]);
}

#[test]
fn what_a_dead_target_gave_is_stale_and_what_it_still_gives_is_not() {
    let rules = vec![rule("Load", "load > 1", 0), rule("Down", "up == 0", 0)];
    let mut world = World::new(setup(rules));
    world.step(&[("load", 0.5)]);
    let died = world.now.plus(Duration::from_secs(INTERVAL));
    world.step_of(false, &[("load", crate::domain::series::stale())]);
    world.step_of(false, &[]);
    let board = world.board();
    assert_eq!(board.rules[0].state, RuleState::Stale { since: died.wall, what: "api".into() });
    assert_eq!(board.rules[1].state, RuleState::Firing);
    assert_eq!(board.alerts[0].paged, Paged::Nowhere, "that it is down is known, not stale");
    world.step(&[("load", 0.5)]);
    let board = world.board();
    assert!(matches!(board.rules[0].state, RuleState::Inactive { .. }), "{:?}", board.rules[0].state);
    assert!(board.alerts.is_empty());
}

#[test]
fn a_clock_that_is_set_stops_nothing_and_is_told_of_for_a_while() {
    for jump in [-3600, -120, 3600] {
        let rules = vec![rule("Load", "load > 1", 60), rule("Rate", "rate(load[1m]) >= 0", 0)];
        let mut world = World::new(setup(rules));
        for _ in 0..3 {
            world.step(&[("load", 2.0)]);
        }
        let before = world.telemetry.store.0.stats().samples;
        // A look that was begun with the old clock comes in after it was set.
        let late = world.scraped(true, &[("load", 2.0)]);
        world.jump(jump);
        world.step(&[("load", 2.0)]);
        world.telemetry.take_scrape(late);
        let trouble = world.board().engine.trouble.unwrap();
        assert!(trouble.contains(if jump < 0 { "set back by" } else { "ahead by" }), "{trouble}");
        let after = world.telemetry.store.0.stats();
        assert_eq!(after.dropped.out_of_order, 0, "no sample is refused after {jump}: {after:?}");
        assert!(after.samples >= 2 && (jump < 0 || after.samples > before));
        assert_eq!(world.board().alerts.iter().find(|a| a.name == "Load").unwrap().phase, Phase::Pending);
        world.step(&[("load", 2.0)]);
        world.step(&[("load", 2.0)]);
        let board = world.board();
        let load = board.alerts.iter().find(|a| a.name == "Load").unwrap();
        assert_eq!(load.phase, Phase::Firing, "{jump}: the minute is over, whatever the clock shows");
        assert!(load.since <= world.now.wall);
        assert!(board.alerts.iter().any(|a| a.name == "Rate"), "{jump}: rates go on");
        for _ in 0..60 {
            world.step(&[("load", 2.0)]);
        }
        assert_eq!(world.board().engine.trouble, None, "{jump}");
    }
}

#[test]
fn alerts_are_taken_up_although_memory_is_empty_at_first() {
    let rules = || vec![rule("Rate", "rate(load[1m]) > 0.1", 0), rule("Load", "load > 1", 0)];
    let mut world = World::new(setup(rules()));
    for n in 0..5 {
        world.step(&[("load", 10.0 * f64::from(n))]);
    }
    let since: Vec<_> = world.board().alerts.iter().map(|a| (a.name.clone(), a.since)).collect();
    assert_eq!(since.len(), 2, "{since:?}");
    let kept = world.telemetry.save().unwrap().unwrap();
    let mut again = World::new(setup(rules()));
    again.now = world.now.plus(Duration::from_secs(300));
    let restored = again.telemetry.restore(&kept, again.now).unwrap();
    assert_eq!((restored.alerts, restored.gap), (2, Duration::from_secs(300)));
    // Before a target has answered, and then before a rate can be known.
    again.now = again.now.plus(Duration::from_secs(1));
    again.telemetry.evaluate(again.now, &|| Duration::ZERO);
    assert_eq!(again.board().alerts.len(), 0, "nothing is claimed that was not seen");
    again.step(&[("load", 100.0)]);
    again.step(&[("load", 110.0)]);
    let board = again.board();
    let found: Vec<_> = board.alerts.iter().map(|a| (a.name.clone(), a.since)).collect();
    assert_eq!(found, since);
    for alert in &board.alerts {
        let caveat = alert.caveat.clone().unwrap();
        assert!(caveat.starts_with("the program was not running for 5m"), "{caveat}");
    }
    let why = |text: &str| again_fresh(text);
    assert!(why("{").contains("damaged") && why("{\"version\":9}").contains("version 9"));
}

fn again_fresh(text: &str) -> String {
    let mut world = World::new(setup(vec![rule("Load", "load > 1", 0)]));
    let why = world.telemetry.restore(text, world.now).unwrap_err();
    world.step(&[("load", 2.0)]);
    assert_eq!((world.board().alerts.len(), &world.board().alerts[0].caveat), (1, &None));
    why
}

fn answering(world: &mut World, yes: bool) {
    let now = world.now;
    let state = if yes {
        RemoteState::Answering { at: now }
    } else {
        RemoteState::Silent { since: now, why: "refused".into() }
    };
    let view = RemoteView { url: "http://p".into(), state, version: String::new() };
    world.telemetry.outside_mut().prometheus = Some(view);
}

fn watch(span: u64, end: Option<Millis>) -> Ask {
    Ask::Watch { graphs: vec![GraphIndex(0)], span: Duration::from_secs(span), end, columns: 60 }
}

/// What a Prometheus would say to the questions of the moment.
fn reply(world: &mut World) {
    let questions = world.telemetry.questions(world.now);
    for graph in questions.graphs {
        let lines = vec![Line { labels: Labels::empty(), samples: Vec::new() }];
        let data = graphs::from_lines(graph.index, vec![(lines, "")], graph.range, None, true);
        world.telemetry.outside_mut().graphs.insert(data.index, Arc::new(data));
    }
    if let Some((expr, Range { from, to, step })) = questions.query {
        let answer = Answer { expr, from, to, step, lines: Vec::new(), trouble: None, remote: true };
        world.telemetry.outside_mut().answer = Some(Arc::new(answer));
    }
}

#[test]
fn a_graph_of_another_range_is_not_drawn_in_the_place_of_this_one() {
    let mut world = World::new(setup(Vec::new()));
    for _ in 0..10 {
        world.step(&[("load", 2.0)]);
    }
    answering(&mut world, true);
    let query =
        |span| Ask::Query { expr: "load".into(), span: Duration::from_secs(span), end: None, columns: 60 };
    let remote = |world: &mut World| {
        let board = world.board();
        (board.graphs[0].remote, board.query.unwrap().remote)
    };
    world.telemetry.ask(watch(600, None));
    world.telemetry.ask(query(600));
    assert_eq!(remote(&mut world), (false, false), "drawn here until the answer comes");
    reply(&mut world);
    assert_eq!(remote(&mut world), (true, true));
    world.step(&[("load", 2.0)]);
    assert_eq!(remote(&mut world), (true, true), "a little old will do while time moves on");
    world.telemetry.ask(watch(3600, None));
    world.telemetry.ask(query(3600));
    assert_eq!(remote(&mut world), (false, false));
    let board = world.board();
    assert_eq!((board.graphs[0].to - board.graphs[0].from) / 1000, 3600);
    reply(&mut world);
    assert_eq!(remote(&mut world), (true, true));
    let past = world.now.wall.as_millisecond() - 30_000;
    world.telemetry.ask(watch(3600, Some(past)));
    assert_eq!(remote(&mut world), (false, true), "another end");
    reply(&mut world);
    assert_eq!(remote(&mut world), (true, true));
    answering(&mut world, false);
    let board = world.board();
    assert!(!board.graphs[0].remote && board.graphs[0].lines[0].line.samples.len() > 1, "drawn here");
    answering(&mut world, true);
    for _ in 0..20 {
        world.step(&[("load", 2.0)]);
    }
    assert_eq!(remote(&mut world), (true, false), "the past does not grow old; the present does");
    world.telemetry.ask(Ask::Rest);
    let board = world.board();
    assert!(board.graphs.is_empty() && board.query.is_none());
}

#[test]
fn questions_that_only_move_on_with_time_are_the_same() {
    let mut world = World::new(setup(Vec::new()));
    world.telemetry.ask(watch(600, None));
    let first = world.telemetry.questions(world.now);
    let later = world.telemetry.questions(world.now.plus(Duration::from_secs(100)));
    assert!(first != later && first.only_moved_on(&later));
    let at = world.now.wall.as_millisecond();
    for ask in [watch(1200, None), watch(600, Some(at)), Ask::Rest] {
        world.telemetry.ask(ask);
        assert!(!world.telemetry.questions(world.now).only_moved_on(&first));
    }
    world.telemetry.ask(watch(600, Some(at)));
    let fixed = world.telemetry.questions(world.now);
    world.telemetry.ask(watch(600, Some(at - 60_000)));
    assert!(!world.telemetry.questions(world.now).only_moved_on(&fixed), "who looks back wants that");
}

#[test]
fn what_is_typed_is_kept_while_it_is_looked_at_and_what_cannot_be_read_is_told() {
    let mut world = World::new(setup(Vec::new()));
    let base = world.telemetry.selection();
    let ask =
        |text: &str| Ask::Query { expr: text.into(), span: Duration::from_secs(60), end: None, columns: 60 };
    world.telemetry.ask(ask("temperature"));
    let temperature = Labels::new([("__name__", "temperature")]);
    assert!(world.telemetry.selection().wants(&temperature) && !base.wants(&temperature));
    world.telemetry.ask(ask("sum(temperature"));
    let answer = world.board().query.unwrap();
    assert!(answer.trouble.is_some() && answer.lines.is_empty(), "{answer:?}");
    world.telemetry.ask(ask("temperature"));
    world.telemetry.ask(Ask::Explore { target: TargetIndex(0) });
    world.telemetry.ask(Ask::Rest);
    assert_eq!((world.telemetry.selection(), world.telemetry.explored()), (base, None));
}

#[test]
fn an_objective_is_judged_by_one_source_at_a_time() {
    let slo = objectives::Setup {
        id: "ok".into(),
        name: "ok".into(),
        promise: Promise { objective: 0.99, window: Duration::from_secs(30 * 86_400), min_events: 1.0 },
        total: expr("load"),
        part: expr("bad"),
        good: false,
        help: String::new(),
        rows: Vec::new(),
    };
    let mut world = World::new(Setup { objectives: vec![slo], ..setup(Vec::new()) });
    for n in 0..5 {
        world.step(&[("load", 100.0 * f64::from(n)), ("bad", f64::from(n))]);
    }
    let view = world.board().slos.remove(0);
    assert_eq!((view.remote, view.seen), (false, Duration::from_secs(60)));
    assert!((view.events - 400.0).abs() < 1e-6 && view.good == Some(0.99), "{view:?}");
    answering(&mut world, true);
    let windows: Vec<Duration> =
        world.telemetry.objectives_mut()[0].questions().iter().map(|c| c.window).collect();
    let first = world.now.wall.as_millisecond() - 40 * 86_400_000;
    world.telemetry.objectives_mut()[0].reaches(Some(first));
    for window in &windows {
        assert!(!world.board().slos[0].remote, "not before all windows were counted there");
        // In the shortest window nothing happened: there is no series.
        let total = (*window > Duration::from_secs(300)).then_some(1000.0);
        world.telemetry.objectives_mut()[0].answered(*window, total, Some(0.0));
    }
    let view = world.board().slos.remove(0);
    assert_eq!((view.remote, view.seen), (true, Duration::from_secs(30 * 86_400)));
    assert_eq!((view.events.to_bits(), view.good), (1000f64.to_bits(), Some(1.0)));
    answering(&mut world, false);
    assert!(!world.board().slos[0].remote, "silent: what is here counts");
}
