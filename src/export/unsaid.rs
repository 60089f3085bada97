//! Notices about `ready`, `live` and `depends-on`: what of them a format cannot say, each once with the types that
//! asked for it.

use super::Format;
use super::formats::{Asks, kubernetes, nomad};
use crate::app::readiness::Probe;
use crate::app::{App, Dependency, Milestone, OnDependencyRestart, ProcessType, Role};

/// Returns the notices, in the order of the Procfile.
pub(super) fn notices(format: &Format, app: &App) -> Vec<String> {
    let mut notices = Vec::new();
    for own in app.types.iter().filter(|own| own.count > 0) {
        of_readiness(format, app, own, &mut notices);
        of_liveness(format, own, &mut notices);
        let mut needs = Vec::new();
        for need in &own.policy.depends_on {
            if !needs.contains(need) {
                needs.push(*need);
                of_need(format, app, own, *need, &mut notices);
            }
        }
        if own.policy.role == Role::Once && !format.asks.once {
            let name = &own.name;
            notices.push(format!(
                "`{name}` is started again after it has ended: {} cannot run it once",
                format.name
            ));
        }
        let follows = own.policy.on_dependency_restart == OnDependencyRestart::Restart;
        if follows && !own.policy.depends_on.is_empty() && !format.asks.restarts_with {
            let name = &own.name;
            notices.push(format!(
                "`{name}` is not restarted with what it depends on: {} cannot",
                format.name
            ));
        }
    }
    notices
}

/// Returns whether a probe can be asked in this format.
fn can_ask(format: &Format, own: &ProcessType, probe: &Probe) -> bool {
    match probe {
        Probe::Log(_) => false,
        Probe::Notify => format.asks.notify,
        Probe::Delay(_) => format.asks.delay,
        _ if format.name == nomad::FORMAT.name => listens(own) && nomad::can_check(probe),
        Probe::Port(_) | Probe::Http(_) | Probe::Command(_) => true,
    }
}

fn listens(own: &ProcessType) -> bool {
    own.name == "web" || crate::app::shell::uses_variable(&own.command, "PORT")
}

fn of_readiness(format: &Format, app: &App, own: &ProcessType, notices: &mut Vec<String>) {
    let (name, format_name) = (&own.name, format.name);
    let Some(ready) = &own.policy.ready else { return };
    for probe in ready.probes.iter().filter(|probe| !can_ask(format, own, probe)) {
        notices.push(format!(
            "`ready` of `{name}`: `{probe}` is left out: {format_name} cannot ask it"
        ));
    }
    let can_any = ready.probes.iter().any(|probe| can_ask(format, own, probe));
    if can_any && !format.asks.readiness {
        let is_waited_for = app.types.iter().any(|other| {
            other.count > 0 && other.policy.depends_on.iter().any(|need| names(app, *need) == name)
        });
        notices.push(if is_waited_for {
            format!("{format_name} has no readiness: `ready` of `{name}` is only asked by what depends on it")
        } else {
            format!("`ready` of `{name}` is left out: {format_name} has no readiness")
        });
    }
}

fn of_liveness(format: &Format, own: &ProcessType, notices: &mut Vec<String>) {
    let Some(live) = &own.policy.live else { return };
    let can = match (format.asks.liveness, &live.probe) {
        (Asks::Notify, probe) => *probe == Probe::Notify,
        (Asks::Probes, probe) => *probe != Probe::Notify && can_ask(format, own, probe),
        (Asks::Nothing, _) => false,
    };
    if !can {
        notices.push(format!(
            "`live` of `{}`: `{}` restarts nothing: {} cannot tell",
            own.name, live.probe, format.name
        ));
    }
}

fn of_need(
    format: &Format,
    app: &App,
    own: &ProcessType,
    need: Dependency,
    notices: &mut Vec<String>,
) {
    let name = &own.name;
    let Some(other) = app.types.get(usize::from(need.process_type)) else { return };
    let other_name = &other.name;
    let is_there = need.number.map_or(other.count > 0, |number| number <= other.count);
    if !is_there {
        // What is said of a release that is left out is enough.
        if other.policy.role != Role::Release {
            notices
                .push(format!("`{name}` does not wait for `{other_name}`, which is not exported"));
        }
        return;
    }
    let has = |can: &dyn Fn(&Probe) -> bool| other.policy.ready_probes().any(can);
    let can = match need.milestone {
        Milestone::Done => format.asks.ends,
        Milestone::Started => format.asks.starts,
        Milestone::Ready if format.name == kubernetes::FORMAT.name => {
            listens(other)
                || has(&|probe| match probe {
                    Probe::Port(_) => true,
                    Probe::Http(http) => http.authority.is_none(),
                    _ => false,
                })
        }
        Milestone::Ready => match format.asks.others {
            Asks::Notify => has(&|probe| can_ask(format, other, probe)),
            Asks::Probes => has(&|probe| {
                can_ask(format, other, probe) && !matches!(probe, Probe::Notify | Probe::Delay(_))
            }),
            Asks::Nothing => false,
        },
    };
    if !can {
        let what = match need.milestone {
            Milestone::Done => "the end of ",
            Milestone::Started => "the start of ",
            Milestone::Ready => "",
        };
        notices.push(format!(
            "`{name}` does not wait for {what}`{other_name}`: {} cannot tell",
            format.name
        ));
    }
}

fn names(app: &App, need: Dependency) -> &str {
    app.types.get(usize::from(need.process_type)).map_or("", |own| &own.name)
}
