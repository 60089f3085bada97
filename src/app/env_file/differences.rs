//! Notes the lines of an env file that foreman, node-foreman or dotenv read differently
//! (conformance/DIALECT.md sections 2 and 3; D1 to D6 are its names).

use std::collections::HashMap;
use std::ops::Range;

use super::line::{EnvLine, Form, Prefix, is_blank};
use super::{LineNote, NoteKind};

/// Notes what other tools do with these lines.
pub(super) fn note(found: &[EnvLine<'_>], notes: &mut Vec<LineNote>) {
    let keys: HashMap<&str, usize> = found.iter().map(|found| (found.key, found.line)).collect();
    // Keys of lines that foreman reads, with the last of them.
    let mut foreman: HashMap<&str, &EnvLine<'_>> = HashMap::new();
    for found in found {
        let mut line = LineNotes { found, notes };
        line.key(foreman.get(found.key).copied());
        if found.prefix == Prefix::None {
            foreman.insert(found.key, found);
        }
        line.quotes();
        line.spaces_and_comments();
        line.escapes_and_references(&keys);
    }
}

/// A line, and the list that notes about it go to.
struct LineNotes<'a, 'text> {
    found: &'a EnvLine<'text>,
    notes: &'a mut Vec<LineNote>,
}

impl LineNotes<'_, '_> {
    /// `message` goes on behind `KEY: `.
    fn note(
        &mut self,
        kind: NoteKind,
        code: &'static str,
        span: Range<usize>,
        message: &str,
        hint: &str,
    ) {
        let message = format!("{}: {message}", self.found.key);
        let (line, hint) = (self.found.line, Some(hint.to_owned()));
        self.notes.push(LineNote { kind, code, line, span, message, hint });
    }

    fn differs(&mut self, code: &'static str, span: Range<usize>, message: &str, hint: &str) {
        self.note(NoteKind::Differs, code, span, message, hint);
    }

    fn portability(&mut self, code: &'static str, span: Range<usize>, message: &str, hint: &str) {
        self.note(NoteKind::Portability, code, span, message, hint);
    }

    /// `export`, spaces and odd characters (foreman ignores the line), and D6.
    fn key(&mut self, earlier: Option<&EnvLine<'_>>) {
        let found = self.found;
        let span = found.key_at..found.key_at + found.key.len();
        if found.prefix != Prefix::None
            && let Some(earlier) = earlier
            && earlier.value != found.value
        {
            let message =
                format!("foreman ignores this line and keeps the value of line {}", earlier.line);
            return self.differs("set-again", span, &message, "remove one of the two lines");
        }
        let hint = "nothing to do, unless foreman must read this file too";
        match found.prefix {
            Prefix::None => {}
            Prefix::Blanks => {
                let message = "foreman ignores a line with spaces around the name";
                self.portability("blanks-round-name", span.clone(), message, hint);
            }
            Prefix::Export => {
                let start = found.source.len() - found.source.trim_start_matches(is_blank).len();
                let message = "foreman ignores a line with `export`";
                self.portability("export", start..start + "export".len(), message, hint);
            }
        }
        if found.key.contains(['.', '-']) || found.key.starts_with(|c: char| c.is_ascii_digit()) {
            let message = "some shells do not pass such a name to a command; dash drops it";
            let hint = "use letters, digits and `_`, and begin with a letter";
            self.portability("name-not-for-shells", span, message, hint);
        }
    }

    /// Unclosed and inner quotes, a comment behind them (D3), and a value of several lines (D5).
    fn quotes(&mut self) {
        let found = self.found;
        let span = found.value_span();
        match found.form {
            Form::Bare { .. } | Form::Quoted { comment: None, .. } => {}
            Form::Unclosed { .. } => {
                let span = span.start..span.start + 1;
                let message = "the quote is not closed, and is part of the value";
                let hint = "close the quote, or use the other kind of quotes";
                self.note(NoteKind::Malformed, "unclosed-quote", span, message, hint);
            }
            Form::Quoted { comment: Some(at), .. } => {
                let span = found.raw_span(at..found.raw.trim_end_matches(is_blank).len());
                let message = "foreman reads the comment and the quotes as part of the value";
                let hint =
                    "put the comment on a line of its own if foreman must read this file too";
                self.portability("comment-behind-quotes", span, message, hint);
            }
            Form::Greedy { quote } => {
                let message =
                    format!("node-foreman and honcho end the value at the inner `{quote}`");
                let hint = match quote {
                    '"' => "put the value in single quotes",
                    _ => "put the value in double quotes",
                };
                self.portability("inner-quotes", span, &message, hint);
            }
            Form::Joined { lines, .. } => {
                let message =
                    format!("a value of {lines} lines, of which foreman keeps only the first");
                let hint = "write `\\n` in double quotes if foreman must read this file too";
                self.portability("multi-line", span, &message, hint);
            }
        }
    }

    /// Spaces around the value (D1), a comment behind it (D2), and a `#` that others take for one.
    fn spaces_and_comments(&mut self) {
        let found = self.found;
        let raw = found.raw;
        let (comment, is_bare) = match found.form {
            Form::Bare { comment } | Form::Unclosed { comment } => (comment, true),
            Form::Quoted { comment, .. } => (comment, false),
            Form::Greedy { .. } | Form::Joined { .. } => return,
        };
        if let (Some(at), true) = (comment, is_bare) {
            let tail = raw[at..].trim_end_matches(is_blank);
            let span = found.raw_span(at..at + tail.len());
            let message = format!("dropped {tail:?}; foreman keeps it");
            self.differs("dropped-comment", span, &message, "quote the value to keep it");
        } else if comment.is_none() && raw.trim_matches(is_blank) != raw {
            let edge = if raw.starts_with(is_blank) {
                0..raw.len() - raw.trim_start_matches(is_blank).len()
            } else {
                raw.trim_end_matches(is_blank).len()..raw.len()
            };
            let message = "foreman keeps the spaces around the value";
            let hint = "remove them, or put them inside quotes";
            self.portability("blanks-round-value", found.raw_span(edge), message, hint);
        }
        if is_bare && let Some(at) = raw[..comment.unwrap_or(raw.len())].find('#') {
            let message = "node-foreman, dotenv and node cut the value at the `#`";
            let hint = "quote the value: then every tool reads the same";
            self.portability("hash-in-value", found.raw_span(at..at + 1), message, hint);
        }
    }

    /// Escapes and references within a value of one line.
    fn escapes_and_references(&mut self, keys: &HashMap<&str, usize>) {
        let found = self.found;
        let at = found.value_span().start;
        let written = &found.source[found.value_span()];
        match found.form {
            Form::Quoted { quote: '\'', .. }
            | Form::Greedy { quote: '\'' }
            | Form::Joined { .. } => return,
            Form::Quoted { comment, .. } => {
                let end = comment
                    .map_or(found.source.len(), |comment| found.raw_span(comment..comment).start);
                self.escapes(&found.source[at..end], at);
            }
            Form::Greedy { .. } => self.escapes(written, at),
            Form::Bare { .. } | Form::Unclosed { .. } => {}
        }
        if let Some((start, length)) = reference(written, keys) {
            let shown = &written[start..start + length];
            let message =
                format!("`{shown}` stays as it is written; dotenv for Ruby and dotenvy expand it");
            let hint = "write the value out: nothing in an env file is expanded or run";
            self.differs("reference", at + start..at + start + length, &message, hint);
        }
    }

    /// `\X`, of which pm and foreman keep X, and D4. Only the first of a value.
    fn escapes(&mut self, written: &str, at: usize) {
        let mut chars = written.char_indices();
        while let Some((start, c)) = chars.next() {
            if c != '\\' {
                continue;
            }
            let Some((_, escaped)) = chars.next() else { return };
            let start = at + start;
            match escaped {
                '"' | '\'' | '$' | 'n' => {}
                '\\' if chars.as_str().starts_with('n') => {
                    let message = "foreman reads `\\\\n` as a backslash and a line break";
                    let hint = "put the value in single quotes";
                    return self.portability("escaped-backslash", start..start + 3, message, hint);
                }
                '\\' => {}
                _ => {
                    let span = start..start + 1 + escaped.len_utf8();
                    let message = format!(
                        "`\\{escaped}` in double quotes is `{escaped}`, without the backslash"
                    );
                    let hint = "write `\\\\` for a backslash, or put the value in single quotes";
                    return self.differs("dropped-backslash", span, &message, hint);
                }
            }
        }
    }
}

impl EnvLine<'_> {
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
