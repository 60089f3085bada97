//! A cgroup v2 subtree that was delegated to pm: one group per instance, whose limits the kernel enforces. It only
//! writes plain files (the kernel's admin-guide/cgroup-v2.rst) and needs no privilege. If pm may not divide the
//! subtree, [`Subtree::find`] returns the reason, which pm shows.
//!
//! A group with processes in it may not also give controllers to groups below ("no internal processes"), so pm moves
//! itself into a group of its own first. It does so only if no other processes are in the group: pm must not move a
//! shell that shares it.

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::unistd::{AccessFlags, access};

use crate::app::{CpuLimit, Size};

/// The group that pm moves itself into. No instance can have this name, since those have a dot.
const OWN_GROUP: &str = "pm-itself";
/// Percentage of the budget from which the kernel reclaims caches and slows the instance down, so that cached files do
/// not count as a leak.
const HIGH_PERCENT: u64 = 95;
/// The period of `cpu.max` in microseconds; the kernel's own default.
const CPU_PERIOD_MICROS: u64 = 100_000;

/// Why the kernel's limits cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unavailable {
    /// No cgroup v2 is mounted, or this process is in none.
    NoCgroup2,
    /// The group has no memory controller, for example because cgroup v1 has it.
    NoMemoryController,
    /// pm may not write the group's files.
    NotDelegated {
        /// The group's folder.
        folder: PathBuf,
    },
    /// The kernel refused to divide the group.
    Refused {
        /// The group's folder.
        folder: PathBuf,
        /// Why, in its words.
        error: String,
    },
    /// Processes of others are in the group.
    Shared {
        /// The group's folder.
        folder: PathBuf,
    },
}

impl fmt::Display for Unavailable {
    /// Writes a fragment that ends `the kernel does not hold the budgets: …`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoCgroup2 => f.write_str("no cgroup v2 is mounted"),
            Self::NoMemoryController => f.write_str("the cgroup has no memory controller"),
            Self::NotDelegated { folder } => {
                write!(f, "the cgroup `{}` is not delegated", folder.display())
            }
            Self::Refused { folder, error } => {
                write!(f, "the cgroup `{}` cannot be divided: {error}", folder.display())
            }
            Self::Shared { folder } => {
                write!(f, "other processes share the cgroup `{}`", folder.display())
            }
        }
    }
}

/// The group that pm was started in, ready to be divided.
#[derive(Debug)]
pub struct Subtree {
    folder: PathBuf,
    /// `cpu.max` can be set in the groups below.
    has_cpu: bool,
}

/// Limits of one instance.
#[derive(Clone, Copy, Debug, Default)]
pub struct CgroupLimits {
    /// The memory budget.
    pub memory: Option<Size>,
    /// The CPUs. A range of CPU numbers is set as the affinity, and not here.
    pub cpus: Option<CpuLimit>,
}

impl Subtree {
    /// Looks for the group of this process. `mount` is /sys/fs/cgroup; `own_cgroup` the text of
    /// /proc/self/cgroup; `ours` tells whether a pid is pm or started by it. Writes nothing.
    pub fn find(
        mount: &Path,
        own_cgroup: &str,
        ours: impl Fn(i32) -> bool,
    ) -> Result<Self, Unavailable> {
        // The v2 line is `0::/path`; the others are v1 hierarchies (cgroups(7)).
        let path = own_cgroup
            .lines()
            .find_map(|line| line.strip_prefix("0::"))
            .ok_or(Unavailable::NoCgroup2)?;
        // A path outside of this namespace's root is not below the mount.
        if path.split('/').any(|part| part == "..") {
            return Err(Unavailable::NotDelegated { folder: PathBuf::from(path) });
        }
        let folder = mount.join(path.trim_start_matches('/'));
        let controllers = fs::read_to_string(folder.join("cgroup.controllers"))
            .map_err(|_| Unavailable::NoCgroup2)?;
        let has = |name| controllers.split_ascii_whitespace().any(|controller| controller == name);
        if !has("memory") {
            return Err(Unavailable::NoMemoryController);
        }
        let writable = AccessFlags::W_OK;
        let files = ["cgroup.procs", "cgroup.subtree_control"].map(|name| folder.join(name));
        if access(&folder, writable).is_err()
            || files.iter().any(|file| access(file, writable).is_err())
        {
            return Err(Unavailable::NotDelegated { folder });
        }
        let members = fs::read_to_string(folder.join("cgroup.procs")).unwrap_or_default();
        // A process of another PID namespace reads as 0, and is not pm's.
        if !members.lines().all(|pid| pid.parse().is_ok_and(&ours)) {
            return Err(Unavailable::Shared { folder });
        }
        Ok(Self { folder, has_cpu: has("cpu") })
    }

