//! The PM_ variables, from the options that read them.

use clap_mangen::roff::{Roff, bold, roman};

/// Returns a paragraph for each variable: the option, and the subcommands that have it.
pub(super) fn variables(command: &clap::Command) -> String {
    let mut variables: Vec<(String, String, Vec<&str>)> = Vec::new();
    for subcommand in command.get_subcommands().filter(|subcommand| !subcommand.is_hide_set()) {
        for arg in subcommand.get_arguments() {
            let (Some(variable), Some(long)) = (arg.get_env(), arg.get_long()) else { continue };
            let (variable, option) = (variable.to_string_lossy(), format!("--{long}"));
            let is_it = |(other, other_option, _): &&mut (String, String, Vec<&str>)| {
                *other == variable && *other_option == option
            };
            match variables.iter_mut().find(is_it) {
                Some((_, _, subcommands)) => subcommands.push(subcommand.get_name()),
                None => {
                    variables.push((variable.into_owned(), option, vec![subcommand.get_name()]));
                }
            }
        }
    }
    variables.sort();
    let mut roff = Roff::new();
    for (variable, option, subcommands) in variables {
        roff.control("TP", []);
        roff.text([bold(variable)]);
        roff.text([bold(option), roman(format!(" of pm {}", subcommands.join(", ")))]);
    }
    roff.to_roff()
}
