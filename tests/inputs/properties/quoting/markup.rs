//! XML, YAML, compose's environment files, HCL and what Nomad reads behind it.

/// Whether XML 1.0 has no way to write it.
pub(super) fn xml_refuses(value: &str) -> bool {
    value.contains(|c: char| {
        (c.is_control() && !matches!(c, '\t' | '\n' | '\r' | '\u{7f}'..='\u{9f}'))
            || matches!(c, '\u{fdd0}'..='\u{fdef}')
            || u32::from(c) & 0xfffe == 0xfffe
    })
}

/// `<string>…</string>`
pub(super) fn xml_string(statement: &str) -> Option<String> {
    xml(statement.trim_start_matches(' ').strip_prefix("<string>")?.strip_suffix("</string>")?)
}

/// `<envvar name="V" value="…"/>`
pub(super) fn xml_envvar(statement: &str) -> Option<String> {
    let value = statement.trim_start_matches(' ').strip_prefix("<envvar name=\"V\" value=\"")?;
    xml(value.strip_suffix("\"/>")?)
}

/// Text or an attribute: references; line ends and spaces that are not written as such would be changed.
fn xml(text: &str) -> Option<String> {
    let mut out = String::new();
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let mut length = c.len_utf8();
        match c {
            '<' | '>' | '"' | '\'' | '\t' | '\u{85}' | '\u{2028}' => return None,
            c if xml_refuses(c.encode_utf8(&mut [0; 4])) || c.is_control() => return None,
            '&' => {
                let (name, _) = rest[1..].split_once(';')?;
                length = name.len() + 2;
                out.push(match name {
                    "amp" => '&',
                    "lt" => '<',
                    "gt" => '>',
                    "quot" => '"',
                    "apos" => '\'',
                    _ => char::from_u32(name.strip_prefix('#')?.parse().ok()?)?,
                });
            }
            c => out.push(c),
        }
        rest = &rest[length..];
    }
    Some(out)
}

/// `"V": "…"`
pub(super) fn yaml_pair(statement: &str) -> Option<String> {
    yaml(statement.trim_start_matches(' ').strip_prefix("\"V\": ")?)
}

/// The same in a compose file, which replaces `$NAME` in what it has read.
pub(super) fn compose_pair(statement: &str) -> Option<String> {
    let mut out = String::new();
    let read = yaml_pair(statement)?;
    let mut chars = read.chars();
    while let Some(c) = chars.next() {
        if c == '$' {
            chars.next().filter(|next| *next == '$')?;
        }
        out.push(c);
    }
    Some(out)
}

/// A double-quoted scalar of YAML 1.1 and 1.2 on one line, of printable characters.
fn yaml(text: &str) -> Option<String> {
    let inner = text.strip_prefix('"')?.strip_suffix('"')?;
    let mut out = String::new();
    let mut chars = inner.chars();
    while let Some(c) = chars.next() {
        match c {
            '"' | '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}' => return None,
            c if c.is_control() => return None,
            '\\' => {
                let escape = chars.next()?;
                let mut code = |digits: usize| {
                    let number = u32::from_str_radix(chars.as_str().get(..digits)?, 16).ok()?;
                    chars = chars.as_str()[digits..].chars();
                    char::from_u32(number)
                };
                out.push(match escape {
                    '0' => '\0',
                    'a' => '\x07',
                    'b' => '\x08',
                    't' => '\t',
                    'n' => '\n',
                    'v' => '\x0b',
                    'f' => '\x0c',
                    'r' => '\r',
                    'e' => '\x1b',
                    'N' => '\u{85}',
                    '_' => '\u{a0}',
                    'L' => '\u{2028}',
                    'P' => '\u{2029}',
                    'x' => code(2)?,
                    'u' => code(4)?,
                    'U' => code(8)?,
                    c @ ('"' | '\\' | '/' | ' ') => c,
                    _ => return None,
                });
            }
            c => out.push(c),
        }
    }
    Some(out)
}

