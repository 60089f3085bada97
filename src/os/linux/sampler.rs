//! Measures process trees on Linux. What is sampled, and why:
//! - Every sample reads `resident` of `/proc/PID/statm` for each process of a tree. It costs some
//!   microseconds a process, but counts a page that two processes share twice: four workers of one Node
//!   program look some 150 MiB larger than they are.
//! - PSS (`/proc/PID/smaps_rollup`) divides shared pages fairly, and costs fifty times as much, since the
//!   kernel walks the page tables. PSS is never more than RSS, so a tree whose RSS is within its budget is
//!   within it by PSS too: only a tree over its budget by RSS is measured by PSS, and that figure counts.
//!   While RSS has since grown by less than was left, the last PSS is taken to have grown as much.
//! - Which processes belong to a tree is looked up in every fifth sample, and again before a tree
//!   counts as over its budget, so that a figure that stops an instance never rests on an old tree.
//! - An instance in a cgroup of its own (see [`crate::os::cgroup`]) is asked there: one file.
//!
//! Memory that was swapped out is in none of RSS and PSS; a kernel with cgroups counts it apart.

use std::collections::HashMap;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use nix::unistd::{SysconfVar, sysconf};

use super::proc_tree::ProcReader;
use crate::os::sampler::{Measure, Root, Usage};

/// Number of samples after which trees are looked up again, and so the delay in seconds until new children are seen.
const SAMPLES_PER_LOOKUP: u32 = 5;
/// Number of samples for which a PSS is used as a base (a minute at one sample per second). It also grows when another
/// process that shared pages ends.
const SAMPLES_PER_PSS: u32 = 60;

/// Measures instances, and remembers their trees between samples.
#[derive(Debug)]
pub struct Sampler {
    proc: ProcReader,
    page_bytes: u64,
    ticks_per_second: u64,
    sample: u32,
    trees: HashMap<i32, Vec<i32>>,
    exact: HashMap<i32, Exact>,
}

/// The last PSS of a tree, and what its RSS was then.
#[derive(Clone, Copy, Debug)]
struct Exact {
    pss: u64,
    rss: u64,
    sample: u32,
}

impl Sampler {
    /// Makes one for descendants of this process. Fails if the page size is unknown.
    pub fn new() -> io::Result<Self> {
        let value = |var| {
            let found = sysconf(var)?.and_then(|value| u64::try_from(value).ok());
            found.ok_or_else(|| io::Error::from(io::ErrorKind::Unsupported))
        };
        let proc = ProcReader::new(PathBuf::from("/proc"), nix::unistd::getpid().as_raw());
        Ok(Self::with(proc, value(SysconfVar::PAGE_SIZE)?, value(SysconfVar::CLK_TCK)?))
    }

    fn with(proc: ProcReader, page_bytes: u64, ticks_per_second: u64) -> Self {
        Self {
            proc,
            page_bytes,
            ticks_per_second,
            sample: 0,
            trees: HashMap::new(),
            exact: HashMap::new(),
        }
    }

