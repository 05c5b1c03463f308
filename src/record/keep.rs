//! Small files that are replaced as a whole: they are there in full, or as they were before.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// The largest file read.
pub const MAX_FILE: u64 = 16 << 20;

/// One such file.
#[derive(Clone, Debug)]
pub struct Kept {
    dir: PathBuf,
    name: String,
}

impl Kept {
    pub fn new(dir: &Path, name: impl Into<String>) -> Self {
        Kept { dir: dir.to_owned(), name: name.into() }
    }

    pub fn path(&self) -> PathBuf {
        self.dir.join(&self.name)
    }

    /// Its text; `None` when there is none.
    ///
    /// # Errors
    /// It is there and cannot be read, is no text, or is larger than [`MAX_FILE`].
    pub fn read(&self) -> io::Result<Option<String>> {
        let file = match File::open(self.path()) {
            Ok(file) => file,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(e),
        };
        let mut text = String::new();
        file.take(MAX_FILE + 1).read_to_string(&mut text)?;
        if text.len() as u64 > MAX_FILE {
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, "it is larger than 16 MiB"));
        }
        Ok(Some(text))
    }

    /// Replaces it. Only its owner can read it.
    ///
    /// # Errors
    /// It cannot be written; the one before is then still there.
    pub fn write(&self, text: &str) -> io::Result<()> {
        DirBuilder::new().recursive(true).mode(0o700).create(&self.dir)?;
        // Named by the process: of two programs that write at once, each replaces a whole file.
        let new = self.dir.join(format!(".{}.{}", self.name, std::process::id()));
        let written = (|| {
            let mut file =
                OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&new)?;
            file.write_all(text.as_bytes())?;
            file.sync_all()?;
            fs::rename(&new, self.path())
        })();
        if written.is_err() {
            let _ = fs::remove_file(&new);
        }
        written
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn it_is_replaced_as_a_whole_and_only_its_owner_reads_it() {
        let dir = tempfile::tempdir().unwrap();
        let kept = Kept::new(&dir.path().join("a/b"), "x.json");
        assert_eq!(kept.read().unwrap(), None);
        kept.write("one").unwrap();
        kept.write("two").unwrap();
        assert_eq!(kept.read().unwrap().as_deref(), Some("two"));
        let mode = |p: &Path| fs::metadata(p).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&kept.path()), mode(&dir.path().join("a/b"))), (0o600, 0o700));
        assert_eq!(fs::read_dir(dir.path().join("a/b")).unwrap().count(), 1, "nothing is left beside it");
    }

    #[test]
    fn what_cannot_be_written_leaves_what_was() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("f");
        fs::write(&file, "a file, no directory").unwrap();
        assert!(Kept::new(&file, "x").write("one").is_err());
        fs::write(dir.path().join("bad"), [0xff, 0xfe]).unwrap();
        assert!(Kept::new(dir.path(), "bad").read().is_err(), "no text");
    }
}
