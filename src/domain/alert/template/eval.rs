//! Fills a template's tree in.

use super::data::Data;
use super::tree::{Command, Kind, Node, Pipeline, Word};
use super::{MAX_OUTPUT, Scope, functions};

/// Nodes that one template may visit: `range` over `range` over a large result has to end.
const MAX_STEPS: usize = 200_000;

pub fn expand(nodes: &[Node], scope: &Scope<'_>) -> Result<String, String> {
    let mut run = Run { scope, variables: start(scope), out: String::new(), steps: 0 };
    run.nodes(nodes, &Data::Alert)?;
    Ok(run.out)
}

fn start(scope: &Scope<'_>) -> Vec<(String, Data)> {
    [
        ("$", Data::Alert),
        ("$labels", Data::Labels(scope.labels.clone())),
        ("$externalLabels", Data::Labels(scope.external_labels.clone())),
        ("$externalURL", Data::Text(scope.external_url.to_owned())),
        ("$value", Data::Float(scope.value)),
    ]
    .map(|(name, data)| (name.to_owned(), data))
    .to_vec()
}

/// How a list of nodes ended.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Flow {
    On,
    Break,
    Continue,
}

struct Run<'a> {
    scope: &'a Scope<'a>,
    variables: Vec<(String, Data)>,
    out: String,
    steps: usize,
}

