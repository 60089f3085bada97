//! The kind of value that says how a time is written.

use jiff::fmt::strtime;
use jiff::tz::TimeZone;
use serde::de::{Deserialize, Deserializer};
use serde_json::Value as Json;

use super::{Invalid, Value, refusal};

/// A format of a time, as in strftime(3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TimeFormat(pub String);

impl Value for TimeFormat {
    fn parse(text: &str) -> Result<Self, Invalid> {
        let any_time = jiff::Timestamp::UNIX_EPOCH.to_zoned_datetime(TimeZone::UTC);
        match strtime::format(text, &any_time) {
            Ok(_) => Ok(Self(text.to_owned())),
            Err(error) => {
                Err(Invalid::TimeFormat { text: text.to_owned(), reason: error.to_string() })
            }
        }
    }

    fn show(&self) -> String {
        self.0.clone()
    }

    fn schema() -> Json {
        String::schema()
    }

    fn from_toml<'de, D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(from)?).map_err(|invalid| refusal(&invalid))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_format_is_what_strftime_reads() {
        for text in ["%H:%M:%S", "[%Z]", "%s", "", "plain", "100 %%"] {
            assert_eq!(TimeFormat::parse(text), Ok(TimeFormat(text.to_owned())));
        }
        for text in ["%", "%H:%"] {
            let refused = TimeFormat::parse(text).unwrap_err();
            let said = refused.to_string();
            assert!(said.starts_with(&format!("`{text}` is not a valid time format: ")), "{said}");
            assert!(refused.hint().is_some());
        }
    }
}
