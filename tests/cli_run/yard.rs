//! A small stack whose procedures write files into a directory of their own: nothing is imitated,
//! and nothing outside that directory is touched.

use crate::PROGRAM;
use serde_json::Value;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

/// The value of the secret that one of the procedures uses.
pub const SECRET: &str = "hunter2-Zq\"x/+";

const STACK: &str = r#"
[stack]
name = "yard"
title = "The yard"

[defaults]
timeout = "2s"

[[layers]]
id = "files"
name = "Files"

[[hosts]]
id = "here"

[[probes]]
id = "one"
name = "One"
layer = "files"
kind = "file"
path = "DIR/one"
conditions = ["[EXISTS] == true"]

[[probes]]
id = "two"
name = "Two"
layer = "files"
kind = "file"
path = "DIR/two"
conditions = ["[EXISTS] == true"]

[[procedures]]
id = "touch"
name = "Touch one"
lock = "touch"
[[procedures.params]]
id = "text"
about = "what is written"
type = "choice"
values = ["a", "b"]
default = "a"
[[procedures.steps]]
id = "one"
name = "Write the file"
uses = "exec"
with = { argv = ["DIR/write", "one", "${param.text}"] }
effect = "change"
verify = { probes = ["one"], good = 2, every = "200ms", within = "10s" }

[[procedures]]
id = "both"
name = "Write both"
lock = "both"
[[procedures.blast_radius]]
value = 'sum(probe_success{layer="files"}) or vector(0)'
says = "{} files are there"
[[procedures.steps]]
id = "one"
name = "Write the first"
uses = "exec"
with = { argv = ["DIR/write", "one", "x"] }
effect = "interrupt"
verify = { probes = ["one"], within = "10s" }
[[procedures.steps]]
id = "two"
name = "Write the second"
uses = "exec"
with = { argv = ["DIR/write", "two", "x"] }
effect = "interrupt"
verify = { exprs = ['probe_success{probe="two"} == 1'], within = "10s" }

[[procedures]]
id = "fails"
name = "Fails at the second step"
lock = "fails"
[[procedures.steps]]
id = "one"
name = "Write the first"
uses = "exec"
with = { argv = ["DIR/write", "one", "x"] }
effect = "change"
verify = { probes = ["one"], within = "10s" }
owes = { id = "one", says = "the first file is there", by = "touch" }
[[procedures.steps]]
id = "two"
name = "Cannot work"
uses = "exec"
with = { argv = ["false"] }
effect = "change"
verify = { probes = ["two"], within = "10s" }
[[procedures.steps]]
id = "three"
name = "Never reached"
uses = "exec"
with = { argv = ["DIR/write", "three", "x"] }
effect = "change"
verify = { probes = ["two"], within = "10s" }

[[procedures]]
id = "needs"
name = "Needs the second file"
lock = "needs"
[[procedures.preconditions]]
says = "the second file"
probes = ["two"]
[[procedures.steps]]
id = "one"
name = "Write the first"
uses = "exec"
with = { argv = ["DIR/write", "one", "x"] }
effect = "change"
verify = { probes = ["one"], within = "10s" }

[[procedures]]
id = "slow"
name = "Waits for a file"
lock = "slow"
[[procedures.steps]]
id = "wait"
name = "Wait for the file go"
uses = "exec"
with = { argv = ["DIR/wait"] }
effect = "change"
timeout = "50s"
verify = { probes = ["one"], within = "10s" }
[[procedures.steps]]
id = "after"
name = "Write the second"
uses = "exec"
with = { argv = ["DIR/write", "two", "x"] }
effect = "change"
verify = { probes = ["two"], within = "10s" }

[[procedures]]
id = "held"
name = "Waits for a person"
lock = "held"
[[procedures.steps]]
id = "one"
name = "Write the first"
uses = "exec"
with = { argv = ["DIR/write", "one", "x"] }
effect = "change"
hold = "look around first"
verify = { probes = ["one"], within = "10s" }

[[procedures]]
id = "grave"
name = "Destroys"
lock = "grave"
[[procedures.steps]]
id = "one"
name = "Write the first"
uses = "exec"
with = { argv = ["DIR/write", "one", "x"] }
effect = "destroy"
point_of_no_return = true
verify = { probes = ["one"], within = "10s" }

[[procedures]]
id = "edge"
name = "Opens the edge"
lock = "edge"
level = "L3"
[[procedures.steps]]
id = "one"
name = "Write the first"
uses = "exec"
with = { argv = ["DIR/write", "one", "x"] }
effect = "change"
hold = "look around first"
verify = { probes = ["one"], within = "10s" }

