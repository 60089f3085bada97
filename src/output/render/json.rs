//! The output as one JSON object per line, for programs.

use std::borrow::Cow;

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::output::batch::Sink;

/// A line of output.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "OutputLine")]
pub struct OutputLine<'a> {
    /// The version. Under it fields are only added.
    #[schemars(extend("const" = 1))]
    v: u8,
    /// When it was read: RFC 3339, with the offset from UTC.
    time: &'a str,
    /// The instance: `web.1`.
    process: &'a str,
    /// The text; what is not UTF-8 is replaced.
    line: Cow<'a, str>,
    /// All of its bytes, where not all are UTF-8.
    #[serde(skip_serializing_if = "Option::is_none")]
    bytes: Option<&'a [u8]>,
    /// The line goes on in the next object.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    partial: bool,
}

/// Something that happened.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "EventLine")]
pub struct EventLine<'a> {
    /// The version. Under it fields are only added.
    #[schemars(extend("const" = 1))]
    v: u8,
    /// When: RFC 3339, with the offset from UTC.
    time: &'a str,
    /// What: `started`, `ready`, `ended`, ...
    event: &'a str,
    /// The instance that it is about; without one, it is about the session.
    #[serde(skip_serializing_if = "Option::is_none")]
    process: Option<&'a str>,
    /// The facts, by the event: `code`, `pid`, `restart_in`, ...
    #[serde(flatten)]
    facts: Map<String, Value>,
    /// The same for a person.
    text: &'a str,
}

/// Appends an output line: `{"v":1,"time":…,"process":"web.1","line":…}`. Bytes that are not UTF-8 are
/// replaced in `line`, and `bytes` then holds all of them as numbers, so that nothing is lost.
/// `partial` marks a piece of a line that goes on.
pub(crate) fn line(time: &str, process: &str, bytes: &[u8], partial: bool, out: &mut impl Sink) {
    let line = String::from_utf8_lossy(bytes);
    let bytes = matches!(line, Cow::Owned(_)).then_some(bytes);
    put(&OutputLine { v: 1, time, process, line, bytes, partial }, out);
}

/// Appends an event: `{"v":1,"time":…,"event":"exited","process":"web.1",…,"text":…}`.
pub(crate) fn event(
    time: &str,
    event: &str,
    process: Option<&str>,
    facts: Map<String, Value>,
    text: &str,
    out: &mut impl Sink,
) {
    put(&EventLine { v: 1, time, event, process, facts, text }, out);
}

fn put(object: &impl Serialize, out: &mut impl Sink) {
    // Strings, numbers, lists and maps with strings for keys always become JSON.
    let mut line = serde_json::to_vec(object).unwrap_or_default();
    line.push(b'\n');
    out.append(&line);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_names_its_process_where_it_has_one_and_ends_with_its_text() {
        let mut out = Vec::new();
        let mut facts = Map::new();
        facts.insert("code".into(), 3.into());
        event("T", "exited", Some("web.1"), facts, "exited with code 3", &mut out);
        event("T", "stopping", None, Map::new(), "stopping", &mut out);
        assert_eq!(
            String::from_utf8_lossy(&out),
            "{\"v\":1,\"time\":\"T\",\"event\":\"exited\",\"process\":\"web.1\",\"code\":3,\"text\":\"exited with code 3\"}\n\
             {\"v\":1,\"time\":\"T\",\"event\":\"stopping\",\"text\":\"stopping\"}\n"
        );
    }

    #[test]
    fn a_line_is_one_object_and_loses_no_byte() {
        let mut out = Vec::new();
        line("T", "web.1", b"a \"b\"", false, &mut out);
        line("T", "web.1", b"\xffx", true, &mut out);
        assert_eq!(
            String::from_utf8_lossy(&out),
            "{\"v\":1,\"time\":\"T\",\"process\":\"web.1\",\"line\":\"a \\\"b\\\"\"}\n\
             {\"v\":1,\"time\":\"T\",\"process\":\"web.1\",\"line\":\"\u{fffd}x\",\"bytes\":[255,120],\"partial\":true}\n"
        );
    }
}
