//! supervisord's ini file, upstart's jobs and Ruby source.

/// Returns the value of a line of supervisord's ini file: Python's `configparser` with comments behind a
/// blank, then `%(…)s`.
fn ini_value(line: &str, key: &str) -> Option<String> {
    // A reader in text mode ends lines at CR, too.
    if line.contains(['\n', '\r']) {
        return None;
    }
    let mut content = line;
    for (at, _) in line.match_indices([';', '#']) {
        if line[..at].is_empty() || line[..at].ends_with(char::is_whitespace) {
            content = &line[..at];
            break;
        }
    }
    let value = content.strip_prefix(key)?.strip_prefix('=')?.trim();
    let mut out = String::new();
    let mut chars = value.chars();
    while let Some(c) = chars.next() {
        if c == '%' {
            chars.next().filter(|next| *next == '%')?;
        }
        out.push(c);
    }
    Some(out)
}

/// Whether the rest of a line cannot be this path.
pub(super) fn ini_refuses(value: &str) -> bool {
    let path = format!("{value}/w-1.log");
    let is_comment = |(at, _): (usize, &str)| path[..at].ends_with(char::is_whitespace);
    value.contains(char::is_control) || path.match_indices([';', '#']).any(is_comment)
}

/// `stdout_logfile=…/w-1.log`
pub(super) fn ini_log(statement: &str) -> Option<String> {
    ini_value(statement, "stdout_logfile")?.strip_suffix("/w-1.log").map(str::to_owned)
}

/// `command=/bin/sh WORD`, split by Python's `shlex` in POSIX mode.
pub(super) fn ini_command(statement: &str) -> Option<String> {
    let words = shlex(&ini_value(statement, "command")?)?;
    let [shell, script] = words.as_slice() else { return None };
    if shell != "/bin/sh" {
        return None;
    }
    script.strip_suffix("/a-w-1.sh").map(str::to_owned)
}

fn shlex(text: &str) -> Option<Vec<String>> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            ' ' | '\t' | '\r' | '\n' => words.extend(word.take()),
            '\\' => word.get_or_insert_default().push(chars.next()?),
            '\'' => {
                let word = word.get_or_insert_default();
                loop {
                    match chars.next()? {
                        '\'' => break,
                        c => word.push(c),
                    }
                }
            }
            '"' => {
                let word = word.get_or_insert_default();
                loop {
                    match chars.next()? {
                        '"' => break,
                        '\\' => match chars.next()? {
                            c @ ('"' | '\\') => word.push(c),
                            c => word.extend(['\\', c]),
                        },
                        c => word.push(c),
                    }
                }
            }
            c => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    Some(words)
}

/// `chdir TOKEN`, by libnih's `nih_config_token`: a backslash stays but before itself and spaces, quotes
/// hold spaces, and a newline in them becomes one.
pub(super) fn upstart_chdir(statement: &str) -> Option<String> {
    let mut out = String::new();
    let mut open = None;
    let mut chars = statement.strip_prefix("chdir ")?.chars();
    while let Some(c) = chars.next() {
        match (c, open) {
            ('\n', _) => return None,
            ('\\', _) => match chars.next()? {
                c @ ('\\' | ' ' | '\t' | '\r') => out.push(c),
                '\n' => return None,
                c => out.extend(['\\', c]),
            },
            (c, Some(quote)) if c == quote => open = None,
            (c, Some(_)) => out.push(c),
            ('"' | '\'', None) => open = Some(c),
            (c, None) if c.is_whitespace() || c == '#' => return None,
            (c, None) => out.push(c),
        }
    }
    open.is_none().then_some(out)
}

/// `'V' => STRING,` in a Ruby hash.
pub(super) fn ruby_pair(statement: &str) -> Option<String> {
    let text = statement.trim_start().strip_prefix("'V' => ")?.strip_suffix(',')?;
    // Ruby reads CR LF as LF, and its lexer ends at these.
    if text.contains(['\r', '\0', '\x04', '\x1a']) {
        return None;
    }
    if let Some(inner) = text.strip_prefix('\'').and_then(|rest| rest.strip_suffix('\'')) {
        ruby_single(inner)
    } else {
        ruby_double(text.strip_prefix('"')?.strip_suffix('"')?)
    }
}

fn ruby_single(inner: &str) -> Option<String> {
    let mut out = String::new();
    let mut chars = inner.chars();
    while let Some(c) = chars.next() {
        match c {
            '\'' => return None,
            '\\' => match chars.next()? {
                c @ ('\\' | '\'') => out.push(c),
                c => out.extend(['\\', c]),
            },
            c => out.push(c),
        }
    }
    Some(out)
}

fn ruby_double(inner: &str) -> Option<String> {
    let mut out = String::new();
    let mut chars = inner.chars();
    while let Some(c) = chars.next() {
        match c {
            '"' => return None,
            '#' if matches!(chars.as_str().chars().next(), Some('{' | '$' | '@')) => return None,
            '\\' => match chars.next()? {
                'a' => out.push('\x07'),
                'b' => out.push('\x08'),
                'e' => out.push('\x1b'),
                'f' => out.push('\x0c'),
                'n' => out.push('\n'),
                'r' => out.push('\r'),
                's' => out.push(' '),
                't' => out.push('\t'),
                'v' => out.push('\x0b'),
                'u' => {
                    let (code, rest) = chars.as_str().strip_prefix('{')?.split_once('}')?;
                    out.push(char::from_u32(u32::from_str_radix(code, 16).ok()?)?);
                    chars = rest.chars();
                }
                'x' | 'c' | 'C' | 'M' | '0'..='7' => return None,
                '\n' => {}
                c => out.push(c),
            },
            c => out.push(c),
        }
    }
    Some(out)
}
