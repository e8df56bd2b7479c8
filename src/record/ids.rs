//! Names of things: content digests, run ids, sample keys.

use std::fmt;

/// A SHA-256 digest as 64 lower-case hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest(String);

impl Digest {
    /// Takes 64 hexadecimal digits; `None` for anything else.
    pub fn from_hex(hex: &str) -> Option<Self> {
        (hex.len() == 64 && hex.bytes().all(|b| b.is_ascii_hexdigit()))
            .then(|| Self(hex.to_ascii_lowercase()))
    }

    /// The digest of `bytes`.
    pub fn of(bytes: &[u8]) -> Self {
        use sha2::Digest as _;
        Self::from_raw(&sha2::Sha256::digest(bytes))
    }

    /// The digest of several parts, each preceded by its length, so that no two lists of parts collide.
    pub fn of_parts<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> Self {
        use sha2::Digest as _;
        let mut hasher = sha2::Sha256::new();
        for part in parts {
            hasher.update((part.len() as u64).to_le_bytes());
            hasher.update(part);
        }
        Self::from_raw(&hasher.finalize())
    }

    /// From the 32 raw bytes of a finished hash.
    pub fn from_raw(raw: &[u8]) -> Self {
        use fmt::Write as _;
        let mut hex = String::with_capacity(64);
        for byte in raw {
            // Writing to a `String` cannot fail.
            let _ = write!(hex, "{byte:02x}");
        }
        Self(hex)
    }

    /// All 64 digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The first twelve digits, for people.
    pub fn short(&self) -> &str {
        &self.0[..12.min(self.0.len())]
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The name of a run: sorts by start time, unique without coordination.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RunId(String);

impl RunId {
    /// Wraps an id read from storage or from the command line.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// Makes an id from the start time (ms since 1970) and 25 bits of entropy: 9 + 5 characters of Crockford's base 32.
    pub fn from_parts(millis: u64, entropy: u64) -> Self {
        const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
        let digit =
            |value: u64, place: u32| char::from(ALPHABET[((value >> (5 * place)) & 31) as usize]);
        let time = (0..9).rev().map(|place| digit(millis, place));
        let tail = (0..5).rev().map(|place| digit(entropy, place));
        Self(time.chain(tail).collect())
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// What identifies one observation inside a run.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SampleKey {
    /// The model's content id (weights, tokenizer, template, engine version), never its name.
    pub model: Digest,
    /// Task id.
    pub task: String,
    /// Sample id, unique in its task.
    pub sample: String,
    /// Repetition, from 0.
    pub epoch: u32,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_and_ids() {
        assert_eq!(
            Digest::of(b"").as_str(),
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        );
        assert_ne!(
            Digest::of_parts([b"ab".as_slice(), b"c"]),
            Digest::of_parts([b"a".as_slice(), b"bc"])
        );
        assert!(Digest::from_hex("zz").is_none());
        assert_eq!(Digest::of(b"").short(), "e3b0c44298fc");
        let early = RunId::from_parts(1_790_000_000_000, 31);
        let late = RunId::from_parts(1_790_000_000_001, 0);
        assert!(early < late);
        assert_eq!(early.as_str().len(), 14);
    }
}
