//! Shell lines that wait: before a command until what it depends on is there, and after it until it is ready itself.

use super::ask::{Asker, ask, asks, http_ask};
use super::{Milestone, PM_WAIT, Probe, is_elsewhere, one_line};
use crate::export::context::{Export, Instance, Service};
use crate::export::quote::sh;

/// Whom a shell asks before it becomes the service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Whom {
    /// All that it depends on, exported or not.
    All,
    /// What somebody else runs.
    Outside,
    /// What somebody else runs, asked in a container: not what is on the machine itself.
    OutsideOfContainer,
}

/// What becomes of an instance that is not ready in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Otherwise {
    /// Its start has failed, which its supervisor sees.
    Fail,
    /// The shell, whose child it is, ends it and fails.
    End,
    /// It goes on, and those that depend on it go on waiting, until it ends.
    AskAgain,
}

/// Finds the process of a job of upstart, which looks at the end of a job only after its post-start script.
const UPSTART_PID: &str =
    r#"pm_pid=$(initctl status "$UPSTART_JOB" | sed -n 's/.*start, process \([0-9]*\).*/\1/p')"#;

impl Export<'_> {
    /// Returns shell lines that wait for what an instance depends on, the function that they call first; none where
    /// nothing can be asked. They run with the environment and in the folder of the instance.
    pub(crate) fn waits_of(&self, service: &Service<'_>, whom: Whom) -> Vec<String> {
        let calls = self.calls(service, whom);
        if calls.is_empty() { calls } else { [vec![PM_WAIT.to_owned()], calls].concat() }
    }

    /// As [`Self::waits_of`], on one line.
    pub(crate) fn wait_line(&self, service: &Service<'_>, whom: Whom) -> Option<String> {
        let waits = self.waits_of(service, whom);
        (!waits.is_empty()).then(|| one_line(&waits))
    }

    /// Returns a command behind what waits for its needs, on one line.
    pub(crate) fn behind_waits(&self, service: &Service<'_>, whom: Whom, command: &str) -> String {
        match self.wait_line(service, whom) {
            None => command.to_owned(),
            Some(waits) => format!("{waits}; exec /bin/sh -c {}", sh::word(command)),
        }
    }

    /// Returns the seconds that [`Self::waits_of`] may take.
    pub(crate) fn outside_seconds(&self, service: &Service<'_>) -> u64 {
        let outside = self.outside_of(service);
        outside.iter().map(|instance| instance.service.ready_seconds()).sum()
    }

    /// Returns one line of shell that waits for what a type depends on, where each type has a host of its own, which
    /// `host` names, and one port that others reach.
    pub(crate) fn waits_for_hosts(
        &self,
        service: &Service<'_>,
        host: impl Fn(&Service<'_>) -> Option<String>,
    ) -> Option<String> {
        let mut calls = vec![PM_WAIT.to_owned()];
        for need in self.needs_of(service) {
            let Some(host) = host(need.service).filter(|_| need.milestone == Milestone::Ready)
            else {
                continue;
            };
            let of = need.service;
            let asks = of.policy.ready_probes().filter_map(|probe| match probe {
                Probe::Http(http) if http.authority.is_none() && of.open_port() == of.port() => {
                    Some(http_ask(http, &format!("{host}:{}", of.port())))
                }
                _ => None,
            });
            // What is not ready by its other probes is not reached there either.
            let port = format!("port {} {host}", of.open_port());
            for ask in [port].into_iter().chain(asks) {
                calls.push(call(of, &ask));
            }
        }
        calls.extend(self.calls(service, Whom::OutsideOfContainer));
        (calls.len() > 1).then(|| one_line(&calls))
    }

    /// Returns the calls of `pm_wait`, each once.
    pub(crate) fn calls(&self, service: &Service<'_>, whom: Whom) -> Vec<String> {
        let mut calls = Vec::new();
        let mut add = |call: String| {
            if !calls.contains(&call) {
                calls.push(call);
            }
        };
        let needs = if whom == Whom::All { self.needs_of(service) } else { Vec::new() };
        for need in needs {
            match need.milestone {
                Milestone::Ready => {
                    let asks = need.instances.iter().flat_map(|one| asks(one, Asker::Other));
                    asks.for_each(|ask| add(call(need.service, &ask)));
                }
                // It is started when what it depends on itself is there.
                Milestone::Started => self.calls(need.service, whom).into_iter().for_each(&mut add),
                Milestone::Done => {}
            }
        }
        for instance in self.outside_of(service) {
            let probes = instance.service.policy.ready_probes();
            for probe in probes.filter(|probe| probe.works_from_outside()) {
                let asker = match whom {
                    Whom::All | Whom::Outside => Asker::Other,
                    Whom::OutsideOfContainer if is_elsewhere(probe) => Asker::Contained(&self.root),
                    Whom::OutsideOfContainer => continue,
                };
                let ask = ask(&instance, probe, asker);
                ask.into_iter().for_each(|ask| add(call(instance.service, &ask)));
            }
        }
        calls
    }
}

