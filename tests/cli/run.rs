//! `pm run`: one command in pm's place, with its stdio, its signals and its exit code.

use nix::sys::signal::Signal;

use crate::sandbox::{CTRL_C, CTRL_Z, End, PM, Sandbox, Session, eventually, state_of};

/// A script that counts what it is told to end by, and ends by USR1 with the count as its code.
const COUNTER: &str = "n=0\n\
    trap 'n=$((n+1)); echo told $n' TERM INT HUP\n\
    trap 'exit $((40+n))' USR1\n\
    echo ready\n\
    while :; do sleep 0.02; done\n";

#[test]
fn a_type_runs_its_entry_in_the_root_with_its_environment() {
    let app = Sandbox::with_procfile("web: false\n")
        .write("sub/Procfile", "web: false\njob: pwd; echo \"$A $PORT $PS\" '$A'; exit 6\n")
        .write(".env", "A=1\n");
    let output = app.pm(["run", "-f", "sub/Procfile", "job"]).run();
    let expected = format!("{}\n1 5100 job.1 $A\n", app.path("sub").display());
    assert_eq!((output.stdout.as_str(), output.stderr.as_str()), (expected.as_str(), ""));
    assert_eq!(output.code(), 6);
}

#[test]
fn the_base_of_the_ports_is_that_of_the_option_or_its_variable() {
    let app = Sandbox::with_procfile("web: echo $PORT $PM_PORT_WEB\nworker: echo $PORT\n")
        .write(".env", "PORT=7000\n");
    let printed = |words: &str, variable: &str| {
        let output = app.pm(words.split(' ')).env("PM_PORT", variable).run();
        assert_eq!((output.code(), output.stderr.as_str()), (0, ""), "{words}");
        output.stdout
    };
    assert_eq!(printed("run web", ""), "7000 7000\n");
    assert_eq!(printed("run worker", "26000"), "26100\n");
    assert_eq!(printed("run -p 3000 web", "26000"), "3000 3000\n");
    assert_eq!(printed("-p 3000 run web", ""), "3000 3000\n");
    let output = app.pm(["run", "-p", "3000", "sh", "-c", "echo $PM_PORT_WORKER"]).run();
    assert_eq!(output.stdout, "3100\n", "{output:?}");
    let output = app.pm(["run", "web"]).env("PM_PORT", "x").run();
    assert_eq!((output.code(), output.stdout.as_str()), (2, ""), "{output:?}");
}

#[test]
fn the_program_of_a_simple_entry_is_run_without_a_shell_before_it() {
    let app = Sandbox::with_procfile("job: A=1 sh -c 'echo $PPID'\n");
    let mut session = app.pm(["run", "job"]).spawn();
    assert_eq!(session.wait(), End::Code(0));
    assert_eq!(session.stdout_so_far(), format!("{}\n", session.pid()));
}

#[test]
fn a_program_runs_in_the_current_folder_with_the_applications_environment() {
    let app = Sandbox::with_procfile("web: false\n").write(".env", "A=file\n").write("sub/x", "");
    let shown = ["run", "-d", "..", "--set", "B=set", "sh", "-c", "pwd; echo $A $B"];
    let output = app.pm(shown).in_folder("sub").run();
    assert_eq!(output.stdout, format!("{}\nfile set\n", app.path("sub").display()));
}

#[test]
fn arguments_reach_the_program_verbatim_and_options_stop_at_the_first_word() {
    let app = Sandbox::new();
    let words = ["-c", "--help", "a  b", "$HOME", "'", "", "*", "--", "-e", "x=1,y"];
    let output = app.pm(["run", "printf", "[%s]"].iter().chain(&words)).run();
    let expected: String = words.iter().map(|word| format!("[{word}]")).collect();
    assert_eq!(output.stdout, expected, "{output:?}");
    assert_eq!(app.pm(["run", "--", "echo", "-n", "a"]).run().stdout, "a");
}

#[test]
fn one_string_goes_to_the_shell_with_c() {
    let app = Sandbox::new().write(".env", "A=1\n");
    let output = app.pm(["run", "-c", "echo $A | cat; echo \"$1\"; exit 7", "first word"]).run();
    assert_eq!((output.stdout.as_str(), output.code()), ("1\nfirst word\n", 7));
    assert_eq!(app.pm(["run", "echo $A"]).run().code(), 127, "no shell without it");
}

