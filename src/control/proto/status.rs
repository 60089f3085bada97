//! What a session says of itself and of its instances.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::traffic::ProxyTraffic;
use super::usage::InstanceUsage;

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
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
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
    /// What it has answered; nothing: an older pm does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traffic: Option<Box<ProxyTraffic>>,
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
    /// Its second run, while it is replaced.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replacement: Option<ReplacementStatus>,
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

impl InstanceStatus {
    /// Returns the name of its process type.
    pub fn process_type(&self) -> &str {
        self.name.rsplit_once('.').map_or(&*self.name, |(process_type, _)| process_type)
    }
}

/// The second run of an instance that is being replaced.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ReplacementStatus {
    /// Whether it is the new run or the old one.
    pub run: ReplacementRun,
    /// `starting`: it takes over when it is ready; `stopping`: it ends.
    pub state: InstanceState,
    /// Its process, which is also its process group.
    pub pid: Option<i32>,
    /// Its PORT.
    pub port: Option<u16>,
    /// What must still come true until it is ready.
    pub probe: Option<String>,
    /// What that has last answered.
    pub last_answer: Option<String>,
}

/// Which of the two runs of an instance that is being replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ReplacementRun {
    /// The one that was started last.
    New,
    /// The one before it.
    Old,
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
    /// Changes lead to nothing, since the program makes them itself at each start.
    #[serde(default)]
    pub suspended: bool,
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

    /// Returns whether nothing runs, and nothing will by itself.
    pub fn is_over(self) -> bool {
        match self {
            Self::Stopped | Self::Done | Self::Failed => true,
            Self::Waiting
            | Self::Starting
            | Self::Ready
            | Self::Up
            | Self::Blocked
            | Self::Stopping
            | Self::BackingOff => false,
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
            replacement: None,
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
impl Report {
    /// Returns a session of which nothing but its instances is told.
    pub(crate) fn of(instances: Vec<InstanceStatus>) -> Self {
        Self {
            session: 40,
            root: "/srv/app".into(),
            procfile: "/srv/app/Procfile".into(),
            base: Some(5000),
            started: Some(0),
            by: Some("terminal".into()),
            ending: false,
            sampled: None,
            types: Vec::new(),
            terminals: Vec::new(),
            scaled_to_zero: Vec::new(),
            proxies: Vec::new(),
            instances,
        }
    }
}
