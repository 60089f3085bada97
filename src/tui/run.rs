//! The loop: waits for keys, signals and sessions, tells the model, and shows it: at most 30 times a second, and only
//! what has changed.

mod open;

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use ratatui_core::layout::Size;
use ratatui_core::terminal::Terminal;

use super::backend::AnsiBackend;
use super::base64;
use super::event::{UiEffect, UiEnd, UiEvent};
use super::keys::TypedKeys;
use super::links::Links;
use super::model::UiModel;
use super::person_terminal::PersonTerminal;
use super::sessions::ShownSession;
use super::signals::{SignalNews, UiSignals};
use super::update::update;
use super::view::view;
use super::{StopReach, UiSession, UiSetup};

/// Between two pictures, and where only lines have come: nobody reads more of them.
const PICTURE: Duration = Duration::from_millis(33);
const PICTURE_OF_LINES: Duration = Duration::from_millis(100);
/// Between two questions to a session what its instances do, and while one of them is on its way.
const STATUS: Duration = Duration::from_secs(1);
const STATUS_SOON: Duration = Duration::from_millis(250);
/// How long a message is shown.
const MESSAGE: Duration = Duration::from_secs(6);
/// After so long, Esc alone is a key.
const ESC: Duration = Duration::from_millis(50);
/// Ctrl-] ends typing, as it does in `pm attach`.
const DETACH: u8 = 0x1d;

/// The ui.
struct Ui {
    setup: UiSetup,
    start: Instant,
    model: UiModel,
    links: Links,
    signals: UiSignals,
    terminal: PersonTerminal,
    picture: Terminal<AnsiBackend>,
    keys: TypedKeys,
    drawn: Option<Duration>,
    is_changed: bool,
    has_lines: bool,
    asked: Duration,
    message_until: Option<Duration>,
    esc_at: Option<Duration>,
    end: Option<UiEnd>,
}

/// Shows sessions until the person leaves or a signal comes. The terminal is as it was before, however it ends. `out`
/// writes to it, and does not block where that can be had.
///
/// # Errors
/// The terminal cannot be used.
pub fn run(setup: UiSetup, out: OwnedFd) -> io::Result<UiEnd> {
    let mut ui = Ui::open(setup, out)?;
    let end = ui.until_end();
    ui.terminal.suspend();
    end
}

impl Ui {
    fn open(mut setup: UiSetup, out: OwnedFd) -> io::Result<Self> {
        let sessions = std::mem::take(&mut setup.sessions);
        let sockets = sessions.iter().map(|session| session.socket.clone()).collect();
        let mut links = Links::new(sockets);
        let shown = |it: &UiSession| {
            let mut shown = ShownSession::new(it.label.clone(), it.pid);
            shown.root.clone_from(&it.root);
            shown
        };
        let shown = sessions.iter().map(shown).collect();
        let mut model = UiModel::new(shown, setup.keys.clone(), setup.look);
        model.time_of_day = setup.time_of_day;
        let signals = UiSignals::listen()?;
        let input = io::stdin().as_fd().try_clone_to_owned()?;
        let terminal = PersonTerminal::enter(input, out)?;
        model.size = terminal.size();
        let start = (setup.clock)();
        for (at, session) in sessions.into_iter().enumerate() {
            if let Some(report) = session.report {
                drop(update(&mut model, UiEvent::Reported(at, Box::new(report))));
            }
            if links.follow(at).is_err() {
                drop(update(&mut model, UiEvent::Ended(at)));
            }
        }
        let size = Size::new(model.size.0, model.size.1);
        let Ok(picture) = Terminal::new(AnsiBackend::of(size));
        Ok(Self {
            setup,
            start,
            model,
            links,
            signals,
            terminal,
            picture,
            keys: TypedKeys::default(),
            drawn: None,
            is_changed: true,
            has_lines: false,
            asked: Duration::ZERO,
            message_until: None,
            esc_at: None,
            end: None,
        })
    }

    fn now(&self) -> Duration {
        (self.setup.clock)().saturating_duration_since(self.start)
    }

    fn until_end(&mut self) -> io::Result<UiEnd> {
        loop {
            if let Some(end) = self.end.take() {
                return Ok(end);
            }
            self.draw()?;
            let is_typed = self.wait()?;
            self.terminal.write()?;
            self.take_signals()?;
            if is_typed {
                self.read_keys()?;
            }
            let mut events = Vec::new();
            self.links.read(|event| events.push(event));
            for event in events {
                self.tell(event)?;
            }
            self.look_at_the_clock()?;
        }
    }

