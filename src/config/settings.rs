//! Settings in layers: flags over PM_* variables over pm.toml over .foreman. Each value remembers
//! its layer, for `pm env --settings`.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use super::value::word;
use crate::app::formation::{Count, Part};
use crate::app::{CpuLimit, MemoryAction, Nice, Size};
use crate::app::{ExitOn, Reach, Restart, Signal};
use crate::resources::{Gc, PerType};

/// The layer that a value comes from; the first wins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Origin {
    /// An option on the command line.
    Flag,
    /// The option's PM_* variable.
    Variable,
    /// pm.toml in the root.
    PmToml,
    /// .foreman in the current folder.
    Foreman,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Flag => "flag",
            Self::Variable => "PM_ variable",
            Self::PmToml => "pm.toml",
            Self::Foreman => ".foreman",
        })
    }
}

/// A value and the layer that it comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting<T> {
    /// The value.
    pub value: T,
    /// Its layer.
    pub origin: Origin,
}

/// Something that is shown or done, or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Switch {
    /// Yes
    On,
    /// No
    Off,
}

/// When to colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Color {
    /// On
    Always,
    /// On for a terminal; NO_COLOR, FORCE_COLOR and CLICOLOR_FORCE are heeded
    Auto,
    /// Off
    Never,
}

/// When an instance gets a terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Pty {
    /// When pm's own standard output is one
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

/// Names and values of environment variables.
pub type Variables = BTreeMap<String, String>;

/// Options of a session. `None`: not said in this layer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(
    missing_docs,
    reason = "each field is the option of `pm start` of that name, described there"
)]
pub struct Session {
    pub procfile: Option<Setting<PathBuf>>,
    pub root: Option<Setting<PathBuf>>,
    /// The env files; an empty list: none, not even the default one.
    pub env: Option<Setting<Vec<PathBuf>>>,
    pub set: Option<Setting<Variables>>,
    pub formation: Option<Setting<Vec<Part>>>,
    pub port: Option<Setting<u16>>,
    pub timeout: Option<Setting<Duration>>,
    pub color: Option<Setting<Color>>,
    pub timestamp: Option<Setting<Switch>>,
    pub timestamp_format: Option<Setting<String>>,
    pub prefix: Option<Setting<Switch>>,
    pub quiet: Option<Setting<Vec<String>>>,
    pub except: Option<Setting<Vec<String>>>,
    pub exit_on: Option<Setting<ExitOn>>,
    pub release: Option<Setting<Switch>>,
}

/// Options of a process type. `None`: not said in this layer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(
    missing_docs,
    reason = "each field is the key of pm.toml of that name, described in config/pm_toml.rs"
)]
pub struct TypeSettings {
    pub concurrency: Option<Setting<Count>>,
    pub memory: Option<Setting<Size>>,
    pub memory_action: Option<Setting<MemoryAction>>,
    pub heap: Option<Setting<Size>>,
    pub gc: Option<Setting<Gc>>,
    pub restart: Option<Setting<Restart>>,
    pub max_restarts: Option<Setting<u32>>,
    pub stop_signal: Option<Setting<Signal>>,
    pub stop_signal_to: Option<Setting<Reach>>,
    pub stop_timeout: Option<Setting<Duration>>,
    pub pty: Option<Setting<Pty>>,
    pub nofile: Option<Setting<u64>>,
    pub nice: Option<Setting<Nice>>,
    pub cpus: Option<Setting<CpuLimit>>,
    pub env: Option<Setting<Variables>>,
    pub directory: Option<Setting<PathBuf>>,
}

/// What one layer says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// Options of the session.
    pub session: Session,
    /// Options of the process types that have none of their own in this layer.
    pub all: TypeSettings,
    /// Options of a process type.
    pub types: BTreeMap<String, TypeSettings>,
}

impl Session {
    /// Fills what is not said here with what is said in `under`.
    #[must_use]
    pub fn or(self, under: Self) -> Self {
        Self {
            procfile: self.procfile.or(under.procfile),
            root: self.root.or(under.root),
            env: self.env.or(under.env),
            set: self.set.or(under.set),
            formation: self.formation.or(under.formation),
            port: self.port.or(under.port),
            timeout: self.timeout.or(under.timeout),
            color: self.color.or(under.color),
            timestamp: self.timestamp.or(under.timestamp),
            timestamp_format: self.timestamp_format.or(under.timestamp_format),
            prefix: self.prefix.or(under.prefix),
            quiet: self.quiet.or(under.quiet),
            except: self.except.or(under.except),
            exit_on: self.exit_on.or(under.exit_on),
            release: self.release.or(under.release),
        }
    }
}

