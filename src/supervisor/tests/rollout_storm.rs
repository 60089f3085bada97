//! Thousands of random rollouts, with everything else that may happen to an instance meanwhile.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU16;
use std::sync::Arc;
use std::time::Duration;

use super::file_changes::with_action;
use super::needs::with_ready;
use super::storm::{Random, child, pick};
use crate::app::file_watch::WatchAction;
use crate::app::readiness::{Liveness, Probe};
use crate::app::{ExitOn, Front, InstanceId, Moment, Policy, Restart, Signal, Update};
use crate::long::cases;
use crate::supervisor::sim::{FakeChild, TypeRow, World};
use crate::supervisor::{
    Doing, Event, FileChanges, Reply, RequestId, ResolvedRequest, RolloutOrder,
};

fn a_row(random: &mut Random, name: &'static str) -> TypeRow {
    let live = Liveness { probe: Probe::Port(None), interval: Duration::from_secs(1), failures: 1 };
    let policy = Policy {
        restart: pick(random, &[Restart::Never, Restart::OnFailure, Restart::Always]),
        max_restarts: u32::try_from(random.below(9)).unwrap(),
        grace: Duration::from_millis(pick(random, &[0, 1, 200, 1000])),
        drain: Duration::from_millis(pick(random, &[0, 50, 3000])),
        update: pick(random, &[Update::StopStart, Update::Rolling]),
        live: (random.below(3) == 0).then_some(live),
        ..Policy::default()
    };
    let policy = if random.below(3) > 0 { with_ready(policy) } else { policy };
    let action = pick(random, &[WatchAction::Restart, WatchAction::Rolling]);
    let policy = if random.below(3) == 0 { with_action(policy, action) } else { policy };
    let front = (random.below(4) > 0).then(Front::default);
    // Most are well, so that steps come to their end.
    let mut one = |_| if random.below(3) == 0 { child(random) } else { FakeChild::Forever };
    let children = (0..6).map(&mut one).collect();
    TypeRow { name, count: u16::try_from(1 + random.below(3)).unwrap(), policy, children, front }
}

fn a_world(random: &mut Random) -> World {
    let rows = ["a", "b"].map(|name| a_row(random, name)).to_vec();
    let mut w = World::new(pick(random, &[ExitOn::Failure, ExitOn::All, ExitOn::All]), rows);
    w.start_takes = pick(random, &[0, 1, 30]);
    w.ready_after = |run| match (run.seq * 7 + u32::from(run.instance.number)) % 5 {
        0 => None,
        nth => Some(u64::from(nth) * 90),
    };
    w.in_flight = |run| (run.seq % 3 > 0).then_some(u64::from(run.seq % 5) * 40);
    w
}

fn some_ids(random: &mut Random, w: &World) -> Vec<InstanceId> {
    w.sup.instances().filter(|_| random.below(3) > 0).collect()
}

fn an_order(random: &mut Random) -> RolloutOrder {
    let batch = u16::try_from(1 + random.below(3)).ok().and_then(NonZeroU16::new).unwrap();
    RolloutOrder { batch, stop_first: random.below(4) == 0 }
}

/// What was last wished for each instance, and by whom.
#[derive(Default)]
struct LastWishes {
    last: BTreeMap<InstanceId, (LastWish, RequestId)>,
    /// Each instance that a rollout or a restart was asked for, with how many runs it had had.
    renewed: Vec<(RequestId, InstanceId, u32)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum LastWish {
    Run,
    /// To run, as a new run.
    Renew,
    Stop,
    Leave,
}

impl LastWishes {
    /// Takes note of a request before it is made.
    fn note(&mut self, request: &ResolvedRequest, id: RequestId, w: &World) {
        if w.sup.is_ending() {
            return;
        }
        match request {
            ResolvedRequest::Roll(ids, _) | ResolvedRequest::Restart(ids) => {
                // Of one that was scaled away, a rollout finds nothing when its turn comes.
                let wanted: BTreeSet<_> = w.sup.wanted().collect();
                if ids.iter().any(|of| !wanted.contains(of)) {
                    self.last.retain(|of, _| !ids.contains(of));
                    return;
                }
                self.wish(ids, LastWish::Renew, id);
                self.renewed.extend(ids.iter().map(|of| (id, *of, w.runs_of(*of))));
            }
            ResolvedRequest::Start(ids) => self.wish(ids, LastWish::Run, id),
            ResolvedRequest::Stop(ids) => self.wish(ids, LastWish::Stop, id),
            ResolvedRequest::Scale(counts) => {
                for (process_type, count) in counts.iter().copied() {
                    let all = (1..=3).map(|number| InstanceId { process_type, number });
                    let (stay, leave): (Vec<_>, Vec<_>) = all.partition(|of| of.number <= count);
                    let wanted: BTreeSet<_> = w.sup.wanted().collect();
                    let come: Vec<_> = stay.into_iter().filter(|of| !wanted.contains(of)).collect();
                    self.wish(&leave, LastWish::Leave, id);
                    self.wish(&come, LastWish::Run, id);
                }
            }
            _ => {} // It wishes nothing for an instance alone.
        }
    }

    fn wish(&mut self, ids: &[InstanceId], wish: LastWish, by: RequestId) {
        self.last.extend(ids.iter().map(|id| (*id, (wish, by))));
    }

