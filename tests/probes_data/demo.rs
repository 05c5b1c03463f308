//! The demo's imitations, asked by the same probes as the real servers.

use crate::harness::look::{expect, look, look_with};
use quarterdeck::clock::SystemClock;
use quarterdeck::demo::{Demo, Options};
use quarterdeck::domain::health::Health::{Down, Unknown, Up};
use std::sync::{Arc, mpsc};

/// A demo on a thread of its own, as another program would be; it ends when the test does.
/// Its addresses are those that it prints.
fn start() -> (serde_json::Value, mpsc::Sender<()>) {
    let (tell, told) = mpsc::channel();
    let (stop, stopped) = mpsc::channel::<()>();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let options = Options { seed: 1, faults: Vec::new() };
            let demo = Demo::start(options, Arc::new(SystemClock::new())).await.unwrap();
            tell.send(serde_json::to_value(demo.addresses()).unwrap()).unwrap();
            let waiting = tokio::task::spawn_blocking(move || stopped.recv());
            let _ = waiting.await;
            demo.shutdown().await.unwrap();
        });
    });
    (told.recv().unwrap(), stop)
}

#[test]
fn the_demo_answers_as_the_real_servers_do() {
    let (addresses, _stop) = start();
    let at = |name: &str| addresses[name].as_str().unwrap().to_owned();
    let redis = format!("kind = 'redis'\naddress = '{}'\n", at("redis"));
    crate::harness::until("the demo's doors to open", || look(&redis).health == Up);
    let events =
        "command = ['CONFIG', 'GET', 'notify-keyspace-events']\nconditions = ['letters([VALUE]) == Ex']";
    expect(&look(&format!("{redis}{events}")), Up, "notify-keyspace-events");
    expect(
        &look(&format!("{redis}command = ['INFO']\nconditions = ['[INFO].connected_clients > 0']")),
        Up,
        "",
    );
    let postgres = format!("kind = 'postgres'\naddress = '{}'\n", at("postgres"));
    expect(&look(&postgres), Up, "accepts connections, asks for a password");
    let password = std::fs::read_to_string(at("postgres_password_file")).unwrap();
    let user = format!(
        "user = '{}'\ndatabase = '{}'\npassword = {{ secret = 'pw' }}\n",
        at("postgres_user"),
        at("postgres_database")
    );
    let query = format!("{postgres}{user}query = 'select count(*) from users'\nconditions = ['[VALUE] > 0']");
    expect(&look_with(&query, &[("pw", password.trim())]), Up, "");
    expect(&look_with(&query, &[("pw", "wrong")]), Unknown, "needs permission");
    let tor = format!("kind = 'tor'\naddress = '{}'\n", at("tor_control"));
    expect(&look(&format!("{tor}cookie = '{}'", at("tor_cookie"))), Up, "bootstrap");
    expect(&look(&tor), Unknown, "needs to log in");
    let socket = |name: &str| {
        format!(
            "kind = 'unix-json'\npath = '{}/{name}.sock'\nrequest = '{{\"command\":\"status\",\"target\":\"all\"}}'\n",
            at("run_dir")
        )
    };
    expect(&look(&format!("{}conditions = ['[BODY].status == ok']", socket("master"))), Up, "status ok");
    expect(&look(&socket("no-such-service")), Down, "no socket at");
}
