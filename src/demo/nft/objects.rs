//! What stands inside sets, chains and rules.

use super::words::{Reader, Token, is_address, span};
use super::{ELEMENTS, Element, OBJECTS, Part, Refusal, Rule, Set, Table, Values, Verdict, What, missing};
use crate::demo::model::Second;

impl Reader {
    /// `{ type ipv4_addr; flags interval, timeout; timeout 1h; elements = { … } }`
    pub fn set_body(
        &mut self,
        table: &mut Table,
        name: &str,
        leads: bool,
        fresh: bool,
    ) -> Result<(), Refusal> {
        let mut set = Set {
            name: name.to_owned(),
            handle: 0,
            of: String::new(),
            leads,
            flags: Vec::new(),
            timeout: None,
            comment: None,
            elements: Vec::new(),
        };
        let mut elements = Vec::new();
        self.need('{')?;
        while self.more() && !self.sign('}') {
            let key = self.word()?;
            match key.as_str() {
                "type" | "typeof" => {
                    set.of = self.joined()?;
                    if leads && !(self.takes(":") && self.takes("verdict")) {
                        return self.unexpected();
                    }
                }
                "flags" => loop {
                    set.flags.push(self.word()?);
                    if !self.sign(',') {
                        break;
                    }
                },
                "timeout" => set.timeout = Some(span(&self.word()?)?),
                "gc-interval" | "size" | "policy" => drop(self.word()?),
                "comment" => set.comment = Some(self.name()?),
                "auto-merge" | "counter" => {}
                "elements" => {
                    self.need('=')?;
                    elements = self.element_list()?;
                }
                _ => return Err(format!("syntax error, unexpected {}", key.escape_debug())),
            }
        }
        if set.of.is_empty() {
            return Err("set definition does not specify key".into());
        }
        let full = table.sets.len() >= OBJECTS;
        match table.set(name) {
            Ok(_) if fresh => return Err("Could not process rule: File exists".into()),
            Ok(there) if there.of != set.of => return Err("Could not process rule: File exists".into()),
            Ok(_) => {}
            Err(_) if full => return Err("Could not process rule: Too many".into()),
            Err(_) => {
                set.handle = table.next_handle();
                table.sets.push(set);
            }
        }
        add_elements(table.set(name)?, elements, self.now, false)
    }

    /// A name, or several with dots between them.
    fn joined(&mut self) -> Result<String, Refusal> {
        let mut all = self.name()?;
        while self.takes(".") {
            all.push_str(" . ");
            all.push_str(&self.name()?);
        }
        Ok(all)
    }

    pub fn element_list(&mut self) -> Result<Vec<Element>, Refusal> {
        self.need('{')?;
        let mut out = Vec::new();
        while self.more() && !self.sign('}') {
            let key = self.joined()?;
            let mut element = Element { key, timeout: None, expires: None, comment: None, to: None };
            loop {
                if self.takes("timeout") {
                    element.timeout = Some(span(&self.word()?)?);
                } else if self.takes("expires") {
                    element.expires = Some(span(&self.word()?)? + self.now);
                } else if self.takes("comment") {
                    element.comment = Some(self.name()?);
                } else if self.takes(":") {
                    match self.part()? {
                        Part::Verdict(verdict) => element.to = Some(verdict),
                        _ => return Err("syntax error, a verdict was expected".into()),
                    }
                } else if !self.takes("counter") {
                    break;
                }
            }
            out.push(element);
            while self.sign(',') || self.sign(';') {}
        }
        Ok(out)
    }

    pub fn rule(&mut self, handle: u64) -> Result<Rule, Refusal> {
        let mut rule = Rule { handle, parts: Vec::new(), comment: None };
        while !matches!(self.rest.peek(), None | Some(Token::Sign(';' | '}'))) {
            if self.takes("comment") {
                rule.comment = Some(self.name()?);
                continue;
            }
            let part = self.part()?;
            rule.parts.push(part);
        }
        if rule.parts.is_empty() { self.unexpected() } else { Ok(rule) }
    }