#[test]
fn the_exit_code_is_the_programs_own() {
    let app = Sandbox::new().write("plain", "").write("folder/x", "");
    let table: [(&[&str], i32); 10] = [
        (&["true"], 0),
        (&["sh", "-c", "exit 41"], 41),
        (&["sh", "-c", "exit 255"], 255),
        (&["no-such-program"], 127),
        (&["./no-such-program"], 127),
        (&["./plain"], 126),
        (&["./folder"], 126),
        (&["sh", "-c", "kill -TERM $$"], 143),
        (&["sh", "-c", "kill -KILL $$"], 137),
        (&["sh", "-c", "kill -SEGV $$"], 139),
    ];
    for (command, code) in table {
        let output = app.pm(["run"].iter().chain(command)).run();
        assert_eq!(output.code(), code, "{command:?}: {output:?}");
    }
    let output = app.pm(["run", "no-such-program"]).run();
    assert!(
        output.stderr.starts_with("error: `no-such-program` was not found\nhint: "),
        "{output:?}"
    );
    let output = app.pm(["run", "./plain"]).run();
    let error = "error: `./plain` cannot be executed: Permission denied";
    assert!(output.stderr.starts_with(error), "{output:?}");
}

#[test]
fn a_script_without_an_interpreter_line_is_run_by_the_shell() {
    let app = Sandbox::new().write("script", "echo \"$0 $1\"; exit 3\n");
    app.sh("chmod +x script").run();
    let output = app.pm(["run", "./script", "a b"]).run();
    assert_eq!((output.stdout.as_str(), output.code()), ("./script a b\n", 3), "{output:?}");
}

#[test]
fn stdio_is_the_programs() {
    let app = Sandbox::new();
    let output = app.pm(["run", "sh", "-c", "cat; echo err >&2"]).stdin("in\0\n").run();
    assert_eq!((output.stdout.as_str(), output.stderr.as_str()), ("in\0\n", "err\n"));
    let mut session =
        app.pm(["run", "sh", "-c", "test -t 0 && test -t 1 && echo terminal"]).spawn_pty();
    session.wait();
    assert_eq!(session.stdout_so_far(), "terminal\r\n");
}

#[test]
fn what_cannot_be_used_is_an_error_and_nothing_runs() {
    let app = Sandbox::with_procfile("web: true\nweb: true\n");
    let usage = app.pm(["run"]).run();
    assert_eq!(usage.code(), 2);
    let output = app.pm(["run", "-e", "nope", "touch", "ran"]).run();
    assert!(output.stderr.starts_with("error: cannot read the env file `nope`"), "{output:?}");
    assert_eq!(output.code(), 1);
    let output = app.pm(["run", "-f", "Procfile", "web"]).run();
    assert!(output.stderr.starts_with("error: Procfile:2: `web` is defined twice"), "{output:?}");
    assert_eq!((output.code(), app.read("ran")), (1, None));
    assert_eq!(app.pm(["run", "true"]).run().code(), 0, "a program needs no Procfile");
}

#[test]
fn an_unknown_option_before_the_command_is_a_usage_error_and_is_not_run() {
    let app = Sandbox::with_procfile("web: true\n").write("a.env", "");
    for words in ["run --bogus x", "run -x web", "run -e a.env -x web"] {
        let output = app.pm(words.split(' ')).run();
        assert!(output.stderr.contains("unexpected argument '-"), "{words}: {output:?}");
        assert_eq!(output.code(), 2, "{words}");
    }
    let output = app.pm(["run", "--", "-x"]).run();
    assert!(output.stderr.starts_with("error: `-x` was not found"), "{output:?}");
}

#[test]
fn a_signal_reaches_the_program_once_without_a_terminal() {
    let app = Sandbox::new().write("counter", COUNTER);
    for to_group in [false, true] {
        for signal in [Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP] {
            let mut session = app.pm(["run", "sh", "counter"]).spawn();
            session.wait_for("ready\n");
            if to_group {
                session.signal_group(signal);
            } else {
                session.signal(signal);
            }
            session.wait_for("told 1\n");
            session.signal(Signal::SIGUSR1);
            assert_eq!(session.wait(), End::Code(41), "{signal}, to the group: {to_group}");
        }
    }
    app.assert_nothing_left();
}

#[test]
fn ctrl_c_reaches_the_program_once_and_pm_waits_for_it() {
    let app = Sandbox::new().write("counter", COUNTER);
    let mut session = app.pm(["run", "sh", "counter"]).spawn_pty();
    session.wait_for("ready");
    session.type_keys(CTRL_C);
    session.wait_for("told 1");
    session.type_keys(CTRL_C);
    session.wait_for("told 2");
    session.signal(Signal::SIGTERM);
    session.wait_for("told 3");
    session.signal(Signal::SIGUSR1);
    assert_eq!(session.wait(), End::Code(43));
    app.assert_nothing_left();
}

#[test]
fn ctrl_c_ends_a_program_that_does_not_mind_it() {
    let app = Sandbox::new();
    let mut session = app.pm(["run", "sh", "-c", "echo ready; exec sleep 1000"]).spawn_pty();
    session.wait_for("ready");
    session.type_keys(CTRL_C);
    assert_eq!(session.wait(), End::Code(130));
    app.assert_nothing_left();
}

