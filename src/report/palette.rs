//! Colours of a terminal report. They add, they never carry.

/// Escape sequences put around text; all empty without colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Palette {
    /// Headings and questions.
    pub strong: &'static str,
    /// Less important text: heads of columns, footnotes.
    pub dim: &'static str,
    /// What to beware of.
    pub bad: &'static str,
    /// Back to normal.
    pub reset: &'static str,
}

impl Palette {
    /// No colours: for pipes, files and `NO_COLOR`.
    pub const PLAIN: Self = Self {
        strong: "",
        dim: "",
        bad: "",
        reset: "",
    };

    /// The 8 standard colours, which follow the reader's theme.
    pub const ANSI: Self = Self {
        strong: "\x1b[1m",
        dim: "\x1b[2m",
        bad: "\x1b[31m",
        reset: "\x1b[0m",
    };

    /// `text` in `style`, unchanged without colours.
    pub(super) fn paint(self, style: &str, text: &str) -> String {
        if style.is_empty() || text.is_empty() {
            text.to_owned()
        } else {
            format!("{style}{text}{}", self.reset)
        }
    }
}
