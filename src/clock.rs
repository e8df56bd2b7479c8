//! The only clock.
//!
//! Durations come from the monotonic clock, calendar time from the system clock; no other file reads either.

pub use jiff::Timestamp;
pub use std::time::{Duration, Instant};

/// The monotonic clock, for durations.
#[expect(clippy::disallowed_methods, reason = "this is the owner of the clock")]
pub fn now() -> Instant {
    Instant::now()
}

/// Calendar time in UTC, for records and file names.
pub fn wall() -> Timestamp {
    Timestamp::now()
}
