//! How many instances of each type to run: `all=1,web=2`, `web=4`, `worker`.

use super::nearest::nearest;

/// A count as it was typed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Count {
    /// This number of instances.
    Number(u16),
    /// As many as this process may use CPUs.
    Auto,
}

/// A text that is no [`Count`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is neither a number of instances nor `auto`")]
pub struct CountError {
    /// What was typed.
    pub text: String,
}

impl Count {
    /// Reads a whole number from 0 to 65535, or `auto`.
    pub fn parse(text: &str) -> Result<Self, CountError> {
        match text {
            "auto" => Ok(Self::Auto),
            digits => {
                digits.parse().map(Self::Number).map_err(|_| CountError { text: text.to_owned() })
            }
        }
    }

    /// Returns the number; `cpus` says what `auto` means, and is asked only for that: it reads files.
    pub fn number(self, cpus: fn() -> u16) -> u16 {
        match self {
            Self::Number(number) => number,
            Self::Auto => cpus(),
        }
    }
}

/// One `NAME[=N]` of a formation or of the arguments of `pm start`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// The process type, or `all`.
    pub name: String,
    /// The count, where one was given.
    pub count: Option<Count>,
}

/// Why a formation cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FormationError {
    /// The count is not a whole number from 0 to 65535, nor `auto`.
    #[error("count `{count}` of `{name}` is neither a whole number from 0 to 65535 nor `auto`")]
    Count {
        /// The process type.
        name: String,
        /// What was typed.
        count: String,
    },
    /// No name before the `=`.
    #[error("`{part}` does not name a process type")]
    NoName {
        /// What was typed.
        part: String,
    },
    /// No such process type in the Procfile.
    #[error("no process type `{name}` in the Procfile")]
    Unknown {
        /// What was typed.
        name: String,
        /// The nearest that there is.
        nearest: Option<String>,
        /// All that there are.
        known: Vec<String>,
    },
    /// The one process type is the one-shot `release`, which nobody asked for.
    #[error("nothing to run: `release` is started only on request")]
    OnlyRelease,
    /// Every count is 0.
    #[error("nothing to run: every count is 0")]
    Nothing,
    /// All that would run is excluded.
    #[error("nothing to run: {} excluded", excluded(names))]
    AllExcluded {
        /// What is excluded, as it was said.
        names: Vec<String>,
    },
}

fn excluded(names: &[String]) -> String {
    let quoted: Vec<_> = names.iter().map(|name| format!("`{name}`")).collect();
    format!("{} {}", quoted.join(", "), if names.len() == 1 { "is" } else { "are" })
}

impl FormationError {
    /// Returns what to do about it.
    pub fn hint(&self) -> String {
        match self {
            Self::Count { name, .. } => {
                format!("write a whole number from 0 to 65535, or `auto`: `{name}=2`")
            }
            Self::NoName { .. } => "write `web=2`".into(),
            Self::Unknown { nearest: Some(nearest), .. } => format!("did you mean `{nearest}`?"),
            Self::Unknown { known, .. } => format!("the Procfile has: {}", known.join(", ")),
            Self::OnlyRelease => "run it with `pm start --release`, or by its name".into(),
            Self::Nothing => "ask for at least one instance: `web=1`".into(),
            Self::AllExcluded { .. } => {
                "exclude fewer types: `-x`, PM_EXCEPT, or `except` in pm.toml".into()
            }
        }
    }
}

/// What was asked for, in its three layers.
#[derive(Clone, Debug, Default)]
pub struct Wish {
    /// `-m`: types that are not listed run 0 times unless `all=N`.
    pub formation: Vec<Part>,
    /// The arguments of `pm start`: only the named types run.
    pub named: Vec<Part>,
    /// `-x`: these do not run.
    pub except: Vec<String>,
}

/// Splits `web=2,worker` at commas; spaces around a part and empty parts are nothing.
pub fn parse(text: &str) -> Result<Vec<Part>, FormationError> {
    let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
    parts.map(part).collect()
}

fn part(text: &str) -> Result<Part, FormationError> {
    let (name, count) = match text.split_once('=') {
        Some((name, count)) => (name.trim(), Some(count.trim())),
        None => (text, None),
    };
    if name.is_empty() {
        return Err(FormationError::NoName { part: text.to_owned() });
    }
    let count = count.map(Count::parse).transpose();
    let count = count.map_err(|CountError { text }| FormationError::Count {
        name: name.to_owned(),
        count: text,
    })?;
    Ok(Part { name: name.to_owned(), count })
}

