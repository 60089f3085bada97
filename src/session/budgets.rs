//! Enforces memory budgets: measures instances on request, or, if a cgroup subtree is delegated to pm, gives
//! each instance a group in which the kernel enforces the budget.

use std::collections::HashMap;
use std::fs;
use std::time::Duration;

use nix::unistd::Pid;

use crate::app::{App, Budget, Exit, ProcessType, RunId, Signal};
use crate::app::{CpuLimit, MemoryAction};
use crate::os::cgroup::{Cgroup, CgroupLimits, Subtree, Unavailable};
use crate::os::children::ChildEvent;
use crate::os::sampler::{Root, Sampler, Usage};
pub(crate) use crate::os::subtree::find as find_subtree;
use crate::supervisor::{self, Event, Sample};

/// A run that is measured or has a cgroup.
#[derive(Debug)]
struct Held {
    leader: Option<Pid>,
    group: Option<Cgroup>,
    /// The number of out-of-memory kills in its group before it started: the group may be that of an earlier run.
    kills_before: u64,
}

/// Every run with a budget or a group.
#[derive(Debug)]
pub(crate) struct Budgets {
    /// `None`: no run has had a budget so far, or the system cannot measure. A type may start, or get a budget, long
    /// after the session's start (`pm scale`, `pm reload`).
    sampler: Option<Sampler>,
    subtree: Option<Subtree>,
    runs: HashMap<RunId, Held>,
}

/// Returns the limits of the cgroup of this type; `None` if the kernel has nothing to enforce.
fn limits(process_type: &ProcessType) -> Option<CgroupLimits> {
    // An instance for which pm only warns must not be killed by the kernel.
    let kept = |budget: &Budget| budget.action != MemoryAction::Warn;
    let memory = process_type.policy.budget.filter(kept).map(|budget| budget.size);
    let is_time = |limit: &CpuLimit| matches!(limit, CpuLimit::Time { .. });
    let cpus = process_type.limits.cpus.filter(is_time);
    (memory.is_some() || cpus.is_some()).then_some(CgroupLimits { memory, cpus })
}

impl Budgets {
    /// Prepares for this application. Must be called before anything is started. Returns a warning if a limit cannot be
    /// enforced.
    pub(crate) fn open(app: &App) -> (Self, Option<String>) {
        let running = || app.types.iter().filter(|process_type| process_type.count > 0);
        let is_needed = running().any(|process_type| limits(process_type).is_some());
        let subtree = if is_needed { Some(usable_subtree()) } else { None };
        let timed = running()
            .find(|process_type| matches!(process_type.limits.cpus, Some(CpuLimit::Time { .. })));
        let notice = match (&subtree, timed) {
            (Some(Err(reason)), Some(process_type)) => Some(format!(
                "the CPU time of {} is not limited: {reason}; a range such as `--cpus 0-1` needs no cgroup",
                process_type.name
            )),
            (Some(Ok(_) | Err(_)) | None, _) => None,
        };
        let subtree = subtree.and_then(Result::ok);
        (Self { sampler: None, subtree, runs: HashMap::new() }, notice)
    }

    /// Makes the cgroup of a run that is about to start, and returns the file that its process must write `0` to.
    /// Without one, the run is only measured.
    pub(crate) fn enter(&mut self, app: &App, run: RunId) -> Option<fs::File> {
        let process_type = app.type_of(run.instance);
        let limits = limits(process_type);
        if limits.is_none() && process_type.policy.budget.is_none() {
            return None;
        }
        if self.sampler.is_none() && process_type.policy.budget.is_some() {
            self.sampler = Sampler::new().ok();
        }
        let group =
            self.subtree.as_ref().zip(limits).and_then(|(subtree, limits)| {
                subtree.create(&app.name_of(run.instance), limits).ok()
            });
        let file = group
            .as_ref()
            .and_then(|group| fs::OpenOptions::new().write(true).open(group.procs_file()).ok());
        let group = group.filter(|_| file.is_some());
        let kills_before = group.as_ref().and_then(|group| group.oom_kills().ok()).unwrap_or(0);
        self.runs.insert(run, Held { leader: None, group, kills_before });
        file
    }

    /// Registers the process of a run.
    pub(crate) fn started(&mut self, run: RunId, leader: Pid) {
        if let Some(held) = self.runs.get_mut(&run) {
            held.leader = Some(leader);
        }
    }

    /// Returns the cgroup of a run, where it has one.
    pub(crate) fn group_of(&self, run: RunId) -> Option<Cgroup> {
        self.runs.get(&run)?.group.clone()
    }

    /// Measures runs, including the `helpers` that have left the group of a leader: memory, and the CPU time of the
    /// processes that live. There is nothing of a run that has ended or cannot be measured.
    pub(crate) fn measure(
        &mut self,
        samples: &[Sample],
        helpers: &HashMap<i32, Vec<i32>>,
    ) -> Vec<(RunId, Usage, Option<Duration>)> {
        let Some(sampler) = &mut self.sampler else { return Vec::new() };
        let known = samples.iter().filter_map(|sample| {
            let held = self.runs.get(&sample.run)?;
            let (leader, limit) = (held.leader?.as_raw(), sample.limit);
            let helpers = helpers.get(&leader).map_or(&[][..], Vec::as_slice);
            Some((sample.run, Root { leader, limit, helpers, group: held.group.as_ref() }))
        });
        let (runs, roots): (Vec<RunId>, Vec<Root<'_>>) = known.unzip();
        let usages = sampler.sample(&roots);
        let mut cpu = |root: &Root<'_>| match root.group {
            Some(group) => group.cpu().ok(),
            None => sampler.cpu(root.leader),
        };
        let told = runs.into_iter().zip(&roots).zip(usages);
        told.filter_map(|((run, root), usage)| Some((run, usage?, cpu(root)))).collect()
    }

