//! An answer's body as it grows: bounded, and unpacked on the way when it comes packed.
//!
//! The bound is on what comes out, so that a small body which unpacks to gigabytes ends where a
//! plain one would.

use super::Fault;
use crate::domain::units;
use flate2::write::MultiGzDecoder;
use hyper::body::Bytes;
use std::io::{self, Write};

/// A body may come in this many pieces, and in more only if they are not tiny: each costs as much
/// work as a large one, and a hostile server could send a million.
const FREE_PIECES: usize = 1024;
/// The least average of more pieces than that, in bytes.
const LEAST_PIECE: usize = 16;
/// Memory set aside at once for a body whose length was told, at most.
const MAX_RESERVED: usize = 4 << 20;

/// What has come so far.
pub struct Growing {
    max: usize,
    pieces: usize,
    received: usize,
    form: Form,
}

enum Form {
    /// Nearly always the whole comes in one piece, which is then taken without a copy.
    Plain {
        first: Bytes,
        rest: Vec<u8>,
    },
    Gzip(Box<MultiGzDecoder<Bounded>>),
}

impl Growing {
    /// At most `max` bytes will come of it. `told` is the length that the server gave, if any.
    ///
    /// # Errors
    /// A plain body was told to be longer than `max`.
    pub fn new(max: usize, told: Option<u64>, gzip: bool) -> Result<Self, Fault> {
        if !gzip && told.is_some_and(|told| told > max as u64) {
            return Err(too_long(max));
        }
        let form = if gzip {
            Form::Gzip(Box::new(MultiGzDecoder::new(Bounded { bytes: Vec::new(), max, overran: false })))
        } else {
            Form::Plain { first: Bytes::new(), rest: Vec::new() }
        };
        Ok(Growing { max, pieces: 0, received: 0, form })
    }

    /// Takes the next piece.
    ///
    /// # Errors
    /// The body is too long, in too many pieces, or not packed as it was said to be.
    pub fn push(&mut self, data: Bytes) -> Result<(), Fault> {
        self.pieces += 1;
        self.received += data.len();
        if self.pieces > FREE_PIECES && self.received / self.pieces < LEAST_PIECE {
            let why = format!("expected a body, got {} pieces of a few bytes", self.pieces);
            return Err(Fault::Down(why));
        }
        match &mut self.form {
            Form::Plain { first, rest } => {
                if self.received > self.max {
                    return Err(too_long(self.max));
                }
                if first.is_empty() {
                    *first = data;
                } else {
                    if rest.is_empty() {
                        rest.reserve(first.len().saturating_mul(2).min(MAX_RESERVED));
                        rest.extend_from_slice(first);
                    }
                    rest.extend_from_slice(&data);
                }
                Ok(())
            }
            Form::Gzip(decoder) => match decoder.write_all(&data) {
                Ok(()) => Ok(()),
                Err(_) if decoder.get_ref().overran => Err(too_long(self.max)),
                Err(e) => Err(damaged(&e)),
            },
        }
    }

    /// The whole, once nothing more comes.
    ///
    /// # Errors
    /// A packed body ends too early or its checksum is wrong.
    pub fn finish(self) -> Result<Bytes, Fault> {
        match self.form {
            Form::Plain { first, rest } if rest.is_empty() => Ok(first),
            Form::Plain { rest, .. } => Ok(rest.into()),
            Form::Gzip(_) if self.received == 0 => Ok(Bytes::new()),
            Form::Gzip(mut decoder) => {
                let ended = decoder.try_finish();
                match ended {
                    Ok(()) => Ok(std::mem::take(&mut decoder.get_mut().bytes).into()),
                    Err(_) if decoder.get_ref().overran => Err(too_long(self.max)),
                    Err(e) => Err(damaged(&e)),
                }
            }
        }
    }
}

/// Takes what is unpacked, and no more than its bound.
struct Bounded {
    bytes: Vec<u8>,
    max: usize,
    overran: bool,
}

impl Write for Bounded {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        if data.len() > self.max - self.bytes.len() {
            self.overran = true;
            return Err(io::Error::other("too long"));
        }
        self.bytes.extend_from_slice(data);
        Ok(data.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The body was longer than its bound.
pub fn too_long(max: usize) -> Fault {
    Fault::Down(format!("expected a body of at most {}, got more", units::bytes(max as f64)))
}

fn damaged(e: &io::Error) -> Fault {
    Fault::Down(format!("expected a gzip body, got one that is damaged: {e}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::Compression;
    use flate2::write::GzEncoder;
    use proptest::prelude::*;

    fn packed(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn grown(gzip: bool, max: usize, pieces: &[&[u8]]) -> Result<Bytes, String> {
        let words = |f: Fault| f.why().to_owned();
        let mut body = Growing::new(max, None, gzip).map_err(words)?;
        for piece in pieces {
            body.push(Bytes::copy_from_slice(piece)).map_err(words)?;
        }
        body.finish().map_err(words)
    }

    proptest! {
        #[test]
        fn however_it_is_cut_up_the_body_is_the_same(
            bytes in prop::collection::vec(0u8..4, 0..3000), size in 3usize..700, gzip: bool,
        ) {
            let sent = if gzip { packed(&bytes) } else { bytes.clone() };
            let pieces: Vec<_> = sent.chunks(size).collect();
            prop_assert_eq!(grown(gzip, bytes.len(), &pieces).unwrap(), bytes.clone());
            if let Some(less) = bytes.len().checked_sub(1) {
                prop_assert!(grown(gzip, less, &pieces).unwrap_err().contains("got more"));
            }
        }

        #[test]
        fn any_bytes_said_to_be_gzip_give_an_answer(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = grown(true, 100, &[&bytes]);
        }
    }

    #[test]
    fn a_bomb_ends_at_the_bound() {
        let bomb = packed(&vec![b'a'; 64 << 20]);
        assert!(bomb.len() < 100_000, "{}", bomb.len());
        assert_eq!(grown(true, 1 << 20, &[&bomb]).unwrap_err(), "expected a body of at most 1MiB, got more");
    }

    #[test]
    fn a_packed_body_that_is_cut_or_damaged_is_refused() {
        let whole = packed(b"up 1\nup 2\nup 3\n");
        for bad in [&whole[..whole.len() - 3], &whole[..12], b"up 1\n"] {
            assert!(grown(true, 100, &[bad]).unwrap_err().starts_with("expected a gzip body"), "{bad:?}");
        }
        let two = [packed(b"up 1\n"), packed(b"up 2\n")].concat();
        assert_eq!(grown(true, 100, &[&two]).unwrap(), "up 1\nup 2\n", "members follow one another");
        assert_eq!(grown(true, 100, &[]).unwrap(), "");
    }

    #[test]
    fn a_flood_of_tiny_pieces_is_no_body() {
        let pieces = vec![&b"x"[..]; FREE_PIECES + 1];
        assert!(grown(false, 1 << 20, &pieces).unwrap_err().contains("pieces of a few bytes"));
    }
}
