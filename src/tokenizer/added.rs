//! The added tokens of a `tokenizer.json`, found in a text.
//!
//! In: the tokens with their flags. Out: where they stand. The `tokenizers` crate finds them too, but it can leave control tokens out only after
//! one of them has taken the place of another token; here a token that may not stand somewhere is as if it did not exist.
//!
//! Source: the crate's rules. From left to right the longest token wins; `single_word` drops a match that letters touch, together with its text;
//! `lstrip` and `rstrip` take the white space beside the match.

use regex::Regex;
use std::collections::HashMap;

/// One added token.
#[derive(Debug, Clone)]
#[expect(clippy::struct_excessive_bools, reason = "the file has these flags")]
pub(super) struct AddedToken {
    pub(super) id: u32,
    /// Its text as the file writes it.
    pub(super) content: Box<str>,
    pub(super) control: bool,
    pub(super) single_word: bool,
    pub(super) lstrip: bool,
    pub(super) rstrip: bool,
}

/// A stretch of a text in bytes, with the id of the token it is.
pub(super) type Stretch = (Option<u32>, (usize, usize));

/// Tokens by the text that stands for them.
pub(super) struct AddedTokens {
    by_text: HashMap<Box<str>, AddedToken>,
    /// Lengths of the texts that begin with a byte, longest first.
    lengths: Vec<Vec<usize>>,
    letter_first: Regex,
    letter_last: Regex,
}

impl AddedTokens {
    /// Tokens with the text to look for, which a normalizer may have changed.
    pub(super) fn new(tokens: impl IntoIterator<Item = (String, AddedToken)>) -> Self {
        let mut added = Self {
            by_text: HashMap::new(),
            lengths: vec![Vec::new(); 256],
            letter_first: Regex::new(r"^\w").expect("a constant"),
            letter_last: Regex::new(r"\w$").expect("a constant"),
        };
        for (text, token) in tokens {
            let Some(&first) = text.as_bytes().first() else {
                continue;
            };
            let lengths = &mut added.lengths[usize::from(first)];
            if let Err(place) = lengths.binary_search_by(|l| text.len().cmp(l)) {
                lengths.insert(place, text.len());
            }
            added.by_text.insert(text.into(), token);
        }
        added
    }

    /// Cuts `text` into tokens and what is between them. `may` decides whether a token may stand at these bytes.
    pub(super) fn cut(
        &self,
        text: &str,
        may: impl Fn(&AddedToken, usize, usize) -> bool,
    ) -> Vec<Stretch> {
        let mut stretches = Vec::new();
        let mut done = 0;
        let mut at = 0;
        while at < text.len() {
            let Some((token, length)) = self.longest(text, at, &may) else {
                at += text[at..].chars().next().map_or(1, char::len_utf8);
                continue;
            };
            let (mut start, mut end) = (at, at + length);
            at = end;
            if token.single_word && self.touches_letters(text, start, end) {
                continue;
            }
            if token.lstrip {
                start = text[..start].trim_end().len().max(done);
            }
            if token.rstrip {
                end = text.len() - text[end..].trim_start().len();
            }
            if done < start {
                stretches.push((None, (done, start)));
            }
            stretches.push((Some(token.id), (start, end)));
            done = end;
        }
        if done < text.len() {
            stretches.push((None, (done, text.len())));
        }
        stretches
    }

    fn longest(
        &self,
        text: &str,
        at: usize,
        may: &impl Fn(&AddedToken, usize, usize) -> bool,
    ) -> Option<(&AddedToken, usize)> {
        let lengths = self.lengths.get(usize::from(text.as_bytes()[at]))?;
        lengths.iter().find_map(|&length| {
            let token = self.by_text.get(text.get(at..at + length)?)?;
            (!token.control || may(token, at, at + length)).then_some((token, length))
        })
    }

    fn touches_letters(&self, text: &str, start: usize, end: usize) -> bool {
        let last = text[..start].char_indices().next_back();
        let before = last.is_some_and(|(i, _)| self.letter_last.is_match(&text[i..start]));
        before || self.letter_first.is_match(&text[end..])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(id: u32, content: &str) -> AddedToken {
        AddedToken {
            id,
            content: content.into(),
            control: false,
            single_word: false,
            lstrip: false,
            rstrip: false,
        }
    }

    fn tokens() -> AddedTokens {
        let control = AddedToken {
            control: true,
            ..token(1, "<a>")
        };
        let word = AddedToken {
            single_word: true,
            ..token(3, "ha")
        };
        let greedy = AddedToken {
            lstrip: true,
            rstrip: true,
            ..token(4, "|")
        };
        let all = [control, token(2, "<a"), word, greedy, token(5, "  ")];
        AddedTokens::new(all.map(|t| (t.content.to_string(), t)))
    }

    fn ids(text: &str, control: bool) -> Vec<(Option<u32>, &str)> {
        let stretches = tokens().cut(text, |_, _, _| control);
        stretches
            .into_iter()
            .map(|(id, (start, end))| (id, &text[start..end]))
            .collect()
    }

    #[test]
    fn a_control_token_that_may_not_stand_hides_no_other() {
        assert_eq!(ids("<a>", true), [(Some(1), "<a>")]);
        assert_eq!(ids("<a>", false), [(Some(2), "<a"), (None, ">")]);
        assert!(ids("", true).is_empty());
    }

    #[test]
    fn flags_are_the_crate_s() {
        assert_eq!(
            ids("ha aha ha.", false),
            [
                (Some(3), "ha"),
                (None, " aha "),
                (Some(3), "ha"),
                (None, ".")
            ]
        );
        assert_eq!(
            ids("é \n| \tb", false),
            [(None, "é"), (Some(4), " \n| \t"), (None, "b")]
        );
        // The white space before belongs to the token that took it first, and one found inside what was taken stands a second time.
        assert_eq!(
            ids("|  |", false),
            [(Some(4), "|  "), (Some(5), "  "), (Some(4), "|")]
        );
    }
}
