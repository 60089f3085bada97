//! What a format refuses, with the name of what it cannot carry.

use super::{Export, Service, Variable};
use crate::export::quote::Quoted;
use crate::export::{ExportError, names};

impl<'a> Export<'a> {
    /// Names what was refused, and by which format.
    pub(crate) fn carry(&self, name: &str, quoted: Quoted) -> Result<String, ExportError> {
        quoted.map_err(|refusal| ExportError::Value {
            format: self.format.name,
            name: name.to_owned(),
            reason: refusal.0,
        })
    }

    /// As [`Self::carry`], for a variable.
    pub(crate) fn carry_variable(
        &self,
        variable: &Variable,
        quoted: Quoted,
    ) -> Result<String, ExportError> {
        self.carry(&format!("the variable `{}`", variable.name), quoted)
    }

    /// As [`Self::carry`], for a command.
    pub(crate) fn carry_command(
        &self,
        service: &Service<'_>,
        quoted: Quoted,
    ) -> Result<String, ExportError> {
        self.carry(&format!("the command of {}", service.name), quoted)
    }

    /// Refuses a variable whose name the format cannot write, unless `is_possible`.
    pub(crate) fn check_name(
        &self,
        variable: &Variable,
        is_possible: bool,
    ) -> Result<(), ExportError> {
        if is_possible {
            return Ok(());
        }
        let name = variable.name.clone();
        Err(ExportError::VariableName { format: self.format.name, name })
    }

    /// Refuses what the format has no place for.
    pub(crate) fn unsupported(&self, what: &'static str) -> ExportError {
        ExportError::Unsupported { format: self.format.name, what }
    }

    /// Returns what `map` makes of each type's name, the release first; fails where two become one.
    pub(crate) fn distinct(
        &self,
        map: impl Fn(&str) -> String,
    ) -> Result<Vec<(&Service<'a>, String)>, ExportError> {
        let all = || self.release.iter().chain(&self.services);
        let names = names::distinct(self.format.name, all().map(|one| one.name), map)?;
        Ok(all().zip(names).collect())
    }
}
