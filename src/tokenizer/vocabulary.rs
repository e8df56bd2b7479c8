//! The vocabulary as a GGUF file declares it, validated.
//!
//! In: the header and the bytes of a file. Out: pieces, types and scores of equal length, unique pieces, declared ids inside the
//! vocabulary. Knows nothing of algorithms. Key names and token types are those of the GGUF specification.

use super::TokenizerError;
use crate::modelfile::{GgufHeader, ModelFileError, Value};
use std::collections::HashMap;

/// Four times the largest vocabulary known.
const MAX_TOKENS: u64 = 1 << 20;
const MAX_MERGES: u64 = 1 << 21;
/// Thirty times the largest known, SentencePiece's own NFKC with case folding.
const MAX_CHARSMAP: u64 = 1 << 23;
/// Far above the longest piece known (a run of white space or of `=`).
const MAX_PIECE_BYTES: usize = 1 << 16;

const TOKENS: &str = "tokenizer.ggml.tokens";
const TYPES: &str = "tokenizer.ggml.token_type";
const SCORES: &str = "tokenizer.ggml.scores";
const MERGES: &str = "tokenizer.ggml.merges";
const CHARSMAP: &str = "tokenizer.ggml.precompiled_charsmap";

/// What a token is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TokenKind {
    Normal,
    Unknown,
    Control,
    UserDefined,
    Unused,
    Byte,
}

impl TokenKind {
    fn from_number(number: f64) -> Option<Self> {
        // `as` saturates and drops the fraction; the comparison refuses both.
        let kind = match number as i64 {
            1 => Self::Normal,
            2 => Self::Unknown,
            3 => Self::Control,
            4 => Self::UserDefined,
            5 => Self::Unused,
            6 => Self::Byte,
            _ => return None,
        };
        (number == (number as i64) as f64).then_some(kind)
    }

    /// True for tokens that stand for nothing in running text.
    pub(super) fn is_control(self) -> bool {
        matches!(self, Self::Control | Self::Unknown)
    }
}

/// Pieces and types by id. Pieces borrow from the file.
pub(super) struct Vocabulary<'f> {
    pub(super) pieces: Vec<&'f str>,
    pub(super) kinds: Vec<TokenKind>,
    by_piece: HashMap<&'f str, u32>,
}

impl<'f> Vocabulary<'f> {
    /// Reads and validates tokens and types.
    pub(super) fn read(header: &GgufHeader, file: &'f [u8]) -> Result<Self, TokenizerError> {
        bounded(header, TOKENS, MAX_TOKENS)?;
        let pieces = header
            .strings(TOKENS, file)?
            .ok_or_else(|| missing(TOKENS))?;
        bounded(header, TYPES, MAX_TOKENS)?;
        let numbers = header.numbers(TYPES, file)?.ok_or_else(|| missing(TYPES))?;
        same_length(TYPES, numbers.len(), pieces.len())?;
        let kinds = numbers
            .iter()
            .enumerate()
            .map(|(id, &found)| {
                TokenKind::from_number(found).ok_or(TokenizerError::Kind { id, found })
            })
            .collect::<Result<Vec<_>, _>>()?;
        let by_piece = index(&pieces)?;
        Ok(Self {
            pieces,
            kinds,
            by_piece,
        })
    }

    pub(super) fn len(&self) -> usize {
        self.pieces.len()
    }

    /// The id of `piece`, whatever its type.
    pub(super) fn id(&self, piece: &str) -> Option<u32> {
        self.by_piece.get(piece).copied()
    }

    /// Makes every token whose text satisfies `is_control` a control token.
    pub(super) fn make_control(&mut self, is_control: impl Fn(&str) -> bool) {
        for (piece, kind) in self.pieces.iter().zip(&mut self.kinds) {
            if is_control(piece) {
                *kind = TokenKind::Control;
            }
        }
    }

    pub(super) fn kind(&self, id: u32) -> TokenKind {
        self.kinds[id as usize]
    }

