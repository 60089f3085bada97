//! Writes at a place of a file, in room that was allocated before: a full disk is an error of a call and never a
//! signal, as it would be in mapped memory.

use std::fs::File;
use std::io::{self, IoSlice};

/// No write has more parts.
pub(super) const PARTS: usize = 5;

/// Writes all parts one after the other; with one call where the system has one.
#[cfg(all(target_os = "linux", not(pm_portable)))]
pub(super) fn write_at(
    file: &File,
    mut parts: &mut [IoSlice<'_>],
    mut offset: u64,
) -> io::Result<()> {
    use nix::errno::Errno;
    use nix::sys::uio::pwritev;

    IoSlice::advance_slices(&mut parts, 0);
    while !parts.is_empty() {
        let at = i64::try_from(offset).map_err(|_| io::ErrorKind::InvalidInput)?;
        match pwritev(file, parts, at) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => {
                offset += written as u64;
                IoSlice::advance_slices(&mut parts, written);
            }
            Err(Errno::EINTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// Writes all parts one after the other.
#[cfg(not(all(target_os = "linux", not(pm_portable))))]
pub(super) fn write_at(file: &File, parts: &mut [IoSlice<'_>], mut offset: u64) -> io::Result<()> {
    for part in parts {
        std::os::unix::fs::FileExt::write_all_at(file, part, offset)?;
        offset += part.len() as u64;
    }
    Ok(())
}

/// Makes sure that there is room on the disk for these bytes of the file, which hold nothing yet.
pub(super) fn allocate(file: &File, offset: u64, length: u64) -> io::Result<()> {
    #[cfg(all(target_os = "linux", not(pm_portable)))]
    {
        use nix::errno::Errno;
        use nix::fcntl::{FallocateFlags, fallocate};

        let signed = |number| i64::try_from(number).map_err(|_| io::ErrorKind::InvalidInput);
        match fallocate(file, FallocateFlags::empty(), signed(offset)?, signed(length)?) {
            Ok(()) => return Ok(()),
            // Some file systems cannot: what is written there has room.
            Err(Errno::EOPNOTSUPP | Errno::ENOSYS) => {}
            Err(error) => return Err(error.into()),
        }
    }
    let zeros = [0; 4096];
    let mut written = 0;
    while written < length {
        let part = usize::try_from(length - written).unwrap_or(zeros.len()).min(zeros.len());
        std::os::unix::fs::FileExt::write_all_at(file, &zeros[..part], offset + written)?;
        written += part as u64;
    }
    Ok(())
}
