//! Notes the lines of an env file that foreman, node-foreman or dotenv read differently
//! (conformance/DIALECT.md sections 2 and 3; D1 to D6 are its names).

use std::collections::HashMap;
use std::ops::Range;

use super::line::{Form, Found, Prefix, is_blank};
use super::{LineNote, NoteKind};

/// Notes what other tools do with these lines.
pub(super) fn note(found: &[Found<'_>], notes: &mut Vec<LineNote>) {
    let keys: HashMap<&str, usize> = found.iter().map(|found| (found.key, found.line)).collect();
    // Keys of lines that foreman reads, with the last of them.
    let mut foreman: HashMap<&str, &Found<'_>> = HashMap::new();
    for found in found {
        around_the_key(found, foreman.get(found.key).copied(), notes);
        if found.prefix == Prefix::None {
            foreman.insert(found.key, found);
        }
        form(found, notes);
        inside(found, &keys, notes);
    }
}

impl Found<'_> {
    fn note(
        &self,
        kind: NoteKind,
        code: &'static str,
        span: Range<usize>,
        message: String,
        hint: &str,
    ) -> LineNote {
        LineNote { kind, code, line: self.line, span, message, hint: Some(hint.to_owned()) }
    }

    fn key_span(&self) -> Range<usize> {
        self.key_at..self.key_at + self.key.len()
    }

    /// Turns bytes of `raw` into bytes of the line.
    fn raw_span(&self, span: Range<usize>) -> Range<usize> {
        let at = self.source.len() - self.raw.len();
        at + span.start..at + span.end
    }

    /// The value's bytes in the line, without outer spaces.
    fn value_span(&self) -> Range<usize> {
        let start = self.raw.len() - self.raw.trim_start_matches(is_blank).len();
        let end = self.raw.trim_end_matches(is_blank).len().max(start);
        self.raw_span(start..end)
    }
}

/// `export`, spaces and odd characters (foreman ignores the line), and D6.
fn around_the_key(found: &Found<'_>, earlier: Option<&Found<'_>>, notes: &mut Vec<LineNote>) {
    let key = found.key;
    if found.prefix != Prefix::None
        && let Some(earlier) = earlier
        && earlier.value != found.value
    {
        let message = format!(
            "{key}: foreman ignores this line and keeps the value of line {}",
            earlier.line
        );
        notes.push(found.note(
            NoteKind::Differs,
            "set-again",
            found.key_span(),
            message,
            "remove one of the two lines",
        ));
        return;
    }
    let hint = "nothing to do, unless foreman must read this file too";
    match found.prefix {
        Prefix::None => {}
        Prefix::Blanks => {
            let message = format!("{key}: foreman ignores a line with spaces around the name");
            notes.push(found.note(
                NoteKind::Portability,
                "blanks-round-name",
                found.key_span(),
                message,
                hint,
            ));
        }
        Prefix::Export => {
            let start = found.source.len() - found.source.trim_start_matches(is_blank).len();
            let span = start..start + "export".len();
            let message = format!("{key}: foreman ignores a line with `export`");
            notes.push(found.note(NoteKind::Portability, "export", span, message, hint));
        }
    }
    if key.contains(['.', '-']) || key.starts_with(|c: char| c.is_ascii_digit()) {
        let message =
            format!("{key}: some shells do not pass such a name to a command; dash drops it");
        let hint = "use letters, digits and `_`, and begin with a letter";
        notes.push(found.note(
            NoteKind::Portability,
            "name-not-for-shells",
            found.key_span(),
            message,
            hint,
        ));
    }
}

