//! `pm start`: which instances, with which ports and surroundings, and by whose rules.

use crate::log::{printed_by, said_by, started};
use crate::sandbox::{Output, Sandbox, eventually, http};

const THREE_TYPES: &str = "web: echo $PORT >> ran\nworker: echo $PORT >> ran\nclock: true\n";

#[test]
fn arguments_formation_and_exceptions_choose_the_instances() {
    let table: [(&[&str], &[&str]); 11] = [
        (&[], &["web.1", "worker.1", "clock.1"]),
        (&["web"], &["web.1"]),
        (&["web=2,worker"], &["web.1", "web.2", "worker.1"]),
        (&["clock", "web"], &["web.1", "clock.1"]),
        (&["all=1,web=0"], &["worker.1", "clock.1"]),
        (&["-m", "web=2"], &["web.1", "web.2"]),
        (&["-m", "all=1,web=2"], &["web.1", "web.2", "worker.1", "clock.1"]),
        (&["-m", "all=3", "clock"], &["clock.1", "clock.2", "clock.3"]),
        (&["--formation=all=1,web=0"], &["worker.1", "clock.1"]),
        (&["-x", "web,worker"], &["clock.1"]),
        (&["-x", "web", "--except", "worker"], &["clock.1"]),
    ];
    let app = Sandbox::with_procfile(THREE_TYPES);
    for (args, instances) in table {
        let output = app.pm(["start", "--json"].iter().chain(args)).run();
        assert_eq!(started(&output.stdout), instances, "{args:?}");
        assert_eq!(output.code(), 0, "{args:?}");
    }
}

#[test]
fn what_cannot_be_run_is_an_error_and_nothing_starts() {
    let table: [(&[&str], &str, &str); 13] = [
        (&["wrker"], "no process type `wrker` in the Procfile", "did you mean `worker`?"),
        (&["zzz"], "no process type `zzz` in the Procfile", "web, worker, clock"),
        (&["web", "wokrer=2"], "no process type `wokrer` in the Procfile", "`worker`"),
        (&["-m", "wbe=2"], "no process type `wbe` in the Procfile", "`web`"),
        (&["-x", "clokc"], "no process type `clokc` in the Procfile", "`clock`"),
        (&["-q", "wbe"], "no process type `wbe` in the Procfile", "`web`"),
        (&["web=0"], "nothing to run: every count is 0", "ask for at least one instance"),
        (&["-m", "all=0"], "nothing to run: every count is 0", "ask for at least one instance"),
        (&["-x", "web", "web"], "nothing to run: `web` is excluded", "exclude fewer types"),
        (
            &["web=-1"],
            "count `-1` of `web` is neither a whole number from 0 to 65535 nor `auto`",
            "`web=2`",
        ),
        (
            &["web=two"],
            "count `two` of `web` is neither a whole number from 0 to 65535 nor `auto`",
            "`web=2`",
        ),
        (
            &["web="],
            "count `` of `web` is neither a whole number from 0 to 65535 nor `auto`",
            "`web=2`",
        ),
        (&["=2"], "`=2` does not name a process type", "`web=2`"),
    ];
    let app = Sandbox::with_procfile(THREE_TYPES);
    for (args, error, hint) in table {
        let output = app.pm(["start"].iter().chain(args)).run();
        assert_eq!(output.code(), 1, "{args:?}");
        assert!(output.stderr.starts_with(&format!("error: {error}\nhint: ")), "{output:?}");
        assert!(output.stderr.contains(hint), "{output:?}");
        assert_eq!(output.stdout, "", "{args:?}");
    }
    assert_eq!(app.read("ran"), None);
}

#[test]
fn a_wrong_option_is_a_usage_error_with_code_2() {
    let table: [&[&str]; 8] = [
        &["start", "--nope"],
        &["start", "-p", "many"],
        &["start", "-p", "65536"],
        &["start", "-t", "soon"],
        &["start", "--restart", "sometimes"],
        &["start", "--color=blue"],
        &["nope"],
        &[],
    ];
    let app = Sandbox::with_procfile(THREE_TYPES);
    for args in table {
        let output = app.pm(args).run();
        assert_eq!(output.code(), 2, "{args:?}");
        assert_eq!(output.stdout, "", "{args:?}");
        assert_ne!(output.stderr, "", "{args:?}");
    }
    assert_eq!(app.read("ran"), None);
}