impl Run<'_> {
    fn nodes(&mut self, nodes: &[Node], dot: &Data) -> Result<Flow, String> {
        let outside = self.variables.len();
        for node in nodes {
            let flow = self.node(node, dot)?;
            if flow != Flow::On {
                self.variables.truncate(outside);
                return Ok(flow);
            }
        }
        self.variables.truncate(outside);
        Ok(Flow::On)
    }

    fn node(&mut self, node: &Node, dot: &Data) -> Result<Flow, String> {
        self.step()?;
        let outside = self.variables.len();
        let flow = match node {
            Node::Text(text) => {
                self.write(text)?;
                Flow::On
            }
            Node::Action(pipeline) => {
                let value = self.pipeline(pipeline, dot)?;
                if pipeline.set.is_empty() {
                    // A missing value shows so in a text, and as <nil> only in a format.
                    let text =
                        if matches!(value, Data::Nil) { "<no value>".to_owned() } else { value.show() };
                    self.write(&text)?;
                }
                // A variable that is declared here lives on after the action.
                return Ok(Flow::On);
            }
            Node::If { cond, then, other } => {
                let is = self.pipeline(cond, dot)?.is_true();
                self.nodes(if is { then } else { other }, dot)?
            }
            Node::With { cond, then, other } => {
                let value = self.pipeline(cond, dot)?;
                if value.is_true() { self.nodes(then, &value)? } else { self.nodes(other, dot)? }
            }
            Node::Range { over, body, other } => self.range(over, body, other, dot)?,
            Node::Break => Flow::Break,
            Node::Continue => Flow::Continue,
        };
        self.variables.truncate(outside);
        Ok(flow)
    }

    fn range(&mut self, over: &Pipeline, body: &[Node], other: &[Node], dot: &Data) -> Result<Flow, String> {
        let list = entries(&self.commands(over, dot)?)?;
        if list.is_empty() {
            return self.nodes(other, dot);
        }
        for (key, value) in list {
            let outside = self.variables.len();
            match over.set.as_slice() {
                [one] => self.set(one, over.declares, value.clone()),
                [first, second] => {
                    self.set(first, over.declares, key);
                    self.set(second, over.declares, value.clone());
                }
                _ => {}
            }
            let flow = self.nodes(body, &value)?;
            self.variables.truncate(outside);
            if flow == Flow::Break {
                break;
            }
        }
        Ok(Flow::On)
    }

    fn pipeline(&mut self, pipeline: &Pipeline, dot: &Data) -> Result<Data, String> {
        let value = self.commands(pipeline, dot)?;
        for name in &pipeline.set {
            self.set(name, pipeline.declares, value.clone());
        }
        Ok(value)
    }

    fn commands(&mut self, pipeline: &Pipeline, dot: &Data) -> Result<Data, String> {
        let mut last = None;
        for command in &pipeline.commands {
            last = Some(self.command(command, dot, last)?);
        }
        Ok(last.unwrap_or(Data::Nil))
    }

    fn command(&mut self, command: &Command, dot: &Data, last: Option<Data>) -> Result<Data, String> {
        self.step()?;
        let Some((first, words)) = command.words.split_first() else { return Ok(Data::Nil) };
        let Kind::Function(name) = &first.kind else { return self.word(first, dot) };
        if name == "and" || name == "or" {
            return self.first_that_decides(name == "or", words, dot, last);
        }
        let mut args = words.iter().map(|w| self.word(w, dot)).collect::<Result<Vec<_>, _>>()?;
        args.extend(last);
        functions::call(name, &args, self.scope)
    }

    /// `and` gives the first that is false, `or` the first that is true, or else the last one.
    fn first_that_decides(
        &mut self,
        is_or: bool,
        words: &[Word],
        dot: &Data,
        last: Option<Data>,
    ) -> Result<Data, String> {
        let mut value = Data::Nil;
        for word in words {
            value = self.word(word, dot)?;
            if value.is_true() == is_or {
                return Ok(value);
            }
        }
        Ok(last.unwrap_or(value))
    }

    fn word(&mut self, word: &Word, dot: &Data) -> Result<Data, String> {
        let base = match &word.kind {
            Kind::Dot => dot.clone(),
            Kind::Variable(name) => self.variable(name),
            Kind::Function(name) => functions::call(name, &[], self.scope)?,
            Kind::Text(text) => Data::Text(text.clone()),
            Kind::Int(n) => Data::Int(*n),
            Kind::Float(n) => Data::Float(*n),
            Kind::Bool(b) => Data::Bool(*b),
            Kind::Nil => Data::Nil,
            Kind::Paren(pipeline) => self.pipeline(pipeline, dot)?,
        };
        word.fields.iter().try_fold(base, |data, name| match (&data, name.as_str()) {
            (Data::Alert, "Labels") => Ok(Data::Labels(self.scope.labels.clone())),
            (Data::Alert, "ExternalLabels") => Ok(Data::Labels(self.scope.external_labels.clone())),
            (Data::Alert, "ExternalURL") => Ok(Data::Text(self.scope.external_url.to_owned())),
            (Data::Alert, "Value") => Ok(Data::Float(self.scope.value)),
            (data, name) => data.field(name),
        })
    }

    fn variable(&self, name: &str) -> Data {
        self.variables.iter().rev().find(|(n, _)| n == name).map_or(Data::Nil, |(_, data)| data.clone())
    }

    fn set(&mut self, name: &str, declares: bool, value: Data) {
        match self.variables.iter_mut().rev().find(|(n, _)| n == name) {
            Some(found) if !declares => found.1 = value,
            _ => self.variables.push((name.to_owned(), value)),
        }
    }

    fn write(&mut self, text: &str) -> Result<(), String> {
        if self.out.len() + text.len() > MAX_OUTPUT {
            return Err(format!("the text grows beyond {} KiB", MAX_OUTPUT >> 10));
        }
        self.out.push_str(text);
        Ok(())
    }

    fn step(&mut self) -> Result<(), String> {
        self.steps += 1;
        if self.steps > MAX_STEPS {
            return Err(format!("the template takes more than {MAX_STEPS} steps"));
        }
        Ok(())
    }
}

/// What `range` walks: keys and values.
fn entries(data: &Data) -> Result<Vec<(Data, Data)>, String> {
    let counted = |list: &[Data]| {
        let keys = (0i64..).map(Data::Int);
        keys.zip(list.iter().cloned()).collect()
    };
    Ok(match data {
        Data::Points(list) => counted(list),
        Data::Args(list) => {
            let keys = (0..list.len()).map(|i| Data::Text(format!("arg{i}")));
            keys.zip(list.iter().cloned()).collect()
        }
        Data::Labels(labels) => {
            labels.iter().map(|(n, v)| (Data::Text(n.to_owned()), Data::Text(v.to_owned()))).collect()
        }
        Data::Nil => Vec::new(),
        other => return Err(format!("range cannot walk a {}", other.type_name())),
    })
}
