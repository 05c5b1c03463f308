//! The kernel's tables as series: counters as they are, and few gauges.

use crate::observe::probe::disk::parse_df_all;
use crate::observe::probe::load::parse_loadavg;
use crate::observe::probe::memory::parse_meminfo;
use crate::observe::probe::procfs::{TICKS, parse_boot_time};
use std::collections::{HashMap, HashSet};

/// Disks, network interfaces and file systems told of at most, of each kind.
const MAX_THINGS: usize = 1_000;
/// Bytes of a sector in `/proc/diskstats`, whatever the disk's own are.
const SECTOR: f64 = 512.0;

/// The tables as texts; an empty one is not there.
#[derive(Debug, Default)]
pub struct Tables {
    pub stat: String,
    pub load: String,
    pub memory: String,
    pub disks: String,
    pub network: String,
    pub files: String,
    pub mounts: String,
    pub df: String,
}

/// Kind and meaning of each figure.
const ABOUT: &[(&str, &str, &str)] = &[
    ("host_cpu_seconds_total", "counter", "Seconds that the processors spent in each mode."),
    ("host_cpus", "gauge", "Processors in use."),
    ("host_boot_time_seconds", "gauge", "When the host was started, in seconds since the epoch."),
    ("host_load1", "gauge", "Load, the average of one minute."),
    ("host_load5", "gauge", "Load, the average of five minutes."),
    ("host_load15", "gauge", "Load, the average of fifteen minutes."),
    ("host_memory_total_bytes", "gauge", "Memory."),
    ("host_memory_available_bytes", "gauge", "Memory that programs can still have without swapping."),
    ("host_swap_total_bytes", "gauge", "Swap space."),
    ("host_swap_free_bytes", "gauge", "Swap space that is free."),
    ("host_disk_read_bytes_total", "counter", "Bytes read from the disk."),
    ("host_disk_written_bytes_total", "counter", "Bytes written to the disk."),
    ("host_disk_io_time_seconds_total", "counter", "Seconds in which the disk was busy."),
    ("host_filesystem_size_bytes", "gauge", "Size of the file system."),
    ("host_filesystem_avail_bytes", "gauge", "Space that is left to programs without privileges."),
    ("host_network_receive_bytes_total", "counter", "Bytes received."),
    ("host_network_transmit_bytes_total", "counter", "Bytes sent."),
    ("host_network_receive_errors_total", "counter", "Packets that could not be received."),
    ("host_network_transmit_errors_total", "counter", "Packets that could not be sent."),
    ("host_network_receive_drops_total", "counter", "Packets dropped on receipt."),
    ("host_network_transmit_drops_total", "counter", "Packets dropped instead of being sent."),
    ("host_open_files", "gauge", "File handles in use."),
    ("host_open_files_max", "gauge", "File handles that the kernel gives at most."),
];

/// Kind and help of a figure.
pub fn about(name: &str) -> (&'static str, &'static str) {
    ABOUT.iter().find(|(n, ..)| *n == name).map_or(("gauge", ""), |(_, kind, help)| (*kind, *help))
}

