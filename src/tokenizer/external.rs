//! A tokenizer that takes the place of the vocabulary inside a model file.
//!
//! In: both tokenizers. Out: the external one with what only the model file says, or where they differ. A model gives every id a meaning of its own, so an id
//! that is another text, or a control token in one and not in the other, would make every number wrong without a sign of it.
//!
//! Invariant: ids are compared one by one over both vocabularies. What the external one may lack are ids the file calls unused, which pad the model's matrices.

use super::vocabulary::TokenKind;
use super::{ModelTokenizer, TokenizerError};
use crate::record::Digest;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// So many differing ids are named.
const SHOWN: usize = 3;

/// What an id stands for.
#[derive(PartialEq, Eq)]
enum Meaning<'t> {
    Nothing,
    Text(&'t [u8]),
    Control(Option<&'t str>),
}

impl std::fmt::Display for Meaning<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Nothing => f.write_str("nothing"),
            Self::Text(bytes) => write!(f, "`{}`", bytes.escape_ascii()),
            Self::Control(Some(text)) => write!(f, "the control token `{}`", text.escape_debug()),
            Self::Control(None) => f.write_str("a control token"),
        }
    }
}

impl ModelTokenizer {
    /// Compares every id of this tokenizer, read from `path`, with that of `own`, the one inside the model file.
    ///
    /// # Errors
    /// [`TokenizerError::ExternalDiffers`] when an id has another text or kind.
    pub fn check_against(&self, own: &Self, path: &Path) -> Result<(), TokenizerError> {
        let texts = [self, own].map(|t| t.special.texts_by_id());
        let ids = self.table.len().max(own.table.len());
        let mut differing = 0;
        let mut shown = Vec::new();
        for id in 0..ids as u32 {
            let [there, here] =
                [(self, &texts[0]), (own, &texts[1])].map(|(t, x)| t.meaning(id, x));
            let padding = there == Meaning::Nothing && own.kind(id) == Some(TokenKind::Unused);
            if there == here || padding {
                continue;
            }
            differing += 1;
            if shown.len() < SHOWN {
                shown.push(format!("{id} is {there} instead of {here}"));
            }
        }
        if differing == 0 {
            return Ok(());
        }
        Err(TokenizerError::ExternalDiffers {
            path: path.to_owned(),
            external: self.table.len(),
            own: own.table.len(),
            differing,
            shown,
        })
    }

    /// This tokenizer, read from `path`, for the model whose file holds `own`: the vocabularies are compared, all ids that either ends with
    /// end a generation, and what no file beside this one says (BOS, EOS, chat template) is as in the model file.
    ///
    /// # Errors
    /// As [`ModelTokenizer::check_against`].
    pub fn in_place_of(mut self, own: Self, path: &Path) -> Result<Self, TokenizerError> {
        self.check_against(&own, path)?;
        let ends: BTreeSet<u32> = self.eos_ids.iter().chain(&own.eos_ids).copied().collect();
        self.eos_ids = ends.into_iter().collect();
        if !self.begin_said {
            self.begin = own.begin;
        }
        self.bos = self.bos.or(own.bos);
        self.eos = self.eos.or(own.eos);
        self.template = self.template.or(own.template);
        let rules = format!("{:?} {:?} {:?}", self.bos, self.begin, self.eos_ids);
        let parts = [self.digest.as_str().as_bytes(), rules.as_bytes()];
        self.digest = Digest::of_parts(parts);
        Ok(self)
    }

    fn kind(&self, id: u32) -> Option<TokenKind> {
        self.kinds.get(id as usize).copied()
    }

    fn meaning<'t>(&'t self, id: u32, texts: &BTreeMap<u32, &'t str>) -> Meaning<'t> {
        match self.kind(id) {
            None => Meaning::Nothing,
            Some(kind) if kind.is_control() => Meaning::Control(texts.get(&id).copied()),
            Some(_) => match self.table.piece(id) {
                [] => Meaning::Nothing,
                bytes => Meaning::Text(bytes),
            },
        }
    }
}
