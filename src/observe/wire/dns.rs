//! DNS messages (RFC 1035): one question out, its answer in.

use crate::stack::kind::dns::Record;
use std::net::{Ipv4Addr, Ipv6Addr};

/// Bytes of a name once it is spelled out.
const MAX_NAME: usize = 255;
const HEADER: usize = 12;
const TRUNCATED: u16 = 0x0200;
const RESPONSE: u16 = 0x8000;
const RECURSION_DESIRED: u16 = 0x0100;
const INTERNET: u16 = 1;

/// An answer, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// `NOERROR`, `NXDOMAIN`, …
    pub rcode: String,
    /// It did not fit a datagram; ask again over TCP.
    pub truncated: bool,
    /// Records of the kind asked for, as texts.
    pub records: Vec<String>,
}

/// Why bytes are not the answer to our question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wrong {
    /// Of another question, or none: forged, or late. Wait on.
    NotOurs,
    /// Ours and malformed; completes "expected a DNS answer, got …".
    Malformed(&'static str),
}

/// The question as a message. The name must have been checked.
pub fn question(id: u16, name: &str, record: Record) -> Vec<u8> {
    let mut message = Vec::with_capacity(HEADER + name.len() + 6);
    for word in [id, RECURSION_DESIRED, 1, 0, 0, 0] {
        message.extend(word.to_be_bytes());
    }
    for label in name.split('.') {
        message.push(label.len().min(63) as u8);
        message.extend(label.bytes().take(63));
    }
    message.push(0);
    message.extend(record.number().to_be_bytes());
    message.extend(INTERNET.to_be_bytes());
    message
}

/// Reads the answer to that question.
///
/// # Errors
/// See [`Wrong`].
pub fn answer(message: &[u8], id: u16, name: &str, record: Record) -> Result<Answer, Wrong> {
    let mut at = Cursor { message, at: 0 };
    let header = [at.u16(), at.u16(), at.u16(), at.u16(), at.u16(), at.u16()];
    let [Some(got_id), Some(flags), Some(questions), Some(answers), Some(_), Some(_)] = header else {
        return Err(Wrong::NotOurs);
    };
    if got_id != id || flags & RESPONSE == 0 {
        return Err(Wrong::NotOurs);
    }
    let rcode = rcode(flags & 0xf);
    let truncated = flags & TRUNCATED != 0;
    if questions != 1 {
        // Some servers leave the question out when they could not read it.
        let refused = questions == 0 && flags & 0xf != 0;
        return if refused {
            Ok(Answer { rcode, truncated, records: Vec::new() })
        } else {
            Err(Wrong::NotOurs)
        };
    }
    let asked = at.name().ok_or(Wrong::Malformed("a question with a malformed name"))?;
    let kind = (at.u16(), at.u16());
    if !asked.eq_ignore_ascii_case(name) || kind != (Some(record.number()), Some(INTERNET)) {
        return Err(Wrong::NotOurs);
    }
    let mut records = Vec::new();
    // Each record takes at least eleven bytes, so the message bounds the list, not the count.
    for _ in 0..answers {
        match at.record(record, &mut records) {
            Some(()) => {}
            None if truncated => break,
            None => return Err(Wrong::Malformed("a malformed record")),
        }
    }
    Ok(Answer { rcode, truncated, records })
}

fn rcode(code: u16) -> String {
    let known = [
        "NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP", "REFUSED", "YXDOMAIN", "YXRRSET", "NXRRSET",
        "NOTAUTH", "NOTZONE",
    ];
    known.get(usize::from(code)).map_or_else(|| format!("RCODE{code}"), |name| (*name).to_owned())
}

