//! Notices about `ready`, `live` and `depends-on`: what of them a format cannot say, each once with the types that
//! asked for it.

use super::formats::{Asks, Can, Outside, Starts, nomad};
use super::needs::{has_port, is_elsewhere};
use super::{Format, Inittab, Options};
use crate::app::readiness::Probe;
use crate::app::{App, Dependency, Milestone, OnDependencyRestart, ProcessType, Role};

/// Returns the notices, in the order of the Procfile.
pub(super) fn notices(format: &Format, app: &App, options: &Options) -> Vec<String> {
    let unsaid = Unsaid { can: &format.asks, name: format.name, app };
    let mut notices = Vec::new();
    if options.inittab == Inittab::Lines {
        notices.extend(of_lines(app));
        return notices;
    }
    for own in app.types.iter().filter(|own| own.count > 0) {
        unsaid.of_readiness(own, &mut notices);
        unsaid.of_liveness(own, &mut notices);
        let mut needs = Vec::new();
        for need in &own.policy.depends_on {
            if !needs.contains(need) {
                needs.push(*need);
                unsaid.of_need(own, *need, &mut notices);
            }
        }
        unsaid.of_end(own, &mut notices);
        let follows = own.policy.on_dependency_restart == OnDependencyRestart::Restart;
        if follows && !own.policy.depends_on.is_empty() && !unsaid.can.restarts_with {
            let (name, format) = (&own.name, unsaid.name);
            notices.push(format!(
                "`{name}` is not restarted with what it depends on: {format} cannot"
            ));
        }
    }
    notices.extend(unsaid.of_limits());
    notices
}

/// A format without scripts of its own.
fn of_lines(app: &App) -> Option<String> {
    let says = |own: &&ProcessType| {
        own.policy.ready.is_some() || own.policy.live.is_some() || !own.policy.depends_on.is_empty()
    };
    let names = names(app.types.iter().filter(|own| own.count > 0).filter(says));
    names.map(|names| {
        format!("`ready`, `live` and `depends-on` of {names} are left out: lines without scripts cannot wait")
    })
}

/// Returns `` `a` and `b` ``.
pub(super) fn names<'a>(types: impl IntoIterator<Item = &'a ProcessType>) -> Option<String> {
    let names: Vec<String> = types.into_iter().map(|own| format!("`{}`", own.name)).collect();
    let (last, others) = names.split_last()?;
    Some(if others.is_empty() { last.clone() } else { format!("{} and {last}", others.join(", ")) })
}

struct Unsaid<'a> {
    can: &'a Can,
    name: &'static str,
    app: &'a App,
}