impl TypeSettings {
    /// Fills what is not said here with what is said in `under`.
    #[must_use]
    pub fn or(self, under: Self) -> Self {
        Self {
            concurrency: self.concurrency.or(under.concurrency),
            memory: self.memory.or(under.memory),
            memory_action: self.memory_action.or(under.memory_action),
            heap: self.heap.or(under.heap),
            gc: self.gc.or(under.gc),
            restart: self.restart.or(under.restart),
            max_restarts: self.max_restarts.or(under.max_restarts),
            stop_signal: self.stop_signal.or(under.stop_signal),
            stop_signal_to: self.stop_signal_to.or(under.stop_signal_to),
            stop_timeout: self.stop_timeout.or(under.stop_timeout),
            pty: self.pty.or(under.pty),
            nofile: self.nofile.or(under.nofile),
            nice: self.nice.or(under.nice),
            cpus: self.cpus.or(under.cpus),
            env: self.env.or(under.env),
            directory: self.directory.or(under.directory),
        }
    }
}

impl Settings {
    /// Puts in what a flag such as `--memory web=512M,all=256M` says; `slot` names the option.
    pub fn put<T: Clone>(
        &mut self,
        values: &PerType<T>,
        origin: Origin,
        slot: impl Fn(&mut TypeSettings) -> &mut Option<Setting<T>>,
    ) {
        if let Some(value) = values.all() {
            *slot(&mut self.all) = Some(Setting { value: value.clone(), origin });
        }
        for (name, value) in values.named() {
            let own = self.types.entry(name.to_owned()).or_default();
            *slot(own) = Some(Setting { value: value.clone(), origin });
        }
    }
}

/// All layers, the strongest first.
#[derive(Clone, Debug, Default)]
pub struct Layers(Vec<Settings>);

/// Lays settings over each other, the strongest first: flags, PM_* variables, pm.toml, .foreman.
pub fn merge(strongest_first: impl IntoIterator<Item = Settings>) -> Layers {
    Layers(strongest_first.into_iter().collect())
}

impl Layers {
    /// Returns the options of the session, but for `formation`, which [`Self::formation`] gives.
    pub fn session(&self) -> Session {
        self.0.iter().cloned().fold(Session::default(), |over, under| over.or(under.session))
    }

    /// Returns the variables that each layer sets over the env files, the weakest first: they lie over one
    /// another, unlike the other options.
    pub fn set(&self) -> impl Iterator<Item = &Setting<Variables>> {
        self.0.iter().rev().filter_map(|layer| layer.session.set.as_ref())
    }

    /// Returns the options of a process type. A stronger layer's word for all types beats a weaker one's
    /// for this type. The session's timeout is every type's stop-timeout, in its layer.
    pub fn of_type(&self, name: &str) -> TypeSettings {
        self.0.iter().cloned().fold(TypeSettings::default(), |over, mut layer| {
            let own = layer.types.remove(name).unwrap_or_default();
            let stop_timeout = layer.session.timeout;
            over.or(own).or(layer.all).or(TypeSettings { stop_timeout, ..TypeSettings::default() })
        })
    }

    /// Returns the parts of the formation that counts, as `-m` would have them, with the `concurrency` of
    /// stronger layers put behind them. Empty where no layer has a formation: then every `concurrency`
    /// is a default beside the 1 of the others.
    pub fn formation(&self) -> Vec<Part> {
        let Some(at) = self.0.iter().position(|layer| layer.session.formation.is_some()) else {
            return Vec::new();
        };
        let mut parts = self.0[at].session.formation.clone().map(|f| f.value).unwrap_or_default();
        for layer in self.0[..at].iter().rev() {
            parts.extend(layer.types.iter().filter_map(|(name, own)| {
                let count = own.concurrency.as_ref()?.value;
                Some(Part { name: name.clone(), count: Some(count) })
            }));
        }
        parts
    }
}

/// A line of `pm env --settings`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// The name of the option.
    pub key: &'static str,
    /// Its value, as it is written.
    pub value: String,
    /// Its layer.
    pub origin: Origin,
}

