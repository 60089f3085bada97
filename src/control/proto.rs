//! The protocol: a client sends one JSON line, and gets JSON lines back.
//!
//! `{"pm":1,"do":"restart","names":["web"],"wait":true}` → `{"pm":1,"is":"done"}`

use std::num::NonZeroU16;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The version of the protocol. A session refuses any other, and says its own.
pub const VERSION: u32 = 1;
/// No line of a client may be longer.
pub const LINE_LIMIT: usize = 64 << 10;

/// What a client sends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "kebab-case")]
pub enum Request {
    /// To know what every instance does.
    Status,
    /// To know that, and what they use: [`InstanceStatus::figures`]. The session looks only when it is asked.
    Figures(FiguresQuery),
    /// To start instances that do not run.
    Start(Targets),
    /// To stop instances.
    Stop(Targets),
    /// To restart instances.
    Restart(Targets),
    /// To have so many of each type.
    Scale {
        /// Process types and their counts.
        counts: Vec<(String, u16)>,
        /// Whether the response comes when it is done.
        wait: bool,
    },
    /// To send a signal to instances.
    Signal {
        /// Names or globs.
        names: Vec<String>,
        /// Its number.
        signal: i32,
    },
    /// To read the files again and act on what is different.
    Reload {
        /// Whether the response comes when it is done.
        wait: bool,
    },
    /// To replace instances by new ones, a few at a time. As after [`Self::Wait`], the last lines of one that has failed
    /// follow [`Response::Failed`].
    Roll(RollTargets),
    /// To know what a [`Self::Reload`] would change: a [`Response::Warning`] if that is anything.
    Changes,
    /// To get the output of instances: [`Response::Output`] and [`Response::Lost`], until all is sent.
    Logs(LogQuery),
    /// To see and to type on the terminal of one instance: [`Response::Attached`], then [`Response::Output`] as
    /// the terminal gives it. From then on the client sends [`Frame`](super::frame::Frame)s.
    Attach {
        /// `web.2`
        name: String,
        /// The size of the client's terminal.
        rows: u16,
        /// The size of the client's terminal.
        columns: u16,
    },
    /// To be told when instances are so; [`Response::Failed`] as soon as one never will be, and then [`Response::Output`]:
    /// its last lines.
    Wait {
        /// Which, and how; none: all, ready, up or done.
        targets: Vec<WaitTarget>,
    },
    /// To end the session.
    Quit {
        /// Whether the response comes when it is done.
        wait: bool,
    },
}

/// How closely to look at what instances use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct FiguresQuery {
    /// Memory with shared pages divided (PSS), which takes fifty times as long.
    pub pss: bool,
    /// Open files.
    pub details: bool,
    /// What was used in the last five minutes, of instances with a memory budget.
    pub past: bool,
}

/// Which output a client gets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogQuery {
    /// Names or globs; none: all.
    pub names: Vec<String>,
    /// So many lines of each instance, of those that are kept.
    pub lines: usize,
    /// What comes later, too.
    pub follow: bool,
    /// No output is wanted, only that there is more: the client reads what is kept.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub bell: bool,
}

/// Instances that are waited for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WaitTarget {
    /// A name or a glob.
    pub name: String,
    /// What they must be; nothing: done where that is what they are for, ready where they have that, else started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub goal: Option<WaitGoal>,
}

/// What an instance is waited for to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WaitGoal {
    /// Its `ready` holds.
    Ready,
    /// It has exited with 0.
    Done,
    /// It has been started.
    Started,
    /// It does not run, and nothing will start it.
    Stopped,
}

impl WaitGoal {
    /// Returns the word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::Done => "done",
            Self::Started => "started",
            Self::Stopped => "stopped",
        }
    }
}

/// Whom a request is for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Targets {
    /// Names or globs.
    pub names: Vec<String>,
    /// Whether the response comes when it is done.
    pub wait: bool,
    /// Milliseconds between the stop signal and SIGKILL, where that is not for the session to say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_ms: Option<u64>,
}

/// Whom a [`Request::Roll`] is for, and how it goes about it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RollTargets {
    /// Names or globs; none: all.
    pub names: Vec<String>,
    /// Instead, the files are read again, and what is different is replaced.
    #[serde(default)]
    pub reload: bool,
    /// How many are replaced at a time.
    pub batch: NonZeroU16,
    /// The old one stops before the new one starts.
    pub stop_first: bool,
    /// Whether the response comes when it is done.
    pub wait: bool,
    /// Milliseconds between the stop signal and SIGKILL, where that is not for the session to say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_ms: Option<u64>,
}

