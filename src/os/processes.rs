//! Which processes there are. A system that does not tell has none, and its callers fall back to process
//! groups alone.

use nix::unistd::Pid;

pub(crate) use super::system::processes::{Stat, all, heeds_by_default, is_marked, missing};

/// Returns whether a process group is orphaned (POSIX): none of its members has a parent in another
/// group of its session, which could resume it when it is stopped. False where that cannot be seen.
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
