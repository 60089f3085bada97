//! What changed files of a process type lead to: a restart or a signal, and the end of a loop that restarts make.

use std::collections::VecDeque;
use std::time::Duration;

use super::event::{Action, Note};
use super::state::{Goal, Phase, State};
use super::{InstanceId, Moment, Supervisor};
use crate::app::file_watch::WatchAction;
use crate::app::{RunId, Signal};

/// A change that comes sooner after a start is taken for the program's own.
const OWN_WITHIN: Duration = Duration::from_secs(2);
/// This many restarts in a row by the program's own changes, within [`LOOP_WITHIN`], are a loop.
const LOOP_LENGTH: usize = 5;
const LOOP_WITHIN: Duration = Duration::from_secs(10);

/// What a run has written as it ended may be seen this much later: the system tells of it, and the end is told elsewhere.
const SEEN_WITHIN: Duration = Duration::from_millis(500);
/// How many runs of an instance are remembered: two may stop while the next one starts.
const RUNS_MAX: usize = 3;

/// Files of a process type that have changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileChanges {
    /// The first of them, from the type's folder.
    pub file: String,
    /// How many others.
    pub others: usize,
    /// When the first was seen.
    pub since: Moment,
}

/// The last restarts of a process type by files that it has changed itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum OwnChanges {
    #[default]
    None,
    /// In a row, at these times.
    Restarts(VecDeque<Moment>),
    /// Its changes lead to nothing, until somebody restarts it.
    Suspended,
}

/// When a run of an instance whose files are watched began, and when it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct RunTime {
    seq: u32,
    start: Moment,
    end: Option<Moment>,
}

impl RunTime {
    /// Returns whether it may have written what was seen at this time.
    fn holds(&self, at: Moment) -> bool {
        self.start <= at && self.end.is_none_or(|end| at <= end + SEEN_WITHIN)
    }
}

/// Who may have changed files of a process type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ChangedBy {
    /// A run of it that had just begun.
    Itself,
    /// Somebody, while it had been running for long.
    Somebody,
    /// Somebody, while it did not run.
    SomebodyMeanwhile,
}

impl Supervisor {
    /// Acts on changed files of a process type.
    pub(super) fn files_changed(&mut self, process_type: u16, changes: &FileChanges, now: Moment) {
        let own = self.app.types.get(usize::from(process_type));
        let Some(action) = own.and_then(|own| own.policy.watch.as_ref()).map(|watch| watch.action)
        else {
            return;
        };
        if self.phase != Phase::Running || self.is_suspended(process_type, changes, now) {
            return;
        }
        let ids: Vec<_> = self.procs.of_type(process_type).map(|(id, _)| id).collect();
        for id in ids {
            match action {
                WatchAction::Restart if self.rolls(id) => self.replace_for(id, changes),
                WatchAction::Rolling if self.can_roll(process_type) => {
                    self.replace_for(id, changes);
                }
                WatchAction::Restart | WatchAction::Rolling => self.restart_for(id, changes),
                WatchAction::Signal(signal) => self.inform(id, signal, changes),
            }
        }
    }

    /// Sends a signal to an instance that is up, and starts one that has ended. What is being started may not be ready to
    /// take a signal, which would end it: with `ready` it gets it then, and what has no process yet begins again.
    fn inform(&mut self, id: InstanceId, signal: Signal, changes: &FileChanges) {
        let has_ready = self.policy(id).ready.is_some();
        let proc = self.proc(id);
        match proc.life.state {
            State::Up { unready, .. } => {
                let waits = has_ready && unready.is_some();
                proc.life.when_ready = Some(signal).filter(|_| waits);
                self.note_changes(id, changes, Some(signal));
                if !waits {
                    self.out.push(Action::Inform(self.run_of(id), signal));
                }
            }
            State::Spawning => self.restart_for(id, changes),
            // Its next run reads what has changed.
            State::Withdrawing { .. } | State::Stopping { .. } | State::Draining { .. } => {}
            State::Idle | State::Backoff { .. } | State::Ended(_) => self.start_for(id, changes),
        }
    }

    /// Sends what was put off until a run is ready.
    pub(super) fn inform_ready(&mut self, run: RunId) {
        if let Some(signal) = self.life(run).when_ready.take() {
            self.out.push(Action::Inform(run, signal));
        }
    }

    /// Begins another life of an instance, unless somebody has stopped it. What stops already, to be started again, may
    /// have been started to before the change could be read: it gets one more restart.
    fn restart_for(&mut self, id: InstanceId, changes: &FileChanges) {
        let proc = self.proc(id);
        match (proc.life.state, proc.goal) {
            (_, Goal::Stop | Goal::Leave) => return,
            (State::Withdrawing { .. } | State::Stopping { .. }, Goal::Run | Goal::Renew)
            | (State::Draining { .. }, Goal::Renew) => {
                proc.is_renewed_again = true;
            }
            (
                State::Spawning | State::Up { .. } | State::Draining { .. },
                Goal::Run | Goal::Renew,
            ) => {}
            (State::Idle | State::Backoff { .. } | State::Ended(_), Goal::Run | Goal::Renew) => {
                return self.start_for(id, changes);
            }
        }
        proc.goal = Goal::Renew;
        self.overrule(id);
        self.note_changes(id, changes, None);
    }