/// Returns where a name stands, or says which names there are.
pub(crate) fn position(names: &[&str], name: &str) -> Result<usize, FormationError> {
    names.iter().position(|known| *known == name).ok_or_else(|| FormationError::Unknown {
        name: name.to_owned(),
        nearest: nearest(name, names.iter().copied()).map(str::to_owned),
        known: names.iter().map(|&known| known.to_owned()).collect(),
    })
}

impl Wish {
    /// Returns the counts without a look at what was named.
    fn of_formation(
        &self,
        names: &[&str],
        cpus: fn() -> u16,
        default: &[u16],
    ) -> Result<Vec<u16>, FormationError> {
        let number = |count: Option<Count>| count.map_or(1, |count| count.number(cpus));
        let mut counts = default.to_vec();
        if !self.formation.is_empty() {
            let all = self.formation.iter().rev().find(|part| part.name == "all");
            counts.fill(all.map_or(0, |part| number(part.count)));
            for part in
                self.formation.iter().filter(|part| part.name != "all" || names.contains(&"all"))
            {
                counts[position(names, &part.name)?] = number(part.count);
            }
        }
        Ok(counts)
    }

    /// Returns the counts of types that come with those that were asked for: what the formation says, or the
    /// default. 0 is what is not wanted by its name.
    pub fn companions(
        &self,
        names: &[&str],
        cpus: fn() -> u16,
        default: &[u16],
    ) -> Result<Vec<u16>, FormationError> {
        let mut counts = self.of_formation(names, cpus, default)?;
        for (count, default) in counts.iter_mut().zip(default) {
            if *count == 0 {
                *count = *default;
            }
        }
        let is_zero = |part: &&Part| part.count == Some(Count::Number(0)) && part.name != "all";
        let zero = self.formation.iter().chain(&self.named).filter(is_zero);
        for name in zero.map(|part| &part.name).chain(&self.except) {
            counts[position(names, name)?] = 0;
        }
        Ok(counts)
    }

