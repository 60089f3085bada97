//! Processes that are alive although they were killed, and why.

use nix::errno::Errno;
use nix::sys::signal::kill;
use nix::unistd::Pid;

use super::Children;
use crate::app::InstanceId;
use crate::os::wait;

impl Children {
    /// Returns why a process of an instance is alive although it was killed; `None` if there is none.
    pub(crate) fn why_it_runs(&mut self, id: InstanceId) -> Option<&'static str> {
        self.refresh_orphans();
        let leaders = self.runs.iter().filter(|(run, _)| run.instance == id);
        let leaders = leaders.map(|(_, child)| child.pid).filter(|pid| wait::peek(*pid).is_none());
        let groups = self.outlived.iter().filter(|(of, _)| *of == id);
        let members = groups.filter_map(|(_, group)| self.orphans.member_of(*group));
        leaders.chain(members).find_map(why_it_lives)
    }

    /// Returns the processes that left their groups and are alive although they were killed, each with the reason.
    /// Those of [`Self::why_it_runs`] are left out.
    pub(crate) fn orphans_left(&mut self) -> Vec<(String, &'static str)> {
        self.refresh_orphans();
        let groups = self.outlived.iter();
        let of_runs: Vec<_> =
            groups.filter_map(|(_, group)| self.orphans.member_of(*group)).collect();
        let living = self.orphans.living().iter().zip(self.orphans.names());
        let orphans = living.filter(|(pid, _)| !of_runs.contains(pid));
        orphans.filter_map(|(pid, name)| Some((name, why_it_lives(*pid)?))).collect()
    }
}

/// Returns why a process is alive after SIGKILL; `None` if it has ended.
fn why_it_lives(pid: Pid) -> Option<&'static str> {
    match kill(pid, None) {
        Err(Errno::EPERM) => Some("it runs as another user, and pm is not allowed to signal it"),
        Err(_) => None,
        Ok(()) => {
            Some("SIGKILL does not end it; it may be in a system call that cannot be interrupted")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(target_os = "linux")]
    #[test]
    fn what_lives_although_it_was_killed_has_a_reason() {
        let of_another_user = std::thread::spawn(|| {
            // The C library would change the user of every thread.
            let nobody = rustix::process::Uid::from_raw(65534);
            let _ = rustix::thread::set_thread_res_uid(nobody, nobody, nobody);
            why_it_lives(Pid::from_raw(1))
        });
        let why = of_another_user.join().unwrap();
        assert!(why.is_some_and(|why| why.contains("another user")), "{why:?}");
        assert!(why_it_lives(Pid::this()).is_some_and(|why| why.contains("SIGKILL")));
        let mut child = std::process::Command::new("true").spawn().unwrap();
        let pid = Pid::from_raw(child.id().cast_signed());
        child.wait().unwrap();
        assert_eq!(why_it_lives(pid), None);
    }
}
