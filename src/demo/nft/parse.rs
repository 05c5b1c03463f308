//! The language of `nft`, as far as steps of procedures and their readers speak it.

use super::objects::add_elements;
use super::words::{Reader, Token};
use super::{Base, Chain, Element, How, OBJECTS, Part, Refusal, Ruleset, Table, Values, missing, show};
use crate::demo::model::Second;

const FAMILIES: [&str; 6] = ["inet", "ip", "ip6", "arp", "bridge", "netdev"];

/// Carries out every command of a text.
pub fn run(rules: &mut Ruleset, text: &str, now: Second, how: How) -> Result<String, Refusal> {
    let mut reader = Reader::new(text, now)?;
    let mut out = String::new();
    while reader.more() {
        out.push_str(&reader.command(rules, how)?);
        if out.len() > 4 << 20 {
            return Err("the answer is too long".into());
        }
    }
    Ok(out)
}

impl Reader {
    fn family(&mut self) -> String {
        match self.rest.next_if(|t| matches!(t, Token::Word(w) if FAMILIES.contains(&w.as_str()))) {
            Some(Token::Word(family)) => family,
            _ => "ip".into(),
        }
    }

    fn command(&mut self, rules: &mut Ruleset, how: How) -> Result<String, Refusal> {
        // A table written out is one that is added.
        if matches!(self.rest.peek(), Some(Token::Word(w)) if w == "table") {
            self.word()?;
            return self.add_table(rules, false).map(|()| String::new());
        }
        let verb = self.word()?;
        if verb == "list" || verb == "get" {
            return self.list(rules, how, verb == "get");
        }
        let what = self.word()?;
        match (verb.as_str(), what.as_str()) {
            ("add" | "create", "table") => self.add_table(rules, verb == "create"),
            ("add" | "create", "chain") => self.add_chain(rules, verb == "create"),
            ("add" | "create", "set" | "map") => self.add_set(rules, what == "map", verb == "create"),
            ("add" | "create", "element") => self.elements(rules, true, verb == "create"),
            ("add" | "insert", "rule") => self.add_rule(rules, verb == "insert"),
            ("flush", "ruleset") => {
                rules.tables.clear();
                self.end()
            }
            ("flush", _) => self.flush(rules, &what),
            ("delete" | "destroy", "element") => match self.elements(rules, false, false) {
                Err(_) if verb == "destroy" => Ok(()),
                done => done,
            },
            ("delete" | "destroy", _) => match self.delete(rules, &what) {
                Err(why) if verb == "destroy" && why == missing() => Ok(()),
                done => done,
            },
            _ => Err(format!("syntax error, unexpected {}", what.escape_debug())),
        }?;
        self.end()?;
        Ok(String::new())
    }

    fn add_table(&mut self, rules: &mut Ruleset, fresh: bool) -> Result<(), Refusal> {
        let (family, name) = (self.family(), self.name()?);
        let full = rules.tables.len() >= OBJECTS;
        match rules.table(&family, &name) {
            Ok(_) if fresh => return Err("Could not process rule: File exists".into()),
            Ok(_) => {}
            Err(_) if full => return Err("Could not process rule: Too many".into()),
            Err(_) => {
                rules.handles += 1;
                rules.tables.push(Table {
                    family: family.clone(),
                    name: name.clone(),
                    handle: rules.handles,
                    sets: Vec::new(),
                    chains: Vec::new(),
                    handles: 0,
                });
            }
        }
        if !self.sign('{') {
            return Ok(());
        }
        while self.more() && !self.sign('}') {
            let what = self.word()?;
            match what.as_str() {
                "set" | "map" => {
                    let set = self.name()?;
                    self.set_body(rules.table(&family, &name)?, &set, what == "map", false)?;
                }
                "chain" => {
                    let chain = self.name()?;
                    self.chain_body(rules.table(&family, &name)?, &chain, false)?;
                }
                "comment" => drop(self.name()?),
                _ => return Err(format!("syntax error, unexpected {}", what.escape_debug())),
            }
        }
        Ok(())
    }

