//! Values of supervisord's ini file, of upstart's jobs and of Ruby source (bluepill).

use super::{Quoted, Refusal, replace, sh};

/// Returns a word of supervisord's `command=`: split by Python's shlex after `%(…)s` is expanded. A space
/// before `;` or `#` begins a comment even inside quotes, so empty quotes stand between the two.
pub(crate) fn ini_word(text: &str) -> Quoted {
    if text.contains(|c: char| c.is_control() && c != '\t') {
        return Err(Refusal("a control character"));
    }
    let mut out = String::from("'");
    for c in sh::word(text)[1..].replace('%', "%%").chars() {
        if matches!(c, ';' | '#') && out.ends_with(char::is_whitespace) {
            out.push_str("''");
        }
        out.push(c);
    }
    Ok(out)
}

/// Returns the rest of a line of supervisord's ini file, which has no quotes (`stdout_logfile=`).
pub(crate) fn ini_path(text: &str) -> Quoted {
    if text.contains(char::is_control) {
        return Err(Refusal("a control character"));
    }
    let mut before = ' ';
    for c in text.chars() {
        if matches!(c, ';' | '#') && before.is_whitespace() {
            return Err(Refusal("a space before `;` or `#`"));
        }
        before = c;
    }
    if text.trim() != text {
        return Err(Refusal("a space at its start or end"));
    }
    Ok(text.replace('%', "%%"))
}

/// Returns a path of logrotate's configuration, whose quotes cannot be escaped, and in which glob(7) characters
/// stand for themselves in brackets.
pub(crate) fn logrotate_path(text: &str) -> Quoted {
    if text.contains(|c: char| c.is_control() || c == '"' || c == '\\') {
        return Err(Refusal("a quote, a backslash or a control character"));
    }
    Ok(format!("\"{}\"", replace(text, &[('*', "[*]"), ('?', "[?]"), ('[', "[[]")])))
}

/// Returns one token of an upstart stanza (libnih's `nih_config_token`): a backslash escapes only itself
/// and spaces, quotes cannot hold their own kind, and a newline would become a space.
pub(crate) fn upstart_token(text: &str) -> Quoted {
    if text.contains('\n') {
        return Err(Refusal("a newline"));
    }
    Ok(format!("'{}'", replace(text, &[('\\', r"\\"), ('\'', "'\"'\"'")])))
}

/// Returns a word of execline: in double quotes, where a backslash keeps itself and a quote
/// (skarnet.org/software/execline/el_syntax.html). NUL cannot be in a value.
pub(crate) fn execline(text: &str) -> String {
    format!("\"{}\"", replace(text, &[('\\', r"\\"), ('"', "\\\"")]))
}

