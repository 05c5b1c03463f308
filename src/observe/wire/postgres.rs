//! The first exchange of the `PostgreSQL` protocol (version 3.0): what is said to a server, and
//! what its first answer means.

/// The longest first answer read: a demand for a password, or an error.
pub const MAX_FIRST: usize = 64 << 10;
/// No error is longer; what claims to be is text of the protocol's old version.
const MAX_ERROR: usize = 30_000;
/// No other message before a session is longer.
const MAX_OTHER: usize = 2_000;

/// What a server says first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum First {
    /// Come in: no password needed.
    Welcome,
    /// It wants to be convinced; the method's name.
    Asks(&'static str),
    Refuses(Refusal),
}

/// An error message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Refusal {
    /// The SQLSTATE of five characters; empty in the protocol's old version.
    pub code: String,
    pub message: String,
}

/// Says goodbye, so that the server's log has no broken connection.
pub const TERMINATE: [u8; 5] = [b'X', 0, 0, 0, 4];

/// The startup message. Names must not hold a NUL; one that does ends there.
pub fn startup(user: &str, database: &str, application: &str) -> Vec<u8> {
    let mut body = vec![0, 3, 0, 0];
    let pairs = [("user", user), ("database", database), ("application_name", application)];
    for text in pairs.iter().flat_map(|(key, value)| [key, value]) {
        body.extend(text.bytes().take_while(|b| *b != 0));
        body.push(0);
    }
    body.push(0);
    let mut message = (body.len() as u32 + 4).to_be_bytes().to_vec();
    message.append(&mut body);
    message
}

/// Reads the first answer; `None` until it is whole.
///
/// # Errors
/// It is not of this protocol; completes "expected a `PostgreSQL` server, got …".
pub fn first(mut bytes: &[u8]) -> Result<Option<First>, String> {
    loop {
        let Some((tag, rest)) = bytes.split_first() else { return Ok(None) };
        if !matches!(tag, b'R' | b'E' | b'N' | b'v') {
            return Err(format!("\"{}\"", crate::domain::text::one_line_bytes(bytes, 60)));
        }
        let Some((length, rest)) = rest.split_first_chunk::<4>() else { return Ok(None) };
        let length = u32::from_be_bytes(*length) as usize;
        if *tag == b'E' && !(8..=MAX_ERROR).contains(&length) {
            return Ok(old_error(bytes));
        }
        let max = if *tag == b'N' { MAX_ERROR } else { MAX_OTHER };
        if *tag != b'E' && !(4..=max).contains(&length) {
            return Err(format!("a message that claims to be {length} bytes long"));
        }
        let Some((body, after)) = rest.split_at_checked(length - 4) else { return Ok(None) };
        match tag {
            b'E' => return Ok(Some(First::Refuses(fields(body)))),
            b'R' => return authentication(body).map(Some),
            // A notice, or which options the server does not know: the answer is yet to come.
            _ => bytes = after,
        }
    }
}

fn authentication(body: &[u8]) -> Result<First, String> {
    let code = body.first_chunk::<4>().map(|c| u32::from_be_bytes(*c));
    Ok(First::Asks(match code {
        Some(0) => return Ok(First::Welcome),
        Some(2) => "Kerberos",
        Some(3) => "a password",
        Some(5) => "a password (MD5)",
        Some(7 | 8) => "GSSAPI",
        Some(9) => "SSPI",
        Some(10) => "a password (SCRAM)",
        Some(_) => "something unknown",
        None => return Err("a demand for a password that is cut short".to_owned()),
    }))
}

/// An error's fields: a letter, a text and a NUL for each.
fn fields(body: &[u8]) -> Refusal {
    let mut refusal = Refusal::default();
    for field in body.split(|b| *b == 0) {
        let Some((letter, text)) = field.split_first() else { break };
        let text = String::from_utf8_lossy(text);
        match letter {
            b'C' => refusal.code = text.into_owned(),
            b'M' => refusal.message = text.into_owned(),
            _ => {}
        }
    }
    refusal
}

/// `E`, a text and a NUL: what a server says that cannot even start a process for us.
fn old_error(bytes: &[u8]) -> Option<First> {
    let end = bytes.iter().take(MAX_OTHER).position(|b| *b == 0);
    let end = end.or_else(|| (bytes.len() >= MAX_OTHER).then_some(MAX_OTHER))?;
    let text = String::from_utf8_lossy(bytes.get(1..end).unwrap_or(&[]));
    Some(First::Refuses(Refusal { code: String::new(), message: text.trim().to_owned() }))
}

impl Refusal {
    /// Starting up, shutting down or recovering: the one error that means "not accepting".
    pub fn not_accepting(&self) -> bool {
        self.code == "57P03" || self.code.len() != 5
    }

    /// The user or the password was refused.
    pub fn of_credentials(&self) -> bool {
        self.code.starts_with("28")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn message(tag: u8, body: &[u8]) -> Vec<u8> {
        let mut bytes = vec![tag];
        bytes.extend((body.len() as u32 + 4).to_be_bytes());
        bytes.extend(body);
        bytes
    }

    fn refusal(code: &str, text: &str) -> First {
        First::Refuses(Refusal { code: code.to_owned(), message: text.to_owned() })
    }

    type Answer = Result<Option<First>, &'static str>;

    #[test]
    fn the_first_answer_is_told_apart() {
        let error = message(b'E', b"SFATAL\0C57P03\0Mthe database system is starting up\0\0");
        let behind_a_notice = [message(b'N', b"SNOTICE\0\0"), message(b'R', &[0, 0, 0, 0])].concat();
        let table: [(&[u8], Answer); 11] = [
            (b"", Ok(None)),
            (b"R\0\0\0", Ok(None)),
            (&message(b'R', &[0, 0, 0, 0]), Ok(Some(First::Welcome))),
            (&message(b'R', &[0, 0, 0, 10, b'x']), Ok(Some(First::Asks("a password (SCRAM)")))),
            (&message(b'R', &[0, 0, 0, 99]), Ok(Some(First::Asks("something unknown")))),
            (&error, Ok(Some(refusal("57P03", "the database system is starting up")))),
            (&error[..20], Ok(None)),
            (&behind_a_notice, Ok(Some(First::Welcome))),
            (b"Ecould not fork new process\n\0", Ok(Some(refusal("", "could not fork new process")))),
            (b"R\x7f\xff\xff\xff", Err("a message that claims to be 2147483647 bytes long")),
            (b"HTTP/1.1 400", Err("\"HTTP/1.1 400\"")),
        ];
        for (bytes, want) in table {
            assert_eq!(first(bytes), want.map_err(str::to_owned), "{bytes:?}");
        }
    }

    #[test]
    fn the_startup_message_is_length_version_and_pairs() {
        let want = b"\0\0\0\x2e\0\x03\0\0user\0u\0database\0d\0application_name\0a\0\0";
        assert_eq!(startup("u", "d\0evil", "a"), want);
        assert_eq!(want.len(), 0x2e);
    }

    proptest! {
        #[test]
        fn any_bytes_give_an_answer(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = first(&bytes);
        }

        #[test]
        fn any_body_gives_an_answer(tag in prop::sample::select(&b"RENv"[..]), body in prop::collection::vec(any::<u8>(), 0..100), cut in 0usize..110) {
            let bytes = message(tag, &body);
            let _ = first(&bytes[..cut.min(bytes.len())]);
        }
    }
}
