//! `pm check`: findings with their place, exit codes, JSON.

use crate::sandbox::{Sandbox, has_program, http};

/// An application whose ports nobody has.
fn app(procfile: &str, types: u16) -> Sandbox {
    Sandbox::with_procfile(procfile).env("PORT", http::free_port(100 * types).to_string())
}

#[test]
fn a_sound_application_is_said_to_be_valid_as_foreman_says_it() {
    let app = app("web: sleep 1\nworker: sh -c 'sleep 2'\n", 2).write(".env", "A=1\n");
    let output = app.pm(["check"]).run();
    assert_eq!(
        (output.stdout.as_str(), output.stderr.as_str()),
        ("valid procfile detected (web, worker)\n", "")
    );
    assert_eq!(output.code(), 0);
}

#[test]
fn a_dropped_line_is_a_warning_with_its_place_and_strict_makes_it_fail() {
    let app = Sandbox::with_procfile("web: sleep 1\n worker: sleep 2\n")
        .write(".env", "A=1\njust words\n");
    let output = app.pm(["check"]).run();
    assert_eq!((output.stdout.as_str(), output.code()), ("valid procfile detected (web)\n", 0));
    for part in [
        "Procfile:2:1",
        " worker: sleep 2",
        "start the line with the name",
        ".env:2:1",
        "just words",
    ] {
        assert!(output.stderr.contains(part), "{part}: {}", output.stderr);
    }
    assert_eq!(app.pm(["check", "--strict"]).run().code(), 1);
}

#[test]
fn a_program_that_is_not_on_path_and_a_background_job_are_named() {
    let app = Sandbox::with_procfile("web: nosuchprogram --port $PORT\nworker: sleep 5 &\n");
    let output = app.pm(["check"]).run();
    assert_eq!(output.code(), 0);
    for part in ["`nosuchprogram`", "Procfile:1:6", "background", "Procfile:2:"] {
        assert!(output.stderr.contains(part), "{part}: {}", output.stderr);
    }
}

#[test]
fn what_the_shell_would_refuse_or_miss_at_once_is_named() {
    let app = app(
        "web: cd client && exec sleep 1\nworker: cd ../server; exec sleep $NAP $LONG $OWN $PS\nodd: sleep '1\nhalf: if true; then sleep 1\n",
        4,
    )
    .write("server/x", "")
    .write("type/x", "")
    .write(".env", "LONG=1\n")
    .write("pm.toml", "[process.worker]\ndirectory = \"type\"\nenv = { OWN = \"1\" }\n");
    let output = app.pm(["check"]).run();
    let places: Vec<&str> = output.stderr.lines().filter(|line| line.contains("-->")).collect();
    assert_eq!(
        places,
        [" --> Procfile:1:9", " --> Procfile:2:34", " --> Procfile:3:12", " --> Procfile:4:7"]
    );
    for part in [
        "warning[missing-folder]: folder not found: `client`",
        "warning[unset-variable]: `$NAP` is not set anywhere",
        "error[unclosed-quote]: the quote `'` is not closed",
        "warning[syntax-error]: the shell rejects the command: ",
    ] {
        assert!(output.stderr.contains(part), "{part}: {}", output.stderr);
    }
    assert_eq!(output.code(), 1);
    let output = app.env("NAP", "1").pm(["check", "--set", "LONG=2"]).run();
    assert!(!output.stderr.contains("unset-variable"), "{}", output.stderr);
}

#[test]
fn a_variable_that_foreman_would_have_pasted_is_named() {
    let app =
        Sandbox::with_procfile("web: echo '$PORT' '$NAME' '$OTHER'\n").write(".env", "NAME=x\n");
    let output = app.pm(["check"]).run();
    assert!(output.stderr.contains("PORT") && output.stderr.contains("NAME"), "{}", output.stderr);
    assert!(!output.stderr.contains("OTHER`"), "{}", output.stderr);
}

#[test]
fn a_taken_port_is_named_with_who_holds_it() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let port = taken.local_addr().expect("it is bound").port().to_string();
    let app = Sandbox::with_procfile("web: sleep $PORT\n");
    let output = app.pm(["check", "-p", &port]).run();
    let pid = std::process::id().to_string();
    assert!(output.stderr.contains(&port) && output.stderr.contains(&pid), "{}", output.stderr);
}

#[test]
fn ports_that_the_folders_own_session_has_are_no_strangers() {
    if !has_program("node") {
        return;
    }
    // Behind a shell, and out of its group.
    let serve = "node -e \"require('net').createServer().listen(process.env.PORT, () => console.log('ready'))\"";
    let app = Sandbox::with_procfile(&format!("web: true; setsid {serve}\n"));
    let runtime = app.dir();
    let app = app.env("XDG_RUNTIME_DIR", runtime).write("other/Procfile", "web: sleep 1\n");
    let port = http::free_port(1).to_string();
    let mut session = app.pm(["start", "-p", &port]).spawn();
    session.wait_for("| ready");
    let output = app.pm(["check", "-p", &port, "--strict"]).run();
    assert_eq!((output.code(), output.stderr.as_str()), (0, ""));
    let stranger = app.pm(["check", "-d", "other", "-p", &port]).run();
    let taken = format!("port {port} of `web.1` is taken by `node` (pid ");
    assert!(stranger.stderr.contains(&taken), "{}", stranger.stderr);
    session.signal(nix::sys::signal::Signal::SIGTERM);
    session.wait();
}

#[test]
fn errors_fail_and_say_where() {
    let table =
        [("# nothing\n", "no processes defined in `Procfile`"), ("web: a\nweb: b\n", "Procfile:2")];
    for (procfile, part) in table {
        let output = Sandbox::with_procfile(procfile).pm(["check"]).run();
        assert_eq!(output.code(), 1, "{procfile}");
        assert!(output.stderr.contains(part), "{part}: {}", output.stderr);
    }
    let output = Sandbox::new().pm(["check"]).run();
    assert_eq!(output.code(), 1);
    assert!(output.stderr.contains("cannot read the Procfile `Procfile`"), "{}", output.stderr);
}

#[test]
fn findings_are_one_json_object_each_and_a_summary() {
    let app = app("web: sleep 1\njunk\n", 1);
    let output = app.pm(["check", "--json"]).run();
    let objects: Vec<serde_json::Value> =
        output.stdout.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(objects[0]["file"], "Procfile");
    assert_eq!((&objects[0]["line"], &objects[0]["severity"]), (&2.into(), &"warning".into()));
    assert!(objects.len() == 2, "{objects:?}");
}
