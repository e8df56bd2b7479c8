//! Text normalisation and matching on whole words.
//!
//! Folding: typographic quotes and dashes become plain ones, invisible characters vanish, Markdown emphasis vanishes, white space runs
//! become one blank. Folding is idempotent. Lower case is applied before, where case is ignored.

use super::numbers;
use std::ops::Range;

/// A folded text and where its numbers stand.
#[derive(Debug)]
pub(crate) struct Text {
    pub(crate) text: String,
    numbers: Vec<Range<usize>>,
}

impl Text {
    /// As written, apart from folding.
    pub(crate) fn folded(raw: &str) -> Self {
        Self::new(fold(raw))
    }

    /// In lower case.
    pub(crate) fn lower(raw: &str) -> Self {
        Self::new(fold(&raw.to_lowercase()))
    }

    /// In lower case with numbers in one spelling: `1,249.50` is `1249.5`, `12 percent` is `12%`.
    pub(crate) fn numeric(raw: &str) -> Self {
        let marks = fold_marks(&raw.to_lowercase());
        Self::new(fold_spaces(&numbers::canonical(&marks)))
    }

    fn new(text: String) -> Self {
        let numbers = numbers::scan(&text)
            .map(|n| n.digits)
            .filter(|d| d.len() > 1)
            .collect();
        Self { text, numbers }
    }

    /// Whether `value` (folded the same way) appears on whole words. A number is one word: `140` is not in `1,140` nor in `140.5`.
    pub(crate) fn contains(&self, value: &str) -> bool {
        self.find(value, 0).is_some()
    }

    /// The first appearance on whole words at or after `from`.
    pub(crate) fn find(&self, value: &str, from: usize) -> Option<Range<usize>> {
        let (first, last) = (value.chars().next()?, value.chars().next_back()?);
        let mut from = from;
        while let Some(at) = self.text.get(from..)?.find(value) {
            let found = from + at..from + at + value.len();
            let before = self.text[..found.start].chars().next_back();
            let after = self.text[found.end..].chars().next();
            let cut = |edge: char, beyond: Option<char>, at: usize| {
                edge.is_alphanumeric() && beyond.is_some_and(char::is_alphanumeric)
                    || edge.is_ascii_digit() && self.inside_number(at)
            };
            if !cut(first, before, found.start) && !cut(last, after, found.end) {
                return Some(found);
            }
            from = found.start + first.len_utf8();
        }
        None
    }

    /// Whether a byte offset lies strictly inside a number.
    fn inside_number(&self, at: usize) -> bool {
        let next = self.numbers.partition_point(|n| n.start < at);
        next > 0 && at < self.numbers[next - 1].end
    }
}

/// Folds marks and white space.
pub(crate) fn fold(text: &str) -> String {
    fold_spaces(&fold_marks(text))
}

/// White space runs become one blank; none at the ends.
fn fold_spaces(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for word in text.split_whitespace() {
        if !out.is_empty() {
            out.push(' ');
        }
        out.push_str(word);
    }
    out
}

/// Quotes, dashes, invisible characters, emphasis. White space stays as it is.
pub(crate) fn fold_marks(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\u{2018}'..='\u{201b}' | '\u{2032}' | '\u{2039}' | '\u{203a}' => out.push('\''),
            '\u{201c}'..='\u{201f}' | '\u{2033}' | '\u{ab}' | '\u{bb}' => out.push('"'),
            '\u{2010}'..='\u{2015}' | '\u{2212}' | '\u{fe58}' | '\u{fe63}' | '\u{ff0d}' => {
                out.push('-');
            }
            '\u{2026}' => out.push_str("..."),
            '\u{ff05}' => out.push('%'),
            '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2060}' | '\u{feff}' => {}
            c if c.is_control() && !c.is_whitespace() => out.push(' '),
            c => out.push(c),
        }
    }
    drop_emphasis(&out)
}

