//! A text with its name and its lines: turns byte offsets into places.

use super::{Place, Problem, SuiteError};
use std::ops::Range;
use std::sync::Arc;

/// Characters of a line that an error shows.
const EXCERPT_CHARS: usize = 120;

/// A text that is being parsed.
#[derive(Debug)]
pub(crate) struct Source<'t> {
    path: Arc<str>,
    text: &'t str,
    starts: Vec<usize>,
}

impl<'t> Source<'t> {
    pub(crate) fn new(path: &str, text: &'t str) -> Self {
        let breaks = text.match_indices('\n').map(|(at, _)| at + 1);
        Self {
            path: Arc::from(path),
            text,
            starts: std::iter::once(0).chain(breaks).collect(),
        }
    }

    pub(crate) fn path(&self) -> Arc<str> {
        Arc::clone(&self.path)
    }

    /// Line and column (both from 1) of a byte offset.
    pub(crate) fn position(&self, offset: usize) -> (u32, u32) {
        let (line, start) = self.line_of(offset);
        let column = self.text[start..]
            .char_indices()
            .take_while(|(at, _)| start + at < offset);
        (line as u32 + 1, column.count() as u32 + 1)
    }

    /// The line (from 1) of a byte offset.
    pub(crate) fn line(&self, offset: usize) -> u32 {
        self.line_of(offset).0 as u32 + 1
    }

    fn line_of(&self, offset: usize) -> (usize, usize) {
        let line = self.starts.partition_point(|&start| start <= offset).max(1) - 1;
        (line, self.starts[line])
    }

    /// The place of a byte range, with its line.
    pub(crate) fn place(&self, span: &Range<usize>) -> Place {
        let (line, column) = self.position(span.start);
        let text = self.text[self.starts[line as usize - 1]..]
            .lines()
            .next()
            .unwrap_or("");
        let at = column as usize - 1;
        let skip = at.saturating_sub(EXCERPT_CHARS * 2 / 3);
        let shown: String = text
            .chars()
            .skip(skip)
            .take(EXCERPT_CHARS)
            .map(|c| if c.is_control() { ' ' } else { c })
            .collect();
        let excerpt = if skip > 0 {
            format!("...{shown}")
        } else {
            shown
        };
        let caret = at - skip + if skip > 0 { 3 } else { 0 };
        Place {
            path: self.path.to_string(),
            line,
            column,
            excerpt,
            caret,
        }
    }

    /// An error at a byte range.
    pub(crate) fn fail(&self, span: &Range<usize>, problem: Problem) -> SuiteError {
        SuiteError::Invalid {
            place: Box::new(self.place(span)),
            problem: Box::new(problem),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_become_places() {
        let source = Source::new("a.toml", "one\nzwölf = 3\n\nlast");
        assert_eq!(source.position(0), (1, 1));
        assert_eq!(source.position(4), (2, 1));
        assert_eq!(source.position(11), (2, 7));
        assert_eq!(source.position(15), (3, 1));
        assert_eq!(source.position(20), (4, 5));
        assert_eq!(source.place(&(11..12)).excerpt, "zwölf = 3");
        let long = format!("{}!{}", "x".repeat(300), "y".repeat(300));
        let place = Source::new("b.toml", &long).place(&(300..301));
        assert_eq!(place.excerpt.chars().nth(place.caret), Some('!'));
        assert!(place.excerpt.chars().count() < 130);
    }
}
