//! How much memory the process has, as the kernel sees it.
//!
//! This is no heap profile: the allocator (mimalloc) does not say who allocated what.

use std::fs;

/// The memory of the process, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Memory {
    /// In memory now.
    pub resident: u64,
    /// The most that ever was.
    pub resident_peak: u64,
    /// Of what is in memory: heap and stacks.
    pub anonymous: u64,
    /// Of what is in memory: files, such as the program itself.
    pub files: u64,
    /// Moved out to disk.
    pub swapped: u64,
    /// Threads.
    pub threads: u64,
}

/// Asks the kernel. `None` where it does not say (it is Linux that does).
#[must_use]
pub fn memory() -> Option<Memory> {
    parse(&fs::read_to_string("/proc/self/status").ok()?)
}

fn parse(status: &str) -> Option<Memory> {
    let number = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        line?.split_whitespace().next()?.parse::<u64>().ok()
    };
    let kilobytes = |name: &str| number(name).map(|kilobytes| kilobytes * 1024);
    Some(Memory {
        resident: kilobytes("VmRSS")?,
        resident_peak: kilobytes("VmHWM")?,
        anonymous: kilobytes("RssAnon")?,
        files: kilobytes("RssFile")?,
        swapped: kilobytes("VmSwap").unwrap_or(0),
        threads: number("Threads").unwrap_or(0),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_words_are_read() {
        let status = "Name:\torderly\nVmHWM:\t  300 kB\nVmRSS:\t  200 kB\nRssAnon:\t 150 kB\n\
                      RssFile:\t  50 kB\nVmSwap:\t   1 kB\nThreads:\t9\n";
        let expected = Memory {
            resident: 204_800,
            resident_peak: 307_200,
            anonymous: 153_600,
            files: 51_200,
            swapped: 1_024,
            threads: 9,
        };
        assert_eq!(parse(status), Some(expected));
        assert_eq!(parse(""), None);
    }
}