fn line<T>(
    key: &'static str,
    setting: Option<&Setting<T>>,
    show: impl Fn(&T) -> String,
) -> Option<Line> {
    setting.map(|setting| Line { key, value: show(&setting.value), origin: setting.origin })
}

fn paths(paths: &[PathBuf]) -> String {
    paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(",")
}

fn seconds(duration: &Duration) -> String {
    duration.as_secs_f64().to_string()
}

/// Names only: values may be secrets.
fn names(variables: &Variables) -> String {
    variables.keys().cloned().collect::<Vec<_>>().join(",")
}

fn count(count: &Count) -> String {
    match count {
        Count::Number(number) => number.to_string(),
        Count::Auto => "auto".to_owned(),
    }
}

fn parts(parts: &[Part]) -> String {
    let shown = parts.iter().map(|part| match &part.count {
        Some(number) => format!("{}={}", part.name, count(number)),
        None => part.name.clone(),
    });
    shown.collect::<Vec<_>>().join(",")
}

impl Session {
    /// Returns what is said by the keys of pm.toml, in the order of `pm start --help`.
    pub fn lines(&self) -> Vec<Line> {
        let path = |path: &PathBuf| path.display().to_string();
        let all = [
            line("procfile", self.procfile.as_ref(), path),
            line("root", self.root.as_ref(), path),
            line("env-files", self.env.as_ref(), |files| paths(files)),
            line("env", self.set.as_ref(), names),
            line("formation", self.formation.as_ref(), |formation| parts(formation)),
            line("port", self.port.as_ref(), u16::to_string),
            line("timeout", self.timeout.as_ref(), seconds),
            line("color", self.color.as_ref(), |&color| word(color)),
            line("timestamp", self.timestamp.as_ref(), |&switch| word(switch)),
            line("timestamp-format", self.timestamp_format.as_ref(), String::clone),
            line("prefix", self.prefix.as_ref(), |&switch| word(switch)),
            line("quiet", self.quiet.as_ref(), |types| types.join(",")),
            line("except", self.except.as_ref(), |types| types.join(",")),
            line("exit-on", self.exit_on.as_ref(), |&which| word(which)),
            line("release", self.release.as_ref(), |&switch| word(switch)),
        ];
        all.into_iter().flatten().collect()
    }
}

