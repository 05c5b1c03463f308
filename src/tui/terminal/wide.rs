//! Which columns of the screen hold the left half of a wide character.
//!
//! Writing over one half of a wide character makes a terminal blank the other, in a background
//! that differs from terminal to terminal, and ratatui's difference leaves that other half out.

use ratatui::layout::Size;

use super::motion::At;

/// One bit for each cell of the screen.
#[derive(Debug, Default)]
pub(super) struct Wide {
    bits: Vec<u64>,
    width: usize,
}

impl Wide {
    /// Makes it a screen of `size` without a wide character.
    pub fn reset(&mut self, size: Size) {
        self.width = usize::from(size.width);
        self.bits.clear();
        self.bits.resize((self.width * usize::from(size.height)).div_ceil(64), 0);
    }

    /// Records whether a wide character now starts at `at`, and returns whether one did before.
    pub fn set(&mut self, at: At, wide: bool) -> bool {
        let index = usize::from(at.y) * self.width + usize::from(at.x);
        let bit = 1u64 << (index % 64);
        let Some(word) = self.bits.get_mut(index / 64) else { return false };
        let before = *word & bit != 0;
        if wide {
            *word |= bit;
        } else {
            *word &= !bit;
        }
        before
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_remembers_and_forgets() {
        let mut wide = Wide::default();
        wide.reset(Size { width: 70, height: 2 });
        let at = At { x: 69, y: 1 };
        assert!(!wide.set(at, true));
        assert!(wide.set(at, true));
        assert!(wide.set(at, false));
        assert!(!wide.set(at, false));
        assert!(!wide.set(At { x: 0, y: 9 }, true), "outside the screen there is none");
    }
}
