//! Where the terminal's cursor is, and the shortest bytes that move it elsewhere.

use super::sgr::number;

/// A position the terminal is known to have its cursor at. `x` equal to the screen's width means
/// that the last column was just written: the row is certain, the column is not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct At {
    pub x: u16,
    pub y: u16,
}

/// The longest way worth trying: `CSI 65535;65535H` is 14 bytes.
const LONGEST: usize = 24;
/// Rows that are worth stepping down one line feed at a time.
const STEPS_DOWN: u16 = 6;

/// A candidate being written, cut off (and so never chosen) when it grows past any use.
struct Way {
    bytes: [u8; LONGEST],
    len: usize,
    too_long: bool,
}

impl Way {
    fn new() -> Self {
        Way { bytes: [0; LONGEST], len: 0, too_long: false }
    }

    fn push(mut self, more: &[u8]) -> Self {
        match self.bytes.get_mut(self.len..self.len + more.len()) {
            Some(room) => {
                room.copy_from_slice(more);
                self.len += more.len();
            }
            None => self.too_long = true,
        }
        self
    }

    fn number(self, n: u16) -> Self {
        let mut digits = Vec::with_capacity(5);
        number(n, &mut digits);
        self.push(&digits)
    }

    /// `CSI n <letter>`, where 1 needs no number.
    fn csi(self, n: u16, letter: u8) -> Self {
        let way = self.push(b"\x1b[");
        let way = if n == 1 { way } else { way.number(n) };
        way.push(&[letter])
    }
}

/// Appends the shortest bytes that bring the cursor from `from` (`None`: anywhere) to `to`, on a
/// screen `width` columns wide. Line feeds are used only downwards within the screen, so nothing scrolls.
pub(super) fn go(from: Option<At>, to: At, width: u16, out: &mut Vec<u8>) {
    let mut best = absolute(to);
    let mut offer = |way: Way| {
        if !way.too_long && way.len < best.len {
            best = way;
        }
    };
    if let Some(at) = from {
        if at == to && at.x < width {
            return;
        }
        let certain = at.x < width;
        if at.y == to.y {
            along_a_row(at, to, certain, &mut offer);
        } else if to.y > at.y && to.y - at.y <= STEPS_DOWN {
            let down = [b'\n'; STEPS_DOWN as usize];
            let down = &down[..usize::from(to.y - at.y)];
            if certain && to.x == at.x {
                offer(Way::new().push(down));
            }
            let way = Way::new().push(b"\r").push(down);
            offer(if to.x == 0 { way } else { way.csi(to.x, b'C') });
        }
    }
    out.extend_from_slice(&best.bytes[..best.len]);
}

/// `CSI row;column H`, leaving out what defaults to 1.
fn absolute(to: At) -> Way {
    let way = Way::new().push(b"\x1b[");
    let way = if to.y == 0 { way } else { way.number(to.y.saturating_add(1)) };
    let way = if to.x == 0 { way } else { way.push(b";").number(to.x.saturating_add(1)) };
    way.push(b"H")
}

fn along_a_row(at: At, to: At, certain: bool, offer: &mut impl FnMut(Way)) {
    if to.x == 0 {
        offer(Way::new().push(b"\r"));
        return;
    }
    offer(Way::new().csi(to.x.saturating_add(1), b'G'));
    if certain && to.x > at.x {
        offer(Way::new().csi(to.x - at.x, b'C'));
    } else if certain {
        let back = at.x - to.x;
        if back <= 3 {
            offer(Way::new().push(&b"\x08\x08\x08"[..usize::from(back)]));
        }
        offer(Way::new().csi(back, b'D'));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shortest_way_is_taken() {
        let at = |x, y| Some(At { x, y });
        let table: [(Option<At>, (u16, u16), &str); 14] = [
            (None, (0, 0), "^[H"),
            (None, (0, 4), "^[5H"),
            (None, (9, 0), "^[;10H"),
            (None, (9, 4), "^[5;10H"),
            (at(3, 3), (3, 3), ""),
            (at(3, 3), (4, 3), "^[C"),
            (at(3, 3), (8, 3), "^[9G"),
            (at(3, 3), (11, 3), "^[8C"),
            (at(5, 3), (4, 3), "\u{8}"),
            (at(5, 3), (0, 3), "\r"),
            (at(3, 3), (3, 4), "\n"),
            (at(3, 3), (0, 4), "\r\n"),
            (at(80, 3), (0, 4), "\r\n"),
            (at(80, 3), (79, 3), "^[80G"),
        ];
        for (from, (x, y), expected) in table {
            let mut out = Vec::new();
            go(from, At { x, y }, 80, &mut out);
            let shown = String::from_utf8(out).unwrap().replace('\x1b', "^");
            assert_eq!(shown, expected, "{from:?} to {x},{y}");
        }
    }
}
