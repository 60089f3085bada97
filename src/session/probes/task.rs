//! One probe of a run: when it is due, and the state of the current try.

use std::net::SocketAddr;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use nix::poll::PollFlags;

use super::LookupNumber;
use super::command_output::CommandOutput;
use super::http::{self, Attempt, Progress};
use crate::app::readiness::Probe;

/// The first delay between two tries; doubled for each further one.
const FIRST_WAIT: Duration = Duration::from_millis(20);
/// The longest delay between two tries.
const LONGEST_WAIT: Duration = Duration::from_millis(500);
/// Time limit of an HTTP request, per address.
pub(super) const HTTP_LIMIT: Duration = Duration::from_secs(2);
/// Time limit of a command.
pub(super) const COMMAND_LIMIT: Duration = Duration::from_secs(5);

/// A probe and its state.
#[derive(Debug)]
pub(super) struct Task {
    pub(super) probe: Probe,
    /// How many tries there were.
    asked: u32,
    pub(super) state: TaskState,
}

#[derive(Debug)]
pub(super) enum TaskState {
    /// The next try is at this time; for a delay, its end.
    Due(Instant),
    /// The name of a host is being looked up.
    Resolving { number: LookupNumber, until: Instant },
    /// A request is in progress, or only a connection.
    Request { attempt: Attempt, until: Instant },
    /// A command runs; without `until`, it was killed.
    Command { until: Option<Instant>, output: CommandOutput },
    /// It waits for the program: a line of output or a datagram. `until` is the deadline of the next sign of life.
    Comes { until: Option<Instant> },
    /// It has succeeded.
    Done,
}

/// The answer to a probe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum ProbeAnswer {
    Success,
    /// Shown after the probe: `gave 503`.
    Failure(String),
    /// pm itself could not ask, for lack of a descriptor or a process; the reason. This says nothing about the run.
    NotAsked(String),
}

impl ProbeAnswer {
    fn timed_out() -> Self {
        Self::Failure("timed out".to_owned())
    }
}

/// What a try leads to.
#[derive(Debug)]
pub(super) enum TaskStep {
    /// Nothing yet.
    Open,
    /// The answer.
    Answered(ProbeAnswer),
    /// This host must be looked up.
    Resolve(String, u16),
    /// This command must be started.
    Start(String),
    /// The command must be killed.
    Kill,
    /// The listener of this port must be looked up.
    LookAtPort(u16),
}

impl Task {
    /// Makes a probe of a run that has just started.
    pub(super) fn of_start(probe: Probe, now: Instant) -> Self {
        let state = match &probe {
            Probe::Port(_) | Probe::Http(_) | Probe::Command(_) => TaskState::Due(now + FIRST_WAIT),
            Probe::Delay(time) => TaskState::Due(now + *time),
            Probe::Log(_) | Probe::Notify => TaskState::Comes { until: None },
        };
        Self { probe, asked: 0, state }
    }

    /// Makes a `live` probe, whose tries are an interval apart.
    pub(super) fn of_life(probe: Probe, interval: Duration, now: Instant) -> Self {
        let mut task = Self { probe, asked: 0, state: TaskState::Due(now) };
        task.again(interval, now);
        task
    }

    /// Sets the next try to an interval from now. A sign of life must have come by then.
    pub(super) fn again(&mut self, interval: Duration, now: Instant) {
        self.state = match self.probe {
            Probe::Notify => TaskState::Comes { until: Some(now + interval) },
            _ => TaskState::Due(now + interval),
        };
    }

    /// Sets the next try after a failure: after 20, 40, 80 … 500 ms.
    pub(super) fn retry(&mut self, now: Instant) {
        let factor = 1_u32.checked_shl(self.asked).unwrap_or(u32::MAX);
        self.state = TaskState::Due(now + FIRST_WAIT.saturating_mul(factor).min(LONGEST_WAIT));
    }

