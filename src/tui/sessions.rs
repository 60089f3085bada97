//! What is known of sessions and their instances.

use std::collections::HashMap;
use std::path::PathBuf;

use crate::control::last_minute::LastMinute;
use crate::control::proto::{InstanceState, InstanceStatus, Report};

/// Time between two samples of a line, in seconds: a look before that is one at states alone.
const SAMPLE: f64 = 0.9;

/// A session that the ui shows.
#[derive(Debug)]
pub(super) struct ShownSession {
    /// The name of its folder.
    pub(super) label: String,
    /// Its process id.
    pub(super) pid: i32,
    /// Its root, where that was known before it has answered.
    pub(super) root: Option<PathBuf>,
    pub(super) report: Option<Report>,
    /// It has ended, or does not answer any more.
    pub(super) is_over: bool,
    usage: HashMap<String, LastMinute>,
    /// When it was last sampled, in seconds on the session's clock.
    sampled: Option<f64>,
}

impl ShownSession {
    pub(super) fn new(label: String, pid: i32) -> Self {
        let usage = HashMap::new();
        Self { label, pid, root: None, report: None, is_over: false, usage, sampled: None }
    }

    /// Takes a report.
    pub(super) fn take(&mut self, report: Report) {
        let is_due = |at: &f64| self.sampled.is_none_or(|before| at - before > SAMPLE);
        if let Some(at) = report.sampled.filter(is_due) {
            let mut old = std::mem::take(&mut self.usage);
            for InstanceStatus { name, figures, .. } in &report.instances {
                if let Some(figures) = figures {
                    let mut minute = old.remove(name).unwrap_or_default();
                    minute.add(at, figures);
                    self.usage.insert(name.clone(), minute);
                }
            }
            self.sampled = Some(at);
        }
        self.report = Some(report);
    }

    /// Returns its root; `None` where nobody says.
    pub(super) fn root(&self) -> Option<PathBuf> {
        let said = self.report.as_ref().map(|report| PathBuf::from(&report.root));
        said.or_else(|| self.root.clone())
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

    /// Returns the process id of the leader of an instance, while it runs.
    pub(super) fn pid_of(&self, name: &str) -> Option<i32> {
        self.instance(name).and_then(|instance| instance.pid)
    }

    /// Returns the process types, in the order of the Procfile.
    pub(super) fn types(&self) -> &[String] {
        self.report.as_ref().map_or(&[], |report| &report.types)
    }

    /// Returns whether the instances of a process type have terminals.
    pub(super) fn has_terminal(&self, of: &str) -> bool {
        self.report.as_ref().is_some_and(|report| report.terminals.iter().any(|one| one == of))
    }

    /// Returns what an instance has used in the last minute.
    pub(super) fn usage(&self, name: &str) -> Option<&LastMinute> {
        self.usage.get(name)
    }

    /// Returns whether an instance is on its way to something else: then it is worth to ask soon again.
    pub(super) fn is_passing(&self) -> bool {
        !self.is_over && self.instances().iter().any(|instance| instance.state.is_passing())
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

/// Returns the memory of an instance in bytes: the fairest figure that there is.
pub(super) fn memory(instance: &InstanceStatus) -> Option<u64> {
    instance.figures.as_ref().and_then(|figures| figures.memory()).or(instance.rss)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::proto::InstanceUsage;

    fn report(at: f64, cpu_total: f64, rss: u64) -> Report {
        let mut web = InstanceStatus::of("web.1", InstanceState::Up);
        let usage = InstanceUsage { cpu_total, rss: Some(rss), ..InstanceUsage::default() };
        web.figures = Some(Box::new(usage));
        Report { types: vec!["web".into()], sampled: Some(at), ..Report::of(vec![web]) }
    }

    #[test]
    fn a_line_takes_one_sample_a_second_and_looks_at_states_are_none() {
        let mut session = ShownSession::new("app".into(), 1);
        session.take(report(1.0, 1.0, 10));
        assert_eq!(session.usage("web.1").unwrap().cpu(), None);
        session.take(report(1.3, 1.1, 11));
        session.take(report(3.0, 2.0, 20));
        let usage = session.usage("web.1").unwrap();
        assert_eq!(usage.cpu(), Some(50.0));
        assert_eq!(usage.memory_line(60), [0, 7]);
        // A report of states alone.
        let web = InstanceStatus::of("web.1", InstanceState::Stopping);
        session.take(Report::of(vec![web]));
        assert_eq!(session.usage("web.1").unwrap().cpu(), Some(50.0));
        session.take(Report { sampled: Some(9.0), ..Report::of(Vec::new()) });
        assert!(session.usage("web.1").is_none());
    }
}