/// Returns a Ruby string: in single quotes, where only `\` and `'` mean anything, and in double quotes
/// where it holds control characters, since Ruby reads CR LF in its source as LF.
pub(crate) fn ruby(text: &str) -> String {
    if !text.contains(char::is_control) {
        return format!("'{}'", replace(text, &[('\\', r"\\"), ('\'', r"\'")]));
    }
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '\\' | '"' | '#' => out.extend(['\\', c]),
            '\n' => out.push_str(r"\n"),
            c if c.is_control() => out.push_str(&format!("\\u{{{:x}}}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use super::super::testing::value;
    use super::*;
    use proptest::prelude::*;

    /// supervisord's reader: comments after a space, `%%`, then shlex in POSIX mode.
    fn read_ini_word(line: &str) -> Option<String> {
        let mut before = 'x';
        for c in line.chars() {
            if matches!(c, ';' | '#') && before.is_whitespace() {
                return None;
            }
            before = c;
        }
        let line = line.replace("%%", "\u{1}");
        if line.contains('%') {
            return None;
        }
        let mut out = String::new();
        let mut chars = line.chars();
        while let Some(c) = chars.next() {
            match c {
                '\'' => {
                    for c in chars.by_ref().take_while(|c| *c != '\'') {
                        out.push(c);
                    }
                }
                '\\' => out.push(chars.next()?),
                _ => return None,
            }
        }
        Some(out.replace('\u{1}', "%"))
    }

    /// `nih_config_token` with dequoting.
    fn read_upstart(token: &str) -> Option<String> {
        let mut out = String::new();
        let mut quote = None;
        let mut chars = token.chars().peekable();
        while let Some(c) = chars.next() {
            match c {
                '\n' => return None,
                '\\' => match chars.next()? {
                    c @ ('\\' | ' ' | '\t' | '\r') => out.push(c),
                    c => out.extend(['\\', c]),
                },
                c if quote == Some(c) => quote = None,
                '\'' | '"' if quote.is_none() => quote = Some(c),
                c if quote.is_some() => out.push(c),
                _ => return None,
            }
        }
        quote.is_none().then_some(out)
    }

    fn read_ruby(text: &str) -> Option<String> {
        let double = text.starts_with('"');
        let inner = text.get(1..text.len() - 1)?;
        let mut out = String::new();
        let mut chars = inner.chars();
        while let Some(c) = chars.next() {
            match c {
                '\'' if !double => return None,
                '"' | '#' if double => return None,
                c if c.is_control() => return None, // Ruby reads CR LF as LF.
                '\\' if double => match chars.next()? {
                    'n' => out.push('\n'),
                    'u' => {
                        let hex: String =
                            chars.by_ref().skip(1).take_while(|c| *c != '}').collect();
                        out.push(char::from_u32(u32::from_str_radix(&hex, 16).ok()?)?);
                    }
                    c @ ('\\' | '"' | '#') => out.push(c),
                    _ => return None,
                },
                '\\' => match chars.next()? {
                    c @ ('\\' | '\'') => out.push(c),
                    c => out.extend(['\\', c]),
                },
                c => out.push(c),
            }
        }
        Some(out)
    }

    proptest! {
        #[test]
        fn values_arrive_byte_for_byte_or_are_refused(text in value()) {
            match ini_word(&text) {
                Ok(line) => prop_assert_eq!(read_ini_word(&line), Some(text.clone()), "{}", line),
                Err(_) => prop_assert!(text.contains(|c: char| c.is_control() && c != '\t')),
            }
            match upstart_token(&text) {
                Ok(token) => prop_assert_eq!(read_upstart(&token), Some(text.clone()), "{}", token),
                Err(_) => prop_assert!(text.contains('\n')),
            }
            prop_assert_eq!(read_ruby(&ruby(&text)), Some(text));
        }
    }

    #[test]
    fn nothing_is_escaped_that_can_stand() {
        assert_eq!(ini_word("a b\t; c;d e"), Ok("'a b\t''; c;d e'".into()));
        assert_eq!(ini_word("a #b"), Ok("'a ''#b'".into()));
        assert_eq!(ruby(r#"it's "so" #{x} \"#), r#"'it\'s "so" #{x} \\'"#);
        assert_eq!(ruby("it's #1\r\n"), r#""it's \#1\u{d}\n""#);
    }

    #[test]
    fn a_control_character_ends_a_word_of_an_ini_file_but_a_tab_does_not() {
        for text in ["a\nb", "a\rb", "\u{1b}", "\u{85}"] {
            assert!(ini_word(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_word_of_execline_escapes_its_backslashes_and_quotes_alone() {
        let word = execline("cd '/a b' # $A\nprintf \"%s\\n\" é");
        assert_eq!(word, "\"cd '/a b' # $A\nprintf \\\"%s\\\\n\\\" é\"");
    }

    #[test]
    fn a_path_with_a_comment_in_it_is_refused_and_one_without_stands() {
        assert_eq!(ini_path("/var/log/a b%/c;d"), Ok("/var/log/a b%%/c;d".into()));
        assert!(ini_path("/var/log/a ;b").is_err());
        assert!(ini_path("/var/log/a ").is_err());
    }
}
