//! What the world does with an action, in place of the session and its processes.

use super::child::{FakeLife, Orphan, Traffic};
use super::{FakeChild, Happening, World};
use crate::app::{Exit, PortSlot, Reach, RunId, Signal};
use crate::supervisor::{Action, Event, trace};

impl World {
    pub(super) fn perform(&mut self, action: Action, forwarded: Option<Signal>) {
        let line = trace::action(&action, &self.app);
        self.trace.push(format!("{} {line}", self.now.0.as_millis()));
        match action {
            Action::Spawn(run, slot) => self.spawn(run, slot),
            Action::Read(run) | Action::Inform(run, _) => {
                assert!(self.lives.contains_key(&run), "{}", self.trace());
            }
            Action::Signal(run, signal, reach) => self.signal(run, signal, reach, forwarded),
            Action::Sweep(run) => {
                let life = self.lives.remove(&run);
                assert!(life.is_some(), "swept a run that is not live\n{}", self.trace());
                let serves = life.is_some_and(|life| life.traffic == Traffic::Requests);
                assert!(!serves, "swept a run that gets requests\n{}", self.trace());
                self.shown(run);
                self.past.insert(run);
                self.sweeps += 1;
            }
            Action::StopHelpers(run, _) => {
                assert!(!self.lives.contains_key(&run), "it is not over\n{}", self.trace());
            }
            Action::StopOrphans(signal) => {
                let obeys = |orphan: &Orphan| match orphan {
                    Orphan::Polite => true,
                    Orphan::Deaf => signal == Signal::KILL,
                    Orphan::Immortal => false,
                };
                let delay = u64::from(!self.orphans.is_empty());
                self.orphans.retain(|orphan| !obeys(orphan));
                self.soon(delay, Happening::OrphansEnd);
            }
            Action::Measure(samples) => {
                for sample in samples {
                    let (run, bytes) = (sample.run, (self.memory)(sample.run, self.now));
                    self.soon(0, Happening::Fact(Event::Measured { run, bytes }));
                }
            }
            Action::Reply(id, reply) => {
                assert!(self.asked.contains(&id), "nobody asked\n{}", self.trace());
                let is_first = self.replies.insert(id, reply).is_none();
                assert!(is_first, "answered twice\n{}", self.trace());
            }
            Action::Forget(id) => {
                let lives = self.lives.keys().any(|run| run.instance == id);
                assert!(!lives, "forgot one that lives\n{}", self.trace());
            }
            Action::Probe(run) | Action::ProbePort(run) => {
                self.watch(run, true);
                if let Some(after) = (self.ready_after)(run) {
                    self.soon(after, Happening::Fact(Event::BecameReady { run }));
                }
            }
            Action::Serve(run) => self.serve(run),
            Action::Withdraw(run) => self.withdraw(run),
            Action::Watch(run) => self.watch(run, true),
            Action::EndProbe(run) => self.watch(run, false),
            Action::EndProbePort(_) | Action::ProbeOutside(_) | Action::EndProbeOutside(_) => {}
            Action::Pause | Action::Note(..) | Action::Say(_) => {}
        }
    }

    /// Everything that a run has written is shown, unless nobody reads. To be told twice is nothing.
    pub(super) fn shown(&mut self, run: RunId) {
        if self.has_reader {
            self.soon(0, Happening::Fact(Event::OutputClosed { run }));
        }
    }

    /// It is asked whether it is alive from now on, or no longer.
    pub(super) fn watch(&mut self, run: RunId, is_watched: bool) {
        if let Some(life) = self.lives.get_mut(&run) {
            life.is_watched = is_watched;
        }
    }

    /// A front gives it requests from now on.
    fn serve(&mut self, run: RunId) {
        let trace = self.trace();
        let life = self.lives.get_mut(&run).unwrap_or_else(|| panic!("serve no life\n{trace}"));
        assert!(life.leader.is_none(), "serves after its end\n{trace}");
        assert_eq!(life.traffic, Traffic::Nothing, "serves twice\n{trace}");
        assert!(self.app.type_of(run.instance).front.is_some(), "there is no front\n{trace}");
        life.traffic = Traffic::Requests;
    }

