//! `kind = "dns"`: one question to one server.

use super::common::Endpoint;
use crate::domain::fact::{FactDecl, FactType};
use crate::domain::text;
use crate::domain::units::Unit;
use crate::stack::decode::Table;

/// What can be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Record {
    A,
    Aaaa,
    Cname,
    Mx,
    Txt,
    Ns,
    Srv,
}

impl Record {
    /// Name and number (RFC 1035, RFC 3596, RFC 2782).
    const ALL: [(Record, &'static str, u16); 7] = [
        (Record::A, "A", 1),
        (Record::Ns, "NS", 2),
        (Record::Cname, "CNAME", 5),
        (Record::Mx, "MX", 15),
        (Record::Txt, "TXT", 16),
        (Record::Aaaa, "AAAA", 28),
        (Record::Srv, "SRV", 33),
    ];

    pub fn number(self) -> u16 {
        Self::ALL.iter().find(|(record, ..)| *record == self).map_or(1, |(.., number)| *number)
    }

    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(record, ..)| *record == self).map_or("A", |(_, name, _)| name)
    }
}

#[derive(Clone, Debug)]
pub struct Spec {
    /// Without a closing dot; absolute all the same.
    pub name: String,
    pub record: Record,
    /// The host's own resolver otherwise, from its `/etc/resolv.conf`.
    pub server: Option<Endpoint>,
}

pub const FACTS: &[FactDecl] = &[
    FactDecl {
        name: "ANSWERS",
        ty: FactType::Json,
        doc: "the records of the kind asked for, as texts: \"10.0.0.1\", \"10 mail.example\", \"0 5 5060 sip.example\"",
    },
    FactDecl { name: "COUNT", ty: FactType::Number(Unit::None), doc: "how many of them" },
    FactDecl { name: "RCODE", ty: FactType::Text, doc: "NOERROR, NXDOMAIN, SERVFAIL, REFUSED, …" },
    FactDecl { name: "LATENCY", ty: FactType::Number(Unit::Seconds), doc: "from the question to the answer" },
];

impl Spec {
    pub fn decode(t: &Table<'_>) -> Option<Spec> {
        let name = t.need_str("name").and_then(|found| {
            let name = found.value.strip_suffix('.').unwrap_or(&found.value).to_owned();
            if let Err(why) = check_name(&name) {
                let shown = text::one_line(&name, 60);
                t.reader.error(
                    found.span,
                    format!("`name` expects a domain name, got \"{shown}\": {why}"),
                    None,
                );
                return None;
            }
            Some(name)
        });
        let words = Record::ALL.map(|(_, word, _)| word);
        let record = if t.has("record") {
            let word = t.choice("record", &words);
            word.and_then(|w| Record::ALL.iter().find(|(_, name, _)| *name == w)).map(|(record, ..)| *record)
        } else {
            Some(Record::A)
        };
        let server = t.has("server").then(|| Endpoint::decode(t, "server", Some(53)));
        if matches!(server, Some(Some(Endpoint::Unix(_)))) {
            t.reader.error(t.span_of("server"), "`server` expects a host, and a port unless it is 53", None);
            return None;
        }
        let server = match server {
            None => None,
            Some(server) => Some(server?),
        };
        Some(Spec { name: name?, record: record?, server })
    }

    pub fn target(&self) -> String {
        let server = self.server.as_ref().map(|s| format!(" @{s}")).unwrap_or_default();
        format!("{} {}{server}", self.record.name(), self.name)
    }

    pub fn endpoint(&self) -> Option<Endpoint> {
        self.server.clone()
    }

    pub fn default_conditions(&self) -> Vec<String> {
        // The code first: it says why there are none.
        vec!["[RCODE] == NOERROR".into(), "[COUNT] > 0".into()]
    }
}

/// Labels of 1 to 63 bytes, 253 in all (RFC 1035, 2.3.4), plain ASCII.
fn check_name(name: &str) -> Result<(), &'static str> {
    if name.is_empty() || name.len() > 253 {
        return Err("a name has 1 to 253 characters");
    }
    if !name.split('.').all(|label| (1..=63).contains(&label.len())) {
        return Err("each part between dots has 1 to 63 characters");
    }
    if !name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.')) {
        return Err("write it in ASCII; names in other letters begin with xn--");
    }
    Ok(())
}
