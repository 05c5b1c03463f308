//! A program that runs over there while its output is read: the small script that starts it, in a
//! session of its own, and the words by which the script tells what becomes of it.
//!
//! Environment and input come over the script's standard input and never stand in an argv. When
//! our side goes away, the whole process group gets TERM and, after a grace, KILL.

use super::{Route, Ssh};
use crate::domain::text;
use crate::transport::running::{self, Running, Said, Start};
use crate::transport::{RunError, quote};
use secrecy::{ExposeSecret, SecretString};
use std::fmt::Write as _;
use std::hash::{BuildHasher, Hasher};
use std::process::Stdio;
use std::sync::Arc;

/// The largest input of a program over ssh, in bytes: a shell over there holds it.
pub const MAX_STDIN: usize = 4 << 20;
/// Kept of what ssh itself complains of.
const MAX_COMPLAINT: usize = 4 << 10;
/// The longest of the script's own lines.
const MAX_WORDS: usize = 128;
/// Seconds between TERM and KILL when our side goes away.
const GRACE: u32 = 5;

/// Reads environment and input, starts the program, waits for it, and says how it ended. `@…@` are
/// filled in. The shell's own TERM is caught, so that it lives to tell; the program's is not.
const SCRIPT: &str = r#"qd_take() {
  dd bs=4096 count=$(($1 / 4096)) iflag=fullblock <&3 2>/dev/null
  dd bs=1 count=$(($1 % 4096)) <&3 2>/dev/null
}
IFS= read -r qd_word <&3; IFS= read -r qd_e <&3; IFS= read -r qd_i <&3
qd_env=$(qd_take "${qd_e:-0}"; echo x); qd_in=$(qd_take "${qd_i:-0}"; echo x)
IFS= read -r qd_end <&3
[ -n "$qd_word" ] && [ "$qd_end" = "$qd_word" ] || exit 254
PATH=@PATH@$PATH:/usr/sbin:/sbin; LC_ALL=C.UTF-8; export PATH LC_ALL
eval "${qd_env%x}"; unset qd_env
command -v @PROGRAM@ >/dev/null 2>&1 || { printf '\n%s absent\n' "$qd_word" >&2; exit 127; }
printf '\n%s group %s\n' "$qd_word" "$$" >&2
trap qd_t=1 TERM
@RUN@ & qd_p=$!
unset qd_in
(trap '' TERM; read -r qd_x <&3; @KILL@ -s TERM -- -$$; sleep @GRACE@; @KILL@ -s KILL -- -$$) >/dev/null 2>&1 </dev/null & qd_w=$!
exec 3<&-
qd_s=; qd_t=1
while [ -n "$qd_t" ]; do
  qd_t=; wait $qd_p; qd_r=$?
  [ -n "$qd_s" ] && [ $qd_r = 127 ] || qd_s=$qd_r
done
kill -s KILL $qd_w
printf '\n%s end %s\n' "$qd_word" "$qd_s" >&2
exit 0"#;

impl Route {
    fn start_line(&self, what: &Start) -> String {
        let argv = quote::line(what.argv.iter().map(String::as_str));
        let merged = if what.merged { " 2>&1" } else { "" };
        let run = if what.stdin.is_some() {
            format!("printf %s \"${{qd_in%x}}\" 3<&- | {argv} 3<&-{merged}")
        } else {
            format!("{argv} </dev/null 3<&-{merged}")
        };
        let dirs: String = self.path.iter().map(|dir| quote::quote(dir) + ":").collect();
        let program = what.argv.first().map_or_else(String::new, |p| quote::quote(p));
        let kill = if what.sudo { "sudo -n kill" } else { "kill" };
        // The argv last: what it holds must not be filled in.
        let script = SCRIPT
            .replace("@GRACE@", &GRACE.to_string())
            .replace("@KILL@", kill)
            .replacen("@PATH@", &dirs, 1)
            .replacen("@PROGRAM@", &program, 1);
        let (before, after) = script.split_once("@RUN@").unwrap_or((&script, ""));
        let script = format!("{before}{run}{after}");
        // In the background it leads no group yet, so that `setsid` need not fork; and a
        // background job's own input is not ours.
        let inner = quote::line(["sh", "-c", &script]);
        quote::line(["sh", "-c", &format!("exec 3<&0; setsid {inner} & exec 3<&-; wait $!")])
    }
}

/// Lines that make the environment, each variable quoted.
fn exports(env: &[(String, SecretString)]) -> Result<SecretString, RunError> {
    let mut out = String::new();
    for (name, value) in env {
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
        if name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) || !name.chars().all(plain) {
            let shown = text::one_line(name, 40);
            return Err(refused(format!("\"{shown}\" is no name for a variable")));
        }
        let _ = writeln!(out, "export {name}={}", quote::quote(value.expose_secret()));
    }
    Ok(SecretString::from(out))
}

fn refused(why: String) -> RunError {
    RunError::Io(std::io::Error::other(why))
}

