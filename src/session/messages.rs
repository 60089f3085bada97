//! pm's messages: what the supervisor notes about instances and the session, as text and as facts for `--json`.

mod instance;
mod session;
#[cfg(test)]
mod tests;

use std::time::Duration;

use serde_json::{Map, Value, json};

use crate::app::Exit;
use crate::output::{About, Level, Notice};
pub(crate) use instance::{is_explained_by_logs, note, port_held, with_logs};
pub(super) use session::peaks;
pub(crate) use session::{message, verdict};

/// The event that says why a session has ended.
pub(super) const VERDICT: &str = "verdict";

/// Returns how a dependency has ended, to be shown after its name.
pub(super) fn failed(exit: Exit) -> String {
    match exit {
        Exit::Code(0) => "has ended".to_owned(),
        Exit::Code(code) => format!("failed (exit {code})"),
        Exit::Signal(_) | Exit::OutOfMemory | Exit::NotStarted | Exit::Lost => {
            format!("failed ({exit})")
        }
    }
}

/// Writes a limit as it was set: `60 s`, `0.5 s`.
fn seconds(duration: Duration) -> String {
    format!("{} s", duration.as_secs_f64())
}

fn exit_facts(exit: Exit) -> Value {
    match exit {
        Exit::Code(code) => json!({ "code": code }),
        Exit::Signal(signal) => json!({ "signal": signal.to_string() }),
        Exit::OutOfMemory => json!({ "signal": "SIGKILL", "out_of_memory": true }),
        Exit::NotStarted => json!({ "error": "not started" }),
        Exit::Lost => json!({ "error": "lost" }),
    }
}

pub(crate) fn say(about: About, event: &'static str, text: String, facts: Value) -> Notice {
    let facts = match facts {
        Value::Object(facts) => facts,
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
            Map::new()
        }
    };
    Notice { about, level: Level::Info, event, text, facts }
}

/// Writes a duration as a person says it: `0.5s`, `12s`, `3m 5s`, `2h 3m`.
pub(crate) fn short(duration: Duration) -> String {
    let tenths = (duration.as_millis() + 50) / 100;
    let seconds = tenths / 10;
    match seconds {
        0..10 if !tenths.is_multiple_of(10) => format!("{seconds}.{}s", tenths % 10),
        0..60 => format!("{seconds}s"),
        60..3600 => format!("{}m {}s", seconds / 60, seconds % 60),
        _ => format!("{}h {}m", seconds / 3600, seconds % 3600 / 60),
    }
}
