//! Text to token ids and back, for one model, and the prompt a conversation becomes.
//!
//! In: the vocabulary and chat template embedded in a model file, texts, messages. Out: ids, text, prompts, the bytes of every id. Knows
//! nothing of tensors, suites, storage. The two implementations of [`Codec`] are [`ModelTokenizer`], the tokenizer found in a model
//! file, and [`ByteCodec`], the byte-level one of the mock engine. [`TokenizerFile`] reads the `tokenizer.json` beside safetensors weights.
//!
//! Invariants: ids equal the reference implementation's for the same file; a vocabulary whose rules are not known is refused; no text of a
//! message or of a data set becomes a control token; BOS is added at most once; the files are hostile: bounded and checked
//! before use, panics of the libraries become errors.

mod added;
mod boundary;
mod bpe;
mod bytes;
mod charsmap;
mod ending;
mod error;
mod external;
mod file;
mod from_files;
mod gguf;
mod growth;
mod guard;
mod model;
mod pieces;
mod pipeline;
mod plain;
mod pretokenize;
mod reasoning;
mod settings;
mod special;
mod spm;
mod template;
mod unigram;
mod vocabulary;

pub use boundary::behind_prompt;
pub use bytes::ByteCodec;
pub use error::TokenizerError;
pub use file::TokenizerFile;
pub use from_files::TokenizerFiles;
pub use model::ModelTokenizer;
pub use reasoning::{Completion, completion, open_thought, thought_markers};
pub use template::{ChatTemplate, Variables};

use crate::record::{Digest, Message, TokenTable};
use std::sync::Arc;

/// A prompt as the model will see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prompt {
    /// The rendered text.
    pub text: String,
    /// Its ids, BOS included where the model's rule asks for it.
    pub ids: Vec<u32>,
}

/// Everything text-like about one model.
pub trait Codec: Send + Sync {
    /// Ids of `text` without BOS or EOS. Control tokens written out in the text are recognised only when `special` is set.
    ///
    /// # Errors
    /// When the text cannot be encoded.
    fn encode(&self, text: &str, special: bool) -> Result<Vec<u32>, TokenizerError>;

    /// Text of `ids`; control tokens vanish, broken UTF-8 becomes the replacement character.
    fn decode(&self, ids: &[u32]) -> String;

    /// Applies the chat template (or the documented plain format when the model has none) and encodes, with the BOS rule applied once.
    ///
    /// # Errors
    /// [`TokenizerError::TemplateRefused`] when the template raises an exception for this conversation.
    fn prompt(&self, messages: &[Message]) -> Result<Prompt, TokenizerError>;

    /// Ids of a raw prompt text: control tokens are recognised, the BOS rule is applied once.
    ///
    /// # Errors
    /// When the text cannot be encoded.
    fn raw_prompt(&self, text: &str) -> Result<Vec<u32>, TokenizerError>;

    /// Splits at the boundary as lm-evaluation-harness does: trailing white space of the context moves to the continuation;
    /// encode(context + continuation) is cut at len(encode(context)); an empty context becomes BOS (or EOS). The BOS rule applies once, to the context.
    ///
    /// # Errors
    /// When a text cannot be encoded or the continuation has no tokens.
    fn context_and_continuation(
        &self,
        context: &str,
        continuation: &str,
    ) -> Result<(Vec<u32>, Vec<u32>), TokenizerError>;

    /// The id that begins a text, when the vocabulary has one.
    fn bos_id(&self) -> Option<u32>;

    /// The id that stands for an empty context: BOS, or the declared EOS where there is none.
    fn begin_id(&self) -> Option<u32> {
        self.bos_id().or(self.eos_ids().first().copied())
    }

    /// Ids that end a generation.
    fn eos_ids(&self) -> &[u32];

    /// The bytes of every id.
    fn table(&self) -> Arc<TokenTable>;

    /// Digest of vocabulary, merges and rules.
    fn digest(&self) -> &Digest;

    /// Digest of the chat template; `None` when the plain format is used.
    fn template_digest(&self) -> Option<&Digest>;

    /// Stop strings that belong to the prompt format: none with a chat template, the start of a new question in the plain format.
    fn default_stops(&self) -> &'static [&'static str] {
        if self.template_digest().is_some() {
            &[]
        } else {
            plain::STOPS
        }
    }
}
