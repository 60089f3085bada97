//! Units and environment files as systemd reads them (systemd.syntax(7), systemd.unit(5), systemd.exec(5)),
//! and podman's (podman-systemd.unit(5)).

/// Characters that systemd takes for invalid UTF-8.
fn is_reserved(c: char) -> bool {
    matches!(c, '\u{fdd0}'..='\u{fdef}') || u32::from(c) & 0xfffe == 0xfffe
}

/// Whether systemd reads no such value.
pub(super) fn refuses(value: &str) -> bool {
    value.contains(is_reserved)
}

/// Whether a line without quotes cannot hold it: a line ends at a newline, goes on behind a backslash, and
/// loses spaces at its ends.
pub(super) fn refuses_path(value: &str) -> bool {
    refuses(value) || value.contains(char::is_control) || value.ends_with(['\\', ' '])
}

/// Returns what stands behind `KEY=` in a line of a unit.
fn value<'a>(line: &'a str, key: &str) -> Option<&'a str> {
    if line.contains('\n') || line.ends_with('\\') || line.contains(is_reserved) {
        return None;
    }
    Some(line.strip_prefix(key)?.strip_prefix('=')?.trim_matches([' ', '\t', '\r']))
}

/// `Environment="V=…"`
pub(super) fn environment(statement: &str) -> Option<String> {
    let assignment = specifiers(&quoted_word(value(statement, "Environment")?)?, false)?;
    assignment.strip_prefix("V=").map(str::to_owned)
}

/// `Environment="V=…"` in a quadlet file: podman's generator takes the quotes off, and writes what it has
/// read into an `ExecStart=`, which replaces specifiers and variables.
pub(super) fn quadlet(statement: &str) -> Option<String> {
    let assignment = specifiers(&quoted_word(value(statement, "Environment")?)?, true)?;
    assignment.strip_prefix("V=").map(str::to_owned)
}

/// `WorkingDirectory=…`
pub(super) fn folder(statement: &str) -> Option<String> {
    specifiers(value(statement, "WorkingDirectory")?, false)
}

/// `EnvironmentFile=…/a.env`: specifiers, then a glob.
pub(super) fn environment_file(statement: &str) -> Option<String> {
    let pattern = specifiers(value(statement, "EnvironmentFile")?, false)?;
    let mut path = String::new();
    let mut chars = pattern.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => path.push(chars.next()?),
            '*' | '?' | '[' => return None,
            c => path.push(c),
        }
    }
    path.strip_suffix("/a.env").map(str::to_owned)
}

/// One word in double quotes that is all of the text, with the escapes of C.
fn quoted_word(text: &str) -> Option<String> {
    let inner = text.strip_prefix('"')?.strip_suffix('"')?;
    let mut out = Vec::new();
    let mut chars = inner.chars();
    let digits = |chars: &mut std::str::Chars<'_>, count: usize, radix: u32| {
        let number = chars.as_str().get(..count)?;
        *chars = chars.as_str()[count..].chars();
        u32::from_str_radix(number, radix).ok()
    };
    let mut utf8 = [0; 4];
    while let Some(c) = chars.next() {
        let plain = match c {
            '"' => return None,
            '\\' => match chars.next()? {
                'a' => '\x07',
                'b' => '\x08',
                'f' => '\x0c',
                'n' => '\n',
                'r' => '\r',
                't' => '\t',
                'v' => '\x0b',
                's' => ' ',
                'x' => {
                    // A byte, not a character.
                    out.push(u8::try_from(digits(&mut chars, 2, 16)?).ok().filter(|b| *b != 0)?);
                    continue;
                }
                'u' => char::from_u32(digits(&mut chars, 4, 16)?)?,
                'U' => char::from_u32(digits(&mut chars, 8, 16)?)?,
                c @ ('\\' | '"' | '\'') => c,
                _ => return None,
            },
            c => c,
        };
        out.extend_from_slice(plain.encode_utf8(&mut utf8).as_bytes());
    }
    String::from_utf8(out).ok()
}

/// Replaces `%%`, and in command lines `$$`; anything else that either begins would be replaced.
fn specifiers(text: &str, has_variables: bool) -> Option<String> {
    let mut out = String::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        if c == '%' || (c == '$' && has_variables) {
            chars.next().filter(|next| *next == c)?;
        }
        out.push(c);
    }
    Some(out)
}

/// A line of an environment file: `V="…"`, where the quotes may hold newlines.
pub(super) fn env_file(statement: &str) -> Option<String> {
    if statement.contains(is_reserved) {
        return None;
    }
    let mut chars = statement.strip_prefix("V=\"")?.chars();
    let mut out = String::new();
    loop {
        match chars.next()? {
            '"' => break,
            '\\' => match chars.next()? {
                c @ ('"' | '\\' | '`' | '$') => out.push(c),
                '\n' => {}
                c => out.extend(['\\', c]),
            },
            c => out.push(c),
        }
    }
    // Anything behind the quotes would be part of the value, or of another line.
    chars.as_str().is_empty().then_some(out)
}

/// A line of podman's own environment files, which have no quotes.
pub(super) fn quadlet_env_file(statement: &str) -> Option<String> {
    if statement.contains(['\n', '\r']) {
        return None;
    }
    statement.strip_prefix("V=").map(str::to_owned)
}