    fn withdraw(&mut self, run: RunId) {
        let trace = self.trace();
        let until = self.now + self.app.type_of(run.instance).policy.drain;
        let life = self.lives.get_mut(&run).unwrap_or_else(|| panic!("withdraw none\n{trace}"));
        assert_eq!(life.traffic, Traffic::Requests, "it got no requests\n{trace}");
        life.traffic = Traffic::Last(until);
        if let Some(after) = (self.in_flight)(run) {
            self.soon(after, Happening::Fact(Event::Withdrawn { run }));
        }
    }

    fn spawn(&mut self, run: RunId, slot: PortSlot) {
        let instance = run.instance;
        let others: Vec<_> =
            self.lives.iter().filter(|(live, _)| live.instance == instance).collect();
        let may_be_two = self.sup.can_roll(instance.process_type);
        let most = usize::from(may_be_two);
        assert!(others.len() <= most, "{} lives at once\n{}", others.len() + 1, self.trace());
        let is_apart = others.iter().all(|(_, life)| life.slot != slot);
        assert!(is_apart, "two lives on one port\n{}", self.trace());
        assert!(!self.stop_began, "a start after the stop began\n{}", self.trace());
        self.spawns += 1;
        let child = self.child_of(run);
        if let FakeChild::Missing = child {
            self.failures += 1;
            let error = "no such file".to_owned();
            return self.soon(self.start_takes, Happening::Fact(Event::SpawnFailed { run, error }));
        }
        let (has_job, has_members) = (child.has_job(), child.has_members());
        let (leader, asked, rest_asked, killed) = (None, 0, 0, false);
        let (traffic, is_watched) = (Traffic::Nothing, false);
        let life = FakeLife {
            child,
            leader,
            has_job,
            has_members,
            asked,
            rest_asked,
            killed,
            slot,
            traffic,
            is_watched,
        };
        self.lives.insert(run, life);
        self.soon(self.start_takes, Happening::Starts(run));
    }

    fn child_of(&self, run: RunId) -> FakeChild {
        let children = &self.rows[usize::from(run.instance.process_type)].children;
        children[(run.seq as usize - 1).min(children.len() - 1)]
    }

    fn stop_signal_of(&self, run: RunId) -> Signal {
        self.app.type_of(run.instance).policy.stop_signal
    }

    fn signal(&mut self, run: RunId, signal: Signal, reach: Reach, forwarded: Option<Signal>) {
        let stop_signal = self.stop_signal_of(run);
        if let FakeChild::Missing = self.child_of(run) {
            return; // The shell has no process for it, and does nothing.
        }
        assert!(self.lives.contains_key(&run), "signalled a run not live\n{}", self.trace());
        let (lives, trace) = (&mut self.lives, &self.trace);
        let life = lives.get_mut(&run).unwrap();
        let polite = signal == stop_signal && forwarded != Some(signal);
        let (child, leader) = (life.child, life.leader);
        let to_rest = reach == Reach::Group;
        if polite {
            let is_free = match life.traffic {
                Traffic::Nothing | Traffic::Over => true,
                Traffic::Requests => false,
                Traffic::Last(until) => until <= self.now || life.leader.is_some(),
            };
            assert!(is_free, "asked to stop with requests in flight\n{}", trace.join("\n"));
            assert!(!life.killed, "asked after it was killed\n{}", trace.join("\n"));
            life.rest_asked += u32::from(to_rest);
            if to_rest && life.asked > 0 {
                assert!(
                    !life.program_runs(),
                    "the second wave before the first is over\n{}",
                    trace.join("\n")
                );
            } else {
                life.asked += 1;
            }
            assert!(
                life.asked <= 1 && life.rest_asked <= 1,
                "asked to stop twice\n{}",
                trace.join("\n")
            );
        }
        if signal == Signal::KILL {
            assert!(!life.killed && to_rest, "killed twice, or in part\n{}", trace.join("\n"));
            life.killed = true;
        }
        if !polite && signal != Signal::KILL {
            return;
        }
        // A master has ended its workers before it ends.
        let ends = child.ends(polite, reach);
        if let Some(delay) = ends.members {
            self.soon(delay, Happening::GroupEnds(run));
        }
        if let Some(delay) = ends.leader.filter(|_| leader.is_none()) {
            let exit = match child {
                FakeChild::Polite if polite => Exit::Code(0),
                _ => Exit::Signal(signal), // No other handles it.
            };
            self.soon(delay, Happening::LeaderEnds(run, exit));
        }
        if let Some(delay) = ends.job {
            self.soon(delay, Happening::JobEnds(run));
        }
    }
}
