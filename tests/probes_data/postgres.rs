//! `postgres` against a real server, with `pg_isready` as the judge of "accepts connections", and
//! against peers that are none.

use crate::harness::look::{expect, look, look_with, probe};
use crate::harness::{Server, as_user, certs, fake, free_port, need};
use quarterdeck::domain::health::Health::{Down, Unknown, Up};
use quarterdeck::domain::observation::Reading;
use rustix::process::Signal;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

struct Postgres {
    server: Server,
    port: u16,
    dir: tempfile::TempDir,
    ca: PathBuf,
}

/// Everybody needs a password over TCP but `trusty`; `outsider` is let in from nowhere.
const HBA: &str = "local all all trust\nhost all outsider all reject\nhost all trusty all trust\n\
                   host all old all md5\nhost all all all scram-sha-256\n";

fn run(command: &mut Command) {
    let output = command.stdin(Stdio::null()).output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}

fn start() -> Option<Postgres> {
    let initdb = need("initdb", "postgresql")?;
    let postgres = need("postgres", "postgresql")?;
    need("pg_isready", "postgresql-client")?;
    let dir = tempfile::tempdir().unwrap();
    let files = certs::issue(dir.path(), &["127.0.0.1"]);
    let data = dir.path().join("d");
    if crate::harness::is_root() {
        run(Command::new("chown").args(["-R", "postgres"]).arg(dir.path()));
    }
    let init = ["-U", "postgres", "-A", "trust", "-N", "-E", "UTF8", "--no-instructions", "--locale=C", "-D"];
    run(as_user("postgres", &initdb).args(init).arg(&data));
    std::fs::write(data.join("pg_hba.conf"), HBA).unwrap();
    let port = free_port();
    let socket_dir = format!("unix_socket_directories={}", dir.path().display());
    let settings = [
        "listen_addresses=127.0.0.1".to_owned(),
        socket_dir,
        format!("port={port}"),
        "fsync=off".to_owned(),
        "ssl=on".to_owned(),
        format!("ssl_cert_file={}", files.cert.display()),
        format!("ssl_key_file={}", files.key.display()),
    ];
    let mut command = as_user("postgres", &postgres);
    command.arg("-D").arg(&data).args(settings.iter().flat_map(|s| ["-c", s]));
    let log = std::fs::File::create(dir.path().join("log")).unwrap();
    command.stdout(Stdio::null()).stderr(log);
    // INT is the fast shutdown: it leaves no shared memory behind.
    let server = Server::start(&mut command, || is_ready(port) == Some(0)).stopped_by(Signal::INT);
    Some(Postgres { server, port, ca: files.ca, dir })
}

/// The exit status of `pg_isready`: 0 accepts, 1 rejects, 2 no answer.
fn is_ready(port: u16) -> Option<i32> {
    let mut command = Command::new("pg_isready");
    command.args(["-q", "-t", "2", "-h", "127.0.0.1", "-p"]).arg(port.to_string());
    // As the first question, not after asking for encryption.
    command.env("PGSSLMODE", "disable").env("PGGSSENCMODE", "disable").status().unwrap().code()
}

fn psql(postgres: &Postgres) -> Command {
    let mut command = Command::new("psql");
    command.args(["-qX", "-U", "postgres", "-v", "ON_ERROR_STOP=1", "-h"]).arg(postgres.dir.path());
    command.arg("-p").arg(postgres.port.to_string());
    command
}

fn keys(port: u16, more: &str) -> String {
    format!("kind = \"postgres\"\naddress = \"127.0.0.1:{port}\"\n{more}")
}

/// As `ops` with a password; the rest of the keys follow.
fn as_ops(port: u16, password: &str, more: &str) -> Reading {
    let more = format!("user = 'ops'\npassword = {{ secret = 'pw' }}\ndatabase = 'postgres'\n{more}");
    look_with(&keys(port, &more), &[("pw", password)])
}

#[test]
fn a_real_server_through_its_life() {
    let Some(postgres) = start() else { return };
    run(psql(&postgres).args([
        "-c",
        "create role ops login password 'opspw'; create role trusty login; create role outsider login;
         set password_encryption = md5; create role old login password 'oldpw';
         create table secret (a int); create table things (name text, n int);
         insert into things values ('one', 1), ('two', null); grant select on things to public;",
    ]));
    knocking_needs_no_rights(&postgres);
    logging_in_is_checked(&postgres);
    queries_give_rows(&postgres);
    queries_cannot_change_anything(&postgres);
    no_session_is_left_behind(&postgres);
    queries_that_go_wrong_say_how(&postgres);
    tls_is_spoken_when_asked_for(&postgres);
    frozen_and_shutting_down(postgres);
}

