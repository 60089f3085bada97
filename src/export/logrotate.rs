//! A file for logrotate(8), where the logs are files that their consumer lets grow.

use super::context::Export;
use super::quote::config;
use super::write::marker;
use super::{ExportError, File, Format, Inittab, Logs, Owner, formats};

/// Returns the file, where a limit was set and nobody else keeps the logs short.
pub(super) fn file(format: &Format, export: &Export<'_>) -> Result<Option<File>, ExportError> {
    let options = export.options;
    let Some(limits) = export.log_limits() else { return Ok(None) };
    let is_printed =
        format.name == formats::inittab::FORMAT.name && options.inittab == Inittab::Lines;
    if format.logs != Logs::Logrotate || is_printed {
        return Ok(None);
    }
    let path = format!("{}.logrotate", options.app);
    let marker = marker::text(format.name, &options.app, &path, &[]);
    let mut contents = format!("# {marker}\n");
    for instance in export.instances() {
        let log = config::logrotate_path(&instance.log);
        contents.push_str(&export.carry("the folder of the logs", log)?);
        contents.push('\n');
    }
    // The programs keep their logs open.
    contents.push_str(&format!(
        "{{\n    size {}\n    rotate {}\n    copytruncate\n    missingok\n    notifempty\n}}\n",
        limits.size, limits.keep
    ));
    Ok(Some(File { path: path.into(), contents, mode: 0o644, owner: Owner::Exporter }))
}
