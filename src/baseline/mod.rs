//! Files that a repository keeps: baselines, and the champions of suites.
//!
//! In: an [`Observed`](crate::analysis::Observed) with the facts that go with it, or the text of a file. Out: the text of a file, or what is in it.
//! Reading and writing the file itself is not done here.
//!
//! What it does not know: folders, the database, gates and their statistics.
//!
//! Invariants:
//! * The same baseline gives the same bytes, on every machine.
//! * A file is hostile until its size, its version, its digest, its fields and its numbers are checked, in this order. An edited file is
//!   refused; line ends may change, because version control changes them.
//! * The history of champions only grows: a rollback is an entry of its own.
//!
//! Formats: `docs/formats.md`.

mod champions;
mod error;
mod file;

pub use champions::{Action, Champions, Entry};
pub use error::BaselineError;
pub use file::{Baseline, SavedMargin, check_name};