    /// Waits until there is something to do. Returns whether keys were typed.
    fn wait(&self) -> io::Result<bool> {
        let now = self.now();
        let mut due = self.asked + self.status_interval();
        due = due.min(self.message_until.unwrap_or(due)).min(self.esc_at.unwrap_or(due));
        if let Some(next) = self.next_picture()
            && self.terminal.waits_for().is_none()
        {
            due = due.min(next);
        }
        // A part of a millisecond is one.
        let left = due.saturating_sub(now).as_micros().div_ceil(1000);
        let timeout = PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX);
        let stdin = io::stdin();
        let mut fds = vec![PollFd::new(stdin.as_fd(), PollFlags::POLLIN)];
        let signals = self.signals.descriptors();
        fds.extend(signals.map(|fd| PollFd::new(fd, PollFlags::POLLIN)));
        for (fd, must_take) in self.links.descriptors() {
            let mut wanted = PollFlags::POLLIN;
            wanted.set(PollFlags::POLLOUT, must_take);
            fds.push(PollFd::new(fd, wanted));
        }
        fds.extend(self.terminal.waits_for().map(|fd| PollFd::new(fd, PollFlags::POLLOUT)));
        match poll(&mut fds, timeout) {
            Ok(_) => Ok(fds[0].any().unwrap_or(false)),
            Err(Errno::EINTR) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    fn status_interval(&self) -> Duration {
        let is_passing = self.model.sessions.iter().any(ShownSession::is_passing);
        if is_passing { STATUS_SOON } else { STATUS }
    }

    /// Tells the model, and does what follows.
    fn tell(&mut self, event: UiEvent) -> io::Result<()> {
        let now = self.now();
        if matches!(event, UiEvent::Answered(_)) {
            // What is done is to be seen: the next key may depend on it.
            self.asked = Duration::ZERO;
        }
        let is_of_lines = matches!(event, UiEvent::Output(..) | UiEvent::Lost(_));
        let before = self.model.message.clone();
        let effects = update(&mut self.model, event);
        if self.model.message != before {
            self.message_until = self.model.message.as_ref().map(|_| now + MESSAGE);
        }
        let is_changed = std::mem::take(&mut self.model.is_changed);
        match is_of_lines {
            true => self.has_lines |= is_changed,
            false => self.is_changed |= is_changed,
        }
        for effect in effects {
            self.act(effect)?;
        }
        Ok(())
    }

    fn act(&mut self, effect: UiEffect) -> io::Result<()> {
        let done = match effect {
            UiEffect::Leave(end) => {
                self.end = Some(end);
                Ok(())
            }
            UiEffect::Ask(session, request, done) => {
                // What it changes is worth a look.
                self.asked = Duration::ZERO;
                self.links.change(session, request, done)
            }
            UiEffect::Attach(session, name, rows, columns) => {
                self.links.attach(session, name, (rows, columns))
            }
            UiEffect::Detach => {
                self.links.detach();
                Ok(())
            }
            UiEffect::Resize(rows, columns) => {
                self.links.resize(rows, columns);
                Ok(())
            }
            UiEffect::Copy(text) => {
                let text = base64::encode(text.as_bytes());
                return self.terminal.show(format!("\x1b]52;c;{text}\x1b\\").as_bytes());
            }
            UiEffect::Open(text) => return self.open_in_pager(&text),
            UiEffect::Older(session, query) => {
                return self.tell(match (self.setup.older.0)(&query) {
                    Ok(output) => UiEvent::Older(session, output),
                    Err(error) => UiEvent::Answered(format!("cannot read what is kept: {error}")),
                });
            }
            UiEffect::Mouse(is_on) => {
                let end = if is_on { 'h' } else { 'l' };
                return self.terminal.show(format!("\x1b[?1000{end}\x1b[?1006{end}").as_bytes());
            }
            UiEffect::Suspend => return self.stop(StopReach::Job),
        };
        match done {
            Ok(()) => Ok(()),
            Err(error) => {
                self.tell(UiEvent::Answered(format!("the session does not answer: {error}")))
            }
        }
    }

    fn read_keys(&mut self) -> io::Result<()> {
        let mut bytes = [0; 4096];
        match nix::unistd::read(io::stdin(), &mut bytes) {
            // The terminal is gone.
            Ok(0) => self.end = Some(UiEnd::Left),
            Ok(count) => self.keys.push(&bytes[..count]),
            Err(Errno::EINTR | Errno::EAGAIN) => {}
            Err(error) => return Err(error.into()),
        }
        self.take_keys(false)?;
        self.esc_at = self.keys.is_waiting().then(|| self.now() + ESC);
        Ok(())
    }

    /// Takes the keys that were typed: those for a program go to it as they came.
    fn take_keys(&mut self, is_all: bool) -> io::Result<()> {
        loop {
            if let Some(pane) = self.model.pane.as_ref().filter(|pane| pane.is_typing) {
                let mut typed = self.keys.take_rest();
                let end = memchr::memchr(DETACH, &typed);
                let rest = end.map(|end| typed.split_off(end));
                let keys = pane.keys(typed);
                if !keys.is_empty() {
                    self.links.type_keys(&keys);
                }
                let Some(rest) = rest else { return Ok(()) };
                self.keys.push(&rest);
                // The key itself.
                let _ = self.keys.next(true);
                self.tell(UiEvent::TypingOver)?;
                continue;
            }
            let Some(key) = self.keys.next(is_all) else { return Ok(()) };
            self.tell(UiEvent::Key(key))?;
            if self.end.is_some() {
                return Ok(());
            }
        }
    }

    fn take_signals(&mut self) -> io::Result<()> {
        match self.signals.take() {
            None => Ok(()),
            Some(SignalNews::End(signal)) => {
                self.end = Some(UiEnd::Signal(signal));
                Ok(())
            }
            Some(SignalNews::Stop) => self.stop(StopReach::Process),
            Some(SignalNews::Look) => self.look_at_terminal(),
        }
    }

    /// Takes the size of the terminal.
    fn look_at_terminal(&mut self) -> io::Result<()> {
        let (columns, rows) = self.terminal.size();
        self.picture.backend_mut().size = Size::new(columns, rows);
        self.picture.backend_mut().forget_cursor();
        // What a shell or a pager has left there is not known.
        let Ok(()) = self.picture.clear();
        self.tell(UiEvent::Resized(columns, rows))
    }

    /// Stops as a shell expects it, and takes the terminal over again when it goes on.
    fn stop(&mut self, whom: StopReach) -> io::Result<()> {
        self.terminal.suspend();
        (self.setup.stop)(whom);
        self.resume()
    }

    fn resume(&mut self) -> io::Result<()> {
        self.terminal.resume()?;
        if self.model.has_mouse {
            self.act(UiEffect::Mouse(true))?;
        }
        self.look_at_terminal()
    }

    fn look_at_the_clock(&mut self) -> io::Result<()> {
        let now = self.now();
        if self.esc_at.is_some_and(|at| at <= now) {
            self.esc_at = None;
            self.take_keys(true)?;
        }
        if self.message_until.is_some_and(|until| until <= now) {
            self.message_until = None;
            self.tell(UiEvent::MessageOver)?;
        }
        if self.asked + self.status_interval() <= now || self.asked.is_zero() {
            self.asked = now.max(Duration::from_nanos(1));
            for session in 0..self.model.sessions.len() {
                if !self.model.sessions[session].is_over && !self.links.ask_figures(session) {
                    self.tell(UiEvent::Ended(session))?;
                }
            }
        }
        Ok(())
    }

    /// Returns when the next picture is due, if any is.
    fn next_picture(&self) -> Option<Duration> {
        let interval = match (self.is_changed, self.has_lines) {
            (true, _) => PICTURE,
            (false, true) => PICTURE_OF_LINES,
            (false, false) => return None,
        };
        Some(self.drawn.map_or(Duration::ZERO, |drawn| drawn + interval))
    }

    /// Shows the model where it has changed, and the terminal has taken the last picture.
    fn draw(&mut self) -> io::Result<()> {
        let now = self.now();
        let is_due = self.next_picture().is_some_and(|next| next <= now);
        if !is_due || self.terminal.waits_for().is_some() {
            return Ok(());
        }
        (self.is_changed, self.has_lines) = (false, false);
        self.drawn = Some(now);
        let model = &self.model;
        let Ok(_) = self.picture.draw(|frame| view(model, frame));
        match self.picture.backend_mut().take() {
            // All of it at once, where the terminal knows how (synchronised output, mode 2026).
            Some(bytes) => self.terminal.show(format!("\x1b[?2026h{bytes}\x1b[?2026l").as_bytes()),
            None => Ok(()),
        }
    }
}
