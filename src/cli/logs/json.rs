//! Lines of a log for programs: one JSON object a line.

use std::borrow::Cow;

use jiff::{Timestamp, tz::TimeZone};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::cli::json::V1;
use crate::output::without_escapes;
use crate::state::runs::{Entry, Line, LineEnd, What};

const TIME: &str = "%Y-%m-%dT%H:%M:%S%.3f%:z";

/// A line of `pm logs -o json`.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "LogEntry")]
#[serde(untagged)]
pub(in crate::cli) enum LogEntry<'a> {
    /// A line of output.
    Line(LogLine<'a>),
    /// Something that pm said.
    Event(LogEvent<'a>),
}

/// A line of output.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "LogLine")]
pub(in crate::cli) struct LogLine<'a> {
    v: V1,
    /// When its end was read, in RFC 3339 with milliseconds.
    time: &'a str,
    /// The instance.
    process: &'a str,
    /// Which run of the instance wrote it, from 1; null where that is not known.
    run: Option<u32>,
    /// The text. Bytes that are not UTF-8 are replaced.
    line: Cow<'a, str>,
    /// What ended it.
    end: LogLineEnd,
    /// All bytes as numbers, where they are not UTF-8.
    #[serde(skip_serializing_if = "Option::is_none")]
    bytes: Option<Cow<'a, [u8]>>,
    /// Bytes that are missing at its beginning: of a very long line the last part is kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    missing: Option<u64>,
}

/// What ended a line.
#[derive(Clone, Copy, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(in crate::cli) enum LogLineEnd {
    /// Its newline.
    Newline,
    /// Nothing yet: it may go on.
    Silence,
    /// The end of the process.
    End,
}

/// Something that pm said.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "LogEvent")]
pub(in crate::cli) struct LogEvent<'a> {
    v: V1,
    /// When it was said, in RFC 3339 with milliseconds.
    time: &'a str,
    /// What happened: `started`, `ended`, `gap` (output is missing).
    event: &'a str,
    /// The instance that it is about; without one, it is about the session.
    #[serde(skip_serializing_if = "Option::is_none")]
    process: Option<&'a str>,
    /// What is known of it, by names.
    #[serde(flatten)]
    facts: Cow<'a, Map<String, Value>>,
    /// What was said.
    text: Cow<'a, str>,
}

/// Makes the objects.
pub(super) struct JsonView {
    zone: TimeZone,
    is_plain: bool,
    at: Option<i64>,
    time: String,
}

impl JsonView {
    pub(super) fn new(zone: TimeZone, is_plain: bool) -> Self {
        Self { zone, is_plain, at: None, time: String::new() }
    }

    pub(super) fn entry(&mut self, entry: &Entry<'_>, out: &mut Vec<u8>) {
        self.set_time(entry.at);
        let time = self.time.as_str();
        let process = Some(entry.name).filter(|name| !name.is_empty());
        let object = match &entry.what {
            What::Line(line) => LogEntry::Line(self.line(entry.name, line)),
            What::Notice(notice) => LogEntry::Event(LogEvent {
                v: V1,
                time,
                event: &notice.event,
                process,
                facts: Cow::Borrowed(&notice.facts),
                text: notice.text.as_str().into(),
            }),
            What::Gap(lost) => {
                let mut facts = Map::new();
                facts.insert("bytes".to_owned(), (*lost).into());
                let text = super::gap(*lost).into();
                let facts = Cow::Owned(facts);
                LogEntry::Event(LogEvent { v: V1, time, event: "gap", process, facts, text })
            }
            What::Started(_) | What::Ended(_) => return,
        };
        // Numbers and text always become JSON.
        out.extend(serde_json::to_vec(&object).unwrap_or_default());
        out.push(b'\n');
    }

    fn line<'a>(&'a self, process: &'a str, line: &Line<'a>) -> LogLine<'a> {
        let bytes = match self.is_plain {
            true => without_escapes(line.bytes),
            false => Cow::Borrowed(line.bytes),
        };
        let is_text = std::str::from_utf8(&bytes).is_ok();
        let text = match &bytes {
            Cow::Borrowed(bytes) => String::from_utf8_lossy(bytes),
            Cow::Owned(bytes) => Cow::Owned(String::from_utf8_lossy(bytes).into_owned()),
        };
        LogLine {
            v: V1,
            time: &self.time,
            process,
            run: Some(line.run).filter(|run| *run > 0),
            line: text,
            end: match line.end {
                LineEnd::Newline => LogLineEnd::Newline,
                LineEnd::Silence => LogLineEnd::Silence,
                LineEnd::End => LogLineEnd::End,
            },
            bytes: (!is_text).then_some(bytes),
            missing: Some(line.missing).filter(|missing| *missing > 0),
        }
    }

    fn set_time(&mut self, at: i64) {
        if self.at != Some(at) {
            self.at = Some(at);
            self.time = rfc3339(at, &self.zone).unwrap_or_default();
        }
    }
}

/// Returns a time in milliseconds since 1970 in RFC 3339; `None` where it is far from any that there is.
pub(super) fn rfc3339(at: i64, zone: &TimeZone) -> Option<String> {
    let at = Timestamp::from_millisecond(at).ok()?.to_zoned_datetime(zone.clone());
    jiff::fmt::strtime::format(TIME, &at).ok()
}
