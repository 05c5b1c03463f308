//! Every parser of bytes that a service sends: the first byte chooses which, the rest is fed to it
//! whole and then in pieces, and both must agree that it does not panic.

#![no_main]

use libfuzzer_sys::fuzz_target;
use quarterdeck::observe::wire::{dns, postgres, torctl};
use quarterdeck::transport::{json, resp};
use quarterdeck::stack::kind::dns::Record;

/// Splits a stream at a place that the input chooses, as a network would.
fn in_pieces(bytes: &[u8], mut feed: impl FnMut(&[u8])) {
    for end in [bytes.len() / 3, bytes.len() / 2, bytes.len()] {
        feed(&bytes[..end]);
    }
}

fuzz_target!(|data: &[u8]| {
    let Some((which, bytes)) = data.split_first() else { return };
    match which % 5 {
        0 => {
            let mut scanner = json::Scanner::default();
            in_pieces(bytes, |part| {
                let _ = scanner.feed(part);
            });
        }
        1 => in_pieces(bytes, |part| {
            let _ = postgres::first(part);
        }),
        2 => {
            let mut parser = torctl::Parser::default();
            in_pieces(bytes, |part| {
                if let Ok(Some(reply)) = parser.next(part) {
                    let _ = (reply.show(), reply.is_ok(), torctl::login_methods(&reply));
                }
            });
        }
        3 => {
            let _ = dns::answer(bytes, 7, "a.example", Record::A);
        }
        _ => {
            if let Ok(mut value) = redis::parse_redis_value(bytes) {
                resp::hide_passwords(&mut value);
                let _ = (resp::json(&value), resp::scalar(&value), resp::pairs(&value));
            }
            let _ = resp::info(&String::from_utf8_lossy(bytes));
        }
    }
});
