//! Peers that misbehave on purpose: silent, slow, flooding, unreachable. Each lives on a thread
//! that ends with its connection.

use super::pause;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::time::Duration;

/// A connection of either family.
pub trait Wire: Read + Write + Send {}
impl<T: Read + Write + Send> Wire for T {}

/// What a peer does with a connection.
pub type Behaviour = dyn Fn(&mut dyn Wire) + Send + Sync;

/// Listens on a free port of loopback.
pub fn tcp(behaviour: impl Fn(&mut dyn Wire) + Send + Sync + 'static) -> SocketAddr {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let address = listener.local_addr().unwrap();
    let behaviour = std::sync::Arc::new(behaviour);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let (mut stream, behaviour) = (stream.unwrap(), behaviour.clone());
            let _ = stream.set_nodelay(true);
            std::thread::spawn(move || behaviour(&mut stream));
        }
    });
    address
}

/// Listens on a Unix socket.
pub fn unix(path: &Path, behaviour: impl Fn(&mut dyn Wire) + Send + Sync + 'static) {
    let listener = UnixListener::bind(path).unwrap();
    let behaviour = std::sync::Arc::new(behaviour);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let (mut stream, behaviour) = (stream.unwrap(), behaviour.clone());
            std::thread::spawn(move || behaviour(&mut stream));
        }
    });
}

/// Waits for a request and answers; then keeps the connection open until the asker leaves.
pub fn say(answer: impl Into<Vec<u8>>) -> impl Fn(&mut dyn Wire) + Send + Sync {
    let answer = answer.into();
    move |wire| {
        heard(wire);
        if wire.write_all(&answer).is_ok() {
            stay(wire);
        }
    }
}

/// As [`say`], and closes.
pub fn say_and_close(answer: impl Into<Vec<u8>>) -> impl Fn(&mut dyn Wire) + Send + Sync {
    let answer = answer.into();
    move |wire| {
        heard(wire);
        let _ = wire.write_all(&answer);
    }
}

/// As [`say`], after a while.
pub fn say_after(wait: Duration, answer: impl Into<Vec<u8>>) -> impl Fn(&mut dyn Wire) + Send + Sync {
    let say = say(answer);
    move |wire| {
        pause(wait);
        say(wire);
    }
}

/// Takes the request and says nothing.
pub fn silence(wire: &mut dyn Wire) {
    stay(wire);
}

/// Says one byte of the answer a second.
pub fn drip(answer: impl Into<Vec<u8>>) -> impl Fn(&mut dyn Wire) + Send + Sync {
    let answer = answer.into();
    move |wire| {
        heard(wire);
        for byte in &answer {
            if wire.write_all(&[*byte]).is_err() {
                return;
            }
            pause(Duration::from_secs(1));
        }
    }
}

/// Says `head` and then `rest` again and again, up to 1 GiB of it.
pub fn flood(head: impl Into<Vec<u8>>, rest: &'static [u8]) -> impl Fn(&mut dyn Wire) + Send + Sync {
    let head = head.into();
    move |wire| {
        heard(wire);
        let block = rest.repeat((64 << 10) / rest.len());
        let mut left = (1usize << 30) / block.len();
        let mut said = wire.write_all(&head);
        while said.is_ok() && left > 0 {
            said = wire.write_all(&block);
            left -= 1;
        }
    }
}

/// Reads one piece of whatever is asked.
pub fn heard(wire: &mut dyn Wire) -> Vec<u8> {
    let mut piece = vec![0; 4096];
    let n = wire.read(&mut piece).unwrap_or(0);
    piece.truncate(n);
    piece
}

fn stay(wire: &mut dyn Wire) {
    while !heard(wire).is_empty() {}
}

/// An address that swallows connections: its queue is full and nobody takes from it, so the
/// kernel drops whoever knocks, as a firewall would.
#[derive(Debug)]
pub struct BlackHole {
    pub address: SocketAddr,
    _socket: std::os::fd::OwnedFd,
    _queue: Vec<TcpStream>,
}

pub fn black_hole() -> BlackHole {
    use rustix::net::{AddressFamily, SocketType};
    let socket = rustix::net::socket(AddressFamily::INET, SocketType::STREAM, None).unwrap();
    rustix::net::bind(&socket, &SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
    rustix::net::listen(&socket, 0).unwrap();
    let address = SocketAddr::try_from(rustix::net::getsockname(&socket).unwrap()).unwrap();
    let knock = || TcpStream::connect_timeout(&address, Duration::from_millis(200));
    let queue = std::iter::from_fn(|| knock().ok()).take(16).collect();
    BlackHole { address, _socket: socket, _queue: queue }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer_of(behaviour: impl Fn(&mut dyn Wire) + Send + Sync + 'static) -> Vec<u8> {
        let mut stream = TcpStream::connect(tcp(behaviour)).unwrap();
        stream.write_all(b"hello").unwrap();
        heard(&mut stream)
    }

    #[test]
    fn each_peer_behaves_as_it_is_called() {
        assert_eq!(answer_of(say("a")), b"a");
        assert_eq!(answer_of(say_and_close("b")), b"b");
        assert_eq!(answer_of(say_after(Duration::from_millis(1), "c")), b"c");
        assert_eq!(answer_of(drip("drip")), b"d");
        assert!(answer_of(flood("$1", b"x")).starts_with(b"$1"));
        let quiet: &Behaviour = &silence;
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("s");
        unix(&path, |wire| silence(wire));
        assert!(std::os::unix::net::UnixStream::connect(&path).is_ok());
        quiet(&mut std::io::Cursor::new(Vec::new()));
    }

    #[test]
    fn a_black_hole_answers_nobody() {
        let hole = black_hole();
        assert!(TcpStream::connect_timeout(&hole.address, Duration::from_millis(300)).is_err());
    }
}