    /// Returns the group's folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Moves what is in the group into a group of pm's own, and gives the groups below their controllers.
    /// To be called before anything is started.
    pub fn divide(&self) -> io::Result<()> {
        let own = self.folder.join(OWN_GROUP);
        create_folder(&own)?;
        for pid in fs::read_to_string(self.folder.join("cgroup.procs"))?.lines() {
            fs::write(own.join("cgroup.procs"), pid)?;
        }
        let controllers = if self.has_cpu { "+memory +cpu" } else { "+memory" };
        fs::write(self.folder.join("cgroup.subtree_control"), controllers)
    }

    /// Makes the group of an instance, `web.1`. A group of that name that an earlier pm has left is taken over.
    pub fn create(&self, instance: &str, limits: CgroupLimits) -> io::Result<Cgroup> {
        let group = Cgroup { folder: self.folder.join(instance) };
        create_folder(&group.folder)?;
        if let Some(budget) = limits.memory {
            let high = budget.bytes() / 100 * HIGH_PERCENT;
            group.write("memory.high", &high.to_string())?;
            group.write("memory.max", &budget.bytes().to_string())?;
            // Otherwise a leak would only fill the swap. Without swap, there is no such file.
            ignore_missing(group.write("memory.swap.max", "0"))?;
            // The kernel must kill the whole instance, and not one worker that its parent would replace.
            ignore_missing(group.write("memory.oom.group", "1"))?;
        }
        if let Some(CpuLimit::Time { thousandths }) = limits.cpus
            && self.has_cpu
        {
            let micros = u64::from(thousandths) * CPU_PERIOD_MICROS / 1000;
            group.write("cpu.max", &format!("{micros} {CPU_PERIOD_MICROS}"))?;
        }
        Ok(group)
    }
}

/// The cgroup of one instance.
#[derive(Clone, Debug)]
pub struct Cgroup {
    folder: PathBuf,
}

impl Cgroup {
    /// Returns the file that a child writes `0` to, between fork and exec, to be in the group from its
    /// first instruction.
    pub fn procs_file(&self) -> PathBuf {
        self.folder.join("cgroup.procs")
    }

    /// Returns the memory charged to the group, in bytes, caches included.
    pub fn memory(&self) -> io::Result<u64> {
        let text = self.read("memory.current")?;
        text.trim().parse().map_err(|_| io::Error::from(io::ErrorKind::InvalidData))
    }

    /// Returns the most that was ever charged to the group, in bytes (Linux 5.19).
    pub fn peak(&self) -> io::Result<u64> {
        let text = self.read("memory.peak")?;
        text.trim().parse().map_err(|_| io::Error::from(io::ErrorKind::InvalidData))
    }

    /// Returns the CPU time of all processes that have been in the group.
    pub fn cpu(&self) -> io::Result<Duration> {
        self.field("cpu.stat", "usage_usec").map(Duration::from_micros)
    }

    /// Returns how many processes the kernel has killed for want of memory; a rise since the start of an
    /// instance tells that its SIGKILL was one of these.
    pub fn oom_kills(&self) -> io::Result<u64> {
        self.field("memory.events", "oom_kill")
    }

    /// Kills everything in the group at once, also what has left the process group (Linux 5.14).
    pub fn kill(&self) -> io::Result<()> {
        self.write("cgroup.kill", "1")
    }

    /// Removes the group, which must be empty: the kernel refuses otherwise.
    pub fn remove(&self) -> io::Result<()> {
        fs::remove_dir(&self.folder)
    }

    /// Returns a number of a file of `name number` lines.
    fn field(&self, file: &str, name: &str) -> io::Result<u64> {
        let text = self.read(file)?;
        let number = text.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok());
        number.ok_or_else(|| io::Error::from(io::ErrorKind::InvalidData))
    }

    fn read(&self, file: &str) -> io::Result<String> {
        fs::read_to_string(self.folder.join(file))
    }

    fn write(&self, file: &str, text: &str) -> io::Result<()> {
        // Not fs::write, which would create a file that the kernel does not have.
        use std::io::Write;
        fs::OpenOptions::new().write(true).open(self.folder.join(file))?.write_all(text.as_bytes())
    }
}

fn create_folder(folder: &Path) -> io::Result<()> {
    match fs::create_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        made => made,
    }
}

