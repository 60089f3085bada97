//! Settings in layers: flags over PM_* variables over pm.toml over .foreman. Each value remembers
//! its layer, for `pm env --settings`.

use std::collections::BTreeMap;
use std::fmt;

use super::spec::{SettingScope, Spec};
use super::table::{SessionSettings, TypeSettings};
use super::value::{Read, Variables};
use crate::app::formation::Part;

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

/// A line of `pm env --settings`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettingLine {
    /// The key of the option.
    pub key: &'static str,
    /// Its value, as it is written.
    pub value: String,
    /// Its layer.
    pub origin: Origin,
}

/// What one layer says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Layer {
    /// Options of the session.
    pub session: SessionSettings,
    /// Options of the process types that have none of their own in this layer.
    pub all: TypeSettings,
    /// Options of a process type.
    pub types: BTreeMap<String, TypeSettings>,
}

impl Layer {
    /// Sets an option of the session, or of all process types that have none of their own.
    ///
    /// # Errors
    /// The reader's own.
    pub fn set<R: Read>(&mut self, spec: &Spec, reader: R) -> Result<(), R::Error> {
        match spec.scope {
            SettingScope::Session => self.session.set(spec, reader),
            SettingScope::Type => self.all.set(spec, reader),
        }
    }

    /// Returns the options of a process type, or with `all` those of the types that have none of their own.
    pub fn of_type(&mut self, name: &str) -> &mut TypeSettings {
        match name {
            "all" => &mut self.all,
            name => self.types.entry(name.to_owned()).or_default(),
        }
    }
}

/// All layers, the strongest first.
#[derive(Clone, Debug, Default)]
pub struct Layers(Vec<Layer>);

impl Layers {
    /// Lays settings over each other, the strongest first: flags, PM_* variables, pm.toml, .foreman.
    pub fn new(strongest_first: impl IntoIterator<Item = Layer>) -> Self {
        Self(strongest_first.into_iter().collect())
    }

    /// Returns the options of the session, but for `formation`, which [`Self::formation`] gives.
    pub fn session(&self) -> SessionSettings {
        let mut session = SessionSettings::default();
        self.0.iter().for_each(|layer| session.fill(&layer.session));
        session
    }

    /// Returns the variables that each layer sets over the env files, the weakest first: they lie over one
    /// another, unlike the other options.
    pub fn env(&self) -> impl Iterator<Item = &Setting<Variables>> {
        self.0.iter().rev().filter_map(|layer| layer.session.env.as_ref())
    }

    /// Returns the options of a process type. A stronger layer's word for all types beats a weaker one's
    /// for this type. The session's timeout is every type's stop-timeout, in its layer.
    pub fn of_type(&self, name: &str) -> TypeSettings {
        let mut of_type = TypeSettings::default();
        for layer in &self.0 {
            layer.types.get(name).into_iter().for_each(|own| of_type.fill(own));
            of_type.fill(&layer.all);
            if of_type.stop_timeout.is_none() {
                of_type.stop_timeout.clone_from(&layer.session.timeout);
            }
        }
        of_type
    }

    /// Returns what each layer says of a process type alone and then of all, the strongest first.
    pub fn said_of_type<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a TypeSettings> {
        self.0.iter().flat_map(move |layer| layer.types.get(name).into_iter().chain([&layer.all]))
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::Size;
    use crate::app::formation::{self, Count};
    use crate::config::value::{Port, Value};
    use std::time::Duration;

    fn setting<T>(value: T, origin: Origin) -> Option<Setting<T>> {
        Some(Setting { value, origin })
    }

    fn port(value: u16, origin: Origin) -> Layer {
        let session = SessionSettings {
            port: setting(Port::Number(value), origin),
            ..SessionSettings::default()
        };
        Layer { session, ..Layer::default() }
    }

    fn memory(mib: u64, origin: Origin) -> TypeSettings {
        let memory = Size::from_mib(mib).and_then(|size| setting(size, origin));
        TypeSettings { memory, ..TypeSettings::default() }
    }

    fn formation_of(text: &str, origin: Origin) -> Layer {
        let formation = setting(formation::parse(text).unwrap(), origin);
        Layer {
            session: SessionSettings { formation, ..SessionSettings::default() },
            ..Layer::default()
        }
    }

    fn concurrency(name: &str, number: u16, origin: Origin) -> Layer {
        let own = TypeSettings {
            concurrency: setting(Count::Number(number), origin),
            ..TypeSettings::default()
        };
        Layer { types: BTreeMap::from([(name.to_owned(), own)]), ..Layer::default() }
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
            let merged = Layers::new(layers[first..].to_vec());
            assert_eq!(merged.session().port, layers[first].session.port);
        }
        assert_eq!(Layers::new([]).session(), SessionSettings::default());
    }

    #[test]
    fn a_flag_for_all_types_beats_pm_toml_for_one() {
        let flag = Layer { all: memory(256, Origin::Flag), ..Layer::default() };
        let file = Layer {
            all: memory(128, Origin::PmToml),
            types: BTreeMap::from([("web".to_owned(), memory(512, Origin::PmToml))]),
            ..Layer::default()
        };
        let mib =
            |layers: &Layers, name| layers.of_type(name).memory.map(|memory| memory.value.mib());
        let both = Layers::new([flag, file.clone()]);
        assert_eq!((mib(&both, "web"), mib(&both, "worker")), (Some(256), Some(256)));
        let alone = Layers::new([file]);
        assert_eq!((mib(&alone, "web"), mib(&alone, "worker")), (Some(512), Some(128)));
    }

    #[test]
    fn the_timeout_of_a_session_is_every_types_in_its_layer() {
        let session = SessionSettings {
            timeout: setting(Duration::from_secs(9), Origin::Flag),
            ..SessionSettings::default()
        };
        let flag = Layer { session, ..Layer::default() };
        let own = TypeSettings {
            stop_timeout: setting(Duration::from_secs(30), Origin::PmToml),
            ..TypeSettings::default()
        };
        let file = Layer { types: BTreeMap::from([("web".to_owned(), own)]), ..Layer::default() };
        let stop_timeout =
            |layers: Layers| layers.of_type("web").stop_timeout.map(|t| t.value.as_secs());
        assert_eq!(stop_timeout(Layers::new([flag, file.clone()])), Some(9));
        assert_eq!(stop_timeout(Layers::new([file])), Some(30));
    }

    #[test]
    fn a_concurrency_beats_the_formation_of_a_weaker_layer_only() {
        let text = |layers: Layers| layers.formation().show();
        let foreman = formation_of("all=1,worker=0", Origin::Foreman);
        let file = concurrency("web", 2, Origin::PmToml);
        assert_eq!(text(Layers::new([file.clone(), foreman])), "all=1,worker=0,web=2");
        assert_eq!(text(Layers::new([formation_of("web=5", Origin::Flag), file.clone()])), "web=5");
        assert_eq!(text(Layers::new([file])), "");
    }

    #[test]
    fn lines_show_values_with_their_layer_but_no_secrets() {
        let set =
            setting(Variables::from([("TOKEN".to_owned(), "secret".to_owned())]), Origin::PmToml);
        let session = SessionSettings { env: set, ..port(3000, Origin::Flag).session };
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
