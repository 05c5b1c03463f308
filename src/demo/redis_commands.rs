//! The Redis commands the demo answers, over a key space drawn from the model.

use serde_json::json;

use super::model::clients::{Device, HARD_TTL, HEARTBEAT_TTL, POOL, Session};
use super::model::{Model, UPTIME};
use super::resp::{Client, Reply};
use super::rng::base64;
use super::shared::DemoHandle;

/// Keys returned by one KEYS or SCAN.
const LISTED: usize = 1000;

pub fn run(demo: &DemoHandle, client: &mut Client, args: &[String]) -> Reply {
    let name = args[0].to_ascii_uppercase();
    let rest: Vec<&str> = args[1..].iter().map(String::as_str).collect();
    match (name.as_str(), rest.as_slice()) {
        ("PING", []) => Reply::Simple("PONG"),
        ("PING" | "ECHO", [text]) => Reply::Bulk((*text).into()),
        ("QUIT", _) => {
            client.quit = true;
            Reply::Simple("OK")
        }
        ("SELECT", [db]) => match db.parse::<u32>() {
            Ok(db @ 0..16) => {
                client.db = db;
                Reply::Simple("OK")
            }
            _ => Reply::Error("ERR DB index is out of range".into()),
        },
        ("AUTH", _) => Reply::Error(
            "ERR AUTH <password> called without any password configured for the default user. \
             Are you sure your configuration is correct?"
                .into(),
        ),
        ("HELLO", rest) => hello(client, rest),
        ("CLIENT", [sub, ..]) => match sub.to_ascii_uppercase().as_str() {
            "SETINFO" | "SETNAME" | "NO-EVICT" | "NO-TOUCH" => Reply::Simple("OK"),
            "ID" => Reply::Int(1),
            "GETNAME" => Reply::Null,
            _ => Reply::Error(format!("ERR unknown subcommand '{}'. Try CLIENT HELP.", clip(sub))),
        },
        ("COMMAND", _) => Reply::Array(Vec::new()),
        ("INFO", sections) => demo.with(|m| Reply::Bulk(info(m, sections.first().copied()))),
        ("CONFIG", [sub, names @ ..]) if sub.eq_ignore_ascii_case("GET") => demo.with(|m| config(m, names)),
        ("PUBSUB", [sub, channels @ ..]) if sub.eq_ignore_ascii_case("NUMSUB") => {
            demo.with(|m| numsub(m, channels))
        }
        ("DBSIZE", []) => demo.with(|m| Reply::Int(if client.db == 0 { keys(m).count() as i64 } else { 0 })),
        ("KEYS", [pattern]) => demo.with(|m| Reply::Array(listed(m, client.db, pattern))),
        ("SCAN", [_, options @ ..]) => {
            let pattern = option(options, "MATCH").unwrap_or("*");
            demo.with(|m| {
                Reply::Array(vec![Reply::Bulk("0".into()), Reply::Array(listed(m, client.db, pattern))])
            })
        }
        ("EXISTS", names) if !names.is_empty() => demo
            .with(|m| Reply::Int(names.iter().filter(|k| lookup(m, client.db, k).is_some()).count() as i64)),
        (
            "TYPE" | "TTL" | "PTTL" | "GET" | "HGETALL" | "HLEN" | "HKEYS" | "SCARD" | "SMEMBERS" | "ZCARD"
            | "LLEN",
            [key],
        ) => demo.with(|m| read(&name, lookup(m, client.db, key))),
        ("HGET", [key, field]) => demo.with(|m| match lookup(m, client.db, key) {
            Some((Value::Hash(pairs), _)) => {
                pairs.into_iter().find(|(k, _)| k == field).map_or(Reply::Null, |(_, v)| Reply::Bulk(v))
            }
            Some(_) => wrong_type(),
            None => Reply::Null,
        }),
        (
            "PING" | "ECHO" | "SELECT" | "CLIENT" | "CONFIG" | "PUBSUB" | "DBSIZE" | "KEYS" | "SCAN"
            | "EXISTS" | "TYPE" | "TTL" | "PTTL" | "GET" | "HGETALL" | "HLEN" | "HKEYS" | "SCARD"
            | "SMEMBERS" | "ZCARD" | "LLEN" | "HGET",
            _,
        ) => {
            Reply::Error(format!("ERR wrong number of arguments for '{}' command", name.to_ascii_lowercase()))
        }
        _ => {
            let shown: String = rest.iter().take(3).map(|a| format!("'{}' ", clip(a))).collect();
            Reply::Error(format!(
                "ERR unknown command '{}', with args beginning with: {shown}",
                clip(&args[0])
            ))
        }
    }
}

