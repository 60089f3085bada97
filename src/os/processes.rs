//! Information about processes. If the system does not tell, nothing is found, and the callers rely on process groups.

use nix::unistd::Pid;

use super::pid_table::Marks;
pub(crate) use super::system::processes::{
    Stat, all, descendants_of, descends_from, environment, heeds_by_default, held_pipes,
    is_suspended, is_traced, missing, own_name,
};

/// An end of a pipe that a process has open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct HeldPipe {
    pub(crate) inode: u64,
    pub(crate) reads: bool,
    pub(crate) writes: bool,
}

/// Returns whether a process belongs to a run: one of its first three descriptors reads a run's stdin or writes a run's
/// output, or its environment has the variable. A process with the other end of a pipe (`cat </proc/PID/fd/1`) was not
/// started by pm.
pub(crate) fn is_marked(pid: Pid, marks: &Marks) -> bool {
    let is_of_run = |pipe: HeldPipe| {
        (pipe.reads && marks.stdins.contains(&pipe.inode))
            || (pipe.writes && marks.outputs.contains(&pipe.inode))
    };
    let carries = || environment(pid).split(|byte| *byte == 0).any(|one| one == marks.variable);
    held_pipes(pid).into_iter().any(is_of_run) || (!marks.variable.is_empty() && carries())
}

/// Returns whether a process group is orphaned (POSIX): none of its members has a parent in another group of its
/// session, which could continue it after a stop. False if that cannot be seen.
pub(crate) fn is_orphaned(group: Pid) -> bool {
    let all = all();
    let has_keeper = |member: &Stat| {
        let parent = all.iter().find(|stat| stat.pid == member.parent);
        parent.is_some_and(|parent| {
            parent.group != group && parent.session().is_some_and(|id| Some(id) == member.session())
        })
    };
    !all.is_empty() && !all.iter().filter(|stat| stat.group == group).any(has_keeper)
}
