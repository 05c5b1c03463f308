//! Who asks: the real user, as the kernel knows them, and where their session comes from.

use crate::domain::procedure::event::Person;
use crate::domain::text::one_line;
use crate::runs::files::read_bounded;
use std::net::IpAddr;
use std::path::Path;

/// The largest `/etc/passwd`, `/etc/group` or environment that is read, in bytes.
const MAX_FILE: usize = 1 << 20;
/// The longest name, in characters.
const MAX_NAME: usize = 64;

/// The person that runs this process: its real uid, not what a variable claims. What sudo says of
/// who called it is noted with the origin, and believed by nothing.
pub fn me() -> Person {
    let uid = rustix::process::getuid().as_raw();
    let variable = |name: &str| std::env::var(name).ok();
    let loginuid = login_uid(Path::new("/proc/self/loginuid"));
    describe(uid, loginuid, &variable)
}

/// The person at the other end of a Unix socket: the uid is the kernel's word, the origin is read
/// from their process where that is allowed.
pub fn peer(uid: u32, pid: i32) -> Person {
    let environ = read_bounded(Path::new(&format!("/proc/{pid}/environ")), MAX_FILE).unwrap_or_default();
    let variable = |name: &str| {
        environ.split(|b| *b == 0).find_map(|pair| {
            let value = pair.strip_prefix(name.as_bytes())?.strip_prefix(b"=")?;
            Some(String::from_utf8_lossy(value).into_owned())
        })
    };
    let loginuid = login_uid(Path::new(&format!("/proc/{pid}/loginuid")));
    describe(uid, loginuid, &variable)
}

fn describe(uid: u32, loginuid: Option<u32>, variable: &dyn Fn(&str) -> Option<String>) -> Person {
    // The kernel keeps who logged in across su and sudo, where the session was set up so.
    let login = user_name(loginuid.unwrap_or(uid));
    let ssh = variable("SSH_CONNECTION").and_then(|v| origin(&v));
    let sudo = variable("SUDO_USER").map(|name| format!("sudo says {}", one_line(&name, MAX_NAME)));
    let from: Vec<String> = ssh.into_iter().chain(sudo).collect();
    Person { uid, login, from: (!from.is_empty()).then(|| from.join(", ")) }
}

/// The client's address out of `SSH_CONNECTION`.
fn origin(text: &str) -> Option<String> {
    let address: IpAddr = text.split(' ').next()?.parse().ok()?;
    Some(address.to_string())
}

/// Who logged in, by the kernel's audit; the number that means "not set" is none.
fn login_uid(path: &Path) -> Option<u32> {
    let text = String::from_utf8(read_bounded(path, 32).ok()?).ok()?;
    text.trim().parse().ok().filter(|uid| *uid != u32::MAX)
}

/// A user's name, by `/etc/passwd` or else by `getent`; without one, the number.
pub fn user_name(uid: u32) -> String {
    by_field("/etc/passwd", "passwd", 2, &uid.to_string())
        .map_or_else(|| uid.to_string(), |fields| one_line(&fields[0], MAX_NAME))
}

/// A group's id.
///
/// # Errors
/// There is no such group.
pub fn group_id(name: &str) -> Result<u32, String> {
    by_field("/etc/group", "group", 0, name)
        .and_then(|fields| fields.get(2)?.parse().ok())
        .ok_or_else(|| format!("find the operators' group: there is no group {}", one_line(name, MAX_NAME)))
}

/// The fields of the line whose `index`th one is `want`: of the file, else of what the name
/// service knows beyond it.
fn by_field(file: &str, database: &str, index: usize, want: &str) -> Option<Vec<String>> {
    let search = |text: &str| {
        text.lines()
            .map(|line| line.split(':').map(str::to_owned).collect::<Vec<String>>())
            .find(|fields| fields.len() > 2 && fields.get(index).is_some_and(|f| f == want))
    };
    let bytes = read_bounded(Path::new(file), MAX_FILE).unwrap_or_default();
    search(&String::from_utf8_lossy(&bytes)).or_else(|| search(&getent(database, want)?))
}

/// What the name service says; bounded in time by `timeout`, so that a directory server that does
/// not answer costs a name and nothing else.
fn getent(database: &str, key: &str) -> Option<String> {
    if key.starts_with('-') || key.is_empty() {
        return None;
    }
    let output = std::process::Command::new("timeout")
        .args(["2", "getent", database, key])
        .stdin(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .output()
        .ok()?;
    Some(String::from_utf8_lossy(&output.stdout).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_uid_is_the_kernels_and_the_rest_is_noted() {
        type Variables = &'static [(&'static str, &'static str)];
        let table: &[(Variables, Option<&str>)] = &[
            (&[], None),
            (&[("SSH_CONNECTION", "203.0.113.9 50123 192.0.2.1 22")], Some("203.0.113.9")),
            (&[("SSH_CONNECTION", "2001:db8::7 1 ::1 22")], Some("2001:db8::7")),
            (&[("SSH_CONNECTION", "\x1b[2J nonsense")], None),
            (&[("SUDO_USER", "mallory\x1b[2J")], Some("sudo says mallory·[2J")),
            (
                &[("SSH_CONNECTION", "203.0.113.9 1 192.0.2.1 22"), ("SUDO_USER", "ann")],
                Some("203.0.113.9, sudo says ann"),
            ),
        ];
        for (variables, from) in table {
            let variable =
                |name: &str| variables.iter().find(|(n, _)| *n == name).map(|(_, value)| (*value).to_owned());
            let person = describe(0, None, &variable);
            assert_eq!((person.uid, person.login.as_str(), person.from.as_deref()), (0, "root", *from));
        }
        assert_eq!(me().uid, rustix::process::getuid().as_raw());
    }

    #[test]
    fn a_peers_origin_is_read_from_its_process() {
        let mut child = std::process::Command::new("sleep")
            .arg("60")
            .env("SSH_CONNECTION", "198.51.100.4 1 192.0.2.1 22")
            .spawn()
            .unwrap();
        let pid = i32::try_from(child.id()).unwrap();
        // A process that was started a moment ago has no environment to read yet.
        let environ = format!("/proc/{pid}/environ");
        while std::fs::read(&environ).unwrap().is_empty() {
            std::thread::yield_now();
        }
        let person = peer(rustix::process::getuid().as_raw(), pid);
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(person.from.unwrap().starts_with("198.51.100.4"));
    }

    #[test]
    fn names_that_nobody_knows_are_told() {
        assert_eq!(user_name(0), "root");
        assert_eq!(user_name(3_999_999_999), "3999999999");
        assert_eq!(group_id("root"), Ok(0));
        assert!(group_id("no-such-group-here").unwrap_err().contains("there is no group"));
    }
}
