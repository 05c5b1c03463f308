//! A real Prometheus, a real Alertmanager and exporters on free ports of loopback, with the
//! configuration of the moment, and sinks for what an Alertmanager sends.

use crate::harness::{Server, fake, free_port, need, until};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};

/// A server with a directory for its files; `PORT` in its files and arguments is its port, `DIR`
/// that directory.
pub struct Daemon {
    program: PathBuf,
    args: Vec<String>,
    server: Option<Server>,
    pub dir: tempfile::TempDir,
    pub port: u16,
    /// Said in the log once requests are answered, and after each time the configuration was read.
    ready: &'static str,
    loaded: &'static str,
}

/// Starts a Prometheus; `None` where there is none. `files` are written beside `prometheus.yml`.
pub fn prometheus(config: &str, files: &[(&str, &str)], args: &[&str]) -> Option<Daemon> {
    let program = need("prometheus", "prometheus")?;
    let own = [
        "--config.file=DIR/prometheus.yml",
        "--storage.tsdb.path=DIR/data",
        "--web.listen-address=127.0.0.1:PORT",
        "--web.enable-lifecycle",
        "--web.enable-admin-api",
    ];
    let files: Vec<_> = files.iter().copied().chain([("prometheus.yml", config)]).collect();
    let args: Vec<_> = own.iter().chain(args).copied().collect();
    Some(Daemon::start(program, &files, &args, "Server is ready to receive web requests"))
}

/// Starts an Alertmanager without a cluster; `None` where there is none.
pub fn alertmanager(config: &str, files: &[(&str, &str)], args: &[&str]) -> Option<Daemon> {
    let program = need("prometheus-alertmanager", "prometheus-alertmanager")?;
    let own = [
        "--config.file=DIR/alertmanager.yml",
        "--storage.path=DIR/data",
        "--web.listen-address=127.0.0.1:PORT",
        "--cluster.listen-address=",
    ];
    let files: Vec<_> = files.iter().copied().chain([("alertmanager.yml", config)]).collect();
    let args: Vec<_> = own.iter().chain(args).copied().collect();
    Some(Daemon::start(program, &files, &args, "Listening on"))
}

/// Starts an exporter, whose page is then at `http://127.0.0.1:PORT/metrics`: `listen` is the
/// option that takes its address, with its dashes.
pub fn exporter(program: &str, listen: &str, args: &[&str]) -> Option<(Server, u16)> {
    let program = need(program, program)?;
    let port = free_port();
    let mut command = Command::new(program);
    command.arg(format!("{listen}=127.0.0.1:{port}")).args(args);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let server = Server::start(&mut command, || TcpStream::connect(("127.0.0.1", port)).is_ok());
    Some((server, port))
}

impl Daemon {
    fn start(program: PathBuf, files: &[(&str, &str)], args: &[&str], ready: &'static str) -> Daemon {
        let mut daemon = Daemon {
            program,
            args: Vec::new(),
            server: None,
            dir: tempfile::tempdir().unwrap(),
            port: free_port(),
            ready,
            loaded: "Completed loading of configuration file",
        };
        daemon.args = args.iter().map(|a| daemon.filled(a)).collect();
        for (name, text) in files {
            daemon.put(name, text);
        }
        daemon.again();
        daemon
    }

    fn filled(&self, text: &str) -> String {
        text.replace("PORT", &self.port.to_string()).replace("DIR", &self.dir.path().display().to_string())
    }

    /// Writes one of its files; see [`Daemon::reload`].
    pub fn put(&self, name: &str, text: &str) {
        std::fs::write(self.dir.path().join(name), self.filled(text)).unwrap();
    }

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    fn log(&self) -> PathBuf {
        self.dir.path().join("log")
    }

    fn said(&self, what: &str) -> usize {
        std::fs::read_to_string(self.log()).unwrap_or_default().matches(what).count()
    }

    /// Reads its files anew; back when it has.
    pub fn reload(&self) {
        let before = self.said(self.loaded);
        self.server.as_ref().unwrap().signal(rustix::process::Signal::HUP);
        until("the configuration to be read", || self.said(self.loaded) > before);
    }

    pub fn stop(&mut self) {
        self.server = None;
    }

    /// Makes it silent without closing anything, and wakes it.
    pub fn freeze(&self, yes: bool) {
        use rustix::process::Signal;
        self.server.as_ref().unwrap().signal(if yes { Signal::STOP } else { Signal::CONT });
    }

    /// Starts it again where it was stopped, with the same port and data.
    pub fn again(&mut self) {
        let log = std::fs::File::create(self.log()).unwrap();
        let mut command = Command::new(&self.program);
        command.args(&self.args).stdin(Stdio::null());
        command.stdout(log.try_clone().unwrap()).stderr(log);
        self.server = Some(Server::start(&mut command, || {
            self.said(self.ready) > 0 && TcpStream::connect(("127.0.0.1", self.port)).is_ok()
        }));
    }
}

/// One plain HTTP request and its body, whatever the status.
pub fn http(port: u16, method: &str, path: &str, body: &str) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    let kind = if body.starts_with(['{', '[']) { "application/json" } else { "text/plain" };
    // HTTP/1.0, so that the answer comes in one piece.
    let head = format!("{method} {path} HTTP/1.0\r\nhost: x\r\ncontent-type: {kind}\r\n");
    write!(stream, "{head}content-length: {}\r\n\r\n{body}", body.len()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer.split_once("\r\n\r\n").map_or("", |(_, body)| body).to_owned()
}

