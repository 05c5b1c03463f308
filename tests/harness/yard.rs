//! A small stack of real components in namespaces of their own: systemd with a journal, Redis,
//! `PostgreSQL`, nginx as the edge, an application behind it, `WireGuard`, and an nftables of its own.

use crate::host::{real, tool, wait_for};
use crate::operator::Operator;
use crate::systemd::Systemd;
use std::path::Path;
use std::process::{Command, Output, Stdio};

const PROGRAM: &str = env!("CARGO_BIN_EXE_quarterdeck");
/// The yard's stack file.
pub const STACK: &str = include_str!("../procedures/yard.toml");

/// Programs, and the packages that they come from.
const COMPONENTS: &[(&str, &str)] = &[
    ("systemd", "systemd"),
    ("redis-server", "redis-server"),
    ("redis-cli", "redis-tools"),
    ("pg_isready", "postgresql"),
    ("nginx", "nginx"),
    ("nft", "nftables"),
    ("wg", "wireguard-tools"),
    ("wireguard-go", "wireguard-go"),
    ("ip", "iproute2"),
    ("curl", "curl"),
];

/// What runs there. The application takes its key from a file and makes a new `WireGuard` key and drops every peer at each start,
/// and answers only a moment later, as the application that it stands for does.
pub struct Yard {
    // In this order: everything is killed, then its directory goes.
    systemd: Systemd,
    dir: tempfile::TempDir,
}

impl Yard {
    /// Up when this returns; `None` where a component is missing, which is said.
    pub fn here() -> Option<Yard> {
        real(COMPONENTS).then(Yard::open)
    }

    /// Up when this returns.
    pub fn open() -> Yard {
        let dir = tempfile::Builder::new().prefix("qd-yard-").tempdir().unwrap();
        let at = dir.path();
        let world = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(at, world).unwrap();
        lay_out(at);
        let units = units(at);
        let systemd = Systemd::boot_units(&units);
        let yard = Yard { systemd, dir };
        for unit in ["redis", "postgres", "wg", "app", "edge"] {
            yard.until_running(&format!("{unit}.service"));
        }
        wait_for("the edge", || yard.get("http://127.0.0.1:80/health").contains("ok").then_some(()));
        wait_for("PostgreSQL", || {
            yard.enter(&["pg_isready", "-q", "-h", "127.0.0.1"]).status.success().then_some(())
        });
        yard
    }

    /// Waits until a unit runs.
    pub fn until_running(&self, unit: &str) {
        wait_for(unit, || {
            (self.systemd.ctl(&["show", "--value", "-p", "SubState", unit]) == "running").then_some(())
        });
    }

    /// A command within, as root.
    pub fn command(&self, argv: &[&str]) -> Command {
        let mut command = Command::new("nsenter");
        command.args(["-t", &self.systemd.pid.to_string(), "-a", "--wd=/", "--"]).args(argv);
        command
    }

    /// Runs a command within to its end.
    pub fn enter(&self, argv: &[&str]) -> Output {
        self.command(argv).output().unwrap()
    }

    /// What a command within prints.
    pub fn read(&self, argv: &[&str]) -> String {
        String::from_utf8_lossy(&self.enter(argv).stdout).trim().to_owned()
    }

    /// The body that a URL answers within; empty when nothing does.
    pub fn get(&self, url: &str) -> String {
        self.read(&["curl", "-s", "-m", "2", url])
    }

    /// Its directory, by the same path within and without.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// Whoever acts on it, within, with a state directory of their own in the yard.
    pub fn operator(&self) -> Operator {
        self.operator_of("all", STACK)
    }

    /// The same with another stack and with a state directory that knows nothing yet.
    pub fn operator_of(&self, name: &str, stack: &str) -> Operator {
        let at = self.dir().join("operators").join(name);
        std::fs::create_dir_all(&at).unwrap();
        let config = at.join("config.toml");
        std::fs::write(at.join("stack.toml"), stack).unwrap();
        let text = format!(
            "stack = \"{at}/stack.toml\"\nstate_dir = \"{at}/state\"\n[vars]\ndir = \"{dir}\"\n\
             [hosts.vpn]\ntransport = \"local\"\npath = [\"{dir}/tools\"]\n",
            at = at.display(),
            dir = self.dir().display(),
        );
        std::fs::write(&config, text).unwrap();
        let pid = self.systemd.pid.to_string();
        Operator::new(move |args| {
            let mut command = Command::new("nsenter");
            command.args(["-t", &pid, "-a", "--wd=/", "--", PROGRAM, "--config"]).arg(&config).args(args);
            command.env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").env("LANG", "C.UTF-8");
            command.env("HOME", "/nonexistent").stdin(Stdio::null());
            command
        })
    }

    /// Runs lines of shell within, as root, with the functions of `yard.sh`.
    pub fn shell(&self, lines: &str) -> Output {
        let functions = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/harness/yard.sh");
        let at = format!("D={}", self.dir().display());
        self.enter(&["env", &at, "sh", "-c", &format!(". {functions}\n{lines}")])
    }

    /// The same, where they must succeed; gives what they print.
    #[track_caller]
    pub fn must(&self, lines: &str) -> String {
        let output = self.shell(lines);
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
        assert!(output.status.success(), "{lines}: {}{}", text(&output.stdout), text(&output.stderr));
        text(&output.stdout)
    }

