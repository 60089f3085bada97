//! One file per format, and the table of all of them.

pub(crate) mod bluepill;
pub(crate) mod compose;
pub(crate) mod daemon;
pub(crate) mod inittab;
pub(crate) mod kubernetes;
pub(crate) mod launchd;
pub(crate) mod nomad;
pub(crate) mod quadlet;
pub(crate) mod runit;
pub(crate) mod s6;
pub(crate) mod script;
pub(crate) mod smf;
pub(crate) mod supervisord;
pub(crate) mod systemd;
pub(crate) mod upstart;

use super::{ExportError, Format};
use crate::app::nearest::nearest;

/// Every format, in the order of the help.
pub const FORMATS: [&Format; 14] = [
    &systemd::FORMAT,
    &supervisord::FORMAT,
    &runit::FORMAT,
    &s6::FORMAT,
    &launchd::FORMAT,
    &upstart::FORMAT,
    &inittab::FORMAT,
    &daemon::FORMAT,
    &bluepill::FORMAT,
    &smf::FORMAT,
    &compose::FORMAT,
    &quadlet::FORMAT,
    &kubernetes::FORMAT,
    &nomad::FORMAT,
];

/// Returns the format called `name`.
pub fn format(name: Option<&str>) -> Result<&'static Format, ExportError> {
    let known: Vec<&'static str> = FORMATS.iter().map(|format| format.name).collect();
    let Some(name) = name else {
        return Err(ExportError::NoFormat { known });
    };
    FORMATS.into_iter().find(|format| format.name == name).ok_or_else(|| {
        let nearest = nearest(name, known.iter().copied());
        ExportError::UnknownFormat { name: name.to_owned(), nearest, known }
    })
}
