//! The bytes of every id of a `tokenizer.json`, as its decoder tells them.
//!
//! In: the decoder, the vocabulary. Out: bytes by id, and what becomes of spaces at the beginning of a text. A decoder whose
//! work on one token depends on the others beyond that is refused.
//!
//! Source: the decoders of the `tokenizers` crate.

use super::TokenizerError;
use super::bpe::ByteAlphabet;
use super::model::FirstSpace;
use super::spm::byte_of;
use serde_json::Value;

/// Far above the longest piece of any real vocabulary.
const MAX_PIECE_BYTES: usize = 64 << 10;

/// What a decoder does to one token.
enum Step {
    Alphabet(Box<ByteAlphabet>),
    Replace {
        from: String,
        to: String,
    },
    Bytes,
    /// Word pieces: a token without the prefix begins a word.
    Words {
        prefix: String,
        cleanup: bool,
    },
    /// The end of a word is marked.
    Suffix(String),
    Strip {
        c: char,
        start: usize,
        end: usize,
    },
    /// Tokens are words.
    Joined,
}

/// A decoder, read.
pub(super) struct Pieces {
    steps: Vec<Step>,
    pub(super) first_space: FirstSpace,
}

impl Pieces {
    /// `decoder` is the file's, as JSON; null when it has none.
    pub(super) fn new(decoder: &Value) -> Result<Self, TokenizerError> {
        let mut pieces = Self {
            steps: Vec::new(),
            first_space: FirstSpace::Kept,
        };
        if decoder.is_null() {
            pieces.steps.push(Step::Joined);
            pieces.first_space = FirstSpace::Added(1);
            return Ok(pieces);
        }
        pieces.read(decoder, &mut false)?;
        Ok(pieces)
    }

    fn read(&mut self, decoder: &Value, fused: &mut bool) -> Result<(), TokenizerError> {
        let text = |key: &str| decoder[key].as_str().unwrap_or_default().to_owned();
        let number = |key: &str| decoder[key].as_u64().unwrap_or(0) as usize;
        let unsupported = || TokenizerError::Decoder {
            found: decoder.to_string().chars().take(120).collect(),
        };
        match decoder["type"].as_str().unwrap_or_default() {
            "Sequence" => {
                for inner in decoder["decoders"].as_array().into_iter().flatten() {
                    self.read(inner, fused)?;
                }
            }
            "Fuse" => *fused = true,
            "ByteFallback" => self.steps.push(Step::Bytes),
            "ByteLevel" => self
                .steps
                .push(Step::Alphabet(Box::new(ByteAlphabet::new()))),
            "Metaspace" => {
                self.steps.push(Step::Replace {
                    from: text("replacement"),
                    to: " ".to_owned(),
                });
                if decoder["prepend_scheme"] != "never" {
                    self.first_space = FirstSpace::OfFirstToken;
                }
            }
            "Replace" => self.steps.push(Step::Replace {
                from: decoder["pattern"]["String"]
                    .as_str()
                    .filter(|from| !from.is_empty())
                    .ok_or_else(unsupported)?
                    .to_owned(),
                to: text("content"),
            }),
            "WordPiece" => {
                self.steps.push(Step::Words {
                    prefix: text("prefix"),
                    cleanup: decoder["cleanup"] == true,
                });
                self.first_space = FirstSpace::Added(1);
            }
            "BPEDecoder" if !text("suffix").is_empty() => {
                self.steps.push(Step::Suffix(text("suffix")));
            }
            "Strip" if *fused && decoder["content"] == " " && number("stop") == 0 => {
                self.first_space = FirstSpace::Added(number("start"));
            }
            "Strip" if !*fused => self.steps.push(Step::Strip {
                c: text("content").chars().next().ok_or_else(unsupported)?,
                start: number("start"),
                end: number("stop"),
            }),
            _ => return Err(unsupported()),
        }
        Ok(())
    }

    /// True for vocabularies whose pieces are written in the alphabet of bytes.
    pub(super) fn is_byte_level(&self) -> bool {
        self.steps.iter().any(|s| matches!(s, Step::Alphabet(_)))
    }

    /// The bytes of the token `id`, whose text is `token`.
    ///
    /// # Errors
    /// When a replacement would make it longer than any real one; the file chooses both, so the length is known before it is made.
    pub(super) fn bytes(&self, id: u32, token: &str) -> Result<Vec<u8>, TokenizerError> {
        let mut text = token.to_owned();
        for step in &self.steps {
            match step {
                Step::Alphabet(alphabet) => return Ok(alphabet.read(&text)),
                Step::Bytes => {
                    if let Some(byte) = byte_of(&text) {
                        return Ok(vec![byte]);
                    }
                }
                Step::Replace { from, to } => text = replaced(id, &text, from, to)?,
                Step::Words { prefix, cleanup } => {
                    text = match text.strip_prefix(prefix.as_str()) {
                        Some(rest) => rest.to_owned(),
                        None => format!(" {text}"),
                    };
                    if *cleanup {
                        text = tokenizers::decoders::wordpiece::cleanup(&text);
                    }
                }
                Step::Suffix(suffix) => text = text.replace(suffix.as_str(), " "),
                Step::Strip { c, start, end } => text = stripped(text, *c, *start, *end),
                Step::Joined => text.insert(0, ' '),
            }
        }
        Ok(text.into_bytes())
    }
}