fn knocking_needs_no_rights(postgres: &Postgres) {
    assert_eq!(is_ready(postgres.port), Some(0));
    let table = [
        ("", "not tried", "accepts connections, asks for a password (SCRAM)"),
        ("user = 'old'", "not tried", "asks for a password (MD5)"),
        ("user = 'nobody'", "not tried", "asks for a password"),
        ("user = 'trusty'\ndatabase = 'postgres'", "ok", "accepts connections, without a password"),
        ("user = 'trusty'\ndatabase = 'absent'", "ok", "accepts connections, without a password"),
        ("user = 'outsider'", "refused", "pg_hba.conf rejects connection"),
    ];
    for (more, auth, want) in table {
        let condition = format!("conditions = ['[ACCEPTING] == true', '[AUTH] == \"{auth}\"']");
        expect(&look(&keys(postgres.port, &format!("{more}\n{condition}"))), Up, want);
        expect(&look(&keys(postgres.port, more)), Up, want);
    }
    let socket = format!("{}/.s.PGSQL.{}", postgres.dir.path().display(), postgres.port);
    expect(&look(&format!("kind = 'postgres'\naddress = '{socket}'")), Up, "without a password");
    let absent = format!("no socket at {}/.s.PGSQL.5432", postgres.dir.path().display());
    expect(
        &look(&format!("kind = 'postgres'\naddress = '{}'", postgres.dir.path().display())),
        Down,
        &absent,
    );
}

fn logging_in_is_checked(postgres: &Postgres) {
    expect(&as_ops(postgres.port, "opspw", ""), Up, "accepts connections, ops logged in");
    let md5 = keys(postgres.port, "user = 'old'\ndatabase = 'postgres'\npassword = { secret = 'pw' }");
    expect(&look_with(&md5, &[("pw", "oldpw")]), Up, "old logged in");
    let wrong = as_ops(postgres.port, "hunter2", "");
    expect(&wrong, Unknown, "needs permission: password authentication failed for user \"ops\"");
    assert!(!format!("{wrong:?}").contains("hunter2"));
    let accepting = as_ops(postgres.port, "hunter2", "conditions = ['[ACCEPTING] == true']");
    expect(&accepting, Up, "needs permission");
    let value = as_ops(postgres.port, "hunter2", "query = 'select 1'\nconditions = ['[VALUE] == 1']");
    expect(&value, Unknown, "needs permission");
    let without = look(&keys(postgres.port, "user = 'ops'\nquery = 'select 1'"));
    expect(&without, Unknown, "needs a password for ops: the server asks for one");
}

fn queries_give_rows(postgres: &Postgres) {
    let ask = |query: &str, conditions: &str| {
        as_ops(postgres.port, "opspw", &format!("query = \"\"\"{query}\"\"\"\n{conditions}"))
    };
    let table = [
        ("select 42", "conditions = ['[VALUE] == 42', '[COUNT] == 1']", "42"),
        (
            "select * from things order by n;",
            "conditions = ['[ROWS][0].n == 1', '[ROWS][1].n == null']",
            "2 rows",
        ),
        ("select * from things where n > 9", "conditions = ['[COUNT] == 0', '[VALUE] == null']", "0 rows"),
        ("select null", "conditions = ['[COUNT] == 1', '[VALUE] == null']", "1 rows"),
        ("show transaction_read_only", "conditions = ['[VALUE] == on']", "on"),
        ("show application_name", "", "quarterdeck"),
        ("show statement_timeout", "", "2s"),
        ("select n from generate_series(1, 1000) n", "conditions = ['[COUNT] == 1000']", "1000 rows"),
    ];
    for (query, conditions, want) in table {
        expect(&ask(query, conditions), Up, want);
    }
    expect(&ask("select 42", "conditions = ['[VALUE] > 50']"), Down, "expected value > 50, got 42");
}

