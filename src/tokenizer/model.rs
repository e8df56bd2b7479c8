//! The tokenizer of one model, whatever file it came from.
//!
//! In: an algorithm with its rules, made by `gguf` or `from_files`. Out: a [`Codec`]. Knows nothing of file formats.
//!
//! # Text of data sets never becomes a control token
//! [`Codec::encode`] with `special` unset and [`Codec::context_and_continuation`] match user-defined tokens only. In [`Codec::prompt`] the template's own control
//! tokens must be recognised and those written in a message must not: the messages are searched before rendering, and behind the
//! first character of every text that is or could become a control token a mark is put, a private-use character that
//! occurs neither in the messages nor in the template. The marks are taken out of the rendered text, and no control token is matched across
//! the place of one. Messages without such texts reach the template unchanged, so that
//! trimming and comparing in templates works as ever. A template that deletes characters inside a message could still assemble a
//! control token out of them.
//!
//! # BOS
//! What the file's rule puts before a text. A prompt whose template or text already begins with it gets no
//! second one. EOS is never appended.

use super::bpe::ByteLevelBpe;
use super::pipeline::Pipeline;
use super::special::{Control, Fragment, SpecialTokens, unmark};
use super::spm::{SPACE, SentencePieceBpe};
use super::template::ChatTemplate;
use super::unigram::Unigram;
use super::vocabulary::TokenKind;
use super::{Codec, Prompt, TokenizerError, boundary, plain};
use crate::record::{Digest, Message, TokenTable};
use std::sync::Arc;

/// Far above any context window; keeps a mistaken input from taking all memory.
pub(super) const MAX_TEXT_BYTES: usize = 64 << 20;
/// The first private-use character that may serve as a mark; plane 15 is used by no known vocabulary.
const FIRST_MARK: u32 = 0xF_0000;

/// How text becomes ids.
pub(super) enum Algorithm {
    /// All stages of a `tokenizer.json`, which finds its tokens itself.
    File(Box<Pipeline>),
    /// A vocabulary of a GGUF file for the text between the tokens found here.
    Between(Between),
}

/// How text between tokens becomes ids.
pub(super) enum Between {
    /// Byte-level BPE of a GGUF file.
    Bytes(Box<ByteLevelBpe>),
    /// SentencePiece BPE of a GGUF file.
    Pieces(SentencePieceBpe),
    /// Unigram of a GGUF file.
    Unigram(Box<Unigram>),
}

/// What becomes of spaces at the beginning of a decoded text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FirstSpace {
    /// They are text.
    Kept,
    /// So many were added by the encoder.
    Added(usize),
    /// All at the beginning of the first token were.
    OfFirstToken,
}

/// A tokenizer with its prompt format.
pub struct ModelTokenizer {
    pub(super) algorithm: Algorithm,
    pub(super) special: SpecialTokens,
    /// Text after a token matched as a whole, and at the start, begins with an added space.
    pub(super) space_prefix: bool,
    pub(super) first_space: FirstSpace,
    pub(super) bos: Option<u32>,
    /// What every prompt begins with: nothing, BOS, or in rare families several ids.
    pub(super) begin: Vec<u32>,
    /// True when a file says what a prompt begins with, be it nothing.
    pub(super) begin_said: bool,
    /// The first declared EOS, which stands for an empty context when there is no BOS.
    pub(super) eos: Option<u32>,
    pub(super) eos_ids: Vec<u32>,
    /// What every id is for.
    pub(super) kinds: Vec<TokenKind>,
    pub(super) table: Arc<TokenTable>,
    pub(super) template: Option<ChatTemplate>,
    pub(super) digest: Digest,
}

impl std::fmt::Debug for ModelTokenizer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ModelTokenizer")
            .field("tokens", &self.table.len())
            .field("digest", &self.digest)
            .finish_non_exhaustive()
    }
}

impl ModelTokenizer {
    /// True when the vocabulary begins prompts with BOS.
    pub fn adds_bos(&self) -> bool {
        !self.begin.is_empty()
    }

    fn with_bos(&self, mut ids: Vec<u32>) -> Vec<u32> {
        if !ids.starts_with(&self.begin) {
            ids.splice(0..0, self.begin.iter().copied());
        }
        ids
    }

    /// Ids of `text` without BOS.
    fn ids(&self, text: &str, control: Control<'_>) -> Result<Vec<u32>, TokenizerError> {
        limited(text)?;
        let model = match &self.algorithm {
            Algorithm::File(pipeline) => return pipeline.encode(text, control),
            Algorithm::Between(model) => model,
        };
        let mut sink = Sink {
            model,
            space_prefix: self.space_prefix,
            ids: Vec::new(),
            after_token: true,
        };
        sink.all(&self.special.partition(text, control))?;
        Ok(sink.ids)
    }