/// What a session answers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "kebab-case")]
pub enum Response {
    /// It is done; without `wait`, it has begun.
    Done,
    /// It failed for these.
    Failed {
        /// Who, and why.
        failures: Vec<InstanceFailure>,
    },
    /// Something in the files was ignored; the answer follows.
    Warning {
        /// What and where, for a person.
        text: String,
    },
    /// It was not even tried.
    Refused {
        /// Why.
        reason: String,
        /// What to do.
        hint: Option<String>,
    },
    /// What every instance does.
    Status(Box<Report>),
    /// Output of an instance, as it was read: so many bytes follow this line.
    Output {
        /// `web.2`
        name: String,
        /// Milliseconds since 1970.
        at: i64,
        /// The number of bytes. 0: a run of the instance has ended.
        length: usize,
    },
    /// The client is attached.
    Attached,
    /// The client was too slow: so many lines were lost before what comes next.
    Lost {
        /// The number of lines.
        lines: u64,
    },
}

/// An instance for which a request failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InstanceFailure {
    /// `web.2`
    pub name: String,
    /// Why, for a person.
    pub why: String,
    /// Its exit code, where somebody waits for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<i32>,
}

/// The session and its instances.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// The process id of the session.
    pub session: i32,
    /// The application's folder.
    pub root: String,
    /// Its Procfile, absolute and without symbolic links. Empty: an older pm does not say.
    #[serde(default)]
    pub procfile: String,
    /// Its base port; nothing: an older pm does not say, as of the next two.
    #[serde(default)]
    pub base: Option<u16>,
    /// When it began, in milliseconds since 1970.
    #[serde(default)]
    pub started: Option<i64>,
    /// Who started it: `terminal`, `daemon`, or the name of the program that did.
    #[serde(default)]
    pub by: Option<String>,
    /// It is about to end.
    #[serde(default)]
    pub ending: bool,
    /// When [`InstanceStatus::figures`] were found, in seconds on a clock of the session; nothing where there are none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sampled: Option<f64>,
    /// Every process type, also those that do not run.
    pub types: Vec<String>,
    /// Those of them whose instances have a terminal.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub terminals: Vec<String>,
    /// Those that ran, and were scaled to 0.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub scaled_to_zero: Vec<String>,
    /// The types with one address for all their instances.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub proxies: Vec<ProxyStatus>,
    /// Every instance.
    pub instances: Vec<InstanceStatus>,
}

/// The one address of all instances of a process type.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProxyStatus {
    /// The process type.
    pub name: String,
    /// The port where pm listens.
    pub port: u16,
    /// How many of its instances are ready, or up.
    pub ready: usize,
    /// How many instances it has.
    pub instances: usize,
    /// Requests without an answer, those that wait for an instance, too.
    pub in_flight: u64,
}

/// What one instance does.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct InstanceStatus {
    /// `web.2`
    pub name: String,
    /// `waiting`, `blocked`, `starting`, `ready`, `up`, `stopping`, `backing-off`, `stopped`, `done` or `failed`.
    pub state: InstanceState,
    /// Whether it is ready; nothing where that cannot be told.
    #[serde(default)]
    pub ready: Option<bool>,
    /// The instances that it waits for.
    #[serde(default)]
    pub waits_for: Vec<String>,
    /// What must still come true until it is ready.
    #[serde(default)]
    pub probe: Option<String>,
    /// What that has last answered.
    #[serde(default)]
    pub last_answer: Option<String>,
    /// What the program says of itself (`STATUS=` of sd_notify(3)).
    #[serde(default)]
    pub status: Option<String>,
    /// Which of its files are watched.
    #[serde(default)]
    pub watching: Option<FileWatchStatus>,
    /// Its process, which is also its group.
    pub pid: Option<i32>,
    /// Its PORT.
    pub port: Option<u16>,
    /// Seconds since it is up.
    pub uptime: Option<f64>,
    /// How often it was started again.
    pub restarts: u32,
    /// Seconds until it starts again.
    pub restart_in: Option<f64>,
    /// How it ended, for a person.
    pub end: Option<String>,
    /// How its last run that is over has ended, whatever it does by now.
    #[serde(default)]
    pub last_exit: Option<LastExit>,
    /// Memory of its process tree in bytes.
    pub rss: Option<u64>,
    /// CPU time of its process tree in seconds.
    pub cpu: Option<f64>,
    /// Requests that the proxy has given to it, over all its runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requests: Option<u64>,
    /// Those of them that are not answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub in_flight: Option<u64>,
    /// Those of them that it has answered with 500 to 599, or not at all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub errors_5xx: Option<u64>,
    /// What it uses and has done, where that was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub figures: Option<Box<InstanceUsage>>,
}

