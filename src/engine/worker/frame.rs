//! Messages in a stream: four bytes with the length, then so many bytes.

use super::error::{Violation, WireError};
use std::io::{ErrorKind, Read, Write};

/// Longest message. The largest real one is the token table of a vocabulary, a few megabytes.
pub(super) const FRAME_LIMIT: usize = 64 << 20;

/// Why no message came.
#[derive(Debug)]
pub(super) enum FrameError {
    /// The stream ended, between messages or in one, or could not be read.
    Ended,
    /// What came is no message.
    Violation(Violation),
}

/// The next message. The length that is stated allocates nothing: memory grows with the bytes that come.
pub(super) fn read_frame(input: &mut impl Read) -> Result<Vec<u8>, FrameError> {
    let mut head = [0; 4];
    input.read_exact(&mut head).map_err(|_| FrameError::Ended)?;
    let length = u32::from_le_bytes(head) as usize;
    if length > FRAME_LIMIT {
        return Err(FrameError::Violation(Violation::Wire(too_long(length))));
    }
    let mut payload = Vec::new();
    let read = input.take(length as u64).read_to_end(&mut payload);
    match read {
        Ok(n) if n == length => Ok(payload),
        _ => Err(FrameError::Ended),
    }
}

/// Sends one message, in one write where the pipe takes it.
pub(super) fn write_frame(output: &mut impl Write, payload: &[u8]) -> std::io::Result<()> {
    let length = u32::try_from(payload.len()).unwrap_or(u32::MAX);
    if payload.len() > FRAME_LIMIT {
        return Err(std::io::Error::new(
            ErrorKind::InvalidInput,
            too_long(payload.len()),
        ));
    }
    let mut frame = Vec::with_capacity(4 + payload.len());
    frame.extend(length.to_le_bytes());
    frame.extend_from_slice(payload);
    output.write_all(&frame)?;
    output.flush()
}

/// The error of a message above [`FRAME_LIMIT`].
pub(super) fn too_long(length: usize) -> WireError {
    WireError::Length {
        what: "frame",
        found: length as u64,
        limit: FRAME_LIMIT as u64,
    }
}
