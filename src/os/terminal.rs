//! The modes of pm's own terminal: those that it had, and those that pm gives it.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use nix::fcntl::{OFlag, open};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::stat::{Mode, fstat};
use nix::sys::termios::{
    ControlFlags, InputFlags, LocalFlags, OutputFlags, SetArg, SpecialCharacterIndices, Termios,
    cfmakeraw, tcgetattr, tcsetattr,
};
use nix::unistd::{getpgrp, isatty, tcgetpgrp, ttyname};

/// Resets a terminal whose modes are unknown. It does not change a terminal with default modes. Without an alternate
/// screen to leave, the cursor moves to where it was saved.
pub(crate) const RESET_MODES: &[u8] = b"\x1b\\\x1b7\x1b[?1049l\x1b[?1047l\x1b[?47l\x1b7\x1b[r\x1b8\
    \x1b[?1;5;9;1000;1002;1003;1004;1005;1006;1015;1016;2004;2026l\x1b[?7;25h\x1b[4l\x1b(B\x0f\x1b>\x1b[0m";

/// Who reads what is typed, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TypingMode {
    /// As it was before pm: whole lines, with echo.
    AsBefore,
    /// Single keys without echo; those that send signals still do.
    Keys,
    /// Every byte as it is: they are a program's.
    Raw,
}

/// pm's terminal, with the modes that it had before.
#[derive(Debug)]
pub(crate) struct OwnModes {
    terminal: OwnedFd,
    before: Termios,
}

impl OwnModes {
    /// Remembers the modes of standard input.
    ///
    /// # Errors
    /// It is no terminal, or there is no descriptor left.
    pub(crate) fn of_stdin() -> io::Result<Self> {
        let terminal = io::stdin().as_fd().try_clone_to_owned()?;
        let before = tcgetattr(&terminal)?;
        Ok(Self { terminal, before })
    }

    /// Returns the same for another owner.
    ///
    /// # Errors
    /// There is no descriptor left.
    pub(crate) fn try_clone(&self) -> io::Result<Self> {
        Ok(Self { terminal: self.terminal.try_clone()?, before: self.before.clone() })
    }

    /// Returns the terminal once more.
    ///
    /// # Errors
    /// There is no descriptor left.
    pub(crate) fn terminal(&self) -> io::Result<OwnedFd> {
        self.terminal.try_clone()
    }

    /// Gives the terminal a mode. Returns false where it is not pm's at present: in the background, a change would stop pm.
    pub(crate) fn set(&self, mode: TypingMode) -> bool {
        // It fails where the terminal is gone. What is typed ahead stays.
        is_in_foreground(&self.terminal)
            && tcsetattr(&self.terminal, SetArg::TCSANOW, &self.of(mode)).is_ok()
    }

    /// Restores the terminal for a pm that was killed, unless another program has changed it since.
    pub(super) fn restore_for_the_dead(&self) {
        let has = |mode, now: &Termios| are_equal(now, &self.of(mode));
        let is_left = |now: &Termios| has(TypingMode::Keys, now) || has(TypingMode::Raw, now);
        if !tcgetattr(&self.terminal).is_ok_and(|now| is_left(&now)) {
            return;
        }
        // A terminal that is gone needs nothing.
        let _ = tcsetattr(&self.terminal, SetArg::TCSANOW, &self.before);
        reset(&self.terminal);
    }

    fn of(&self, mode: TypingMode) -> Termios {
        let mut modes = self.before.clone();
        match mode {
            TypingMode::AsBefore => {}
            TypingMode::Keys => {
                modes.local_flags.remove(LocalFlags::ICANON | LocalFlags::ECHO);
                modes.control_chars[SpecialCharacterIndices::VMIN as usize] = 1;
                modes.control_chars[SpecialCharacterIndices::VTIME as usize] = 0;
            }
            TypingMode::Raw => cfmakeraw(&mut modes),
        }
        modes
    }

    /// Returns the terminal, and the modes that it had as one word, for [`Self::from_word`] in another process.
    pub(super) fn to_word(&self) -> io::Result<(OwnedFd, String)> {
        let modes = &self.before;
        let flags = [
            u64::from(modes.input_flags.bits()),
            u64::from(modes.output_flags.bits()),
            u64::from(modes.control_flags.bits()),
            u64::from(modes.local_flags.bits()),
        ];
        let all = flags.into_iter().chain(modes.control_chars.iter().map(|at| u64::from(*at)));
        let words: Vec<String> = all.map(|number| format!("{number:x}")).collect();
        Ok((self.terminal.try_clone()?, words.join(":")))
    }

    /// Returns what [`Self::to_word`] has said. `None` where it is none of it.
    pub(super) fn from_word(terminal: OwnedFd, word: &str) -> Option<Self> {
        let numbers: Option<Vec<u64>> =
            word.split(':').map(|digits| u64::from_str_radix(digits, 16).ok()).collect();
        let (flags, characters) = numbers.as_deref()?.split_first_chunk::<4>()?;
        let mut before = tcgetattr(&terminal).ok()?;
        let [input, output, control, local] = flags.map(|bits| bits.try_into().unwrap_or_default());
        before.input_flags = InputFlags::from_bits_retain(input);
        before.output_flags = OutputFlags::from_bits_retain(output);
        before.control_flags = ControlFlags::from_bits_retain(control);
        before.local_flags = LocalFlags::from_bits_retain(local);
        for (at, character) in before.control_chars.iter_mut().zip(characters) {
            *at = u8::try_from(*character).ok()?;
        }
        Some(Self { terminal, before })
    }
}

