use std::time::Duration;

use super::*;
use crate::app::{App, Environment, ExitOn, InstanceId, ProcessType, Signal};
use crate::supervisor::{Message, Next, Note, SessionEnd, Waiting};

#[test]
fn durations_read_as_people_say_them() {
    let table = [
        (0, "0s"),
        (500, "0.5s"),
        (1000, "1s"),
        (9_940, "9.9s"),
        (12_300, "12s"),
        (185_000, "3m 5s"),
        (7_380_000, "2h 3m"),
    ];
    for (ms, text) in table {
        assert_eq!(short(Duration::from_millis(ms)), text);
    }
}

#[test]
fn an_end_says_why_how_often_and_how_long_it_waits() {
    let delay = Duration::from_millis(500);
    let table = [
        (
            Exit::Code(3),
            Next::Restart { crash: 1, restart: 4, limit: 5, delay },
            "exited with code 3; restart 1 of 5 in 0.5s",
        ),
        (Exit::Signal(Signal(11)), Next::Nothing, "terminated by SIGSEGV"),
        (
            Exit::Code(1),
            Next::GaveUp { crashes: 6 },
            "exited with code 1; crashed 6 times in a row, not started again",
        ),
        (Exit::Code(1), Next::GaveUp { crashes: 1 }, "exited with code 1; not started again"),
        (
            Exit::Code(0),
            Next::Restart { crash: 0, restart: 3, limit: 5, delay },
            "exited with code 0; restart 3 in 0.5s",
        ),
        (Exit::Code(127), Next::CannotRun, "command not found (exit 127); not started again"),
        (
            Exit::Code(126),
            Next::CannotRun,
            "command cannot be executed (exit 126); not started again",
        ),
    ];
    for (exit, next, text) in table {
        assert_eq!(said(&Note::Ended { exit, next, is_crash: true, stays_failed: false }), text);
    }
}

#[test]
fn a_failure_that_the_session_goes_on_without_says_how_to_start_it_again() {
    let hint = "not started again until `pm restart web.2`";
    let ended = |exit, next| said(&Note::Ended { exit, next, is_crash: true, stays_failed: true });
    for (next, text) in [
        (Next::Nothing, "exited with code 3; "),
        (Next::GaveUp { crashes: 1 }, "exited with code 3; "),
        (Next::GaveUp { crashes: 6 }, "exited with code 3; crashed 6 times in a row, "),
    ] {
        assert_eq!(ended(Exit::Code(3), next), format!("{text}{hint}"));
    }
    assert_eq!(
        ended(Exit::Code(127), Next::CannotRun),
        format!("command not found (exit 127); {hint}")
    );
    let note = Note::CannotStart { error: "no folder `x`".to_owned(), stays_failed: true };
    assert_eq!(said(&note), format!("no folder `x`; {hint}"));
}

#[test]
fn a_slow_start_says_who_waits_for_whom_and_for_what() {
    let id = |process_type| InstanceId { process_type, number: 1 };
    let app = App { types: [app().types, app().types].concat(), ..app() };
    let waiting = |count| Waiting { first: id(0), count, on: id(1) };
    let text = |waiting, unready, ms| {
        let time = Duration::from_millis(ms);
        let slow = Message::SlowStart { waiting, unready, time };
        message(&app, &slow, Vec::new, |_| Some("log:accepting".to_owned())).text
    };
    assert_eq!(text(vec![waiting(1)], vec![], 5001), "web.1 waits for web.1 (log:accepting), 5 s");
    assert_eq!(
        text(vec![waiting(3)], vec![id(0)], 65_000),
        "3 of web wait for web.1 (log:accepting); web.1 (log:accepting) is not ready, 65 s"
    );
}

#[test]
fn who_is_not_replaced_since_another_could_not_be_is_named() {
    let [first, second, third] = [1, 2, 3].map(|number| InstanceId { process_type: 0, number });
    let kept = Message::NotReplaced { left: vec![second, third], failed: first };
    let said = message(&app(), &kept, Vec::new, |_| None);
    assert_eq!(said.text, "not replaced: web.2, web.3, since the new web.1 failed");
    assert_eq!(said.level, Level::Failure);
}

#[test]
fn a_crash_is_told_apart_from_an_end_that_was_asked_for() {
    let level = |is_crash, next| {
        let exit = Exit::Signal(Signal::TERM);
        words(&Note::Ended { exit, next, is_crash, stays_failed: false }).level
    };
    assert_eq!(level(false, Next::Nothing), Level::Info);
    assert_eq!(level(false, Next::Again), Level::Info);
    assert_eq!(level(true, Next::Nothing), Level::Failure);
    assert_eq!(words(&Note::Started { pid: 5 }).line(), "-- started with pid 5");
}

#[test]
fn who_could_not_be_killed_is_not_called_killed() {
    let why = "it runs as another user";
    let [web, worker] = [1, 2].map(|number| InstanceId { process_type: 0, number });
    let verdict =
        SessionEnd { killed: [web, worker].into(), lost: [web].into(), ..SessionEnd::default() };
    let why_of = |id| (id == web).then_some(why);
    let orphans = [("r (pid 9)".to_owned(), why)];
    let lines = super::verdict(&app(), &verdict, why_of, &orphans);
    let texts: Vec<_> = lines.iter().map(|line| line.text.as_str()).collect();
    let expected = [
        "killed: web.2",
        "left running: web.1: it runs as another user",
        "left running: r (pid 9): it runs as another user",
    ];
    assert_eq!(texts, expected);
    let (exit, next, is_crash, stays_failed) = (Exit::Lost, Next::Nothing, false, false);
    let lost = Note::Ended { exit, next, is_crash, stays_failed };
    let said = note(&app(), web, &lost, Some(why), None);
    assert_eq!(said.text, "could not be killed: it runs as another user");
}

fn said(note: &Note) -> String {
    words(note).text
}

fn words(note: &Note) -> Notice {
    super::note(&app(), InstanceId { process_type: 0, number: 2 }, note, None, None)
}

fn app() -> App {
    App {
        root: "/".into(),
        types: vec![ProcessType { count: 2, ..ProcessType::of("web", "") }],
        environment: Environment::default(),
        base_port: 5000,
        exit_on: ExitOn::All,
    }
}
