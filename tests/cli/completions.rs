//! What bash, zsh and fish offer: each is asked itself, with pm's own script.

use std::ffi::OsString;
use std::path::Path;

use crate::sandbox::{PM, Sandbox, has_program};

/// A line and what is offered for its last word: each of these, in this order, and nothing else.
const TABLE: &[(&str, &str)] = &[
    ("pm st", "start status stop"),
    ("pm start w", "web worker web= worker="),
    ("pm start web=2,wo", "web=2,worker web=2,worker="),
    ("pm start --procfile=sub/P", "--procfile=sub/Procfile"),
    ("pm start -f sub/Procfile ", "api api="),
    ("pm start --procfile=sub/Procfile ", "api api="),
    ("pm start -d sub -x ", "api"),
    ("pm -d sub start ", "api api="),
    ("pm -f sub/Procfile env ", "api"),
    ("pm --procfile=sub/P", "--procfile=sub/Procfile"),
    ("pm --pro", "--procfile"),
    ("pm -d sub st", "start status stop"),
    ("pm start -m a", "all="),
    ("pm start --gc=web=s", "--gc=web=size --gc=web=speed"),
    ("pm start --pty=", "--pty=auto --pty=always --pty=never"),
    ("pm start --max", "--max-restarts"),
    ("pm run w", "web worker"),
    ("pm run cat Pro", "Procfile"),
    ("pm env wo", "worker"),
    ("pm restart w", "web worker"),
    ("pm scale w", "web= worker="),
    ("pm export sy", "systemd"),
    ("pm signal US", "USR1 USR2"),
    ("pm completions ", "bash zsh fish"),
    // A Procfile that cannot be read is no reason to say anything.
    ("pm start -d broken w", ""),
    ("pm start -d nowhere w", ""),
    ("pm attach w", ""),
];

fn app() -> Sandbox {
    Sandbox::with_procfile("web: node server.js\nworker: node worker.js\n")
        .write("sub/Procfile", "api: ./api\n")
        .write("broken/Procfile", "web: a\nweb: b\n")
        .env("PATH", path_with_pm())
}

/// The scripts ask the `pm` of PATH.
#[expect(clippy::disallowed_methods, reason = "PATH is the caller's")]
fn path_with_pm() -> OsString {
    let mut path = Path::new(PM).parent().expect("pm is in a folder").as_os_str().to_owned();
    path.push(":");
    path.push(std::env::var_os("PATH").unwrap_or_default());
    path
}

fn script(app: &Sandbox, shell: &str) -> String {
    let output = app.pm(["completions", shell]).run();
    assert_eq!((output.code(), output.stderr.as_str()), (0, ""));
    output.stdout
}

