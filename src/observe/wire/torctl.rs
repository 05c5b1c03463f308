//! Replies of tor's control protocol: lines with a code, some followed by a block of text.

/// Lines of one reply, at most.
pub const MAX_LINES: usize = 10_000;

/// A whole reply.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reply {
    pub code: u16,
    pub lines: Vec<Line>,
}

/// One line of a reply, without its code.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Line {
    pub text: String,
    /// The block that follows it.
    pub data: Option<String>,
}

/// Follows replies as they come; every byte is looked at once, so that a peer that sends one at
/// a time costs no more than another.
#[derive(Debug, Default)]
pub struct Parser {
    /// Where the current line begins.
    line_start: usize,
    /// Up to where there is no line end.
    scanned: usize,
    in_data: bool,
    reply: Reply,
}

impl Parser {
    /// Looks at what is new in `bytes`, which must begin with what was given before. Gives the
    /// next reply once it is whole. Events, which nobody asked for, are passed over.
    ///
    /// # Errors
    /// It is no reply; completes "expected a reply of tor, got …".
    pub fn next(&mut self, bytes: &[u8]) -> Result<Option<Reply>, String> {
        loop {
            let fresh = bytes.get(self.scanned..).unwrap_or(&[]);
            let Some(end) = fresh.iter().position(|b| *b == b'\n') else {
                self.scanned = bytes.len();
                return Ok(None);
            };
            let end = self.scanned + end;
            let line = bytes.get(self.line_start..end).unwrap_or(&[]);
            (self.line_start, self.scanned) = (end + 1, end + 1);
            let whole = self.line(line.strip_suffix(b"\r").unwrap_or(line))?;
            if whole {
                let reply = std::mem::take(&mut self.reply);
                if !(600..700).contains(&reply.code) {
                    return Ok(Some(reply));
                }
            }
        }
    }

    /// Takes one line in; true when it ends a reply.
    fn line(&mut self, line: &[u8]) -> Result<bool, String> {
        if self.in_data {
            self.data_line(line);
            return Ok(false);
        }
        let alien = || format!("\"{}\"", crate::domain::text::one_line_bytes(line, 60));
        let (head, text) = line.split_first_chunk::<4>().ok_or_else(alien)?;
        let [digits @ .., sign] = head;
        if !digits.iter().all(u8::is_ascii_digit) || !matches!(sign, b' ' | b'-' | b'+') {
            return Err(alien());
        }
        if self.reply.lines.len() >= MAX_LINES {
            return Err(format!("one of more than {MAX_LINES} lines"));
        }
        self.reply.code = digits.iter().fold(0, |code, d| code * 10 + u16::from(d - b'0'));
        self.in_data = *sign == b'+';
        let data = self.in_data.then(String::new);
        self.reply.lines.push(Line { text: String::from_utf8_lossy(text).into_owned(), data });
        Ok(*sign == b' ')
    }

    fn data_line(&mut self, line: &[u8]) {
        if line == b"." {
            self.in_data = false;
            return;
        }
        let Some(data) = self.reply.lines.last_mut().and_then(|l| l.data.as_mut()) else { return };
        if !data.is_empty() {
            data.push('\n');
        }
        // A line that begins with a dot was given another one, so as not to end the block.
        data.push_str(&String::from_utf8_lossy(line.strip_prefix(b".").unwrap_or(line)));
    }
}

impl Reply {
    pub fn is_ok(&self) -> bool {
        self.code == 250
    }

    /// The code and the last line's text, as tor wrote them.
    pub fn show(&self) -> String {
        let text = self.lines.last().map_or("", |l| l.text.as_str());
        format!("{} {text}", self.code)
    }

    /// The `key=value` lines, with the blocks as values of theirs.
    pub fn values(&self) -> impl Iterator<Item = (&str, &str)> {
        self.lines.iter().filter_map(|line| {
            let (key, value) = line.text.split_once('=')?;
            Some((key, line.data.as_deref().unwrap_or(value)))
        })
    }
}

/// What a `PROTOCOLINFO` reply says of how to log in: the methods, and where the cookie is.
pub fn login_methods(reply: &Reply) -> (Vec<&str>, Option<&str>) {
    let auth = reply.lines.iter().find_map(|l| l.text.strip_prefix("AUTH METHODS="));
    let Some(auth) = auth else { return (Vec::new(), None) };
    let (methods, rest) = auth.split_once(' ').unwrap_or((auth, ""));
    let file = rest.strip_prefix("COOKIEFILE=\"").and_then(|f| f.rsplit_once('"')).map(|(file, _)| file);
    (methods.split(',').collect(), file)
}

/// The `PROGRESS=` of a bootstrap phase, in per cent.
pub fn progress(phase: &str) -> Option<u8> {
    field(phase, "PROGRESS").and_then(|n| n.parse().ok()).filter(|n| *n <= 100)
}

