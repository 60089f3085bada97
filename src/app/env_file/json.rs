//! An env file that is one JSON object, as in node-foreman's manual: `{"a":{"b":1}}` is `A_B=1`.

use serde_json::{Map, Number, Value};

use super::{LineNote, NoteKind, Reading};

/// Reads a JSON object. `None` where the text is none: it is then read line by line, with a note
/// where it began like one.
pub(super) fn read(text: &str, notes: &mut Vec<LineNote>) -> Option<Vec<Reading>> {
    if !text.trim_start().starts_with('{') {
        return None;
    }
    match serde_json::from_str::<Map<String, Value>>(text) {
        Ok(object) => {
            let mut found = Flat { text, at: 0, line: 1, notes, readings: Vec::new() };
            for (key, value) in &object {
                found.member(None, key, value);
            }
            Some(found.readings)
        }
        Err(error) => {
            let line = error.line().max(1);
            let start = error.column().saturating_sub(1);
            let content = text.split('\n').nth(line - 1).unwrap_or_default();
            let start = (0..=start.min(content.len()))
                .rev()
                .find(|&at| content.is_char_boundary(at))
                .unwrap_or(0);
            let end = content[start..].chars().next().map_or(start, |c| start + c.len_utf8());
            // serde_json's own text ends with the place, which the note has already.
            let reason = error.to_string();
            let reason = reason.split(" at line ").next().unwrap_or_default();
            notes.push(LineNote {
                kind: NoteKind::Skipped,
                code: "not-json",
                line,
                span: start..end,
                message: format!("the file looks like JSON but is not valid: {reason}"),
                hint: Some("write one JSON object, or lines of KEY=VALUE".into()),
            });
            None
        }
    }
}

/// Walks the object in the order of the text, so that the line of each member can be found.
struct Flat<'a> {
    text: &'a str,
    /// Where in the text the last member was found, and its line.
    at: usize,
    line: usize,
    notes: &'a mut Vec<LineNote>,
    readings: Vec<Reading>,
}

impl Flat<'_> {
    /// Takes one member of an object or array: keys are joined with `_`, in upper case.
    fn member(&mut self, path: Option<&str>, name: &str, value: &Value) {
        self.seek(name);
        let name = name.to_uppercase();
        let key = path.map_or_else(|| name.clone(), |path| format!("{path}_{name}"));
        self.value(key, value);
    }

    fn value(&mut self, key: String, value: &Value) {
        let text = match value {
            Value::Null => return,
            Value::Bool(flag) => flag.to_string(),
            Value::Number(number) => as_javascript(number),
            Value::String(text) => text.clone(),
            Value::Array(items) => {
                for (index, item) in items.iter().enumerate() {
                    self.value(format!("{key}_{index}"), item);
                }
                return;
            }
            Value::Object(members) => {
                for (name, member) in members {
                    self.member(Some(&key), name, member);
                }
                return;
            }
        };
        if key.is_empty() || key.contains(['=', '\0']) {
            let line = self.text.split('\n').nth(self.line - 1).unwrap_or_default();
            let message = format!("skipped: {key:?} is not a valid name of a variable");
            self.notes.push(LineNote::skipped(self.line, 0..line.len(), message, None));
            return;
        }
        self.readings.push(Reading { key, value: text, raw: None, line: self.line });
    }

    /// Moves on to where this name stands in quotes before a colon. A name that is written with
    /// escapes is not found, and counts to the line of the member before it.
    fn seek(&mut self, name: &str) {
        let quoted = Value::from(name).to_string();
        let rest = &self.text[self.at..];
        let is_name = |at: &usize| rest[at + quoted.len()..].trim_start().starts_with(':');
        let Some(found) = rest.match_indices(&quoted).map(|(at, _)| at).find(is_name) else {
            return;
        };
        self.line += rest[..found].matches('\n').count();
        self.at += found;
    }
}

/// Prints a number as JavaScript does (ECMA-262, Number::toString): 1.0 is 1, 1e21 is 1e+21.
fn as_javascript(number: &Number) -> String {
    let Some(value) = number.as_f64() else { return number.to_string() };
    if value == 0.0 {
        return "0".into();
    }
    let shortest = format!("{:e}", value.abs());
    let (mantissa, exponent) = shortest.split_once('e').unwrap_or((&shortest, "0"));
    let digits = mantissa.replace('.', "");
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let count = i32::try_from(digits.len()).unwrap_or(i32::MAX);
    let zeros = |n: i32| "0".repeat(usize::try_from(n).unwrap_or(0));
    let text = match exponent {
        21.. | ..=-7 => format!("{mantissa}e{exponent:+}"),
        -6..=-1 => format!("0.{}{digits}", zeros(-exponent - 1)),
        _ if count <= exponent + 1 => format!("{digits}{}", zeros(exponent + 1 - count)),
        _ => {
            let (whole, fraction) = digits.split_at(usize::try_from(exponent + 1).unwrap_or(0));
            format!("{whole}.{fraction}")
        }
    };
    if value < 0.0 { format!("-{text}") } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_print_as_in_javascript() {
        let table = [
            ("1", "1"),
            ("1.0", "1"),
            ("-0", "0"),
            ("-0.0", "0"),
            ("0.1", "0.1"),
            ("-12.50", "-12.5"),
            ("1e3", "1000"),
            ("123456", "123456"),
            ("12345678901234567890", "12345678901234567000"),
            ("1e20", "100000000000000000000"),
            ("1e21", "1e+21"),
            ("1.25e+30", "1.25e+30"),
            ("0.000001", "0.000001"),
            ("1.5e-7", "1.5e-7"),
            ("0.00001234", "0.00001234"),
        ];
        for (json, expected) in table {
            let number: Number =
                serde_json::from_str(json).unwrap_or_else(|e| panic!("{json}: {e}"));
            assert_eq!(as_javascript(&number), expected, "{json}");
        }
    }
}
