//! The command line that is being typed, and what it says about the application: where its Procfile is, and
//! which session it is for.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::time::Duration;

use clap::ArgMatches;

use crate::app::procfile::ProcfileEntry;
use crate::cli::client::args::TargetArgs;
use crate::cli::client::find;
use crate::cli::layers;
use crate::cli::leading_options;
use crate::cli::load::{self, Files};
use crate::cli::sources::Sources;
use crate::control::client::{Connection, Received};
use crate::control::proto::{Report, Request, Response};
use crate::control::socket_paths;

/// Nobody waits longer for a list: a session that is stopped (Ctrl-Z) does not answer.
const PATIENCE: Duration = Duration::from_millis(300);

/// The line.
#[derive(Clone, Debug)]
pub(super) struct CommandLine {
    words: Vec<OsString>,
    sources: Sources,
}

impl CommandLine {
    /// Takes what the shell gives to pm: the line follows the first `--`.
    pub(super) fn new(arguments: &[OsString], sources: &Sources) -> Self {
        let before =
            arguments.iter().position(|word| word == "--").map_or(arguments.len(), |at| at + 1);
        Self { words: arguments[before..].to_vec(), sources: sources.clone() }
    }

    /// Returns the word that the cursor is on; fish always asks for the last.
    pub(super) fn current(&self) -> &OsStr {
        let index = self.sources.var("_CLAP_COMPLETE_INDEX").and_then(OsStr::to_str);
        let index = index.and_then(|index| index.parse::<usize>().ok());
        let word = index.map_or_else(|| self.words.last(), |index| self.words.get(index));
        word.map_or(OsStr::new(""), OsString::as_os_str)
    }

    /// Returns the entries of the Procfile; none where it cannot be read.
    pub(super) fn entries(&self) -> Vec<ProcfileEntry> {
        let target = self.target();
        let files = Files { procfile: target.procfile, root: target.root, ..Files::default() };
        let cwd = &self.sources.cwd;
        let path = files.procfile.clone().unwrap_or_else(|| files.root_as_typed().join("Procfile"));
        // To read a pipe would be to wait for somebody, and to take it from pm.
        if fs::metadata(cwd.join(path)).is_ok_and(|metadata| !metadata.is_file()) {
            return Vec::new();
        }
        load::procfile(&files, cwd).map_or_else(|_| Vec::new(), |procfile| procfile.entries)
    }

    /// Returns what the sessions of the application say of themselves; none where nobody answers.
    pub(super) fn reports(&self) -> Vec<Report> {
        let target = self.target();
        let Ok(root) = find::root(&target, &self.sources) else { return Vec::new() };
        let sessions =
            socket_paths::sessions(&find::folder(&self.sources), &root).unwrap_or_default();
        let report = |session: socket_paths::Endpoint| {
            let mut connection = Connection::open(&session.socket, Request::Status).ok()?;
            match connection.receive(Some(PATIENCE)).ok()? {
                Received::Response(Response::Status(report)) => Some(*report),
                Received::Response(_) | Received::Timeout | Received::Closed => None,
            }
        };
        sessions.into_iter().filter_map(report).collect()
    }

    /// Returns how many values an argument of words has, the one that is being typed with them.
    pub(super) fn count_of(&self, id: &str) -> usize {
        let of = |matches: &ArgMatches| Some(matches.try_get_many::<OsString>(id).ok()??.len());
        self.matches().subcommand().and_then(|(_, matches)| of(matches)).unwrap_or(0)
    }

    /// Reads the line as pm would, as far as it can be read.
    fn matches(&self) -> ArgMatches {
        let command =
            leading_options::shown(crate::cli::command(&self.sources)).ignore_errors(true);
        command.try_get_matches_from(&self.words).unwrap_or_default()
    }

    /// Returns which application the rest of the line is about, and where it says nothing, .foreman.
    fn target(&self) -> TargetArgs {
        let matches = self.matches();
        let said = |id| {
            let behind = matches.subcommand().and_then(|(_, behind)| layers::path(behind, id));
            behind.or_else(|| layers::path(&matches, id))
        };
        let foreman = load::config::foreman(&self.sources.cwd).unwrap_or_default().layer.session;
        TargetArgs {
            procfile: said("procfile").or(foreman.procfile.map(|procfile| procfile.value)),
            root: said("root").or(foreman.root.map(|root| root.value)),
            session: None,
        }
    }
}
