//! The tools as a program's caller sees them: argv in, text and exit status out, over the real socket.

use std::path::PathBuf;

use crate::demo::tests::start;
use crate::demo::{Demo, tool};

async fn run(demo: &Demo, line: &str) -> (String, String, u8) {
    let socket = PathBuf::from(&demo.addresses().bin_dir).join(tool::SOCKET);
    let argv: Vec<String> = line.split(' ').map(str::to_owned).collect();
    tokio::task::spawn_blocking(move || {
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let code = tool::ask(&socket, &argv, None, &mut out, &mut err).unwrap();
        (String::from_utf8(out).unwrap(), String::from_utf8(err).unwrap(), code)
    })
    .await
    .unwrap()
}

#[tokio::test]
async fn systemctl_show_prints_blocks_of_properties() {
    let (demo, _clock) = start(&["nginx-down"]).await;
    let (out, _, code) = run(
        &demo,
        "systemctl show --no-pager -p Id,LoadState --property=ActiveState,SubState tornado nginx nope",
    )
    .await;
    assert_eq!(code, 0);
    assert_eq!(
        out,
        "Id=tornado.service\nLoadState=loaded\nActiveState=active\nSubState=running\n\n\
         Id=nginx.service\nLoadState=loaded\nActiveState=failed\nSubState=failed\n\n\
         Id=nope.service\nLoadState=not-found\nActiveState=inactive\nSubState=dead\n"
    );
    let (out, ..) = run(&demo, "systemctl show -p Id *").await;
    assert_eq!(out.lines().filter(|l| l.starts_with("Id=")).count(), 8);
    let (out, ..) = run(&demo, "systemctl show --timestamp=unix -P ActiveEnterTimestamp tornado").await;
    assert!(out.starts_with('@') && out.trim()[1..].parse::<i64>().is_ok(), "{out}");
    let (out, ..) = run(&demo, "systemctl show --timestamp=us+utc -pActiveEnterTimestamp tornado").await;
    assert!(out.trim().ends_with(" UTC") && out.contains('.'), "{out}");
}

#[tokio::test]
async fn systemctl_has_systemds_exit_codes() {
    let (demo, _clock) = start(&["nginx-down"]).await;
    for (line, code) in [
        ("systemctl is-active tornado", 0),
        ("systemctl is-active nginx", 3),
        ("systemctl status tornado", 0),
        ("systemctl status nginx", 3),
        ("systemctl status nope", 4),
        ("systemctl restart nope", 5),
        ("systemctl start nginx", 1),
        ("systemctl reload tornado", 1),
        ("systemctl frobnicate", 1),
        ("systemctl --frobnicate", 1),
    ] {
        let (out, err, got) = run(&demo, line).await;
        assert_eq!(got, code, "{line}: {out}{err}");
    }
}

#[tokio::test]
async fn a_restart_is_waited_for() {
    let (demo, clock) = start(&[]).await;
    let handle = demo.handle();
    let ((_, _, code), ()) = tokio::join!(run(&demo, "systemctl restart redis-server"), async {
        crate::demo::tests::until(|| async {
            clock.forward(1);
            handle.with(|m| m.redis.since > crate::demo::model::UPTIME)
        })
        .await;
    });
    assert_eq!(code, 0);
    assert!(handle.with(|m| !m.redis.keyspace_events), "nobody listens any more");
}

