//! File systems that do not report changes made elsewhere, such as NFS.

use std::path::Path;

/// Returns the name of the file system that a folder is on, where it tells nothing of what another machine, or the
/// host of this one, changes (statfs(2) has the numbers; inotify(7), "Limitations and caveats").
#[cfg(all(target_os = "linux", target_pointer_width = "64"))]
pub(super) fn that_tells_nothing(folder: &Path) -> Option<&'static str> {
    use nix::sys::statfs::{FsType, statfs};
    const DEAF: [(FsType, &str); 9] = [
        (FsType(0x6969), "nfs"),
        (FsType(0x517B), "smb"),
        (FsType(0xFF53_4D42), "cifs"),
        (FsType(0xFE53_4D42), "smb2"),
        (FsType(0x0102_1997), "9p"),
        (FsType(0x6573_5546), "fuse"),
        (FsType(0x6A65_6A62), "virtiofs"),
        (FsType(0x5346_414F), "afs"),
        (FsType(0x786F_4256), "vboxsf"),
    ];
    let found = statfs(folder).ok()?.filesystem_type();
    DEAF.iter().find(|(known, _)| *known == found).map(|(_, name)| *name)
}

/// Other systems tell of local changes alone, too, but nobody has measured which file systems do not.
#[cfg(not(all(target_os = "linux", target_pointer_width = "64")))]
pub(super) fn that_tells_nothing(_: &Path) -> Option<&'static str> {
    None
}
