//! What `ready` and `depends-on` say: what is refused before anything starts, and who is started with whom.

use crate::control::{READY, app, done, refused, started, states};
use crate::log::printed_by;
use crate::sandbox::{End, Sandbox};

/// Each type says that it has run, and ends.
const PROCFILE: &str = "web: echo ran >> ran; echo up\napi: echo ran >> ran; echo up\n\
                        db: echo ran >> ran; echo up\nother: echo ran >> ran; echo up\n";

/// Returns which types of [`PROCFILE`] ran, and what pm said of the start.
fn ran(app: &Sandbox, line: &str) -> (String, String) {
    let output = app.pm(["start", "--restart", "never"].into_iter().chain(line.split(' '))).run();
    let instances = ["web.1", "api.1", "db.1", "db.2", "other.1"];
    let ran = instances.into_iter().filter(|name| printed_by(&output.stdout, name) == ["up"]);
    let notice = output.stdout.lines().filter(|line| line.contains("`"));
    let notice = notice.map(|line| line.split(" | -- ").last().unwrap_or_default());
    (ran.collect::<Vec<_>>().join(" "), notice.collect::<Vec<_>>().join("\n"))
}

#[test]
fn what_cannot_be_is_refused_by_start_and_check_with_its_place_and_nothing_is_started() {
    for (toml, parts) in [
        (
            "[process.web]\ndepends-on = [\n  'api',\n]\n[process.api]\ndepends-on = ['other', 'web']\n",
            &["web -> api -> web", "pm.toml:3:3", "pm.toml:6:24"][..],
        ),
        ("[process.web]\ndepends-on = 'web'\n", &["web -> web", "pm.toml:2:14"]),
        (
            "[process.web]\ndepends-on = ['db', 'aip']\n",
            &["no process type `aip`", "did you mean `api`?", "pm.toml:2:21"],
        ),
        (
            "[process.web]\ndepends-on = ['db:ready']\n",
            &["`db` has no `ready`", "hint: set `ready` of `db`", "pm.toml:2:15"],
        ),
        ("[process.web]\nready = 'prot'\n", &["`prot` is not one of port", "pm.toml:2:9"]),
        ("[process.web]\nlive = 'log:up'\n", &["cannot be checked repeatedly", "pm.toml:2:8"]),
    ] {
        let app = Sandbox::with_procfile(PROCFILE).write("pm.toml", toml);
        for command in ["start", "check"] {
            let output = app.pm([command]).run();
            assert_eq!(output.code(), 1, "{command} {toml}: {output:?}");
            for part in parts {
                assert!(output.stderr.contains(part), "{command} {part}: {}", output.stderr);
            }
        }
        assert_eq!(app.read("ran"), None, "{toml}");
    }
}

#[test]
fn check_finds_every_dependency_that_cannot_be() {
    let app = Sandbox::with_procfile(PROCFILE).write(
        "pm.toml",
        "[process.web]\ndepends-on = ['dbb', 'api:ready']\n[process.api]\ndepends-on = 'other:gone'\n",
    );
    let said = app.pm(["check"]).run().stderr;
    for part in ["`dbb`", "`api:ready` can never be", "`other:gone` is not NAME"] {
        assert!(said.contains(part), "{part}: {said}");
    }
}

#[test]
fn a_dependency_that_cannot_be_is_said_of_the_flag_or_the_variable_that_has_it() {
    let app =
        Sandbox::with_procfile(PROCFILE).write("pm.toml", "[process.api]\ndepends-on = 'web'\n");
    let said = |args: &[&str], variable: &str| {
        let args = ["start"].iter().chain(args);
        app.pm(args).env("PM_DEPENDS_ON", variable).run().stderr
    };
    let flag = said(&["--depends-on", "web=dbb"], "");
    assert!(
        flag.starts_with("error: cannot use `--depends-on`: `web` cannot depend on `dbb`"),
        "{flag}"
    );
    let variable = said(&[], "web=dbb");
    assert!(variable.starts_with("error: cannot use `PM_DEPENDS_ON`: "), "{variable}");
    let cycle = said(&["--depends-on", "web=db,api"], "");
    assert!(cycle.contains("web -> api -> web; `api` depends on `web` at pm.toml:2:14"), "{cycle}");
    let ready = said(&["--ready", "web=log:("], "");
    assert!(ready.contains("cannot use `--ready`: `log:(` is not a regular expression"), "{ready}");
    assert_eq!(app.read("ran"), None);
}

