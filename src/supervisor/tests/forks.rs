//! Every pair of signals in every kind of state: the session is forked and run to its end.

use std::collections::{BTreeMap, BTreeSet};

use super::storm::{Random, child};
use crate::app::{Exit, ExitOn, Signal};
use crate::long::cases;
use crate::supervisor::Event;
use crate::supervisor::sim::{FakeChild, TypeRow, World, always, on_failure, release, row};
use crate::supervisor::state::{Phase, State};

const SIGNALS: [Signal; 7] = [
    Signal::INT,
    Signal::TERM,
    Signal::HUP,
    Signal::TSTP,
    Signal::CONT,
    Signal::USR1,
    Signal::USR2,
];

fn kind_of_state(state: State) -> &'static str {
    use crate::supervisor::state::StopStage::{Asked, Killed};
    match state {
        State::Idle => "idle",
        State::Spawning => "spawning",
        State::Up { .. } => "up",
        State::Withdrawing { .. } => "withdrawing",
        State::Stopping { stage: Asked, leader: None, .. } => "asked",
        State::Stopping { stage: Asked, leader: Some(_), .. } => "asked, leader gone",
        State::Stopping { stage: Killed, .. } => "killed",
        State::Draining { .. } => "draining",
        State::Backoff { .. } => "back-off",
        State::Ended(_) => "ended",
    }
}

fn kind_of_phase(phase: Phase) -> &'static str {
    match phase {
        Phase::Running => "running",
        Phase::Stopping { .. } => "stopping",
        Phase::Killing => "killing",
        Phase::Orphans { .. } => "orphans",
        Phase::Over => "over",
    }
}

fn kinds(w: &World) -> Vec<&'static str> {
    let mut kinds: Vec<_> = w.sup.procs.iter().map(|(_, p)| kind_of_state(p.life.state)).collect();
    kinds.push(kind_of_phase(w.sup.phase));
    kinds
}

/// Returns one world for each combination of states that some sessions pass through.
pub(super) fn reachable() -> BTreeMap<Vec<&'static str>, World> {
    let mut worlds = BTreeMap::new();
    let mut random = Random(0x9E37_79B9_7F4A_7C15);
    for nth in 0..60_u64 {
        let children = vec![child(&mut random), child(&mut random)];
        let policy = if nth % 2 == 0 { on_failure() } else { always() };
        let mut rows = vec![
            TypeRow { children, ..row("web", policy, FakeChild::Forever) },
            row("api", on_failure(), child(&mut random)).behind_front(),
        ];
        if nth % 5 == 0 {
            rows.push(row("release", release(), FakeChild::ExitsAfter(20, Exit::Code(0))));
        }
        let mut w = World::new(ExitOn::Failure, rows);
        w.start_takes = 3;
        w.in_flight = |_| None;
        w.at(2_000, Event::Signalled(Signal::INT));
        if nth % 3 == 0 {
            w.at(4_000, Event::Signalled(Signal::INT));
        }
        while w.step(30_000) && w.sup.finished().is_none() {
            worlds.entry(kinds(&w)).or_insert_with(|| w.clone());
        }
    }
    worlds
}

/// Returns a part of the worlds; in a long run of CI, all of them.
pub(super) fn some_of<'a>(
    worlds: &'a BTreeMap<Vec<&'static str>, World>,
) -> impl Iterator<Item = (&'a Vec<&'static str>, &'a World)> {
    let share = worlds.len() / usize::try_from(cases(10)).unwrap();
    worlds.iter().step_by(share.max(1))
}

#[test]
fn any_two_signals_in_any_state_still_lead_to_the_end() {
    let worlds = reachable();
    let seen: BTreeSet<_> = worlds.keys().flatten().copied().collect();
    let all = [
        "idle",
        "spawning",
        "up",
        "withdrawing",
        "asked",
        "asked, leader gone",
        "killed",
        "draining",
        "back-off",
        "ended",
        "running",
        "stopping",
        "killing",
        "orphans",
    ];
    assert_eq!(seen, BTreeSet::from(all));
    for (kinds, world) in some_of(&worlds) {
        for first in SIGNALS {
            for second in SIGNALS {
                for gap in [0, 100] {
                    let mut w = world.clone();
                    w.after(0, Event::Signalled(first));
                    w.after(gap, Event::Signalled(second));
                    w.after(gap + 1_000, Event::Signalled(Signal::TERM));
                    w.after(gap + 2_000, Event::Signalled(Signal::TERM));
                    // The limit of the kill and the drain, for the instances and then the orphans.
                    let limit = u64::try_from(w.now.0.as_millis()).unwrap() + gap + 2_000 + 4_400;
                    let end = w.run(limit);
                    assert!(end.is_some(), "{kinds:?} {first} {second} {gap}\n{}", w.trace());
                }
            }
        }
    }
}

#[test]
fn two_requests_apart_kill_from_any_state_and_two_together_do_not() {
    for (kinds, world) in &reachable() {
        if world.sup.asked.is_some() {
            continue;
        }
        for (gap, kills) in [(0, false), (99, false), (100, true)] {
            let mut w = world.clone();
            w.after(0, Event::Signalled(Signal::INT));
            w.after(gap, Event::Signalled(Signal::INT));
            let at = u64::try_from(w.now.0.as_millis()).unwrap() + gap;
            let is_over = w.run(at).is_some();
            let is_killing = !w.lines(&["killing all", "orphans SIGKILL"]).is_empty();
            assert!(is_over || is_killing == kills, "{kinds:?} {gap}\n{}", w.trace());
        }
    }
}
