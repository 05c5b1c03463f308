//! Reading files that people wrote: bounded, UTF-8, and with the reason when it cannot be done.

use super::decode::MAX_FILE;
use super::diag::{Problem, Source};
use std::fs::{File, OpenOptions};
use std::io::Read;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Arc;

/// Reads a whole file of at most [`MAX_FILE`] bytes.
///
/// # Errors
/// A problem that names the file, and the place when its bytes are at fault.
pub fn read(path: &Path) -> Result<Arc<Source>, Problem> {
    let name = path.display().to_string();
    let refuse = |why: String| {
        let source = Arc::new(Source { name: name.clone(), text: String::new() });
        Problem::error(&source, 0..0, format!("cannot read {name}: {why}"))
    };
    let file = open(path).map_err(|e| refuse(e.to_string()))?;
    let meta = file.metadata().map_err(|e| refuse(e.to_string()))?;
    if !meta.is_file() {
        return Err(refuse("it is not a regular file".to_owned()));
    }
    let mut bytes = Vec::new();
    let read = file.take(MAX_FILE as u64 + 1).read_to_end(&mut bytes);
    read.map_err(|e| refuse(e.to_string()))?;
    if bytes.len() > MAX_FILE {
        return Err(refuse(format!("it is larger than {} MiB", MAX_FILE >> 20)));
    }
    decode(&name, bytes)
}

/// Takes bytes for text, or says where they are none.
///
/// # Errors
/// A problem at the first byte that is not UTF-8.
pub fn decode(name: &str, bytes: Vec<u8>) -> Result<Arc<Source>, Problem> {
    match String::from_utf8(bytes) {
        Ok(text) => Ok(Arc::new(Source { name: name.to_owned(), text })),
        Err(e) => {
            let at = e.utf8_error().valid_up_to();
            let byte = e.as_bytes().get(at).copied().unwrap_or_default();
            // What comes before is unchanged by this, so the place stays right.
            let text = String::from_utf8_lossy(e.as_bytes()).into_owned();
            let source = Arc::new(Source { name: name.to_owned(), text });
            let message = format!("this is not UTF-8 text: byte 0x{byte:02x} at offset {at}");
            Err(Problem::error(&source, at..at + char::REPLACEMENT_CHARACTER.len_utf8(), message))
        }
    }
}

/// Opens without waiting, so that a pipe with no writer cannot hold the program up.
fn open(path: &Path) -> std::io::Result<File> {
    let flags = rustix::fs::OFlags::NONBLOCK | rustix::fs::OFlags::NOCTTY;
    OpenOptions::new().read(true).custom_flags(flags.bits().cast_signed()).open(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_read_is_refused_with_its_reason() {
        let dir = tempfile::tempdir().unwrap();
        let long = dir.path().join("long");
        std::fs::write(&long, vec![b'#'; MAX_FILE + 1]).unwrap();
        let just = dir.path().join("just");
        std::fs::write(&just, vec![b'#'; MAX_FILE]).unwrap();
        let pipe = dir.path().join("pipe");
        let made = std::process::Command::new("mkfifo").arg(&pipe).status().unwrap();
        assert!(made.success());
        assert_eq!(read(&just).unwrap().text.len(), MAX_FILE);
        for (path, why) in [
            (dir.path().to_owned(), "not a regular file"),
            (dir.path().join("absent"), "No such file"),
            (long, "larger than 4 MiB"),
            (pipe, "not a regular file"),
        ] {
            let problem = read(&path).unwrap_err();
            assert!(problem.message.contains(why), "{}", problem.message);
            assert!(problem.render(false).contains(why));
        }
    }

    #[test]
    fn bytes_that_are_no_text_are_refused_with_their_place() {
        let problem = decode("x.toml", b"a = 1\nb = \"\xe9t\xe9\"\n".to_vec()).unwrap_err();
        assert_eq!(problem.source.position(problem.span.start), (2, 6));
        assert_eq!(problem.message, "this is not UTF-8 text: byte 0xe9 at offset 11");
    }
}
