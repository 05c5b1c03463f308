//! From command line and files to what the screens and the observers are built from.

use crate::clock::{Clock, SystemClock};
use crate::observe::probe::shared::Shared;
use crate::observe::prober::Prober;
use crate::stack::config::{self, Config, KeyBinding};
use crate::stack::diag::{Problem, Problems, Severity, Source};
use crate::stack::files;
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
    /// Where this program keeps what outlives it.
    pub state_dir: PathBuf,
    pub clock: Arc<dyn Clock>,
}

impl Ready {
    /// Reads and checks everything that was named.
    ///
    /// # Errors
    /// See [`Failure`]: every mistake in every file.
    pub fn new(options: &Options) -> Result<Ready, Failure> {
        let env = |name: &str| std::env::var(name).ok();
        let mut problems = Problems::default();
        let loaded = match load::load(&options.flags, &env) {
            Ok(loaded) => loaded,
            Err(Failure::Nothing) => return Err(Failure::Nothing),
            Err(Failure::Problems(mut found)) => {
                // Everything wrong is told at once, the looks and the keys as well.
                let config = config_of(&options.flags).unwrap_or_else(|| Config::defaults(&env));
                check_looks(options.theme.as_deref(), &config, &mut found);
                return Err(Failure::Problems(found));
            }
        };
        let theme = choose_theme(options.theme.as_deref(), &loaded.config, &mut problems);
        let keymap = choose_keys(&loaded.config, &mut problems);
        match (theme, keymap) {
            (Some(theme), Some(keymap)) => {
                let ascii = options.ascii || loaded.config.ascii;
                let color = !options.no_color && loaded.config.color;
                let depth = (!color).then_some(Depth::None);
                let capability = Capability::detect(depth, ascii.then_some(terminal::Glyphs::Ascii));
                // The Linux console's font lacks the signs of the states.
                let full = capability.glyphs == terminal::Glyphs::Full;
                let glyphs = if full { Glyphs::Unicode } else { Glyphs::Ascii };
                // The default theme is made for 256 colours, and in 16 its shades run together.
                let named = options.theme.is_some() || loaded.config.theme.is_some();
                let few = capability.depth == Depth::Sixteen && !named;
                let theme = few.then(|| Theme::built_in("sixteen")).flatten().unwrap_or(theme);
                let clock = Arc::new(SystemClock::new());
                let state_dir = options.state_dir.clone().unwrap_or_else(|| loaded.config.state_dir.clone());
                Ok(Ready { loaded, theme, keymap, glyphs, capability, state_dir, clock })
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
        let mut app = App::new(
            stack.title.clone(),
            stack.environment.clone(),
            stack.matrix(),
            self.theme.clone(),
            self.glyphs,
            self.keymap.clone(),
        );
        app.graphs = Arc::new(stack.metrics.graphs.clone());
        app
    }
}

/// What a config file says, right or wrong; its mistakes are told by who loads it.
pub(super) fn config_of(flags: &Flags) -> Option<Config> {
    let env = |name: &str| std::env::var(name).ok();
    let source = files::read(&flags.config.clone().or_else(|| config::find(&env))?).ok()?;
    Some(Config::read(&source, &env, &mut Problems::default()))
}

/// Notes what is wrong with the theme and the keys.
pub(super) fn check_looks(flag: Option<&str>, config: &Config, problems: &mut Problems) {
    choose_theme(flag, config, problems);
    choose_keys(config, problems);
}

/// The theme of the flag `--theme`, or else of the config, or else the first that is built in.
fn choose_theme(flag: Option<&str>, config: &Config, problems: &mut Problems) -> Option<Theme> {
    let (name, source, span): (&str, Arc<Source>, Range<usize>) = match (flag, &config.theme) {
        (Some(name), _) => (name, flag_source("--theme", name), 0..name.len()),
        (None, Some(at)) => {
            let source = config.source.clone().unwrap_or_else(|| flag_source("theme", &at.value));
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
    match files::read(Path::new(name)) {
        // The place that named the file helps more than the file that cannot be read.
        Err(p) if p.span.is_empty() => {
            fail(p.message, None);
            None
        }
        Err(p) => {
            problems.push(p);
            None
        }
        Ok(file) => Theme::parse(name, &file.text).map_err(|found| problems.append(found)).ok(),
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

fn choose_keys(config: &Config, problems: &mut Problems) -> Option<Keymap> {
    let bindings = &config.keys;
    let overrides =
        bindings.iter().map(|b| (b.action.value.as_str(), b.keys.iter().map(|k| k.value.clone()).collect()));
    match Keymap::new(overrides) {
        Ok(keymap) => Some(keymap),
        Err(errors) => {
            let source = config.source.clone().unwrap_or_else(|| flag_source("keys", ""));
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
