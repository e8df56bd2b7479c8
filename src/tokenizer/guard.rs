//! Calls into the `tokenizers` crate, which may panic on a hostile file: its errors and panics become ours.

use super::TokenizerError;
use crate::guard::caught;

/// Runs a call into the `tokenizers` crate; its errors and panics become ours.
pub(super) fn guarded<T>(
    action: &'static str,
    call: impl FnOnce() -> tokenizers::Result<T>,
) -> Result<T, TokenizerError> {
    let message = match caught(call) {
        Ok(Ok(value)) => return Ok(value),
        Ok(Err(error)) => error.to_string(),
        Err(said) => said,
    };
    Err(TokenizerError::Library { action, message })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn panics_and_errors_of_the_library_become_ours() {
        let e = guarded::<()>("encode a text", || panic!("index {} out of range", 7)).unwrap_err();
        assert_eq!(
            e.to_string(),
            "the tokenizers library failed to encode a text: it panicked: index 7 out of range"
        );
        let e = guarded::<()>("build the vocabulary", || Err("no".into())).unwrap_err();
        assert_eq!(
            e.to_string(),
            "the tokenizers library failed to build the vocabulary: no"
        );
    }
}
