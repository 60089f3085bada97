//! Ports that two instances get, or that somebody has.

use super::*;

#[test]
fn instances_that_get_one_port_are_found() {
    let three = "web: a\nworker: b\nclock: c\n";
    let of_counts = |counts: &[u16], base| shown(&findings(three, "", counts, base));
    let none = Vec::<String>::new();
    assert_eq!(of_counts(&[100, 100, 500], 7000), none);
    assert_eq!(of_counts(&[200, 0, 1], 7000), none);
    assert_eq!(
        of_counts(&[101, 1, 1], 7000),
        ["1:1 port-collision: `web.101` and `worker.1` both get port 7100"]
    );
    assert_eq!(
        of_counts(&[201, 0, 1], 7000),
        ["1:1 port-collision: `web.201` and `clock.1` both get port 7200"]
    );
    assert_eq!(
        of_counts(&[1, 1, 1], 65_400),
        ["3:1 port-over-65535: PORT of `clock.1` would be over 65535"]
    );
}

#[test]
fn a_taken_port_names_who_has_it() {
    let found = findings("web: a\nworker: b\nclock: c $PORT\n", "", &[], 5000);
    assert_eq!(
        shown(&found),
        [
            "1:1 port-taken: port 5000 of `web.1` is taken by `node` (pid 7)",
            "3:1 port-taken: port 5200 of `clock.1` is taken"
        ]
    );
    let found = findings("worker: b\n", "", &[], 5000);
    assert_eq!(found[0].severity, Severity::Note);
    let found = findings("web: a\n", "", &[3], 80);
    assert_eq!(
        shown(&found),
        ["1:1 port-taken: port 80 of `web.1` is for privileged users, and 2 more of its ports"]
    );
}

#[test]
fn at_a_start_one_taken_port_of_each_type_that_runs_is_found() {
    let counts = [2, 0, 1, 3];
    let types = ["web", "idle", "clock", "worker"].into_iter().zip(counts).map(|(name, count)| {
        let own = ProcessType::of(name, "true");
        ProcessType { count, ..own }
    });
    let app = App {
        root: "/srv".into(),
        types: types.collect(),
        environment: Environment::default(),
        base_port: 5000,
        exit_on: ExitOn::Failure,
    };
    let said = |taken: &[u16], holder: Option<&Holder>| {
        let found = taken_at_start(&app, |port| taken.contains(&port));
        found.iter().map(|bad| bad.taken(holder).0).collect::<Vec<_>>()
    };
    let node = Holder { pid: 7, program: "node".to_owned() };
    assert_eq!(
        said(&[5000, 5001, 5100, 5301], Some(&node)),
        [
            "port 5000 of `web.1` is taken by `node` (pid 7), and 1 more of its ports",
            "port 5301 of `worker.2` is taken by `node` (pid 7)"
        ]
    );
    assert_eq!(said(&[5200, 5002], None), ["port 5200 of `clock.1` is taken"]);
    assert!(said(&[5100, 5303, 4999], None).is_empty());
}

#[test]
fn a_type_that_does_not_run_needs_no_port() {
    assert_eq!(shown(&findings("web: a\nworker: b\n", "", &[0, 1], 5000)), Vec::<String>::new());
}
