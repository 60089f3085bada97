//! What the table of settings says of pm.toml: its JSON schema, and an example with every key.

use serde_json::{Map, Value as Json, json};

use super::pm_toml::{of_defaults, of_process};
use super::spec::Spec;

/// The tables of the file: name in the schema, heading, what is said of it.
pub const TABLES: [(&str, &str, &str); 2] = [
    ("Defaults", "[defaults]", "Options of the session, and defaults of process types."),
    ("Process", "[process.NAME]", "Options of one process type of the Procfile."),
];

/// Where SchemaStore has the schema, once it is sent there (docs/packaging.md).
const ID: &str = "https://json.schemastore.org/procfile-pm.json";

/// Returns the JSON schema of pm.toml, with a newline at its end. Draft 7: the newest that the TOML plugins of
/// editors and SchemaStore know.
pub fn schema() -> String {
    let [(defaults, _, of_session), (process, _, of_type)] = TABLES;
    let schema = json!({
        "$schema": "http://json-schema.org/draft-07/schema#",
        "$id": ID,
        "title": "pm.toml",
        "description": "Settings of a Procfile application for pm. Flags and PM_* variables win over them.",
        "type": "object",
        "additionalProperties": false,
        "properties": {
            "defaults": { "description": of_session, "allOf": [{ "$ref": format!("#/definitions/{defaults}") }] },
            "process": {
                "description": of_type,
                "type": "object",
                "additionalProperties": { "$ref": format!("#/definitions/{process}") },
            },
        },
        "definitions": { defaults: table(of_defaults()), process: table(of_process()) },
    });
    format!("{schema:#}\n")
}

fn table(specs: impl Iterator<Item = &'static Spec>) -> Json {
    let mut properties = Map::new();
    for spec in specs {
        let mut schema = (spec.schema)();
        schema["description"] = spec.with_default(&spec.summary()).into();
        properties.insert(spec.key.to_owned(), schema);
    }
    json!({ "type": "object", "additionalProperties": false, "properties": properties })
}

/// Returns a pm.toml with every key, each under a comment that says what it is.
#[cfg(test)]
fn example() -> String {
    let mut text = String::from(
        "#:schema ../docs/pm.toml.schema.json\n\
         # Every key that pm.toml may have, with an example of its value. All are optional. A flag wins over a\n\
         # PM_* variable, that over pm.toml, and that over .foreman. `pm env --settings` shows each value and its origin.\n",
    );
    let keys = |text: &mut String, specs: &mut dyn Iterator<Item = &'static Spec>| {
        for spec in specs {
            let summary = spec.summary();
            let schema = (spec.schema)();
            let mut words =
                schema["enum"].as_array().into_iter().flatten().filter_map(Json::as_str);
            let list = words.clone().collect::<Vec<_>>().join(" | ");
            let list = match words.all(|word| summary.contains(word)) {
                true => String::new(),
                false => format!(": {list}"),
            };
            let default =
                spec.default.map(|text| format!(" [default: {text}]")).unwrap_or_default();
            let flag = spec.flag.map(|flag| format!(" [--{}]", flag.long)).unwrap_or_default();
            text.push_str(&format!(
                "# {summary}{list}{default}{flag}\n{} = {}\n",
                spec.key, spec.example
            ));
        }
    };
    text.push_str("\n# Options of the session, and defaults of process types.\n[defaults]\n");
    keys(&mut text, &mut of_defaults());
    text.push_str("\n# Options of the process type `web`.\n[process.web]\n");
    keys(&mut text, &mut of_process());
    text
}

/// Compares a file of the repository with what follows from definitions; `PM_BLESS=1` writes it.
#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "a test reads how it was called")]
pub(crate) fn is_current(path: &str, text: &str) {
    let file = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    if std::env::var_os("PM_BLESS").is_some() {
        std::fs::write(&file, text).unwrap();
    }
    let is = std::fs::read_to_string(&file).unwrap_or_default();
    let differs = is.lines().zip(text.lines()).find(|(is, should)| is != should);
    assert!(
        is == text,
        "`PM_BLESS=1 cargo test --lib` writes {path}; first difference: {differs:?}"
    );
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::config::pm_toml;

    #[test]
    fn the_schema_and_the_example_of_the_repository_follow_from_the_table() {
        is_current("docs/pm.toml.schema.json", &schema());
        is_current("examples/pm.toml", &example());
    }

    #[test]
    fn the_example_is_a_pm_toml_with_every_key() {
        let file = pm_toml::parse(&example(), Path::new("pm.toml")).unwrap();
        let keys = |lines: Vec<crate::config::SettingLine>| {
            lines.iter().map(|line| line.key).collect::<Vec<_>>()
        };
        let mut defaults = keys(file.layer.session.lines());
        defaults.extend(keys(file.layer.all.lines()));
        assert_eq!(defaults, of_defaults().map(|spec| spec.key).collect::<Vec<_>>());
        assert_eq!(
            keys(file.layer.types["web"].lines()),
            of_process().map(|spec| spec.key).collect::<Vec<_>>()
        );
    }

    #[test]
    fn the_schema_refuses_unknown_keys_and_lists_the_words() {
        let schema: Json = serde_json::from_str(&schema()).unwrap();
        assert_eq!(schema["additionalProperties"], json!(false));
        let process = &schema["definitions"]["Process"];
        assert_eq!(process["additionalProperties"], json!(false));
        assert_eq!(process["properties"]["gc"]["enum"], json!(["size", "speed"]));
        assert_eq!(process["properties"]["gc"]["type"], "string");
        assert_eq!(
            process["properties"]["max-restarts"]["description"],
            "Restarts in a row before an instance has failed for good [default: 5]"
        );
    }
}