/// Returns whether two modes are the same. `==` compares what nix has read, too, which is not what it would set.
fn are_equal(one: &Termios, other: &Termios) -> bool {
    one.input_flags == other.input_flags
        && one.output_flags == other.output_flags
        && one.control_flags == other.control_flags
        && one.local_flags == other.local_flags
        && one.control_chars == other.control_chars
}

/// Resets what programs may have set on a terminal. One that was stopped (Ctrl-S) takes nothing, and is not waited for.
pub(crate) fn reset(terminal: impl AsFd) {
    let mut fds = [PollFd::new(terminal.as_fd(), PollFlags::POLLOUT)];
    if poll(&mut fds, PollTimeout::ZERO) == Ok(1) {
        // A terminal that is gone needs nothing.
        let _ = nix::unistd::write(&terminal, RESET_MODES);
    }
}

/// Opens the terminal of standard output once more, without blocking: the shell that shares the other descriptor must not
/// notice. What is no terminal is the same descriptor, which blocks.
///
/// # Errors
/// Standard output is closed, or no descriptor is left.
pub(crate) fn stdout_without_blocking() -> io::Result<OwnedFd> {
    let stdout = io::stdout();
    let again = if isatty(&stdout).unwrap_or(false) { reopened(&stdout) } else { None };
    again.map_or_else(|| stdout.as_fd().try_clone_to_owned(), Ok)
}

fn reopened(terminal: impl AsFd) -> Option<OwnedFd> {
    let flags = OFlag::O_WRONLY | OFlag::O_NONBLOCK | OFlag::O_NOCTTY | OFlag::O_CLOEXEC;
    let open = |path: &Path| open(path, flags, Mode::empty()).ok();
    // In a container the name may be missing.
    ttyname(terminal).ok().and_then(|name| open(&name)).or_else(|| open(Path::new("/dev/tty")))
}

/// Returns whether this terminal is pm's at present.
pub(crate) fn is_in_foreground(terminal: impl AsFd) -> bool {
    tcgetpgrp(terminal) == Ok(getpgrp())
}

/// Returns whether standard input and output are one and the same terminal.
pub(crate) fn stdin_is_that_of_stdout() -> bool {
    let (stdin, stdout) = (io::stdin(), io::stdout());
    let is_terminal = |fd: &dyn AsFd| isatty(fd.as_fd()).unwrap_or(false);
    let device = |fd: &dyn AsFd| fstat(fd.as_fd()).ok().map(|stat| stat.st_rdev);
    is_terminal(&stdin) && is_terminal(&stdout) && device(&stdin) == device(&stdout)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::os::pty;

    fn modes() -> (OwnedFd, OwnModes) {
        let (master, terminal) = pty::open_pair().unwrap();
        let before = tcgetattr(&terminal).unwrap();
        (master, OwnModes { terminal, before })
    }

    #[test]
    fn keys_come_one_at_a_time_without_echo_and_signals_stay() {
        let (_master, own) = modes();
        let keys = own.of(TypingMode::Keys);
        assert!(!keys.local_flags.intersects(LocalFlags::ICANON | LocalFlags::ECHO));
        assert!(keys.local_flags.contains(LocalFlags::ISIG));
        assert!(keys.input_flags == own.before.input_flags);
        assert!(!own.of(TypingMode::Raw).local_flags.contains(LocalFlags::ISIG));
        assert!(own.of(TypingMode::AsBefore) == own.before);
    }

    #[test]
    fn the_modes_of_a_dead_pm_are_undone_and_those_of_another_program_are_not() {
        let (_master, own) = modes();
        let now = || tcgetattr(&own.terminal).unwrap();
        for mode in [TypingMode::Keys, TypingMode::Raw] {
            tcsetattr(&own.terminal, SetArg::TCSANOW, &own.of(mode)).unwrap();
            own.restore_for_the_dead();
            assert!(now() == own.before, "{mode:?}");
            tcsetattr(&own.terminal, SetArg::TCSANOW, &own.of(mode)).unwrap();
            let (terminal, word) = own.to_word().unwrap();
            OwnModes::from_word(terminal, &word).unwrap().restore_for_the_dead();
            assert!(now() == own.before, "{mode:?}");
        }
        let mut other = own.of(TypingMode::Keys);
        other.local_flags.remove(LocalFlags::ISIG);
        tcsetattr(&own.terminal, SetArg::TCSANOW, &other).unwrap();
        own.restore_for_the_dead();
        assert!(now() == other);
    }

    #[test]
    fn a_word_that_is_none_is_not_taken_for_modes() {
        let (_master, own) = modes();
        for word in ["", "1:2:3", "x:1:2:3:4"] {
            assert!(OwnModes::from_word(own.terminal.try_clone().unwrap(), word).is_none());
        }
    }
}