    /// Measures each instance; `None` for one that has ended, and without /proc. Takes about 15 µs per process, and a
    /// millisecond (more with many GiB) for each tree over its budget.
    pub fn sample(&mut self, roots: &[Root<'_>]) -> Vec<Option<Usage>> {
        let without_group = roots.iter().filter(|root| root.group.is_none());
        let leaders: Vec<i32> = without_group.clone().map(|root| root.leader).collect();
        let helpers = without_group
            .flat_map(|root| root.helpers.iter().map(|helper| (*helper, root.leader)))
            .collect();
        let is_due = self.sample.is_multiple_of(SAMPLES_PER_LOOKUP);
        let mut is_fresh = is_due || leaders.iter().any(|leader| !self.trees.contains_key(leader));
        if is_fresh {
            self.look_up(&leaders, &helpers);
        }
        self.sample = self.sample.wrapping_add(1);
        let measured = roots.iter().map(|root| {
            if let Some(bytes) = root.group.and_then(|group| group.memory().ok()) {
                return Some(Usage { bytes, measure: Measure::Cgroup });
            }
            let rss = self.rss(root.leader)?;
            let limit = match root.limit {
                Some(limit) if rss > limit.bytes() => limit.bytes(),
                Some(_) | None => return Some(Usage { bytes: rss, measure: Measure::Rss }),
            };
            if let Some(bytes) = self.estimate(root.leader, rss, limit) {
                return Some(Usage { bytes, measure: Measure::Pss });
            }
            if !is_fresh {
                self.look_up(&leaders, &helpers);
                is_fresh = true;
            }
            self.exact(root.leader)
        });
        measured.collect()
    }

    /// Returns the CPU time of a tree so far, with that of processes which have ended and been waited for.
    pub fn cpu(&mut self, leader: i32) -> Option<Duration> {
        let tree = self.trees.get(&leader)?;
        let ticks: u64 =
            tree.iter().filter_map(|&pid| self.proc.stat(pid)).map(|stat| stat.cpu_ticks).sum();
        Some(Duration::from_millis(ticks.saturating_mul(1000) / self.ticks_per_second.max(1)))
    }

    /// Returns the number of processes of a tree, as of the last lookup.
    pub fn processes(&self, leader: i32) -> usize {
        self.trees.get(&leader).map_or(0, Vec::len)
    }

    fn look_up(&mut self, leaders: &[i32], helpers: &HashMap<i32, i32>) {
        self.trees = self.proc.trees(leaders, helpers);
        self.exact.retain(|leader, _| leaders.contains(leader));
    }

    /// Returns the RSS of a tree in bytes; `None` if none of its processes is left.
    fn rss(&mut self, leader: i32) -> Option<u64> {
        let tree = self.trees.get(&leader)?;
        let pages = tree.iter().filter_map(|&pid| self.proc.resident_pages(pid));
        // A zombie leader has no pages, so only the others count.
        pages.reduce(|sum, pages| sum + pages).map(|pages| pages * self.page_bytes)
    }

    /// Returns an estimate of the PSS from the last one, if that is still good enough.
    fn estimate(&self, leader: i32, rss: u64, limit: u64) -> Option<u64> {
        let last = self.exact.get(&leader)?;
        let grown = last.pss + rss.saturating_sub(last.rss);
        let is_recent = self.sample.wrapping_sub(last.sample) < SAMPLES_PER_PSS;
        (is_recent && grown <= limit).then_some(grown)
    }

    /// Measures a tree by PSS. A process whose page tables may not be read (it has changed its user) counts with its
    /// RSS.
    fn exact(&mut self, leader: i32) -> Option<Usage> {
        let rss = self.rss(leader)?;
        let mut pss = 0;
        for &pid in self.trees.get(&leader)? {
            pss += match self.proc.pss(pid) {
                Some(bytes) => bytes,
                None => self.proc.resident_pages(pid).unwrap_or(0) * self.page_bytes,
            };
        }
        self.exact.insert(leader, Exact { pss, rss, sample: self.sample });
        Some(Usage { bytes: pss, measure: Measure::Pss })
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::{BufRead, BufReader};
    use std::os::unix::process::CommandExt;
    use std::path::Path;
    use std::process::{Child, Command, Stdio};

    use nix::sys::signal::{Signal, killpg};
    use nix::unistd::Pid;

    use super::super::proc_tree::tests::{Kernel, process};
    use super::*;
    use crate::app::Size;

    /// A page of the fake machine.
    const PAGE: u64 = 4096;

    /// Writes what a process uses: RSS in pages, PSS in KiB.
    fn uses(proc: &Path, pid: i32, rss: u64, pss: u64) {
        fs::write(proc.join(format!("{pid}/statm")), format!("9999 {rss} 7 1 0 5 0\n")).unwrap();
        let rollup =
            format!("0-1 ---p 0 00:00 0 [rollup]\nRss: 1 kB\nPss:   {pss} kB\nPss_Dirty: 3 kB\n");
        fs::write(proc.join(format!("{pid}/smaps_rollup")), rollup).unwrap();
    }

    /// A pm (10) with one instance (20) that has a child (21), using 100 pages and 200 KiB PSS each.
    fn machine() -> (tempfile::TempDir, Sampler) {
        let folder = tempfile::tempdir().unwrap();
        process(folder.path(), Kernel::WithChildren, 10, 1, 10, "20");
        process(folder.path(), Kernel::WithChildren, 20, 10, 20, "21");
        process(folder.path(), Kernel::WithChildren, 21, 20, 20, "");
        uses(folder.path(), 20, 100, 200);
        uses(folder.path(), 21, 100, 200);
        let sampler = Sampler::with(ProcReader::new(folder.path().to_owned(), 10), PAGE, 100);
        (folder, sampler)
    }

    fn root(limit_kib: u64) -> Root<'static> {
        Root { leader: 20, limit: Size::from_bytes(limit_kib * 1024), helpers: &[], group: None }
    }

    fn usage(bytes: u64, measure: Measure) -> Vec<Option<Usage>> {
        vec![Some(Usage { bytes, measure })]
    }

    #[test]
    fn a_tree_is_measured_by_rss_within_its_budget_and_by_pss_over_it() {
        let (_folder, mut sampler) = machine();
        assert_eq!(sampler.sample(&[root(0)]), usage(200 * PAGE, Measure::Rss));
        assert_eq!(sampler.sample(&[root(800)]), usage(200 * PAGE, Measure::Rss));
        assert_eq!(sampler.sample(&[root(799)]), usage(400 << 10, Measure::Pss));
        assert_eq!(sampler.sample(&[root(100)]), usage(400 << 10, Measure::Pss));
    }

    #[test]
    fn a_pss_is_taken_again_once_it_could_be_over_the_budget() {
        let (folder, mut sampler) = machine();
        assert_eq!(sampler.sample(&[root(500)]), usage(400 << 10, Measure::Pss));
        // 10 pages more: at most 440 KiB.
        uses(folder.path(), 21, 110, 999);
        assert_eq!(sampler.sample(&[root(500)]), usage(440 << 10, Measure::Pss));
        // 30 pages more could be 520 KiB, so it is looked at.
        uses(folder.path(), 21, 130, 210);
        assert_eq!(sampler.sample(&[root(500)]), usage(410 << 10, Measure::Pss));
    }

    #[test]
    fn a_new_child_is_counted_before_a_tree_is_over_and_soon_otherwise() {
        let (folder, mut sampler) = machine();
        sampler.sample(&[root(0)]);
        process(folder.path(), Kernel::WithChildren, 21, 20, 20, "22");
        process(folder.path(), Kernel::WithChildren, 22, 21, 20, "");
        uses(folder.path(), 22, 100, 200);
        assert_eq!(sampler.sample(&[root(0)]), usage(200 * PAGE, Measure::Rss));
        assert_eq!(sampler.sample(&[root(100)]), usage(600 << 10, Measure::Pss));
        assert_eq!(sampler.processes(20), 3);
        for _ in 0..SAMPLES_PER_LOOKUP {
            sampler.sample(&[root(0)]);
        }
        assert_eq!(sampler.sample(&[root(0)]), usage(300 * PAGE, Measure::Rss));
    }

    #[test]
    fn a_process_whose_pss_is_hidden_counts_with_its_rss() {
        let (folder, mut sampler) = machine();
        fs::remove_file(folder.path().join("21/smaps_rollup")).unwrap();
        assert_eq!(sampler.sample(&[root(1)]), usage((200 << 10) + 100 * PAGE, Measure::Pss));
    }

    #[test]
    fn an_instance_that_has_ended_has_no_figure() {
        let (folder, mut sampler) = machine();
        assert_eq!(
            sampler.sample(&[Root { leader: 60, limit: None, helpers: &[], group: None }]),
            [None]
        );
        sampler.sample(&[root(0)]);
        fs::remove_dir_all(folder.path().join("20")).unwrap();
        fs::remove_dir_all(folder.path().join("21")).unwrap();
        assert_eq!(sampler.sample(&[root(0)]), [None]);
    }

    #[test]
    fn cpu_time_is_that_of_the_tree_and_of_those_it_has_waited_for() {
        let (_folder, mut sampler) = machine();
        sampler.sample(&[root(0)]);
        // 10 + 20 + 30 + 40 ticks each, at 100 a second.
        assert_eq!(sampler.cpu(20), Some(Duration::from_secs(2)));
        assert_eq!(sampler.cpu(60), None);
    }

    /// Ends its group when a test is over.
    struct Running(Child);

    impl Drop for Running {
        fn drop(&mut self) {
            let group = Pid::from_raw(self.0.id().cast_signed());
            // Both fail only where it has ended already.
            let _ = killpg(group, Signal::SIGKILL);
            let _ = self.0.wait();
        }
    }

    /// Starts a shell command in a group of its own and waits for its first line.
    fn start(command: &str) -> Running {
        let mut child = Command::new("/bin/sh")
            .arg("-c")
            .arg(command)
            .process_group(0)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let stdout = child.stdout.take().unwrap();
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line).unwrap();
        assert_eq!(line, "ready\n");
        Running(child)
    }