/// What an instance uses and has done. What is nothing cannot be told, or was not asked for.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct InstanceUsage {
    /// CPU time of all its runs in seconds. It never falls.
    pub cpu_total: f64,
    /// Resident memory of its processes in bytes: shared pages count for each of them.
    pub rss: Option<u64>,
    /// The same with shared pages divided.
    pub pss: Option<u64>,
    /// The memory charged to its cgroup.
    pub cgroup: Option<u64>,
    /// Its memory budget in bytes.
    pub budget: Option<u64>,
    /// The most memory that it has used, as far as was seen.
    pub peak: Option<u64>,
    /// How many processes it has.
    pub processes: u32,
    /// Their threads.
    pub threads: Option<u32>,
    /// Their open files.
    pub open_files: Option<u32>,
    /// How often it was started.
    pub starts: u64,
    /// How often it was started again.
    pub restarts: RestartCounts,
    /// Bytes of output of all its runs.
    pub output_bytes: u64,
    /// Lines of output of all its runs.
    pub output_lines: u64,
    /// What it used before, the oldest first.
    pub past: Vec<PastFigure>,
}

impl InstanceUsage {
    /// Returns the fairest figure for its memory that there is: of the cgroup, else PSS, else RSS.
    pub fn memory(&self) -> Option<u64> {
        self.cgroup.or(self.pss).or(self.rss)
    }
}

/// How often an instance was started again, by cause.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct RestartCounts {
    /// It had ended by itself.
    pub crash: u64,
    /// It was over its memory budget, or the kernel had no more memory for it.
    pub memory: u64,
    /// It was not ready in time.
    pub not_ready: u64,
    /// It was no longer alive.
    pub not_alive: u64,
    /// Its files had changed.
    pub watch: u64,
    /// Somebody asked for it, or what it depends on was started again.
    pub asked: u64,
}

/// What an instance used at an earlier time.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct PastFigure {
    /// How many seconds ago.
    pub ago: f64,
    /// Memory in bytes.
    pub memory: u64,
    /// Per cent of one CPU since the figure before.
    pub cpu: Option<f64>,
}

impl InstanceStatus {
    /// Returns the name of its process type.
    pub fn process_type(&self) -> &str {
        self.name.rsplit_once('.').map_or(&*self.name, |(process_type, _)| process_type)
    }
}

/// How a run has ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastExit {
    /// Its exit code, where it has exited.
    pub code: Option<i32>,
    /// `SIGKILL`, where a signal has ended it.
    pub signal: Option<String>,
    /// When, in milliseconds since 1970.
    pub at: i64,
    /// Why, for a person.
    pub cause: String,
    /// Its last lines of output.
    pub tail: Vec<String>,
}

/// How the files of an instance's process type are watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FileWatchStatus {
    /// How many.
    pub files: usize,
    /// By looking at them again and again, and not by being told.
    pub polling: bool,
}

/// What an instance does, in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum InstanceState {
    /// Others come first.
    Waiting,
    /// What it depends on has ended for good.
    Blocked,
    /// It is being started, or runs and is not ready yet.
    Starting,
    /// It runs, and is ready.
    Ready,
    /// It runs; whether it is ready, nobody can tell. `running`: a session of an older pm.
    #[serde(alias = "running")]
    Up,
    /// It was told to stop.
    Stopping,
    /// It starts again soon.
    BackingOff,
    /// It was stopped by request.
    Stopped,
    /// It ended with 0.
    Done,
    /// It ended otherwise.
    Failed,
}

impl InstanceState {
    /// Returns whether it is on its way to something else.
    pub fn is_passing(self) -> bool {
        match self {
            Self::Waiting | Self::Starting | Self::Stopping | Self::BackingOff => true,
            Self::Ready | Self::Up | Self::Blocked | Self::Stopped | Self::Done | Self::Failed => {
                false
            }
        }
    }

    /// Returns the word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Starting => "starting",
            Self::Blocked => "blocked",
            Self::Ready => "ready",
            Self::Up => "up",
            Self::Stopping => "stopping",
            Self::BackingOff => "backing-off",
            Self::Stopped => "stopped",
            Self::Done => "done",
            Self::Failed => "failed",
        }
    }
}

/// A message with the version of the protocol in front.
#[derive(Serialize, Deserialize)]
struct Versioned<T> {
    pm: u32,
    #[serde(flatten)]
    message: T,
}

/// Reads a client's line. The error is for the client: what is wrong with it.
///
/// # Errors
/// It is no JSON object of this version with a request that is known.
pub fn parse_request(line: &[u8]) -> Result<Request, String> {
    #[derive(Deserialize)]
    struct Greeting {
        pm: u32,
    }
    let wrong = |error| format!("invalid request: {error}");
    let Greeting { pm } = serde_json::from_slice(line).map_err(wrong)?;
    if pm != VERSION {
        return Err(format!("this session uses version {VERSION} of the protocol, not {pm}"));
    }
    serde_json::from_slice(line).map(|Versioned { message, .. }| message).map_err(wrong)
}

