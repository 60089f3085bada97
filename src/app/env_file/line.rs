//! Reads an env file line by line (conformance/DIALECT.md section 4, the grammar). A line that
//! foreman reads keeps foreman's value but in the places that [`super::differences`] notes.

use super::differences;
use super::text::visible;
use super::{LineNote, Reading};

/// A line that sets a variable, and how it is written.
#[derive(Debug)]
pub(super) struct EnvLine<'a> {
    /// The line, from 1.
    pub(super) line: usize,
    /// The whole line.
    pub(super) source: &'a str,
    pub(super) key: &'a str,
    /// Where the key begins in the line, in bytes.
    pub(super) key_at: usize,
    /// Everything behind the `=`.
    pub(super) raw: &'a str,
    pub(super) prefix: Prefix,
    pub(super) value: String,
    pub(super) form: Form,
}

/// What stands round the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Prefix {
    /// Nothing.
    None,
    /// Spaces before the key or before the `=`.
    Blanks,
    /// The word `export`.
    Export,
}

/// How a value is written. Offsets are bytes of `raw`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// Without quotes, perhaps with a comment behind it.
    Bare { comment: Option<usize> },
    /// With a quote that nothing closes: read as a bare value.
    Unclosed { comment: Option<usize> },
    /// In quotes, perhaps with a comment behind them.
    Quoted { quote: char, comment: Option<usize> },
    /// From the first quote to the last of the line, with others between (foreman's rule).
    Greedy { quote: char },
    /// In quotes, over this number of lines.
    Joined { quote: char, lines: usize },
}

/// Reads every line. What is ignored, malformed or read differently by others goes to `notes`.
pub(super) fn read(text: &str, notes: &mut Vec<LineNote>) -> Vec<Reading> {
    let found = find(text, notes);
    differences::note(&found, notes);
    let reading = |found: EnvLine<'_>| Reading {
        raw: (found.form == Form::Bare { comment: None }).then(|| found.raw.to_owned()),
        key: found.key.to_owned(),
        value: found.value,
        line: found.line,
    };
    found.into_iter().map(reading).collect()
}

fn find<'a>(text: &'a str, notes: &mut Vec<LineNote>) -> Vec<EnvLine<'a>> {
    let mut all = Vec::new();
    let mut rest = text;
    let mut line = 0;
    while !rest.is_empty() {
        line += 1;
        let source = rest.split('\n').next().unwrap_or_default();
        let after = rest.get(source.len() + 1..).unwrap_or_default();
        let Some((key_at, key, raw_at, prefix)) = assignment(source) else {
            let content = source.trim_start_matches(is_blank);
            if !content.is_empty() && !content.starts_with('#') {
                notes.push(skipped(line, source));
            }
            rest = after;
            continue;
        };
        let raw = &source[raw_at..];
        let (value, form) = value(raw, &rest[raw_at..]);
        all.push(EnvLine { line, source, key, key_at, raw, prefix, value, form });
        rest = after;
        if let Form::Joined { lines, .. } = form {
            for _ in 1..lines {
                rest = rest.split_once('\n').map_or("", |(_, after)| after);
            }
            line += lines - 1;
        }
    }
    all
}

/// Spaces of a line: space, tab, CR, form feed. A no-break space is data.
pub(super) fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\r' | '\x0c')
}

fn is_key(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-')
}

/// Splits `[spaces] [export space+] KEY [spaces] = raw`: where the key begins, the key, where raw
/// begins, and what stands round the key.
fn assignment(line: &str) -> Option<(usize, &str, usize, Prefix)> {
    let content = line.trim_start_matches(is_blank);
    let indent = line.len() - content.len();
    let exported = content.strip_prefix("export").filter(|rest| rest.starts_with(is_blank));
    let exported = exported.map(|rest| rest.trim_start_matches(is_blank));
    // `export = 1` sets the variable `export`.
    let as_exported = exported.and_then(|rest| key_and_raw(line, rest));
    if let Some((key_at, key, raw_at)) = as_exported {
        return Some((key_at, key, raw_at, Prefix::Export));
    }
    let (key_at, key, raw_at) = key_and_raw(line, content)?;
    let is_tight = indent == 0 && raw_at == key_at + key.len() + 1;
    Some((key_at, key, raw_at, if is_tight { Prefix::None } else { Prefix::Blanks }))
}

/// Splits `KEY [spaces] = raw`; `content` is the end of `line`.
fn key_and_raw<'a>(line: &str, content: &'a str) -> Option<(usize, &'a str, usize)> {
    let behind_key = content.trim_start_matches(is_key);
    let key = &content[..content.len() - behind_key.len()];
    let raw = behind_key.trim_start_matches(is_blank).strip_prefix('=')?;
    (!key.is_empty()).then_some((line.len() - content.len(), key, line.len() - raw.len()))
}

