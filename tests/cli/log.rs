//! Reads the merged log: who said what.

use serde_json::Value;

/// Returns what `name` said, in order, and what pm said about it under its name.
pub(crate) fn said_by<'a>(stdout: &'a str, name: &str) -> Vec<&'a str> {
    let lines = stdout.lines().filter_map(|line| line.split_once(" | "));
    let own = lines.filter(|(head, _)| head.split_whitespace().last() == Some(name));
    own.map(|(_, text)| text).collect()
}

/// Returns what `name` printed: what it said without what pm said about it.
pub(crate) fn printed_by<'a>(stdout: &'a str, name: &str) -> Vec<&'a str> {
    let is_pms = |text: &str| {
        ["started with pid ", "exited with code ", "terminated by "]
            .iter()
            .any(|start| text.starts_with(start))
    };
    said_by(stdout, name).into_iter().filter(|text| !is_pms(text)).collect()
}

/// Reads the log of `--json`: every line of it is an object.
#[track_caller]
pub(crate) fn objects(stdout: &str) -> Vec<Value> {
    let read = |line: &str| match serde_json::from_str(line) {
        Ok(Value::Object(object)) => Value::Object(object),
        other => panic!("no JSON object: {line}: {other:?}"),
    };
    stdout.lines().map(read).collect()
}

/// Returns the instances that a session with `--json` has started, in order.
#[track_caller]
pub(crate) fn started(stdout: &str) -> Vec<String> {
    let objects = objects(stdout);
    let started = objects.iter().filter(|object| object["event"] == "started");
    started.filter_map(|object| object["process"].as_str().map(str::to_owned)).collect()
}
