//! The kind of value that says where a shared socket listens.

use std::fmt;

use serde::de::{self, Deserializer, Visitor};
use serde_json::{Value as Json, json};

use super::{Invalid, Value};

/// The host of `true`.
const LOOPBACK: &str = "127.0.0.1";

/// The host of a socket that all instances share; `None`: they share none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SharedHost(pub Option<String>);

impl Value for SharedHost {
    fn parse(text: &str) -> Result<Self, Invalid> {
        match text {
            "true" | "on" => Ok(Self(Some(LOOPBACK.to_owned()))),
            "false" | "off" => Ok(Self(None)),
            _ if text.parse::<std::net::IpAddr>().is_ok() || text == "localhost" => {
                Ok(Self(Some(text.to_owned())))
            }
            _ => Err(Invalid::Other(format!("`{text}` is not an address of this machine"))),
        }
    }

    fn show(&self) -> String {
        self.0.clone().unwrap_or_else(|| "false".to_owned())
    }

    fn schema() -> Json {
        json!({ "type": ["boolean", "string"] })
    }

    fn from_toml<'de, D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(HostVisitor)
    }
}

struct HostVisitor;

impl Visitor<'_> for HostVisitor {
    type Value = SharedHost;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("true, false or an address such as \"127.0.0.1\"")
    }

    fn visit_bool<E: de::Error>(self, is_on: bool) -> Result<SharedHost, E> {
        Ok(SharedHost(is_on.then(|| LOOPBACK.to_owned())))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<SharedHost, E> {
        SharedHost::parse(text).map_err(E::custom)
    }
}
