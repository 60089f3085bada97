//! Reads the merged log: who said what.

use serde_json::Value;

/// What pm's own lines begin with: news, and failures.
const MARKS: [&str; 2] = ["-- ", "!! "];

/// Returns what `name` said, in order, and without its mark what pm said about it under its name.
pub(crate) fn said_by<'a>(stdout: &'a str, name: &str) -> Vec<&'a str> {
    let bare =
        |text: &'a str| MARKS.iter().find_map(|mark| text.strip_prefix(mark)).unwrap_or(text);
    lines_of(stdout, name).map(bare).collect()
}

/// Returns what `name` printed: what it said without what pm said about it.
pub(crate) fn printed_by<'a>(stdout: &'a str, name: &str) -> Vec<&'a str> {
    let is_pms = |text: &&str| MARKS.iter().any(|mark| text.starts_with(mark));
    lines_of(stdout, name).filter(|text| !is_pms(text)).collect()
}

fn lines_of<'a>(stdout: &'a str, name: &str) -> impl Iterator<Item = &'a str> {
    let lines = stdout.lines().filter_map(|line| line.split_once(" | "));
    let own = lines.filter(move |(head, _)| head.split_whitespace().last() == Some(name));
    own.map(|(_, text)| text)
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
