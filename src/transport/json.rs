//! One JSON request and its reply over a stream without framing.
//!
//! Services that write one object and keep the connection open give no other sign of an end than
//! that the first complete JSON value is there.

use super::fetch::Fault;
use super::reply::{self, Reply};
use super::stream::Stream;
use crate::domain::text;
use serde_json::Value;
use std::ops::Range;

/// Lists and objects within one another, at most. Below the depth at which the JSON reader gives
/// up, so that this message, which says what is wrong, comes first.
pub const MAX_DEPTH: usize = 64;

/// Sends a request and reads the first complete object, of at most `max` bytes: as JSON and as it
/// came. Not bounded in time: the caller's deadline does that. Cancel-safe.
///
/// # Errors
/// It closes early, sends something else, or too much.
pub async fn exchange(mut stream: Stream, request: &[u8], max: usize) -> Result<(Value, Vec<u8>), Fault> {
    reply::send(&mut stream, request).await?;
    let mut reply = Reply::new(max);
    let mut scanner = Scanner::default();
    let place = loop {
        match scanner.feed(&reply.bytes) {
            Ok(Some(place)) => break place,
            Ok(None) => {}
            Err(got) => return Err(Fault::Down(format!("expected a JSON object, got {got}"))),
        }
        if !reply.more(&mut stream).await? {
            return Err(reply::closed(reply.bytes.len()));
        }
    };
    let mut raw = reply.bytes;
    raw.truncate(place.end);
    raw.drain(..place.start);
    let body = serde_json::from_slice(&raw)
        .map_err(|e| Fault::Down(format!("expected a JSON object, got one that is malformed: {e}")))?;
    Ok((body, raw))
}

/// Follows a reply as it grows; every byte is looked at once.
#[derive(Debug, Default)]
pub struct Scanner {
    /// Bytes already looked at.
    seen: usize,
    start: usize,
    depth: usize,
    in_string: bool,
    escaped: bool,
}

impl Scanner {
    /// Looks at what is new in `reply`, which must begin with what was given before. Gives the
    /// place of the first object or list once it is complete; what follows it is left alone.
    ///
    /// # Errors
    /// It does not begin with `{` or `[`, or is nested too deeply; completes "expected a JSON
    /// object, got …".
    pub fn feed(&mut self, reply: &[u8]) -> Result<Option<Range<usize>>, String> {
        while let Some(byte) = reply.get(self.seen) {
            self.seen += 1;
            if self.in_string {
                self.string_byte(*byte);
                continue;
            }
            match byte {
                b'{' | b'[' => {
                    if self.depth == 0 {
                        self.start = self.seen - 1;
                    }
                    self.depth += 1;
                    if self.depth > MAX_DEPTH {
                        return Err(format!("one nested more than {MAX_DEPTH} deep"));
                    }
                }
                b' ' | b'\t' | b'\r' | b'\n' if self.depth == 0 => {}
                _ if self.depth == 0 => {
                    let from = reply.get(self.seen - 1..).unwrap_or(&[]);
                    return Err(format!("\"{}\"", text::one_line_bytes(from, 60)));
                }
                b'}' | b']' => {
                    self.depth -= 1;
                    if self.depth == 0 {
                        return Ok(Some(self.start..self.seen));
                    }
                }
                b'"' => self.in_string = true,
                _ => {}
            }
        }
        Ok(None)
    }

    fn string_byte(&mut self, byte: u8) {
        match byte {
            _ if self.escaped => self.escaped = false,
            b'\\' => self.escaped = true,
            b'"' => self.in_string = false,
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn first(reply: &str) -> Result<Option<&str>, String> {
        Scanner::default().feed(reply.as_bytes()).map(|found| found.map(|range| &reply[range]))
    }

    #[test]
    fn the_first_object_ends_where_its_brackets_close() {
        let table = [
            (r#"{"a":1}"#, Some(r#"{"a":1}"#)),
            (" \r\n{\"a\":1}\n{\"b\":2}", Some(r#"{"a":1}"#)),
            (r#"{"a":"}\"]{"}trailing"#, Some(r#"{"a":"}\"]{"}"#)),
            ("[1,[2]] ", Some("[1,[2]]")),
            (r#"{"a":{"b":[]"#, None),
            ("", None),
        ];
        for (reply, want) in table {
            assert_eq!(first(reply), Ok(want), "{reply}");
        }
    }

    #[test]
    fn what_is_no_object_is_quoted() {
        assert_eq!(first("HTTP/1.1 400 Bad\x1b[2J").unwrap_err(), "\"HTTP/1.1 400 Bad·[2J\"");
        assert_eq!(first(&"[".repeat(100)).unwrap_err(), "one nested more than 64 deep");
    }

    proptest! {
        #[test]
        fn any_bytes_give_an_answer(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let found = Scanner::default().feed(&bytes);
            prop_assert!(found.map_or(true, |r| r.is_none_or(|r| bytes.get(r).is_some())));
        }

        /// However the reply is cut up on its way, the same object is found in it.
        #[test]
        fn pieces_make_no_difference(keys in prop::collection::vec("[a-z\\\\\"{}]{0,5}", 1..6), cut in 1usize..9) {
            let value: Value = keys.iter().map(|k| (k.clone(), k.clone().into())).collect::<serde_json::Map<_, _>>().into();
            let mut reply = value.to_string().into_bytes();
            let whole = reply.len();
            reply.extend_from_slice(b"{\"next\":1}");
            let mut scanner = Scanner::default();
            let found = (0..=reply.len()).step_by(cut).chain([reply.len()]).find_map(|end| scanner.feed(&reply[..end]).unwrap());
            prop_assert_eq!(found, Some(0..whole));
        }
    }
}
