//! Shell text that asks whether something is ready: the function `pm_wait`, and its arguments for each probe.

use crate::app::readiness::{Authority, HttpProbe, Probe};
use crate::export::context::Instance;
use crate::export::quote::sh;

/// Asks until the answer is yes, at most for as long as its first argument says, and for as long as the process `pm_pid`
/// lives, if that is set; with 0 it asks once. It uses what a machine has: bash, nc or python3 for a port, curl, wget or python3 for HTTP.
pub(crate) const PM_WAIT: &str = r#"pm_wait() {
  pm_end=$(($(date +%s) + $1));
  until case $2 in
    port) bash -c ': <"/dev/tcp/$1/$0"' "$3" "${4:-localhost}" || nc -z "${4:-localhost}" "$3" || python3 -c 'import socket,sys; socket.create_connection((sys.argv[2],int(sys.argv[1])),2)' "$3" "${4:-localhost}";;
    http) if command -v curl; then pm_code=$(curl -s -o /dev/null -m 2 -w '%{http_code}' "$3");
      elif command -v python3; then pm_code=$(python3 -c 'import http.client,sys; c=http.client.HTTPConnection(sys.argv[1],timeout=2); c.request("GET",sys.argv[2]); print(c.getresponse().status)' "$5" "$6");
      else pm_code=$(wget -S -q -T 2 -O /dev/null "$3" 2>&1 | sed -n '/^ *HTTP/{s/^ *HTTP[^ ]* \([0-9]*\).*/\1/p;q;}'); fi;
      if [ -n "$4" ]; then case " $4 " in *" $pm_code "*) true;; *) false;; esac; else case $pm_code in [23]??) true;; *) false;; esac; fi;;
    cmd) if command -v timeout; then timeout 5 /bin/sh -c "$3"; else /bin/sh -c "$3"; fi;;
  esac >/dev/null 2>&1; do
    [ -z "$pm_pid" ] || kill -0 "$pm_pid" 2>/dev/null || { echo "pm_wait: it has ended" >&2; return 1; };
    [ "$(date +%s)" -lt "$pm_end" ] || { echo "pm_wait: not ready: $2 $3" >&2; return 1; };
    sleep 1;
  done;
}"#;

/// Whose environment and folder the shell has that asks.
#[derive(Clone, Copy)]
pub(super) enum Asker<'a> {
    /// The instance itself.
    Itself,
    /// Another one, on the same machine.
    Other,
    /// Another one, in a container; this is the application's folder.
    Contained(&'a str),
}

/// A host and a port as words of shell, for formats that learn them at run time.
#[derive(Clone, Copy)]
pub(crate) struct At<'a> {
    /// `"$host"`
    pub(crate) host: &'a str,
    /// `"$port"`
    pub(crate) port: &'a str,
}

/// Joins commands with `;`, the function's lines with spaces.
pub(crate) fn one_line(calls: &[String]) -> String {
    let function = PM_WAIT.lines().map(str::trim_start).collect::<Vec<_>>().join(" ");
    calls.join("; ").replacen(PM_WAIT, &function, 1)
}

/// Returns whether a probe asks what is not on the machine that asks, so that a container can ask it too.
pub(crate) fn is_elsewhere(probe: &Probe) -> bool {
    match probe {
        Probe::Http(http) => http.authority.as_ref().is_some_and(|authority| !is_here(authority)),
        Probe::Command(_) => true,
        Probe::Port(_) | Probe::Log(_) | Probe::Notify | Probe::Delay(_) => false,
    }
}

fn is_here(authority: &Authority) -> bool {
    let host = authority.host.as_str();
    let address = host.parse::<std::net::IpAddr>();
    host == "localhost" || address.is_ok_and(|ip| ip.is_loopback() || ip.is_unspecified())
}

/// Returns the arguments of `pm_wait` for each probe of an instance that can be asked.
pub(super) fn asks(instance: &Instance<'_>, asker: Asker<'_>) -> impl Iterator<Item = String> {
    instance.service.policy.ready_probes().filter_map(move |probe| ask(instance, probe, asker))
}

/// Returns the arguments of `pm_wait` for a probe that can be asked from outside. Another type has
/// another folder and PORT.
pub(super) fn ask(instance: &Instance<'_>, probe: &Probe, asker: Asker<'_>) -> Option<String> {
    let service = instance.service;
    match probe {
        Probe::Port(port) => Some(match port {
            Some(port) => format!("port {port}"),
            None => format!("port {}", instance.port),
        }),
        Probe::Http(http) => Some(http_ask(http, &format!("localhost:{}", instance.port))),
        Probe::Command(command) => {
            let folder = match asker {
                Asker::Itself => return Some(format!("cmd {}", sh::word(command))),
                Asker::Other => Some(sh::word(&service.folder)),
                Asker::Contained(root) => service.folder_below(root),
            };
            let folder = folder.map(|folder| format!("cd {folder} && ")).unwrap_or_default();
            let (port, name, command) = (&instance.port, &instance.name, sh::word(command));
            let there = format!("{folder}PORT={port} PS={name} exec /bin/sh -c {command}");
            Some(format!("cmd {}", sh::word(&there)))
        }
        Probe::Log(_) | Probe::Notify | Probe::Delay(_) => None,
    }
}

/// Returns the arguments of `pm_wait` for a request; `own` is where it goes unless it says so itself.
pub(super) fn http_ask(http: &HttpProbe, own: &str) -> String {
    let authority = match &http.authority {
        Some(authority) => authority.to_string(),
        None => own.to_owned(),
    };
    let url = sh::word(&format!("http://{authority}{}", http.path));
    request(http, &url, &sh::word(&authority))
}

/// As [`http_ask`], for an instance that is found at run time.
pub(crate) fn http_at(http: &HttpProbe, at: At<'_>) -> String {
    let authority = format!("{}:{}", at.host, at.port);
    request(http, &format!("http://{authority}{}", sh::word(&http.path)), &authority)
}

/// Returns the arguments of `pm_wait` for a port of an instance that is found at run time.
pub(crate) fn port_at(at: At<'_>) -> String {
    format!("port {} {}", at.port, at.host)
}

fn request(http: &HttpProbe, url: &str, authority: &str) -> String {
    let codes: Vec<String> = http.codes.iter().map(u16::to_string).collect();
    format!("http {url} {} {authority} {}", sh::word(&codes.join(" ")), sh::word(&http.path))
}