/// Calls the function as readline does, with words cut at spaces, `=` and `:`. Prints for each line what
/// the line's last word becomes.
const BASH: &str = r#"
source ./completions
while IFS= read -r COMP_LINE; do
    COMP_POINT=${#COMP_LINE} COMP_WORDS=() rest=$COMP_LINE
    while [[ -n $rest ]]; do
        case $rest in
            ' '*) rest=${rest# }; [[ -z $rest ]] && COMP_WORDS+=("") ;;
            [=:]*) COMP_WORDS+=("${rest:0:1}"); rest=${rest:1} ;;
            *) word=${rest%%[ =:]*}; COMP_WORDS+=("$word"); rest=${rest#"$word"} ;;
        esac
    done
    COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
    _pm
    last=${COMP_LINE##* } piece=${COMP_WORDS[COMP_CWORD]}
    case $piece in [=:]) piece= ;; esac
    out=
    for reply in "${COMPREPLY[@]}"; do out+="${last%"$piece"}$reply "; done
    echo "$out"
done
"#;

#[test]
fn bash_offers_what_the_procfile_has() {
    if !has_program("bash") {
        return;
    }
    let app = app();
    let app = app.write("lines", lines());
    let script = script(&app, "bash");
    let app = app.write("completions", script).write("ask", BASH);
    let output = app.command("bash", ["-c", "bash ./ask <lines"]).run();
    assert_eq!(output.stderr, "");
    assert_offers(output.stdout.lines().map(|line| line.trim_end().to_owned()));
}

#[test]
fn fish_offers_what_the_procfile_has() {
    if !has_program("fish") {
        return;
    }
    let app = app();
    let script = script(&app, "fish");
    let ask = "source completions; while read -l line; complete -C $line; echo end; end <lines";
    let app = app.write("lines", lines()).write("completions", script);
    let output = app.command("fish", ["--no-config", "-c", ask]).run();
    assert_eq!(output.stderr, "");
    let offers = output.stdout.split("end\n").map(|offers| {
        let words = offers.lines().map(|line| line.split('\t').next().unwrap_or_default());
        words.collect::<Vec<_>>().join(" ")
    });
    assert_offers(offers.take(TABLE.len()));
}

fn lines() -> String {
    TABLE.iter().map(|(line, _)| format!("{line}\n")).collect()
}

#[track_caller]
fn assert_offers(offers: impl Iterator<Item = String>) {
    let offers: Vec<_> = offers.collect();
    let found: Vec<_> =
        TABLE.iter().map(|(line, _)| *line).zip(offers.iter().map(String::as_str)).collect();
    assert_eq!(found, TABLE);
}

#[test]
fn bash_completes_a_word_that_is_typed() {
    if !has_program("bash") {
        return;
    }
    let app = app();
    let script = script(&app, "bash");
    let app = app.write("completions", script).write("rc", "source ./completions\nPS1='ready> '\n");
    let mut bash = app.command("bash", ["--rcfile", "rc", "-i"]).env("TERM", "dumb").spawn_pty();
    bash.wait_for("ready> ");
    bash.type_keys("pm export --user-u\tsys\t");
    bash.wait_for("pm export --user-units systemd ");
    bash.type_keys("--procfile=sub/Pro\t");
    bash.wait_for("--procfile=sub/Procfile ");
    // Nothing is left to add to it, and it is no whole word.
    bash.type_keys("\u{15}pm start web=\t3");
    bash.wait_for("pm start web=3");
    bash.type_keys("\u{15}exit\n");
    bash.wait();
}

#[test]
fn zsh_completes_a_word_that_is_typed() {
    if !has_program("zsh") {
        return;
    }
    // From the start-up file, and from a folder of completions as a package has it.
    let sourced = "autoload -U compinit\ncompinit -u -D\nsource ./_pm\n";
    let found = "fpath=($PWD $fpath)\nautoload -U compinit\ncompinit -u -D\n";
    for rc in [sourced, found] {
        let app = app();
        let script = script(&app, "zsh");
        let app = app.write("_pm", script).write(".zshrc", format!("{rc}PS1='ready> '\n"));
        let dir = app.dir();
        let zsh = app.command("zsh", ["-i"]).env("TERM", "dumb").env("ZDOTDIR", dir);
        let mut zsh = zsh.spawn_pty();
        zsh.wait_for("ready> ");
        zsh.type_keys("pm export sys\t");
        zsh.wait_for("pm export systemd ");
        zsh.type_keys("\u{15}pm start -x wor\t");
        zsh.wait_for("pm start -x worker ");
        zsh.type_keys("\u{15}exit\n");
        zsh.wait();
    }
}

#[test]
fn a_running_session_offers_its_instances() {
    if !has_program("bash") {
        return;
    }
    let app = Sandbox::with_procfile("web: echo up; exec sleep 100\nworker: exec sleep 100\n")
        .env("PATH", path_with_pm());
    let runtime = app.dir();
    let app = app.env("XDG_RUNTIME_DIR", &runtime);
    let session = app.pm(["start", "web=2"]).spawn();
    session.wait_for_times("| up", 2);
    let offers = |words: &[&str]| {
        let index = (words.len() - 1).to_string();
        let asked = app.pm(["--"].iter().chain(words)).env("PM_COMPLETE", "bash");
        let output = asked.env("_CLAP_COMPLETE_INDEX", index).env("_CLAP_IFS", " ").run();
        assert_eq!((output.code(), output.stderr.as_str()), (0, ""));
        output.stdout
    };
    assert_eq!(offers(&["pm", "attach", ""]), "web.1 web.2");
    assert_eq!(offers(&["pm", "logs", "-f", ""]), "web web.1 web.2");
    assert_eq!(offers(&["pm", "wait", "web.2"]), "web.2");
    assert_eq!(offers(&["pm", "wait", "web:s"]), "web:started web:stopped");
    assert_eq!(offers(&["pm", "quit", "--session", ""]), session.pid().to_string());
    assert_eq!(offers(&["pm", "start", "web."]), "");
    assert_eq!(app.pm(["stop", "web.2"]).run().code(), 0);
    assert_eq!(offers(&["pm", "start", "web."]), "web.2");
    assert_eq!(app.pm(["quit"]).run().code(), 0);
}

#[test]
fn a_pipe_for_a_procfile_is_not_read_and_an_unknown_shell_is_refused() {
    let app = app();
    let asked = app.sh("mkfifo pipe; PM_COMPLETE=fish pm -- pm start -f pipe w").run();
    assert_eq!((asked.code(), asked.stdout.as_str()), (0, ""));
    let asked = app.pm(["--", "pm", ""]).env("PM_COMPLETE", "tcsh").run();
    assert_eq!((asked.code(), asked.stdout.as_str()), (2, ""));
    assert!(asked.stderr.contains("unknown shell `tcsh`"), "{}", asked.stderr);
    // Another program's variable is none of pm's.
    let version = app.pm(["--version"]).env("COMPLETE", "bash").run();
    assert_eq!(version.stdout, format!("pm {}\n", env!("CARGO_PKG_VERSION")));
}