/// Reads the value. `raw` is the rest of the line, `rest` the rest of the file from there.
fn value(raw: &str, rest: &str) -> (String, Form) {
    let written = raw.trim_matches(is_blank);
    let Some(quote) = written.chars().next().filter(|c| matches!(c, '"' | '\'')) else {
        let (value, comment) = bare(raw);
        return (value, Form::Bare { comment });
    };
    let open = raw.len() - raw.trim_start_matches(is_blank).len() + 1;
    let closed = closing(&raw[open..], quote).map(|length| open + length);
    if let Some(close) = closed
        && let Some(comment) = only_comment(&raw[close + 1..])
    {
        let comment = comment.map(|at| close + 1 + at);
        return (unescape(&raw[open..close], quote), Form::Quoted { quote, comment });
    }
    if written.len() > 1 && written.ends_with(quote) {
        return (unescape(&written[1..written.len() - 1], quote), Form::Greedy { quote });
    }
    if closed.is_none()
        && let Some(close) = closing(&rest[open..], quote).map(|length| open + length)
        && only_comment(rest[close + 1..].split('\n').next().unwrap_or_default()).is_some()
    {
        let lines = 1 + rest[..close].matches('\n').count();
        return (unescape(&rest[open..close], quote), Form::Joined { quote, lines });
    }
    let (value, comment) = bare(raw);
    (value, Form::Unclosed { comment })
}

/// Returns where the first quote stands that is not escaped. A backslash escapes in `"` only.
fn closing(text: &str, quote: char) -> Option<usize> {
    let mut is_escaped = false;
    text.char_indices().find_map(|(at, c)| {
        if is_escaped {
            is_escaped = false;
            return None;
        }
        is_escaped = c == '\\' && quote == '"';
        (c == quote).then_some(at)
    })
}

/// Returns where the comment begins in a text that holds nothing else but spaces.
fn only_comment(text: &str) -> Option<Option<usize>> {
    let content = text.trim_start_matches(is_blank);
    match content.chars().next() {
        None => Some(None),
        Some('#') => Some(Some(text.len() - content.len())),
        Some(_) => None,
    }
}

/// Reads `\n` as LF and `\X` as X, from left to right; in single quotes nothing.
fn unescape(text: &str, quote: char) -> String {
    if quote == '\'' {
        return text.to_owned();
    }
    let mut value = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match (c, chars.as_str().chars().next()) {
            ('\\', Some(next)) => {
                value.push(if next == 'n' { '\n' } else { next });
                chars.next();
            }
            _ => value.push(c),
        }
    }
    value
}

/// Cuts a comment, which is a `#` behind a space, and outer spaces. Nothing else: quotes and
/// backslashes are data.
fn bare(raw: &str) -> (String, Option<usize>) {
    let is_comment = |&(at, _): &(usize, &str)| raw[..at].ends_with(is_blank);
    let comment = raw.match_indices('#').find(is_comment).map(|(at, _)| at);
    (raw[..comment.unwrap_or(raw.len())].trim_matches(is_blank).to_owned(), comment)
}

/// Says why a line sets nothing, as exactly as can be known. The value is not shown: it may be secret.
fn skipped(line: usize, source: &str) -> LineNote {
    let content = source.trim_matches(is_blank);
    let start = source.len() - source.trim_start_matches(is_blank).len();
    let form = "write KEY=VALUE, or begin a comment with `#`".to_owned();
    let key = &content[..content.len() - content.trim_start_matches(is_key).len()];
    let behind_key = &content[key.len()..];
    let before_equals =
        content.split_once('=').map(|(before, _)| before.trim_end_matches(is_blank));
    let bad = before_equals.and_then(|before| before.char_indices().find(|(_, c)| !is_key(*c)));
    let (span, message, hint) = if !key.is_empty() && behind_key.starts_with(": ") {
        (
            0..key.len() + 1,
            format!("skipped: `{key}:` sets nothing"),
            format!("write `{key}=VALUE`"),
        )
    } else if let Some((at, c)) = bad {
        let message = format!("skipped: the name of a variable cannot contain {}", visible(c));
        (at..at + c.len_utf8(), message, "use letters, digits, `_`, `.` and `-`".to_owned())
    } else if before_equals.is_some() {
        (0..1, "skipped: no name before the `=`".to_owned(), form)
    } else if !key.is_empty() && behind_key.is_empty() {
        (
            0..key.len(),
            format!("skipped: `{key}` has no `=`"),
            format!("write `{key}=` for an empty value"),
        )
    } else {
        (0..content.len(), "skipped: not KEY=VALUE".to_owned(), form)
    };
    let span = start + span.start..start + span.end;
    LineNote::skipped(line, span, message, Some(hint))
}