#[test]
fn ports_follow_foremans_rule_and_the_nearest_base() {
    const PORTS: &str = "web: echo $PORT\nworker: echo $PORT\n";
    // Arguments, PORT of .env, PORT of the environment, PORT of web.1, web.2 and worker.1.
    type Case<'a> = (&'a [&'a str], Option<&'a str>, Option<&'a str>, u16);
    let table: [Case; 8] = [
        (&[], None, None, 5000),
        (&[], None, Some("6000"), 6000),
        (&[], None, Some(""), 5000),
        (&[], Some("7000"), Some("6000"), 7000),
        (&["--set", "PORT=8000"], Some("7000"), Some("6000"), 8000),
        (&["-p", "9000", "--set", "PORT=8000"], Some("7000"), Some("6000"), 9000),
        (&["--port=1"], None, None, 1),
        (&["-p", "65435"], None, None, 65435),
    ];
    for (args, in_file, in_environment, base) in table {
        let mut app = Sandbox::with_procfile(PORTS);
        if let Some(port) = in_file {
            app = app.write(".env", format!("PORT={port}\n"));
        }
        if let Some(port) = in_environment {
            app = app.env("PORT", port);
        }
        let output = app.pm(["start", "-m", "all=1,web=2"].iter().chain(args)).run();
        let port = |name| printed_by(&output.stdout, name).concat();
        let ports = [port("web.1"), port("web.2"), port("worker.1")];
        assert_eq!(ports, [base, base + 1, base + 100].map(|port| port.to_string()), "{args:?}");
    }
}

#[test]
fn a_port_depends_on_the_place_in_the_procfile_not_on_what_runs() {
    let app = Sandbox::with_procfile("web: true\nworker: echo $PORT\n");
    let output = app.pm(["start", "worker=2"]).run();
    assert_eq!(printed_by(&output.stdout, "worker.1"), ["5100"]);
    assert_eq!(printed_by(&output.stdout, "worker.2"), ["5101"]);
}

#[test]
fn a_port_that_is_none_is_named_with_its_place_and_nothing_starts() {
    let app = Sandbox::with_procfile(THREE_TYPES).write(".env", "A=1\nPORT=http\n");
    let Output { stdout, stderr, .. } = app.pm(["start"]).run();
    assert!(stderr.starts_with("error: PORT `http` at .env:2 is not a port number\n"), "{stderr}");
    assert_eq!(stdout, "");
    let stderr = app.pm(["start", "--set", "PORT=70000"]).run().stderr;
    assert!(stderr.starts_with("error: PORT `70000` of `--set` is not"), "{stderr}");
    let app = Sandbox::with_procfile(THREE_TYPES).env("PORT", "-1");
    let output = app.pm(["start"]).run();
    let stderr = &output.stderr;
    assert!(stderr.starts_with("error: PORT `-1` of the environment is not"), "{stderr}");
    assert_eq!((output.code(), app.read("ran")), (1, None));
    assert!(stderr.contains("\nhint: a port is a number from 1 to 65535"), "{stderr}");
}

#[test]
fn a_port_that_is_none_is_a_usage_error_that_says_what_a_port_is() {
    let app = Sandbox::with_procfile(THREE_TYPES);
    let hint = "\nhint: a port is a number from 1 to 65535: `-p 3000`\n";
    for value in ["70000", "0", "-1", "http", ""] {
        let of_flag = app.pm(["start", "-p", value]).run();
        assert_eq!(of_flag.stderr, format!("error: `{value}` of `-p` is not a port number{hint}"));
        assert_eq!((of_flag.code(), app.read("ran")), (2, None), "{value}");
    }
    for command in [&["start"][..], &["check"], &["env"], &["export", "compose", "out"]] {
        let output = app.pm(command).env("PM_PORT", "70000").run();
        let said = output.stdout + &output.stderr;
        assert!(said.contains("`70000` of PM_PORT is not a port number"), "{command:?}: {said}");
        assert!(said.contains("a port is a number from 1 to 65535"), "{command:?}: {said}");
    }
    for (file, text, place) in [
        (".env", "A=1\nPORT=0\n", "PORT `0` at .env:2"),
        (".foreman", "port: 70000\n", ".foreman:1:7: `70000`"),
        ("pm.toml", "[defaults]\nport = 0\n", "pm.toml:2:8: `0`"),
    ] {
        let app = Sandbox::with_procfile(THREE_TYPES).write(file, text);
        let output = app.pm(["start"]).run();
        let expected = format!(
            "error: {place} is not a port number\nhint: a port is a number from 1 to 65535"
        );
        assert!(output.stderr.starts_with(&expected), "{output:?}");
        assert_eq!((output.code(), app.read("ran")), (1, None));
    }
}

#[test]
fn a_port_that_somebody_has_is_a_warning_that_names_who_and_the_start_goes_on() {
    let hold = |address: &str, port: u16| std::net::TcpListener::bind((address, port));
    let (base, held) = eventually("free ports that no other test takes meanwhile", || {
        let base = http::free_port(302);
        let held = [
            hold("127.0.0.1", base),
            hold("0.0.0.0", base + 1),
            hold("127.0.0.1", base + 301),
            hold("::1", base + 200),
            hold("::", base + 100),
        ];
        // A machine without IPv6 has only these.
        held[..3].iter().all(Result::is_ok).then_some((base, held))
    });
    let app = Sandbox::with_procfile("web: echo ran\nidle: true\nv6: true\nlate: true\n");
    let pid = std::process::id();
    let program = std::fs::read_to_string("/proc/self/comm").unwrap_or_default();
    let taken = |name: &str, port: u16, more: &str| {
        format!(
            "warning: port {port} of `{name}` is taken by `{}` (pid {pid}){more}\n\
             hint: stop it, or choose another base with `-p`; `-p auto` takes one that is free\n",
            program.trim_end()
        )
    };
    let port = base.to_string();
    // A child that another test has just forked holds the ports, too, until it has become its program.
    let names_another =
        |text: &str| text.contains("(pid ") && !text.contains(&format!("(pid {pid})"));
    let start = |words: &[&str]| loop {
        let output = app.pm(["start", "-p", &port].iter().chain(words)).run();
        if !names_another(&output.stderr) {
            break output;
        }
    };
    let output = start(&["web=2", "late"]);
    let expected = taken("web.1", base, ", and 1 more of its ports");
    assert_eq!(output.stderr, expected, "only of what is started");
    assert_eq!(printed_by(&output.stdout, "web.2"), ["ran"], "{output:?}");
    assert_eq!(output.code(), 0);
    assert_eq!(start(&["late=2"]).stderr, taken("late.2", base + 301, ""));
    if held[3].is_ok() && held[4].is_ok() {
        let expected = taken("idle.1", base + 100, "") + &taken("v6.1", base + 200, "");
        assert_eq!(start(&["idle", "v6"]).stderr, expected);
    }
    drop(held);
    assert_eq!(start(&["web=2"]).stderr, "");
}

#[test]
fn a_port_over_65535_is_an_error_before_anything_starts() {
    let app = Sandbox::with_procfile(THREE_TYPES);
    let output = app.pm(["start", "-p", "65500"]).run();
    let error = "error: `worker.1` would get port 65600, over 65535\nhint: choose a lower base";
    assert!(output.stderr.starts_with(error), "{output:?}");
    assert_eq!((output.code(), app.read("ran")), (1, None));
}

#[test]
fn an_instance_knows_its_name_by_three_variables() {
    let app =
        Sandbox::with_procfile("web: echo $PS $FOREMAN_WORKER_NAME $HONCHO_PROCESS_NAME $HOME\n");
    let output = app.pm(["start", "web=2"]).run();
    let home = app.dir();
    let expected = format!("web.2 web.2 web.2 {}", home.display());
    assert_eq!(printed_by(&output.stdout, "web.2"), [expected]);
}

#[test]
fn a_command_reaches_the_shell_verbatim() {
    let app = Sandbox::with_procfile(
        "web: A=1 && echo \"$A\" '$PORT' \"a  b\" \\\\ %s; (exit 0) | cat && echo done # no comment\n",
    );
    let output = app.pm(["start"]).run();
    assert_eq!(printed_by(&output.stdout, "web.1"), ["1 $PORT a  b \\ %s", "done"]);
}

#[test]
fn an_instance_leads_its_group_with_default_signals_and_three_descriptors() {
    let app = Sandbox::with_procfile(
        "web: echo $$ $(cut -d' ' -f5 /proc/$$/stat); grep -E '^Sig(Blk|Ign)' /proc/self/status; ls /proc/self/fd | tr '\\n' ' '\n",
    );
    let pm = format!(
        "exec 7</dev/null; exec env --block-signal=TERM,USR1 --ignore-signal=QUIT,HUP,PIPE,TSTP,ALRM,TTOU {} start",
        crate::sandbox::PM
    );
    let output = app.command("bash", ["-c", &pm]).run();
    let said = printed_by(&output.stdout, "web.1");
    let (pid, group) = said[0].split_once(' ').expect("two numbers");
    assert_eq!(pid, group);
    assert_eq!(said[1], "SigBlk:\t0000000000000000");
    let ignored = u64::from_str_radix(&said[2]["SigIgn:\t".len()..], 16).expect("hexadecimal");
    // The signals 32 and 33 are the C library's own, and posix_spawn(3) leaves them so.
    assert_eq!(ignored & 0x7fff_ffff, 0, "{said:?}");
    // The last is the folder that ls reads.
    assert_eq!(said[3].trim(), "0 1 2 3");
}

#[test]
fn a_release_alone_is_named_in_the_refusal_and_an_exception_wins() {
    let app = Sandbox::with_procfile("release: echo done\n");
    let output = app.pm(["start"]).run();
    assert_eq!(output.code(), 1);
    assert!(output.stderr.contains("`release` is started only on request"), "{}", output.stderr);
    assert!(output.stderr.contains("pm start --release"), "{}", output.stderr);
    let app = Sandbox::with_procfile("release: echo done\nweb: echo web\n");
    let output = app.pm(["start", "--release", "-x", "release"]).run();
    assert_eq!(printed_by(&output.stdout, "web.1"), ["web"]);
    assert_eq!(printed_by(&output.stdout, "release.1"), Vec::<String>::new());
}

#[test]
fn stdin_of_an_instance_never_ends() {
    let app = Sandbox::with_procfile("web: echo ready; cat; echo end of file\n");
    let session = app.pm(["start"]).stdin("text\n").spawn();
    session.wait_for("ready");
    session.signal(nix::sys::signal::Signal::SIGTERM);
    let mut session = session;
    session.wait();
    let stdout = session.stdout_so_far();
    assert_eq!(said_by(&stdout, "web.1")[1..], ["ready", "terminated by SIGTERM"]);
}

#[test]
fn a_command_that_cannot_be_started_is_named_and_stops_the_session() {
    let app = Sandbox::with_procfile("web: sleep 1000\nworker: true\n")
        .write(".env", format!("HUGE={}\n", "x".repeat(200 << 10)));
    let output = app.pm(["start"]).run();
    assert_eq!(output.code(), 1);
    let said = said_by(&output.stdout, "web.1");
    assert!(said[0].starts_with("cannot start: Argument list too long"), "{output:?}");
    assert!(
        output.stdout.contains("system   | !! ended by web.1: it could not be started"),
        "{output:?}"
    );
    app.assert_nothing_left();
}

#[test]
fn release_is_not_started_by_itself_and_a_notice_says_so() {
    let app = Sandbox::with_procfile("release: echo migrate\nweb: echo serve\n");
    let output = app.pm(["start"]).run();
    assert_eq!(
        said_by(&output.stdout, "system"),
        ["`release` is not started; use `--release`, or name it, to run it first"]
    );
    assert_eq!(printed_by(&output.stdout, "web.1"), ["serve"]);
    assert!(!output.stdout.contains("migrate"), "{output:?}");
}

#[test]
fn release_runs_first_and_alone_when_asked_for() {
    let app = Sandbox::with_procfile(
        "web: cat migrated\nrelease: sleep 0.2; echo done > migrated; echo end\n",
    );
    for args in [&["start", "--release"][..], &["start", "release", "web"]] {
        std::fs::remove_file(app.path("migrated")).ok();
        let output = app.pm(args).run();
        assert_eq!(printed_by(&output.stdout, "web.1"), ["done"], "{output:?}");
        assert_eq!(output.code(), 0);
        let at = |text| output.stdout.find(text).expect("it was said");
        assert!(
            at("release.1 | -- exited with code 0") < at("web.1     | -- started"),
            "{output:?}"
        );
        assert!(!output.stdout.contains("system"), "{output:?}");
    }
}

#[test]
fn a_release_that_fails_is_not_repeated_and_nothing_else_starts() {
    let app = Sandbox::with_procfile("release: echo x >> tries; exit 9\nweb: touch ran\n");
    let output = app.pm(["start", "--release"]).run();
    assert_eq!(output.code(), 9);
    assert_eq!((app.read("tries").as_deref(), app.read("ran").as_deref()), (Some("x\n"), None));
    let verdict = said_by(&output.stdout, "system");
    assert_eq!(verdict.len(), 1, "{output:?}");
    assert!(verdict[0].starts_with("ended by release.1: exited with code 9 after 0"), "{output:?}");
}

#[test]
fn foremans_rules_hold_by_option_and_by_name() {
    let app = Sandbox::with_procfile("release: sleep 1000\nweb: echo x >> lives; exit 3\n");
    for pm in [
        app.pm(["start", "--as", "foreman"]),
        app.pm(["start"]).called("/usr/bin/foreman"),
        app.pm(["start"]).env("PM_AS", "foreman"),
    ] {
        std::fs::remove_file(app.path("lives")).ok();
        let output = pm.run();
        assert_eq!(output.code(), 3, "{output:?}");
        assert_eq!(app.read("lives").as_deref(), Some("x\n"), "no restart: {output:?}");
        assert!(output.stdout.contains("release.1 | -- terminated by SIGTERM"), "{output:?}");
    }
    let output = app.pm(["start", "--as=pm", "--restart", "never"]).called("foreman").run();
    assert!(output.stdout.contains("`release` is not started"), "{output:?}");
}

#[test]
fn under_foremans_rules_a_clean_end_stops_the_others_with_code_0() {
    let app = Sandbox::with_procfile("web: sleep 1000\nworker: sleep 0.1\n");
    let output = app.pm(["start"]).called("foreman").run();
    assert_eq!(output.code(), 0);
    assert_eq!(
        said_by(&output.stdout, "system"),
        ["worker.1 has ended, sending SIGTERM to all processes"]
    );
    assert_eq!(said_by(&output.stdout, "web.1")[1..], ["terminated by SIGTERM"]);
}

#[test]
fn every_long_option_can_be_set_in_the_environment() {
    let table: [(&str, &str, &[&str]); 9] = [
        ("PM_FORMATION", "worker=2", &["worker.1", "worker.2"]),
        ("PM_EXCEPT", "web,clock", &["worker.1"]),
        ("PM_PROCFILE", "other/Procfile", &["job.1"]),
        ("PM_ROOT", "other", &["job.1"]),
        ("PM_RELEASE", "1", &["web.1", "worker.1", "clock.1"]),
        ("PM_RELEASE", "no", &["web.1", "worker.1", "clock.1"]),
        ("PM_NO_TIMESTAMP", "yes", &["web.1", "worker.1", "clock.1"]),
        ("PM_NO_PREFIX", "true", &["web.1", "worker.1", "clock.1"]),
        ("PM_SET", "A=1", &["web.1", "worker.1", "clock.1"]),
    ];
    for (key, value, instances) in table {
        let app = Sandbox::with_procfile(THREE_TYPES).write("other/Procfile", "job: true\n");
        let output = app.pm(["start"]).env(key, value).env("PM_JSON", "1").run();
        assert_eq!(output.code(), 0, "{key}: {output:?}");
        assert_eq!(started(&output.stdout), instances, "{key}");
    }
    let app = Sandbox::with_procfile("web: echo $PORT\n").env("PM_PORT", "4000");
    assert_eq!(printed_by(&app.pm(["start"]).run().stdout, "web.1"), ["4000"]);
    let flag = app.pm(["start", "-p", "3000"]).run();
    assert_eq!(printed_by(&flag.stdout, "web.1"), ["3000"], "an option wins");
    let output = app.pm(["start"]).env("PM_PORT", "x").run();
    assert_eq!((output.code(), output.stdout.as_str()), (2, ""));
    let output = app.pm(["start"]).env("PM_JSON", "maybe").run();
    assert_eq!((output.code(), output.stdout.as_str()), (2, ""));
    let said = "error: `PM_JSON` is `maybe`, which is neither true nor false\nhint: ";
    assert!(output.stderr.starts_with(said), "{}", output.stderr);
}

#[test]
fn an_option_set_to_nothing_in_the_environment_is_not_set() {
    let mut app = Sandbox::with_procfile("web: echo $PORT\n");
    for key in [
        "PROCFILE", "ROOT", "ENV", "SET", "EXCEPT", "PORT", "TIMEOUT", "COLOR", "JSON", "RELEASE",
        "AS",
    ] {
        app = app.env(format!("PM_{key}"), "");
    }
    let output = app.pm(["start"]).run();
    assert_eq!(printed_by(&output.stdout, "web.1"), ["5000"], "{output:?}");
    let help = Sandbox::new().pm(["start", "--help"]).run().stdout;
    assert!(help.contains("PM_PORT"), "help names the variables\n{help}");
}

#[test]
fn the_version_is_one_line() {
    let app = Sandbox::new();
    let version = format!("{}\n", env!("CARGO_PKG_VERSION"));
    assert_eq!(app.pm(["version"]).run().stdout, version);
    assert_eq!(app.pm(["--version"]).run().stdout, format!("pm {version}"));
}
