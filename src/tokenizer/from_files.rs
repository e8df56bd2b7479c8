//! The tokenizer of a model folder: `tokenizer.json` and the files beside it.
//!
//! In: the bytes of the files. Out: a [`ModelTokenizer`] whose ids are those of transformers for the same folder. Knows nothing of where the files lie.
//!
//! Control tokens are the added tokens that the file calls special, those that a file beside it names (`bos_token` and its kin), and those whose
//! text is known to end a turn.
//!
//! BOS: what the post-processor puts before a text, unless `add_bos_token` in `tokenizer_config.json` says otherwise. What it puts
//! behind a text is never added.
//!
//! EOS: the union of `eos_token_id` in `generation_config.json` and `config.json` (with its `text_config`), of `eos_token` in `tokenizer_config.json` or
//! `special_tokens_map.json`, and of the texts that are known to end a turn.

use super::TokenizerError;
use super::ending::{ending_ids, is_ending_text};
use super::file::TokenizerFile;
use super::guard::guarded;
use super::model::{Algorithm, ModelTokenizer};
use super::pieces::Pieces;
use super::pipeline::{Kinds, Pipeline};
use super::settings::{DeclaredId, Settings};
use super::special::{SpecialToken, SpecialTokens};
use super::template::{ChatTemplate, Variables};
use super::vocabulary::TokenKind;
use crate::clock::Timestamp;
use crate::record::{Digest, TokenTable};
use std::collections::HashSet;
use std::sync::Arc;
use tokenizers::{Encoding, PostProcessor as _, Token, Tokenizer};

/// Three times the text of the longest `tokenizer.json` that is read.
const MAX_TABLE_BYTES: usize = 256 << 20;

/// The files of a model folder that say how text becomes token ids, as bytes.
#[derive(Debug, Clone, Default)]
pub struct TokenizerFiles {
    /// `tokenizer.json`.
    pub tokenizer: Vec<u8>,
    /// `tokenizer_config.json`.
    pub tokenizer_config: Option<Vec<u8>>,
    /// `generation_config.json`.
    pub generation_config: Option<Vec<u8>>,
    /// `config.json`.
    pub config: Option<Vec<u8>>,
    /// `special_tokens_map.json`.
    pub special_tokens_map: Option<Vec<u8>>,
    /// `chat_template.jinja`.
    pub chat_template: Option<String>,
    /// `chat_template.json`.
    pub chat_template_json: Option<Vec<u8>>,
}

/// The vocabulary with what every id is for.
struct Vocabulary {
    /// Texts by id as the decoder reads them; `None` where an id has no token.
    texts: Vec<Option<String>>,
    control: HashSet<u32>,
    /// Ids of added tokens.
    added: HashSet<u32>,
    /// Special tokens that the files name and `tokenizer.json` does not add.
    named: Vec<(String, u32)>,
}

