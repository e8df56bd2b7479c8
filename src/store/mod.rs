//! The database: one SQLite file that holds every run.
//!
//! In: [`RunEvent`](crate::record::RunEvent)s through a [`StoreSink`]. Out: [`RunRecord`](crate::record::RunRecord)s and lists of runs. The only room that
//! knows SQL. It knows nothing of engines, suites, statistics or reports.
//!
//! Invariants: a sample with its checks is one transaction, committed before the next event is taken; what is read back is what was written
//! (a value that cannot be stored exactly is an error, never rounded); missing is NULL, never 0; a file of another program is never changed;
//! migrations only go forward, in one transaction, after a copy was made. The tables and the stable views `v_run_summary` and `v_sample` are
//! described in `docs/schema.md`.

mod columns;
mod error;
mod likelihood;
mod open;
mod read;
mod runs;
mod summaries;
mod transfer;
mod value;
mod write;

#[cfg(test)]
mod tests;

pub use error::StoreError;
pub use open::{Store, StoreNotice};
pub use runs::{AttemptRecord, RunSummary};
pub use write::{AttemptFacts, StoreSink};