/// Text from outside, short and on one line, for an error reply.
fn clip(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(64).collect()
}

fn option<'a>(options: &[&'a str], name: &str) -> Option<&'a str> {
    options.windows(2).find(|w| w[0].eq_ignore_ascii_case(name)).map(|w| w[1])
}

fn hello(client: &mut Client, rest: &[&str]) -> Reply {
    match rest.first().map(|v| v.parse::<u8>()) {
        None => {}
        Some(Ok(version @ (2 | 3))) => client.version = version,
        Some(_) => return Reply::Error("NOPROTO unsupported protocol version".into()),
    }
    let text = |s: &str| Reply::Bulk(s.to_owned());
    Reply::Map(vec![
        ("server".into(), text("redis")),
        ("version".into(), text("7.0.15")),
        ("proto".into(), Reply::Int(client.version.into())),
        ("id".into(), Reply::Int(1)),
        ("mode".into(), text("standalone")),
        ("role".into(), text("master")),
        ("modules".into(), Reply::Array(Vec::new())),
    ])
}

fn subscribers(m: &Model, channel: &str) -> i64 {
    let (session, admin) = (i64::from(m.redis.session_subscribed), i64::from(m.redis.admin_subscribed));
    match channel {
        "vpn:live_events" => 2 * admin,
        "vpn:user_events" | "vpn:admin_commands" | "__keyevent@0__:expired" => session,
        _ => 0,
    }
}

fn numsub(m: &Model, channels: &[&str]) -> Reply {
    Reply::Map(channels.iter().map(|c| ((*c).to_owned(), Reply::Int(subscribers(m, c)))).collect())
}

fn config(m: &Model, names: &[&str]) -> Reply {
    let settings = [
        // Set to `Ex`, reported the other way round by the real server too.
        ("notify-keyspace-events", if m.redis.keyspace_events { "xE" } else { "" }),
        ("maxmemory", "0"),
        ("maxmemory-policy", "noeviction"),
        ("appendonly", "no"),
        ("save", "3600 1 300 100 60 10000"),
        ("databases", "16"),
    ];
    let wanted = |key: &str| names.iter().any(|n| glob(&n.to_ascii_lowercase(), key));
    Reply::Map(
        settings
            .iter()
            .filter(|(k, _)| wanted(k))
            .map(|(k, v)| ((*k).into(), Reply::Bulk((*v).into())))
            .collect(),
    )
}

fn info(m: &Model, section: Option<&str>) -> String {
    let uptime = m.now - m.redis.since;
    let keys = keys(m).count();
    let clients = 14 + 2 * i64::from(m.redis.session_subscribed);
    let memory = 1_400_000 + keys * 620;
    let commands = m.clients.counters.heartbeats * 4 + m.clients.counters.logins * 9 + uptime * 3;
    let run_id = format!("{:040x}", u128::from(m.seed) << 64 | u128::from(m.redis.since));
    let all: [(&str, String); 7] = [
        (
            "Server",
            format!(
                "redis_version:7.0.15\r\nredis_mode:standalone\r\nprocess_id:{}\r\nrun_id:{run_id}\r\nuptime_in_seconds:{uptime}\r\nuptime_in_days:{}\r\n",
                std::process::id(),
                uptime / 86_400
            ),
        ),
        ("Clients", format!("connected_clients:{clients}\r\nblocked_clients:0\r\nmaxclients:10000\r\n")),
        (
            "Memory",
            format!(
                "used_memory:{memory}\r\nmaxmemory:0\r\nmaxmemory_policy:noeviction\r\nmem_fragmentation_ratio:1.21\r\n"
            ),
        ),
        ("Persistence", "loading:0\r\nrdb_last_bgsave_status:ok\r\naof_enabled:0\r\n".into()),
        (
            "Stats",
            format!(
                "total_connections_received:{}\r\ntotal_commands_processed:{commands}\r\nexpired_keys:{}\r\nevicted_keys:0\r\npubsub_channels:{}\r\n",
                uptime / 15 + 14,
                m.log.count("heartbeat_lost"),
                3 * i32::from(m.redis.session_subscribed) + i32::from(m.redis.admin_subscribed)
            ),
        ),
        ("Replication", "role:master\r\nconnected_slaves:0\r\n".into()),
        ("Keyspace", format!("db0:keys={keys},expires={},avg_ttl=0\r\n", keys.saturating_sub(3))),
    ];
    let every =
        section.is_none_or(|s| ["all", "default", "everything"].iter().any(|a| s.eq_ignore_ascii_case(a)));
    let parts: Vec<String> = all
        .iter()
        .filter(|(name, _)| every || section.is_some_and(|s| s.eq_ignore_ascii_case(name)))
        .map(|(name, body)| format!("# {name}\r\n{body}"))
        .collect();
    parts.join("\r\n")
}

