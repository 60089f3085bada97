//! The output as one JSON object per line, for programs.

use serde_json::{Map, Value};

use crate::output::batch::Sink;

/// Appends an output line: `{"time":…,"process":"web.1","line":…}`. Bytes that are not UTF-8 are
/// replaced in `line`, and `bytes` then holds all of them as numbers, so that nothing is lost.
/// `partial` marks a piece of a line that goes on.
pub(crate) fn line(time: &str, process: &str, bytes: &[u8], partial: bool, out: &mut impl Sink) {
    let mut object = Map::new();
    object.insert("time".into(), time.into());
    object.insert("process".into(), process.into());
    match std::str::from_utf8(bytes) {
        Ok(text) => {
            object.insert("line".into(), text.into());
        }
        Err(_) => {
            object.insert("line".into(), String::from_utf8_lossy(bytes).into());
            object.insert("bytes".into(), bytes.into());
        }
    }
    if partial {
        object.insert("partial".into(), true.into());
    }
    put(&Value::Object(object), out);
}

/// Appends an event: `{"time":…,"event":"exited","process":"web.1",…,"text":…}`.
pub(crate) fn event(
    time: &str,
    event: &str,
    process: Option<&str>,
    facts: Map<String, Value>,
    text: &str,
    out: &mut impl Sink,
) {
    let mut object = Map::new();
    object.insert("time".into(), time.into());
    object.insert("event".into(), event.into());
    if let Some(process) = process {
        object.insert("process".into(), process.into());
    }
    object.extend(facts);
    object.insert("text".into(), text.into());
    put(&Value::Object(object), out);
}

fn put(value: &Value, out: &mut impl Sink) {
    out.append(format!("{value}\n").as_bytes());
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
            "{\"time\":\"T\",\"event\":\"exited\",\"process\":\"web.1\",\"code\":3,\"text\":\"exited with code 3\"}\n\
             {\"time\":\"T\",\"event\":\"stopping\",\"text\":\"stopping\"}\n"
        );
    }

    #[test]
    fn a_line_is_one_object_and_loses_no_byte() {
        let mut out = Vec::new();
        line("T", "web.1", b"a \"b\"", false, &mut out);
        line("T", "web.1", b"\xffx", true, &mut out);
        assert_eq!(
            String::from_utf8_lossy(&out),
            "{\"time\":\"T\",\"process\":\"web.1\",\"line\":\"a \\\"b\\\"\"}\n\
             {\"time\":\"T\",\"process\":\"web.1\",\"line\":\"\u{fffd}x\",\"bytes\":[255,120],\"partial\":true}\n"
        );
    }
}
