//! Why an application cannot be exported. Nothing has been written when one of these is returned,
//! except for [`ExportError::Write`], which says what.

use std::io;
use std::path::PathBuf;

/// A failure of `pm export`.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExportError {
    /// There is no such format.
    #[error("no export format `{name}`")]
    UnknownFormat {
        /// What was typed.
        name: String,
        /// The nearest that there is.
        nearest: Option<&'static str>,
        /// All that there are.
        known: Vec<&'static str>,
    },
    /// No format was named.
    #[error("no format to export to")]
    NoFormat {
        /// All that there are.
        known: Vec<&'static str>,
    },
    /// Neither a folder nor `--print` was given.
    #[error("no folder to export to")]
    NoLocation {
        /// The format.
        format: &'static str,
    },
    /// A name that stands in file names and fields holds something else than a name.
    #[error("`{value}` cannot be used as the {what}")]
    Name {
        /// What it names: `application`, `user`, `image`.
        what: &'static str,
        /// What was typed.
        value: String,
        /// What it may hold.
        allowed: &'static str,
    },
    /// A format has no way to write a value.
    #[error("{format} cannot carry {name}: it contains {reason}")]
    Value {
        /// The format.
        format: &'static str,
        /// What it is: `the variable A`, `the command of web`.
        name: String,
        /// Why, as a noun phrase.
        reason: &'static str,
    },
    /// A format cannot hold a variable of this name.
    #[error("{format} cannot carry a variable named `{name}`")]
    VariableName {
        /// The format.
        format: &'static str,
        /// The name.
        name: String,
    },
    /// Two process types get one name in the format's alphabet.
    #[error("`{first}` and `{second}` would both be named `{name}` in {format}")]
    Clash {
        /// The format.
        format: &'static str,
        /// The one.
        first: String,
        /// The other.
        second: String,
        /// What both become.
        name: String,
    },
    /// Two things of the application are written to one file.
    #[error("two files of this export would be named `{}`", path.display())]
    SameFile {
        /// The file.
        path: PathBuf,
    },
    /// An instance's PORT would be over 65535.
    #[error("`{instance}` would get a port over 65535")]
    PortRange {
        /// `web.3`
        instance: String,
    },
    /// The line of an inittab is longer than init reads.
    #[error(
        "the inittab line of `{instance}` would have {length} characters, but init skips lines over {limit}"
    )]
    InittabLine {
        /// `web.1`
        instance: String,
        /// Characters of the process field.
        length: usize,
        /// The most that init reads.
        limit: usize,
    },
    /// An option that this format has no place for.
    #[error("{format} has no {what}")]
    Unsupported {
        /// The format.
        format: &'static str,
        /// What was asked for.
        what: &'static str,
    },
    /// The folder of `-T` does not exist.
    #[error("no template folder `{}`", path.display())]
    TemplateFolder {
        /// The folder.
        path: PathBuf,
    },
    /// A template could not be read.
    #[error("cannot read the template `{}`", path.display())]
    TemplateRead {
        /// The template.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A template is wrong.
    #[error("cannot render the template `{name}` of {format}")]
    Template {
        /// The format.
        format: &'static str,
        /// The template's file name.
        name: String,
        /// Why, with the line.
        source: minijinja::Error,
    },
    /// A template leaves out pm's marker line.
    #[error("the template of `{}` does not write the marker line", path.display())]
    NoMarker {
        /// The file that it makes.
        path: PathBuf,
    },
    /// A file in the way is not pm's, or another application's.
    #[error("`{}` {what}", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
        /// What it is: a verb phrase.
        what: String,
    },
    /// Reading, writing or removing a file failed.
    #[error("cannot write `{}`", path.display())]
    Write {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The consumer's own checker objects.
    #[error("{checker} rejects the export: {output}")]
    Rejected {
        /// The program.
        checker: String,
        /// What it said, on one line.
        output: String,
    },
}

impl ExportError {
    /// Returns what to do about it, as a sentence without a full stop.
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::UnknownFormat { nearest: Some(nearest), .. } => {
                format!("did you mean `{nearest}`?")
            }
            Self::NoFormat { known } | Self::UnknownFormat { known, .. } => {
                format!("there are: {}", known.join(", "))
            }
            Self::NoLocation { format } => {
                format!("name a folder: `pm export {format} DIR`, or show the files with `--print`")
            }
            Self::Name { allowed, .. } => format!("use {allowed}"),
            Self::Value { .. } => "change the value, or choose another format".into(),
            Self::VariableName { .. } => "use letters, digits and `_`, and do not begin with a digit".into(),
            Self::Clash { .. } | Self::SameFile { .. } => "rename one of the process types".into(),
            Self::PortRange { .. } => "choose a lower base with `-p`".into(),
            Self::InittabLine { .. } => {
                "export to a folder with a short path: each line names a script there".into()
            }
            Self::Unsupported { .. } => return None,
            Self::TemplateFolder { path }
                if path.to_str().is_some_and(|text| text.parse::<f64>().is_ok()) =>
            {
                "set the seconds between TERM and KILL with `--timeout`".into()
            }
            Self::TemplateFolder { .. } => "`-T` names a folder that holds templates".into(),
            Self::NoMarker { .. } => {
                "write a comment with `{{ marker }}` and nothing else on one of its first five lines"
                    .into()
            }
            Self::Foreign { .. } => {
                "move it away, or export to another folder or under another `--app`".into()
            }
            Self::TemplateRead { .. }
            | Self::Template { .. }
            | Self::Write { .. }
            | Self::Rejected { .. } => {
                return None;
            }
        };
        Some(hint)
    }
}