impl ModelTokenizer {
    /// Builds the tokenizer of a model folder. `chat_template` takes the place of the templates in the files. `now` is what a chat template that asks for the date is told.
    ///
    /// # Errors
    /// When a file cannot be read, contradicts itself or another, or has what is not supported.
    pub fn from_files(
        files: &TokenizerFiles,
        chat_template: Option<&str>,
        now: Timestamp,
    ) -> Result<Self, TokenizerError> {
        let file = TokenizerFile::parse(&files.tokenizer)?;
        let settings = Settings::read(files)?;
        let unknown = file.unknown();
        let rows = file.rows();
        let tokenizer = file.into_tokenizer();
        let vocabulary = Vocabulary::read(&tokenizer, rows, &settings);
        let decoder = serde_json::to_value(tokenizer.get_decoder()).unwrap_or_default();
        let pieces = Pieces::new(&decoder)?;
        let declared = declared_ids(&settings.eos_ids, rows)?;
        let id = |key| {
            settings
                .token(key)
                .and_then(|text| tokenizer.token_to_id(text))
        };
        let eos = id("eos_token").or(declared.first().copied());
        let eos_ids = ending_ids(
            declared.into_iter().chain(id("eos_token")).collect(),
            |text| tokenizer.token_to_id(text),
            |id| vocabulary.control.contains(&id),
        );
        let bos = match (&settings.bos_id, settings.names_tokens) {
            (Some(declared), false) => Some(checked(declared, rows)?),
            _ => id("bos_token"),
        };
        let begin = begin(&tokenizer, &settings, bos, rows)?;
        let digest = digest(&files.tokenizer, &vocabulary, bos, &begin, &eos_ids);
        let template = template(&settings, chat_template, &tokenizer, [bos, eos], now)?;
        let special = vocabulary.special(&tokenizer);
        let table = vocabulary.table(&pieces, MAX_TABLE_BYTES)?;
        let kinds_by_id = vocabulary.kinds();
        let kinds = Kinds {
            control: vocabulary.control,
            named: vocabulary.named,
            unknown,
        };
        Ok(Self {
            algorithm: Algorithm::File(Box::new(Pipeline::new(tokenizer, &kinds)?)),
            special,
            space_prefix: false,
            first_space: pieces.first_space,
            bos: bos.or(begin.last().copied()),
            begin_said: settings.add_bos.is_some() || !begin.is_empty(),
            begin,
            eos: eos.or(eos_ids.first().copied()),
            eos_ids,
            kinds: kinds_by_id,
            table: Arc::new(table),
            template,
            digest,
        })
    }
}

impl Vocabulary {
    fn read(tokenizer: &Tokenizer, rows: u32, settings: &Settings) -> Self {
        let added = tokenizer.get_added_vocabulary();
        let by_id = added.get_added_tokens_decoder();
        let mut vocabulary = Self {
            texts: Vec::with_capacity(rows as usize),
            control: HashSet::new(),
            added: by_id.keys().copied().collect(),
            named: Vec::new(),
        };
        for id in 0..rows {
            let content = tokenizer.id_to_token(id);
            let special = by_id.get(&id).is_some_and(|token| token.special);
            if special || content.as_deref().is_some_and(is_ending_text) {
                vocabulary.control.insert(id);
            }
            vocabulary
                .texts
                .push(added.simple_id_to_token(id).or(content));
        }
        for text in settings.special_texts() {
            if let Some(id) = tokenizer.token_to_id(text) {
                vocabulary.control.insert(id);
                let named = (text.to_owned(), id);
                if !vocabulary.added.contains(&id) && !vocabulary.named.contains(&named) {
                    vocabulary.named.push(named);
                }
            }
        }
        vocabulary
    }

    fn special(&self, tokenizer: &Tokenizer) -> SpecialTokens {
        let by_id = tokenizer.get_added_vocabulary().get_added_tokens_decoder();
        let added = by_id
            .iter()
            .map(|(&id, token)| (token.content.as_str(), id));
        let named = self.named.iter().map(|(text, id)| (text.as_str(), *id));
        let all = added.chain(named);
        SpecialTokens::new(all.map(|(text, id)| {
            let control = self.control.contains(&id);
            let rstrip = false;
            (
                text,
                SpecialToken {
                    id,
                    control,
                    rstrip,
                },
            )
        }))
    }

    /// What every id is for, as far as this file tells it.
    fn kinds(&self) -> Vec<TokenKind> {
        let kind = |(text, id): (&Option<String>, u32)| match text {
            None => TokenKind::Unused,
            Some(_) if self.control.contains(&id) => TokenKind::Control,
            Some(_) if self.added.contains(&id) => TokenKind::UserDefined,
            Some(_) => TokenKind::Normal,
        };
        self.texts.iter().zip(0_u32..).map(kind).collect()
    }

