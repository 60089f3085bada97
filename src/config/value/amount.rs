//! A number of bytes that may be nothing.

use serde_json::{Value as Json, json};

use super::{Invalid, Value};
use crate::app::Size;

/// A number of bytes, written as `32M`; `0` stands for none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Amount(pub u64);

impl Value for Amount {
    fn parse(text: &str) -> Result<Self, Invalid> {
        if text.trim() == "0" {
            return Ok(Self(0));
        }
        match Size::parse(text) {
            Ok(size) => Ok(Self(size.bytes())),
            Err(_) => Err(Invalid::DiskSpace(text.to_owned())),
        }
    }

    fn show(&self) -> String {
        let units = [("T", 40), ("G", 30), ("M", 20), ("K", 10)];
        let whole = |(_, bits): &(&str, u32)| self.0.trailing_zeros() >= *bits;
        match units.iter().find(|unit| whole(unit)) {
            _ if self.0 == 0 => "0".to_owned(),
            Some((letter, bits)) => format!("{}{letter}", self.0 >> bits),
            None => format!("{}B", self.0),
        }
    }

    fn schema() -> Json {
        let mut schema = Size::schema();
        if let Some(schema) = schema.as_object_mut() {
            schema.remove("exclusiveMinimum");
            schema.insert("minimum".to_owned(), json!(0));
        }
        schema
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_amount_is_a_size_or_nothing() {
        for (text, bytes, shown) in [
            ("32M", 32 << 20, "32M"),
            ("1.5k", 1536, "1536B"),
            ("3g", 3 << 30, "3G"),
            ("0", 0, "0"),
        ] {
            let amount = Amount::parse(text).unwrap();
            assert_eq!((amount.0, amount.show().as_str()), (bytes, shown), "{text}");
        }
        for text in ["", "0M", "-1", "much"] {
            assert!(Amount::parse(text).is_err(), "{text}");
        }
    }
}
