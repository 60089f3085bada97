//! Words of a POSIX shell (XCU 2.2, 2.6.3, printf), as far as exports use them.

/// `export V=WORD`
pub(super) fn export(statement: &str) -> Option<String> {
    word(statement.strip_prefix("export V=")?)
}

/// `export V=WORD`, or a value that printf writes; on one line.
pub(super) fn export_line(statement: &str) -> Option<String> {
    if statement.contains('\n') {
        return None;
    }
    let Some(rest) = statement.strip_prefix("V=$(printf -- ") else { return export(statement) };
    let format = word(rest.strip_suffix("); export V=\"${V%.}\"")?)?;
    // `$(…)` drops newlines at the end, and `%.` the dot.
    let printed = printf(&format)?;
    printed.trim_end_matches('\n').strip_suffix('.').map(str::to_owned)
}

/// `exec >>WORD 2>&1`, where the word ends with the name of the log.
pub(super) fn redirection(statement: &str) -> Option<String> {
    let written = statement.strip_prefix("exec >>")?.strip_suffix(" 2>&1")?;
    if statement.contains('\n') {
        return None;
    }
    word(written)?.strip_suffix("/w-1.log").map(str::to_owned)
}

/// The argument behind `/bin/sh -c`.
pub(super) fn last_word(statement: &str) -> Option<String> {
    let (_, written) = statement.split_once(" /bin/sh -c ")?;
    word(written)
}

/// Reads one word that is all of the text. What no quotes protect must mean nothing to a shell.
pub(super) fn word(text: &str) -> Option<String> {
    let mut out = String::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            '\'' => loop {
                match chars.next()? {
                    '\'' => break,
                    c => out.push(c),
                }
            },
            '\\' => match chars.next()? {
                '\n' => {}
                c => out.push(c),
            },
            c if c.is_ascii_alphanumeric() || "/._-".contains(c) => out.push(c),
            _ => return None,
        }
    }
    Some(out)
}

/// What printf makes of a format without arguments: `%%`, and its escapes.
fn printf(format: &str) -> Option<String> {
    let mut out = Vec::new();
    let mut bytes = format.bytes().peekable();
    while let Some(byte) = bytes.next() {
        match byte {
            b'%' => out.push(bytes.next_if_eq(&b'%')?),
            b'\\' => match bytes.next()? {
                b'\\' => out.push(b'\\'),
                digit @ b'0'..=b'7' => {
                    let mut value = u32::from(digit - b'0');
                    for _ in 0..2 {
                        let Some(digit) = bytes.next_if(|b| (b'0'..=b'7').contains(b)) else {
                            break;
                        };
                        value = value * 8 + u32::from(digit - b'0');
                    }
                    out.push(u8::try_from(value).ok()?);
                }
                _ => return None,
            },
            byte => out.push(byte),
        }
    }
    String::from_utf8(out).ok()
}
