//! What an instance waits for, as every format can say it: whom it depends on, and shell text that asks whether
//! something is ready.

use serde_json::{Value, json};

use super::context::{Export, Instance, Service, whole_seconds};
use super::quote::sh;
use crate::app::dependencies::Milestone;
use crate::app::readiness::{HttpProbe, Probe};
use crate::app::{OnDependencyRestart, Role};

/// Asks until the answer is yes, at most for as long as its first argument says; with 0 it asks once. It uses what a
/// machine has: bash, nc or python3 for a port, curl, wget or python3 for HTTP.
const PM_WAIT: &str = r#"pm_wait() {
  pm_end=$(($(date +%s) + $1));
  until case $2 in
    port) bash -c ': <"/dev/tcp/$1/$0"' "$3" "${4:-localhost}" || nc -z "${4:-localhost}" "$3" || python3 -c 'import socket,sys; socket.create_connection((sys.argv[2],int(sys.argv[1])),2)' "$3" "${4:-localhost}";;
    http) if command -v curl; then pm_code=$(curl -s -o /dev/null -m 2 -w '%{http_code}' "$3");
      elif command -v python3; then pm_code=$(python3 -c 'import http.client,sys; c=http.client.HTTPConnection(sys.argv[1],timeout=2); c.request("GET",sys.argv[2]); print(c.getresponse().status)' "$5" "$6");
      else wget -q -T 2 -O /dev/null "$3" && pm_code=200 || pm_code=; fi;
      if [ -n "$4" ]; then case " $4 " in *" $pm_code "*) true;; *) false;; esac; else case $pm_code in [23]??) true;; *) false;; esac; fi;;
    cmd) if command -v timeout; then timeout 5 /bin/sh -c "$3"; else /bin/sh -c "$3"; fi;;
  esac >/dev/null 2>&1; do
    [ "$(date +%s)" -lt "$pm_end" ] || { echo "pm_wait: not ready: $2 $3" >&2; return 1; };
    sleep 1;
  done;
}"#;

/// Whose environment and folder the shell has that asks.
#[derive(Clone, Copy)]
enum Asker {
    Itself,
    Other,
}

/// Something that an instance depends on.
pub(crate) struct Need<'s> {
    /// Its type.
    pub(crate) service: &'s Service<'s>,
    /// Which of its instances.
    pub(crate) instances: Vec<Instance<'s>>,
    /// What they must have reached.
    pub(crate) milestone: Milestone,
}

impl Need<'_> {
    /// Returns whether its end is waited for.
    pub(crate) fn is_done(&self) -> bool {
        self.milestone == Milestone::Done
    }
}

impl<'a> Export<'a> {
    /// Returns what a type depends on, without what is not exported. `release` is not among it: it runs before all.
    pub(crate) fn needs_of<'s>(&'s self, service: &Service<'_>) -> Vec<Need<'s>>
    where
        'a: 's,
    {
        let mut needs = Vec::new();
        for need in &service.policy.depends_on {
            let found = self.services.iter().find(|other| other.position == need.process_type);
            let Some(found) = found else { continue };
            let is_meant = |number: usize| need.number.is_none_or(|n| usize::from(n) == number);
            let all = (1..).zip(self.instances_of(found));
            let instances: Vec<_> =
                all.filter(|(number, _)| is_meant(*number)).map(|(_, one)| one).collect();
            if !instances.is_empty() {
                needs.push(Need { service: found, instances, milestone: need.milestone });
            }
        }
        needs
    }

    /// Returns shell lines that wait for what an instance depends on, the function that they call first; none where
    /// nothing can be asked. They run with the environment and in the folder of the instance.
    pub(crate) fn waits_of(&self, service: &Service<'_>) -> Vec<String> {
        let mut calls = Vec::new();
        for need in self.needs_of(service) {
            if need.milestone != Milestone::Ready {
                continue;
            }
            for instance in &need.instances {
                for ask in asks(instance, Asker::Other) {
                    let wait = format!("pm_wait {} {ask} || exit 1", need.service.ready_seconds());
                    if !calls.contains(&wait) {
                        calls.push(wait);
                    }
                }
            }
        }
        if !calls.is_empty() {
            calls.insert(0, PM_WAIT.to_owned());
        }
        calls
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
                calls.push(format!("pm_wait {} {ask} || exit 1", of.ready_seconds()));
            }
        }
        (calls.len() > 1).then(|| one_line(&calls))
    }

    /// Returns a command behind what waits for its needs, on one line.
    pub(crate) fn behind_waits(&self, service: &Service<'_>, command: &str) -> String {
        match self.wait_line(service) {
            None => command.to_owned(),
            Some(waits) => format!("{waits}; exec /bin/sh -c {}", sh::word(command)),
        }
    }

    /// As [`Self::waits_of`], on one line.
    pub(crate) fn wait_line(&self, service: &Service<'_>) -> Option<String> {
        let waits = self.waits_of(service);
        (!waits.is_empty()).then(|| one_line(&waits))
    }
}

