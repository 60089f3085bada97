//! Ports of several checkouts: bases that pm chooses, who holds a port, and what instances learn of each other.

use std::collections::BTreeSet;
use std::net::{TcpListener, TcpStream};
use std::process::id;

use nix::sys::signal::Signal;
use serde_json::Value;

use crate::log::printed_by;
use crate::sandbox::{End, Output, PM, Sandbox, Session, cases, eventually, has_program, http};

/// A sandbox with two checkouts of one application, which say their ports and go on.
fn two_checkouts() -> Sandbox {
    let procfile = "web: echo on $PORT; exec cat\nworker: echo on $PORT; exec cat\n";
    Sandbox::new().write("shop/Procfile", procfile).write("fix/Procfile", procfile)
}

/// Starts a checkout in the foreground, and returns the port of its web.
fn started(app: &Sandbox, folder: &str, words: &[&str]) -> (Session, u16) {
    let session = app.pm(["start"].iter().chain(words)).in_folder(folder).spawn();
    session.wait_for_times("| on ", 2);
    let stdout = session.stdout_so_far();
    let said = printed_by(&stdout, "web.1");
    let port = said[0].strip_prefix("on ").and_then(|port| port.parse().ok());
    (session, port.expect("it has said its port"))
}

fn end(mut session: Session) {
    session.signal(Signal::SIGTERM);
    assert_eq!(session.wait(), End::Code(0));
}

fn program() -> String {
    std::fs::read_to_string("/proc/self/comm").unwrap_or_default().trim_end().to_owned()
}

/// Runs pm again while a child that another test has just forked holds the test's ports, too: it is named then.
fn naming_this_process(run: impl Fn() -> Output) -> Output {
    let own = format!("(pid {})", id());
    let is_named = |output: &Output| {
        let text = format!("{}{}", output.stderr, output.stdout);
        (!text.contains("(pid ") || text.contains(&own)).then_some(())
    };
    eventually("the test's own name", || {
        let output = run();
        is_named(&output).map(|()| output)
    })
}

#[test]
fn a_second_checkout_gets_a_base_of_its_own_where_the_first_has_5000() {
    let app = two_checkouts();
    let (first, port) = started(&app, "shop", &[]);
    assert_eq!(port, 5000);
    let (second, base) = started(&app, "fix", &[]);
    assert!((10_000..32_768).contains(&base) && base % 100 == 0, "{base}");
    let notice = second.stderr_so_far();
    let said = notice.lines().find(|line| line.starts_with("notice: ")).unwrap_or_default();
    let pid = said.split("(pid ").nth(1).and_then(|rest| rest.split(',').next());
    let pid = pid.unwrap_or_default();
    assert_eq!(
        said,
        format!("notice: 5000 is held by web.1 of ~/shop (pid {pid}, pm); using {base}"),
        "{notice}"
    );
    assert!(first.descendants().iter().any(|process| process.pid.to_string() == pid), "{notice}");
    // What asks about the second knows its base, though nobody has said it.
    let asked = |words: &[&str]| app.pm(words).in_folder("fix").run().stdout;
    assert!(asked(&["env"]).contains(&format!("PORT={base}  #")), "{}", asked(&["env"]));
    let url = asked(&["run", "--", "sh", "-c", "echo $PM_URL_WORKER $PM_NAME $PM_SESSION"]);
    assert_eq!(url, format!("http://localhost:{} fix {}\n", base + 100, second.pid()));
    end(first);
    // It is no session's any more.
    end(second);
    let (third, port) = started(&app, "fix", &[]);
    assert_eq!((port, third.stderr_so_far().as_str()), (5000, ""));
    end(third);
}

