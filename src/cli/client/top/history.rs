//! What was seen of each instance in the last minute, and the order of the rows.

use std::collections::HashMap;

use crate::control::last_minute::LastMinute;
use crate::control::proto::{InstanceStatus, Report};

/// What the rows are sorted by: the highest first, but names from the first letter on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TopSort {
    /// CPU time.
    Cpu,
    /// Memory.
    Memory,
    /// Restarts.
    Restarts,
    /// Names.
    Name,
}

impl TopSort {
    /// Returns what a key stands for.
    pub(super) fn by_key(key: u8) -> Option<Self> {
        match key {
            b'c' => Some(Self::Cpu),
            b'm' => Some(Self::Memory),
            b'r' => Some(Self::Restarts),
            b'n' => Some(Self::Name),
            _ => None,
        }
    }
}

/// The last minute of all instances.
#[derive(Clone, Debug, Default)]
pub(super) struct TopHistory {
    looks: usize,
    instances: HashMap<String, LastMinute>,
}

impl TopHistory {
    /// Returns whether nothing was seen yet.
    pub(super) fn is_new(&self) -> bool {
        self.looks == 0
    }

    /// Adds what a session has said.
    pub(super) fn add(&mut self, report: &Report) {
        self.looks += 1;
        let at = report.sampled.unwrap_or_default();
        for InstanceStatus { name, figures, .. } in &report.instances {
            if let Some(figures) = figures {
                self.instances.entry(name.clone()).or_default().add(at, figures);
            }
        }
    }

    /// Returns the per cent of one CPU that an instance has used since the look before; `None` at the first.
    pub(super) fn cpu(&self, name: &str) -> Option<f64> {
        self.of(name).and_then(LastMinute::cpu)
    }

    /// Returns the last minute of an instance; `None` where it was never seen with figures.
    pub(super) fn of(&self, name: &str) -> Option<&LastMinute> {
        self.instances.get(name)
    }

    /// Returns the instances in the order that was asked for; of two that are equal, the first of the Procfile.
    pub(super) fn sorted<'a>(&self, report: &'a Report, by: TopSort) -> Vec<&'a InstanceStatus> {
        let mut rows: Vec<&InstanceStatus> = report.instances.iter().collect();
        let memory = |it: &InstanceStatus| it.figures.as_ref().and_then(|figures| figures.memory());
        let cpu = |it: &InstanceStatus| self.cpu(&it.name).unwrap_or(0.0);
        match by {
            TopSort::Cpu => rows.sort_by(|one, other| cpu(other).total_cmp(&cpu(one))),
            TopSort::Memory => rows.sort_by_key(|it| std::cmp::Reverse(memory(it))),
            TopSort::Restarts => rows.sort_by_key(|it| std::cmp::Reverse(it.restarts)),
            TopSort::Name => rows.sort_by_key(|it| natural(&it.name)),
        }
        rows
    }
}

/// Returns what a name is sorted by: `web.10` stands behind `web.9`.
fn natural(name: &str) -> (String, u32) {
    let (process_type, number) = name.rsplit_once('.').unwrap_or((name, "0"));
    (process_type.to_owned(), number.parse().unwrap_or(0))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::control::proto::{InstanceState, InstanceUsage};

    /// Returns a report of instances, each with its CPU time and memory.
    pub(in super::super) fn report(at: f64, instances: &[(&str, f64, u64)]) -> Report {
        let one = |(name, cpu_total, rss): &(&str, f64, u64)| InstanceStatus {
            figures: Some(Box::new(InstanceUsage {
                cpu_total: *cpu_total,
                rss: Some(*rss),
                ..InstanceUsage::default()
            })),
            ..InstanceStatus::of(name, InstanceState::Up)
        };
        Report { sampled: Some(at), ..Report::of(instances.iter().map(one).collect()) }
    }

    #[test]
    fn the_share_of_a_cpu_is_that_since_the_look_before_and_never_negative() {
        let mut history = TopHistory::default();
        assert!(history.is_new());
        history.add(&report(10.0, &[("web.1", 3.0, 1)]));
        assert_eq!(history.cpu("web.1"), None);
        history.add(&report(12.0, &[("web.1", 4.0, 1)]));
        assert_eq!(history.cpu("web.1"), Some(50.0));
        history.add(&report(13.0, &[("web.1", 0.0, 1)]));
        assert_eq!(history.cpu("web.1"), Some(0.0));
        // An answer that came twice says nothing of a time.
        history.add(&report(13.0, &[("web.1", 9.0, 1)]));
        assert_eq!(history.of("web.1").unwrap().cpu_line(60), [4, 0]);
        assert!(!history.is_new());
    }

    #[test]
    fn rows_are_sorted_by_what_was_asked_for() {
        let mut history = TopHistory::default();
        let instances = [("web.10", 0.0, 3), ("web.9", 0.0, 2), ("db.1", 0.0, 9)];
        history.add(&report(1.0, &instances));
        let mut last = report(2.0, &[("web.10", 0.5, 3), ("web.9", 0.9, 2), ("db.1", 0.1, 9)]);
        history.add(&last);
        last.instances[1].restarts = 2;
        for (key, expected) in [
            (b'c', "web.9 web.10 db.1"),
            (b'm', "db.1 web.10 web.9"),
            (b'r', "web.9 web.10 db.1"),
            (b'n', "db.1 web.9 web.10"),
        ] {
            let sort = TopSort::by_key(key).unwrap();
            let names: Vec<_> =
                history.sorted(&last, sort).iter().map(|it| it.name.as_str()).collect();
            assert_eq!(names.join(" "), expected, "{sort:?}");
        }
        assert_eq!(TopSort::by_key(b'x'), None);
    }
}