#[test]
fn a_type_that_is_asked_for_brings_what_it_depends_on_and_this_is_said() {
    let app = Sandbox::with_procfile(PROCFILE).write(
        "pm.toml",
        "[process.web]\ndepends-on = 'api'\n[process.api]\ndepends-on = 'db'\n[process.db]\nconcurrency = 2\n",
    );
    let both = "`api` and `db` are started too: `web` depends on them";
    let taken = |who: &str, what: &str| {
        format!("`{what}` is not started here and cannot be asked: `{who}` takes it as ready")
    };
    for (line, instances, notice) in [
        ("web", "web.1 api.1 db.1 db.2", both.to_owned()),
        ("-m web=1", "web.1 api.1 db.1 db.2", both.to_owned()),
        (
            "-m all=0,web=1,db=1",
            "web.1 api.1 db.1",
            "`api` is started too: `web` depends on it".to_owned(),
        ),
        (
            "api other",
            "api.1 db.1 db.2 other.1",
            "`db` is started too: `api` depends on it".to_owned(),
        ),
        (
            "web api",
            "web.1 api.1 db.1 db.2",
            "`db` is started too: `web` and `api` depend on it".to_owned(),
        ),
        ("db", "db.1 db.2", String::new()),
        ("-x other", "web.1 api.1 db.1 db.2", String::new()),
        ("web --no-deps", "web.1", taken("web", "api")),
        ("web -x api", "web.1", taken("web", "api")),
        ("web api=0", "web.1", taken("web", "api")),
        (
            "web -x db",
            "web.1 api.1",
            format!("`api` is started too: `web` depends on it\n{}", taken("api", "db")),
        ),
    ] {
        assert_eq!(ran(&app, line), (instances.to_owned(), notice), "{line}");
    }
}

#[test]
fn a_once_is_not_restarted_and_its_dependents_start_when_it_is_done() {
    let app = Sandbox::with_procfile("web: cat seed\nseed: echo ran >> seed; exit $CODE\n");
    let start = |code: &str, more: &[&str]| {
        let args = ["start", "--once", "seed", "--depends-on", "web=seed"].iter().chain(more);
        let output = app.pm(args).env("CODE", code).run();
        let runs = app.read("seed").unwrap_or_default().lines().count();
        std::fs::remove_file(app.path("seed")).expect("it has run");
        (output.code(), runs, printed_by(&output.stdout, "web.1").len())
    };
    assert_eq!(start("0", &[]), (0, 1, 1));
    assert_eq!(start("3", &[]), (3, 1, 0));
    assert_eq!(start("3", &["--restart", "always", "--max-restarts", "1"]), (3, 2, 0));
    assert_eq!(start("0", &["--restart", "always", "seed"]), (0, 1, 0));
}

#[test]
fn a_release_that_depends_on_something_runs_behind_it_and_before_the_others() {
    let app = Sandbox::with_procfile(
        "web: echo web >> order\nrelease: echo release >> order\ndb: echo db >> order; echo up; read wait\n",
    );
    let app = app
        .write("pm.toml", "[process.release]\ndepends-on = 'db'\n[process.db]\nready = 'log:up'\n");
    let mut session = app.pm(["start", "--release"]).spawn();
    session.wait_for("web.1     | -- exited with code 0");
    session.signal(nix::sys::signal::Signal::SIGTERM);
    assert_eq!(session.wait(), End::Code(0));
    assert_eq!(app.read("order").as_deref(), Some("db\nrelease\nweb\n"));
    let output = app.pm(["start", "web"]).run();
    assert!(!output.stdout.contains("release.1"), "{output:?}");
}

