//! Words as a POSIX shell reads them.

/// Quotes a word so that a shell takes it as it is, whatever it holds. Words that need nothing
/// are left bare, for a readable process list.
pub fn quote(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=@,+".contains(c);
    // A leading `=` or `-` is safe from the shell's own expansion only in quotes (zsh expands `=x`).
    if !word.is_empty() && word.chars().all(plain) && !word.starts_with('=') {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', "'\\''"))
}

/// An argv as one line.
pub fn line<'a>(argv: impl IntoIterator<Item = &'a str>) -> String {
    argv.into_iter().map(quote).collect::<Vec<_>>().join(" ")
}