/// Reads a session's line.
///
/// # Errors
/// It is no response that is known.
pub fn parse_response(line: &[u8]) -> serde_json::Result<Response> {
    serde_json::from_slice(line).map(|Versioned { message, .. }| message)
}

/// Returns a [`Request`] or a [`Response`] as a line.
pub fn line(message: impl Serialize) -> Vec<u8> {
    // Strings, numbers and lists always become JSON.
    let mut line = serde_json::to_vec(&Versioned { pm: VERSION, message }).unwrap_or_default();
    line.push(b'\n');
    line
}

#[cfg(test)]
impl InstanceStatus {
    /// Returns an instance of which nothing but its name and state is told.
    pub(crate) fn of(name: &str, state: InstanceState) -> Self {
        Self {
            name: name.to_owned(),
            state,
            ready: None,
            waits_for: Vec::new(),
            probe: None,
            last_answer: None,
            status: None,
            watching: None,
            pid: None,
            port: None,
            uptime: None,
            restarts: 0,
            restart_in: None,
            end: None,
            last_exit: None,
            rss: None,
            cpu: None,
            figures: None,
            requests: None,
            in_flight: None,
            errors_5xx: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_request_and_its_response_are_readable_lines() {
        let text = br#"{"pm":1,"do":"restart","names":["web"],"wait":true}"#;
        let names = Targets { names: vec!["web".into()], wait: true, timeout_ms: None };
        assert_eq!(parse_request(text), Ok(Request::Restart(names)));
        assert_eq!(line(Response::Done), b"{\"pm\":1,\"is\":\"done\"}\n");
    }

    #[test]
    fn another_version_is_refused_with_ones_own() {
        let error = parse_request(br#"{"pm":7,"do":"dance"}"#).unwrap_err();
        assert_eq!(error, "this session uses version 1 of the protocol, not 7");
        assert!(parse_request(br#"{"pm":1,"do":"dance"}"#).unwrap_err().contains("dance"));
    }

    #[test]
    fn the_status_of_a_session_of_an_older_pm_is_read() {
        let line = br#"{"pm":1,"is":"status","session":7,"root":"/srv","types":["web"],"instances":[
            {"name":"web.1","state":"running","pid":8,"port":5000,"uptime":1.5,"restarts":0,"restart_in":null,
             "end":null,"rss":null,"cpu":null}]}"#;
        let Ok(Response::Status(report)) = parse_response(line) else { panic!("no status") };
        assert_eq!(report.instances[0].state, InstanceState::Up);
    }

    fn request() -> impl Strategy<Value = Request> {
        let names = || proptest::collection::vec(".{0,8}", 0..4);
        prop_oneof![
            Just(Request::Status),
            (names(), any::<bool>(), any::<Option<u64>>()).prop_map(|(names, wait, timeout_ms)| {
                Request::Stop(Targets { names, wait, timeout_ms })
            }),
            (names(), any::<bool>(), any::<NonZeroU16>()).prop_map(|(names, is, batch)| {
                let (reload, stop_first, wait, timeout_ms) = (is, !is, is, None);
                Request::Roll(RollTargets { names, reload, batch, stop_first, wait, timeout_ms })
            }),
            (names(), any::<i32>()).prop_map(|(names, signal)| Request::Signal { names, signal }),
            (proptest::collection::vec((".{0,4}", any::<u16>()), 0..3), any::<bool>())
                .prop_map(|(counts, wait)| Request::Scale { counts, wait }),
            any::<bool>().prop_map(|wait| Request::Quit { wait }),
            (names(), any::<bool>()).prop_map(|(names, is_done)| {
                let goal = is_done.then_some(WaitGoal::Done);
                let one = |name| WaitTarget { name, goal };
                Request::Wait { targets: names.into_iter().map(one).collect() }
            }),
        ]
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(request in request()) {
            let mut line = line(&request);
            prop_assert_eq!(line.pop(), Some(b'\n'));
            prop_assert!(!line.contains(&b'\n'));
            prop_assert_eq!(parse_request(&line), Ok(request));
        }

        #[test]
        fn garbage_is_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            prop_assert!(parse_request(&bytes).is_err(), "{:?}", bytes);
        }

        #[test]
        fn damaged_requests_are_an_error_or_another_request(at in 0_usize..50, byte in any::<u8>()) {
            const WHOLE: &[u8] = br#"{"pm":1,"do":"restart","names":["web"],"wait":true}"#;
            let mut line = WHOLE.to_vec();
            line[at] = byte;
            if let Ok(request) = parse_request(&line) {
                let is_same = parse_request(WHOLE) == Ok(request);
                prop_assert_eq!(is_same, line == WHOLE, "{}", String::from_utf8_lossy(&line));
            }
        }
    }
}
