//! `pm ps --all`: the sessions of the user, a line each.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{UserSession, all};
use crate::cli::checkout;
use crate::cli::client::find;
use crate::cli::columns::columns;
use crate::cli::json::CommandAnswer;
use crate::cli::json::status::{SessionsObject, StatusObject};
use crate::cli::sources::Sources;
use crate::control::proto::{InstanceState, Report};
use crate::error::Error;
use crate::os::clock;
use crate::session::messages::short;

/// Every session of the user.
#[derive(Debug)]
pub(crate) struct SessionTable {
    sessions: Vec<UserSession>,
    home: Option<PathBuf>,
    /// In milliseconds since 1970.
    now: i64,
}

/// Looks at every session of the user.
pub(crate) fn status(sources: &Sources) -> Result<SessionTable, Error> {
    let sessions = all(&find::folder(sources))?;
    let home = sources.var("HOME").map(PathBuf::from);
    Ok(SessionTable { sessions, home, now: clock::unix_milliseconds() })
}

impl CommandAnswer for SessionTable {
    type Object = SessionsObject;

    fn text(&self) -> Vec<u8> {
        table(&self.sessions, self.home.as_deref(), self.now).into_bytes()
    }

    fn object(self) -> SessionsObject {
        let one = |UserSession { endpoint, root, answer }| match answer {
            Ok(report) => StatusObject::of(report),
            Err(_) => StatusObject::of_silent(endpoint.pid, root.as_deref()),
        };
        SessionsObject { sessions: self.sessions.into_iter().map(one).collect() }
    }
}

fn table(sessions: &[UserSession], home: Option<&Path>, now: i64) -> String {
    let head = ["ROOT", "BRANCH", "BASE", "STATE", "UPTIME", "RSS", "PID", "BY"];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    rows.extend(sessions.iter().map(|session| row(session, home, now)));
    columns(&rows)
}

fn row(session: &UserSession, home: Option<&Path>, now: i64) -> Vec<String> {
    let or_dash = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
    let report = session.answer.as_ref().ok();
    let state = match &session.answer {
        Ok(report) => state(report),
        Err(silence) => silence.word().to_owned(),
    };
    let root_is = if session.is_gone() { ", root is gone" } else { "" };
    let uptime = report.and_then(|report| {
        let milliseconds = now.saturating_sub(report.started?);
        Some(short(Duration::from_millis(u64::try_from(milliseconds).unwrap_or(0))))
    });
    let used = report.map(|report| report.instances.iter().filter_map(|it| it.rss).sum::<u64>());
    vec![
        or_dash(session.root.as_deref().map(|root| from_home(root, home))),
        or_dash(session.root.as_deref().and_then(checkout::branch)),
        or_dash(report.and_then(|report| report.base).map(|base| base.to_string())),
        format!("{state}{root_is}"),
        or_dash(uptime),
        or_dash(used.map(|bytes| format!("{}M", bytes.div_ceil(1 << 20)))),
        session.endpoint.pid.to_string(),
        or_dash(report.and_then(|report| report.by.clone()).filter(|by| !by.is_empty())),
    ]
}

/// Returns a path as a person writes it: `~/src/app`.
fn from_home(path: &Path, home: Option<&Path>) -> String {
    let below = home.filter(|home| home.parent().is_some());
    match below.and_then(|home| path.strip_prefix(home).ok()) {
        Some(rest) if rest.as_os_str().is_empty() => "~".to_owned(),
        Some(rest) => format!("~/{}", rest.display()),
        None => path.display().to_string(),
    }
}

