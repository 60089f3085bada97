//! The table of settings: each option is said here, once. A doc comment is its help; the first paragraph
//! stands in the schema and the example of pm.toml, too.
//!
//! The structs, how layers are laid over one another, the flags and their PM_ variables, `pm env --settings`,
//! `examples/pm.toml`, `pm schema` and pm.toml(5) follow from it.

use std::net::IpAddr;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use super::layers::{Setting, SettingLine};
use super::spec::{HelpGroup, SettingScope, Spec, Tables, flag, key, per_type};
use super::value::{
    Amount, Color, Dependencies, Keys, LiveProbe, Port, ProxyChoice, Pty, Read, SharedHost, Switch,
    Time, TimeFormat, Value, Variables, WatchedFiles,
};
use crate::app::file_watch::WatchAction;
use crate::app::formation::{Count, Part};
use crate::app::readiness::Probe;
use crate::app::{
    CpuLimit, ExitOn, Gc, MemoryAction, Nice, OnDependencyRestart, Reach, Restart, Signal, Size,
    Update,
};

/// Makes a struct of options, each of which one layer may say. Nothing else is in here that an option could be.
macro_rules! settings {
    ($(#[$about:meta])* $name:ident($scope:expr) { $($(#[doc = $doc:literal])+ $field:ident: $type:ty = $spec:expr;)+ }) => {
        $(#[$about])*
        #[derive(Clone, Debug, Default, PartialEq, Eq)]
        pub struct $name {
            $($(#[doc = $doc])+ pub $field: Option<Setting<$type>>,)+
        }

        impl $name {
            /// What is said of each option, in the order of the fields.
            pub const TABLE: &[Spec] = &[$($spec.of::<$type>($scope, stringify!($field), &[$($doc),+])),+];

            /// Fills what is not said here with what is said in `under`.
            pub fn fill(&mut self, under: &Self) {
                $(if self.$field.is_none() {
                    self.$field.clone_from(&under.$field);
                })+
            }

            /// Sets the option of `spec`, one of [`Self::TABLE`], to what `reader` reads.
            ///
            /// # Errors
            /// The reader's own.
            pub fn set<R: Read>(&mut self, spec: &Spec, reader: R) -> Result<(), R::Error> {
                $(if spec.field == stringify!($field) {
                    self.$field = Some(reader.read()?);
                    return Ok(());
                })+
                Ok(())
            }

            /// Returns what is said, in the order of the table.
            pub fn lines(&self) -> Vec<SettingLine> {
                let values = [$(self.$field.as_ref().map(|said| (said.value.show(), said.origin))),+];
                let said = Self::TABLE.iter().zip(values);
                said.filter_map(|(spec, said)| said.map(|(value, origin)| SettingLine { key: spec.key, value, origin }))
                    .collect()
            }
        }
    };
}

settings! {
    /// Options of a session. `None`: not said in this layer.
    SessionSettings(SettingScope::Session) {
        /// The Procfile, relative to the root
        procfile: PathBuf = key("procfile").default("Procfile in the root").example(r#""Procfile.dev""#).flag(
            flag("procfile", "PM_PROCFILE").short('f').value("FILE").group(HelpGroup::Files).help(
                "Read this Procfile\n\n\
                 Without `-d`, the folder of this file is the application's root.",
            ),
        );
        /// Run commands in this folder, and read .env there
        root: PathBuf = key("root").tables(Tables::Nowhere)
            .flag(flag("root", "PM_ROOT").short('d').value("DIR").group(HelpGroup::Files));
        /// Read these env files instead of .env; later files win
        env_files: Vec<PathBuf> = key("env-files").example(r#"[".env", ".env.local"]"#)
            .flag(flag("env", "PM_ENV").short('e').value("FILE,..").group(HelpGroup::Files));
        /// Variables of all process types; they win over the env files and the environment
        env: Variables = key("env").old_key("set").example(r#"{ RAILS_ENV = "development", WEB_MEMORY = 512 }"#).flag(
            flag("set", "PM_SET").value("KEY=VALUE").group(HelpGroup::Files)
                .help("Set a variable; wins over the env files and the environment"),
        );
        /// How many instances of each type; types that are not listed run 0 times unless `all=N` is given
        formation: Vec<Part> = key("formation").example(r#""all=1,worker=2""#)
            .flag(flag("formation", "PM_FORMATION").short('m').value("all=1,web=2"));
        /// Port of the first type's first instance
        ///
        /// An instance gets PORT = base + 100 × (position of its type in the Procfile) + (its number - 1). With `auto`, pm
        /// chooses a free base for this root and keeps it: each checkout has ports of its own.
        port: Port = key("port").default("PORT, else 5000").example("5000")
            .flag(flag("port", "PM_PORT").short('p').value("N|auto"));
        /// Start nothing if another process listens on a port that is needed
        strict_ports: Switch = key("strict-ports").example("false").flag(flag("strict-ports", "PM_STRICT_PORTS"));
        /// Seconds between the stop signal and SIGKILL
        timeout: Duration = key("timeout").default("5").example("5")
            .flag(flag("timeout", "PM_TIMEOUT").short('t').value("SECONDS"));
        /// When to use colour
        color: Color = key("color").example(r#""auto""#).flag(
            flag("color", "PM_COLOR").short('c').value("WHEN").alone("always").group(HelpGroup::Output)
                .help("When to use colour; `-c` alone is `always`"),
        );
        /// Show the time before each line
        timestamp: Switch = key("timestamp").example("true").flag(
            flag("no-timestamp", "PM_NO_TIMESTAMP").negative().group(HelpGroup::Output)
                .help("Omit the time before each line"),
        );
        /// Format of the time, as in strftime(3)
        timestamp_format: TimeFormat = key("timestamp-format").default("%H:%M:%S").example(r#""%H:%M:%S""#)
            .flag(flag("timestamp-format", "PM_TIMESTAMP_FORMAT").value("FORMAT").group(HelpGroup::Output));
        /// Show the time and the name before each line
        prefix: Switch = key("prefix").example("true").flag(
            flag("no-prefix", "PM_NO_PREFIX").negative().group(HelpGroup::Output)
                .help("Omit the time and the name before each line"),
        );
        /// Size at which a log is renamed to pm.log.1 and started anew; 0: never
        ///
        /// For the log of `--daemon`, and for those of `--log-dir`. A log is renamed between two lines. A log that another
        /// program renames or truncates is started anew, too.
        log_size: Amount = key("log-size").default("32M").example(r#""32M""#)
            .flag(flag("log-size", "PM_LOG_SIZE").value("SIZE").group(HelpGroup::Output));
        /// How many renamed logs to keep: pm.log.1 is the newest
        log_keep: u64 = key("log-keep").default("2").example("2")
            .flag(flag("log-keep", "PM_LOG_KEEP").value("N").group(HelpGroup::Output));
        /// Also write the lines of each type to a file of its own in this folder: web.log, without times and names
        log_dir: PathBuf = key("log-dir").example(r#""log""#)
            .flag(flag("log-dir", "PM_LOG_DIR").value("DIR").group(HelpGroup::Output));
        /// Show a line with the state of each type below the output, if pm writes to a terminal
        ///
        /// It is erased before each batch of output and drawn again within 100 ms, so it is never in the scroll-back.
        status: Switch = key("status").example("true").flag(
            flag("no-status", "PM_NO_STATUS").negative().group(HelpGroup::Output)
                .help("Omit the line with the state of each type below the output"),
        );
        /// When to take single keys of the terminal: `1`-`9` show one type, `r` restarts, `?` lists all
        ///
        /// `auto`: if standard input and output are one terminal, TERM is not `dumb` and CI is not set. Ctrl-C, Ctrl-Z
        /// and the like work as always.
        keys: Keys = key("keys").default("auto").example(r#""auto""#)
            .flag(flag("keys", "PM_KEYS").value("WHEN").group(HelpGroup::Output));
        /// Run these types without showing their output
        quiet: Vec<String> = key("quiet").example(r#"["clock"]"#)
            .flag(flag("quiet", "PM_QUIET").short('q').value("TYPE,..").group(HelpGroup::Output));
        /// Do not run these types
        except: Vec<String> = key("except").example(r#"["console"]"#)
            .flag(flag("except", "PM_EXCEPT").short('x').value("TYPE,.."));
        /// When to shut everything down
        ///
        /// On a terminal you can fix the cause and `pm restart` the failed instance while the others keep running.
        exit_on: ExitOn = key("exit-on").default("failure; all, if pm writes to a terminal").example(r#""failure""#)
            .flag(flag("exit-on", "PM_EXIT_ON").value("WHEN"));
        /// Whether to watch files at all
        watch_files: Switch = key("watch-files").tables(Tables::Nowhere).flag(
            flag("no-watch", "PM_NO_WATCH").negative().group(HelpGroup::Watch).help("Do not watch files, whatever pm.toml says"),
        );
        /// Run the one-shot type `release` first, alone; start the others when it has exited with 0
        release: Switch = key("release").example("false").flag(flag("release", "PM_RELEASE"));
        /// How much of the output to keep on disk for `pm logs`; 0 keeps nothing
        ///
        /// At most 1 MiB per instance, less if many share it. Sessions on a terminal and with `--daemon` keep their output
        /// by default; if it goes to a pipe or a file, this option turns it on.
        keep: Amount = key("keep").default("64M").example(r#""64M""#)
            .flag(flag("keep", "PM_KEEP").value("SIZE").group(HelpGroup::Output));
        /// How many runs to keep, including the new one; none is kept longer than 14 days
        keep_runs: NonZeroU32 = key("keep-runs").default("5").example("5");
    }
}

settings! {
    /// Options of a process type. `None`: not said in this layer.
    TypeSettings(SettingScope::Type) {
        /// How many instances of each type if no formation is given; `auto` is the number of CPUs
        concurrency: Count = key("concurrency").tables(Tables::Process).example("2")
            .flag(per_type("concurrency", "PM_CONCURRENCY", "web=2,.."));
        /// Memory budget of one instance: `512M`, `1.5G`; a number alone is MiB
        ///
        /// Sets MEMORY_AVAILABLE, WEB_CONCURRENCY (budget / WEB_MEMORY, else 1) and a heap of 90 % of
        /// budget / WEB_CONCURRENCY for Node, JVM, Go and .NET, each only if nothing else sets it. An
        /// instance that stays over its budget is stopped gracefully and restarted.
        memory: Size = key("memory").example(r#""512M""#).flag(per_type("memory", "PM_MEMORY", "web=512M,.."));
        /// What to do with an instance that stays over its budget: restart, warn or kill
        memory_action: MemoryAction = key("memory-action").default("restart").example(r#""restart""#)
            .flag(per_type("memory-action", "PM_MEMORY_ACTION", "web=warn,.."));
        /// Heap of one worker, instead of one computed from the budget
        heap: Size = key("heap").example(r#""460M""#).flag(per_type("heap", "PM_HEAP", "web=460M,.."));
        /// What garbage collection should save: memory (`size`) or time (`speed`)
        gc: Gc = key("gc").example(r#""speed""#).flag(per_type("gc", "PM_GC", "web=size,.."));
        /// When to restart an instance that has ended
        restart: Restart = key("restart").default("on-failure").example(r#""on-failure""#)
            .flag(flag("restart", "PM_RESTART").value("WHEN"));
        /// Restarts in a row before an instance has failed for good
        ///
        /// The delay is 0.5 s, doubled each time up to 30 s. After 10 s of uptime the count starts again.
        max_restarts: u32 = key("max-restarts").default("5").example("5")
            .flag(flag("max-restarts", "PM_MAX_RESTARTS").value("N"));
        /// Signal that asks an instance to stop
        stop_signal: Signal = key("stop-signal").default("TERM").example(r#""TERM""#);
        /// Who gets the stop signal first; the rest of the group gets it when the program has ended
        stop_signal_to: Reach = key("stop-signal-to").default("program").example(r#""program""#);
        /// Seconds between the stop signal and SIGKILL; `timeout` is the value for all types
        stop_timeout: Duration = key("stop-timeout").tables(Tables::Process).example("30");
        /// Give each instance its own terminal
        ///
        /// Programs then keep their colours and do not buffer their output, and `pm attach` can connect to them. Escape sequences
        /// that would draw over other programs are removed: cursor movement, erasing, titles, modes.
        pty: Pty = key("pty").default("auto: if pm writes to a terminal").example(r#""auto""#)
            .flag(flag("pty", "PM_PTY").value("WHEN"));
        /// Limit of open files per process
        nofile: u64 = key("nofile").example("4096").flag(per_type("nofile", "PM_NOFILE", "web=1024,.."));
        /// Niceness, from -20 to 19
        nice: Nice = key("nice").example("0").flag(per_type("nice", "PM_NICE", "worker=10,.."));
        /// CPUs of one instance: an amount such as `1.5`, or a range of CPUs such as `0-3`
        cpus: CpuLimit = key("cpus").example(r#""0-3""#).flag(per_type("cpus", "PM_CPUS", "web=0-1,.."));
        /// When an instance is ready: `port`, `http:/path`, `log:REGEX`, `cmd:COMMAND`, `notify` or `delay:2s`
        ///
        /// `port` or `port:N`: one of its processes listens there. `http:/up` or `http://host:port/up`: a GET request
        /// gets a status from 200 to 399, or one of those listed as in `http:/up=200,401`. `log:REGEX`: a line of its
        /// output matches. `cmd:COMMAND`: the shell command succeeds in its folder and environment. `notify`: it sends
        /// READY=1 to NOTIFY_SOCKET, as in sd_notify(3). `delay:2s`: this time has passed since its start. With a
        /// list, all of them must hold.
        ready: Vec<Probe> = key("ready").tables(Tables::Process).example(r#"["port", "http:/up"]"#)
            .flag(per_type("ready", "PM_READY", "web=http:/up").group(HelpGroup::Readiness));
        /// Time within which an instance must become ready, in seconds or as `2s`; otherwise it counts as crashed
        ready_timeout: Time = key("ready-timeout").default("60").example("60")
            .flag(per_type("ready-timeout", "PM_READY_TIMEOUT", "web=90,..").group(HelpGroup::Readiness));
        /// Process types to wait for before the start: `redis`, `db.1`, `api:started`, `db:ready`, `migrate:done`
        ///
        /// Without a condition, a type with `once` must be done, one with `ready` must be ready, and any other must be
        /// started. At the end of the session, an instance is stopped before what it depends on.
        depends_on: Dependencies = key("depends-on").tables(Tables::Process).example(r#"["redis", "migrate"]"#)
            .flag(per_type("depends-on", "PM_DEPENDS_ON", "web=redis").group(HelpGroup::Readiness));
        /// Run it once, to its end: exit code 0 is `done`; it is not restarted unless `restart` is set
        once: Switch = key("once").tables(Tables::Process).example("false")
            .flag(per_type("once", "PM_ONCE", "TYPE,..").group(HelpGroup::Readiness));
        /// How to check that a ready instance still works: `http:/path`, `cmd:COMMAND`, `port` or `notify`
        live: LiveProbe = key("live").tables(Tables::Process).example(r#""http:/up""#)
            .flag(per_type("live", "PM_LIVE", "web=http:/up").group(HelpGroup::Readiness));
        /// Time between two checks of `live`, in seconds or as `2s`
        live_interval: Time = key("live-interval").default("10").example("10")
            .flag(per_type("live-interval", "PM_LIVE_INTERVAL", "web=10,..").group(HelpGroup::Readiness));
        /// Failed checks of `live` in a row before an instance is restarted
        live_failures: NonZeroU32 = key("live-failures").default("3").example("3")
            .flag(per_type("live-failures", "PM_LIVE_FAILURES", "web=3,..").group(HelpGroup::Readiness));
        /// What to do after something that it depends on was restarted and is ready again: ignore or restart
        on_dependency_restart: OnDependencyRestart = key("on-dependency-restart").default("ignore").example(r#""ignore""#)
            .flag(per_type("on-dependency-restart", "PM_ON_DEPENDENCY_RESTART", "web=restart,..").group(HelpGroup::Readiness));
        /// Restart it when these files change: globs as in .gitignore, from its folder, or `true`: all that are not ignored
        ///
        /// `!` before a glob leaves files out; of several that match, the last one wins. Files that .gitignore or .ignore
        /// leave out do not count unless a glob names them outright, as `dist/**` names `dist`; nor do `.git` and
        /// `node_modules`. A change is a file whose bytes differ.
        watch: WatchedFiles = key("watch").example(r#"["src/**/*.py", "!**/test_*.py"]"#)
            .flag(per_type("watch", "PM_WATCH", "web=GLOB,..").group(HelpGroup::Watch));
        /// Quiet time after which a burst of changes is over, in seconds or as `300ms`
        watch_debounce: Time = key("watch-debounce").default("0.1").example("0.1")
            .flag(per_type("watch-debounce", "PM_WATCH_DEBOUNCE", "web=300ms,..").group(HelpGroup::Watch));
        /// What to do when watched files have changed: `restart`, `rolling`, or a signal as `signal:HUP`
        watch_action: WatchAction = key("watch-action").default("restart").example(r#""restart""#)
            .flag(per_type("watch-action", "PM_WATCH_ACTION", "web=signal:HUP,..").group(HelpGroup::Watch));
        /// Poll for changes at this interval, in seconds or as `1s`; by default only if the system does not report them
        watch_poll: Time = key("watch-poll").example(r#""1s""#)
            .flag(per_type("watch-poll", "PM_WATCH_POLL", "web=1s,..").group(HelpGroup::Watch));
        /// Give all its instances one address, on the port of the first or on this one: `true`, or a port
        ///
        /// pm listens there on 127.0.0.1 and ::1, and passes each HTTP request to the instance with the fewest open requests; the
        /// instances get the ports after it. Requests wait while no instance is ready. `NAME.2.localhost` is the second
        /// instance. `--proxy` alone: `web`, and each type whose `ready` is its own port or a path.
        proxy: ProxyChoice = key("proxy").tables(Tables::Process).example("true")
            .flag(per_type("proxy", "PM_PROXY", "TYPE[=PORT],..").alone("all=auto").group(HelpGroup::Session).help(
                "Give all instances of a type one address: the port of the first, or PORT\n\n\
                 The value follows `=`: `--proxy=web`. Without a value it is `web`, and each type whose `ready` is a \
                 port or a path of its own. pm passes each HTTP request to the instance with the fewest open requests; the instances \
                 have the ports from the next one on.",
            ));
        /// Where `proxy` listens instead of 127.0.0.1 and ::1; `0.0.0.0` lets other machines in
        proxy_bind: IpAddr = key("proxy-bind").example(r#""0.0.0.0""#);
        /// Seconds that a request waits for a ready instance
        proxy_wait: Duration = key("proxy-wait").default("30").example("30");
        /// Seconds that a stop waits for requests that an instance behind `proxy` is still answering
        drain: Duration = key("drain").default("10").example("10");
        /// How its instances are restarted: `stop-start`, or `rolling`: the new one is ready before the old one stops
        ///
        /// It needs `proxy` or `share-port`. With `rolling`, a changed file, a memory budget, a failed `live` and a plain
        /// `pm restart` replace its instances one after the other.
        update: Update = key("update").default("stop-start").example(r#""rolling""#);
        /// Give all its instances one listening socket, on the port of the first: a host, or `true` for 127.0.0.1
        ///
        /// pm listens before anything starts, and never accepts. Each instance gets the socket as descriptor 3, with
        /// LISTEN_FDS=1, LISTEN_FDNAMES, LISTEN_PID and PM_LISTEN_FD=3 as in sd_listen_fds(3), and the same PORT. It stays
        /// open across restarts: clients wait instead of being refused.
        share_port: SharedHost = key("share-port").tables(Tables::Process).example("true");
        /// Variables of this type only
        env: Variables = key("env").tables(Tables::Process).example(r#"{ NODE_ENV = "development" }"#);
        /// Folder to run the command in, relative to the root
        directory: PathBuf = key("directory").tables(Tables::Process).example(r#""services/web""#);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::app::Policy;
    use crate::app::front::PROXY_WAIT;
    use crate::app::readiness::{LIVE_FAILURES, LIVE_INTERVAL, READY_TIMEOUT};
    use crate::config::spec::Takes;

    fn all() -> impl Iterator<Item = &'static Spec> {
        SessionSettings::TABLE.iter().chain(TypeSettings::TABLE)
    }

    #[test]
    fn names_are_said_once_and_in_one_manner() {
        let mut flags = BTreeSet::new();
        for spec in all() {
            assert_eq!(spec.key, spec.field.replace('_', "-"));
            let Some(flag) = spec.flag else { continue };
            let variable = format!("PM_{}", flag.long.replace('-', "_").to_ascii_uppercase());
            assert_eq!(flag.variable, variable);
            assert!(flags.insert(flag.long), "{}", flag.long);
            let has_no_value = spec.takes == Takes::Nothing && !flag.is_per_type;
            assert_eq!(flag.value.is_empty(), has_no_value, "{}", flag.long);
        }
    }

    #[test]
    fn a_default_that_the_help_shows_is_the_one_that_holds() {
        let shown =
            |key: &str| TypeSettings::TABLE.iter().find(|spec| spec.key == key).unwrap().default;
        let policy = Policy::default();
        for (key, holds) in [
            ("restart", policy.restart.show()),
            ("max-restarts", policy.max_restarts.show()),
            ("stop-signal", policy.stop_signal.show().replace("SIG", "")),
            ("stop-signal-to", policy.stop_signal_to.show()),
            ("ready-timeout", Time(READY_TIMEOUT).show()),
            ("live-interval", Time(LIVE_INTERVAL).show()),
            ("live-failures", LIVE_FAILURES.show()),
            ("proxy-wait", PROXY_WAIT.show()),
            ("drain", policy.drain.show()),
            ("update", policy.update.show()),
            ("watch-debounce", Time(crate::app::file_watch::DEBOUNCE).show()),
            ("on-dependency-restart", policy.on_dependency_restart.show()),
        ] {
            assert_eq!(shown(key), Some(holds.as_str()), "{key}");
        }
        let timeout = SessionSettings::TABLE.iter().find(|spec| spec.key == "timeout").unwrap();
        assert_eq!(timeout.default, Some(policy.grace.show().as_str()));
    }
}
