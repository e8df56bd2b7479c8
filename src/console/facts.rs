//! What is known about the terminal.

use std::collections::BTreeMap;

/// When colour is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ColorRule {
    /// On a terminal that can, unless `NO_COLOR` is set.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// Facts about the streams, found out by whoever starts the program.
#[expect(
    clippy::struct_excessive_bools,
    reason = "four facts that do not depend on each other"
)]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TerminalFacts {
    /// Standard output is a terminal.
    pub output_is_terminal: bool,
    /// Standard error is a terminal.
    pub error_is_terminal: bool,
    /// Columns; `None` when not known.
    pub width: Option<u16>,
    /// `NO_COLOR` is set and not empty.
    pub no_color: bool,
    /// `TERM` is `dumb`: no colour and no moving cursor.
    pub dumb: bool,
}

/// Columns assumed when the terminal does not say.
const DEFAULT_COLUMNS: u16 = 100;

impl TerminalFacts {
    /// The facts of this process' streams; `width` is what the system says.
    pub fn detect(env: &BTreeMap<String, String>, width: Option<u16>) -> Self {
        use std::io::IsTerminal as _;
        let set = |name: &str| env.get(name).is_some_and(|v| !v.is_empty());
        Self {
            output_is_terminal: std::io::stdout().is_terminal(),
            error_is_terminal: std::io::stderr().is_terminal(),
            width: width.or_else(|| env.get("COLUMNS")?.parse().ok().filter(|w| *w > 0)),
            no_color: set("NO_COLOR"),
            dumb: env.get("TERM").is_some_and(|term| term == "dumb"),
        }
    }

    /// Columns to lay text out for.
    pub fn columns(self) -> u16 {
        self.width.unwrap_or(DEFAULT_COLUMNS)
    }

    /// Whether a live block can be drawn.
    pub(super) fn can_draw(self) -> bool {
        self.error_is_terminal && !self.dumb
    }

    pub(super) fn colors_output(self, rule: ColorRule) -> bool {
        self.colors(rule, self.output_is_terminal)
    }

    pub(super) fn colors_error(self, rule: ColorRule) -> bool {
        self.colors(rule, self.error_is_terminal)
    }

    fn colors(self, rule: ColorRule, is_terminal: bool) -> bool {
        match rule {
            ColorRule::Always => true,
            ColorRule::Never => false,
            ColorRule::Auto => is_terminal && !self.no_color && !self.dumb,
        }
    }
}
