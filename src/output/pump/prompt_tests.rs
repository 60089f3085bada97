//! When a program may wait for what is typed.

use std::io::Write;

use nix::sys::termios::{SetArg, cfmakeraw, tcgetattr, tcsetattr};

use super::tests::{flush, pump, run_of};
use crate::output::message::{PumpCommand, PumpEvent, ScreenCommand};

#[test]
fn a_silent_terminal_may_ask_if_its_line_is_unfinished_or_its_program_edits_lines() {
    let (handle, _reader, news) = pump(3);
    handle.post(PumpCommand::AtTerminal(ScreenCommand::ReportPrompts));
    let mut slaves = [0, 1, 2].map(|process_type| {
        let terminal = nix::pty::openpty(None, None).unwrap();
        handle.post(PumpCommand::Open(run_of(process_type), terminal.master));
        std::fs::File::from(terminal.slave)
    });
    flush(&handle);
    let mut raw = tcgetattr(&slaves[1]).unwrap();
    cfmakeraw(&mut raw);
    tcsetattr(&slaves[1], SetArg::TCSANOW, &raw).unwrap();
    // What were told of the first would come first.
    for (slave, text) in slaves.iter_mut().zip(["a line\n", "a menu\r\n", "name? "]) {
        slave.write_all(text.as_bytes()).unwrap();
        if text != "a line\n" {
            let expected = if text == "name? " { 2 } else { 1 };
            assert_eq!(news.recv().unwrap(), PumpEvent::Prompted(run_of(expected)));
        }
    }
}