impl Unsaid<'_> {
    /// Returns whether a probe makes a type ready in this format.
    fn can_ask(&self, own: &ProcessType, probe: &Probe) -> bool {
        match probe {
            Probe::Log(_) => false,
            Probe::Notify => self.can.notify,
            Probe::Delay(_) => self.can.delay,
            // podman takes one sign of readiness.
            Probe::Port(_) | Probe::Http(_) | Probe::Command(_)
                if self.can.has_one_sign && has(own, &|other| *other == Probe::Notify) =>
            {
                false
            }
            Probe::Port(_) | Probe::Http(_) | Probe::Command(_) => true,
        }
    }

    fn of_readiness(&self, own: &ProcessType, notices: &mut Vec<String>) {
        let (name, format) = (&own.name, self.name);
        let Some(ready) = &own.policy.ready else { return };
        if own.policy.role == Role::Once && self.can.starts == Starts::WithReadiness {
            notices.push(format!("`ready` of `{name}` is left out: {format} waits for its end"));
            return;
        }
        for probe in &ready.probes {
            if !self.can_ask(own, probe) {
                notices.push(format!(
                    "`ready` of `{name}`: `{probe}` is left out: {format} cannot ask it"
                ));
            } else if format == nomad::FORMAT.name && nomad::needs_consul(probe) {
                notices.push(format!(
                    "`ready` of `{name}`: `{probe}` needs Consul: nomad itself only asks its ports"
                ));
            }
        }
        let can_any = ready.probes.iter().any(|probe| self.can_ask(own, probe));
        if can_any && !self.can.readiness {
            let is_waited_for = self.app.types.iter().any(|other| {
                let mut needs = other.policy.depends_on.iter();
                other.count > 0
                    && needs.any(|need| self.type_of(*need).is_some_and(|it| it.name == *name))
            });
            notices.push(if is_waited_for {
                format!("{format} has no readiness: `ready` of `{name}` is only asked by what depends on it")
            } else {
                format!("`ready` of `{name}` is left out: {format} has no readiness")
            });
        }
    }

    fn of_liveness(&self, own: &ProcessType, notices: &mut Vec<String>) {
        let Some(live) = &own.policy.live else { return };
        let can = match (self.can.liveness, &live.probe) {
            (Asks::Notify, probe) => *probe == Probe::Notify,
            (Asks::Probes, probe) => *probe != Probe::Notify,
            (Asks::Nothing | Asks::Port, _) => false,
        };
        let (name, probe, format) = (&own.name, &live.probe, self.name);
        if !can {
            notices.push(format!(
                "`live` of `{name}`: `{probe}` restarts nothing: {format} cannot tell"
            ));
        } else if format == nomad::FORMAT.name && nomad::needs_consul(probe) {
            notices.push(format!(
                "`live` of `{name}`: `{probe}` needs Consul: nomad itself only asks its ports"
            ));
        }
    }

    fn of_need(&self, own: &ProcessType, need: Dependency, notices: &mut Vec<String>) {
        let (name, format) = (&own.name, self.name);
        let Some(other) = self.type_of(need) else { return };
        let other_name = &other.name;
        let is_there = need.number.map_or(other.count > 0, |number| number <= other.count);
        if !is_there {
            notices.extend(self.of_outside(own, other));
            return;
        }
        let is_once = other.policy.role == Role::Once;
        let becomes_ready = has(other, &|probe| self.can_ask(other, probe));
        match self.wait_for(other, need.milestone) {
            Wait::Exact => {}
            Wait::Longer if is_once => notices.push(format!(
                "`{name}` waits until `{other_name}` has ended: {format} has no sign of its start alone"
            )),
            Wait::Longer if becomes_ready => notices.push(format!(
                "`{name}` waits until `{other_name}` is ready: {format} has no sign of its start alone"
            )),
            Wait::Longer => {}
            Wait::Not => {
                let what = match need.milestone {
                    Milestone::Done => "the end of ",
                    Milestone::Started => "the start of ",
                    Milestone::Ready => "",
                };
                notices.push(format!(
                    "`{name}` does not wait for {what}`{other_name}`: {format} cannot tell"
                ));
            }
        }
        if is_once && format == nomad::FORMAT.name {
            notices.push(format!(
                "`{other_name}` runs before each instance of `{name}`: nomad has no other order"
            ));
        }
    }

    /// Returns how what depends on a type waits for a milestone of it.
    fn wait_for(&self, other: &ProcessType, milestone: Milestone) -> Wait {
        let exactly = |can: bool| if can { Wait::Exact } else { Wait::Not };
        let has_port = has_port(other);
        let is_once = other.policy.role == Role::Once;
        match (milestone, self.can.starts) {
            (Milestone::Done, _) => exactly(self.can.ends),
            (Milestone::Started | Milestone::Ready, Starts::Port) if is_once => Wait::Longer,
            (Milestone::Started, Starts::Told | Starts::InOrder) => Wait::Exact,
            (Milestone::Started, Starts::WithReadiness) => Wait::Longer,
            (Milestone::Started, Starts::Port) => exactly(has_port),
            (Milestone::Started, Starts::Unknown) => Wait::Not,
            (Milestone::Ready, Starts::WithReadiness) if is_once => Wait::Longer,
            (Milestone::Ready, _) => exactly(match self.can.others {
                Asks::Notify => has(other, &|probe| self.can_ask(other, probe)),
                Asks::Probes => has(other, &|probe| {
                    let is_told = matches!(probe, Probe::Notify | Probe::Delay(_));
                    self.can_ask(other, probe) && !is_told
                }),
                Asks::Port => has_port,
                Asks::Nothing => false,
            }),
        }
    }

    /// What depends on something that is not exported.
    fn of_outside(&self, own: &ProcessType, other: &ProcessType) -> Vec<String> {
        let (name, other_name) = (&own.name, &other.name);
        // What is said of a release that is left out is enough.
        if other.policy.role == Role::Release {
            return Vec::new();
        }
        let from_outside = |probe: &&Probe| other.count == 0 && probe.works_from_outside();
        let asked = |probe: &&Probe| match self.can.outside {
            Outside::Asked => true,
            Outside::Elsewhere => is_elsewhere(probe),
        };
        let probes: Vec<&Probe> = other.policy.ready_probes().filter(from_outside).collect();
        if !probes.iter().any(asked) {
            return vec![format!(
                "`{name}` does not wait for `{other_name}`, which is not exported"
            )];
        }
        let left_out = probes.into_iter().filter(|probe| !asked(probe));
        let notice = |probe| {
            format!("`{name}` does not ask `{probe}` of `{other_name}`: it is not in the container")
        };
        left_out.map(notice).collect()
    }

    /// What becomes of a type after its end.
    fn of_end(&self, own: &ProcessType, notices: &mut Vec<String>) {
        if own.policy.role == Role::Once && !self.can.once {
            let (name, format) = (&own.name, self.name);
            notices.push(format!(
                "`{name}` is started again after it has ended: {format} cannot run it once"
            ));
        }
    }

    /// What becomes of all that are not ready in time.
    fn of_limits(&self) -> Option<String> {
        if !self.can.readiness || self.can.ends_unready {
            return None;
        }
        let is_asked =
            |own: &&ProcessType| own.count > 0 && has(own, &|probe| self.can_ask(own, probe));
        let names = names(self.app.types.iter().filter(is_asked))?;
        Some(format!("what is not ready in time is not restarted by {}: {names}", self.name))
    }

    fn type_of(&self, need: Dependency) -> Option<&ProcessType> {
        self.app.types.get(usize::from(need.process_type))
    }
}

/// How something waits for a milestone of something else.
enum Wait {
    /// Until it is reached.
    Exact,
    /// Until more is reached.
    Longer,
    /// Not at all.
    Not,
}

fn has(own: &ProcessType, can: &dyn Fn(&Probe) -> bool) -> bool {
    own.policy.ready_probes().any(can)
}