/// Gives every figure of the tables, with its own labels.
pub fn figures(tables: &Tables, mut give: impl FnMut(&str, &[(&str, &str)], f64)) {
    for (mode, seconds) in parse_cpu(&tables.stat) {
        give("host_cpu_seconds_total", &[("mode", mode)], seconds);
    }
    let cpus = tables.stat.lines().filter(|l| is_one_cpu(l)).count();
    if cpus > 0 {
        give("host_cpus", &[], cpus as f64);
    }
    if let Some(at) = parse_boot_time(&tables.stat) {
        give("host_boot_time_seconds", &[], at);
    }
    if let Some([one, five, fifteen]) = parse_loadavg(&tables.load) {
        give("host_load1", &[], one);
        give("host_load5", &[], five);
        give("host_load15", &[], fifteen);
    }
    if let Some(memory) = parse_meminfo(&tables.memory) {
        give("host_memory_total_bytes", &[], memory.total as f64);
        if let Some(available) = memory.available {
            give("host_memory_available_bytes", &[], available as f64);
        }
        give("host_swap_total_bytes", &[], memory.swap_total as f64);
        give("host_swap_free_bytes", &[], memory.swap_free as f64);
    }
    for disk in parse_diskstats(&tables.disks).into_iter().take(MAX_THINGS) {
        let own = [("device", disk.device)];
        give("host_disk_read_bytes_total", &own, disk.read as f64 * SECTOR);
        give("host_disk_written_bytes_total", &own, disk.written as f64 * SECTOR);
        give("host_disk_io_time_seconds_total", &own, disk.busy_ms as f64 / 1000.0);
    }
    for link in parse_net_dev(&tables.network).into_iter().take(MAX_THINGS) {
        let own = [("device", link.device)];
        give("host_network_receive_bytes_total", &own, link.received[0] as f64);
        give("host_network_transmit_bytes_total", &own, link.sent[0] as f64);
        give("host_network_receive_errors_total", &own, link.received[2] as f64);
        give("host_network_transmit_errors_total", &own, link.sent[2] as f64);
        give("host_network_receive_drops_total", &own, link.received[3] as f64);
        give("host_network_transmit_drops_total", &own, link.sent[3] as f64);
    }
    let mut handles = tables.files.split_whitespace().map(str::parse::<u64>);
    if let (Some(Ok(open)), Some(Ok(_)), Some(Ok(max))) = (handles.next(), handles.next(), handles.next()) {
        give("host_open_files", &[], open as f64);
        give("host_open_files_max", &[], max as f64);
    }
    file_systems(tables, give);
}

fn file_systems(tables: &Tables, mut give: impl FnMut(&str, &[(&str, &str)], f64)) {
    let kinds: HashMap<String, &str> = parse_mounts(&tables.mounts);
    let mut seen = HashSet::new();
    for usage in parse_df_all(&tables.df).into_iter().take(MAX_THINGS) {
        let kind = kinds.get(&usage.mounted_on).copied().unwrap_or("");
        let (Some(size), Some(available)) = (usage.total, usage.available) else { continue };
        let mounted = usage.mounted_on.as_str();
        if size == 0 || is_of_kernel(kind, mounted) || !seen.insert(usage.mounted_on.clone()) {
            continue;
        }
        let own = [("device", usage.filesystem.as_str()), ("fstype", kind), ("mountpoint", mounted)];
        give("host_filesystem_size_bytes", &own, size as f64);
        give("host_filesystem_avail_bytes", &own, available as f64);
    }
}

/// File systems in which nobody keeps anything.
fn is_of_kernel(kind: &str, mounted: &str) -> bool {
    let below =
        |dir: &str| mounted.strip_prefix(dir).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    matches!(kind, "devtmpfs" | "efivarfs" | "squashfs" | "ramfs" | "autofs" | "nsfs" | "overlay" if mounted != "/")
        || ["/dev", "/proc", "/sys", "/run/credentials", "/run/user"].into_iter().any(below)
}

/// Seconds by mode of all processors together, from the first line of `/proc/stat`. What guests
/// used is counted as `user` and `nice` by the kernel already.
pub fn parse_cpu(stat: &str) -> Vec<(&'static str, f64)> {
    const MODES: [&str; 8] = ["user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal"];
    let Some(line) = stat.lines().find_map(|l| l.strip_prefix("cpu ")) else { return Vec::new() };
    let ticks = line.split_whitespace().map_while(|w| w.parse::<u64>().ok());
    MODES.into_iter().zip(ticks).map(|(mode, ticks)| (mode, ticks as f64 / TICKS)).collect()
}

fn is_one_cpu(line: &str) -> bool {
    line.strip_prefix("cpu").is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
}

/// One line of `/proc/diskstats`.
#[derive(Debug, PartialEq, Eq)]
pub struct Disk<'a> {
    pub device: &'a str,
    /// Sectors of 512 bytes.
    pub read: u64,
    pub written: u64,
    pub busy_ms: u64,
}

