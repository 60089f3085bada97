//! What a forked copy of pm does that executes no program.

/// Ends the copy without pm's own cleaning up.
pub(in crate::os) fn exit(code: i32) -> ! {
    // SAFETY: _exit(2) ends this process; nothing of it is used again.
    #[expect(unsafe_code, reason = "the copy must not run pm's exit handlers")]
    unsafe {
        nix::libc::_exit(code)
    }
}
