//! Finding tokens that are matched as a whole before the rest of a text is encoded.
//!
//! User-defined tokens are always matched, control tokens only when asked for. At every position the longest token wins, and positions go
//! from left to right.

use std::collections::{BTreeMap, HashMap};

/// Where in a text control tokens count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Control<'m> {
    /// Nowhere: the text is data.
    Nowhere,
    /// Everywhere.
    Everywhere,
    /// Everywhere but across these places, byte offsets in ascending order: there a message wrote what looks like one.
    NotAcross(&'m [usize]),
}

impl Control<'_> {
    /// True when a control token may stand at these bytes.
    pub(super) fn at(self, start: usize, end: usize) -> bool {
        match self {
            Self::Nowhere => false,
            Self::Everywhere => true,
            Self::NotAcross(places) => {
                let next = places.partition_point(|&place| place <= start);
                places.get(next).is_none_or(|&place| place >= end)
            }
        }
    }
}

/// Takes the marks out of a text; their places in what is left.
pub(super) fn unmark(marked: &str, mark: char) -> (String, Vec<usize>) {
    let mut text = String::with_capacity(marked.len());
    let mut places = Vec::new();
    for (part, between) in marked.split(mark).enumerate() {
        if part > 0 {
            places.push(text.len());
        }
        text.push_str(between);
    }
    (text, places)
}

/// A part of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fragment<'t> {
    /// Text between tokens; never empty.
    Text(&'t str),
    /// A token matched as a whole.
    Token(u32),
}

/// A token that is matched as a whole.
#[derive(Debug, Clone, Copy)]
pub(super) struct SpecialToken {
    pub(super) id: u32,
    pub(super) control: bool,
    /// White space behind it belongs to it.
    pub(super) rstrip: bool,
}

#[derive(Default)]
pub(super) struct SpecialTokens {
    by_text: HashMap<Box<str>, SpecialToken>,
    /// Lengths of the texts that begin with a byte, longest first.
    lengths: Vec<Vec<usize>>,
    /// Texts of control tokens, sorted.
    control: Vec<Box<str>>,
}

