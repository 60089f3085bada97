//! `depends-on` of all process types: names become positions, and what cannot be is refused with its place.

use super::process::readiness;
use super::role;
use crate::app::dependencies::{self, Dependency, Milestone, TypeFacts};
use crate::app::readiness::Probe;
use crate::app::{App, Role};
use crate::cli::settings::{Place, Settings};
use crate::error::Error;

/// What each process type depends on, in the order of the Procfile.
pub(super) type DependenciesByType = Vec<Vec<Dependency>>;

/// An entry of `depends-on`.
struct DependencyEntry {
    /// Position of the type that has it.
    of: usize,
    place: Place,
    need: Dependency,
}

/// Resolves the dependencies of all `names`.
///
/// # Errors
/// Each entry that cannot be, or else one cycle; there is at least one.
pub(super) fn graph(settings: &Settings, names: &[&str]) -> Result<DependenciesByType, Vec<Error>> {
    let own: Vec<_> = names.iter().map(|name| settings.layers.of_type(name)).collect();
    let known = names.iter().zip(&own).map(|(name, own)| TypeFacts {
        name,
        has_ready: readiness(own).is_some(),
        is_once: role(settings, name, own) != Role::Service,
    });
    let known: Vec<_> = known.collect();
    let mut entries = Vec::new();
    let mut errors = Vec::new();
    for (of, (name, own)) in names.iter().zip(&own).enumerate() {
        let Some(said) = &own.depends_on else { continue };
        for (at, text) in said.value.0.iter().enumerate() {
            let place = settings.place_of_entry(name, "depends-on", said.origin, at);
            match dependencies::resolve(text, &known) {
                Ok(need) => entries.push(DependencyEntry { of, place, need }),
                Err(error) => {
                    let reason = format!("`{name}` cannot depend on `{text}`: {error}");
                    let known = || format!("the Procfile has: {}", names.join(", "));
                    errors.push(place.error(reason, error.hint().or_else(|| Some(known()))));
                }
            }
        }
    }
    if !errors.is_empty() {
        return Err(errors);
    }
    let mut graph: DependenciesByType = vec![Vec::new(); names.len()];
    for entry in &entries {
        graph[entry.of].push(entry.need);
    }
    match dependencies::cycle(&graph) {
        Some(path) => Err(vec![refused_cycle(&path, names, &entries)]),
        None => Ok(graph),
    }
}

/// Lets every type wait for the release, but what that depends on. A release that depends on nothing runs before the
/// others as it is.
pub(super) fn put_before_others(release: usize, graph: &mut DependenciesByType) {
    let Ok(process_type) = u16::try_from(release) else { return };
    if graph[release].is_empty() {
        return;
    }
    let below = dependencies::all_below(&[process_type], graph);
    for (needs, at) in graph.iter_mut().zip(0_u16..) {
        if at != process_type && !below.contains(&at) {
            needs.push(Dependency { process_type, number: None, milestone: Milestone::Done });
        }
    }
}

/// Says which types form a cycle, and where each is said to depend on the next.
fn refused_cycle(path: &[u16], names: &[&str], entries: &[DependencyEntry]) -> Error {
    let name = |at: u16| names[usize::from(at)];
    let shown: Vec<_> = path.iter().map(|at| name(*at)).collect();
    let place = |edge: &[u16]| {
        let is_edge = |entry: &&DependencyEntry| {
            entry.of == usize::from(edge[0]) && entry.need.process_type == edge[1]
        };
        entries.iter().find(is_edge).map(|entry| entry.place.clone())
    };
    let mut places = path.windows(2).map(|edge| (place(edge), edge));
    let first = places.next().and_then(|(place, _)| place);
    let others: Vec<_> = places
        .filter_map(|(place, edge)| {
            Some(format!("; `{}` depends on `{}` at {}", name(edge[0]), name(edge[1]), place?))
        })
        .collect();
    let reason = format!("a cycle of dependencies: {}{}", shown.join(" -> "), others.concat());
    let hint = Some("remove one of these from `depends-on`".to_owned());
    first.unwrap_or(Place::Option("depends-on")).error(reason, hint)
}

