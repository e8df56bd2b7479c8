//! The tokenizer embedded in a GGUF file.
//!
//! In: header and bytes of the file. Out: a [`ModelTokenizer`] whose ids are those of llama.cpp for the same file. Knows nothing of texts.
//!
//! BOS: `tokenizer.ggml.add_bos_token`, or the family's habit when the key is missing.

use super::TokenizerError;
use super::bpe::{ByteAlphabet, ByteLevelBpe};
use super::charsmap::Charsmap;
use super::ending::{ENDING_IF_CONTROL, declared_ids, ending_ids, is_ending_text};
use super::model::{Algorithm, Between, FirstSpace, ModelTokenizer};
use super::pretokenize::profile;
use super::special::{SpecialToken, SpecialTokens};
use super::spm::{SPACE, SentencePieceBpe, byte_of};
use super::template::{ChatTemplate, Variables};
use super::unigram::Unigram;
use super::vocabulary::{TokenKind, Vocabulary};
use crate::clock::Timestamp;
use crate::modelfile::GgufHeader;
use crate::record::{Digest, TokenTable};
use std::sync::Arc;

const MODELS: &[&str] = &["gpt2", "llama", "t5"];

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
        let (algorithm, rules, mut material) = match model {
            "gpt2" => byte_level(header, file, &vocabulary)?,
            "t5" => unigram(header, file, &vocabulary)?,
            _ => sentence_piece(header, file, &vocabulary)?,
        };
        let strips_behind = strips_behind(header)?;
        if strips_behind {
            material.extend(b"\nstrips behind tokens");
        }
        if rules.add_bos && rules.bos.is_none() {
            return Err(TokenizerError::BosMissing);
        }
        let eos_ids = ending_ids(
            declared_ids(header, &vocabulary)?,
            |text| vocabulary.id(text),
            |id| vocabulary.kind(id) == TokenKind::Control,
        );
        let digest = digest(&vocabulary, &rules, &eos_ids, &material);
        Ok(Self {
            kinds: vocabulary.kinds.clone(),
            table: Arc::new(table(&vocabulary, &algorithm)),
            special: special_tokens(&vocabulary, strips_behind),
            template: template(header, chat_template, &vocabulary, &rules, now)?,
            algorithm: Algorithm::Between(algorithm),
            space_prefix: rules.space_prefix,
            first_space: FirstSpace::Added(usize::from(rules.space_prefix)),
            bos: rules.bos,
            begin_said: true,
            begin: rules.bos.filter(|_| rules.add_bos).into_iter().collect(),
            eos: rules.eos.or_else(|| eos_ids.first().copied()),
            eos_ids,
            digest,
        })
    }
}

/// An algorithm, its rules and what else identifies it.
type Built = (Between, Rules, Vec<u8>);

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
        Between::Bytes(Box::new(model)),
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
    Ok((Between::Pieces(model), rules, material))
}

/// Unigram. SentencePiece models of this kind have no BOS; their EOS is 1, unknown 2 and padding 0 where the file does not say.
fn unigram(
    header: &GgufHeader,
    file: &[u8],
    vocabulary: &Vocabulary<'_>,
) -> Result<Built, TokenizerError> {
    let scores = vocabulary.scores(header, file)?;
    let flag = |key: &str| Ok::<_, TokenizerError>(header.boolean(key)?.unwrap_or(false));
    let declared_or = |key: &str, default: u32| {
        let declared = vocabulary.declared_id(header, key)?;
        let usual = Some(default).filter(|&id| (id as usize) < vocabulary.len());
        Ok::<_, TokenizerError>(declared.or(usual))
    };
    let rules = Rules {
        space_prefix: flag("tokenizer.ggml.add_space_prefix")?,
        bos: vocabulary.declared_id(header, "tokenizer.ggml.bos_token_id")?,
        eos: declared_or("tokenizer.ggml.eos_token_id", 1)?,
        unknown: declared_or("tokenizer.ggml.unknown_token_id", 2)?,
        add_bos: flag("tokenizer.ggml.add_bos_token")?,
    };
    let merge_spaces = flag("tokenizer.ggml.remove_extra_whitespaces")?;
    let unknown = rules.unknown.ok_or(TokenizerError::NoUnknown)?;
    let charsmap = Vocabulary::charsmap(header, file)?;
    let mut material = format!("t5\n{merge_spaces}\n").into_bytes();
    material.extend(scores.iter().flat_map(|s| s.to_le_bytes()));
    material.extend(charsmap.iter().flatten());
    let charsmap = charsmap.map(|bytes| Charsmap::new(&bytes)).transpose()?;
    let model = Unigram::new(
        vocabulary,
        &scores,
        unknown,
        charsmap,
        [rules.space_prefix, merge_spaces],
    );
    Ok((Between::Unigram(Box::new(model)), rules, material))
}

/// Texts behind which a file of Phi-3 keeps white space.
const KEPT_BEHIND: [&str; 3] = ["<unk>", "<s>", "<|endoftext|>"];

/// True for the family whose tokens take the white space behind them. GGUF files do not say so; llama.cpp knows it by the name of the model.
fn strips_behind(header: &GgufHeader) -> Result<bool, TokenizerError> {
    let name = header.string("general.name")?.unwrap_or_default();
    let name = name.to_ascii_lowercase();
    Ok(name.contains("phi-3") || name.contains("phi3"))
}

fn special_tokens(vocabulary: &Vocabulary<'_>, strips_behind: bool) -> SpecialTokens {
    let all = vocabulary.pieces.iter().zip(&vocabulary.kinds).enumerate();
    SpecialTokens::new(all.filter_map(|(id, (&piece, &kind))| {
        let matched = kind.is_control() || kind == TokenKind::UserDefined;
        let token = SpecialToken {
            id: id as u32,
            control: kind.is_control() || piece == ENDING_IF_CONTROL,
            rstrip: strips_behind && !KEPT_BEHIND.contains(&piece),
        };
        matched.then_some((piece, token))
    }))
}

fn table(vocabulary: &Vocabulary<'_>, algorithm: &Between) -> TokenTable {
    let alphabet = ByteAlphabet::new();
    let pieces = vocabulary
        .pieces
        .iter()
        .zip(&vocabulary.kinds)
        .map(|(&piece, &kind)| {
            let byte_level = matches!(algorithm, Between::Bytes(_));
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