[[procedures]]
id = "tell"
name = "Uses a secret"
lock = "tell"
[[procedures.steps]]
id = "tell"
name = "Tell it"
uses = "exec"
with = { argv = ["DIR/tell"], env = { TOKEN = "${secret.token}" }, stdin = "${secret.token}" }
effect = "change"
verify = { probes = ["one"], within = "10s" }

[[procedures]]
id = "graver"
name = "Waits and destroys"
lock = "graver"
[[procedures.steps]]
id = "wait"
name = "Wait for the file go"
uses = "exec"
with = { argv = ["DIR/wait"] }
effect = "change"
timeout = "50s"
verify = { probes = ["one"], within = "10s" }
[[procedures.steps]]
id = "two"
name = "Destroy it"
uses = "exec"
with = { argv = ["DIR/write", "two", "x"] }
effect = "destroy"
point_of_no_return = true

[[procedures]]
id = "careless"
name = "Prints a secret that it has not from here"
lock = "careless"
[[procedures.steps]]
id = "print"
name = "Print it"
uses = "exec"
with = { argv = ["cat", "DIR/token"] }
effect = "change"
[[procedures.steps]]
id = "keep"
name = "Keep it"
uses = "capture"
with = { name = "config", file = "DIR/token" }
effect = "read"

[[procedures]]
id = "hostile"
name = "Prints what nobody should see"
lock = "hostile"
role = "restart"
[[procedures.steps]]
id = "print"
name = "Print it"
uses = "exec"
with = { argv = ["DIR/hostile"], env = { TOKEN = "${secret.token}" } }
effect = "interrupt"

[[procedures]]
id = "flood"
name = "Prints a gibibyte"
lock = "flood"
[[procedures.steps]]
id = "flood"
name = "Print it"
uses = "exec"
with = { argv = ["DIR/flood"] }
effect = "change"
timeout = "5m"
"#;

const SCRIPTS: [(&str, &str); 5] = [
    ("write", "#!/bin/sh\necho \"$2\" >>DIR/\"$1\"\n"),
    // It counts how often it was begun, and ends when it is let go.
    (
        "wait",
        "#!/bin/sh\necho begun >>DIR/begun\nwhile [ ! -e DIR/go ]; do sleep 0.05; done\necho x >>DIR/one\n",
    ),
    // Every form of the secret, cut in the middle by a pause, between escape sequences; and it fails
    // with them as its last words.
    (
        "hostile",
        r#"#!/bin/sh
slowly() { printf '%s' "$1" | head -c 7; sleep 0.15; printf '%s' "$1" | tail -c +8; printf ' \033[2J\033]52;c;ZXZpbA==\007\033[?1049l\302\2332J\342\200\256\n'; }
echo begun
slowly "$TOKEN"
for before in '' x xy; do slowly "$(printf '%s' "$before$TOKEN" | base64 -w0)"; done
slowly "$(printf '%s' "$TOKEN" | base64 -w0 | tr '+/' '-_')"
slowly "$(printf '%s' "$TOKEN" | sed 's/"/%22/g; s:/:%2F:g; s/+/%2B/g')"
slowly "$(printf '%s' "$TOKEN" | sed 's/"/\\"/g')"
echo "the end"
sleep 1
slowly "last words $TOKEN"
exit 3
"#,
    ),
    ("flood", "#!/bin/sh\nhead -c 1G /dev/zero | tr '\\0' '.'\n"),
    ("tell", "#!/bin/sh\necho \"token is $TOKEN\"\ncat\necho x >>DIR/one\nsleep 1\n"),
];

pub struct Yard {
    dir: tempfile::TempDir,
}

/// What a command ended with.
pub struct Said {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Said {
    /// Its output as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|e| panic!("{e}: {}{}", self.out, self.err))
    }

    #[track_caller]
    pub fn expect(self, code: i32) -> Said {
        assert_eq!(self.code, code, "{}\n{}", self.out, self.err);
        self
    }
}

impl Yard {
    pub fn new() -> Yard {
        Yard::of("test")
    }

    pub fn of(environment: &str) -> Yard {
        Yard::make(environment, "")
    }

