//! The tokenizer embedded in a GGUF file.
//!
//! In: header and bytes of the file. Out: a [`Codec`] whose ids are those of llama.cpp for the same file.
//!
//! # Text of data sets never becomes a control token
//! [`Codec::encode`] with `special` unset and [`Codec::context_and_continuation`] match user-defined tokens only. In [`Codec::prompt`] the template's own control
//! tokens must be recognised and those written in a message must not: the messages are searched before rendering, and behind the
//! first character of every text that is or could become a control token a mark is put, a private-use character that
//! occurs neither in the messages nor in the template. The rendered text is cut at its control tokens, which the marks keep from matching, then
//! the marks are removed and the text between the tokens is encoded. Messages without such texts reach the template unchanged, so that
//! trimming and comparing in templates works as ever. A template that deletes characters inside a message could still assemble a
//! control token out of them.
//!
//! # BOS
//! `tokenizer.ggml.add_bos_token`, or the family's habit when the key is missing. A prompt whose template or text already begins with BOS gets no
//! second one. EOS is never appended.

use super::bpe::{ByteAlphabet, ByteLevelBpe};
use super::ending::{ending_ids, is_ending_text};
use super::pretokenize::profile;
use super::special::{Fragment, SpecialTokens};
use super::spm::{SPACE, SentencePieceBpe, byte_of};
use super::template::{ChatTemplate, Variables};
use super::vocabulary::{TokenKind, Vocabulary};
use super::{Codec, Prompt, TokenizerError, boundary, plain};
use crate::clock::Timestamp;
use crate::modelfile::GgufHeader;
use crate::record::{Digest, Message, TokenTable};
use std::sync::Arc;

const MODELS: &[&str] = &["gpt2", "llama"];
/// Far above any context window; keeps a mistaken input from taking all memory.
const MAX_TEXT_BYTES: usize = 64 << 20;
/// The first private-use character that may serve as a mark; plane 15 is used by no known vocabulary.
const FIRST_MARK: u32 = 0xF_0000;

enum Algorithm {
    Bytes(Box<ByteLevelBpe>),
    Pieces(SentencePieceBpe),
}

/// A tokenizer with its prompt format.
pub struct ModelTokenizer {
    algorithm: Algorithm,
    special: SpecialTokens,
    /// Text after a token matched as a whole, and at the start, begins with an added space.
    space_prefix: bool,
    bos: Option<u32>,
    add_bos: bool,
    /// The first declared EOS, which stands for an empty context when there is no BOS.
    eos: Option<u32>,
    eos_ids: Vec<u32>,
    table: Arc<TokenTable>,
    template: Option<ChatTemplate>,
    digest: Digest,
}

impl std::fmt::Debug for ModelTokenizer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ModelTokenizer")
            .field("tokens", &self.table.len())
            .field("digest", &self.digest)
            .finish_non_exhaustive()
    }
}

/// What the header says beside the vocabulary, with the defaults of the family.
struct Rules {
    space_prefix: bool,
    bos: Option<u32>,
    eos: Option<u32>,
    unknown: Option<u32>,
    add_bos: bool,
}

impl ModelTokenizer {
    /// Builds the tokenizer of the file whose bytes are `file`. `chat_template` takes the place of the one in the file. `now` is what a chat template that asks for the date is told.
    ///
    /// # Errors
    /// When the vocabulary is of a kind that is not supported or contradicts itself, or the chat template cannot be read.
    pub fn from_gguf(
        header: &GgufHeader,
        file: &[u8],
        chat_template: Option<&str>,
        now: Timestamp,
    ) -> Result<Self, TokenizerError> {
        let model = header.string("tokenizer.ggml.model")?.unwrap_or_default();
        if !MODELS.contains(&model) {
            return Err(TokenizerError::Model {
                found: model.to_owned(),
                known: MODELS,
            });
        }
        let mut vocabulary = Vocabulary::read(header, file)?;
        // Some converters call an ending token ordinary; then neither text nor output may show it.
        vocabulary.make_control(is_ending_text);
        let (algorithm, rules, material) = if model == "gpt2" {
            byte_level(header, file, &vocabulary)?
        } else {
            sentence_piece(header, file, &vocabulary)?
        };
        if rules.add_bos && rules.bos.is_none() {
            return Err(TokenizerError::BosMissing);
        }
        let eos_ids = ending_ids(header, &vocabulary)?;
        let digest = digest(&vocabulary, &rules, &eos_ids, &material);
        Ok(Self {
            table: Arc::new(table(&vocabulary, &algorithm)),
            special: special_tokens(&vocabulary),
            template: template(header, chat_template, &vocabulary, &rules, now)?,
            algorithm,
            space_prefix: rules.space_prefix,
            bos: rules.bos,
            add_bos: rules.add_bos,
            eos: rules.eos.or_else(|| eos_ids.first().copied()),
            eos_ids,
            digest,
        })
    }

