//! SentencePiece's rules for changing characters before encoding (`precompiled_charsmap`): text to replace, longest first, and what with.
//!
//! In: the blob of a file. Out: the replacement at a place of a text. The blob is hostile: every index is checked when it is used.
//!
//! Source: the format as SentencePiece writes it. Four bytes give the length of an array of 32-bit words, little-endian; behind the
//! array stand the replacements, each ended by a zero byte. The array is a trie in XOR form: in a word, bits 0 to 7 and 31 are the label,
//! bit 8 says that the node ends a key, bits 10 to 30 are the distance of its children, which bit 9 multiplies by 256. The child
//! by label 0 holds the place of the replacement.

use super::TokenizerError;

/// The rules of one file.
pub(super) struct Charsmap {
    nodes: Vec<u32>,
    replacements: Vec<u8>,
}

fn broken(message: &str) -> TokenizerError {
    TokenizerError::Charsmap {
        message: message.to_owned(),
    }
}

impl Charsmap {
    pub(super) fn new(blob: &[u8]) -> Result<Self, TokenizerError> {
        let (length, rest) = blob
            .split_first_chunk::<4>()
            .ok_or_else(|| broken("it is shorter than 4 bytes"))?;
        let length = u32::from_le_bytes(*length) as usize;
        if !length.is_multiple_of(4) || length == 0 || length >= rest.len() {
            let have = rest.len();
            return Err(broken(&format!(
                "its array has {length} bytes and {have} bytes are there"
            )));
        }
        let (nodes, replacements) = rest.split_at(length);
        let words = nodes.as_chunks::<4>().0.iter();
        Ok(Self {
            nodes: words.map(|w| u32::from_le_bytes(*w)).collect(),
            replacements: replacements.to_vec(),
        })
    }

    fn node(&self, index: u32) -> Result<u32, TokenizerError> {
        let node = self.nodes.get(index as usize).copied();
        node.ok_or_else(|| broken(&format!("it leads to word {index} of {}", self.nodes.len())))
    }

    /// The replacement for the longest key that `rest` begins with, and the key's length in bytes.
    pub(super) fn replacement(&self, rest: &str) -> Result<Option<(&str, usize)>, TokenizerError> {
        let mut found = None;
        let mut at = base(self.node(0)?);
        for (place, &byte) in rest.as_bytes().iter().enumerate() {
            if byte == 0 {
                break;
            }
            at ^= u32::from(byte);
            let node = self.node(at)?;
            if node & (1 << 31 | 0xFF) != u32::from(byte) {
                break;
            }
            at ^= base(node);
            if node >> 8 & 1 == 1 {
                found = Some((self.node(at)? & !(1 << 31), place + 1));
            }
        }
        let Some((offset, length)) = found else {
            return Ok(None);
        };
        let text = self.replacements.get(offset as usize..).unwrap_or_default();
        let end = text.iter().position(|&b| b == 0);
        let text = end.and_then(|end| std::str::from_utf8(&text[..end]).ok());
        match text.filter(|_| rest.is_char_boundary(length)) {
            Some(text) => Ok(Some((text, length))),
            None => Err(broken(&format!(
                "its replacement at byte {offset} is no text"
            ))),
        }
    }
}

/// The distance of a node's children.
fn base(node: u32) -> u32 {
    (node >> 10) << ((node & 1 << 9) >> 6)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rules that make `b` of `a`: the root's children are at 256, so that of `a` is 256 ^ 97, and its replacement is at that ^ 512.
    fn blob(value: u32, replacements: &[u8]) -> Vec<u8> {
        let mut words = vec![0_u32; 1024];
        words[0] = 256 << 10;
        let a = 256 ^ u32::from(b'a');
        words[a as usize] = u32::from(b'a') | 1 << 8 | 512 << 10;
        words[(a ^ 512) as usize] = value | 1 << 31;
        let mut blob = 4096_u32.to_le_bytes().to_vec();
        blob.extend(words.iter().flat_map(|w| w.to_le_bytes()));
        blob.extend(replacements);
        blob
    }

    #[test]
    fn keys_are_found_and_nothing_else() {
        let map = Charsmap::new(&blob(2, b"x\0bc\0")).unwrap();
        assert_eq!(map.replacement("ab").unwrap(), Some(("bc", 1)));
        assert_eq!(map.replacement("b").unwrap(), None);
        assert_eq!(map.replacement("").unwrap(), None);
        assert_eq!(map.replacement("\0").unwrap(), None);
    }

    #[test]
    fn broken_rules_are_errors() {
        let error = |blob: &[u8]| Charsmap::new(blob).err().unwrap().to_string();
        let begin = "`tokenizer.ggml.precompiled_charsmap` cannot be used: ";
        assert_eq!(error(b"abc"), format!("{begin}it is shorter than 4 bytes"));
        assert_eq!(
            error(&[8, 0, 0, 0, 1, 2]),
            format!("{begin}its array has 8 bytes and 2 bytes are there")
        );
        assert!(Charsmap::new(&[3, 0, 0, 0, 1, 2, 3, 4]).is_err());
        for (value, replacements) in [(9, &b"bc\0"[..]), (0, b"bc"), (0, b"\xFF\0")] {
            let map = Charsmap::new(&blob(value, replacements)).unwrap();
            assert_eq!(
                map.replacement("a").unwrap_err().to_string(),
                format!("{begin}its replacement at byte {value} is no text")
            );
        }
        let mut far = blob(0, b"b\0");
        far[4..8].copy_from_slice(&(4096_u32 << 10).to_le_bytes());
        assert_eq!(
            Charsmap::new(&far)
                .unwrap()
                .replacement("a")
                .unwrap_err()
                .to_string(),
            format!("{begin}it leads to word {} of 1024", 0x1000 ^ 0x61)
        );
    }
}
