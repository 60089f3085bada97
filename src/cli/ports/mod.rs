//! The ports of a start: which base it has, and who else has a port that is needed.

mod auto;
mod survey;

use std::path::Path;

use super::resolve::{self, BaseWish, Resolved};
use super::settings::Settings;
use super::sources::Sources;
use super::{checkout, client, diagnostics};
use crate::app::base_port::PortRoom;
use crate::app::lint::{self, BaseOrigin, Holder, UnavailablePort};
use crate::app::siblings::SessionFacts;
use crate::app::{App, Environment};
use crate::error::Error;
use crate::os::port_owner;
use crate::state::ports::PortsLock;
use survey::PortSurvey;

/// What to do where a port is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum IfTaken {
    /// Say who has it, and start: not every program listens on its port.
    Warn,
    /// Start nothing (`--strict-ports`).
    Refuse,
}

/// The ports of a start, as far as pm chooses them.
#[derive(Debug, Default)]
pub(super) struct ChosenPorts {
    /// The base, where pm has chosen it.
    pub(super) base: Option<u16>,
    /// Nobody else chooses a base until this session can be found.
    pub(super) lock: Option<PortsLock>,
}

/// Chooses the base where that is pm's to do, and says which ports others have, and who.
///
/// # Errors
/// No base can be chosen, or a port is taken and that is to be refused.
pub(super) fn choose(
    resolved: &Resolved,
    if_taken: IfTaken,
    runtime: &Path,
    sources: &Sources,
) -> Result<ChosenPorts, Error> {
    let (app, wish) = (&resolved.app, resolved.base);
    // Where nobody has said a port, two that start at once must not both take the same. Without a place for the lock
    // they can.
    let lock = match wish {
        BaseWish::Set(_) => None,
        BaseWish::Auto => Some(auto::lock(sources)?),
        BaseWish::Unset => auto::lock(sources).ok(),
    };
    let survey = PortSurvey::take(&app.root, runtime);
    let needed = app.needed_ports();
    let base = match (wish, &lock) {
        (BaseWish::Auto, Some(lock)) => {
            Some(auto::base(lock, &app.root, &PortRoom::of(app), &survey)?)
        }
        (BaseWish::Unset, Some(lock)) => match survey.of_another_session(&needed) {
            Some((port, holder)) => {
                let base = auto::base(lock, &app.root, &PortRoom::of(app), &survey)?;
                let holder = holder.below_home(home(sources));
                let who = holder.as_instance().unwrap_or_else(|| holder.to_string());
                let notice = format!("{port} is held by {who}; using {base}");
                diagnostics::notices(&[notice]);
                Some(base)
            }
            None => None,
        },
        (BaseWish::Set(_) | BaseWish::Auto | BaseWish::Unset, _) => None,
    };
    match base {
        Some(base_port) => {
            let app = App { base_port, ..app.clone() };
            say_taken(&app, &survey, (BaseOrigin::Chosen, if_taken), sources)?;
        }
        None => say_taken(app, &survey, (wish.origin(), if_taken), sources)?,
    }
    Ok(ChosenPorts { base, lock })
}

/// Says which ports somebody else has, and who; or refuses to start for the first of them.
fn say_taken(
    app: &App,
    survey: &PortSurvey,
    (origin, if_taken): (BaseOrigin, IfTaken),
    sources: &Sources,
) -> Result<(), Error> {
    fronts_are_free(app, survey, origin, sources)?;
    let taken = lint::taken_at_start(app, |port| survey.is_taken(port));
    if taken.is_empty() {
        return Ok(());
    }
    let ports: Vec<u16> = taken.iter().map(|bad| bad.port).collect();
    let holders = survey.holders(&ports);
    let said = |bad: &UnavailablePort| {
        let holder = holders.iter().find(|(port, _)| *port == bad.port);
        let holder = holder.map(|(_, holder)| holder.clone().below_home(home(sources)));
        (bad.taken(holder.as_ref()), origin.instead(holder.is_some()))
    };
    let said: Vec<_> = taken.iter().map(said).collect();
    match if_taken {
        IfTaken::Warn => {
            for (message, hint) in said {
                diagnostics::warning(&message, hint);
            }
            Ok(())
        }
        IfTaken::Refuse => {
            let hint = said.first().map(|(_, hint)| (*hint).to_owned());
            let messages: Vec<_> = said.into_iter().map(|(message, _)| message).collect();
            Err(Error::PortTaken { reason: messages.join("; "), hint })
        }
    }
}

/// Makes sure that nobody listens where pm itself is to: it could not start.
fn fronts_are_free(
    app: &App,
    survey: &PortSurvey,
    origin: BaseOrigin,
    sources: &Sources,
) -> Result<(), Error> {
    let mut fronts = app.fronted();
    let Some(taken) = fronts.find(|fronted| survey.is_taken(fronted.port)) else { return Ok(()) };
    let (name, port) = (&taken.own.name, taken.port);
    let holder = survey.holders(&[port]).into_iter().next();
    let holder = holder.map(|(_, holder)| holder.below_home(home(sources)).to_string());
    let hint = match taken.own.front.as_ref().is_some_and(|front| front.port.is_some()) {
        true => "stop it, or choose another port with `proxy = PORT`",
        false => origin.instead(holder.is_some()),
    };
    let by = holder.map(|holder| format!(" by {holder}")).unwrap_or_default();
    let reason = format!("port {port}, of the proxy of `{name}`, is in use{by}");
    Err(Error::PortTaken { reason, hint: Some(hint.to_owned()) })
}

/// Fills in what a command that starts no session knows of one: the base where nobody says it, which is that of the
/// session that runs in the root, else the one that pm would choose; and what instances are told. Returns who chooses
/// the base.
pub(super) fn expect(
    settings: &mut Settings,
    environment: &Environment,
    (root, types): (&Path, usize),
    sources: &Sources,
) -> BaseWish {
    let wish = resolve::base_wish(settings, environment);
    let running = survey::of_root(root, &client::find::folder(sources));
    let session = running.as_ref().map(|report| report.session.unsigned_abs());
    settings.facts = Some(facts(root, session));
    settings.base = match (wish, running.and_then(|report| report.base)) {
        (BaseWish::Set(_), _) => None,
        (BaseWish::Auto | BaseWish::Unset, Some(base)) => Some(base),
        (BaseWish::Unset, None) => None,
        (BaseWish::Auto, None) => {
            auto::expected(root, &PortRoom::of_counts(&vec![1; types]), sources)
        }
    };
    wish
}

/// Returns what instances are told of the session.
pub(super) fn facts(root: &Path, session: Option<u32>) -> SessionFacts {
    SessionFacts { name: checkout::name(root), session }
}

/// Returns the ports that sessions of other roots have given to their instances, which may not listen yet, and whose each
/// is.
pub(super) fn of_other_sessions(root: &Path, sources: &Sources) -> Vec<(u16, Holder)> {
    let held = survey::of_other_sessions(root, &client::find::folder(sources));
    held.into_iter().map(|(port, holder)| (port, holder.below_home(home(sources)))).collect()
}

/// Returns a holder as a message shows it: what it is of, where pm has started it.
pub(super) fn shown(holder: Holder, sources: &Sources) -> Holder {
    port_owner::identified(holder).below_home(home(sources))
}

fn home(sources: &Sources) -> Option<&Path> {
    sources.var("HOME").map(Path::new)
}
