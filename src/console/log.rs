//! Log lines on standard error.

use tracing::level_filters::LevelFilter;

/// How much is logged, and how it looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogSettings {
    /// From this level on.
    pub level: LevelFilter,
    /// One JSON object a line instead of text.
    pub json: bool,
    /// Colour in text.
    pub color: bool,
}

/// Sends log lines to standard error from now on. Has an effect once a process: a second call changes nothing.
pub fn init_log(settings: LogSettings) {
    let base = tracing_subscriber::fmt()
        .with_max_level(settings.level)
        .with_ansi(settings.color)
        .with_writer(std::io::stderr);
    // A second call finds the first one's settings in place, which is what it is documented to do.
    let _ = if settings.json {
        base.json().try_init().is_ok()
    } else {
        base.with_target(false).try_init().is_ok()
    };
}
