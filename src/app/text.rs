//! The text of a Procfile or an env file: UTF-8, whatever editor or locale wrote it.

use super::warning::LineError;

/// What to do about a NUL byte.
pub(crate) const NUL_HINT: &str = "remove it; most editors show it as `^@`";

/// What to do about another encoding.
const UTF8_HINT: &str = "save the file as UTF-8";

/// Returns the text without a byte order mark, with LF for CRLF. Only LF ends a line: foreman takes
/// neither a lone CR, a form feed nor U+2028 for one.
pub(crate) fn decode(bytes: &[u8]) -> Result<String, LineError> {
    if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
        return Err(LineError::new(1, "this is UTF-16", UTF8_HINT));
    }
    let text = str::from_utf8(bytes).map_err(|error| {
        let good = &bytes[..error.valid_up_to()];
        let line = 1 + good.iter().filter(|&&byte| byte == b'\n').count();
        let byte = bytes[error.valid_up_to()];
        LineError::new(line, format!("byte 0x{byte:02X} is not UTF-8"), UTF8_HINT)
    })?;
    Ok(text.strip_prefix('\u{feff}').unwrap_or(text).replace("\r\n", "\n"))
}

/// Returns how a message shows a character, also one that cannot be seen.
pub(crate) fn visible(c: char) -> String {
    match c {
        ' ' | '\t' | '\r' | '\x0c' => "spaces".into(),
        '`' => "a backquote".into(),
        _ if c.escape_debug().next() == Some('\\') && !matches!(c, '\\' | '"' | '\'') => {
            format!("U+{:04X}", u32::from(c))
        }
        _ => format!("`{c}`"),
    }
}

/// Returns what a message on one line may quote: control characters as escapes, so that a file cannot end the
/// line, move the cursor of a terminal or change its colours.
pub(crate) fn printable(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control() && c != '\t' { out.extend(c.escape_debug()) } else { out.push(c) }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn byte_order_mark_and_crlf_are_tolerated() {
        assert_eq!(decode(b"\xef\xbb\xbfa\r\nb\rc\r"), Ok("a\nb\rc\r".into()));
    }

    #[test]
    fn other_encodings_are_refused_with_the_line() {
        let refusal = |bytes: &[u8]| decode(bytes).map_err(|e| (e.line, e.reason));
        assert_eq!(refusal(b"a\nb\ncaf\xe9\n"), Err((3, "byte 0xE9 is not UTF-8".into())));
        assert_eq!(refusal(b"\xff\xfea\0"), Err((1, "this is UTF-16".into())));
    }

    #[test]
    fn characters_that_cannot_be_seen_are_named() {
        for (c, shown) in
            [('/', "`/`"), ('é', "`é`"), ('"', "`\"`"), ('\u{200b}', "U+200B"), ('\t', "spaces")]
        {
            assert_eq!(visible(c), shown);
        }
    }

    #[test]
    fn control_characters_in_a_message_are_escapes() {
        for (text, shown) in [("a\tb é", "a\tb é"), ("a\nb", r"a\nb"), ("\u{1b}[0m", r"\u{1b}[0m")]
        {
            assert_eq!(printable(text), shown);
        }
    }
}