    fn render(
        &self,
        template: &ChatTemplate,
        messages: &[Message],
    ) -> Result<Prompt, TokenizerError> {
        let contents = messages.iter().map(|m| m.content.as_str());
        let texts: Vec<&str> = contents.chain([template.source()]).collect();
        let mark = free_mark(&texts);
        let disarmed: Vec<Message> = messages
            .iter()
            .map(|m| Message {
                role: m.role,
                content: self.special.disarm(&m.content, mark),
            })
            .collect();
        let rendered = template.render(&disarmed)?;
        let (text, places) = unmark(&rendered, mark);
        let ids = self.ids(&text, Control::NotAcross(&places))?;
        Ok(Prompt {
            ids: self.with_bos(ids),
            text,
        })
    }
}

/// A private-use character that occurs in none of `texts`.
fn free_mark(texts: &[&str]) -> char {
    let candidates = (FIRST_MARK..=0xF_FFFD).filter_map(char::from_u32);
    let mut free = candidates.filter(|&mark| !texts.iter().any(|text| text.contains(mark)));
    free.next().unwrap_or('\u{10FFFD}')
}

fn limited(text: &str) -> Result<(), TokenizerError> {
    if text.len() <= MAX_TEXT_BYTES {
        return Ok(());
    }
    Err(TokenizerError::TextTooLong {
        bytes: text.len(),
        limit: MAX_TEXT_BYTES,
    })
}

impl Codec for ModelTokenizer {
    fn encode(&self, text: &str, special: bool) -> Result<Vec<u32>, TokenizerError> {
        let control = if special {
            Control::Everywhere
        } else {
            Control::Nowhere
        };
        self.ids(text, control)
    }

    fn decode(&self, ids: &[u32]) -> String {
        let pieces = ids.iter().map(|&id| self.table.piece(id));
        let mut pieces = pieces.skip_while(|piece| piece.is_empty());
        let first = pieces.next().unwrap_or_default();
        let added = match self.first_space {
            FirstSpace::Kept => 0,
            FirstSpace::Added(most) => most,
            FirstSpace::OfFirstToken => first.len(),
        };
        let spaces = first.iter().take(added).take_while(|&&b| b == b' ');
        let mut bytes = first[spaces.count()..].to_vec();
        pieces.for_each(|piece| bytes.extend_from_slice(piece));
        String::from_utf8_lossy(&bytes).into_owned()
    }

    fn prompt(&self, messages: &[Message]) -> Result<Prompt, TokenizerError> {
        if messages.is_empty() {
            return Err(TokenizerError::NoMessages);
        }
        if let Some(template) = &self.template {
            return self.render(template, messages);
        }
        let text = plain::render(messages);
        let ids = self.with_bos(self.encode(&text, false)?);
        Ok(Prompt { text, ids })
    }

    fn raw_prompt(&self, text: &str) -> Result<Vec<u32>, TokenizerError> {
        Ok(self.with_bos(self.encode(text, true)?))
    }

    fn context_and_continuation(
        &self,
        context: &str,
        continuation: &str,
    ) -> Result<(Vec<u32>, Vec<u32>), TokenizerError> {
        let (context, continuation) = boundary::split(self, context, continuation)?;
        if !context.is_empty() {
            return Ok((self.with_bos(context), continuation));
        }
        let stand_in = self.begin_id().ok_or(TokenizerError::EmptyContext)?;
        Ok((vec![stand_in], continuation))
    }

    fn bos_id(&self) -> Option<u32> {
        self.bos
    }

    fn begin_id(&self) -> Option<u32> {
        self.bos.or(self.eos)
    }

    fn eos_ids(&self) -> &[u32] {
        &self.eos_ids
    }

    fn table(&self) -> Arc<TokenTable> {
        Arc::clone(&self.table)
    }

    fn digest(&self) -> &Digest {
        &self.digest
    }

    fn template_digest(&self) -> Option<&Digest> {
        self.template.as_ref().map(ChatTemplate::digest)
    }
}

/// Collects ids and remembers whether the next text follows a token matched as a whole.
struct Sink<'a> {
    model: &'a Between,
    space_prefix: bool,
    ids: Vec<u32>,
    after_token: bool,
}

impl Sink<'_> {
    fn all(&mut self, fragments: &[Fragment<'_>]) -> Result<(), TokenizerError> {
        for fragment in fragments {
            match fragment {
                Fragment::Token(id) => {
                    self.ids.push(*id);
                    self.after_token = true;
                }
                Fragment::Text(text) => self.text(text)?,
            }
        }
        Ok(())
    }

    fn text(&mut self, text: &str) -> Result<(), TokenizerError> {
        match self.model {
            Between::Bytes(model) => model.encode(text, &mut self.ids)?,
            Between::Pieces(model) => {
                let prefix = if self.space_prefix && self.after_token {
                    SPACE
                } else {
                    ""
                };
                model.encode(
                    &format!("{prefix}{}", text.replace(' ', SPACE)),
                    &mut self.ids,
                );
            }
            Between::Unigram(model) => model.encode(text, &mut self.ids)?,
        }
        self.after_token = false;
        Ok(())
    }
}
