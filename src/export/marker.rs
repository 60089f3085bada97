//! The line by which pm knows the files that it wrote: `# pm export: app=shop format=systemd`, in the
//! format's form of a comment, among the first lines of each file.

use std::path::Path;

/// Lines in which the marker is looked for: a script or an XML file must begin with something else.
const LINES: usize = 5;
const BEGIN: &str = "pm export: app=";

/// Files of a service folder whose whole content is a number or a name, so that no comment fits.
/// They are pm's where the `run` beside them is.
pub(crate) const BARE: [&str; 2] = ["timeout-kill", "down-signal"];

/// Whose file it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Marker {
    /// The application's name.
    pub(crate) app: String,
    /// The format; empty where the line does not say.
    pub(crate) format: String,
}

/// Returns the text of the marker, without the signs of a comment.
pub(crate) fn text(format: &str, app: &str) -> String {
    format!("{BEGIN}{app} format={format}")
}

/// Returns the marker of a file's contents.
pub(crate) fn read(contents: &str) -> Option<Marker> {
    contents.lines().take(LINES).find_map(|line| {
        let rest = &line[line.find(BEGIN)? + BEGIN.len()..];
        let mut words = rest.split_whitespace();
        let app = words.next()?.to_owned();
        let format = words.next().and_then(|word| word.strip_prefix("format=")).unwrap_or_default();
        Some(Marker { app, format: format.to_owned() })
    })
}

/// Returns whether the file is one in which no marker fits.
pub(crate) fn can_do_without(path: &Path) -> bool {
    path.file_name().and_then(|name| name.to_str()).is_some_and(|name| BARE.contains(&name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_marker_is_found_in_every_form_of_comment() {
        let shop = Some(Marker { app: "shop".into(), format: "runit".into() });
        let text = text("runit", "shop");
        assert_eq!(read(&format!("# {text}\nx")), shop);
        assert_eq!(read(&format!("#!/bin/sh\n# {text}\n")), shop);
        assert_eq!(read(&format!("<?xml?>\n<!-- {text} -->\n")), shop);
        assert_eq!(read("# pm export: app=shop\n").map(|marker| marker.app), Some("shop".into()));
    }

    #[test]
    fn a_marker_far_down_or_of_another_application_is_told_apart() {
        assert_eq!(read(&format!("{}# {}", "x\n".repeat(9), text("runit", "shop"))), None);
        assert_eq!(
            read("# pm export: app=shopping format=runit").map(|marker| marker.app),
            Some("shopping".into())
        );
        assert_eq!(read("[Unit]\n"), None);
    }
}