fn queries_that_go_wrong_say_how(postgres: &Postgres) {
    let ask = |query: &str, more: &str| {
        as_ops(postgres.port, "opspw", &format!("query = \"\"\"{query}\"\"\"\n{more}"))
    };
    expect(&ask("select generate_series(1, 1001)", ""), Unknown, "more than 1000 rows");
    expect(&ask("select repeat('x', 2000000)", ""), Down, "expected a reply of at most 1MiB, got more");
    expect(&ask("select * from absent", ""), Down, "relation \"absent\" does not exist (42P01)");
    expect(&ask("select * from secret", ""), Unknown, "needs permission: permission denied for table secret");
    expect(&ask("select pg_sleep(9)", "timeout = '400ms'"), Down, "400ms");
}

fn queries_cannot_change_anything(postgres: &Postgres) {
    let socket = format!("{}/.s.PGSQL.{}", postgres.dir.path().display(), postgres.port);
    for query in ["insert into things values ('x', 1)", "drop table things", "create role r superuser"] {
        let more = format!("user = 'postgres'\nquery = \"{query}\"");
        let reading = look(&format!("kind = 'postgres'\naddress = '{socket}'\n{more}"));
        expect(&reading, Down, "in a read-only transaction");
    }
}

fn tls_is_spoken_when_asked_for(postgres: &Postgres) {
    let tls = format!("tls = {{ ca = '{}' }}\n", postgres.ca.display());
    expect(&look(&keys(postgres.port, &tls)), Up, "asks for a password (SCRAM)");
    let query = "query = 'select ssl from pg_stat_ssl where pid = pg_backend_pid()'";
    expect(&as_ops(postgres.port, "opspw", &format!("{tls}{query}\nconditions = ['[VALUE] == t']")), Up, "t");
    let other = format!("tls = {{ ca = '{}', server_name = 'other.example' }}", postgres.ca.display());
    expect(&look(&keys(postgres.port, &other)), Down, "expected a certificate for other.example");
    let address = fake::tcp(fake::say("N"));
    expect(&look(&keys(address.port(), &tls)), Down, "expected TLS, got a server that has none");
}

/// The server's log must not fill with broken connections, one for every poll.
fn no_session_is_left_behind(postgres: &Postgres) {
    let sessions = "select count(*) from pg_stat_activity where application_name = 'quarterdeck'";
    crate::harness::until("our sessions to end", || {
        psql(postgres).args(["-At", "-c", sessions]).output().unwrap().stdout == b"0\n"
    });
    let log = std::fs::read_to_string(postgres.dir.path().join("log")).unwrap();
    let broken: Vec<&str> = log.lines().filter(|l| l.contains("EOF") || l.contains("reset")).collect();
    assert!(broken.is_empty(), "{broken:#?}");
}

fn frozen_and_shutting_down(postgres: Postgres) {
    postgres.server.signal(Signal::STOP);
    let frozen = look(&keys(postgres.port, "timeout = '500ms'"));
    expect(&frozen, Down, "got silence after connecting");
    postgres.server.signal(Signal::CONT);
    // A smart shutdown waits for its clients, and takes no new ones meanwhile.
    let mut client = psql(&postgres);
    client.args(["-c", "select pg_sleep(600)"]).stdout(Stdio::null()).stderr(Stdio::null());
    let client = Server::start(&mut client, || {
        let ask = "select count(*) from pg_stat_activity where state = 'active' and query like 'select pg_sleep(600%'";
        let output = psql(&postgres).args(["-At", "-c", ask]).output().unwrap();
        output.stdout == b"1\n"
    });
    postgres.server.signal(Signal::TERM);
    crate::harness::until("the shutdown to begin", || is_ready(postgres.port) == Some(1));
    expect(&look(&keys(postgres.port, "")), Down, "the database system is shutting down");
    expect(
        &as_ops(postgres.port, "opspw", "query = 'select 1'"),
        Down,
        "the database system is shutting down",
    );
    let Postgres { server, port, .. } = postgres;
    drop(client);
    drop(server);
    assert_eq!(is_ready(port), Some(2));
    expect(&look(&keys(port, "")), Down, &format!("connection refused by 127.0.0.1:{port}"));
}

fn error(code: &str, message: &str) -> Vec<u8> {
    let body = format!("SFATAL\0VFATAL\0C{code}\0M{message}\0\0");
    let mut bytes = vec![b'E'];
    bytes.extend((body.len() as u32 + 4).to_be_bytes());
    bytes.extend(body.into_bytes());
    bytes
}

