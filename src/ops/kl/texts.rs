//! The texts that base and models read, as windows of token ids.
//!
//! A text of n tokens is cut into as few windows as its tokens need, all of one length up to one token, so that no end of a text is lost and no window
//! has hardly any context. Each begins with the token that the model's rule puts before a text, where it has one. The first quarter
//! of a window is context only: what is predicted there depends on where the text was cut.

use super::KlError;
use crate::cli::KlRequest;
use crate::error::EvalhError;
use crate::ops::Session;
use crate::ops::candidate::{OpenModel, in_model};
use crate::record::{TaskKind, TextFacts};
use crate::suite::{self, Suite};
use crate::tokenizer::Codec;
use crate::units::Bytes;
use std::io::Read as _;
use std::ops::Range;
use std::path::Path;

/// A text with fewer tokens is refused.
pub(super) const LEAST_TOKENS: usize = 16;

/// Most bytes of a text file.
const MOST_BYTES: u64 = 64_000_000;

/// A text with its name.
pub(super) struct Text {
    pub(super) name: String,
    pub(super) text: String,
}

/// A part of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Window {
    /// Position of its text.
    pub(super) text: usize,
    /// Position of its first token in the text.
    pub(super) first_token: usize,
    /// Tokens before it that belong to no text.
    pub(super) begin: usize,
    /// All it reads.
    pub(super) ids: Vec<u32>,
}

impl Window {
    /// The rows whose distributions are compared: row i is that of token i + 1. The first quarter of the tokens is context only.
    pub(super) fn rows(&self) -> Range<usize> {
        self.ids.len().div_ceil(4) - 1..self.ids.len() - 1
    }

    /// The position in its text of the token that row `row` predicts.
    pub(super) fn token_after(&self, row: usize) -> usize {
        self.first_token + row + 1 - self.begin
    }
}

/// The texts as windows, and what was read of each.
pub(super) struct Reading {
    pub(super) facts: Vec<TextFacts>,
    pub(super) windows: Vec<Window>,
    /// Everything read, for prompts that are timed.
    pub(super) ids: Vec<u32>,
    /// What the model's rule puts before a text.
    pub(super) begin: Vec<u32>,
}

/// The files named, else the texts of the suite.
pub(super) fn read(
    session: &Session,
    request: &KlRequest,
    suite: &Suite,
) -> Result<Vec<Text>, EvalhError> {
    if !request.texts.is_empty() {
        let files = request.texts.iter();
        return files.map(|path| file(session, path)).collect();
    }
    let samples = suite.samples();
    let samples = samples.filter(|(task, _)| task.kind == TaskKind::Perplexity);
    let texts = samples.map(|(task, sample)| {
        let messages = suite::messages(task, sample)?;
        Ok(Text {
            name: format!("{}/{}", task.id, sample.id),
            text: messages.into_iter().map(|m| m.content).collect(),
        })
    });
    let texts = texts.collect::<Result<Vec<Text>, EvalhError>>()?;
    if texts.is_empty() {
        let suite = suite.name.clone();
        return Err(KlError::NoTexts { suite }.into());
    }
    Ok(texts)
}

fn file(session: &Session, path: &Path) -> Result<Text, EvalhError> {
    let fail = |source| EvalhError::Input {
        path: path.to_owned(),
        source,
    };
    let mut text = String::new();
    let file = std::fs::File::open(session.folder.join(path)).map_err(fail)?;
    let read = file.take(MOST_BYTES + 1).read_to_string(&mut text);
    match read {
        // A file that is cut inside a character is no longer UTF-8.
        Err(_) if text.len() as u64 > MOST_BYTES => {}
        Err(error) => return Err(fail(error)),
        Ok(read) if read as u64 <= MOST_BYTES => {
            let name = path.display().to_string();
            return Ok(Text { name, text });
        }
        Ok(_) => {}
    }
    Err(KlError::TextTooLong {
        path: path.to_owned(),
        most: Bytes(MOST_BYTES),
    }
    .into())
}

/// The texts as the base reads them, at most `most` tokens of all.
pub(super) fn cut(
    base: &OpenModel,
    texts: &[Text],
    window: usize,
    most: usize,
) -> Result<Reading, EvalhError> {
    let codec = base.tokenizer.as_ref();
    let failed = |e: crate::tokenizer::TokenizerError| in_model(&base.name, e.into());
    let begin = codec.raw_prompt("").map_err(failed)?;
    let mut out = Reading {
        facts: Vec::new(),
        windows: Vec::new(),
        ids: Vec::new(),
        begin,
    };
    for (at, text) in texts.iter().enumerate() {
        let ids = codec.encode(&text.text, false).map_err(failed)?;
        if ids.len() < LEAST_TOKENS {
            return Err(KlError::TextTooShort {
                text: text.name.clone(),
                tokens: ids.len(),
                least: LEAST_TOKENS,
            }
            .into());
        }
        let left = most - out.ids.len();
        // What is left over may be too little to be worth a window.
        let read = if left < LEAST_TOKENS {
            0
        } else {
            ids.len().min(left)
        };
        out.facts.push(TextFacts {
            name: text.name.clone(),
            tokens: ids.len() as u64,
            read_tokens: read as u64,
        });
        out.windows
            .extend(windows(at, &ids[..read], &out.begin, window));
        out.ids.extend_from_slice(&ids[..read]);
    }
    Ok(out)
}

