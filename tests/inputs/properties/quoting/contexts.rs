//! The table of contexts: where a value goes in, which statement of which file holds it, and who reads that.

use super::{config, markup, shell, systemd};

/// One way of quoting.
pub(super) struct Context {
    pub(super) name: &'static str,
    pub(super) format: &'static str,
    pub(super) place: Place,
    /// Values are kept in a file of their own.
    pub(super) has_env_file: bool,
    /// The file that holds the value.
    pub(super) file: &'static str,
    /// Whether the reader has no way to get this value, so that a refusal is right.
    pub(super) may_refuse: fn(&str) -> bool,
    /// Whether the export puts such a value somewhere else, which another context is about.
    pub(super) is_elsewhere: fn(&str) -> bool,
    /// Reads the value from its statement; `None` where the consumer would not read it, or not as one.
    pub(super) read: fn(&str) -> Option<String>,
}

/// What of the application the value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Variable,
    Command,
    Folder,
    Log,
    Location,
}

impl Place {
    /// Folders are absolute.
    pub(super) fn text(self, value: &str) -> String {
        match self {
            Self::Variable | Self::Command => value.to_owned(),
            Self::Folder | Self::Log | Self::Location if value.starts_with('/') => value.to_owned(),
            Self::Folder | Self::Log | Self::Location => format!("/{value}"),
        }
    }
}

fn never(_: &str) -> bool {
    false
}

fn has_newline(value: &str) -> bool {
    value.contains('\n')
}

fn has_control(value: &str) -> bool {
    value.contains(char::is_control)
}

const fn context(
    (name, format, file): (&'static str, &'static str, &'static str),
    place: Place,
    may_refuse: fn(&str) -> bool,
    read: fn(&str) -> Option<String>,
) -> Context {
    Context {
        name,
        format,
        place,
        has_env_file: false,
        file,
        may_refuse,
        is_elsewhere: never,
        read,
    }
}

const fn with_env_file(context: Context) -> Context {
    Context { has_env_file: true, ..context }
}

use Place::{Command, Folder, Location, Log, Variable};

/// Every context; the place in the table is what the first byte of an input says.
pub(super) const CONTEXTS: [Context; 21] = [
    context(("sh word", "runit", "a-w-1/run"), Variable, never, shell::export),
    context(("sh line", "upstart", "a-w-1.conf"), Variable, never, shell::export_line),
    context(("sh line word", "upstart", "a-w-1.conf"), Log, has_newline, shell::redirection),
    context(("sh command", "supervisord", "a-w-1.sh"), Command, never, shell::last_word),
    context(
        ("systemd word", "systemd", "a-w-1.service"),
        Variable,
        systemd::refuses,
        systemd::environment,
    ),
    context(
        ("quadlet word", "quadlet", "a-w-1.container"),
        Variable,
        systemd::refuses,
        systemd::quadlet,
    ),
    context(
        ("systemd path", "systemd", "a-w-1.service"),
        Folder,
        systemd::refuses_path,
        systemd::folder,
    ),
    with_env_file(context(
        ("systemd glob", "systemd", "a-w-1.service"),
        Location,
        systemd::refuses_path,
        systemd::environment_file,
    )),
    with_env_file(context(
        ("systemd env file", "systemd", "a.env"),
        Variable,
        systemd::refuses,
        systemd::env_file,
    )),
    context(("ini word", "supervisord", "a.conf"), Location, has_control, config::ini_command),
    context(("ini path", "supervisord", "a.conf"), Log, config::ini_refuses, config::ini_log),
    context(("upstart token", "upstart", "a-w-1.conf"), Folder, has_newline, config::upstart_chdir),
    context(("ruby string", "bluepill", "a.pill"), Variable, never, config::ruby_pair),
    context(
        ("xml text", "launchd", "a-w-1.plist"),
        Variable,
        markup::xml_refuses,
        markup::xml_string,
    ),
    context(("xml attribute", "smf", "a.xml"), Variable, markup::xml_refuses, markup::xml_envvar),
    context(("yaml", "kubernetes", "a.yaml"), Variable, never, markup::yaml_pair),
    context(("yaml with $", "compose", "compose.yaml"), Variable, never, markup::compose_pair),
    with_env_file(context(
        ("compose env file", "compose", "a.env"),
        Variable,
        has_control,
        markup::compose_env_file,
    )),
    with_env_file(context(
        ("hcl string", "nomad", "a.nomad.hcl"),
        Location,
        never,
        markup::hcl_data,
    )),
    Context {
        // Shell text of PM_COMMAND, as in "sh line".
        is_elsewhere: markup::is_no_nomad_line,
        ..with_env_file(context(
            ("nomad env file", "nomad", "a.env"),
            Variable,
            never,
            markup::nomad_line,
        ))
    },
    with_env_file(context(
        ("quadlet env file", "quadlet", "a.env"),
        Variable,
        has_control,
        systemd::quadlet_env_file,
    )),
];
