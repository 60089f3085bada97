//! Which process listens on a port: asked of the kernel, without a connection.

use std::fs::File;

use nix::unistd::Pid;

use super::listeners::Listeners;
use super::processes;
use crate::app::lint::Holder;

/// The listener of a port, from the point of view of one instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum PortOwner {
    /// Nobody.
    Nobody,
    /// A process of the tree in question.
    Tree,
    /// Another process.
    Other(Holder),
    /// A process that cannot be identified: it belongs to another user, or the system does not tell.
    Hidden,
    /// Nobody can tell: this process has no descriptor left to look with. Why, for a person.
    Unknown(String),
}

/// Returns who listens on a port, on any address: a process that descends from `leader` or is in its group, or another.
/// Only in the second case it reads the descriptors of all processes.
pub(crate) fn owner_of(listeners: &Listeners, port: u16, leader: Pid) -> PortOwner {
    if !Listeners::CAN_TELL {
        return PortOwner::Hidden;
    }
    if !listeners.has(port) {
        return if_seen(PortOwner::Nobody);
    }
    let below = processes::descendants_of(leader);
    if [leader].iter().chain(&below).any(|pid| listeners.is_held_by(port, *pid)) {
        return PortOwner::Tree;
    }
    let holders = listeners.holders(&[port]);
    // An orphan in the group is no longer a descendant.
    let is_of_tree = |holder: &Holder| {
        i32::try_from(holder.pid)
            .is_ok_and(|pid| processes::descends_from(Pid::from_raw(pid), leader) == Some(true))
    };
    match holders.into_iter().map(|(_, holder)| holder).partition::<Vec<_>, _>(is_of_tree) {
        (own, _) if !own.is_empty() => PortOwner::Tree,
        (_, others) => match others.into_iter().next() {
            Some(other) => PortOwner::Other(other),
            None => if_seen(PortOwner::Hidden),
        },
    }
}

/// Returns what follows from seeing nothing. Without a descriptor nothing is seen of anybody.
fn if_seen(owner: PortOwner) -> PortOwner {
    match File::open("/dev/null") {
        Ok(_) => owner,
        Err(error) => PortOwner::Unknown(error.to_string()),
    }
}

#[cfg(all(test, target_os = "linux", not(pm_portable)))]
mod tests {
    use std::net::TcpListener;
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn a_listener_is_of_the_tree_of_its_process_and_of_its_parents() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let owner = |leader| owner_of(&Listeners::read(), port, leader);
        assert_eq!(owner(Pid::this()), PortOwner::Tree);
        assert_eq!(owner(Pid::parent()), PortOwner::Tree);
        let mut stranger = Command::new("cat").stdin(Stdio::piped()).spawn().unwrap();
        let other = owner(Pid::from_raw(stranger.id().cast_signed()));
        let PortOwner::Other(holder) = other else { panic!("{other:?}") };
        assert_eq!(holder.pid, std::process::id());
        drop(listener);
        assert_eq!(owner(Pid::this()), PortOwner::Nobody);
        drop(stranger.stdin.take());
        stranger.wait().unwrap();
    }
}
