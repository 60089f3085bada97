//! One session of a folder and Procfile runs a type: what a second `pm start` does.

use nix::sys::signal::Signal;

use crate::control::{READY, app, done, refused, sockets, started, states};
use crate::sandbox::{End, Sandbox, Session, eventually, state_of};

fn two_types() -> Sandbox {
    app(&format!("web: {READY}\nworker: {READY}\nclock: {READY}\n"))
}

fn in_session(session: &Session) -> String {
    format!("in the session of pid {}", session.pid())
}

#[test]
fn a_second_start_of_what_runs_is_refused_and_starts_nothing() {
    let app = two_types();
    let session = started(&app, &[], 3);
    let said = refused(&app, "start");
    let wanted =
        format!("error: web, worker, clock already run {}; see pm ps\n", in_session(&session));
    assert!(said.contains(&wanted), "{said}");
    let wanted = format!("error: worker already runs {}; see pm ps\n", in_session(&session));
    for line in ["start worker", "start worker=4", "start --daemon worker", "start -m worker=2"] {
        let said = refused(&app, line);
        assert!(said.contains(&wanted), "{line}: {said}");
        assert!(said.contains("hint: ") && said.contains("`pm start --another`"), "{line}: {said}");
    }
    assert!(app.read("pm.log").is_none());
    assert_eq!(session.stdout_so_far().matches("| ready").count(), 3);
    assert_eq!(sockets(&app).len(), 1);
}

#[test]
fn another_session_starts_where_it_is_asked_for() {
    let app = two_types();
    let mut one = started(&app, &["web"], 1);
    let two = started(&app, &["--another", "-p", "7000", "web"], 1);
    let three = app.pm(["start", "web"]).env("PM_ANOTHER", "1").spawn();
    three.wait_for("| ready");
    for line in [
        "restart web",
        "stop web",
        "signal USR1 web",
        "logs web",
        "attach web",
        "scale web=2",
        "restart",
    ] {
        let said = refused(&app, line);
        assert!(said.contains("3 sessions run in"), "{line}: {said}");
        assert!(said.contains(&format!("{} runs web.1", two.pid())), "{line}: {said}");
        assert!(said.contains("`--session PID`"), "{line}: {said}");
    }
    done(&app, &format!("restart web --session {}", two.pid()));
    two.wait_for("restarting, as requested");
    done(&app, &format!("quit --session {}", one.pid()));
    assert_eq!(one.wait(), End::Code(0));
    // Where one of two has it stopped, a name goes to the one that runs it.
    done(&app, &format!("stop web --session {}", two.pid()));
    done(&app, "restart web");
    three.wait_for("restarting, as requested");
    assert!(two.is_running());
}

#[test]
fn another_procfile_and_another_folder_are_no_second_start_but_a_link_to_this_folder_is() {
    let procfile = format!("web: {READY}\n");
    let app = app(&procfile).write("Procfile.dev", &procfile).write("other/Procfile", &procfile);
    std::os::unix::fs::symlink(app.dir(), app.path("link")).expect("a link can be made");
    let one = started(&app, &[], 1);
    let _dev = started(&app, &["-f", "Procfile.dev"], 1);
    let _other = started(&app, &["-f", "other/Procfile"], 1);
    let dir = app.dir().display().to_string();
    let again = [
        "start -f Procfile".to_owned(),
        format!("start -d {dir}"),
        "start -d link".to_owned(),
        "start -f link/Procfile".to_owned(),
    ];
    for line in again {
        let said = refused(&app, &line);
        assert!(said.contains(&format!("web already runs {}", in_session(&one))), "{line}: {said}");
    }
    assert!(refused(&app, "start -f link/Procfile.dev").contains("already runs"));
}

#[test]
fn of_starts_at_the_same_time_exactly_one_wins() {
    for daemon in [&[][..], &["--daemon"]] {
        let app = two_types();
        let start = || app.pm(["start"].iter().chain(daemon)).spawn();
        let mut starts: Vec<Session> = (0..4).map(|_| start()).collect();
        let lost =
            |session: &Session| session.stderr_so_far().contains("already run in the session");
        eventually("all but one to be refused", || {
            (starts.iter().filter(|session| lost(session)).count() == 3).then_some(())
        });
        for session in starts.iter_mut().filter(|session| lost(session)) {
            assert_eq!(session.wait(), End::Code(1));
        }
        eventually("the winner's socket", || {
            (sockets(&app).len() == 1 && states(&app).matches(" up").count() == 3).then_some(())
        });
        done(&app, "quit");
        drop(starts);
        let names = std::fs::read_dir(app.path("pm")).expect("the folder is there").count();
        assert_eq!(names, 0, "files of a turn or a session are left");
    }
}

