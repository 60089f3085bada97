//! What each lint finds, in Procfiles and env files that are read for it.

mod ports;

use super::*;
use crate::app::env_file;
use crate::app::procfile;
use crate::app::{App, Environment, ExitOn, ProcessType, Source};

/// Every program is there but these, no folder but three, and every port is free but 5000 and 5200.
const SYSTEM: System<'static> = System {
    program: &|name, _| match name {
        "nope" | "./nope" | "echo hi" | "A=b" => Lookup::Missing,
        "next" => Lookup::InNodeModules,
        "./text" => Lookup::NotExecutable,
        _ => Lookup::Found,
    },
    refusal: &|command| {
        let mut shell = std::process::Command::new("/bin/sh");
        let said = shell.args(["-n", "-c", command]).output().unwrap();
        (!said.status.success()).then(|| "what it says".to_owned())
    },
    folder: &|path| match path.to_str() {
        Some("/app/web" | "/app/./web" | "/app/web/sub" | "/app/own") => FolderState::Found,
        Some("/app/Procfile") => FolderState::NotAFolder,
        _ => FolderState::Missing,
    },
    port: &|port| match port {
        5000 => PortState::Taken(Some(Holder { pid: 7, program: "node".into(), instance: None })),
        5200 => PortState::Taken(None),
        1..1024 => PortState::Forbidden,
        _ => PortState::Free,
    },
};

fn findings(procfile: &str, env: &str, counts: &[u16], base_port: u16) -> Vec<Finding> {
    let read =
        procfile::parse(procfile.as_bytes()).unwrap_or_else(|e| panic!("{procfile:?}: {e:?}"));
    let ones = vec![1; read.entries.len()];
    let procfile = LoadedProcfile {
        path: "Procfile".into(),
        text: procfile.into(),
        entries: read.entries,
        notes: read.notes,
        notice: None,
    };
    let read = env_file::parse(env.as_bytes()).unwrap_or_else(|e| panic!("{env:?}: {e:?}"));
    let mut environment = Environment::default();
    for assignment in &read.assignments {
        environment.set(&assignment.key, &assignment.value, Source::Set);
    }
    let file = LoadedEnvFile {
        path: ".env".into(),
        text: env.into(),
        assignments: read.assignments,
        notes: read.notes,
    };
    let types = procfile.entries.iter().map(|entry| ProcessType::of(&entry.name, &entry.command));
    let app = App {
        root: "/app".into(),
        types: types.collect(),
        environment: environment.clone(),
        base_port,
        exit_on: ExitOn::Failure,
    };
    let environment = LoadedEnvironment { environment, files: vec![file] };
    let counts = if counts.is_empty() { &ones } else { counts };
    let input = LintInput {
        procfile: &procfile,
        environment: &environment,
        counts,
        base_port,
        base: BaseOrigin::Person,
        app: &app,
    };
    check(input, &SYSTEM)
}

/// `line:column code: message` of each finding.
fn shown(findings: &[Finding]) -> Vec<String> {
    let show = |finding: &Finding| {
        let place =
            finding.place.as_ref().map(|place| format!("{}:{}", place.line, place.column()));
        format!("{} {}: {}", place.unwrap_or_default(), finding.code, finding.message)
    };
    findings.iter().map(show).collect()
}

/// What is found in one command, with DB and PW in the env file, on free ports.
fn of_command(command: &str) -> Vec<String> {
    shown(&findings(&format!("web: {command}\n"), "DB=x\nPW=y\n", &[], 7000))
}

#[test]
fn a_plain_working_command_gives_no_finding() {
    for command in [
        "node server.js",
        "bundle exec puma -p $PORT -C config/puma.rb",
        "gunicorn app:app --bind 0.0.0.0:$PORT --log-file -",
        "NODE_ENV=production A= node .",
        "exec node server.js 2>&1 >log",
        "cd web && npm start",
        "if [ -f x ]; then nope; fi",
        "nope() { true; }; nope",
        "$DB/bin/x",
        "~/bin/x",
        "`which node` x",
        ". ./env.sh && node x",
        "PATH=bin:$PATH nope",
        "echo \"$PORT $DB ${PW}\"",
        "sh -c 'echo $PORT'",
        "bash -lc 'exec x --port $PORT'",
        "sh -c \"echo \\$PORT\"",
        "envsubst '$PORT' < in > out && nginx -g 'daemon off;'",
        "awk '{print $1, $NF}' x",
        "echo '$OTHER' \\$OTHER '$DBX' '${DB}'",
        "echo \"it's $PORT\"",
        "a & b & wait",
        "a && b",
        "nginx -c conf -g 'daemon off;'",
        "redis-server --daemonize no --port $PORT",
        "redis-server --daemonize yes && node x",
        "sshd -D",
        "sidekiq -q default",
        "docker compose up",
        "echo 'a &'",
        "echo a # &",
    ] {
        assert_eq!(of_command(command), Vec::<String>::new(), "{command}");
    }
}

