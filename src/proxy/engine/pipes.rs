//! Pipes that large bodies go through: one that is free, and those that hold what a slow reader has not taken.

use crate::os::pipe::SplicePipe;

/// So many connections have one at most; the bodies of others are copied. With 256 KiB in each they hold 4 MiB.
const MOST: usize = 16;

/// The pipes. Each that was taken is given back, also with bytes in it that nobody gets any more.
#[derive(Debug)]
pub(super) struct BodyPipes {
    /// It is made at the start: what is open does not depend on what has passed.
    spare: Option<SplicePipe>,
    taken: usize,
}

impl BodyPipes {
    /// Makes the first one; where the system has none, there is none.
    pub(super) fn new() -> Self {
        Self { spare: SplicePipe::new().ok(), taken: 0 }
    }

    /// Returns an empty one, if there is one to be had.
    pub(super) fn take(&mut self) -> Option<SplicePipe> {
        if self.taken == MOST {
            return None;
        }
        let pipe = self.spare.take().or_else(|| SplicePipe::new().ok())?;
        self.taken += 1;
        Some(pipe)
    }

    /// Takes one back. Only one is kept, and none with bytes in it.
    pub(super) fn give_back(&mut self, pipe: SplicePipe) {
        self.taken -= 1;
        if self.spare.is_none() {
            self.spare = if pipe.held() == 0 { Some(pipe) } else { SplicePipe::new().ok() };
        }
    }
}

#[cfg(all(test, target_os = "linux", not(pm_portable)))]
mod tests {
    use std::io::Write;
    use std::net::{TcpListener, TcpStream};

    use super::*;

    #[test]
    fn there_are_sixteen_and_none_that_holds_bytes_is_given_to_another() {
        let mut pipes = BodyPipes::new();
        let mut taken: Vec<SplicePipe> = std::iter::from_fn(|| pipes.take()).collect();
        assert_eq!(taken.len(), MOST);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut writer = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (reader, _) = listener.accept().unwrap();
        writer.write_all(b"of one connection").unwrap();
        assert_eq!(taken[0].fill(&reader, 6).unwrap(), 6);
        assert_eq!(taken[0].held(), 6);
        for pipe in taken.drain(..) {
            pipes.give_back(pipe);
        }
        assert_eq!(pipes.take().map(|pipe| pipe.held()), Some(0));
    }
}
