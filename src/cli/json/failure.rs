//! An error as an object: `{"v":1,"error":{"code":…,"message":…,"hint":…,"where":…}}`.

use clap::error::ErrorKind;
use schemars::JsonSchema;
use serde::Serialize;

use crate::cli::refusal::with_causes;
use crate::error::{Error, ErrorCode};

/// What is printed where a command fails.
#[derive(Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "Failure")]
pub(crate) struct FailureObject {
    /// Why.
    pub(super) error: ErrorObject,
}

/// Why a command failed.
#[derive(Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "Error")]
pub(crate) struct ErrorObject {
    pub(super) code: ErrorCode,
    /// What a person would read behind `error: `.
    message: String,
    /// What to do about it.
    hint: Option<String>,
    /// The place in a file, `FILE:LINE:COLUMN`, or the file.
    #[serde(rename = "where")]
    place: Option<String>,
    /// The last lines of output of the instances that are to blame.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) tail: Vec<String>,
}

impl FailureObject {
    pub(super) fn of(error: &Error) -> Self {
        Self {
            error: ErrorObject {
                code: error.code(),
                message: with_causes(error),
                hint: error.hint(),
                place: error.place(),
                tail: Vec::new(),
            },
        }
    }

    /// Takes the message and the hint out of what clap would show; `hint` is what pm itself knows about it.
    pub(super) fn of_words(error: &clap::Error, hint: Option<&str>) -> Self {
        let (message, own) = match error.kind() {
            // What clap shows then is the help.
            ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
                ("no command was given".into(), None)
            }
            _ => parts(&error.render().to_string()),
        };
        let hint = hint.map(str::to_owned).or(own).or_else(|| Some("see `--help`".to_owned()));
        let (code, place, tail) = (ErrorCode::Usage, None, Vec::new());
        Self { error: ErrorObject { code, message, hint, place, tail } }
    }
}

/// Returns the message and the hint of what clap shows: the first paragraph behind `error: `, and the tips below it. pm's
/// own values have their hint in the first paragraph.
fn parts(shown: &str) -> (String, Option<String>) {
    let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let (first, rest) = shown.split_once("\n\n").unwrap_or((shown, ""));
    let first = first.strip_prefix("error: ").unwrap_or(first);
    if let Some((message, hint)) = first.split_once("\nhint: ") {
        return (words(message), Some(words(hint)));
    }
    let tips: Vec<_> = rest.lines().filter_map(|line| line.trim().strip_prefix("tip: ")).collect();
    (words(first), (!tips.is_empty()).then(|| tips.join("; ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_has_its_code_its_hint_and_its_place() {
        let failure = FailureObject::of(&Error::ProcfileLine {
            path: "Procfile".into(),
            line: 3,
            reason: "`web` stands twice".to_owned(),
            hint: "rename one",
        });
        assert_eq!(
            serde_json::to_string(&failure).unwrap(),
            r#"{"error":{"code":"procfile-line","message":"Procfile:3: `web` stands twice","hint":"rename one","where":"Procfile:3:1"}}"#
        );
        let failure = FailureObject::of(&Error::NoSession { root: "/srv".into() });
        assert_eq!(failure.error.code, ErrorCode::NoSession);
        assert!(failure.error.hint.is_some_and(|hint| hint.contains("pm start")));
    }

    #[test]
    fn the_message_and_the_tips_are_taken_out_of_what_clap_shows() {
        for (shown, message, hint) in [
            (
                "error: unexpected argument '--jsn' found\n\n  tip: a similar argument exists: '--json'\n\nUsage: pm ps\n",
                "unexpected argument '--jsn' found",
                Some("a similar argument exists: '--json'"),
            ),
            (
                "error: the following required arguments were not provided:\n  <NAME>...\n\nUsage: pm stop <NAME>...\n",
                "the following required arguments were not provided: <NAME>...",
                None,
            ),
            (
                "error: `PM_STRICT` is `x`, which is neither true nor false\nhint: set it to `true`\n",
                "`PM_STRICT` is `x`, which is neither true nor false",
                Some("set it to `true`"),
            ),
        ] {
            assert_eq!(parts(shown), (message.to_owned(), hint.map(str::to_owned)));
        }
    }
}
