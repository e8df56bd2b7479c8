//! SentencePiece unigram: of all ways to write a text in pieces the one with the highest sum of scores.
//!
//! In: a vocabulary with scores, the rules for changing characters. Out: ids. Adjacent unknown characters give one unknown token.
//!
//! Source: the Viterbi search and the normalizer as llama.cpp documents them for `t5` vocabularies. Of equal sums the one whose last piece begins
//! first is kept. A user-defined token has the score 0, an unknown character the lowest score of an ordinary piece minus 10.

use super::TokenizerError;
use super::charsmap::Charsmap;
use super::spm::SPACE;
use super::vocabulary::{TokenKind, Vocabulary};
use std::collections::HashMap;

/// What an unknown character costs beyond the worst piece.
const UNKNOWN_PENALTY: f64 = 10.0;

pub(super) struct Unigram {
    /// Nodes of a trie over bytes: the child of a node by a byte. Node 0 is the root.
    children: HashMap<(u32, u8), u32>,
    /// Id and score of the piece that ends at a node.
    pieces: Vec<Option<(u32, f64)>>,
    unknown: u32,
    unknown_score: f64,
    charsmap: Option<Charsmap>,
    space_prefix: bool,
    /// Runs of spaces are one space, and there is none at either end.
    merge_spaces: bool,
}

/// The best way to write the text up to a place.
#[derive(Clone, Copy)]
struct Best {
    id: u32,
    start: usize,
    sum: f64,
}

impl Unigram {
    pub(super) fn new(
        vocabulary: &Vocabulary<'_>,
        scores: &[f32],
        unknown: u32,
        charsmap: Option<Charsmap>,
        [space_prefix, merge_spaces]: [bool; 2],
    ) -> Self {
        let mut model = Self {
            children: HashMap::new(),
            pieces: vec![None],
            unknown,
            unknown_score: 0.0,
            charsmap,
            space_prefix,
            merge_spaces,
        };
        let mut lowest = f64::INFINITY;
        let all = vocabulary.pieces.iter().zip(&vocabulary.kinds).zip(scores);
        for (id, ((piece, kind), &score)) in (0_u32..).zip(all) {
            match kind {
                TokenKind::Normal | TokenKind::Unused => {
                    if *kind == TokenKind::Normal {
                        lowest = lowest.min(f64::from(score));
                    }
                    model.insert(piece, id, f64::from(score));
                }
                TokenKind::UserDefined => model.insert(piece, id, 0.0),
                TokenKind::Unknown | TokenKind::Control | TokenKind::Byte => {}
            }
        }
        model.unknown_score = lowest.min(f64::from(f32::MAX)) - UNKNOWN_PENALTY;
        model
    }

    fn insert(&mut self, piece: &str, id: u32, score: f64) {
        let mut node = 0;
        for &byte in piece.as_bytes() {
            let next = self.pieces.len() as u32;
            node = *self.children.entry((node, byte)).or_insert(next);
            if node == next {
                self.pieces.push(None);
            }
        }
        if !piece.is_empty() {
            self.pieces[node as usize] = Some((id, score));
        }
    }

    /// Appends the ids of `text`, in which no token is matched as a whole.
    pub(super) fn encode(&self, text: &str, ids: &mut Vec<u32>) -> Result<(), TokenizerError> {
        let text = self.normalized(text)?;
        let mut best: Vec<Option<Best>> = vec![None; text.len() + 1];
        best[0] = Some(Best {
            id: self.unknown,
            start: 0,
            sum: 0.0,
        });
        for (start, c) in text.char_indices() {
            let Some(before) = best[start] else { continue };
            let mut offer = |end: usize, id: u32, score: f64| {
                let sum = before.sum + score;
                if best[end].is_none_or(|held| sum > held.sum) {
                    best[end] = Some(Best { id, start, sum });
                }
            };
            let mut node = 0;
            let mut single = false;
            for (length, &byte) in (1..).zip(&text.as_bytes()[start..]) {
                let Some(&next) = self.children.get(&(node, byte)) else {
                    break;
                };
                node = next;
                if let Some((id, score)) = self.pieces[node as usize] {
                    single |= length == c.len_utf8();
                    offer(start + length, id, score);
                }
            }
            if !single {
                offer(start + c.len_utf8(), self.unknown, self.unknown_score);
            }
        }
        self.walk_back(&best, ids);
        Ok(())
    }

    fn walk_back(&self, best: &[Option<Best>], ids: &mut Vec<u32>) {
        let begin = ids.len();
        let mut end = best.len() - 1;
        while let Some(step) = best[end].filter(|_| end > 0) {
            let repeated =
                step.id == self.unknown && ids.len() > begin && ids.last() == Some(&self.unknown);
            if !repeated {
                ids.push(step.id);
            }
            end = step.start;
        }
        ids[begin..].reverse();
    }

    fn normalized(&self, text: &str) -> Result<String, TokenizerError> {
        let mut out = String::with_capacity(text.len() + SPACE.len());
        let mut in_word = false;
        let mut prefixed = false;
        let mut at = 0;
        while at < text.len() {
            let rest = &text[at..];
            let length = rest.chars().next().map_or(1, char::len_utf8);
            let replaced = match &self.charsmap {
                Some(charsmap) => charsmap.replacement(rest)?,
                None => None,
            };
            let (now, length) = replaced.unwrap_or((&rest[..length], length));
            at += length;
            for c in now.chars() {
                if c != ' ' {
                    if !in_word && ((self.space_prefix && !prefixed) || self.merge_spaces) {
                        out.push_str(SPACE);
                        prefixed = true;
                    }
                    in_word = true;
                    out.push(c);
                    continue;
                }
                in_word = false;
                if !self.merge_spaces {
                    out.push_str(SPACE);
                }
            }
        }
        Ok(out)
    }
}
