//! The four states a thing can be in, how they combine, and how they are spelled.

use std::fmt;

/// What is known of a thing. `Unknown` is never green and never red: it says that we do not know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Health {
    Up,
    Degraded,
    Down,
    Unknown,
}

impl Health {
    pub const ALL: [Health; 4] = [Health::Up, Health::Degraded, Health::Down, Health::Unknown];

    pub fn as_str(self) -> &'static str {
        match self {
            Health::Up => "up",
            Health::Degraded => "degraded",
            Health::Down => "down",
            Health::Unknown => "unknown",
        }
    }

    /// How loudly it asks for attention. `Unknown` stands above `Up`, so that it is never hidden
    /// behind green, and below what is known to be wrong.
    pub fn severity(self) -> u8 {
        match self {
            Health::Up => 0,
            Health::Unknown => 1,
            Health::Degraded => 2,
            Health::Down => 3,
        }
    }

    /// The exit code of `quarterdeck check`: the Nagios plugin convention
    /// (<https://nagios-plugins.org/doc/guidelines.html>, "Plugin Return Codes").
    pub fn exit_code(self) -> u8 {
        match self {
            Health::Up => 0,
            Health::Degraded => 1,
            Health::Down => 2,
            Health::Unknown => 3,
        }
    }
}

impl fmt::Display for Health {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// How many of each, and the worst of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Tally {
    pub up: usize,
    pub degraded: usize,
    pub down: usize,
    pub unknown: usize,
}

impl Tally {
    pub fn add(&mut self, health: Health) {
        match health {
            Health::Up => self.up += 1,
            Health::Degraded => self.degraded += 1,
            Health::Down => self.down += 1,
            Health::Unknown => self.unknown += 1,
        }
    }

    /// How many are in one state.
    pub fn count(&self, health: Health) -> usize {
        match health {
            Health::Up => self.up,
            Health::Degraded => self.degraded,
            Health::Down => self.down,
            Health::Unknown => self.unknown,
        }
    }

    pub fn total(&self) -> usize {
        self.up + self.degraded + self.down + self.unknown
    }

    /// The worst state present. Nothing at all is `Unknown`: an empty layer has not been seen.
    pub fn worst(&self) -> Health {
        if self.down > 0 {
            Health::Down
        } else if self.degraded > 0 {
            Health::Degraded
        } else if self.unknown > 0 || self.total() == 0 {
            Health::Unknown
        } else {
            Health::Up
        }
    }
}

impl FromIterator<Health> for Tally {
    fn from_iter<I: IntoIterator<Item = Health>>(items: I) -> Self {
        let mut tally = Tally::default();
        for item in items {
            tally.add(item);
        }
        tally
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn any_health() -> impl Strategy<Value = Health> {
        prop_oneof![Just(Health::Up), Just(Health::Degraded), Just(Health::Down), Just(Health::Unknown)]
    }

    proptest! {
        #[test]
        fn roll_up_is_green_only_when_every_part_is_green(parts in prop::collection::vec(any_health(), 0..20)) {
            let worst = parts.iter().copied().collect::<Tally>().worst();
            prop_assert_eq!(worst == Health::Up, !parts.is_empty() && parts.iter().all(|h| *h == Health::Up));
        }

        #[test]
        fn roll_up_is_never_milder_than_any_part(parts in prop::collection::vec(any_health(), 1..20)) {
            let worst = parts.iter().copied().collect::<Tally>().worst();
            prop_assert!(parts.iter().all(|h| h.severity() <= worst.severity()));
            prop_assert!(parts.contains(&worst));
        }

        #[test]
        fn roll_up_does_not_depend_on_order(mut parts in prop::collection::vec(any_health(), 0..20)) {
            let a = parts.iter().copied().collect::<Tally>();
            parts.reverse();
            prop_assert_eq!(a, parts.into_iter().collect::<Tally>());
        }
    }
}