    /// Begins or ends what is due. `port` is that of the instance.
    pub(super) fn ask(&mut self, port: Option<u16>, may_start: bool, now: Instant) -> TaskStep {
        match &mut self.state {
            TaskState::Due(at) if *at <= now => self.begin(port, may_start, now),
            TaskState::Resolving { until, .. } if *until <= now => {
                TaskStep::Answered(ProbeAnswer::timed_out())
            }
            TaskState::Request { until, .. } if *until <= now => self.try_next_address(now),
            TaskState::Command { until, .. } if until.is_some_and(|until| until <= now) => {
                *until = None;
                TaskStep::Kill
            }
            TaskState::Comes { until: Some(until) } if *until <= now => {
                TaskStep::Answered(ProbeAnswer::timed_out())
            }
            TaskState::Due(_)
            | TaskState::Resolving { .. }
            | TaskState::Request { .. }
            | TaskState::Command { .. }
            | TaskState::Comes { .. }
            | TaskState::Done => TaskStep::Open,
        }
    }

    fn begin(&mut self, own_port: Option<u16>, may_start: bool, now: Instant) -> TaskStep {
        let no_port = || {
            let why = "cannot be asked: the instance has no PORT".to_owned();
            TaskStep::Answered(ProbeAnswer::Failure(why))
        };
        match &self.probe {
            Probe::Delay(_) => return TaskStep::Answered(ProbeAnswer::Success),
            // It is tried when the other command has ended.
            Probe::Command(_) if !may_start => return TaskStep::Open,
            _ => self.asked += 1,
        }
        match &self.probe {
            Probe::Port(port) => port.or(own_port).map_or_else(no_port, TaskStep::LookAtPort),
            Probe::Command(command) => {
                let command = command.clone();
                let (until, output) = (Some(now + COMMAND_LIMIT), CommandOutput::default());
                self.state = TaskState::Command { until, output };
                TaskStep::Start(command)
            }
            Probe::Http(probe) => match &probe.authority {
                None => match own_port {
                    None => no_port(),
                    Some(port) => self.request(&http::local(port), now),
                },
                Some(authority) if authority.host == "localhost" => {
                    self.request(&http::local(authority.port), now)
                }
                Some(authority) => match authority.host.parse() {
                    Ok(address) => self.request(&[SocketAddr::new(address, authority.port)], now),
                    Err(_) => {
                        let (host, port) = (authority.host.clone(), authority.port);
                        TaskStep::Resolve(host, port)
                    }
                },
            },
            Probe::Log(_) | Probe::Notify | Probe::Delay(_) => TaskStep::Open,
        }
    }

    /// Begins a request to the first of these addresses that takes a connection.
    pub(super) fn request(&mut self, addresses: &[SocketAddr], now: Instant) -> TaskStep {
        let Probe::Http(probe) = &self.probe else { return TaskStep::Open };
        let host = match (&probe.authority, addresses.first()) {
            (Some(authority), _) => authority.to_string(),
            (None, Some(address)) => format!("localhost:{}", address.port()),
            (None, None) => String::new(),
        };
        let progress = Attempt::begin(probe, addresses, &host);
        self.went(progress, now + HTTP_LIMIT)
    }

    /// Begins a connection to a port of this machine, if the processes behind it cannot be seen.
    pub(super) fn connect(&mut self, port: u16, now: Instant) -> TaskStep {
        let progress = Attempt::connect(&http::local(port));
        self.went(progress, now + HTTP_LIMIT)
    }

    /// Continues a request whose socket is ready.
    pub(super) fn advance(&mut self, now: Instant) -> TaskStep {
        match std::mem::replace(&mut self.state, TaskState::Done) {
            TaskState::Request { attempt, until } => {
                let left = attempt.left();
                let progress = attempt.advance();
                let is_next = matches!(&progress, Progress::Pending(next) if next.left() < left);
                self.went(progress, if is_next { now + HTTP_LIMIT } else { until })
            }
            TaskState::Command { until, mut output } => {
                output.read();
                self.state = TaskState::Command { until, output };
                TaskStep::Open
            }
            other => {
                self.state = other;
                TaskStep::Open
            }
        }
    }

