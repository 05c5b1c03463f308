//! Procedures against real components: systemd, nginx, nftables, Redis, PostgreSQL, WireGuard.
#![expect(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on has failed"
)]

#[path = "harness/host.rs"]
mod host;
#[path = "harness/systemd.rs"]
mod systemd;
#[path = "harness/yard.rs"]
mod yard;

#[test]
fn the_yard_stands() {
    let yard = yard::Yard::open();
    println!("{}", yard.read(&["wg", "show", "wg0"]));
    println!("{}", yard.read(&["systemctl", "--no-pager", "list-units", "--state=running"]));
}
