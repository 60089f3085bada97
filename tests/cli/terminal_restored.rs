//! The terminal is as it was before, whatever ends or stops what has changed it: modes, cursor and screen.

use std::num::NonZeroU16;

use nix::sys::signal::{Signal, kill};
use nix::sys::termios::{LocalFlags, Termios};

use crate::control::{app, started};
use crate::sandbox::{CTRL_Z, PM, Sandbox, Session, eventually};

const TWO: &str = "web: echo ready; exec cat\nworker: echo ready; exec cat\n";

/// A command that changes the terminal.
struct TerminalClient {
    word: &'static str,
    /// What it shows once it takes keys.
    sees: &'static str,
    /// The key that ends it.
    leave: &'static str,
}

const CLIENTS: &[TerminalClient] = &[
    TerminalClient { word: "start", sees: "? keys", leave: "q" },
    TerminalClient { word: "top", sees: "q quit", leave: "q" },
    TerminalClient { word: "attach web", sees: "Ctrl-] detaches", leave: "\x1d" },
    #[cfg(feature = "ui")]
    TerminalClient { word: "ui", sees: "worker.1", leave: "q" },
];

/// A shell without an editor of its own, which leaves the terminal's modes alone, and the command in it.
struct ClientInShell {
    app: Sandbox,
    shell: Session,
    before: Termios,
    _session: Option<Session>,
}

impl ClientInShell {
    fn begin(client: &TerminalClient) -> Self {
        let app = app(TWO).env("TERM", "xterm");
        let session = (client.word != "start").then(|| started(&app, &["--pty", "always"], 2));
        let shell = app.command("dash", ["-i"]).env("PS1", "prompt> ").spawn_pty();
        shell.type_keys("ulimit -c 0\n");
        shell.wait_for_times("prompt> ", 2);
        let before = shell.modes();
        shell.type_keys(&format!("{PM} {}; echo ov''er\n", client.word));
        let running = Self { app, shell, before, _session: session };
        running.shows(client);
        running
    }

    /// Waits until the command shows what it has to, and takes keys.
    #[track_caller]
    fn shows(&self, client: &TerminalClient) {
        self.shell.wait_for(client.sees);
        let is_cooked = || self.shell.modes().local_flags.contains(LocalFlags::ICANON);
        eventually("keys", || (!is_cooked()).then_some(()));
    }

    /// Waits until modes, cursor and screen are those of the shell.
    #[track_caller]
    fn is_restored(&self, after: &str) {
        let size = |number| NonZeroU16::new(number).expect("a terminal has rows and columns");
        self.shell.wait_until(&format!("the shell's screen, after {after}"), |output| {
            let mut parser = vt100::Parser::new(size(24), size(80), 0);
            parser.process(output.as_bytes());
            !parser.screen().alternate_screen() && !parser.screen().hide_cursor()
        });
        // The guard of one that was killed may still be at it.
        let is_as_before = || self.shell.modes() == self.before;
        eventually(&format!("the modes, after {after}"), || is_as_before().then_some(()));
    }
}

#[test]
fn every_end_of_what_changes_the_terminal_restores_it() {
    for client in CLIENTS {
        let signals = [Signal::SIGTERM, Signal::SIGHUP, Signal::SIGABRT, Signal::SIGKILL];
        for signal in signals.map(Some).into_iter().chain([None]) {
            let running = ClientInShell::begin(client);
            let command = format!("pm {}", client.word);
            let pid = eventually("pm", || running.shell.running(&command).first().copied());
            match signal {
                Some(signal) => kill(pid, signal).expect("it runs"),
                None => running.shell.type_keys(client.leave),
            }
            running.shell.wait_for("over");
            running.is_restored(&format!("{} {signal:?}", client.word));
        }
    }
}

#[test]
fn ctrl_z_gives_the_terminal_to_the_shell_and_fg_takes_it_again() {
    // `pm attach` passes Ctrl-Z on.
    for client in CLIENTS.iter().filter(|client| !client.word.starts_with("attach")) {
        let running = ClientInShell::begin(client);
        running.shell.type_keys(CTRL_Z);
        running.shell.wait_for("Stopped");
        running.is_restored(&format!("Ctrl-Z in {}", client.word));
        let seen = running.shell.stdout_so_far().len();
        running.shell.type_keys("fg\n");
        running.shell.wait_until("the picture again", |output| {
            output.get(seen..).is_some_and(|output| output.contains(client.sees))
        });
        running.shows(client);
        running.shell.type_keys(client.leave);
        running.shell.wait_for("over");
        running.is_restored(client.word);
        running.app.leftover();
    }
}