#[test]
fn a_program_that_is_not_there_is_found_with_its_place() {
    let table = [
        ("nope x", "1:6 program-not-found: `nope` is not on PATH"),
        ("A=1 exec nope", "1:15 program-not-found: `nope` is not on PATH"),
        ("nope | cat", "1:6 program-not-found: `nope` is not on PATH"),
        ("./nope x", "1:6 program-not-found: file not found: `./nope`"),
        ("./text x", "1:6 program-not-found: `./text` is not executable"),
        ("next start", "1:6 program-not-found: `next` is not on PATH, but in node_modules/.bin"),
        ("\"echo hi\"", "1:6 program-not-found: there is no program named `echo hi`"),
        ("'A=b' sleep 1", "1:6 program-not-found: there is no program named `A=b`"),
        ("A='b c' nope", "1:14 program-not-found: `nope` is not on PATH"),
        ("\"A=b\" nope", "1:6 program-not-found: there is no program named `A=b`"),
        (">log nope", "1:11 program-not-found: `nope` is not on PATH"),
    ];
    for (command, expected) in table {
        assert_eq!(of_command(command), [expected], "{command}");
    }
}

#[test]
fn what_a_shell_refuses_is_an_error_with_its_place() {
    let refused = "is not closed: the shell rejects the command";
    let table = [
        ("echo it's", format!("1:13 unclosed-quote: the quote `'` {refused}")),
        ("cd web && node \"a b", format!("1:21 unclosed-quote: the quote `\"` {refused}")),
        ("node `cat x", format!("1:11 unclosed-quote: the backquote {refused}")),
        ("node $(cat x", format!("1:11 unclosed-quote: `$(` {refused}")),
        ("node \"${DB:-x\"", format!("1:19 unclosed-quote: the quote `\"` {refused}")),
        ("node ${DB", format!("1:11 unclosed-quote: `${{` {refused}")),
    ];
    for (command, expected) in table {
        let found = findings(&format!("web: {command}\n"), "DB=x\n", &[], 7000);
        assert_eq!(shown(&found), [expected], "{command}");
        assert_eq!(found[0].severity, Severity::Error, "{command}");
    }
    for command in ["if true; then x", "x $(if)", "x >2>f"] {
        let found = of_command(command);
        assert_eq!(found, ["1:6 syntax-error: the shell rejects the command: what it says"]);
    }
    for command in [
        "echo \"it's\" 'a\"b' it\\'s # it's",
        "awk '{print \"$1\"}' \"${DB:-it's}\" \"`cat \"x\"`\"",
        "cat <<X",
        "node $'its'",
    ] {
        assert_eq!(of_command(command), Vec::<String>::new(), "{command}");
    }
}

#[test]
fn a_folder_that_is_not_there_is_found_where_the_command_is_sure_to_enter_it() {
    let table = [
        ("cd wep && npm start", "1:9 missing-folder: folder not found: `wep`"),
        ("cd wep; npm start", "1:9 missing-folder: folder not found: `wep`"),
        ("(cd 'my web' && npm start)", "1:10 missing-folder: folder not found: `my web`"),
        ("cd ./web && cd sup && x", "1:21 missing-folder: folder not found: `sup`"),
        (
            "export A=1; A=2; set -e; cd -P -- /wep && x",
            "1:40 missing-folder: folder not found: `/wep`",
        ),
        ("cd Procfile && x", "1:9 missing-folder: `Procfile` is not a folder"),
        ("{ cd wep && x; } | cat", "1:11 missing-folder: folder not found: `wep`"),
    ];
    for (command, expected) in table {
        assert_eq!(of_command(command), [expected], "{command}");
    }
    for command in [
        "cd web && cd sub && x",
        "cd web/sub; x",
        "cd && x",
        "cd - && x",
        "cd $DB && x",
        "cd ~/wep && x",
        "cd w* && x",
        "cd wep || cd web && x",
        "mkdir -p wep && cd wep && x",
        "./build && cd dist && x",
        "[ -d wep ] && cd wep; x",
        "if true; then cd wep; fi",
        "test -d wep && cd wep && x",
        "echo cd wep",
    ] {
        assert_eq!(of_command(command), Vec::<String>::new(), "{command}");
    }
}

