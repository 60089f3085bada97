//! The flags of settings, made from the table of them: `config::table` says what each is called and does.

use std::fmt::Debug;
use std::marker::PhantomData;

use clap::builder::ValueParser;
use clap::{Arg, ArgAction, ArgMatches, Args, Command, FromArgMatches};

use super::yes_or_no::YesOrNo;
use crate::config::spec::{Flag, HelpGroup, Spec, Takes};
use crate::config::{SessionSettings, TypeSettings};

/// Says which flags a command has.
pub trait Choice: Clone + Debug {
    /// Returns whether a flag is one of them.
    fn has(flag: &Flag) -> bool;
    /// Returns the flag as this command has it.
    fn change(arg: Arg) -> Arg {
        arg
    }
}

/// Flags of settings, for `#[command(flatten)]`. It holds no values: `CliLayers` takes them
/// from what clap has matched.
#[derive(Clone, Debug)]
pub struct Flags<C>(PhantomData<C>);

/// Returns every setting that has a flag.
pub(crate) fn all() -> impl Iterator<Item = (&'static Spec, Flag)> {
    let all = SessionSettings::TABLE.iter().chain(TypeSettings::TABLE);
    all.filter_map(|spec| Some((spec, spec.flag?)))
}

impl<C: Choice> Args for Flags<C> {
    fn augment_args(command: Command) -> Command {
        let chosen = all().filter(|(_, flag)| C::has(flag));
        command.args(chosen.map(|(spec, flag)| C::change(arg(spec, flag))))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl<C> FromArgMatches for Flags<C> {
    fn from_arg_matches(_: &ArgMatches) -> Result<Self, clap::Error> {
        Ok(Self(PhantomData))
    }

    fn update_from_arg_matches(&mut self, _: &ArgMatches) -> Result<(), clap::Error> {
        Ok(())
    }
}

fn arg(spec: &Spec, flag: Flag) -> Arg {
    let (help, long_help) = spec.help();
    let arg = Arg::new(flag.long).long(flag.long).env(flag.variable).help(help);
    let arg = match (flag.is_per_type, spec.takes) {
        (true, _) => arg.action(ArgAction::Append).value_parser(ValueParser::string()),
        (false, Takes::Nothing) => arg.action(ArgAction::SetTrue).value_parser(YesOrNo),
        (false, Takes::One) => arg.action(ArgAction::Set).value_parser((spec.parser)()),
        (false, Takes::Each) => arg.action(ArgAction::Append).value_parser((spec.parser)()),
        (false, Takes::List) => {
            arg.action(ArgAction::Append).value_parser((spec.parser)()).value_delimiter(',')
        }
    };
    let arg = match long_help {
        Some(text) => arg.long_help(text),
        None => arg,
    };
    let arg = match flag.value {
        "" => arg,
        value => arg.value_name(value),
    };
    let arg = match flag.alone {
        Some(value) => arg.num_args(0..=1).require_equals(true).default_missing_value(value),
        None => arg,
    };
    let arg = match flag.group {
        HelpGroup::Readiness => arg.help_heading("Readiness and dependencies"),
        HelpGroup::Watch => arg.help_heading("Watching files"),
        HelpGroup::Resources => arg.help_heading("Resources"),
        HelpGroup::Files | HelpGroup::Session | HelpGroup::Output => arg,
    };
    arg.short(flag.short)
        // Values of variables may be secrets; what -1 cannot be is for the value to say.
        .hide_env_values(spec.takes == Takes::Each)
        .allow_negative_numbers(!flag.value.is_empty() && flag.alone.is_none())
}

/// Makes a choice of flags.
macro_rules! choices {
    ($($(#[$doc:meta])+ $name:ident($flag:ident) = $has:expr;)+) => {$(
        $(#[$doc])+
        #[derive(Clone, Debug)]
        pub struct $name;

        impl Choice for $name {
            fn has($flag: &Flag) -> bool {
                $has
            }
        }
    )+};
}

choices! {
    /// Where the application's files are.
    Files(flag) = flag.group == HelpGroup::Files;
    /// What the session is like.
    Session(flag) = flag.group == HelpGroup::Session;
    /// Format of the merged output.
    Output(flag) = flag.group == HelpGroup::Output;
    /// When an instance is ready and alive, and what it depends on.
    Readiness(flag) = flag.group == HelpGroup::Readiness;
    /// Which files are watched.
    Watch(flag) = flag.group == HelpGroup::Watch;
    /// What an instance may use.
    Resources(flag) = flag.group == HelpGroup::Resources;
    /// How many of each, and on which ports.
    Layout(flag) = matches!(flag.long, "formation" | "port");
    /// On which ports.
    BasePort(flag) = flag.long == "port";
}

/// What of a session goes into exported units.
#[derive(Clone, Debug)]
pub struct Exported;

impl Choice for Exported {
    fn has(flag: &Flag) -> bool {
        matches!(
            flag.long,
            "formation" | "port" | "timeout" | "restart" | "release" | "log-size" | "log-keep"
        )
    }

    fn change(arg: Arg) -> Arg {
        match arg.get_id().as_str() {
            // `-t` is foreman's for a template.
            "timeout" => arg.short(None),
            "release" => {
                arg.help("Run the one-shot type `release` first, if the format supports it")
            }
            _ => arg,
        }
    }
}
