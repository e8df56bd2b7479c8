//! Byte-level BPE: text becomes words, words become bytes written as printable characters, and those are merged by rank.
//!
//! The splitting is [`super::pretokenize`]'s, the merging the `tokenizers` crate's. That crate can panic on vocabularies it does not expect, so
//! every merge is checked before it sees them, and building and encoding are wrapped. A byte for which the vocabulary has no
//! token is left out of the ids, as the reference implementations do (SmolLM2 has none for ten control characters).

use super::TokenizerError;
use super::guard::guarded;
use super::pretokenize::{Profile, Splitter};
use super::vocabulary::{TokenKind, Vocabulary};
use std::collections::{HashMap, HashSet};
use tokenizers::Model as _;
use tokenizers::models::bpe::BPE;

/// Printable characters for bytes and back, the alphabet GPT-2 introduced: printable Latin-1 bytes are themselves, the others are U+0100 on.
pub(super) struct ByteAlphabet {
    chars: [char; 256],
    bytes: HashMap<char, u8>,
}

impl ByteAlphabet {
    pub(super) fn new() -> Self {
        let mut chars = ['\0'; 256];
        let mut next = 0x100_u32;
        for byte in 0..=255_u8 {
            chars[usize::from(byte)] = match byte {
                b'!'..=b'~' | 0xA1..=0xAC | 0xAE..=0xFF => char::from(byte),
                _ => {
                    let c = char::from_u32(next).unwrap_or('\0');
                    next += 1;
                    c
                }
            };
        }
        let bytes = (0..=255_u8).map(|b| (chars[usize::from(b)], b)).collect();
        Self { chars, bytes }
    }

    fn write(&self, text: &str, out: &mut String) {
        out.extend(text.bytes().map(|b| self.chars[usize::from(b)]));
    }

    /// The bytes of a piece; a character outside the alphabet stands for its own UTF-8.
    pub(super) fn read(&self, piece: &str) -> Vec<u8> {
        let mut out = Vec::with_capacity(piece.len());
        for c in piece.chars() {
            match self.bytes.get(&c) {
                Some(&byte) => out.push(byte),
                None => out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
            }
        }
        out
    }
}

/// A merge of the vocabulary, checked.
type Merge = (String, String);

pub(super) struct ByteLevelBpe {
    splitter: Splitter,
    alphabet: ByteAlphabet,
    model: BPE,
}

impl ByteLevelBpe {
    pub(super) fn new(
        vocabulary: &Vocabulary<'_>,
        merges: &[&str],
        profile: &Profile,
    ) -> Result<Self, TokenizerError> {
        let merges = checked_merges(vocabulary, merges)?;
        let ordinary = vocabulary
            .pieces
            .iter()
            .enumerate()
            .filter(|&(id, piece)| is_ordinary(vocabulary.kinds[id]) && !piece.is_empty());
        let pieces: HashMap<String, u32> = ordinary
            .map(|(id, &piece)| (piece.to_owned(), id as u32))
            .collect();
        let build = || {
            BPE::builder()
                .vocab_and_merges(
                    pieces
                        .into_iter()
                        .collect::<tokenizers::models::bpe::Vocab>(),
                    merges,
                )
                .ignore_merges(profile.ignore_merges)
                .build()
        };
        let model = guarded("build the vocabulary", build)?;
        Ok(Self {
            splitter: Splitter::new(profile),
            alphabet: ByteAlphabet::new(),
            model,
        })
    }

    /// Appends the ids of `text`, in which no token is matched as a whole.
    pub(super) fn encode(&self, text: &str, ids: &mut Vec<u32>) -> Result<(), TokenizerError> {
        let mut word = String::new();
        let mut encode = || {
            for part in self.splitter.split(text) {
                word.clear();
                self.alphabet.write(part, &mut word);
                ids.extend(
                    self.model
                        .tokenize(&word)?
                        .into_iter()
                        .map(|token| token.id),
                );
            }
            Ok(())
        };
        guarded("encode a text", &mut encode)
    }
}

/// Only these can come out of ordinary text.
fn is_ordinary(kind: TokenKind) -> bool {
    matches!(kind, TokenKind::Normal | TokenKind::UserDefined)
}

/// Splits merges into their pieces; of equal merges the first counts. Pieces and results must be ordinary tokens.
fn checked_merges(
    vocabulary: &Vocabulary<'_>,
    merges: &[&str],
) -> Result<Vec<Merge>, TokenizerError> {
    let mut seen = HashSet::with_capacity(merges.len());
    let mut out = Vec::with_capacity(merges.len());
    let mut joined = String::new();
    for (index, &merge) in merges.iter().enumerate() {
        let parts = merge
            .split_once(' ')
            .filter(|(l, r)| !l.is_empty() && !r.is_empty() && !r.contains(' '));
        let Some((left, right)) = parts else {
            let merge = merge.to_owned();
            return Err(TokenizerError::MergeForm { index, merge });
        };
        joined.clear();
        joined.push_str(left);
        joined.push_str(right);
        for piece in [left, right, &joined] {
            let id = vocabulary.id(piece);
            if !id.is_some_and(|id| is_ordinary(vocabulary.kind(id))) {
                return Err(TokenizerError::MergePiece {
                    index,
                    merge: merge.to_owned(),
                    piece: piece.to_owned(),
                });
            }
        }
        if seen.insert(merge) {
            out.push((left.to_owned(), right.to_owned()));
        }
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_alphabet_is_a_bijection() {
        let alphabet = ByteAlphabet::new();
        assert_eq!(alphabet.bytes.len(), 256);
        assert_eq!(
            (
                alphabet.chars[usize::from(b' ')],
                alphabet.chars[usize::from(b'\n')]
            ),
            ('Ġ', 'Ċ')
        );
        let mut out = String::new();
        alphabet.write("é \u{7f}", &mut out);
        assert_eq!(alphabet.read(&out), "é \u{7f}".as_bytes());
        assert_eq!(alphabet.read("漢"), "漢".as_bytes());
    }
}
