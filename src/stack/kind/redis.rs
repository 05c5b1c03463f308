//! `kind = "redis"`: one reading command and its reply.

use super::common::{Endpoint, Tls};
use crate::domain::fact::{FactDecl, FactType};
use crate::domain::id::SecretId;
use crate::domain::text;
use crate::domain::units::Unit;
use crate::stack::decode::Table;

#[derive(Clone, Debug)]
pub struct Spec {
    pub address: Endpoint,
    pub command: Vec<String>,
    /// ACL user; the default user otherwise.
    pub user: Option<String>,
    pub password: Option<SecretId>,
    pub db: i64,
    pub tls: Option<Tls>,
}

pub const FACTS: &[FactDecl] = &[
    FactDecl { name: "REPLY", ty: FactType::Json, doc: "the reply as JSON" },
    FactDecl {
        name: "VALUE",
        ty: FactType::Text,
        doc: "the reply as text when it is one value; the second of a pair, as CONFIG GET gives",
    },
    FactDecl {
        name: "PAIRS",
        ty: FactType::Json,
        doc: "names and values: CONFIG GET, PUBSUB NUMSUB, HGETALL",
    },
    FactDecl { name: "INFO", ty: FactType::Json, doc: "the fields of an INFO reply, numbers as numbers" },
    FactDecl {
        name: "LATENCY",
        ty: FactType::Number(Unit::Seconds),
        doc: "connecting, logging in and the command together",
    },
];

/// What may be asked: commands that read, and of those with subcommands the ones that read.
/// A probe must not be able to change what it looks at.
const READS: &[(&str, &[&str])] = &[
    ("ACL", &["CAT", "USERS", "WHOAMI"]),
    ("BITCOUNT", &[]),
    ("CLIENT", &["GETNAME", "ID", "INFO", "LIST"]),
    ("CLUSTER", &["COUNTKEYSINSLOT", "INFO", "KEYSLOT", "LINKS", "MYID", "NODES", "SHARDS", "SLOTS"]),
    ("COMMAND", &["COUNT", "DOCS", "INFO", "LIST"]),
    ("CONFIG", &["GET"]),
    ("DBSIZE", &[]),
    ("ECHO", &[]),
    ("EXISTS", &[]),
    ("EXPIRETIME", &[]),
    ("FUNCTION", &["LIST", "STATS"]),
    ("GET", &[]),
    ("GETBIT", &[]),
    ("GETRANGE", &[]),
    ("HEXISTS", &[]),
    ("HGET", &[]),
    ("HGETALL", &[]),
    ("HKEYS", &[]),
    ("HLEN", &[]),
    ("HMGET", &[]),
    ("HSCAN", &[]),
    ("HSTRLEN", &[]),
    ("HVALS", &[]),
    ("INFO", &[]),
    ("KEYS", &[]),
    ("LASTSAVE", &[]),
    ("LATENCY", &["DOCTOR", "HISTOGRAM", "HISTORY", "LATEST"]),
    ("LINDEX", &[]),
    ("LLEN", &[]),
    ("LRANGE", &[]),
    ("MEMORY", &["DOCTOR", "STATS", "USAGE"]),
    ("MGET", &[]),
    ("MODULE", &["LIST"]),
    ("OBJECT", &["ENCODING", "FREQ", "IDLETIME", "REFCOUNT"]),
    ("PEXPIRETIME", &[]),
    ("PING", &[]),
    ("PTTL", &[]),
    ("PUBSUB", &["CHANNELS", "NUMPAT", "NUMSUB", "SHARDCHANNELS", "SHARDNUMSUB"]),
    ("ROLE", &[]),
    ("SCAN", &[]),
    ("SCARD", &[]),
    ("SCRIPT", &["EXISTS"]),
    (
        "SENTINEL",
        &["CKQUORUM", "GET-MASTER-ADDR-BY-NAME", "MASTER", "MASTERS", "MYID", "REPLICAS", "SENTINELS"],
    ),
    ("SISMEMBER", &[]),
    ("SLOWLOG", &["GET", "LEN"]),
    ("SMEMBERS", &[]),
    ("SMISMEMBER", &[]),
    ("SSCAN", &[]),
    ("STRLEN", &[]),
    ("TIME", &[]),
    ("TTL", &[]),
    ("TYPE", &[]),
    ("XINFO", &["CONSUMERS", "GROUPS", "STREAM"]),
    ("XLEN", &[]),
    ("XPENDING", &[]),
    ("XRANGE", &[]),
    ("XREVRANGE", &[]),
    ("ZCARD", &[]),
    ("ZCOUNT", &[]),
    ("ZMSCORE", &[]),
    ("ZRANGE", &[]),
    ("ZRANGEBYSCORE", &[]),
    ("ZRANK", &[]),
    ("ZREVRANGE", &[]),
    ("ZSCAN", &[]),
    ("ZSCORE", &[]),
];