    /// The bytes of every id, at most `limit` together.
    fn table(&self, pieces: &Pieces, limit: usize) -> Result<TokenTable, TokenizerError> {
        let mut table = Vec::with_capacity(self.texts.len());
        let mut bytes = 0_usize;
        for (text, id) in self.texts.iter().zip(0_u32..) {
            let piece = match text {
                None => Vec::new(),
                Some(_) if self.control.contains(&id) => Vec::new(),
                // Added tokens are not written in the alphabet of bytes.
                Some(text) if pieces.is_byte_level() && self.added.contains(&id) => {
                    text.as_bytes().to_vec()
                }
                Some(text) => pieces.bytes(id, text)?,
            };
            bytes = bytes.saturating_add(piece.len());
            if bytes > limit {
                return Err(TokenizerError::TableTooLong { id, bytes, limit });
            }
            table.push(piece);
        }
        Ok(TokenTable::from_pieces(table))
    }
}

fn checked(declared: &DeclaredId, rows: u32) -> Result<u32, TokenizerError> {
    let id = u32::try_from(declared.id).ok().filter(|&id| id < rows);
    id.ok_or(TokenizerError::SettingId {
        file: declared.file,
        key: declared.key,
        id: declared.id,
        tokens: rows as usize,
    })
}

fn declared_ids(declared: &[DeclaredId], rows: u32) -> Result<Vec<u32>, TokenizerError> {
    declared.iter().map(|id| checked(id, rows)).collect()
}

/// What every prompt begins with.
fn begin(
    tokenizer: &Tokenizer,
    settings: &Settings,
    bos: Option<u32>,
    rows: u32,
) -> Result<Vec<u32>, TokenizerError> {
    if let Some(add) = settings.add_bos {
        return Ok(bos.filter(|_| add).into_iter().collect());
    }
    let Some(processor) = tokenizer.get_post_processor() else {
        return Ok(Vec::new());
    };
    // No vocabulary reaches this id.
    let text = Token::new(u32::MAX, String::new(), (0, 0));
    let ids = guarded("add what begins a text", || {
        let around = processor.process(Encoding::from_tokens(vec![text], 0), None, true)?;
        Ok(around.get_ids().to_vec())
    })?;
    let before: Vec<u32> = ids.into_iter().take_while(|&id| id != u32::MAX).collect();
    match before.iter().find(|&&id| id >= rows) {
        Some(&id) => Err(TokenizerError::SettingId {
            file: "tokenizer.json",
            key: "post_processor",
            id: u64::from(id),
            tokens: rows as usize,
        }),
        None => Ok(before),
    }
}

fn template(
    settings: &Settings,
    instead: Option<&str>,
    tokenizer: &Tokenizer,
    [bos, eos]: [Option<u32>; 2],
    now: Timestamp,
) -> Result<Option<ChatTemplate>, TokenizerError> {
    let own = settings.templates.iter().find(|t| t.name == "default");
    let source = instead.or(own.map(|t| t.source.as_str()));
    if source.is_none() && !settings.templates.is_empty() {
        let known = settings.templates.iter().map(|t| t.name.clone()).collect();
        return Err(TokenizerError::TemplateDefault { known });
    }
    let Some(source) = source.filter(|s| !s.trim().is_empty()) else {
        return Ok(None);
    };
    let named = |key: &str| settings.token(key).map(str::to_owned);
    let by_id = |id: Option<u32>| {
        let id = id.filter(|_| !settings.names_tokens)?;
        tokenizer.id_to_token(id)
    };
    let variables = Variables {
        bos_token: named("bos_token").or_else(|| by_id(bos)),
        eos_token: named("eos_token").or_else(|| by_id(eos)),
        unk_token: named("unk_token"),
        pad_token: named("pad_token"),
    };
    ChatTemplate::new(source, variables, now).map(Some)
}

fn digest(
    tokenizer: &[u8],
    vocabulary: &Vocabulary,
    bos: Option<u32>,
    begin: &[u32],
    eos_ids: &[u32],
) -> Digest {
    let mut control: Vec<u32> = vocabulary.control.iter().copied().collect();
    control.sort_unstable();
    let named = &vocabulary.named;
    let settings = format!("{bos:?} {begin:?} {eos_ids:?} {control:?} {named:?}");
    Digest::of_parts([b"tokenizer.json".as_slice(), settings.as_bytes(), tokenizer])
}

#[cfg(test)]
#[path = "from_files_tests.rs"]
mod tests;
