//! The line by which pm knows the files that it wrote: in the format's form of a comment, among the first
//! lines of each file, and nothing else on it.
//!
//! `# pm export: app=shop format=systemd file=shop-web-1.service`
//!
//! It names the file itself, so a copy under another name is not pm's. pm 0.1.0 left the name out.

use std::fmt::Write;
use std::path::{Path, PathBuf};

/// Lines in which the marker is looked for: a script or an XML file must begin with something else.
const LINES: usize = 5;
const BEGIN: &str = "pm export: app=";

/// What opens and closes a comment in the languages of the formats.
const COMMENTS: [(&str, &str); 5] =
    [("#", ""), (";", ""), ("//", ""), ("<!--", "-->"), ("/*", "*/")];

/// Files of a service folder whose whole content is a number or a name, so that no comment fits: the marker
/// of the `run` beside them answers for them. That of pm 0.1.0 did not name them.
pub(crate) const BARE: [&str; 2] = ["timeout-kill", "down-signal"];

/// All files into which no comment fits, but those that are empty.
pub(crate) const COMMENTLESS: [&str; 7] = [
    "timeout-kill",
    "down-signal",
    "notification-fd",
    "type",
    "timeout-up",
    "producer-for",
    "consumer-for",
];

/// The files of a service folder that can answer for others.
pub(crate) const ANSWERING: [&str; 3] = ["run", "up", "contents"];

/// Returns the files that may answer for `path`: in its folder, or in that above.
pub(crate) fn answering(path: &Path) -> impl Iterator<Item = PathBuf> {
    let folders = path.ancestors().skip(1).take(2);
    folders.flat_map(|folder| ANSWERING.iter().map(move |name| folder.join(name)))
}

/// Whose file it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Marker {
    /// The application's name.
    pub(crate) app: String,
    /// The format; empty where the line does not say.
    pub(crate) format: String,
    /// The file's own path below the export's folder; `None` where an earlier pm wrote it.
    pub(crate) file: Option<String>,
    /// Files of pm in the same folder in which no comment fits.
    pub(crate) beside: Vec<String>,
}

impl Marker {
    /// Returns whether it is that of the file `path`, below the export's folder, and no copy of another's.
    pub(crate) fn names(&self, path: &Path) -> bool {
        self.file.as_deref().map(Path::new) == Some(path)
    }

    /// Returns whether it is that of a file, such as `run`, that names `path` as one of those beside it.
    pub(crate) fn answers_for(&self, path: &Path) -> bool {
        match &self.file {
            // An earlier pm left no list of them.
            None => BARE.into_iter().any(|name| path.file_name().is_some_and(|own| own == name)),
            Some(file) => {
                self.beside.iter().any(|name| path == Path::new(file).with_file_name(name))
            }
        }
    }
}

/// Returns the text of the marker of `file`, without the signs of a comment. `beside` names the files of the
/// same folder that cannot hold a comment.
pub(crate) fn text(format: &str, app: &str, file: &str, beside: &[&str]) -> String {
    let mut text = format!("{BEGIN}{} format={format} file={}", encoded(app), encoded(file));
    if !beside.is_empty() {
        text.push_str(" beside=");
        text.push_str(&beside.join(","));
    }
    text
}

/// Returns the marker of a file's contents.
pub(crate) fn read(contents: &str) -> Option<Marker> {
    contents.lines().take(LINES).find_map(|line| parse(comment(line)?))
}

/// Returns what a line that is a comment as a whole says.
fn comment(line: &str) -> Option<&str> {
    let line = line.trim();
    let text = |(open, close)| line.strip_prefix(open)?.strip_suffix(close);
    COMMENTS.into_iter().find_map(text).map(str::trim)
}