#[test]
fn a_root_keeps_the_base_that_was_chosen_also_where_somebody_else_listens() {
    let app = two_checkouts();
    let (session, base) = started(&app, "shop", &["-p", "auto"]);
    end(session);
    let app = app.write("fix/pm.toml", "[defaults]\nport = \"auto\"\n");
    let (other, another) = started(&app, "fix", &[]);
    assert!(another >= base + 200 || base >= another + 200, "{base} and {another}");
    end(other);
    let held = TcpListener::bind(("0.0.0.0", base + 100)).expect("nobody has it");
    let (session, again) = started(&app, "shop", &["-p", "auto"]);
    assert_eq!(again, base);
    let said = session.stderr_so_far();
    assert!(said.contains(&format!("port {} of `worker.1` is taken by `", base + 100)), "{said}");
    end(session);
    drop(held);
    // A type more is room more, and the base stays.
    let app =
        app.write("shop/Procfile", "web: echo on $PORT\nworker: echo on $PORT\nthird: true\n");
    let output = app.pm(["start", "-p", "auto", "web"]).in_folder("shop").run();
    assert_eq!(printed_by(&output.stdout, "web.1"), [format!("on {base}")]);
    let env = app.pm(["env", "third", "-p", "auto"]).in_folder("shop").run().stdout;
    assert!(env.contains(&format!("PORT={}  #", base + 200)), "{env}");
}

#[test]
fn strict_ports_refuse_a_port_that_somebody_has_and_start_nothing() {
    let base = http::free_port(201);
    let held = TcpListener::bind(("127.0.0.1", base + 100)).expect("it was free");
    let app = Sandbox::with_procfile("web: touch ran\nworker: touch ran\nclock: touch ran\n");
    let port = base.to_string();
    let strict = || app.pm(["start", "--strict-ports", "-p", &port]).run();
    let output = naming_this_process(strict);
    assert_eq!(
        output.stderr,
        format!(
            "error: port {} of `worker.1` is taken by `{}` (pid {})\n\
             hint: stop it, or choose another base with `-p`; `-p auto` takes one that is free\n",
            base + 100,
            program(),
            id()
        )
    );
    assert_eq!((output.code(), output.stdout.as_str(), app.read("ran")), (1, "", None));
    let app = app.write("pm.toml", format!("[defaults]\nport = {base}\nstrict-ports = true\n"));
    let output = naming_this_process(|| app.pm(["start"]).run());
    let hint = "\nhint: stop it, or write `port = \"auto\"` in pm.toml: each checkout then has ports of its own\n";
    assert!(output.stderr.ends_with(hint), "{}", output.stderr);
    drop(held);
    let free = || app.pm(["start"]).run();
    let output = eventually("the end of copies of the socket", || {
        let output = free();
        (output.code() == 0).then_some(output)
    });
    assert_eq!(output.stderr, "");
}

#[test]
fn pm_check_sees_the_ports_of_another_session_where_nobody_listens_yet() {
    let app = two_checkouts();
    let base = http::free_base([100]).to_string();
    let (session, port) = started(&app, "shop", &["-p", &base]);
    let check = |words: &[&str]| app.pm(["check"].iter().chain(words)).in_folder("fix").run();
    let output = check(&["-p", &base, "--strict"]);
    let said = format!("port {port} of `web.1` is taken by web.1 of ~/shop (pid ");
    assert!(output.stderr.contains(&said), "{output:?}");
    assert_eq!(output.code(), 1);
    let own = app.pm(["check", "-p", &base, "--strict"]).in_folder("shop").run();
    assert_eq!((own.code(), own.stderr.as_str()), (0, ""), "its own session is no stranger");
    end(session);
    assert_eq!(check(&["-p", &base, "--strict"]).code(), 0);
}

#[test]
fn a_port_that_only_waits_for_the_end_of_its_connections_is_free() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port is free");
    let port = listener.local_addr().expect("it is bound").port();
    let client = TcpStream::connect(("127.0.0.1", port)).expect("it listens");
    let (served, _) = listener.accept().expect("the client is there");
    // Who closes first has the connection in TIME_WAIT.
    drop((served, listener));
    drop(client);
    let app = Sandbox::with_procfile("web: true\n");
    let output = eventually("the end of copies of the socket", || {
        let output = app.pm(["start", "--strict-ports", "-p", &port.to_string()]).run();
        (output.code() == 0).then_some(output)
    });
    assert_eq!(output.stderr, "");
}

#[test]
fn a_crash_names_who_has_the_port_at_that_moment() {
    let app = Sandbox::with_procfile("web: read line < go; exit 1\n");
    app.sh("mkfifo go").run();
    let port = http::free_port(1);
    let args = ["start", "--restart", "never", "-p", &port.to_string()];
    let mut session = app.pm(args).spawn();
    session.wait_for("started with pid");
    let _held = TcpListener::bind(("127.0.0.1", port)).expect("it was free");
    app.sh("echo > go").run();
    session.wait();
    let said = session.stdout_so_far();
    let expected = format!("web.1  | !! its port {port} is held by `");
    assert!(said.contains(&expected), "{said}");
}