#[test]
fn ctrl_z_stops_the_program_and_fg_goes_on() {
    let app = Sandbox::new().write(
        "script",
        "echo rea''dy; until test -e go; do sleep 0.02; done; read line; echo \"got $line\"; exit 9\n",
    );
    let session = app.command("bash", ["--norc", "-i"]).env("PS1", "prompt> ").spawn_pty();
    session.wait_for("prompt> ");
    session.type_keys(&format!("{PM} run sh script; echo code $?\n"));
    session.wait_for("ready");
    session.type_keys(CTRL_Z);
    session.wait_for("Stopped");
    std::fs::write(app.path("go"), "").expect("the sandbox can be written");
    session.type_keys("fg; echo code $?\n");
    session.type_keys("word\n");
    session.wait_for("got word");
    session.wait_for("code 9");
    session.type_keys("exit\n");
}

/// Starts a shell with job control.
fn shell(app: &Sandbox) -> Session {
    let shell = app.command("bash", ["--norc", "-i"]).env("PS1", "prompt> ").spawn_pty();
    shell.wait_for("prompt> ");
    shell
}

/// Waits until every process whose command holds `text` is stopped, or none is, and there is one.
#[track_caller]
fn wait_until_stopped(session: &Session, text: &str, stopped: bool) {
    eventually("stopped processes, or running ones", || {
        let found = session.running(text);
        let are_so = found.iter().all(|pid| (state_of(*pid) == Some('T')) == stopped);
        (are_so && !found.is_empty()).then_some(())
    });
}

/// Brings a job to the foreground. What is typed while the shell still has the terminal may be lost.
#[track_caller]
fn bring_to_foreground(shell: &Session, text: &str) {
    shell.type_keys("fg\n");
    wait_until_stopped(shell, text, false);
}

#[test]
fn a_job_of_the_background_gets_the_terminal_with_fg_and_hears_signals() {
    let app = Sandbox::new();
    let shell = shell(&app);
    shell.type_keys(&format!("{PM} run cat &\n"));
    // It reads, and may not.
    wait_until_stopped(&shell, "cat", true);
    for (times, word) in ["one", "two"].iter().enumerate() {
        bring_to_foreground(&shell, "cat");
        shell.type_keys(&format!("{word}\n"));
        // Typed, and read.
        shell.wait_for_times(&format!("{word}\r\n"), 2);
        shell.type_keys(CTRL_Z);
        wait_until_stopped(&shell, "cat", true);
        shell.wait_for_times("Stopped", times + 1);
    }
    shell.type_keys("bg\n");
    wait_until_stopped(&shell, "cat", true);
    shell.type_keys("fg; echo co''de $?\n");
    wait_until_stopped(&shell, "cat", false);
    let pm = shell.running("run cat")[0];
    nix::sys::signal::kill(pm, Signal::SIGTERM).expect("it runs");
    shell.wait_for("code 143");
}

#[test]
fn a_stopped_job_of_the_background_ends_when_the_shell_kills_it() {
    let app = Sandbox::new();
    let mut shell = shell(&app);
    shell.type_keys(&format!("{PM} run cat &\n"));
    wait_until_stopped(&shell, "cat", true);
    shell.type_keys("kill %1; kill -CONT %1; wait; echo en''ded\n");
    shell.wait_for("ended");
    shell.type_keys("exit 0\n");
    assert_eq!(shell.wait(), End::Code(0));
    app.assert_nothing_left();
}

#[test]
fn a_command_that_stops_itself_stops_pm_and_fg_resumes_both() {
    let app = Sandbox::new().write(
        "stops",
        "echo rea''dy; kill -$1 $$; echo resu''med; read line; echo \"got $line by $1\"; exit 7\n",
    );
    let shell = shell(&app);
    for (times, signal) in ["TSTP", "STOP", "TTOU"].iter().enumerate() {
        for (more, nested) in ["", "run"].iter().enumerate() {
            let nested = if nested.is_empty() { String::new() } else { format!("{PM} run ") };
            let times = 2 * times + more + 1;
            shell.type_keys(&format!("{PM} run {nested}sh stops {signal}; echo co''de $?\n"));
            shell.wait_for_times("ready", times);
            shell.wait_for_times("Stopped", times);
            shell.type_keys("fg; echo co''de $?\n");
            shell.wait_for_times("resumed", times);
            shell.type_keys("word\n");
            shell.wait_for_times(&format!("got word by {signal}"), more + 1);
            shell.wait_for_times("code 7", times);
        }
    }
}

#[test]
fn a_command_that_stops_where_no_shell_could_resume_it_still_hears_signals() {
    let app = Sandbox::new();
    let stops = ["run", "sh", "-c", "kill -STOP $$; exec sleep 1000"];
    // pm leads the session: `ssh -t host pm run`, a container.
    let mut session = app.pm(stops).spawn_pty();
    wait_until_stopped(&session, "kill -STOP", true);
    session.signal(Signal::SIGTERM);
    assert_eq!(session.wait(), End::Code(143));
    app.assert_nothing_left();
}

