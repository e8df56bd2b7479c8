//! The boundary between a context and its continuation, as lm-evaluation-harness draws it.
//!
//! Trailing white space of the context moves to the continuation; the whole is encoded at once and cut after as many ids as the context
//! has on its own; an empty context leaves all ids to the continuation. Control tokens written in either text stay text.
//! Source: `TemplateLM._encode_pair` and `loglikelihood` of lm-evaluation-harness.

use super::{Codec, TokenizerError};
use crate::record::Message;

/// Ids of the context and of the continuation, without BOS; the context's are empty when it is.
pub(super) fn split(
    codec: &dyn Codec,
    context: &str,
    continuation: &str,
) -> Result<(Vec<u32>, Vec<u32>), TokenizerError> {
    let kept = context.trim_end_matches(is_python_space);
    let whole = codec.encode(&format!("{context}{continuation}"), false)?;
    let context_ids = codec.encode(kept, false)?;
    let continuation_ids = whole.get(context_ids.len()..).unwrap_or_default().to_vec();
    if continuation_ids.is_empty() {
        return Err(TokenizerError::EmptyContinuation {
            continuation: continuation.to_owned(),
        });
    }
    Ok((context_ids, continuation_ids))
}

/// Ids of a conversation in the model's prompt format, and of a continuation of it.
///
/// The rendered prompt and the continuation are encoded together, as the harness does, and cut where the prompt ends. Where that is not the
/// prompt with something behind it (a token spans the boundary, or a text holds what looks like a control token and must stay text) the
/// continuation is encoded alone.
///
/// # Errors
/// As for [`Codec::prompt`], and when the continuation has no tokens.
pub fn behind_prompt(
    codec: &dyn Codec,
    messages: &[Message],
    continuation: &str,
) -> Result<(Vec<u32>, Vec<u32>), TokenizerError> {
    let prompt = codec.prompt(messages)?;
    let alone = codec.encode(continuation, false)?;
    let plain = alone == codec.encode(continuation, true)?;
    let together = if plain && codec.raw_prompt(&prompt.text)? == prompt.ids {
        let whole = codec.raw_prompt(&format!("{}{continuation}", prompt.text))?;
        whole
            .strip_prefix(prompt.ids.as_slice())
            .map(<[u32]>::to_vec)
    } else {
        None
    };
    let ids = together.unwrap_or(alone);
    if ids.is_empty() {
        return Err(TokenizerError::EmptyContinuation {
            continuation: continuation.to_owned(),
        });
    }
    Ok((prompt.ids, ids))
}

/// What Python's `str.rstrip()` removes: Unicode white space and four separators that Rust does not count.
fn is_python_space(c: char) -> bool {
    c.is_whitespace() || ('\x1c'..='\x1f').contains(&c)
}

#[cfg(test)]
mod tests {
    use super::super::{ByteCodec, Prompt};
    use super::*;
    use crate::record::{Digest, Role, TokenTable};
    use std::sync::Arc;

    /// Bytes, and one control token that is written `<x>`; `Answer: Y` has a token across the end of the prompt.
    struct Marked(ByteCodec);

    impl Codec for Marked {
        fn encode(&self, text: &str, special: bool) -> Result<Vec<u32>, TokenizerError> {
            let mut ids = Vec::new();
            let mut rest = text;
            while !rest.is_empty() {
                if special && let Some(behind) = rest.strip_prefix("<x>") {
                    ids.push(900);
                    rest = behind;
                } else if let Some(behind) = rest.strip_prefix(":Y") {
                    ids.push(901);
                    rest = behind;
                } else {
                    let length = rest.chars().next().map_or(1, char::len_utf8);
                    ids.extend(rest[..length].bytes().map(u32::from));
                    rest = &rest[length..];
                }
            }
            Ok(ids)
        }
        fn decode(&self, ids: &[u32]) -> String {
            self.0.decode(ids)
        }
        fn prompt(&self, messages: &[Message]) -> Result<Prompt, TokenizerError> {
            let text = self.0.prompt(messages)?.text;
            let ids = self.encode(&text, false)?;
            Ok(Prompt { text, ids })
        }
        fn raw_prompt(&self, text: &str) -> Result<Vec<u32>, TokenizerError> {
            self.encode(text, true)
        }
        fn context_and_continuation(
            &self,
            a: &str,
            b: &str,
        ) -> Result<(Vec<u32>, Vec<u32>), TokenizerError> {
            split(self, a, b)
        }
        fn bos_id(&self) -> Option<u32> {
            None
        }
        fn eos_ids(&self) -> &[u32] {
            &[]
        }
        fn table(&self) -> Arc<TokenTable> {
            self.0.table()
        }
        fn digest(&self) -> &Digest {
            self.0.digest()
        }
        fn template_digest(&self) -> Option<&Digest> {
            None
        }
    }

    fn ask(content: &str, continuation: &str) -> Result<(String, Vec<u32>), TokenizerError> {
        let codec = Marked(ByteCodec::new());
        let message = Message {
            role: Role::User,
            content: content.to_owned(),
        };
        let (prompt, ids) = behind_prompt(&codec, &[message], continuation)?;
        assert!(!prompt.contains(&900), "text became a control token");
        Ok((codec.decode(&prompt), ids))
    }

    #[test]
    fn a_continuation_stands_behind_the_whole_prompt() {
        assert_eq!(
            ask("Hi", "b").unwrap(),
            ("Question: Hi\nAnswer:".to_owned(), vec![98])
        );
        // A token across the boundary: the prompt stays whole, so the continuation is encoded alone.
        assert_eq!(ask("Hi", "Y").unwrap().1, [89]);
        assert!(matches!(
            ask("Hi", ""),
            Err(TokenizerError::EmptyContinuation { .. })
        ));
    }

    #[test]
    fn what_looks_like_a_control_token_stays_text() {
        let text: Vec<u32> = "<x>".bytes().map(u32::from).collect();
        assert_eq!(ask("Hi", "<x>").unwrap().1, text);
        assert_eq!(ask("Say <x>", "b").unwrap().1, [98]);
    }
}
