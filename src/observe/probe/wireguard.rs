//! Looks at a tunnel's interface: one `wg show all dump` answers for all interfaces of a host.
//!
//! That output holds private and preshared keys. They are blotted out in place before the answer
//! is kept for the other probes, and the evidence is written from what was understood.

use super::{Context, Fault, Found, host, shared};
use crate::domain::fact::Fact;
use crate::domain::text;
use crate::domain::units::{self, Unit};
use crate::stack::kind::wireguard::Spec;
use crate::transport::{Command, Output};
use std::fmt::Write as _;
use std::time::Duration;

/// Kept of the answer: some twenty thousand peers.
const MAX_DUMP: usize = 4 << 20;
/// A session is renewed every two minutes while there is traffic, and refused after three.
const ACTIVE: f64 = 180.0;
/// Peers written into the evidence at most.
const MAX_SHOWN: usize = 100;

/// One interface of the dump, without its keys.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Interface {
    pub name: String,
    /// 0 when it listens nowhere.
    pub port: u16,
    pub peers: Vec<Peer>,
}

/// One peer of an interface. Its address is left out on purpose: it is a person's.
#[derive(Clone, Debug, PartialEq)]
pub struct Peer {
    pub public_key: String,
    /// Seconds since the epoch; `None` before the first.
    pub handshake: Option<u64>,
    pub rx: u64,
    pub tx: u64,
}

/// Blots out every private and preshared key of a dump, in place: the second column of an
/// interface's line (5 columns) and the third of a peer's (9). A line of any other shape is
/// blotted out whole.
pub fn redact(dump: &mut [u8]) {
    for line in dump.split_mut(|b| *b == b'\n') {
        let columns = line.split(|b| *b == b'\t').count();
        let secret = match columns {
            5 => Some(1),
            9 => Some(2),
            _ => None,
        };
        for (i, column) in line.split_mut(|b| *b == b'\t').enumerate() {
            if secret.is_none_or(|s| s == i) {
                column.fill(b'*');
            }
        }
    }
}

/// Reads `wg show all dump`; lines that are neither an interface nor a peer are passed over.
pub fn parse_wg_dump(dump: &str) -> Vec<Interface> {
    let mut all: Vec<Interface> = Vec::new();
    for line in dump.lines() {
        let columns: Vec<&str> = line.split('\t').collect();
        match *columns.as_slice() {
            [name, _, _, port, _] if !name.is_empty() => {
                let Ok(port) = port.parse() else { continue };
                all.push(Interface { name: name.to_owned(), port, peers: Vec::new() });
            }
            [name, key, _, _, _, handshake, rx, tx, _] => {
                let (Ok(handshake), Ok(rx), Ok(tx)) = (handshake.parse::<u64>(), rx.parse(), tx.parse())
                else {
                    continue;
                };
                let handshake = Some(handshake).filter(|t| *t > 0);
                if let Some(interface) = all.iter_mut().find(|i| i.name == name) {
                    interface.peers.push(Peer { public_key: key.to_owned(), handshake, rx, tx });
                }
            }
            _ => {}
        }
    }
    all
}

pub(super) async fn look(spec: &Spec, cx: &Context<'_>) -> Result<Found, Fault> {
    let mut command = Command::new(["wg", "show", "all", "dump"]).sudo(cx.probe.sudo);
    command.max_stdout = MAX_DUMP;
    let clean = |output: &mut Output| redact(&mut output.stdout);
    let answer = cx
        .shared
        .cleaned_command(&cx.probe.host, cx.transport, &command, host::max_age(cx), cx.clock, clean)
        .await?;
    let stderr = String::from_utf8_lossy(&answer.output.stderr);
    let dump = String::from_utf8_lossy(&answer.output.stdout);
    let interface = parse_wg_dump(&dump).into_iter().find(|i| i.name == spec.interface);
    let mut found = Found { seen_at: Some(answer.at), summary: "absent".to_owned(), ..Found::default() };
    let Some(interface) = interface else {
        refused(spec, &command, &answer.output, &stderr)?;
        found.facts.bool("PRESENT", false);
        found.missing = Some(format!("interface {} does not exist", spec.interface));
        found.evidence = format!("wg knows no interface {}\n{stderr}", spec.interface);
        return Ok(found);
    };
    if answer.output.dropped > 0 {
        return Err(Fault::Unknown(format!("wg's answer is longer than {MAX_DUMP} bytes")));
    }
    let now = host::wall_clock(cx).await? - cx.clock.now().since(answer.at).as_secs_f64();
    describe(&interface, now, &mut found);
    Ok(found)
}

/// Says why an interface that is not in the answer may exist all the same.
fn refused(spec: &Spec, command: &Command, output: &Output, stderr: &str) -> Result<(), Fault> {
    let denied = ["Operation not permitted", "Permission denied"].iter().any(|e| stderr.contains(e));
    if denied || shared::sudo_refused(stderr) {
        return Err(Fault::Unknown(shared::sudo_help(command)));
    }
    let gone = format!("interface {}: No such device", spec.interface);
    if output.status != 0 && !stderr.contains(&gone) {
        let last = stderr.lines().rfind(|l| !l.trim().is_empty()).unwrap_or("nothing");
        return Err(Fault::Unknown(format!("wg failed and says: {}", text::one_line(last, 200))));
    }
    if output.dropped > 0 {
        return Err(Fault::Unknown(format!("wg's answer is longer than {MAX_DUMP} bytes")));
    }
    let understood = !parse_wg_dump(&String::from_utf8_lossy(&output.stdout)).is_empty();
    if !output.stdout.is_empty() && !understood {
        return Err(Fault::Unknown("expected wg's dump of interfaces, got something else".to_owned()));
    }
    Ok(())
}

