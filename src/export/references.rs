//! Notices about variables of pm.toml that refer to other types (`${PM_URL_API}`): where a format has no host for those,
//! they name the machine that pm runs on.

use super::formats::Others;
use super::unsaid::names;
use super::{Format, Options};
use crate::app::siblings::{Reference, Referred, references};
use crate::app::{App, ProcessType};

/// Returns a notice for each variable that leads to the wrong place.
pub(super) fn notices(format: &Format, app: &App, options: &Options) -> Vec<String> {
    let mut wrong: Vec<(Reference<'_>, Vec<&ProcessType>)> = Vec::new();
    for own in app.types.iter().filter(|own| own.count > 0) {
        for found in references(app, &own.environment) {
            if leads(format, options, own, &found) {
                continue;
            }
            let known = wrong
                .iter_mut()
                .find(|(other, _)| other.key == found.key && std::ptr::eq(other.to, found.to));
            match known {
                Some((_, types)) if types.iter().any(|other| std::ptr::eq(*other, own)) => {}
                Some((_, types)) => types.push(own),
                None => wrong.push((found, vec![own])),
            }
        }
    }
    let why = match format.addresses.others {
        Others::Chosen => "chooses hosts and ports",
        Others::Here | Others::Hosts(_) | Others::Apart => {
            "runs each type on a `localhost` of its own"
        }
    };
    let notice = |(found, types): (Reference<'_>, Vec<&ProcessType>)| {
        let (key, to, name) = (found.key, &found.to.name, format.name);
        let types = names(types)?;
        Some(format!(
            "`{key}` of {types} does not lead to `{to}`: {name} {why}; set where it is reached"
        ))
    };
    wrong.into_iter().filter_map(notice).collect()
}

/// Returns whether what a variable of a type says of another one is so.
fn leads(format: &Format, options: &Options, own: &ProcessType, found: &Reference<'_>) -> bool {
    let is_itself = std::ptr::eq(own, found.to);
    match (format.addresses.others, found.what) {
        (Others::Here, _) => true,
        (Others::Chosen, _) => false,
        (Others::Hosts(_) | Others::Apart, Referred::Port) => true,
        (Others::Hosts(_) | Others::Apart, Referred::PortHere) => is_itself,
        (Others::Hosts(host), Referred::Url) => is_itself || host(&options.app, found.to).is_some(),
        (Others::Apart, Referred::Url) => is_itself,
    }
}
