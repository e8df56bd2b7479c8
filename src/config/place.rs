//! A position in a text file, as compilers print it.

use std::fmt;

/// `path:line:column`, with the line for the message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Path as the user named it, or `built-in`.
    pub path: String,
    /// From 1.
    pub line: usize,
    /// From 1, in characters.
    pub column: usize,
    /// The line, without its end.
    pub text: String,
    /// How many characters the mark covers, at least 1.
    pub width: usize,
}

impl Place {
    /// The place of the bytes `start..end` of `text`. Offsets outside the text, or inside a character, are moved back to a valid one.
    pub(crate) fn at(path: &str, text: &str, start: usize, end: usize) -> Self {
        let start = floor_char_boundary(text, start);
        let end = floor_char_boundary(text, end).max(start);
        let line_start = text[..start].rfind('\n').map_or(0, |i| i + 1);
        let line_end = text[start..].find('\n').map_or(text.len(), |i| start + i);
        let width = text[start..end.min(line_end).max(start)].chars().count();
        Self {
            path: path.to_owned(),
            line: text[..line_start].matches('\n').count() + 1,
            column: text[line_start..start].chars().count() + 1,
            text: text[line_start..line_end].trim_end_matches('\r').to_owned(),
            width: width.max(1),
        }
    }

    /// The line and a mark under the place, each on a line of its own, beginning with a line break.
    ///
    /// Control characters are shown as `?` and long lines are cut around the mark, because the file is not trusted.
    pub fn excerpt(&self) -> String {
        const MOST: usize = 160;
        let skip = (self.column - 1).saturating_sub(MOST / 2);
        let shown: String = self
            .text
            .chars()
            .skip(skip)
            .take(MOST)
            .map(|c| match c {
                '\t' => ' ',
                c if c.is_control() => '?',
                c => c,
            })
            .collect();
        let before = self.column - 1 - skip;
        let width = self.width.min(MOST.saturating_sub(before)).max(1);
        format!(
            "\n  | {shown}\n  | {}{}",
            " ".repeat(before),
            "^".repeat(width)
        )
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.path, self.line, self.column)
    }
}

fn floor_char_boundary(text: &str, index: usize) -> usize {
    let mut index = index.min(text.len());
    while !text.is_char_boundary(index) {
        index -= 1;
    }
    index
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_counts_lines_and_characters() {
        let text = "a = 1\r\nb\u{e9}b = \"x\"\n";
        let place = Place::at("m.toml", text, text.find('"').unwrap(), text.len() - 1);
        assert_eq!(place.to_string(), "m.toml:2:7");
        assert_eq!(place.excerpt(), "\n  | b\u{e9}b = \"x\"\n  |       ^^^");
        let end = Place::at("m.toml", "a", 99, 120);
        assert_eq!((end.line, end.column, end.width), (1, 2, 1));
        let inside = Place::at("m.toml", "\u{e9}", 1, 1);
        assert_eq!((inside.line, inside.column), (1, 1));
    }

    #[test]
    fn an_excerpt_is_safe_and_short() {
        let text = format!("{}\u{1b}[31mX", "y".repeat(500));
        let place = Place::at("m.toml", &text, 500, 501);
        let shown = place.excerpt();
        assert!(!shown.contains('\u{1b}'));
        assert!(shown.chars().count() < 400);
        let mark = shown.lines().nth(2).unwrap().find('^').unwrap();
        assert_eq!(shown.lines().nth(1).unwrap().chars().nth(mark), Some('?'));
    }
}
