//! SentencePiece BPE: adjacent pieces whose concatenation is a piece are joined, the highest score first, the leftmost on ties.
//!
//! The `tokenizers` crate merges by rank of pairs; scores order results instead, and deriving ranks for all pairs of 262,144 pieces
//! costs seconds, so the queue is written out here. Characters that are no piece become byte tokens, or the unknown token where
//! the vocabulary has no byte tokens. Spaces are written as U+2581.
//!
//! Source: the algorithm as described for SentencePiece's BPE encoder; ties, byte fallback and the space prefix as llama.cpp documents them. One
//! difference: control tokens are never the result of a merge, so that no plain text becomes one.

use super::TokenizerError;
use super::vocabulary::{TokenKind, Vocabulary};
use std::cmp::Ordering;
use std::collections::{BinaryHeap, HashMap};

/// How a space is written in pieces.
pub(super) const SPACE: &str = "\u{2581}";

pub(super) struct SentencePieceBpe {
    pieces: HashMap<Box<str>, u32>,
    scores: Vec<f32>,
    /// What each byte becomes when its character is no piece.
    fallback: Box<[u32; 256]>,
}

/// A part of the text that is still one piece or character. `length` 0 marks one that was joined to its left neighbour.
#[derive(Clone, Copy)]
struct Symbol {
    start: usize,
    length: usize,
    left: Option<usize>,
    right: Option<usize>,
}

/// Two neighbours that could be joined.
struct Candidate {
    score: f32,
    left: usize,
    right: usize,
    length: usize,
}

impl Ord for Candidate {
    fn cmp(&self, other: &Self) -> Ordering {
        self.score
            .total_cmp(&other.score)
            .then(other.left.cmp(&self.left))
    }
}

impl PartialOrd for Candidate {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Candidate {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Candidate {}

impl SentencePieceBpe {
    pub(super) fn new(
        vocabulary: &Vocabulary<'_>,
        scores: Vec<f32>,
        unknown: Option<u32>,
    ) -> Result<Self, TokenizerError> {
        let mut pieces = HashMap::with_capacity(vocabulary.len());
        let mut bytes = [None; 256];
        for (id, &piece) in vocabulary.pieces.iter().enumerate() {
            match vocabulary.kinds[id] {
                TokenKind::Byte => {
                    let piece_byte = byte_of(piece).ok_or_else(|| TokenizerError::BytePiece {
                        id,
                        piece: piece.to_owned(),
                    })?;
                    bytes[usize::from(piece_byte)] = Some(id as u32);
                }
                kind if !kind.is_control() && !piece.is_empty() => {
                    pieces.insert(piece.into(), id as u32);
                }
                _ => {}
            }
        }
        let fallback = fallback(&bytes, unknown)?;
        // Negative zero would order below zero, though they are equal scores.
        let scores = scores.into_iter().map(|s| s + 0.0).collect();
        Ok(Self {
            pieces,
            scores,
            fallback,
        })
    }

    /// Appends the ids of `text`, in which spaces are written as [`SPACE`] and no token is matched as a whole.
    pub(super) fn encode(&self, text: &str, ids: &mut Vec<u32>) {
        let mut symbols = symbols_of(text);
        let mut queue = BinaryHeap::new();
        for right in 1..symbols.len() {
            queue.extend(self.candidate(text, &symbols, right - 1, right));
        }
        while let Some(Candidate {
            left,
            right,
            length,
            ..
        }) = queue.pop()
        {
            let (l, r) = (symbols[left], symbols[right]);
            // Either side was joined to something else in the meantime.
            if l.length == 0 || r.length == 0 || l.length + r.length != length {
                continue;
            }
            symbols[left].length = length;
            symbols[left].right = r.right;
            symbols[right].length = 0;
            if let Some(next) = r.right {
                symbols[next].left = Some(left);
                queue.extend(self.candidate(text, &symbols, left, next));
            }
            if let Some(previous) = l.left {
                queue.extend(self.candidate(text, &symbols, previous, left));
            }
        }
        for symbol in symbols.iter().filter(|s| s.length > 0) {
            self.push(&text[symbol.start..symbol.start + symbol.length], ids);
        }
    }

    fn candidate(
        &self,
        text: &str,
        symbols: &[Symbol],
        left: usize,
        right: usize,
    ) -> Option<Candidate> {
        let start = symbols[left].start;
        let length = symbols[left].length + symbols[right].length;
        let &id = self.pieces.get(&text[start..start + length])?;
        Some(Candidate {
            score: self.scores[id as usize],
            left,
            right,
            length,
        })
    }

    fn push(&self, piece: &str, ids: &mut Vec<u32>) {
        match self.pieces.get(piece) {
            Some(&id) => ids.push(id),
            None => ids.extend(piece.bytes().map(|b| self.fallback[usize::from(b)])),
        }
    }
}

fn symbols_of(text: &str) -> Vec<Symbol> {
    let mut symbols: Vec<Symbol> = text
        .char_indices()
        .enumerate()
        .map(|(place, (start, c))| Symbol {
            start,
            length: c.len_utf8(),
            left: place.checked_sub(1),
            right: Some(place + 1),
        })
        .collect();
    if let Some(last) = symbols.last_mut() {
        last.right = None;
    }
    symbols
}

/// The byte that `<0x41>` names.
pub(super) fn byte_of(piece: &str) -> Option<u8> {
    let digits = piece.strip_prefix("<0x")?.strip_suffix('>')?;
    let two_digits = digits.len() == 2 && digits.bytes().all(|b| b.is_ascii_hexdigit());
    two_digits
        .then(|| u8::from_str_radix(digits, 16).ok())
        .flatten()
}

fn fallback(
    bytes: &[Option<u32>; 256],
    unknown: Option<u32>,
) -> Result<Box<[u32; 256]>, TokenizerError> {
    let mut fallback = Box::new([0; 256]);
    for byte in 0..=255_u8 {
        let id = bytes[usize::from(byte)].or(unknown);
        fallback[usize::from(byte)] = id.ok_or(TokenizerError::NoFallback { byte })?;
    }
    Ok(fallback)
}
