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
