//! `pm scale`: the next numbers and ports, and the highest numbers go first.

use crate::control::{app, done, refused, started, states};
use crate::sandbox::End;

const SAY: &str = "echo \"ready at $PORT as $PS\"; exec cat";

#[test]
fn more_get_the_next_numbers_and_ports_and_the_rest_is_not_touched() {
    let app = app(&format!("web: {SAY}\nworker: {SAY}\n"));
    let mut session = started(&app, &["-p", "7000"], 2);
    done(&app, "scale web=3");
    session.wait_for("web.3    | ready at 7002 as web.3");
    done(&app, "scale web=1 worker=2");
    session.wait_for("ready at 7101 as worker.2");
    assert_eq!(states(&app), "web.1 up, worker.1 up, worker.2 up");
    let output = session.stdout_so_far();
    assert_eq!(output.matches("terminated").count(), 2, "{output}");
    assert!(!output.contains("web.1    | terminated"), "{output}");
    done(&app, "scale web=2");
    session.wait_for_times("ready at 7001 as web.2", 2);
    done(&app, "quit");
    assert_eq!(session.wait(), End::Code(0));
    app.assert_nothing_left();
}

#[test]
fn a_session_that_is_scaled_to_nothing_waits() {
    let app = app(&format!("web: {SAY}\n"));
    let session = started(&app, &[], 1);
    done(&app, "scale web=0");
    session.wait_for("terminated by SIGTERM");
    assert_eq!(states(&app), "");
    done(&app, "scale web=1");
    session.wait_for_times("| ready", 2);
    assert_eq!(states(&app), "web.1 up");
}

#[test]
fn what_cannot_be_is_refused_and_changes_nothing() {
    let app = app(&format!("web: {SAY}\n"));
    let _session = started(&app, &[], 1);
    assert!(refused(&app, "scale wbe=2").contains("no process type `wbe` in this session"));
    assert!(
        refused(&app, "scale web=-1")
            .contains("count `-1` of `web` is neither a whole number from 0")
    );
    assert!(refused(&app, "scale web").contains("hint: write `web=2`"));
    assert!(refused(&app, "scale web=65000").contains("port over 65535"));
    assert_eq!(states(&app), "web.1 up");
}