    /// The id under `key`, checked against the vocabulary.
    pub(super) fn declared_id(
        &self,
        header: &GgufHeader,
        key: &str,
    ) -> Result<Option<u32>, TokenizerError> {
        let Some(id) = header.unsigned(key)? else {
            return Ok(None);
        };
        if id >= self.len() as u64 {
            return Err(TokenizerError::IdOutOfRange {
                key: key.to_owned(),
                id,
                tokens: self.len(),
            });
        }
        Ok(Some(id as u32))
    }

    /// Scores by id.
    pub(super) fn scores(
        &self,
        header: &GgufHeader,
        file: &[u8],
    ) -> Result<Vec<f32>, TokenizerError> {
        bounded(header, SCORES, MAX_TOKENS)?;
        let scores = header
            .numbers(SCORES, file)?
            .ok_or_else(|| missing(SCORES))?;
        same_length(SCORES, scores.len(), self.len())?;
        match scores.iter().position(|s| !s.is_finite()) {
            Some(id) => Err(TokenizerError::Score {
                id,
                found: scores[id],
            }),
            None => Ok(scores.into_iter().map(|s| s as f32).collect()),
        }
    }

    /// The rules for changing characters, where the file has any.
    pub(super) fn charsmap(
        header: &GgufHeader,
        file: &[u8],
    ) -> Result<Option<Vec<u8>>, TokenizerError> {
        bounded(header, CHARSMAP, MAX_CHARSMAP)?;
        let numbers = header.numbers(CHARSMAP, file)?;
        let byte = |n: f64| ((-128.0..256.0).contains(&n)).then_some(n as i64 as u8);
        let bytes = numbers.map(|numbers| numbers.into_iter().map(byte).collect::<Option<_>>());
        bytes.map_or(Ok(None), |bytes: Option<Vec<u8>>| match bytes {
            Some(bytes) => Ok(Some(bytes)),
            None => Err(TokenizerError::Charsmap {
                message: "it holds numbers that are no bytes".to_owned(),
            }),
        })
    }

    /// Merges in the order of their rank, as written.
    pub(super) fn merges(
        header: &GgufHeader,
        file: &'f [u8],
    ) -> Result<Vec<&'f str>, TokenizerError> {
        bounded(header, MERGES, MAX_MERGES)?;
        header.strings(MERGES, file)?.ok_or_else(|| missing(MERGES))
    }
}

fn missing(key: &str) -> TokenizerError {
    ModelFileError::MissingKey {
        key: key.to_owned(),
    }
    .into()
}

/// Refuses a list by its declared length, before it is read.
fn bounded(header: &GgufHeader, key: &'static str, limit: u64) -> Result<(), TokenizerError> {
    match header.get(key) {
        Some(Value::Array(array)) if array.count > limit => Err(TokenizerError::Limit {
            key,
            found: array.count,
            limit,
        }),
        _ => Ok(()),
    }
}

fn same_length(key: &'static str, found: usize, tokens: usize) -> Result<(), TokenizerError> {
    if found == tokens {
        return Ok(());
    }
    Err(TokenizerError::LengthMismatch { key, found, tokens })
}

/// Ids by piece. An empty piece matches nothing and is left out, so there may be several.
fn index<'f>(pieces: &[&'f str]) -> Result<HashMap<&'f str, u32>, TokenizerError> {
    let mut by_piece = HashMap::with_capacity(pieces.len());
    for (id, &piece) in pieces.iter().enumerate() {
        if piece.len() > MAX_PIECE_BYTES {
            return Err(TokenizerError::PieceTooLong {
                id,
                bytes: piece.len(),
                limit: MAX_PIECE_BYTES,
            });
        }
        if piece.is_empty() {
            continue;
        }
        let second = id as u32;
        if let Some(first) = by_piece.insert(piece, second) {
            return Err(TokenizerError::DuplicatePiece {
                piece: piece.to_owned(),
                first,
                second,
            });
        }
    }
    Ok(by_piece)
}
