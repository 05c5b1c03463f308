//! An operator at the command line: makes a plan, types what it wants typed, follows the run, looks
//! at what it left.

use serde_json::Value;
use std::process::Command;
use std::time::Duration;

/// What a command left.
pub struct Said {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Said {
    #[track_caller]
    pub fn expect(self, code: i32) -> Said {
        assert_eq!(self.code, code, "{}", self.text());
        self
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|e| panic!("{e}: {}{}", self.out, self.err))
    }

    /// Everything that was said.
    pub fn text(&self) -> String {
        format!("{}{}", self.out, self.err)
    }
}

/// Makes the command `quarterdeck --config … --state-dir …` with these arguments.
type Make = Box<dyn Fn(&[&str]) -> Command + Send + Sync>;

pub struct Operator(Make);

impl Operator {
    pub fn new(make: impl Fn(&[&str]) -> Command + Send + Sync + 'static) -> Operator {
        Operator(Box::new(make))
    }

    pub fn command(&self, args: &[&str]) -> Command {
        self.0(args)
    }

    pub fn say(&self, args: &[&str]) -> Said {
        let output = self.command(args).output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Said {
            code: output.status.code().unwrap_or(-1),
            out: text(&output.stdout),
            err: text(&output.stderr),
        }
    }

    pub fn plan(&self, procedure: &str, params: &[&str]) -> Said {
        self.say(&[&with(procedure, params)[..], &["--plan", "--output", "json"]].concat())
    }

    /// Runs a procedure as its plan wants it. A phrase holds a live count, which may have moved since
    /// it was shown: then the new one is typed, as an operator would.
    pub fn run(&self, procedure: &str, params: &[&str], more: &[&str]) -> Said {
        let mut last = None;
        for _ in 0..8 {
            let plan = self.plan(procedure, params).json();
            let mut args = with(procedure, params);
            args.extend(["--approve", plan["hash"].as_str().unwrap(), "--reason", "a test"]);
            if let Some(phrase) = plan["prompt"]["confirm"].as_str() {
                args.extend(["--confirm", phrase]);
            }
            let said = self.say(&[&args[..], more].concat());
            if !said.err.contains("must be typed") {
                return said;
            }
            last = Some(said);
        }
        last.unwrap()
    }

    /// The arguments that have a run taken up again, with what must be said for it.
    pub fn resuming(&self, id: &str) -> Vec<String> {
        let shown = self.say(&["runs", "show", id, "--output", "json"]).json();
        let mut args = ["runs", "resume", id, "--reason", "a test"].map(str::to_owned).to_vec();
        if let Some(text) = shown["resume"]["confirm"].as_str() {
            args.extend(["--confirm".to_owned(), text.to_owned()]);
        }
        args
    }

    /// Has a run taken up again.
    pub fn resume(&self, id: &str, more: &[&str]) -> Said {
        let args = self.resuming(id);
        let args: Vec<&str> = args.iter().map(String::as_str).chain(more.iter().copied()).collect();
        self.say(&args)
    }

    pub fn runs(&self) -> Value {
        self.say(&["runs", "--output", "json"]).json()
    }

    /// The last run.
    pub fn last(&self) -> Value {
        self.say(&["runs", "show", "last", "--output", "json"]).json()
    }

    /// Debts by id, in their order.
    pub fn owed(&self) -> Vec<String> {
        let runs = self.runs();
        runs["owed"].as_array().unwrap().iter().map(|o| o["id"].as_str().unwrap().to_owned()).collect()
    }

    /// A step of the last run, by its id.
    #[track_caller]
    pub fn step(&self, id: &str) -> Value {
        let run = self.last();
        let found = run["steps"].as_array().unwrap().iter().find(|s| s["id"] == id);
        found.unwrap_or_else(|| panic!("no step {id} in {run:#}")).clone()
    }

    /// Waits for something of the last run; the number of looks bounds it.
    #[track_caller]
    pub fn until(&self, what: &str, so: impl Fn(&Value) -> bool) -> Value {
        let mut last = Value::Null;
        for _ in 0..1800 {
            last = self.last();
            if so(&last) {
                return last;
            }
            std::thread::park_timeout(Duration::from_millis(100));
        }
        panic!("waited in vain for {what}: {last:#}");
    }
}

/// `run PROCEDURE --param …`.
fn with<'a>(procedure: &'a str, params: &[&'a str]) -> Vec<&'a str> {
    let mut args = vec!["run", procedure];
    for p in params {
        args.extend(["--param", p]);
    }
    args
}
