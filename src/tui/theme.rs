//! Colours by role. A view names a role, never a colour, so that a theme is one small file and
//! colour is never the only signal.

use crate::stack::decode::{Reader, Table};
use crate::stack::diag::{Problems, Source};
use ratatui::style::{Color, Modifier, Style};
use std::sync::Arc;

macro_rules! roles {
    ($($role:ident $doc:literal),* $(,)?) => {
        /// A style for each role.
        #[derive(Clone, Debug, Default, PartialEq, Eq)]
        pub struct Theme {
            pub name: String,
            $(#[doc = $doc] pub $role: Style,)*
        }

        impl Theme {
            fn decode(table: &Table<'_>) -> Theme {
                let name = table.need_str("name").map(|s| s.value).unwrap_or_default();
                Theme { name, $($role: style(table, stringify!($role)),)* }
            }
        }
    };
}

roles! {
    text "ordinary text",
    dim "what matters less",
    header "the top line",
    footer "the bottom line",
    key "a key in a hint",
    title "headings",
    border "lines between panes",
    selected "the row under the cursor",
    up "healthy",
    degraded "degraded",
    down "down",
    unknown "not known",
    accent "what changes or asks for attention without being wrong",
    alarm "the line that says what is wrong",
    line1 "the first line of a graph, and every sixth after it",
    line2 "the second line of a graph",
    line3 "the third line of a graph",
    line4 "the fourth line of a graph",
    line5 "the fifth line of a graph",
    line6 "the sixth line of a graph",
}

/// The themes that come with the program; the first is the default.
const BUILT_IN: &[(&str, &str)] = &[
    ("dark", include_str!("../../themes/dark.toml")),
    ("light", include_str!("../../themes/light.toml")),
    ("sixteen", include_str!("../../themes/sixteen.toml")),
    ("contrast", include_str!("../../themes/contrast.toml")),
    ("colorblind", include_str!("../../themes/colorblind.toml")),
    ("mono", include_str!("../../themes/mono.toml")),
];

/// The names of the built-in themes.
pub fn names() -> impl Iterator<Item = &'static str> {
    BUILT_IN.iter().map(|(name, _)| *name)
}

impl Theme {
    /// A built-in theme by name.
    pub fn built_in(name: &str) -> Option<Theme> {
        let (name, text) = BUILT_IN.iter().find(|(n, _)| *n == name)?;
        Theme::parse(&format!("themes/{name}.toml"), text).ok()
    }

    /// Reads a theme file.
    ///
    /// # Errors
    /// Every mistake in it, with its place.
    pub fn parse(file: &str, text: &str) -> Result<Theme, Problems> {
        let reader = Reader::new(Arc::new(Source { name: file.to_owned(), text: text.to_owned() }));
        let toml = reader.parse(text);
        let table = Table::new(&reader, &toml, 0..0, "theme");
        let theme = Theme::decode(&table);
        table.finish();
        let problems = reader.into_problems();
        if problems.has_errors() { Err(problems) } else { Ok(theme) }
    }

    /// A style on the header's ground: a style with the screen's own ground would tear a hole
    /// into it.
    pub fn on_header(&self, style: Style) -> Style {
        let plain = style.bg.is_some() && style.bg == self.text.bg;
        let style = if plain { Style { fg: None, bg: None, ..style } } else { style };
        self.header.patch(style)
    }

    /// A style for text over something that was drawn before, such as the line between two panes:
    /// what it leaves open is the screen's own, and not that of the line.
    pub fn over(&self, style: Style) -> Style {
        Style {
            fg: style.fg.or(self.text.fg).or(Some(Color::Reset)),
            sub_modifier: Modifier::all() - style.add_modifier,
            ..style
        }
    }

    /// The style of a graph's line. Letters tell lines apart where these do not.
    pub fn line(&self, index: usize) -> Style {
        let all = [self.line1, self.line2, self.line3, self.line4, self.line5, self.line6];
        all.get(index % all.len()).copied().unwrap_or_default()
    }

