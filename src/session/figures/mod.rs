//! What each instance uses and has done: memory, CPU time, output, starts. The session samples only when a client asks, and
//! for budgets. What only grows is kept for as long as the session runs, also for instances that were scaled away.

mod cpu;
mod past;
mod tally;

use std::collections::HashMap;
use std::time::{Duration, Instant};

use crate::app::{App, InstanceId, Moment, RunId};
use crate::control::outbox::Outbox;
use crate::control::proto::{FiguresQuery, InstanceUsage, Report};
use crate::os::clock;
use crate::os::job_control;
use crate::os::sampler::{Measure, Usage};
use crate::os::usage::{LookDepth, TreeUsage, UsageReader, UsageRoot};
use crate::output::OutputCount;
use crate::supervisor::Note;
use cpu::CpuAccount;
use past::PastSamples;
use tally::StartTally;

/// A look at all runs, for a client.
#[derive(Debug)]
pub(super) struct FiguresSample {
    /// Later looks have higher numbers.
    number: u64,
    /// When it was over.
    at: Instant,
    usages: Vec<(RunId, Option<TreeUsage>)>,
    pub(super) query: FiguresQuery,
    pub(super) outbox: Outbox,
}

/// What is known of all instances.
#[derive(Debug)]
pub(super) struct Figures {
    accounts: HashMap<InstanceId, InstanceAccount>,
    began: Instant,
    /// The number of the next look, and of the last one that was taken.
    next: u64,
    taken: u64,
}

/// What is known of an instance.
#[derive(Clone, Debug, Default)]
struct InstanceAccount {
    tally: StartTally,
    cpu: CpuAccount,
    output: OutputCount,
    past: PastSamples,
    /// The most memory that it was seen to use. Not the peaks that the kernel keeps of each process: those of a tree are not
    /// at the same time.
    peak: Option<u64>,
    run: Option<CurrentRun>,
}

/// The run of an instance that has a process.
#[derive(Clone, Debug)]
struct CurrentRun {
    run: RunId,
    leader: i32,
    seen: Option<TreeUsage>,
    budgeted: Option<Usage>,
}

impl InstanceAccount {
    fn has_used(&mut self, bytes: Option<u64>) {
        self.peak = self.peak.max(bytes);
    }
}

impl Figures {
    pub(super) fn new() -> Self {
        Self { accounts: HashMap::new(), began: clock::instant(), next: 1, taken: 0 }
    }

    /// A run has begun. Returns what counts its output, where the pump has not been told before.
    pub(super) fn began(&mut self, run: RunId, leader: i32) -> Option<OutputCount> {
        let is_new = !self.accounts.contains_key(&run.instance);
        let account = self.accounts.entry(run.instance).or_default();
        account.run = Some(CurrentRun { run, leader, seen: None, budgeted: None });
        is_new.then(|| account.output.clone())
    }

    /// A run is over. The CPU time is what its leader has used, with what it has waited for.
    pub(super) fn ended(&mut self, run: RunId, used: Option<Duration>) {
        let Some(account) = self.accounts.get_mut(&run.instance) else { return };
        if let Some(ended) = account.run.take_if(|current| current.run == run) {
            account.cpu.ended(ended.leader, used);
        }
    }

    /// Takes note of what happens to an instance.
    pub(super) fn heard(&mut self, id: InstanceId, note: &Note) {
        if let Some(account) = self.accounts.get_mut(&id) {
            account.tally.heard(note);
        }
    }

    /// An instance was scaled away. It may come back, and goes on counting.
    pub(super) fn left(&mut self, id: InstanceId) {
        if let Some(account) = self.accounts.get_mut(&id) {
            account.tally.left();
        }
    }

    /// Takes the sample of a run with a budget.
    pub(super) fn budgeted(
        &mut self,
        run: RunId,
        usage: Usage,
        cpu: Option<Duration>,
        now: Moment,
    ) {
        let Some(account) = self.accounts.get_mut(&run.instance) else { return };
        account.has_used(Some(usage.bytes));
        account.past.add(now, usage.bytes, cpu);
        if let Some(current) = account.run.as_mut().filter(|current| current.run == run) {
            current.budgeted = Some(usage);
        }
    }

    /// Looks at these runs on a thread of its own, because with many processes that takes longer than a signal may wait,
    /// and tells the result.
    pub(super) fn look(
        &mut self,
        roots: Vec<(RunId, UsageRoot)>,
        (query, outbox): (FiguresQuery, Outbox),
        tell: impl FnOnce(FiguresSample) + Clone + Send + 'static,
    ) {
        let number = self.next;
        self.next += 1;
        let bare = (query, outbox.clone(), tell.clone());
        let depth = LookDepth { pss: query.pss, details: query.details };
        let looking = move || {
            let (runs, roots): (Vec<RunId>, Vec<UsageRoot>) = roots.into_iter().unzip();
            let usages = UsageReader::new().map(|mut reader| reader.look(&roots, depth));
            let usages = runs.into_iter().zip(usages.unwrap_or_default()).collect();
            tell(FiguresSample { number, at: clock::instant(), usages, query, outbox });
        };
        let thread = std::thread::Builder::new().name("figures".into()).stack_size(256 << 10);
        if job_control::keep_from(|| thread.spawn(looking)).is_err() {
            // What is known already is said.
            let (query, outbox, tell) = bare;
            tell(FiguresSample { number, at: clock::instant(), usages: Vec::new(), query, outbox });
        }
    }

