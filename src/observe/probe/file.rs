//! Looks at a path: what is there, how old, and who may read it.

use super::host::{self, Accounts, User};
use super::{Context, Fault, Found};
use crate::domain::fact::Fact;
use crate::domain::units::{self, Unit};
use crate::stack::kind::file::Spec;
use crate::transport::files::{FileError, FileStat};
use std::time::Duration;

pub(super) async fn look(spec: &Spec, cx: &Context<'_>) -> Result<Found, Fault> {
    let stat = match host::stat(cx, &spec.path).await {
        Ok(stat) => stat,
        Err(FileError::NotFound) => return missing(cx, &spec.path),
        Err(e) => return Err(fault(&spec.path, e)),
    };
    let age = (host::wall_clock(cx).await? - stat.modified).max(0.0);
    let names = cx.shared.host.accounts(cx).await;
    let unnamed = Accounts::default();
    let accounts = names.as_deref().unwrap_or(&unnamed);
    let (owner, group) = (accounts.user_name(stat.uid), accounts.group_name(stat.gid));
    let mode = format!("{:04o}", stat.mode);
    let old = units::long_age(Duration::try_from_secs_f64(age).unwrap_or_default());
    let size = units::bytes(stat.size as f64);
    let kind = stat.kind.name();
    let mut found = Found {
        summary: format!("{size}, written {old} ago"),
        evidence: format!(
            "{} {mode} {owner}:{group} {kind} {} bytes, written {old} ago",
            spec.path, stat.size
        ),
        ..Found::default()
    };
    found.facts.bool("EXISTS", true);
    if wants(cx, "READABLE") {
        found.facts.set("READABLE", readable(spec, cx, stat, &names).await?);
    }
    found.facts.number("AGE", age, Unit::Seconds);
    found.facts.number("SIZE", stat.size as f64, Unit::Bytes);
    found.facts.text("MODE", mode);
    found.facts.text("OWNER", owner);
    found.facts.text("GROUP", group);
    found.facts.text("TYPE", kind);
    Ok(found)
}

/// Whether a condition of the probe speaks of a fact, so that a dear one is not learned for nothing.
pub(super) fn wants(cx: &Context<'_>, name: &str) -> bool {
    cx.probe.conditions.iter().chain(&cx.probe.degraded_unless).any(|c| c.name() == name)
}

/// What an absent path means: a fact when the conditions speak of it, else the plain reason.
pub(super) fn missing(cx: &Context<'_>, path: &str) -> Result<Found, Fault> {
    if !wants(cx, "EXISTS") {
        return Err(Fault::Down(format!("no such file: {path}")));
    }
    let mut found = Found {
        summary: "absent".to_owned(),
        evidence: format!("{path}: no such file"),
        missing: Some(format!("no such file: {path}")),
        ..Found::default()
    };
    found.facts.bool("EXISTS", false);
    Ok(found)
}

/// What it means that the target itself cannot be looked at.
pub(super) fn fault(path: &str, e: FileError) -> Fault {
    match e {
        FileError::Unreachable(why) => Fault::Unreachable(why),
        FileError::NotAllowed => {
            Fault::Unknown(format!("needs permission to look at {path}: run as its owner or set sudo = true"))
        }
        FileError::Other(why) => Fault::Unknown(why),
        other => Fault::Unknown(format!("cannot look at {path}: {other}")),
    }
}

type Known<'a> = &'a Result<std::sync::Arc<Accounts>, FileError>;

async fn readable(spec: &Spec, cx: &Context<'_>, stat: FileStat, names: Known<'_>) -> Result<Fact, Fault> {
    let Some(name) = &spec.readable_by else {
        return Ok(match host::read(cx, &spec.path, 1).await {
            Ok(_) => Fact::Bool(true),
            Err(FileError::NotAllowed) => Fact::Bool(false),
            Err(FileError::Unreachable(why)) => return Err(Fault::Unreachable(why)),
            Err(e) => Fact::Unavailable(format!("cannot try to read {}: {e}", spec.path)),
        });
    };
    let user = match names {
        Ok(accounts) => accounts.user(name),
        Err(e) => return Ok(Fact::Unavailable(format!("cannot learn the users of the host: {e}"))),
    };
    let Some(user) = user else {
        return Ok(Fact::Unavailable(format!("the host's /etc/passwd has no user {name}")));
    };
    if !allows(user, &stat, 0o4) {
        return Ok(Fact::Bool(false));
    }
    let mut above = parents(&spec.path);
    match cx.transport.real_path(&spec.path).await {
        Ok(real) => above.extend(parents(&real)),
        Err(FileError::Unreachable(why)) => return Err(Fault::Unreachable(why)),
        Err(_) if cx.probe.sudo => {} // only root gets there; what the path itself says must do
        Err(e) => return Ok(Fact::Unavailable(format!("cannot resolve {}: {e}", spec.path))),
    }
    above.sort_unstable();
    above.dedup();
    for dir in above {
        match host::stat(cx, &dir).await {
            Ok(stat) if allows(user, &stat, 0o1) => {}
            Ok(_) => return Ok(Fact::Bool(false)),
            Err(FileError::Unreachable(why)) => return Err(Fault::Unreachable(why)),
            Err(e) => return Ok(Fact::Unavailable(format!("cannot look at {dir}: {e}"))),
        }
    }
    Ok(Fact::Bool(true))
}

/// Whether a user has the access that `bit` names (4 read, 2 write, 1 search), as the kernel
/// decides it by mode bits: the owner's bits if it is the owner, else the group's, else the
/// others'. Root may do all of them.
pub fn allows(user: &User, stat: &FileStat, bit: u32) -> bool {
    let shift = if user.uid == 0 {
        return true;
    } else if user.uid == stat.uid {
        6
    } else if user.groups.contains(&stat.gid) {
        3
    } else {
        0
    };
    stat.mode >> shift & bit != 0
}

/// Every directory above an absolute path.
pub fn parents(path: &str) -> Vec<String> {
    let above = std::path::Path::new(path).ancestors().skip(1);
    above.map(|p| p.to_string_lossy().into_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transport::files::FileKind;

    #[test]
    fn the_first_class_that_fits_decides() {
        let user = |uid, groups: &[u32]| User { name: "u".into(), uid, groups: groups.to_vec() };
        let file = |mode| FileStat { kind: FileKind::File, mode, uid: 10, gid: 20, size: 0, modified: 0.0 };
        let table = [
            (user(10, &[1]), 0o400, true),
            (user(10, &[20]), 0o044, false), // the owner's own bits say no, whatever the others' say
            (user(11, &[1, 20]), 0o040, true),
            (user(11, &[20]), 0o404, false),
            (user(11, &[1]), 0o004, true),
            (user(11, &[1]), 0o660, false),
            (user(0, &[0]), 0o000, true),
        ];
        for (user, mode, want) in table {
            assert_eq!(allows(&user, &file(mode), 0o4), want, "{user:?} {mode:o}");
        }
    }

    #[test]
    fn every_directory_above_counts() {
        assert_eq!(parents("/etc/ssl/a.pem"), ["/etc/ssl", "/etc", "/"]);
        assert_eq!(parents("/"), Vec::<String>::new());
    }
}