/// Says what a session does in a few words: who has failed, else how many are ready, up or done.
fn state(report: &Report) -> String {
    use InstanceState::{Done, Failed, Ready, Stopped, Up};
    if report.ending {
        return "ending".to_owned();
    }
    let are = |states: &[InstanceState]| {
        report.instances.iter().filter(|it| states.contains(&it.state)).collect::<Vec<_>>()
    };
    let (failed, ready, stopped) = (are(&[Failed]), are(&[Ready, Up, Done]), are(&[Stopped]));
    if !failed.is_empty() {
        let is_failed = |it: &&_| failed.contains(it);
        let mut names: Vec<&str> = Vec::new();
        for it in &failed {
            let of = it.name.rsplit_once('.').map_or(it.name.as_str(), |(of, _)| of);
            let mut others = report
                .instances
                .iter()
                .filter(|other| other.name.rsplit_once('.').is_some_and(|(other, _)| other == of));
            // A type of which every instance has failed is named as one.
            let name = if others.all(|other| is_failed(&other)) { of } else { &it.name };
            if !names.contains(&name) {
                names.push(name);
            }
        }
        return format!("{} failed", names.join(", "));
    }
    let all = report.instances.len() - stopped.len();
    match stopped.len() {
        0 => format!("{}/{all} ready", ready.len()),
        stopped if all == 0 => format!("{stopped} stopped"),
        stopped => format!("{}/{all} ready, {stopped} stopped", ready.len()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Silence;
    use super::*;
    use crate::control::socket_paths::Endpoint;

    fn report(instances: &[(&str, &str)]) -> Report {
        let one = |(name, state): &(&str, &str)| serde_json::json!({ "name": name, "state": state, "restarts": 0, "rss": 20 << 20 });
        let instances: Vec<_> = instances.iter().map(one).collect();
        serde_json::from_value(serde_json::json!({
            "session": 812, "root": "/no/such/folder", "types": [], "instances": instances,
            "base": 5000, "started": 1_000, "by": "terminal",
        }))
        .unwrap()
    }

    #[test]
    fn the_state_of_a_session_is_said_in_a_few_words() {
        for (instances, expected) in [
            (&[("web.1", "ready"), ("db.1", "up"), ("seed.1", "done")][..], "3/3 ready"),
            (&[("web.1", "starting"), ("db.1", "ready"), ("job.1", "waiting")], "1/3 ready"),
            (
                &[("web.1", "up"), ("web.2", "backing-off"), ("job.1", "stopped")],
                "1/2 ready, 1 stopped",
            ),
            (&[("web.1", "up"), ("worker.1", "failed")], "worker failed"),
            (
                &[("web.1", "up"), ("web.2", "failed"), ("a.1", "failed"), ("a.2", "failed")],
                "web.2, a failed",
            ),
            (&[("web.1", "stopped")], "1 stopped"),
            (&[], "0/0 ready"),
        ] {
            assert_eq!(state(&report(instances)), expected, "{instances:?}");
        }
        let ending = Report { ending: true, ..report(&[("web.1", "stopping")]) };
        assert_eq!(state(&ending), "ending");
    }

    #[test]
    fn a_session_has_one_line_whether_it_answers_or_not() {
        let session = |root: &str, answer| UserSession {
            endpoint: Endpoint { pid: 812, socket: "/run/pm/x.sock".into() },
            root: Some(root.into()),
            answer,
        };
        let sessions = [
            session("/", Ok(report(&[("web.1", "up"), ("web.2", "ready")]))),
            session("/no/such/folder", Err(Silence::Hangs)),
            session("/no/such/folder/app", Err(Silence::Suspended)),
        ];
        assert_eq!(
            table(&sessions, Some(Path::new("/no/such")), 81_000),
            "ROOT          BRANCH  BASE  STATE                          UPTIME  RSS  PID  BY\n\
             /             -       5000  2/2 ready                      1m 20s  40M  812  terminal\n\
             ~/folder      -       -     does not answer, root is gone  -       -    812  -\n\
             ~/folder/app  -       -     suspended, root is gone        -       -    812  -\n"
        );
    }

    #[test]
    fn a_path_in_the_home_folder_is_short() {
        let home = Some(Path::new("/home/ann"));
        for (path, home, expected) in [
            ("/home/ann/src/app", home, "~/src/app"),
            ("/home/ann", home, "~"),
            ("/home/anna", home, "/home/anna"),
            ("/srv/app", Some(Path::new("/")), "/srv/app"),
            ("/srv/app", None, "/srv/app"),
        ] {
            assert_eq!(from_home(Path::new(path), home), expected);
        }
    }
}