    fn add_chain(&mut self, rules: &mut Ruleset, fresh: bool) -> Result<(), Refusal> {
        let (family, table, name) = (self.family(), self.name()?, self.name()?);
        self.chain_body(rules.table(&family, &table)?, &name, fresh)
    }

    /// `{ type filter hook input priority 0; policy accept; RULES }`
    fn chain_body(&mut self, table: &mut Table, name: &str, fresh: bool) -> Result<(), Refusal> {
        let full = table.chains.len() >= OBJECTS;
        match table.chain(name) {
            Ok(_) if fresh => return Err("Could not process rule: File exists".into()),
            Ok(_) => {}
            Err(_) if full => return Err("Could not process rule: Too many".into()),
            Err(_) => {
                let handle = table.next_handle();
                let chain = Chain { name: name.to_owned(), handle, base: None, rules: Vec::new() };
                table.chains.push(chain);
            }
        }
        if !self.sign('{') {
            return Ok(());
        }
        while self.more() && !self.sign('}') {
            if self.takes("type") {
                let base = self.base()?;
                table.chain(name)?.base.get_or_insert(base);
            } else if self.takes("policy") {
                let drops = self.word()? == "drop";
                if let Some(base) = &mut table.chain(name)?.base {
                    base.drops = drops;
                }
            } else if self.takes("comment") {
                self.name()?;
            } else {
                let rule = self.rule(table.next_handle())?;
                table.chain(name)?.rules.push(rule);
            }
        }
        Ok(())
    }

    fn base(&mut self) -> Result<Base, Refusal> {
        let of = self.word()?;
        if !self.takes("hook") {
            return self.unexpected();
        }
        let hook = self.word()?;
        if !self.takes("priority") {
            return self.unexpected();
        }
        let named = |word: &str| match word {
            "raw" => Some(-300),
            "mangle" => Some(-150),
            "filter" => Some(0),
            "security" => Some(50),
            _ => word.parse().ok(),
        };
        let first = self.word()?;
        let mut priority: i32 = named(&first).ok_or_else(|| format!("invalid priority {first}"))?;
        for (sign, factor) in [("+", 1), ("-", -1)] {
            if self.takes(sign) {
                let more: i32 = self.word()?.parse().map_err(|_| "invalid priority".to_owned())?;
                priority = priority.saturating_add(factor * more);
            }
        }
        Ok(Base { of, hook, priority, drops: false })
    }

    fn add_set(&mut self, rules: &mut Ruleset, leads: bool, fresh: bool) -> Result<(), Refusal> {
        let (family, table, name) = (self.family(), self.name()?, self.name()?);
        self.set_body(rules.table(&family, &table)?, &name, leads, fresh)
    }

    fn elements(&mut self, rules: &mut Ruleset, add: bool, fresh: bool) -> Result<(), Refusal> {
        let (family, table, name) = (self.family(), self.name()?, self.name()?);
        let given = self.element_list()?;
        let set = rules.table(&family, &table)?.set(&name)?;
        if add {
            return add_elements(set, given, self.now, fresh);
        }
        for element in given {
            let at = set.elements.iter().position(|e| e.key == element.key);
            set.elements.remove(at.ok_or("Could not process rule: No such file or directory")?);
        }
        Ok(())
    }

    fn add_rule(&mut self, rules: &mut Ruleset, first: bool) -> Result<(), Refusal> {
        let (family, table, chain) = (self.family(), self.name()?, self.name()?);
        let mut beside = None;
        for place in ["handle", "position", "index"] {
            if self.takes(place) {
                beside = self.word()?.parse::<u64>().ok();
            }
        }
        let table = rules.table(&family, &table)?;
        table.chain(&chain)?;
        let rule = self.rule(table.next_handle())?;
        for part in &rule.parts {
            if let Part::Match { values: Values::Named(set), .. } = part {
                table.set(set)?;
            }
        }
        let list = &mut table.chain(&chain)?.rules;
        if list.len() >= OBJECTS * 4 {
            return Err("Could not process rule: Too many".into());
        }
        let at = beside.and_then(|h| list.iter().position(|r| r.handle == h));
        let at = match (at, first) {
            (Some(at), true) => at,
            (Some(at), false) => at + 1,
            (None, true) => 0,
            (None, false) => list.len(),
        };
        list.insert(at, rule);
        Ok(())
    }