/// `text` with `to` for every `from`, unless that grows past the limit.
fn replaced(id: u32, text: &str, from: &str, to: &str) -> Result<String, TokenizerError> {
    let found = text.matches(from).count();
    let kept = text.len() - found * from.len();
    let bytes = kept.saturating_add(found.saturating_mul(to.len()));
    if bytes > MAX_PIECE_BYTES.max(text.len()) {
        return Err(TokenizerError::DecodedTooLong {
            id,
            bytes,
            limit: MAX_PIECE_BYTES,
        });
    }
    Ok(text.replace(from, to))
}

/// `text` without up to so many `c` at its ends.
fn stripped(text: String, c: char, start: usize, end: usize) -> String {
    let mut rest = text.as_str();
    for _ in 0..start.min(text.len()) {
        rest = rest.strip_prefix(c).unwrap_or(rest);
    }
    for _ in 0..end.min(text.len()) {
        rest = rest.strip_suffix(c).unwrap_or(rest);
    }
    rest.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn texts(decoder: &Value, tokens: &[&str]) -> (Vec<String>, FirstSpace) {
        let pieces = Pieces::new(decoder).unwrap();
        let text = |t: &&str| String::from_utf8(pieces.bytes(0, t).unwrap()).unwrap();
        (tokens.iter().map(text).collect(), pieces.first_space)
    }

    #[test]
    fn every_decoder_gives_the_bytes_of_a_token() {
        let sentence_piece = json!({"type": "Sequence", "decoders": [
            {"type": "Replace", "pattern": {"String": "▁"}, "content": " "}, {"type": "ByteFallback"}, {"type": "Fuse"},
            {"type": "Strip", "content": " ", "start": 1, "stop": 0}]});
        assert_eq!(
            texts(&sentence_piece, &["▁a▁", "<0x41>", "<0x4>"]),
            (
                vec![" a ".into(), "A".into(), "<0x4>".into()],
                FirstSpace::Added(1)
            )
        );
        let bytes = json!({"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true});
        assert_eq!(
            texts(&bytes, &["ĠaÃ©"]),
            (vec![" aé".into()], FirstSpace::Kept)
        );
        let words = json!({"type": "WordPiece", "prefix": "##", "cleanup": true});
        assert_eq!(
            texts(&words, &["un", "##able", "."]),
            (
                vec![" un".into(), "able".into(), ".".into()],
                FirstSpace::Added(1)
            )
        );
        let meta = json!({"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": true});
        assert_eq!(
            texts(&meta, &["▁a"]),
            (vec![" a".into()], FirstSpace::OfFirstToken)
        );
        let meta = json!({"type": "Metaspace", "replacement": "▁", "prepend_scheme": "never", "split": true});
        assert_eq!(texts(&meta, &["▁a"]).1, FirstSpace::Kept);
        let suffix = json!({"type": "BPEDecoder", "suffix": "</w>"});
        assert_eq!(texts(&suffix, &["ab</w>"]).0, ["ab "]);
        let strip = json!({"type": "Strip", "content": "_", "start": 1, "stop": 9});
        assert_eq!(texts(&strip, &["__a__", "_"]).0, ["_a", ""]);
        assert_eq!(
            texts(&Value::Null, &["a"]),
            (vec![" a".into()], FirstSpace::Added(1))
        );
    }

    #[test]
    fn replacements_that_grow_without_bound_are_refused() {
        let twice = json!({"type": "Replace", "pattern": {"String": "a"}, "content": "aa"});
        let pieces =
            Pieces::new(&json!({"type": "Sequence", "decoders": vec![twice; 40]})).unwrap();
        assert_eq!(pieces.bytes(6, "b").unwrap(), b"b");
        assert_eq!(
            pieces.bytes(7, "a").unwrap_err().to_string(),
            "`decoder` in `tokenizer.json` makes token 7 131072 bytes long, above the limit of 65536 bytes"
        );
        let long =
            json!({"type": "Replace", "pattern": {"String": "a"}, "content": "b".repeat(65_536)});
        let long = Pieces::new(&long).unwrap();
        assert_eq!(long.bytes(0, "a").unwrap().len(), 65_536);
        assert!(matches!(
            long.bytes(1, "aa"),
            Err(TokenizerError::DecodedTooLong {
                id: 1,
                bytes: 131_072,
                ..
            })
        ));
    }

    #[test]
    fn what_depends_on_other_tokens_is_refused() {
        let e = Pieces::new(&json!({"type": "CTC"}))
            .err()
            .unwrap()
            .to_string();
        assert_eq!(
            e,
            "the decoder `{\"type\":\"CTC\"}` of `tokenizer.json` is not supported: the text of a token would depend on its neighbours"
        );
        for refused in [
            json!({"type": "Replace", "pattern": {"Regex": "a"}, "content": "b"}),
            json!({"type": "Sequence", "decoders": [{"type": "Fuse"}, {"type": "Strip", "content": " ", "start": 0, "stop": 1}]}),
        ] {
            assert!(matches!(
                Pieces::new(&refused),
                Err(TokenizerError::Decoder { .. })
            ));
        }
    }
}
