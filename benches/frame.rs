//! What a frame costs: the overview of a built-in stack and a screen full of graphs, drawn into a
//! buffer, at usual sizes.
//! `cargo bench --bench frame`

use quarterdeck::clock::{Clock, ManualClock};
use quarterdeck::domain::board::{Board, Drawn, GraphData, GraphIndex};
use quarterdeck::domain::fact::Facts;
use quarterdeck::domain::health::Health;
use quarterdeck::domain::matrix::Matrix;
use quarterdeck::domain::observation::{Observation, ProbeIndex, Reading};
use quarterdeck::domain::promql::Line;
use quarterdeck::domain::series::{Labels, Sample};
use quarterdeck::stack::metrics::{Graph, Threshold, Unit};
use quarterdeck::stack::{builtin, load};
use quarterdeck::tui::app::{App, Event};
use quarterdeck::tui::command::Action;
use quarterdeck::tui::glyph::Glyphs;
use quarterdeck::tui::keymap::Keymap;
use quarterdeck::tui::theme::Theme;
use quarterdeck::tui::{update::update, view};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use rustix::time::{ClockId, clock_gettime};
use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

fn cpu() -> Duration {
    let t = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(u64::try_from(t.tv_sec).unwrap_or(0), u32::try_from(t.tv_nsec).unwrap_or(0))
}

fn seen(probe: usize, clock: &ManualClock) -> Observation {
    let reading = Reading {
        health: Health::Up,
        reason: "200 OK, 147B of something that fills the line".to_owned(),
        latency: Some(Duration::from_millis(4)),
        at: clock.now(),
        facts: Facts::new(),
        evidence: Vec::new(),
        unreachable: false,
    };
    let next = clock.now().plus(Duration::from_secs(5));
    Observation::Probed { probe: ProbeIndex(probe), reading: Box::new(reading), next }
}

fn filled(matrix: Matrix, clock: &ManualClock) -> Matrix {
    let mut matrix = matrix;
    for _ in 0..60 {
        for probe in 0..matrix.probes().len() {
            matrix.apply(seen(probe, clock));
        }
        clock.advance(Duration::from_secs(5));
    }
    matrix
}

/// Twelve graphs of four lines of 300 points each.
fn graphs(clock: &ManualClock) -> (Vec<Graph>, Board) {
    let end = clock.now().wall.as_millisecond();
    let graph = |i: usize| Graph {
        id: format!("g{i}"),
        title: format!("Graph number {i}"),
        unit: Unit::PerSecond,
        lines: Vec::new(),
        thresholds: vec![Threshold { value: 120.0, label: "page".into() }],
        key: false,
        min: None,
        max: None,
        help: String::new(),
        rows: Vec::new(),
    };
    let line = |seed: i64| {
        let samples = (0..300i64).map(|i| Sample {
            t: end - (299 - i) * 12_000,
            v: ((i * 37 + seed * 91) % 101) as f64 + seed as f64,
        });
        let line = Line { labels: Labels::empty(), samples: samples.collect() };
        Drawn { legend: format!("GET /v1/relay/{seed} 200"), line }
    };
    let data = |i: usize| {
        let lines = (0..4).map(line).collect();
        let (from, to, step) = (end - 299 * 12_000, end, 12_000);
        Arc::new(GraphData { index: GraphIndex(i), from, to, step, lines, trouble: None, remote: false })
    };
    let board = Board { at: Some(clock.now()), graphs: (0..12).map(data).collect(), ..Board::default() };
    ((0..12).map(graph).collect(), board)
}

/// A screen of graphs, each drawn anew.
fn graph_screen(app: &mut App, clock: &ManualClock) {
    let (graphs, board) = graphs(clock);
    app.graphs = Arc::new(graphs);
    let _ = update(app, clock.now(), Event::Board(Arc::new(board)));
    let _ = update(app, clock.now(), Event::Resize(200, 60));
    let _ = update(app, clock.now(), Event::Act(Action::ShowMetrics));
    let mut buf = Buffer::empty(Rect::new(0, 0, 200, 60));
    let rounds = 500;
    let start = cpu();
    for _ in 0..rounds {
        buf.reset();
        view::draw(black_box(app), clock.now(), buf.area, &mut buf);
    }
    let draw = cpu().saturating_sub(start) / rounds;
    println!("200x60, 12 graphs of 4 lines of 300 points: draw {draw:?}");
}

fn main() {
    let clock = ManualClock::at(jiff::Timestamp::UNIX_EPOCH);
    let Some(source) = builtin::all().first().and_then(|b| builtin::source(b.name)) else { return };
    let Ok(loaded) = load::load_texts(&source, None, &|_| None) else { return };
    let (Some(theme), Ok(keymap)) = (Theme::built_in("dark"), Keymap::new([])) else { return };
    let stack = &loaded.stack;
    let mut app =
        App::new(stack.title.clone(), "bench".into(), stack.matrix(), theme, Glyphs::Unicode, keymap);
    app.replace_matrix(filled(stack.matrix(), &clock));
    for (width, height) in [(80, 24), (120, 40), (200, 60)] {
        let _ = update(&mut app, clock.now(), Event::Resize(width, height));
        let mut buf = Buffer::empty(Rect::new(0, 0, width, height));
        let rounds = 2000;
        let start = cpu();
        for _ in 0..rounds {
            buf.reset();
            view::draw(black_box(&app), clock.now(), buf.area, &mut buf);
        }
        let draw = cpu().saturating_sub(start) / rounds;
        let start = cpu();
        for i in 0..rounds as usize {
            let one = [seen(i % stack.probes.len(), &clock)].into();
            let _ = update(&mut app, clock.now(), Event::Observed(one));
        }
        let take = cpu().saturating_sub(start) / rounds;
        println!("{width}x{height}: draw {draw:?}, take one result in {take:?}");
    }
    graph_screen(&mut app, &clock);
}