    fn flush(&mut self, rules: &mut Ruleset, what: &str) -> Result<(), Refusal> {
        let (family, table) = (self.family(), self.name()?);
        let table = rules.table(&family, &table)?;
        match what {
            "table" => table.chains.iter_mut().for_each(|c| c.rules.clear()),
            "chain" => table.chain(&self.name()?)?.rules.clear(),
            "set" | "map" => table.set(&self.name()?)?.elements.clear(),
            _ => return Err(format!("syntax error, unexpected {}", what.escape_debug())),
        }
        Ok(())
    }

    fn delete(&mut self, rules: &mut Ruleset, what: &str) -> Result<(), Refusal> {
        let family = self.family();
        if what == "table" {
            let name = if self.takes("handle") { String::new() } else { self.name()? };
            let at = rules.tables.iter().position(|t| t.family == family && t.name == name);
            rules.tables.remove(at.ok_or_else(missing)?);
            return Ok(());
        }
        let (table, name) = (self.name()?, self.name()?);
        let table = rules.table(&family, &table)?;
        match what {
            "chain" => {
                table.chain(&name)?;
                busy(table.leads_to(&name))?;
                table.chains.retain(|c| c.name != name);
            }
            "set" | "map" => {
                table.set(&name)?;
                busy(table.asks(&name))?;
                table.sets.retain(|s| s.name != name);
            }
            "rule" => {
                if !self.takes("handle") {
                    return self.unexpected();
                }
                let handle: u64 = self.word()?.parse().map_err(|_| missing())?;
                let rules = &mut table.chain(&name)?.rules;
                let at = rules.iter().position(|r| r.handle == handle).ok_or_else(missing)?;
                rules.remove(at);
            }
            _ => return Err(format!("syntax error, unexpected {}", what.escape_debug())),
        }
        Ok(())
    }

    fn list(&mut self, rules: &mut Ruleset, how: How, get: bool) -> Result<String, Refusal> {
        let what = self.word()?;
        let now = self.now;
        if what == "ruleset" || what == "tables" {
            let family = matches!(self.rest.peek(), Some(Token::Word(_))).then(|| self.family());
            let all = rules.tables.iter().filter(|t| family.as_ref().is_none_or(|f| t.family == *f));
            let bare = what == "tables";
            return Ok(show::show(
                &all.map(|t| (t, show::Shown::Table { bare })).collect::<Vec<_>>(),
                how,
                now,
            ));
        }
        let (family, table) = (self.family(), self.name()?);
        let found =
            rules.tables.iter().find(|t| t.family == family && t.name == table).ok_or_else(missing)?;
        let shown = match what.as_str() {
            "table" => show::Shown::Table { bare: false },
            "set" | "map" => show::Shown::Set(self.name()?),
            "chain" => show::Shown::Chain(self.name()?),
            "element" if get => {
                let set = self.name()?;
                let wanted = self.element_list()?;
                let there = found.sets.iter().find(|s| s.name == set).ok_or_else(missing)?;
                let known = |e: &Element| there.elements.iter().any(|t| t.key == e.key);
                if !wanted.iter().all(known) {
                    return Err("Could not process rule: No such file or directory".into());
                }
                show::Shown::Set(set)
            }
            _ => return Err(format!("syntax error, unexpected {}", what.escape_debug())),
        };
        if !shown.is_in(found) {
            return Err(missing());
        }
        self.end()?;
        Ok(show::show(&[(found, shown)], how, now))
    }
}

fn busy(busy: bool) -> Result<(), Refusal> {
    if busy { Err("Could not process rule: Device or resource busy".into()) } else { Ok(()) }
}