/// A key's value, as the commands see it.
enum Value {
    Text(String),
    Hash(Vec<(String, String)>),
    Set(Vec<String>),
}

fn wrong_type() -> Reply {
    Reply::Error("WRONGTYPE Operation against a key holding the wrong kind of value".into())
}

fn read(command: &str, found: Option<(Value, i64)>) -> Reply {
    let texts = |v: Vec<String>| Reply::Array(v.into_iter().map(Reply::Bulk).collect());
    match (command, found) {
        ("TYPE", found) => Reply::Simple(match found {
            None => "none",
            Some((Value::Text(_), _)) => "string",
            Some((Value::Hash(_), _)) => "hash",
            Some((Value::Set(_), _)) => "set",
        }),
        ("TTL", found) => Reply::Int(found.map_or(-2, |(_, ttl)| ttl)),
        ("PTTL", found) => Reply::Int(found.map_or(-2, |(_, ttl)| if ttl < 0 { ttl } else { ttl * 1000 })),
        ("GET", None) => Reply::Null,
        ("GET", Some((Value::Text(text), _))) => Reply::Bulk(text),
        ("HGETALL", None) => Reply::Map(Vec::new()),
        ("HGETALL", Some((Value::Hash(h), _))) => {
            Reply::Map(h.into_iter().map(|(k, v)| (k, Reply::Bulk(v))).collect())
        }
        ("HKEYS" | "SMEMBERS", None) => Reply::Array(Vec::new()),
        ("HKEYS", Some((Value::Hash(h), _))) => texts(h.into_iter().map(|(k, _)| k).collect()),
        ("SMEMBERS", Some((Value::Set(s), _))) => texts(s),
        ("HLEN" | "SCARD" | "ZCARD" | "LLEN", None) => Reply::Int(0),
        ("HLEN", Some((Value::Hash(h), _))) => Reply::Int(h.len() as i64),
        ("SCARD", Some((Value::Set(s), _))) => Reply::Int(s.len() as i64),
        _ => wrong_type(),
    }
}

fn session_name(m: &Model, device: &Device) -> String {
    format!("{}-{}", m.clients.users[device.user].id, device.id)
}

/// Every key, in no particular order, at most a few hundred.
fn keys(m: &Model) -> impl Iterator<Item = String> + '_ {
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

fn listed(m: &Model, db: u32, pattern: &str) -> Vec<Reply> {
    if db != 0 {
        return Vec::new();
    }
    keys(m).filter(|k| glob(pattern, k)).take(LISTED).map(Reply::Bulk).collect()
}

fn lookup(m: &Model, db: u32, key: &str) -> Option<(Value, i64)> {
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
    // Addresses held by nobody any more are still in the map.
    for i in map.len()..POOL - m.clients.free() {
        map.push((format!("leaked-{i}"), "{}".into()));
    }
    map
}

fn session_key(m: &Model, key: &str) -> Option<(Value, i64)> {
    let hard = |s: &Session| (s.created + HARD_TTL).saturating_sub(m.now) as i64;
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
        return Some((Value::Text("1".into()), left.min(HEARTBEAT_TTL) as i64));
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

/// Redis' glob, without classes: `*`, `?` and `\` before a literal.
pub fn glob(pattern: &str, text: &str) -> bool {
    let (p, t) = (pattern.as_bytes(), text.as_bytes());
    let (mut i, mut j, mut star) = (0, 0, None);
    while j < t.len() {
        match p.get(i) {
            Some(b'*') => {
                star = Some((i, j));
                i += 1;
            }
            Some(b'?') => (i, j) = (i + 1, j + 1),
            Some(b'\\') if p.get(i + 1) == Some(&t[j]) => (i, j) = (i + 2, j + 1),
            Some(c) if *c == t[j] => (i, j) = (i + 1, j + 1),
            _ => match star {
                Some((si, sj)) => {
                    star = Some((si, sj + 1));
                    (i, j) = (si + 1, sj + 1);
                }
                None => return false,
            },
        }
    }
    p[i..].iter().all(|c| *c == b'*')
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
