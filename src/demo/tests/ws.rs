//! The websockets, as a browser would use them.

use futures_util::{SinkExt as _, StreamExt as _};
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async};

use super::*;

type Socket = WebSocketStream<TcpStream>;

async fn open(base: &str, path: &str) -> Result<Socket, Error> {
    let stream = TcpStream::connect(host(base)).await.unwrap();
    let address = host(base);
    client_async(format!("ws://{address}{path}"), stream).await.map(|(socket, _)| socket)
}

/// The next message as JSON, answers to pings left out.
async fn next(socket: &mut Socket) -> Value {
    loop {
        let message = tokio::time::timeout(Duration::from_secs(10), socket.next()).await;
        match message.expect("a message in time").expect("an open socket").unwrap() {
            Message::Text(text) => return serde_json::from_str(&text).unwrap(),
            other => assert!(other.is_pong(), "{other:?}"),
        }
    }
}

#[tokio::test]
async fn live_figures_come_every_second_and_are_those_of_the_api() {
    let (demo, clock) = start(&[]).await;
    for base in [&demo.addresses.admin_api, &demo.addresses.edge] {
        let mut socket = open(base, "/ws/metrics/live").await.unwrap();
        let first = next(&mut socket).await;
        assert_eq!(first["type"], "live_metrics");
        for field in
            ["cpu_percent", "memory_percent", "disk_percent", "rx_kbps", "tx_kbps", "timestamp", "uptime_sec"]
        {
            assert!(first["data"][field].is_number(), "{field} in {first}");
        }
        socket.send(Message::Ping(b"x".to_vec().into())).await.unwrap();
        let before = first["data"]["uptime_sec"].as_u64().unwrap();
        clock.forward(7);
        let later = next(&mut socket).await;
        assert!(later["data"]["uptime_sec"].as_u64().unwrap() >= before + 7, "{first} {later}");
    }
}

#[tokio::test]
async fn the_dashboard_follows_sessions_until_its_subscriptions_are_dead() {
    let (demo, clock) = start(&[]).await;
    let mut socket = open(&demo.addresses.admin_api, "/ws/dashboard").await.unwrap();
    let first = next(&mut socket).await;
    assert_eq!(first["type"], "init");
    let summary = demo.handle().summary();
    assert_eq!(first["stats"]["online"], summary.sessions_online);
    assert_eq!(first["stats"]["total"], summary.sessions_online + summary.sessions_offline);
    clock.forward(300);
    let update = next(&mut socket).await;
    assert_eq!(update["type"], "stats_update");
    assert!(update["event"].as_str().unwrap().starts_with("session_"), "{update}");
    assert_ne!(update["stats"], first["stats"]);
    demo.handle.with(|m| m.unit_job(model::units::UnitId::Redis, model::units::Job::Restart));
    clock.forward(300);
    let silence = tokio::time::timeout(Duration::from_millis(2500), socket.next()).await;
    assert!(silence.is_err(), "nobody listens to Redis any more: {silence:?}");
}

#[tokio::test]
async fn sockets_close_with_their_process_and_plain_requests_find_nothing() {
    let (demo, _) = start(&[]).await;
    let base = &demo.addresses.admin_api;
    assert_eq!(get(base, "/ws/metrics/live").await.status, 404);
    let elsewhere = open(&demo.addresses.client_api, "/ws/metrics/live").await;
    assert!(matches!(elsewhere, Err(Error::Http(_))));
    let mut socket = open(base, "/ws/metrics/live").await.unwrap();
    next(&mut socket).await;
    demo.set_fault("admin-api-down", true).unwrap();
    until_closed(&mut socket).await;
    let refused = open(&demo.addresses.edge, "/ws/metrics/live").await;
    assert!(matches!(refused, Err(Error::Http(r)) if r.status() == StatusCode::BAD_GATEWAY));
}

async fn until_closed(socket: &mut Socket) {
    let closed = async { while let Some(Ok(_)) = socket.next().await {} };
    tokio::time::timeout(Duration::from_secs(10), closed).await.expect("the socket closes");
}
