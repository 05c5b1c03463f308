//! A real Prometheus with given samples, asked over HTTP. Samples go in through its remote-write
//! receiver, which, unlike backfilled blocks, carries stale markers.

use crate::harness::{Server, free_port, need};
use quarterdeck::domain::promql::{Line, Point, Value};
use quarterdeck::domain::series::{Labels, Matcher, Millis, Sample, Source};
use serde_json::Value as Json;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::time::Duration;

/// Series with their samples, oldest first.
pub struct Data(pub Vec<(Labels, Vec<Sample>)>);

impl Source for Data {
    fn select(
        &self,
        matchers: &[Matcher],
        from: Millis,
        to: Millis,
        visit: &mut dyn FnMut(&Labels, &[Sample]),
    ) {
        for (labels, samples) in &self.0 {
            let inside = &samples[samples.partition_point(|s| s.t < from)..];
            let inside = &inside[..inside.partition_point(|s| s.t <= to)];
            if !inside.is_empty() && matchers.iter().all(|m| m.selects(labels)) {
                visit(labels, inside);
            }
        }
    }
}

pub struct Oracle {
    port: u16,
    _server: Server,
    _dir: tempfile::TempDir,
}

/// What Prometheus answered: a value, or its error.
pub type Answer = Result<Value, String>;

impl Oracle {
    /// A Prometheus that has the samples, or `None` where there is no Prometheus.
    pub fn start(data: &Data) -> Option<Oracle> {
        let program = need("prometheus", "prometheus")?;
        let dir = tempfile::tempdir().unwrap();
        let config = dir.path().join("prometheus.yml");
        std::fs::write(&config, "global: {}\n").unwrap();
        let port = free_port();
        let log = std::fs::File::create(dir.path().join("log")).unwrap();
        let server = Server::start(
            Command::new(program)
                .arg(format!("--config.file={}", config.display()))
                .arg(format!("--storage.tsdb.path={}", dir.path().join("data").display()))
                .arg("--storage.tsdb.retention.time=100y")
                .arg(format!("--web.listen-address=127.0.0.1:{port}"))
                .arg("--web.enable-remote-write-receiver")
                .stdout(Stdio::null())
                .stderr(log),
            || matches!(http(port, "GET", "/-/ready", "", b""), Ok((200, _))),
        );
        let oracle = Oracle { port, _server: server, _dir: dir };
        let headers = "Content-Encoding: snappy\r\nContent-Type: application/x-protobuf\r\n";
        let (status, body) =
            http(port, "POST", "/api/v1/write", headers, &snappy(&write_request(data))).unwrap();
        assert_eq!(status, 204, "{}", String::from_utf8_lossy(&body));
        Some(oracle)
    }

    pub fn instant(&self, expr: &str, at: Millis) -> Answer {
        self.ask("/api/v1/query", &[("query", expr), ("time", &seconds(at))]).map(|v| value(&v))
    }

    pub fn range(&self, expr: &str, from: Millis, to: Millis, step: Duration) -> Answer {
        let step = format!("{}", step.as_secs_f64());
        let ask = [("query", expr), ("start", &seconds(from)), ("end", &seconds(to)), ("step", &step)];
        self.ask("/api/v1/query_range", &ask).map(|v| value(&v))
    }

    fn ask(&self, path: &str, form: &[(&str, &str)]) -> Result<Json, String> {
        let body: Vec<String> = form.iter().map(|(k, v)| format!("{k}={}", escaped(v))).collect();
        let headers = "Content-Type: application/x-www-form-urlencoded\r\n";
        let (_, body) = http(self.port, "POST", path, headers, body.join("&").as_bytes()).unwrap();
        let mut answer: Json = serde_json::from_slice(&body).unwrap();
        match answer["status"].as_str() {
            Some("success") => Ok(answer["data"].take()),
            _ => Err(answer["error"].as_str().unwrap_or("no reason given").to_owned()),
        }
    }
}

fn seconds(t: Millis) -> String {
    format!("{}.{:03}", t / 1000, t % 1000)
}