impl Instance<'_> {
    /// Returns one line of shell that waits until this instance is ready, where it can be asked; it runs with the
    /// environment and in the folder of the instance.
    pub(crate) fn becomes_ready(&self) -> Option<String> {
        let mut calls = vec![PM_WAIT.to_owned()];
        for probe in self.service.policy.ready_probes() {
            if let Probe::Delay(time) = probe {
                calls.push(format!("sleep {}", whole_seconds(*time)));
            }
        }
        let seconds = self.service.ready_seconds();
        calls.extend(
            asks(self, Asker::Itself).map(|ask| format!("pm_wait {seconds} {ask} || exit 1")),
        );
        (calls.len() > 1).then(|| one_line(&calls))
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

impl Service<'_> {
    /// Returns the seconds that it may take to be ready.
    pub(crate) fn ready_seconds(&self) -> u64 {
        self.policy.ready.as_ref().map_or(1, |ready| whole_seconds(ready.timeout))
    }

    /// Returns the one port that other containers reach: what `ready` names where its command does not name PORT.
    pub(crate) fn open_port(&self) -> u16 {
        let named = self.policy.ready_probes().find_map(|probe| match probe {
            Probe::Port(port) => *port,
            _ => None,
        });
        named.filter(|_| !self.listens).unwrap_or_else(|| self.port())
    }

    /// Returns whether others connect to its [`Self::open_port`].
    pub(crate) fn has_open_port(&self) -> bool {
        let asks_itself = |probe: &Probe| match probe {
            Probe::Port(_) => true,
            Probe::Http(http) => http.authority.is_none(),
            _ => false,
        };
        self.listens || self.policy.ready_probes().any(asks_itself)
    }

    /// Returns whether it is to end by itself.
    pub(crate) fn is_once(&self) -> bool {
        self.policy.role == Role::Once
    }

    /// Returns whether it follows a restart of what it depends on.
    pub(crate) fn follows_restarts(&self) -> bool {
        self.policy.on_dependency_restart == OnDependencyRestart::Restart
    }

    /// Returns how often it is asked whether it is alive, and how many failures in a row count.
    pub(crate) fn check(&self) -> Value {
        let live = self.policy.live.as_ref();
        json!({
            "interval": live.map_or(10, |live| whole_seconds(live.interval)),
            "failures": live.map_or(3, |live| live.failures),
        })
    }
}

/// Joins commands with `;`, the function's lines with blanks.
fn one_line(calls: &[String]) -> String {
    let function = PM_WAIT.lines().map(str::trim_start).collect::<Vec<_>>().join(" ");
    calls.join("; ").replacen(PM_WAIT, &function, 1)
}

fn asks(instance: &Instance<'_>, asker: Asker) -> impl Iterator<Item = String> {
    instance.service.policy.ready_probes().filter_map(move |probe| ask(instance, probe, asker))
}

/// Returns the arguments of `pm_wait` for a probe that can be asked from outside. Another type has
/// another folder and PORT.
fn ask(instance: &Instance<'_>, probe: &Probe, asker: Asker) -> Option<String> {
    let service = instance.service;
    match probe {
        Probe::Port(port) => Some(match port {
            Some(port) => format!("port {port}"),
            None => format!("port {}", instance.port),
        }),
        Probe::Http(http) => Some(http_ask(http, &format!("localhost:{}", instance.port))),
        Probe::Command(command) => Some(match asker {
            Asker::Itself => format!("cmd {}", sh::word(command)),
            Asker::Other => {
                let (folder, command) = (sh::word(&service.folder), sh::word(command));
                let (port, name) = (&instance.port, &instance.name);
                let there =
                    format!("cd {folder} && PORT={port} PS={name} exec /bin/sh -c {command}");
                format!("cmd {}", sh::word(&there))
            }
        }),
        Probe::Log(_) | Probe::Notify | Probe::Delay(_) => None,
    }
}

fn http_ask(http: &HttpProbe, own: &str) -> String {
    let authority = match &http.authority {
        Some(authority) => authority.to_string(),
        None => own.to_owned(),
    };
    let codes: Vec<String> = http.codes.iter().map(u16::to_string).collect();
    format!(
        "http {} {} {} {}",
        sh::word(&format!("http://{authority}{}", http.path)),
        sh::word(&codes.join(" ")),
        sh::word(&authority),
        sh::word(&http.path)
    )
}
