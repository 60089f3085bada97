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
        found.iter().map(|bad| bad.taken(holder)).collect::<Vec<_>>()
    };
    let node = Holder { pid: 7, program: "node".to_owned(), instance: None };
    assert_eq!(
        said(&[5000, 5001, 5100, 5301], Some(&node)),
        [
            "port 5000 of `web.1` is taken by `node` (pid 7), and 1 more of its ports",
            "port 5301 of `worker.2` is taken by `node` (pid 7)"
        ]
    );
    let instance = HoldingInstance { name: "web.1".to_owned(), root: "/home/u/app".into() };
    let ours = Holder { instance: Some(instance), ..node };
    let elsewhere = ours.clone().below_home(Some("/home/user".as_ref()));
    assert_eq!(elsewhere.to_string(), "`node` (pid 7), web.1 of /home/u/app");
    let ours = ours.below_home(Some("/home/u".as_ref()));
    assert_eq!(
        said(&[5000], Some(&ours)),
        ["port 5000 of `web.1` is taken by `node` (pid 7), web.1 of ~/app"]
    );
    let at_home = ours.clone().below_home(Some("~/app".as_ref()));
    assert_eq!(at_home.as_instance().as_deref(), Some("web.1 of ~ (pid 7, pm)"));
    // It does not listen yet.
    let assigned = Holder { program: String::new(), ..ours };
    assert_eq!(assigned.to_string(), "web.1 of ~/app (pid 7, pm)");
    assert_eq!(said(&[5200, 5002], None), ["port 5200 of `clock.1` is taken"]);
    assert!(said(&[5100, 5303, 4999], None).is_empty());
}

#[test]
fn a_type_that_does_not_run_needs_no_port() {
    assert_eq!(shown(&findings("web: a\nworker: b\n", "", &[0, 1], 5000)), Vec::<String>::new());
}

#[test]
fn a_port_that_browsers_refuse_is_a_warning() {
    let types: String = (1..=11).map(|number| format!("t{number:02}: a\n")).collect();
    let refused = |counts: &[u16], base| {
        let found = findings(&types, "", counts, base);
        let found: Vec<_> = found.into_iter().filter(|one| one.code == "unsafe-port").collect();
        assert!(found.iter().all(|one| one.severity == Severity::Warning));
        shown(&found)
    };
    let said = "port 6000 of `t11.1` is one that browsers refuse (ERR_UNSAFE_PORT)";
    assert_eq!(refused(&[1; 11], 5000), [format!("11:1 unsafe-port: {said}")]);
    assert_eq!(refused(&[1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0], 5000), [""; 0]);
    assert_eq!(refused(&[1; 11], 20_000), [""; 0]);
    let sixty_first = refused(&[61, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], 5000);
    let said = "port 5060 of `t01.61` is one that browsers refuse (ERR_UNSAFE_PORT)";
    assert_eq!(sixty_first, [format!("1:1 unsafe-port: {said}")]);
}

#[test]
fn an_address_of_another_base_in_an_env_file_is_a_warning_that_does_not_show_the_value() {
    let env = "A=1\nAPI_URL=http://secret@localhost:5100/v1\nFAR=http://example.com:5000\n\
               export WEB=localhost:5000\nOWN=localhost:7100\nNONE=localhost:5300\n";
    let of_base = |base| {
        let found = findings("web: a\nmy-api: b\n", env, &[], base);
        found.into_iter().filter(|one| one.code == "other-base").collect::<Vec<_>>()
    };
    let found = of_base(7000);
    assert_eq!(
        shown(&found),
        [
            "2:1 other-base: `API_URL` names port 5100, which `my-api` has with base 5000; the base is 7000",
            "4:8 other-base: `WEB` names port 5000, which `web` has with base 5000; the base is 7000"
        ]
    );
    let hint = "read PM_URL_MY_API instead, or write in pm.toml: \
                `env = { API_URL = \"${PM_URL_MY_API}\" }`";
    assert_eq!(found[0].hint.as_deref(), Some(hint));
    assert!(found.iter().all(|one| one.severity == Severity::Warning));
    assert!(!format!("{found:?}").contains("secret"), "{found:?}");
    assert_eq!(of_base(5000), []);
    // 5100 is a port of this application with that base, too.
    assert_eq!(of_base(5100).len(), 1);
}
