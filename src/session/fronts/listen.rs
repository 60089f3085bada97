//! The sockets of a front.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};

use crate::app::Front;
use crate::app::lint::Holder;
use crate::os::listen;
use crate::os::port_owner::holder_of;

/// A front that cannot be opened.
#[derive(Debug)]
pub(crate) struct ClosedFront {
    name: String,
    /// Where; nothing if the proxy itself could not be started.
    address: Option<SocketAddr>,
    source: io::Error,
    holder: Option<Box<Holder>>,
}

impl ClosedFront {
    pub(super) fn no_thread(name: &str, source: io::Error) -> Self {
        Self { name: name.to_owned(), address: None, source, holder: None }
    }

    /// Returns the process type.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Returns what was tried and why it failed, for a person.
    pub(crate) fn reason(&self) -> String {
        let Self { name, address, source, holder } = self;
        match (address, holder) {
            (None, _) => format!("cannot start the proxy of `{name}`: {source}"),
            (Some(address), None) => {
                format!("cannot listen on {address} for the proxy of `{name}`: {source}")
            }
            (Some(address), Some(holder)) => {
                let who = holder.as_instance().unwrap_or_else(|| holder.to_string());
                format!("cannot listen on {address} for the proxy of `{name}`: {who} has the port")
            }
        }
    }

    /// Returns what to do about it.
    pub(crate) fn hint(&self) -> String {
        match self.holder {
            Some(_) => {
                "stop it, or choose another base with `-p`, or another port with `proxy = PORT`"
            }
            None => "choose another base with `-p`, or another port with `proxy = PORT`",
        }
        .to_owned()
    }
}

/// Listens where a front is to be: on both loopback addresses, or where it is bound to. A machine without IPv6 has the
/// first alone.
///
/// # Errors
/// One of the addresses cannot be had.
pub(super) fn listen(
    name: &str,
    front: &Front,
    port: u16,
) -> Result<Vec<TcpListener>, ClosedFront> {
    let loopback = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];
    let addresses = match front.bind {
        Some(address) => vec![address],
        None => loopback.to_vec(),
    };
    let mut listeners = Vec::new();
    for address in addresses {
        let address = SocketAddr::new(address, port);
        match listen::on(address) {
            Ok(listener) => listeners.push(listener),
            Err(error) if front.bind.is_none() && address.is_ipv6() && is_missing(&error) => {}
            Err(source) => {
                let (name, address) = (name.to_owned(), Some(address));
                let is_taken = source.kind() == io::ErrorKind::AddrInUse;
                let holder = is_taken.then(|| holder_of(port)).flatten().map(Box::new);
                return Err(ClosedFront { name, address, source, holder });
            }
        }
    }
    Ok(listeners)
}

/// Returns whether a machine has no such address at all.
fn is_missing(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(nix::libc::EAFNOSUPPORT | nix::libc::EADDRNOTAVAIL))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::os::listeners::Listeners;

    #[test]
    fn a_front_listens_on_both_loopback_addresses_or_where_it_is_bound() {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let on = |front: &Front| {
            let listeners = listen("web", front, port).unwrap();
            let addresses = listeners.iter().map(|one| one.local_addr().unwrap().ip().to_string());
            addresses.collect::<Vec<_>>()
        };
        let both = on(&Front::default());
        assert!(both == ["127.0.0.1", "::1"] || both == ["127.0.0.1"], "{both:?}");
        let bound = Front { bind: "127.0.0.2".parse().ok(), ..Front::default() };
        assert_eq!(on(&bound), ["127.0.0.2"]);
    }

    #[test]
    fn a_port_that_another_has_is_refused_with_its_holder() {
        let other = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = other.local_addr().unwrap().port();
        let error = listen("web", &Front::default(), port).unwrap_err();
        let reason = error.reason();
        let begin = format!("cannot listen on 127.0.0.1:{port} for the proxy of `web`: ");
        assert!(reason.starts_with(&begin), "{reason}");
        if Listeners::CAN_TELL {
            assert!(reason.contains(&std::process::id().to_string()), "{reason}");
        }
    }
}