#[test]
fn instances_learn_of_each_other_and_pm_toml_refers_to_them() {
    let app = Sandbox::with_procfile("web: env\napi: env; sleep 0\n")
        .write(".env", "RAW=${PM_PORT_API}\n")
        .write("pm.toml", "[process.web]\nenv = { API = \"${PM_URL_API}/v1\" }\n");
    let session = app.pm(["start", "-p", "23000"]).spawn();
    session.wait_for("PM_PORT_API=23100");
    let pid = session.pid();
    let mut session = session;
    session.wait();
    let said = session.stdout_so_far();
    let root = app.dir();
    let name = root.file_name().expect("a sandbox has a name").to_string_lossy().into_owned();
    for instance in ["web.1", "api.1"] {
        let printed = printed_by(&said, instance);
        for line in [
            "PM_PORT_WEB=23000".to_owned(),
            "PM_URL_API=http://localhost:23100".to_owned(),
            "OVERMIND_PROCESS_web_PORT=23000".to_owned(),
            format!("PM_SESSION={pid}"),
            format!("PM_NAME={name}"),
            "RAW=${PM_PORT_API}".to_owned(),
        ] {
            assert!(printed.contains(&line.as_str()), "{instance}: {line}\n{said}");
        }
    }
    assert!(printed_by(&said, "web.1").contains(&"API=http://localhost:23100/v1"));
    let app = app.write("pm.toml", "[process.web]\nenv = { API = \"${PM_URL_NOPE}\" }\n");
    let output = app.pm(["start"]).run();
    assert_eq!(
        output.stderr,
        "error: `API` in pm.toml [process.web.env] refers to `${PM_URL_NOPE}`, which no process type has\n\
         hint: there is PM_PORT_API, PM_PORT_WEB\n"
    );
}

#[test]
fn an_export_has_its_own_ports_and_nothing_of_this_machine() {
    let app = Sandbox::with_procfile("web: node web\napi: node api\n").write(
        "pm.toml",
        "[defaults]\nport = \"auto\"\n[process.web]\nenv = { API = \"${PM_URL_API}\" }\n",
    );
    let output = app.pm(["export", "systemd", "units", "-a", "shop"]).run();
    assert_eq!(output.code(), 0, "{output:?}");
    assert!(output.stderr.contains("exported with base 5000; choose another"), "{output:?}");
    let text = app.sh("cat units/*").run().stdout;
    assert!(text.contains("API=http://localhost:5100"), "{text}");
    for mark in ["PM_PORT", "PM_ROOT", "PM_NAME", "PM_SESSION", "OVERMIND"] {
        assert!(!text.contains(mark), "{mark}\n{text}");
    }
}

#[test]
fn within_an_instance_pm_does_not_take_its_facts_for_options() {
    let app = Sandbox::new()
        .write("outer/Procfile", format!("web: cd ../inner && {PM} check\n"))
        .write("inner/Procfile", "only-of-inner: true\n");
    let output = app.pm(["start"]).in_folder("outer").run();
    assert!(output.stdout.contains("valid procfile detected (only-of-inner)"), "{output:?}");
}

#[test]
fn bases_run_out_with_an_error_that_names_the_file_and_those_of_removed_roots_come_last() {
    let app = two_checkouts();
    let list = |root: &str| {
        format!(
            "{{\"v\":1,\"roots\":[{{\"root\":\"{root}\",\"hash\":\"0\",\"base\":10000,\"hundreds\":300}}]}}"
        )
    };
    let state = app.path("state");
    let app = app.env("XDG_STATE_HOME", &state);
    let there = app.path("fix");
    let app = app.write("state/pm/ports.json", list(&there.display().to_string()));
    let auto = || app.pm(["start", "-p", "auto", "--no-prefix"]).in_folder("shop").stdin("").run();
    let output = auto();
    assert_eq!((output.code(), output.stdout.as_str()), (1, ""));
    let file = state.join("pm/ports.json");
    assert!(output.stderr.starts_with("error: no ports are left for `"), "{}", output.stderr);
    assert_eq!(output.stderr.matches(&file.display().to_string()).count(), 2, "{}", output.stderr);
    std::fs::write(&file, list("/nonexistent/gone")).expect("it can be written");
    let (session, base) = started(&app, "shop", &["-p", "auto"]);
    assert!(base >= 10_000, "{base}");
    end(session);
    std::fs::write(&file, "{").expect("it can be written");
    let output = auto();
    assert!(output.stderr.starts_with("error: cannot use the list of ports `"), "{output:?}");
    assert_eq!(output.code(), 1);
    let output = app.pm(["start", "web", "-p", "auto"]).env("XDG_STATE_HOME", "").env("HOME", "");
    assert!(output.in_folder("shop").run().stderr.contains("no place for pm's state"));
}

