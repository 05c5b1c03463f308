//! What the terminal can show, guessed from the environment, where an explicit choice wins.

use super::color::Depth;

/// Which characters are safe to draw.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Glyphs {
    /// ASCII only.
    Ascii,
    /// Also what a Linux console's font has: single and double lines, `░▒▓█▄▀`, Latin letters; no
    /// eighth blocks, rounded corners or braille.
    Console,
    /// Anything.
    Full,
}

/// What the terminal can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capability {
    pub depth: Depth,
    pub glyphs: Glyphs,
    /// It can move its cursor at all; `TERM=dumb` cannot.
    pub full_screen: bool,
    /// It has a second screen, so that the first comes back on leaving.
    pub alternate: bool,
    /// Erasing fills with the current background.
    pub erase_fills: bool,
    pub in_tmux: bool,
}

impl Capability {
    /// From the process's environment.
    pub fn detect(depth: Option<Depth>, glyphs: Option<Glyphs>) -> Self {
        Self::from(depth, glyphs, |name| std::env::var(name).ok())
    }

    /// From any environment. `depth` and `glyphs` are what the user chose, if they did.
    pub fn from(depth: Option<Depth>, glyphs: Option<Glyphs>, env: impl Fn(&str) -> Option<String>) -> Self {
        let set = |name: &str| env(name).filter(|value| !value.is_empty());
        let term = set("TERM").unwrap_or_default();
        let in_tmux = set("TMUX").is_some();
        Capability {
            depth: depth.unwrap_or_else(|| {
                guess_depth(&term, in_tmux, set("NO_COLOR").is_some(), set("COLORTERM").as_deref())
            }),
            glyphs: glyphs.unwrap_or_else(|| {
                let locale = set("LC_ALL").or_else(|| set("LC_CTYPE")).or_else(|| set("LANG"));
                guess_glyphs(&term, locale.as_deref())
            }),
            full_screen: term != "dumb",
            alternate: term != "linux",
            // GNU screen does not unless told to, and vt100 and its kind have no colour to fill with.
            erase_fills: in_tmux || !is_one_of(&term, &["", "screen", "vt", "dumb", "ansi"]),
            in_tmux,
        }
    }
}

/// Whether `term` is one of `names`, or one of them followed by a variant (`screen-256color`, `vt100`).
fn is_one_of(term: &str, names: &[&str]) -> bool {
    names.iter().any(|name| {
        term.strip_prefix(name).is_some_and(|rest| {
            rest.is_empty()
                || (!name.is_empty()
                    && rest.starts_with(|c: char| c == '-' || c == '.' || c.is_ascii_digit()))
        })
    })
}

fn guess_depth(term: &str, in_tmux: bool, no_color: bool, colorterm: Option<&str>) -> Depth {
    if no_color || is_one_of(term, &["dumb", "vt"]) {
        return Depth::None;
    }
    if term == "linux" {
        return Depth::Sixteen;
    }
    let truecolor = matches!(colorterm, Some("truecolor" | "24bit"));
    // GNU screen inherits COLORTERM from outside and shows 256 at most; tmux, which may call
    // itself screen too, brings 24 bits down to what its own terminal has.
    if truecolor && (in_tmux || !is_one_of(term, &["screen"])) {
        return Depth::True;
    }
    if term.ends_with("-direct")
        || is_one_of(term, &["xterm-kitty", "alacritty", "foot", "wezterm", "xterm-ghostty"])
    {
        return Depth::True;
    }
    if term.ends_with("256color") || truecolor { Depth::TwoFiftySix } else { Depth::Sixteen }
}

