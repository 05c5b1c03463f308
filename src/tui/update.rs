//! Events in, effects out: synchronous and pure, so that every key can be tested.

use super::app::{App, Effect, Event, Mode, Screen};
use super::command::Action;
use super::model::metrics::{Page, to_ask, wanted};
use super::model::palette;
use super::theme::{self, Theme};
use super::typing::{MAX_EXPRESSION, MAX_TYPED, edit, insert};
use super::{act_events, act_keys, alerts_keys, metrics_keys, overview_keys, procedure_keys};
use crate::clock::Now;
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use tui_input::Input;

/// Takes one event in.
#[must_use]
pub fn update(app: &mut App, now: Now, event: Event) -> Vec<Effect> {
    let mut effects = match event {
        Event::Key(key) => on_key(app, now, key),
        // What stands over the screen must be answered first.
        Event::Act(action) if matches!(app.mode, Mode::Act(_)) && action != Action::Quit => Vec::new(),
        Event::Act(action) => act(app, now, action),
        Event::Paste(text) => {
            paste(app, &text);
            Vec::new()
        }
        Event::Resize(width, height) => {
            app.size = (width, height);
            Vec::new()
        }
        Event::Observed(all) => {
            app.observe(all);
            Vec::new()
        }
        Event::Board(board) => {
            app.replace_board(board);
            Vec::new()
        }
        Event::Switches(switches) => {
            app.switches = switches;
            Vec::new()
        }
        Event::Proposed(result) => act_events::on_proposed(app, now, result),
        Event::Ledger(ledger) => {
            act_events::on_ledger(app, now, ledger);
            Vec::new()
        }
        Event::Started(result) => {
            act_events::on_started(app, now, result);
            Vec::new()
        }
        Event::Replied { run, reply } => {
            act_events::on_replied(app, now, &run, reply);
            Vec::new()
        }
        Event::Tick => act_events::on_tick(app, now),
        Event::Trouble(text) => {
            app.trouble = Some(text);
            Vec::new()
        }
    };
    act_events::settle(app, now);
    overview_keys::keep_in_view(app, now);
    match app.screen {
        Screen::Metrics => metrics_keys::keep_in_view(app),
        Screen::Alerts => alerts_keys::keep_in_view(app, now),
        Screen::Procedures => procedure_keys::keep_in_view(app, now),
        _ => {}
    }
    let wanted = wanted(app);
    effects.extend(to_ask(&app.asked, &wanted).into_iter().map(Effect::Ask));
    app.asked = wanted;
    effects.extend(act_events::look_at(app));
    effects
}

/// Pasted text goes where text is typed and nowhere else: it never presses keys.
fn paste(app: &mut App, text: &str) {
    let line = crate::domain::text::one_line(text, MAX_TYPED);
    match &mut app.mode {
        Mode::Filter => {
            let filter = app.filter_of_screen_mut();
            line.chars().for_each(|c| insert(filter, c, MAX_TYPED));
        }
        Mode::Palette { input, cursor } => {
            line.chars().for_each(|c| insert(input, c, MAX_TYPED));
            *cursor = 0;
        }
        Mode::Prompt(prompt) => prompt.paste(&crate::domain::text::one_line(text, MAX_EXPRESSION)),
        Mode::Act(dialog) => act_keys::paste(dialog, &line),
        Mode::Normal | Mode::Help { .. } => {}
    }
}

fn on_key(app: &mut App, now: Now, key: KeyEvent) -> Vec<Effect> {
    // Ctrl-C leaves from everywhere, whatever it is bound to and whatever is open.
    if key.code == KeyCode::Char('c') && key.modifiers.contains(KeyModifiers::CONTROL) {
        return vec![Effect::Quit];
    }
    match &app.mode {
        Mode::Filter => on_filter_key(app, key),
        Mode::Palette { .. } => on_palette_key(app, now, key),
        Mode::Help { .. } => on_help_key(app, key),
        Mode::Prompt(_) => metrics_keys::on_prompt_key(app, key),
        Mode::Act(_) => act_keys::on_key(app, now, key),
        Mode::Normal => match app.keymap.action(key) {
            Some(action) => act(app, now, action),
            None => Vec::new(),
        },
    }
}

fn on_filter_key(app: &mut App, key: KeyEvent) -> Vec<Effect> {
    match key.code {
        KeyCode::Enter => app.mode = Mode::Normal,
        KeyCode::Esc => {
            app.filter_of_screen_mut().reset();
            app.mode = Mode::Normal;
        }
        _ => {
            edit(app.filter_of_screen_mut(), key, MAX_TYPED);
        }
    }
    Vec::new()
}

fn on_palette_key(app: &mut App, now: Now, key: KeyEvent) -> Vec<Effect> {
    let Mode::Palette { input, .. } = &app.mode else { return Vec::new() };
    let found = palette::matching(input.value(), |a| app.offers(a));
    let Mode::Palette { input, cursor } = &mut app.mode else { return Vec::new() };
    match key.code {
        KeyCode::Esc => app.mode = Mode::Normal,
        KeyCode::Up => *cursor = cursor.saturating_sub(1),
        KeyCode::Down => *cursor = (*cursor + 1).min(found.len().saturating_sub(1)),
        KeyCode::Enter => {
            let chosen = found.get(*cursor).map(|c| c.action);
            app.mode = Mode::Normal;
            if let Some(action) = chosen {
                return act(app, now, action);
            }
        }
        _ => {
            if edit(input, key, MAX_TYPED) {
                *cursor = 0;
            }
        }
    }
    Vec::new()
}