#[test]
fn a_variable_that_nobody_sets_is_found_once() {
    let nowhere = "is not set anywhere: the shell replaces it with nothing";
    let table = [
        ("rails s -e $RAILS_ENV", format!("1:17 unset-variable: `$RAILS_ENV` {nowhere}")),
        ("x \"a${B}c\" $B", format!("1:10 unset-variable: `$B` {nowhere}")),
        ("x >$LOG/x", format!("1:9 unset-variable: `$LOG` {nowhere}")),
        ("x $(cat $FILE)", format!("1:14 unset-variable: `$FILE` {nowhere}")),
        ("x ${B:-1} $B", format!("1:16 unset-variable: `$B` {nowhere}")),
        ("x ${B#a}", format!("1:8 unset-variable: `$B` {nowhere}")),
        ("sh -c \"x $B\"", format!("1:15 unset-variable: `$B` {nowhere}")),
        ("$CMD x", format!("1:6 unset-variable: `$CMD` {nowhere}")),
    ];
    for (command, expected) in table {
        assert_eq!(of_command(command), [expected], "{command}");
    }
    for command in [
        "x $PORT $PS ${DB} $FOREMAN_WORKER_NAME $HONCHO_PROCESS_NAME $PWD $PATH $PPID",
        "x ${B:-1} ${B-1} ${B:+$B} ${B+1} ${B:-${C}}",
        "x ${B:?needed} && x $B",
        ": ${B:=1}; x $B",
        "B=1; x $B",
        "export B=1 && x $B",
        "B=1 sh -c \"x $B\"",
        "for B in 1 2; do x $B; done",
        "while read -r B C; do x $B $C; done",
        "x $1 $@ $$ $? $! $# $- $* ${10} ${#}",
        "x '$B' \\$B \"\\$B\" # $B",
        "if [ -n \"$B\" ]; then x $B; fi",
        "test \"$B\" && x $B",
        "case $B in a) x $B;; esac",
        ". ./env.sh && x $B",
        "set -a; . ./.env.local; set +a; x $B",
        "eval \"$(cat x)\" && x $B",
        "echo $((B=1)) $B",
    ] {
        assert_eq!(
            of_command(command).iter().filter(|text| text.contains("unset-variable")).count(),
            0,
            "{command}"
        );
    }
}

#[test]
fn a_variable_that_foreman_would_have_pasted_is_found() {
    let single = "in single quotes is not replaced; foreman would insert the value";
    let table = [
        ("echo '$PORT'", format!("1:12 foreman-paste: `$PORT` {single}")),
        ("echo 'a $DB b'", format!("1:14 foreman-paste: `$DB` {single}")),
        ("echo \"'$DB'\" '$PS'", format!("1:20 foreman-paste: `$PS` {single}")),
        (
            "echo \\$PW",
            "1:11 foreman-paste: `\\$PW` stays `$PW`; foreman would insert the value".to_owned(),
        ),
        ("sh -c x; echo '$DB'", format!("1:21 foreman-paste: `$DB` {single}")),
    ];
    for (command, expected) in table {
        assert_eq!(of_command(command), [expected], "{command}");
    }
}

#[test]
fn a_command_that_puts_itself_in_the_background_is_found() {
    let table = [
        (
            "node x &",
            "1:13 background: `web` puts itself in the background, so it seems to end at once",
        ),
        ("redis-server --daemonize yes", "1:19"),
        ("cd web && bundle exec unicorn -c y -D", "1:41"),
        ("/usr/sbin/nginx", "1:6"),
        ("exec nginx -g 'worker_processes 1;'", "1:11"),
        ("python -m gunicorn app --daemon", "1:29"),
        ("docker compose up -d", "1:24"),
        ("pm2 start x", "1:10"),
    ];
    for (command, expected) in table {
        let found = of_command(command);
        assert_eq!(found.len(), 1, "{command}: {found:?}");
        assert!(
            found[0].starts_with(expected) && found[0].contains(" background: "),
            "{command}: {found:?}"
        );
    }
}

#[test]
fn notes_of_the_parsers_become_findings_and_portability_is_said_once_a_file() {
    let env = "export A=1\nJUNK\nexport B=2\nC=1 # x\nD=2 # y\nexport E=1\n";
    let found = findings("web: a\njunk\n", env, &[], 7000);
    assert_eq!(
        shown(&found),
        [
            "2:1 skipped-line: skipped: not NAME: COMMAND",
            "1:1 export: A: foreman ignores a line with `export` (also lines 3 and 6)",
            "2:1 skipped-line: skipped: `JUNK` has no `=`",
            "4:5 dropped-comment: C: dropped \"# x\"; foreman keeps it",
            "5:5 dropped-comment: D: dropped \"# y\"; foreman keeps it",
        ]
    );
    let severities: Vec<Severity> = found.iter().map(|finding| finding.severity).collect();
    assert_eq!(severities[1], Severity::Note);
    assert!(
        severities
            .iter()
            .enumerate()
            .all(|(at, severity)| at == 1 || *severity == Severity::Warning)
    );
}

#[test]
fn lines_are_listed_like_a_sentence() {
    let table: [(&[usize], &str); 4] = [
        (&[], ""),
        (&[4], " (also line 4)"),
        (&[4, 7, 9], " (also lines 4, 7 and 9)"),
        (&[1, 2, 3, 4, 5, 6, 7], " (also lines 1, 2, 3, 4, 5 and 2 more)"),
    ];
    for (lines, expected) in table {
        assert_eq!(also(lines), expected);
    }
}
