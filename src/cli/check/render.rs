//! Shows findings: to people with an excerpt of the source, to programs as JSON.

use std::borrow::Cow;

use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};
use schemars::JsonSchema;
use serde::Serialize;

use crate::app::lint::{Excerpt, Finding, Severity};
use crate::cli::json;

/// Returns every finding with file:line:column, the line, a caret and the hint.
pub(super) fn text(findings: &[Finding], is_colored: bool) -> String {
    let renderer = if is_colored { Renderer::styled() } else { Renderer::plain() };
    let mut text = String::new();
    for finding in findings {
        let level = match finding.severity {
            Severity::Error => Level::ERROR,
            Severity::Warning => Level::WARNING,
            Severity::Note => Level::NOTE,
        };
        let title = level.primary_title(finding.message.as_str()).id(finding.code);
        let excerpt = finding.place.as_ref().map(|place| {
            let annotation = AnnotationKind::Primary.span(place.span.clone());
            let path = finding.path.to_string_lossy();
            Snippet::source(place.text.as_str())
                .line_start(place.line)
                .path(path)
                .annotation(annotation)
        });
        let hint =
            finding.hint.as_ref().map(|hint| Level::HELP.with_name("hint").message(hint.as_str()));
        let report = title.elements(excerpt).elements(hint);
        text.push_str(&renderer.render(&[report]));
        text.push_str("\n\n");
    }
    text
}

/// A line of `pm check --json`: what was found, and at last how much.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(tag = "type", rename_all = "kebab-case")]
#[schemars(rename = "CheckLine")]
pub(in crate::cli) enum CheckLine<'a> {
    /// Something that was found.
    Finding {
        /// `error`, `warning` or `note`.
        severity: &'a str,
        /// What kind it is: `skipped-line`.
        code: &'a str,
        /// The file that it is in.
        file: Option<Cow<'a, str>>,
        /// The line, from 1.
        line: Option<usize>,
        /// The column in characters, from 1.
        column: Option<usize>,
        /// The number of characters.
        length: Option<usize>,
        /// What is wrong.
        message: &'a str,
        /// What to do about it.
        hint: Option<&'a str>,
    },
    /// The last line.
    Summary {
        /// The process types; none where the Procfile cannot be used.
        processes: &'a [&'a str],
        /// The number of errors.
        errors: usize,
        /// The number of warnings.
        warnings: usize,
        /// The number of notes.
        notes: usize,
    },
}

/// Returns one JSON object a line: each finding, then a summary.
pub(super) fn json(findings: &[Finding], names: &[&str]) -> Vec<u8> {
    let mut text = Vec::new();
    for finding in findings {
        let place = finding.place.as_ref();
        let file = (!finding.path.as_os_str().is_empty()).then(|| finding.path.to_string_lossy());
        text.extend(json::of_stream(CheckLine::Finding {
            severity: finding.severity.as_str(),
            code: finding.code,
            file,
            line: place.map(|place| place.line),
            column: place.map(Excerpt::column),
            length: place.map(Excerpt::length),
            message: &finding.message,
            hint: finding.hint.as_deref(),
        }));
    }
    let count = |severity| findings.iter().filter(|finding| finding.severity == severity).count();
    text.extend(json::of_stream(CheckLine::Summary {
        processes: names,
        errors: count(Severity::Error),
        warnings: count(Severity::Warning),
        notes: count(Severity::Note),
    }));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finding() -> Finding {
        Finding {
            severity: Severity::Warning,
            code: "skipped-line",
            path: "sub/Procfile".into(),
            place: Excerpt::of("web: a\nwéb: b\n", 2, Some(1..3)),
            message: "skipped: `é` cannot be in a name".into(),
            hint: Some("write `web`".into()),
        }
    }

    #[test]
    fn a_finding_shows_its_line_with_a_caret() {
        let expected = "\
warning[skipped-line]: skipped: `é` cannot be in a name
 --> sub/Procfile:2:2
  |
2 | wéb: b
  |  ^
  |
  = hint: write `web`

";
        assert_eq!(text(&[finding()], false), expected);
    }

    #[test]
    fn no_place_is_no_excerpt() {
        let finding = Finding { place: None, severity: Severity::Error, hint: None, ..finding() };
        assert_eq!(
            text(&[finding], false),
            "error[skipped-line]: skipped: `é` cannot be in a name\n\n"
        );
    }

    #[test]
    fn control_characters_of_a_file_do_not_reach_the_terminal() {
        let place = Excerpt::of("a\x1b[31mb", 1, None);
        let message = "\x1b[2J".to_owned();
        assert!(!text(&[Finding { place, message, ..finding() }], false).contains('\x1b'));
    }

    #[test]
    fn json_has_one_object_a_line_and_a_summary() {
        let text = String::from_utf8(json(&[finding()], &["web", "worker"])).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(
            lines,
            [
                r#"{"v":1,"type":"finding","severity":"warning","code":"skipped-line","file":"sub/Procfile","line":2,"column":2,"length":1,"message":"skipped: `é` cannot be in a name","hint":"write `web`"}"#,
                r#"{"v":1,"type":"summary","processes":["web","worker"],"errors":0,"warnings":1,"notes":0}"#,
            ]
        );
    }
}