impl Spec {
    pub fn decode(t: &Table<'_>) -> Option<Spec> {
        let address = Endpoint::decode_or_local(t, "address", 6379);
        let command = if t.has("command") { t.argv("command") } else { Some(vec!["PING".to_owned()]) };
        let command = command.filter(|command| match refused(command) {
            Some((problem, help)) => {
                t.reader.error(t.span_of("command"), problem, Some(help));
                false
            }
            None => true,
        });
        if command.as_ref().is_some_and(|c| c.first().is_some_and(|w| w.eq_ignore_ascii_case("KEYS"))) {
            let help = "use SCAN, or a key that the service counts in".to_owned();
            t.reader.warning(
                t.span_of("command"),
                "KEYS stops the server while it walks every key",
                Some(help),
            );
        }
        let user = t.str("user").map(|s| s.value);
        let password = t.secret("password");
        if user.is_some() && !t.has("password") {
            t.reader.error(t.span_of("user"), "`user` needs a `password`", None);
        }
        let db = t.int_or("db", 0, 0..=65_535);
        let tls = Tls::decode(t);
        Some(Spec { address: address?, command: command?, user, password, db, tls })
    }

    pub fn target(&self) -> String {
        let db = if self.db == 0 { String::new() } else { format!("/{}", self.db) };
        format!("{}{db} {}", self.address, self.command.join(" "))
    }

    pub fn endpoint(&self) -> Option<Endpoint> {
        Some(self.address.clone())
    }

    pub fn default_conditions(&self) -> Vec<String> {
        if self.is("PING") && self.command.len() == 1 { vec!["[VALUE] == PONG".into()] } else { Vec::new() }
    }

    /// Whether the command is this one, in any case.
    pub fn is(&self, name: &str) -> bool {
        self.command.first().is_some_and(|word| word.eq_ignore_ascii_case(name))
    }
}

/// Whether a command is known to change nothing.
pub fn only_reads(command: &[String]) -> bool {
    !command.is_empty() && refused(command).is_none()
}

/// Why a command may not be asked, and what may.
fn refused(command: &[String]) -> Option<(String, String)> {
    let name = command.first()?.to_uppercase();
    let Some((_, subcommands)) = READS.iter().find(|(read, _)| *read == name) else {
        let near = text::nearest(&name, READS.iter().map(|(read, _)| *read));
        let help = near.map_or_else(
            || "such as PING, INFO, GET or CONFIG GET".to_owned(),
            |n| format!("did you mean {n}?"),
        );
        let shown = text::one_line(&name, 40);
        return Some((format!("a probe only reads, and {shown} is not one of the commands known to"), help));
    };
    let second = command.get(1).map(|word| word.to_uppercase()).unwrap_or_default();
    if subcommands.is_empty() || subcommands.contains(&second.as_str()) {
        return None;
    }
    let shown = text::one_line(&second, 40);
    let problem = format!("a probe only reads, and {name} {shown} is not one of the commands known to");
    Some((problem, format!("{name} takes {} here", subcommands.join(", "))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_reading_commands_are_let_through() {
        let table = [
            ("ping", true),
            ("CONFIG GET notify-keyspace-events", true),
            ("pubsub numsub a", true),
            ("CONFIG SET a b", false),
            ("CONFIG", false),
            ("FLUSHALL", false),
            ("EVAL x", false),
            ("CLIENT KILL 1", false),
            ("DEBUG SLEEP 9", false),
        ];
        for (line, allowed) in table {
            let command: Vec<String> = line.split(' ').map(str::to_owned).collect();
            assert_eq!(refused(&command).is_none(), allowed, "{line}");
        }
    }
}
