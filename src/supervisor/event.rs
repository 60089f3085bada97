//! The vocabulary between the supervisor and the session loop: events are facts in the past tense, actions
//! are orders in the imperative.

use std::sync::Arc;
use std::time::Duration;

use super::file_changes::FileChanges;
use super::request::{Reply, RequestId, ResolvedRequest, WaitMode};
use crate::app::{App, Budget, Exit, InstanceId, PortSlot, Reach, RunId, Signal, Size};

/// What is left of a process group when its leader has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Group {
    /// Nothing.
    Gone,
    /// Other processes, which still run.
    Left,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The session began.
    Began,
    /// The command of a run was started.
    Spawned {
        /// Which run.
        run: RunId,
        /// Its process id, which is also its group's.
        pid: i32,
    },
    /// The command of a run could not be started.
    SpawnFailed {
        /// Which run.
        run: RunId,
        /// Why, for a person.
        error: String,
    },
    /// The leader ended. It is not reaped yet, so its group id is still ours.
    Exited {
        /// Which run.
        run: RunId,
        /// How.
        exit: Exit,
        /// What it left behind.
        group: Group,
    },
    /// The last of an ended leader's group is gone.
    GroupGone {
        /// Which run.
        run: RunId,
    },
    /// Everything that the run wrote has been shown, and nobody can write more.
    OutputClosed {
        /// Which run.
        run: RunId,
    },
    /// All probes of `ready` have succeeded for a run.
    BecameReady {
        /// Which run.
        run: RunId,
    },
    /// A run has asked for more time until it is ready.
    ReadyExtended {
        /// Which run.
        run: RunId,
        /// From now.
        time: Duration,
    },
    /// A run is not alive any more.
    NotAlive {
        /// Which run.
        run: RunId,
        /// How that was found, for a person.
        why: String,
    },
    /// Watched files of a process type have changed.
    FilesChanged {
        /// Its position.
        process_type: u16,
        /// Which.
        changes: FileChanges,
    },
    /// A process type that others depend on, and that this session does not start, was found running.
    FoundOutside {
        /// Its position.
        process_type: u16,
    },
    /// A run was measured.
    Measured {
        /// Which run.
        run: RunId,
        /// The memory of all its processes.
        bytes: u64,
    },
    /// Every process that got a signal sent to [`Reach::Program`] has ended; others of the group still run. Sent once,
    /// after the leader has ended.
    ProgramEnded {
        /// Which run.
        run: RunId,
    },
    /// No request is in flight on a run that was withdrawn.
    Withdrawn {
        /// Which run.
        run: RunId,
    },
    /// No descendant outside the process groups is left.
    OrphansGone,
    /// pm itself got a signal.
    Signalled(Signal),
    /// Nobody reads pm's output any more, or it cannot be written; the session ends with this code.
    OutputLost(i32),
    /// The process has ended that the session was to live as long as.
    OwnerEnded {
        /// Its process id.
        pid: i32,
    },
    /// The root is gone. The session ends with it, unless it is soon there again.
    RootRemoved,
    /// The root is there again.
    RootRestored,
    /// Someone asked for something over the control socket.
    Requested {
        /// Names it for the answer.
        id: RequestId,
        /// What is asked for.
        request: ResolvedRequest,
        /// When the answer comes.
        wait: WaitMode,
        /// Grace period of the instances that it stops or restarts, instead of that of their policies.
        grace: Option<Duration>,
    },
    /// The env files were read again. Later starts use this application; its types are the same.
    Reread(Arc<App>),
    /// The client that made a request no longer waits for its answer.
    Forgotten(RequestId),
    /// A deadline passed.
    Ticked,
}

/// What the session loop must do now, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Start the command of a run, with the port of this slot; answer with [`Event::Spawned`] or [`Event::SpawnFailed`].
    Spawn(RunId, PortSlot),
    /// Begin to show what a run writes.
    Read(RunId),
    /// Probe a run as its policy says: first whether it is ready, then whether it is alive. Answer with
    /// [`Event::BecameReady`] and [`Event::NotAlive`].
    Probe(RunId),
    /// Probe whether a run whose type has no `ready` listens on its port, and from then on whether it is alive. Answer as
    /// for [`Self::Probe`].
    ProbePort(RunId),
    /// Probe whether a run is alive, as its policy says by now, and no longer in another way; answer with
    /// [`Event::NotAlive`]. All else that is asked of it or heard from it stays: its notifications, whether it listens.
    Watch(RunId),
    /// Stop probing whether a run listens on its port. Whether it is alive is asked as after [`Self::ProbePort`].
    EndProbePort(RunId),
    /// Stop probing a run.
    EndProbe(RunId),
    /// Probe for a process type that this session does not start; answer with [`Event::FoundOutside`].
    ProbeOutside(u16),
    /// Stop probing for it: the session ends.
    EndProbeOutside(u16),
    /// Give requests to a run of a type with a front: it is ready, or has started where its type has no `ready`. It
    /// stands until [`Self::Withdraw`] or [`Self::Sweep`].
    Serve(RunId),
    /// Give no more requests to a run that was ordered to serve; answer with [`Event::Withdrawn`] when none is in flight.
    Withdraw(RunId),
    /// Send a signal to processes of a run. For [`Reach::Program`] the answer is [`Event::ProgramEnded`].
    Signal(RunId, Signal, Reach),
    /// Send a signal to the group of a run, but not to shells in it that it would end.
    Inform(RunId, Signal),
    /// Kill what is left of the group, reap the leader, and show the rest of what it wrote.
    Sweep(RunId),
    /// Send a signal to every descendant outside the process groups; answer with [`Event::OrphansGone`] when there is
    /// none.
    StopOrphans(Signal),
    /// Signal the processes that left the group of a run that is over. Nothing waits for their end.
    StopHelpers(RunId, Signal),
    /// Measure the memory of these runs; answer with [`Event::Measured`] for each that can be.
    Measure(Vec<Sample>),
    /// Stop pm itself until it is continued (Ctrl-Z). The actions after this one are carried out then.
    Pause,
    /// Say something about an instance.
    Note(InstanceId, Note),
    /// Say something about the session.
    Say(Message),
    /// Answer a request; each gets one answer, unless it was forgotten.
    Reply(RequestId, Reply),
    /// The instance was scaled away: its name is free, and nothing more comes of it.
    Forget(InstanceId),
}