impl TypeSettings {
    /// Returns what is said, in the order of `examples/pm.toml`.
    pub fn lines(&self) -> Vec<Line> {
        let all = [
            line("concurrency", self.concurrency.as_ref(), count),
            line("memory", self.memory.as_ref(), Size::to_string),
            line("memory-action", self.memory_action.as_ref(), |&action| word(action)),
            line("heap", self.heap.as_ref(), Size::to_string),
            line("gc", self.gc.as_ref(), |&gc| word(gc)),
            line("restart", self.restart.as_ref(), |&restart| word(restart)),
            line("max-restarts", self.max_restarts.as_ref(), u32::to_string),
            line("stop-signal", self.stop_signal.as_ref(), Signal::to_string),
            line("stop-signal-to", self.stop_signal_to.as_ref(), |&whom| word(whom)),
            line("stop-timeout", self.stop_timeout.as_ref(), seconds),
            line("pty", self.pty.as_ref(), |&pty| word(pty)),
            line("nofile", self.nofile.as_ref(), u64::to_string),
            line("nice", self.nice.as_ref(), Nice::to_string),
            line("cpus", self.cpus.as_ref(), CpuLimit::to_string),
            line("env", self.env.as_ref(), names),
            line("directory", self.directory.as_ref(), |path| path.display().to_string()),
        ];
        all.into_iter().flatten().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::formation;

    fn setting<T>(value: T, origin: Origin) -> Option<Setting<T>> {
        Some(Setting { value, origin })
    }

    fn port(value: u16, origin: Origin) -> Settings {
        let session = Session { port: setting(value, origin), ..Session::default() };
        Settings { session, ..Settings::default() }
    }

    fn memory(mib: u64, origin: Origin) -> TypeSettings {
        let memory = Size::from_mib(mib).and_then(|size| setting(size, origin));
        TypeSettings { memory, ..TypeSettings::default() }
    }

    fn formation_of(text: &str, origin: Origin) -> Settings {
        let formation = setting(formation::parse(text).unwrap(), origin);
        Settings { session: Session { formation, ..Session::default() }, ..Settings::default() }
    }

    fn concurrency(name: &str, number: u16, origin: Origin) -> Settings {
        let own = TypeSettings {
            concurrency: setting(Count::Number(number), origin),
            ..TypeSettings::default()
        };
        Settings { types: BTreeMap::from([(name.to_owned(), own)]), ..Settings::default() }
    }

    #[test]
    fn flags_beat_variables_beat_pm_toml_beats_foreman() {
        let layers = [
            port(1, Origin::Flag),
            port(2, Origin::Variable),
            port(3, Origin::PmToml),
            port(4, Origin::Foreman),
        ];
        for first in 0..layers.len() {
            let merged = merge(layers[first..].to_vec());
            assert_eq!(merged.session().port, layers[first].session.port);
        }
        assert_eq!(merge([]).session(), Session::default());
    }

    #[test]
    fn a_flag_for_all_types_beats_pm_toml_for_one() {
        let flag = Settings { all: memory(256, Origin::Flag), ..Settings::default() };
        let file = Settings {
            all: memory(128, Origin::PmToml),
            types: BTreeMap::from([("web".to_owned(), memory(512, Origin::PmToml))]),
            ..Settings::default()
        };
        let mib =
            |layers: &Layers, name| layers.of_type(name).memory.map(|memory| memory.value.mib());
        let both = merge([flag, file.clone()]);
        assert_eq!((mib(&both, "web"), mib(&both, "worker")), (Some(256), Some(256)));
        let alone = merge([file]);
        assert_eq!((mib(&alone, "web"), mib(&alone, "worker")), (Some(512), Some(128)));
    }

    #[test]
    fn a_flag_by_type_is_put_into_its_layer() {
        let mut flags = Settings::default();
        let values = PerType::parse("web=512M,256M", Size::parse).unwrap();
        flags.put(&values, Origin::Variable, |own| &mut own.memory);
        let merged = merge([flags]);
        let mib =
            |name| merged.of_type(name).memory.map(|memory| (memory.value.mib(), memory.origin));
        assert_eq!(mib("web"), Some((512, Origin::Variable)));
        assert_eq!(mib("worker"), Some((256, Origin::Variable)));
    }

    #[test]
    fn the_timeout_of_a_session_is_every_types_in_its_layer() {
        let session = Session {
            timeout: setting(Duration::from_secs(9), Origin::Flag),
            ..Session::default()
        };
        let flag = Settings { session, ..Settings::default() };
        let own = TypeSettings {
            stop_timeout: setting(Duration::from_secs(30), Origin::PmToml),
            ..TypeSettings::default()
        };
        let file =
            Settings { types: BTreeMap::from([("web".to_owned(), own)]), ..Settings::default() };
        let stop_timeout =
            |layers: Layers| layers.of_type("web").stop_timeout.map(|t| t.value.as_secs());
        assert_eq!(stop_timeout(merge([flag, file.clone()])), Some(9));
        assert_eq!(stop_timeout(merge([file])), Some(30));
    }

    #[test]
    fn a_concurrency_beats_the_formation_of_a_weaker_layer_only() {
        let text = |layers: Layers| parts(&layers.formation());
        let foreman = formation_of("all=1,worker=0", Origin::Foreman);
        let file = concurrency("web", 2, Origin::PmToml);
        assert_eq!(text(merge([file.clone(), foreman])), "all=1,worker=0,web=2");
        assert_eq!(text(merge([formation_of("web=5", Origin::Flag), file.clone()])), "web=5");
        assert_eq!(text(merge([file])), "");
    }

    #[test]
    fn lines_show_values_with_their_layer_but_no_secrets() {
        let set =
            setting(Variables::from([("TOKEN".to_owned(), "secret".to_owned())]), Origin::PmToml);
        let session = Session { set, ..port(3000, Origin::Flag).session };
        let shown: Vec<_> =
            session.lines().iter().map(|l| format!("{} {} {}", l.key, l.value, l.origin)).collect();
        assert_eq!(shown, ["env TOKEN pm.toml", "port 3000 flag"]);
        let shown: Vec<_> = memory(512, Origin::Variable)
            .lines()
            .iter()
            .map(|l| format!("{} {} {}", l.key, l.value, l.origin))
            .collect();
        assert_eq!(shown, ["memory 512 MiB PM_ variable"]);
    }
}
