//! The manual pages: pm(1) and one of each subcommand from the definitions that read the command line,
//! pm.toml(5) from those that read the file. What they do not know (exit codes, signals, files, examples)
//! stands in the .roff files of this folder.

pub mod args;
mod codes;
mod environment;
mod pm_toml;

use std::io;
use std::path::Path;

use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};

use crate::export::FORMATS;

/// What the roff crate puts before whatever it renders.
const APOSTROPHE: &str = ".ie \\n(.g .ds Aq \\(aq\n.el .ds Aq '\n";
/// What pages of subcommands have beside what clap knows.
const SECTIONS: &[(&str, &str)] = &[
    ("pm", include_str!("pm.roff")),
    ("pm-start", include_str!("start.roff")),
    ("pm-run", include_str!("run.roff")),
    ("pm-check", include_str!("check.roff")),
    ("pm-export", include_str!("export.roff")),
    ("pm-logs", include_str!("logs.roff")),
    ("pm-attach", include_str!("attach.roff")),
    ("pm-scale", include_str!("scale.roff")),
    ("pm-wait", include_str!("wait.roff")),
];

/// One page.
#[derive(Debug)]
pub(super) struct Page {
    /// The name of its file: `pm-start.1`.
    pub(super) name: String,
    /// Its roff source.
    pub(super) text: Vec<u8>,
}

/// Makes every page; the first is pm(1).
///
/// # Errors
/// Never but where memory cannot be written.
pub(super) fn pages(command: clap::Command) -> io::Result<Vec<Page>> {
    let mut command = command.disable_help_subcommand(true);
    command.build();
    let mut pages = vec![page(&command, &environment::variables(&command))?];
    for subcommand in command.get_subcommands().filter(|subcommand| !subcommand.is_hide_set()) {
        pages.push(page(subcommand, "")?);
    }
    pages
        .push(Page { name: "pm.toml.5".to_owned(), text: finished(&pm_toml::page()).into_bytes() });
    Ok(pages)
}

/// Writes every page to a folder, which is made where there is none.
///
/// # Errors
/// The folder or a file cannot be written.
pub(super) fn write(pages: &[Page], folder: &Path) -> io::Result<()> {
    std::fs::create_dir_all(folder)?;
    pages.iter().try_for_each(|page| std::fs::write(folder.join(&page.name), &page.text))
}

/// Begins a page. The date is left out, as the version says more; the roff crate would leave out its place.
fn title(name: &str, section: u8) -> String {
    let version = env!("CARGO_PKG_VERSION");
    format!(".TH \"{name}\" {section} \"\" \"pm {version}\" \"pm manual\"\n")
}

/// `variables` are the PM_ variables, for the one page that lists them.
fn page(command: &clap::Command, variables: &str) -> io::Result<Page> {
    let name = command.get_display_name().unwrap_or_else(|| command.get_name()).to_owned();
    // Its own sections say it better.
    let command = command.clone().after_help(None::<&str>).after_long_help(None::<&str>);
    let mut usage = command.clone();
    let has_subcommands = command.get_subcommands().any(|subcommand| !subcommand.is_hide_set());
    let man = Man::new(command);
    let mut text = title(&name, 1).into_bytes();
    man.render_name_section(&mut text)?;
    text.extend(synopsis(&name, &mut usage).into_bytes());
    man.render_description_section(&mut text)?;
    man.render_options_section(&mut text)?;
    if has_subcommands {
        man.render_subcommands_section(&mut text)?;
    }
    if name == "pm-export" {
        text.extend(formats().into_bytes());
    }
    match SECTIONS.iter().find(|(page, _)| *page == name) {
        Some((_, sections)) => {
            let sections = sections.replace("@VARIABLES@\n", variables);
            text.extend(sections.replace("@CODES@\n", &codes::codes()).into_bytes());
        }
        None => text.extend(include_bytes!("others.roff")),
    }
    Ok(Page {
        name: format!("{name}.1"),
        text: finished(&String::from_utf8_lossy(&text)).into_bytes(),
    })
}

/// The line of `--help`: it says which words may be repeated, and no option twice.
fn synopsis(name: &str, command: &mut clap::Command) -> String {
    let usage = command.render_usage().to_string();
    let words = name.replacen('-', " ", 1);
    let rest = usage.trim_start_matches("Usage: ").trim_start_matches(words.as_str()).to_owned();
    let mut roff = Roff::new();
    roff.control("SH", ["SYNOPSIS"]);
    roff.text([bold(words), roman(rest)]);
    roff.to_roff()
}

/// Puts the parts of a page together. What is not ASCII is written as roff names it, since not every roff
/// reads UTF-8; and one definition of the apostrophe is enough, though each part brings it.
fn finished(text: &str) -> String {
    let mut out = String::from(APOSTROPHE);
    for character in text.replace(APOSTROPHE, "").chars() {
        if character.is_ascii() {
            out.push(character);
        } else {
            out.push_str(&format!("\\[u{:04X}]", u32::from(character)));
        }
    }
    out
}

/// Says when to use which format.
fn formats() -> String {
    let mut roff = Roff::new();
    roff.control("SH", ["FORMATS"]);
    for format in FORMATS {
        roff.control("TP", []);
        roff.text([bold(format.name)]);
        roff.text([roman(format.when)]);
    }
    roff.to_roff()
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;
    use crate::cli::args::Cli;

    #[test]
    fn every_section_belongs_to_a_page_and_every_page_says_where_to_read_on() {
        let pages = pages(Cli::command()).unwrap();
        for (name, _) in SECTIONS {
            assert!(pages.iter().any(|page| page.name == format!("{name}.1")), "{name}");
        }
        for page in &pages {
            let text = String::from_utf8_lossy(&page.text);
            for section in [".SH NAME", ".SH \"SEE ALSO\""] {
                assert!(text.contains(section), "{}: {section}", page.name);
            }
            assert!(!text.contains("@VARIABLES@"), "{}", page.name);
            assert!(text.is_ascii(), "{}", page.name);
            assert_eq!(text.matches(".ds Aq").count(), 2, "{}", page.name);
        }
        assert_eq!(pages[0].name, "pm.1");
        let first = String::from_utf8_lossy(&pages[0].text);
        for word in ["PM_TIMEOUT", "PM_SESSION", "EXIT STATUS", "SIGNALS", "EXAMPLES"] {
            assert!(first.contains(word), "{word}");
        }
    }
}
