//! What a runner does to the world and to its journal, by runners that are processes of their own.

#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests may stop at once")]

#[path = "act_runner/bench.rs"]
mod bench;
#[path = "act_runner/crash.rs"]
mod crash;
#[path = "act_runner/disk.rs"]
mod disk;
#[path = "act_runner/interlocks.rs"]
mod interlocks;
#[path = "act_runner/people.rs"]
mod people;
#[path = "act_runner/process.rs"]
mod process;
#[path = "act_runner/remains.rs"]
mod remains;
#[path = "act_runner/steps.rs"]
mod steps;

/// Not a test: what `control::start` starts. Without a run to carry out it does nothing.
#[test]
fn runner_process() {
    bench::be_a_runner();
}

/// Not a test: somebody else who asks for an abort, in a process and under a uid of their own.
#[test]
fn client_process() {
    bench::be_a_client();
}
