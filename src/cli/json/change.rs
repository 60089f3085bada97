//! What a command answers that changes something in a session: which session, and its instances afterwards.

use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::Serialize;

use super::CommandAnswer;
use super::status::InstanceObject;
use crate::app::select;
use crate::cli::client::find;
use crate::control::socket_paths::Endpoint;

/// A change that is done, or with `--no-wait` has begun.
#[derive(Debug)]
pub(crate) struct SessionChange {
    session: Endpoint,
    root: String,
    /// Whom it was for; none: all.
    names: Vec<String>,
    is_over: bool,
    /// The log, of a session that was started in the background.
    log: Option<PathBuf>,
    text: String,
}

/// The session, and what its instances do after the change.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Change")]
pub(crate) struct ChangeObject {
    session: SessionId,
    /// The session has ended.
    ended: bool,
    /// The log of a session that was started in the background.
    log: Option<String>,
    /// What the instances do that were meant; null where the session does not say.
    instances: Option<Vec<InstanceObject>>,
}

/// The sessions that `pm quit --all` or `--gone` has ended.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Ended")]
pub(crate) struct EndedObject {
    /// Which; of one that did not say its root, that is empty.
    pub(crate) sessions: Vec<SessionId>,
    /// They have ended; with `--no-wait` they are about to.
    pub(crate) ended: bool,
}

/// Which session it is.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct SessionId {
    /// Its process id.
    pub(crate) pid: i32,
    /// The application's root.
    pub(crate) root: String,
}

impl SessionChange {
    /// Returns the change of instances that these names mean; none: all.
    pub(in crate::cli) fn of(session: &find::SessionInfo, names: &[String]) -> Self {
        let (text, log, is_over) = (String::new(), None, false);
        let find::SessionInfo { endpoint, report } = session;
        let (session, root, names) = (endpoint.clone(), report.root.clone(), names.to_vec());
        Self { session, root, names, is_over, log, text }
    }

    /// Returns the same of a session that has ended.
    pub(crate) fn over(self) -> Self {
        Self { is_over: true, ..self }
    }

    /// Returns the same, of which a person is told this.
    pub(crate) fn saying(self, text: String) -> Self {
        Self { text, ..self }
    }

    /// Returns the start of a session in the background, and what a person is told of it.
    pub(crate) fn launched(session: Endpoint, root: &Path, log: PathBuf, text: String) -> Self {
        let root = root.to_string_lossy().into_owned();
        Self { session, root, names: Vec::new(), is_over: false, log: Some(log), text }
    }
}

impl CommandAnswer for SessionChange {
    type Object = ChangeObject;

    fn text(&self) -> Vec<u8> {
        self.text.as_bytes().to_vec()
    }

    fn object(self) -> ChangeObject {
        let Self { session, root, names, is_over, log, .. } = self;
        let is_meant = |name: &str| {
            names.is_empty() || names.iter().any(|pattern| select::fits(pattern, name))
        };
        let instances = match is_over {
            true => Some(Vec::new()),
            false => find::report(&session).ok().map(|mut report| {
                report.instances.retain(|instance| is_meant(&instance.name));
                InstanceObject::all(report.instances, session.pid)
            }),
        };
        ChangeObject {
            session: SessionId { pid: session.pid, root },
            ended: is_over,
            log: log.map(|log| log.to_string_lossy().into_owned()),
            instances,
        }
    }
}