/// Returns the types that are not asked for, but that others depend on which are, directly or not; with who
/// depends on each. Nothing brings a type for which `is_excluded` holds.
pub(super) fn brought(
    counts: &[u16],
    graph: &[Vec<Dependency>],
    is_excluded: impl Fn(usize) -> bool,
) -> Vec<u16> {
    let mut open = graph.to_vec();
    for (at, needs) in open.iter_mut().enumerate() {
        needs.retain(|need| {
            let on = usize::from(need.process_type);
            counts[on] > 0 || !is_excluded(on)
        });
        if counts[at] == 0 && is_excluded(at) {
            needs.clear();
        }
    }
    let asked: Vec<u16> =
        (0_u16..).zip(counts).filter(|(_, count)| **count > 0).map(|(at, _)| at).collect();
    dependencies::all_below(&asked, &open)
}

/// Says which types run although nobody asked for them: because of what was asked for.
pub(super) fn brought_notice(app: &App, brought: &[u16]) -> Option<String> {
    let graph = app.dependencies();
    let name = |at: u16| format!("`{}`", app.types[usize::from(at)].name);
    // Those that were asked for, each with what it brings.
    let mut groups: Vec<(Vec<u16>, Vec<u16>)> = Vec::new();
    let asked = (0_u16..).zip(&app.types);
    let asked: Vec<u16> = asked
        .filter(|(at, own)| own.count > 0 && !brought.contains(at))
        .map(|(at, _)| at)
        .collect();
    for at in brought {
        let who = asked
            .iter()
            .copied()
            .filter(|who| dependencies::all_below(&[*who], &graph).contains(at));
        let who: Vec<_> = who.collect();
        match groups.iter_mut().find(|(known, _)| *known == who) {
            Some((_, what)) => what.push(*at),
            None => groups.push((who, vec![*at])),
        }
    }
    let said = groups.iter().map(|(who, what)| {
        let (is, them) = if what.len() == 1 { ("is", "it") } else { ("are", "them") };
        let depend = if who.len() == 1 { "depends" } else { "depend" };
        let list = |types: &[u16]| and(&types.iter().map(|at| name(*at)).collect::<Vec<_>>());
        format!("{} {is} started too: {} {depend} on {them}", list(what), list(who))
    });
    (!brought.is_empty()).then(|| said.collect::<Vec<_>>().join("; "))
}

/// Says which types are somebody else's and cannot be asked whether they are there.
pub(super) fn unasked_notices(app: &App) -> Vec<String> {
    let mut notices = Vec::new();
    for (own, at) in app.types.iter().zip(0_u16..) {
        if own.count > 0 || own.policy.ready_probes().any(Probe::works_from_outside) {
            continue;
        }
        let dependents = app.types.iter().filter(|other| {
            other.count > 0 && other.policy.depends_on.iter().any(|need| need.process_type == at)
        });
        let dependents: Vec<_> = dependents.map(|other| format!("`{}`", other.name)).collect();
        if dependents.is_empty() {
            continue;
        }
        let takes = if dependents.len() == 1 { "takes" } else { "take" };
        notices.push(format!(
            "`{}` is not started here and cannot be asked: {} {takes} it as ready",
            own.name,
            and(&dependents)
        ));
    }
    notices
}

/// Says which instances are depended on that their types do not have.
pub(super) fn absent_notices(app: &App) -> Vec<String> {
    let mut notices = Vec::new();
    for own in app.types.iter().filter(|own| own.count > 0) {
        for need in &own.policy.depends_on {
            let on = &app.types[usize::from(need.process_type)];
            // That a type is not started at all is said elsewhere.
            let Some(number) = need.number.filter(|number| (1..*number).contains(&on.count)) else {
                continue;
            };
            let is = if on.count == 1 { "is" } else { "are" };
            notices.push(format!(
                "there {is} only {} of `{}`: `{}` does not wait for `{}.{number}`",
                on.count, on.name, own.name, on.name
            ));
        }
    }
    notices
}

fn and(names: &[String]) -> String {
    /// As many as a person reads.
    const SHOWN: usize = 8;
    match names {
        [first @ .., _] if first.len() > SHOWN => {
            format!("{} and {} more", names[..SHOWN].join(", "), names.len() - SHOWN)
        }
        [] => String::new(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}
