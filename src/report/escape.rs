//! Text of others, made harmless for each format.
//!
//! Model names, task ids, failure messages and price cards come from files anybody may have written. They never move the cursor, never
//! turn text around, never become markup, never become a formula.

use std::fmt::Write as _;

/// Whether a character changes how its surroundings look instead of being seen itself: controls, bidirectional marks and overrides,
/// zero-width characters, line and paragraph separators, tags, the byte-order mark.
fn is_invisible(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// For a terminal: invisible characters become `\u{..}`, so that nothing moves the cursor or turns text around.
pub fn terminal(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if is_invisible(c) {
            // Writing to a `String` cannot fail.
            let _ = write!(out, "\\u{{{:x}}}", u32::from(c));
        } else {
            out.push(c);
        }
    }
    out
}

/// For Markdown, in running text and in table cells: no emphasis, code, links, HTML, mentions or new cells.
pub(super) fn markdown(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in terminal(text).chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '@' => out.push_str("&#64;"),
            '|' | '`' | '*' | '_' | '[' | ']' | '#' | '\\' | '~' | '!' | '$' => {
                out.push('\\');
                out.push(c);
            }
            _ => out.push(c),
        }
    }
    out
}

/// For XML text and attribute values. Characters XML 1.0 does not allow, and invisible ones, become visible escapes.
pub(super) fn xml(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in terminal(text).chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&apos;"),
            '\u{fffe}' | '\u{ffff}' => out.push('\u{fffd}'),
            _ => out.push(c),
        }
    }
    out
}

/// For the message of a workflow command of a CI runner: it stays on its line and is not taken for an escape.
pub(super) fn workflow_data(text: &str) -> String {
    terminal(text)
        .replace('%', "%25")
        .replace('\r', "%0D")
        .replace('\n', "%0A")
}

/// For a property of a workflow command, which ends at a comma or at a colon.
pub(super) fn workflow_property(text: &str) -> String {
    workflow_data(text).replace(':', "%3A").replace(',', "%2C")
}

/// For a CSV cell that holds text: quoted where needed, and with a leading apostrophe where a spreadsheet would see a formula.
pub(super) fn csv(text: &str) -> String {
    let clean = terminal(text);
    let formula = clean.trim_start().starts_with([
        '=', '+', '-', '@', '\u{ff1d}', '\u{ff0b}', '\u{ff0d}', '\u{ff20}',
    ]);
    let guarded = if formula { format!("'{clean}") } else { clean };
    if guarded.contains(['"', ',', ';', '\'']) {
        format!("\"{}\"", guarded.replace('"', "\"\""))
    } else {
        guarded
    }
}

/// For a POSIX shell: plain words stay as they are, everything else is quoted. Invisible characters are escaped first, so that the
/// command shown is the command copied.
pub(super) fn shell(word: &str) -> String {
    let clean = terminal(word);
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-_./:=@%+,".contains(&b);
    if !clean.is_empty() && clean.bytes().all(plain) {
        clean
    } else {
        format!("'{}'", clean.replace('\'', "'\\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terminals_see_no_controls_and_no_turned_text() {
        assert_eq!(
            terminal("a\x1b[31mb\r\nc\u{9b}2J"),
            "a\\u{1b}[31mb\\u{d}\\u{a}c\\u{9b}2J"
        );
        assert_eq!(
            terminal("abc\u{202e}txt.exe\u{2066}\u{200b}"),
            "abc\\u{202e}txt.exe\\u{2066}\\u{200b}"
        );
        assert_eq!(terminal("Müller 模型 ✓"), "Müller 模型 ✓");
    }

    #[test]
    fn markdown_has_no_new_cells_code_or_html() {
        assert_eq!(
            markdown("a|b`c<script>*_[x](y)"),
            "a\\|b\\`c&lt;script&gt;\\*\\_\\[x\\](y)"
        );
        assert_eq!(markdown("@team #1\nnext"), "&#64;team \\#1\\\\u{a}next");
    }

    #[test]
    fn xml_is_well_formed() {
        assert_eq!(
            xml("<a b=\"c\">&'\0\u{ffff}"),
            "&lt;a b=&quot;c&quot;&gt;&amp;&apos;\\u{0}\u{fffd}"
        );
        assert_eq!(xml("]]>"), "]]&gt;");
    }

    #[test]
    fn workflow_commands_keep_to_their_line() {
        assert_eq!(
            workflow_data("100 %\r\n::error::x, y"),
            "100 %25\\u{d}\\u{a}::error::x, y"
        );
        assert_eq!(
            workflow_property("a: b, 5%::warning::"),
            "a%3A b%2C 5%25%3A%3Awarning%3A%3A"
        );
    }

    #[test]
    fn csv_cells_are_never_formulas() {
        for (text, cell) in [
            ("=HYPERLINK(\"x\")", "\"'=HYPERLINK(\"\"x\"\")\""),
            ("+1", "\"'+1\""),
            ("  -2+3", "\"'  -2+3\""),
            ("@SUM(A1)", "\"'@SUM(A1)\""),
            ("\t=1", "\\u{9}=1"),
            ("\u{ff1d}1", "\"'\u{ff1d}1\""),
            ("plain", "plain"),
            ("a,b", "\"a,b\""),
            ("a\nb", "a\\u{a}b"),
        ] {
            assert_eq!(csv(text), cell);
        }
    }

    #[test]
    fn commands_can_be_copied() {
        assert_eq!(shell("0197k3:qwen2.5-7b"), "0197k3:qwen2.5-7b");
        assert_eq!(shell("a b"), "'a b'");
        assert_eq!(shell("it's; rm"), "'it'\\''s; rm'");
        assert_eq!(shell(""), "''");
    }
}
