//! Which processes belong to which instance, from /proc.
//!
//! It walks the descendants of pm by `/proc/PID/task/*/children` (proc(5)), so that the cost depends on the number of
//! pm's processes and not on that of the machine. If the kernel has no such files, it reads all of /proc. Orphans are
//! children of pm (a subreaper), and belong to the instance whose process group they are in.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use super::processes::{self, Stat};

/// A reader of /proc that uses one buffer for everything.
#[derive(Debug)]
pub(crate) struct ProcReader {
    folder: PathBuf,
    /// pm itself, the root of the walk.
    own_pid: i32,
    has_children_files: bool,
    buffer: Vec<u8>,
}

impl ProcReader {
    /// Makes one for a folder like /proc, and the process whose descendants are walked.
    pub(crate) fn new(folder: PathBuf, own_pid: i32) -> Self {
        let children = folder.join(format!("{own_pid}/task/{own_pid}/children"));
        Self {
            has_children_files: children.exists(),
            folder,
            own_pid,
            buffer: Vec::with_capacity(4096),
        }
    }

    /// Reads a file of a process. Fails if the process is gone or may not be read.
    pub(crate) fn read(&mut self, pid: i32, name: &str) -> io::Result<&[u8]> {
        self.buffer.clear();
        let path = self.folder.join(format!("{pid}/{name}"));
        // At most a few KiB: none of these files is longer. Their size says nothing, so it is not asked for, which
        // `File::read_to_end` does by two system calls.
        File::open(path)?.take(u64::MAX).read_to_end(&mut self.buffer)?;
        Ok(&self.buffer)
    }

    /// Reads `/proc/PID/stat`; `None` if the process is gone.
    pub(crate) fn stat(&mut self, pid: i32) -> Option<Stat> {
        processes::parse(self.read(pid, "stat").ok()?)
    }

    /// Returns the pages of a process that are resident, shared ones included.
    pub(crate) fn resident_pages(&mut self, pid: i32) -> Option<u64> {
        number_after(self.read(pid, "statm").ok()?, b" ")
    }

    /// Returns the bytes of a process with shared pages divided fairly; `None` if its page tables may not be read.
    pub(crate) fn pss(&mut self, pid: i32) -> Option<u64> {
        number_after(self.read(pid, "smaps_rollup").ok()?, b"\nPss:").map(|kib| kib * 1024)
    }

    /// Returns the processes of each leader, beginning with itself; none if the leader is gone. `helpers` are processes
    /// that have left the leader's group and belong to it.
    pub(crate) fn trees(
        &mut self,
        leaders: &[i32],
        helpers: &HashMap<i32, i32>,
    ) -> HashMap<i32, Vec<i32>> {
        let mut trees: HashMap<i32, Vec<i32>> =
            leaders.iter().map(|&leader| (leader, Vec::new())).collect();
        let by_parent = if self.has_children_files { None } else { Some(self.by_parent()) };
        let mut open: Vec<(i32, i32)> = Vec::new();
        for child in self.children(self.own_pid, by_parent.as_ref()) {
            let leader = if trees.contains_key(&child) {
                Some(child)
            } else if let Some(leader) = helpers.get(&child) {
                Some(*leader)
            } else {
                self.stat(child)
                    .map(|stat| stat.group.as_raw())
                    .filter(|group| trees.contains_key(group))
            };
            open.extend(leader.map(|leader| (child, leader)));
        }
        while let Some((pid, leader)) = open.pop() {
            open.extend(
                self.children(pid, by_parent.as_ref()).into_iter().map(|child| (child, leader)),
            );
            if let Some(tree) = trees.get_mut(&leader) {
                tree.push(pid);
            }
        }
        for (leader, tree) in &mut trees {
            tree.sort_unstable_by_key(|pid| (pid != leader, *pid));
            tree.dedup();
        }
        trees
    }

    /// Returns the descendants of the root; none without the kernel's lists of children.
    pub(crate) fn below(&mut self) -> Vec<i32> {
        let mut found = Vec::new();
        let mut open = if self.has_children_files { vec![self.own_pid] } else { Vec::new() };
        while let Some(pid) = open.pop() {
            let children = self.children(pid, None);
            open.extend(&children);
            found.extend(children);
        }
        found
    }

    fn children(&mut self, pid: i32, by_parent: Option<&HashMap<i32, Vec<i32>>>) -> Vec<i32> {
        if let Some(by_parent) = by_parent {
            return by_parent.get(&pid).cloned().unwrap_or_default();
        }
        // Each thread has its own list of children: a JVM or a Go program starts processes from any thread.
        let mut children = Vec::new();
        for thread in self.threads(pid) {
            if let Ok(bytes) = self.read(pid, &format!("task/{thread}/children")) {
                let text = String::from_utf8_lossy(bytes);
                children.extend(
                    text.split_ascii_whitespace().filter_map(|pid| pid.parse::<i32>().ok()),
                );
            }
        }
        children
    }

