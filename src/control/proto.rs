//! The protocol: a client sends one JSON line, and gets JSON lines back.
//!
//! `{"pm":1,"do":"restart","names":["web"],"wait":true}` → `{"pm":1,"is":"done"}`

mod status;
mod traffic;
mod usage;

use std::num::NonZeroU16;

use serde::{Deserialize, Serialize};

pub use status::{
    FileWatchStatus, InstanceState, InstanceStatus, LastExit, ProxyStatus, ReplacementRun,
    ReplacementStatus, Report,
};
pub use traffic::ProxyTraffic;
pub use usage::{FiguresQuery, InstanceUsage, PastFigure, RestartCounts};

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
    /// To change how many instances each type has.
    Scale {
        /// Process types and their counts.
        counts: Vec<(String, u16)>,
        /// Whether the response comes when it is done.
        wait: bool,
    },
    /// To change by how many instances a type has more, or less, than it is to have when the request comes.
    ScaleBy {
        /// A process type.
        name: String,
        /// How many more.
        more: i16,
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
    /// To be told when instances have reached a state; [`Response::Failed`] once one no longer can, and then
    /// [`Response::Output`]: its last lines.
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

/// Which output a client gets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogQuery {
    /// Names or globs; none: all.
    pub names: Vec<String>,
    /// How many lines of each instance, of those that are kept.
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
    /// Output of an instance, as it was read: this number of bytes follows the line.
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
    /// The client was too slow: this number of lines was lost before what comes next.
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
            (".{0,4}", any::<i16>(), any::<bool>())
                .prop_map(|(name, more, wait)| Request::ScaleBy { name, more, wait }),
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