/// A run to be measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sample {
    /// Which run.
    pub run: RunId,
    /// Above this size, the figure must be exact.
    pub limit: Option<Size>,
}

/// What is said about an instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Note {
    /// It was started.
    Started {
        /// Its process id.
        pid: i32,
    },
    /// It could not be started.
    CannotStart {
        /// Why.
        error: String,
        /// The session goes on without it, and someone may start it again.
        stays_failed: bool,
    },
    /// It ended.
    Ended {
        /// How.
        exit: Exit,
        /// What follows.
        next: Next,
        /// It did not end well, and nobody had asked it to end.
        is_crash: bool,
        /// It has failed for good; the session goes on without it, and someone may start it again.
        stays_failed: bool,
    },
    /// It has used more than its memory budget for three samples in a row.
    OverBudget {
        /// The bytes of the last one.
        used: u64,
        /// The budget, and what follows.
        budget: Budget,
    },
    /// It waits to be started.
    Waiting {
        /// For this instance.
        on: InstanceId,
    },
    /// It will not be started.
    Blocked {
        /// What it depends on, which has ended for good.
        by: InstanceId,
        /// How.
        exit: Exit,
    },
    /// It is ready.
    Ready {
        /// How long after its start.
        after: Duration,
    },
    /// It was not ready in time, and is stopped.
    NotReady {
        /// The time that it had.
        timeout: Duration,
    },
    /// It is not alive any more, and is restarted.
    NotAlive {
        /// How that was found.
        why: String,
    },
    /// It is restarted, since an instance that it depends on was started again.
    Follows {
        /// Which.
        on: InstanceId,
    },
    /// Its files have changed: it is restarted, or gets a signal.
    FilesChanged {
        /// The first of them.
        file: String,
        /// How many others.
        others: usize,
        /// The signal that it gets instead of a restart.
        signal: Option<Signal>,
    },
    /// Its files are not watched any more: it changes one of them at each start.
    WatchSuspended {
        /// Which.
        file: String,
    },
    /// It did not stop in time and is killed.
    Killed {
        /// The time that it had.
        grace: Duration,
    },
}

/// What follows the end of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Nothing more.
    Nothing,
    /// A new start.
    Restart {
        /// Which crash in a row this is; 0 for a clean exit under `always`.
        crash: u32,
        /// Which restart in a row this is, after a crash or not.
        restart: u32,
        /// How many restarts in a row there are at most.
        limit: u32,
        /// The wait before it.
        delay: Duration,
    },
    /// A new start at once, because someone asked for it.
    Again,
    /// A new start at once, because it was not alive any more.
    AtOnce,
    /// Nothing: another run of the instance has taken its place.
    Replaced,
    /// Nothing: it was to replace another run of the instance, which goes on.
    NotReplaced,
    /// No new start: its command cannot be run, and would not be at another try either.
    CannotRun,
    /// No new start: it crashed too often.
    GaveUp {
        /// How many crashes in a row.
        crashes: u32,
    },
}

/// Why a session stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// Someone asked by a signal.
    Asked(Signal),
    /// Someone asked over the control socket.
    Quit,
    /// An instance ended, and `--exit-on` says that this ends the session.
    Ended(InstanceId),
    /// The output cannot be written.
    OutputLost,
    /// The process has ended that the session was to live as long as.
    OwnerEnded {
        /// Its process id.
        pid: i32,
    },
    /// The root is gone.
    RootRemoved,
}

/// What is said about the session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// The stop begins.
    Stopping(Why),
    /// The stop takes long.
    Waiting {
        /// Who still runs.
        on: Vec<InstanceId>,
        /// The time until the first of them is killed.
        left: Duration,
    },
    /// A start takes long.
    SlowStart {
        /// Who waits for whom.
        waiting: Vec<Waiting>,
        /// Instances that are not ready and that no other instance waits for.
        unready: Vec<InstanceId>,
        /// How long it has taken so far.
        time: Duration,
    },
    /// The replacement of an instance has failed, and for that these are not replaced either. No client is told.
    NotReplaced {
        /// Who goes on as it is.
        left: Vec<InstanceId>,
        /// Whose replacement has failed.
        failed: InstanceId,
    },
    /// Descendants outside the process groups take long to end.
    WaitingForOrphans {
        /// The time until they are killed.
        left: Duration,
    },
    /// The second shutdown request: everything is killed at once.
    KillingAll,
    /// Descendants outside the process groups do not end; they are killed.
    KillingOrphans,
    /// The root is gone.
    RootRemoved {
        /// The time until the session ends.
        left: Duration,
    },
    /// The root is there again, and the session goes on.
    RootRestored,
}

/// Instances of one process type that wait for another instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// The first of them.
    pub first: InstanceId,
    /// How many they are.
    pub count: usize,
    /// What they wait for.
    pub on: InstanceId,
}