    /// Returns the threads of a process. The folder has a link for each, besides its two own (proc_task_getattr in
    /// Linux's fs/proc/base.c). Most processes have one thread, which one system call tells; a list takes five.
    fn threads(&self, pid: i32) -> Vec<i32> {
        let folder = self.folder.join(format!("{pid}/task"));
        match fs::metadata(&folder) {
            Ok(found) if found.nlink() == 3 => vec![pid],
            _ => numbers_in(folder),
        }
    }

    fn by_parent(&mut self) -> HashMap<i32, Vec<i32>> {
        let mut by_parent: HashMap<i32, Vec<i32>> = HashMap::new();
        for pid in numbers_in(self.folder.clone()) {
            if let Some(stat) = self.stat(pid) {
                by_parent.entry(stat.parent.as_raw()).or_default().push(pid);
            }
        }
        by_parent
    }
}

/// Returns the number after the first `mark`.
fn number_after(text: &[u8], mark: &[u8]) -> Option<u64> {
    let at = memchr::memmem::find(text, mark)?;
    let rest = std::str::from_utf8(&text[at + mark.len()..]).ok()?;
    rest.split_ascii_whitespace().next()?.parse().ok()
}

/// Returns the entries of a folder that are numbers; none if the process is gone.
fn numbers_in(folder: PathBuf) -> Vec<i32> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect()
}

#[cfg(test)]
pub(super) mod tests {
    use std::path::Path;

    use super::*;

    /// Whether the fake /proc has `children` files.
    #[derive(Clone, Copy, PartialEq)]
    pub(in crate::os::linux) enum Kernel {
        WithChildren,
        WithoutChildren,
    }

    /// Writes the files of a process with two threads; the second one has the children.
    pub(in crate::os::linux) fn process(
        proc: &Path,
        kernel: Kernel,
        pid: i32,
        parent: i32,
        group: i32,
        children: &str,
    ) {
        for thread in [pid, pid + 5000] {
            let folder = proc.join(format!("{pid}/task/{thread}"));
            fs::create_dir_all(&folder).unwrap();
            if kernel == Kernel::WithChildren {
                fs::write(folder.join("children"), if thread == pid { "" } else { children })
                    .unwrap();
            }
        }
        let stat = format!(
            "{pid} (a) b (c)) S {parent} {group} 1 0 -1 4194560 1 2 3 4 10 20 30 40 20 0 2 0 99 1 2\n"
        );
        fs::write(proc.join(format!("{pid}/stat")), stat).unwrap();
    }

    #[test]
    fn the_threads_of_a_process_are_those_of_its_folder_however_many() {
        let reader = ProcReader::new(PathBuf::from("/proc"), 1);
        let mut cat = std::process::Command::new("cat");
        let mut child = cat.stdin(std::process::Stdio::piped()).spawn().unwrap();
        let one = child.id().cast_signed();
        assert_eq!(reader.threads(one), [one]);
        drop(child.stdin.take());
        child.wait().unwrap();
        let own = nix::unistd::getpid().as_raw();
        let (entered, mine) = std::sync::mpsc::channel();
        let (leave, wait) = std::sync::mpsc::channel::<()>();
        let thread = std::thread::spawn(move || {
            entered.send(nix::unistd::gettid().as_raw()).unwrap();
            let _ = wait.recv();
        });
        let other = mine.recv().unwrap();
        assert!(reader.threads(own).contains(&other));
        drop(leave);
        thread.join().unwrap();
    }

    #[test]
    fn every_descendant_and_orphan_belongs_to_its_leader() {
        for kernel in [Kernel::WithChildren, Kernel::WithoutChildren] {
            let folder = tempfile::tempdir().unwrap();
            // 10 is pm; 20 and 30 are leaders; 40 is an orphan of 20's group; 50 a stranger, as the watchdog is;
            // 70 is a helper of 30.
            process(folder.path(), kernel, 10, 1, 10, "20 30 40 50 70 ");
            process(folder.path(), kernel, 20, 10, 20, "21 ");
            process(folder.path(), kernel, 21, 20, 20, "22 ");
            process(folder.path(), kernel, 22, 21, 99, "");
            process(folder.path(), kernel, 30, 10, 30, "");
            process(folder.path(), kernel, 40, 10, 20, "41 ");
            process(folder.path(), kernel, 41, 40, 41, "");
            process(folder.path(), kernel, 50, 10, 10, "");
            process(folder.path(), kernel, 70, 10, 70, "71 ");
            process(folder.path(), kernel, 71, 70, 70, "");
            let mut proc = ProcReader::new(folder.path().to_owned(), 10);
            let trees = proc.trees(&[20, 30, 60], &HashMap::from([(70, 30)]));
            assert_eq!(trees[&20], [20, 21, 22, 40, 41]);
            assert_eq!(trees[&30], [30, 70, 71]);
            assert_eq!(trees[&60], Vec::<i32>::new());
            let mut below = ProcReader::new(folder.path().to_owned(), 20).below();
            below.sort_unstable();
            let expected: &[i32] = if kernel == Kernel::WithChildren { &[21, 22] } else { &[] };
            assert_eq!(below, expected);
        }
    }
}
