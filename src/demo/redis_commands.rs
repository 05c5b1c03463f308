//! The Redis commands the demo answers, over a key space drawn from the model.

use super::model::Model;
use super::redis_keys::{Value, glob, keys, lookup};
use super::resp::{Client, Reply};
use super::rng::signed;
use super::shared::DemoHandle;

/// Keys returned by one KEYS or SCAN.
const LISTED: usize = 1000;

/// Runs one command; `args` is not empty.
pub fn run(demo: &DemoHandle, client: &mut Client, args: &[String]) -> Reply {
    let name = args[0].to_ascii_uppercase();
    let rest: Vec<&str> = args[1..].iter().map(String::as_str).collect();
    connection(client, &name, &rest)
        .or_else(|| demo.with(|m| server(m, &name, &rest).or_else(|| data(m, client.db, &name, &rest))))
        .unwrap_or_else(|| refusal(&name, &rest))
}

/// Commands known, for telling a wrong count of arguments from a wrong name.
const KNOWN: [&str; 22] = [
    "PING", "ECHO", "SELECT", "CLIENT", "CONFIG", "PUBSUB", "DBSIZE", "KEYS", "SCAN", "EXISTS", "TYPE",
    "TTL", "PTTL", "GET", "HGETALL", "HLEN", "HKEYS", "SCARD", "SMEMBERS", "ZCARD", "LLEN", "HGET",
];

fn refusal(name: &str, rest: &[&str]) -> Reply {
    if KNOWN.contains(&name) {
        return Reply::Error(format!(
            "ERR wrong number of arguments for '{}' command",
            name.to_ascii_lowercase()
        ));
    }
    let shown: String =
        rest.iter().take(3).flat_map(|a| ["'".to_owned(), clip(a), "' ".to_owned()]).collect();
    Reply::Error(format!("ERR unknown command '{}', with args beginning with: {shown}", clip(name)))
}

/// What concerns only the connection.
fn connection(client: &mut Client, name: &str, rest: &[&str]) -> Option<Reply> {
    Some(match (name, rest) {
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
        _ => return None,
    })
}

/// What concerns the server as a whole.
fn server(m: &Model, name: &str, rest: &[&str]) -> Option<Reply> {
    Some(match (name, rest) {
        ("INFO", sections) => Reply::Bulk(info(m, sections.first().copied())),
        ("CONFIG", [sub, names @ ..]) if sub.eq_ignore_ascii_case("GET") => config(m, names),
        ("PUBSUB", [sub, channels @ ..]) if sub.eq_ignore_ascii_case("NUMSUB") => numsub(m, channels),
        _ => return None,
    })
}

/// What concerns keys.
fn data(m: &Model, db: u32, name: &str, rest: &[&str]) -> Option<Reply> {
    Some(match (name, rest) {
        ("DBSIZE", []) => Reply::Int(if db == 0 { signed(keys(m).count()) } else { 0 }),
        ("KEYS", [pattern]) => Reply::Array(listed(m, db, pattern)),
        ("SCAN", [_, options @ ..]) => {
            let pattern = option(options, "MATCH").unwrap_or("*");
            // Everything in one go: the key space is a few hundred keys.
            Reply::Array(vec![Reply::Bulk("0".into()), Reply::Array(listed(m, db, pattern))])
        }
        ("EXISTS", names) if !names.is_empty() => {
            Reply::Int(signed(names.iter().filter(|k| lookup(m, db, k).is_some()).count()))
        }
        (
            "TYPE" | "TTL" | "PTTL" | "GET" | "HGETALL" | "HLEN" | "HKEYS" | "SCARD" | "SMEMBERS" | "ZCARD"
            | "LLEN",
            [key],
        ) => read(name, lookup(m, db, key)),
        ("HGET", [key, field]) => match lookup(m, db, key) {
            Some((Value::Hash(pairs), _)) => {
                pairs.into_iter().find(|(k, _)| k == field).map_or(Reply::Null, |(_, v)| Reply::Bulk(v))
            }
            Some(_) => wrong_type(),
            None => Reply::Null,
        },
        _ => return None,
    })
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
    // A flat array in both versions of the protocol, as the real server's.
    let pair = |c: &&str| [Reply::Bulk((*c).to_owned()), Reply::Int(subscribers(m, c))];
    Reply::Array(channels.iter().flat_map(pair).collect())
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
        ("HLEN", Some((Value::Hash(h), _))) => Reply::Int(signed(h.len())),
        ("SCARD", Some((Value::Set(s), _))) => Reply::Int(signed(s.len())),
        _ => wrong_type(),
    }
}

fn listed(m: &Model, db: u32, pattern: &str) -> Vec<Reply> {
    if db != 0 {
        return Vec::new();
    }
    keys(m).filter(|k| glob(pattern, k)).take(LISTED).map(Reply::Bulk).collect()
}
