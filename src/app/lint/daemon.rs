//! Lint of commands that put themselves in the background: their instance seems to end at once, and pm
//! cannot see what they do.

use std::ops::Range;

use super::{Finding, Speaker};
use crate::app::shell::{Lexed, Token, Word};

/// A program, an option with which it leaves the foreground, and what to do in its place.
struct Daemon {
    program: &'static str,
    /// Any of these words; two words for an option with a value. Empty: always, but for `unless`.
    options: &'static [&'static str],
    /// Any of these words keeps it in the foreground.
    unless: &'static [&'static str],
    hint: &'static str,
}

const LEAVE_OUT: &str = "remove the option: pm keeps the program running and shows its output";

/// From the manuals of the programs.
const DAEMONS: [Daemon; 22] = [
    Daemon { program: "redis-server", options: &["--daemonize yes"], unless: &[], hint: LEAVE_OUT },
    Daemon {
        program: "nginx",
        options: &[],
        // With a file of its own, `daemon off` may stand there.
        unless: &["daemon off", "-c", "-t", "-T", "-s", "-v", "-V", "-h", "-?"],
        hint: "write `nginx -g 'daemon off;'`",
    },
    Daemon { program: "unicorn", options: &["-D", "--daemonize"], unless: &[], hint: LEAVE_OUT },
    Daemon {
        program: "unicorn_rails",
        options: &["-D", "--daemonize"],
        unless: &[],
        hint: LEAVE_OUT,
    },
    Daemon { program: "rackup", options: &["-D", "--daemonize"], unless: &[], hint: LEAVE_OUT },
    Daemon { program: "thin", options: &["-d", "--daemonize"], unless: &[], hint: LEAVE_OUT },
    Daemon { program: "puma", options: &["-d", "--daemon"], unless: &[], hint: LEAVE_OUT },
    Daemon { program: "rails", options: &["-d", "--daemon"], unless: &[], hint: LEAVE_OUT },
    Daemon { program: "sidekiq", options: &["-d", "--daemon"], unless: &[], hint: LEAVE_OUT },
    Daemon {
        program: "delayed_job",
        options: &["start"],
        unless: &[],
        hint: "write `delayed_job run`",
    },
    Daemon { program: "gunicorn", options: &["-D", "--daemon"], unless: &[], hint: LEAVE_OUT },
    Daemon {
        program: "celery",
        options: &["multi", "-D", "--detach"],
        unless: &[],
        hint: "write `celery worker`, without `--detach`",
    },
    Daemon { program: "uwsgi", options: &["-d", "--daemonize"], unless: &[], hint: LEAVE_OUT },
    Daemon {
        program: "php-fpm",
        options: &["-D", "--daemonize"],
        unless: &[],
        hint: "write `php-fpm -F`",
    },
    Daemon { program: "memcached", options: &["-d"], unless: &[], hint: LEAVE_OUT },
    Daemon { program: "mongod", options: &["--fork"], unless: &[], hint: LEAVE_OUT },
    Daemon { program: "haproxy", options: &["-D"], unless: &[], hint: LEAVE_OUT },
    Daemon {
        program: "apachectl",
        options: &["start"],
        unless: &[],
        hint: "write `apachectl -D FOREGROUND`",
    },
    Daemon {
        program: "pg_ctl",
        options: &["start"],
        unless: &[],
        hint: "write `postgres -D FOLDER`",
    },
    Daemon {
        program: "pm2",
        options: &["start"],
        unless: &["--no-daemon"],
        hint: "write `pm2-runtime`, or the program itself",
    },
    Daemon { program: "docker", options: &["-d", "--detach"], unless: &["exec"], hint: LEAVE_OUT },
    Daemon {
        program: "docker-compose",
        options: &["-d", "--detach"],
        unless: &["exec"],
        hint: LEAVE_OUT,
    },
];

/// Words that run what is behind them.
const RUNNERS: [&str; 12] = [
    "exec", "env", "nice", "nohup", "sudo", "time", "bundle", "npx", "poetry", "pipenv", "uv",
    "run",
];

/// Finds a command that ends with `&`, or whose last program was told to be a daemon.
pub(super) fn background(say: &Speaker<'_>, lexed: &Lexed) -> Option<Finding> {
    let command = &say.entry.command;
    let tokens = &lexed.tokens;
    let name = &say.entry.name;
    if let Some(Token::Operator(span)) = tokens.last()
        && command[span.clone()] == *"&"
    {
        let message = format!("`{name}` puts itself in the background, so it seems to end at once");
        let hint = "remove the `&`: pm runs the process types side by side".into();
        return Some(say.warn("background", span.clone(), message, hint));
    }
    let (daemon, span) = last_command(command, tokens).and_then(|words| daemon(&words))?;
    let message = format!(
        "`{}` puts itself in the background here, so `{name}` seems to end at once",
        daemon.program
    );
    Some(say.warn("background", span, message, daemon.hint.into()))
}

/// Returns the words of the last simple command: what the shell waits for. `None` in a pipeline, or
/// where the command may not run.
fn last_command<'a>(command: &str, tokens: &'a [Token]) -> Option<Vec<&'a Word>> {
    let mut words = Vec::new();
    for token in tokens {
        match token {
            Token::Word(word) => words.push(word),
            Token::Operator(span) if matches!(&command[span.clone()], "&&" | ";") => words.clear(),
            Token::Operator(_) => return None,
            Token::Redirection => {}
        }
    }
    Some(words)
}

fn daemon(words: &[&Word]) -> Option<(&'static Daemon, Range<usize>)> {
    let is_prefix = |word: &&&Word| word.is_assignment || RUNNERS.contains(&word.text.as_str());
    // `bundle exec`, `python -m`, `poetry run`: at most one program before the runner's last word.
    let at = words.iter().position(|word| !is_prefix(&word))?;
    let at = if words.get(at + 1).is_some_and(|word| word.text == "-m") { at + 2 } else { at };
    let program = words.get(at)?;
    let arguments = &words[at + 1..];
    let daemon = DAEMONS.iter().find(|daemon| daemon.program == program.base_name())?;
    let says = |option: &str| match option.split_once(' ') {
        Some(("daemon", _)) => {
            arguments.iter().find(|word| word.text.contains(option)).map(|word| word.span.clone())
        }
        Some((option, value)) => {
            let pair =
                arguments.windows(2).find(|pair| pair[0].text == option && pair[1].text == value);
            pair.map(|pair| pair[0].span.start..pair[1].span.end)
        }
        None => arguments.iter().find(|word| word.text == option).map(|word| word.span.clone()),
    };
    if daemon.unless.iter().any(|&word| says(word).is_some()) {
        return None;
    }
    if daemon.options.is_empty() {
        return Some((daemon, program.span.clone()));
    }
    daemon.options.iter().find_map(|&option| says(option)).map(|span| (daemon, span))
}