/// A place in a message.
struct Cursor<'a> {
    message: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    fn take(&mut self, n: usize) -> Option<&'a [u8]> {
        let part = self.message.get(self.at..self.at.checked_add(n)?)?;
        self.at += n;
        Some(part)
    }

    fn u16(&mut self) -> Option<u16> {
        self.take(2)?.first_chunk::<2>().map(|b| u16::from_be_bytes(*b))
    }

    /// A name, its pointers followed. Each pointer must lead further back than the one before,
    /// so there is no way round in a circle.
    fn name(&mut self) -> Option<String> {
        let mut name = String::new();
        let mut at = self.at;
        let mut end = None;
        let mut lowest = at;
        loop {
            let length = usize::from(*self.message.get(at)?);
            match length {
                0 => {
                    self.at = end.unwrap_or(at + 1);
                    return Some(name);
                }
                1..=63 => {
                    let label = self.message.get(at + 1..at + 1 + length)?;
                    if name.len() + length + 1 > MAX_NAME {
                        return None;
                    }
                    if !name.is_empty() {
                        name.push('.');
                    }
                    name.extend(
                        label.iter().map(|b| if b.is_ascii_graphic() { char::from(*b) } else { '?' }),
                    );
                    at += 1 + length;
                }
                0xc0.. => {
                    let low = usize::from(*self.message.get(at + 1)?);
                    let target = (length & 0x3f) << 8 | low;
                    end = end.or(Some(at + 2));
                    if target >= lowest {
                        return None;
                    }
                    (at, lowest) = (target, target);
                }
                _ => return None,
            }
        }
    }

    /// Reads the next record, and keeps it when it is of the kind asked for.
    fn record(&mut self, wanted: Record, kept: &mut Vec<String>) -> Option<()> {
        self.name()?;
        let (kind, class) = (self.u16()?, self.u16()?);
        self.take(4)?; // how long it may be kept
        let length = usize::from(self.u16()?);
        let start = self.at;
        let data = self.take(length)?;
        if kind == wanted.number() && class == INTERNET {
            // Names in the data may point anywhere before it, so it is read in its place.
            let mut inside = Cursor { message: self.message.get(..start + length)?, at: start };
            kept.push(inside.data(wanted, data)?);
        }
        Some(())
    }

    fn data(&mut self, kind: Record, data: &[u8]) -> Option<String> {
        let text = match kind {
            Record::A => Ipv4Addr::from(<[u8; 4]>::try_from(data).ok()?).to_string(),
            Record::Aaaa => Ipv6Addr::from(<[u8; 16]>::try_from(data).ok()?).to_string(),
            Record::Cname | Record::Ns => self.name()?,
            Record::Mx => format!("{} {}", self.u16()?, self.name()?),
            Record::Srv => format!("{} {} {} {}", self.u16()?, self.u16()?, self.u16()?, self.name()?),
            Record::Txt => return strings(data),
        };
        Some(text)
    }
}

/// The strings of a TXT record, joined.
fn strings(mut data: &[u8]) -> Option<String> {
    let mut all = Vec::new();
    while let Some((length, rest)) = data.split_first() {
        let (part, after) = rest.split_at_checked(usize::from(*length))?;
        all.extend_from_slice(part);
        data = after;
    }
    Some(String::from_utf8_lossy(&all).into_owned())
}