    fn part(&mut self) -> Result<Part, Refusal> {
        let first = self.word()?;
        let what = match first.as_str() {
            "iif" => What::Iif,
            "iifname" => What::Iifname,
            "ip" if self.takes("saddr") => What::IpSource,
            "ip6" if self.takes("saddr") => What::Ip6Source,
            "tcp" if self.takes("dport") => What::TcpPort,
            "udp" if self.takes("dport") => What::UdpPort,
            "ct" if self.takes("state") => What::State,
            "meta" if self.takes("l4proto") => {
                if self.takes(".") {
                    return self.by_port();
                }
                What::L4Protocol
            }
            "fib" if self.takes("daddr") && self.takes("type") => What::Destination,
            "meta" if self.takes("nfproto") => What::NfProtocol,
            "meta" if self.takes("iifname") => What::Iifname,
            "counter" => {
                if self.takes("packets") {
                    self.word()?;
                    self.takes("bytes");
                    self.word()?;
                }
                return Ok(Part::Counter);
            }
            "accept" => return Ok(Part::Verdict(Verdict::Accept)),
            "drop" => return Ok(Part::Verdict(Verdict::Drop)),
            "return" => return Ok(Part::Verdict(Verdict::Return)),
            "jump" => return Ok(Part::Verdict(Verdict::Jump(self.name()?))),
            "goto" => return Ok(Part::Verdict(Verdict::Goto(self.name()?))),
            "reject" => return Ok(self.reject()),
            _ => {
                return Err(format!(
                    "syntax error, unexpected {} (the demo's nft knows only a part)",
                    first.escape_debug()
                ));
            }
        };
        let not = self.takes("!=");
        self.takes("==");
        Ok(Part::Match { what, not, values: self.values()? })
    }

    /// What follows `meta l4proto .`
    fn by_port(&mut self) -> Result<Part, Refusal> {
        if !(self.takes("th") && self.takes("dport") && self.takes("vmap")) {
            return self.unexpected();
        }
        let map = self.name()?;
        map.strip_prefix('@').map(|map| Part::ByPort(map.to_owned())).ok_or_else(missing)
    }

    fn reject(&mut self) -> Part {
        let mut with = Vec::new();
        if self.takes("with") {
            while let Some(Token::Word(word)) =
                self.rest.next_if(|t| matches!(t, Token::Word(w) if w != "comment"))
            {
                with.push(word);
            }
        }
        Part::Verdict(Verdict::Reject((!with.is_empty()).then(|| with.join(" "))))
    }

    fn values(&mut self) -> Result<Values, Refusal> {
        if self.sign('{') {
            let mut all = Vec::new();
            while self.more() && !self.sign('}') {
                all.push(self.name()?);
                while self.sign(',') || self.sign(';') {}
            }
            return Ok(Values::Given { all, braces: true });
        }
        let first = self.name()?;
        if let Some(set) = first.strip_prefix('@') {
            return Ok(Values::Named(set.to_owned()));
        }
        let mut all = vec![first];
        while self.sign(',') {
            all.push(self.name()?);
        }
        Ok(Values::Given { all, braces: false })
    }
}

/// Adds what is not there yet; `fresh`: or refuses.
pub fn add_elements(set: &mut Set, given: Vec<Element>, now: Second, fresh: bool) -> Result<(), Refusal> {
    for mut element in given {
        if set.of == "ipv4_addr" && !is_address(&element.key, &set.flags) {
            return Err(format!("Could not resolve hostname: {}", element.key.escape_debug()));
        }
        if element.timeout.is_some() && !set.flags.iter().any(|f| f == "timeout") {
            return Err("Could not process rule: Invalid argument".into());
        }
        if set.leads != element.to.is_some() {
            return Err("Could not process rule: Invalid argument".into());
        }
        if set.elements.iter().any(|e| e.key == element.key) {
            if fresh {
                return Err("Could not process rule: File exists".into());
            }
            continue;
        }
        if set.elements.len() >= ELEMENTS {
            return Err("Could not process rule: Too many".into());
        }
        element.timeout = element.timeout.or(set.timeout);
        element.expires = element.expires.or(element.timeout.map(|t| now + t));
        set.elements.push(element);
    }
    Ok(())
}
