//! The kinds of values that say where a front listens.

use std::fmt;
use std::net::IpAddr;

use serde::de::{self, Deserializer, Visitor};
use serde_json::{Value as Json, json};

use super::{Invalid, Takes, Value, refusal};
use crate::app::ports;

/// Whether a process type has a front, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProxyChoice {
    /// It has none.
    Off,
    /// On the type's first port.
    On,
    /// On this port.
    Port(u16),
    /// Where the type serves: what bare `--proxy` says of all types.
    IfServing,
}

/// How [`ProxyChoice::IfServing`] is written.
const IF_SERVING: &str = "auto";

/// The name of a type alone is `on` for it.
impl Value for ProxyChoice {
    const TAKES: Takes = Takes::Nothing;

    fn parse(text: &str) -> Result<Self, Invalid> {
        match text.trim() {
            "true" | "on" | "yes" => Ok(Self::On),
            "false" | "off" | "no" => Ok(Self::Off),
            IF_SERVING => Ok(Self::IfServing),
            text => {
                ports::parse(text).map(Self::Port).ok_or_else(|| Invalid::Port(text.to_owned()))
            }
        }
    }

    fn show(&self) -> String {
        match self {
            Self::Off => "off".to_owned(),
            Self::On => "on".to_owned(),
            Self::Port(port) => port.to_string(),
            Self::IfServing => IF_SERVING.to_owned(),
        }
    }

    fn schema() -> Json {
        json!({ "anyOf": [{ "type": "boolean" }, { "type": "integer", "minimum": 1, "maximum": u16::MAX }] })
    }

    fn from_toml<'de, D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(ProxyVisitor)
    }
}

struct ProxyVisitor;

impl Visitor<'_> for ProxyVisitor {
    type Value = ProxyChoice;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("true, false or a port")
    }

    fn visit_bool<E: de::Error>(self, is_on: bool) -> Result<ProxyChoice, E> {
        Ok(if is_on { ProxyChoice::On } else { ProxyChoice::Off })
    }

    fn visit_i64<E: de::Error>(self, port: i64) -> Result<ProxyChoice, E> {
        ProxyChoice::parse(&port.to_string()).map_err(|invalid| refusal(&invalid))
    }
}

impl Value for IpAddr {
    fn parse(text: &str) -> Result<Self, Invalid> {
        text.trim().parse().map_err(|_| {
            let reason = format!("`{text}` is not an IP address, such as `0.0.0.0` or `::1`");
            Invalid::Other(reason)
        })
    }

    fn show(&self) -> String {
        self.to_string()
    }

    fn schema() -> Json {
        String::schema()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proxy_is_there_or_not_or_on_a_port() {
        for (text, expected) in [
            ("true", Ok(ProxyChoice::On)),
            ("off", Ok(ProxyChoice::Off)),
            ("auto", Ok(ProxyChoice::IfServing)),
            ("8080", Ok(ProxyChoice::Port(8080))),
            ("0", Err("`0` is not a port number")),
            ("70000", Err("`70000` is not a port number")),
            ("web", Err("`web` is not a port number")),
        ] {
            let read = ProxyChoice::parse(text).map_err(|invalid| invalid.to_string());
            assert_eq!(read, expected.map_err(str::to_owned), "{text}");
        }
    }
}