    /// One in production that the group `nogroup` shares, in a place that everybody can reach.
    pub fn shared() -> Yard {
        let yard = Yard::make("production", "operators_group = \"nogroup\"\n");
        std::fs::set_permissions(yard.dir.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
        yard
    }

    fn make(environment: &str, more: &str) -> Yard {
        let dir = tempfile::tempdir().unwrap();
        let at = dir.path().display().to_string();
        let write = |name: &str, text: &str, mode: u32| {
            let path = dir.path().join(name);
            std::fs::write(&path, text.replace("DIR", &at)).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        };
        write("stack.toml", STACK, 0o644);
        for (name, text) in SCRIPTS {
            write(name, text, 0o755);
        }
        write("token", SECRET, 0o600);
        let config = format!(
            "stack = \"stack.toml\"\nenvironment = \"{environment}\"\nstate_dir = \"state\"\n{more}[secrets.token]\nfile = \"token\"\n"
        );
        write("config.toml", &config, 0o644);
        Yard { dir }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn has(&self, name: &str) -> bool {
        self.path(name).exists()
    }

    pub fn lines(&self, name: &str) -> usize {
        std::fs::read_to_string(self.path(name)).map_or(0, |t| t.lines().count())
    }

    pub fn write(&self, name: &str) {
        std::fs::write(self.path(name), "x").unwrap();
    }

    pub fn command(&self, args: &[&str]) -> Command {
        self.tell(Command::new(PROGRAM), args)
    }

    /// With an empty home, so that no config of this machine is found.
    fn tell(&self, mut command: Command, args: &[&str]) -> Command {
        command.arg("--config").arg(self.path("config.toml")).args(args).env_clear();
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.env("HOME", "/nonexistent").env("LANG", "C.UTF-8").stdin(Stdio::null());
        command
    }

    /// As the user nobody, who types something.
    pub fn as_nobody(&self, args: &[&str], typed: &str) -> Said {
        let mut command = Command::new("setpriv");
        command.args(["--reuid=nobody", "--regid=nogroup", "--clear-groups"]).arg(PROGRAM);
        let mut command = self.tell(command, args);
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        // Who does not want to know has left already.
        let _ = child.stdin.take().unwrap().write_all(typed.as_bytes());
        said(child.wait_with_output().unwrap())
    }

    pub fn say(&self, args: &[&str]) -> Said {
        said(self.command(args).output().unwrap())
    }

    pub fn spawn(&self, args: &[&str]) -> Child {
        self.command(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }

    /// The plan of a procedure.
    pub fn plan(&self, procedure: &str) -> Value {
        self.say(&["run", procedure, "--plan", "--output", "json"]).json()
    }

    /// The command line that runs a procedure as its plan wants it.
    pub fn approval(&self, procedure: &str) -> Vec<String> {
        let plan = self.plan(procedure);
        let mut all = vec!["run".to_owned(), procedure.to_owned(), "--approve".to_owned()];
        all.push(plan["hash"].as_str().unwrap().to_owned());
        if let Some(text) = plan["prompt"]["confirm"].as_str() {
            all.extend(["--confirm".to_owned(), text.to_owned()]);
        }
        if plan["prompt"]["needs_reason"] == true {
            all.extend(["--reason".to_owned(), "a test".to_owned()]);
        }
        all
    }

    pub fn run(&self, procedure: &str, more: &[&str]) -> Said {
        let approval = self.approval(procedure);
        let mut all: Vec<&str> = approval.iter().map(String::as_str).collect();
        all.extend(more);
        self.say(&all)
    }

    /// Starts it and gives its id.
    pub fn start(&self, procedure: &str) -> String {
        let said = self.run(procedure, &["--detach", "--output", "json"]).expect(0);
        said.json()["id"].as_str().unwrap().to_owned()
    }

    pub fn show(&self, id: &str) -> Value {
        self.say(&["runs", "show", id, "--output", "json"]).json()
    }

    /// Every file below a directory.
    pub fn files(&self, below: &str) -> Vec<PathBuf> {
        let mut out = Vec::new();
        let mut todo = vec![self.path(below)];
        while let Some(path) = todo.pop() {
            match std::fs::read_dir(&path) {
                Ok(entries) => todo.extend(entries.flatten().map(|e| e.path())),
                Err(_) => out.push(path),
            }
        }
        out
    }
}

fn said(output: Output) -> Said {
    let text = |b: Vec<u8>| String::from_utf8(b).unwrap();
    Said { code: output.status.code().unwrap_or(-1), out: text(output.stdout), err: text(output.stderr) }
}

/// Whether a process with this text in its command line is there.
pub fn in_any_command_line(text: &str) -> bool {
    let holds = |path: &Path| {
        std::fs::read(path.join("cmdline")).is_ok_and(|c| c.windows(text.len()).any(|w| w == text.as_bytes()))
    };
    std::fs::read_dir("/proc").unwrap().flatten().any(|e| holds(&e.path()))
}
