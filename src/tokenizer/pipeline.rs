//! The stages of a `tokenizer.json`: added tokens, normalizer, pre-tokenizer, model.
//!
//! In: a read file, the ids that are control tokens. Out: ids of texts. The stages are the `tokenizers` crate's; finding added tokens is
//! [`super::added`]'s, because whether a control token counts depends on where a text comes from.
//!
//! Invariant: outside [`Control::Everywhere`] no id of a control token comes out unless it was matched where it may stand. Models hold control tokens as
//! ordinary pieces, and some find them in plain text (a unigram vocabulary gives them the best score of all). A unigram model is built
//! a second time without them; from the others such a token is taken apart.

use super::TokenizerError;
use super::added::{AddedToken, AddedTokens, Stretch};
use super::guard::guarded;
use super::special::Control;
use std::collections::HashSet;
use tokenizers::models::unigram::Unigram;
use tokenizers::normalizer::Range;
use tokenizers::{
    Model as _, ModelWrapper, NormalizedString, Normalizer as _, OffsetType, PreTokenizedString,
    PreTokenizer as _, Result as LibraryResult, Token, Tokenizer,
};

pub(super) struct Pipeline {
    tokenizer: Tokenizer,
    /// Tokens found in the text as it is.
    raw: AddedTokens,
    /// Tokens found in the normalized text.
    normalized: AddedTokens,
    /// Control tokens that text may not become; the unknown token is none of them.
    banned: HashSet<u32>,
    /// The unigram model without control tokens.
    plain: Option<Unigram>,
    unknown: Option<u32>,
}

/// What [`Pipeline::new`] needs to know beside the file.
pub(super) struct Kinds {
    /// Ids of control tokens, the unknown one included.
    pub(super) control: HashSet<u32>,
    /// Tokens to find beside those the file adds, which become control tokens.
    pub(super) named: Vec<(String, u32)>,
    pub(super) unknown: Option<u32>,
}

impl Pipeline {
    pub(super) fn new(tokenizer: Tokenizer, kinds: &Kinds) -> Result<Self, TokenizerError> {
        let (mut raw, mut normalized) = (Vec::new(), Vec::new());
        for (&id, token) in tokenizer.get_added_vocabulary().get_added_tokens_decoder() {
            let added = AddedToken {
                id,
                content: token.content.as_str().into(),
                control: kinds.control.contains(&id),
                single_word: token.single_word,
                lstrip: token.lstrip,
                rstrip: token.rstrip,
            };
            if token.normalized {
                let text = tokenizer.get_added_vocabulary().simple_id_to_token(id);
                normalized.push((text.unwrap_or_else(|| token.content.clone()), added));
            } else {
                raw.push((token.content.clone(), added));
            }
        }
        for (text, id) in &kinds.named {
            let added = AddedToken {
                id: *id,
                content: text.as_str().into(),
                control: true,
                single_word: false,
                lstrip: false,
                rstrip: false,
            };
            raw.push((text.clone(), added));
        }
        let mut banned = kinds.control.clone();
        kinds.unknown.map(|id| banned.remove(&id));
        Ok(Self {
            plain: guarded("build the vocabulary", || plain_unigram(&tokenizer, kinds))?,
            tokenizer,
            raw: AddedTokens::new(raw),
            normalized: AddedTokens::new(normalized),
            banned,
            unknown: kinds.unknown,
        })
    }

    /// Ids of `text` without what the post-processor adds.
    pub(super) fn encode(
        &self,
        text: &str,
        control: Control<'_>,
    ) -> Result<Vec<u32>, TokenizerError> {
        guarded("encode a text", || self.stages(text, control))
    }

    fn stages(&self, text: &str, control: Control<'_>) -> LibraryResult<Vec<u32>> {
        let mut text = PreTokenizedString::from(text);
        text.split(|_, part| {
            let stretches = self
                .raw
                .cut(part.get(), |_, start, end| control.at(start, end));
            slices(&part, stretches)
        })?;
        text.split(|_, mut part| {
            if let Some(normalizer) = self.tokenizer.get_normalizer() {
                normalizer.normalize(&mut part)?;
            }
            let may = |token: &AddedToken, start, end| allowed(&part, token, start, end, control);
            let stretches = self.normalized.cut(part.get(), may);
            slices(&part, stretches)
        })?;
        if let Some(pre_tokenizer) = self.tokenizer.get_pre_tokenizer() {
            pre_tokenizer.pre_tokenize(&mut text)?;
        }
        text.tokenize(|word| self.word(word.get(), control))?;
        let encoding = text.into_encoding(None, 0, OffsetType::None)?;
        Ok(encoding.get_ids().to_vec())
    }

