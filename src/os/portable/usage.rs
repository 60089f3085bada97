//! Reads what processes use from `ps`, which knows no threads, open files or peaks.

use crate::os::processes;
use crate::os::usage::{LookDepth, ProcessUsage, TreeUsage, UsageRoot};

use super::sampler::tree;

/// Reads the usage of processes.
#[derive(Debug)]
pub(crate) struct UsageReader;

impl UsageReader {
    /// Makes one. It cannot fail.
    #[expect(clippy::unnecessary_wraps, reason = "the other of this name can fail")]
    pub(crate) fn new() -> Option<Self> {
        Some(Self)
    }

    /// Looks at each instance; `None` for one of which nothing is left, or if `ps` fails. Takes about 10 ms.
    pub(crate) fn look(
        &mut self,
        roots: &[UsageRoot],
        _depth: LookDepth,
    ) -> Vec<Option<TreeUsage>> {
        let all = processes::all();
        let of_tree = |root: &UsageRoot| {
            let mut usage = TreeUsage::default();
            for stat in tree(&all, root.leader) {
                usage.living += 1;
                usage.rss += stat.resident;
                usage.processes.push(ProcessUsage {
                    pid: stat.pid.as_raw(),
                    parent: stat.parent.as_raw(),
                    started: 0,
                    own: stat.cpu,
                    waited: std::time::Duration::ZERO,
                });
            }
            (usage.living > 0).then_some(usage)
        };
        roots.iter().map(of_tree).collect()
    }
}
