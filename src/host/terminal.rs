//! The width of the terminal.

/// Columns of the terminal that standard error, else standard output, is connected to; `None` without a terminal or when it does not say.
#[cfg(unix)]
#[expect(
    unsafe_code,
    reason = "the standard library does not know the width of a terminal"
)]
pub fn terminal_width() -> Option<u16> {
    [libc::STDERR_FILENO, libc::STDOUT_FILENO]
        .into_iter()
        .find_map(|stream| {
            // SAFETY: the structure is four integers, for which zero is a valid value.
            let mut size: libc::winsize = unsafe { std::mem::zeroed() };
            // SAFETY: this request writes one `winsize`, and `size` is one.
            let status = unsafe { libc::ioctl(stream, libc::TIOCGWINSZ, &raw mut size) };
            (status == 0 && size.ws_col > 0).then_some(size.ws_col)
        })
}

/// Columns of the terminal; not known on this system.
#[cfg(not(unix))]
pub fn terminal_width() -> Option<u16> {
    None
}
