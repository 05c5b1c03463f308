//! `uses = "firewall"`: one change of the packet filter, made as a whole, twice as good as once, and
//! with an exact inverse.

mod iptables;
mod lockout;
mod nft;
mod undo;
mod was;

use super::{Answer, Left, Setting, Stop, Target};
use crate::domain::procedure::action::filter::{Change, Net, Port, comment};
use crate::domain::procedure::action::kinds::{Firewall, FirewallBackend};
use crate::domain::procedure::plan::Certainty;
use undo::{Mine, Part, Undoing};
use was::Was;

/// What stands in our table or chain now.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Filter {
    pub blocked: Vec<Blocked>,
    pub closed: Vec<Closed>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Blocked {
    pub net: Net,
    /// Seconds left; `None` for one without an end.
    pub left: Option<u64>,
    pub comment: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Closed {
    pub port: Port,
    pub except: Vec<Net>,
    pub comment: String,
    /// Half of it: a change that was cut short.
    pub half: bool,
}

impl Filter {
    fn blocks_of<'f>(&'f self, net: &'f Net) -> impl Iterator<Item = &'f Blocked> {
        self.blocked.iter().filter(move |b| b.net == *net)
    }

    fn block_of<'f>(&'f self, net: &'f Net) -> Option<&'f Blocked> {
        self.blocks_of(net).next()
    }

    /// Of one port; the first is the one whose word counts.
    fn closings(&self, port: Port) -> impl Iterator<Item = &Closed> {
        self.closed.iter().filter(move |c| c.port == port)
    }

    /// What is left to do of a change; `None` when all is already as it would make it.
    fn missing(&self, change: &Change) -> Option<Change> {
        let some = |ports: Vec<Port>| (!ports.is_empty()).then_some(ports);
        match change {
            Change::Block { net, seconds } => {
                let holds = self.blocks_of(net).any(|b| match (b.left, seconds) {
                    // What holds longer than is asked for stays: somebody meant it.
                    (None, _) => true,
                    (Some(_), None) => false,
                    (Some(left), Some(seconds)) => left >= *seconds,
                });
                (!holds).then(|| change.clone())
            }
            Change::Unblock { net } => self.block_of(net).map(|_| change.clone()),
            Change::Open { ports } => {
                let closed = ports.iter().copied().filter(|p| self.closings(*p).next().is_some());
                some(closed.collect()).map(|ports| Change::Open { ports })
            }
            Change::Close { ports, except } => {
                let well = |p: Port| {
                    self.closings(p).any(|c| !c.half) && self.closings(p).all(|c| c.except == *except)
                };
                let others = ports.iter().copied().filter(|p| !well(*p));
                some(others.collect()).map(|ports| Change::Close { ports, except: except.clone() })
            }
        }
    }

    /// Whether it is already as the change would make it.
    fn has(&self, change: &Change) -> bool {
        self.missing(change).is_none()
    }

    /// Whether the change has come about: by this step, or so that nothing is left to do.
    fn shows(&self, change: &Change, ours: &str) -> bool {
        match change {
            // Its time goes by.
            Change::Block { net, .. } if self.blocks_of(net).any(|b| b.comment == ours) => true,
            other => self.has(other),
        }
    }

    /// What it says of what a change is about; nothing in it changes by itself.
    fn state(&self, change: &Change) -> String {
        match change {
            Change::Block { net, .. } | Change::Unblock { net } => match self.block_of(net) {
                None => format!("{net} is not blocked"),
                Some(b) => {
                    let end = if b.left.is_some() { "for a time" } else { "without an end" };
                    format!("{net} is blocked {end}{}", by(&b.comment))
                }
            },
            Change::Close { ports, .. } | Change::Open { ports } => {
                let of = |p: &Port| match self.closings(*p).next() {
                    None => format!("{p} is open"),
                    Some(c) if c.half => format!("{p} is closed only in part{}", by(&c.comment)),
                    Some(c) if c.except.is_empty() => format!("{p} is closed{}", by(&c.comment)),
                    Some(c) => format!("{p} is closed but for {}{}", nets(&c.except), by(&c.comment)),
                };
                ports.iter().map(of).collect::<Vec<_>>().join(", ")
            }
        }
    }
}

/// Whose it is, as far as its comment says.
fn by(comment: &str) -> String {
    if comment.is_empty() { String::new() } else { format!(" by {comment}") }
}

fn nets(all: &[Net]) -> String {
    all.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
}

/// What a change does, in words.
fn words(change: &Change) -> String {
    let list = |ports: &[Port]| ports.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    match change {
        Change::Block { net, seconds: None } => format!("{net} is dropped, without an end"),
        Change::Block { net, seconds: Some(s) } => {
            let span = crate::domain::units::exact(std::time::Duration::from_secs(*s));
            format!("{net} is dropped for {span}")
        }
        Change::Unblock { net } => format!("{net} is no longer dropped"),
        Change::Close { ports, except } if except.is_empty() => {
            format!("{} dropped for everybody but loopback, established connections too", list(ports))
        }
        Change::Close { ports, except } => {
            let except = nets(except);
            format!(
                "{} dropped for everybody but loopback and {except}, established connections too",
                list(ports)
            )
        }
        Change::Open { ports } => format!("{} no longer dropped", list(ports)),
    }
}

async fn read(a: &Firewall, s: &Setting<'_>, stop: &Stop) -> Result<Filter, String> {
    match a.backend {
        FirewallBackend::Nftables => nft::read(&a.table, s, stop).await,
        FirewallBackend::Iptables => iptables::read(&a.table, s, stop).await,
    }
}

/// What the filter has now of what the step is about, and what the filter itself says of the change.
pub async fn target(a: &Firewall, s: &Setting<'_>) -> Target {
    let change = match Change::of(a) {
        Ok(change) => change,
        Err(why) => return Target::unpinned().but_impossible(why),
    };
    let never = Stop::new();
    let filter = match read(a, s, &never).await {
        Ok(filter) => filter,
        Err(why) => return Target::unpinned().but_impossible(why),
    };
    let table = match a.backend {
        FirewallBackend::Nftables => format!("nftables table inet {}", a.table),
        FirewallBackend::Iptables => format!("iptables chain {}", a.table),
    };
    let mut target = Target::probed(format!("{table} on {}", s.host), filter.state(&change));
    match filter.missing(&change) {
        None => target.warnings.push(format!("nothing to do: {}", target.state)),
        Some(todo) => target.blast.push(words(&todo)),
    }
    let (out, warnings) = lockout::check(&change, s).await;
    target.warnings.extend(warnings);
    if let Some(why) = out {
        return target.but_impossible(why);
    }
    if a.backend == FirewallBackend::Nftables {
        match nft::simulate(&a.table, &change, s).await {
            Ok(()) => target.certainty = Certainty::Simulated,
            Err(why) => return target.but_impossible(why),
        }
    }
    target
}

/// Makes the change, as far as it is not made already. As an undoing it takes back only what the
/// step did.
pub async fn perform(a: &Firewall, s: &Setting<'_>, stop: &Stop) -> Left {
    let work = async {
        let change = Change::of(a)?;
        let filter = read(a, s, stop).await?;
        if let Some(undoing) = Undoing::of(a, &change, &filter, s)? {
            make(a, &undoing.parts, s, stop).await?;
            return Ok::<_, String>((undoing.says(), undoing.spares()));
        }
        let Some(todo) = filter.missing(&change) else {
            return Ok((format!("nothing to do: {}", filter.state(&change)), false));
        };
        let comment = comment(s.run.as_str(), s.step.as_str());
        // What undoes another step differently must not be taken for the step itself.
        if s.undoes.is_none() {
            Was::note(&todo, &filter, &comment, s)?;
        }
        let part = Part { change: todo, comment, only: Mine::All };
        make(a, std::slice::from_ref(&part), s, stop).await?;
        Ok((words(&part.change), false))
    };
    match work.await {
        Ok((says, spared)) => Left::done(says).sparing(spared),
        Err(why) if stop.is_stopped() => Left::killed(why),
        Err(why) => Left::failed(why),
    }
}

async fn make(a: &Firewall, parts: &[Part], s: &Setting<'_>, stop: &Stop) -> Result<(), String> {
    if parts.is_empty() {
        return Ok(());
    }
    // Looked at again: who asks, and from where, may have changed since the plan was made.
    for part in parts {
        if let (Some(why), _) = lockout::check(&part.change, s).await {
            return Err(why);
        }
    }
    match a.backend {
        FirewallBackend::Nftables => nft::make(&a.table, parts, s, stop).await,
        FirewallBackend::Iptables => iptables::make(&a.table, parts, s, stop).await,
    }
}

/// The filter itself knows.
pub async fn ask(a: &Firewall, _: &str, s: &Setting<'_>) -> Answer {
    let look = async {
        let change = Change::of(a)?;
        let filter = read(a, s, &Stop::new()).await?;
        if let Some(undoing) = Undoing::of(a, &change, &filter, s)? {
            let done = undoing.parts.is_empty();
            let says = if done { undoing.says() } else { filter.state(&change) };
            return Ok((done, says));
        }
        let ours = comment(s.run.as_str(), s.step.as_str());
        Ok::<_, String>((filter.shows(&change, &ours), filter.state(&change)))
    };
    match look.await {
        Ok((true, state)) => Answer::happened(state),
        Ok((false, state)) => Answer::did_not(state),
        Err(why) => Answer::unknown(why),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_holds_longer_stays() {
        let net = Net::parse("203.0.113.7").unwrap();
        let with =
            |left| Filter { blocked: vec![Blocked { net, left, comment: "c".into() }], closed: vec![] };
        let table = [
            (None, None, true),
            (None, Some(60), true),
            (Some(30), None, false),
            (Some(30), Some(60), false),
            (Some(90), Some(60), true),
        ];
        for (left, seconds, want) in table {
            assert_eq!(with(left).has(&Change::Block { net, seconds }), want, "{left:?} {seconds:?}");
        }
        assert!(!Filter::default().has(&Change::Block { net, seconds: None }));
        assert!(Filter::default().has(&Change::Unblock { net }));
    }
}