#[test]
fn url_and_port_are_those_of_the_running_session() {
    let app = two_checkouts();
    let (session, _) = started(&app, "shop", &["-p", "23000", "web=2", "worker"]);
    let asked = |words: &[&str]| app.pm(words).in_folder("shop").run();
    for (words, expected) in [
        (&["url"][..], "http://localhost:23000\n"),
        (&["url", "worker"], "http://localhost:23100\n"),
        (&["url", "web.2"], "http://localhost:23001\n"),
        (&["port"], "23000\n"),
        (&["port", "worker"], "23100\n"),
    ] {
        assert_eq!(asked(words).stdout, expected, "{words:?}");
    }
    let json: Value = serde_json::from_str(&asked(&["url", "web", "--json"]).stdout).expect("JSON");
    let expected = r#"{"v":1,"name":"web.1","port":23000,"url":"http://localhost:23000"}"#;
    assert_eq!(json, serde_json::from_str::<Value>(expected).expect("JSON"));
    let wrong = asked(&["url", "wbe"]);
    assert_eq!((wrong.code(), wrong.stdout.as_str()), (1, ""));
    assert!(wrong.stderr.contains("did you mean `web`?"), "{}", wrong.stderr);
    asked(&["stop", "web"]);
    assert_eq!(asked(&["port"]).stdout, "23100\n", "the first that runs");
    end(session);
    let none = asked(&["url"]);
    assert_eq!((none.code(), none.stdout.as_str()), (1, ""));
}

#[test]
fn worktrees_that_start_at_the_same_instant_have_ports_of_their_own_and_keep_them() {
    if !has_program("git") {
        return;
    }
    const TYPES: [&str; 5] = ["a", "b", "c", "d", "e"];
    let (worktrees, rounds) = if cases(1) > 1 { (30, 10) } else { (6, 2) };
    let procfile: String =
        TYPES.iter().map(|name| format!("{name}: echo $PORT > {name}.port; exec cat\n")).collect();
    let app = Sandbox::new().write("main/Procfile", procfile);
    let git =
        "cd main && git init -q && git add . && git -c user.name=t -c user.email=t commit -qm t";
    assert_eq!(app.sh(git).run().code(), 0);
    let names: Vec<String> = (0..worktrees).map(|number| format!("w{number}")).collect();
    for name in &names {
        let add = format!("cd main && git worktree add -q ../{name} 2>&1");
        assert_eq!(app.sh(&add).run().code(), 0);
    }
    let mut first: Option<Vec<u16>> = None;
    for round in 0..rounds {
        let start = ["up", "-p", "auto"];
        let sessions: Vec<_> =
            names.iter().map(|name| app.pm(start).in_folder(name).spawn()).collect();
        for mut session in sessions {
            let code = session.wait();
            assert_eq!(code, End::Code(0), "round {round}: {}", session.stderr_so_far());
        }
        let port = |name: &String, of: &&str| {
            let file = format!("{name}/{of}.port");
            eventually("the port", || app.read(&file)?.trim().parse().ok())
        };
        let all: Vec<u16> = names
            .iter()
            .flat_map(|name| TYPES.iter().map(|of| port(name, of)).collect::<Vec<_>>())
            .collect();
        let different: BTreeSet<u16> = all.iter().copied().collect();
        assert_eq!(different.len(), all.len(), "round {round}: {all:?}");
        assert_eq!(first.get_or_insert_with(|| all.clone()), &all, "round {round}");
        for name in &names {
            assert_eq!(app.pm(["down"]).in_folder(name).run().code(), 0);
            app.sh(&format!("rm {name}/*.port")).run();
        }
    }
    app.assert_nothing_left();
}