#[tokio::test]
async fn wg_prints_the_real_formats() {
    let (demo, _clock) = start(&[]).await;
    let peers = demo.handle().summary().peers;
    let (out, ..) = run(&demo, "wg show interfaces").await;
    assert_eq!(out, "wg0 wg1\n");
    let (out, ..) = run(&demo, "wg show all dump").await;
    assert_eq!(out.lines().count(), 2 + 2 * peers);
    for line in out.lines() {
        let columns: Vec<&str> = line.split('\t').collect();
        assert!(columns.len() == 5 || columns.len() == 9, "{line}");
        assert_eq!(columns[1].len(), 44, "{line}");
    }
    let (out, ..) = run(&demo, "wg show wg0 dump").await;
    assert_eq!(out.lines().next().unwrap().split('\t').count(), 4);
    let (out, ..) = run(&demo, "wg show wg0 peers").await;
    assert_eq!(out.lines().count(), peers);
    demo.set_fault("wg1-missing", true).unwrap();
    let (_, err, code) = run(&demo, "wg show wg1 dump").await;
    assert_eq!((err.as_str(), code), ("Unable to access interface: No such device\n", 1));
    demo.set_fault("peers-dropped", true).unwrap();
    assert_eq!(run(&demo, "wg show wg0 peers").await.0, "");
}

#[tokio::test]
async fn journalctl_filters_and_prints_json() {
    let (demo, _clock) = start(&["redis-down"]).await;
    let (out, ..) = run(&demo, "journalctl -u redis-server -n 1 -o json --no-pager").await;
    let entry: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(entry["_SYSTEMD_UNIT"], "redis-server.service");
    assert!(entry["MESSAGE"].as_str().unwrap().contains("Failed"), "{entry}");
    assert!(entry["__REALTIME_TIMESTAMP"].as_str().unwrap().parse::<u64>().is_ok());
    let cursor = entry["__CURSOR"].as_str().unwrap();
    assert_eq!(run(&demo, &format!("journalctl -o json -u redis --after-cursor {cursor}")).await.0, "");
    assert_eq!(run(&demo, "journalctl -n many").await.2, 1);
    assert_eq!(run(&demo, "journalctl --since -10min -u nothing").await.0, "-- No entries --\n");
}

#[tokio::test]
async fn journalctl_follows() {
    use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
    let (demo, clock) = start(&["redis-down"]).await;
    let socket = PathBuf::from(&demo.addresses().bin_dir).join(tool::SOCKET);
    let mut stream = tokio::net::UnixStream::connect(socket).await.unwrap();
    stream.write_all(b"[\"journalctl\",\"-f\",\"-n1\",\"-u\",\"redis-server\",\"-ocat\"]\n").await.unwrap();
    let mut lines = BufReader::new(stream).lines();
    assert!(lines.next_line().await.unwrap().unwrap().contains("Failed"));
    demo.set_fault("redis-down", false).unwrap();
    clock.forward(2);
    assert!(lines.next_line().await.unwrap().unwrap().contains("Started redis-server.service"));
}

#[tokio::test]
async fn df_shows_a_full_disk() {
    let (demo, _clock) = start(&[]).await;
    let columns =
        |out: &str| out.lines().nth(1).unwrap().split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    let before = columns(&run(&demo, "df -PB1 /").await.0);
    assert_eq!(before[1], (40u64 << 30).to_string());
    assert_ne!(before[4], "100%");
    demo.set_fault("disk-full", true).unwrap();
    let full = columns(&run(&demo, "df -PB1 /").await.0);
    assert_eq!((full[3].as_str(), full[4].as_str()), ("0", "100%"));
}

#[tokio::test]
async fn a_unit_tells_one_start_from_the_next_and_nothing_else_changes_what_it_tells() {
    let (demo, clock) = start(&[]).await;
    let line = "systemctl show -p InvocationID,ActiveEnterTimestampMonotonic tornado";
    let (first, ..) = run(&demo, line).await;
    assert_eq!(first.lines().next().unwrap().len(), "InvocationID=".len() + 32, "{first}");
    clock.forward(3);
    assert_eq!(run(&demo, line).await.0, first);
    let handle = demo.handle();
    let ((_, _, code), ()) = tokio::join!(run(&demo, "systemctl restart tornado"), async {
        crate::demo::tests::until(|| async {
            clock.forward(1);
            handle.with(|m| m.tornado_since > crate::demo::model::UPTIME)
        })
        .await;
    });
    assert_eq!(code, 0);
    let (second, ..) = run(&demo, line).await;
    for (a, b) in first.lines().zip(second.lines()) {
        assert_ne!(a, b);
    }
}