#[test]
fn a_type_that_was_scaled_to_zero_is_started_in_its_session() {
    let app = two_types();
    let session = started(&app, &["web", "worker=2"], 3);
    for (start, count) in [("start worker", 1), ("start worker=3", 3)] {
        done(&app, "scale worker=0");
        assert_eq!(states(&app), "web.1 up");
        let said = app.pm(start.split(' ')).run();
        assert_eq!(said.code(), 0, "{start}: {said:#?}");
        let wanted = format!("worker: started {}", in_session(&session));
        assert!(said.stderr.contains(&wanted), "{start}: {said:#?}");
        assert_eq!(states(&app).matches("worker").count(), count, "{start}");
    }
    assert_eq!(sockets(&app).len(), 1);
    // What never ran in it gets a session of its own.
    started(&app, &["clock"], 1);
    assert_eq!(sockets(&app).len(), 2);
}

#[test]
fn types_that_a_session_knows_and_does_not_run_are_started_in_it() {
    let app = app(&format!("web: {READY}\nworker: {READY}\njob: echo ready\n"));
    let session = started(&app, &[], 3);
    session.wait_for("job.1    | -- exited with code 0");
    done(&app, "stop worker");
    let said = app.pm(["start", "worker", "job"]).run();
    assert_eq!(said.code(), 0, "{said:#?}");
    let wanted = format!("worker, job: started {}", in_session(&session));
    assert!(said.stderr.contains(&wanted), "{said:#?}");
    session.wait_for_times("worker.1 | ready", 2);
    session.wait_for_times("job.1    | ready", 2);
    let said = refused(&app, "start worker");
    assert!(said.contains(&format!("worker already runs {}", in_session(&session))), "{said}");
    done(&app, "stop worker");
    done(&app, "start worker=2");
    session.wait_for("worker.2 | ready");
    assert_eq!(states(&app).matches("worker").count(), 2);
    assert_eq!(sockets(&app).len(), 1);
}

#[test]
fn an_instance_that_is_stopped_is_started_by_its_name_and_one_that_runs_is_not() {
    let app = two_types();
    let session = started(&app, &["web=2"], 2);
    done(&app, "stop web.2");
    done(&app, "start web.2");
    session.wait_for_times("web.2  | ready", 2);
    let said = refused(&app, "start web.*");
    assert!(said.contains(&format!("web.1, web.2 already run {}", in_session(&session))), "{said}");
}

#[test]
fn types_of_which_some_are_stopped_and_some_unknown_are_all_left_alone() {
    let app = two_types();
    let session = started(&app, &["worker"], 1);
    done(&app, "stop worker");
    let said = refused(&app, "start web worker");
    assert!(said.contains(&format!("`worker` is not running {}", in_session(&session))), "{said}");
    assert!(said.contains("no session knows `web`"), "{said}");
    assert!(said.contains("hint: ") && said.contains("`pm start web`"), "{said}");
    assert_eq!(states(&app), "worker.1 stopped");
    assert_eq!(sockets(&app).len(), 1);
}

#[test]
fn types_that_a_session_was_not_started_with_get_one_of_their_own() {
    let app = two_types();
    let web = started(&app, &["web"], 1);
    let worker = started(&app, &["worker"], 1);
    let said = refused(&app, "start");
    assert!(said.contains(&format!("web already runs {}", in_session(&web))), "{said}");
    assert!(said.contains(&format!("worker already runs {}", in_session(&worker))), "{said}");
    let _clock = started(&app, &["clock"], 1);
    assert_eq!(sockets(&app).len(), 3);
}

#[test]
fn a_start_waits_for_a_session_that_is_ending() {
    let app = app(
        "web: trap 'echo bye; read go <end; exit 0' TERM; echo ready; while :; do sleep 0.1; done\n",
    );
    let fifo = app.path("end");
    nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).expect("a pipe can be made");
    let mut old = started(&app, &[], 1);
    old.signal(Signal::SIGTERM);
    old.wait_for("bye");
    let new = app.pm(["start"]).spawn();
    std::fs::write(&fifo, "go\n").expect("somebody reads");
    new.wait_for("| ready");
    assert_eq!(old.wait(), End::Code(0));
}

#[test]
fn a_session_that_does_not_answer_is_named() {
    let app = two_types();
    let session = started(&app, &["web"], 1);
    session.signal(Signal::SIGSTOP);
    eventually("the session to be stopped", || {
        (state_of(session.pid()) == Some('T')).then_some(())
    });
    let said = refused(&app, "start web");
    assert!(said.contains(&format!("what the session of pid {} runs", session.pid())), "{said}");
    assert!(said.contains("it does not answer") && said.contains("--another"), "{said}");
    session.signal(Signal::SIGCONT);
    assert!(refused(&app, "start web").contains("web already runs"));
}
