//! The kind of value that says where a shared socket listens.

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
            _ => Err(Invalid::Other(format!(
                "`{text}` is not true, false or an address of this machine, such as `{LOOPBACK}`"
            ))),
        }
    }

    fn show(&self) -> String {
        self.0.clone().unwrap_or_else(|| "false".to_owned())
    }

    fn schema() -> Json {
        json!({ "type": ["boolean", "string"] })
    }
}
