//! How much of the machine each process took, from Linux's `/proc`. Where that cannot be read the
//! answer is `None`, which is shown as "unknown".

use std::fs;
use std::time::Duration;

/// Ticks of a second in `/proc`. The kernel shows 100 to user space on every machine this runs on,
/// whatever it counts in itself.
const TICKS_PER_SECOND: u64 = 100;

/// The fields of `/proc/<pid>/stat` that are looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stat {
    /// Name of the program.
    pub(crate) name: String,
    /// Process that started it.
    pub(crate) parent: u32,
    /// Time its threads ran.
    pub(crate) own: Duration,
    /// Time that its ended and awaited children ran.
    pub(crate) children: Duration,
}

/// Reads the one line of a `stat` file.
pub(crate) fn parse_stat(line: &str) -> Option<Stat> {
    // The name stands in brackets and may hold anything, brackets included.
    let (_, rest) = line.split_once('(')?;
    let (name, rest) = rest.rsplit_once(") ")?;
    let fields: Vec<&str> = rest.split_whitespace().collect();
    let number = |place: usize| fields.get(place)?.parse::<u64>().ok();
    let time = |user: usize| Some(ticks(number(user)? + number(user + 1)?));
    Some(Stat {
        name: name.to_owned(),
        parent: u32::try_from(number(1)?).ok()?,
        own: time(11)?,
        children: time(13)?,
    })
}

fn ticks(ticks: u64) -> Duration {
    Duration::from_millis(ticks * (1_000 / TICKS_PER_SECOND))
}

fn stat(process: u32) -> Option<Stat> {
    parse_stat(&fs::read_to_string(format!("/proc/{process}/stat")).ok()?)
}

/// Time that a process has run on the cores so far.
pub(crate) fn of_process(process: u32) -> Option<Duration> {
    Some(stat(process)?.own)
}

/// Time that this process has run.
pub(crate) fn of_this() -> Option<Duration> {
    of_process(std::process::id())
}

/// Time that a Postgres server has run: its first process, those that it has started, and those
/// that have ended.
pub(crate) fn of_postgres(postmaster: u32) -> Option<Duration> {
    let first = stat(postmaster)?;
    let children = fs::read_dir("/proc").ok()?.filter_map(|entry| {
        let process = entry.ok()?.file_name().to_str()?.parse().ok()?;
        let found = stat(process)?;
        (found.parent == postmaster).then_some(found.own)
    });
    Some(first.own + first.children + children.sum::<Duration>())
}

/// The first process of the Postgres server to which the backend belongs, if that runs on this
/// machine.
pub(crate) fn postmaster(backend: u32) -> Option<u32> {
    let backend = stat(backend).filter(|found| found.name.starts_with("postgres"))?;
    let parent = stat(backend.parent)?;
    parent.name.starts_with("postgres").then_some(backend.parent)
}

/// Memory of a process that is in use, in bytes.
pub(crate) fn memory(process: u32) -> Option<u64> {
    parse_memory(&fs::read_to_string(format!("/proc/{process}/status")).ok()?)
}

fn parse_memory(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_a_stat_line_with_an_odd_name() {
        let line = "4242 (post (gres) 1) S 17 4242 4242 0 -1 4194304 5 6 7 8 150 25 300 50 20 0 1";
        let found = parse_stat(line).unwrap();
        assert_eq!((found.name.as_str(), found.parent), ("post (gres) 1", 17));
        assert_eq!(found.own, Duration::from_millis(1_750));
        assert_eq!(found.children, Duration::from_millis(3_500));
        assert_eq!(parse_stat("4242 (x) S 1"), None);
        assert_eq!(parse_stat(""), None);
    }

    #[test]
    fn reads_the_memory_in_use() {
        assert_eq!(parse_memory("Name:\tx\nVmRSS:\t    2048 kB\n"), Some(2 << 20));
        assert_eq!(parse_memory("Name:\tx\n"), None);
    }

    #[test]
    fn what_is_not_there_is_unknown() {
        assert_eq!(of_process(u32::MAX), None);
        assert_eq!(of_postgres(u32::MAX), None);
        assert_eq!(postmaster(u32::MAX), None);
    }
}
