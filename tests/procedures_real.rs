//! Procedures against real components: systemd, nginx, nftables, Redis, PostgreSQL and `WireGuard`.

#![cfg(test)] // tells clippy that helpers, too, may unwrap

#[path = "harness/host.rs"]
mod host;
#[path = "harness/operator.rs"]
mod operator;
#[path = "harness/systemd.rs"]
mod systemd;
#[path = "harness/yard.rs"]
mod yard;

#[path = "procedures_real/case.rs"]
mod case;
#[path = "procedures_real/edge.rs"]
mod edge;
#[path = "procedures_real/filter.rs"]
mod filter;
#[path = "procedures_real/layers.rs"]
mod layers;

use yard::Yard;

#[test]
fn the_application_is_restarted_and_seen_to_answer() {
    let yard = Yard::open();
    let deck = yard.operator();
    println!("{}", deck.plan("restart", &[]).expect(0).out);
    println!("{}", deck.run("restart", &[], &[]).expect(0).text());
    println!("{}", deck.say(&["runs", "show", "last"]).text());
}