fn parse(comment: &str) -> Option<Marker> {
    let mut words = comment.strip_prefix(BEGIN)?.split(' ');
    let app = decoded(words.next().filter(|app| !app.is_empty())?)?;
    let mut marker = Marker { app, format: String::new(), file: None, beside: Vec::new() };
    for word in words {
        match word.split_once('=')? {
            ("format", format) => marker.format = format.to_owned(),
            ("file", file) => marker.file = Some(decoded(file)?),
            ("beside", names) => marker.beside = names.split(',').map(str::to_owned).collect(),
            _ => return None,
        }
    }
    Some(marker)
}

/// Returns a name in which nothing ends the word, the line or the comment: XML has no `--` in a comment.
fn encoded(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    for byte in name.bytes() {
        let is_plain = byte.is_ascii_alphanumeric() || b"._/@+".contains(&byte);
        if is_plain || byte == b'-' && !out.ends_with('-') {
            out.push(char::from(byte));
        } else {
            // Writing to a string does not fail.
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

fn decoded(word: &str) -> Option<String> {
    let mut parts = word.split('%');
    let mut bytes = parts.next()?.as_bytes().to_vec();
    for part in parts {
        bytes.push(u8::from_str_radix(part.get(..2)?, 16).ok()?);
        bytes.extend(part.get(2..)?.as_bytes());
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shop(file: Option<&str>) -> Marker {
        let (app, format) = ("shop".into(), "runit".into());
        Marker { app, format, file: file.map(str::to_owned), beside: vec![] }
    }

    #[test]
    fn a_marker_is_found_in_every_form_of_comment() {
        let found = Some(shop(Some("shop-web-1/run")));
        let text = text("runit", "shop", "shop-web-1/run", &[]);
        assert_eq!(text, "pm export: app=shop format=runit file=shop-web-1/run");
        for contents in [
            format!("# {text}\nx"),
            format!("#!/bin/sh\n# {text}\n"),
            format!("<?xml?>\n<!-- {text} -->\n"),
            format!("; {text}\r\n"),
            format!("  // {text}  \n"),
            format!("/* {text} */"),
        ] {
            assert_eq!(read(&contents), found, "{contents}");
        }
    }

    #[test]
    fn a_line_that_holds_more_than_the_marker_or_stands_far_down_is_none() {
        let text = text("runit", "shop", "shop-web-1/run", &[]);
        for contents in [
            format!("{}# {text}", "x\n".repeat(5)),
            text.clone(),
            format!("# the marker is: {text}"),
            format!("# {text} (copied)"),
            format!("# {text} file"),
            format!("<!-- {text}"),
            format!("echo # {text}"),
            "# pm export: app= format=runit".to_owned(),
            "# pm export: app=shop file=%".to_owned(),
            "# pm export: app=shop file=%F".to_owned(),
            "# pm export: app=shop file=%é".to_owned(),
            "# pm export: app=shop file=%FF".to_owned(),
            "[Unit]\n".to_owned(),
        ] {
            assert_eq!(read(&contents), None, "{contents}");
        }
    }

    #[test]
    fn a_marker_of_an_earlier_pm_names_no_file() {
        assert_eq!(read("# pm export: app=shop format=runit\n"), Some(shop(None)));
        let without_format = read("; pm export: app=shop\n").map(|marker| marker.format);
        assert_eq!(without_format.as_deref(), Some(""));
    }

    #[test]
    fn the_files_beside_it_are_named() {
        let text = text("s6", "shop", "shop-web-1/run", &["timeout-kill", "down-signal"]);
        let beside = read(&format!("# {text}")).map(|marker| marker.beside);
        assert_eq!(beside, Some(vec!["timeout-kill".into(), "down-signal".into()]));
    }

    proptest::proptest! {
        #[test]
        fn any_name_stays_on_one_line_and_inside_an_xml_comment(name in ".+") {
            let line = format!("<!-- {} -->", text("inittab", &name, &name, &[]));
            proptest::prop_assert_eq!(line.lines().count(), 1);
            proptest::prop_assert_eq!(line.matches("--").count(), 2, "{}", line);
            let found = read(&line).map(|marker| (marker.app, marker.file));
            proptest::prop_assert_eq!(found, Some((name.clone(), Some(name))));
        }
    }
}