    /// The style of a state of health.
    pub fn health(&self, health: crate::domain::health::Health) -> Style {
        use crate::domain::health::Health;
        match health {
            Health::Up => self.up,
            Health::Degraded => self.degraded,
            Health::Down => self.down,
            Health::Unknown => self.unknown,
        }
    }
}

/// `role = { fg = "red", bg = "#101010", bold = true }`; an absent role is the terminal's own.
fn style(table: &Table<'_>, role: &'static str) -> Style {
    let Some(inner) = table.table(role, "style") else { return Style::new() };
    let mut style = Style::new();
    for (key, is_fg) in [("fg", true), ("bg", false)] {
        if let Some(found) = inner.str(key) {
            match found.value.parse::<Color>() {
                Ok(color) if is_fg => style = style.fg(color),
                Ok(color) => style = style.bg(color),
                Err(_) => {
                    let help = "a name such as red, lightblue or gray, a number 0 to 255, or #rrggbb";
                    let shown = crate::domain::text::one_line(&found.value, 40);
                    inner.reader.error(found.span, format!("`{shown}` is no colour"), Some(help.into()));
                }
            }
        }
    }
    let modifiers = [
        ("bold", Modifier::BOLD),
        ("dim", Modifier::DIM),
        ("italic", Modifier::ITALIC),
        ("underline", Modifier::UNDERLINED),
        ("reverse", Modifier::REVERSED),
    ];
    for (key, modifier) in modifiers {
        if inner.bool_or(key, false) {
            style = style.add_modifier(modifier);
        }
    }
    inner.finish();
    style
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_built_in_theme_loads_and_tells_the_states_apart() {
        for (name, text) in BUILT_IN {
            let theme = Theme::parse(name, text).unwrap_or_else(|p| panic!("{p}"));
            assert_eq!(theme.name, *name);
            let states = [theme.up, theme.degraded, theme.down, theme.unknown];
            for (i, a) in states.iter().enumerate() {
                for b in states.iter().skip(i + 1) {
                    assert!(a != b || *name == "mono", "{name}: two states look alike");
                }
            }
            assert_ne!(theme.selected, Style::new(), "{name}: the cursor cannot be seen");
        }
    }

    #[test]
    fn text_over_a_line_takes_nothing_of_the_line() {
        for (name, _) in BUILT_IN {
            let theme = Theme::built_in(name).unwrap();
            let mut cell = ratatui::buffer::Cell::default();
            for role in [theme.dim, theme.title, theme.text, theme.accent] {
                let mut alone = ratatui::buffer::Cell::default();
                alone.set_style(theme.text).set_style(role);
                cell.set_style(theme.text).set_style(theme.border).set_style(theme.over(role));
                assert_eq!((cell.fg, cell.modifier), (alone.fg, alone.modifier), "{name}: {role:?}");
            }
        }
    }

    #[test]
    fn the_sixteen_colour_theme_uses_only_sixteen() {
        let theme = Theme::built_in("sixteen").unwrap();
        for style in
            [theme.text, theme.up, theme.down, theme.degraded, theme.header, theme.selected, theme.key]
        {
            for color in [style.fg, style.bg].into_iter().flatten() {
                assert!(!matches!(color, Color::Rgb(..) | Color::Indexed(16..)), "{color:?}");
            }
        }
    }

    #[test]
    fn a_mistake_in_a_theme_is_shown_with_its_place() {
        let problems =
            Theme::parse("my.toml", "name = \"x\"\ndown = { fg = \"redd\", bolt = true }\ndwon = {}")
                .unwrap_err();
        let lines: Vec<String> = problems.0.iter().map(crate::stack::diag::Problem::line).collect();
        assert_eq!(
            lines,
            [
                "my.toml:2:15: error: `redd` is no colour (a name such as red, lightblue or gray, a number 0 to 255, or #rrggbb)",
                "my.toml:2:23: error: unknown key `bolt` in this style (did you mean `bold`?)",
                "my.toml:3:1: error: unknown key `dwon` in this theme (did you mean `down`?)",
            ]
        );
    }
}
