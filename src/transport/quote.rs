//! The one place where an argv becomes a line for a shell: ssh hands the remote side a text, and
//! the remote shell splits it.

pub use crate::domain::shell::{line, quote};

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// What a POSIX shell makes of a line: its words, each ended by a NUL.
    fn words(line: &str) -> Vec<String> {
        let script = format!("printf '%s\\0' {line}");
        let out = std::process::Command::new("sh").args(["-c", &script]).output().unwrap();
        let text = String::from_utf8(out.stdout).unwrap();
        text.strip_suffix('\0').unwrap().split('\0').map(str::to_owned).collect()
    }

    #[test]
    fn what_needs_no_quotes_has_none() {
        assert_eq!(line(["ls", "-l", "/a.b/c"]), "ls -l /a.b/c");
        assert_eq!(
            line(["", "a b", "it's", "$(x)", "=ls", "~root", "a\nb"]),
            "'' 'a b' 'it'\\''s' '$(x)' '=ls' '~root' 'a\nb'"
        );
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(60))]
        #[test]
        fn a_shell_gives_back_every_word(argv in prop::collection::vec("([^\\x00]|['\"$`\\\\!*?~#&;|<>(){} \n\t]){0,12}", 1..12)) {
            prop_assert_eq!(&words(&line(argv.iter().map(String::as_str))), &argv);
            // And once more, as the remote side does: a login shell, then `sh -c`.
            let nested = line(["sh", "-c", &format!("printf '%s\\0' {}", line(argv.iter().map(String::as_str)))]);
            let out = std::process::Command::new("sh").args(["-c", &nested]).output().unwrap();
            let text = String::from_utf8(out.stdout).unwrap();
            let got: Vec<String> = text.strip_suffix('\0').unwrap().split('\0').map(str::to_owned).collect();
            prop_assert_eq!(got, argv);
        }
    }
}