#[test]
fn a_command_without_a_terminal_stops_pm_which_resumes_it() {
    let app = Sandbox::new();
    let mut session = app.pm(["run", "sh", "-c", "kill -STOP $$; echo resumed; exit 5"]).spawn();
    wait_until_stopped(&session, "kill -STOP", true);
    eventually("pm, which is stopped too", || (state_of(session.pid()) == Some('T')).then_some(()));
    session.signal(Signal::SIGCONT);
    session.wait_for("resumed");
    assert_eq!(session.wait(), End::Code(5));
}

#[test]
fn a_script_of_the_background_is_one_job_with_what_it_runs() {
    let app = Sandbox::new().write("script", format!("{PM} run {PM} run cat\necho after $?\n"));
    let shell = shell(&app);
    shell.type_keys("sh script &\n");
    wait_until_stopped(&shell, "cat", true);
    wait_until_stopped(&shell, "sh script", true);
    bring_to_foreground(&shell, "cat");
    shell.type_keys("one\n");
    shell.wait_for_times("one\r\n", 2);
    shell.type_keys(CTRL_Z);
    wait_until_stopped(&shell, "cat", true);
    wait_until_stopped(&shell, "sh script", true);
    bring_to_foreground(&shell, "cat");
    shell.type_keys("two\n");
    shell.wait_for_times("two\r\n", 2);
    shell.type_keys("\x04");
    shell.wait_for("after 0");
    // The terminal is the shell's again.
    shell.type_keys("echo he''re\n");
    shell.wait_for("here");
}

#[test]
fn the_others_of_a_pipeline_have_the_terminal_too() {
    let app = Sandbox::new();
    let shell = shell(&app);
    shell.type_keys(&format!(
        "{PM} run echo fr''om | sh -c 'read a; read b </dev/tty; echo $a $b'\n"
    ));
    shell.type_keys("typed\n");
    shell.wait_for("from typed");
    shell.type_keys(&format!("{PM} run yes | head -n 1; echo co''de ${{PIPESTATUS[*]}}\n"));
    shell.wait_for("code 141 0");
}

#[test]
fn a_program_that_ends_at_once_is_never_missed() {
    let app = Sandbox::new();
    let script = format!(
        "for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do {PM} run true || exit 1; done"
    );
    assert_eq!(app.sh(&script).run().code(), 0);
}

#[test]
fn the_terminal_is_the_programs_also_where_stdin_is_not_one() {
    let app = Sandbox::new();
    let script =
        format!("{PM} run sh -c 'echo ready; read line </dev/tty; echo \"got $line\"' </dev/null");
    let mut session = app.sh(&script).spawn_pty();
    session.wait_for("ready");
    session.type_keys("word\n");
    session.wait_for("got word");
    assert_eq!(session.wait(), End::Code(0));
    app.assert_nothing_left();
}

#[test]
fn signals_that_the_caller_ignores_stay_ignored_for_the_program() {
    let app = Sandbox::new();
    let script =
        format!("trap '' HUP INT; {PM} run sh -c 'kill -HUP $$; kill -INT $$; echo alive'");
    let output = app.sh(&script).run();
    assert_eq!((output.stdout.as_str(), output.code()), ("alive\n", 0), "{output:?}");
}

#[test]
fn a_broken_procfile_is_the_error_where_the_word_is_no_program() {
    let app = Sandbox::with_procfile("web: true\nweb: true\n");
    let output = app.pm(["run", "web"]).run();
    assert!(output.stderr.starts_with("error: Procfile:2: `web` is defined twice"), "{output:?}");
    assert_eq!(output.code(), 1);
}

#[test]
fn a_root_that_is_not_there_is_an_error_for_a_program_too() {
    let output = Sandbox::new().pm(["run", "-d", "nope", "true", "x"]).run();
    assert!(output.stderr.starts_with("error: cannot use the folder `nope`"), "{output:?}");
    assert_eq!(output.code(), 1);
}

#[test]
fn with_v_it_says_first_what_foreman_reads_in_another_way() {
    let app = Sandbox::new().write(".env", "A=1\nTITLE=Ticket #1\n");
    let output = app.pm(["run", "-v", "sh", "-c", "echo $TITLE"]).run();
    assert_eq!((output.code(), &*output.stdout), (0, "Ticket\n"));
    let said = ".env:2: TITLE: dropped \"#1\"; foreman keeps it; quote the value to keep it\n";
    assert_eq!(output.stderr, said);
    assert_eq!(app.pm(["run", "sh", "-c", "echo $TITLE"]).run().stderr, "");
}
