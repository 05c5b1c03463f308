//! The iptables backend: a chain of our own in the table `mangle`, reached from `PREROUTING`, once
//! for each family. Each rule is one command, so that they are ordered such that nothing opens in
//! between.

use super::{Change, Net, Port};

/// One family's program.
pub fn program(v4: bool) -> &'static str {
    if v4 { "iptables" } else { "ip6tables" }
}

/// The families that a change is about.
pub fn families(change: &Change) -> Vec<bool> {
    match change {
        Change::Block { net, .. } | Change::Unblock { net } => vec![net.is_v4()],
        Change::Close { .. } | Change::Open { .. } => vec![true, false],
    }
}

/// A command on our table; it waits for others that change it.
pub fn argv(v4: bool, words: &[&str]) -> Vec<String> {
    let head = [program(v4), "-w", "5", "-t", "mangle"];
    head.iter().chain(words).map(|w| (*w).to_owned()).collect()
}

/// A rule as the words after its chain's name, without its comment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    pub from: Option<Net>,
    pub port: Option<Port>,
    /// `DROP`, or `RETURN` for what is excepted.
    pub drops: bool,
}

impl Rule {
    /// The rules of a change in one family, in their order.
    pub fn all(change: &Change, v4: bool) -> Vec<Rule> {
        match change {
            Change::Block { net, .. } | Change::Unblock { net } => {
                vec![Rule { from: Some(*net), port: None, drops: true }]
            }
            Change::Open { .. } => Vec::new(),
            Change::Close { ports, except } => ports
                .iter()
                .flat_map(|port| {
                    let excepted = except.iter().filter(move |n| n.is_v4() == v4);
                    let lets = excepted.map(|n| Rule { from: Some(*n), port: Some(*port), drops: false });
                    lets.chain([Rule { from: None, port: Some(*port), drops: true }])
                })
                .collect(),
        }
    }

    /// As the words of a command.
    pub fn words(&self, comment: &str) -> Vec<String> {
        let mut out: Vec<String> = Vec::new();
        let mut add = |words: &[&str]| out.extend(words.iter().map(|w| (*w).to_owned()));
        if let Some(net) = &self.from {
            add(&["-s", &net.to_string()]);
        }
        add(&["!", "-i", "lo"]);
        if let Some(port) = &self.port {
            add(&["-p", port.protocol(), "--dport", &port.number.to_string()]);
            add(&["-m", "addrtype", "--dst-type", "LOCAL"]);
        }
        add(&["-m", "comment", "--comment", comment]);
        add(&["-j", if self.drops { "DROP" } else { "RETURN" }]);
        out
    }

    /// Reads a line of `iptables -S CHAIN`: the rule, and its words as they were printed, which are
    /// those that delete it. `None` where it is none of the forms that are made here.
    pub fn read(line: &str, chain: &str) -> Option<(Rule, Vec<String>)> {
        let words = split(line)?;
        let rest = words.strip_prefix(&["-A".to_owned(), chain.to_owned()])?.to_vec();
        let after = |key: &str| rest.iter().position(|w| w == key).and_then(|at| rest.get(at + 1));
        let drops = match after("-j")?.as_str() {
            "DROP" => true,
            "RETURN" => false,
            _ => return None,
        };
        let from = match after("-s") {
            Some(text) => Some(Net::parse(text).ok()?),
            None => None,
        };
        let port = match (after("-p"), after("--dport")) {
            (Some(protocol), Some(number)) => Some(Port::parse(&format!("{protocol}/{number}")).ok()?),
            (None, None) => None,
            _ => return None,
        };
        Some((Rule { from, port, drops }, rest))
    }
}

/// The comment among a rule's words.
pub fn comment_of(words: &[String]) -> Option<&str> {
    words.iter().position(|w| w == "--comment").and_then(|at| words.get(at + 1)).map(String::as_str)
}

/// Splits a line at spaces that no quotes hold; `None` when a quote does not end.
fn split(line: &str) -> Option<Vec<String>> {
    let (mut words, mut word, mut quoted, mut escaped) = (Vec::new(), None::<String>, false, false);
    for c in line.chars() {
        match c {
            _ if escaped => {
                word.get_or_insert_default().push(c);
                escaped = false;
            }
            '\\' if quoted => escaped = true,
            '"' => {
                quoted = !quoted;
                word.get_or_insert_default();
            }
            ' ' if !quoted => words.extend(word.take()),
            c => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    (!quoted).then_some(words)
}

/// The commands of a change on a chain that is empty, for the preview.
pub fn preview(table: &str, change: &Change, comment: &str) -> Vec<Vec<String>> {
    let mut out = Vec::new();
    for v4 in families(change) {
        if matches!(change, Change::Block { .. } | Change::Close { .. }) {
            out.extend(base(table, v4));
        }
        let place: &[&str] = match change {
            Change::Block { .. } => &["-I", table, "1"],
            Change::Unblock { .. } => &["-D", table],
            Change::Close { .. } | Change::Open { .. } => &["-A", table],
        };
        for rule in Rule::all(change, v4) {
            let mut words = argv(v4, place);
            words.extend(rule.words(comment));
            out.push(words);
        }
    }
    out
}

/// The commands that make the chain and the way to it, each done only if it is missing.
pub fn base(table: &str, v4: bool) -> Vec<Vec<String>> {
    vec![argv(v4, &["-N", table]), argv(v4, &["-I", "PREROUTING", "1", "-j", table])]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_is_read_as_it_is_printed() {
        let table = [
            (
                "-A qd -s 203.0.113.7/32 ! -i lo -m comment --comment \"quarterdeck r s\" -j DROP",
                Some(("203.0.113.7", "", true)),
            ),
            (
                "-A qd -s 10.0.0.0/8 ! -i lo -p tcp -m tcp --dport 443 -m addrtype --dst-type LOCAL -m comment --comment c -j RETURN",
                Some(("10.0.0.0/8", "tcp/443", false)),
            ),
            ("-A qd ! -i lo -p udp -m udp --dport 53 -j DROP", Some(("", "udp/53", true))),
            ("-N qd", None),
            ("-A qd -p icmp -j ACCEPT", None),
            ("-A other -j DROP", None),
            ("-A qd --comment \"no end -j DROP", None),
        ];
        for (line, want) in table {
            let got = Rule::read(line, "qd").map(|(rule, _)| {
                let text = |t: Option<String>| t.unwrap_or_default();
                (text(rule.from.map(|n| n.to_string())), text(rule.port.map(|p| p.to_string())), rule.drops)
            });
            assert_eq!(got, want.map(|(f, p, d)| (f.to_owned(), p.to_owned(), d)), "{line}");
        }
        let (_, words) = Rule::read("-A qd -m comment --comment \"a \\\"b\" -j DROP", "qd").unwrap();
        assert_eq!(comment_of(&words), Some("a \"b"));
    }
}