    /// Returns the count of each of `names`, in their order. `cpus` says what `auto` means.
    /// A type that is neither listed nor named keeps `default` where nothing at all was asked.
    pub fn counts(
        &self,
        names: &[&str],
        cpus: fn() -> u16,
        default: &[u16],
    ) -> Result<Vec<u16>, FormationError> {
        let index = |name: &str| position(names, name);
        let number = |count: Option<Count>| count.map_or(1, |count| count.number(cpus));
        let mut counts = self.of_formation(names, cpus, default)?;
        if !self.named.is_empty() {
            let mut named = vec![0; names.len()];
            for part in &self.named {
                if part.name == "all" && !names.contains(&"all") {
                    for (count, base) in named.iter_mut().zip(&counts) {
                        *count = part.count.map_or(*base, |_| number(part.count));
                    }
                    continue;
                }
                let at = index(&part.name)?;
                // A bare name takes its count from the formation, and runs even where that says 0.
                named[at] =
                    if part.count.is_some() { number(part.count) } else { counts[at].max(1) };
            }
            counts = named;
        }
        let is_nothing = |counts: &[u16]| counts.iter().all(|count| *count == 0);
        let was_nothing = is_nothing(&counts);
        for name in &self.except {
            counts[index(name)?] = 0;
        }
        match is_nothing(&counts) {
            false => Ok(counts),
            true if was_nothing => Err(FormationError::Nothing),
            true => Err(FormationError::AllExcluded { names: self.except.clone() }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAMES: [&str; 3] = ["web", "worker", "clock"];

    fn wish(formation: &str, named: &[&str], except: &[&str]) -> Result<Vec<u16>, FormationError> {
        let mut parts = Vec::new();
        for text in named {
            parts.extend(parse(text)?);
        }
        let except = except.iter().map(|&name| name.to_owned()).collect();
        Wish { formation: parse(formation)?, named: parts, except }.counts(&NAMES, || 6, &[1, 1, 1])
    }

    #[test]
    fn formations_become_counts() {
        type FormationRow =
            (&'static str, &'static [&'static str], &'static [&'static str], [u16; 3]);
        let table: [FormationRow; 15] = [
            ("", &[], &[], [1, 1, 1]),
            ("web=2", &[], &[], [2, 0, 0]),
            ("all=2", &[], &[], [2, 2, 2]),
            ("all=1,web=3", &[], &[], [3, 1, 1]),
            ("web=3,all=1", &[], &[], [3, 1, 1]),
            ("all=1, worker=0", &[], &[], [1, 0, 1]),
            ("web=auto", &[], &[], [6, 0, 0]),
            ("", &["web=4"], &[], [4, 0, 0]),
            ("", &["web"], &[], [1, 0, 0]),
            ("", &["web=2,worker"], &[], [2, 1, 0]),
            ("", &["web", "clock=2"], &[], [1, 0, 2]),
            ("all=3", &["web"], &[], [3, 0, 0]),
            ("web=2", &["worker"], &[], [0, 1, 0]),
            ("", &["all=2"], &[], [2, 2, 2]),
            ("", &[], &["clock"], [1, 1, 0]),
        ];
        for (formation, named, except, expected) in table {
            assert_eq!(
                wish(formation, named, except),
                Ok(expected.to_vec()),
                "{formation} {named:?} {except:?}"
            );
        }
    }

    #[test]
    fn companions_have_the_count_of_the_formation_or_their_default_unless_they_are_excluded() {
        let companions = |formation: &str, named: &str, except: &[&str]| {
            let except = except.iter().map(|&name| name.to_owned()).collect();
            let (formation, named) = (parse(formation).unwrap(), parse(named).unwrap());
            Wish { formation, named, except }.companions(&NAMES, || 6, &[1, 2, 0]).unwrap()
        };
        for (formation, named, except, expected) in [
            ("", "web", &[][..], [1, 2, 0]),
            ("web=3", "", &[], [3, 2, 0]),
            ("all=4", "web", &[], [4, 4, 4]),
            ("all=0,web=1", "", &[], [1, 2, 0]),
            ("web=1,worker=0", "", &[], [1, 0, 0]),
            ("", "web,worker=0", &[], [1, 0, 0]),
            ("", "web", &["worker"], [1, 0, 0]),
        ] {
            let found = companions(formation, named, except);
            assert_eq!(found, expected, "{formation} {named} {except:?}");
        }
    }

    #[test]
    fn nonsense_is_refused_with_what_was_typed() {
        let refusal = |formation: &str, named: &[&str]| {
            wish(formation, named, &[]).map_err(|e| e.to_string())
        };
        assert_eq!(
            refusal("web=abc", &[]),
            Err("count `abc` of `web` is neither a whole number from 0 to 65535 nor `auto`".into())
        );
        assert_eq!(
            refusal("web=-1", &[]),
            Err("count `-1` of `web` is neither a whole number from 0 to 65535 nor `auto`".into())
        );
        assert_eq!(
            refusal("web=70000", &[]),
            Err("count `70000` of `web` is neither a whole number from 0 to 65535 nor `auto`"
                .into())
        );
        assert_eq!(refusal("", &["nope"]), Err("no process type `nope` in the Procfile".into()));
        assert_eq!(refusal("nope=1", &[]), Err("no process type `nope` in the Procfile".into()));
        assert_eq!(refusal("=3", &[]), Err("`=3` does not name a process type".into()));
        assert_eq!(refusal("all=0", &[]), Err("nothing to run: every count is 0".into()));
        let excluded = wish("", &["web"], &["web"]).map_err(|error| error.to_string());
        assert_eq!(excluded, Err("nothing to run: `web` is excluded".into()));
        let excluded = wish("web=1,clock=1", &[], &["web", "clock"]);
        let excluded = excluded.map_err(|error| error.to_string());
        assert_eq!(excluded, Err("nothing to run: `web`, `clock` are excluded".into()));
        let zero = wish("all=0", &[], &["web"]).map_err(|error| error.to_string());
        assert_eq!(zero, Err("nothing to run: every count is 0".into()));
    }

    #[test]
    fn the_nearest_name_is_offered() {
        let Err(FormationError::Unknown { nearest, .. }) = wish("", &["wokrer"], &[]) else {
            unreachable!("wokrer is not in the list")
        };
        assert_eq!(nearest.as_deref(), Some("worker"));
    }
}
