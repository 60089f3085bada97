//! Hosts whose addresses are looked up.

use std::net::TcpListener;

use super::super::{LookupAnswer, ProbeOrder};
use super::{ProbeWorld, RUN, watched};

#[test]
fn of_two_hosts_each_probe_takes_the_addresses_of_its_own() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut world = ProbeWorld::begin(watched(&["http://one:1/", "http://two:2/"]));
    world.until(20);
    let lookups = world.lookups();
    let [(one, of_one), (two, of_two)] = &lookups[..] else { panic!("{lookups:?}") };
    assert_eq!([one, two], ["one", "two"]);
    let found = LookupAnswer::Found(vec![listener.local_addr().unwrap()]);
    world.take(ProbeOrder::LookedUp(RUN, *of_two, found));
    world.take(ProbeOrder::LookedUp(RUN, *of_one, LookupAnswer::Failed("no such host".into())));
    let one = "http://one:1/";
    assert_eq!(world.trace(), [format!("0 {one}: "), format!("20 {one}: failed: no such host")]);
    // The other asks where its host is.
    assert_eq!(world.prober.interests().count(), 1);
}

#[test]
fn the_answer_to_a_lookup_that_has_timed_out_is_ignored() {
    let mut world = ProbeWorld::begin(watched(&["http://one:1/"]));
    world.until(3000);
    let lookups = world.lookups();
    let [(_, first), (_, second)] = &lookups[..] else { panic!("{lookups:?}") };
    world.trace();
    world.take(ProbeOrder::LookedUp(RUN, *first, LookupAnswer::Failed("late".into())));
    assert_eq!(world.trace(), [""; 0]);
    world.take(ProbeOrder::LookedUp(RUN, *second, LookupAnswer::NotAsked("no thread".into())));
    let told = ["cannot ask (false): no thread", "http://one:1/: cannot be asked: no thread"];
    assert_eq!(world.trace(), told.map(|line| format!("3000 {line}")));
}
