//! A judge of JSON by a schema, for the part of JSON Schema that `pm schema` uses. It is stricter than the standard: what a
//! schema does not describe is a fault, and so is a keyword that this judge does not know.

use serde_json::{Map, Value};

/// Returns the faults of a value by a schema.
pub(crate) fn faults(schema: &Value, value: &Value) -> Vec<String> {
    let judge = Judge { definitions: &schema["$defs"] };
    judge.faults(schema, value, "$")
}

struct Judge<'a> {
    definitions: &'a Value,
}

impl Judge<'_> {
    fn faults(&self, schema: &Value, value: &Value, at: &str) -> Vec<String> {
        let Some(keywords) = schema.as_object() else {
            return if schema == &Value::Bool(true) {
                Vec::new()
            } else {
                vec![format!("{at} is not allowed")]
            };
        };
        let mut faults = self.own_faults(keywords, value, at);
        if let Value::Object(fields) = value {
            let described = self.described(schema);
            let unknown = fields.keys().filter(|key| !described.allows(key));
            faults.extend(unknown.map(|key| format!("{at}.{key} is not described")));
        }
        faults
    }

    /// Returns the faults by each keyword, but not what no keyword describes.
    fn own_faults(&self, keywords: &Map<String, Value>, value: &Value, at: &str) -> Vec<String> {
        let mut faults = Vec::new();
        for (keyword, rule) in keywords {
            match keyword.as_str() {
                "$schema" | "$defs" | "title" | "description" | "format" | "default" => {}
                "type" if !is_of_type(rule, value) => {
                    faults.push(format!("{at} is no {rule}: {value}"));
                }
                "const" if value != rule => faults.push(format!("{at} is not {rule}: {value}")),
                "enum" if !rule.as_array().is_some_and(|all| all.contains(value)) => {
                    faults.push(format!("{at} is none of {rule}: {value}"));
                }
                "minimum" if value.is_number() && value.as_f64() < rule.as_f64() => {
                    faults.push(format!("{at} is below {rule}: {value}"));
                }
                "maximum" if value.is_number() && value.as_f64() > rule.as_f64() => {
                    faults.push(format!("{at} is over {rule}: {value}"));
                }
                "type" | "const" | "enum" | "minimum" | "maximum" | "additionalProperties" => {}
                "$ref" => faults.extend(self.own_faults(self.definition(rule), value, at)),
                "anyOf" | "oneOf" => faults.extend(self.choice(keyword, rule, value, at)),
                "required" => {
                    let keys = rule.as_array().into_iter().flatten().filter_map(Value::as_str);
                    let missing = keys.filter(|key| value.is_object() && value.get(key).is_none());
                    faults.extend(missing.map(|key| format!("{at} has no {key}")));
                }
                "properties" => {
                    for (key, schema) in rule.as_object().into_iter().flatten() {
                        if let Some(value) = value.get(key) {
                            faults.extend(self.faults(schema, value, &format!("{at}.{key}")));
                        }
                    }
                }
                "items" => {
                    for (n, value) in value.as_array().into_iter().flatten().enumerate() {
                        faults.extend(self.faults(rule, value, &format!("{at}[{n}]")));
                    }
                }
                other => faults.push(format!("{at}: the judge does not know `{other}`")),
            }
        }
        if let (Some(rule), Value::Object(fields)) = (keywords.get("additionalProperties"), value) {
            let known = keywords.get("properties").and_then(Value::as_object);
            for (key, value) in fields {
                if !known.is_some_and(|known| known.contains_key(key)) {
                    faults.extend(self.faults(rule, value, &format!("{at}.{key}")));
                }
            }
        }
        faults
    }

    fn choice(&self, keyword: &str, rule: &Value, value: &Value, at: &str) -> Vec<String> {
        let all: Vec<_> = rule
            .as_array()
            .into_iter()
            .flatten()
            // What the keywords beside it describe is no fault here.
            .map(|schema| match schema.as_object() {
                Some(keywords) => self.own_faults(keywords, value, at),
                None => self.faults(schema, value, at),
            })
            .collect();
        match all.iter().filter(|faults| faults.is_empty()).count() {
            0 => all.into_iter().min_by_key(Vec::len).unwrap_or_default(),
            1 => Vec::new(),
            _ if keyword == "anyOf" => Vec::new(),
            _ => vec![format!("{at} fits more than one of oneOf")],
        }
    }

    fn definition(&self, reference: &Value) -> &Map<String, Value> {
        let name = reference.as_str().and_then(|text| text.strip_prefix("#/$defs/"));
        let schema = name.and_then(|name| self.definitions.get(name)).and_then(Value::as_object);
        schema.unwrap_or_else(|| panic!("there is no {reference}"))
    }

    /// Returns which keys a schema describes, by whatever of its keywords.
    fn described(&self, schema: &Value) -> Described {
        let mut described = Described::default();
        let Some(keywords) = schema.as_object() else {
            return Described { all: true, ..described };
        };
        if let Some(reference) = keywords.get("$ref") {
            let definition = Value::Object(self.definition(reference).clone());
            described.add(self.described(&definition));
        }
        for keyword in ["anyOf", "oneOf"] {
            for schema in keywords.get(keyword).and_then(Value::as_array).into_iter().flatten() {
                described.add(self.described(schema));
            }
        }
        let properties = keywords.get("properties").and_then(Value::as_object);
        described.keys.extend(properties.into_iter().flat_map(Map::keys).cloned());
        described.all |=
            keywords.get("additionalProperties").is_some_and(|rule| rule != &Value::Bool(false));
        described
    }
}

#[derive(Default)]
struct Described {
    keys: Vec<String>,
    all: bool,
}

impl Described {
    fn add(&mut self, other: Self) {
        self.keys.extend(other.keys);
        self.all |= other.all;
    }

    fn allows(&self, key: &String) -> bool {
        self.all || self.keys.contains(key)
    }
}

fn is_of_type(rule: &Value, value: &Value) -> bool {
    let fits = |name: &Value| match name.as_str().unwrap_or_default() {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        "number" => value.is_number(),
        "integer" => value.is_i64() || value.is_u64(),
        other => panic!("`{other}` is no type"),
    };
    rule.as_array().map_or_else(|| fits(rule), |names| names.iter().any(fits))
}

#[test]
fn the_judge_finds_what_is_missing_too_much_or_of_another_kind() {
    let schema = serde_json::json!({
        "anyOf": [{ "$ref": "#/$defs/One" }],
        "$defs": { "One": {
            "type": "object",
            "properties": { "v": { "const": 1 }, "name": { "type": ["string", "null"] }, "n": { "type": "integer", "minimum": 0 } },
            "required": ["v", "name"],
        } },
    });
    for (value, count) in [
        (serde_json::json!({ "v": 1, "name": null, "n": 3 }), 0),
        (serde_json::json!({ "v": 2, "name": "a" }), 1),
        (serde_json::json!({ "v": 1 }), 1),
        (serde_json::json!({ "v": 1, "name": 7, "n": -1 }), 2),
        (serde_json::json!({ "v": 1, "name": "a", "more": 1 }), 1),
        (serde_json::json!([]), 1),
    ] {
        assert_eq!(faults(&schema, &value).len(), count, "{value}: {:?}", faults(&schema, &value));
    }
    let unknown = serde_json::json!({ "pattern": "^a" });
    assert_eq!(faults(&unknown, &Value::Null).len(), 1);
}
