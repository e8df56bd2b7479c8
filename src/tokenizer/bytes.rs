//! The byte-level codec of the mock engine: ids 0 to 255 are bytes, 256 is EOS, 257 is BOS. No template.

use super::{Codec, Prompt, TokenizerError, boundary, plain};
use crate::record::{Digest, Message, TokenTable};
use std::sync::Arc;

const EOS: u32 = 256;
const BOS: u32 = 257;

/// Bytes as token ids.
#[derive(Debug, Clone)]
pub struct ByteCodec {
    table: Arc<TokenTable>,
    digest: Digest,
}

impl ByteCodec {
    /// The one byte codec.
    pub fn new() -> Self {
        let bytes = (0..=255_u8).map(|b| vec![b]);
        Self {
            table: Arc::new(TokenTable::from_pieces(
                bytes.chain([Vec::new(), Vec::new()]),
            )),
            digest: Digest::of(b"evalh byte codec 1"),
        }
    }
}

impl Default for ByteCodec {
    fn default() -> Self {
        Self::new()
    }
}

fn with_bos(ids: Vec<u32>) -> Vec<u32> {
    [BOS].into_iter().chain(ids).collect()
}

impl Codec for ByteCodec {
    fn encode(&self, text: &str, _special: bool) -> Result<Vec<u32>, TokenizerError> {
        Ok(text.bytes().map(u32::from).collect())
    }

    fn decode(&self, ids: &[u32]) -> String {
        let bytes: Vec<u8> = ids
            .iter()
            .flat_map(|&id| self.table.piece(id))
            .copied()
            .collect();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    fn prompt(&self, messages: &[Message]) -> Result<Prompt, TokenizerError> {
        if messages.is_empty() {
            return Err(TokenizerError::NoMessages);
        }
        let text = plain::render(messages);
        let ids = with_bos(self.encode(&text, false)?);
        Ok(Prompt { text, ids })
    }

    fn raw_prompt(&self, text: &str) -> Result<Vec<u32>, TokenizerError> {
        Ok(with_bos(self.encode(text, true)?))
    }

    fn context_and_continuation(
        &self,
        context: &str,
        continuation: &str,
    ) -> Result<(Vec<u32>, Vec<u32>), TokenizerError> {
        let (context, continuation) = boundary::split(self, context, continuation)?;
        Ok((with_bos(context), continuation))
    }

    fn bos_id(&self) -> Option<u32> {
        Some(BOS)
    }

    fn eos_ids(&self) -> &[u32] {
        &[EOS]
    }

    fn table(&self) -> Arc<TokenTable> {
        Arc::clone(&self.table)
    }

    fn digest(&self) -> &Digest {
        &self.digest
    }

    fn template_digest(&self) -> Option<&Digest> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Role;

    #[test]
    fn bytes_are_ids() {
        let codec = ByteCodec::default();
        assert_eq!(codec.encode("aé", true).unwrap(), [97, 0xC3, 0xA9]);
        assert_eq!(
            codec.decode(&[257, 97, 0xC3, 0xA9, 256, 9999, 0xFF]),
            "aé\u{fffd}"
        );
        assert_eq!(codec.table().len(), 258);
        assert_eq!(codec.eos_ids(), [256]);
        assert_eq!(codec.raw_prompt("a").unwrap(), [257, 97]);
        assert_eq!(codec.default_stops(), ["\nQuestion:"]);
        assert!(codec.template_digest().is_none());
    }

    #[test]
    fn prompts_are_plain_and_boundaries_are_the_harness_s() {
        let codec = ByteCodec::new();
        let hi = Message {
            role: Role::User,
            content: "Hi".to_owned(),
        };
        let prompt = codec.prompt(&[hi]).unwrap();
        assert_eq!(prompt.text, "Question: Hi\nAnswer:");
        assert_eq!(codec.decode(&prompt.ids), prompt.text);
        assert_eq!(prompt.ids[0], 257);
        assert!(matches!(codec.prompt(&[]), Err(TokenizerError::NoMessages)));
        let pair = |context, continuation| {
            codec
                .context_and_continuation(context, continuation)
                .unwrap()
        };
        assert_eq!(pair("a \n", "b"), (vec![257, 97], vec![32, 10, 98]));
        assert_eq!(pair("", "b"), (vec![257], vec![98]));
        assert_eq!(pair("a\x1f", "b"), (vec![257, 97], vec![0x1f, 98]));
        assert!(codec.context_and_continuation("a", "").is_err());
    }
}