/// With no locale at all (it is often lost on the way through ssh, sudo or a container) nearly
/// every terminal still speaks UTF-8; one that says "C" or names another charset is believed.
fn guess_glyphs(term: &str, locale: Option<&str>) -> Glyphs {
    let unicode = match locale {
        Some(locale) => {
            let locale = locale.to_ascii_lowercase();
            locale.contains("utf-8") || locale.contains("utf8")
        }
        None => !is_one_of(term, &["", "linux", "dumb", "vt", "ansi"]),
    };
    match (unicode, term) {
        (false, _) => Glyphs::Ascii,
        (true, "linux") => Glyphs::Console,
        (true, _) => Glyphs::Full,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(pairs: &[(&str, &str)]) -> Capability {
        chosen(None, pairs)
    }

    fn chosen(depth: Option<Depth>, pairs: &[(&str, &str)]) -> Capability {
        Capability::from(depth, None, |name| pairs.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).into()))
    }

    #[test]
    fn the_depth_follows_the_environment() {
        let table: [(&[(&str, &str)], Depth); 15] = [
            (&[], Depth::Sixteen),
            (&[("TERM", "xterm")], Depth::Sixteen),
            (&[("TERM", "xterm-256color")], Depth::TwoFiftySix),
            (&[("TERM", "xterm-256color"), ("COLORTERM", "truecolor")], Depth::True),
            (&[("TERM", "xterm-256color"), ("COLORTERM", "yes")], Depth::TwoFiftySix),
            (&[("TERM", "xterm-256color"), ("NO_COLOR", "1")], Depth::None),
            (&[("TERM", "xterm-256color"), ("NO_COLOR", "")], Depth::TwoFiftySix),
            (&[("TERM", "linux"), ("COLORTERM", "24bit")], Depth::Sixteen),
            (&[("TERM", "dumb")], Depth::None),
            (&[("TERM", "vt220")], Depth::None),
            (&[("TERM", "screen")], Depth::Sixteen),
            (&[("TERM", "screen-256color"), ("COLORTERM", "truecolor")], Depth::TwoFiftySix),
            (&[("TERM", "tmux-256color"), ("COLORTERM", "truecolor")], Depth::True),
            (&[("TERM", "screen"), ("COLORTERM", "truecolor"), ("TMUX", "x")], Depth::True),
            (&[("TERM", "xterm-kitty")], Depth::True),
        ];
        for (env, depth) in table {
            assert_eq!(with(env).depth, depth, "{env:?}");
        }
    }

    #[test]
    fn an_explicit_choice_wins() {
        let seen = chosen(Some(Depth::True), &[("NO_COLOR", "1"), ("TERM", "dumb")]);
        assert_eq!((seen.depth, seen.full_screen), (Depth::True, false));
    }

    #[test]
    fn the_glyphs_follow_the_locale() {
        let table: [(&[(&str, &str)], Glyphs); 7] = [
            (&[("LANG", "de_DE.UTF-8")], Glyphs::Full),
            (&[("LANG", "de_DE.UTF-8"), ("LC_ALL", "C")], Glyphs::Ascii),
            (&[("LC_CTYPE", "C.utf8"), ("LANG", "C")], Glyphs::Full),
            (&[("TERM", "xterm-256color")], Glyphs::Full),
            (&[("TERM", "linux")], Glyphs::Ascii),
            (&[("TERM", "linux"), ("LANG", "en_GB.UTF-8")], Glyphs::Console),
            (&[("TERM", "vt100")], Glyphs::Ascii),
        ];
        for (env, glyphs) in table {
            assert_eq!(with(env).glyphs, glyphs, "{env:?}");
        }
    }

    #[test]
    fn what_erasing_and_leaving_do_is_known_of_some() {
        assert!(with(&[("TERM", "xterm-256color")]).erase_fills);
        assert!(with(&[("TERM", "tmux-256color")]).erase_fills);
        assert!(!with(&[("TERM", "screen-256color")]).erase_fills);
        assert!(!with(&[("TERM", "linux")]).alternate);
        assert!(with(&[("TERM", "xterm"), ("TMUX", "/tmp/x,1,0")]).in_tmux);
    }
}