fn ignore_missing(written: io::Result<()>) -> io::Result<()> {
    match written {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        written => written,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWN: &str = "2:cpu:/v1\n0::/user/pm.scope\n";

    /// A mount with the group of [`OWN`] in it.
    fn mount(controllers: &str, members: &str) -> tempfile::TempDir {
        let mount = tempfile::tempdir().unwrap();
        let folder = mount.path().join("user/pm.scope");
        fs::create_dir_all(&folder).unwrap();
        for (file, text) in [
            ("cgroup.controllers", controllers),
            ("cgroup.procs", members),
            ("cgroup.subtree_control", ""),
        ] {
            fs::write(folder.join(file), text).unwrap();
        }
        mount
    }

    fn read(mount: &tempfile::TempDir, file: &str) -> String {
        fs::read_to_string(mount.path().join("user/pm.scope").join(file)).unwrap()
    }

    /// The kernel makes the files of a group with it; so do the tests, beforehand.
    fn prepare(mount: &tempfile::TempDir, group: &str, files: &[(&str, &str)]) {
        let folder = mount.path().join("user/pm.scope").join(group);
        fs::create_dir_all(&folder).unwrap();
        for (file, text) in files {
            fs::write(folder.join(file), text).unwrap();
        }
    }

    #[test]
    fn what_is_missing_is_named() {
        let find = |mount: &tempfile::TempDir, own| {
            Subtree::find(mount.path(), own, |pid| pid == 42).map(|_| ())
        };
        let plain = mount("cpu memory pids", "42\n");
        assert_eq!(find(&plain, OWN), Ok(()));
        assert_eq!(find(&plain, "2:cpu:/v1\n"), Err(Unavailable::NoCgroup2));
        assert_eq!(find(&plain, "0::/elsewhere\n"), Err(Unavailable::NoCgroup2));
        let outside = Unavailable::NotDelegated { folder: PathBuf::from("/../other") };
        assert_eq!(find(&plain, "0::/../other\n"), Err(outside));
        assert_eq!(find(&mount("cpu pids", "42\n"), OWN), Err(Unavailable::NoMemoryController));
        let shared = mount("memory", "42\n7\n");
        let folder = shared.path().join("user/pm.scope");
        assert_eq!(find(&shared, OWN), Err(Unavailable::Shared { folder }));
        let foreign = mount("memory", "42\n");
        let folder = foreign.path().join("user/pm.scope");
        fs::remove_file(folder.join("cgroup.subtree_control")).unwrap();
        assert_eq!(find(&foreign, OWN), Err(Unavailable::NotDelegated { folder }));
    }

    #[test]
    fn pm_moves_itself_before_it_gives_controllers_away() {
        let mount = mount("cpu memory", "42\n");
        let subtree = Subtree::find(mount.path(), OWN, |_| true).unwrap();
        subtree.divide().unwrap();
        assert_eq!(read(&mount, "pm-itself/cgroup.procs"), "42");
        assert_eq!(read(&mount, "cgroup.subtree_control"), "+memory +cpu");
    }

    #[test]
    fn limits_are_written_as_the_kernel_reads_them() {
        let mount = mount("cpu memory", "42\n");
        let empty =
            ["memory.high", "memory.max", "memory.oom.group", "cpu.max"].map(|file| (file, ""));
        prepare(&mount, "web.1", &empty);
        let subtree = Subtree::find(mount.path(), OWN, |_| true).unwrap();
        let limits =
            CgroupLimits { memory: Size::from_mib(100), cpus: CpuLimit::parse("1.5").ok() };
        let group = subtree.create("web.1", limits).unwrap();
        assert_eq!(read(&mount, "web.1/memory.max"), "104857600");
        assert_eq!(read(&mount, "web.1/memory.high"), "99614720");
        assert_eq!(read(&mount, "web.1/memory.oom.group"), "1");
        assert_eq!(read(&mount, "web.1/cpu.max"), "150000 100000");
        assert!(group.procs_file().ends_with("user/pm.scope/web.1/cgroup.procs"));
        assert_eq!(group.kill().map_err(|error| error.kind()), Err(io::ErrorKind::NotFound));
    }

    #[test]
    fn what_a_group_uses_is_read() {
        let mount = mount("memory", "42\n");
        let events = "low 0\nhigh 3\nmax 2\noom 1\noom_kill 4\noom_group_kill 1\n";
        let stat = "usage_usec 1500000\nuser_usec 1\n";
        prepare(
            &mount,
            "web.1",
            &[("memory.current", "1048576\n"), ("memory.events", events), ("cpu.stat", stat)],
        );
        let subtree = Subtree::find(mount.path(), OWN, |_| true).unwrap();
        let group = subtree.create("web.1", CgroupLimits::default()).unwrap();
        assert_eq!(group.memory().ok(), Some(1 << 20));
        assert_eq!(group.oom_kills().ok(), Some(4));
        assert_eq!(group.cpu().ok(), Some(Duration::from_millis(1500)));
    }

    #[test]
    fn the_group_of_this_machine_is_found_or_the_reason_said() {
        let own = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
        match Subtree::find(Path::new("/sys/fs/cgroup"), &own, |pid| {
            pid == nix::unistd::getpid().as_raw()
        }) {
            Ok(subtree) => assert!(subtree.folder.starts_with("/sys/fs/cgroup")),
            Err(reason) => eprintln!("no group of its own on this machine: {reason}"),
        }
    }
}