#[test]
fn a_server_that_starts_up_is_down_and_a_full_one_accepts_as_pg_isready_has_it() {
    if need("pg_isready", "postgresql-client").is_none() {
        return;
    }
    let table = [
        ("57P03", "the database system is starting up", Some(1), Down),
        ("53300", "sorry, too many clients already", Some(0), Up),
        ("28000", "no pg_hba.conf entry", Some(0), Up),
        ("3D000", "database \"x\" does not exist", Some(0), Up),
    ];
    for (code, message, isready, health) in table {
        let address = fake::tcp(fake::say_and_close(error(code, message)));
        assert_eq!(is_ready(address.port()), isready, "{code}");
        expect(&look(&keys(address.port(), "")), health, message);
        let with_query = look(&keys(address.port(), "query = 'select 1'"));
        assert_ne!(with_query.health, Up, "{code}: {}", with_query.reason);
    }
    let old = fake::tcp(fake::say_and_close("Ecould not fork new process for connection\n\0"));
    expect(&look(&keys(old.port(), "")), Down, "got: could not fork new process for connection");
}

#[test]
fn what_is_no_postgres_is_down_and_quoted() {
    let table: [(&[u8], &str); 5] = [
        (
            b"HTTP/1.1 400 Bad Request\r\n\r\n",
            "expected a PostgreSQL server, got \"HTTP/1.1 400 Bad Request\"",
        ),
        (b"R\x7f\xff\xff\xff", "claims to be 2147483647 bytes long"),
        (b"R\0\0", "expected a whole reply, got a closed connection after 3B"),
        (b"R\0\0\0\x04", "cut short"),
        (b"", "expected a reply, got a closed connection"),
    ];
    for (answer, want) in table {
        let address = fake::tcp(fake::say_and_close(answer.to_vec()));
        expect(&look(&keys(address.port(), "")), Down, want);
        let with_query = look(&keys(address.port(), "query = 'select 1'"));
        expect(&with_query, Down, "expected a");
    }
}

#[test]
fn no_announcement_makes_it_hold_more_than_its_bound() {
    let hello = [&b"R\0\0\0\x08\0\0\0\0"[..], b"Z\0\0\0\x05I"].concat();
    let row_of_a_gigabyte = [&hello[..], b"D\x40\0\0\0\0\x01\x3f\xff\xff\xff"].concat();
    let notices = b"N\0\0\0\x0cSNOTICE\0";
    let table: [(Vec<u8>, &'static [u8], &str); 3] = [
        (row_of_a_gigabyte, b"x", "query = 'select 1'\n"),
        (Vec::new(), notices, "query = 'select 1'\n"),
        (Vec::new(), notices, ""),
    ];
    for (head, rest, more) in table {
        let address = fake::tcp(fake::flood(head, rest));
        let reading = look(&keys(address.port(), &format!("{more}timeout = '20s'")));
        expect(&reading, Down, "expected a");
        assert!(reading.latency.unwrap() < Duration::from_secs(15), "{:?}", reading.latency);
    }
}

#[test]
fn slow_dripping_and_swallowed_are_told_apart() {
    let welcome = b"R\0\0\0\x08\0\0\0\0";
    let slow = fake::tcp(fake::say_after(Duration::from_millis(300), *welcome));
    expect(&look(&keys(slow.port(), "")), Up, "accepts connections");
    let drip = fake::tcp(fake::drip(*welcome));
    expect(&look(&keys(drip.port(), "timeout = '1500ms'")), Down, "within 1.5s");
    let hole = fake::black_hole();
    let reading = look(&keys(hole.address.port(), "timeout = '500ms'"));
    expect(&reading, Unknown, "unreachable from here");
}

#[test]
fn the_keys_are_checked_when_the_file_is_loaded() {
    let table = [
        ("query = 'select 1; drop table t'", "expects one statement, got several"),
        ("query = ' ; '", "expects a statement"),
        ("password = 'x'", "is a secret"),
        ("user = ''", "`user` expects a name"),
        ("dbname = 'x'", "unknown key `dbname`"),
    ];
    for (more, want) in table {
        let problems = probe(&keys(1, more)).unwrap_err();
        assert!(problems.contains(want), "{problems}");
    }
    assert!(probe("kind = 'postgres'\naddress = '/run/postgresql'").is_ok());
}
