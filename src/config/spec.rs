//! What is said of one option: its key, its flag, its default, its help. [`super::table`] has them all.

use clap::builder::ValueParser;
use serde_json::Value as Json;

use super::value::Value;

/// One option, as the command line, the help, and pm.toml's schema, example and manual page have it.
#[derive(Clone, Copy, Debug)]
pub struct Spec {
    /// What it is said of.
    pub(super) scope: SettingScope,
    /// The name of its field.
    pub(super) field: &'static str,
    /// Its key in pm.toml.
    pub key: &'static str,
    /// What its key was called in an earlier version; that is still read.
    pub(super) old_key: Option<&'static str>,
    /// Which tables of pm.toml may have it.
    pub(super) tables: Tables,
    /// Its flag on the command line.
    pub flag: Option<Flag>,
    /// What holds where no layer says it, as the help shows it.
    pub default: Option<&'static str>,
    /// A value, in TOML.
    pub(super) example: &'static str,
    /// The lines of its doc comment.
    doc: &'static [&'static str],
    /// Describes what can be written in pm.toml.
    pub(super) schema: fn() -> Json,
    /// Lets clap read one value of the flag.
    pub parser: fn() -> ValueParser,
    /// How many values the flag takes.
    pub takes: Takes,
}

/// What an option is said of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SettingScope {
    /// The session.
    Session,
    /// A process type, or all that have none of their own.
    Type,
}

/// The tables of pm.toml that may have an option.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tables {
    /// `[defaults]`; an option of a process type may stand in `[process.NAME]` too.
    Defaults,
    /// `[process.NAME]` alone.
    Process,
    /// None.
    Nowhere,
}

/// How many values a flag takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Takes {
    /// None: the flag stands for `on`, a negative one for `off`.
    Nothing,
    /// One.
    One,
    /// One each time that the flag is given.
    Each,
    /// A list with commas each time that the flag is given.
    List,
}

/// A flag of the command line.
#[derive(Clone, Copy, Debug)]
pub struct Flag {
    /// Its name without the hyphens.
    pub long: &'static str,
    /// The PM_ variable that stands for it.
    pub variable: &'static str,
    /// Its letter.
    pub short: Option<char>,
    /// What the help calls its value.
    pub value: &'static str,
    /// The value that it has where it stands alone.
    pub alone: Option<&'static str>,
    /// Its help, where that of the key does not fit: `summary`, or `summary\n\nmore`.
    help: Option<&'static str>,
    /// It stands for `off`.
    pub is_negative: bool,
    /// It takes `TYPE=VALUE,..`; where a type may have several values, one `TYPE=VALUE` each time that it is given;
    /// where it takes nothing, `TYPE,..`.
    pub is_per_type: bool,
    /// Which commands have it, and where the help shows it.
    pub group: HelpGroup,
}

/// Flags that stand together in the help.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HelpGroup {
    /// Where the application's files are.
    Files,
    /// What the session is like.
    Session,
    /// Format of the merged output.
    Output,
    /// When an instance is ready and alive, and what it depends on.
    Readiness,
    /// Which files are watched, and what follows when they change.
    Watch,
    /// What an instance may use.
    Resources,
}

/// Begins the option of a key.
pub(super) const fn key(key: &'static str) -> Spec {
    Spec {
        scope: SettingScope::Session,
        field: "",
        key,
        old_key: None,
        tables: Tables::Defaults,
        flag: None,
        default: None,
        example: "",
        doc: &[],
        schema: String::schema,
        parser: String::parser,
        takes: Takes::One,
    }
}

impl Spec {
    pub(super) const fn flag(mut self, flag: Flag) -> Self {
        self.flag = Some(flag);
        self
    }

    pub(super) const fn default(mut self, text: &'static str) -> Self {
        self.default = Some(text);
        self
    }

    pub(super) const fn example(mut self, toml: &'static str) -> Self {
        self.example = toml;
        self
    }

    pub(super) const fn old_key(mut self, key: &'static str) -> Self {
        self.old_key = Some(key);
        self
    }

    pub(super) const fn tables(mut self, tables: Tables) -> Self {
        self.tables = tables;
        self
    }

    /// Ends it with what its field says: name, doc comment and type.
    pub(super) const fn of<T: Value>(
        mut self,
        scope: SettingScope,
        field: &'static str,
        doc: &'static [&'static str],
    ) -> Self {
        self.scope = scope;
        self.field = field;
        self.doc = doc;
        self.schema = T::schema;
        self.parser = T::parser;
        self.takes = T::TAKES;
        self
    }

    /// Returns what it is in one line.
    pub(super) fn summary(&self) -> String {
        paragraphs(self.doc).swap_remove(0)
    }

    /// Returns the help of its flag, and the long one where there is more to say.
    pub fn help(&self) -> (String, Option<String>) {
        let paragraphs = match self.flag.and_then(|flag| flag.help) {
            Some(text) => text.split("\n\n").map(str::to_owned).collect(),
            None => paragraphs(self.doc),
        };
        let summary = self.with_default(&paragraphs[0]);
        let more = &paragraphs[1..];
        let long = (!more.is_empty()).then(|| format!("{summary}\n\n{}", more.join("\n\n")));
        (summary, long)
    }

    pub(super) fn with_default(&self, text: &str) -> String {
        match self.default {
            Some(default) => format!("{text} [default: {default}]"),
            None => text.to_owned(),
        }
    }
}

/// Joins the lines of a doc comment to paragraphs. There is at least one.
fn paragraphs(doc: &[&str]) -> Vec<String> {
    let lines: Vec<_> = doc.iter().map(|line| line.trim()).collect();
    lines.split(|line| line.is_empty()).map(|lines| lines.join(" ")).collect()
}

/// Begins a flag with its PM_ variable.
pub(super) const fn flag(long: &'static str, variable: &'static str) -> Flag {
    Flag {
        long,
        variable,
        short: None,
        value: "",
        alone: None,
        help: None,
        is_negative: false,
        is_per_type: false,
        group: HelpGroup::Session,
    }
}

/// Begins a flag that takes `TYPE=VALUE,..`; `value` is an example.
pub(super) const fn per_type(
    long: &'static str,
    variable: &'static str,
    value: &'static str,
) -> Flag {
    let mut flag = flag(long, variable).value(value).group(HelpGroup::Resources);
    flag.is_per_type = true;
    flag
}

impl Flag {
    pub(super) const fn short(mut self, letter: char) -> Self {
        self.short = Some(letter);
        self
    }

    pub(super) const fn value(mut self, name: &'static str) -> Self {
        self.value = name;
        self
    }

    pub(super) const fn alone(mut self, value: &'static str) -> Self {
        self.alone = Some(value);
        self
    }

    pub(super) const fn help(mut self, text: &'static str) -> Self {
        self.help = Some(text);
        self
    }

    pub(super) const fn negative(mut self) -> Self {
        self.is_negative = true;
        self
    }

    pub(super) const fn group(mut self, group: HelpGroup) -> Self {
        self.group = group;
        self
    }
}