    /// Puts all of it back as it was opened.
    #[track_caller]
    pub fn mend(&self) {
        self.must("mend");
    }
}

/// Files of the components.
fn lay_out(at: &Path) {
    let d = at.display();
    for dir in ["sites", "kept", "run", "keys", "tools", "pristine"] {
        std::fs::create_dir(at.join(dir)).unwrap();
    }
    let temp = |name: &str| {
        ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .map(|kind| format!(" {kind}_temp_path {d}/run/{name}-{kind};\n"))
            .concat()
    };
    let edge = format!(
        "pid {d}/run/edge.pid;\nerror_log {d}/run/edge.err;\nworker_processes 1;\nevents {{}}\nhttp {{\n access_log off;\n{} include {d}/sites/*;\n}}\n",
        temp("edge")
    );
    std::fs::write(at.join("edge.conf"), edge).unwrap();
    let site = "server { listen 80; location / { proxy_pass http://127.0.0.1:8000; } }\n";
    std::fs::write(at.join("sites/app"), site).unwrap();
    for file in ["edge.conf", "sites/app"] {
        let kept = at.join("pristine").join(file.rsplit('/').next().unwrap());
        std::fs::copy(at.join(file), kept).unwrap();
    }
    let app = format!(
        "daemon off;\npid {d}/run/app.pid;\nerror_log {d}/run/app.err;\nworker_processes 1;\nevents {{}}\nhttp {{\n access_log off;\n{} \
         server {{ listen 127.0.0.1:8000; listen 4605; default_type application/json; \
         location /admin {{ include {d}/run/key.conf; return 200 '{{\"admin\":true}}'; }} location / {{ return 200 '{{\"status\":\"ok\"}}'; }} }}\n}}\n",
        temp("app")
    );
    std::fs::write(at.join("app.conf"), app).unwrap();
    let start = format!(
        "set -e\numask 077\nwg genkey >{d}/keys/server\nwg set wg0 private-key {d}/keys/server listen-port 51820\n\
         for p in $(wg show wg0 peers); do wg set wg0 peer $p remove; done\n\
         [ -s {d}/keys/jwt ] || head -c 32 /dev/urandom | base64 >{d}/keys/jwt\n\
         printf 'if ($http_x_key != \"%s\") {{ return 401; }}\\n' \"$(cat {d}/keys/jwt)\" >{d}/run/key.conf\n\
         echo started >>{d}/run/starts\nsleep 0.3\nexec nginx -c {d}/app.conf\n"
    );
    tool(&at.join("run"), "app-start", &start);
    std::fs::create_dir(at.join("pg")).unwrap();
    let pg = at.join("pg").display().to_string();
    assert!(Command::new("chown").args(["postgres", &pg]).status().unwrap().success());
    // PostgreSQL refuses to be root.
    let made = Command::new("setpriv")
        .args([
            "--reuid=postgres",
            "--regid=postgres",
            "--init-groups",
            &format!("{}/initdb", postgres_bin()),
        ])
        .args(["-D", &pg, "-U", "postgres", "-A", "trust", "-N", "--no-instructions"])
        .output()
        .unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
}

fn units(at: &Path) -> Vec<(String, String)> {
    let d = at.display();
    let unit = |name: &str, unit: &str, service: &str| {
        (
            format!("{name}.service"),
            format!("[Unit]\nDefaultDependencies=no\nStartLimitIntervalSec=0\n{unit}[Service]\n{service}\n"),
        )
    };
    let pg = postgres_bin();
    vec![
        unit(
            "redis",
            "",
            &format!(
                "ExecStart=/usr/bin/redis-server --port 6379 --bind 127.0.0.1 --save '' --dir {d}/run --notify-keyspace-events Ex"
            ),
        ),
        unit(
            "postgres",
            "",
            &format!(
                "User=postgres\nExecStart={pg}/postgres -D {d}/pg -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c fsync=off"
            ),
        ),
        unit(
            "wg",
            "",
            "Environment=WG_PROCESS_FOREGROUND=1\nRuntimeDirectory=wireguard\nExecStart=/usr/bin/wireguard-go -f wg0\n\
             ExecStartPost=/bin/sh -c 'until [ -S /run/wireguard/wg0.sock ]; do sleep 0.05; done; ip addr add 10.8.0.1/24 dev wg0; ip link set wg0 up'",
        ),
        unit(
            "app",
            "Wants=redis.service postgres.service\nRequires=wg.service\nAfter=redis.service postgres.service wg.service\n",
            &format!("ExecStart={d}/run/app-start"),
        ),
        unit(
            "edge",
            "After=app.service\n",
            &format!(
                "Type=forking\nPIDFile={d}/run/edge.pid\nExecStart=/usr/sbin/nginx -c {d}/edge.conf\nExecReload=/usr/sbin/nginx -c {d}/edge.conf -s reload"
            ),
        ),
        (
            "quarterdeck.target".to_owned(),
            "[Unit]\nDefaultDependencies=no\nWants=systemd-journald.service redis.service postgres.service wg.service app.service edge.service\n"
                .to_owned(),
        ),
    ]
}

/// Where the newest installed `PostgreSQL` keeps its server programs.
fn postgres_bin() -> String {
    let versions = std::fs::read_dir("/usr/lib/postgresql").unwrap().flatten();
    let newest = versions.map(|v| v.path().join("bin")).max().unwrap();
    newest.display().to_string()
}
