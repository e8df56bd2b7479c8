//! Values as bytes: little-endian integers, floats by their bits, times in nanoseconds, a length in front of what it counts.
//!
//! Reading trusts nothing: a length is held against the bytes that are there before anything is allocated.

use super::error::WireError;
use std::time::Duration;

/// Puts values behind one another.
#[derive(Debug, Default)]
pub(super) struct Writer {
    bytes: Vec<u8>,
}

impl Writer {
    /// Begins with a tag.
    pub(super) fn tagged(tag: u8) -> Self {
        Self { bytes: vec![tag] }
    }

    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    pub(super) fn u8(&mut self, value: u8) {
        self.bytes.push(value);
    }

    pub(super) fn u32(&mut self, value: u32) {
        self.bytes.extend(value.to_le_bytes());
    }

    pub(super) fn u64(&mut self, value: u64) {
        self.bytes.extend(value.to_le_bytes());
    }

    pub(super) fn f64(&mut self, value: f64) {
        self.u64(value.to_bits());
    }

    /// Nanoseconds. A time above 584 years, which no engine reports, stays at that.
    pub(super) fn duration(&mut self, value: Duration) {
        self.u64(u64::try_from(value.as_nanos()).unwrap_or(u64::MAX));
    }

    /// A length. What is longer than 32 bits can say makes a frame that is refused before it is sent.
    pub(super) fn length(&mut self, length: usize) {
        self.u32(u32::try_from(length).unwrap_or(u32::MAX));
    }

    pub(super) fn bytes(&mut self, value: &[u8]) {
        self.length(value.len());
        self.bytes.extend_from_slice(value);
    }

    pub(super) fn u32s(&mut self, values: &[u32]) {
        self.length(values.len());
        for value in values {
            self.u32(*value);
        }
    }

    pub(super) fn f32s(&mut self, values: &[f32]) {
        self.length(values.len());
        for value in values {
            self.u32(value.to_bits());
        }
    }

    pub(super) fn durations(&mut self, values: &[Duration]) {
        self.length(values.len());
        for value in values {
            self.duration(*value);
        }
    }

    /// A byte that says whether there is a value, and the value.
    pub(super) fn option<T>(&mut self, value: Option<T>, put: impl FnOnce(&mut Self, T)) {
        self.u8(u8::from(value.is_some()));
        if let Some(value) = value {
            put(self, value);
        }
    }
}

/// Takes values from the front of a message.
#[derive(Debug)]
pub(super) struct Reader<'b> {
    rest: &'b [u8],
}

impl<'b> Reader<'b> {
    pub(super) fn new(bytes: &'b [u8]) -> Self {
        Self { rest: bytes }
    }

    /// A message has been read: nothing may follow.
    pub(super) fn end(self) -> Result<(), WireError> {
        match self.rest.len() {
            0 => Ok(()),
            bytes => Err(WireError::Trailing { bytes }),
        }
    }

    fn take(&mut self, what: &'static str, length: usize) -> Result<&'b [u8], WireError> {
        let split = self.rest.split_at_checked(length);
        let (taken, rest) = split.ok_or(WireError::Truncated { what })?;
        self.rest = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self, what: &'static str) -> Result<[u8; N], WireError> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(what, N)?);
        Ok(array)
    }

    pub(super) fn u8(&mut self, what: &'static str) -> Result<u8, WireError> {
        Ok(self.array::<1>(what)?[0])
    }

    pub(super) fn u32(&mut self, what: &'static str) -> Result<u32, WireError> {
        Ok(u32::from_le_bytes(self.array(what)?))
    }

    pub(super) fn u64(&mut self, what: &'static str) -> Result<u64, WireError> {
        Ok(u64::from_le_bytes(self.array(what)?))
    }

    pub(super) fn f64(&mut self, what: &'static str) -> Result<f64, WireError> {
        Ok(f64::from_bits(self.u64(what)?))
    }

    pub(super) fn duration(&mut self, what: &'static str) -> Result<Duration, WireError> {
        Ok(Duration::from_nanos(self.u64(what)?))
    }

    pub(super) fn flag(&mut self, what: &'static str) -> Result<bool, WireError> {
        match self.u8(what)? {
            0 => Ok(false),
            1 => Ok(true),
            found => Err(WireError::Tag { what, found }),
        }
    }

    /// A number of items of at least `item_bytes` each, all of which are there.
    pub(super) fn length(
        &mut self,
        what: &'static str,
        item_bytes: usize,
    ) -> Result<usize, WireError> {
        let length = self.u32(what)? as usize;
        let needed = length.saturating_mul(item_bytes);
        if needed > self.rest.len() {
            return Err(WireError::Truncated { what });
        }
        Ok(length)
    }

    pub(super) fn bytes(&mut self, what: &'static str) -> Result<&'b [u8], WireError> {
        let length = self.length(what, 1)?;
        self.take(what, length)
    }

    /// A text of at most `limit` bytes.
    pub(super) fn text(&mut self, what: &'static str, limit: usize) -> Result<String, WireError> {
        let bytes = self.bytes(what)?;
        if bytes.len() > limit {
            return Err(WireError::Length {
                what,
                found: bytes.len() as u64,
                limit: limit as u64,
            });
        }
        let text = std::str::from_utf8(bytes).map_err(|_| WireError::Text { what })?;
        Ok(text.to_owned())
    }

    pub(super) fn u32s(&mut self, what: &'static str) -> Result<Vec<u32>, WireError> {
        let length = self.length(what, 4)?;
        let bytes = self.take(what, length * 4)?;
        let (words, _) = bytes.as_chunks::<4>();
        Ok(words.iter().map(|w| u32::from_le_bytes(*w)).collect())
    }

    pub(super) fn f32s(&mut self, what: &'static str) -> Result<Vec<f32>, WireError> {
        Ok(self.u32s(what)?.into_iter().map(f32::from_bits).collect())
    }

    pub(super) fn durations(&mut self, what: &'static str) -> Result<Vec<Duration>, WireError> {
        let length = self.length(what, 8)?;
        let bytes = self.take(what, length * 8)?;
        let (words, _) = bytes.as_chunks::<8>();
        let nanoseconds = words.iter().map(|w| u64::from_le_bytes(*w));
        Ok(nanoseconds.map(Duration::from_nanos).collect())
    }

    pub(super) fn option<T>(
        &mut self,
        what: &'static str,
        read: impl FnOnce(&mut Self, &'static str) -> Result<T, WireError>,
    ) -> Result<Option<T>, WireError> {
        if self.flag(what)? {
            read(self, what).map(Some)
        } else {
            Ok(None)
        }
    }
}