    /// Converts a change of a child to an event. A SIGKILL is reported as out of memory if the kernel sent it for that
    /// reason in the run's cgroup.
    pub(crate) fn event(&self, of: ChildEvent) -> Event {
        match of {
            ChildEvent::Exited { run, exit, has_left_others } => {
                let group =
                    if has_left_others { supervisor::Group::Left } else { supervisor::Group::Gone };
                Event::Exited { run, exit: self.name(run, exit), group }
            }
            ChildEvent::GroupGone(run) => Event::GroupGone { run },
            ChildEvent::ProgramEnded(run) => Event::ProgramEnded { run },
            ChildEvent::OrphansGone => Event::OrphansGone,
        }
    }

    fn name(&self, run: RunId, exit: Exit) -> Exit {
        if exit != Exit::Signal(Signal::KILL) {
            return exit;
        }
        let is_oom = self.runs.get(&run).is_some_and(|held| {
            let kills = held.group.as_ref().and_then(|group| group.oom_kills().ok());
            kills.is_some_and(|kills| kills > held.kills_before)
        });
        if is_oom { Exit::OutOfMemory } else { exit }
    }

    /// Forgets a run that has been swept.
    pub(crate) fn ended(&mut self, run: RunId) {
        if let Some(Held { group: Some(group), .. }) = self.runs.remove(&run) {
            // The cgroup is not empty if something has left the process group; then the next run takes it over.
            let _ = group.remove();
        }
    }
}

fn usable_subtree() -> Result<Subtree, Unavailable> {
    let subtree = find_subtree()?;
    match subtree.divide() {
        Ok(()) => Ok(subtree),
        Err(error) => {
            let folder = subtree.folder().to_owned();
            Err(Unavailable::Refused { folder, error: error.to_string() })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::{Environment, ExitOn, InstanceId, Policy, Size};

    fn an_app(action: MemoryAction) -> App {
        let budget = Size::from_mib(100).map(|size| Budget { size, action });
        let policy = Policy { budget, ..Policy::default() };
        let web = ProcessType { policy, ..ProcessType::of("web", "") };
        App {
            root: "/".into(),
            types: vec![web],
            environment: Environment::default(),
            base_port: 5000,
            exit_on: ExitOn::Failure,
        }
    }

    /// A delegated group as the kernel would make it, with that of `web.1` in it.
    fn a_mount() -> (tempfile::TempDir, Subtree) {
        let mount = tempfile::tempdir().unwrap();
        let folder = mount.path().join("pm.scope");
        fs::create_dir_all(folder.join("web.1")).unwrap();
        let own = [
            ("cgroup.controllers", "memory"),
            ("cgroup.procs", ""),
            ("cgroup.subtree_control", ""),
        ];
        let group = [
            ("memory.high", ""),
            ("memory.max", ""),
            ("cgroup.procs", ""),
            ("memory.events", "oom 4\noom_kill 3\n"),
        ];
        for (file, text) in own {
            fs::write(folder.join(file), text).unwrap();
        }
        for (file, text) in group {
            fs::write(folder.join("web.1").join(file), text).unwrap();
        }
        let subtree = Subtree::find(mount.path(), "0::/pm.scope", |_| true).unwrap();
        (mount, subtree)
    }

    #[test]
    fn a_kill_of_the_kernel_for_want_of_memory_is_named_so() {
        let run = RunId { instance: InstanceId { process_type: 0, number: 1 }, seq: 1 };
        let (mount, subtree) = a_mount();
        let mut budgets = Budgets { sampler: None, subtree: Some(subtree), runs: HashMap::new() };
        assert!(budgets.enter(&an_app(MemoryAction::Restart), run).is_some());
        let killed = Exit::Signal(Signal::KILL);
        assert_eq!(budgets.name(run, killed), killed);
        let events = mount.path().join("pm.scope/web.1/memory.events");
        fs::write(events, "oom 5\noom_kill 4\n").unwrap();
        assert_eq!(budgets.name(run, killed), Exit::OutOfMemory);
        assert_eq!(budgets.name(run, Exit::Code(1)), Exit::Code(1));
    }

    #[test]
    fn who_is_only_warned_of_is_not_held_by_the_kernel() {
        let run = RunId { instance: InstanceId { process_type: 0, number: 1 }, seq: 1 };
        let (_mount, subtree) = a_mount();
        let mut budgets = Budgets { sampler: None, subtree: Some(subtree), runs: HashMap::new() };
        assert!(budgets.enter(&an_app(MemoryAction::Warn), run).is_none());
        assert!(budgets.runs.contains_key(&run));
    }
}
