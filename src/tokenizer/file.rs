//! `tokenizer.json`, the file the `tokenizers` crate reads.
//!
//! In: its bytes. Out: a tokenizer that encodes and decodes, or an error. The file is hostile: its size is bounded, and loading, encoding and
//! decoding are guarded, because the crate panics on several files it does not expect. Padding and truncation, whose lengths a file
//! chooses freely, are switched off: a prompt is never padded or cut here.

use super::TokenizerError;
use super::growth;
use super::guard::guarded;
use super::model::MAX_TEXT_BYTES;
use tokenizers::{NormalizerWrapper, Tokenizer};

/// Twice the largest file known.
const MAX_FILE_BYTES: usize = 64 << 20;
/// Four times the largest vocabulary known.
const MAX_IDS: u64 = 1 << 20;

/// A tokenizer read from a `tokenizer.json`.
pub struct TokenizerFile {
    tokenizer: Tokenizer,
    /// One more than the largest id.
    rows: u32,
    unknown: Option<u32>,
}

/// Parts of the file that the crate reads and does not tell.
#[derive(serde::Deserialize)]
struct Sketch {
    #[serde(default)]
    added_tokens: Vec<SketchToken>,
    normalizer: Option<NormalizerWrapper>,
    model: SketchModel,
}

#[derive(serde::Deserialize)]
struct SketchToken {
    id: u32,
    content: String,
}

#[derive(serde::Deserialize)]
struct SketchModel {
    unk_token: Option<String>,
    unk_id: Option<u32>,
    dropout: Option<f64>,
}

impl std::fmt::Debug for TokenizerFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TokenizerFile").finish_non_exhaustive()
    }
}

impl TokenizerFile {
    /// Reads the file.
    ///
    /// # Errors
    /// When it is too long, or the crate refuses it or panics.
    pub fn parse(json: &[u8]) -> Result<Self, TokenizerError> {
        if json.len() > MAX_FILE_BYTES {
            return Err(TokenizerError::FileTooLong {
                bytes: json.len(),
                limit: MAX_FILE_BYTES,
            });
        }
        let sketch: Sketch = guarded("read `tokenizer.json`", || {
            Ok(serde_json::from_slice(json)?)
        })?;
        // The crate normalizes added tokens while it reads them.
        growth::check("normalizer", &written(&sketch.normalizer))?;
        let tokenizer = guarded("read `tokenizer.json`", || {
            let mut tokenizer = Tokenizer::from_bytes(json)?;
            tokenizer.with_padding(None);
            tokenizer.with_truncation(None)?;
            Ok(tokenizer)
        })?;
        // What is built later has a row for every id.
        let largest = tokenizer.get_vocab(true).into_values().max().unwrap_or(0);
        if u64::from(largest) >= MAX_IDS {
            return Err(TokenizerError::Limit {
                key: "tokenizer.json",
                found: u64::from(largest) + 1,
                limit: MAX_IDS,
            });
        }
        growth::check("pre_tokenizer", &written(&tokenizer.get_pre_tokenizer()))?;
        growth::check("decoder", &written(&tokenizer.get_decoder()))?;
        let unknown = consistent(&sketch, &tokenizer)?;
        Ok(Self {
            tokenizer,
            rows: largest + 1,
            unknown,
        })
    }

    /// One more than the largest id.
    pub(super) fn rows(&self) -> u32 {
        self.rows
    }

    /// The id of what the model does not know.
    pub(super) fn unknown(&self) -> Option<u32> {
        self.unknown
    }

    pub(super) fn into_tokenizer(self) -> Tokenizer {
        self.tokenizer
    }

    /// Number of ids.
    pub fn vocabulary(&self) -> usize {
        self.tokenizer.get_vocab_size(true)
    }

    /// Ids of `text`, without what the file adds around it.
    ///
    /// # Errors
    /// When the text is too long, or the crate refuses it or panics.
    pub fn encode(&self, text: &str) -> Result<Vec<u32>, TokenizerError> {
        if text.len() > MAX_TEXT_BYTES {
            return Err(TokenizerError::TextTooLong {
                bytes: text.len(),
                limit: MAX_TEXT_BYTES,
            });
        }
        let encoding = guarded("encode a text", || self.tokenizer.encode(text, false))?;
        Ok(encoding.get_ids().to_vec())
    }

