//! Whose name a client uses for the front: of one instance, of this machine, or of somebody else.

use std::net::{IpAddr, Ipv6Addr};

/// What the Host of a request is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HostName {
    /// `localhost`, a name below it, or an address of loopback. Only such a page can show lines of the application: any
    /// other name may be a stranger's, made to resolve to 127.0.0.1 (DNS rebinding).
    pub is_local: bool,
    /// `NAME.2.localhost` is for the second instance alone.
    pub number: Option<u16>,
}

/// Judges the value of a Host field, with or without a port. `name` is the process type of the front.
#[must_use]
pub fn host_name(host: &[u8], name: &str) -> HostName {
    let nobody = HostName { is_local: false, number: None };
    let Ok(host) = std::str::from_utf8(host) else { return nobody };
    if let Some(address) = host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        let is_local =
            address.0.parse::<Ipv6Addr>().is_ok_and(|ip| ip.to_canonical().is_loopback());
        return HostName { is_local, number: None };
    }
    let host = host.split(':').next().unwrap_or_default();
    let host = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
    if let Ok(ip) = host.parse::<IpAddr>() {
        return HostName { is_local: ip.is_loopback(), number: None };
    }
    let Some(below) = host.strip_suffix("localhost") else { return nobody };
    let Some(below) = below.strip_suffix('.') else {
        return HostName { is_local: below.is_empty(), number: None };
    };
    let instance = below.rsplit_once('.').filter(|(of, _)| of.eq_ignore_ascii_case(name));
    HostName { is_local: true, number: instance.and_then(|(_, number)| number.parse().ok()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn local_names_and_the_instance_that_one_means() {
        let cases = [
            ("localhost", true, None),
            ("LOCALHOST:5000", true, None),
            ("localhost.", true, None),
            ("web.2.localhost:5000", true, Some(2)),
            ("Web.12.localhost", true, Some(12)),
            ("web.localhost", true, None),
            ("api.2.localhost", true, None),
            ("2.localhost", true, None),
            ("web.x.localhost", true, None),
            ("127.0.0.1:80", true, None),
            ("127.3.2.1", true, None),
            ("[::1]:80", true, None),
            ("[::ffff:127.0.0.1]", true, None),
            ("[::2]", false, None),
            ("10.0.0.1", false, None),
            ("notlocalhost", false, None),
            ("localhost.example.com", false, None),
            ("example.com", false, None),
            ("127.0.0.1.example.com", false, None),
            ("web.2.localhost.example", false, None),
            ("", false, None),
        ];
        for (host, is_local, number) in cases {
            assert_eq!(host_name(host.as_bytes(), "web"), HostName { is_local, number }, "{host}");
        }
    }
}