    /// Has an instance replaced that runs, and restarts any other.
    fn replace_for(&mut self, id: InstanceId, changes: &FileChanges) {
        let proc = self.proc(id);
        let is_up = matches!(proc.life.state, State::Spawning | State::Up { .. });
        if !is_up || proc.goal != Goal::Run {
            return self.restart_for(id, changes);
        }
        self.roll_by_itself(id);
        self.note_changes(id, changes, None);
    }

    /// Starts an instance that has ended, as though it had never crashed. It is the session's own start, and not
    /// somebody's who waits for it.
    fn start_for(&mut self, id: InstanceId, changes: &FileChanges) {
        let proc = self.proc(id);
        let is_down = matches!(proc.life.state, State::Backoff { .. } | State::Ended(_));
        if !is_down || proc.goal != Goal::Run {
            return;
        }
        self.make_ready(id);
        self.proc(id).by_request = false;
        self.note_changes(id, changes, None);
    }

    fn note_changes(&mut self, id: InstanceId, changes: &FileChanges, signal: Option<Signal>) {
        let FileChanges { file, others, .. } = changes;
        self.out.push(Action::Note(
            id,
            Note::FilesChanged { file: file.clone(), others: *others, signal },
        ));
    }

    /// Returns whether changes lead to nothing since the program makes them itself at each start.
    fn is_suspended(&mut self, process_type: u16, changes: &FileChanges, now: Moment) -> bool {
        let by = self.writer_of(process_type, changes.since);
        let own = self.own_changes.entry(process_type).or_default();
        match (&mut *own, by) {
            (OwnChanges::Suspended, _) => return true,
            (_, ChangedBy::Somebody) => *own = OwnChanges::None,
            // The restarts before and after it may be in a row all the same.
            (_, ChangedBy::SomebodyMeanwhile) => {}
            (OwnChanges::None, ChangedBy::Itself) => {
                *own = OwnChanges::Restarts(VecDeque::from([now]));
            }
            (OwnChanges::Restarts(times), ChangedBy::Itself) => {
                let first = times.front().copied().unwrap_or(now);
                let last = times.back().copied().unwrap_or(now);
                if times.len() == LOOP_LENGTH && last.since(first) <= LOOP_WITHIN {
                    *own = OwnChanges::Suspended;
                    let id = self.procs.of_type(process_type).map(|(id, _)| id).next();
                    if let Some(id) = id {
                        self.out.push(Action::Note(
                            id,
                            Note::WatchSuspended { file: changes.file.clone() },
                        ));
                    }
                    return true;
                }
                if times.len() == LOOP_LENGTH {
                    times.pop_front();
                }
                times.push_back(now);
            }
        }
        false
    }

    /// Returns who may have made a change that was seen at this time.
    fn writer_of(&self, process_type: u16, at: Moment) -> ChangedBy {
        let runs = self.procs.of_type(process_type).flat_map(|(_, proc)| &proc.run_times);
        let ages = runs.filter(|run| run.holds(at)).map(|run| at.since(run.start));
        match ages.min() {
            None => ChangedBy::SomebodyMeanwhile,
            Some(age) if age < OWN_WITHIN => ChangedBy::Itself,
            Some(_) => ChangedBy::Somebody,
        }
    }

    /// Takes note of the start of a run whose files are watched.
    pub(super) fn note_start(&mut self, run: RunId, now: Moment) {
        if self.is_watched(run.instance) {
            let times = &mut self.proc(run.instance).run_times;
            if times.len() == RUNS_MAX {
                times.remove(0);
            }
            times.push(RunTime { seq: run.seq, start: now, end: None });
        }
    }

    /// Takes note of the end of such a run.
    pub(super) fn note_end(&mut self, run: RunId, now: Moment) {
        let mut times = self.proc(run.instance).run_times.iter_mut();
        if let Some(time) = times.find(|time| time.seq == run.seq) {
            time.end.get_or_insert(now);
        }
    }

    /// A run that was started while its files changed: it begins another life at once.
    pub(super) fn renew_again(&mut self, id: InstanceId) {
        let proc = self.proc(id);
        if std::mem::take(&mut proc.is_renewed_again) && proc.goal == Goal::Run {
            proc.goal = Goal::Renew;
        }
    }

    /// Somebody restarts it: its changes count again.
    pub(super) fn resume_watch(&mut self, process_type: u16) {
        self.own_changes.remove(&process_type);
    }

    /// Returns whether changes of a process type lead to nothing, until somebody restarts it.
    pub fn is_watch_suspended(&self, process_type: u16) -> bool {
        matches!(self.own_changes.get(&process_type), Some(OwnChanges::Suspended))
    }

    /// Returns whether its files are watched: its end is not for good.
    pub(super) fn is_watched(&self, id: InstanceId) -> bool {
        self.policy(id).watch.is_some()
    }

    /// Returns whether anything that is watched is here: the session goes on then, whatever has ended.
    pub(super) fn watches(&self) -> bool {
        let types = (0_u16..).zip(&self.app.types);
        types
            .filter(|(_, own)| own.policy.watch.is_some())
            .any(|(at, _)| self.procs.of_type(at).next().is_some())
    }
}