/// Removes runs of `*`, `_` and backticks that touch a word on one side only. `3 * 20`, `3*20`, `order_number` and `* item` stay.
fn drop_emphasis(text: &str) -> String {
    let mark = |c: char| matches!(c, '*' | '_' | '`');
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find(mark) {
        let (head, tail) = rest.split_at(start);
        out.push_str(head);
        let end = tail.find(|c| !mark(c)).unwrap_or(tail.len());
        let (run, after) = tail.split_at(end);
        let before = out.chars().next_back();
        let next = after.chars().next();
        let blank = |c: Option<char>| c.is_none_or(char::is_whitespace);
        let word = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
        if (blank(before) && blank(next)) || (word(before) && word(next)) {
            out.push_str(run);
        }
        rest = after;
    }
    out.push_str(rest);
    out
}

/// At most `limit` characters of `text` on one line, for people.
pub(crate) fn shorten(text: &str, limit: usize) -> String {
    let mut short: String = text
        .trim()
        .chars()
        .take(limit)
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    if text.trim().chars().nth(limit).is_some() {
        short.push_str("...");
    }
    short
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn marks_are_folded() {
        for (raw, folded) in [
            ("  two\n\t words ", "two words"),
            (
                "\u{201c}Yes\u{201d} \u{2013} it\u{2019}s fine\u{2026}",
                "\"Yes\" - it's fine...",
            ),
            ("1\u{a0}249\u{202f}000", "1 249 000"),
            ("**not** in *the* __policy__ `x`", "not in the policy x"),
            ("**12** %", "12 %"),
            (
                "3 * 20 = 3*20, order_number, __init",
                "3 * 20 = 3*20, order_number, init",
            ),
            ("* item\n- item", "* item - item"),
            ("a\u{200b}b\u{0}c\u{ad}d", "ab cd"),
            ("***", "***"),
            ("", ""),
        ] {
            assert_eq!(fold(raw), folded, "{raw:?}");
        }
    }

    #[test]
    fn words_are_whole() {
        for (text, value, found) in [
            ("the sales team", "sales", true),
            ("wholesales", "sales", false),
            ("salesy", "sales", false),
            ("sales_team", "sales", true),
            ("140 EUR", "140", true),
            ("1,140 EUR", "140", false),
            ("140.50 EUR", "140", false),
            ("It is 140.", "140", true),
            ("2026-05-14", "14", true),
            ("version 1.2.3", "1.2", true),
            ("v1.2.3", "1.2", false),
            ("$5", "$5", true),
            ("US$5", "$5", true),
            ("xa a a", "a a", true),
            ("12%", "%", true),
            ("caf\u{e9}s caf\u{e9}", "caf\u{e9}", true),
            ("", "a", false),
            ("a", "", false),
        ] {
            assert_eq!(
                Text::folded(text).contains(value),
                found,
                "{value:?} in {text:?}"
            );
        }
    }

    #[test]
    fn numbers_have_one_spelling() {
        for (raw, numeric) in [
            ("1,249.50 EUR", "1249.5 eur"),
            (
                "12 %, 12 percent, 12 per cent, **12** %",
                "12%, 12%, 12%, 12%",
            ),
            ("Version 1.2.3 of 14.05.2026", "version 1.2.3 of 14.05.2026"),
            ("007 and 60.00", "007 and 60"),
            ("1\u{a0}249,50", "1249.5"),
            ("$1,000,000", "$1000000"),
            ("Q3 has 3rd place", "q3 has 3rd place"),
        ] {
            assert_eq!(Text::numeric(raw).text, numeric, "{raw:?}");
        }
    }

    proptest! {
        #[test]
        fn folding_is_idempotent(raw in "[a-zA-Z0-9 *_`.,%$\u{2019}\u{201c}\u{2013}\u{a0}\u{200b}\u{0}\n\u{130}\u{df}\u{3a3}-]{0,60}", any in ".{0,40}") {
            for text in [raw, any] {
                let once = fold(&text);
                prop_assert_eq!(&fold(&once), &once);
                let lower = Text::lower(&text).text;
                prop_assert_eq!(&Text::lower(&lower).text, &lower);
                let numeric = Text::numeric(&text).text;
                prop_assert_eq!(&Text::numeric(&numeric).text, &numeric);
            }
        }
    }
}
