//! `df`: one file system, as the model has it.

use std::fmt::Write as _;

use super::Outcome;
use crate::demo::fault::Fault;
use crate::demo::model::Model;
use crate::demo::model::host::DISK_BYTES;

pub fn run(m: &Model, args: &[String]) -> Outcome {
    let mut unit = 1024;
    let mut inodes = false;
    for arg in args.iter().filter(|a| a.starts_with('-')) {
        match arg.as_str() {
            // Its one file system is a local one.
            "-P" | "--portability" | "-k" | "-Pk" | "-kP" | "-l" | "--local" | "--" => {}
            "-B1" | "-PB1" | "-B1P" | "--block-size=1" => unit = 1,
            "-m" | "-Pm" | "-BM" | "-PBM" => unit = 1 << 20,
            "-i" | "-Pi" | "-iP" => inodes = true,
            other => {
                let shown: String = other.chars().filter(|c| !c.is_control()).take(60).collect();
                return Outcome::fail(
                    1,
                    format!("df: unrecognized option '{shown}'\nTry 'df --help' for more information.\n"),
                );
            }
        }
    }
    let (used, free) = m.host.disk(m.has(Fault::DiskFull));
    let percent = |used: u64, free: u64| (used * 100).div_ceil((used + free).max(1));
    let paths: Vec<&String> = args.iter().filter(|a| !a.starts_with('-')).collect();
    let lines = paths.len().max(1);
    let mut out = if inodes {
        "Filesystem      Inodes   IUsed   IFree IUse% Mounted on\n".to_owned()
    } else if unit == 1 << 20 {
        "Filesystem     1048576-blocks       Used  Available Capacity Mounted on\n".to_owned()
    } else {
        format!("Filesystem     {unit}-blocks         Used    Available Capacity Mounted on\n")
    };
    for _ in 0..lines {
        let _ = if inodes {
            let (total, used) = (2_621_440, 214_310);
            writeln!(
                out,
                "/dev/vda1      {total} {used} {} {:>4}% /",
                total - used,
                percent(used, total - used)
            )
        } else {
            let (size, used_units) = (DISK_BYTES / unit, used.div_ceil(unit));
            writeln!(out, "/dev/vda1      {size} {used_units} {} {:>7}% /", free / unit, percent(used, free))
        };
    }
    Outcome::out(out)
}