/// A plain `NAME=value` among words.
pub fn field<'a>(words: &'a str, name: &str) -> Option<&'a str> {
    words.split(' ').find_map(|word| word.strip_prefix(name)?.strip_prefix('='))
}

/// A text as a quoted string of the protocol; `None` when it holds a line end, which would end
/// the command.
pub fn quoted(text: &str) -> Option<String> {
    let fits = !text.contains(['\r', '\n', '\0']);
    fits.then(|| format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"")))
}

/// Bytes as hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    let digit = |n: u8| char::from_digit(u32::from(n), 16).unwrap_or('0');
    bytes.iter().flat_map(|b| [digit(b >> 4), digit(b & 0xf)]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn all(bytes: &[u8], step: usize) -> Result<Vec<Reply>, String> {
        let (mut parser, mut replies) = (Parser::default(), Vec::new());
        for end in (0..bytes.len()).step_by(step).chain([bytes.len()]) {
            while let Some(reply) = parser.next(&bytes[..end])? {
                replies.push(reply);
            }
        }
        Ok(replies)
    }

    const GETINFO: &str = "250-version=0.4.7.16\r\n\
        250+config-text=\r\nSocksPort 9050\r\n..hidden\r\n\r\nend\r\n.\r\n\
        250-status/bootstrap-phase=NOTICE BOOTSTRAP PROGRESS=85 TAG=ap_conn SUMMARY=\"Connecting\"\r\n250 OK\r\n";

    #[test]
    fn a_reply_is_its_lines_and_blocks_however_it_is_cut() {
        for step in [1, 2, 7, 1000] {
            let text = format!("650 CIRC 1 BUILT\r\n{GETINFO}515 Bad\r\n");
            let replies = all(text.as_bytes(), step).unwrap();
            assert_eq!(replies.len(), 2);
            let values: Vec<_> = replies[0].values().collect();
            assert_eq!(
                values[..2],
                [("version", "0.4.7.16"), ("config-text", "SocksPort 9050\n.hidden\n\nend")]
            );
            assert_eq!(values.get(2).and_then(|(_, phase)| progress(phase)), Some(85));
            assert_eq!((replies[0].is_ok(), replies[1].show().as_str()), (true, "515 Bad"));
        }
    }

    #[test]
    fn what_is_no_reply_is_quoted() {
        for (bytes, want) in [
            ("HTTP/1.1 400 Bad\r\n", "\"HTTP/1.1 400 Bad\""),
            ("25\n", "\"25\""),
            ("\n", "\"\""),
            ("250=x\r\n", "\"250=x\""),
        ] {
            assert_eq!(all(bytes.as_bytes(), 99).unwrap_err(), want);
        }
        assert!(
            all("250-a\r\n".repeat(10_001).as_bytes(), 99_999).unwrap_err().contains("more than 10000 lines")
        );
    }

    #[test]
    fn the_ways_to_log_in_are_read() {
        let text = "250-PROTOCOLINFO 1\r\n250-AUTH METHODS=COOKIE,SAFECOOKIE COOKIEFILE=\"/run/tor/a b\"\r\n250 OK\r\n";
        let reply = all(text.as_bytes(), 99).unwrap().remove(0);
        assert_eq!(login_methods(&reply), (vec!["COOKIE", "SAFECOOKIE"], Some("/run/tor/a b")));
        let open = all(b"250-AUTH METHODS=NULL\r\n250 OK\r\n", 99).unwrap().remove(0);
        assert_eq!(login_methods(&open), (vec!["NULL"], None));
        assert_eq!(login_methods(&Reply::default()), (vec![], None));
    }

    #[test]
    fn a_password_cannot_become_a_command() {
        assert_eq!(quoted("a\"b\\c").as_deref(), Some(r#""a\"b\\c""#));
        assert_eq!(quoted("a\r\nSIGNAL HALT"), None);
        assert_eq!(hex(&[0, 0x9f, 0xff]), "009fff");
    }

    proptest! {
        #[test]
        fn any_bytes_give_an_answer(bytes in prop::collection::vec(any::<u8>(), 0..300), step in 1usize..20) {
            let _ = all(&bytes, step);
        }

        /// Lines that are almost right, in pieces, give what they give whole.
        #[test]
        fn pieces_make_no_difference(text in "([256][15][0-9][-+ ][a-z=]{0,5}\r?\n|\\.{0,2}[a-z]{0,3}\r\n){0,12}", step in 1usize..9) {
            prop_assert_eq!(all(text.as_bytes(), step).ok(), all(text.as_bytes(), 10_000).ok());
        }

        #[test]
        fn any_text_has_a_progress_or_none(text in "\\PC{0,80}|(PROGRESS|TAG)=[0-9]{0,5}") {
            let _ = progress(&text);
        }
    }
}
