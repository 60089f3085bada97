//! Memory that another process can map.

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;

use nix::fcntl::OFlag;
use nix::sys::mman::{shm_open, shm_unlink};
use nix::sys::stat::Mode;
use nix::unistd::Pid;

/// How many names are tried, if other processes use them.
const TRIES: u32 = 100;

/// Makes memory of this length, all zeroes, close-on-exec. It has a name for a moment.
pub(crate) fn create(length: usize) -> io::Result<OwnedFd> {
    let flags = OFlag::O_RDWR | OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_CLOEXEC;
    let mut made = Err(nix::errno::Errno::EEXIST);
    for number in 0..TRIES {
        let name = format!("/pm-{}.{number}", Pid::this());
        made = shm_open(name.as_str(), flags, Mode::S_IRUSR | Mode::S_IWUSR);
        match made {
            Ok(_) => {
                shm_unlink(name.as_str())?;
                break;
            }
            Err(nix::errno::Errno::EEXIST) => {}
            Err(_) => break,
        }
    }
    let memory = File::from(made?);
    memory.set_len(length as u64)?;
    Ok(memory.into())
}
