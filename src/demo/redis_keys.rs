//! The demo's Redis key space: nothing is stored, every key is drawn from the model when asked for.

use serde_json::json;

use super::model::clients::{Device, HARD_TTL, HEARTBEAT_TTL, POOL, Session};
use super::model::{Model, UPTIME};
use super::rng::base64;

/// A key's value, as the commands see it.
pub enum Value {
    Text(String),
    Hash(Vec<(String, String)>),
    Set(Vec<String>),
}

fn session_name(m: &Model, device: &Device) -> String {
    format!("{}-{}", m.clients.users[device.user].id, device.id)
}

/// Every key, in no particular order, at most a few hundred.
pub fn keys(m: &Model) -> impl Iterator<Item = String> + '_ {
    let sessions = m.clients.sessions().flat_map(move |(d, s)| {
        let name = session_name(m, d);
        let alive = s.heartbeat_until > m.now;
        [
            Some(format!("vpn:session:{name}")),
            alive.then(|| format!("vpn:session:{name}:hb")),
            Some(format!("vpn:session:meta:{}", s.sid)),
            Some(format!("vpn:device:{}:{}", m.clients.users[d.user].id, d.id)),
        ]
        .into_iter()
        .flatten()
    });
    // An empty set or hash is an absent key.
    let pools = (m.clients.free() > 0).then_some(["vpn:ipam:pool:vpn", "vpn:ipam:pool:tor"]);
    let map = (m.clients.used() > 0).then_some("vpn:ipam:map");
    pools.into_iter().flatten().chain(map).map(str::to_owned).chain(sessions)
}

/// A key's value and time to live: -1 for none, as Redis says it.
pub fn lookup(m: &Model, db: u32, key: &str) -> Option<(Value, i64)> {
    if db != 0 {
        return None;
    }
    let free = |net: &str| Value::Set(m.clients.free_addresses().map(|a| address(net, a)).collect());
    match key {
        "vpn:ipam:pool:vpn" => (m.clients.free() > 0).then(|| (free("10.8.0"), -1)),
        "vpn:ipam:pool:tor" => (m.clients.free() > 0).then(|| (free("10.9.0"), -1)),
        "vpn:ipam:map" => (m.clients.used() > 0).then(|| (Value::Hash(ipam_map(m)), -1)),
        _ => session_key(m, key),
    }
}

fn address(net: &str, index: u8) -> String {
    format!("{net}.{}", u16::from(index) + 2)
}

fn ipam_map(m: &Model) -> Vec<(String, String)> {
    let mut map: Vec<(String, String)> = m
        .clients
        .sessions()
        .map(|(d, s)| {
            let ips = json!({"vpn_ip": address("10.8.0", s.address), "tor_ip": address("10.9.0", s.address)});
            (session_name(m, d), ips.to_string())
        })
        .collect();
    for (name, index) in &m.clients.outside {
        let ips = json!({"vpn_ip": address("10.8.0", *index), "tor_ip": address("10.9.0", *index)});
        map.push((name.clone(), ips.to_string()));
    }
    // Addresses held by nobody any more are still in the map.
    for i in map.len()..POOL - m.clients.free() {
        map.push((format!("leaked-{i}"), "{}".into()));
    }
    map
}

fn session_key(m: &Model, key: &str) -> Option<(Value, i64)> {
    let hard = |s: &Session| (s.created + HARD_TTL).saturating_sub(m.now).cast_signed();
    if let Some(sid) = key.strip_prefix("vpn:session:meta:") {
        let (device, s) = m.clients.sessions().find(|(_, s)| s.sid.to_string() == sid)?;
        let text = json!({"session_id": sid, "device_id": device.id.to_string(), "created": m.wall(s.created).as_second()});
        return Some((Value::Text(text.to_string()), hard(s) + 60));
    }
    if let Some(name) = key.strip_prefix("vpn:device:") {
        let name = name.replacen(':', "-", 1);
        let (_, s) = m.clients.sessions().find(|(d, _)| session_name(m, d) == name)?;
        return Some((Value::Text(s.sid.to_string()), hard(s)));
    }
    let name = key.strip_prefix("vpn:session:")?;
    if let Some(name) = name.strip_suffix(":hb") {
        let (_, s) = m.clients.sessions().find(|(d, _)| session_name(m, d) == name)?;
        let left = s.heartbeat_until.checked_sub(m.now).filter(|left| *left > 0)?;
        return Some((Value::Text("1".into()), left.min(HEARTBEAT_TTL).cast_signed()));
    }
    let (device, s) = m.clients.sessions().find(|(d, _)| session_name(m, d) == name)?;
    Some((Value::Hash(session_hash(m, device, s)), hard(s)))
}

/// The session as Redis and the admin API show it.
pub fn session_hash(m: &Model, device: &Device, s: &Session) -> Vec<(String, String)> {
    let own = |k: &str, v: String| (k.to_owned(), v);
    vec![
        own("state", if s.online { "online" } else { "offline" }.into()),
        own("user_id", m.clients.users[device.user].id.to_string()),
        own("device_id", device.id.to_string()),
        own("public_key", base64(&s.public_key)),
        own("vpn_ip", address("10.8.0", s.address)),
        own("tor_ip", address("10.9.0", s.address)),
        own("client_ip", device.address.map(|b| b.to_string()).join(".")),
        own("timestamp", m.wall(s.created).as_second().to_string()),
        own("session_id", s.sid.to_string()),
        own("request_id", format!("{:016x}", UPTIME ^ s.sid.0 as u64)),
    ]
}

/// Redis' glob, without classes: `*`, `?` and `\\` before a literal.
pub fn glob(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
    let (mut at, mut seen, mut star) = (0, 0, None);
    while seen < text.len() {
        match pattern.get(at) {
            Some(b'*') => {
                star = Some((at, seen));
                at += 1;
            }
            Some(b'?') => (at, seen) = (at + 1, seen + 1),
            Some(b'\\') if pattern.get(at + 1) == Some(&text[seen]) => (at, seen) = (at + 2, seen + 1),
            Some(byte) if *byte == text[seen] => (at, seen) = (at + 1, seen + 1),
            _ => match star {
                // The last star takes one byte more.
                Some((back, taken)) => {
                    star = Some((back, taken + 1));
                    (at, seen) = (back + 1, taken + 1);
                }
                None => return false,
            },
        }
    }
    pattern[at..].iter().all(|byte| *byte == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn globs() {
        for (pattern, text, yes) in [
            ("*", "", true),
            ("vpn:session:*", "vpn:session:x", true),
            ("vpn:*:hb", "vpn:session:a:b:hb", true),
            ("vpn:*:hb", "vpn:session:a:b:hbx", false),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("a\\*", "a*", true),
            ("a\\*", "ab", false),
        ] {
            assert_eq!(glob(pattern, text), yes, "{pattern} {text}");
        }
    }
}