    /// Takes a look that is over. What it has seen of runs that have ended meanwhile is dropped, and all of it where a later
    /// one was taken before.
    pub(super) fn take(&mut self, number: u64, usages: Vec<(RunId, Option<TreeUsage>)>) {
        if number <= self.taken {
            return;
        }
        self.taken = number;
        for (run, usage) in usages {
            let Some(account) = self.accounts.get_mut(&run.instance) else { continue };
            let current = account.run.as_mut().filter(|current| current.run == run);
            let (Some(current), Some(usage)) = (current, usage) else { continue };
            account.cpu.saw(&usage.processes);
            let most = [usage.cgroup.or(usage.pss).or(Some(usage.rss)), usage.peak];
            current.seen = Some(usage);
            most.into_iter().for_each(|bytes| account.has_used(bytes));
        }
    }

    /// Adds to a report what is known of its instances, which stand in this order.
    pub(super) fn complete(
        &mut self,
        mut report: Report,
        ids: impl Iterator<Item = InstanceId>,
        sample: FiguresSample,
        (app, now): (&App, Moment),
    ) -> (Report, Outbox) {
        let FiguresSample { number, at, usages, query, outbox } = sample;
        self.take(number, usages);
        report.sampled = Some(at.saturating_duration_since(self.began).as_secs_f64());
        for (instance, id) in report.instances.iter_mut().zip(ids) {
            let mut figures = self.of(id, query, now);
            let budget = app.type_of(id).policy.budget;
            figures.budget = budget.map(|budget| budget.size.bytes());
            instance.rss = figures.rss;
            instance.cpu = self.cpu_of_run(id);
            instance.figures = Some(Box::new(figures));
        }
        (report, outbox)
    }

    /// Returns the CPU time of the processes of the current run in seconds, as they were last seen.
    fn cpu_of_run(&self, id: InstanceId) -> Option<f64> {
        let seen = self.accounts.get(&id)?.run.as_ref()?.seen.as_ref()?;
        let all: Duration = seen.processes.iter().map(|process| process.own + process.waited).sum();
        Some(all.as_secs_f64())
    }

    fn of(&self, id: InstanceId, query: FiguresQuery, now: Moment) -> InstanceUsage {
        let Some(account) = self.accounts.get(&id) else { return InstanceUsage::default() };
        let (starts, restarts) = account.tally.counts();
        let current = account.run.as_ref();
        let seen = current.and_then(|current| current.seen.as_ref());
        let budgeted = current.and_then(|current| current.budgeted);
        let of_budget =
            |measure| budgeted.filter(|usage| usage.measure == measure).map(|usage| usage.bytes);
        InstanceUsage {
            cpu_total: account.cpu.total().as_secs_f64(),
            rss: seen.map(|seen| seen.rss),
            pss: seen.and_then(|seen| seen.pss).or_else(|| of_budget(Measure::Pss)),
            cgroup: seen.and_then(|seen| seen.cgroup).or_else(|| of_budget(Measure::Cgroup)),
            budget: None,
            peak: account.peak,
            processes: seen.map_or(0, |seen| seen.living),
            threads: seen.and_then(|seen| seen.threads),
            open_files: seen.and_then(|seen| seen.open_files),
            starts,
            restarts,
            output_bytes: account.output.bytes(),
            output_lines: account.output.lines(),
            past: if query.past { account.past.figures(now) } else { Vec::new() },
        }
    }

    /// Returns for each process type with a budget the most memory that one instance of it has used.
    pub(super) fn peaks(&self, app: &App) -> Vec<(String, u64)> {
        let types = app.types.iter().zip(0_u16..);
        let budgeted = types.filter(|(known, _)| known.policy.budget.is_some());
        let one = |(known, at): (&crate::app::ProcessType, u16)| {
            let of_type = self.accounts.iter().filter(|(id, _)| id.process_type == at);
            let peak = of_type.filter_map(|(_, account)| account.peak).max()?;
            Some((known.name.clone(), peak))
        };
        budgeted.filter_map(one).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::os::usage::ProcessUsage;

    const WEB: InstanceId = InstanceId { process_type: 0, number: 1 };

    fn run(seq: u32) -> RunId {
        RunId { instance: WEB, seq }
    }

    fn usage(pid: i32, cpu: u64, rss: u64) -> Option<TreeUsage> {
        let own = Duration::from_secs(cpu);
        let process = ProcessUsage { pid, parent: 0, started: 0, own, waited: Duration::ZERO };
        Some(TreeUsage { processes: vec![process], living: 1, rss, ..TreeUsage::default() })
    }

    fn of(figures: &Figures) -> (f64, Option<u64>, Option<u64>) {
        let found = figures.of(WEB, FiguresQuery::default(), Moment::default());
        (found.cpu_total, found.rss, found.peak)
    }

    #[test]
    fn a_look_that_is_late_changes_nothing() {
        let mut figures = Figures::new();
        assert!(figures.began(run(1), 10).is_some());
        figures.take(2, vec![(run(1), usage(10, 5, 700))]);
        figures.take(1, vec![(run(1), usage(10, 4, 900))]);
        assert_eq!(of(&figures), (5.0, Some(700), Some(700)));
        figures.ended(run(1), Some(Duration::from_secs(6)));
        assert!(figures.began(run(2), 20).is_none());
        // It was seen before its end.
        figures.take(3, vec![(run(1), usage(10, 6, 800))]);
        assert_eq!(of(&figures), (6.0, None, Some(700)));
        figures.ended(run(1), Some(Duration::from_secs(60)));
        assert_eq!(of(&figures).0, 6.0);
    }
}
