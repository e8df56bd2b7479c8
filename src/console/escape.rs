//! Text that a terminal shows and does not obey.

use std::borrow::Cow;
use std::fmt::Write as _;

/// The text with everything made visible that could move the cursor, change colours, hide or reorder what is shown: control characters
/// except line feed and tab, DEL, the C1 set, and the bidirectional controls U+202A to U+202E and U+2066 to U+2069. They become `\u{1b}`.
pub fn escape_terminal(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_active) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if is_active(c) {
            // Writing to a `String` cannot fail.
            let _ = write!(shown, "\\u{{{:x}}}", u32::from(c));
        } else {
            shown.push(c);
        }
    }
    Cow::Owned(shown)
}

/// Whether a terminal may obey this character instead of showing it.
fn is_active(c: char) -> bool {
    match c {
        '\n' | '\t' => false,
        // `is_control` is exactly C0, DEL and C1.
        c if c.is_control() => true,
        '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => true,
        _ => false,
    }
}

/// As [`escape_terminal`], on one line: line feeds and tabs become spaces.
pub(super) fn escape_line(text: &str) -> String {
    escape_terminal(text).replace(['\n', '\t'], " ")
}
