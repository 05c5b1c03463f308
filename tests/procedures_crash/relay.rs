//! A Unix socket that stands before another one and writes down what is asked of it.

use crate::host::wait_for;
use std::io::{Read, Write};
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;

/// Moves a socket aside and listens in its place, if it does not do so yet: who owns the socket may
/// have made it anew. What a client sends first is one line in the file of calls: `NAME REQUEST`.
pub fn before(socket: &Path, calls: &Path) {
    let ours = socket.with_extension("relay");
    let inode = |path: &Path| std::fs::metadata(path).map(|m| m.ino()).ok();
    let there = wait_for("a socket", || inode(socket));
    if inode(&ours) == Some(there) {
        return;
    }
    let real = socket.with_extension("real");
    std::fs::rename(socket, &real).unwrap();
    let _ = std::fs::remove_file(&ours);
    let listener = UnixListener::bind(&ours).unwrap();
    std::fs::set_permissions(&ours, std::fs::metadata(&real).unwrap().permissions()).unwrap();
    // By a second name, so that it is known again.
    std::fs::hard_link(&ours, socket).unwrap();
    let calls = calls.to_owned();
    std::thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let (real, calls) = (real.clone(), calls.clone());
            std::thread::spawn(move || pass_on(client, &real, &calls));
        }
    });
}

fn pass_on(mut client: UnixStream, real: &Path, calls: &Path) -> Option<()> {
    let mut server = UnixStream::connect(real).ok()?;
    let (mut back, mut answers) = (client.try_clone().ok()?, server.try_clone().ok()?);
    let answering = std::thread::spawn(move || {
        let _ = std::io::copy(&mut answers, &mut back);
        let _ = back.shutdown(std::net::Shutdown::Both);
    });
    let mut piece = [0; 4096];
    let n = client.read(&mut piece).ok()?;
    if n > 0 {
        let name = real.file_stem().unwrap_or_default().to_string_lossy();
        let line = format!("{name} {}\n", String::from_utf8_lossy(&piece[..n]).replace('\n', " "));
        let mut file = std::fs::OpenOptions::new().create(true).append(true).open(calls).ok()?;
        file.write_all(line.as_bytes()).ok()?;
        server.write_all(&piece[..n]).ok()?;
        let _ = std::io::copy(&mut client, &mut server);
        let _ = server.shutdown(std::net::Shutdown::Write);
    }
    answering.join().ok()
}
