//! What a run is asked by other words than before, while it runs.

use super::{ProbeWorld, RUN, live, watched};
use crate::app::readiness::Liveness;
use crate::os::notify_socket::{self, NotifySocket};
use crate::session::probes::{ProbeOrder, Watched};

fn live_by(live: Option<Liveness>) -> ProbeOrder {
    ProbeOrder::Live(Box::new(Watched { live, ..watched(&[]) }))
}

#[test]
fn who_is_asked_otherwise_whether_it_is_alive_is_heard_as_before() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("socket");
    let say = |words: &str| notify_socket::send(path.as_os_str(), words.as_bytes()).unwrap();
    let notify = Some(NotifySocket::bind(path.clone()).unwrap());
    let mut world = ProbeWorld::begin(Watched { notify, ..watched(&["notify"]) });
    say("READY=1");
    world.advance();
    assert_eq!(world.trace(), ["0 notify: ", "0 ready"]);
    for words in [Some(live("cmd:alive", 1)), Some(live("notify", 2)), None] {
        world.take(live_by(words));
        say("STATUS=busy");
        world.advance();
        assert_eq!(world.trace(), ["0 status busy"]);
    }
    world.take(live_by(Some(live("notify", 2))));
    for at in 1..=3 {
        world.until(at * 9_000);
        say("WATCHDOG=1");
        world.advance();
    }
    assert_eq!(world.trace(), [""; 0], "it is alive");
    world.until(60_000);
    assert_eq!(world.trace(), ["47000 not alive: notify timed out 2 times"]);
    world.take(ProbeOrder::End(RUN));
    assert!(!path.exists());
}

#[test]
fn a_command_that_asks_by_the_old_words_is_ended_and_its_failures_are_forgotten() {
    let mut world = ProbeWorld::begin(Watched { live: Some(live("cmd:old", 2)), ..watched(&[]) });
    let fails = || ProbeOrder::CommandEnded(RUN, Err("exited with 1".to_owned()));
    world.until(10_000);
    world.take(fails());
    world.until(20_000);
    world.take(live_by(Some(live("cmd:new", 2))));
    world.take(fails());
    world.until(30_000);
    world.take(fails());
    assert_eq!(
        world.trace(),
        ["10000 start old", "20000 start old", "20000 kill", "30000 start new"]
    );
    world.until(40_000);
    world.take(fails());
    assert_eq!(
        world.trace(),
        ["40000 start new", "40000 not alive: cmd:new exited with 1 2 times"]
    );
    // And again, though nothing of it was asked any more.
    world.take(live_by(Some(live("cmd:new", 1))));
    world.until(50_000);
    assert_eq!(world.trace(), ["50000 start new"]);
}

#[test]
fn one_whose_start_is_not_over_can_be_asked_whether_it_is_alive_all_the_same() {
    for ends_itself in [true, false] {
        let mut world = ProbeWorld::begin(watched(&["delay:15s"]));
        world.take(live_by(Some(live("cmd:alive", 1))));
        world.until(10_000);
        world.take(ProbeOrder::CommandEnded(RUN, Ok(())));
        assert_eq!(world.trace(), ["0 delay:15s: ", "10000 start alive"]);
        if ends_itself {
            world.until(15_000);
            assert_eq!(world.trace(), ["15000 ready"]);
        } else {
            world.take(ProbeOrder::EndStart(RUN));
        }
        world.until(20_000);
        world.take(ProbeOrder::CommandEnded(RUN, Err("exited with 1".to_owned())));
        assert_eq!(
            world.trace(),
            ["20000 start alive", "20000 not alive: cmd:alive exited with 1 once"]
        );
        assert!(world.prober.is_empty());
    }
    // Without `live` nothing is left.
    let mut world = ProbeWorld::begin(watched(&["delay:15s"]));
    world.take(ProbeOrder::EndStart(RUN));
    assert!(world.prober.is_empty());
    assert_eq!(world.trace(), ["0 delay:15s: "]);
}
