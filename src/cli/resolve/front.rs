//! Which process types have one address for all their instances, and where it is.

use crate::app::front::FrontedType;
use crate::app::readiness::{HttpProbe, Probe};
use crate::app::{App, Front, InstanceId, Policy, PortSlot, ProcessType, Role, ports};
use crate::cli::args::Tool;
use crate::cli::settings::Settings;
use crate::config::value::ProxyChoice;
use crate::error::Error;

/// The type that serves by its name: that of Heroku's router.
const WEB: &str = "web";

/// Returns the front of a process type, where it has one. Bare `--proxy` leaves to pm.toml what that says of the type.
///
/// # Errors
/// It cannot have one.
pub(super) fn front(
    settings: &Settings,
    name: &str,
    policy: &Policy,
) -> Result<Option<Front>, Error> {
    let own = settings.layers.of_type(name);
    let said = settings.layers.said_of_type(name).filter_map(|own| own.proxy.as_ref());
    let choices: Vec<_> = said.map(|said| said.value).collect();
    let has_socket = own.share_port.as_ref().is_some_and(|host| host.value.0.is_some());
    let outright = choices.iter().find(|choice| **choice != ProxyChoice::IfServing);
    let port = match outright {
        Some(ProxyChoice::On) => None,
        Some(ProxyChoice::Port(port)) => Some(*port),
        Some(ProxyChoice::Off) => return Ok(None),
        Some(ProxyChoice::IfServing) | None => {
            let is_asked = choices.contains(&ProxyChoice::IfServing);
            if !is_asked || has_socket || !serves(name, policy) {
                return Ok(None);
            }
            None
        }
    };
    if policy.role != Role::Service {
        return Err(Error::Refused {
            reason: format!("`{name}` cannot have `proxy`: it runs once, to its end"),
            hint: Some("remove `proxy`, or `once`".to_owned()),
        });
    }
    if has_socket {
        return Err(Error::Refused {
            reason: format!("`{name}` has both `proxy` and `share-port`"),
            hint: Some(
                "`proxy` works with every server; `share-port` needs one that takes a socket: remove the other"
                    .to_owned(),
            ),
        });
    }
    let mut front = Front { port, ..Front::default() };
    front.bind = own.proxy_bind.as_ref().map(|address| address.value);
    if let Some(wait) = &own.proxy_wait {
        front.wait = wait.value;
    }
    Ok(Some(front))
}

/// Returns whether a type listens on its PORT, as far as that can be told: by its name, or by its `ready`.
fn serves(name: &str, policy: &Policy) -> bool {
    let is_own_port = |probe: &Probe| match probe {
        Probe::Port(None) | Probe::Http(HttpProbe { authority: None, .. }) => true,
        Probe::Port(Some(_)) | Probe::Http(HttpProbe { authority: Some(_), .. }) => false,
        Probe::Log(_) | Probe::Command(_) | Probe::Notify | Probe::Delay(_) => false,
    };
    policy.role == Role::Service && (name == WEB || policy.ready_probes().any(is_own_port))
}

/// Makes sure that bare `--proxy` has found a type.
pub(super) fn check_found(settings: &Settings, app: &App) -> Result<(), Error> {
    let names = app.types.iter().map(|own| own.name.as_str());
    let of_type = |name| settings.layers.said_of_type(name).filter_map(|own| own.proxy.as_ref());
    let is_asked = names.flat_map(of_type).any(|said| said.value == ProxyChoice::IfServing);
    if !is_asked || app.types.iter().any(|own| own.front.is_some()) {
        return Ok(());
    }
    Err(Error::Refused {
        reason: "`--proxy` applies to no process type: none is called `web`, and none has its own port or a path as `ready`"
            .to_owned(),
        hint: Some("name it: `--proxy=TYPE`".to_owned()),
    })
}

/// Makes sure that a front has not more instances than there are ports for.
pub(super) fn check_counts(app: &App) -> Result<(), Error> {
    let most = ports::MOST_BEHIND_FRONT;
    match app.types.iter().find(|own| own.front.is_some() && own.count > most) {
        None => Ok(()),
        Some(own) => Err(Error::Refused {
            reason: format!("`{}` cannot have {} instances behind `proxy`", own.name, own.count),
            hint: Some(format!("at most {most} instances of a type fit behind `proxy`")),
        }),
    }
}

/// Makes sure that no front is on the port of another, or of an instance.
pub(super) fn check_ports(app: &App) -> Result<(), Error> {
    let mut seen: Vec<(u16, &str)> = Vec::new();
    for FrontedType { own, port, .. } in app.fronted() {
        let other = seen.iter().find(|(taken, _)| *taken == port);
        let other = other.map(|(_, name)| format!("that of `{name}`"));
        let instance = || app.instances().find(|id| has_port(app, *id, port));
        let other = other.or_else(|| instance().map(|id| format!("`{}`", app.name_of(id))));
        if let Some(other) = other {
            return Err(Error::Refused {
                reason: format!(
                    "the proxy of `{}` and {other} have the same port, {port}",
                    own.name
                ),
                hint: Some("choose another port for `proxy`".to_owned()),
            });
        }
        seen.push((port, &own.name));
    }
    Ok(())
}

/// Returns whether some run of an instance has this port.
fn has_port(app: &App, id: InstanceId, port: u16) -> bool {
    PortSlot::BOTH.iter().any(|slot| app.port_in(id, *slot) == Some(port))
}

/// Says that several instances of a type that serves can have one address, where nobody has said anything of it.
pub(super) fn notices(settings: &Settings, app: &App) -> Vec<String> {
    let has_choice = |own: &ProcessType| {
        let mut said = settings.layers.said_of_type(&own.name);
        own.share_port.is_some() || said.any(|own| own.proxy.is_some() || own.share_port.is_some())
    };
    let one = |(own, process_type): (&ProcessType, u16)| {
        if own.count < 2 || has_choice(own) || !serves(&own.name, &own.policy) {
            return None;
        }
        let first = InstanceId { process_type, number: 1 };
        let last = InstanceId { process_type, number: own.count };
        let (first, last) = (app.port_of(first)?, app.port_of(last)?);
        let (name, count) = (&own.name, own.count);
        Some(format!(
            "`{name}` has {count} addresses, ports {first} to {last}; `--proxy` gives it one"
        ))
    };
    match settings.rules {
        Tool::Pm => app.types.iter().zip(0_u16..).filter_map(one).collect(),
        Tool::Foreman => Vec::new(),
    }
}