/// D1, D2, D3, D5, unclosed and inner quotes, and a `#` that others take for a comment.
fn form(found: &Found<'_>, notes: &mut Vec<LineNote>) {
    let key = found.key;
    let raw = found.raw;
    match found.form {
        Form::Unclosed { .. } => {
            let message = format!("{key}: the quote is not closed, and is part of the value");
            let hint = "close the quote, or use the other kind of quotes";
            let start = found.value_span().start;
            notes.push(found.note(
                NoteKind::Malformed,
                "unclosed-quote",
                start..start + 1,
                message,
                hint,
            ));
        }
        Form::Bare { .. } => {}
        Form::Quoted { comment: Some(at), .. } => {
            let message =
                format!("{key}: foreman reads the comment and the quotes as part of the value");
            let span = found.raw_span(at..raw.trim_end_matches(is_blank).len());
            let hint = "put the comment on a line of its own if foreman must read this file too";
            notes.push(found.note(
                NoteKind::Portability,
                "comment-behind-quotes",
                span,
                message,
                hint,
            ));
        }
        Form::Quoted { comment: None, .. } => {}
        Form::Greedy { quote } => {
            let message =
                format!("{key}: node-foreman and honcho end the value at the inner `{quote}`");
            let hint = if quote == '"' {
                "put the value in single quotes"
            } else {
                "put the value in double quotes"
            };
            notes.push(found.note(
                NoteKind::Portability,
                "inner-quotes",
                found.value_span(),
                message,
                hint,
            ));
            return;
        }
        Form::Joined { lines, .. } => {
            let message =
                format!("{key}: a value of {lines} lines, of which foreman keeps only the first");
            let hint = "write `\\n` in double quotes if foreman must read this file too";
            notes.push(found.note(
                NoteKind::Portability,
                "multi-line",
                found.value_span(),
                message,
                hint,
            ));
            return;
        }
    }
    let (Form::Bare { comment } | Form::Unclosed { comment } | Form::Quoted { comment, .. }) =
        found.form
    else {
        return;
    };
    let is_bare = !matches!(found.form, Form::Quoted { .. });
    if let (Some(at), true) = (comment, is_bare) {
        let tail = raw[at..].trim_end_matches(is_blank);
        let message = format!("{key}: dropped {tail:?}; foreman keeps it");
        let span = found.raw_span(at..at + tail.len());
        notes.push(found.note(
            NoteKind::Differs,
            "dropped-comment",
            span,
            message,
            "quote the value to keep it",
        ));
    } else if comment.is_none() && raw.trim_matches(is_blank) != raw {
        let message = format!("{key}: foreman keeps the spaces around the value");
        let edge = if raw.starts_with(is_blank) {
            0..raw.len() - raw.trim_start_matches(is_blank).len()
        } else {
            raw.trim_end_matches(is_blank).len()..raw.len()
        };
        let hint = "remove them, or put them inside quotes";
        notes.push(found.note(
            NoteKind::Portability,
            "blanks-round-value",
            found.raw_span(edge),
            message,
            hint,
        ));
    }
    if is_bare && let Some(at) = raw[..comment.unwrap_or(raw.len())].find('#') {
        let message = format!("{key}: node-foreman, dotenv and node cut the value at the `#`");
        let hint = "quote the value: then every tool reads the same";
        let span = found.raw_span(at..at + 1);
        notes.push(found.note(NoteKind::Portability, "hash-in-value", span, message, hint));
    }
}

/// Escapes and references within a value of one line.
fn inside(found: &Found<'_>, keys: &HashMap<&str, usize>, notes: &mut Vec<LineNote>) {
    let written = &found.source[found.value_span()];
    let at = found.value_span().start;
    match found.form {
        Form::Quoted { quote: '\'', .. } | Form::Greedy { quote: '\'' } | Form::Joined { .. } => {
            return;
        }
        Form::Quoted { comment, .. } => {
            let end = comment
                .map_or(found.source.len(), |comment| found.raw_span(comment..comment).start);
            escapes(found, &found.source[at..end], at, notes);
        }
        Form::Greedy { .. } => escapes(found, written, at, notes),
        Form::Bare { .. } | Form::Unclosed { .. } => {}
    }
    if let Some((start, length)) = reference(written, keys) {
        let shown = &written[start..start + length];
        let message = format!(
            "{}: `{shown}` stays as it is written; dotenv for Ruby and dotenvy expand it",
            found.key
        );
        let hint = "write the value out: nothing in an env file is expanded or run";
        let span = at + start..at + start + length;
        notes.push(found.note(NoteKind::Differs, "reference", span, message, hint));
    }
}

/// Notes `\X`, of which pm and foreman keep X, and D4. Only the first of a value.
fn escapes(found: &Found<'_>, written: &str, at: usize, notes: &mut Vec<LineNote>) {
    let mut chars = written.char_indices();
    while let Some((start, c)) = chars.next() {
        if c != '\\' {
            continue;
        }
        let Some((_, escaped)) = chars.next() else { return };
        let key = found.key;
        match escaped {
            '"' | '\'' | '$' | 'n' => {}
            '\\' if written[start + 2..].starts_with('n') => {
                let message =
                    format!("{key}: foreman reads `\\\\n` as a backslash and a line break");
                let hint = "put the value in single quotes";
                let span = at + start..at + start + 3;
                notes.push(found.note(
                    NoteKind::Portability,
                    "escaped-backslash",
                    span,
                    message,
                    hint,
                ));
                return;
            }
            '\\' => {}
            _ => {
                let message = format!(
                    "{key}: `\\{escaped}` in double quotes is `{escaped}`, without the backslash"
                );
                let hint = "write `\\\\` for a backslash, or put the value in single quotes";
                let span = at + start..at + start + 1 + escaped.len_utf8();
                notes.push(found.note(NoteKind::Differs, "dropped-backslash", span, message, hint));
                return;
            }
        }
    }
}

/// Finds `${NAME`, `$(`, or `$NAME` where the file sets NAME: what other tools would expand or run.
/// A `$` in a password or a bcrypt hash is none.
fn reference(written: &str, keys: &HashMap<&str, usize>) -> Option<(usize, usize)> {
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    written.match_indices('$').find_map(|(at, _)| {
        if written[..at].ends_with('\\') {
            return None;
        }
        let rest = &written[at + 1..];
        if rest.starts_with('(') {
            return Some((at, 2));
        }
        let inner = rest.strip_prefix('{').unwrap_or(rest);
        let name = &inner[..inner.len() - inner.trim_start_matches(is_name).len()];
        let is_braced = inner.len() < rest.len();
        if is_braced && name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') {
            let close = rest.find('}').map_or(name.len() + 1, |close| close + 1);
            return Some((at, 1 + close));
        }
        (!is_braced && keys.contains_key(name)).then_some((at, 1 + name.len()))
    })
}