    fn word(&self, word: &str, control: Control<'_>) -> LibraryResult<Vec<Token>> {
        let model = self.tokenizer.get_model();
        if control == Control::Everywhere {
            return model.tokenize(word);
        }
        if let Some(plain) = &self.plain {
            return plain.tokenize(word);
        }
        let tokens = model.tokenize(word)?;
        if !tokens.iter().any(|t| self.banned.contains(&t.id)) {
            return Ok(tokens);
        }
        self.taken_apart(word)
    }

    /// Tokens of a word in which every control token is cut behind its first character until none is left.
    fn taken_apart(&self, word: &str) -> LibraryResult<Vec<Token>> {
        let model = self.tokenizer.get_model();
        let mut out = Vec::new();
        let mut rest = vec![word];
        while let Some(part) = rest.pop() {
            let tokens = model.tokenize(part)?;
            let Some(place) = tokens.iter().position(|t| self.banned.contains(&t.id)) else {
                out.extend(tokens);
                continue;
            };
            let (start, end) = tokens[place].offsets;
            out.extend(tokens.into_iter().take(place));
            let first = part.get(start..end).and_then(|t| t.chars().next());
            let (Some(first), Some(after)) = (first, part.get(end..)) else {
                return Err("a control token came out of a text at no place of it".into());
            };
            rest.push(after);
            if start + first.len_utf8() == end {
                out.extend(self.unknown_character(first));
            } else {
                rest.push(&part[start + first.len_utf8()..end]);
                rest.push(&part[start..start + first.len_utf8()]);
            }
            rest.retain(|part| !part.is_empty());
        }
        Ok(out)
    }

    /// What stands for a character whose only token is a control token: its bytes, or the unknown token, or nothing.
    fn unknown_character(&self, c: char) -> Vec<Token> {
        let token = |id| Token::new(id, String::new(), (0, 0));
        let mut bytes = [0; 4];
        let bytes = c.encode_utf8(&mut bytes).bytes();
        let ids: Option<Vec<u32>> = bytes
            .map(|b| {
                self.tokenizer
                    .get_model()
                    .token_to_id(&format!("<0x{b:02X}>"))
            })
            .collect();
        let ids = ids.or_else(|| self.unknown.map(|id| vec![id]));
        ids.unwrap_or_default().into_iter().map(token).collect()
    }
}

/// Whether a control token may stand at these bytes of a normalized text.
fn allowed(
    part: &NormalizedString,
    token: &AddedToken,
    start: usize,
    end: usize,
    control: Control<'_>,
) -> bool {
    if !matches!(control, Control::NotAcross(_)) {
        return control == Control::Everywhere;
    }
    let Some(original) = part.convert_offsets(Range::Normalized(start..end)) else {
        return false;
    };
    // The marks tell where messages write a control token as it is; one that only the normalizer makes is never the template's.
    let as_written = part.get_original().get(original.clone());
    let shift = part.offsets_original().0;
    as_written.is_some_and(|text| text.contains(&*token.content))
        && control.at(shift + original.start, shift + original.end)
}

/// The stretches of a part as splits of the crate.
fn slices(
    part: &NormalizedString,
    stretches: Vec<Stretch>,
) -> LibraryResult<Vec<(NormalizedString, Option<Vec<Token>>)>> {
    let slice = |(id, (start, end)): Stretch| {
        let slice = part.slice(Range::Normalized(start..end));
        let slice = slice.ok_or("a token was found outside its text")?;
        let tokens = id.map(|id| vec![Token::new(id, String::new(), (0, end - start))]);
        Ok((slice, tokens))
    };
    stretches.into_iter().map(slice).collect()
}

/// The file's unigram model with empty texts for control tokens: an empty piece is part of no text, and ids and scores stay.
fn plain_unigram(tokenizer: &Tokenizer, kinds: &Kinds) -> LibraryResult<Option<Unigram>> {
    let ModelWrapper::Unigram(model) = tokenizer.get_model() else {
        return Ok(None);
    };
    let pieces = model.iter().zip(0_u32..).map(|((piece, score), id)| {
        let control = kinds.control.contains(&id);
        (
            if control {
                String::new()
            } else {
                piece.clone()
            },
            *score,
        )
    });
    let unknown = kinds.unknown.map(|id| id as usize);
    Unigram::from(pieces.collect(), unknown, model.byte_fallback()).map(Some)
}
