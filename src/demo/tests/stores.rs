//! Redis and `PostgreSQL`, asked by the client crates the program uses.

use super::*;

#[tokio::test]
async fn the_redis_crate_talks_to_it() {
    let (demo, clock) = start(&[]).await;
    for protocol in ["", "?protocol=resp3"] {
        let client = redis::Client::open(format!("redis://{}/{protocol}", demo.addresses.redis)).unwrap();
        let mut c = client.get_multiplexed_async_connection().await.unwrap();
        let pong: String = redis::cmd("PING").query_async(&mut c).await.unwrap();
        assert_eq!(pong, "PONG");
        let events: std::collections::HashMap<String, String> =
            redis::cmd("CONFIG").arg("GET").arg("notify-keyspace-events").query_async(&mut c).await.unwrap();
        assert_eq!(events["notify-keyspace-events"], "xE");
        let free: usize = redis::cmd("SCARD").arg("vpn:ipam:pool:vpn").query_async(&mut c).await.unwrap();
        let used: usize = redis::cmd("HLEN").arg("vpn:ipam:map").query_async(&mut c).await.unwrap();
        assert_eq!(free + used, 253);
        let keys: Vec<String> = redis::cmd("KEYS").arg("vpn:session:*:hb").query_async(&mut c).await.unwrap();
        let ttl: i64 = redis::cmd("TTL").arg(&keys[0]).query_async(&mut c).await.unwrap();
        assert!((1..=90).contains(&ttl), "{ttl}");
        let session = keys[0].trim_end_matches(":hb");
        let hash: std::collections::HashMap<String, String> =
            redis::cmd("HGETALL").arg(session).query_async(&mut c).await.unwrap();
        assert_eq!(hash["state"], "online");
        let info: String = redis::cmd("INFO").arg("server").query_async(&mut c).await.unwrap();
        assert!(info.contains("redis_version:7"), "{info}");
        let unknown: redis::RedisResult<String> = redis::cmd("FLUSHALL").query_async(&mut c).await;
        assert!(unknown.unwrap_err().to_string().contains("unknown command"));
    }
    // A Redis that comes back alone serves, and has nobody listening.
    demo.set_fault("redis-down", true).unwrap();
    refused(demo.addresses.redis).await;
    demo.set_fault("redis-down", false).unwrap();
    clock.forward(2);
    demo.faults();
    until(|| async { TcpStream::connect(demo.addresses.redis).await.is_ok() }).await;
    let client = redis::Client::open(format!("redis://{}/", demo.addresses.redis)).unwrap();
    let mut c = client.get_multiplexed_async_connection().await.unwrap();
    let subscribers: (String, i64) =
        redis::cmd("PUBSUB").arg("NUMSUB").arg("__keyevent@0__:expired").query_async(&mut c).await.unwrap();
    assert_eq!(subscribers.1, 0);
}

#[tokio::test]
async fn tokio_postgres_talks_to_it() {
    let (demo, _) = start(&[]).await;
    let address = demo.addresses.postgres;
    let password = std::fs::read_to_string(&demo.addresses.postgres_password_file).unwrap();
    let connect = async |user: &str, password: &str, database: &str| {
        let mut config = tokio_postgres::Config::new();
        config.host("127.0.0.1").port(address.port()).user(user).password(password).dbname(database);
        config.connect(tokio_postgres::NoTls).await
    };
    until(|| async { TcpStream::connect(address).await.is_ok() }).await;
    for (user, password, database, code) in [
        ("tornado_db_user", "wrong", "tornadodb", "28P01"),
        ("tornado_db_user", "", "tornadodb", "28P01"),
        ("somebody", password.trim(), "tornadodb", "28P01"),
        ("tornado_db_user", password.trim(), "nothing", "3D000"),
    ] {
        let error = connect(user, password, database).await.err().unwrap();
        assert_eq!(error.code().map(tokio_postgres::error::SqlState::code), Some(code), "{user} {database}");
    }
    let (client, connection) = connect("tornado_db_user", password.trim(), "tornadodb").await.unwrap();
    tokio::spawn(connection);
    let one: i32 = client.query_one("SELECT 1", &[]).await.unwrap().get(0);
    assert_eq!(one, 1);
    let live: i64 = client
        .query_one("select count(*) from vpn_session_history where ended_at IS NULL;", &[])
        .await
        .unwrap()
        .get(0);
    assert_eq!(live as usize, demo.handle.with(|m| m.clients.sessions().count()));
    let rows = client.simple_query("select count(*) from wg_sessions").await.unwrap();
    assert!(matches!(&rows[1], tokio_postgres::SimpleQueryMessage::Row(r) if r.get(0) == Some("0")));
    for (sql, code) in [
        ("select frobnicate", "42601"),
        ("select count(*) from nowhere", "42P01"),
        ("drop table users", "42501"),
    ] {
        for error in [client.simple_query(sql).await.unwrap_err(), client.query(sql, &[]).await.unwrap_err()]
        {
            assert_eq!(error.code().map(tokio_postgres::error::SqlState::code), Some(code), "{sql}");
        }
    }
    let still: i32 = client.query_one("select 1", &[]).await.unwrap().get(0);
    assert_eq!(still, 1, "an error does not end the session");
}