fn escaped(text: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric();
    text.bytes().map(|b| if plain(b) { char::from(b).to_string() } else { format!("%{b:02X}") }).collect()
}

/// One request on a connection of its own: an HTTP/1.0 answer ends with the connection.
fn http(port: u16, method: &str, path: &str, headers: &str, body: &[u8]) -> std::io::Result<(u16, Vec<u8>)> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(Duration::from_secs(30)))?;
    let length = body.len();
    let mut request =
        format!("{method} {path} HTTP/1.0\r\nHost: localhost\r\nContent-Length: {length}\r\n{headers}\r\n")
            .into_bytes();
    request.extend_from_slice(body);
    stream.write_all(&request)?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    let head = answer.windows(4).position(|w| w == b"\r\n\r\n").unwrap_or(answer.len());
    let status = String::from_utf8_lossy(&answer[..head.min(12)]).split(' ').nth(1).map(str::parse);
    let status = status.and_then(Result::ok).unwrap_or(0);
    Ok((status, answer.get(head + 4..).unwrap_or(&[]).to_vec()))
}

fn number(text: &Json) -> f64 {
    match text.as_str().unwrap() {
        "+Inf" => f64::INFINITY,
        "-Inf" => f64::NEG_INFINITY,
        "NaN" => f64::NAN,
        text => text.parse().unwrap(),
    }
}

fn sample(pair: &Json) -> Sample {
    Sample { t: (pair[0].as_f64().unwrap() * 1000.0).round() as i64, v: number(&pair[1]) }
}

fn labels(metric: &Json) -> Labels {
    Labels::new(metric.as_object().unwrap().iter().map(|(k, v)| (k.as_str(), v.as_str().unwrap())))
}

fn value(data: &Json) -> Value {
    let result = &data["result"];
    let each = |f: &dyn Fn(&Json) -> Line| result.as_array().unwrap().iter().map(f).collect();
    match data["resultType"].as_str().unwrap() {
        "scalar" => Value::Scalar(number(&result[1])),
        "string" => Value::Text(result[1].as_str().unwrap().to_owned()),
        "vector" => {
            let rows = result.as_array().unwrap().iter();
            let point = |row: &Json| Point { labels: labels(&row["metric"]), v: number(&row["value"][1]) };
            Value::Vector(rows.map(point).collect())
        }
        _ => Value::Matrix(each(&|row| Line {
            labels: labels(&row["metric"]),
            samples: row["values"].as_array().unwrap().iter().map(sample).collect(),
        })),
    }
}

/// The remote-write request (protocol buffers): series of labels and samples.
fn write_request(data: &Data) -> Vec<u8> {
    let mut request = Vec::new();
    for (series, samples) in &data.0 {
        let mut message = Vec::new();
        for (name, value) in series {
            let mut label = Vec::new();
            field(&mut label, 1, name.as_bytes());
            field(&mut label, 2, value.as_bytes());
            field(&mut message, 1, &label);
        }
        for s in samples {
            let mut point = vec![9];
            point.extend_from_slice(&s.v.to_bits().to_le_bytes());
            point.push(16);
            varint(&mut point, s.t.cast_unsigned());
            field(&mut message, 2, &point);
        }
        field(&mut request, 1, &message);
    }
    request
}

fn field(out: &mut Vec<u8>, number: u8, bytes: &[u8]) {
    out.push(number << 3 | 2);
    varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

fn varint(out: &mut Vec<u8>, mut v: u64) {
    while v >= 0x80 {
        out.push(v as u8 | 0x80);
        v >>= 7;
    }
    out.push(v as u8);
}

/// Snappy's block format without compression: literals only.
fn snappy(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    varint(&mut out, bytes.len() as u64);
    for part in bytes.chunks(60_000) {
        out.push(61 << 2);
        out.extend_from_slice(&u16::try_from(part.len() - 1).unwrap().to_le_bytes());
        out.extend_from_slice(part);
    }
    out
}
