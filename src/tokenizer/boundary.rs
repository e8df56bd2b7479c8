//! The boundary between a context and its continuation, as lm-evaluation-harness draws it.
//!
//! Trailing white space of the context moves to the continuation; the whole is encoded at once and cut after as many ids as the context
//! has on its own; an empty context leaves all ids to the continuation. Control tokens written in either text stay text.
//! Source: `TemplateLM._encode_pair` and `loglikelihood` of lm-evaluation-harness.

use super::{Codec, TokenizerError};

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

/// What Python's `str.rstrip()` removes: Unicode white space and four separators that Rust does not count.
fn is_python_space(c: char) -> bool {
    c.is_whitespace() || ('\x1c'..='\x1f').contains(&c)
}
