//! What can go wrong between text and token ids.

use crate::modelfile::ModelFileError;
use std::path::PathBuf;

/// A tokenizer that cannot be built, a text that cannot be encoded or a conversation that cannot be rendered.
#[derive(Debug, thiserror::Error)]
pub enum TokenizerError {
    /// The model file does not hold what a tokenizer needs.
    #[error(transparent)]
    File(#[from] ModelFileError),
    /// A tokenizer that is not the one the model was trained with.
    #[error(
        "the tokenizer `{}` ({external} ids) is not that of the model file ({own} ids): {differing} ids differ; {}{}",
        path.display(),
        shown.join(", "),
        if *differing > shown.len() { ", ..." } else { "" }
    )]
    ExternalDiffers {
        /// Its file or folder.
        path: PathBuf,
        /// Number of its ids.
        external: usize,
        /// Number of ids of the model file.
        own: usize,
        /// Number of ids with another meaning.
        differing: usize,
        /// The first of them.
        shown: Vec<String>,
    },
    /// An algorithm this room does not have.
    #[error(
        "`tokenizer.ggml.model` is `{found}`, which is not supported; supported are {}",
        quoted(known)
    )]
    Model {
        /// The name in the file.
        found: String,
        /// The names that work.
        known: &'static [&'static str],
    },
    /// A byte-level vocabulary that does not say how its text is split.
    #[error(
        "`tokenizer.ggml.pre` is missing, so the splitting rule of this vocabulary is not known; known are {}",
        quoted(known)
    )]
    PreMissing {
        /// The names that work.
        known: Vec<&'static str>,
    },
    /// A splitting rule this room does not have.
    #[error(
        "`tokenizer.ggml.pre` is `{found}`, which is not known{}; known are {}",
        nearest(found, known),
        quoted(known)
    )]
    PreUnknown {
        /// The name in the file.
        found: String,
        /// The names that work.
        known: Vec<&'static str>,
    },
    /// A list longer than any real vocabulary has.
    #[error("`{key}` has {found} entries, above the limit of {limit}")]
    Limit {
        /// Which list.
        key: &'static str,
        /// Its length.
        found: u64,
        /// Allowed.
        limit: u64,
    },
    /// Lists that must run in parallel and do not.
    #[error("`{key}` has {found} entries but `tokenizer.ggml.tokens` has {tokens}")]
    LengthMismatch {
        /// Which list.
        key: &'static str,
        /// Its length.
        found: usize,
        /// Number of tokens.
        tokens: usize,
    },
    /// A piece longer than any real one.
    #[error("token {id} has {bytes} bytes, above the limit of {limit} bytes")]
    PieceTooLong {
        /// Its id.
        id: usize,
        /// Its length.
        bytes: usize,
        /// Allowed.
        limit: usize,
    },
    /// Two ids with one text.
    #[error("tokens {first} and {second} are both `{piece}`")]
    DuplicatePiece {
        /// The text.
        piece: String,
        /// The lower id.
        first: u32,
        /// The higher id.
        second: u32,
    },
    /// A token type outside the format.
    #[error("token {id} has the type {found}; types 1 to 6 exist")]
    Kind {
        /// Its id.
        id: usize,
        /// The type in the file.
        found: f64,
    },
    /// A score that cannot be ordered.
    #[error("token {id} has the score {found}, which is not a finite number")]
    Score {
        /// Its id.
        id: usize,
        /// The score in the file.
        found: f64,
    },
    /// A token of the type byte that names no byte.
    #[error("token {id} has the type byte but is `{piece}` instead of `<0x00>` to `<0xFF>`")]
    BytePiece {
        /// Its id.
        id: usize,
        /// Its text.
        piece: String,
    },
    /// A vocabulary that has nothing for a character it does not hold.
    #[error(
        "the vocabulary has neither a token for byte {byte:#04x} nor an unknown token, so not every text can be encoded"
    )]
    NoFallback {
        /// The first byte without a token.
        byte: u8,
    },
    /// A unigram vocabulary without a token for what it does not hold.
    #[error("the vocabulary has no unknown token, so not every text can be encoded")]
    NoUnknown,
    /// Rules for changing characters that cannot be read.
    #[error("`tokenizer.ggml.precompiled_charsmap` cannot be used: {message}")]
    Charsmap {
        /// What is wrong with it.
        message: String,
    },
    /// A merge that is not two pieces.
    #[error("merge {index} is `{merge}` instead of two pieces with a space between them")]
    MergeForm {
        /// Its place in `tokenizer.ggml.merges`.
        index: usize,
        /// Its text.
        merge: String,
    },
    /// A merge of or into something that ordinary text cannot be.
    #[error(
        "merge {index} (`{merge}`) needs the piece `{piece}`, which is not an ordinary token of the vocabulary"
    )]
    MergePiece {
        /// Its place in `tokenizer.ggml.merges`.
        index: usize,
        /// Its text.
        merge: String,
        /// The piece that is missing.
        piece: String,
    },
    /// A declared id outside the vocabulary.
    #[error("`{key}` is {id} but the vocabulary has {tokens} tokens")]
    IdOutOfRange {
        /// Which key.
        key: String,
        /// The id in the file.
        id: u64,
        /// Number of tokens.
        tokens: usize,
    },
    /// A BOS rule without a BOS.
    #[error(
        "every prompt of this model begins with BOS but `tokenizer.ggml.bos_token_id` is missing"
    )]
    BosMissing,
    /// The tokenizers library failed or panicked.
    #[error("the tokenizers library failed to {action}: {message}")]
    Library {
        /// What it was asked to do.
        action: &'static str,
        /// What it said.
        message: String,
    },
    /// A `tokenizer.json` longer than any real one.
    #[error("`tokenizer.json` has {bytes} bytes, above the limit of {limit} bytes")]
    FileTooLong {
        /// Its length.
        bytes: usize,
        /// Allowed.
        limit: usize,
    },
    /// A `tokenizer.json` whose ids would be drawn at random.
    #[error(
        "`model.dropout` in `tokenizer.json` is {dropout}, so the same text would have other ids each time"
    )]
    Dropout {
        /// The value in the file.
        dropout: f64,
    },
    /// An added token with another id than the vocabulary gives it.
    #[error(
        "the added token `{content}` has the id {id} in `tokenizer.json`, but {} by its place in the vocabulary",
        found.map_or_else(|| "none".to_owned(), |id| id.to_string())
    )]
    AddedId {
        /// Its text.
        content: String,
        /// The id in the file.
        id: u32,
        /// The id it gets.
        found: Option<u32>,
    },
    /// A stage that makes texts much longer.
    #[error(
        "`{key}` in `tokenizer.json` can make a text {growth} times as long, above the limit of {limit} times"
    )]
    Growth {
        /// Which stage.
        key: &'static str,
        /// Bytes it can make of one.
        growth: u64,
        /// Allowed.
        limit: u64,
    },
    /// A decoder that makes a token longer than any real one.
    #[error(
        "`decoder` in `tokenizer.json` makes token {id} {bytes} bytes long, above the limit of {limit} bytes"
    )]
    DecodedTooLong {
        /// Its id.
        id: u32,
        /// Its length.
        bytes: usize,
        /// Allowed.
        limit: usize,
    },
    /// A decoder that makes the tokens together longer than any real ones.
    #[error(
        "`decoder` in `tokenizer.json` makes the tokens up to {id} {bytes} bytes long together, above the limit of {limit} bytes"
    )]
    TableTooLong {
        /// The id with which they are.
        id: u32,
        /// Their length.
        bytes: usize,
        /// Allowed.
        limit: usize,
    },
    /// A decoder that cannot tell the bytes of one token.
    #[error(
        "the decoder `{found}` of `tokenizer.json` is not supported: the text of a token would depend on its neighbours"
    )]
    Decoder {
        /// The beginning of its definition.
        found: String,
    },
    /// A file beside `tokenizer.json` longer than any real one.
    #[error("`{file}` has {bytes} bytes, above the limit of {limit} bytes")]
    SettingsTooLong {
        /// Its name.
        file: &'static str,
        /// Its length.
        bytes: usize,
        /// Allowed.
        limit: usize,
    },
    /// A file beside `tokenizer.json` that cannot be read.
    #[error("`{file}` cannot be read: {message}")]
    SettingsUnreadable {
        /// Its name.
        file: &'static str,
        /// What is wrong with it.
        message: String,
    },
    /// A value of another type than its key has.
    #[error("`{key}` in `{file}` is {found} instead of {expected}")]
    Setting {
        /// The file's name.
        file: &'static str,
        /// The key, with dots between levels.
        key: String,
        /// What it could be.
        expected: &'static str,
        /// What it is.
        found: String,
    },
    /// An id outside the vocabulary in a file beside it.
    #[error("`{key}` in `{file}` is {id} but the vocabulary has {tokens} tokens")]
    SettingId {
        /// The file's name.
        file: &'static str,
        /// The key, with dots between levels.
        key: &'static str,
        /// The id in the file.
        id: u64,
        /// Number of tokens.
        tokens: usize,
    },
    /// Several templates, of which none is for an ordinary conversation.
    #[error(
        "the model has chat templates named {} but none named `default`",
        quoted(&known.iter().map(String::as_str).collect::<Vec<_>>())
    )]
    TemplateDefault {
        /// Their names.
        known: Vec<String>,
    },
    /// A text longer than any context window.
    #[error("the text has {bytes} bytes, above the limit of {limit} bytes")]
    TextTooLong {
        /// Its length.
        bytes: usize,
        /// Allowed.
        limit: usize,
    },
    /// A continuation that cannot be scored.
    #[error("the continuation `{continuation}` adds no token to its context")]
    EmptyContinuation {
        /// Its text.
        continuation: String,
    },
    /// An empty context in a vocabulary without a token that can stand for it.
    #[error("the context is empty and the vocabulary declares neither BOS nor EOS to stand for it")]
    EmptyContext,
    /// A prompt without a conversation.
    #[error("the conversation has no messages")]
    NoMessages,
    /// A template longer than any real one.
    #[error("the chat template has {bytes} bytes, above the limit of {limit} bytes")]
    TemplateTooLong {
        /// Its length.
        bytes: usize,
        /// Allowed.
        limit: usize,
    },
    /// A template that cannot be read.
    #[error("the chat template is invalid at line {line}: {message}")]
    TemplateSyntax {
        /// Where.
        line: usize,
        /// What the template engine said.
        message: String,
    },
    /// The template raised an exception for this conversation.
    #[error("the chat template refused the conversation: {message}")]
    TemplateRefused {
        /// What the template said.
        message: String,
    },
    /// The template failed otherwise.
    #[error("the chat template failed at line {line}: {message}")]
    TemplateFailed {
        /// Where; 0 when the template engine cannot tell.
        line: usize,
        /// What the template engine said.
        message: String,
    },
    /// The template ran longer than any real one.
    #[error("the chat template used more than {limit} steps")]
    TemplateSteps {
        /// Allowed.
        limit: u64,
    },
    /// The template wrote more than any real one.
    #[error("the chat template wrote more than {limit} bytes")]
    TemplateOutput {
        /// Allowed.
        limit: usize,
    },
}

impl TokenizerError {
    /// One thing the user can do.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::File(e) => e.hint(),
            Self::ExternalDiffers { .. } => Some(
                "remove `tokenizer` from the model's entry of `models.toml`: the file's own vocabulary is used"
                    .to_owned(),
            ),
            Self::PreMissing { .. } => Some(
                "convert the model again with a current converter: it writes `tokenizer.ggml.pre`"
                    .to_owned(),
            ),
            Self::TemplateDefault { .. } => Some(
                "name a template file with `chat_template` in the model's entry of `models.toml`"
                    .to_owned(),
            ),
            Self::TemplateRefused { .. } => Some(
                "many templates accept no system message and no two messages of one role in a row"
                    .to_owned(),
            ),
            _ => None,
        }
    }
}

fn quoted(names: &[&str]) -> String {
    let names: Vec<_> = names.iter().map(|n| format!("`{n}`")).collect();
    names.join(", ")
}

fn nearest(found: &str, known: &[&str]) -> String {
    let distance = |name: &&str| strsim::levenshtein(found, name);
    known
        .iter()
        .min_by_key(|name| distance(name))
        .filter(|name| distance(name) <= 3)
        .map_or_else(String::new, |name| format!(" (nearest: `{name}`)"))
}