/// Runs `amtool` on an Alertmanager; what it printed.
pub fn amtool(alertmanager: &Daemon, args: &[&str]) -> String {
    let url = format!("--alertmanager.url={}", alertmanager.url());
    let run = Command::new(need("amtool", "prometheus-alertmanager").unwrap()).arg(url).args(args).output();
    let output = run.unwrap();
    assert!(output.status.success(), "amtool {args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Takes what an Alertmanager sends: the bodies of webhooks, or mails.
pub struct Sink {
    pub port: u16,
    got: Arc<Mutex<Vec<String>>>,
}

impl Sink {
    /// Answers every webhook with 200.
    pub fn webhook() -> Sink {
        Sink::new(|wire, got| {
            while let Some(body) = read_post(wire) {
                got.lock().unwrap().push(body);
                if wire.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").is_err() {
                    return;
                }
            }
        })
    }

    /// Takes every mail.
    pub fn smtp() -> Sink {
        Sink::new(|wire, got| {
            let _ = take_mail(wire, got);
        })
    }

    fn new(talk: impl Fn(&mut dyn fake::Wire, &Mutex<Vec<String>>) + Send + Sync + 'static) -> Sink {
        let got = Arc::new(Mutex::new(Vec::new()));
        let theirs = Arc::clone(&got);
        let port = fake::tcp(move |wire| talk(wire, &theirs)).port();
        Sink { port, got }
    }

    /// Everything so far, oldest first.
    pub fn got(&self) -> Vec<String> {
        self.got.lock().unwrap().clone()
    }
}

/// A line without its end; `None` when the other side has left.
fn line(wire: &mut dyn fake::Wire) -> Option<String> {
    let mut line = Vec::new();
    let mut byte = [0];
    while wire.read(&mut byte).ok()? == 1 {
        if byte == *b"\n" {
            return Some(String::from_utf8_lossy(&line).trim_end_matches('\r').to_owned());
        }
        line.extend(byte);
    }
    None
}

fn read_post(wire: &mut dyn fake::Wire) -> Option<String> {
    let mut length = 0;
    loop {
        let line = line(wire)?.to_lowercase();
        if let Some(n) = line.strip_prefix("content-length: ") {
            length = n.parse().ok()?;
        }
        if line.is_empty() {
            break;
        }
    }
    let mut body = vec![0; length];
    wire.read_exact(&mut body).ok()?;
    String::from_utf8(body).ok()
}

fn take_mail(wire: &mut dyn fake::Wire, got: &Mutex<Vec<String>>) -> Option<()> {
    wire.write_all(b"220 sink ESMTP\r\n").ok()?;
    loop {
        let said = line(wire)?.to_uppercase();
        let answer: &[u8] = match said.split_whitespace().next() {
            Some("DATA") => {
                wire.write_all(b"354 go on\r\n").ok()?;
                let mut mail = String::new();
                loop {
                    let line = line(wire)?;
                    if line == "." {
                        break;
                    }
                    mail += &(line + "\n");
                }
                got.lock().unwrap().push(mail);
                b"250 taken\r\n"
            }
            Some("QUIT") => {
                wire.write_all(b"221 bye\r\n").ok()?;
                return None;
            }
            _ => b"250 fine\r\n",
        };
        wire.write_all(answer).ok()?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_alert_of_a_real_prometheus_reaches_both_sinks() {
        let (hook, mail) = (Sink::webhook(), Sink::smtp());
        let Some(am) = alertmanager(&alertmanager_config(&hook, &mail), &[], &[]) else { return };
        let config = format!(
            "global: {{scrape_interval: 200ms, scrape_timeout: 200ms, evaluation_interval: 200ms}}\n\
             alerting: {{alertmanagers: [{{static_configs: [{{targets: ['127.0.0.1:{}']}}]}}]}}\n\
             rule_files: [rules.yml]\n\
             scrape_configs: [{{job_name: self, static_configs: [{{targets: ['127.0.0.1:PORT']}}]}}]\n",
            am.port
        );
        let rules = "groups: [{name: g, rules: [{alert: Up, expr: 'up == 1'}]}]\n";
        let Some(mut prometheus) = prometheus(&config, &[("rules.yml", rules)], &[]) else { return };
        until("the webhook", || hook.got().iter().any(|b| b.contains("\"alertname\":\"Up\"")));
        until("the mail", || mail.got().iter().any(|m| m.contains("Up")));
        assert!(amtool(&am, &["alert"]).contains("Up"));
        prometheus.put("rules.yml", "groups: []\n");
        prometheus.reload();
        let rules = || http(prometheus.port, "GET", "/api/v1/rules", "");
        assert_eq!(rules(), r#"{"status":"success","data":{"groups":[]}}"#);
        prometheus.freeze(true);
        prometheus.freeze(false);
        prometheus.stop();
        assert!(TcpStream::connect(("127.0.0.1", prometheus.port)).is_err());
        prometheus.again();
        assert!(Path::new(&prometheus.dir.path().join("data")).exists() && prometheus.url().contains("127"));
        let Some((_node, port)) = exporter("prometheus-node-exporter", "--web.listen-address", &[]) else {
            return;
        };
        assert!(http(port, "GET", "/metrics", "").contains("node_load1"));
    }

    fn alertmanager_config(hook: &Sink, mail: &Sink) -> String {
        format!(
            "global: {{smtp_smarthost: '127.0.0.1:{}', smtp_from: a@b.invalid, smtp_require_tls: false}}\n\
             route: {{receiver: both, group_wait: 50ms, group_interval: 1s}}\n\
             receivers: [{{name: both, webhook_configs: [{{url: 'http://127.0.0.1:{}/'}}], \
             email_configs: [{{to: c@d.invalid}}]}}]\n",
            mail.port, hook.port
        )
    }
}
