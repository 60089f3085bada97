//! Which ports the system gives out by itself, to connections and to who asks for any.

use std::fs;
use std::path::Path;

/// Where Linux begins by default, and at or below where other systems do.
const DEFAULT: u16 = 32_768;

/// Returns the first port that the system gives out by itself (`ip_local_port_range` of ip(7)).
pub(crate) fn first() -> u16 {
    first_of(Path::new("/proc/sys/net/ipv4/ip_local_port_range"))
}

fn first_of(path: &Path) -> u16 {
    let range = fs::read_to_string(path).unwrap_or_default();
    range.split_ascii_whitespace().next().and_then(|first| first.parse().ok()).unwrap_or(DEFAULT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_port_is_that_of_the_range_and_linuxs_own_where_none_can_be_read() {
        let scratch = tempfile::tempdir().unwrap();
        let path = scratch.path().join("range");
        assert_eq!(first_of(&path), 32_768);
        for (text, first) in [("14000\t60999\n", 14_000), ("32768 60999", 32_768), ("x", 32_768)] {
            fs::write(&path, text).unwrap();
            assert_eq!(first_of(&path), first, "{text}");
        }
    }
}