#[test]
fn a_reload_moves_dependencies_with_their_types_and_one_that_cannot_be_changes_nothing() {
    let app = app(&format!("web: {READY}\ndb: {READY}\n"));
    let app = app.write("pm.toml", "[process.web]\ndepends-on = 'db'\n");
    let mut session = started(&app, &[], 2);
    let app = app.write("pm.toml", "[process.web]\ndepends-on = 'bd'\n");
    let said = refused(&app, "reload");
    assert!(said.contains("pm.toml:2:14: `web` cannot depend on `bd`"), "{said}");
    let app = app
        .write("pm.toml", "[process.web]\ndepends-on = 'db'\n[process.db]\ndepends-on = 'web'\n");
    let said = refused(&app, "reload");
    assert!(said.contains("db -> web -> db") || said.contains("web -> db -> web"), "{said}");
    assert_eq!(states(&app), "web.1 up, db.1 up");
    // The new type stands before the others in the file, and behind them in the session.
    let app = app.procfile(&format!("new: {READY}\ndb: {READY}\nweb: {READY}\n"));
    let app = app
        .write("pm.toml", "[process.new]\ndepends-on = 'web'\n[process.web]\ndepends-on = 'db'\n");
    done(&app, "reload");
    session.wait_for_times("| ready", 3);
    assert_eq!(states(&app), "web.1 up, db.1 up, new.1 up");
    done(&app, "quit");
    assert_eq!(session.wait(), End::Code(0));
    let output = session.stdout_so_far();
    let ends: Vec<_> = output.lines().filter(|line| line.contains("terminated by")).collect();
    let names: Vec<_> = ["new.1", "web.1", "db.1"].into_iter().zip(&ends).collect();
    assert!(ends.len() == 3 && names.iter().all(|(name, line)| line.contains(name)), "{output}");
}

#[test]
fn what_another_session_runs_is_not_brought_a_second_time() {
    let app = app(&format!("web: {READY}\ndb: {READY}\n"));
    let app = app.write("pm.toml", "[process.web]\ndepends-on = 'db'\n");
    let _db = started(&app, &["db"], 1);
    let web = started(&app, &["web"], 1);
    let output = web.stdout_so_far();
    assert!(!output.contains("db.1"), "{output}");
    assert!(output.contains("`db` is not started here and cannot be asked"), "{output}");
}

#[test]
fn a_start_in_a_running_session_brings_what_was_stopped_there() {
    let app = app(&format!("web: {READY}\ndb: {READY}\nother: {READY}\n"));
    let app = app.write("pm.toml", "[process.web]\ndepends-on = 'db'\n");
    let _session = started(&app, &[], 3);
    done(&app, "stop web other");
    done(&app, "start web");
    assert_eq!(states(&app), "web.1 up, db.1 up, other.1 stopped");
    done(&app, "stop web db");
    done(&app, "start web --no-deps");
    assert!(states(&app).contains("db.1 stopped"), "{}", states(&app));
    done(&app, "stop web");
    done(&app, "start web");
    assert_eq!(states(&app), "web.1 up, db.1 up, other.1 stopped");
    done(&app, "stop web db");
    done(&app, "start web.1");
    assert_eq!(states(&app), "web.1 up, db.1 up, other.1 stopped");
    done(&app, "stop web db");
    done(&app, "up web.1");
    assert_eq!(states(&app), "web.1 up, db.1 up, other.1 stopped");
}

#[test]
fn an_instance_that_is_depended_on_and_is_not_there_is_named() {
    let app = app(&format!("web: {READY}\ndb: {READY}\n"));
    let app = app.write("pm.toml", "[process.web]\ndepends-on = 'db.2'\n");
    let notice = "there is only 1 of `db`: `web` does not wait for `db.2`";
    assert!(app.pm(["check"]).run().stderr.contains(notice));
    assert!(!app.pm(["check", "-m", "db=2,web=1"]).run().stderr.contains(notice));
    let session = app.pm(["start"]).spawn();
    session.wait_for(notice);
}

#[test]
fn a_published_port_of_a_container_is_no_sign_that_its_program_is_ready() {
    let app = Sandbox::with_procfile("db: docker run -p 5432:5432 postgres\n");
    for (ready, is_warned) in [("port:5432", true), ("cmd:pg_isready", false)] {
        let said = app.pm(["check", "--ready", &format!("db={ready}")]).run().stderr;
        assert_eq!(said.contains("warning[container-port]"), is_warned, "{said}");
    }
}
