//! The end of a session: the summary, the rest of the output within a time limit, the exit code.

use std::io::{self, Write};
use std::os::fd::AsFd;
use std::time::Duration;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::{Input, SessionLoop};
use crate::app::Signal;
use crate::os::daemon;
use crate::os::signals::SignalEvent;
use crate::output::{PumpCommand, PumpEvent};
use crate::session::messages;
use crate::supervisor::Supervisor;

/// How long pm waits at its end for a reader of stdout that reads nothing.
const STALLED_READER: Duration = Duration::from_secs(5);

/// Writes to stderr why output was lost, if stderr works. For a session in the background it is the log, which is the
/// only place to look.
fn tell_loss(mut stderr: impl Write + AsFd, error: &str, launched: bool) {
    if !launched {
        // Often stderr is the same terminal that takes nothing.
        let mut fds = [PollFd::new(stderr.as_fd(), PollFlags::POLLOUT)];
        if poll(&mut fds, PollTimeout::ZERO) != Ok(0) {
            let _ = writeln!(stderr, "error: cannot write to standard output: {error}");
        }
        return;
    }
    let text = format!(
        "error: cannot write this log: {error}; lines are lost here, and the session has ended\n"
    );
    // Begin a new line: the last one may have been cut.
    if write!(stderr, "\n{text}").is_err() {
        let _ = daemon::last_words(&text);
    }
}

impl SessionLoop {
    /// Remembers why the output was lost, and the exit code, if that is what happened.
    pub(super) fn note_loss(&mut self, news: &PumpEvent) {
        let PumpEvent::OutputLost(kind, error) = news else { return };
        // As for a program that is killed by SIGPIPE: so the caller sees that the output was cut.
        let is_closed = *kind == io::ErrorKind::BrokenPipe;
        self.lost = Some(if is_closed { 128 + nix::libc::SIGPIPE } else { 1 });
        if !is_closed {
            self.output_error = Some(error.clone());
        }
    }

    /// Shows the summary, writes the rest of the output, and ends the watchdog and the threads.
    pub(super) fn close(mut self, code: i32, core: &Supervisor) -> i32 {
        let orphans = self.children.orphans_left();
        let why = |id| self.children.why_it_runs(id);
        let verdict = messages::verdict(&self.app, core.verdict(), why, &orphans);
        let is_kept = self.kept.is_some();
        let culprit = core.verdict().culprit.filter(|_| is_kept);
        for line in &verdict {
            let mut said = line.clone();
            if said.event == messages::VERDICT
                && let Some(culprit) = culprit
            {
                let name = self.app.name_of(culprit.instance);
                said.text = messages::with_logs(said.text, &name);
            }
            self.say(said);
        }
        // They say nothing of why it has ended.
        if let Some(peaks) = messages::peaks(&self.figures.peaks(&self.app)) {
            self.say(peaks);
        }
        self.detach("the session ends");
        self.flush();
        self.leave_terminal();
        self.children.dismiss_watchdog();
        // Clients get no answers any more.
        drop((self.requests, self.inputs));
        if let Some(server) = self.server {
            server.close();
        }
        if let Some(error) = self.output_error {
            tell_loss(io::stderr(), &error, self.launched);
        }
        // A requested stop is a success, and a failure keeps its own code.
        let code = if code == 0 && !core.was_asked() { self.lost.unwrap_or(0) } else { code };
        if let Some(kept) = self.kept {
            kept.end(code, &verdict);
        }
        code
    }

    /// Waits until everything is written, as long as the reader reads something.
    fn flush(&mut self) {
        let (sender, done) = crossbeam_channel::bounded(1);
        self.post(PumpCommand::Flush(sender));
        self.pump.wake();
        let inputs = self.inputs.clone();
        let mut seen = (self.pump.progress(), self.clock.now());
        let mut telling = 0;
        loop {
            let patience = STALLED_READER.saturating_sub(self.clock.now().since(seen.1));
            crossbeam_channel::select! {
                recv(done) -> _ => break,
                recv(inputs) -> input => match input {
                    Ok(Input::Heard(SignalEvent::Signal(
                        Signal::INT | Signal::TERM | Signal::HUP | Signal::QUIT,
                    ))) => {
                        telling += 1;
                        if telling > 1 {
                            return;
                        }
                    }
                    Ok(Input::Pump(news)) => self.note_loss(&news),
                    Ok(Input::Front(news)) => self.take_last_news(news),
                    Ok(Input::Heard(SignalEvent::Signal(Signal::TSTP))) => {
                        self.pause();
                    }
                    Ok(
                        Input::Heard(_)
                        | Input::Client(_)
                        | Input::Probe(_)
                        | Input::Watch(_)
                        | Input::Figures(_)
                        | Input::Typed(_),
                    )
                    | Err(_) => {}
                },
                default(patience) => {
                    // The reader was stopped together with pm, so the time limit starts again.
                    if self.clock.overslept(seen.1 + STALLED_READER) {
                        continue;
                    }
                    let written = self.pump.progress();
                    if written == seen.0 {
                        self.output_error =
                            Some("its reader does not read; the last lines are lost".to_owned());
                        self.lost = Some(1);
                        return;
                    }
                    seen = (written, self.clock.now());
                }
            }
        }
        self.take_rest();
    }

    /// The pump reports a failed write before it answers a flush.
    fn take_rest(&mut self) {
        let inputs = self.inputs.clone();
        for input in inputs.try_iter() {
            match input {
                Input::Pump(news) => self.note_loss(&news),
                Input::Front(news) => self.take_last_news(news),
                Input::Heard(_)
                | Input::Client(_)
                | Input::Probe(_)
                | Input::Watch(_)
                | Input::Figures(_)
                | Input::Typed(_) => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    #[test]
    fn a_loss_is_told_where_anybody_listens_and_not_waited_for_where_nobody_does() {
        let (mut reader, mut writer) = io::pipe().unwrap();
        tell_loss(&mut writer, "it is gone", false);
        let takes = |writer: &io::PipeWriter| {
            let mut fds = [PollFd::new(writer.as_fd(), PollFlags::POLLOUT)];
            poll(&mut fds, PollTimeout::ZERO) == Ok(1)
        };
        while takes(&writer) {
            writer.write_all(&[b'x'; 4096]).unwrap();
        }
        // It would block here for ever.
        tell_loss(&mut writer, "it is full", false);
        drop(writer);
        let mut told = String::new();
        reader.read_to_string(&mut told).unwrap();
        assert!(told.starts_with("error: cannot write to standard output: it is gone\nx"));
        assert!(told.ends_with('x'));
    }
}
