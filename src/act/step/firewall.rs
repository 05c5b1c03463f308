//! `uses = "firewall"`: one change of the packet filter, made as a whole, twice as good as once, and
//! with an exact inverse.

mod iptables;
mod lockout;
mod nft;

use super::{Answer, Left, Setting, Stop, Target};
use crate::domain::procedure::action::filter::{Change, Net, Port, comment};
use crate::domain::procedure::action::kinds::{Firewall, FirewallBackend};
use crate::domain::procedure::plan::Certainty;

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
    fn block_of(&self, net: &Net) -> Option<&Blocked> {
        self.blocked.iter().find(|b| b.net == *net)
    }

    fn closing(&self, port: Port) -> Option<&Closed> {
        self.closed.iter().find(|c| c.port == port)
    }

    /// Whether it is already as the change would make it.
    fn has(&self, change: &Change) -> bool {
        match change {
            Change::Block { net, seconds } => self.block_of(net).is_some_and(|b| match (b.left, seconds) {
                // What holds longer than is asked for stays: somebody meant it.
                (None, _) => true,
                (Some(_), None) => false,
                (Some(left), Some(seconds)) => left >= *seconds,
            }),
            Change::Unblock { net } => self.block_of(net).is_none(),
            Change::Open { ports } => ports.iter().all(|p| self.closing(*p).is_none()),
            Change::Close { ports, except } => {
                ports.iter().all(|p| self.closing(*p).is_some_and(|c| !c.half && c.except == *except))
            }
        }
    }

    /// Whether the change has come about, be it by another hand.
    fn shows(&self, change: &Change) -> bool {
        match change {
            Change::Block { net, .. } => self.block_of(net).is_some(),
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
                    format!("{net} is blocked {end} by {}", b.comment)
                }
            },
            Change::Close { ports, .. } | Change::Open { ports } => {
                let of = |p: &Port| match self.closing(*p) {
                    None => format!("{p} is open"),
                    Some(c) if c.half => format!("{p} is closed only in part by {}", c.comment),
                    Some(c) if c.except.is_empty() => format!("{p} is closed by {}", c.comment),
                    Some(c) => format!("{p} is closed but for {} by {}", nets(&c.except), c.comment),
                };
                ports.iter().map(of).collect::<Vec<_>>().join(", ")
            }
        }
    }
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
    if filter.has(&change) {
        target.warnings.push(format!("nothing to do: {}", target.state));
    } else {
        target.blast.push(words(&change));
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

/// Makes the change, unless it is made already.
pub async fn perform(a: &Firewall, s: &Setting<'_>, stop: &Stop) -> Left {
    let work = async {
        let change = Change::of(a)?;
        let filter = read(a, s, stop).await?;
        if filter.has(&change) {
            return Ok(format!("nothing to do: {}", filter.state(&change)));
        }
        // Looked at again: who asks, and from where, may have changed since the plan was made.
        if let (Some(why), _) = lockout::check(&change, s).await {
            return Err(why);
        }
        let comment = comment(s.run.as_str(), s.step.as_str());
        match a.backend {
            FirewallBackend::Nftables => nft::make(&a.table, &change, &comment, s, stop).await?,
            FirewallBackend::Iptables => iptables::make(&a.table, &change, &comment, s, stop).await?,
        }
        Ok(words(&change))
    };
    match work.await {
        Ok(says) => Left::done(says),
        Err(why) if stop.is_stopped() => Left::killed(why),
        Err(why) => Left::failed(why),
    }
}

/// The filter itself knows.
pub async fn ask(a: &Firewall, _: &str, s: &Setting<'_>) -> Answer {
    let look = async {
        let change = Change::of(a)?;
        let filter = read(a, s, &Stop::new()).await?;
        Ok::<_, String>((filter.shows(&change), filter.state(&change)))
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
