//! Values of systemd units (systemd.syntax(7), systemd.exec(5)) and of the units that podman's
//! quadlet generator reads and writes again (podman-systemd.unit(5)).

use super::{Quoted, Refusal, is_noncharacter, replace};

const WORD: [(char, &str); 6] =
    [('\\', r"\\"), ('"', "\\\""), ('%', "%%"), ('\n', r"\n"), ('\t', r"\t"), ('\r', r"\r")];

fn escaped(text: &str) -> Quoted {
    refuse_noncharacters(text)?;
    let mut out = String::with_capacity(text.len() + 2);
    for c in replace(text, &WORD).chars() {
        if c.is_ascii_control() {
            out.push_str(&format!("\\x{:02x}", u32::from(c)));
        } else {
            out.push(c);
        }
    }
    Ok(out)
}

fn refuse_noncharacters(text: &str) -> Result<(), Refusal> {
    if text.contains(is_noncharacter) {
        Err(Refusal("a character that Unicode reserves"))
    } else {
        Ok(())
    }
}

/// Returns a word of `Environment=`, quoted: specifiers are dead, `$` is literal there.
pub(crate) fn word(text: &str) -> Quoted {
    Ok(format!("\"{}\"", escaped(text)?))
}

/// Returns a word of `ExecStart=`, quoted: specifiers and `$VAR` are dead. In a quadlet file the
/// generator passes both `Exec=` and `Environment=` on to an `ExecStart=`, so they need this one.
pub(crate) fn exec_word(text: &str) -> Quoted {
    Ok(format!("\"{}\"", escaped(text)?.replace('$', "$$")))
}

/// Returns the rest of a line that is a path (`WorkingDirectory=`): not unquoted by systemd, so spaces and
/// quotes stand as they are, and only specifiers need care.
pub(crate) fn path(text: &str) -> Quoted {
    refuse_noncharacters(text)?;
    if text.contains(char::is_control) {
        return Err(Refusal("a control character"));
    }
    if text.ends_with(['\\', ' ']) {
        return Err(Refusal("a backslash or space at its end"));
    }
    Ok(text.replace('%', "%%"))
}

/// Returns the path of an `EnvironmentFile=`, which systemd also reads as a glob (systemd.exec(5)).
pub(crate) fn glob_path(text: &str) -> Quoted {
    Ok(replace(&path(text)?, &[('*', r"\*"), ('?', r"\?"), ('[', r"\["), ('\\', r"\\")]))
}

/// Returns the value of a line of an environment file, quoted: newlines stand as they are, and there are
/// no specifiers.
pub(crate) fn env_file_value(text: &str) -> Quoted {
    refuse_noncharacters(text)?;
    let escapes = [('\\', r"\\"), ('"', "\\\""), ('`', r"\`"), ('$', r"\$")];
    Ok(format!("\"{}\"", replace(text, &escapes)))
}

#[cfg(test)]
mod tests {
    use super::super::testing::value;
    use super::*;
    use proptest::prelude::*;

    /// What `extract_first_word` with `CUNESCAPE | UNQUOTE` and then specifiers make of one quoted word;
    /// `dollars` adds the `$$` of command lines.
    fn read_word(quoted: &str, dollars: bool) -> Option<String> {
        let inner = quoted.strip_prefix('"')?.strip_suffix('"')?;
        let mut out = String::new();
        let mut chars = inner.chars();
        while let Some(c) = chars.next() {
            match c {
                '"' | '\n' => return None,
                '\\' => match chars.next()? {
                    'n' => out.push('\n'),
                    't' => out.push('\t'),
                    'r' => out.push('\r'),
                    'x' => {
                        let hex: String = chars.by_ref().take(2).collect();
                        out.push(char::from(u8::from_str_radix(&hex, 16).ok()?));
                    }
                    c @ ('\\' | '"') => out.push(c),
                    _ => return None,
                },
                '%' => match chars.next()? {
                    '%' => out.push('%'),
                    _ => return None,
                },
                '$' if dollars => match chars.next()? {
                    '$' => out.push('$'),
                    _ => return None,
                },
                c => out.push(c),
            }
        }
        Some(out)
    }

    /// `parse_env_file_internal` in its state for double quotes.
    fn read_env_file(quoted: &str) -> Option<String> {
        let inner = quoted.strip_prefix('"')?.strip_suffix('"')?;
        let mut out = String::new();
        let mut chars = inner.chars();
        while let Some(c) = chars.next() {
            match c {
                '"' => return None,
                '\\' => match chars.next()? {
                    c @ ('"' | '\\' | '`' | '$') => out.push(c),
                    '\n' => {}
                    c => out.extend(['\\', c]),
                },
                c => out.push(c),
            }
        }
        Some(out)
    }

    /// The one name that glob(7) matches, where there is only one.
    fn read_glob(pattern: &str) -> Option<String> {
        let mut out = String::new();
        let mut chars = pattern.chars();
        while let Some(c) = chars.next() {
            match c {
                '*' | '?' | '[' => return None,
                '\\' => out.push(chars.next()?),
                c => out.push(c),
            }
        }
        Some(out)
    }

    fn is_refused(text: &str) -> bool {
        text.contains(is_noncharacter)
    }

    proptest! {
        #[test]
        fn words_arrive_byte_for_byte_or_are_refused(text in value()) {
            prop_assert_eq!(word(&text).is_err(), is_refused(&text));
            if let (Ok(word), Ok(exec), Ok(line)) = (word(&text), exec_word(&text), env_file_value(&text)) {
                prop_assert_eq!(read_word(&word, false), Some(text.clone()));
                prop_assert_eq!(read_word(&exec, true), Some(text.clone()));
                prop_assert_eq!(read_env_file(&line), Some(text));
            }
        }

        #[test]
        fn paths_arrive_byte_for_byte_or_are_refused(text in value()) {
            prop_assert_eq!(glob_path(&text).is_ok(), path(&text).is_ok());
            if let (Ok(line), Ok(glob)) = (path(&text), glob_path(&text)) {
                prop_assert!(!line.contains('\n') && !line.ends_with('\\'));
                prop_assert_eq!(line.replace("%%", "%"), text.clone());
                prop_assert_eq!(read_glob(&glob.replace("%%", "%")), Some(text), "{}", glob);
            }
        }
    }
}