/// The first server that a `resolv.conf` names.
pub fn first_nameserver(text: &str) -> Option<std::net::IpAddr> {
    text.lines().find_map(|line| {
        let mut words = line.split_ascii_whitespace();
        (words.next() == Some("nameserver")).then(|| words.next()).flatten()?.parse().ok()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ALL: [Record; 7] =
        [Record::A, Record::Aaaa, Record::Cname, Record::Mx, Record::Txt, Record::Ns, Record::Srv];

    /// An answer to `question` with these records, each a name, a kind and data as they stand.
    fn reply(flags: u16, question: &[u8], records: &[(&[u8], u16, &[u8])]) -> Vec<u8> {
        let mut message = question[..2].to_vec();
        message.extend((RESPONSE | flags).to_be_bytes());
        message.extend([0, 1]);
        message.extend((records.len() as u16).to_be_bytes());
        message.extend([0; 4]);
        message.extend(&question[HEADER..]);
        for (name, kind, data) in records {
            message.extend(*name);
            message.extend(kind.to_be_bytes());
            message.extend([0, 1, 0, 0, 0, 9]);
            message.extend((data.len() as u16).to_be_bytes());
            message.extend(*data);
        }
        message
    }

    /// A pointer to the name of the question.
    const ASKED: &[u8] = &[0xc0, 12];

    #[test]
    fn each_kind_of_record_reads_as_its_usual_text() {
        let table: [(Record, &[u8], &str); 7] = [
            (Record::A, &[10, 0, 0, 1], "10.0.0.1"),
            (Record::Aaaa, &[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1], "::1"),
            (Record::Cname, &[1, b'w', 0xc0, 12], "w.a.example"),
            (Record::Ns, ASKED, "a.example"),
            (Record::Mx, &[0, 10, 1, b'm', 0], "10 m"),
            (Record::Srv, &[0, 0, 0, 5, 0x13, 0xc4, 1, b's', 0], "0 5 5060 s"),
            (Record::Txt, b"\x02ab\x01c", "abc"),
        ];
        for (record, data, want) in table {
            let asked = question(7, "a.example", record);
            // A record of another kind in between is passed over, as a CNAME before its A is.
            let message = reply(0, &asked, &[(ASKED, 999, b"x"), (ASKED, record.number(), data)]);
            let got = answer(&message, 7, "A.Example", record).unwrap();
            assert_eq!((got.rcode.as_str(), got.records), ("NOERROR", vec![want.to_owned()]));
        }
    }

    #[test]
    fn errors_and_truncation_are_told() {
        let asked = question(7, "a", Record::A);
        let code = |flags| answer(&reply(flags, &asked, &[]), 7, "a", Record::A).unwrap();
        assert_eq!(code(3).rcode, "NXDOMAIN");
        assert_eq!(code(5).rcode, "REFUSED");
        assert_eq!(code(15).rcode, "RCODE15");
        assert!(code(TRUNCATED).truncated);
        let mut cut = reply(TRUNCATED, &asked, &[(ASKED, 1, &[1, 2, 3, 4]), (ASKED, 1, &[1, 2, 3, 4])]);
        cut.truncate(cut.len() - 3);
        assert_eq!(answer(&cut, 7, "a", Record::A).unwrap().records, ["1.2.3.4"]);
    }

    #[test]
    fn what_was_not_asked_is_not_taken() {
        let asked = question(7, "a", Record::A);
        let message = reply(0, &asked, &[]);
        let table = [(8, "a", Record::A), (7, "b", Record::A), (7, "a", Record::Mx)];
        for (id, name, record) in table {
            assert_eq!(answer(&message, id, name, record), Err(Wrong::NotOurs));
        }
        assert_eq!(answer(&asked, 7, "a", Record::A), Err(Wrong::NotOurs)); // our own question, echoed
        assert_eq!(answer(&message[..11], 7, "a", Record::A), Err(Wrong::NotOurs));
    }

    #[test]
    fn names_that_go_in_circles_are_refused() {
        let asked = question(7, "a", Record::A);
        let own_place = asked.len() as u8;
        for pointer in [[0xc0, own_place], [0xc0, own_place + 2], [0xff, 0xff], [0x80, 1]] {
            let message = reply(0, &asked, &[(&pointer, 1, &[1, 2, 3, 4])]);
            assert_eq!(
                answer(&message, 7, "a", Record::A),
                Err(Wrong::Malformed("a malformed record")),
                "{pointer:?}"
            );
        }
        let bad_length = reply(0, &asked, &[(ASKED, 1, &[1, 2, 3])]);
        assert_eq!(answer(&bad_length, 7, "a", Record::A), Err(Wrong::Malformed("a malformed record")));
    }

    #[test]
    fn the_first_server_of_resolv_conf_counts() {
        let table = [
            ("# x\nsearch a\nnameserver 10.0.0.2\nnameserver 10.0.0.3\n", Some("10.0.0.2")),
            ("nameserver\t::1 ", Some("::1")),
            ("nameserver nonsense\nnameserver 1.2.3.4", Some("1.2.3.4")),
            ("options edns0", None),
        ];
        for (text, want) in table {
            assert_eq!(first_nameserver(text), want.map(|ip| ip.parse().unwrap()));
        }
    }

    proptest! {
        #[test]
        fn any_bytes_give_an_answer(bytes in prop::collection::vec(any::<u8>(), 0..300), which in 0usize..7) {
            let _ = answer(&bytes, 7, "a", ALL[which]);
        }

        /// What gets past the question, where random bytes seldom do.
        #[test]
        fn any_records_give_an_answer(tail in prop::collection::vec(prop_oneof![Just(0xc0u8), Just(0), Just(12), Just(1), any::<u8>()], 0..200), count: u8, which in 0usize..7) {
            let asked = question(7, "a", ALL[which]);
            let mut message = reply(0, &asked, &[]);
            message[7] = count;
            message.extend(tail);
            if let Ok(got) = answer(&message, 7, "a", ALL[which]) {
                prop_assert!(got.records.len() <= usize::from(count));
            }
        }
    }
}