impl Ssh {
    /// Starts a program over there; see [`crate::transport::Transport::start`].
    pub(in crate::transport) async fn start(&self, what: Start) -> Result<Running, RunError> {
        if what.argv.first().is_none_or(String::is_empty) {
            return Err(RunError::NotFound("an empty command".to_owned()));
        }
        let env = exports(&what.env)?;
        let input = what.stdin.clone().unwrap_or_default();
        if input.expose_secret().len() > MAX_STDIN {
            return Err(refused(format!("its input is longer than {} MiB", MAX_STDIN >> 20)));
        }
        if env.expose_secret().contains('\0') || input.expose_secret().contains('\0') {
            return Err(refused("its environment and input cannot hold NUL over ssh".to_owned()));
        }
        let gone = |_| RunError::Unreachable("the program is shutting down".to_owned());
        let place = Arc::clone(&self.sessions).acquire_owned().await.map_err(gone)?;
        self.ready().await.map_err(RunError::Unreachable)?;
        let mut ssh = self.route.client(&["-o", "LogLevel=ERROR", "-o", "ClearAllForwardings=yes"]);
        ssh.args(["--", &self.route.destination, &self.route.start_line(&what)]);
        let (mut running, stdin) = running::start(&mut ssh, "ssh", Stdio::piped(), false)?;
        let word = word();
        let lengths = [&env, &input].map(|s| s.expose_secret().len());
        let head = format!("{word}\n{}\n{}\n", lengths[0], lengths[1]);
        let parts = vec![head.into(), env, input, format!("{word}\n").into()];
        running.feed(stdin, parts, true);
        running.over_ssh(Words::new(&word), place);
        Ok(running)
    }
}

/// A word that nothing else says: the script's lines begin with it.
fn word() -> String {
    let random = || std::hash::RandomState::new().build_hasher().finish();
    format!("qd-{:016x}{:016x}", random(), random())
}

/// Tells the script's own lines apart from what the program says.
#[derive(Debug)]
pub struct Words {
    mark: Vec<u8>,
    /// Not yet told apart.
    held: Vec<u8>,
    /// The program's, to be taken.
    text: Vec<u8>,
    given: Vec<u8>,
    last: Vec<u8>,
    group: Option<u32>,
    begun: bool,
    end: Option<Result<i32, ()>>,
}

impl Words {
    fn new(word: &str) -> Words {
        Words {
            mark: format!("\n{word} ").into_bytes(),
            held: Vec::new(),
            text: Vec::new(),
            given: Vec::new(),
            last: Vec::new(),
            group: None,
            begun: false,
            end: None,
        }
    }

    pub(in crate::transport) fn group(&self) -> Option<u32> {
        self.group
    }

    /// True once, when the group has become known.
    pub(in crate::transport) fn has_begun(&mut self) -> bool {
        std::mem::take(&mut self.begun)
    }

    /// How the program ended, once that was said.
    pub(in crate::transport) fn outcome(&self) -> Option<Said<'static>> {
        self.end.map(|end| end.map_or(Said::Absent, Said::Ended))
    }

    pub(in crate::transport) fn text(&self) -> &[u8] {
        &self.text
    }

    pub(in crate::transport) fn take(&mut self) -> &[u8] {
        self.given = std::mem::take(&mut self.text);
        &self.given
    }

    /// Why the way was lost: the last thing that was said.
    pub(in crate::transport) fn complaint(&mut self) -> String {
        let held = std::mem::take(&mut self.held);
        self.say(&held);
        let all = String::from_utf8_lossy(&self.last);
        let line = all.lines().rfind(|l| !l.trim().is_empty());
        text::one_line(line.unwrap_or("ssh ended and said nothing"), 200)
    }

    fn say(&mut self, new: &[u8]) {
        self.text.extend_from_slice(new);
        self.last.extend_from_slice(new);
        if self.last.len() > MAX_COMPLAINT {
            self.last.drain(..self.last.len() - MAX_COMPLAINT);
        }
    }

    pub(in crate::transport) fn push(&mut self, new: &[u8]) {
        self.held.extend_from_slice(new);
        loop {
            let held = std::mem::take(&mut self.held);
            let Some(at) = memchr::memmem::find(&held, &self.mark) else {
                // What could be the beginning of a mark waits for the rest of it.
                let most = (self.mark.len() - 1).min(held.len());
                let keep = (0..=most).rev().find(|n| held.ends_with(self.mark.get(..*n).unwrap_or(&[])));
                let (say, keep) = held.split_at(held.len() - keep.unwrap_or(0));
                self.say(say);
                self.held = keep.to_vec();
                return;
            };
            let (before, line) = held.split_at(at);
            self.say(before);
            let rest = line.get(self.mark.len()..).unwrap_or(&[]);
            match memchr::memchr(b'\n', rest) {
                Some(end) => {
                    self.heard(&String::from_utf8_lossy(rest.get(..end).unwrap_or(&[])));
                    self.held = rest.get(end + 1..).unwrap_or(&[]).to_vec();
                }
                None if rest.len() > MAX_WORDS => {
                    self.say(line);
                    return;
                }
                None => {
                    self.held = line.to_vec();
                    return;
                }
            }
        }
    }

    fn heard(&mut self, words: &str) {
        match words.split_once(' ') {
            Some(("group", id)) => {
                self.group = id.parse().ok();
                self.begun = self.group.is_some();
            }
            Some(("end", status)) => self.end = status.parse().ok().map(Ok),
            _ if words == "absent" => self.end = Some(Err(())),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// However the pieces are cut, the program's own text comes through and ours is heard.
        #[test]
        fn words_are_told_apart_wherever_they_are_cut(
            before in "[a-z\n]{0,30}", after in "[a-z\nq-]{0,30}", cuts in prop::collection::vec(1usize..20, 0..12)
        ) {
            let all = format!("{before}\nqd-x group 712\n{after}\nqd-x end 3\n");
            let mut words = Words::new("qd-x");
            let mut rest = all.as_bytes();
            for cut in cuts {
                let (now, later) = rest.split_at(cut.min(rest.len()));
                words.push(now);
                rest = later;
            }
            words.push(rest);
            prop_assert_eq!(words.take().to_vec(), format!("{before}{after}").into_bytes());
            prop_assert_eq!(words.group(), Some(712));
            prop_assert_eq!(words.outcome(), Some(Said::Ended(3)));
        }
    }
}