fn on_help_key(app: &mut App, key: KeyEvent) -> Vec<Effect> {
    let action = app.keymap.action(key);
    let Mode::Help { scroll } = &mut app.mode else { return Vec::new() };
    match action {
        Some(Action::Down) => *scroll += 1,
        Some(Action::Up) => *scroll = scroll.saturating_sub(1),
        Some(Action::PageDown) => *scroll += 10,
        Some(Action::PageUp) => *scroll = scroll.saturating_sub(10),
        Some(Action::First) => *scroll = 0,
        Some(Action::Quit | Action::Back | Action::Help | Action::Open) => app.mode = Mode::Normal,
        _ => {}
    }
    Vec::new()
}

fn act(app: &mut App, now: Now, action: Action) -> Vec<Effect> {
    match action {
        Action::Quit => return vec![Effect::Quit],
        Action::Suspend => return vec![Effect::Suspend],
        Action::Redraw => return vec![Effect::Redraw],
        Action::Help => app.mode = Mode::Help { scroll: 0 },
        Action::Palette => app.mode = Mode::Palette { input: Input::default(), cursor: 0 },
        Action::Filter => {
            if matches!(app.screen, Screen::Switches | Screen::Log) {
                app.screen = Screen::Overview;
            }
            if app.screen == Screen::Procedures {
                app.acting.view.run = None;
            }
            // What has nothing to filter leads to where there is.
            if app.screen == Screen::Metrics && app.metrics.page != Page::Families {
                app.metrics.page = Page::Graphs;
            }
            app.mode = Mode::Filter;
        }
        Action::ShowOverview => app.screen = Screen::Overview,
        Action::ShowLog => app.screen = Screen::Log,
        Action::Restart | Action::Drain | Action::Contain => return act_keys::act(app, now, action),
        // Esc gives up what is being planned before it leaves anything else.
        Action::Back if act_events::give_up(app, now) => return vec![Effect::Withdraw],
        action if !app.offers(action) => {}
        Action::Applies => return act_keys::act(app, now, action),
        action if action.is_of_runs() => return act_keys::act(app, now, action),
        Action::ShowProcedures => {
            // Once more goes back to the list.
            if app.screen == Screen::Procedures {
                app.acting.view.run = None;
            }
            app.screen = Screen::Procedures;
        }
        Action::ShowSwitches => app.screen = Screen::Switches,
        Action::ShowAlerts => app.screen = Screen::Alerts,
        Action::ShowMetrics => {
            // Once more goes back to the graphs.
            if app.screen == Screen::Metrics {
                app.metrics.page = Page::Graphs;
            }
            app.screen = Screen::Metrics;
        }
        Action::Targets => (app.screen, app.metrics.page) = (Screen::Metrics, Page::Targets),
        Action::Expression => metrics_keys::open_prompt(app),
        Action::GraphForm => metrics_keys::next_form(app),
        Action::Theme => next_theme(app, now),
        Action::Freeze => {
            app.toggle_frozen(now);
            let word =
                if app.frozen_since().is_some() { "frozen; looking goes on behind it" } else { "live again" };
            app.note(word, now);
        }
        Action::PollAll => {
            app.note("looking at everything", now);
            return vec![Effect::PollAll];
        }
        _ if app.screen == Screen::Switches => return act_on_switches(app, action),
        _ if app.screen == Screen::Metrics => return metrics_keys::act(app, now, action),
        _ if app.screen == Screen::Alerts => return alerts_keys::act(app, now, action),
        _ if app.screen == Screen::Procedures => return procedure_keys::act(app, now, action),
        _ => return overview_keys::act(app, now, action),
    }
    Vec::new()
}

fn act_on_switches(app: &mut App, action: Action) -> Vec<Effect> {
    let last = app.switches.len().saturating_sub(1);
    match action {
        Action::Up => app.switch_cursor = app.switch_cursor.saturating_sub(1),
        Action::Down => app.switch_cursor = (app.switch_cursor + 1).min(last),
        Action::First => app.switch_cursor = 0,
        Action::Last => app.switch_cursor = last,
        Action::Back => app.screen = Screen::Overview,
        Action::Open | Action::Fold => {
            if let Some(switch) = app.switches.get_mut(app.switch_cursor) {
                switch.on = !switch.on;
                return vec![Effect::Flip { switch: switch.name.clone(), on: switch.on }];
            }
        }
        _ => {}
    }
    Vec::new()
}

fn next_theme(app: &mut App, now: Now) {
    let names: Vec<&str> = theme::names().collect();
    let at = names.iter().position(|n| *n == app.theme.name).map_or(0, |i| i + 1);
    if let Some(theme) = names.get(at % names.len()).and_then(|n| Theme::built_in(n)) {
        app.theme = theme;
    }
    let note = format!("theme {}", app.theme.name);
    app.note(note, now);
}