    /// True when the vocabulary begins prompts with BOS.
    pub fn adds_bos(&self) -> bool {
        self.add_bos
    }

    fn with_bos(&self, mut ids: Vec<u32>) -> Vec<u32> {
        if let Some(bos) = self.bos.filter(|_| self.add_bos)
            && ids.first() != Some(&bos)
        {
            ids.insert(0, bos);
        }
        ids
    }

    fn sink(&self) -> Sink<'_> {
        Sink {
            tokenizer: self,
            ids: Vec::new(),
            after_token: true,
        }
    }

    /// Ids of a rendered template in which `mark` keeps texts of messages from being control tokens.
    fn encode_rendered(&self, rendered: &str, mark: char) -> Result<Vec<u32>, TokenizerError> {
        let mut sink = self.sink();
        for fragment in self.special.partition(rendered, true) {
            match fragment {
                Fragment::Text(text) if text.contains(mark) => {
                    let text = text.replace(mark, "");
                    sink.all(&self.special.partition(&text, false))?;
                }
                other => sink.all(&[other])?,
            }
        }
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
        limited(&rendered)?;
        Ok(Prompt {
            ids: self.with_bos(self.encode_rendered(&rendered, mark)?),
            text: rendered.replace(mark, ""),
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
        limited(text)?;
        let mut sink = self.sink();
        sink.all(&self.special.partition(text, special))?;
        Ok(sink.ids)
    }

    fn decode(&self, ids: &[u32]) -> String {
        let bytes: Vec<u8> = ids
            .iter()
            .flat_map(|&id| self.table.piece(id))
            .copied()
            .collect();
        let text = match bytes.strip_prefix(b" ") {
            Some(rest) if self.space_prefix => rest,
            _ => &bytes,
        };
        String::from_utf8_lossy(text).into_owned()
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
        let stand_in = self.bos.or(self.eos).ok_or(TokenizerError::EmptyContext)?;
        Ok((vec![stand_in], continuation))
    }

    fn bos_id(&self) -> Option<u32> {
        self.bos
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
    tokenizer: &'a ModelTokenizer,
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
        match &self.tokenizer.algorithm {
            Algorithm::Bytes(model) => model.encode(text, &mut self.ids)?,
            Algorithm::Pieces(model) => {
                let prefix = if self.tokenizer.space_prefix && self.after_token {
                    SPACE
                } else {
                    ""
                };
                model.encode(
                    &format!("{prefix}{}", text.replace(' ', SPACE)),
                    &mut self.ids,
                );
            }
        }
        self.after_token = false;
        Ok(())
    }
}

/// An algorithm, its rules and what else identifies it.
type Built = (Algorithm, Rules, Vec<u8>);

fn byte_level(
    header: &GgufHeader,
    file: &[u8],
    vocabulary: &Vocabulary<'_>,
) -> Result<Built, TokenizerError> {
    let pre = header.string("tokenizer.ggml.pre")?;
    let profile = profile(pre)?;
    let merges = Vocabulary::merges(header, file)?;
    let model = ByteLevelBpe::new(vocabulary, &merges, profile)?;
    let rules = Rules {
        // Byte-level vocabularies write the space before a word into the word; the key is for the other kind.
        space_prefix: false,
        bos: vocabulary.declared_id(header, "tokenizer.ggml.bos_token_id")?,
        eos: vocabulary.declared_id(header, "tokenizer.ggml.eos_token_id")?,
        unknown: vocabulary.declared_id(header, "tokenizer.ggml.unknown_token_id")?,
        add_bos: header
            .boolean("tokenizer.ggml.add_bos_token")?
            .unwrap_or(profile.add_bos),
    };
    let material = format!("gpt2\n{}\n{}", pre.unwrap_or_default(), merges.join("\n"));
    Ok((
        Algorithm::Bytes(Box::new(model)),
        rules,
        material.into_bytes(),
    ))
}

fn sentence_piece(
    header: &GgufHeader,
    file: &[u8],
    vocabulary: &Vocabulary<'_>,
) -> Result<Built, TokenizerError> {
    let scores = vocabulary.scores(header, file)?;
    // SentencePiece's own numbering, for files that do not declare theirs.
    let declared_or = |key: &str, default: u32| {
        let declared = vocabulary.declared_id(header, key)?;
        let usual = Some(default)
            .filter(|&id| (id as usize) < vocabulary.len() && vocabulary.kind(id).is_control());
        Ok::<_, TokenizerError>(declared.or(usual))
    };
    let rules = Rules {
        space_prefix: header
            .boolean("tokenizer.ggml.add_space_prefix")?
            .unwrap_or(true),
        bos: declared_or("tokenizer.ggml.bos_token_id", 1)?,
        eos: declared_or("tokenizer.ggml.eos_token_id", 2)?,
        unknown: declared_or("tokenizer.ggml.unknown_token_id", 0)?,
        add_bos: header
            .boolean("tokenizer.ggml.add_bos_token")?
            .unwrap_or(true),
    };
    let mut material = b"llama\n".to_vec();
    material.extend(scores.iter().flat_map(|s| s.to_le_bytes()));
    let model = SentencePieceBpe::new(vocabulary, scores, rules.unknown)?;
    Ok((Algorithm::Pieces(model), rules, material))
}

fn special_tokens(vocabulary: &Vocabulary<'_>) -> SpecialTokens {
    let all = vocabulary.pieces.iter().zip(&vocabulary.kinds).enumerate();
    SpecialTokens::new(all.filter_map(|(id, (&piece, &kind))| {
        let matched = kind.is_control() || kind == TokenKind::UserDefined;
        matched.then_some((piece, id as u32, kind.is_control()))
    }))
}

fn table(vocabulary: &Vocabulary<'_>, algorithm: &Algorithm) -> TokenTable {
    let alphabet = ByteAlphabet::new();
    let pieces = vocabulary
        .pieces
        .iter()
        .zip(&vocabulary.kinds)
        .map(|(&piece, &kind)| {
            let byte_level = matches!(algorithm, Algorithm::Bytes(_));
            match kind {
                TokenKind::Control | TokenKind::Unknown => Vec::new(),
                TokenKind::UserDefined => piece.as_bytes().to_vec(),
                TokenKind::Byte => {
                    byte_of(piece).map_or_else(|| piece.as_bytes().to_vec(), |b| vec![b])
                }
                // Padding of the embedding matrix, not text.
                TokenKind::Unused if byte_level => Vec::new(),
                TokenKind::Normal if byte_level => alphabet.read(piece),
                TokenKind::Normal | TokenKind::Unused => piece.replace(SPACE, " ").into_bytes(),
            }
        });
    TokenTable::from_pieces(pieces)
}

fn template(
    header: &GgufHeader,
    instead: Option<&str>,
    vocabulary: &Vocabulary<'_>,
    rules: &Rules,
    now: Timestamp,
) -> Result<Option<ChatTemplate>, TokenizerError> {
    let own = header.string("tokenizer.chat_template")?;
    let Some(source) = instead.or(own).filter(|s| !s.trim().is_empty()) else {
        return Ok(None);
    };
    let text = |id: Option<u32>| id.map(|id| vocabulary.pieces[id as usize].to_owned());
    let padding = vocabulary.declared_id(header, "tokenizer.ggml.padding_token_id")?;
    let variables = Variables {
        bos_token: text(rules.bos),
        eos_token: text(rules.eos),
        unk_token: text(rules.unknown),
        pad_token: text(padding),
    };
    ChatTemplate::new(source, variables, now).map(Some)
}

fn digest(vocabulary: &Vocabulary<'_>, rules: &Rules, eos_ids: &[u32], material: &[u8]) -> Digest {
    let settings = format!(
        "{:?} {:?} {} {} {eos_ids:?}",
        rules.bos, rules.unknown, rules.add_bos, rules.space_prefix
    );
    let kinds: Vec<u8> = vocabulary.kinds.iter().map(|&k| k as u8).collect();
    let fixed = [settings.as_bytes(), material, &kinds];
    let pieces = vocabulary.pieces.iter().map(|p| p.as_bytes());
    Digest::of_parts(fixed.into_iter().chain(pieces))
}

#[cfg(test)]
#[path = "gguf_tests.rs"]
mod tests;