/// As few windows as the tokens need, of one length up to one token.
fn windows(text: usize, ids: &[u32], begin: &[u32], window: usize) -> Vec<Window> {
    let room = window.saturating_sub(begin.len()).max(1);
    let count = ids.len().div_ceil(room);
    let mut out = Vec::with_capacity(count);
    let mut first = 0;
    for index in 0..count {
        let length = ids.len() / count + usize::from(index < ids.len() % count);
        out.push(Window {
            text,
            first_token: first,
            begin: begin.len(),
            ids: [begin, &ids[first..first + length]].concat(),
        });
        first += length;
    }
    out
}

/// That a model reads the texts as the base does.
pub(super) fn same_tokens(
    base: &OpenModel,
    model: &OpenModel,
    texts: &[Text],
) -> Result<(), EvalhError> {
    same_vocabulary(base, model)?;
    let sizes = [base.shape.vocabulary, model.shape.vocabulary];
    if sizes[0] != sizes[1] {
        return Err(KlError::VocabularySize {
            base: base.name.clone(),
            model: model.name.clone(),
            sizes,
        }
        .into());
    }
    for text in texts {
        let ids = |of: &OpenModel| {
            let codec = of.tokenizer.as_ref();
            let begin = codec.raw_prompt("");
            let ids = begin.and_then(|b| Ok([b, codec.encode(&text.text, false)?].concat()));
            ids.map_err(|e| in_model(&of.name, e.into()))
        };
        let (a, b) = (ids(base)?, ids(model)?);
        if a != b {
            let same = a.iter().zip(&b).take_while(|(x, y)| x == y).count();
            return Err(KlError::Tokens {
                base: base.name.clone(),
                model: model.name.clone(),
                text: text.name.clone(),
                position: same,
            }
            .into());
        }
    }
    Ok(())
}

/// That every id both vocabularies have stands for the same bytes. A file may pad its vocabulary; the padding is not compared.
fn same_vocabulary(base: &OpenModel, model: &OpenModel) -> Result<(), EvalhError> {
    if base.tokenizer.digest() == model.tokenizer.digest() {
        return Ok(());
    }
    let (a, b) = (base.tokenizer.table(), model.tokenizer.table());
    let most = u32::try_from(a.len().min(b.len())).unwrap_or(u32::MAX);
    let differs = (0..most).find(|&id| a.piece(id) != b.piece(id));
    let Some(id) = differs else { return Ok(()) };
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Err(KlError::Vocabulary {
        base: base.name.clone(),
        model: model.name.clone(),
        id,
        pieces: [text(a.piece(id)), text(b.piece(id))],
    }
    .into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_text_becomes_windows_of_one_length() {
        let ids: Vec<u32> = (0..20).collect();
        let all = windows(1, &ids, &[99], 8);
        let shapes: Vec<_> = all.iter().map(|w| (w.first_token, w.ids.len())).collect();
        assert_eq!(shapes, [(0, 8), (7, 8), (14, 7)]);
        assert_eq!(all[2].ids, [99, 14, 15, 16, 17, 18, 19]);
        // Of 8 tokens two are context; row 1 predicts the third, which is the second of the text.
        assert_eq!(all[0].rows(), 1..7);
        assert_eq!(all[0].token_after(1), 1);
        assert_eq!(all[1].token_after(6), 13);
        let bare = windows(0, &ids[..16], &[], 16);
        assert_eq!((bare.len(), bare[0].rows()), (1, 3..15));
        assert_eq!(bare[0].token_after(3), 4);
    }

    proptest! {
        #[test]
        fn every_token_is_in_one_window_and_windows_keep_to_their_length(n in 1_usize..400, window in 16_usize..64, begin in 0_usize..2) {
            let ids: Vec<u32> = (0..n as u32).collect();
            let begin = vec![7; begin];
            let all = windows(0, &ids, &begin, window);
            let read: Vec<u32> = all.iter().flat_map(|w| w.ids[w.begin..].to_vec()).collect();
            prop_assert_eq!(read, ids);
            let lengths: Vec<usize> = all.iter().map(|w| w.ids.len()).collect();
            let (least, most) = (lengths.iter().min().unwrap(), lengths.iter().max().unwrap());
            prop_assert!(*most <= window && most - least <= 1);
            for w in &all {
                prop_assert!(w.ids.starts_with(&begin));
                prop_assert!(w.rows().end < w.ids.len() || w.ids.is_empty());
            }
        }
    }
}