    /// One address of a request has had its time.
    fn try_next_address(&mut self, now: Instant) -> TaskStep {
        match std::mem::replace(&mut self.state, TaskState::Done) {
            TaskState::Request { attempt, .. } => self.went(attempt.time_out(), now + HTTP_LIMIT),
            other => {
                self.state = other;
                TaskStep::Open
            }
        }
    }

    fn went(&mut self, progress: Progress, until: Instant) -> TaskStep {
        TaskStep::Answered(match progress {
            Progress::Pending(attempt) => {
                self.state = TaskState::Request { attempt, until };
                return TaskStep::Open;
            }
            Progress::Connected => ProbeAnswer::Success,
            Progress::Answered(code) => match &self.probe {
                Probe::Http(probe) if probe.accepts(code) => ProbeAnswer::Success,
                _ => ProbeAnswer::Failure(format!("gave {code}")),
            },
            Progress::Failed(why) => ProbeAnswer::Failure(why),
            Progress::CannotAsk(why) => ProbeAnswer::NotAsked(why),
        })
    }

    /// Returns the socket of a request and what it waits for.
    pub(super) fn interest(&self) -> Option<(BorrowedFd<'_>, PollFlags)> {
        match &self.state {
            TaskState::Request { attempt, .. } => Some(attempt.interest()),
            TaskState::Command { output, .. } => Some((output.fd()?, PollFlags::POLLIN)),
            _ => None,
        }
    }

    /// Begins to read the output of its command.
    pub(super) fn reads(&mut self, pipe: OwnedFd) {
        if let TaskState::Command { output, .. } = &mut self.state {
            *output = CommandOutput::new(pipe);
        }
    }

    /// Handles the end of its command. Returns the answer, with the last line of output if the command has failed.
    pub(super) fn command_ended(&mut self, outcome: Result<(), String>) -> ProbeAnswer {
        let TaskState::Command { until, output } = &mut self.state else {
            return ProbeAnswer::Success;
        };
        let outcome = if until.is_none() { Err("timed out".to_owned()) } else { outcome };
        match (outcome, output.last_line()) {
            (Ok(()), _) => ProbeAnswer::Success,
            (Err(why), None) => ProbeAnswer::Failure(why),
            (Err(why), Some(line)) => ProbeAnswer::Failure(format!("{why}: {line}")),
        }
    }

    /// Returns whether its command runs.
    pub(super) fn runs_command(&self) -> bool {
        matches!(self.state, TaskState::Command { .. })
    }

    /// Begins to wait for a lookup.
    pub(super) fn waits_for(&mut self, number: LookupNumber, now: Instant) {
        self.state = TaskState::Resolving { number, until: now + HTTP_LIMIT };
    }

    /// Returns whether it waits for this lookup.
    pub(super) fn looks_up(&self, number: LookupNumber) -> bool {
        matches!(self.state, TaskState::Resolving { number: own, .. } if own == number)
    }

    /// Returns whether it waits to start a command.
    pub(super) fn is_waiting_command(&self) -> bool {
        matches!((&self.probe, &self.state), (Probe::Command(_), TaskState::Due(_)))
    }

    /// Returns whether it has succeeded.
    pub(super) fn is_done(&self) -> bool {
        matches!(self.state, TaskState::Done)
    }

    /// Returns its deadline.
    pub(super) fn deadline(&self) -> Option<Instant> {
        match self.state {
            TaskState::Due(at) => Some(at),
            TaskState::Resolving { until, .. } | TaskState::Request { until, .. } => Some(until),
            TaskState::Command { until, .. } | TaskState::Comes { until } => until,
            TaskState::Done => None,
        }
    }

    /// Moves its time limit, because pm did not run for this long.
    pub(super) fn put_off(&mut self, late: Duration) {
        match &mut self.state {
            TaskState::Resolving { until, .. }
            | TaskState::Request { until, .. }
            | TaskState::Command { until: Some(until), .. }
            | TaskState::Comes { until: Some(until) } => *until += late,
            TaskState::Due(_)
            | TaskState::Command { until: None, .. }
            | TaskState::Comes { until: None }
            | TaskState::Done => {}
        }
    }
}