/// `V='…'` or `V="…"` (compose-go, package dotenv): single quotes are literal; in double quotes an escaped
/// quote loses its backslash, then come the escapes of C, then `$NAME`.
pub(super) fn compose_env_file(statement: &str) -> Option<String> {
    let quoted = statement.strip_prefix("V=")?;
    if let Some(inner) = quoted.strip_prefix('\'') {
        let inner = inner.strip_suffix('\'')?;
        return (!inner.contains(['\'', '\\'])).then(|| inner.to_owned());
    }
    let inner = quoted.strip_prefix('"')?.strip_suffix('"')?;
    let mut out = String::new();
    let mut chars = inner.chars();
    while let Some(c) = chars.next() {
        match c {
            '"' => return None,
            '$' => return None,
            '\\' => out.push(match chars.next()? {
                'n' => '\n',
                'r' => '\r',
                't' => '\t',
                c @ ('\\' | '"' | '$') => c,
                _ => return None,
            }),
            c => out.push(c),
        }
    }
    Some(out)
}

/// `data = file("…/a.env")`
pub(super) fn hcl_data(statement: &str) -> Option<String> {
    let (_, call) = statement.split_once("= file(")?;
    hcl(call.strip_suffix(')')?)?.strip_suffix("/a.env").map(str::to_owned)
}

/// A quoted template of HCL 2 that replaces nothing.
fn hcl(text: &str) -> Option<String> {
    let inner = text.strip_prefix('"')?.strip_suffix('"')?;
    let mut out = String::new();
    let mut rest = inner;
    while let Some(c) = rest.chars().next() {
        let code =
            |digits: usize| char::from_u32(u32::from_str_radix(rest.get(2..2 + digits)?, 16).ok()?);
        let (length, read) = match c {
            '"' | '\n' | '\r' => return None,
            // `$${` is the literal `${`; a lone one begins a template.
            '$' | '%' if rest[1..].starts_with('{') => return None,
            '$' | '%' if rest[1..].starts_with([c]) && rest[2..].starts_with('{') => {
                out.push(c);
                (3, '{')
            }
            '\\' => match rest[1..].chars().next()? {
                'n' => (2, '\n'),
                'r' => (2, '\r'),
                't' => (2, '\t'),
                'u' => (6, code(4)?),
                'U' => (10, code(8)?),
                c @ ('"' | '\\') => (2, c),
                _ => return None,
            },
            c => (c.len_utf8(), c),
        };
        out.push(read);
        rest = &rest[length..];
    }
    Some(out)
}

/// Whether go-envparse has no way to write it.
pub(super) fn is_no_nomad_line(value: &str) -> bool {
    value.contains(|c: char| c.is_ascii_control() && !matches!(c, '\n' | '\t'))
}

/// `V="…"` in a template of Nomad: consul-template, where only string literals stand, and then
/// hashicorp/go-envparse.
pub(super) fn nomad_line(statement: &str) -> Option<String> {
    if statement.contains('\n') || statement.contains("${") || statement.contains("%{") {
        return None;
    }
    let mut rendered = String::new();
    let mut rest = statement;
    while let Some((before, action)) = rest.split_once("{{") {
        let (literal, behind) = action.split_once("}}")?;
        let literal = literal.strip_prefix('"')?.strip_suffix('"')?;
        if literal.contains(['"', '\\']) {
            return None;
        }
        rendered.push_str(before);
        rendered.push_str(literal);
        rest = behind;
    }
    rendered.push_str(rest);
    let inner = rendered.strip_prefix("V=\"")?.strip_suffix('"')?;
    let mut out = String::new();
    let mut chars = inner.chars();
    while let Some(c) = chars.next() {
        match c {
            '"' => return None,
            c if u32::from(c) < 32 => return None,
            '\\' => out.push(match chars.next()? {
                'n' => '\n',
                't' => '\t',
                c @ ('\\' | '"') => c,
                _ => return None,
            }),
            c => out.push(c),
        }
    }
    Some(out)
}