/// The whole disks of `/proc/diskstats`: partitions are counted in theirs, and memory is no disk.
pub fn parse_diskstats(text: &str) -> Vec<Disk<'_>> {
    let one = |line: &'_ str| -> Option<(String, u64, u64, u64)> {
        let words: Vec<&str> = line.split_whitespace().collect();
        let number = |i: usize| words.get(i)?.parse::<u64>().ok();
        Some(((*words.get(2)?).to_owned(), number(5)?, number(9)?, number(12)?))
    };
    let names: HashSet<&str> = text.lines().filter_map(|l| l.split_whitespace().nth(2)).collect();
    text.lines()
        .filter_map(|line| {
            let device = line.split_whitespace().nth(2)?;
            let (_, read, written, busy_ms) = one(line)?;
            let memory = ["loop", "ram", "zram", "fd"].into_iter().any(|p| {
                device.strip_prefix(p).is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()))
            });
            (!memory && !is_partition(device, &names)).then_some(Disk { device, read, written, busy_ms })
        })
        .collect()
}

/// `sda1` beside `sda`, `nvme0n1p2` beside `nvme0n1`.
fn is_partition(device: &str, all: &HashSet<&str>) -> bool {
    let disk = device.trim_end_matches(|c: char| c.is_ascii_digit());
    if disk.len() == device.len() {
        return false;
    }
    let by_p = disk.strip_suffix('p').filter(|d| d.ends_with(|c: char| c.is_ascii_digit()));
    all.contains(disk) || by_p.is_some_and(|d| all.contains(d))
}

/// One line of `/proc/net/dev`: bytes, packets, errors, drops.
#[derive(Debug, PartialEq, Eq)]
pub struct Link<'a> {
    pub device: &'a str,
    pub received: [u64; 4],
    pub sent: [u64; 4],
}

/// The interfaces of `/proc/net/dev`.
pub fn parse_net_dev(text: &str) -> Vec<Link<'_>> {
    text.lines()
        .filter_map(|line| {
            // An alias, `eth0:1`, has a colon of its own.
            let (device, counts) = line.rsplit_once(':')?;
            let counts: Vec<u64> = counts.split_whitespace().map_while(|w| w.parse().ok()).collect();
            let received = counts.get(..4)?.try_into().ok()?;
            let sent = counts.get(8..12)?.try_into().ok()?;
            Some(Link { device: device.trim(), received, sent })
        })
        .collect()
}

/// Mount points of `/proc/self/mounts` with the kinds of their file systems; the last one mounted
/// on a point is what is seen there.
pub fn parse_mounts(text: &str) -> HashMap<String, &str> {
    text.lines()
        .filter_map(|line| {
            let mut words = line.split(' ');
            let (_, point, kind) = (words.next()?, words.next()?, words.next()?);
            Some((unescape(point), kind))
        })
        .collect()
}

