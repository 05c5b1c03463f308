//! `kind = "udp"`: send a datagram, wait for the answer.

use super::common::Endpoint;
use crate::domain::fact::{FactDecl, FactType};
use crate::domain::units::Unit;
use crate::stack::decode::Table;

/// The largest datagram sent: what fits a common path unfragmented.
pub const MAX_SEND: usize = 1400;

#[derive(Clone, Debug)]
pub struct Spec {
    pub address: Endpoint,
    pub payload: Vec<u8>,
}

pub const FACTS: &[FactDecl] = &[
    FactDecl {
        name: "ANSWERED",
        ty: FactType::Bool,
        doc: "something came back; false only for an address on this machine, since from elsewhere silence \
              may be the network's",
    },
    FactDecl { name: "REPLY", ty: FactType::Text, doc: "the answer, as far as it is text" },
    FactDecl { name: "LATENCY", ty: FactType::Number(Unit::Seconds), doc: "from sending to the answer" },
];

impl Spec {
    pub fn decode(t: &Table<'_>) -> Option<Spec> {
        let address = Endpoint::decode(t, "address", None).filter(|address| {
            let good = matches!(address, Endpoint::Tcp { .. });
            if !good {
                let help = Some("write \"127.0.0.1:51820\"".to_owned());
                t.reader.error(t.span_of("address"), "`address` expects a host and a port", help);
            }
            good
        });
        let send = t.str("send").map(|found| found.value.into_bytes());
        let send_hex = t.str("send_hex").and_then(|found| {
            let bytes = from_hex(&found.value);
            if bytes.is_none() {
                let help = Some("two digits for each byte, such as \"00 ff\"".to_owned());
                t.reader.error(found.span, "`send_hex` expects hexadecimal digits", help);
            }
            bytes
        });
        let payload = match (send, send_hex) {
            (Some(_), Some(_)) => {
                t.reader.error(t.span_of("send_hex"), "`send` and `send_hex` exclude each other", None);
                return None;
            }
            (Some(payload), None) | (None, Some(payload)) => payload,
            (None, None) => {
                if !t.has("send") && !t.has("send_hex") {
                    let problem = "this probe has no `send` or `send_hex`; nothing answers an empty datagram";
                    t.reader.error(t.span.clone(), problem, None);
                }
                return None;
            }
        };
        if payload.is_empty() || payload.len() > MAX_SEND {
            let problem = format!("what is sent must be 1 to {MAX_SEND} bytes long, got {}", payload.len());
            t.reader.error(t.span.clone(), problem, None);
            return None;
        }
        Some(Spec { address: address?, payload })
    }

    pub fn target(&self) -> String {
        format!("udp {}", self.address)
    }

    pub fn endpoint(&self) -> Option<Endpoint> {
        Some(self.address.clone())
    }

    pub fn default_conditions(&self) -> Vec<String> {
        vec!["[ANSWERED] == true".into()]
    }
}

/// Pairs of hexadecimal digits, with spaces or colons between them if one likes.
fn from_hex(text: &str) -> Option<Vec<u8>> {
    let digits: Vec<u8> = text
        .chars()
        .filter(|c| !c.is_ascii_whitespace() && *c != ':')
        .map(|c| c.to_digit(16).map(|d| d as u8))
        .collect::<Option<_>>()?;
    let (pairs, rest) = digits.as_chunks::<2>();
    rest.is_empty().then(|| pairs.iter().map(|[high, low]| high << 4 | low).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hexadecimal_is_read_in_pairs() {
        let table =
            [("00ff", Some(vec![0, 255])), ("0a 0B:0c", Some(vec![10, 11, 12])), ("abc", None), ("zz", None)];
        for (text, want) in table {
            assert_eq!(from_hex(text), want, "{text}");
        }
    }
}
