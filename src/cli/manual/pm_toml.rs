//! pm.toml(5), from the JSON schema of the file.

use clap_mangen::roff::{Roff, bold, italic, roman};
use serde_json::Value;

use crate::config::schema::{TABLES, schema};

/// Makes the page.
pub(super) fn page() -> String {
    // The schema is JSON, being made by serde_json.
    let schema: Value = serde_json::from_str(&schema()).unwrap_or_default();
    let mut roff = Roff::new();
    roff.control("SH", ["NAME"]);
    roff.text([roman("pm.toml - settings of a Procfile application for pm")]);
    roff.control("SH", ["DESCRIPTION"]);
    roff.text([
        bold("pm.toml"),
        roman(" in the application's root, or the file of --config, sets options of the session and of process \
               types. Flags and PM_ variables win over it, and it wins over .foreman. An unknown key, or \
               a type that is not in the Procfile, is an error with its position. "),
        bold("pm env --settings"),
        roman(" shows each setting and where it comes from."),
    ]);
    for (definition, heading, about) in TABLES {
        roff.control("SH", [heading]);
        roff.text([roman(about)]);
        let keys = &schema["definitions"][definition]["properties"];
        for (key, schema) in keys.as_object().into_iter().flatten() {
            roff.control("TP", []);
            roff.text([bold(key.as_str()), roman(" = "), italic(kind(schema))]);
            roff.text([roman(schema["description"].as_str().unwrap_or_default())]);
        }
    }
    super::title("pm.toml", 5) + &roff.to_roff() + include_str!("pm.toml.roff")
}

/// Says what a key's value is: `string`, `string or number`, `always | auto | never`.
fn kind(schema: &Value) -> String {
    let words = |value: &Value| -> Vec<String> {
        let words = value.as_array().into_iter().flatten().filter_map(Value::as_str);
        words.map(str::to_owned).collect()
    };
    if schema["enum"].is_array() {
        return words(&schema["enum"]).join(" | ");
    }
    if let Some(word) = schema["const"].as_str() {
        return word.to_owned();
    }
    if let Some(kinds) = schema["anyOf"].as_array() {
        return kinds.iter().map(kind).collect::<Vec<_>>().join(" or ");
    }
    match &schema["type"] {
        Value::String(name) if name == "array" => "array of strings".to_owned(),
        Value::String(name) if name == "object" => "table".to_owned(),
        Value::String(name) => name.clone(),
        types => words(types).join(" or "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_of_the_file_is_described_with_its_kind() {
        let page = page();
        for line in [
            r"\fBport\fR = \fIinteger or auto\fR",
            r"\fBmemory\fR = \fIstring or number\fR",
            r"\fBcolor\fR = \fIalways | auto | never\fR",
            r"\fBconcurrency\fR = \fIinteger or auto\fR",
            r"\fBstop\-signal\fR = ",
        ] {
            assert!(page.contains(line), "{line}\n{page}");
        }
        assert!(!page.contains(r"= \fI\fR"), "every kind is named\n{page}");
    }
}