    /// When everything has come to rest, each instance does what was last wished for it, and what was renewed has had
    /// another run since.
    fn check(&self, w: &World, seed: u64) {
        // One that cannot be started, or that not even a kill has ended, stays stopped.
        let is_excused = |id| {
            let cannot = format!("{} cannot start", w.sup.app().name_of(id));
            w.lost().contains(&id) || !w.lines(&[&cannot]).is_empty()
        };
        let runs = |doing: Option<Doing>, id| match doing {
            Some(Doing::Stopped) => is_excused(id),
            other => other.is_some(),
        };
        let lives: BTreeSet<_> = w.live_runs().into_iter().map(|run| run.instance).collect();
        for (id, (wish, by)) in &self.last {
            let status = w.sup.status(w.now).into_iter().find(|status| status.id == *id);
            let doing = status.map(|status| status.doing);
            let holds = match wish {
                LastWish::Run => runs(doing, *id),
                // A rollout that fails, or whose client leaves, may end before its turn.
                LastWish::Renew if w.replies.get(by) != Some(&Reply::Done) => doing.is_some(),
                LastWish::Renew => runs(doing, *id),
                // One that had ended already is started when its files change.
                LastWish::Stop => !lives.contains(id) || w.sup.is_watched(*id),
                LastWish::Leave => doing.is_none(),
            };
            assert!(holds, "storm {seed}: {id:?} {wish:?} {doing:?}\n{}", w.trace());
        }
        for (request, id, before) in &self.renewed {
            let is_done = w.replies.get(request) == Some(&Reply::Done);
            let is_renewed = !is_done || w.runs_of(*id) > *before;
            assert!(is_renewed, "storm {seed}: {id:?} of {request:?}\n{}", w.trace());
        }
    }
}

/// Asks for something, or lets something happen. Returns the request.
fn act(
    random: &mut Random,
    w: &mut World,
    asked: &[RequestId],
    wishes: &mut LastWishes,
) -> Option<RequestId> {
    let ids = some_ids(random, w);
    let request = match random.below(14) {
        0..=3 => ResolvedRequest::Roll(ids, an_order(random)),
        4 | 5 => ResolvedRequest::Restart(ids),
        6 => ResolvedRequest::Stop(ids),
        7 => ResolvedRequest::Start(ids),
        8 => ResolvedRequest::Scale(vec![(0, u16::try_from(random.below(4)).unwrap())]),
        9 => {
            let mut app = (**w.sup.app()).clone();
            app.types[usize::try_from(random.below(2)).unwrap()].command.push('x');
            let rolling = (random.below(3) > 0).then(|| an_order(random));
            ResolvedRequest::Reload { app: Arc::new(app), gone: vec![], rolling }
        }
        10 if !asked.is_empty() => {
            let id = pick(random, asked);
            if !w.replies.contains_key(&id) {
                w.leave(id);
            }
            return None;
        }
        11 => {
            let process_type = u16::try_from(random.below(2)).unwrap();
            let changes = FileChanges { file: "a".to_owned(), others: 0, since: w.now };
            w.deliver(Event::FilesChanged { process_type, changes });
            return None;
        }
        12 => {
            let runs = w.live_runs();
            if !runs.is_empty() {
                let run = pick(random, &runs);
                w.deliver(Event::NotAlive { run, why: String::new() });
            }
            return None;
        }
        _ => ResolvedRequest::Signal(ids, Signal::USR1),
    };
    wishes.note(&request, w.next_request(), w);
    Some(w.ask(request))
}

#[test]
fn every_storm_of_rollouts_breaks_no_rule_and_every_rollout_ends() {
    let mut replaced = 0;
    for seed in 1..=u64::from(cases(300)) {
        let mut random = Random(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        let mut w = a_world(&mut random);
        let mut until = 0;
        let (mut asked, mut wishes) = (Vec::new(), LastWishes::default());
        for _ in 0..random.below(25) {
            until += pick(&mut random, &[0, 1, 50, 100, 300, 2000]);
            w.run(until);
            if w.sup.finished().is_some() {
                break;
            }
            w.now = w.now.max(Moment(Duration::from_millis(until)));
            w.deliver(Event::Ticked);
            asked.extend(act(&mut random, &mut w, &asked, &mut wishes));
        }
        if random.below(2) == 0 {
            until += 1_000_000;
            w.run(until);
            assert!(!w.is_rolling(), "storm {seed}: a rollout does not end\n{}", w.trace());
            if !w.sup.is_ending() {
                wishes.check(&w, seed);
                let unwatched = w.unwatched_runs();
                assert!(unwatched.is_empty(), "storm {seed}: {unwatched:?}\n{}", w.trace());
            }
        }
        replaced += w.lines(&["; replaced"]).len();
        w.after(0, Event::Signalled(Signal::TERM));
        w.after(200, Event::Signalled(Signal::TERM));
        let limit = u64::try_from(w.now.0.as_millis()).unwrap() + 20_000;
        assert!(w.run(limit).is_some(), "storm {seed} did not end\n{}", w.trace());
    }
    assert!(replaced > 100, "the storms replace next to nothing: {replaced}");
}