fn describe(interface: &Interface, now: f64, found: &mut Found) {
    let peers = &interface.peers;
    // A clock set back makes a handshake lie ahead; it is as fresh as can be then.
    let age = |at: u64| (now - at as f64).max(0.0);
    let active = peers.iter().filter(|p| p.handshake.is_some_and(|at| age(at) < ACTIVE)).count();
    let latest = peers.iter().filter_map(|p| p.handshake).max().map(age);
    let shown = |age: f64| units::long_age(Duration::try_from_secs_f64(age).unwrap_or_default());
    found.summary = match latest {
        Some(age) => format!("{active} of {} peers active, handshake {} ago", peers.len(), shown(age)),
        None => format!("{} peers, no handshake yet", peers.len()),
    };
    let mut evidence =
        format!("interface {} port {} peers {}\n", interface.name, interface.port, peers.len());
    for peer in peers.iter().take(MAX_SHOWN) {
        let seen = peer
            .handshake
            .map_or_else(|| "no handshake".to_owned(), |at| format!("handshake {} ago", shown(age(at))));
        let (rx, tx) = (units::bytes(peer.rx as f64), units::bytes(peer.tx as f64));
        let _ = writeln!(evidence, "peer {} {seen} rx {rx} tx {tx}", peer.public_key);
    }
    found.evidence = evidence;
    let sum = |of: fn(&Peer) -> u64| peers.iter().map(of).fold(0u64, u64::saturating_add) as f64;
    let facts = &mut found.facts;
    facts.bool("PRESENT", true);
    facts.number("PEERS", peers.len() as f64, Unit::None);
    facts.number("ACTIVE_PEERS", active as f64, Unit::None);
    let never = || Fact::Unavailable(format!("no peer of {} has shaken hands yet", interface.name));
    facts.set("HANDSHAKE_AGE", latest.map_or_else(never, |age| Fact::Number(age, Unit::Seconds)));
    facts.number("PORT", f64::from(interface.port), Unit::None);
    facts.number("RX", sum(|p| p.rx), Unit::Bytes);
    facts.number("TX", sum(|p| p.tx), Unit::Bytes);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SAMPLE: &str = "wg0\tcPRIVATEc=\tAPUB=\t51820\toff\n\
wg0\tBPUB=\t(none)\t10.250.1.2:4000\t10.66.0.2/32\t1700000100\t180\t92\toff\n\
wg0\tCPUB=\tPRESHARED=\t(none)\t10.66.0.3/32\t0\t0\t148\t25\n\
wg1\tdPRIVATEd=\tDPUB=\t0\t0xca6c\n";

    #[test]
    fn interfaces_come_with_their_peers() {
        let all = parse_wg_dump(SAMPLE);
        assert_eq!(
            all.iter().map(|i| (&*i.name, i.port, i.peers.len())).collect::<Vec<_>>(),
            [("wg0", 51820, 2), ("wg1", 0, 0)]
        );
        let peer = Peer { public_key: "BPUB=".into(), handshake: Some(1_700_000_100), rx: 180, tx: 92 };
        assert_eq!(all[0].peers[0], peer);
        assert_eq!(all[0].peers[1].handshake, None);
    }

    #[test]
    fn no_key_but_the_public_ones_survives() {
        let mut dump = SAMPLE.as_bytes().to_vec();
        redact(&mut dump);
        let dump = String::from_utf8(dump).unwrap();
        for gone in ["PRIVATE", "PRESHARED"] {
            assert!(!dump.contains(gone), "{dump}");
        }
        assert_eq!(parse_wg_dump(&dump), parse_wg_dump(SAMPLE));
    }

    #[test]
    fn a_line_cut_in_the_middle_of_a_key_is_blotted_out() {
        let mut dump = b"wg0\tcPRIVATE\nwg0\tBPUB=\tPRESHA".to_vec();
        redact(&mut dump);
        assert_eq!(dump, b"***\t********\n***\t*****\t******");
    }

    #[test]
    fn facts_follow_from_the_handshakes() {
        let all = parse_wg_dump(SAMPLE);
        let mut found = Found::default();
        describe(&all[0], 1_700_000_160.0, &mut found);
        let number = |name: &str| match found.facts.get(name) {
            Some(Fact::Number(n, _)) => *n,
            other => panic!("{name}: {other:?}"),
        };
        assert_eq!((number("PEERS"), number("ACTIVE_PEERS"), number("HANDSHAKE_AGE")), (2.0, 1.0, 60.0));
        assert_eq!((number("RX"), number("TX"), number("PORT")), (180.0, 240.0, 51820.0));
        assert_eq!(found.summary, "1 of 2 peers active, handshake 1m ago");
        assert!(!found.evidence.contains("10.250.1.2"), "{}", found.evidence);
    }

    proptest! {
        #[test]
        fn any_text_reads_and_redacts_without_a_panic(text in "([a-z0-9=\\PC]{0,12}[\t\n]){0,60}") {
            let mut bytes = text.clone().into_bytes();
            redact(&mut bytes);
            let _ = parse_wg_dump(&text);
        }

        #[test]
        fn a_secret_in_any_line_of_keys_is_gone(name in "[a-z]{1,8}", port in 0u16..) {
            let mut dump = format!("{name}\tSECRET\tp\t{port}\toff\n{name}\tp\tSECRET\te\ta\t1\t2\t3\toff").into_bytes();
            redact(&mut dump);
            prop_assert!(!String::from_utf8(dump).unwrap().contains("SECRET"));
        }
    }
}