    #[test]
    fn a_real_tree_is_measured() {
        let running = start("sleep 100 & sleep 100 & echo ready; wait");
        let leader = running.0.id().cast_signed();
        let mut sampler = Sampler::new().unwrap();
        let exact = sampler.sample(&[Root {
            leader,
            limit: Size::from_bytes(1),
            helpers: &[],
            group: None,
        }])[0]
            .unwrap();
        assert_eq!((exact.measure, sampler.processes(leader)), (Measure::Pss, 3));
        let rough =
            sampler.sample(&[Root { leader, limit: None, helpers: &[], group: None }])[0].unwrap();
        assert_eq!(rough.measure, Measure::Rss);
        assert!(exact.bytes > 0 && rough.bytes > exact.bytes, "{rough:?} {exact:?}");
        assert!(sampler.cpu(leader).is_some());
    }

    #[test]
    fn a_node_program_behind_a_shell_is_found_over_its_budget() {
        if !crate::skipped::has_program("node") {
            return;
        }
        let script = "globalThis.kept = Buffer.alloc(100 << 20, 1); console.log('ready'); setInterval(() => {}, 1e6)";
        let running = start(&format!("node -e \"{script}\"; :"));
        let leader = running.0.id().cast_signed();
        let usage = Sampler::new().unwrap().sample(&[Root {
            leader,
            limit: Size::from_mib(90),
            helpers: &[],
            group: None,
        }])[0]
            .unwrap();
        assert_eq!(usage.measure, Measure::Pss);
        assert!(usage.bytes > 100 << 20, "{usage:?}");
    }
}
