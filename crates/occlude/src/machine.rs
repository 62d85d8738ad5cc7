//! What the machine has: cores and memory, for the defaults of `threads` and `memory-limit`.
//!
//! Out: numbers only. A container's limit counts where it is smaller than the machine's memory (Linux, cgroup 2). Nothing here is a setting.

/// Assumed where the memory cannot be told.
const UNKNOWN_MEMORY: u64 = 8 << 30;

/// Cores that this process may use, at least 1.
pub(crate) fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// Bytes of memory.
pub(crate) fn memory_bytes() -> u64 {
    let machine = std::fs::read_to_string("/proc/meminfo").ok().and_then(|text| meminfo_total(&text));
    let container =
        std::fs::read_to_string("/sys/fs/cgroup/memory.max").ok().and_then(|text| text.trim().parse().ok());
    let smallest = machine.into_iter().chain(container).min();
    smallest.filter(|bytes| *bytes > 0).unwrap_or(UNKNOWN_MEMORY)
}

/// `MemTotal:       16384 kB`
fn meminfo_total(text: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok().map(|kib| kib * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn meminfo_is_read() {
        assert_eq!(meminfo_total("MemFree: 1 kB\nMemTotal:       2048 kB\n"), Some(2 << 20));
        assert_eq!(meminfo_total("nothing"), None);
        assert!(cores() >= 1 && memory_bytes() > 1 << 20);
    }
}
