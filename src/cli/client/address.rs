//! `pm url`, `pm port`: where an instance of the running session is to be found.

use schemars::JsonSchema;
use serde::Serialize;

use super::args::AddressArgs;
use super::{find, start};
use crate::app::nearest::nearest;
use crate::app::{InstanceId, ports, siblings};
use crate::cli::json::CommandAnswer;
use crate::cli::sources::Sources;
use crate::control::proto::Report;
use crate::error::Error;

/// Which part of an address a person gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::cli) enum AddressPart {
    /// `http://localhost:5000`
    Url,
    /// `5000`
    Port,
}

/// What `pm url` and `pm port` have to say.
#[derive(Debug)]
pub(in crate::cli) struct AddressAnswer {
    part: AddressPart,
    object: AddressObject,
}

/// `pm url`, `pm port`
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Address")]
pub(in crate::cli) struct AddressObject {
    /// The instance: `web.1`; `web`, where all its instances have one address.
    name: String,
    /// Its PORT, or that of the proxy.
    port: u16,
    /// Its address on this machine.
    url: String,
}

impl CommandAnswer for AddressAnswer {
    type Object = AddressObject;

    fn text(&self) -> Vec<u8> {
        let AddressObject { port, url, .. } = &self.object;
        match self.part {
            AddressPart::Url => format!("{url}\n"),
            AddressPart::Port => format!("{port}\n"),
        }
        .into_bytes()
    }

    fn object(self) -> AddressObject {
        self.object
    }
}

/// Returns the address of an instance.
pub(in crate::cli) fn address(
    args: &AddressArgs,
    part: AddressPart,
    sources: &Sources,
) -> Result<AddressAnswer, Error> {
    let session = find::one(&args.target, sources, args.name.as_slice(), knows)?;
    let (name, port) = match &args.name {
        Some(name) => of_name(&session.report, name)?,
        None => of_first(&session.report)?,
    };
    Ok(AddressAnswer { part, object: AddressObject { name, port, url: siblings::url(port) } })
}

fn knows(report: &Report, names: &[String]) -> bool {
    names.iter().all(|name| of_name(report, name).is_ok())
}

/// Returns the first process type that runs: all its instances where they have one address, else the first of them.
fn of_first(report: &Report) -> Result<(String, u16), Error> {
    let mut up = report.instances.iter().filter(|instance| !start::is_down(instance.state));
    let found = up.find_map(|instance| {
        of_proxy(report, instance.process_type())
            .or_else(|| Some((instance.name.clone(), instance.port?)))
    });
    found.ok_or_else(|| Error::Refused {
        reason: format!("no instance is running in the session of pid {}", report.session),
        hint: Some("name a process type".to_owned()),
    })
}

/// Returns the one address of all instances of a type, where it has one.
fn of_proxy(report: &Report, name: &str) -> Option<(String, u16)> {
    let proxy = report.proxies.iter().find(|proxy| proxy.name == name)?;
    Some((proxy.name.clone(), proxy.port))
}

/// Returns the instance of this name, or the process type, which need not run: all its instances where they have one
/// address, else the first of them.
fn of_name(report: &Report, name: &str) -> Result<(String, u16), Error> {
    if let Some(instance) = report.instances.iter().find(|instance| instance.name == name) {
        let port = instance.port.ok_or_else(|| no_port(name))?;
        return Ok((instance.name.clone(), port));
    }
    if let Some(found) = of_proxy(report, name) {
        return Ok(found);
    }
    let Some(at) = report.types.iter().position(|known| known == name) else {
        let hint = match nearest(name, report.types.iter().map(String::as_str)) {
            Some(nearest) => format!("did you mean `{nearest}`?"),
            None => format!("it has: {}", report.types.join(", ")),
        };
        let reason = format!("no process type or instance `{name}` in this session");
        return Err(Error::UnknownName { reason, hint: Some(hint) });
    };
    let process_type = u16::try_from(at).map_err(|_| no_port(name))?;
    let port =
        report.base.and_then(|base| ports::port(base, InstanceId { process_type, number: 1 }));
    Ok((format!("{name}.1"), port.ok_or_else(|| no_port(name))?))
}

fn no_port(name: &str) -> Error {
    Error::Refused { reason: format!("`{name}` has no port"), hint: None }
}
