//! The memory available for everything that pm starts.

use std::fs;
use std::path::Path;

use crate::app::Size;

/// Returns the memory of this machine, or the limit of a cgroup that pm is in, whichever is less; `None` if neither can
/// be read. The limit of a container is in a cgroup of version 2 or 1.
pub fn memory() -> Option<Size> {
    memory_of(Path::new("/proc"), Path::new("/sys/fs/cgroup"))
}

fn memory_of(proc: &Path, cgroups: &Path) -> Option<Size> {
    let own = fs::read_to_string(proc.join("self/cgroup")).unwrap_or_default();
    let limits = own.lines().flat_map(|line| limits(cgroups, line)).min();
    let total = fs::read_to_string(proc.join("meminfo")).ok().and_then(|text| {
        let kib = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
        kib.trim().trim_end_matches("kB").trim().parse::<u64>().ok()?.checked_mul(1024)
    });
    total.into_iter().chain(limits).min().and_then(Size::from_bytes)
}

/// Returns the limits on the way from a group up to the mount. A line of /proc/self/cgroup is
/// `0::/path` for version 2, `4:memory:/path` for version 1 (cgroups(7)).
fn limits(cgroups: &Path, line: &str) -> Vec<u64> {
    let mut fields = line.splitn(3, ':').skip(1);
    let (Some(controllers), Some(path)) = (fields.next(), fields.next()) else { return Vec::new() };
    let (mount, file) = match controllers {
        "" => (cgroups.to_owned(), "memory.max"),
        names if names.split(',').any(|name| name == "memory") => {
            (cgroups.join("memory"), "memory.limit_in_bytes")
        }
        _ => return Vec::new(),
    };
    let own = mount.join(path.trim_start_matches('/'));
    let way_up = own.ancestors().take_while(|folder| folder.starts_with(&mount));
    // In a container the path may not exist below its mount; the mount itself is then the group.
    // No limit is the word `max`, or in version 1 a number next to i64::MAX, which loses to MemTotal.
    way_up
        .filter_map(|folder| fs::read_to_string(folder.join(file)).ok()?.trim().parse().ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the memory in MiB of a machine of 1000 MiB with these files below its cgroup mount.
    fn found(own_cgroup: &str, files: &[(&str, &str)]) -> Option<u64> {
        let folder = tempfile::tempdir().unwrap();
        let proc = folder.path().join("proc");
        fs::create_dir_all(proc.join("self")).unwrap();
        fs::write(proc.join("meminfo"), "MemTotal:        1024000 kB\nMemFree: 1 kB\n").unwrap();
        fs::write(proc.join("self/cgroup"), own_cgroup).unwrap();
        let cgroups = folder.path().join("cgroup");
        for (file, text) in files {
            let file = cgroups.join(file);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, text).unwrap();
        }
        memory_of(&proc, &cgroups).map(Size::mib)
    }

    #[test]
    fn the_smallest_limit_on_the_way_up_counts() {
        let v1 = "5:cpu:/\n4:pids,memory:/a/b\n0::/\n";
        type CgroupRow = (&'static str, &'static [(&'static str, &'static str)], u64);
        let table: [CgroupRow; 7] = [
            ("", &[], 1000),
            ("0::/a/b\n", &[("a/b/memory.max", "max\n"), ("a/memory.max", "max\n")], 1000),
            ("0::/a/b\n", &[("a/b/memory.max", "max\n"), ("a/memory.max", "524288000\n")], 500),
            (
                "0::/a/b\n",
                &[("a/b/memory.max", "104857600\n"), ("a/memory.max", "524288000\n")],
                100,
            ),
            ("0::/gone\n", &[("memory.max", "104857600\n")], 100),
            (v1, &[("memory/a/b/memory.limit_in_bytes", "209715200\n")], 200),
            (v1, &[("memory/memory.limit_in_bytes", "9223372036854771712\n")], 1000),
        ];
        for (own_cgroup, files, mib) in table {
            assert_eq!(found(own_cgroup, files), Some(mib), "{own_cgroup} {files:?}");
        }
    }

    #[test]
    fn this_machine_has_memory() {
        assert!(memory().is_some_and(|memory| memory.mib() > 16));
    }
}
