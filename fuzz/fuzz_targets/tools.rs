//! Every parser of what a tool or the kernel prints, and of what a person types.

#![no_main]

use libfuzzer_sys::fuzz_target;
use quarterdeck::domain::condition::Condition;
use quarterdeck::domain::{text, units};
use quarterdeck::observe::probe::{disk, env_present, listen, load, memory, pid_file, systemd, wireguard};
use quarterdeck::tui::terminal::Parser;

fuzz_target!(|data: &[u8]| {
    let shown = String::from_utf8_lossy(data);
    let _ = systemd::parse_units(&shown);
    let _ = disk::parse_df(&shown);
    let _ = pid_file::parse_pid(&shown);
    let _ = listen::parse_proc_net(&shown, "0A");
    let _ = wireguard::parse_wg_dump(&shown);
    let _ = memory::parse_meminfo(&shown);
    let _ = load::parse_loadavg(&shown);
    let _ = env_present::parse_env_file(&shown);
    let _ = env_present::parse_environ(data);
    let _ = units::parse_quantity(&shown);
    let _ = shown.parse::<Condition>();
    assert!(!text::one_line(&shown, 200).contains(text::is_hostile));
    let mut keys = Parser::default();
    let mut events = std::collections::VecDeque::new();
    keys.advance(data, &mut events);
    keys.time_out(&mut events);
    assert!(events.len() <= data.len() + 1);
});
