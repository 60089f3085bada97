//! The name of a process, as `ps` and `top` show it.

use std::ffi::CStr;
use std::fs;

/// Gives this process a name and arguments of its own. Only before there is a second thread.
pub(crate) fn set(name: &CStr) {
    // What cannot be named keeps its name.
    let _ = nix::sys::prctl::set_name(name);
    set_command_line(name.to_bytes());
}

/// Overwrites what `ps` shows as this process's arguments, so that `pkill -9 -f 'pm start'` finds pm and
/// not its guard. Only before there is a second thread.
fn set_command_line(name: &[u8]) {
    let Ok(stat) = fs::read("/proc/self/stat") else { return };
    let Some((start, length)) = arguments(&stat) else { return };
    let copied = name.len().min(length.saturating_sub(1));
    let start = std::ptr::with_exposed_provenance_mut::<u8>(start);
    // SAFETY: the kernel says that the arguments of this process lie there, on its own writable stack. No
    // other thread is there to read them, and no Rust code of this process holds a reference: std copies
    // the arguments that it hands out.
    #[expect(unsafe_code, reason = "the arguments have no other handle")]
    unsafe {
        std::ptr::write_bytes(start, 0, length);
        std::ptr::copy_nonoverlapping(name.as_ptr(), start, copied);
    }
}

/// Returns where the arguments lie and how long they are: fields 48 and 49 of the stat line.
fn arguments(stat: &[u8]) -> Option<(usize, usize)> {
    let rest = std::str::from_utf8(stat.get(memchr::memrchr(b')', stat)? + 2..)?).ok()?;
    // The first field here is the third of the line.
    let mut fields = rest.split_ascii_whitespace().skip(48 - 3);
    let start: usize = fields.next()?.parse().ok()?;
    let end: usize = fields.next()?.parse().ok()?;
    (start != 0 && end > start).then(|| (start, end - start))
}