impl Instance<'_> {
    /// Returns one line of shell that waits until this instance is ready, where it can be asked; it runs with the
    /// environment and in the folder of the instance.
    pub(crate) fn becomes_ready(&self, otherwise: Otherwise) -> Option<String> {
        let process = match otherwise {
            // As systemd says it to what runs after the start.
            Otherwise::Fail => "pm_pid=$MAINPID",
            Otherwise::End => "pm_pid=$!",
            Otherwise::AskAgain => UPSTART_PID,
        };
        let mut calls = vec![format!("{process}; {PM_WAIT}")];
        calls.extend(self.service.delay_seconds().map(|seconds| format!("sleep {seconds}")));
        let seconds = self.service.ready_seconds();
        calls.extend(asks(self, Asker::Itself).map(|ask| match otherwise {
            Otherwise::Fail => format!("pm_wait {seconds} {ask} || exit 1"),
            Otherwise::End => {
                format!("pm_wait {seconds} {ask} || {{ kill \"$pm_pid\"; exit 1; }}")
            }
            Otherwise::AskAgain => format!(
                "until pm_wait {seconds} {ask}; do kill -0 \"${{pm_pid:-none}}\" || exit 1; done"
            ),
        }));
        match calls.as_slice() {
            [_] => None,
            // Nothing is asked, and the function would only be in the way.
            [_, sleep] if sleep.starts_with("sleep ") => Some(sleep.clone()),
            _ => Some(one_line(&calls)),
        }
    }

    /// Returns the arguments of `pm_wait` for a probe that this instance asks of itself, where it can be asked.
    pub(crate) fn ask_itself(&self, probe: &Probe) -> Option<String> {
        ask(self, probe, Asker::Itself)
    }

    /// Returns one line of shell that asks once whether this instance is ready, where it can be asked.
    pub(crate) fn is_ready(&self) -> Option<String> {
        self.asks_once(self.service.policy.ready_probes())
    }

    /// Returns one line of shell that asks these once, where one of them can be asked.
    pub(crate) fn asks_once<'a>(
        &self,
        probes: impl IntoIterator<Item = &'a Probe>,
    ) -> Option<String> {
        let asks = probes.into_iter().filter_map(|probe| ask(self, probe, Asker::Itself));
        let calls = asks.map(|ask| format!("pm_wait 0 {ask} || exit 1"));
        let calls: Vec<String> = [PM_WAIT.to_owned()].into_iter().chain(calls).collect();
        (calls.len() > 1).then(|| one_line(&calls))
    }
}

/// Returns the call that waits for one answer of a type, as long as that may take to be ready.
fn call(of: &Service<'_>, ask: &str) -> String {
    format!("pm_wait {} {ask} || exit 1", of.ready_seconds())
}
