//! Where the values of variables stand: in the file of the service itself, or in env files.

use super::{Export, Service, Variable};
use crate::export::write::marker;
use crate::export::{ExportError, File, Owner, Values};

impl Export<'_> {
    /// Returns the variables that stand in the file of the service itself.
    pub(crate) fn inline<'s>(&self, service: &'s Service<'_>) -> &'s [Variable] {
        match self.options.values {
            Values::Inline => &service.variables,
            Values::EnvFile => &[],
        }
    }

    /// Returns whether the file of any service but the release holds values.
    pub(crate) fn has_inline(&self) -> bool {
        self.services.iter().any(|service| !self.inline(service).is_empty())
    }

    /// Returns the path of the file that holds the variables, where it is not that of the service itself.
    pub(crate) fn env_file(&self, service: &Service<'_>) -> Option<String> {
        let is_needed = self.options.values == Values::EnvFile && !service.variables.is_empty();
        is_needed.then(|| format!("{}/{}", self.location, self.env_file_name(service)))
    }

    /// Returns `shop.env`, or `shop-web.env` where the types have different variables.
    pub(crate) fn env_file_name(&self, service: &Service<'_>) -> String {
        let app = &self.options.app;
        let is_same = |other: &Service<'_>| other.variables == service.variables;
        if !self.services.is_empty() && self.services.iter().all(is_same) {
            format!("{app}.env")
        } else {
            format!("{app}-{}.env", service.name)
        }
    }

    /// Returns every env file that the export needs, with `body` for the lines of one service.
    pub(crate) fn env_files(
        &self,
        owner: Owner,
        body: impl Fn(&Service<'_>) -> Result<String, ExportError>,
    ) -> Result<Vec<File>, ExportError> {
        let mut files: Vec<File> = Vec::new();
        for service in self.services.iter().chain(&self.release) {
            let path = self.env_file_name(service);
            let is_there = files.iter().any(|file| file.path == *path);
            if self.env_file(service).is_none() || is_there {
                continue;
            }
            let marker = marker::text(self.format.name, &self.options.app, &path, &[]);
            let contents = format!("# {marker}\n{}", body(service)?);
            files.push(File { path: path.into(), contents, mode: 0o600, owner });
        }
        Ok(files)
    }
}