impl SpecialTokens {
    pub(super) fn new<'t>(tokens: impl IntoIterator<Item = (&'t str, SpecialToken)>) -> Self {
        let mut special = Self {
            by_text: HashMap::new(),
            lengths: vec![Vec::new(); 256],
            control: Vec::new(),
        };
        for (text, token) in tokens {
            let Some(&first) = text.as_bytes().first() else {
                continue;
            };
            let lengths = &mut special.lengths[usize::from(first)];
            if let Err(place) = lengths.binary_search_by(|l| text.len().cmp(l)) {
                lengths.insert(place, text.len());
            }
            special.by_text.insert(text.into(), token);
            if token.control {
                special.control.push(text.into());
            }
        }
        special.control.sort_unstable();
        special
    }

    /// Texts by id.
    pub(super) fn texts_by_id(&self) -> BTreeMap<u32, &str> {
        let texts = self.by_text.iter().map(|(text, token)| (token.id, &**text));
        texts.collect()
    }

    /// The longest token at a place of `text`, with its length.
    fn at(&self, text: &str, at: usize, control: Control<'_>) -> Option<(SpecialToken, usize)> {
        let rest = &text[at..];
        let lengths = self.lengths.get(usize::from(*rest.as_bytes().first()?))?;
        lengths.iter().find_map(|&length| {
            let &token = self.by_text.get(rest.get(..length)?)?;
            (!token.control || control.at(at, at + length)).then_some((token, length))
        })
    }

    /// Cuts `text` at its tokens.
    pub(super) fn partition<'t>(&self, text: &'t str, control: Control<'_>) -> Vec<Fragment<'t>> {
        let mut fragments = Vec::new();
        let mut plain = 0;
        let mut at = 0;
        while at < text.len() {
            if let Some((token, length)) = self.at(text, at, control) {
                if plain < at {
                    fragments.push(Fragment::Text(&text[plain..at]));
                }
                fragments.push(Fragment::Token(token.id));
                at += length;
                if token.rstrip {
                    let spaces = |b: &&u8| b.is_ascii_whitespace() || **b == 0x0b;
                    at += text.as_bytes()[at..].iter().take_while(spaces).count();
                }
                plain = at;
            } else {
                at += text[at..].chars().next().map_or(1, char::len_utf8);
            }
        }
        if plain < text.len() {
            fragments.push(Fragment::Text(&text[plain..]));
        }
        fragments
    }

    /// Puts `mark` behind the first character of everything in `content` that could become a control token: whole texts of control tokens
    /// and an end that another text could complete to one.
    pub(super) fn disarm(&self, content: &str, mark: char) -> String {
        let mut out = String::with_capacity(content.len());
        for (at, c) in content.char_indices() {
            out.push(c);
            if self.begins_control(&content[at..]) {
                out.push(mark);
            }
        }
        out
    }

    /// True when `rest` begins with a control token or is the beginning of one.
    fn begins_control(&self, rest: &str) -> bool {
        let Some(lengths) = rest
            .as_bytes()
            .first()
            .and_then(|&b| self.lengths.get(usize::from(b)))
        else {
            return false;
        };
        let whole = |&length: &usize| {
            let found = rest.get(..length).and_then(|text| self.by_text.get(text));
            found.is_some_and(|token| token.control)
        };
        // The end of a content is short; only there a beginning counts.
        let longest = lengths.first().copied().unwrap_or(0);
        lengths.iter().any(whole) || (rest.len() < longest && self.is_start_of_control(rest))
    }

    fn is_start_of_control(&self, rest: &str) -> bool {
        let place = self.control.partition_point(|text| &**text < rest);
        self.control
            .get(place)
            .is_some_and(|text| text.starts_with(rest))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens() -> SpecialTokens {
        let token = |(text, id, control)| {
            (
                text,
                SpecialToken {
                    id,
                    control,
                    rstrip: false,
                },
            )
        };
        let tokens = [
            ("<a>", 1, true),
            ("<a>b", 2, false),
            ("\n\n", 3, false),
            ("\n", 4, false),
            ("<ä|>", 5, true),
        ];
        SpecialTokens::new(tokens.map(token))
    }

    #[test]
    fn the_longest_token_wins_and_control_tokens_need_asking() {
        use Fragment::{Text, Token};
        let t = tokens();
        assert_eq!(
            t.partition("x<a>b\n\n\ny<a>", Control::Nowhere),
            [Text("x"), Token(2), Token(3), Token(4), Text("y<a>")]
        );
        assert_eq!(
            t.partition("<a><a>bé<ä|>", Control::Everywhere),
            [Token(1), Token(2), Text("é"), Token(5)]
        );
        assert!(t.partition("", Control::Everywhere).is_empty());
        assert_eq!(
            SpecialTokens::new([]).partition("<a>", Control::Everywhere),
            [Text("<a>")]
        );
    }

    #[test]
    fn white_space_behind_a_token_may_belong_to_it() {
        let token = |rstrip| SpecialToken {
            id: 1,
            control: true,
            rstrip,
        };
        let cut = |rstrip| {
            SpecialTokens::new([("<u>", token(rstrip))])
                .partition("<u>\n\u{b} a", Control::Everywhere)
        };
        assert_eq!(cut(true), [Fragment::Token(1), Fragment::Text("a")]);
        assert_eq!(
            cut(false),
            [Fragment::Token(1), Fragment::Text("\n\u{b} a")]
        );
    }

    #[test]
    fn marks_keep_control_tokens_from_matching_and_nothing_else() {
        use Fragment::{Text, Token};
        let (text, places) = unmark("<#a>b<a>#\n#\n<a#>", '#');
        assert_eq!(
            (text.as_str(), places.as_slice()),
            ("<a>b<a>\n\n<a>", &[1, 7, 8, 11][..])
        );
        assert_eq!(
            tokens().partition(&text, Control::NotAcross(&places)),
            [Token(2), Token(1), Token(3), Text("<a>")]
        );
    }

    #[test]
    fn disarmed_text_holds_no_control_token_and_completes_to_none() {
        let t = tokens();
        assert_eq!(t.disarm("no <b> here\n", '#'), "no <b> here\n");
        assert_eq!(t.disarm("x<a>y", '#'), "x<#a>y");
        assert_eq!(t.disarm("x <ä", '#'), "x <#ä");
        assert_eq!(t.disarm("1 <", '#'), "1 <#");
    }
}
