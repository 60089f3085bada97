//! Reads what processes use from /proc: one file for each process (`stat`), and with details a folder.

use std::collections::HashMap;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use nix::unistd::{SysconfVar, getpid, sysconf};

use super::proc_tree::ProcReader;
use super::processes::{is_zombie, stat_fields};
use crate::os::usage::{LookDepth, ProcessUsage, TreeUsage, UsageRoot};

/// Reads the usage of descendants of this process.
#[derive(Debug)]
pub(crate) struct UsageReader {
    proc: ProcReader,
    folder: PathBuf,
    page_bytes: u64,
    ticks_per_second: u64,
}

/// What `/proc/PID/stat` says of a process (proc_pid_stat(5)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct StatLine {
    is_zombie: bool,
    parent: i32,
    own_ticks: u64,
    waited_ticks: u64,
    threads: u32,
    started: u64,
    resident_pages: u64,
}

impl StatLine {
    /// Parses the line.
    fn parse(line: &[u8]) -> Option<Self> {
        let fields: Vec<&str> = stat_fields(line)?.collect();
        // The state is field 3 of the manual.
        let number = |field: usize| fields.get(field - 3)?.parse::<u64>().ok();
        // Times of children that were waited for are signed there.
        let ticks = |field| number(field).unwrap_or(0);
        Some(Self {
            is_zombie: is_zombie(fields.first()?),
            parent: fields.get(1)?.parse().ok()?,
            own_ticks: ticks(14) + ticks(15),
            waited_ticks: ticks(16) + ticks(17),
            threads: number(20).and_then(|count| count.try_into().ok()).unwrap_or(0),
            started: number(22)?,
            resident_pages: number(24)?,
        })
    }
}

impl UsageReader {
    /// Makes one; `None` if the system does not say in which units it counts.
    pub(crate) fn new() -> Option<Self> {
        let value = |var| u64::try_from(sysconf(var).ok()??).ok();
        let (folder, own) = (PathBuf::from("/proc"), getpid().as_raw());
        let (page_bytes, ticks) = (value(SysconfVar::PAGE_SIZE)?, value(SysconfVar::CLK_TCK)?);
        Some(Self::with(folder, own, page_bytes, ticks))
    }

    fn with(folder: PathBuf, own_pid: i32, page_bytes: u64, ticks_per_second: u64) -> Self {
        let proc = ProcReader::new(folder.clone(), own_pid);
        Self { proc, folder, page_bytes, ticks_per_second: ticks_per_second.max(1) }
    }

    /// Looks at each instance; `None` for one of which nothing is left, and without /proc. Takes about 40 µs a process.
    pub(crate) fn look(&mut self, roots: &[UsageRoot], depth: LookDepth) -> Vec<Option<TreeUsage>> {
        let leaders: Vec<i32> = roots.iter().map(|root| root.leader).collect();
        let helpers =
            roots.iter().flat_map(|root| root.helpers.iter().map(|pid| (*pid, root.leader)));
        let helpers: HashMap<i32, i32> = helpers.collect();
        let trees = self.proc.trees(&leaders, &helpers);
        let of_tree = |root: &UsageRoot| {
            let mut usage = TreeUsage::default();
            for pid in trees.get(&root.leader)? {
                self.add(*pid, depth, &mut usage);
            }
            let group = root.group.as_ref();
            usage.cgroup = group.and_then(|group| group.memory().ok());
            usage.peak = group.and_then(|group| group.peak().ok());
            (!usage.processes.is_empty()).then_some(usage)
        };
        roots.iter().map(of_tree).collect()
    }

    fn add(&mut self, pid: i32, depth: LookDepth, usage: &mut TreeUsage) {
        let Some(stat) = self.proc.read(pid, "stat").ok().and_then(StatLine::parse) else { return };
        usage.processes.push(ProcessUsage {
            pid,
            parent: stat.parent,
            started: stat.started,
            own: self.time(stat.own_ticks),
            waited: self.time(stat.waited_ticks),
        });
        if stat.is_zombie {
            return;
        }
        usage.living += 1;
        usage.threads = Some(usage.threads.unwrap_or(0) + stat.threads);
        let resident = stat.resident_pages * self.page_bytes;
        usage.rss += resident;
        if depth.pss {
            let pss = self.proc.pss(pid).unwrap_or(resident);
            usage.pss = Some(usage.pss.unwrap_or(0) + pss);
        }
        if depth.details {
            let open = fs::read_dir(self.folder.join(format!("{pid}/fd"))).map(Iterator::count);
            if let Some(count) = open.ok().and_then(|count| u32::try_from(count).ok()) {
                usage.open_files = Some(usage.open_files.unwrap_or(0) + count);
            }
        }
    }

    fn time(&self, ticks: u64) -> Duration {
        Duration::from_millis(ticks.saturating_mul(1000) / self.ticks_per_second)
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader};
    use std::os::unix::process::CommandExt;
    use std::process::{Command, Stdio};

    use nix::sys::signal::{Signal, killpg};
    use nix::unistd::Pid;

    use super::*;

    #[test]
    fn a_stat_line_is_read_whatever_the_program_is_called() {
        let line =
            b"21 (a) b (c)) S 20 20 1 0 -1 4194560 1 2 3 4 10 20 30 40 20 0 7 0 99 4096 5 18446\n";
        assert_eq!(
            StatLine::parse(line),
            Some(StatLine {
                is_zombie: false,
                parent: 20,
                own_ticks: 30,
                waited_ticks: 70,
                threads: 7,
                started: 99,
                resident_pages: 5,
            })
        );
        assert_eq!(StatLine::parse(b"21 (sh) S 20"), None);
        assert_eq!(StatLine::parse(b""), None);
    }

    #[test]
    fn a_real_tree_is_looked_at_with_its_threads_and_files() {
        let script = "exec 3</dev/null; sleep 100 3<&- & echo ready; wait";
        let mut child = Command::new("/bin/sh")
            .args(["-c", script])
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        let leader = child.id().cast_signed();
        let roots = [
            UsageRoot { leader, helpers: Vec::new(), group: None },
            UsageRoot { leader: i32::MAX, helpers: Vec::new(), group: None },
        ];
        let mut reader = UsageReader::new().unwrap();
        let found = reader.look(&roots, LookDepth { pss: true, details: true });
        let plain = reader.look(&roots, LookDepth::default());
        killpg(Pid::from_raw(leader), Signal::SIGKILL).unwrap();
        child.wait().unwrap();
        let [Some(usage), None] = &found[..] else { panic!("{found:?}") };
        assert_eq!((usage.living, usage.threads), (2, Some(2)), "{usage:?}");
        assert!(usage.pss.is_some_and(|pss| pss > 0 && pss <= usage.rss), "{usage:?}");
        // Three for each of them, and one more.
        assert!(usage.open_files.is_some_and(|count| count >= 7), "{usage:?}");
        let plain = plain[0].as_ref().unwrap();
        assert_eq!((plain.pss, plain.open_files), (None, None));
    }
}
