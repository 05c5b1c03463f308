//! What proves who asks, and keeping it out of everything that is shown.

use super::Fault;
use super::access::Access;
use crate::stack::kind::http::Auth;
use hyper::header::{self, HeaderName, HeaderValue};
use secrecy::{ExposeSecret, SecretString};
use std::borrow::Cow;

/// Secrets shorter than this are not looked for in answers: they would match by chance.
const MIN_REDACTED: usize = 4;
/// What stands where a secret was.
pub const REDACTED: &str = "[redacted]";

/// One header that proves who asks, and the secrets in it.
#[derive(Debug)]
pub struct Credential {
    pub header: HeaderName,
    /// Marked sensitive, so that its `Debug` does not show it.
    pub value: HeaderValue,
    secrets: Vec<SecretString>,
}

impl Credential {
    /// `Authorization: Bearer TOKEN`.
    ///
    /// # Errors
    /// When the token cannot stand in a header; the token is not in the text.
    pub fn bearer(token: &SecretString) -> Result<Credential, String> {
        Self::new(header::AUTHORIZATION, &format!("Bearer {}", token.expose_secret()), [token.clone()])
    }

    /// `Authorization: Basic …` (RFC 7617).
    ///
    /// # Errors
    /// As [`Credential::bearer`].
    pub fn basic(user: &str, password: &SecretString) -> Result<Credential, String> {
        let pair = base64(format!("{user}:{}", password.expose_secret()).as_bytes());
        let encoded = SecretString::from(pair.clone());
        Self::new(header::AUTHORIZATION, &format!("Basic {pair}"), [password.clone(), encoded])
    }

    /// `Cookie: NAME=TOKEN`.
    ///
    /// # Errors
    /// As [`Credential::bearer`].
    pub fn cookie(name: &str, token: &SecretString) -> Result<Credential, String> {
        Self::new(header::COOKIE, &format!("{name}={}", token.expose_secret()), [token.clone()])
    }

    fn new(
        header: HeaderName,
        value: &str,
        secrets: impl IntoIterator<Item = SecretString>,
    ) -> Result<Credential, String> {
        let mut value =
            HeaderValue::from_str(value).map_err(|_| "the secret cannot stand in a header".to_owned())?;
        value.set_sensitive(true);
        Ok(Credential { header, value, secrets: secrets.into_iter().collect() })
    }

    /// The secrets in it.
    pub fn secrets(&self) -> &[SecretString] {
        &self.secrets
    }

    /// Takes the secrets out of a text: a server may echo what it was sent.
    pub fn redact<'t>(&self, text: &'t str) -> Cow<'t, str> {
        redact(&self.secrets, text)
    }
}

/// Takes secrets out of a text, as they are and as JSON writes them.
pub fn redact<'t>(secrets: &[SecretString], text: &'t str) -> Cow<'t, str> {
    let mut out = Cow::Borrowed(text);
    for secret in secrets {
        let secret = secret.expose_secret();
        if secret.len() < MIN_REDACTED {
            continue;
        }
        let in_json = serde_json::Value::from(secret).to_string();
        for form in [secret, in_json.trim_matches('"')] {
            if out.contains(form) {
                out = Cow::Owned(out.replace(form, REDACTED));
            }
        }
    }
    out
}

/// What a request without a login proves itself with.
///
/// # Errors
/// `Unknown`: we lack the secret, or cannot send it.
pub async fn fixed(auth: &Auth, access: &Access) -> Result<Option<Credential>, Fault> {
    let made = match auth {
        Auth::None | Auth::Login(_) => return Ok(None),
        Auth::Bearer(id) => Credential::bearer(&access.secret(id).await?),
        Auth::Basic { user, password } => Credential::basic(user, &access.secret(password).await?),
    };
    made.map(Some).map_err(Fault::Unknown)
}

/// Standard base64 with padding (RFC 4648, section 4).
fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let group = chunk.iter().fold(0u32, |n, b| n << 8 | u32::from(*b)) << (8 * (3 - chunk.len()));
        for i in 0..4 {
            let letter = ALPHABET.get((group >> (18 - 6 * i) & 63) as usize).copied().unwrap_or(b'=');
            out.push(if i <= chunk.len() { letter as char } else { '=' });
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_that_of_the_rfc() {
        let table = [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("fooba", "Zm9vYmE="),
            ("foobar", "Zm9vYmFy"),
            ("\u{ff}\u{3f}>?~", "w78/Pj9+"),
        ];
        for (text, want) in table {
            assert_eq!(base64(text.as_bytes()), want, "{text}");
        }
    }

    #[test]
    fn secrets_are_neither_debugged_nor_echoed() {
        let password = SecretString::from("hun\"ter2");
        let credential = Credential::basic("admin", &password).unwrap();
        assert_eq!(credential.value, "Basic YWRtaW46aHVuInRlcjI=");
        let echo = r#"{"raw":"hun"ter2","json":"hun\"ter2","basic":"YWRtaW46aHVuInRlcjI="}"#;
        let shown = credential.redact(echo);
        assert_eq!(shown, r#"{"raw":"[redacted]","json":"[redacted]","basic":"[redacted]"}"#);
        let debug = format!("{credential:?}");
        assert!(!debug.contains("hun") && !debug.contains("YWRt"), "{debug}");
    }

    #[test]
    fn a_secret_that_cannot_be_sent_is_not_quoted() {
        let why = Credential::bearer(&SecretString::from("abc\ndef")).unwrap_err();
        assert_eq!(why, "the secret cannot stand in a header");
    }
}