    /// Text of `ids`, control tokens included.
    ///
    /// # Errors
    /// When the crate refuses them or panics.
    pub fn decode(&self, ids: &[u32]) -> Result<String, TokenizerError> {
        guarded("decode ids", || self.tokenizer.decode(ids, false))
    }
}

/// A stage as the crate writes it, which names the type of every step.
fn written(stage: &impl serde::Serialize) -> serde_json::Value {
    serde_json::to_value(stage).unwrap_or_default()
}

/// Refuses what the crate would read otherwise than it is written; the id of the unknown token.
fn consistent(sketch: &Sketch, tokenizer: &Tokenizer) -> Result<Option<u32>, TokenizerError> {
    if let Some(dropout) = sketch.model.dropout.filter(|&d| d != 0.0) {
        return Err(TokenizerError::Dropout { dropout });
    }
    // The crate leaves empty ones out, and numbers the others itself.
    for token in sketch.added_tokens.iter().filter(|t| !t.content.is_empty()) {
        let found = tokenizer.token_to_id(&token.content);
        if found != Some(token.id) {
            return Err(TokenizerError::AddedId {
                content: token.content.clone(),
                id: token.id,
                found,
            });
        }
    }
    let by_text = |text: &String| tokenizer.token_to_id(text);
    Ok(sketch
        .model
        .unk_id
        .or(sketch.model.unk_token.as_ref().and_then(by_text)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A word-level tokenizer; `extra` goes before the model.
    fn file(extra: &str) -> String {
        format!(
            r#"{{"version":"1.0","truncation":null,"padding":null,"added_tokens":[],"normalizer":null,
            "pre_tokenizer":{{"type":"Whitespace"}},"post_processor":null,"decoder":null,{extra}
            "model":{{"type":"WordLevel","vocab":{{"a":0,"b":1,"?":2}},"unk_token":"?"}}}}"#
        )
    }

    #[test]
    fn a_file_is_read_and_used() {
        let tokenizer = TokenizerFile::parse(file("").as_bytes()).unwrap();
        assert_eq!(tokenizer.vocabulary(), 3);
        assert_eq!(tokenizer.encode("b a x").unwrap(), [1, 0, 2]);
        assert_eq!(tokenizer.decode(&[1, 0]).unwrap(), "b a");
        assert_eq!(tokenizer.decode(&[u32::MAX]).unwrap(), "");
    }

    #[test]
    fn ids_are_bounded() {
        let far = file("").replace("\"a\":0", "\"a\":4294967295");
        assert_eq!(
            TokenizerFile::parse(far.as_bytes())
                .unwrap_err()
                .to_string(),
            "`tokenizer.json` has 4294967296 entries, above the limit of 1048576"
        );
    }

    #[test]
    fn lengths_that_a_file_chooses_have_no_effect() {
        let text = file("").replace(
            "\"truncation\":null,\"padding\":null",
            r#""truncation":{"direction":"Right","max_length":1,"strategy":"LongestFirst","stride":0},
            "padding":{"strategy":{"Fixed":1000000000000},"direction":"Right","pad_to_multiple_of":null,"pad_id":0,"pad_type_id":0,"pad_token":"a"}"#,
        );
        let tokenizer = TokenizerFile::parse(text.as_bytes()).unwrap();
        assert_eq!(tokenizer.encode("b a").unwrap(), [1, 0]);
    }

    #[test]
    fn what_the_crate_panics_on_is_an_error() {
        let zero = file("").replace(
            "{\"type\":\"Whitespace\"}",
            "{\"type\":\"FixedLength\",\"length\":0}",
        );
        let error = TokenizerFile::parse(zero.as_bytes()).and_then(|t| t.encode("a b"));
        let message = error.unwrap_err().to_string();
        assert!(
            message
                .starts_with("the tokenizers library failed to encode a text: it panicked: chunk"),
            "{message}"
        );
        for broken in ["", "{}", "[]", "null", "{\"model\":null}"] {
            let message = TokenizerFile::parse(broken.as_bytes())
                .unwrap_err()
                .to_string();
            assert!(
                message.starts_with("the tokenizers library failed to read `tokenizer.json`: "),
                "{message}"
            );
        }
        let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
        assert!(TokenizerFile::parse(deep.as_bytes()).is_err());
        assert_eq!(
            TokenizerFile::parse(&vec![b' '; MAX_FILE_BYTES + 1])
                .unwrap_err()
                .to_string(),
            "`tokenizer.json` has 67108865 bytes, above the limit of 67108864 bytes"
        );
    }
}
