//! Strings of XML, of YAML and JSON, of compose and kubernetes files, and of HCL with the two
//! template languages that Nomad runs over them.

use super::{Quoted, Refusal, is_noncharacter};

/// Returns text of an XML element or a quoted attribute. Of the control characters XML 1.0 has only tab,
/// newline and carriage return; they are written as references, since a reader may change bare ones.
pub(crate) fn xml(text: &str) -> Quoted {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&apos;"),
            '\t' | '\n' | '\r' | '\u{7f}'..='\u{9f}' | '\u{2028}' => {
                out.push_str(&format!("&#{};", u32::from(c)));
            }
            c if c.is_control() => return Err(Refusal("a control character")),
            c if is_noncharacter(c) => return Err(Refusal("a character that Unicode reserves")),
            c => out.push(c),
        }
    }
    Ok(out)
}

/// Returns a JSON string that is also a double-quoted YAML scalar: what YAML does not count as printable,
/// or takes as a line break, is escaped.
pub(crate) fn json(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str(r"\\"),
            '\n' => out.push_str(r"\n"),
            '\r' => out.push_str(r"\r"),
            '\t' => out.push_str(r"\t"),
            '\u{2028}' | '\u{2029}' | '\u{feff}' => escape_unit(&mut out, c),
            c if c.is_control() || is_noncharacter(c) => escape_unit(&mut out, c),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

fn escape_unit(out: &mut String, c: char) {
    let mut units = [0; 2];
    match c.encode_utf16(&mut units) {
        [one] => out.push_str(&format!("\\u{one:04x}")),
        // YAML reads a pair of surrogates as two broken characters; the character itself is legal there.
        _ => out.push(c),
    }
}

/// Returns a scalar of a compose file, or of a container's `command`, `args` or `env[].value` in
/// kubernetes: both replace `$NAME` or `$(NAME)`, and read `$$` as `$`.
pub(crate) fn dollar_json(text: &str) -> String {
    json(&text.replace('$', "$$"))
}

/// Returns the value of a line of a compose env file (compose-go, package dotenv): single quotes are
/// literal but cannot hold their own kind or end in a backslash; double quotes take these escapes.
pub(crate) fn compose_env_file(text: &str) -> Quoted {
    if !text.contains(['\'', '\\']) {
        return Ok(format!("'{text}'"));
    }
    if text.contains(|c: char| c.is_ascii_control() && !matches!(c, '\n' | '\r' | '\t')) {
        return Err(Refusal("a control character"));
    }
    let escapes =
        [('\\', r"\\"), ('"', "\\\""), ('$', r"\$"), ('\n', r"\n"), ('\r', r"\r"), ('\t', r"\t")];
    Ok(format!("\"{}\"", super::replace(text, &escapes)))
}

/// Returns a string of HCL 2: `${` and `%{` begin templates there.
pub(crate) fn hcl(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str(r"\\"),
            '\n' => out.push_str(r"\n"),
            '\r' => out.push_str(r"\r"),
            '\t' => out.push_str(r"\t"),
            // The escape of the scanner; a run such as `$${` is broken up by a code point escape.
            '$' | '%' if chars.peek() == Some(&'{') => {
                if out.ends_with(c) {
                    out.pop();
                    out.push_str(&format!("\\u{:04x}", u32::from(c)));
                }
                out.extend([c, c]);
            }
            c if c.is_control() || is_noncharacter(c) => {
                out.push_str(&format!("\\U{:08x}", u32::from(c)));
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// Returns the value of a line of Nomad's `template { env = true }`, quoted: Nomad runs consul-template
/// over the data and reads the result with hashicorp/go-envparse, which knows four escapes and refuses
/// every other control byte. Braces, and what HCL knows before one, are written as template strings, so that
/// no `{{`, `${` or `%{` of the value is left: the line can stand in a heredoc.
pub(crate) fn nomad_env(text: &str) -> Quoted {
    if text.contains(|c: char| c.is_ascii_control() && !matches!(c, '\n' | '\t')) {
        return Err(Refusal("a control character other than newline and tab"));
    }
    let mut out = String::from("\"");
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        match c {
            '\\' => out.push_str(r"\\"),
            '"' => out.push_str("\\\""),
            '\n' => out.push_str(r"\n"),
            '\t' => out.push_str(r"\t"),
            '{' => out.push_str("{{\"{\"}}"),
            '$' | '%' if rest.trim_start_matches(['$', '%']).starts_with('{') => {
                out.push_str(&format!("{{{{\"{c}\"}}}}"));
            }
            c => out.push(c),
        }
        rest = &rest[c.len_utf8()..];
    }
    out.push('"');
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::super::testing::value;
    use super::*;
    use proptest::prelude::*;

    /// Character data and references of XML 1.0 with its line-end handling (section 2.11).
    fn read_xml(text: &str) -> Option<String> {
        let is_unfit = |c: char| c.is_control() || is_noncharacter(c) || "<>\"'".contains(c);
        if text.contains(is_unfit) {
            return None;
        }
        let mut out = String::new();
        let mut rest = text;
        while let Some(at) = rest.find('&') {
            out.push_str(&rest[..at]);
            let end = rest[at..].find(';')? + at;
            match &rest[at + 1..end] {
                "amp" => out.push('&'),
                "lt" => out.push('<'),
                "gt" => out.push('>'),
                "quot" => out.push('"'),
                "apos" => out.push('\''),
                number => out.push(char::from_u32(number.strip_prefix('#')?.parse().ok()?)?),
            }
            rest = &rest[end + 1..];
        }
        out.push_str(rest);
        Some(out)
    }

    fn read_json(text: &str) -> Option<String> {
        serde_json::from_str(text).ok()
    }

    /// A quoted HCL template without interpolation: `$${` and `%%{` are literals, then the escapes.
    fn read_hcl(text: &str) -> Option<String> {
        let inner = text.strip_prefix('"')?.strip_suffix('"')?;
        let mut out = String::new();
        let mut rest = inner;
        while let Some(c) = rest.chars().next() {
            let skip = match c {
                '$' | '%' if rest[1..].starts_with(c) && rest[2..].starts_with('{') => {
                    out.extend([c, '{']);
                    3
                }
                '$' | '%' if rest[1..].starts_with('{') => return None,
                '"' => return None,
                c if c.is_control() || is_noncharacter(c) => return None,
                '\\' => match rest[1..].chars().next()? {
                    'n' => {
                        out.push('\n');
                        2
                    }
                    'r' => {
                        out.push('\r');
                        2
                    }
                    't' => {
                        out.push('\t');
                        2
                    }
                    'u' => {
                        out.push(char::from_u32(u32::from_str_radix(rest.get(2..6)?, 16).ok()?)?);
                        6
                    }
                    'U' => {
                        out.push(char::from_u32(u32::from_str_radix(rest.get(2..10)?, 16).ok()?)?);
                        10
                    }
                    c @ ('\\' | '"') => {
                        out.push(c);
                        2
                    }
                    _ => return None,
                },
                c => {
                    out.push(c);
                    c.len_utf8()
                }
            };
            rest = &rest[skip..];
        }
        Some(out)
    }

    /// consul-template with string literals only, then go-envparse in double quotes.
    fn read_nomad_env(text: &str) -> Option<String> {
        let mut rendered = String::new();
        let mut rest = text;
        while let Some(at) = rest.find("{{") {
            rendered.push_str(&rest[..at]);
            let end = rest[at..].find("\"}}")? + at;
            rendered.push_str(rest[at..end].strip_prefix("{{\"")?);
            rest = &rest[end + 3..];
        }
        rendered.push_str(rest);
        let inner = rendered.strip_prefix('"')?.strip_suffix('"')?;
        let mut out = String::new();
        let mut chars = inner.chars();
        while let Some(c) = chars.next() {
            match c {
                '"' => return None,
                '\\' => match chars.next()? {
                    'n' => out.push('\n'),
                    't' => out.push('\t'),
                    c @ ('\\' | '"') => out.push(c),
                    _ => return None,
                },
                c if c.is_ascii_control() => return None,
                c => out.push(c),
            }
        }
        Some(out)
    }

    /// compose-go's `extractVarValue`: the quotes with the escape of their own kind, then in double
    /// quotes `expandEscapes` and the template, where only `$$` is no variable.
    fn read_compose_env(line: &str) -> Option<String> {
        if let Some(rest) = line.strip_prefix('\'') {
            let inner = rest.strip_suffix('\'')?;
            return (!inner.contains(['\'', '\\'])).then(|| inner.to_owned());
        }
        let inner = line.strip_prefix('"')?.strip_suffix('"')?;
        let mut out = String::new();
        let mut chars = inner.chars();
        while let Some(c) = chars.next() {
            match c {
                '"' | '$' => return None,
                '\\' => match chars.next()? {
                    'n' => out.push('\n'),
                    'r' => out.push('\r'),
                    't' => out.push('\t'),
                    c @ ('\\' | '"' | '$') => out.push(c),
                    _ => return None,
                },
                c => out.push(c),
            }
        }
        Some(out)
    }

    #[test]
    fn nothing_is_escaped_that_can_stand() {
        assert_eq!(json("a'$<b> é\n"), r#""a'$<b> é\n""#);
        assert_eq!(hcl("a$b%c{d} é"), r#""a$b%c{d} é""#);
        assert_eq!(nomad_env("a$b%c d é"), Ok(r#""a$b%c d é""#.into()));
        assert_eq!(compose_env_file("a \"b\" $c\n"), Ok("'a \"b\" $c\n'".into()));
        assert_eq!(compose_env_file("it's $5\n"), Ok(r#""it's \$5\n""#.into()));
    }

    #[test]
    fn what_xml_has_no_character_for_is_refused_and_hcl_escapes_it() {
        for text in ["\u{1b}", "\u{b}", "\u{fdd0}", "\u{ffff}"] {
            assert!(xml(text).is_err(), "{text:?}");
        }
        for (text, quoted) in [("\u{1b}", r#""\U0000001b""#), ("\u{ffff}", r#""\U0000ffff""#)] {
            assert_eq!(hcl(text), quoted);
        }
    }

    proptest! {
        #[test]
        fn strings_arrive_byte_for_byte_or_are_refused(text in value()) {
            match xml(&text) {
                Ok(quoted) => prop_assert_eq!(read_xml(&quoted), Some(text.clone())),
                Err(_) => prop_assert!(text.contains(|c: char| c.is_control() || is_noncharacter(c))),
            }
            match compose_env_file(&text) {
                Ok(line) => prop_assert_eq!(read_compose_env(&line), Some(text.clone()), "{}", line),
                Err(_) => {
                    let is_unfit = |c: char| c.is_ascii_control() && !"\n\r\t".contains(c);
                    prop_assert!(text.contains(is_unfit) && text.contains(['\'', '\\']));
                }
            }
            let quoted = json(&text);
            let unprintable = |c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}');
            prop_assert_eq!(quoted.find(unprintable), None);
            prop_assert_eq!(read_json(&quoted), Some(text.clone()));
            prop_assert_eq!(read_json(&dollar_json(&text)).map(|t| t.replace("$$", "$")), Some(text.clone()));
            prop_assert_eq!(read_hcl(&hcl(&text)), Some(text.clone()), "{}", hcl(&text));
            match nomad_env(&text) {
                Ok(quoted) => {
                    prop_assert_eq!(quoted.find("${").or(quoted.find("%{")), None);
                    prop_assert_eq!(read_nomad_env(&quoted), Some(text));
                }
                Err(_) => {
                    let is_unfit = |c: char| c.is_ascii_control() && !matches!(c, '\n' | '\t');
                    prop_assert!(text.contains(is_unfit));
                }
            }
        }
    }
}
