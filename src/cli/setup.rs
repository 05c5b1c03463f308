//! From command line and files to what the screens and the observers are built from.

use crate::clock::{Clock, SystemClock};
use crate::observe::probe::shared::Shared;
use crate::observe::prober::Prober;
use crate::stack::config::KeyBinding;
use crate::stack::diag::{Problem, Problems, Severity, Source};
use crate::stack::load::{self, Failure, Flags, Loaded};
use crate::transport::secret::Secrets;
use crate::tui::app::App;
use crate::tui::glyph::Glyphs;
use crate::tui::keymap::{KeyError, Keymap};
use crate::tui::terminal::{self, Capability, Depth};
use crate::tui::theme::{self, Theme};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The options that every subcommand shares.
#[derive(Clone, Debug, Default)]
pub struct Options {
    pub flags: Flags,
    pub theme: Option<String>,
    pub ascii: bool,
    pub no_color: bool,
    pub state_dir: Option<PathBuf>,
}

/// Everything that was read and is sound.
pub struct Ready {
    pub loaded: Loaded,
    pub theme: Theme,
    pub keymap: Keymap,
    pub glyphs: Glyphs,
    /// What the terminal can show, and what was asked for.
    pub capability: Capability,
    pub clock: Arc<dyn Clock>,
}

impl Ready {
    /// Reads and checks everything that was named.
    ///
    /// # Errors
    /// See [`Failure`]: every mistake in every file.
    pub fn new(options: &Options) -> Result<Ready, Failure> {
        let env = |name: &str| std::env::var(name).ok();
        let loaded = load::load(&options.flags, &env)?;
        let mut problems = Problems::default();
        let theme = choose_theme(options, &loaded, &mut problems);
        let keymap = choose_keys(&loaded, &mut problems);
        match (theme, keymap) {
            (Some(theme), Some(keymap)) => {
                let ascii = options.ascii || loaded.config.ascii;
                let color = !options.no_color && loaded.config.color;
                let depth = (!color).then_some(Depth::None);
                let capability = Capability::detect(depth, ascii.then_some(terminal::Glyphs::Ascii));
                // The Linux console's font lacks the signs of the states.
                let full = capability.glyphs == terminal::Glyphs::Full;
                let glyphs = if full { Glyphs::Unicode } else { Glyphs::Ascii };
                let clock = Arc::new(SystemClock::new());
                Ok(Ready { loaded, theme, keymap, glyphs, capability, clock })
            }
            _ => Err(Failure::Problems(problems)),
        }
    }

    /// The observers of this stack.
    pub fn prober(&self) -> Prober {
        prober(&self.loaded, &self.clock)
    }

    /// The dashboard before anything has been seen.
    pub fn app(&self) -> App {
        let stack = &self.loaded.stack;
        App::new(
            stack.title.clone(),
            stack.environment.clone(),
            stack.matrix(),
            self.theme.clone(),
            self.glyphs,
            self.keymap.clone(),
        )
    }
}

fn choose_theme(options: &Options, loaded: &Loaded, problems: &mut Problems) -> Option<Theme> {
    let (name, source, span): (&str, Arc<Source>, Range<usize>) = match (&options.theme, &loaded.config.theme)
    {
        (Some(name), _) => (name, flag_source("--theme", name), 0..name.len()),
        (None, Some(at)) => {
            let source = loaded.config.source.clone().unwrap_or_else(|| flag_source("theme", &at.value));
            (&at.value, source, at.span.clone())
        }
        (None, None) => return theme::names().next().and_then(Theme::built_in),
    };
    if let Some(theme) = Theme::built_in(name) {
        return Some(theme);
    }
    let mut fail = |message: String, help: Option<String>| {
        problems.push(Problem {
            severity: Severity::Error,
            source: Arc::clone(&source),
            span: span.clone(),
            message,
            help,
        });
    };
    if !is_path(name) {
        let near =
            crate::domain::text::nearest(name, theme::names()).map(|n| format!("did you mean \"{n}\"?"));
        let all: Vec<&str> = theme::names().collect();
        let help = near.unwrap_or_else(|| format!("one of {}, or the path of a theme file", all.join(", ")));
        fail(format!("no theme is called \"{}\"", crate::domain::text::one_line(name, 40)), Some(help));
        return None;
    }
    match std::fs::read_to_string(name) {
        Err(e) => {
            fail(format!("cannot read the theme {name}: {e}"), None);
            None
        }
        Ok(text) => {
            Theme::parse(name, &text).map_err(|p| p.0.into_iter().for_each(|p| problems.push(p))).ok()
        }
    }
}

fn is_path(name: &str) -> bool {
    name.contains('/') || Path::new(name).extension().is_some_and(|e| e == "toml")
}

/// The observers of a stack that was loaded.
pub fn prober(loaded: &Loaded, clock: &Arc<dyn Clock>) -> Prober {
    let secrets = Secrets::new(loaded.config.secrets.clone());
    let shared = Shared::for_stack(secrets, &loaded.stack);
    Prober::new(&loaded.stack, shared, Arc::clone(clock))
}

/// An option of the command line, as a source that an error can point into.
fn flag_source(flag: &str, value: &str) -> Arc<Source> {
    Arc::new(Source { name: flag.to_owned(), text: value.to_owned() })
}

fn choose_keys(loaded: &Loaded, problems: &mut Problems) -> Option<Keymap> {
    let bindings = &loaded.config.keys;
    let overrides =
        bindings.iter().map(|b| (b.action.value.as_str(), b.keys.iter().map(|k| k.value.clone()).collect()));
    match Keymap::new(overrides) {
        Ok(keymap) => Some(keymap),
        Err(errors) => {
            let source = loaded.config.source.clone().unwrap_or_else(|| flag_source("keys", ""));
            for error in errors {
                let span = place_of(&error, bindings);
                let source = Arc::clone(&source);
                problems.push(Problem {
                    severity: Severity::Error,
                    source,
                    span,
                    message: error.to_string(),
                    help: None,
                });
            }
            None
        }
    }
}

/// Where in config.toml a binding's mistake stands.
fn place_of(error: &KeyError, bindings: &[KeyBinding]) -> Range<usize> {
    let of_action = |name: &str| bindings.iter().find(|b| b.action.value == name);
    let found = match error {
        KeyError::UnknownCommand { name, .. } => of_action(name).map(|b| b.action.span.clone()),
        KeyError::BadKey { name, key } => {
            of_action(name).and_then(|b| b.keys.iter().find(|k| k.value == *key)).map(|k| k.span.clone())
        }
        KeyError::Conflict { first, second, key } => [second, first]
            .into_iter()
            .filter_map(|name| of_action(name))
            .find_map(|b| b.keys.iter().find(|k| k.value == *key))
            .map(|k| k.span.clone()),
    };
    found.unwrap_or(0..0)
}
