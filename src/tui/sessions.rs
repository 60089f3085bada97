//! What is known of sessions and their instances.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use crate::control::proto::{InstanceState, InstanceStatus, Report};

/// Samples that a line shows: one a second.
pub(super) const SAMPLES: usize = 60;

/// A session that the ui shows.
#[derive(Debug)]
pub(super) struct ShownSession {
    /// The name of its folder.
    pub(super) label: String,
    /// Its process id.
    pub(super) pid: i32,
    pub(super) report: Option<Report>,
    /// It has ended, or does not answer any more.
    pub(super) is_over: bool,
    usage: HashMap<String, RecentUsage>,
    reported: Option<Duration>,
}

/// What an instance has used of late.
#[derive(Clone, Debug, Default)]
pub(super) struct RecentUsage {
    /// CPU time in seconds, as it was told last.
    seconds: Option<f64>,
    /// Hundredths of one CPU, between the last two reports.
    pub(super) percent: Option<f64>,
    /// Memory in bytes, the newest last.
    pub(super) memory: VecDeque<u64>,
}

impl ShownSession {
    pub(super) fn new(label: String, pid: i32) -> Self {
        let usage = HashMap::new();
        Self { label, pid, report: None, is_over: false, usage, reported: None }
    }

    /// Takes a report. `now`: since the ui began.
    pub(super) fn take(&mut self, report: Report, now: Duration) {
        let passed = self.reported.map(|before| now.saturating_sub(before));
        // A report between two samples is one of states alone.
        let is_sample = passed.is_none_or(|passed| passed > Duration::from_millis(900));
        if is_sample {
            let mut old = std::mem::take(&mut self.usage);
            for instance in &report.instances {
                let before = old.remove(&instance.name).unwrap_or_default();
                self.usage.insert(instance.name.clone(), before.with(instance, passed));
            }
            self.reported = Some(now);
        }
        self.report = Some(report);
    }

    /// Returns the instances of a process type.
    pub(super) fn of_type<'a>(&'a self, of: &'a str) -> impl Iterator<Item = &'a InstanceStatus> {
        self.instances().iter().filter(move |instance| type_of(&instance.name) == of)
    }

    /// Returns every instance.
    pub(super) fn instances(&self) -> &[InstanceStatus] {
        self.report.as_ref().map_or(&[], |report| &report.instances)
    }

    /// Returns an instance.
    pub(super) fn instance(&self, name: &str) -> Option<&InstanceStatus> {
        self.instances().iter().find(|instance| instance.name == name)
    }

    /// Returns the process types, in the order of the Procfile.
    pub(super) fn types(&self) -> &[String] {
        self.report.as_ref().map_or(&[], |report| &report.types)
    }

    /// Returns whether the instances of a process type have terminals.
    pub(super) fn has_terminal(&self, of: &str) -> bool {
        self.report.as_ref().is_some_and(|report| report.terminals.iter().any(|one| one == of))
    }

    /// Returns what an instance has used.
    pub(super) fn usage(&self, name: &str) -> Option<&RecentUsage> {
        self.usage.get(name)
    }

    /// Returns whether an instance is on its way to something else: then it is worth to ask soon again.
    pub(super) fn is_passing(&self) -> bool {
        !self.is_over && self.instances().iter().any(|instance| instance.state.is_passing())
    }
}

impl RecentUsage {
    fn with(mut self, instance: &InstanceStatus, passed: Option<Duration>) -> Self {
        let used = instance.cpu.zip(self.seconds).map(|(cpu, before)| cpu - before);
        let seconds = passed.map(|passed| passed.as_secs_f64()).filter(|seconds| *seconds > 0.0);
        // A new run begins with nothing.
        self.percent = used.zip(seconds).map(|(used, seconds)| (used / seconds * 100.0).max(0.0));
        self.seconds = instance.cpu;
        self.memory.extend(instance.rss);
        while self.memory.len() > SAMPLES {
            self.memory.pop_front();
        }
        self
    }
}

/// Returns the process type of an instance: `web` of `web.2`.
pub(super) fn type_of(instance: &str) -> &str {
    instance.rsplit_once('.').map_or(instance, |(of, _)| of)
}

/// Returns whether an instance runs.
pub(super) fn is_running(state: InstanceState) -> bool {
    use InstanceState::{
        BackingOff, Blocked, Done, Failed, Ready, Starting, Stopped, Stopping, Up, Waiting,
    };
    match state {
        Ready | Up | Stopping | Starting => true,
        Waiting | Blocked | BackingOff | Stopped | Done | Failed => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(cpu: f64, rss: u64) -> Report {
        let mut web = InstanceStatus::of("web.1", InstanceState::Up);
        (web.cpu, web.rss) = (Some(cpu), Some(rss));
        Report { types: vec!["web".into()], ..Report::of(vec![web]) }
    }

    #[test]
    fn cpu_is_what_was_used_between_two_samples() {
        let mut session = ShownSession::new("app".into(), 1);
        session.take(report(1.0, 10), Duration::from_secs(1));
        assert_eq!(session.usage("web.1").unwrap().percent, None);
        session.take(report(1.1, 11), Duration::from_millis(1100));
        session.take(report(2.0, 20), Duration::from_secs(3));
        let usage = session.usage("web.1").unwrap();
        assert_eq!(usage.percent, Some(50.0));
        assert_eq!(usage.memory, [10, 20]);
        for second in 4..100 {
            session.take(report(0.0, second), Duration::from_secs(second));
        }
        let usage = session.usage("web.1").unwrap();
        assert_eq!((usage.percent, usage.memory.len()), (Some(0.0), SAMPLES));
    }
}
