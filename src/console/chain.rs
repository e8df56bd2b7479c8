//! An error with its causes and its hint, as people see it.

use super::escape::escape_terminal;
use std::error::Error;
use std::fmt::Write as _;

const RED: &str = "\x1b[1;31m";
const CYAN: &str = "\x1b[36m";
const RESET: &str = "\x1b[0m";

/// Most causes shown; a longer chain is a loop.
const MAX_CAUSES: usize = 16;

/// The message, a line for each cause, and after a blank line the hint. Ends with a line feed. Text inside is escaped.
///
/// A cause that says no more than the line above it (a transparent wrapper, or a message that ends with its cause) is left out.
pub fn error_text(error: &dyn Error, hint: Option<&str>, color: bool) -> String {
    let (red, cyan, reset) = if color {
        (RED, CYAN, RESET)
    } else {
        ("", "", "")
    };
    let mut last = error.to_string();
    let mut text = format!("{red}error:{reset} {}\n", shown(&last));
    let mut cause_of = error;
    for _ in 0..MAX_CAUSES {
        let Some(cause) = cause_of.source() else {
            break;
        };
        cause_of = cause;
        let message = cause.to_string();
        if !last.ends_with(&message) {
            let _ = writeln!(text, "  caused by: {}", shown(&message));
        }
        last = message;
    }
    if let Some(hint) = hint {
        let _ = writeln!(text, "\n{cyan}hint:{reset} {}", shown(hint));
    }
    text
}

/// Escaped; the message keeps its own line breaks.
fn shown(message: &str) -> String {
    escape_terminal(message).into_owned()
}