/// The kernel writes blanks and backslashes of a mount point as octal numbers.
fn unescape(point: &str) -> String {
    ["\\040", "\\011", "\\012", "\\134"]
        .into_iter()
        .zip([" ", "\t", "\n", "\\"])
        .fold(point.to_owned(), |text, (code, c)| text.replace(code, c))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn shown(tables: &Tables) -> Vec<String> {
        let mut all = Vec::new();
        figures(tables, |name, own, v| {
            let own: Vec<_> = own.iter().map(|(k, v)| format!("{k}={v}")).collect();
            all.push(format!("{} {} {v}", name.trim_start_matches("host_"), own.join(",")));
            assert_ne!(about(name).1, "", "{name} is described");
        });
        all
    }

    #[test]
    fn processors_memory_and_load() {
        let tables = Tables {
            stat: "cpu  100 50 300 4000 7 0 1 2 90 0\ncpu0 1 1\ncpu1 1 1\nintr 5\nbtime 1700000000\n".into(),
            load: "0.5 1 2 1/2 3\n".into(),
            memory: "MemTotal: 10 kB\nMemAvailable: 4 kB\nSwapTotal: 2 kB\nSwapFree: 1 kB\n".into(),
            files: "1024\t0\t9223372036854775807\n".into(),
            ..Tables::default()
        };
        let all = shown(&tables);
        for want in [
            "cpu_seconds_total mode=user 1",
            "cpu_seconds_total mode=idle 40",
            "cpu_seconds_total mode=steal 0.02",
            "cpus  2",
            "boot_time_seconds  1700000000",
            "load5  1",
            "memory_available_bytes  4096",
            "swap_free_bytes  1024",
            "open_files  1024",
        ] {
            assert!(all.iter().any(|l| l == want), "{want} in {all:#?}");
        }
        assert!(!all.iter().any(|l| l.contains("guest")));
    }

    #[test]
    fn whole_disks_only() {
        let line = |name: &str| format!(" 8 0 {name} 10 0 200 5 20 0 400 9 0 1500 14 0 0 0 0\n");
        let names = [
            "sda",
            "sda1",
            "nvme0n1",
            "nvme0n1p1",
            "loop0",
            "ram1",
            "dm-0",
            "md127",
            "mmcblk0",
            "mmcblk0p2",
            "sr0",
            "vdb1",
        ];
        let text: String = names.iter().map(|n| line(n)).collect();
        let disks = parse_diskstats(&text);
        let kept: Vec<_> = disks.iter().map(|d| d.device).collect();
        assert_eq!(kept, ["sda", "nvme0n1", "dm-0", "md127", "mmcblk0", "sr0", "vdb1"]);
        assert_eq!((disks[0].read, disks[0].written, disks[0].busy_ms), (200, 400, 1500));
    }

    #[test]
    fn interfaces_and_file_systems() {
        let tables = Tables {
            network: "Inter-|   Receive\n face |bytes    packets errs\n    lo: 1 2 3 4 0 0 0 0 5 6 7 8 0 0 0 0\neth0:9 1 1 1 1 1 1 1 8 1 1 1 1 1 1 1\n".into(),
            mounts: "/dev/sda1 / ext4 rw 0 0\ntmpfs /run tmpfs rw 0 0\nudev /dev devtmpfs rw 0 0\n/dev/sdb /mnt/a\\040b xfs rw 0 0\n".into(),
            df: "Filesystem 1-blocks Used Available Capacity Mounted on\n/dev/sda1 100 60 40 60% /\ntmpfs 50 0 50 0% /run\nudev 9 0 9 0% /dev\n/dev/sdb 10 9 -1 99% /mnt/a b\n/dev/sda1 100 60 40 60% /\n".into(),
            ..Tables::default()
        };
        let all = shown(&tables);
        let of =
            |name: &str| all.iter().filter(|l| l.starts_with(name)).map(String::as_str).collect::<Vec<_>>();
        assert_eq!(
            of("network_receive_bytes_total"),
            ["network_receive_bytes_total device=lo 1", "network_receive_bytes_total device=eth0 9"]
        );
        assert_eq!(
            of("network_transmit_errors_total"),
            ["network_transmit_errors_total device=lo 7", "network_transmit_errors_total device=eth0 1"]
        );
        assert_eq!(
            of("filesystem_avail_bytes"),
            [
                "filesystem_avail_bytes device=/dev/sda1,fstype=ext4,mountpoint=/ 40",
                "filesystem_avail_bytes device=tmpfs,fstype=tmpfs,mountpoint=/run 50",
                "filesystem_avail_bytes device=/dev/sdb,fstype=xfs,mountpoint=/mnt/a b 0",
            ]
        );
    }

    proptest! {
        #[test]
        fn any_texts_are_read_without_a_panic(
            a in "((cpu|cpu0|btime|lo:|8 0 sda)?([ 0-9:%/-]{0,4}\\PC{0,3}){0,14}\n){0,6}",
            b in "((Mem|/dev)?([ 0-9:%/-]{0,4}\\PC{0,3}){0,14}\n){0,6}",
        ) {
            let tables = Tables {
                stat: a.clone(), load: b.clone(), memory: a.clone(), disks: a.clone(), network: a.clone(),
                files: b.clone(), mounts: b.clone(), df: b,
            };
            figures(&tables, |_, _, _| {});
        }
    }
}
